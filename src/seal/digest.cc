#include "seal/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/check.h"
#include "base/error.h"

namespace hone::seal {

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  bool ended = false;
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  if (context_->evp == nullptr || EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr) != 1) {
    throw Error(ErrorCode::kInternal, "OpenSSL offers no SHA-256");
  }
}

Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  HONE_CHECK(!context_->ended);
  HONE_CHECK(EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) == 1);
}

namespace {

std::string final_bytes(EVP_MD_CTX* evp) {
  unsigned char digest[32];
  HONE_CHECK(EVP_DigestFinal_ex(evp, digest, nullptr) == 1);
  return std::string(reinterpret_cast<const char*>(digest), sizeof digest);
}

std::string hex_of(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char sign : bytes) {
    const auto byte = static_cast<unsigned char>(sign);
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

}  // namespace

std::string Sha256::bytes() {
  HONE_CHECK(!context_->ended);
  context_->ended = true;
  return final_bytes(context_->evp);
}

std::string Sha256::hex() { return hex_of(bytes()); }

std::string Sha256::hex_so_far() const {
  HONE_CHECK(!context_->ended);
  Context copy;
  HONE_CHECK(copy.evp != nullptr && EVP_MD_CTX_copy_ex(copy.evp, context_->evp) == 1);
  return hex_of(final_bytes(copy.evp));
}

std::string sha256_hex(std::string_view bytes) { return hex_of(sha256_bytes(bytes)); }

std::string sha256_bytes(std::string_view bytes) {
  unsigned char digest[32];
  unsigned int size = sizeof digest;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr) != 1) {
    throw Error(ErrorCode::kInternal, "OpenSSL offers no SHA-256");
  }
  return std::string(reinterpret_cast<const char*>(digest), size);
}

std::string salted_digest(std::string_view salt, std::string_view text) {
  unsigned char digest[32];
  const unsigned char* done =
      HMAC(EVP_sha256(), salt.data(), static_cast<int>(salt.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, nullptr);
  HONE_CHECK(done != nullptr);
  return hex_of({reinterpret_cast<const char*>(digest), sizeof digest});
}

std::string sha256_file(const std::string& path) {
  auto failed = [&](int number) {
    return Error(number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                 "cannot read " + path + ": " + std::generic_category().message(number));
  };
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) throw failed(errno);
  Sha256 sha;
  std::string chunk(1 << 20, '\0');
  while (size_t read = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
    sha.update(std::string_view(chunk).substr(0, read));
  }
  if (std::ferror(file.get()) != 0) throw failed(errno);
  return sha.hex();
}

std::string artefact_digest(std::vector<std::pair<std::string, std::string>> files) {
  std::sort(files.begin(), files.end());
  Sha256 sha;
  const std::string* before = nullptr;
  for (const auto& [path, digest] : files) {
    if (path.empty() || path.find('\n') != std::string::npos) {
      throw invalid_input("a path of an artefact is empty or holds a line break: \"" + path + "\"");
    }
    if (before != nullptr && *before == path) {
      throw invalid_input("the path " + path + " stands twice in the artefact");
    }
    if (digest.size() != 64 || digest.find_first_not_of("0123456789abcdef") != std::string::npos) {
      throw invalid_input("the digest of " + path + " is not 64 hexadecimal characters: " + digest);
    }
    sha.update(digest);
    sha.update("  ");
    sha.update(path);
    sha.update("\n");
    before = &path;
  }
  return sha.hex();
}

}  // namespace hone::seal
