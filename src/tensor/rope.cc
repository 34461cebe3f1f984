#include "tensor/rope.h"

#include "base/check.h"
#include "tensor/row_tasks.h"
#include "tensor/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/rope.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tensor/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {

// direction 1 turns forward, -1 back: the sine changes its sign, which rounds nothing.
void RotateRow(float* row, size_t heads, size_t head_dim, const float* cosines, const float* sines,
               size_t half, float direction) {
  const Floats d;
  const auto sign = hn::Set(d, direction);
  for (size_t h = 0; h < heads; ++h) {
    float* first = row + h * head_dim;
    float* second = first + half;
    ForVectors(d, half, [&](size_t i, size_t count) HWY_ATTR {
      const auto x0 = LoadCount(d, first + i, count);
      const auto x1 = LoadCount(d, second + i, count);
      const auto c = LoadCount(d, cosines + i, count);
      const auto s = hn::Mul(LoadCount(d, sines + i, count), sign);
      StoreCount(hn::MulSub(x0, c, hn::Mul(x1, s)), d, first + i, count);
      StoreCount(hn::MulAdd(x1, c, hn::Mul(x0, s)), d, second + i, count);
    });
  }
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hone::tensor {

HWY_EXPORT(RotateRow);

namespace {

void rotate_rows(Compute& compute, View<float> rows, size_t heads, size_t head_dim,
                 const int32_t* positions, const RopeTable& table, float direction) {
  HONE_CHECK(rows.cols == heads * head_dim && table.rope_dim() <= head_dim);
  const auto rotate_row = &HWY_DYNAMIC_DISPATCH(RotateRow);
  for_row_pieces(compute, rows.rows, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) {
      const auto position = static_cast<size_t>(positions[r]);
      rotate_row(rows.row(r), heads, head_dim, table.cosines(position), table.sines(position),
                 table.rope_dim() / 2, direction);
    }
  });
}

}  // namespace

void rope(Compute& compute, View<float> rows, size_t heads, size_t head_dim,
          const int32_t* positions, const RopeTable& table) {
  rotate_rows(compute, rows, heads, head_dim, positions, table, 1.0f);
}

void rope_backward(Compute& compute, View<float> rows, size_t heads, size_t head_dim,
                   const int32_t* positions, const RopeTable& table) {
  rotate_rows(compute, rows, heads, head_dim, positions, table, -1.0f);
}

}  // namespace hone::tensor
#endif  // HWY_ONCE
