#include "tensor/rms_norm.h"

#include <atomic>
#include <cmath>

#include "base/check.h"
#include "tensor/fixed_point.h"
#include "tensor/row_tasks.h"
#include "tensor/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/rms_norm.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tensor/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {

float NormRow(const float* x, const float* weight, size_t n, float eps, float* y) {
  const Floats d;
  const float sum = LaneSum(d, n, [&](auto acc, size_t i, size_t count) HWY_ATTR {
    const auto v = LoadCount(d, x + i, count);
    return hn::MulAdd(v, v, acc);
  });
  const float inverse = 1.0f / std::sqrt(sum / static_cast<float>(n) + eps);
  const auto scale = hn::Set(d, inverse);
  ForVectors(d, n, [&](size_t i, size_t count) HWY_ATTR {
    const auto h = hn::Mul(LoadCount(d, x + i, count), scale);
    StoreCount(hn::Mul(h, LoadCount(d, weight + i, count)), d, y + i, count);
  });
  return inverse;
}

void NormRowBackward(const float* x, const float* weight, float inverse, const float* dy, size_t n,
                     float* dx, bool accumulate) {
  const Floats d;
  const auto scale = hn::Set(d, inverse);
  const float dot = LaneSum(d, n, [&](auto acc, size_t i, size_t count) HWY_ATTR {
    const auto h = hn::Mul(LoadCount(d, x + i, count), scale);
    const auto g = hn::Mul(LoadCount(d, dy + i, count), LoadCount(d, weight + i, count));
    return hn::MulAdd(g, h, acc);
  });
  const auto mean = hn::Set(d, dot / static_cast<float>(n));
  ForVectors(d, n, [&](size_t i, size_t count) HWY_ATTR {
    const auto h = hn::Mul(LoadCount(d, x + i, count), scale);
    const auto g = hn::Mul(LoadCount(d, dy + i, count), LoadCount(d, weight + i, count));
    const auto inner = hn::NegMulAdd(h, mean, g);
    const auto out =
        accumulate ? hn::MulAdd(scale, inner, LoadCount(d, dx + i, count)) : hn::Mul(scale, inner);
    StoreCount(out, d, dx + i, count);
  });
}

void AddRow(float* x, const float* y, size_t n) {
  const Floats d;
  ForVectors(d, n, [&](size_t i, size_t count) HWY_ATTR {
    StoreCount(hn::Add(LoadCount(d, x + i, count), LoadCount(d, y + i, count)), d, x + i, count);
  });
}

// sum[i] = fma(dy[i], x[i] * inverse, sum[i])
void AddWeightGradient(const float* x, float inverse, const float* dy, size_t n, float* sum) {
  const Floats d;
  const auto scale = hn::Set(d, inverse);
  ForVectors(d, n, [&](size_t i, size_t count) HWY_ATTR {
    const auto h = hn::Mul(LoadCount(d, x + i, count), scale);
    const auto acc = LoadCount(d, sum + i, count);
    StoreCount(hn::MulAdd(LoadCount(d, dy + i, count), h, acc), d, sum + i, count);
  });
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hone::tensor {

HWY_EXPORT(NormRow);
HWY_EXPORT(NormRowBackward);
HWY_EXPORT(AddRow);
HWY_EXPORT(AddWeightGradient);

void rms_norm_heads(Compute& compute, View<const float> x, size_t heads, size_t head_dim,
                    const float* weight, float eps, View<float> y, float* inverse_rms) {
  HONE_CHECK(x.rows == y.rows && x.cols == heads * head_dim && y.cols == x.cols);
  const auto norm = &HWY_DYNAMIC_DISPATCH(NormRow);
  for_row_pieces(compute, x.rows, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) {
      for (size_t h = 0; h < heads; ++h) {
        const size_t at = h * head_dim;
        const float inverse = norm(x.row(r) + at, weight, head_dim, eps, y.row(r) + at);
        if (inverse_rms != nullptr) inverse_rms[r * heads + h] = inverse;
      }
    }
  });
}

