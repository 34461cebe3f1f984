#pragma once
// Weights [N rows (outputs), K columns (inputs)] packed for the kernels: panels of 16 rows side by
// side, so that one vector holds 16 outputs and sums run over k in a fixed order (docs/numerics.md;
// layouts of kernels.md section 2).
//
// A packed matrix stands for one f32 matrix: at(n, k) is the dequantised value (D1), whatever the
// layout. N is padded to the group (zero rows), K is padded with zeros where a layout wants it;
// padding never shows.
//
// Packed kinds (the stored type decides): f32, f16, bf16 as they are; Q8_0, Q5_0, IQ4_NL as 8-bit
// integers with an f16 scale a block of 32; Q4_0, Q4_1 as 4-bit with scale (and minimum); Q5_1 and
// the K types as 8- or 4-bit with f32 scale and minimum.
//
// f32 layout, which trainers and the optimiser may rely on: element (n, k) at
// ((n / 16) * K + k) * 16 + n % 16 of f32(), N padded to 16 with zeros.
//
// Ownership: owns its memory. Thread rule: const after packing; f32() may be written by its owner.

#include <cstddef>
#include <span>

#include "tensor/compute.h"
#include "tensor/data_type.h"
#include "tensor/memory.h"

namespace hone::tensor {

// How the rows of the source are ordered. llama.cpp's converter permutes the rows of q and k for
// the interleaved rope (serving_and_evaluation.md 2.1); packing puts them back in
// Hugging Face's order (halves), which is the only one that the engine knows.
struct RowOrder {
  size_t interleaved_heads =
      0;  // 0: rows are in order; else: number of heads whose rows are interleaved
};

class PanelMatrix {
 public:
  PanelMatrix() = default;
  // source: N rows of storage_bytes(type, K) each. K must be a multiple of the type's block.
  static PanelMatrix pack(Compute& compute, DataType type, size_t n, size_t k,
                          const std::byte* source, RowOrder order = {});
  // f32 zeros, to be filled through f32().
  static PanelMatrix zeros(size_t n, size_t k);

  size_t rows() const { return n_; }
  size_t cols() const { return k_; }
  DataType type() const { return type_; }  // of the source
  size_t bytes() const { return buffer_.bytes(); }
  bool is_f32() const { return type_ == DataType::kF32; }
  float* f32() const;       // f32 only
  size_t f32_size() const;  // padded rows times K

  // Writes row n as K f32 values: embedding look-up, export. Any thread.
  void read_row(size_t n, float* out) const;
  // f32 only.
  void write_row(size_t n, const float* values);

  // The same numbers as f32 panels (full fine-tuning starts here).
  PanelMatrix to_f32(Compute& compute) const;
  PanelMatrix clone() const;

  const std::byte* data() const { return buffer_.data(); }  // for kernels

 private:
  DataType type_ = DataType::kF32;
  size_t n_ = 0, k_ = 0;
  Buffer buffer_;
};

}  // namespace hone::tensor
