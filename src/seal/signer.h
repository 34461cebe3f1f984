#pragma once
// Ed25519 signatures (RFC 8032, through libsodium): who wrote this file, this report, this head of a
// chain. The private key lies in a file of mode 0600 (docs/formats/signing_key.md); the public key is
// text that is handed out. A Signer is immutable; any thread.

#include <array>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/result.h"

namespace hone::seal {

class Signer {
 public:
  // Reads the key file; makes it when it is absent. Throws corrupt_data for a file that holds no key.
  static Signer open(Env& env, const std::string& key_path);
  // From the 32 secret bytes of RFC 8032.
  static Signer from_seed(std::string_view seed);
  ~Signer();
  Signer(const Signer&) = default;
  Signer& operator=(const Signer&) = default;

  // "ed25519:" and 64 hexadecimal digits.
  const std::string& public_key() const { return public_key_; }
  // 128 hexadecimal digits over context, a zero byte and the bytes. The context ("chain head") says
  // what is signed, so that a signature of one kind of thing is none of another.
  std::string sign(std::string_view bytes, std::string_view context) const;

 private:
  Signer() = default;

  std::array<unsigned char, 64> secret_ = {};
  std::string public_key_;
};

// False for a key or a signature that has not the form of one, too.
bool verify_signature(std::string_view public_key, std::string_view bytes, std::string_view context,
                      std::string_view signature);

}  // namespace hone::seal
