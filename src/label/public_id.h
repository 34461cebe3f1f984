#pragma once
// The ids that people and programs see: a kind and 128 random bits in base32, "tsk_" and 26 letters
// or digits. Never ordered in time: order would give gold tasks away (decisions of the house: an
// internal integer is the order of pages).
//
// Entropy is drawn from Env in blocks, so that a million ids do not cost a million system calls.
// Used by one thread at a time. Throws what Env throws.

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/env.h"

namespace hone::label {

class PublicIds {
 public:
  explicit PublicIds(Env& env) : env_(env) {}
  PublicIds(const PublicIds&) = delete;
  PublicIds& operator=(const PublicIds&) = delete;

  // kind: "tsk", "asn", "ann", "rsp", …
  std::string make(std::string_view kind);

 private:
  static constexpr size_t kIdBytes = 16;

  Env& env_;
  std::array<unsigned char, 256 * kIdBytes> block_ = {};
  size_t used_ = block_.size();
};

// The id that 16 bytes make: for what must get the same id again (bytes of a digest).
std::string public_id_from(std::string_view kind, std::string_view bytes);

// One id, for who needs no more.
std::string make_public_id(Env& env, std::string_view kind);

}  // namespace hone::label
