#pragma once
// How a PanelMatrix lies in memory, for the kernels only.
//
// f32: panels of 16 columns, [N/16][K][16] floats.
// All others: groups of 32 columns, blocks of 32 k: [N/32 groups][K/32 blocks], where a block is
//   kHalf         f16[32 k][32]
//   kBrain        u32[16][32]: k = 2i in the low half of word i, 2i + 1 in the high half
//   kByte         f16 d[32], i8[32 k][32]                              w = d q
//   kNibble       f16 d[32], u32[4][32]                                w = d (q - 8)
//   kNibbleMin    f16 d[32], f16 m[32], u32[4][32]                     w = fma(d, q, m)
//   kByteAffine   f32 d[2][32], f32 m[2][32], i8[32 k][32]             halves of 16 k
//   kNibbleAffine f32 d[32], f32 m[32], u32[4][32]
// Nibble j (bits 4j to 4j + 3) of word i is k = 4j + i: so one mask and a power of two in the scale
// replace a shift, and k stays ascending while four words are live.

#include <cstddef>
#include <cstdint>

#include "tensor/data_type.h"

namespace hone::tensor {

enum class Layout : uint8_t {
  kFloat,
  kHalf,
  kBrain,
  kByte,
  kNibble,
  kNibbleMin,
  kByteAffine,
  kNibbleAffine
};

inline constexpr size_t kPanel = 16;   // columns of an f32 panel
inline constexpr size_t kGroup = 32;   // columns of a group
inline constexpr size_t kBlock = 32;   // k of a block
inline constexpr size_t kChain = 256;  // k of one FMA chain (the contract)

Layout layout_of(DataType type);
// Bytes of one block of 32 k and 32 columns; not for kFloat.
size_t layout_block_bytes(Layout layout);

inline size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

struct PanelView {
  Layout layout = Layout::kFloat;
  size_t n = 0, k = 0;
  const std::byte* data = nullptr;
  size_t block_bytes = 0;

  size_t panels() const { return divide_up(n, kPanel); }
  const float* panel(size_t p) const {
    return reinterpret_cast<const float*>(data) + p * k * kPanel;
  }
  const std::byte* block(size_t group, size_t b) const {
    return data + (group * divide_up(k, kBlock) + b) * block_bytes;
  }
};

class PanelMatrix;
PanelView panel_view(const PanelMatrix& matrix);

}  // namespace hone::tensor
