#pragma once
// Two texts side by side, for a terminal that is wide enough.

#include <string>
#include <string_view>
#include <vector>

namespace hone::cli {

// Lines of at most `width` characters: broken at spaces where there is one, and at line ends. A
// character is a code point; wide ones are not treated apart. The text must be valid UTF-8.
std::vector<std::string> wrap(std::string_view text, size_t width);

// Both texts under their headings, a bar between them, `width` characters in all (at least 20).
std::string side_by_side(const std::string& left_heading, std::string_view left,
                         const std::string& right_heading, std::string_view right, size_t width);

}  // namespace hone::cli
