// The f32 tile: R rows of the left operand times P panels of the right one, accumulators in named
// registers (arrays of vectors end up in memory, and SVE's vectors cannot be in arrays at all).
#if defined(HONE_TENSOR_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HONE_TENSOR_TILE_INL_H_
#undef HONE_TENSOR_TILE_INL_H_
#else
#define HONE_TENSOR_TILE_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cmath>
#include <utility>

#include "tensor/codec-inl.h"
#include "tensor/matmul_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

#undef HONE_TILE_ROWS
#define HONE_TILE_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13)

// GCC folds loads of b into the FMAs of small tiles, once a row: keep them in registers.
#undef HONE_KEEP_IN_REGISTER
#if HWY_ARCH_X86
#define HONE_KEEP_IN_REGISTER(v) asm("" : "+v"((v).raw))
#else
#define HONE_KEEP_IN_REGISTER(v)
#endif

#undef HONE_UNROLL_FOUR
#if HWY_COMPILER_CLANG
#define HONE_UNROLL_FOUR _Pragma("unroll")
#else
#define HONE_UNROLL_FOUR _Pragma("GCC unroll 4")
#endif

#undef HONE_TILE_DECLARE
#define HONE_TILE_DECLARE(r)                                                                  \
  [[maybe_unused]] FloatVec c##r##_0 = hn::Zero(d), c##r##_1 = c##r##_0, c##r##_2 = c##r##_0, \
                            c##r##_3 = c##r##_0;
#undef HONE_TILE_FMA
#define HONE_TILE_FMA(r)                                                \
  if constexpr (R > r) {                                                \
    const float* left = a0;                                             \
    if constexpr (kLeft == Left::kRows) {                               \
      left = r < 3 ? a0 : r < 6 ? a3 : r < 9 ? a6 : r < 12 ? a9 : a12;  \
      left += r % 3 * lda + k;                                          \
    } else {                                                            \
      left += k * R + r; /* where tokens lie apart, k is 0 */           \
    }                                                                   \
    FloatVec x = hn::Set(d, *left);                                     \
    if constexpr (kVectors > 1) HONE_KEEP_IN_REGISTER(x);               \
    c##r##_0 = hn::MulAdd(x, b0, c##r##_0);                             \
    if constexpr (kVectors > 1) c##r##_1 = hn::MulAdd(x, b1, c##r##_1); \
    if constexpr (kVectors > 2) c##r##_2 = hn::MulAdd(x, b2, c##r##_2); \
    if constexpr (kVectors > 3) c##r##_3 = hn::MulAdd(x, b3, c##r##_3); \
  }
