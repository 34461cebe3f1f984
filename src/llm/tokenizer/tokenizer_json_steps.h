#pragma once
// The normalizer and pre_tokenizer of a tokenizer.json as steps; a part of tokenizer_json.cc.

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "llm/tokenizer/tokenizer_data.h"

namespace hone::llm {

// Appends to data.normalizer.
void read_normalizer(const Json& normalizer, TokenizerData& data);
// Appends to data.pre_steps and data.splits; says whether a ByteLevel step is there.
void read_pre_tokenizer(const Json& pre_tokenizer, TokenizerData& data, bool& has_byte_level);

// The member `type`; `where` names the object in messages.
const std::string& type_of(const Json& object, const char* where);
// A boolean member, or what holds when it is missing or null.
bool flag_of(const Json& object, std::string_view key, bool otherwise);
// The elements of a Sequence, or the object alone; null is nothing.
std::vector<const Json*> steps_of(const Json& object, const char* list_key, const char* where);

}  // namespace hone::llm
