// What the policy says is a pure function of weights, seed, step and place, at its own temperature.
#include "train/rollout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "train/testing_online.h"

namespace hone::train {
namespace {

class Rollout : public ::testing::Test {
 protected:
  std::vector<Group> say(const RolloutOptions& options, std::vector<size_t> chosen,
                         uint64_t step = 1, size_t place = 0, size_t threads = 1,
                         std::vector<int32_t> end = {0}) {
    tensor::Compute compute(threads);
    Rollouts rollouts(compute, {&model_, nullptr, nullptr, std::move(end)}, options,
                      longest_prompt(prompts_));
    return rollouts.generate(prompts_, chosen, "rollout", step, place);
  }
  static void expect_equal(const Group& a, const Group& b) {
    ASSERT_EQ(a.completions.size(), b.completions.size());
    for (size_t i = 0; i < a.completions.size(); ++i) {
      EXPECT_EQ(a.completions[i].ids, b.completions[i].ids);
      EXPECT_EQ(a.completions[i].log_probs, b.completions[i].log_probs);
      EXPECT_EQ(a.completions[i].ended, b.completions[i].ended);
    }
  }
  RolloutOptions options(double temperature = 1) const {
    RolloutOptions out;
    out.num_generations = 3;
    out.max_completion_length = 9;
    out.sampling.temperature = temperature;
    return out;
  }

