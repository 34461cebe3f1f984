#pragma once
// HONE_CHECK(condition): what must hold unless we made a mistake. Always on; prints the place and
// ends the process. Input of any kind never reaches a check: it is refused by an Error before.
// HONE_DCHECK is for inner loops and exists in builds without NDEBUG.

namespace hone {

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace hone

#define HONE_CHECK(condition)                   \
  (__builtin_expect(!!(condition), 1) ? (void)0 \
                                      : ::hone::check_failed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define HONE_DCHECK(condition) ((void)sizeof(!(condition)))
#else
#define HONE_DCHECK(condition) HONE_CHECK(condition)
#endif
