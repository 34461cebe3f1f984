#pragma once
// The part of matmul that is compiled once for every instruction set: everything in it is a plain
// function over plain pointers, chosen at run time. Cutting work into tasks is done above, once.
//
// Thread rule: pure functions of their arguments.

#include <cstddef>
#include <cstdint>

#include "tensor/panel_layout.h"

namespace hone::tensor {

// Largest tile of any instruction set; packed left operands of dW are this wide or less.
inline constexpr size_t kMaxTileRows = 14;

// Packed tokens come in steps of this many: rows of zeros fill up, which change no sum but the sign of
// a zero.
inline constexpr size_t kTokenStep = 4;

// Rows of activations lie up to pages apart, so that no hardware fetches them ahead: this many tokens.
inline constexpr size_t kAheadTokens = 8;

struct WeightBlock {
  const float* x = nullptr;   // [tokens][rows], rows consecutive k
  size_t rows = 0;            // at most tile_rows
  const float* dy = nullptr;  // [panels][tokens][16]
  size_t panels = 0;
  size_t tokens = 0;  // a multiple of kTokenStep where packed
  // Else both lie as they were, this far from token to token; dy is [tokens][panels * 16].
  bool packed = true;
  size_t x_stride = 0, dy_stride = 0;
  int64_t* gradient = nullptr;  // of panel 0, first k
  size_t gradient_stride = 0;   // from panel to panel
  int exponent = 0;
  bool fetch = false;  // the gradient is not in the cache yet
};
struct WeightStatistics {
  float largest = 0.0f;  // |group sum|; infinity when there was a NaN
  uint64_t flushed_to_zero = 0;
};

struct MatmulKernels {
  const char* name = "";
  size_t tile_rows = 0;    // rows of the full tile
  size_t gemv_groups = 0;  // groups of 32 columns that one gemv pass likes best

  // out[p][kc][16] = panels [panel, panel + panels), k in [k, k + kc); k a multiple of 32.
  void (*unpack)(const PanelView& w, size_t panel, size_t panels, size_t k, size_t kc, float* out);
  // out[p][nc][16]: columns are k panels [k_panel, k_panel + panels), rows n in [n, n + nc); n a
  // multiple of 32. Lanes past K are undefined.
  void (*unpack_transposed)(const PanelView& w, size_t k_panel, size_t panels, size_t n, size_t nc,
                            float* out);
  // c[m][16 p + lane] (+)= chains of 256 over kc; the first chain stores when `first`.
  // Panel p starts at b + p * panel_stride.
  void (*multiply)(const float* a, size_t lda, size_t rows, const float* b, size_t panel_stride,
                   size_t panels, size_t kc, float* c, size_t ldc, bool first);
  // sums[32 groups] = W x for groups [group, group + groups); not for f32.
  void (*gemv)(const PanelView& w, size_t group, size_t groups, const float* x, float* sums);
  // y = sum [+ bias] or y = fma(scale, sum, y).
  void (*store_sums)(const float* sums, float* y, size_t count, const float* bias, bool accumulate,
                     float scale);
  void (*accumulate_weight)(const WeightBlock& block, WeightStatistics* statistics);
};

// Those of this CPU; null when it has no fused multiply-add.
const MatmulKernels* matmul_kernels();

}  // namespace hone::tensor
