#include "llm/tokenizer/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "base/utf8.h"
#include "llm/tokenizer/text_map.h"

namespace hone::llm {
namespace {

struct Alphabet {
  std::array<uint16_t, 256> character{};  // of each byte
  std::array<int16_t, 512> byte{};        // of each character, or -1
};

constexpr bool stands_for_itself(int b) {
  return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
}

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  for (int16_t& b : alphabet.byte) b = -1;
  uint16_t next = 0x100;
  for (int b = 0; b < 256; ++b) {
    const uint16_t c = stands_for_itself(b) ? static_cast<uint16_t>(b) : next++;
    alphabet.character[static_cast<size_t>(b)] = c;
    alphabet.byte[c] = static_cast<int16_t>(b);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

std::optional<std::string> bytes_of_piece(std::string_view piece) {
  if (find_invalid_utf8(piece)) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < piece.size();) {
    const char32_t c = next_code_point(piece, i);
    if (c >= kAlphabet.byte.size() || kAlphabet.byte[c] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kAlphabet.byte[c]));
  }
  return bytes;
}

std::string piece_of_bytes(std::string_view bytes) {
  std::string piece;
  for (const char byte : bytes) {
    const unsigned c = kAlphabet.character[static_cast<unsigned char>(byte)];
    if (c < 0x80) {
      piece.push_back(static_cast<char>(c));
    } else {
      piece.push_back(static_cast<char>(0xC0 | (c >> 6)));
      piece.push_back(static_cast<char>(0x80 | (c & 0x3F)));
    }
  }
  return piece;
}

}  // namespace hone::llm
