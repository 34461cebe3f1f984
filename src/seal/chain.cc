#include "seal/chain.h"

#include "base/check.h"
#include "seal/digest.h"

namespace hone::seal {

std::string chain_start() { return std::string(kHeadBytes, '\0'); }

std::string next_head(std::string_view previous, std::string_view record) {
  HONE_CHECK(previous.size() == kHeadBytes);
  Sha256 sha;
  sha.update(previous);
  sha.update(record);
  return sha.bytes();
}

ChainVerifier::ChainVerifier(std::string_view start) : head_(start) {
  HONE_CHECK(start.size() == kHeadBytes);
}

bool ChainVerifier::add(std::string_view record, std::string_view head) {
  if (!intact_) return false;
  std::string expected = next_head(head_, record);
  if (expected != head) {
    intact_ = false;
    return false;
  }
  head_ = std::move(expected);
  ++records_;
  return true;
}

}  // namespace hone::seal
