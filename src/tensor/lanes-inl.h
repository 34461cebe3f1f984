// Per-target building blocks of the row kernels: vectors of at most 16 lanes, tails padded with
// zeros, and the fixed tree over 16 virtual lanes.
//
// A row sum keeps 16 virtual lanes: lane j takes the elements i with i % 16 == j, ascending. A
// vector holds Lanes(d) of them (4, 8 or 16), so a kernel walks the row once per 16 / Lanes(d)
// chunk: that keeps one named accumulator (SVE vectors cannot be members of an array).
#if defined(HONE_TENSOR_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HONE_TENSOR_LANES_INL_H_
#undef HONE_TENSOR_LANES_INL_H_
#else
#define HONE_TENSOR_LANES_INL_H_
#endif

#include <cstddef>
#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;

// n in [1, Lanes(d)) elements, zeros behind them; nothing beyond p[n - 1] is touched.
HWY_INLINE hn::Vec<Floats> LoadTail(Floats d, const float* p, size_t n) {
  HWY_ALIGN float buffer[16] = {};
  std::memcpy(buffer, p, n * sizeof(float));
  return hn::Load(d, buffer);
}
HWY_INLINE void StoreTail(hn::Vec<Floats> v, Floats d, float* p, size_t n) {
  HWY_ALIGN float buffer[16];
  hn::Store(v, d, buffer);
  std::memcpy(p, buffer, n * sizeof(float));
}

// lanes j + (j + 8), then + 4, + 2, + 1.
HWY_INLINE float Tree16(const float* HWY_RESTRICT lane) {
  float eight[8];
  for (int j = 0; j < 8; ++j) eight[j] = lane[j] + lane[j + 8];
  float four[4];
  for (int j = 0; j < 4; ++j) four[j] = eight[j] + eight[j + 4];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

// Sum over i < n of term(load), where term(i, count) gives a vector of elements i .. i + count - 1
// (zeros behind) and step(acc, ...) is the caller's. Fold(acc, i, count) returns the new acc.
template <class Fold>
HWY_INLINE float LaneSum(Floats d, size_t n, const Fold& fold) {
  const size_t lanes = hn::Lanes(d);
  HWY_ALIGN float sums[16];
  for (size_t c = 0; c < 16; c += lanes) {
    auto acc = hn::Zero(d);
    size_t i = c;
    for (; i + lanes <= n; i += 16) acc = fold(acc, i, lanes);
    if (i < n) acc = fold(acc, i, n - i);
    hn::Store(acc, d, sums + c);
  }
  return Tree16(sums);
}

// count == Lanes(d): a whole vector.
HWY_INLINE hn::Vec<Floats> LoadCount(Floats d, const float* p, size_t count) {
  return HWY_LIKELY(count == hn::Lanes(d)) ? hn::LoadU(d, p) : LoadTail(d, p, count);
}
HWY_INLINE void StoreCount(hn::Vec<Floats> v, Floats d, float* p, size_t count) {
  if (HWY_LIKELY(count == hn::Lanes(d))) {
    hn::StoreU(v, d, p);
  } else {
    StoreTail(v, d, p, count);
  }
}

// body(i, count) for pieces of Lanes(d) elements and a shorter last one.
template <class Body>
HWY_INLINE void ForVectors(Floats d, size_t n, const Body& body) {
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) body(i, lanes);
  if (i < n) body(i, n - i);
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
