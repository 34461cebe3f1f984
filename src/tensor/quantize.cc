#include "tensor/quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/check.h"

namespace hone::tensor {
namespace {

// Multiplying the f32 that has the f16 exponent and mantissa bits by this moves the exponent's
// bias from 15 to 127, exactly, also for subnormals.
constexpr float kTwoTo112 = 0x1p112f;

constexpr int8_t kIq4NlValues[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                     1,    13,   25,  38,  53,  69,  89,  113};

uint16_t load_u16(const std::byte* p) {
  uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

uint32_t load_u32(const std::byte* p) {
  uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

void store_u16(std::byte* p, uint16_t v) { std::memcpy(p, &v, sizeof v); }

float load_f16(const std::byte* p) { return f16_to_f32(load_u16(p)); }

void set_scales(AffineBlock32* out, float d, float m) {
  out->d[0] = out->d[1] = d;
  out->m[0] = out->m[1] = m;
}

// Nibbles of 16 bytes: the low ones are values 0 to 15, the high ones 16 to 31.
void split_nibbles(const std::byte* bytes, int8_t* q) {
  for (size_t i = 0; i < 16; ++i) {
    const auto byte = std::to_integer<uint8_t>(bytes[i]);
    q[i] = static_cast<int8_t>(byte & 15);
    q[i + 16] = static_cast<int8_t>(byte >> 4);
  }
}

void add_fifth_bits(uint32_t high, int8_t* q) {
  for (size_t i = 0; i < 32; ++i) q[i] = static_cast<int8_t>(q[i] | (((high >> i) & 1) << 4));
}

void decode_q8_0(const std::byte* p, AffineBlock32* out) {
  set_scales(out, load_f16(p), -0.0f);
  std::memcpy(out->q, p + 2, 32);
}

void decode_q4_0(const std::byte* p, AffineBlock32* out) {
  set_scales(out, load_f16(p), -0.0f);
  split_nibbles(p + 2, out->q);
  for (int8_t& q : out->q) q = static_cast<int8_t>(q - 8);
}

void decode_q4_1(const std::byte* p, AffineBlock32* out) {
  set_scales(out, load_f16(p), load_f16(p + 2));
  split_nibbles(p + 4, out->q);
}

void decode_q5_0(const std::byte* p, AffineBlock32* out) {
  set_scales(out, load_f16(p), -0.0f);
  split_nibbles(p + 6, out->q);
  add_fifth_bits(load_u32(p + 2), out->q);
  for (int8_t& q : out->q) q = static_cast<int8_t>(q - 16);
}

void decode_q5_1(const std::byte* p, AffineBlock32* out) {
  set_scales(out, load_f16(p), load_f16(p + 2));
  split_nibbles(p + 8, out->q);
  add_fifth_bits(load_u32(p + 4), out->q);
}

void decode_iq4_nl(const std::byte* p, AffineBlock32* out) {
  set_scales(out, load_f16(p), -0.0f);
  split_nibbles(p + 2, out->q);
  for (int8_t& q : out->q) q = kIq4NlValues[q];
}

// Q4_K and Q5_K keep eight 6-bit scales and minima in 12 bytes: the first four of each whole in
// bytes 0 to 7, the last four in the nibbles of bytes 8 to 11 and the two top bits of 0 to 7.
void set_k_scales(const std::byte* p, size_t sub, AffineBlock32* out) {
  const float d = load_f16(p);
  const float dmin = load_f16(p + 2);
  const auto byte = [&](size_t i) { return std::to_integer<int>(p[4 + i]); };
  int scale = byte(sub) & 63;
  int minimum = byte(sub + 4) & 63;
  if (sub >= 4) {
    scale = (byte(sub + 4) & 15) | (byte(sub - 4) >> 6 << 4);
    minimum = (byte(sub + 4) >> 4) | (byte(sub) >> 6 << 4);
  }
  set_scales(out, d * static_cast<float>(scale), -(dmin * static_cast<float>(minimum)));
}

// Sub-blocks 2i and 2i+1 share 32 bytes: low nibbles and high nibbles.
void k_nibbles(const std::byte* quants, size_t sub, int8_t* q) {
  const std::byte* bytes = quants + sub / 2 * 32;
  const int shift = sub % 2 == 0 ? 0 : 4;
  for (size_t i = 0; i < 32; ++i) {
    q[i] = static_cast<int8_t>((std::to_integer<int>(bytes[i]) >> shift) & 15);
  }
}

void decode_q4_k(const std::byte* p, size_t sub, AffineBlock32* out) {
  set_k_scales(p, sub, out);
  k_nibbles(p + 16, sub, out->q);
}

void decode_q5_k(const std::byte* p, size_t sub, AffineBlock32* out) {
  set_k_scales(p, sub, out);
  k_nibbles(p + 48, sub, out->q);
  for (size_t i = 0; i < 32; ++i) {
    const int bit = (std::to_integer<int>(p[16 + i]) >> sub) & 1;
    out->q[i] = static_cast<int8_t>(out->q[i] | (bit << 4));
  }
}

// Halves of 128 values; in a half, sub-block s (0 to 3) takes bytes 32 (s % 2) ... of the low bits,
// the nibble s / 2, and bits 2s of the shared high bits; scales count 16 values each.
void decode_q6_k(const std::byte* p, size_t sub, AffineBlock32* out) {
  const size_t half = sub / 4, s = sub % 4;
  const std::byte* low = p + half * 64 + s % 2 * 32;
  const std::byte* high = p + 128 + half * 32;
  const std::byte* scales = p + 192 + half * 8 + s * 2;
  const float d = load_f16(p + 208);
  for (size_t i = 0; i < 2; ++i) {
    out->d[i] = d * static_cast<float>(static_cast<int8_t>(scales[i]));
    out->m[i] = -0.0f;
  }
  for (size_t i = 0; i < 32; ++i) {
    const int nibble = (std::to_integer<int>(low[i]) >> (s / 2 * 4)) & 15;
    const int top = (std::to_integer<int>(high[i]) >> (2 * s)) & 3;
    out->q[i] = static_cast<int8_t>((nibble | (top << 4)) - 32);
  }
}

// NaN becomes 0: such a block has a NaN scale anyhow.
int to_int_clamped(float x, int low, int high) {
  if (!(x >= static_cast<float>(low))) return x < 0 ? low : std::max(low, 0);
  return x >= static_cast<float>(high) ? high : static_cast<int>(x);
}

float inverse_or_zero(float d) { return d != 0.0f ? 1.0f / d : 0.0f; }

void quantize_q8_0(const float* in, std::byte* out) {
  float largest = 0.0f;
  for (size_t i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(in[i]));
  const float d = largest / 127.0f;
  const float inverse = inverse_or_zero(d);
  store_u16(out, f32_to_f16(d));
  for (size_t i = 0; i < 32; ++i) {
    out[2 + i] = static_cast<std::byte>(to_int_clamped(std::round(in[i] * inverse), -127, 127));
  }
}

// The value of the largest magnitude becomes -8 exactly. ggml leaves the contraction of x * id + 8.5
// to the compiler; gguf-py and ggml's own builds fuse it.
void quantize_q4_0(const float* in, std::byte* out) {
  float largest = 0.0f, signed_largest = 0.0f;
  for (size_t i = 0; i < 32; ++i) {
    if (largest < std::fabs(in[i])) {
      largest = std::fabs(in[i]);
      signed_largest = in[i];
    }
  }
  const float d = signed_largest / -8.0f;
  const float inverse = inverse_or_zero(d);
  store_u16(out, f32_to_f16(d));
  const auto quant = [&](float x) { return to_int_clamped(std::fma(x, inverse, 8.5f), 0, 15); };
  for (size_t i = 0; i < 16; ++i) {
    out[2 + i] = static_cast<std::byte>(quant(in[i]) | (quant(in[i + 16]) << 4));
  }
}

void quantize_q4_1(const float* in, std::byte* out) {
  const float low = *std::min_element(in, in + 32);
  const float high = *std::max_element(in, in + 32);
  const float d = (high - low) / 15.0f;
  const float inverse = inverse_or_zero(d);
  store_u16(out, f32_to_f16(d));
  store_u16(out + 2, f32_to_f16(low));
  const auto quant = [&](float x) { return to_int_clamped((x - low) * inverse + 0.5f, 0, 15); };
  for (size_t i = 0; i < 16; ++i) {
    out[4 + i] = static_cast<std::byte>(quant(in[i]) | (quant(in[i + 16]) << 4));
  }
}

using BlockQuantizer = void (*)(const float*, std::byte*);

void quantize_blocks(DataType type, BlockQuantizer quantize, const float* in, size_t n,
                     std::byte* out) {
  for (size_t i = 0; i < n / 32; ++i) quantize(in + i * 32, out + i * info(type).block_bytes);
}

}  // namespace

float f16_to_f32(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t magnitude = bits & 0x7fffu;
  if (magnitude >= 0x7c00u) {
    return std::bit_cast<float>(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13));
  }
  const float value = std::bit_cast<float>(magnitude << 13) * kTwoTo112;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
}

uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65520 and above
  if (magnitude < 0x38800000u) {
    // Subnormal: adding 0.5 leaves multiples of 2^-24 in the low bits, rounded to even.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
  }
  const uint32_t odd = (magnitude >> 13) & 1;
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 64);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

void decode_block32(DataType type, const std::byte* row, size_t block, AffineBlock32* out) {
  const DataTypeInfo& t = info(type);
  const size_t subs = t.block_size / 32;
  HONE_CHECK(subs > 0);
  const std::byte* p = row + block / subs * t.block_bytes;
  const size_t sub = block % subs;
  switch (type) {
    case DataType::kF32:
    case DataType::kF16:
    case DataType::kBF16: break;
    case DataType::kQ8_0: return decode_q8_0(p, out);
    case DataType::kQ4_0: return decode_q4_0(p, out);
    case DataType::kQ4_1: return decode_q4_1(p, out);
    case DataType::kQ5_0: return decode_q5_0(p, out);
    case DataType::kQ5_1: return decode_q5_1(p, out);
    case DataType::kIQ4_NL: return decode_iq4_nl(p, out);
    case DataType::kQ4_K: return decode_q4_k(p, sub, out);
    case DataType::kQ5_K: return decode_q5_k(p, sub, out);
    case DataType::kQ6_K: return decode_q6_k(p, sub, out);
  }
}

void dequantize_row(DataType type, const std::byte* in, size_t n, float* out) {
  HONE_CHECK(n % info(type).block_size == 0);
  if (type == DataType::kF32) {
    if (n != 0) std::memcpy(out, in, n * sizeof(float));
  } else if (type == DataType::kF16) {
    for (size_t i = 0; i < n; ++i) out[i] = load_f16(in + 2 * i);
  } else if (type == DataType::kBF16) {
    for (size_t i = 0; i < n; ++i) out[i] = bf16_to_f32(load_u16(in + 2 * i));
  } else {
    AffineBlock32 block;
    for (size_t b = 0; b < n / 32; ++b) {
      decode_block32(type, in, b, &block);
      for (size_t i = 0; i < 32; ++i) {
        out[b * 32 + i] = block.d[i / 16] * static_cast<float>(block.q[i]) + block.m[i / 16];
      }
    }
  }
}

namespace {

// Where a block of a quantised type has its f16 scale, and its minimum if it has one.
struct ScalePlaces {
  size_t scale = 0;
  std::optional<size_t> minimum;
};
ScalePlaces scale_places(DataType type) {
  switch (type) {
    case DataType::kQ4_1:
    case DataType::kQ5_1:
    case DataType::kQ4_K:
    case DataType::kQ5_K: return {0, 2};
    case DataType::kQ6_K: return {info(type).block_bytes - 2, std::nullopt};
    default: return {0, std::nullopt};
  }
}

bool is_f16_finite(const std::byte* p) { return (load_u16(p) & 0x7c00u) != 0x7c00u; }

}  // namespace

bool is_row_finite(DataType type, const std::byte* in, size_t n) {
  HONE_CHECK(n % info(type).block_size == 0);
  bool finite = true;  // no way out early: the loops below are vectors
  if (type == DataType::kF32) {
    for (size_t i = 0; i < n; ++i) {
      uint32_t bits;
      std::memcpy(&bits, in + 4 * i, sizeof bits);
      finite &= (bits & 0x7f800000u) != 0x7f800000u;
    }
  } else if (type == DataType::kF16) {
    for (size_t i = 0; i < n; ++i) finite &= is_f16_finite(in + 2 * i);
  } else if (type == DataType::kBF16) {
    for (size_t i = 0; i < n; ++i) finite &= (load_u16(in + 2 * i) & 0x7f80u) != 0x7f80u;
  } else {
    const ScalePlaces places = scale_places(type);
    const size_t block_bytes = info(type).block_bytes, blocks = n / info(type).block_size;
    for (size_t b = 0; b < blocks; ++b) {
      const std::byte* block = in + b * block_bytes;
      finite &= is_f16_finite(block + places.scale);
      if (places.minimum) finite &= is_f16_finite(block + *places.minimum);
    }
  }
  return finite;
}

bool can_quantize(DataType type) {
  return type == DataType::kF32 || type == DataType::kF16 || type == DataType::kBF16 ||
         type == DataType::kQ8_0 || type == DataType::kQ4_0 || type == DataType::kQ4_1;
}

void quantize_row(DataType type, const float* in, size_t n, std::byte* out) {
  HONE_CHECK(can_quantize(type));
  HONE_CHECK(n % info(type).block_size == 0);
  if (type == DataType::kF32) {
    if (n != 0) std::memcpy(out, in, n * sizeof(float));
  } else if (type == DataType::kF16) {
    for (size_t i = 0; i < n; ++i) store_u16(out + 2 * i, f32_to_f16(in[i]));
  } else if (type == DataType::kBF16) {
    for (size_t i = 0; i < n; ++i) store_u16(out + 2 * i, f32_to_bf16(in[i]));
  } else if (type == DataType::kQ8_0) {
    quantize_blocks(type, quantize_q8_0, in, n, out);
  } else if (type == DataType::kQ4_0) {
    quantize_blocks(type, quantize_q4_0, in, n, out);
  } else {
    quantize_blocks(type, quantize_q4_1, in, n, out);
  }
}

}  // namespace hone::tensor
