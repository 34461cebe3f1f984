#pragma once
// Two texts side by side, for a terminal that is wide enough.

#include <string>
#include <string_view>
#include <vector>

namespace hone::cli {

// Lines of at most `width` characters: broken at spaces where there is one, and at line ends. A
// character is a code point; wide ones are not treated apart. The text must be valid UTF-8.
std::vector<std::string> wrap(std::string_view text, size_t width);

// As many lines as it takes, broken at spaces to `width` characters, each with its line end.
std::string wrapped_text(std::string_view text, size_t width);

// Streamed text broken at spaces to a terminal's width: a word is held back until it is whole. With
// width 0 (no terminal) the text passes as it is.
class WordWrap {
 public:
  explicit WordWrap(size_t width) : width_(width) {}
  std::string push(std::string_view piece);  // what can be shown now
  std::string flush();                       // the word that was held back

 private:
  size_t width_, column_ = 0;
  std::string word_;
};

// Two texts to compare: side by side from 80 characters of width, else one below the other.
std::string compared(const std::string& left_heading, std::string_view left,
                     const std::string& right_heading, std::string_view right, size_t width);

// Both texts under their headings, a bar between them, `width` characters in all (at least 20).
std::string side_by_side(const std::string& left_heading, std::string_view left,
                         const std::string& right_heading, std::string_view right, size_t width);

}  // namespace hone::cli
