#pragma once
// Schemas as data, before they become grammar: which keywords are known, references, and one schema
// out of several that must all hold (allOf).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hone::llm::grammar {

[[noreturn]] void refuse_schema(const std::string& place, const std::string& what);

// Says nothing about what is valid: title, description, default, examples, ...
bool is_annotation(std::string_view keyword);
// Refuses a keyword that is not supported, and one whose value has the wrong kind.
void check_keywords(const Json& schema, const std::string& place);

// The schema inside `root` that a reference ("#", "#/$defs/x") names.
const Json& resolve_reference(const Json& root, const std::string& reference,
                              const std::string& place);

// Without allOf and $ref at its top.
Json flattened(const Json& schema, const Json& root, const std::string& place, size_t depth = 0);
// Both hold. Each is flattened.
Json merged(const Json& a, const Json& b, const std::string& place);

// The types a flattened schema can have: what `type` says, or what its keywords are about, or all.
std::vector<std::string> types_of(const Json& schema, const std::string& place);

// -1, 0, 1. Exact between integers.
int compare_numbers(const Json& a, const Json& b);

// No value satisfies both; false when that is not plain to see.
bool plainly_disjoint(const Json& a, const Json& b, const Json& root, const std::string& place,
                      size_t depth = 0);

// The value satisfies the flattened schema's keywords about scalars; nothing when the schema has
// others, which this cannot judge.
std::optional<bool> accepts_scalar(const Json& schema, const Json& value, const std::string& place);

}  // namespace hone::llm::grammar