#undef HONE_TILE_STORE_ONE
#define HONE_TILE_STORE_ONE(r, v)                                   \
  if constexpr (kVectors > v) {                                     \
    float* to = c + r * ldc + column(v);                            \
    if (!first) c##r##_##v = hn::Add(hn::LoadU(d, to), c##r##_##v); \
    hn::StoreU(c##r##_##v, d, to);                                  \
  }
#undef HONE_TILE_STORE
#define HONE_TILE_STORE(r)    \
  if constexpr (R > r) {      \
    HONE_TILE_STORE_ONE(r, 0) \
    HONE_TILE_STORE_ONE(r, 1) \
    HONE_TILE_STORE_ONE(r, 2) \
    HONE_TILE_STORE_ONE(r, 3) \
  }

// How the left operand lies: rows of stride lda; [k][R]; or both operands unpacked, k (a token) after k
// lda apart on the left and panel_stride apart on the right, where a token's panels are neighbours.
enum class Left { kRows, kPacked, kApart };

// kPerPanel vectors make a panel. U divides kc up to the last block's length (a remainder loop beside
// the unrolled one costs 12 %).
template <size_t R, size_t P, size_t kPerPanel, size_t U, Left kLeft>
HWY_NOINLINE void tile(const float* HWY_RESTRICT a, size_t lda, const float* HWY_RESTRICT b,
                       size_t panel_stride, size_t kc, float* HWY_RESTRICT c, size_t ldc,
                       bool first) {
  constexpr size_t kVectors = P * kPerPanel;
  const Floats d;
  const size_t lanes = hn::Lanes(d);
  const auto column = [lanes](size_t v) { return v / kPerPanel * kPanel + v % kPerPanel * lanes; };
  static_assert(kLeft != Left::kApart || U == 1);
  const auto offset = [lanes, panel_stride](size_t v) {
    return v / kPerPanel * (kLeft == Left::kApart ? kPanel : panel_stride) + v % kPerPanel * lanes;
  };
  // Three rows a pointer: base, base + stride, base + 2 strides are one x86 address each.
  const float *a0 = a, *a3 = a, *a6 = a, *a9 = a, *a12 = a;
  if constexpr (kLeft == Left::kRows) {
    if constexpr (R > 3) a3 += 3 * lda;
    if constexpr (R > 6) a6 += 6 * lda;
    if constexpr (R > 9) a9 += 9 * lda;
    if constexpr (R > 12) a12 += 12 * lda;
  }
  for (size_t begin = 0; begin < kc; begin += kChain) {
    HONE_TILE_ROWS(HONE_TILE_DECLARE)
    const size_t count = HWY_MIN(kChain, kc - begin);
    for (size_t k0 = 0; k0 < count; k0 += U) {
      // Opaque to the compiler, which would else keep one pointer a row, in memory.
      asm("" : "+r"(a0), "+r"(a3), "+r"(a6), "+r"(a9), "+r"(a12));
      HONE_UNROLL_FOUR
      for (size_t k = 0; k < U; ++k) {
        const float* right = b + k * kPanel;
        if constexpr (kLeft == Left::kApart) {
          hwy::Prefetch(a0 + kAheadTokens * lda);
          for (size_t p = 0; p < P; ++p) {
            hwy::Prefetch(right + kAheadTokens * panel_stride + p * kPanel);
          }
        }
        FloatVec b0 = hn::LoadU(d, right);
        [[maybe_unused]] FloatVec b1 = b0, b2 = b0, b3 = b0;
        if constexpr (R > 1) HONE_KEEP_IN_REGISTER(b0);
        if constexpr (kVectors > 1) {
          b1 = hn::LoadU(d, right + offset(1));
          if constexpr (R > 1) HONE_KEEP_IN_REGISTER(b1);
        }
        if constexpr (kVectors > 2) {
          b2 = hn::LoadU(d, right + offset(2));
          if constexpr (R > 1) HONE_KEEP_IN_REGISTER(b2);
        }
        if constexpr (kVectors > 3) {
          b3 = hn::LoadU(d, right + offset(3));
          if constexpr (R > 1) HONE_KEEP_IN_REGISTER(b3);
        }
        HONE_TILE_ROWS(HONE_TILE_FMA)
      }
      const size_t step = kLeft == Left::kApart ? lda : kLeft == Left::kPacked ? U * R : U;
      a0 += step, a3 += step, a6 += step, a9 += step, a12 += step;
      b += kLeft == Left::kApart ? panel_stride : U * kPanel;
    }
    HONE_TILE_ROWS(HONE_TILE_STORE)
    first = false;
  }
}

using Tile = void (*)(const float*, size_t, const float*, size_t, size_t, float*, size_t, bool);

template <size_t P, size_t kPerPanel, size_t U, Left kLeft, size_t... R>
Tile tile_of_rows(size_t rows, std::index_sequence<R...>) {
  static constexpr Tile kTiles[] = {tile<R + 1, P, kPerPanel, U, kLeft>...};
  return kTiles[rows - 1];
}

// Accumulators: what the register file holds beside two or more vectors of b and one of a.
template <size_t P, size_t kPerPanel>
constexpr size_t max_rows() {
  constexpr size_t kRegisters = HWY_TARGET == HWY_AVX2 ? 12 : HWY_ARCH_X86 && P != 3 ? 28 : 24;
  return HWY_MIN(kMaxTileRows, HWY_MAX(size_t{1}, kRegisters / (P * kPerPanel)));
}

template <size_t P, size_t kPerPanel>
Tile tile_for(size_t rows, size_t kc) {
  using Rows = std::make_index_sequence<max_rows<P, kPerPanel>()>;
  return kc % 4 == 0 ? tile_of_rows<P, kPerPanel, 4, Left::kRows>(rows, Rows())
                     : tile_of_rows<P, kPerPanel, 1, Left::kRows>(rows, Rows());
}

// All rows times all panels, P panels at a time; rows cut into nearly equal tiles.
template <size_t P, size_t kPerPanel>
HWY_INLINE size_t multiply_panels(const float* a, size_t lda, size_t rows, const float* b,
                                  size_t panel_stride, size_t panels, size_t kc, float* c,
                                  size_t ldc, bool first) {
  constexpr size_t kRows = max_rows<P, kPerPanel>();
  const size_t done = panels / P * P;
  const size_t tiles = divide_up(rows, kRows);
  for (size_t t = 0; t < tiles && done != 0; ++t) {
    const size_t m = rows * t / tiles;
    const size_t count = rows * (t + 1) / tiles - m;
    const Tile run = tile_for<P, kPerPanel>(count, kc);
    for (size_t p = 0; p < done; p += P) {
      run(a + m * lda, lda, b + p * panel_stride, panel_stride, kc, c + m * ldc + p * kPanel, ldc,
          first);
    }
  }
  return done;
}

template <size_t kPerPanel>
HWY_INLINE void multiply_with(const float* a, size_t lda, size_t rows, const float* b,
                              size_t panel_stride, size_t panels, size_t kc, float* c, size_t ldc,
                              bool first) {
  size_t done = 0;
  if constexpr (kPerPanel == 1) {
    if (rows <= max_rows<4, 1>()) {
      done = multiply_panels<4, 1>(a, lda, rows, b, panel_stride, panels, kc, c, ldc, first);
    }
    // 8 x 3 loads 11 times for 24 multiply-adds where 14 x 2 loads 16 times for 28: equal on a quiet
    // core, 5 to 20 % faster where a stranger on the core's other thread takes issue slots.
    done += multiply_panels<3, 1>(a, lda, rows, b + done * panel_stride, panel_stride,
                                  panels - done, kc, c + done * kPanel, ldc, first);
  }
  if constexpr (kPerPanel <= 2) {
    if (kPerPanel == 1 || rows <= max_rows<2, kPerPanel>()) {
      done += multiply_panels<2, kPerPanel>(a, lda, rows, b + done * panel_stride, panel_stride,
                                            panels - done, kc, c + done * kPanel, ldc, first);
    }
  }
  multiply_panels<1, kPerPanel>(a, lda, rows, b + done * panel_stride, panel_stride, panels - done,
                                kc, c + done * kPanel, ldc, first);
}

void multiply(const float* a, size_t lda, size_t rows, const float* b, size_t panel_stride,
              size_t panels, size_t kc, float* c, size_t ldc, bool first) {
  switch (kPanel / hn::Lanes(Floats())) {
#if HWY_TARGET == HWY_AVX3 || HWY_MAX_BYTES > 64
    case 1: return multiply_with<1>(a, lda, rows, b, panel_stride, panels, kc, c, ldc, first);
#endif
#if HWY_TARGET == HWY_AVX2 || HWY_MAX_BYTES > 64 || HWY_TARGET == HWY_SVE_256
    case 2: return multiply_with<2>(a, lda, rows, b, panel_stride, panels, kc, c, ldc, first);
#endif
#if HWY_MAX_BYTES == 16 || HWY_MAX_BYTES > 64
    case 4: return multiply_with<4>(a, lda, rows, b, panel_stride, panels, kc, c, ldc, first);
#endif
    default: HWY_ABORT("vector of an unexpected width");
  }
}

// ---- weight gradients ----

// Rounds a row of 16 sums to the fixed grid and adds it: float -> double, times 2^exponent plus
// 1.5 * 2^52 (whose last bit is 1, so that the addition rounds, ties to even), then the bits.
HWY_INLINE void add_fixed(const float* sums, int64_t* to, double scale) {
  const hn::CappedTag<double, 8> d;
  const hn::RebindToSigned<decltype(d)> i64;
  const hn::Rebind<float, decltype(d)> f32;
  const auto magic = hn::Set(d, 0x1.8p52);
  for (size_t i = 0; i < kPanel; i += hn::Lanes(d)) {
    const auto wide = hn::PromoteTo(d, hn::LoadU(f32, sums + i));
    const auto shifted = hn::MulAdd(wide, hn::Set(d, scale), magic);
    const auto integer = hn::Sub(hn::BitCast(i64, shifted), hn::BitCast(i64, magic));
    hn::StoreU(hn::Add(hn::LoadU(i64, to + i), integer), i64, to + i);
  }
}

// Largest |sum| and how many of them round to zero without being zero (|sum| <= half a step). Sizes
// are compared as bits, which order them, and NaN above infinity.
HWY_INLINE void add_statistics(const float* sums, size_t count, float half_step,
                               WeightStatistics* statistics) {
  const Floats d;
  const hn::RebindToUnsigned<Floats> du;
  const auto size_bits = hn::Set(du, 0x7FFFFFFFu), one = hn::Set(du, 1u);
  const auto half_bits = hn::BitCast(du, hn::Set(d, half_step));
  auto largest = hn::Zero(du), flushed = hn::Zero(du);
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto size = hn::And(hn::BitCast(du, hn::LoadU(d, sums + i)), size_bits);
    largest = hn::Max(largest, size);
    const auto is_flushed = hn::Lt(hn::Sub(size, one), half_bits);  // zero wraps to the largest
    flushed = hn::IfThenElse(is_flushed, hn::Add(flushed, one), flushed);
  }
  statistics->flushed_to_zero += hn::GetLane(hn::SumOfLanes(du, flushed));
  const uint32_t bits = hn::GetLane(hn::MaxOfLanes(du, largest));
  const float most =
      bits > 0x7F800000u ? HUGE_VALF : hn::GetLane(hn::BitCast(d, hn::Set(du, bits)));
  statistics->largest = HWY_MAX(statistics->largest, most);
}

