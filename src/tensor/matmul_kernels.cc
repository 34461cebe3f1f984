#include "tensor/matmul_kernels.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/matmul_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/codec-inl.h"
#include "tensor/gemv-inl.h"
#include "tensor/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

// No fused multiply-add in hardware: refused by Compute.
const MatmulKernels* kernels_here() { return nullptr; }

#else

// How far ahead of its reading unpack fetches: the blocks of a group, and the groups, follow one
// another, and the product that comes between two calls gives the lines time to arrive.
constexpr size_t kUnpackAheadBytes = 4096;

void unpack(const PanelView& w, size_t panel, size_t panels, size_t k, size_t kc, float* out) {
  const size_t end = panel + panels;
  if (w.layout == Layout::kFloat) {
    for (size_t p = panel; p < end; ++p, out += kc * kPanel) {
      std::memcpy(out, w.panel(p) + k * kPanel, kc * kPanel * sizeof(float));
    }
    return;
  }
  for (size_t p = panel; p < end;) {
    const bool both =
        p % 2 == 0 && p + 1 < end;  // both panels of a group: one pass over its blocks
    for (size_t i = 0; i < kc; i += kBlock) {
      const std::byte* block = w.block(p / 2, (k + i) / kBlock);
      for (size_t line = 0; line < w.block_bytes; line += 64) {
        hwy::Prefetch(block + kUnpackAheadBytes + line);
      }
      const size_t count = HWY_MIN(kBlock, kc - i);
      float* to = out + i * kPanel;
      unpack_panel_block(w.layout, block, p % 2 * kPanel, count, to);
      if (both) unpack_panel_block(w.layout, block, kPanel, count, to + kc * kPanel);
    }
    const size_t done = both ? 2 : 1;
    p += done;
    out += done * kc * kPanel;
  }
}

// from[4 rows][16] to to[16][.]: columns become rows. 128-bit steps: the same on every target.
HWY_INLINE void transpose_four(const float* HWY_RESTRICT from, float* HWY_RESTRICT to) {
  const hn::CappedTag<float, 4> d;
  for (size_t c = 0; c < kPanel; c += 4) {
    const auto r0 = hn::LoadU(d, from + c), r1 = hn::LoadU(d, from + kPanel + c);
    const auto r2 = hn::LoadU(d, from + 2 * kPanel + c), r3 = hn::LoadU(d, from + 3 * kPanel + c);
    const auto low02 = hn::InterleaveLower(d, r0, r2), low13 = hn::InterleaveLower(d, r1, r3);
    const auto high02 = hn::InterleaveUpper(d, r0, r2), high13 = hn::InterleaveUpper(d, r1, r3);
    hn::StoreU(hn::InterleaveLower(d, low02, low13), d, to + c * kPanel);
    hn::StoreU(hn::InterleaveUpper(d, low02, low13), d, to + (c + 1) * kPanel);
    hn::StoreU(hn::InterleaveLower(d, high02, high13), d, to + (c + 2) * kPanel);
    hn::StoreU(hn::InterleaveUpper(d, high02, high13), d, to + (c + 3) * kPanel);
  }
}

// from[k][16 n] to to[n][16 k], k < count <= 16, n < rows <= 16.
HWY_NOINLINE void transpose_panel(const float* from, size_t count, size_t rows, float* to) {
  if (count == kPanel && rows == kPanel) {
    for (size_t k = 0; k < kPanel; k += 4) transpose_four(from + k * kPanel, to + k);
    return;
  }
  for (size_t n = 0; n < rows; ++n) {
    for (size_t k = 0; k < count; ++k) to[n * kPanel + k] = from[k * kPanel + n];
  }
}

void unpack_transposed(const PanelView& w, size_t k_panel, size_t panels, size_t n, size_t nc,
                       float* out) {
  HWY_ALIGN float block[kBlock * kPanel];
  const size_t k_end = HWY_MIN(w.k, (k_panel + panels) * kPanel);
  for (size_t i = 0; i < nc; i += kPanel) {
    const size_t p = (n + i) / kPanel;
    const size_t rows = HWY_MIN(kPanel, nc - i);
    size_t unpacked = SIZE_MAX;
    for (size_t kp = k_panel; kp * kPanel < k_end; ++kp) {
      const size_t k = kp * kPanel;
      const float* from = block + k % kBlock * kPanel;
      if (w.layout == Layout::kFloat) {
        from = w.panel(p) + k * kPanel;
      } else if (unpacked != k / kBlock) {
        unpacked = k / kBlock;
        unpack_panel_block(w.layout, w.block(p / 2, unpacked), p % 2 * kPanel, kBlock, block);
      }
      transpose_panel(from, HWY_MIN(kPanel, k_end - k), rows,
                      out + ((kp - k_panel) * nc + i) * kPanel);
    }
  }
}

void store_sums(const float* sums, float* y, size_t count, const float* bias, bool accumulate,
                float scale) {
  const Floats d;
  const size_t lanes = hn::Lanes(d);
  const FloatVec s = hn::Set(d, scale);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const FloatVec sum = hn::LoadU(d, sums + i);
    FloatVec value = sum;
    if (accumulate) {
      value = hn::MulAdd(s, sum, hn::LoadU(d, y + i));
    } else if (bias != nullptr) {
      value = hn::Add(sum, hn::LoadU(d, bias + i));
    }
    hn::StoreU(value, d, y + i);
  }
  const hn::CappedTag<float, 1> one;
  for (; i < count; ++i) {
    const auto sum = hn::LoadU(one, sums + i);
    auto value = sum;
    if (accumulate) {
      value = hn::MulAdd(hn::Set(one, scale), sum, hn::LoadU(one, y + i));
    } else if (bias != nullptr) {
      value = hn::Add(sum, hn::LoadU(one, bias + i));
    }
    hn::StoreU(value, one, y + i);
  }
}

const MatmulKernels* kernels_here() {
  static const MatmulKernels kernels = {hwy::TargetName(HWY_TARGET),
                                        tile_rows(),
                                        gemv_groups(),
                                        unpack,
                                        unpack_transposed,
                                        multiply,
                                        gemv,
                                        store_sums,
                                        accumulate_weight};
  return &kernels;
}

#endif

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hone::tensor {

HWY_EXPORT(kernels_here);

const MatmulKernels* matmul_kernels() { return HWY_DYNAMIC_DISPATCH(kernels_here)(); }

}  // namespace hone::tensor
#endif