  llm::Model model_ = llm::testing::random_model({});
  std::vector<llm::PromptTokens> prompts_ = testing::prompts(7, 96);
};

TEST_F(Rollout, DependsOnNothingButSeedStepAndPlace) {
  const std::vector<Group> all = say(options(), {0, 1, 2, 3, 4, 5, 6});
  RolloutOptions small = options();
  small.batch_size = 2;
  const std::vector<Group> one = say(small, {4}, 1, 4, 3);
  expect_equal(one[0], all[4]);
  EXPECT_EQ(one[0].prompt, 4u);
  const auto differs = [&](const std::vector<Group>& other) {
    return other[0].completions[0].ids != all[4].completions[0].ids ||
           other[0].completions[1].ids != all[4].completions[1].ids;
  };
  EXPECT_TRUE(differs(say(options(), {4}, 2, 4)));
  EXPECT_TRUE(differs(say(options(), {4}, 1, 5)));
  RolloutOptions seed = options();
  seed.seed = 1;
  EXPECT_TRUE(differs(say(seed, {4}, 1, 4)));
}

TEST_F(Rollout, LogProbabilitiesAreThoseOfTheTemperature) {
  for (double temperature : {1.0, 0.5, 2.0}) {
    tensor::Compute compute(1);
    for (const Group& group : say(options(temperature), {0, 3})) {
      for (const Completion& c : group.completions) {
        std::vector<int32_t> tokens = prompts_[group.prompt].ids;
        tokens.insert(tokens.end(), c.ids.begin(), c.ids.end());
        const auto logits = llm::testing::logits_of(compute, model_, nullptr, tokens);
        for (size_t t = 0; t < c.ids.size(); ++t) {
          const auto& row = logits[prompts_[group.prompt].ids.size() + t - 1];
          double sum = 0;
          for (float logit : row) sum += std::exp(static_cast<double>(logit) / temperature);
          const double wanted =
              static_cast<double>(row[static_cast<size_t>(c.ids[t])]) / temperature - std::log(sum);
          EXPECT_NEAR(static_cast<double>(c.log_probs[t]), wanted, 2e-5) << temperature;
        }
      }
    }
  }
}

// What was drawn from is the plain distribution divided by what was kept of it.
TEST_F(Rollout, TheKeptMassIsRecordedUnderEveryCut) {
  EXPECT_TRUE(say(options(), {0})[0].completions[0].kept.empty());
  for (int cut = 0; cut < 3; ++cut) {
    RolloutOptions some = options(0.8);
    if (cut == 0) some.sampling.top_k = 5;
    if (cut == 1) some.sampling.top_p = 0.6;
    if (cut == 2) some.sampling.min_p = 0.1;
    tensor::Compute compute(1);
    for (const Group& group : say(some, {0, 3})) {
      for (const Completion& c : group.completions) {
        ASSERT_EQ(c.kept.size(), c.ids.size());
        std::vector<int32_t> tokens = prompts_[group.prompt].ids;
        tokens.insert(tokens.end(), c.ids.begin(), c.ids.end());
        const auto logits = llm::testing::logits_of(compute, model_, nullptr, tokens);
        for (size_t t = 0; t < c.ids.size(); ++t) {
          const auto& row = logits[prompts_[group.prompt].ids.size() + t - 1];
          std::vector<double> p;
          double sum = 0;
          for (float logit : row) p.push_back(std::exp(static_cast<double>(logit) / 0.8));
          for (double value : p) sum += value;
          std::sort(p.rbegin(), p.rend());
          double kept = 0;
          for (size_t i = 0; i < p.size(); ++i) {
            if (cut == 0 && i == 5) break;
            if (cut == 1 && kept >= 0.6 * sum) break;
            if (cut == 2 && p[i] < 0.1 * p[0]) break;
            kept += p[i];
          }
          EXPECT_NEAR(static_cast<double>(c.kept[t]), kept / sum, 1e-5) << cut;
        }
      }
    }
  }
}

TEST_F(Rollout, EndsAtTheEndTokenOrWhereItIsCut) {
  RolloutOptions long_ones = options();
  long_ones.max_completion_length = 40;
  std::vector<int32_t> end;
  for (int32_t id = 0; id < 16; ++id) end.push_back(id);
  bool ended = false;
  for (const Group& group : say(long_ones, {0, 1, 2, 3, 4, 5, 6}, 1, 0, 1, end)) {
    for (const Completion& c : group.completions) {
      ended = ended || c.ended;
      EXPECT_EQ(c.ended, c.ids.back() < 16);
      EXPECT_TRUE(c.ended || c.ids.size() == 40);
    }
  }
  EXPECT_TRUE(ended);
}

TEST_F(Rollout, ATreeHasEveryTokenAsATargetOnce) {
  Completion a, b;
  a.ids = {7, 8};
  b.ids = {9};
  for (bool sharing : {true, false}) {
    const llm::TreeExample tree = group_tree({1, 2, 3}, {a, b}, sharing);
    ASSERT_EQ(tree.targets.size(), 3u);
    EXPECT_EQ(tree.token(tree.targets[0]), 7);
    EXPECT_EQ(tree.token(tree.targets[1]), 8);
    EXPECT_EQ(tree.token(tree.targets[2]), 9);
    EXPECT_EQ(tree.tree.row_count(), sharing ? 6u : 9u);
  }
}

TEST_F(Rollout, GroupsAsJsonComeBackWithTheirBits) {
  std::vector<Group> groups = say(options(), {2, 5});
  groups[0].completions[1].rewards = {0.1, std::nullopt};
  groups[0].completions[1].advantage = -1.0 / 3;
  groups[0].completions[1].reference = groups[0].completions[1].log_probs;
  groups[1].completions[0].kept.assign(groups[1].completions[0].ids.size(), 0.7f);
  const std::vector<Group> back =
      groups_from_json(Json::parse(groups_to_json(groups).dump()).value(), 7);
  expect_equal(back[0], groups[0]);
  expect_equal(back[1], groups[1]);
  EXPECT_EQ(back[1].completions[0].kept, groups[1].completions[0].kept);
  EXPECT_EQ(back[0].completions[1].rewards, groups[0].completions[1].rewards);
  EXPECT_EQ(back[0].completions[1].advantage, groups[0].completions[1].advantage);
  EXPECT_EQ(back[0].completions[1].reference, groups[0].completions[1].reference);
  EXPECT_NE(llm::testing::refusal([&] {
              groups_from_json(groups_to_json(groups), 3);
            }).find("a prompt that is not there"),
            std::string::npos);
  EXPECT_NE(llm::testing::refusal([] {
              groups_from_json(
                  Json::parse("[{\"prompt\":0,\"completions\":[{\"ids\":[1]}]}]").value(), 1);
            }).find("cannot be read"),
            std::string::npos);
}

}  // namespace
}  // namespace hone::train
