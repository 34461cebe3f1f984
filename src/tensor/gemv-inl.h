// One row times packed weights, straight from the stream: nothing is unpacked to memory.
// N vectors of columns at once, so that the FMA chains hide each other's latency.
#if defined(HONE_TENSOR_GEMV_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HONE_TENSOR_GEMV_INL_H_
#undef HONE_TENSOR_GEMV_INL_H_
#else
#define HONE_TENSOR_GEMV_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "tensor/codec-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

#undef HONE_GEMV_VECTORS
#define HONE_GEMV_VECTORS(X) X(0) X(1) X(2) X(3) X(4) X(5)

// Where vector v's columns begin: a group's stream and a column in it.
#undef HONE_GEMV_BEGIN
#define HONE_GEMV_BEGIN(v)                                                 \
  [[maybe_unused]] const size_t column##v = (column + v * lanes) % kGroup; \
  [[maybe_unused]] const std::byte* stream##v =                            \
      N > v ? w.block((column + v * lanes) / kGroup, 0) : nullptr;         \
  [[maybe_unused]] FloatVec sum##v = hn::Zero(d);
#undef HONE_GEMV_CLEAR
#define HONE_GEMV_CLEAR(v) [[maybe_unused]] FloatVec acc##v = hn::Zero(d);
#undef HONE_GEMV_NEXT
#define HONE_GEMV_NEXT(v) \
  if constexpr (N > v) stream##v += w.block_bytes;
#undef HONE_GEMV_ADD
#define HONE_GEMV_ADD(v) \
  if constexpr (N > v) sum##v = begin == 0 ? acc##v : hn::Add(sum##v, acc##v);
