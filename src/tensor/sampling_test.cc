#include "tensor/sampling.h"

#include <algorithm>
#include <cmath>

#include "gtest/gtest.h"
#include "tensor/test_numbers.h"

namespace hone::tensor {
namespace {

const std::vector<float> kLogits = {std::log(0.1f), std::log(0.4f), std::log(0.2f),
                                    std::log(0.25f), std::log(0.05f)};

Draw draw(SamplingSettings settings, double u) { return Sampler().draw(kLogits, settings, u); }

TEST(Sampling, DrawsByIdWhenNothingIsCutOff) {
  EXPECT_EQ(draw({}, 0.0).token, 0);
  EXPECT_EQ(draw({}, 0.09).token, 0);
  EXPECT_EQ(draw({}, 0.11).token, 1);
  EXPECT_EQ(draw({}, 0.69).token, 2);
  EXPECT_EQ(draw({}, 0.9499).token, 3);
  EXPECT_EQ(draw({}, 0.9999999).token, 4);
  EXPECT_NEAR(draw({}, 0.11).probability, 0.4, 1e-6);
}

TEST(Sampling, TemperatureZeroTakesTheLowestIdOfTheLargest) {
  SamplingSettings greedy;
  greedy.temperature = 0.0f;
  EXPECT_EQ(draw(greedy, 0.99).token, 1);
  const std::vector<float> tied = {1.0f, 3.0f, 3.0f};
  EXPECT_EQ(Sampler().draw(tied, greedy, 0.5).token, 1);
}

TEST(Sampling, CutsKeepTheLargestAndSayHowMuchIsLeft) {
  SamplingSettings top_k;
  top_k.top_k = 2;
  EXPECT_EQ(draw(top_k, 0.0).token, 1);
  EXPECT_EQ(draw(top_k, 0.999).token, 3);
  EXPECT_NEAR(draw(top_k, 0.0).kept_mass, 0.65, 1e-6);
  SamplingSettings top_p;
  top_p.top_p = 0.7f;
  EXPECT_EQ(draw(top_p, 0.999).token, 2);
  EXPECT_NEAR(draw(top_p, 0.0).kept_mass, 0.85, 1e-6);
  top_p.top_p = 0.0f;
  EXPECT_EQ(draw(top_p, 0.999).token, 1);
  SamplingSettings min_p;
  min_p.min_p = 0.45f;
  EXPECT_NEAR(draw(min_p, 0.0).kept_mass, 0.85, 1e-6);
  min_p.min_p = 2.0f;
  EXPECT_EQ(draw(min_p, 0.999).token, 1);
  SamplingSettings both;
  both.top_k = 3;
  both.top_p = 0.5f;  // of 0.85: 0.4 is not enough, 0.65 is
  EXPECT_EQ(draw(both, 0.999).token, 3);
}

TEST(Sampling, TopPOfALongRowEqualsTheFullySortedDefinition) {
  std::vector<float> logits = test_numbers(5000, 7);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = std::floor(logits[i] * 40.0f) * 0.05f;
  SamplingSettings settings;
  settings.top_p = 0.9f;
  Sampler sampler;
  std::vector<std::pair<double, int32_t>> sorted;
  double total = 0.0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double w = std::exp(static_cast<double>(logits[i]));
    sorted.emplace_back(-w, static_cast<int32_t>(i));
    total += w;
  }
  std::sort(sorted.begin(), sorted.end());
  double kept = 0.0;
  size_t count = 0;
  while (kept < static_cast<double>(0.9f) * total) kept -= sorted[count++].first;
  EXPECT_NEAR(sampler.draw(logits, settings, 0.0).kept_mass, kept / total, 1e-5);
  EXPECT_EQ(sampler.draw(logits, settings, 0.0).token, sorted[0].second);
  EXPECT_EQ(sampler.draw(logits, settings, 1.0 - 1e-16).token, sorted[count - 1].second);
}

TEST(Sampling, PenaltiesTouchSeenTokensOnly) {
  SamplingSettings settings;
  settings.repetition_penalty = 2.0f;
  settings.presence_penalty = 0.5f;
  settings.frequency_penalty = 0.25f;
  std::vector<float> logits = {1.0f, -1.0f, 1.0f, 1.0f};
  const std::vector<SeenToken> seen = {{0, 0}, {1, 0}, {2, 3}, {99, 1}, {-1, 1}};
  apply_penalties(settings, seen, logits);
  EXPECT_EQ(logits, (std::vector<float>{0.5f, -2.0f, 0.5f - 0.75f - 0.5f, 1.0f}));
}

}  // namespace
}  // namespace hone::tensor
