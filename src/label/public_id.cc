#include "label/public_id.h"

#include <cstdint>

#include "base/check.h"

namespace hone::label {
namespace {

// 16 bytes as 26 signs of five bits; the last has three bits of its own.
void append_base32(std::string_view bytes, std::string& out) {
  constexpr char kSigns[] = "abcdefghijklmnopqrstuvwxyz234567";
  uint32_t bits = 0;
  unsigned held = 0;
  for (const char byte : bytes) {
    bits = (bits << 8 | static_cast<unsigned char>(byte)) & 0xffff;
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
  const std::string_view bytes(reinterpret_cast<const char*>(block_.data()) + used_, kIdBytes);
  used_ += kIdBytes;
  return public_id_from(kind, bytes);
}

std::string public_id_from(std::string_view kind, std::string_view bytes) {
  HONE_CHECK(bytes.size() == 16);
  std::string id(kind);
  id += '_';
  append_base32(bytes, id);
  return id;
}

std::string make_public_id(Env& env, std::string_view kind) {
  char bytes[16];
  env.random_bytes(bytes, sizeof bytes);
  return public_id_from(kind, std::string_view(bytes, sizeof bytes));
}

}  // namespace hone::label
