// f-divergences, LD-DPO and the losses that sort a micro-batch, against TRL's own code
// (tests/golden/train/dpo_family.json).
#include <gtest/gtest.h>

#include <cmath>

#include "base/fault_env.h"
#include "train/testing.h"

namespace hone::train {
namespace {

using llm::testing::doubles_of;
using llm::testing::ints_of;
using llm::testing::read_json;

constexpr const char* kFamily = "tests/golden/train/dpo_family.json";

std::vector<std::string> strings_of(const Json& array) {
  std::vector<std::string> out;
  for (const Json& one : array.as_array()) out.push_back(one.as_string());
  return out;
}

// A case's settings as options.
DpoConfig config_of(const Json& settings) {
  DpoConfig config;
  config.beta = settings.at("beta").as_double();
  config.loss_type.clear();
  for (const std::string& name : strings_of(settings.at("loss_type"))) {
    config.loss_type.push_back(*preference_loss_from_name(name));
  }
  if (const Json* w = settings.find("loss_weights")) config.loss_weights = doubles_of(*w);
  if (const Json* e = settings.find("label_smoothing")) config.label_smoothing = e->as_double();
  if (const Json* ld = settings.find("ld_alpha")) config.ld_alpha = ld->as_double();
  if (const Json* a = settings.find("f_alpha_divergence_coef")) {
    config.f_alpha_divergence_coef = a->as_double();
  }
  if (const Json* f = settings.find("f_divergence_type")) {
    for (FDivergence each : {FDivergence::kForwardKl, FDivergence::kJs, FDivergence::kAlpha}) {
      if (name(each) == f->as_string()) config.f_divergence_type = each;
    }
  }
  validate(config);
  return config;
}

struct TokenPair {
  std::vector<double> chosen, rejected, ref_chosen, ref_rejected;
  size_t shorter() const { return std::min(chosen.size(), rejected.size()); }
};

double weighed(const std::vector<double>& tokens, size_t shorter, const DpoConfig& config) {
  double sum = 0;
  for (size_t t = 0; t < tokens.size(); ++t) {
    sum += tokens[t] * (config.ld_alpha ? ld_weight(t, shorter, *config.ld_alpha) : 1);
  }
  return sum;
}

std::vector<PairLogProbs> pairs_of(const std::vector<TokenPair>& table, const DpoConfig& config) {
  std::vector<PairLogProbs> pairs;
  for (const TokenPair& p : table) {
    pairs.push_back(
        {weighed(p.chosen, p.shorter(), config), weighed(p.rejected, p.shorter(), config),
         weighed(p.ref_chosen, p.shorter(), config), weighed(p.ref_rejected, p.shorter(), config),
         p.chosen.size(), p.rejected.size()});
  }
  return pairs;
}

// The mean of each pair's own and of the coupled losses, and slopes of it (sft: see `sft`).
struct BatchLoss {
  double value = 0, sft = 0;
  std::vector<PairLoss> pairs;
};

BatchLoss loss_of(const std::vector<TokenPair>& table, const DpoConfig& config) {
  const std::vector<PairLogProbs> pairs = pairs_of(table, config);
  const double n = static_cast<double>(pairs.size());
  BatchLoss out;
  out.pairs.resize(pairs.size());
  for (size_t k = 0; k < config.loss_type.size(); ++k) {
    const double w = config.loss_weights.empty() ? 1 : config.loss_weights[k];
    if (config.loss_type[k] == PreferenceLossType::kSft) {
      out.sft += w;
      continue;
    }
    std::vector<PairLoss> losses;
    if (is_coupled(config.loss_type[k])) {
      losses = coupled_losses(config.loss_type[k], config.form(), pairs);
    } else {
      for (const PairLogProbs& p : pairs) {
        losses.push_back(preference_loss(config.loss_type[k], config.form(), p));
      }
    }
    for (size_t i = 0; i < pairs.size(); ++i) {
      out.value += w * losses[i].value / n;
      out.pairs[i].d_chosen += w * losses[i].d_chosen / n;
      out.pairs[i].d_rejected += w * losses[i].d_rejected / n;
    }
  }
  return out;
}

std::vector<TokenPair> table_of(const Json& golden) {
  std::vector<TokenPair> table;
  for (const Json& row : golden.at("table").as_array()) {
    table.push_back({doubles_of(row.at("chosen")), doubles_of(row.at("rejected")),
                     doubles_of(row.at("ref_chosen")), doubles_of(row.at("ref_rejected"))});
  }
  return table;
}

void expect_near(double ours, double wanted, double bound, const std::string& what) {
  EXPECT_NEAR(ours, wanted, bound * std::max(1.0, std::abs(wanted))) << what;
}

TEST(DpoFamily, EveryFormGivesTrlsValueAndSlopes) {
  const Json golden = read_json(kFamily);
  const std::vector<TokenPair> table = table_of(golden);
  double chosen_tokens = 0, sft = 0;
  for (const TokenPair& p : table) {
    chosen_tokens += static_cast<double>(p.chosen.size());
    for (double log_prob : p.chosen) sft -= log_prob;
  }
  size_t cases = 0;
  for (const auto& [name, one] : golden.at("losses").as_object()) {
    const DpoConfig config = config_of(one.at("settings"));
    // TRL takes exo_pair's smoothing and all of the alpha divergence as f32.
    const bool single = name.find("alpha") != std::string::npos || name.starts_with("exo_pair");
    const double bound = single ? 2e-6 : 1e-10;
    const BatchLoss loss = loss_of(table, config);
    expect_near(loss.value + loss.sft * sft / chosen_tokens, one.at("loss").as_double(), bound,
                name);
    for (size_t i = 0; i < table.size(); ++i) {
      const Json& slopes = one.at("slopes").as_array()[i];
      const auto side = [&](const char* key, double slope, double per_token) {
        const std::vector<double> wanted = doubles_of(slopes.at(key));
        for (size_t t = 0; t < wanted.size(); ++t) {
          const double counts =
              config.ld_alpha ? ld_weight(t, table[i].shorter(), *config.ld_alpha) : 1;
          expect_near(counts * slope + per_token, wanted[t], bound,
                      name + " pair " + std::to_string(i) + " " + key + " " + std::to_string(t));
        }
      };
      side("chosen", loss.pairs[i].d_chosen, -loss.sft / chosen_tokens);
      side("rejected", loss.pairs[i].d_rejected, 0);
    }
    ++cases;
  }
  EXPECT_EQ(cases, 55u);
}

TEST(DpoFamily, SlopesAreTheFiniteDifferences) {
  const std::vector<TokenPair> table = table_of(read_json(kFamily));
  Json settings = Json::object();
  settings["beta"] = 0.3;
  settings["loss_type"] = Json(Json::Array{Json("aot"), Json("aot_unpaired")});
  settings["label_smoothing"] = 0.2;
  settings["ld_alpha"] = 0.25;
  const DpoConfig sorts = config_of(settings);
  settings["loss_type"] = Json(Json::Array{Json("robust"), Json("ipo")});
  std::vector<DpoConfig> configs = {sorts};
  for (const char* f : {"forward_kl", "js_divergence", "alpha_divergence"}) {
    settings["f_divergence_type"] = f;
    configs.push_back(config_of(settings));
  }
  for (const DpoConfig& config : configs) {
    const BatchLoss at = loss_of(table, config);
    for (size_t i = 0; i < table.size(); ++i) {
      constexpr double kStep = 1e-6;  // less than what any two of the table lie apart
      std::vector<TokenPair> up = table, down = table;
      up[i].chosen[0] += kStep;
      down[i].chosen[0] -= kStep;
      EXPECT_NEAR((loss_of(up, config).value - loss_of(down, config).value) / (2 * kStep),
                  at.pairs[i].d_chosen, 1e-7);
      up = down = table;
      up[i].rejected[0] += kStep;
      down[i].rejected[0] -= kStep;
      EXPECT_NEAR((loss_of(up, config).value - loss_of(down, config).value) / (2 * kStep),
                  at.pairs[i].d_rejected, 1e-7);
    }
  }
}

TEST(DpoFamily, EqualMarginsAndLongDivergencesStayFinite) {
  const PairLogProbs one{-3, -4, -3, -4, 2, 2};
  for (PreferenceLossType type : {PreferenceLossType::kAot, PreferenceLossType::kAotUnpaired}) {
    const std::vector<PairLogProbs> same(3, one);
    for (const PairLoss& loss : coupled_losses(type, {0.1, 0}, same)) {
      EXPECT_TRUE(std::isfinite(loss.value));
      EXPECT_NEAR(loss.d_chosen, type == PreferenceLossType::kAot ? -0.05 : loss.d_chosen, 1e-12);
    }
    EXPECT_TRUE(coupled_losses(type, {0.1, 0}, {}).empty());
  }
  PreferenceForm alpha{0.1, 0, FDivergence::kAlpha, 1.5};
  const PairLoss far =
      preference_loss(PreferenceLossType::kSigmoid, alpha, {-10, -900, -2000, -1, 9, 9});
  EXPECT_TRUE(std::isfinite(far.value) && std::isfinite(far.d_chosen));
}

std::vector<llm::PreferenceTokens> golden_pairs(const Json& golden) {
  std::vector<llm::PreferenceTokens> pairs;
  for (const Json& p : golden.at("pairs").as_array()) {
    pairs.push_back(testing::pair_of(ints_of(p.at("prompt_ids")), ints_of(p.at("chosen_ids")),
                                     ints_of(p.at("rejected_ids"))));
  }
  return pairs;
}

TEST(DpoFamily, FourStepsOfTheWholeModelFollowTrl) {
  tensor::Compute compute(2);
  const Json golden = read_json(kFamily);
  const auto pairs = golden_pairs(golden);
  for (const auto& [name, one] : golden.at("runs").as_object()) {
    DpoConfig config = config_of(one.at("settings"));
    config.learning_rate = golden.at("learning_rate").as_double();
    config.lr_scheduler_type = Scheduler::kConstant;
    config.train_sampling_strategy = SamplingStrategy::kSequential;
    config.per_device_train_batch_size = config.gradient_accumulation_steps = 2;
    config.max_steps = 4;
    config.max_grad_norm = 0;
    config.logging_steps = 1;
    llm::Model model = llm::testing::load_golden(compute, "llama_tied");
    llm::Model reference = llm::testing::load_golden(compute, "llama_tied");
    llm::make_trainable(compute, model);
    FaultEnv env;
    TrainJob job{compute, env, model, "run"};
    EXPECT_EQ(train_dpo(job, config, pairs, {}, {&reference, nullptr, "base"}).steps, 4u);
    const std::vector<Json> lines = testing::lines_of(env, "run/metrics.jsonl");
    ASSERT_EQ(lines.size(), 4u);
    for (size_t i = 0; i < 4; ++i) {
      for (const auto& [key, wanted] : one.at("steps").as_array()[i].as_object()) {
        const double value = wanted.as_double();
        EXPECT_NEAR(lines[i].at(key).as_double(), value, 2e-4 * std::abs(value) + 2e-5)
            << name << " step " << i + 1 << " " << key;
      }
    }
  }
}

// One LoRA run on a tiny model; its steps.jsonl.
std::string steps_of(const DpoConfig& config) {
  tensor::Compute compute(1);
  llm::testing::TinyShape shape;
  shape.layers = 1;
  shape.vocab = 32;
  llm::Model model = llm::testing::random_model(shape);
  auto pairs = testing::pairs(7, 32);
  for (llm::PreferenceTokens& pair : pairs) pair.weight = pair.probability = 1;
  FaultEnv env;
  TrainJob job{compute, env, model, "run"};
  train_dpo(job, config, pairs, pairs, {nullptr, nullptr, "base"});
  return env.read_file("run/steps.jsonl", 1u << 20);
}

TEST(DpoFamily, WhatIsSortedIsTheMicroBatchAndNotThePass) {
  DpoConfig config;
  config.loss_type = {PreferenceLossType::kAotUnpaired};
  config.lora_r = 2;
  config.learning_rate = 1e-2;
  config.max_steps = 3;
  config.per_device_train_batch_size = 4;
  const std::string whole = steps_of(config);
  config.max_tokens_per_pass = 64;
  EXPECT_EQ(steps_of(config), whole);
  config.per_device_train_batch_size = config.gradient_accumulation_steps = 2;
  EXPECT_NE(steps_of(config), whole);  // decisions 1.7
  // A micro-batch of one pair has nothing to sort: this is sigmoid then.
  config.per_device_train_batch_size = 1;
  config.gradient_accumulation_steps = 4;
  const std::string alone = steps_of(config);
  config.loss_type = {PreferenceLossType::kSigmoid};
  EXPECT_EQ(steps_of(config), alone);
}

template <typename Act>
std::string refusal(const Act& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

TEST(DpoFamily, WhatCannotBeIsRefusedWithAReason) {
  const auto said = [](const auto& change) {
    DpoConfig config;
    change(config);
    return refusal([&] { validate(config); });
  };
  EXPECT_NE(said([](DpoConfig& c) { c.ld_alpha = 1.5; }).find("--ld-alpha is 1.5"),
            std::string::npos);
  EXPECT_NE(said([](DpoConfig& c) {
              c.f_divergence_type = FDivergence::kJs;
              c.loss_type = {PreferenceLossType::kSigmoid, PreferenceLossType::kApoZero};
            }).find("apo_zero"),
            std::string::npos);
  EXPECT_NE(said([](DpoConfig& c) {
              c.loss_type = {PreferenceLossType::kAot};
              c.lora_r = 2;
              c.lora_dropout = 0.1;
            }).find("--lora-dropout 0"),
            std::string::npos);
  EXPECT_NE(said([](DpoConfig& c) {
              c.f_alpha_divergence_coef = std::nan("");
            }).find("f-alpha-divergence-coef"),
            std::string::npos);
}

TEST(DpoFamily, ARowOfDoubtOrWeightHasNoPlaceInASort) {
  tensor::Compute compute(1);
  llm::Model model = llm::testing::random_model({});
  DpoConfig config;
  config.loss_type = {PreferenceLossType::kAotUnpaired};
  for (const char* what : {"probability", "weight"}) {
    auto pairs = testing::pairs(1, 96);
    (std::string(what) == "weight" ? pairs[0].weight : pairs[0].probability) = 0.5;
    FaultEnv env;
    TrainJob job{compute, env, model, "run"};
    const std::string said = refusal([&] {
      train_dpo(job, config, pairs, {}, {nullptr, nullptr, "base"});
    });
    EXPECT_NE(said.find(std::string("has a ") + what + " of 0.5"), std::string::npos) << said;
    EXPECT_FALSE(env.exists("run/manifest.json"));
  }
}

TEST(DpoFamily, SettingsComeBackFromAManifest) {
  DpoConfig config;
  config.f_divergence_type = FDivergence::kAlpha;
  config.f_alpha_divergence_coef = 0.75;
  config.ld_alpha = 0.25;
  EXPECT_EQ(dpo_config_from_json(config.to_json()).to_json(), config.to_json());
  config = {};
  config.loss_type = {PreferenceLossType::kAot, PreferenceLossType::kAotUnpaired};
  EXPECT_EQ(dpo_config_from_json(config.to_json()).to_json(), config.to_json());
  Json settings = config.to_json();
  settings["f_divergence_type"] = "chi_squared";
  EXPECT_NE(refusal([&] { dpo_config_from_json(settings); }).find("\"chi_squared\""),
            std::string::npos);
}

}  // namespace
}  // namespace hone::train
