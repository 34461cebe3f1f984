#include "seal/signer.h"

#include <sodium.h>

#include "base/check.h"
#include "base/error.h"
#include "seal/key_file.h"

namespace hone::seal {
namespace {

constexpr std::string_view kKeyPrefix = "ed25519:";

static_assert(crypto_sign_SEEDBYTES == kKeyBytes);

std::string message_of(std::string_view bytes, std::string_view context) {
  HONE_CHECK(context.find('\0') == std::string_view::npos);
  std::string message(context);
  message += '\0';
  message += bytes;
  return message;
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

Signer Signer::open(Env& env, const std::string& key_path) {
  Key seed = open_key_file(env, key_path,
                           "signatures made with another key do not match the public key that was "
                           "handed out");
  return from_seed({reinterpret_cast<const char*>(seed.data()), seed.size()});
}

Signer Signer::from_seed(std::string_view seed) {
  HONE_CHECK(sodium_init() >= 0);
  HONE_CHECK(seed.size() == crypto_sign_SEEDBYTES);
  unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
  Signer signer;
  static_assert(sizeof signer.secret_ == crypto_sign_SECRETKEYBYTES);
  crypto_sign_seed_keypair(public_key, signer.secret_.data(), bytes_of(seed));
  signer.public_key_ = std::string(kKeyPrefix) + to_hex(public_key, sizeof public_key);
  return signer;
}

Signer::~Signer() { sodium_memzero(secret_.data(), secret_.size()); }

std::string Signer::sign(std::string_view bytes, std::string_view context) const {
  const std::string message = message_of(bytes, context);
  unsigned char signature[crypto_sign_BYTES];
  crypto_sign_detached(signature, nullptr, bytes_of(message), message.size(), secret_.data());
  return to_hex(signature, sizeof signature);
}

bool verify_signature(std::string_view public_key, std::string_view bytes, std::string_view context,
                      std::string_view signature) {
  HONE_CHECK(sodium_init() >= 0);
  if (!public_key.starts_with(kKeyPrefix)) return false;
  unsigned char key[crypto_sign_PUBLICKEYBYTES];
  unsigned char raw[crypto_sign_BYTES];
  if (!from_hex(public_key.substr(kKeyPrefix.size()), key) || !from_hex(signature, raw)) {
    return false;
  }
  const std::string message = message_of(bytes, context);
  return crypto_sign_verify_detached(raw, bytes_of(message), message.size(), key) == 0;
}

}  // namespace hone::seal
