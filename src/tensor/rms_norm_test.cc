#include "tensor/rms_norm.h"

#include <cmath>

#include "gtest/gtest.h"
#include "tensor/fixed_point.h"
#include "tensor/targets_for_test.h"
#include "tensor/test_numbers.h"

namespace hone::tensor {
namespace {

struct Case {
  size_t rows, heads, head_dim;
};
constexpr Case kCases[] = {{1, 1, 576},  {3, 1, 1},  {33, 1, 7},
                           {70, 1, 100}, {5, 3, 64}, {40, 2, 24}};

TEST(RmsNorm, EqualsReferenceToTheBitForOddSizesAndAnyThreads) {
  for_each_instruction_set([] {
    for (const size_t threads : {1, 2, 3}) {
      Compute compute(threads);
      for (const Case& c : kCases) {
        const size_t cols = c.heads * c.head_dim;
        const std::vector<float> x = test_numbers(c.rows * cols, 1);
        const std::vector<float> weight = test_numbers(c.head_dim, 2);
        std::vector<float> y(x.size()), expected(x.size());
        std::vector<float> inverse(c.rows * c.heads), expected_inverse(inverse);
        const View<const float> in(x.data(), c.rows, cols);
        rms_norm_heads(compute, in, c.heads, c.head_dim, weight.data(), 1e-5f,
                       {y.data(), c.rows, cols}, inverse.data());
        rms_norm_heads_reference(in, c.heads, c.head_dim, weight.data(), 1e-5f,
                                 {expected.data(), c.rows, cols}, expected_inverse.data());
        EXPECT_EQ(count_different(y, expected), 0u);
        EXPECT_EQ(count_different(inverse, expected_inverse), 0u);

        const std::vector<float> dy = test_numbers(x.size(), 3);
        for (const bool accumulate : {false, true}) {
          std::vector<float> dx = test_numbers(x.size(), 4), expected_dx = dx;
          rms_norm_heads_backward(compute, in, c.heads, c.head_dim, weight.data(), inverse.data(),
                                  {dy.data(), c.rows, cols}, {dx.data(), c.rows, cols}, accumulate);
          rms_norm_heads_backward_reference(in, c.heads, c.head_dim, weight.data(), inverse.data(),
                                            {dy.data(), c.rows, cols},
                                            {expected_dx.data(), c.rows, cols}, accumulate);
          EXPECT_EQ(count_different(dx, expected_dx), 0u);
        }
        const std::vector<TokenGroup> groups = {{0, c.rows / 2}, {c.rows / 2, c.rows}};
        std::vector<int64_t> grad(c.head_dim), expected_grad(c.head_dim);
        const FixedStatistics s =
            rms_norm_heads_backward_weight(compute, in, c.heads, c.head_dim, inverse.data(),
                                           {dy.data(), c.rows, cols}, groups, {grad.data(), 30});
        const FixedStatistics t = rms_norm_heads_backward_weight_reference(
            in, c.heads, c.head_dim, inverse.data(), {dy.data(), c.rows, cols}, groups,
            {expected_grad.data(), 30});
        EXPECT_EQ(grad, expected_grad);
        EXPECT_EQ(s.overflow, t.overflow);
        EXPECT_EQ(s.flushed_to_zero, t.flushed_to_zero);
      }
    }
  });
}

TEST(RmsNorm, WorksInPlace) {
  Compute compute(1);
  std::vector<float> x = test_numbers(4 * 50, 5);
  const std::vector<float> weight = test_numbers(50, 6);
  std::vector<float> expected(x.size());
  rms_norm_reference({x.data(), 4, 50}, weight.data(), 1e-5f, {expected.data(), 4, 50}, nullptr);
  rms_norm(compute, {x.data(), 4, 50}, weight.data(), 1e-5f, {x.data(), 4, 50}, nullptr);
  EXPECT_EQ(count_different(x, expected), 0u);
}

TEST(RmsNorm, GradientAgreesWithFiniteDifferences) {
  constexpr size_t kCols = 20;
  const std::vector<float> x = test_numbers(kCols, 7), weight = test_numbers(kCols, 8),
                           dy = test_numbers(kCols, 9);
  const auto loss = [&](const std::vector<double>& at) {
    double sum = 0.0;
    for (double v : at) sum += v * v;
    const double inverse = 1.0 / std::sqrt(sum / kCols + 1e-5);
    double total = 0.0;
    for (size_t i = 0; i < kCols; ++i) {
      total += at[i] * inverse * static_cast<double>(weight[i]) * static_cast<double>(dy[i]);
    }
    return total;
  };
  Compute compute(1);
  std::vector<float> y(kCols), dx(kCols);
  float inverse = 0.0f;
  rms_norm(compute, {x.data(), 1, kCols}, weight.data(), 1e-5f, {y.data(), 1, kCols}, &inverse);
  rms_norm_backward(compute, {x.data(), 1, kCols}, weight.data(), &inverse, {dy.data(), 1, kCols},
                    {dx.data(), 1, kCols}, false);
  for (size_t i = 0; i < kCols; ++i) {
    std::vector<double> up(x.begin(), x.end()), down(up);
    up[i] += 1e-5;
    down[i] -= 1e-5;
    EXPECT_NEAR(static_cast<double>(dx[i]), (loss(up) - loss(down)) / 2e-5, 1e-5);
  }
}

TEST(RmsNorm, AddsTheResidualRowByRow) {
  for_each_instruction_set([] {
    for (const size_t threads : {1, 2, 3}) {
      Compute compute(threads);
      for (const size_t rows : {1, 50}) {
        for (const size_t cols : {1, 16, 37}) {
          std::vector<float> x = test_numbers(rows * cols, 1), expected = x;
          const std::vector<float> y = test_numbers(rows * cols, 2);
          add_rows(compute, {x.data(), rows, cols}, {y.data(), rows, cols});
          add_rows_reference({expected.data(), rows, cols}, {y.data(), rows, cols});
          EXPECT_EQ(count_different(x, expected), 0u);
        }
      }
    }
  });
}

}  // namespace
}  // namespace hone::tensor
