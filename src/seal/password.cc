#include "seal/password.h"

#include <sodium.h>

#include "base/check.h"
#include "base/error.h"

namespace hone::seal {
namespace {

void start_sodium() {
  static const int status = sodium_init();  // thread-safe; later calls cost a load
  HONE_CHECK(status >= 0);
}

}  // namespace

std::string hash_password(std::string_view password, const PasswordOptions& options) {
  start_sodium();
  if (password.size() > kPasswordBytesMax) {
    throw Error(ErrorCode::kTooLarge, "a password has at most " +
                                          std::to_string(kPasswordBytesMax) +
                                          " bytes; choose a shorter one");
  }
  char hash[crypto_pwhash_STRBYTES] = {};
  if (crypto_pwhash_str_alg(hash, password.data(), password.size(), options.passes,
                            options.memory_bytes, crypto_pwhash_ALG_ARGON2ID13) != 0) {
    throw Error(ErrorCode::kUnavailable, "there is not enough memory to check a password now");
  }
  return hash;
}

bool verify_password(const std::string& hash, std::string_view password) {
  start_sodium();
  if (hash.size() >= crypto_pwhash_STRBYTES || password.size() > kPasswordBytesMax) return false;
  return crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

bool needs_rehash(const std::string& hash, const PasswordOptions& options) {
  start_sodium();
  if (hash.size() >= crypto_pwhash_STRBYTES) return true;
  return crypto_pwhash_str_needs_rehash(hash.c_str(), options.passes, options.memory_bytes) != 0;
}

bool verify_no_password(std::string_view password) {
  // Made once by hash_password from bytes that nobody kept.
  static const std::string kHash = [] {
    start_sodium();
    char secret[32];
    randombytes_buf(secret, sizeof secret);
    return hash_password({secret, sizeof secret});
  }();
  verify_password(kHash, password);
  return false;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  start_sodium();
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace hone::seal
