#include "tensor/embedding.h"

#include <cmath>

#include "gtest/gtest.h"
#include "tensor/fixed_point.h"
#include "tensor/test_numbers.h"

namespace hone::tensor {
namespace {

TEST(EmbeddingBackward, AddsRoundedRowsAtTheirTokensForAnyThreads) {
  constexpr size_t kRows = 40, kCols = 100, kVocabulary = 35;
  const std::vector<float> dx = test_numbers(kRows * kCols, 1);
  std::vector<int32_t> tokens;
  for (size_t r = 0; r < kRows; ++r) tokens.push_back(static_cast<int32_t>(r * 8 % kVocabulary));
  std::vector<int64_t> expected(48 * kCols);
  const FixedStatistics want =
      embedding_backward_reference({dx.data(), kRows, kCols}, tokens.data(), {expected.data(), 9});
  EXPECT_GT(want.flushed_to_zero, 0u);
  for (const size_t threads : {1, 2, 3}) {
    Compute compute(threads);
    std::vector<int64_t> grad(expected.size());
    const FixedStatistics got =
        embedding_backward(compute, {dx.data(), kRows, kCols}, tokens.data(), {grad.data(), 9});
    EXPECT_EQ(grad, expected);
    EXPECT_EQ(got.flushed_to_zero, want.flushed_to_zero);
    EXPECT_FALSE(got.overflow);
  }
  int64_t sum = 0;  // token 8 is rows 1 and 36
  for (const size_t r : {1, 36}) {
    sum += std::llrint(static_cast<double>(dx[r * kCols + 5]) * 512.0);
  }
  EXPECT_EQ(expected[(0 * kCols + 5) * 16 + 8], sum);
}

TEST(EmbeddingBackward, EqualsThePlainReferenceForOddSizesAndThreads) {
  struct Case {
    size_t rows, cols, vocabulary;
  };
  for (const Case& c : {Case{1, 1, 1}, {7, 33, 17}, {31, 64, 5}, {32, 65, 100}, {90, 130, 49}}) {
    for (const int exponent : {9, 30, 49, 50}) {
      const std::vector<float> dx = test_numbers(c.rows * c.cols, c.rows);
      std::vector<int32_t> tokens;
      for (size_t r = 0; r < c.rows; ++r) {
        tokens.push_back(static_cast<int32_t>(r * r * 7 % c.vocabulary));
      }
      const View<const float> in(dx.data(), c.rows, c.cols);
      std::vector<int64_t> expected((c.vocabulary + 15) / 16 * 16 * c.cols, 11);
      const FixedStatistics want =
          embedding_backward_reference(in, tokens.data(), {expected.data(), exponent});
      for (const size_t threads : {1, 2, 3}) {
        Compute compute(threads);
        std::vector<int64_t> got(expected.size(), 11);
        const FixedStatistics s =
            embedding_backward(compute, in, tokens.data(), {got.data(), exponent});
        EXPECT_EQ(got, expected) << c.rows << " " << exponent;
        EXPECT_EQ(s.overflow, want.overflow);
        EXPECT_EQ(s.flushed_to_zero, want.flushed_to_zero);
      }
    }
  }
  const float large = 4.0f;
  const int32_t token = 0;
  std::vector<int64_t> grad(16);
  EXPECT_TRUE(embedding_backward_reference({&large, 1, 1}, &token, {grad.data(), 49}).overflow);
}

TEST(FixedPoint, OverflowIsReportedAndLeavesTheSumAlone) {
  int64_t value = 3;
  uint64_t flushed = 0;
  EXPECT_TRUE(add_fixed(1.0f, power_of_two(49), &value, &flushed));
  EXPECT_EQ(value, (int64_t{1} << 49) + 3);
  EXPECT_FALSE(add_fixed(2.0f, power_of_two(49), &value, &flushed));
  EXPECT_FALSE(add_fixed(std::nanf(""), 1.0, &value, &flushed));
  EXPECT_EQ(value, (int64_t{1} << 49) + 3);
  EXPECT_EQ(round_to_fixed(2.5), 2);
  EXPECT_EQ(round_to_fixed(-3.5), -4);
  EXPECT_EQ(flushed, 0u);
}

TEST(FixedPoint, NextExponentPutsTheLargestNearTwoToTheThirtySix) {
  EXPECT_EQ(next_fixed_exponent(1.0, 5), 36);
  EXPECT_EQ(next_fixed_exponent(1.5, 5), 36);
  EXPECT_EQ(next_fixed_exponent(2.0, 5), 35);
  EXPECT_EQ(next_fixed_exponent(0.0, 5), 5);
  EXPECT_EQ(next_fixed_exponent(1e-300, 5), kFixedMaxExponent);
  EXPECT_EQ(fixed_exponent_after_overflow(30), 10);
}

}  // namespace
}  // namespace hone::tensor
