#pragma once
// Passwords as Argon2id (RFC 9106, through libsodium): the text that is kept says its own parameters,
// so that they can grow and old ones still verify. Any thread.
//
// One call takes kPasswordMemoryBytes and tens of milliseconds: whoever lets strangers ask bounds how
// many run together.

#include <cstdint>
#include <string>
#include <string_view>

namespace hone::seal {

inline constexpr uint64_t kPasswordMemoryBytes = 64ull << 20;
// Room for the 1,000 characters of four bytes that the pages above allow (label/identity.h).
inline constexpr size_t kPasswordBytesMax = 4096;

struct PasswordOptions {
  uint64_t memory_bytes = kPasswordMemoryBytes;
  uint64_t passes = 2;
};

// "$argon2id$v=19$m=65536,t=2,p=1$…". Throws unavailable when there is no memory for it, too_large
// beyond kPasswordBytesMax.
std::string hash_password(std::string_view password, const PasswordOptions& options = {});

// False too for a text that is no such hash and for a password beyond kPasswordBytesMax.
bool verify_password(const std::string& hash, std::string_view password);

// Whether the hash was made with other options: then hash again what has just been verified.
bool needs_rehash(const std::string& hash, const PasswordOptions& options = {});

// Takes as long as verify_password and is always false: for addresses that nobody has, so that the
// time does not say so.
bool verify_no_password(std::string_view password);

// In a time that does not depend on where the texts differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace hone::seal
