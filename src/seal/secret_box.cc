#include "seal/secret_box.h"

#include <sodium.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/error.h"
#include "seal/digest.h"

namespace hone::seal {
namespace {

constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr char kBoxVersion = '\x01';

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string to_hex(const unsigned char* bytes, size_t count) {
  std::string text(2 * count + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes, count);
  text.pop_back();
  return text;
}

std::string new_key_file(Env& env, const std::string& path) {
  unsigned char key[32];
  env.random_bytes(key, sizeof key);
  std::string text = to_hex(key, sizeof key) + "\n";
  write_file_atomically(env, path, text);
  // The folder is closed to others already; this closes the file too. An Env whose files are not the
  // system's has nothing to close.
  ::chmod(path.c_str(), S_IRUSR | S_IWUSR);
  return text;
}

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
  HONE_CHECK(sodium_init() >= 0);
  const std::string text =
      env.exists(key_path) ? env.read_file(key_path, 4096) : new_key_file(env, key_path);
  Key key = {};
  size_t length = 0;
  const char* end = nullptr;
  const bool is_key =
      sodium_hex2bin(key.data(), key.size(), text.data(), text.size(), "\n", &length, &end) == 0 &&
      length == key.size() && end == text.data() + text.size();
  if (!is_key) {
    throw corrupt_data(key_path +
                       " holds no key (64 hexadecimal digits): put the right file back, for what "
                       "was sealed opens with it only");
  }
  return SecretBox(key);
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
