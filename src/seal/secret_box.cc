#include "seal/secret_box.h"

#include <sodium.h>

#include "seal/digest.h"
#include "seal/key_file.h"

namespace hone::seal {
namespace {

constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr char kBoxVersion = '\x01';

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

std::string new_token(Env& env) {
  unsigned char bytes[32];
  env.random_bytes(bytes, sizeof bytes);
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz234567";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const unsigned char byte : bytes) {
    bits = (bits << 8) | byte;
    for (count += 8; count >= 5; count -= 5) text += kLetters[(bits >> (count - 5)) & 31];
  }
  if (count > 0) text += kLetters[(bits << (5 - count)) & 31];
  return text;
}

std::string token_digest(std::string_view token) { return sha256_hex(token); }

SecretBox SecretBox::open(Env& env, const std::string& key_path) {
  return SecretBox(open_key_file(env, key_path, "what was sealed opens with it only"));
}

SecretBox::SecretBox(const Key& key) {
  crypto_kdf_derive_from_key(seal_key_.data(), seal_key_.size(), 1, "honeseal", key.data());
  crypto_kdf_derive_from_key(digest_key_.data(), digest_key_.size(), 2, "honeseal", key.data());
}

std::string SecretBox::seal(Env& env, std::string_view plain, std::string_view context) const {
  std::string box(1 + kNonceBytes + plain.size() + kTagBytes, '\0');
  box[0] = kBoxVersion;
  env.random_bytes(box.data() + 1, kNonceBytes);
  unsigned char* const nonce = bytes_of(box) + 1;
  crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + kNonceBytes, nullptr, bytes_of(plain),
                                             plain.size(), bytes_of(context), context.size(),
                                             nullptr, nonce, seal_key_.data());
  return box;
}

std::optional<std::string> SecretBox::unseal(std::string_view box, std::string_view context) const {
  if (box.size() < 1 + kNonceBytes + kTagBytes || box[0] != kBoxVersion) return std::nullopt;
  std::string plain(box.size() - 1 - kNonceBytes - kTagBytes, '\0');
  const unsigned char* const nonce = bytes_of(box) + 1;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          bytes_of(plain), nullptr, nullptr, nonce + kNonceBytes, box.size() - 1 - kNonceBytes,
          bytes_of(context), context.size(), nonce, seal_key_.data()) != 0) {
    return std::nullopt;
  }
  return plain;
}

std::string SecretBox::keyed_digest(std::string_view text, std::string_view context) const {
  const std::string message = std::string(context) + '\0' + std::string(text);
  unsigned char digest[32];
  crypto_generichash(digest, sizeof digest, bytes_of(message), message.size(), digest_key_.data(),
                     digest_key_.size());
  return to_hex(digest, sizeof digest);
}

}  // namespace hone::seal