void rms_norm(Compute& compute, View<const float> x, const float* weight, float eps, View<float> y,
              float* inverse_rms) {
  rms_norm_heads(compute, x, 1, x.cols, weight, eps, y, inverse_rms);
}

void rms_norm_heads_backward(Compute& compute, View<const float> x, size_t heads, size_t head_dim,
                             const float* weight, const float* inverse_rms, View<const float> dy,
                             View<float> dx, bool accumulate) {
  HONE_CHECK(x.rows == dx.rows && x.rows == dy.rows && x.cols == heads * head_dim);
  HONE_CHECK(dx.cols == x.cols && dy.cols == x.cols);
  const auto backward = &HWY_DYNAMIC_DISPATCH(NormRowBackward);
  for_row_pieces(compute, x.rows, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) {
      for (size_t h = 0; h < heads; ++h) {
        const size_t at = h * head_dim;
        backward(x.row(r) + at, weight, inverse_rms[r * heads + h], dy.row(r) + at, head_dim,
                 dx.row(r) + at, accumulate);
      }
    }
  });
}

void rms_norm_backward(Compute& compute, View<const float> x, const float* weight,
                       const float* inverse_rms, View<const float> dy, View<float> dx,
                       bool accumulate) {
  rms_norm_heads_backward(compute, x, 1, x.cols, weight, inverse_rms, dy, dx, accumulate);
}

FixedStatistics rms_norm_heads_backward_weight(Compute& compute, View<const float> x, size_t heads,
                                               size_t head_dim, const float* inverse_rms,
                                               View<const float> dy,
                                               std::span<const TokenGroup> groups,
                                               FixedGradient grad) {
  HONE_CHECK(x.rows == dy.rows && x.cols == heads * head_dim && dy.cols == x.cols);
  const auto add = &HWY_DYNAMIC_DISPATCH(AddWeightGradient);
  const double scale = power_of_two(grad.exponent);
  constexpr size_t kColumns = 256;
  std::atomic<bool> overflow{false};
  std::atomic<uint64_t> flushed{0};
  const auto columns = [&](size_t task, size_t) {
    const size_t begin = task * kColumns;
    const size_t count = std::min(kColumns, head_dim - begin);
    alignas(64) float sum[kColumns];
    uint64_t zeros = 0;
    bool fits = true;
    for (const TokenGroup& group : groups) {
      std::fill_n(sum, count, 0.0f);
      for (size_t r = group.begin; r < group.end; ++r) {
        for (size_t h = 0; h < heads; ++h) {
          const size_t at = h * head_dim + begin;
          add(x.row(r) + at, inverse_rms[r * heads + h], dy.row(r) + at, count, sum);
        }
      }
      for (size_t i = 0; i < count; ++i) {
        fits &= add_fixed(sum[i], scale, grad.values + begin + i, &zeros);
      }
    }
    if (!fits) overflow = true;
    flushed += zeros;
  };
  const size_t tasks = (head_dim + kColumns - 1) / kColumns;
  if (x.rows < kRowsOnCaller) {
    for (size_t task = 0; task < tasks; ++task) columns(task, 0);
  } else {
    compute.pool().run(tasks, columns);
  }
  return {overflow, flushed};
}

FixedStatistics rms_norm_backward_weight(Compute& compute, View<const float> x,
                                         const float* inverse_rms, View<const float> dy,
                                         std::span<const TokenGroup> groups, FixedGradient grad) {
  return rms_norm_heads_backward_weight(compute, x, 1, x.cols, inverse_rms, dy, groups, grad);
}

void add_rows(Compute& compute, View<float> x, View<const float> y) {
  HONE_CHECK(x.rows == y.rows && x.cols == y.cols);
  const auto add = &HWY_DYNAMIC_DISPATCH(AddRow);
  for_row_pieces(compute, x.rows, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) add(x.row(r), y.row(r), x.cols);
  });
}

}  // namespace hone::tensor
#endif  // HWY_ONCE
