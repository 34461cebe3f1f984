#pragma once
// GPT-2's alphabet of 256 printable characters, one for each byte (Radford et al. 2019,
// encoder.py bytes_to_unicode): printable Latin-1 bytes stand for themselves, the others take the
// code points from U+0100 in order. Byte-level vocabularies are written in it.

#include <optional>
#include <string>
#include <string_view>

namespace hone::llm {

// The bytes that a piece stands for; nothing when a character of it is not in the alphabet.
std::optional<std::string> bytes_of_piece(std::string_view piece);

// The piece that stands for these bytes.
std::string piece_of_bytes(std::string_view bytes);

}  // namespace hone::llm
