// --compat: each switched formula against the peers' own functions (tests/golden/train/compat.json),
// what a profile sets, and what it refuses.
#include "train/compat.h"

#include <gtest/gtest.h>

#include <cmath>

#include "train/advantages.h"
#include "train/policy_reduction.h"
#include "train/ppo_loss.h"
#include "train/testing.h"

namespace hone::train {
namespace {

using llm::testing::doubles_of;
using llm::testing::ints_of;
using llm::testing::refusal;

const Json& golden() {
  static const Json json = llm::testing::read_json("tests/golden/train/compat.json");
  return json;
}

Compat peer_of(const Json& one) { return *compat_from_name(one.at("peer").as_string()); }

std::vector<std::vector<float>> floats_of(const Json& json) {
  std::vector<std::vector<float>> rows;
  for (const Json& row : json.as_array()) {
    rows.emplace_back();
    for (double value : doubles_of(row)) rows.back().push_back(static_cast<float>(value));
  }
  return rows;
}

void expect_near(double ours, double theirs, double tolerance, const std::string& what) {
  EXPECT_NEAR(ours, theirs, tolerance * (0.1 + std::abs(theirs))) << what;
}

TEST(Compat, PolicyLossesAndSlopesAreThosePeersCompute) {
  size_t cases = 0;
  for (const Json& one : golden().at("policy").as_array()) {
    const Json& settings = one.at("settings");
    const std::string what =
        one.at("peer").as_string() + " " + settings.dump() + " case " + std::to_string(cases);
    GrpoConfig config;
    if (settings.at("loss_type").as_string() == "grpo") config.loss_type = PolicyLossType::kGrpo;
    if (settings.at("importance_sampling_level").as_string() == "sequence") {
      config.importance_sampling_level = ImportanceLevel::kSequence;
    }
    config.beta = settings.at("beta").as_double();
    config.epsilon_high = settings.at("epsilon_high").as_double();
    set_compat(peer_of(one), config);
    const Json& table = one.at("table");
    const auto now = floats_of(table.at("now")), old = floats_of(table.at("old")),
               reference = floats_of(table.at("reference"));
    const std::vector<double> advantages = doubles_of(table.at("advantages"));
    size_t tokens = 0;
    for (const auto& row : now) tokens += row.size();
    const double normaliser =
        reduction_normaliser(config.loss_type, {now.size(), 1, 5, static_cast<double>(tokens)});
    double loss = 0;
    for (size_t i = 0; i < now.size(); ++i) {
      const CompletionLoss of =
          policy_loss(config.loss(), {now[i], old[i], reference[i], {}, advantages[i]},
                      token_weight(config.loss_type, now[i].size(), tokens));
      loss += of.value / normaliser;
      const std::vector<double> slopes = doubles_of(one.at("slopes").as_array()[i]);
      ASSERT_EQ(of.slopes.size(), slopes.size());
      for (size_t t = 0; t < slopes.size(); ++t) {
        expect_near(of.slopes[t] / normaliser, slopes[t], 2e-6,
                    what + " answer " + std::to_string(i) + " token " + std::to_string(t));
      }
    }
    expect_near(loss, one.at("loss").as_double(), 2e-6, what);
    ++cases;
  }
  EXPECT_GE(cases, 17u);
}

TEST(Compat, AdvantagesAreThosePeersCompute) {
  const Json& all = golden().at("advantages");
  const std::vector<double> rewards = doubles_of(all.at("rewards"));
  const std::vector<int32_t> lengths = ints_of(all.at("tokens"));
  const std::vector<size_t> tokens(lengths.begin(), lengths.end());
  const std::vector<Reward> sums(rewards.begin(), rewards.end());
  for (const Json& one : all.at("cases").as_array()) {
    const std::string estimator = one.at("estimator").as_string();
    std::vector<double> ours;
    if (estimator == "rloo") {
      RlooConfig config;
      config.beta = 0;
      set_compat(peer_of(one), config);
      ours =
          leave_one_out_advantages(sums, 4, config.normalize_advantages, config.conventions).values;
    } else {
      GrpoConfig config;
      for (AdvantageEstimator each :
           {AdvantageEstimator::kReinforce, AdvantageEstimator::kReinforceBaseline}) {
        if (name(each) == estimator) config.advantage_estimator = each;
      }
      set_compat(peer_of(one), config);
      std::vector<std::vector<Reward>> rows;
      for (const Reward& reward : sums) rows.push_back({reward});
      ours =
          config.advantage_estimator == AdvantageEstimator::kGroup
              ? group_advantages(rows, {}, 4, config.scale_rewards,
                                 config.multi_objective_aggregation, config.conventions)
                    .values
              : batch_advantages(
                    sums, 4, config.advantage_estimator == AdvantageEstimator::kReinforceBaseline,
                    config.conventions, tokens)
                    .values;
    }
    const std::vector<double> wanted = doubles_of(one.at("advantages"));
    ASSERT_EQ(ours.size(), wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_NEAR(ours[i], wanted[i], 1e-7 * (1 + std::abs(wanted[i])))
          << one.at("peer").as_string() << " " << estimator << " " << i;
    }
  }
}

// A group of answers all alike says how the epsilons differ: a deviation of 1e-6 is not one for TRL.
TEST(Compat, TheEpsilonsAreApart) {
  const std::vector<std::vector<Reward>> rows = {{0.5}, {0.5 + 1e-6}};
  const auto first = [&](Compat compat) {
    GrpoConfig config;
    set_compat(compat, config);
    return group_advantages(rows, {}, 2, config.scale_rewards, config.multi_objective_aggregation,
                            config.conventions)
        .values[1];
  };
  EXPECT_LT(first(Compat::kTrl), 0.01);
  EXPECT_NEAR(first(Compat::kVerl), 0.29, 0.01);
  EXPECT_NEAR(first(Compat::kOpenrlhf), 0.706, 0.01);
}

TEST(Compat, PpoTargetsAndLossesAreThosePeersCompute) {
  for (const Json& one : golden().at("ppo").as_array()) {
    PpoConfig config;
    if (one.at("kl_estimator").as_string() == "k3") config.kl_estimator = KlEstimator::kK3;
    set_compat(peer_of(one), config);
    EXPECT_EQ(config.score_position, ScorePosition::kLastToken);
    PpoShaping shaping;
    shaping.kl_coef = one.at("kl_coef").as_double();
    shaping.kl_estimator = config.kl_estimator;
    shaping.kl_clamp = config.conventions.kl_clamp;
    shaping.advantage_whitening = config.conventions.advantage_whitening;
    std::vector<PpoAnswer> answers;
    double tokens = 0;
    for (size_t i = 0; i < one.at("scores").size(); ++i) {
      PpoAnswer answer;
      answer.log_probs = doubles_of(one.at("log_probs").as_array()[i]);
      answer.ref_log_probs = doubles_of(one.at("ref_log_probs").as_array()[i]);
      answer.values = doubles_of(one.at("values").as_array()[i]);
      answer.score = one.at("scores").as_array()[i].as_double();
      tokens += static_cast<double>(answer.log_probs.size());
      answers.push_back(std::move(answer));
    }
    const std::vector<PpoTargets> targets = ppo_targets(answers, shaping);
    const PpoClip clip{config.cliprange, config.conventions.clamp_log_ratio,
                       config.conventions.dual_clip};
    double policy = 0, value = 0;
    for (size_t i = 0; i < targets.size(); ++i) {
      const std::string what = one.at("peer").as_string() + " " +
                               one.at("kl_estimator").as_string() + " answer " + std::to_string(i);
      const auto row = [&](const char* key) { return doubles_of(one.at(key).as_array()[i]); };
      const auto now = row("new_log_probs"), values = row("new_values");
      const auto kl = row("kl"), advantages = row("advantages"), returns = row("returns");
      const auto d_log_probs = row("d_log_probs"), d_values = row("d_values");
      ASSERT_EQ(targets[i].returns.size(), returns.size());
      for (size_t t = 0; t < now.size(); ++t) {
        // OpenRLHF's estimate is in f32.
        expect_near(targets[i].kl[t], kl[t], 2e-6, what + " kl");
        expect_near(targets[i].advantages[t], advantages[t], 2e-6, what + " advantage");
        expect_near(targets[i].returns[t], returns[t], 2e-6, what + " return");
        const PpoLoss of =
            ppo_policy_loss(now[t], answers[i].log_probs[t], targets[i].advantages[t], clip);
        policy += of.value / tokens;
        expect_near(of.slope / tokens, d_log_probs[t], 2e-6, what + " slope");
        const PpoLoss of_value =
            ppo_value_loss(values[t], answers[i].values[t], targets[i].returns[t], 0.2);
        value += of_value.value / tokens;
        expect_near(of_value.slope / tokens, d_values[t], 2e-6, what + " value's slope");
      }
    }
    expect_near(policy, one.at("policy_loss").as_double(), 2e-6, "policy");
    expect_near(value, one.at("value_loss").as_double(), 2e-6, "value");
  }
}

TEST(Compat, IpoIsOnSumsAsOpenrlhfHasIt) {
  const Json& all = golden().at("dpo");
  const auto sum = [&](const char* side, size_t i) {
    double total = 0;
    for (double value : doubles_of(all.at(side).as_array()[i])) total += value;
    return total;
  };
  for (const Json& one : all.at("cases").as_array()) {
    DpoConfig config;
    config.loss_type.clear();
    for (const Json& type : one.at("loss_type").as_array()) {
      config.loss_type.push_back(*preference_loss_from_name(type.as_string()));
    }
    config.label_smoothing = one.at("label_smoothing").as_double();
    set_compat(peer_of(one), config);
    const double nll =
        config.has(PreferenceLossType::kSft) ? one.at("loss_weights").as_array()[1].as_double() : 0;
    EXPECT_EQ(config.sft_mean, nll > 0 ? SftMean::kPairs : SftMean::kTokens);
    double loss = 0;
    const size_t n = all.at("chosen").size();
    for (size_t i = 0; i < n; ++i) {
      const size_t tokens = all.at("chosen").as_array()[i].size();
      const PairLogProbs pair{sum("chosen", i),
                              sum("rejected", i),
                              sum("ref_chosen", i),
                              sum("ref_rejected", i),
                              tokens,
                              all.at("rejected").as_array()[i].size()};
      const PairLoss of = preference_loss(config.loss_type[0], config.form(), pair);
      const double mean = pair.chosen / static_cast<double>(tokens);
      loss += (of.value - nll * mean) / static_cast<double>(n);
      const double d_nll = nll / static_cast<double>(tokens);
      for (double slope : doubles_of(one.at("d_chosen").as_array()[i])) {
        EXPECT_NEAR(slope, (of.d_chosen - d_nll) / static_cast<double>(n), 1e-9);
      }
      for (double slope : doubles_of(one.at("d_rejected").as_array()[i])) {
        EXPECT_NEAR(slope, of.d_rejected / static_cast<double>(n), 1e-9);
      }
    }
    EXPECT_NEAR(loss, one.at("loss").as_double(), 1e-9);
  }
}

std::vector<llm::PreferenceTokens> golden_pairs() {
  std::vector<llm::PreferenceTokens> pairs;
  const Json json = llm::testing::read_json("tests/golden/train/unreferenced.json");
  for (const Json& p : json.at("pairs").as_array()) {
    pairs.push_back(testing::pair_of(ints_of(p.at("prompt_ids")), ints_of(p.at("chosen_ids")),
                                     ints_of(p.at("rejected_ids"))));
  }
  return pairs;
}

// The first step's line of a run over the three pairs.
template <typename Config, typename Train>
Json first_line(Config config, const Train& train) {
  const auto pairs = golden_pairs();
  config.max_steps = 1;
  config.per_device_train_batch_size = pairs.size();
  config.train_sampling_strategy = SamplingStrategy::kSequential;
  tensor::Compute compute(2);
  llm::Model model = llm::testing::load_golden(compute, "llama_tied");
  llm::make_trainable(compute, model);
  llm::testing::TemporaryFolder folder("compat");
  TrainJob job{compute, real_env(), model, folder.path() + "/run"};
  train(job, config, pairs);
  return testing::lines_of(real_env(), job.output + "/metrics.jsonl").at(0);
}

TEST(Compat, OrpoLearnsTheAnswerAloneAsLlamaFactoryHasIt) {
  const Json& wanted = golden().at("orpo");
  OrpoConfig config;
  config.beta = wanted.at("beta").as_double();
  set_compat(Compat::kLlamaFactory, config);
  const Json line = first_line(
      config, [](auto& job, const auto& c, const auto& pairs) { train_orpo(job, c, pairs, {}); });
  expect_near(line.at("loss").as_double(), wanted.at("loss").as_double(), 2e-6, "loss");
  expect_near(line.at("nll_loss").as_double(), wanted.at("nll_loss").as_double(), 2e-6, "nll");
  double squares = 0;
  for (const auto& [name, norm] : wanted.at("gradient_norms").as_object()) {
    squares += norm.as_double() * norm.as_double();
  }
  expect_near(line.at("grad_norm").as_double(), std::sqrt(squares), 3e-5, "gradient");
}

// Of LLaMA-Factory's ORPO it is the first term.
TEST(Compat, SftIsAMeanOfPairsWhereItIsNotTrls) {
  const double wanted = golden().at("orpo").at("nll_loss").as_double();
  DpoConfig config;
  config.loss_type = {PreferenceLossType::kSft};
  const auto run = [](auto& job, const auto& c, const auto& pairs) {
    train_dpo(job, c, pairs, {}, {});
  };
  EXPECT_GT(std::abs(first_line(config, run).at("loss").as_double() - wanted), 1e-3);
  set_compat(Compat::kLlamaFactory, config);
  expect_near(first_line(config, run).at("loss").as_double(), wanted, 2e-6, "sft");
}

// The policy is the reference still, and only the reference counts every token whole.
TEST(Compat, LdAlphaIsOfThePolicyAloneInLlamaFactory) {
  const Json& wanted = golden().at("orpo");
  const std::vector<double> policy = doubles_of(wanted.at("ld_policy"));
  const std::vector<double> reference = doubles_of(wanted.at("ld_reference"));
  const size_t n = policy.size() / 2;
  double loss = 0;
  for (size_t i = 0; i < n; ++i) {
    const double d = (policy[i] - reference[i]) - (policy[n + i] - reference[n + i]);
    loss += std::log1p(std::exp(-0.1 * d)) / static_cast<double>(n);
  }
  DpoConfig config;
  config.ld_alpha = wanted.at("ld_alpha").as_double();
  const auto run = [](auto& job, const auto& c, const auto& pairs) {
    train_dpo(job, c, pairs, {}, {});
  };
  EXPECT_NEAR(first_line(config, run).at("loss").as_double(), std::log(2), 1e-6);
  set_compat(Compat::kLlamaFactory, config);
  EXPECT_NEAR(first_line(config, run).at("loss").as_double(), loss, 1e-5);
}

template <typename Config, typename Change>
std::string refused(Compat compat, const Change& change) {
  Config config;
  change(config);
  return refusal([&] {
    set_compat(compat, config);
    validate(config);
  });
}

TEST(Compat, WhatAPeerDoesNotComputeIsRefusedByName) {
  const auto nothing = [](auto&) {};
  EXPECT_EQ(refused<DpoConfig>(Compat::kVerl, nothing),
            "--compat verl: verl has no DPO; leave --compat out");
  EXPECT_NE(refused<OrpoConfig>(Compat::kOpenrlhf, nothing).find("OpenRLHF has no ORPO"),
            std::string::npos);
  EXPECT_NE(refused<GrpoConfig>(Compat::kLlamaFactory, nothing).find("no GRPO"), std::string::npos);
  EXPECT_NE(refused<PpoConfig>(Compat::kLlamaFactory, nothing).find("older TRL"),
            std::string::npos);
  EXPECT_NE(refused<DpoConfig>(Compat::kOpenrlhf,
                               [](auto& c) { c.loss_type = {PreferenceLossType::kAot}; })
                .find("--loss-type aot"),
            std::string::npos);
  EXPECT_NE(
      refused<DpoConfig>(Compat::kOpenrlhf, [](auto& c) { c.ld_alpha = 0.5; }).find("--ld-alpha"),
      std::string::npos);
  EXPECT_NE(refused<GrpoConfig>(Compat::kVerl, [](auto& c) { c.loss_type = PolicyLossType::kSapo; })
                .find("--loss-type sapo"),
            std::string::npos);
  EXPECT_NE(refused<GrpoConfig>(Compat::kOpenrlhf,
                                [](auto& c) { c.scale_rewards = ScaleRewards::kBatch; })
                .find("--scale-rewards batch"),
            std::string::npos);
  EXPECT_NE(refused<RlooConfig>(Compat::kOpenrlhf, nothing).find("--beta 0"), std::string::npos);
  EXPECT_NE(refused<RlooConfig>(Compat::kVerl, [](auto& c) { c.normalize_advantages = true; })
                .find("--normalize-advantages"),
            std::string::npos);
  EXPECT_NE(refused<PpoConfig>(Compat::kVerl,
                               [](auto& c) {
                                 c.complete();
                                 c.whiten_rewards = true;
                               })
                .find("--whiten-rewards"),
            std::string::npos);
  EXPECT_EQ(refused<RlooConfig>(Compat::kVerl, nothing), "accepted");
}

template <typename Config, typename Read>
void expect_back(Compat compat, Config config, const Read& read, bool changes) {
  const std::string plain = config.to_json().dump();
  set_compat(compat, config);
  EXPECT_EQ(config.to_json().dump() != plain, changes);
  EXPECT_EQ(read(config.to_json()).to_json().dump(), config.to_json().dump());
}

TEST(Compat, SwitchesComeBackFromAManifestAndTrlsLeaveNoTrace) {
  DpoConfig dpo;
  dpo.loss_type = {PreferenceLossType::kIpo, PreferenceLossType::kSft};
  PpoConfig ppo;
  ppo.complete();
  RlooConfig rloo;
  rloo.beta = 0;
  GrpoConfig reinforce;
  reinforce.advantage_estimator = AdvantageEstimator::kReinforce;
  for (Compat compat : {Compat::kTrl, Compat::kOpenrlhf, Compat::kVerl}) {
    const bool changes = compat != Compat::kTrl;
    if (compat != Compat::kVerl) expect_back(compat, dpo, dpo_config_from_json, changes);
    expect_back(compat, GrpoConfig(), grpo_config_from_json, changes);
    expect_back(compat, reinforce, grpo_config_from_json, changes);
    expect_back(compat, rloo, rloo_config_from_json, changes);
    expect_back(compat, ppo, ppo_config_from_json, changes);
  }
  expect_back(Compat::kLlamaFactory, OrpoConfig(), orpo_config_from_json, true);
  Json bad = ppo.to_json();
  bad["dual_clip"] = 0.5;
  EXPECT_NE(refusal([&] { ppo_config_from_json(bad); }).find("dual_clip"), std::string::npos);
}

}  // namespace
}  // namespace hone::train
