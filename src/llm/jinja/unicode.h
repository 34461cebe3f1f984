#pragma once
// Code points in UTF-8 text as Python's str counts them. Indices are in code points; a byte that
// is not part of valid UTF-8 counts as one. Case and printability come from utf8proc. Thread-safe.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hone::llm::jinja {

struct CodePoint {
  uint32_t value;
  size_t size;  // bytes
};
CodePoint decode(std::string_view text, size_t at);
void encode(std::string& out, uint32_t code_point);
bool is_ascii(std::string_view text);
size_t length(std::string_view text);
// Byte offset of every code point and, last, the size of the text.
std::vector<size_t> offsets(std::string_view text);
size_t byte_offset(std::string_view text, size_t index);

bool is_space(uint32_t code_point);      // str.isspace
bool is_printable(uint32_t code_point);  // str.isprintable
bool is_alpha(uint32_t code_point);
bool is_digit(uint32_t code_point);
bool is_upper(uint32_t code_point);
bool is_lower(uint32_t code_point);
void append_upper(std::string& out, uint32_t code_point);
void append_title(std::string& out, uint32_t code_point);
void append_lower(std::string& out, uint32_t code_point);

}  // namespace hone::llm::jinja
