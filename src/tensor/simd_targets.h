#pragma once
// Included before hwy/foreach_target.h by every kernel and test: which instruction sets are
// compiled. All of them have fused multiply-add. Highway wants a baseline beside them on x86-64
// (SCALAR or EMU128); Compute refuses a CPU that would need it, because its bits would differ.

#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif
