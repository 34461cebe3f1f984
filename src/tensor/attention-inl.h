// The register tile of attention: up to 6 rows by 4 vectors, one fused multiply-add chain a lane.
// Forward and gradient use it for every product.
#if defined(HONE_TENSOR_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HONE_TENSOR_ATTENTION_INL_H_
#undef HONE_TENSOR_ATTENTION_INL_H_
#else
#define HONE_TENSOR_ATTENTION_INL_H_
#endif

#include <cstddef>

#include "hwy/cache_control.h"
#include "tensor/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {

// 6 x 4 accumulators need 32 vector registers.
constexpr bool kManyRegisters = HWY_TARGET != HWY_AVX2;
constexpr size_t kGroupRows = 6;

// One product of a few rows with panels: c[r][lane] = [c +] sum over k of a(r, k) * b(k)[lane].
struct TileArgs {
  const float* a[kGroupRows];  // a(r, k) = a[r][k * a_step]
  size_t a_step;
  const float* b;  // panel p, row k: b + p * b_rows * 16 + k * b_step
  size_t b_rows;
  size_t b_step = 16;
  size_t k_begin, k_end;
  const float* ahead;  // what is read next, in the shape of b: fetched meanwhile (few rows)
  float* c;            // c(r, p) = c + r * c_row + p * c_panel
  size_t c_row, c_panel;
};

// R rows, V vectors starting at the lanes v0 .. v3 (offsets of panel and lane together).
template <int R, int V, bool kAccumulate>
HWY_NOINLINE void Tile(const TileArgs& t, size_t b0, size_t b1, size_t b2, size_t b3, size_t c0,
                       size_t c1, size_t c2, size_t c3) {
  static_assert(R >= 1 && R <= 6 && (V == 2 || V == 4));
  const Floats d;
  const size_t b_step = t.b_step;
  const float* HWY_RESTRICT p0 = t.b + b0 + t.k_begin * b_step;
  const float* HWY_RESTRICT p1 = t.b + b1 + t.k_begin * b_step;
  const float* HWY_RESTRICT p2 = V > 2 ? t.b + b2 + t.k_begin * b_step : p0;
  const float* HWY_RESTRICT p3 = V > 2 ? t.b + b3 + t.k_begin * b_step : p0;
  // Few rows wait for memory, not for arithmetic; many rows reuse what is in the cache.
  constexpr bool kFetch = R <= 4 && V > 2 && !kAccumulate;
  const float* next = t.ahead + t.k_begin * 16;
  const size_t step = t.a_step;
  const float* a0 = t.a[0] + t.k_begin * step;
  const float* a1 = t.a[R > 1 ? 1 : 0] + t.k_begin * step;
  const float* a2 = t.a[R > 2 ? 2 : 0] + t.k_begin * step;
  const float* a3 = t.a[R > 3 ? 3 : 0] + t.k_begin * step;
  const float* a4 = t.a[R > 4 ? 4 : 0] + t.k_begin * step;
  const float* a5 = t.a[R > 5 ? 5 : 0] + t.k_begin * step;
#define HONE_START(r)                                                                      \
  auto s##r##0 = kAccumulate && R > r ? hn::Load(d, t.c + r * t.c_row + c0) : hn::Zero(d); \
  auto s##r##1 = kAccumulate && R > r ? hn::Load(d, t.c + r * t.c_row + c1) : hn::Zero(d); \
  auto s##r##2 =                                                                           \
      kAccumulate && R > r && V > 2 ? hn::Load(d, t.c + r * t.c_row + c2) : hn::Zero(d);   \
  auto s##r##3 = kAccumulate && R > r && V > 2 ? hn::Load(d, t.c + r * t.c_row + c3) : hn::Zero(d);
  HONE_START(0)
  HONE_START(1)
  HONE_START(2)
  HONE_START(3)
  HONE_START(4)
  HONE_START(5)
#undef HONE_START
  for (size_t k = t.k_begin; k < t.k_end; ++k) {
    const auto v0 = hn::Load(d, p0);
    const auto v1 = hn::Load(d, p1);
    const auto v2 = hn::Load(d, p2);
    const auto v3 = hn::Load(d, p3);
    if constexpr (kFetch) {
      hwy::Prefetch(next + b0);
      hwy::Prefetch(next + b1);
      hwy::Prefetch(next + b2);
      hwy::Prefetch(next + b3);
      next += 16;
    }
#define HONE_STEP(r)                        \
  if constexpr (R > r) {                    \
    const auto x = hn::Set(d, *a##r);       \
    s##r##0 = hn::MulAdd(x, v0, s##r##0);   \
    s##r##1 = hn::MulAdd(x, v1, s##r##1);   \
    if constexpr (V > 2) {                  \
      s##r##2 = hn::MulAdd(x, v2, s##r##2); \
      s##r##3 = hn::MulAdd(x, v3, s##r##3); \
    }                                       \
    a##r += step;                           \
  }
    HONE_STEP(0)
    HONE_STEP(1)
    HONE_STEP(2)
    HONE_STEP(3)
    HONE_STEP(4)
    HONE_STEP(5)
#undef HONE_STEP
    p0 += b_step;
    p1 += b_step;
    p2 += b_step;
    p3 += b_step;
  }
#define HONE_END(r)                                  \
  if constexpr (R > r) {                             \
    hn::Store(s##r##0, d, t.c + r * t.c_row + c0);   \
    hn::Store(s##r##1, d, t.c + r * t.c_row + c1);   \
    if constexpr (V > 2) {                           \
      hn::Store(s##r##2, d, t.c + r * t.c_row + c2); \
      hn::Store(s##r##3, d, t.c + r * t.c_row + c3); \
    }                                                \
  }
  HONE_END(0)
  HONE_END(1)
  HONE_END(2)
  HONE_END(3)
  HONE_END(4)
  HONE_END(5)
#undef HONE_END
}

// All lanes of the panels [panel_begin, panel_end).
template <int R, bool kAccumulate>
void TileRows(const TileArgs& t, size_t panel_begin, size_t panel_end) {
  const size_t lanes = hn::Lanes(Floats());
  const size_t per_panel = 16 / lanes;
  const auto b_at = [&](size_t v) { return v / per_panel * t.b_rows * 16 + v % per_panel * lanes; };
  const auto c_at = [&](size_t v) { return v / per_panel * t.c_panel + v % per_panel * lanes; };
  size_t v = panel_begin * per_panel;
  const size_t end = panel_end * per_panel;
  if constexpr (R <= 3 || kManyRegisters) {
    for (; v + 4 <= end; v += 4) {
      Tile<R, 4, kAccumulate>(t, b_at(v), b_at(v + 1), b_at(v + 2), b_at(v + 3), c_at(v),
                              c_at(v + 1), c_at(v + 2), c_at(v + 3));
    }
  }
  for (; v < end; v += 2) {
    // An odd last panel of a 16-lane machine is computed twice, to the same place.
    const size_t w = v + 1 < end ? v + 1 : v;
    Tile<R, 2, kAccumulate>(t, b_at(v), b_at(w), 0, 0, c_at(v), c_at(w), 0, 0);
  }
}

template <bool kAccumulate>
void TileProduct(size_t rows, const TileArgs& t, size_t panel_begin, size_t panel_end) {
  switch (rows) {
    case 1: return TileRows<1, kAccumulate>(t, panel_begin, panel_end);
    case 2: return TileRows<2, kAccumulate>(t, panel_begin, panel_end);
    case 3: return TileRows<3, kAccumulate>(t, panel_begin, panel_end);
    case 4: return TileRows<4, kAccumulate>(t, panel_begin, panel_end);
    case 5: return TileRows<5, kAccumulate>(t, panel_begin, panel_end);
    default: return TileRows<6, kAccumulate>(t, panel_begin, panel_end);
  }
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
