#pragma once
// What every reader of text needs to know about UTF-8.

#include <cstddef>
#include <optional>
#include <string_view>

namespace hone {

// The byte at which the text stops being valid UTF-8 (RFC 3629: no surrogates, no overlong
// forms, at most U+10FFFF); nothing when all of it is.
std::optional<size_t> find_invalid_utf8(std::string_view text);

// How many characters (code points) valid UTF-8 holds: what JSON Schema's maxLength counts.
size_t count_characters(std::string_view text);

}  // namespace hone
