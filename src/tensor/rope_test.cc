#include "tensor/rope.h"

#include <cmath>

#include "gtest/gtest.h"
#include "tensor/targets_for_test.h"
#include "tensor/test_numbers.h"

namespace hone::tensor {
namespace {

TEST(Rope, EqualsReferenceToTheBitAndTurnsBack) {
  for_each_instruction_set([] {
    for (const size_t threads : {1, 2, 3}) {
      Compute compute(threads);
      for (const size_t head_dim : {2, 8, 20, 64, 80, 100, 128}) {
        for (const size_t rows : {1, 45}) {
          RopeTable table(head_dim, 10000.0, {}, {}, 4096);
          table.reserve(700);
          const size_t cols = 3 * head_dim;
          const std::vector<float> x = test_numbers(rows * cols, 1);
          std::vector<int32_t> positions;
          for (size_t r = 0; r < rows; ++r) positions.push_back(static_cast<int32_t>(r * 15));
          std::vector<float> a = x, b = x;
          rope(compute, {a.data(), rows, cols}, 3, head_dim, positions.data(), table);
          rope_reference({b.data(), rows, cols}, 3, head_dim, positions.data(), table);
          EXPECT_EQ(count_different(a, b), 0u);
          rope_backward(compute, {a.data(), rows, cols}, 3, head_dim, positions.data(), table);
          rope_backward_reference({b.data(), rows, cols}, 3, head_dim, positions.data(), table);
          EXPECT_EQ(count_different(a, b), 0u);
          for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(a[i], x[i], 1e-6f);
        }
      }
    }
  });
}

TEST(Rope, LeavesElementsBehindTheRotatedOnesAlone) {
  Compute compute(1);
  RopeTable table(8, 10000.0, {}, {}, 16);
  table.reserve(16);
  std::vector<float> x = test_numbers(24, 3), before = x;
  const int32_t position = 5;
  rope(compute, {x.data(), 1, 24}, 2, 12, &position, table);
  for (const size_t i : {8, 9, 10, 11, 20, 21, 22, 23}) EXPECT_EQ(x[i], before[i]);
  EXPECT_NE(x[0], before[0]);
}

TEST(Rope, FrequenciesFollowTheirScaling) {
  const RopeTable plain(64, 10000.0, {}, {}, 8);
  EXPECT_EQ(plain.inverse_frequencies()[0], 1.0f);
  EXPECT_NEAR(plain.inverse_frequencies()[16], 0.01f, 1e-9f);
  RopeScaling linear;
  linear.kind = RopeScaling::Kind::kLinear;
  linear.factor = 4.0f;
  const RopeTable stretched(64, 10000.0, linear, {}, 8);
  EXPECT_EQ(stretched.inverse_frequencies()[16], plain.inverse_frequencies()[16] / 4.0f);
  const RopeTable divided(64, 10000.0, {}, std::vector<float>(32, 8.0f), 8);
  EXPECT_EQ(divided.inverse_frequencies()[3], plain.inverse_frequencies()[3] / 8.0f);

  RopeScaling llama3;
  llama3.kind = RopeScaling::Kind::kLlama3;
  llama3.factor = 8.0f;
  const RopeTable base(128, 500000.0, {}, {}, 8);
  const RopeTable scaled(128, 500000.0, llama3, {}, 8);
  EXPECT_EQ(scaled.inverse_frequencies()[0], base.inverse_frequencies()[0]);
  EXPECT_EQ(scaled.inverse_frequencies()[63], base.inverse_frequencies()[63] / 8.0f);
  size_t between = 0;
  for (size_t i = 0; i < 64; ++i) {
    const float ratio = base.inverse_frequencies()[i] / scaled.inverse_frequencies()[i];
    EXPECT_GE(ratio, 0.9999f);
    EXPECT_LE(ratio, 8.0001f);
    between += ratio > 1.01f && ratio < 7.99f;
  }
  EXPECT_GT(between, 3u);
}

TEST(Rope, TableGrowsWithoutChangingEarlierRows) {
  RopeTable table(16, 10000.0, {}, {}, 1000);
  table.reserve(10);
  const std::vector<float> before(table.sines(9), table.sines(9) + 8);
  table.reserve(1000);
  EXPECT_EQ(count_different(before.data(), table.sines(9), 8), 0u);
  const double angle = static_cast<double>(999.0f * table.inverse_frequencies()[1]);
  EXPECT_NEAR(static_cast<double>(table.sines(999)[1]), std::sin(angle), 1e-7);
  EXPECT_NEAR(static_cast<double>(table.cosines(999)[1]), std::cos(angle), 1e-7);
}

}  // namespace
}  // namespace hone::tensor
