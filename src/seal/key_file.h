#pragma once
// Keys of 32 random bytes in files of mode 0600, and hexadecimal text. Inside the room only.

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/env.h"

namespace hone::seal {

inline constexpr size_t kKeyBytes = 32;
using Key = std::array<unsigned char, kKeyBytes>;

// Reads the key; makes the file when it is absent. Throws corrupt_data for a file that holds no key;
// `consequence` says what a wrong one would do.
Key open_key_file(Env& env, const std::string& path, std::string_view consequence);

std::string to_hex(const unsigned char* bytes, size_t count);
// False unless the text is exactly as many lower-case digits as fill the bytes.
bool from_hex(std::string_view text, std::span<unsigned char> bytes);

}  // namespace hone::seal
