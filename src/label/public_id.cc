#include "label/public_id.h"

#include <cstdint>

namespace hone::label {
namespace {

// 16 bytes as 26 signs of five bits; the last has three bits of its own.
void append_base32(const unsigned char* bytes, size_t count, std::string& out) {
  constexpr char kSigns[] = "abcdefghijklmnopqrstuvwxyz234567";
  uint32_t bits = 0;
  unsigned held = 0;
  for (size_t i = 0; i < count; ++i) {
    bits = (bits << 8 | bytes[i]) & 0xffff;
    for (held += 8; held >= 5; held -= 5) out += kSigns[bits >> (held - 5) & 31];
  }
  if (held > 0) out += kSigns[bits << (5 - held) & 31];
}

}  // namespace

std::string PublicIds::make(std::string_view kind) {
  if (used_ == block_.size()) {
    env_.random_bytes(block_.data(), block_.size());
    used_ = 0;
  }
  std::string id(kind);
  id += '_';
  append_base32(block_.data() + used_, kIdBytes, id);
  used_ += kIdBytes;
  return id;
}

std::string make_public_id(Env& env, std::string_view kind) {
  unsigned char bytes[16];
  env.random_bytes(bytes, sizeof bytes);
  std::string id(kind);
  id += '_';
  append_base32(bytes, sizeof bytes, id);
  return id;
}

}  // namespace hone::label
