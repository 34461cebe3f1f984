// LLM-JEPA: the paper's losses and gradients, by PyTorch and by differences; bits; what is refused.
#include "train/jepa.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/fault_env.h"
#include "llm/predictor_tokens.h"
#include "train/leader_env.h"
#include "train/testing.h"
#include "train/testing_ranks.h"

namespace hone::train {
namespace {

using llm::ViewTokens;
using llm::testing::doubles_of;
using llm::testing::ints_of;
using llm::testing::refusal;

constexpr JepaLossType kAll[] = {JepaLossType::kCosine, JepaLossType::kL2, JepaLossType::kMse,
                                 JepaLossType::kInfoNce};

ViewTokens view_row(std::vector<int32_t> prompt, std::vector<int32_t> completion,
                    double weight = 1) {
  ViewTokens views;
  views.first = prompt;
  views.second = completion;
  views.row.trained.assign(prompt.size(), 0);
  views.row.trained.resize(prompt.size() + completion.size(), 1);
  views.row.tokens = std::move(prompt);
  views.row.tokens.insert(views.row.tokens.end(), completion.begin(), completion.end());
  views.row.weight = weight;
  views.row.name = "row";
  return views;
}

std::vector<ViewTokens> view_rows(size_t count, size_t vocab) {
  Rng rng(41, rng_stream("view-rows"));
  std::vector<ViewTokens> rows;
  for (size_t i = 0; i < count; ++i) {
    rows.push_back(view_row(llm::testing::random_tokens(rng, 1 + 5 * (i % 4), vocab),
                            llm::testing::random_tokens(rng, 2 + 3 * (i % 5), vocab),
                            i % 3 == 2 ? 0.5 : 1.0));
  }
  return rows;
}

// Over the losses' own gradients, on vectors.
TEST(JepaLoss, SlopesAgreeWithFiniteDifferences) {
  Rng rng(1, rng_stream("jepa-loss"));
  std::vector<std::vector<float>> u(3, std::vector<float>(6)), v = u;
  for (auto* side : {&u, &v}) {
    for (auto& row : *side) {
      for (float& x : row) x = static_cast<float>(rng.normal());
    }
  }
  const std::vector<double> weights = {1, 0.5, 2};
  const auto value = [&](JepaLossType type) {
    double sum = 0;
    if (type == JepaLossType::kInfoNce) {
      const std::vector<JepaLoss> rows = jepa_infonce(u, v, weights, 0.3);
      for (size_t i = 0; i < 3; ++i) sum += weights[i] * rows[i].value;
      return sum;
    }
    for (size_t i = 0; i < 3; ++i) sum += weights[i] * jepa_loss(type, u[i], v[i]).value;
    return sum;
  };
  for (const JepaLossType type : kAll) {
    for (size_t i = 0; i < 3; ++i) {
      const bool coupled = type == JepaLossType::kInfoNce;
      const JepaLoss at =
          coupled ? jepa_infonce(u, v, weights, 0.3)[i] : jepa_loss(type, u[i], v[i]);
      for (size_t k = 0; k < 6; ++k) {
        const auto slope = [&](std::vector<float>& side) {
          const float kept = side[k];
          side[k] = kept + 0x1p-9f;
          const double above = value(type);
          side[k] = kept - 0x1p-9f;
          const double below = value(type);
          side[k] = kept;
          return (above - below) / 0x1p-8;
        };
        const double w = coupled ? 1 : weights[i];
        EXPECT_NEAR(w * at.du[k], slope(u[i]), 2e-4) << name(type);
        EXPECT_NEAR(w * at.dv[k], slope(v[i]), 2e-4) << name(type);
      }
    }
  }
}

TEST(JepaLoss, EqualViewsCostNothingAndHaveNoSlope) {
  const std::vector<float> u = {1, -2, 0.5f}, zero = {0, 0, 0};
  for (const JepaLossType type : {JepaLossType::kCosine, JepaLossType::kL2, JepaLossType::kMse}) {
    const JepaLoss same = jepa_loss(type, u, u);
    EXPECT_NEAR(same.value, 0, 1e-12) << name(type);
    EXPECT_NEAR(same.cosine, 1, 1e-12);
    for (double d : same.du) EXPECT_NEAR(d, 0, 1e-12) << name(type);
    for (double d : jepa_loss(type, zero, zero).du) EXPECT_EQ(d, 0) << name(type);
  }
  const std::vector<std::vector<float>> one = {u};
  EXPECT_EQ(jepa_infonce(one, one, std::vector<double>{1}, 0.07)[0].value, 0);
}

JepaConfig small_config(JepaLossType type, size_t predictors) {
  JepaConfig config;
  config.jepa_loss = type;
  config.jepa_predictors = predictors;
  config.jepa_lambda = 1.5;
  config.jepa_gamma = 0.75;
  config.learning_rate = 1e-2;
  config.logging_steps = 1;
  config.per_device_train_batch_size = 3;
  config.train_sampling_strategy = SamplingStrategy::kSequential;
  return config;
}

// tests/golden/train/README.md: the paper's block mask in float64.
TEST(Jepa, LossesAndGradientsAreThoseOfPyTorchWithAndWithoutPrefixSharing) {
  const Json golden = llm::testing::read_json("tests/golden/train/jepa.json");
  std::vector<ViewTokens> rows;
  for (const Json& row : golden.at("rows").as_array()) {
    rows.push_back(view_row(ints_of(row.at("prompt_ids")), ints_of(row.at("completion_ids"))));
  }
  ASSERT_EQ(golden.at("cases").size(), 8u);
  tensor::Compute compute(2);
  for (const Json& c : golden.at("cases").as_array()) {
    for (const bool sharing : {true, false}) {
      const std::vector<double> start = doubles_of(c.at("predictors"));
      JepaConfig config = small_config(*jepa_loss_from_name(c.at("jepa_loss_type").as_string()),
                                       static_cast<size_t>(c.at("k").as_int()));
      config.jepa_gamma = golden.at("gamma").as_double();
      config.jepa_lambda = golden.at("lambda").as_double();
      config.jepa_temperature = golden.at("temperature").as_double();
      config.per_device_train_batch_size = static_cast<size_t>(golden.at("micro_batch").as_int());
      config.gradient_accumulation_steps = 2;
      config.max_steps = 1;
      config.log_gradient_norms = true;
      config.prefix_sharing = sharing;
      llm::Model model = llm::testing::load_golden(compute, golden.at("base").as_string());
      llm::make_trainable(compute, model);
      if (config.jepa_predictors > 0) {
        const size_t hidden = model.config.hidden_size;
        model.predictors = tensor::PanelMatrix::zeros(config.jepa_predictors, hidden);
        const std::vector<float> values(start.begin(), start.end());
        for (size_t n = 0; n < config.jepa_predictors; ++n) {
          model.predictors.write_row(n, values.data() + n * hidden);
        }
      }
      llm::testing::TemporaryFolder folder("jepa");
      TrainJob job{compute, real_env(), model, folder.path() + "/run"};
      train_jepa(job, config, rows, rows);
      const std::vector<Json> lines = testing::lines_of(real_env(), job.output + "/metrics.jsonl");
      const std::string what =
          c.at("jepa_loss_type").as_string() + " " + c.at("k").dump() + (sharing ? "" : " apart");
      for (const char* key : {"loss", "lm_loss", "jepa_loss", "cosine_similarity"}) {
        const double wanted = c.at(key).as_double();
        EXPECT_NEAR(lines.at(0).at(key).as_double(), wanted, 5e-6 * (1 + std::abs(wanted)))
            << what << " " << key;
      }
      EXPECT_EQ((lines.at(0).find("grad_norm/predictors.weight") != nullptr),
                config.jepa_predictors > 0);
      for (const auto& [name, norm] : c.at("gradient_norms").as_object()) {
        const double wanted = norm.as_double();
        EXPECT_NEAR(lines.at(0).at("grad_norm/" + name).as_double(), wanted, 3e-5 * wanted + 1e-9)
            << what << " " << name;
      }
      EXPECT_TRUE((lines.at(1).find("eval_jepa_loss") != nullptr));
    }
  }
}

// Through the whole model, to the adapter and the predictors, from the loss that the run logs.
TEST(Jepa, TheAdaptersGradientAgreesWithCentralDifferences) {
  const std::vector<ViewTokens> rows = view_rows(5, 32);
  tensor::Compute compute(1);
  for (const JepaLossType type : kAll) {
    llm::Model model = llm::testing::random_model(testing::small_shape());
    Rng rng(5, rng_stream("predictors"));
    model.predictors = llm::testing::random_matrix(rng, 2, 16, 0.5);
    llm::LoraAdapter adapter = llm::testing::random_adapter(model, 2);
    adapter.predictors = model.predictors.clone();
    const ViewTokens::Layout layout = {32, 2, true};
    std::vector<llm::TreeExample> trees;
    for (const ViewTokens& row : rows) trees.push_back(row.tree(layout));
    // The sum of the distances of a batch, without the next-token loss.
    std::vector<std::vector<float>> u(rows.size()), v(rows.size());
    const std::vector<double> ones(rows.size(), 1.0);
    const auto losses = [&] {
      std::vector<JepaLoss> out = jepa_infonce(u, v, ones, 0.5);
      for (size_t i = 0; type != JepaLossType::kInfoNce && i < u.size(); ++i) {
        out[i] = jepa_loss(type, u[i], v[i]);
      }
      return out;
    };
    llm::TrainingPass pass(compute, model, &adapter, 256, {});
    const auto value = [&] {
      llm::score_trees(pass, trees, [&](size_t i, const llm::TreeResult& result) {
        const size_t n = result.hidden.size();
        u[i].assign(result.hidden[n - 2].value.begin(), result.hidden[n - 2].value.end());
        v[i].assign(result.hidden[n - 1].value.begin(), result.hidden[n - 1].value.end());
      });
      double sum = 0;
      for (const JepaLoss& loss : losses()) sum += loss.value;
      return sum;
    };
    value();
    const std::vector<JepaLoss> at = losses();
    llm::Trainable trainable = llm::lora_parameters(model, adapter);
    llm::testing::set_exponents(trainable, 30);
    llm::for_each_pass(trees, 256, [&](const llm::PlannedPass& planned) {
      EXPECT_FALSE(pass.run(
                           planned.rows, planned.targets,
                           [&](const llm::PassResult& result, std::span<float>) {
                             for (size_t t = 0; t < planned.count; ++t) {
                               const auto hidden = planned.result_of(t, result).hidden;
                               const auto &du = hidden[hidden.size() - 2].slope,
                                          &dv = hidden[hidden.size() - 1].slope;
                               for (size_t k = 0; k < du.size(); ++k) {
                                 du[k] += static_cast<float>(at[planned.first + t].du[k]);
                                 dv[k] += static_cast<float>(at[planned.first + t].dv[k]);
                               }
                             }
                           },
                           trainable)
                       .overflow);
      return true;
    });
    size_t looked = 0;
    for (llm::Parameter& p : trainable.parameters) {
      for (const auto& [r, c] : {std::pair<size_t, size_t>{0, 0}, {p.rows - 1, p.cols - 1}}) {
        float& x = p.values[llm::testing::place_of(p, r, c)];
        const float kept = x;
        x = kept + 0x1p-7f;
        const double above = value();
        x = kept - 0x1p-7f;
        const double below = value();
        x = kept;
        const double norm = llm::testing::gradient_norm(p);
        EXPECT_NEAR(llm::testing::gradient_at(p, r, c), (above - below) / 0x1p-6,
                    0.01 * norm + 2e-3)
            << name(type) << " " << p.name;
        looked += norm > 1e-3 ? 1 : 0;
      }
    }
    EXPECT_GT(looked, 20u);
    EXPECT_GT(llm::testing::gradient_norm(*trainable.find(trainable.predictors)), 1e-3);
  }
}

struct Outcome {
  std::vector<std::vector<float>> values;
  std::string steps, metrics;
  TrainResult result;
};

Outcome run(Env& env, const JepaConfig& config, bool resume, size_t stop_after) {
  static tensor::Compute compute(2);
  llm::Model model = llm::testing::random_model(testing::small_shape());
  if (config.lora_r == 0) llm::make_trainable(compute, model);
  testing::StoppedJob job(compute, env, model, "run", resume, stop_after);
  Outcome out;
  out.result = train_jepa(job, config, view_rows(8, 32), view_rows(3, 32));
  out.values = testing::trained_values(model, out.result);
  out.steps = env.read_file("run/steps.jsonl", 1u << 20);
  out.metrics = env.read_file("run/metrics.jsonl", 1u << 20);
  return out;
}

std::vector<JepaConfig> both_kinds() {
  JepaConfig full = small_config(JepaLossType::kInfoNce, 2), lora = small_config(kAll[0], 1);
  lora.lora_r = 2;
  lora.jepa_dropout = 0.5;
  for (JepaConfig* config : {&full, &lora}) {
    config->max_steps = 6;
    config->save_steps = 2;
    config->train_sampling_strategy = SamplingStrategy::kRandom;
  }
  return {full, lora};
}

TEST(Jepa, ARunThatWasStoppedAnywhereEndsWithTheSameBits) {
  for (const JepaConfig& config : both_kinds()) {
    FaultEnv whole_env;
    const Outcome whole = run(whole_env, config, false, 0);
    ASSERT_EQ(whole.result.steps, 6u);
    for (size_t stop = 1; stop < 6; ++stop) {
      FaultEnv env;
      ASSERT_EQ(run(env, config, false, stop).result.steps, stop);
      env.crash();
      const Outcome rest = run(env, config, true, 0);
      EXPECT_TRUE(rest.values == whole.values) << stop;
      EXPECT_EQ(rest.steps, whole.steps) << stop;
      EXPECT_EQ(rest.metrics, whole.metrics) << stop;
    }
  }
}

TEST(Jepa, CutsIntoPassesRecomputeAndAccumulationChangeNoBit) {
  for (JepaConfig config : both_kinds()) {
    FaultEnv env;
    const Outcome whole = run(env, config, false, 0);
    JepaConfig cut = config;
    cut.max_tokens_per_pass = 1;
    cut.recompute = true;
    // infonce reads the micro-batch; the others may be accumulated in any way.
    if (config.jepa_loss != JepaLossType::kInfoNce) {
      cut.per_device_train_batch_size = 1;
      cut.gradient_accumulation_steps = 3;
    }
    FaultEnv other_env;
    const Outcome other = run(other_env, cut, false, 0);
    EXPECT_TRUE(other.values == whole.values);
    EXPECT_EQ(other.steps, whole.steps);
  }
}

// Ranks tell each other states too, since every rank adds up the whole batch.
TEST(Jepa, SeveralRanksHaveTheBitsOfOne) {
  for (JepaConfig config : both_kinds()) {
    config.per_device_train_batch_size = 12;
    config.max_steps = 3;
    const std::vector<ViewTokens> rows = view_rows(24, 32), held_out = view_rows(9, 32);
    const auto outcome = [&](Env& env, Communicator* ranks) {
      tensor::Compute compute(1);
      llm::Model model = llm::testing::random_model(testing::small_shape());
      if (config.lora_r == 0) llm::make_trainable(compute, model);
      TrainJob job{compute, env, model, "run"};
      job.ranks = ranks;
      TrainResult result = train_jepa(job, config, rows, held_out);
      return result.adapter ? testing::adapter_values(model, *result.adapter)
                            : testing::model_values(model);
    };
    FaultEnv alone;
    const auto one = outcome(alone, nullptr);
    FaultEnv worlds[3];
    std::vector<std::vector<float>> values[3];
    const auto errors = testing::on_ranks(3, [&](Communicator& ranks) {
      LeaderEnv env(worlds[ranks.rank()], ranks);
      values[ranks.rank()] = outcome(env, &ranks);
    });
    EXPECT_EQ(errors, std::vector<std::string>(3));
    for (const auto& of_rank : values) EXPECT_TRUE(of_rank == one);
    for (const char* log : {"run/steps.jsonl", "run/metrics.jsonl"}) {
      EXPECT_EQ(worlds[0].read_file(log, 1u << 20), alone.read_file(log, 1u << 20)) << log;
    }
  }
}

TEST(Jepa, AStepThatLeavesTheViewsOutIsAStepOfSft) {
  JepaConfig config = both_kinds()[1];
  config.jepa_gamma = 1;
  config.jepa_dropout = 0.999999;
  config.jepa_predictors = 0;
  FaultEnv env, sft_env;
  const Outcome jepa = run(env, config, false, 0);
  tensor::Compute compute(2);
  llm::Model model = llm::testing::random_model(testing::small_shape());
  TrainJob job{compute, sft_env, model, "run"};
  std::vector<llm::SftTokens> rows;
  for (const ViewTokens& row : view_rows(8, 32)) rows.push_back(row.row);
  TrainResult sft = train_sft(job, config, rows, {});
  EXPECT_TRUE(jepa.values == testing::adapter_values(model, *sft.adapter));
  EXPECT_EQ(jepa.steps, sft_env.read_file("run/steps.jsonl", 1u << 20));
  EXPECT_EQ(jepa.metrics.find("\"jepa_loss\""), std::string::npos);
}

TEST(Jepa, TheShareOfStepsWithViewsIsTheOneAskedFor) {
  JepaConfig config = both_kinds()[1];
  config.max_steps = 40;
  config.save_steps = 0;
  config.jepa_dropout = 0.75;
  FaultEnv env;
  run(env, config, false, 0);
  size_t with = 0, all = 0;
  for (const Json& line : testing::lines_of(env, "run/metrics.jsonl")) {
    if (!(line.find("loss") != nullptr)) continue;
    ++all;
    with += (line.find("jepa_loss") != nullptr) ? 1 : 0;
  }
  EXPECT_EQ(all, 40u);
  EXPECT_GE(with, 3u);
  EXPECT_LE(with, 20u);
}

TEST(Jepa, ItDrawsTheViewsTogether) {
  JepaConfig config = small_config(JepaLossType::kCosine, 1);
  config.lora_r = 4;
  config.max_steps = 30;
  FaultEnv env;
  run(env, config, false, 0);
  const std::vector<Json> lines = testing::lines_of(env, "run/metrics.jsonl");
  EXPECT_GT(lines.at(29).at("cosine_similarity").as_double(),
            lines.at(0).at("cosine_similarity").as_double() + 0.1);
}

TEST(Jepa, WhatCannotBeIsRefusedWithAReason) {
  const auto with = [](auto change) {
    JepaConfig config;
    change(config);
    return refusal([&] { validate(config); });
  };
  EXPECT_EQ(with([](JepaConfig&) {}), "accepted");
  EXPECT_NE(with([](JepaConfig& c) { c.jepa_lambda = 0; }).find("hone train sft"),
            std::string::npos);
  EXPECT_NE(with([](JepaConfig& c) { c.jepa_lambda = NAN; }), "accepted");
  EXPECT_NE(with([](JepaConfig& c) { c.jepa_gamma = -1; }), "accepted");
  EXPECT_EQ(with([](JepaConfig& c) { c.jepa_gamma = 0; }), "accepted");
  EXPECT_EQ(with([](JepaConfig& c) { c.jepa_predictors = 16; }), "accepted");
  EXPECT_EQ(with([](JepaConfig& c) { c.jepa_predictors = 17; }),
            "--jepa-predictors is 17: it must be at most 16");
  EXPECT_NE(with([](JepaConfig& c) { c.jepa_dropout = 1; }), "accepted");
  EXPECT_NE(with([](JepaConfig& c) { c.jepa_temperature = 0; }), "accepted");
  EXPECT_NE(with([](JepaConfig& c) { c.packing = true; }).find("--packing"), std::string::npos);
  const auto alone = [](JepaConfig& c) {
    c.jepa_loss = JepaLossType::kInfoNce;
    c.per_device_train_batch_size = 1;
  };
  EXPECT_NE(with(alone).find("needs two rows"), std::string::npos);
  const auto dropped = [](JepaConfig& c) {
    c.jepa_loss = JepaLossType::kInfoNce;
    c.lora_r = 2;
    c.lora_dropout = 0.1;
  };
  EXPECT_NE(with(dropped).find("--lora-dropout"), std::string::npos);
  EXPECT_FALSE(jepa_loss_from_name("cosin").has_value());
}

TEST(Jepa, SettingsComeBackFromAManifest) {
  const JepaConfig config = both_kinds()[1];
  EXPECT_EQ(jepa_config_from_json(config.to_json()).to_json().dump(), config.to_json().dump());
  Json settings = config.to_json();
  settings["jepa_loss"] = "l3";
  EXPECT_NE(refusal([&] { jepa_config_from_json(settings); }), "accepted");
}

}  // namespace
}  // namespace hone::train
