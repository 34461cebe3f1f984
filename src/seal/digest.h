#pragma once
// SHA-256 (FIPS 180-4, through OpenSSL's EVP) and the digest of an artefact, docs/formats/digest.md.
// A digest is 64 lower-case hexadecimal characters. Files are streamed. A Sha256 belongs to one
// thread; the functions may be called from any.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hone::seal {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::string_view bytes);
  std::string hex();               // ends the computation: further calls are bugs
  std::string bytes();             // the same as 32 raw bytes
  std::string hex_so_far() const;  // of the bytes up to here; the computation goes on

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string sha256_hex(std::string_view bytes);
std::string sha256_bytes(std::string_view bytes);  // the 32 bytes themselves

// HMAC-SHA-256 (RFC 2104) under a secret salt: stands for a text that may be erased, and cannot be
// guessed from a list of likely texts by someone who has not the salt.
std::string salted_digest(std::string_view salt, std::string_view text);

// Throws not_found or unavailable with the path and the system's reason.
std::string sha256_file(const std::string& path);

// files: (path inside the artefact with '/', digest of the file), in any order. Throws invalid_input
// when a path is empty, holds a line break or stands twice, or when a digest is not one.
std::string artefact_digest(std::vector<std::pair<std::string, std::string>> files);

}  // namespace hone::seal
