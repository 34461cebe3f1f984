#include "tensor/swiglu.h"

#include <cmath>

#include "gtest/gtest.h"
#include "tensor/targets_for_test.h"
#include "tensor/test_numbers.h"

namespace hone::tensor {
namespace {

TEST(Swiglu, EqualsReferenceToTheBit) {
  for_each_instruction_set([] {
    for (const size_t threads : {1, 2, 3}) {
      Compute compute(threads);
      for (const size_t rows : {1, 2, 37}) {
        for (const size_t cols : {1, 15, 16, 17, 100, 1536}) {
          std::vector<float> gate_up = test_numbers(rows * 2 * cols, 1);
          for (float& v : gate_up) v *= 30.0f;
          const std::vector<float> dy = test_numbers(rows * cols, 2);
          std::vector<float> y(dy.size()), expected(dy.size());
          const View<const float> in(gate_up.data(), rows, 2 * cols);
          swiglu(compute, in, {y.data(), rows, cols});
          swiglu_reference(in, {expected.data(), rows, cols});
          EXPECT_EQ(count_different(y, expected), 0u);
          std::vector<float> grad(gate_up.size()), expected_grad(gate_up.size());
          swiglu_backward(compute, in, {dy.data(), rows, cols}, {grad.data(), rows, 2 * cols});
          swiglu_backward_reference(in, {dy.data(), rows, cols},
                                    {expected_grad.data(), rows, 2 * cols});
          EXPECT_EQ(count_different(grad, expected_grad), 0u);
        }
      }
    }
  });
}

TEST(Swiglu, GradientAgreesWithFiniteDifferences) {
  Compute compute(1);
  const std::vector<float> in = {0.7f, -1.3f, 2.0f, 0.4f};
  const std::vector<float> dy = {1.0f, -2.0f};
  std::vector<float> grad(4);
  swiglu_backward(compute, {in.data(), 1, 4}, {dy.data(), 1, 2}, {grad.data(), 1, 4});
  const auto loss = [&](std::vector<double> x) {
    double sum = 0.0;
    for (size_t i = 0; i < 2; ++i) {
      sum += static_cast<double>(dy[i]) * x[i] / (1.0 + std::exp(-x[i])) * x[2 + i];
    }
    return sum;
  };
  for (size_t i = 0; i < 4; ++i) {
    std::vector<double> up(in.begin(), in.end()), down(up);
    up[i] += 1e-6;
    down[i] -= 1e-6;
    EXPECT_NEAR(static_cast<double>(grad[i]), (loss(up) - loss(down)) / 2e-6, 1e-6);
  }
}

}  // namespace
}  // namespace hone::tensor
