#include "seal/public_id.h"

#include <algorithm>

namespace hone::seal {
namespace {

constexpr std::string_view kLetters = "0123456789abcdefghjkmnpqrstvwxyz";

}  // namespace

std::string new_id(Env& env, std::string_view prefix) {
  unsigned char bytes[16];
  env.random_bytes(bytes, sizeof bytes);
  std::string id(prefix);
  id.reserve(prefix.size() + kIdLetters);
  unsigned bits = 0;
  int count = 2;  // 26 letters hold 130 bits: the first has two zero bits in front
  for (const unsigned char byte : bytes) {
    bits = (bits << 8) | byte;
    for (count += 8; count >= 5; count -= 5) id += kLetters[(bits >> (count - 5)) & 31];
    bits &= 31;
  }
  return id;
}

bool is_id(std::string_view text, std::string_view prefix) {
  if (text.size() != prefix.size() + kIdLetters || !text.starts_with(prefix)) return false;
  std::string_view letters = text.substr(prefix.size());
  return letters[0] < '8' && std::all_of(letters.begin(), letters.end(), [](char c) {
           return kLetters.find(c) != std::string_view::npos;
         });
}

}  // namespace hone::seal
