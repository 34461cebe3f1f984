#pragma once
// A file that the build put into the program (cmake/hone_embed.cmake). hone_embed(target symbol …)
// defines hone::embedded::symbol(); whoever uses it declares it:
//   namespace hone::embedded { std::span<const EmbeddedFile> symbol(); }
// Everything lives as long as the program.

#include <string_view>

namespace hone {

struct EmbeddedFile {
  std::string_view name;    // relative to the folder that was embedded, with '/'
  std::string_view bytes;   // gzip when is_gzip says so
  std::string_view sha256;  // of the plain file, 64 hexadecimal digits
  bool is_gzip = false;
};

}  // namespace hone
