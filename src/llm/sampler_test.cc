#include "llm/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "llm/testing.h"

namespace hone::llm {
namespace {

const std::vector<float> kLogits = {1.0f, 3.0f, 2.0f, 3.0f, -1.0f, 0.0f};

int32_t draw(const SamplingOptions& options, double uniform, std::vector<int32_t> prompt = {},
             std::vector<int32_t> answer = {}, std::vector<float> logits = kLogits) {
  Sampler sampler;
  return sampler.sample(logits, options, prompt, answer, uniform);
}

// The tokens that any draw can give, with the share of a fine grid of draws that gives each.
std::map<int32_t, double> shares(const SamplingOptions& options,
                                 const std::vector<float>& logits = kLogits) {
  std::map<int32_t, double> out;
  constexpr int kDraws = 4000;
  Sampler sampler;
  for (int i = 0; i < kDraws; ++i) {
    out[sampler.sample(logits, options, {}, {}, (i + 0.5) / kDraws)] += 1.0 / kDraws;
  }
  return out;
}

void expect_shares(const std::map<int32_t, double>& got, const std::map<int32_t, double>& logits,
                   double temperature = 1) {
  double total = 0;
  for (const auto& entry : logits) total += std::exp(entry.second / temperature);
  ASSERT_EQ(got.size(), logits.size());
  for (const auto& [id, logit] : logits) {
    ASSERT_EQ(got.count(id), 1u) << id;
    EXPECT_NEAR(got.at(id), std::exp(logit / temperature) / total, 1e-3) << id;
  }
}

TEST(Sampler, TemperatureZeroTakesTheLowestIdOfTheLargest) {
  SamplingOptions greedy;
  greedy.temperature = 0;
  for (double u : {0.0, 0.5, 0.999999}) EXPECT_EQ(draw(greedy, u), 1);
}

TEST(Sampler, ATemperatureTooSmallForF32IsGreedy) {
  for (double temperature : {1e-3, 1e-30, 1e-38, 1e-60}) {
    SamplingOptions cold;
    cold.temperature = temperature;
    EXPECT_EQ(draw(cold, 0.0), 1) << temperature;
    EXPECT_EQ(draw(cold, 0.7, {}, {}, {0.0f, 2.0f, 5.0f}), 2) << temperature;
  }
}

TEST(Sampler, DrawsFollowTheSoftmaxAtTheTemperature) {
  const std::map<int32_t, double> all = {{0, 1}, {1, 3}, {2, 2}, {3, 3}, {4, -1}, {5, 0}};
  expect_shares(shares({}), all);
  SamplingOptions warm;
  warm.temperature = 2;
  expect_shares(shares(warm), all, 2);
}

TEST(Sampler, TopKKeepsTheLargestAndTiesGoToTheLowestId) {
  SamplingOptions options;
  options.top_k = 1;
  expect_shares(shares(options), {{1, 3}});
  options.top_k = 3;
  expect_shares(shares(options), {{1, 3}, {3, 3}, {2, 2}});
  options.top_k = 100;
  EXPECT_EQ(shares(options).size(), 6u);
}

TEST(Sampler, TopPKeepsTheFewestThatReachTheShareTheOneThatCrossesIncluded) {
  SamplingOptions options;
  // The shares of the six are 0.053, 0.389, 0.143, 0.389, 0.007, 0.019.
  options.top_p = 0.38;
  expect_shares(shares(options), {{1, 3}});
  options.top_p = 0.41;
  expect_shares(shares(options), {{1, 3}, {3, 3}});
  options.top_p = 0.80;
  expect_shares(shares(options), {{1, 3}, {3, 3}, {2, 2}});
  options.top_p = 1e-9;
  expect_shares(shares(options), {{1, 3}});
}

TEST(Sampler, TopPLooksAtWhatTopKLeftAsTransformersDoes) {
  SamplingOptions options;
  options.top_k = 3;      // shares of what is left: 0.4223, 0.4223, 0.1554
  options.top_p = 0.841;  // of all six it would need the third, of the three it does not
  expect_shares(shares(options), {{1, 3}, {3, 3}});
}

TEST(Sampler, MinPIsRelativeToTheMostLikely) {
  SamplingOptions options;
  options.min_p = 0.5;
  expect_shares(shares(options), {{1, 3}, {3, 3}});
  options.min_p = 0.3;  // exp(-1) = 0.37 stays, exp(-2) = 0.14 goes
  expect_shares(shares(options), {{1, 3}, {3, 3}, {2, 2}});
  options.min_p = 1;
  expect_shares(shares(options), {{1, 3}, {3, 3}});
}

TEST(Sampler, ALongRowKeepsTheSameTokensAsASort) {
  Rng rng(3, rng_stream("long-row"));
  std::vector<float> logits(49152);
  for (float& value : logits) value = static_cast<float>(rng.normal());
  SamplingOptions options;
  options.top_p = 0.5;
  std::vector<size_t> order(logits.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return logits[a] > logits[b]; });
  double total = 0, sum = 0;
  for (float value : logits) total += std::exp(static_cast<double>(value));
  size_t kept = 0;
  while (sum < 0.5 * total) sum += std::exp(static_cast<double>(logits[order[kept++]]));
  const float least = logits[order[kept + 20]];  // f32 weights may move the border by a little
  Sampler sampler;
  size_t near_border = 0;
  for (int i = 0; i < 60; ++i) {
    const int32_t id = sampler.sample(logits, options, {}, {}, (i + 0.5) / 60);
    EXPECT_GT(logits[static_cast<size_t>(id)], least);
    near_border += logits[static_cast<size_t>(id)] < logits[order[kept * 3 / 4]] ? 1 : 0;
  }
  EXPECT_GT(near_border, 0u);
}

TEST(Sampler, RepetitionPenaltyDividesWhatIsAboveZeroAndMultipliesTheRest) {
  SamplingOptions options;
  options.temperature = 0;
  options.repetition_penalty = 2;
  EXPECT_EQ(draw(options, 0, {1}), 3);
  EXPECT_EQ(draw(options, 0, {1}, {3}), 2);
  EXPECT_EQ(draw(options, 0, {1, 3}, {2}, {-0.4f, 0.1f, -0.3f, 0.2f}), 3);
  EXPECT_EQ(draw(options, 0, {0}, {0}, {-0.2f, -0.3f}), 1);  // -0.4 now; once, however often seen
  EXPECT_EQ(draw(options, 0, {0}, {0}, {-0.2f, -0.5f}), 0);
}

TEST(Sampler, PresenceAndFrequencyCountTheAnswerOnly) {
  SamplingOptions presence;
  presence.temperature = 0;
  presence.presence_penalty = 1.5;
  EXPECT_EQ(draw(presence, 0, {1, 1, 1}), 1);
  EXPECT_EQ(draw(presence, 0, {}, {1, 1, 3}), 2);
  SamplingOptions frequency;
  frequency.temperature = 0;
  frequency.frequency_penalty = 0.4;
  EXPECT_EQ(draw(frequency, 0, {}, {1, 1, 3}), 3);
  EXPECT_EQ(draw(frequency, 0, {}, {1, 1, 3, 3, 3}), 1);
  EXPECT_EQ(draw(frequency, 0, {}, {1, 1, 1, 3, 3, 3}), 2);
}

TEST(Sampler, OptionsOutOfBoundsAreRefusedByName) {
  const auto said = [](auto change) {
    SamplingOptions options;
    change(options);
    return testing::refusal([&] { validate(options); });
  };
  const auto names = [](const std::string& message, const char* option) {
    return message.find(option) != std::string::npos;
  };
  EXPECT_EQ(said([](SamplingOptions&) {}), "accepted");
  EXPECT_TRUE(names(said([](SamplingOptions& o) { o.temperature = -1; }), "--temperature"));
  EXPECT_TRUE(
      names(said([](SamplingOptions& o) { o.temperature = std::nan(""); }), "--temperature"));
  EXPECT_TRUE(names(said([](SamplingOptions& o) { o.top_p = 0; }), "--top-p"));
  EXPECT_TRUE(names(said([](SamplingOptions& o) { o.top_p = 1.1; }), "--top-p"));
  EXPECT_TRUE(names(said([](SamplingOptions& o) { o.min_p = 2; }), "--min-p"));
  EXPECT_TRUE(
      names(said([](SamplingOptions& o) { o.repetition_penalty = 0; }), "--repetition-penalty"));
  EXPECT_TRUE(names(said([](SamplingOptions& o) { o.frequency_penalty = std::nan(""); }),
                    "--frequency-penalty"));
}

}  // namespace
}  // namespace hone::llm
