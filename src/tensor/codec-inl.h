// Weights from their packed form to f32 vectors, one instruction set at a time (Highway's per-target
// inclusion: no include guard of the usual kind). Layouts: panel_layout.h.
//
// Every function here yields exactly the value that read_row() gives: one fma, rounded once.
#if defined(HONE_TENSOR_CODEC_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HONE_TENSOR_CODEC_INL_H_
#undef HONE_TENSOR_CODEC_INL_H_
#else
#define HONE_TENSOR_CODEC_INL_H_
#endif

#include <hwy/highway.h>

#include "tensor/panel_layout.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using Words = hn::Rebind<int32_t, Floats>;
using FloatVec = hn::Vec<Floats>;
using WordVec = hn::Vec<Words>;

HWY_INLINE FloatVec load_half(const std::byte* p) {
  const hn::Rebind<hwy::float16_t, Floats> half;
  return hn::PromoteTo(Floats(), hn::LoadU(half, reinterpret_cast<const hwy::float16_t*>(p)));
}
HWY_INLINE FloatVec load_float(const std::byte* p) {
  return hn::LoadU(Floats(), reinterpret_cast<const float*>(p));
}
HWY_INLINE WordVec load_words(const std::byte* p) {
  return hn::LoadU(Words(), reinterpret_cast<const int32_t*>(p));
}
HWY_INLINE FloatVec load_bytes(const std::byte* p) {
  const hn::Rebind<int8_t, Floats> bytes;
  const auto q = hn::LoadU(bytes, reinterpret_cast<const int8_t*>(p));
  return hn::ConvertTo(Floats(), hn::PromoteTo(Words(), q));
}

// Nibble J of a word as a float, 16^J times too large (16^0 for J = 7, whose mask would be the
// sign): the caller's scale makes up for it, exactly.
template <int J>
HWY_INLINE FloatVec nibble(WordVec word) {
  if constexpr (J == 7) {
    const hn::RebindToUnsigned<Words> bits;
    return hn::ConvertTo(Floats(),
                         hn::BitCast(Words(), hn::ShiftRight<28>(hn::BitCast(bits, word))));
  } else {
    return hn::ConvertTo(Floats(), hn::And(word, hn::Set(Words(), 15 << (4 * J))));
  }
}
template <int J>
HWY_INLINE FloatVec nibble_scale(FloatVec d) {
  if constexpr (J == 0 || J == 7) {
    return d;
  } else {
    return hn::Mul(d, hn::Set(Floats(), 1.0f / static_cast<float>(1 << (4 * J))));
  }
}

// Where the parts of a block lie, and what its scale and minimum are, `column` columns in.
struct ByteCodec {
  static constexpr size_t kQuants = 64;
  static HWY_INLINE FloatVec scale(const std::byte* b, size_t column, size_t) {
    return load_half(b + 2 * column);
  }
  static HWY_INLINE FloatVec minimum(const std::byte*, size_t, size_t, FloatVec) {
    return hn::Set(Floats(), -0.0f);  // keeps the sign of a zero product
  }
};
struct ByteAffineCodec {
  static constexpr size_t kQuants = 512;
  static HWY_INLINE FloatVec scale(const std::byte* b, size_t column, size_t half) {
    return load_float(b + 128 * half + 4 * column);
  }
  static HWY_INLINE FloatVec minimum(const std::byte* b, size_t column, size_t half, FloatVec) {
    return load_float(b + 256 + 128 * half + 4 * column);
  }
};
struct NibbleCodec {
  static constexpr size_t kQuants = 64;
  static HWY_INLINE FloatVec scale(const std::byte* b, size_t column, size_t) {
    return load_half(b + 2 * column);
  }
  static HWY_INLINE FloatVec minimum(const std::byte*, size_t, size_t, FloatVec d) {
    return hn::Mul(d, hn::Set(Floats(), -8.0f));
  }
};
struct NibbleMinCodec {
  static constexpr size_t kQuants = 128;
  static HWY_INLINE FloatVec scale(const std::byte* b, size_t column, size_t) {
    return load_half(b + 2 * column);
  }
  static HWY_INLINE FloatVec minimum(const std::byte* b, size_t column, size_t, FloatVec) {
    return load_half(b + 64 + 2 * column);
  }
};
struct NibbleAffineCodec {
  static constexpr size_t kQuants = 256;
  static HWY_INLINE FloatVec scale(const std::byte* b, size_t column, size_t) {
    return load_float(b + 4 * column);
  }
  static HWY_INLINE FloatVec minimum(const std::byte* b, size_t column, size_t, FloatVec) {
    return load_float(b + 128 + 4 * column);
  }
};

