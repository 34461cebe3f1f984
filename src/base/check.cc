#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace hone {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(
      stderr,
      "%s:%d: this must hold and does not: %s\nThis is a bug of Hone's: please report it.\n", file,
      line, condition);
  std::abort();
}

}  // namespace hone
