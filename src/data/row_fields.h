#pragma once
// Single fields of a row, checked and moved out of its JSON object. What is taken leaves a member
// with an empty name behind (a name that no row may use), so that what stays is provenance.
//
// Each throws invalid_input with a clause that names the key.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hone::data {

enum Emptiness { kMayBeEmpty, kMustNotBeEmpty };

std::string take_string(Json& object, std::string_view key);
// Not empty; every message an object with a role (not empty) and a string as content; content may
// be missing or null beside tool_calls.
Json take_messages(Json& object, std::string_view key);
// A string or a message list.
Json take_text(Json& object, std::string_view key);
bool take_bool(Json& object, std::string_view key);
double take_number(Json& object, std::string_view key);
std::string take_name(Json& object, std::string_view key);                // a string or an integer
std::vector<std::string> take_names(Json& object, std::string_view key);  // a list of them
std::vector<std::string> take_strings(Json& object, std::string_view key);
std::vector<bool> take_bools(Json& object, std::string_view key);
std::vector<int32_t> take_ids(Json& object, std::string_view key, Emptiness emptiness);
std::vector<int32_t> take_token_labels(Json& object, std::string_view key);  // ids or -100

// Already taken, or null: no provenance.
bool is_taken(const Json::Member& member);

}  // namespace hone::data