// One vector of columns of a block to out[k * 16], k < kc.
template <class Codec>
HWY_INLINE void unpack_bytes(const std::byte* block, size_t column, size_t kc, float* out) {
  for (size_t half = 0; half * 16 < kc; ++half) {
    const FloatVec d = Codec::scale(block, column, half);
    const FloatVec m = Codec::minimum(block, column, half, d);
    const std::byte* q = block + Codec::kQuants + half * 16 * kGroup + column;
    float* to = out + half * 16 * kPanel;
    const size_t count = HWY_MIN(size_t{16}, kc - half * 16);
    for (size_t k = 0; k < count; ++k) {
      hn::StoreU(hn::MulAdd(load_bytes(q + k * kGroup), d, m), Floats(), to + k * kPanel);
    }
  }
}

template <int J>
HWY_INLINE void unpack_four_nibbles(WordVec w0, WordVec w1, WordVec w2, WordVec w3, FloatVec d,
                                    FloatVec m, float* out) {
  const Floats f;
  const FloatVec s = nibble_scale<J>(d);
  hn::StoreU(hn::MulAdd(nibble<J>(w0), s, m), f, out + (4 * J + 0) * kPanel);
  hn::StoreU(hn::MulAdd(nibble<J>(w1), s, m), f, out + (4 * J + 1) * kPanel);
  hn::StoreU(hn::MulAdd(nibble<J>(w2), s, m), f, out + (4 * J + 2) * kPanel);
  hn::StoreU(hn::MulAdd(nibble<J>(w3), s, m), f, out + (4 * J + 3) * kPanel);
}

template <class Codec>
HWY_INLINE void unpack_nibbles(const std::byte* block, size_t column, float* out) {
  const FloatVec d = Codec::scale(block, column, 0);
  const FloatVec m = Codec::minimum(block, column, 0, d);
  const std::byte* q = block + Codec::kQuants + 4 * column;
  const WordVec w0 = load_words(q), w1 = load_words(q + 128);
  const WordVec w2 = load_words(q + 256), w3 = load_words(q + 384);
  unpack_four_nibbles<0>(w0, w1, w2, w3, d, m, out);
  unpack_four_nibbles<1>(w0, w1, w2, w3, d, m, out);
  unpack_four_nibbles<2>(w0, w1, w2, w3, d, m, out);
  unpack_four_nibbles<3>(w0, w1, w2, w3, d, m, out);
  unpack_four_nibbles<4>(w0, w1, w2, w3, d, m, out);
  unpack_four_nibbles<5>(w0, w1, w2, w3, d, m, out);
  unpack_four_nibbles<6>(w0, w1, w2, w3, d, m, out);
  unpack_four_nibbles<7>(w0, w1, w2, w3, d, m, out);
}

HWY_INLINE FloatVec brain_low(WordVec pair) {
  return hn::BitCast(Floats(), hn::ShiftLeft<16>(pair));
}
HWY_INLINE FloatVec brain_high(WordVec pair) {
  return hn::BitCast(Floats(), hn::And(pair, hn::Set(Words(), static_cast<int32_t>(0xFFFF0000u))));
}

HWY_INLINE void unpack_vector(Layout layout, const std::byte* block, size_t column, size_t kc,
                              float* out) {
  switch (layout) {
    case Layout::kFloat: return;
    case Layout::kHalf:
      for (size_t k = 0; k < kc; ++k) {
        hn::StoreU(load_half(block + 2 * (k * kGroup + column)), Floats(), out + k * kPanel);
      }
      return;
    case Layout::kBrain:
      for (size_t k = 0; k < kc; ++k) {
        const WordVec pair = load_words(block + 4 * (k / 2 * kGroup + column));
        hn::StoreU(k % 2 == 0 ? brain_low(pair) : brain_high(pair), Floats(), out + k * kPanel);
      }
      return;
    case Layout::kByte: return unpack_bytes<ByteCodec>(block, column, kc, out);
    case Layout::kByteAffine: return unpack_bytes<ByteAffineCodec>(block, column, kc, out);
    case Layout::kNibble: return unpack_nibbles<NibbleCodec>(block, column, out);
    case Layout::kNibbleMin: return unpack_nibbles<NibbleMinCodec>(block, column, out);
    case Layout::kNibbleAffine: return unpack_nibbles<NibbleAffineCodec>(block, column, out);
  }
}

// One 16-column panel of a block to out[k][16].
HWY_INLINE void unpack_panel_block(Layout layout, const std::byte* block, size_t column, size_t kc,
                                   float* out) {
  const size_t lanes = hn::Lanes(Floats());
  for (size_t c = 0; c < kPanel; c += lanes) {
    unpack_vector(layout, block, column + c, kc, out + c);
  }
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
