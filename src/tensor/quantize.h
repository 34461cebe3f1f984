#pragma once
// Stored numbers to f32 and back, one row at a time, in plain scalar C++: the definition that the
// packed kernels are compared with, and what the file readers and writers use.
//
// Layouts of the blocks: docs/formats/gguf.md. A stored value means d * q + m with q a small
// integer. d * q is exact in f32 for every type here (a scale has 11 bits, a K type's scale times
// sub-scale at most 19, q at most 8, together at most 24), so the sum is the only rounding and
// fma(d, q, m) and multiply-then-add give the same bits. Both equal ggml's and gguf-py's values.
//
// Errors: none; n must be a multiple of the block (HONE_CHECK). Values may be anything, also NaN.

#include <cstddef>
#include <cstdint>

#include "tensor/data_type.h"

namespace hone::tensor {

// IEEE binary16 and bfloat16, round to nearest even; overflow becomes infinity, NaN stays NaN.
float f16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);
float bf16_to_f32(uint16_t bits);
uint16_t f32_to_bf16(float value);

// Reads n values of a row.
void dequantize_row(DataType type, const std::byte* in, size_t n, float* out);
// Whether all n of those values are finite. For quantised types its scales and minima tell: the
// largest product of finite ones is far within f32.
bool is_row_finite(DataType type, const std::byte* in, size_t n);

// F32, F16, BF16, Q8_0, Q4_0, Q4_1, with the rounding of ggml's reference. A block whose scale does
// not fit f16 gets the scale infinity: readers refuse that, so writers look first (can_quantize).
bool can_quantize(DataType type);
void quantize_row(DataType type, const float* in, size_t n, std::byte* out);

// 32 values of a quantised row in one form for all types: value i = fma(d[i/16], q[i], m[i/16]).
// Types without a minimum have m = -0, so that the sum keeps the sign of a zero product.
struct AffineBlock32 {
  float d[2];
  float m[2];
  int8_t q[32];
};
// block counts 32s from the start of the row. Quantised types only (not F32, F16, BF16).
void decode_block32(DataType type, const std::byte* row, size_t block, AffineBlock32* out);

}  // namespace hone::tensor
