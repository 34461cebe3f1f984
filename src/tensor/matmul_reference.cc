// The contract of matmul.h in the fewest words: one scalar std::fma chain after the other. What the
// kernels are compared with, bit by bit.

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "tensor/matmul.h"
#include "tensor/panel_layout.h"

namespace hone::tensor {

namespace {

float chain_sum(const float* a, const float* b, size_t count) {
  float sum = 0.0f;
  for (size_t begin = 0; begin < count; begin += kChain) {
    float chain = 0.0f;
    const size_t end = std::min(count, begin + kChain);
    for (size_t i = begin; i < end; ++i) chain = std::fma(a[i], b[i], chain);
    sum = begin == 0 ? chain : sum + chain;
  }
  return sum;
}

std::vector<float> unpacked(const PanelMatrix& weights) {
  std::vector<float> rows(weights.rows() * weights.cols());
  for (size_t n = 0; n < weights.rows(); ++n) weights.read_row(n, rows.data() + n * weights.cols());
  return rows;
}

}  // namespace

void matmul_reference(std::span<const MatmulPart> parts) {
  for (const MatmulPart& part : parts) {
    const size_t k = part.weights->cols();
    const std::vector<float> w = unpacked(*part.weights);
    for (size_t m = 0; m < part.x.rows; ++m) {
      for (size_t n = 0; n < part.weights->rows(); ++n) {
        const float sum = chain_sum(w.data() + n * k, part.x.row(m), k);
        float& y = part.y.row(m)[n];
        if (part.accumulate) {
          y = std::fma(part.scale, sum, y);
        } else {
          y = part.bias == nullptr ? sum : sum + part.bias[n];
        }
      }
    }
    if (part.then == nullptr) continue;
    MatmulPart then = *part.then;
    then.then = nullptr;
    matmul_reference({&then, 1});
  }
}

void matmul_backward_input_reference(std::span<const MatmulInputTerm> terms, View<float> dx,
                                     bool accumulate) {
  bool add = accumulate;
  for (const MatmulInputTerm& term : terms) {
    const std::vector<float> w = unpacked(*term.weights);
    std::vector<float> column(term.weights->rows());
    for (size_t k = 0; k < dx.cols; ++k) {
      for (size_t n = 0; n < column.size(); ++n) column[n] = w[n * dx.cols + k];
      for (size_t m = 0; m < dx.rows; ++m) {
        const float sum = chain_sum(column.data(), term.dy.row(m), column.size());
        float& to = dx.row(m)[k];
        to = add ? std::fma(term.scale, sum, to) : term.scale * sum;
      }
    }
    add = true;
  }
}

FixedStatistics matmul_backward_weight_reference(View<const float> dy, View<const float> x,
                                                 std::span<const TokenGroup> groups,
                                                 FixedGradient grad) {
  FixedStatistics statistics;
  for (const TokenGroup& group : groups) {
    for (size_t n = 0; n < dy.cols; ++n) {
      for (size_t k = 0; k < x.cols; ++k) {
        float sum = 0.0f;
        for (size_t t = group.begin; t < group.end; ++t) {
          sum = std::fma(dy.row(t)[n], x.row(t)[k], sum);
        }
        const double scaled = std::ldexp(static_cast<double>(sum), grad.exponent);
        if (!(std::fabs(scaled) < 0x1p50)) {
          statistics.overflow = true;
          continue;
        }
        const auto rounded = static_cast<int64_t>(std::nearbyint(scaled));
        if (rounded == 0 && sum != 0.0f) ++statistics.flushed_to_zero;
        grad.values[(n / kPanel * x.cols + k) * kPanel + n % kPanel] += rounded;
      }
    }
  }
  return statistics;
}

}  // namespace hone::tensor
