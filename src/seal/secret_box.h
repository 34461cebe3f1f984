#pragma once
// Secrets at rest (decisions of the house: e-mail addresses and tokens are sealed under a key file),
// and the random texts that people carry: session cookies, access tokens, links.
//
// The key file holds 32 random bytes in hexadecimal, mode 0600; whoever has it and the database can
// read what was sealed, whoever has the database alone cannot. Losing it loses the addresses and
// nothing else. docs/formats/key_file.md. A SecretBox is immutable; any thread.

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/env.h"

namespace hone::seal {

// 256 random bits in base32 (52 letters and digits): what a cookie, a link or an access token holds.
std::string new_token(Env& env);
// What is kept of it: SHA-256. A token has 256 bits, so no salt is needed.
std::string token_digest(std::string_view token);

class SecretBox {
 public:
  // Reads the key file; makes it when it is absent. Throws corrupt_data for a file that holds no key.
  static SecretBox open(Env& env, const std::string& key_path);

  // XChaCha20-Poly1305 with a fresh nonce: "\x01", nonce, box. context ("email:usr_…") is bound to
  // it: a box that was moved to another row does not open.
  std::string seal(Env& env, std::string_view plain, std::string_view context) const;
  // Nothing when the bytes were changed, belong to another context or to another key.
  std::optional<std::string> unseal(std::string_view box, std::string_view context) const;

  // The same text gives the same digest under this key file only (BLAKE2b): finds an address without
  // keeping it.
  std::string keyed_digest(std::string_view text, std::string_view context) const;

 private:
  explicit SecretBox(const std::array<unsigned char, 32>& key);

  std::array<unsigned char, 32> seal_key_ = {};
  std::array<unsigned char, 32> digest_key_ = {};
};

}  // namespace hone::seal
