#include "base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace hone {
namespace {

// The known answers that come with Random123 (kat_vectors, philox4x32 with 10 rounds).
TEST(Rng, PhiloxGivesTheKnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32_10({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32_10({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(
      philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
      (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, IsAFunctionOfSeedStreamAndCounter) {
  Rng first(42, 7);
  std::vector<uint64_t> drawn;
  for (int i = 0; i < 10; ++i) drawn.push_back(first.next_u64());
  EXPECT_EQ(first.counter(), 10u);
  for (uint64_t i = 10; i-- > 0;) EXPECT_EQ(Rng(42, 7, i).next_u64(), drawn[i]);
  EXPECT_NE(Rng(43, 7).next_u64(), drawn[0]);
  EXPECT_NE(Rng(42, 8).next_u64(), drawn[0]);
}

TEST(Rng, StreamsWithOtherNamesOrIndicesAreOthers) {
  std::set<uint64_t> streams = {rng_stream("a"),       rng_stream("b"),       rng_stream("a", 1),
                                rng_stream("a", 0, 1), rng_stream("a", 1, 1), rng_stream(""),
                                rng_stream("a", 2, 0), rng_stream("a", 0, 2)};
  EXPECT_EQ(streams.size(), 8u);
}

TEST(Rng, UniformStaysBelowOneAndFillsTheInterval) {
  Rng rng(1, 2);
  double sum = 0, low = 1, high = 0;
  for (int i = 0; i < 100000; ++i) {
    double x = rng.uniform();
    sum += x;
    low = std::min(low, x);
    high = std::max(high, x);
  }
  EXPECT_GE(low, 0.0);
  EXPECT_LT(high, 1.0);
  EXPECT_LT(low, 1e-3);
  EXPECT_GT(high, 1 - 1e-3);
  EXPECT_NEAR(sum / 100000, 0.5, 5 * 0.2887 / std::sqrt(100000.0));
}

TEST(Rng, BelowIsEvenAndInsideItsBound) {
  Rng rng(3, 4);
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts.at(rng.below(7));
  for (int count : counts) EXPECT_NEAR(count, 10000, 5 * std::sqrt(10000.0 * 6 / 7));
  EXPECT_EQ(rng.below(1), 0u);
  for (int i = 0; i < 100; ++i) EXPECT_LT(rng.below((1ull << 63) + 1), (1ull << 63) + 1);
}

// Going back through the distribution function must give the uniform number that came in. The
// draw is known from the same counter; erfc is the witness.
TEST(Rng, NormalIsTheQuantileOfItsUniformNumber) {
  for (uint64_t i = 0; i < 200000; ++i) {
    double p = (static_cast<double>(Rng(5, 6, i).next_u64() >> 12) + 0.5) * 0x1p-52;
    double x = Rng(5, 6, i).normal();
    double tail = x < 0 ? p : 1 - p;
    double back = 0.5 * std::erfc(std::fabs(x) / std::sqrt(2.0));
    double slope = std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
    // The error in x, by the derivative; erfc itself is good to a few units in the last place.
    ASSERT_LT(std::fabs(back - tail), 1e-14 * (slope * (1 + std::fabs(x)) + tail))
        << "counter " << i;
  }
}

TEST(Rng, NormalHasTheMomentsOfANormal) {
  Rng rng(7, 8);
  constexpr int kDraws = 200000;
  double sum = 0, squares = 0, fourths = 0;
  for (int i = 0; i < kDraws; ++i) {
    double x = rng.normal();
    sum += x;
    squares += x * x;
    fourths += x * x * x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(fourths / kDraws, 3, 5 * std::sqrt(96.0 / kDraws));
  EXPECT_EQ(rng.counter(), static_cast<uint64_t>(kDraws));
}

}  // namespace
}  // namespace hone
