#include "tensor/exp_row.h"

#include <vector>

#include "gtest/gtest.h"
#include "tensor/targets_for_test.h"
#include "tensor/test_numbers.h"

namespace hone::tensor {
namespace {

TEST(ExpRow, EqualsReferenceToTheBit) {
  for_each_instruction_set([] {
    for (const size_t n : {1, 2, 15, 16, 17, 33, 1000}) {
      for (const float divisor : {1.0f, 0.7f, 1e-3f}) {
        std::vector<float> x = test_numbers(n, n), got(n), expected(n);
        for (float& v : x) v *= 40.0f;
        exp_row(x.data(), n, divisor, 3.25f, got.data());
        exp_row_reference(x.data(), n, divisor, 3.25f, expected.data());
        EXPECT_EQ(count_different(got, expected), 0u) << n << " " << divisor;
      }
    }
  });
}

TEST(ExpRow, WritesOverItsInput) {
  std::vector<float> x = test_numbers(37, 1), expected(37);
  exp_row_reference(x.data(), 37, 0.5f, 1.0f, expected.data());
  exp_row(x.data(), 37, 0.5f, 1.0f, x.data());
  EXPECT_EQ(count_different(x, expected), 0u);
}

}  // namespace
}  // namespace hone::tensor
