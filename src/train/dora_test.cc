// Training with DoRA and rsLoRA: PEFT's steps in float64, differences, bits, what is refused.
#include "llm/dora.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/fault_env.h"
#include "train/testing.h"

namespace hone::train {
namespace {

using llm::Parameter;
using llm::testing::doubles_of;
using llm::testing::ints_of;
using llm::testing::kGolden;
using llm::testing::read_json;
using llm::testing::refusal;

void expect_entries(const Parameter& p, const Json& wanted, double norm, double entry_bound,
                    const std::function<double(size_t, size_t)>& at, const std::string& what) {
  const double wanted_norm = wanted.at("norm").as_double();
  EXPECT_NEAR(norm, wanted_norm, 3e-5 * wanted_norm) << what;
  const std::vector<int32_t> places = ints_of(wanted.at("at"));
  const std::vector<double> values = doubles_of(wanted.at("values"));
  for (size_t i = 0; i < places.size(); ++i) {
    const auto flat = static_cast<size_t>(places[i]);
    EXPECT_NEAR(at(flat / p.cols, flat % p.cols), values[i], entry_bound) << what << " " << flat;
  }
}

// tests/golden/torch/dora_golden.py
TEST(DoraTraining, FiveStepsFollowPeft) {
  tensor::Compute compute(2);
  for (const std::string& name : std::vector<std::string>{"llama_tied", "qwen2"}) {
    const Json golden = read_json(kGolden + "dora_" + name + ".json");
    llm::Model model = llm::testing::load_golden(compute, name);
    llm::LoraAdapter adapter = llm::load_lora(model, kGolden + "adapter_dora_" + name);
    SftConfig config;
    const Json& o = golden.at("optimiser");
    config.learning_rate = o.at("learning_rate").as_double();
    config.weight_decay = o.at("weight_decay").as_double();
    config.max_grad_norm = o.at("max_grad_norm").as_double();
    config.warmup_steps = static_cast<size_t>(o.at("warmup_steps").as_int());
    llm::Trainable trainable = llm::lora_parameters(model, adapter);
    ASSERT_EQ(trainable.parameters.size(), golden.at("gradients").size());
    Optimizer optimizer(compute, trainable, config);
    llm::TrainingPass pass(compute, model, &adapter, 512, {.dora = true});
    std::vector<llm::TreeExample> batch;
    double targets = 0;
    for (const Json& row : golden.at("sft_rows").as_array()) {
      llm::SftTokens tokens = testing::sft_row(ints_of(row.at("input_ids")));
      const std::vector<int32_t> labels = ints_of(row.at("labels"));
      for (size_t i = 0; i < labels.size(); ++i) tokens.trained[i] = labels[i] == -100 ? 0 : 1;
      batch.push_back(tokens.tree());
      targets += static_cast<double>(batch.back().targets.size());
    }
    double rates = 0;
    for (size_t s = 1; s <= 5; ++s) {
      const Json& step = golden.at("steps").as_array()[s - 1];
      const std::string what = name + " step " + std::to_string(s) + " ";
      double loss = 0;
      accumulate_gradients(
          pass, optimizer, batch,
          [&](size_t, const llm::TreeResult& result, std::span<float> coefficients) {
            for (float p : result.log_probs) loss -= static_cast<double>(p) / targets;
            std::fill(coefficients.begin(), coefficients.end(), -1.0f);
          },
          s);
      EXPECT_NEAR(loss, step.at("loss").as_double(), 5e-6 * (1 + loss)) << what;
      for (const Parameter& p : trainable.parameters) {
        if (s > 1) break;
        const double norm = llm::testing::gradient_norm(p) / targets;
        expect_entries(
            p, golden.at("gradients").at("base_model.model." + p.name), norm, 2e-5 * norm + 1e-9,
            [&](size_t r, size_t c) { return llm::testing::gradient_at(p, r, c) / targets; },
            what + p.name);
      }
      const double rate = config.learning_rate * schedule_multiplier(config, s, 5);
      const double wanted_norm = step.at("grad_norm").as_double();
      EXPECT_NEAR(optimizer.apply(targets, rate, s).grad_norm, wanted_norm, 5e-5 * wanted_norm)
          << what;
      rates += rate;
      for (const Parameter& p : trainable.parameters) {
        expect_entries(
            p, step.at("adapter").at("base_model.model." + p.name), llm::testing::value_norm(p),
            0.02 * rates + 1e-6,
            [&](size_t r, size_t c) {
              return static_cast<double>(p.values[llm::testing::place_of(p, r, c)]);
            },
            what + p.name);
      }
    }
  }
}

// With the norm held still, as the paper's gradient has it.
TEST(DoraTraining, GradientsAgreeWithCentralDifferencesUnderAHeldNorm) {
  tensor::Compute compute(1);
  for (const bool bias : {false, true}) {
    llm::Model model = llm::testing::random_model({.layers = 1, .bias = bias});
    llm::LoraAdapter adapter = llm::testing::random_adapter(model, 2);
    llm::start_dora(compute, model, adapter);
    for (llm::LoraPair& pair : adapter.layers[0].pair) {
      for (size_t n = 0; n < pair.magnitude.size(); ++n) {
        pair.magnitude[n] *= 0.75f + 0.125f * static_cast<float>(n % 5);
      }
    }
    llm::refresh_dora(compute, model, adapter);
    llm::Trainable trainable = llm::lora_parameters(model, adapter);
    llm::testing::set_exponents(trainable, 30);
    Rng rng(8, rng_stream("dora-differences"));
    const llm::TreeExample tree =
        llm::testing::all_targets(llm::make_sequence(llm::testing::random_tokens(rng, 24, 96)));
    llm::TrainingPass pass(compute, model, &adapter, 64, {.dora = true});
    llm::for_each_pass({&tree, 1}, 64, [&](const llm::PlannedPass& planned) {
      EXPECT_FALSE(pass.run(
                           planned.rows, planned.targets,
                           [](const llm::PassResult&, std::span<float> coefficients) {
                             std::fill(coefficients.begin(), coefficients.end(), 1.0f);
                           },
                           trainable)
                       .overflow);
      return true;
    });
    const auto value = [&] {
      double sum = 0;
      llm::score_trees(pass, {&tree, 1}, [&](size_t, const llm::TreeResult& result) {
        for (float p : result.log_probs) sum += static_cast<double>(p);
      });
      return sum;
    };
    size_t looked = 0;
    for (size_t k = 0; k < llm::kLinearKinds; ++k) {
      llm::LoraPair& pair = adapter.layers[0].pair[k];
      const auto& indices = trainable.layers[0];
      for (const int32_t index : {indices.lora_a[k], indices.lora_b[k], indices.magnitude[k]}) {
        const Parameter& p = *trainable.find(index);
        for (const auto& [r, c] : {std::pair<size_t, size_t>{0, 0}, {p.rows - 1, p.cols - 1}}) {
          const bool magnitude = index == indices.magnitude[k];
          float& x = p.values[llm::testing::place_of(p, r, c)];
          const float kept = x;
          const auto at = [&](float moved) {
            x = moved;
            if (magnitude) pair.gain[r] = x * pair.inverse_norm[r];
            const double sum = value();
            x = kept;
            if (magnitude) pair.gain[r] = x * pair.inverse_norm[r];
            return sum;
          };
          const double slope = (at(kept + 0x1p-8f) - at(kept - 0x1p-8f)) / 0x1p-7;
          const double norm = llm::testing::gradient_norm(p);
          EXPECT_NEAR(llm::testing::gradient_at(p, r, c), slope, 0.01 * norm + 3e-3) << p.name;
          looked += norm > 1e-2 ? 1 : 0;
        }
      }
    }
    EXPECT_GT(looked, 30u);
  }
}

llm::testing::TinyShape tiny(bool bias) {
  llm::testing::TinyShape shape = testing::small_shape(2);
  shape.bias = bias;
  return shape;
}

SftConfig dora_config() {
  SftConfig config;
  config.lora_r = 2;
  config.use_dora = config.use_rslora = true;
  config.learning_rate = 1e-2;
  config.max_steps = 6;
  config.per_device_train_batch_size = 3;
  config.logging_steps = 1;
  config.save_steps = 2;
  return config;
}

struct Outcome {
  std::vector<std::vector<float>> values;
  std::string steps;
  TrainResult result;
};

Outcome run(Env& env, const SftConfig& config, bool resume, size_t stop_after) {
  static tensor::Compute compute(2);
  llm::Model model = llm::testing::random_model(tiny(true));
  testing::StoppedJob job(compute, env, model, "run", resume, stop_after);
  Outcome out;
  out.result = train_sft(job, config, testing::sft_rows(8, 32), {});
  out.values = testing::adapter_values(model, *out.result.adapter);
  out.steps = env.read_file("run/steps.jsonl", 1u << 20);
  return out;
}

TEST(DoraTraining, StopsCutsAndRecomputeChangeNoBit) {
  FaultEnv whole_env;
  const Outcome whole = run(whole_env, dora_config(), false, 0);
  ASSERT_EQ(whole.result.steps, 6u);
  for (size_t stop = 1; stop < 6; ++stop) {
    FaultEnv env;
    ASSERT_EQ(run(env, dora_config(), false, stop).result.steps, stop);
    env.crash();
    const Outcome rest = run(env, dora_config(), true, 0);
    EXPECT_TRUE(rest.values == whole.values) << stop;
    EXPECT_EQ(rest.steps, whole.steps) << stop;
  }
  SftConfig cut = dora_config();
  cut.max_tokens_per_pass = 1;
  cut.recompute = true;
  cut.per_device_train_batch_size = 1;
  cut.gradient_accumulation_steps = 3;
  FaultEnv env;
  const Outcome other = run(env, cut, false, 0);
  EXPECT_TRUE(other.values == whole.values);
  EXPECT_EQ(other.steps, whole.steps);
}

TEST(DoraTraining, MagnitudesLearnAndTheResultIsReadAgain) {
  FaultEnv env;
  const Outcome trained = run(env, dora_config(), false, 0);
  const llm::LoraAdapter& adapter = *trained.result.adapter;
  EXPECT_TRUE(adapter.use_dora && adapter.use_rslora);
  const llm::LoraPair& pair = adapter.layers[0][llm::LinearKind::kUp];
  EXPECT_FLOAT_EQ(pair.scale, 4.0f / std::sqrt(2.0f));
  size_t moved = 0;
  for (float gain : pair.gain) moved += gain != 1.0f ? 1 : 0;
  EXPECT_EQ(moved, pair.gain.size());
  llm::testing::TemporaryFolder folder("dora_final");
  llm::save_lora(real_env(), folder.path() + "/final", adapter, "base");
  tensor::Compute compute(1);
  llm::Model model = llm::testing::random_model(tiny(true));
  const llm::LoraAdapter copy = llm::load_lora(model, folder.path() + "/final");
  const std::vector<int32_t> tokens = {1, 5, 9, 3, 2};
  EXPECT_EQ(llm::testing::logits_of(compute, model, &adapter, tokens),
            llm::testing::logits_of(compute, model, &copy, tokens));
}

TEST(DoraTraining, OptionsAreReadAndRefused) {
  SftConfig config = dora_config();
  EXPECT_EQ(sft_config_from_json(config.to_json()).to_json().dump(), config.to_json().dump());
  EXPECT_TRUE(sft_config_from_json(config.to_json()).use_dora);
  EXPECT_EQ(SftConfig().to_json().find("use_dora"), nullptr) << "manifests of before stay";
  config.lora_dropout = 0.1;
  EXPECT_NE(refusal([&] { validate(config); }).find("--lora-dropout"), std::string::npos);
  config.use_dora = false;
  EXPECT_EQ(refusal([&] { validate(config); }), "accepted");
  config = SftConfig();
  config.use_rslora = true;
  EXPECT_NE(refusal([&] { validate(config); }).find("--use-rslora"), std::string::npos);
  config.use_rslora = false;
  config.use_dora = true;
  EXPECT_NE(refusal([&] { validate(config); }).find("--lora-r 16"), std::string::npos);
}

}  // namespace
}  // namespace hone::train
