#include "tensor/embedding.h"

#include <atomic>

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
  return add_columns(dx, tokens, grad, 0, dx.cols);
}

}  // namespace hone::tensor
