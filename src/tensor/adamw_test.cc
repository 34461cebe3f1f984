#include "tensor/adamw.h"

#include <cmath>

#include "gtest/gtest.h"
#include "tensor/targets_for_test.h"
#include "tensor/test_numbers.h"

namespace hone::tensor {
namespace {

std::vector<int64_t> integers(size_t n, uint64_t seed) {
  std::vector<int64_t> values;
  for (const float v : test_numbers(n, seed)) {
    values.push_back(std::llrint(static_cast<double>(v) * 0x1p40));
  }
  return values;
}

TEST(Adamw, EqualsReferenceToTheBitForAnySizeAndThreads) {
  for_each_instruction_set([] {
    for (const size_t threads : {1, 2, 3}) {
      Compute compute(threads);
      for (const size_t n : {1, 7, 4096, 140001}) {
        std::vector<int64_t> grad = integers(n, 1);
        std::vector<float> w = test_numbers(n, 2), m(n), v(n), w2 = w, m2(n), v2(n);
        for (int64_t step = 1; step <= 3; ++step) {
          const AdamwSettings settings{1e-3, 0.9, 0.999, 1e-8, 0.1, step, 0.5f};
          adamw(compute, settings, {grad.data(), 44}, n, w.data(), m.data(), v.data());
          adamw_reference(settings, {grad.data(), 44}, n, w2.data(), m2.data(), v2.data());
        }
        EXPECT_EQ(count_different(w, w2) + count_different(m, m2) + count_different(v, v2), 0u);
        const GradientNorm a = gradient_norm(compute, {grad.data(), 44}, n);
        const GradientNorm b = gradient_norm_reference({grad.data(), 44}, n);
        EXPECT_EQ(a.sum_of_squares, b.sum_of_squares);
        EXPECT_EQ(a.largest, b.largest);
      }
    }
  });
}

TEST(Adamw, FollowsTheFormulaInDoublePrecision) {
  Compute compute(1);
  std::vector<int64_t> grad = {int64_t{3} << 38};  // 0.75 at exponent 40
  float w = 2.0f, m = 0.0f, v = 0.0f;
  double dw = 2.0, dm = 0.0, dv = 0.0;
  for (int64_t step = 1; step <= 10; ++step) {
    adamw(compute, {0.01, 0.9, 0.99, 1e-8, 0.1, step, 1.0f}, {grad.data(), 40}, 1, &w, &m, &v);
    dw *= 1.0 - 0.01 * 0.1;
    dm = 0.9 * dm + 0.1 * 0.75;
    dv = 0.99 * dv + 0.01 * 0.75 * 0.75;
    const double t = static_cast<double>(step);
    dw -= 0.01 / (1.0 - std::pow(0.9, t)) * dm /
          (std::sqrt(dv) / std::sqrt(1.0 - std::pow(0.99, t)) + 1e-8);
  }
  EXPECT_NEAR(static_cast<double>(w), dw, 1e-6);
}

TEST(Adamw, ClipsOnlyAboveTheBound) {
  EXPECT_EQ(clip_coefficient(10.0, 0.0), 1.0f);
  EXPECT_EQ(clip_coefficient(0.5, 1.0), 1.0f);
  EXPECT_NEAR(clip_coefficient(4.0, 1.0), 0.25f, 1e-6f);
}

}  // namespace
}  // namespace hone::tensor