// A tile's part of the gradient comes from memory while the tile is multiplied.
HWY_INLINE void fetch_gradient(const WeightBlock& w, size_t panel, size_t panels) {
  constexpr size_t kLine = 64 / sizeof(int64_t);
  for (size_t p = panel; p < panel + panels; ++p) {
    const int64_t* from = w.gradient + p * w.gradient_stride;
    for (size_t i = 0; i < w.rows * kPanel; i += kLine) hwy::Prefetch(from + i);
  }
}

template <size_t P, size_t kPerPanel>
HWY_INLINE size_t accumulate_panels(const WeightBlock& w, size_t begin,
                                    WeightStatistics* statistics) {
  HWY_ALIGN float sums[kMaxTileRows * 4 * kPanel];
  using Rows = std::make_index_sequence<max_rows<P, kPerPanel>()>;
  const Tile run = w.packed ? tile_of_rows<P, kPerPanel, kTokenStep, Left::kPacked>(w.rows, Rows())
                            : tile_of_rows<P, kPerPanel, 1, Left::kApart>(w.rows, Rows());
  const double scale = std::ldexp(1.0, w.exponent);
  const float half_step = std::ldexp(1.0f, -w.exponent - 1);
  const size_t panel_stride = w.packed ? w.tokens * kPanel : kPanel;
  const size_t right_stride = w.packed ? panel_stride : w.dy_stride;
  size_t p = begin;
  for (; p + P <= w.panels; p += P) {
    if (w.fetch) fetch_gradient(w, p, P);
    run(w.x, w.x_stride, w.dy + p * panel_stride, right_stride, w.tokens, sums, P * kPanel, true);
    add_statistics(sums, w.rows * P * kPanel, half_step, statistics);
    for (size_t q = 0; q < P; ++q) {
      int64_t* to = w.gradient + (p + q) * w.gradient_stride;
      for (size_t r = 0; r < w.rows; ++r) {
        add_fixed(sums + (r * P + q) * kPanel, to + r * kPanel, scale);
      }
    }
  }
  return p;
}

void accumulate_weight(const WeightBlock& w, WeightStatistics* statistics) {
  switch (kPanel / hn::Lanes(Floats())) {
#if HWY_TARGET == HWY_AVX3 || HWY_MAX_BYTES > 64
    case 1: {
      const size_t done = accumulate_panels<2, 1>(w, 0, statistics);
      accumulate_panels<1, 1>(w, done, statistics);
      return;
    }
#endif
#if HWY_TARGET == HWY_AVX2 || HWY_MAX_BYTES > 64 || HWY_TARGET == HWY_SVE_256
    case 2: accumulate_panels<1, 2>(w, 0, statistics); return;
#endif
#if HWY_MAX_BYTES == 16 || HWY_MAX_BYTES > 64
    case 4: accumulate_panels<1, 4>(w, 0, statistics); return;
#endif
    default: HWY_ABORT("vector of an unexpected width");
  }
}

size_t tile_rows() {
  switch (kPanel / hn::Lanes(Floats())) {
    case 1: return max_rows<2, 1>();
    case 2: return max_rows<1, 2>();
    default: return max_rows<1, 4>();
  }
}

#endif

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
