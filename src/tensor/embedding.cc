#include "tensor/embedding.h"

#include <atomic>
#include <cmath>

#include "tensor/fixed_point.h"
#include "tensor/row_tasks.h"

namespace hone::tensor {

namespace {

// One piece of columns of all rows. Threads own columns, so no two write the same integer.
FixedStatistics add_columns(View<const float> dx, const int32_t* tokens, FixedGradient grad,
                            size_t begin, size_t end) {
  FixedStatistics statistics;
  const double scale = power_of_two(grad.exponent);
  for (size_t r = 0; r < dx.rows; ++r) {
    const auto token = static_cast<size_t>(tokens[r]);
    int64_t* values = grad.values + (token / 16) * dx.cols * 16 + token % 16;
    const float* row = dx.row(r);
    for (size_t k = begin; k < end; ++k) {
      if (!add_fixed(row[k], scale, values + k * 16, &statistics.flushed_to_zero)) {
        statistics.overflow = true;
      }
    }
  }
  return statistics;
}

}  // namespace

FixedStatistics embedding_backward(Compute& compute, View<const float> dx, const int32_t* tokens,
                                   FixedGradient grad) {
  if (dx.rows < kRowsOnCaller) return add_columns(dx, tokens, grad, 0, dx.cols);
  constexpr size_t kColumns = 64;
  std::atomic<bool> overflow{false};
  std::atomic<uint64_t> flushed{0};
  compute.pool().run((dx.cols + kColumns - 1) / kColumns, [&](size_t task, size_t) {
    const FixedStatistics part =
        add_columns(dx, tokens, grad, task * kColumns, std::min(dx.cols, (task + 1) * kColumns));
    if (part.overflow) overflow = true;
    flushed += part.flushed_to_zero;
  });
  return {overflow, flushed};
}

FixedStatistics embedding_backward_reference(View<const float> dx, const int32_t* tokens,
                                             FixedGradient grad) {
  FixedStatistics statistics;
  for (size_t r = 0; r < dx.rows; ++r) {
    const auto n = static_cast<size_t>(tokens[r]);
    for (size_t k = 0; k < dx.cols; ++k) {
      const float value = dx.row(r)[k];
      const double scaled = std::ldexp(static_cast<double>(value), grad.exponent);
      if (!(std::fabs(scaled) < kFixedLimit)) {
        statistics.overflow = true;
        continue;
      }
      const double nearest = std::nearbyint(scaled);  // ties to even
      if (nearest == 0.0 && value != 0.0f) ++statistics.flushed_to_zero;
      grad.values[(n / 16 * dx.cols + k) * 16 + n % 16] += static_cast<int64_t>(nearest);
    }
  }
  return statistics;
}

}  // namespace hone::tensor
