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

// Tensors of these sizes, each with an exponent and a clip of its own.
struct Tensors {
  std::vector<std::vector<int64_t>> gradients;
  std::vector<std::vector<float>> weights, m, v;
  std::vector<AdamwTensor> list;

  explicit Tensors(std::span<const size_t> sizes) {
    for (const size_t n : sizes) {
      weights.push_back(test_numbers(n, 2 + n));
      m.emplace_back(n);
      v.emplace_back(n);
      gradients.emplace_back(n);
    }
    for (size_t i = 0; i < sizes.size(); ++i) {
      const int exponent = 44 - static_cast<int>(i);
      list.push_back({{gradients[i].data(), exponent},
                      sizes[i],
                      weights[i].data(),
                      m[i].data(),
                      v[i].data(),
                      0.5f + 0.1f * static_cast<float>(i)});
    }
  }
  void fill_gradients(uint64_t seed) {
    for (size_t i = 0; i < gradients.size(); ++i) {
      const std::vector<int64_t> numbers = integers(gradients[i].size(), seed + i);
      std::copy(numbers.begin(), numbers.end(), gradients[i].begin());
    }
  }
};

TEST(Adamw, EqualsReferenceToTheBitForAnySizesAndThreads) {
  constexpr size_t kSizes[] = {1, 7, 4096, 0, 65536, 140001, 3};
  for_each_instruction_set([&] {
    for (const size_t threads : {1, 2, 3}) {
      Compute compute(threads);
      Tensors ours(kSizes), theirs(kSizes);
      for (int64_t step = 1; step <= 3; ++step) {
        ours.fill_gradients(static_cast<uint64_t>(step) * 10);
        theirs.fill_gradients(static_cast<uint64_t>(step) * 10);
        const std::vector<GradientNorm> norms = gradient_norms(compute, ours.list);
        ASSERT_EQ(norms.size(), std::size(kSizes));
        for (size_t i = 0; i < norms.size(); ++i) {
          const GradientNorm one =
              gradient_norm_reference(theirs.list[i].gradient, theirs.list[i].n);
          EXPECT_EQ(norms[i].sum_of_squares, one.sum_of_squares);
          EXPECT_EQ(norms[i].largest, one.largest);
        }
        const AdamwSettings settings{1e-3, 0.9, 0.999, 1e-8, 0.1, step};
        adamw(compute, settings, ours.list);
        adamw_reference(settings, theirs.list);
      }
      for (size_t i = 0; i < std::size(kSizes); ++i) {
        EXPECT_EQ(count_different(ours.weights[i], theirs.weights[i]) +
                      count_different(ours.m[i], theirs.m[i]) +
                      count_different(ours.v[i], theirs.v[i]),
                  0u);
        EXPECT_EQ(ours.gradients[i], std::vector<int64_t>(kSizes[i]));
        EXPECT_EQ(theirs.gradients[i], std::vector<int64_t>(kSizes[i]));
      }
    }
  });
}

TEST(Adamw, FollowsTheFormulaInDoublePrecision) {
  Compute compute(1);
  int64_t gradient = 0;
  float w = 2.0f, m = 0.0f, v = 0.0f;
  double dw = 2.0, dm = 0.0, dv = 0.0;
  for (int64_t step = 1; step <= 10; ++step) {
    gradient = int64_t{3} << 38;  // 0.75 at exponent 40
    const AdamwTensor tensor = {{&gradient, 40}, 1, &w, &m, &v, 1.0f};
    adamw(compute, {0.01, 0.9, 0.99, 1e-8, 0.1, step}, {&tensor, 1});
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
