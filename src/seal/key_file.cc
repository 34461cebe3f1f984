#include "seal/key_file.h"

#include <sodium.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/error.h"

namespace hone::seal {
namespace {

std::string new_key_file(Env& env, const std::string& path) {
  Key key;
  env.random_bytes(key.data(), key.size());
  std::string text = to_hex(key.data(), key.size()) + "\n";
  write_file_atomically(env, path, text);
  // The folder is closed to others already; this closes the file too. An Env whose files are not the
  // system's has nothing to close.
  ::chmod(path.c_str(), S_IRUSR | S_IWUSR);
  return text;
}

}  // namespace

Key open_key_file(Env& env, const std::string& path, std::string_view consequence) {
  HONE_CHECK(sodium_init() >= 0);
  std::string text = env.exists(path) ? env.read_file(path, 4096) : new_key_file(env, path);
  std::string_view digits = text;
  if (digits.ends_with('\n')) digits.remove_suffix(1);
  Key key = {};
  if (!from_hex(digits, key)) {
    throw corrupt_data(path +
                       " holds no key (64 hexadecimal digits): put the right file back, for " +
                       std::string(consequence));
  }
  sodium_memzero(text.data(), text.size());
  return key;
}

std::string to_hex(const unsigned char* bytes, size_t count) {
  std::string text(2 * count + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes, count);
  text.pop_back();
  return text;
}

bool from_hex(std::string_view text, std::span<unsigned char> bytes) {
  size_t length = 0;
  return text.size() == 2 * bytes.size() &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
         sodium_hex2bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &length,
                        nullptr) == 0 &&
         length == bytes.size();
}

}  // namespace hone::seal
