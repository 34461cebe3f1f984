#include "base/check.h"

#include <cstdio>
#include <cstdlib>

#ifdef __SANITIZE_THREAD__
// libstdc++ counts the holders of an exception in code that is not instrumented: the thread sanitiser
// does not see that the last one frees it after all others.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}
#endif

namespace hone {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(
      stderr,
      "%s:%d: this must hold and does not: %s\nThis is a bug of Hone's: please report it.\n", file,
      line, condition);
  std::abort();
}

}  // namespace hone