#undef HONE_GEMV_STORE
#define HONE_GEMV_STORE(v) \
  if constexpr (N > v) hn::StoreU(sum##v, d, sums + v * lanes);

constexpr size_t kPrefetchBytes = 4096;

// The block that is 4 KB further on in each stream; near a group's end that is in the group which
// this stream's place takes next, not in the neighbour's.
template <size_t N>
HWY_INLINE void prefetch_streams(const std::byte* first, const PanelView& w, size_t k,
                                 size_t lanes) {
  const size_t streams = divide_up(N * lanes, kGroup);
  const size_t group_bytes = divide_up(w.k, kBlock) * w.block_bytes;
  const size_t left = group_bytes - k / kBlock * w.block_bytes;
  const size_t ahead = kPrefetchBytes + (left > kPrefetchBytes ? 0 : (streams - 1) * group_bytes);
  for (size_t s = 0; s < streams; ++s) {
    for (size_t i = 0; i < w.block_bytes; i += 64) {
      hwy::Prefetch(first + s * group_bytes + ahead + i);
    }
  }
}

#undef HONE_GEMV_SCALE
#define HONE_GEMV_SCALE(v)                                   \
  [[maybe_unused]] FloatVec d##v = hn::Zero(d), m##v = d##v; \
  if constexpr (N > v) {                                     \
    d##v = Codec::scale(stream##v, column##v, half);         \
    m##v = Codec::minimum(stream##v, column##v, half, d##v); \
  }
#undef HONE_GEMV_BYTES
#define HONE_GEMV_BYTES(v)                                                              \
  if constexpr (N > v) {                                                                \
    const FloatVec q = load_bytes(stream##v + Codec::kQuants + k * kGroup + column##v); \
    acc##v = hn::MulAdd(hn::MulAdd(q, d##v, m##v), xk, acc##v);                         \
  }

template <class Codec, size_t N>
HWY_NOINLINE void gemv_bytes(const PanelView& w, size_t column, const float* HWY_RESTRICT x,
                             float* HWY_RESTRICT sums) {
  const Floats d;
  const size_t lanes = hn::Lanes(d);
  HONE_GEMV_VECTORS(HONE_GEMV_BEGIN)
  for (size_t begin = 0; begin < w.k; begin += kChain) {
    HONE_GEMV_VECTORS(HONE_GEMV_CLEAR)
    const size_t end = HWY_MIN(w.k, begin + kChain);
    for (size_t b = begin; b < end; b += kBlock, x += kBlock) {
      prefetch_streams<N>(stream0, w, b, lanes);
      for (size_t half = 0; half < 2; ++half) {
        HONE_GEMV_VECTORS(HONE_GEMV_SCALE)
        for (size_t k = half * 16; k < half * 16 + 16; ++k) {
          const FloatVec xk = hn::Set(d, x[k]);
          HONE_GEMV_VECTORS(HONE_GEMV_BYTES)
        }
      }
      HONE_GEMV_VECTORS(HONE_GEMV_NEXT)
    }
    HONE_GEMV_VECTORS(HONE_GEMV_ADD)
  }
  HONE_GEMV_VECTORS(HONE_GEMV_STORE)
}

#undef HONE_GEMV_NIBBLE_SCALE
#define HONE_GEMV_NIBBLE_SCALE(v)        \
  [[maybe_unused]] FloatVec s##v = d##v; \
  if constexpr (N > v) s##v = nibble_scale<j>(d##v);
#undef HONE_GEMV_NIBBLE
#define HONE_GEMV_NIBBLE(v)                                                                \
  if constexpr (N > v) {                                                                   \
    const WordVec word = load_words(stream##v + Codec::kQuants + i * 128 + 4 * column##v); \
    acc##v = hn::MulAdd(hn::MulAdd(nibble<j>(word), s##v, m##v), xk, acc##v);              \
  }
#undef HONE_GEMV_FOUR_NIBBLES
#define HONE_GEMV_FOUR_NIBBLES(J)                   \
  {                                                 \
    constexpr int j = J;                            \
    HONE_GEMV_VECTORS(HONE_GEMV_NIBBLE_SCALE)       \
    for (size_t i = 0; i < 4; ++i) {                \
      const FloatVec xk = hn::Set(d, x[4 * J + i]); \
      HONE_GEMV_VECTORS(HONE_GEMV_NIBBLE)           \
    }                                               \
  }

template <class Codec, size_t N>
HWY_NOINLINE void gemv_nibbles(const PanelView& w, size_t column, const float* HWY_RESTRICT x,
                               float* HWY_RESTRICT sums) {
  const Floats d;
  const size_t lanes = hn::Lanes(d);
  constexpr size_t half = 0;
  HONE_GEMV_VECTORS(HONE_GEMV_BEGIN)
  for (size_t begin = 0; begin < w.k; begin += kChain) {
    HONE_GEMV_VECTORS(HONE_GEMV_CLEAR)
    const size_t end = HWY_MIN(w.k, begin + kChain);
    for (size_t b = begin; b < end; b += kBlock, x += kBlock) {
      prefetch_streams<N>(stream0, w, b, lanes);
      HONE_GEMV_VECTORS(HONE_GEMV_SCALE)
      HONE_GEMV_FOUR_NIBBLES(0)
      HONE_GEMV_FOUR_NIBBLES(1)
      HONE_GEMV_FOUR_NIBBLES(2)
      HONE_GEMV_FOUR_NIBBLES(3)
      HONE_GEMV_FOUR_NIBBLES(4)
      HONE_GEMV_FOUR_NIBBLES(5)
      HONE_GEMV_FOUR_NIBBLES(6)
      HONE_GEMV_FOUR_NIBBLES(7)
      HONE_GEMV_VECTORS(HONE_GEMV_NEXT)
    }
    HONE_GEMV_VECTORS(HONE_GEMV_ADD)
  }
  HONE_GEMV_VECTORS(HONE_GEMV_STORE)
}

#undef HONE_GEMV_HALF
#define HONE_GEMV_HALF(v)                                                       \
  if constexpr (N > v) {                                                        \
    const FloatVec value = load_half(stream##v + 2 * (k * kGroup + column##v)); \
    acc##v = hn::MulAdd(value, xk, acc##v);                                     \
  }
#undef HONE_GEMV_BRAIN
#define HONE_GEMV_BRAIN(v)                                                         \
  if constexpr (N > v) {                                                           \
    const WordVec pair = load_words(stream##v + 4 * (k / 2 * kGroup + column##v)); \
    acc##v = hn::MulAdd(brain_low(pair), xk, acc##v);                              \
    if (two) acc##v = hn::MulAdd(brain_high(pair), xk1, acc##v);                   \
  }

template <bool kBrain, size_t N>
HWY_NOINLINE void gemv_halves(const PanelView& w, size_t column, const float* HWY_RESTRICT x,
                              float* HWY_RESTRICT sums) {
  const Floats d;
  const size_t lanes = hn::Lanes(d);
  HONE_GEMV_VECTORS(HONE_GEMV_BEGIN)
  for (size_t begin = 0; begin < w.k; begin += kChain) {
    HONE_GEMV_VECTORS(HONE_GEMV_CLEAR)
    const size_t end = HWY_MIN(w.k, begin + kChain);
    for (size_t b = begin; b < end; b += kBlock, x += kBlock) {
      prefetch_streams<N>(stream0, w, b, lanes);
      const size_t count = HWY_MIN(kBlock, end - b);
      if constexpr (kBrain) {
        for (size_t k = 0; k < count; k += 2) {
          const bool two = k + 1 < count;
          const FloatVec xk = hn::Set(d, x[k]);
          const FloatVec xk1 = two ? hn::Set(d, x[k + 1]) : hn::Zero(d);
          HONE_GEMV_VECTORS(HONE_GEMV_BRAIN)
        }
      } else {
        for (size_t k = 0; k < count; ++k) {
          const FloatVec xk = hn::Set(d, x[k]);
          HONE_GEMV_VECTORS(HONE_GEMV_HALF)
        }
      }
      HONE_GEMV_VECTORS(HONE_GEMV_NEXT)
    }
    HONE_GEMV_VECTORS(HONE_GEMV_ADD)
  }
  HONE_GEMV_VECTORS(HONE_GEMV_STORE)
}

template <size_t N>
HWY_INLINE void gemv_vectors(const PanelView& w, size_t column, const float* x, float* sums) {
  switch (w.layout) {
    case Layout::kFloat: return;
    case Layout::kHalf: return gemv_halves<false, N>(w, column, x, sums);
    case Layout::kBrain: return gemv_halves<true, N>(w, column, x, sums);
    case Layout::kByte: return gemv_bytes<ByteCodec, N>(w, column, x, sums);
    case Layout::kByteAffine: return gemv_bytes<ByteAffineCodec, N>(w, column, x, sums);
    case Layout::kNibble: return gemv_nibbles<NibbleCodec, N>(w, column, x, sums);
    case Layout::kNibbleMin: return gemv_nibbles<NibbleMinCodec, N>(w, column, x, sums);
    case Layout::kNibbleAffine: return gemv_nibbles<NibbleAffineCodec, N>(w, column, x, sums);
  }
}

// Groups of 32 columns whose streams one task reads: cutting finer buys nothing.
size_t gemv_groups() { return hn::Lanes(Floats()) == 16 ? 3 : 1; }

// A group is 2 vectors of 16, 4 of 8 or 8 of 4. Dequantising hides the latency of the chains, so
// one stream of memory at a time is best (of 16 lanes: Q8_0 100 % of the rate of only reading,
// against 82 % with three streams); halves need no arithmetic to speak of and take three. Narrow
// vectors have few registers.
void gemv(const PanelView& w, size_t group, size_t groups, const float* x, float* sums) {
  const size_t lanes = hn::Lanes(Floats());
  const size_t begin = group * kGroup;
  const size_t count = groups * kGroup;
  size_t c = 0;
  if (lanes == 16) {
    if (w.layout == Layout::kHalf || w.layout == Layout::kBrain) {
      for (; c + 96 <= count; c += 96) gemv_vectors<6>(w, begin + c, x, sums + c);
    }
    for (; c < count; c += 32) gemv_vectors<2>(w, begin + c, x, sums + c);
  } else {
    for (; c < count; c += 4 * lanes) gemv_vectors<4>(w, begin + c, x, sums + c);
  }
}

#endif

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
