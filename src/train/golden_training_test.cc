// Five optimiser steps of SFT and of DPO against PyTorch, PEFT and TRL in float64
// (tests/golden/torch/README.md).
#include <gtest/gtest.h>

#include <cmath>

#include "train/testing.h"

namespace hone::train {
namespace {

using llm::Parameter;
using llm::testing::doubles_of;
using llm::testing::ints_of;
using llm::testing::kGolden;
using llm::testing::read_json;

void take_optimiser(TrainConfig& config, const Json& o) {
  config.learning_rate = o.at("learning_rate").as_double();
  config.adam_beta1 = o.at("adam_beta1").as_double();
  config.adam_beta2 = o.at("adam_beta2").as_double();
  config.adam_epsilon = o.at("adam_epsilon").as_double();
  config.weight_decay = o.at("weight_decay").as_double();
  config.max_grad_norm = o.at("max_grad_norm").as_double();
  config.warmup_steps = static_cast<size_t>(o.at("warmup_steps").as_int());
  config.max_steps = static_cast<size_t>(o.at("max_steps").as_int());
  config.lr_scheduler_type = Scheduler::kLinear;
  config.train_sampling_strategy = SamplingStrategy::kSequential;
  config.logging_steps = 1;
}

// Norm and sampled entries of a parameter's values. AdamW divides by the gradient's own size, so an
// entry whose gradient is all but zero may move by a part of the summed rates either way.
void expect_values(const Parameter& p, const Json& wanted, double entry_bound,
                   const std::string& what) {
  const double norm = wanted.at("norm").as_double();
  EXPECT_NEAR(llm::testing::value_norm(p), norm, 2e-5 * norm) << what;
  const std::vector<int32_t> at = ints_of(wanted.at("at"));
  const std::vector<double> values = doubles_of(wanted.at("values"));
  for (size_t i = 0; i < at.size(); ++i) {
    const auto flat = static_cast<size_t>(at[i]);
    const float ours = p.values[llm::testing::place_of(p, flat / p.cols, flat % p.cols)];
    EXPECT_NEAR(static_cast<double>(ours), values[i], entry_bound) << what << " entry " << flat;
  }
}

TEST(GoldenTraining, FiveStepsOfFullFineTuningFollowPyTorchInEveryFamily) {
  tensor::Compute compute(2);
  for (const std::string& name : llm::testing::kGoldenModels) {
    const Json golden = read_json(kGolden + name + ".json");
    SftConfig config;
    take_optimiser(config, golden.at("optimiser"));
    std::vector<llm::SftTokens> rows;
    for (const Json& row : golden.at("sft_rows").as_array()) {
      rows.push_back(testing::sft_row(ints_of(row.at("input_ids"))));
      const std::vector<int32_t> labels = ints_of(row.at("labels"));
      for (size_t i = 0; i < labels.size(); ++i) rows.back().trained[i] = labels[i] == -100 ? 0 : 1;
    }
    config.per_device_train_batch_size = rows.size();
    llm::Model model = llm::testing::load_golden(compute, name);
    llm::make_trainable(compute, model);
    llm::testing::TemporaryFolder folder("golden_sft");
    TrainJob job{compute, real_env(), model, folder.path() + "/run"};
    EXPECT_EQ(train_sft(job, config, rows, {}).steps, 5u);
    const std::vector<Json> lines =
        testing::lines_of(real_env(), folder.path() + "/run/metrics.jsonl");
    ASSERT_EQ(lines.size(), 5u);
    double rates = 0;
    for (size_t i = 0; i < 5; ++i) {
      const Json& step = golden.at("steps").as_array()[i];
      const auto near = [&](const char* key, double bound) {
        const double wanted = step.at(key).as_double();
        EXPECT_NEAR(lines[i].at(key).as_double(), wanted, bound * std::abs(wanted))
            << name << " step " << i + 1 << " " << key;
      };
      near("loss", 2e-6);
      near("grad_norm", 2e-5);
      near("learning_rate", 2e-10);  // the golden has ten digits
      rates += step.at("learning_rate").as_double();
    }
    for (const Parameter& p : llm::full_parameters(model).parameters) {
      expect_values(p, golden.at("weights_after").at(p.name), 0.02 * rates, name + " " + p.name);
    }
  }
}

// ".lora_A.weight" of a module, as PEFT calls it.
std::string peft_name(const Parameter& p) { return "base_model.model." + p.name; }

void expect_dpo_steps(const std::string& reference_name) {
  tensor::Compute compute(2);
  const Json golden = read_json(kGolden + "dpo_lora_" + reference_name + ".json");
  const llm::Model model = llm::testing::load_golden(compute, "llama_tied");
  llm::LoraAdapter adapter = llm::load_lora(model, kGolden + "adapter_dpo_start");
  const llm::LoraAdapter start = llm::load_lora(model, kGolden + "adapter_dpo_start");
  std::vector<llm::PreferenceTokens> pairs;
  for (const Json& p : golden.at("pairs").as_array()) {
    pairs.push_back(testing::pair_of(ints_of(p.at("prompt_ids")), ints_of(p.at("chosen_ids")),
                                     ints_of(p.at("rejected_ids"))));
  }
  const auto reference =
      llm::score_pairs(compute, model, reference_name == "start" ? &start : nullptr, pairs, {});
  const std::vector<double> ref_chosen = doubles_of(golden.at("ref_logps_chosen"));
  const std::vector<double> ref_rejected = doubles_of(golden.at("ref_logps_rejected"));
  for (size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_NEAR(reference[i].chosen, ref_chosen[i], 2e-5);
    EXPECT_NEAR(reference[i].rejected, ref_rejected[i], 2e-5);
  }
  DpoConfig config;
  take_optimiser(config, golden.at("optimiser"));
  const double beta = golden.at("beta").as_double();
  llm::Trainable trainable = llm::lora_parameters(model, adapter);
  Optimizer optimizer(compute, trainable, config);
  llm::TrainingPass pass(compute, model, &adapter, 512, {});
  std::vector<llm::TreeExample> batch;
  for (const auto& pair : pairs) batch.push_back(pair.tree(true));
  double rates = 0;
  for (size_t s = 1; s <= 5; ++s) {
    const Json& step = golden.at("steps").as_array()[s - 1];
    const std::string what = reference_name + " step " + std::to_string(s);
    double loss = 0;
    std::vector<llm::PairSums> sums(pairs.size());
    accumulate_gradients(
        pass, optimizer, batch,
        [&](size_t i, const llm::TreeResult& result, std::span<float> coefficients) {
          sums[i] = llm::pair_sums(pairs[i], result);
          const PairLoss pair = preference_loss(
              PreferenceLossType::kSigmoid, beta, 0,
              {sums[i].chosen, sums[i].rejected, reference[i].chosen, reference[i].rejected,
               pairs[i].chosen_tokens(), pairs[i].rejected_tokens()});
          loss += pair.value / static_cast<double>(pairs.size());
          for (size_t t = 0; t < coefficients.size(); ++t) {
            coefficients[t] =
                static_cast<float>(t < pairs[i].chosen_tokens() ? pair.d_chosen : pair.d_rejected);
          }
        },
        s);
    const std::vector<double> chosen = doubles_of(step.at("logps/chosen"));
    const std::vector<double> rejected = doubles_of(step.at("logps/rejected"));
    for (size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_NEAR(sums[i].chosen, chosen[i], 5e-5) << what;
      EXPECT_NEAR(sums[i].rejected, rejected[i], 5e-5) << what;
    }
    EXPECT_NEAR(loss, step.at("loss").as_double(), 5e-6) << what;
    if (s == 1) {
      const double n = static_cast<double>(pairs.size());
      for (const Parameter& p : trainable.parameters) {
        const Json& wanted = golden.at("gradients").at(peft_name(p));
        const double norm = wanted.at("norm").as_double();
        EXPECT_NEAR(llm::testing::gradient_norm(p) / n, norm, 2e-5 * norm) << p.name;
        const std::vector<int32_t> at = ints_of(wanted.at("at"));
        const std::vector<double> values = doubles_of(wanted.at("values"));
        for (size_t i = 0; i < at.size(); ++i) {
          const auto flat = static_cast<size_t>(at[i]);
          EXPECT_NEAR(llm::testing::gradient_at(p, flat / p.cols, flat % p.cols) / n, values[i],
                      1e-5 * norm)
              << p.name;
        }
      }
    }
    const double rate = config.learning_rate * schedule_multiplier(config, s, 5);
    EXPECT_NEAR(rate, step.at("learning_rate").as_double(), 1e-13) << what;
    const double wanted_norm = step.at("grad_norm").as_double();
    EXPECT_NEAR(optimizer.apply(static_cast<double>(pairs.size()), rate, s).grad_norm, wanted_norm,
                3e-5 * wanted_norm)
        << what;
    rates += rate;
    for (const Parameter& p : trainable.parameters) {
      expect_values(p, step.at("adapter").at(peft_name(p)), 0.02 * rates + 1e-7,
                    what + " " + p.name);
    }
  }
}

TEST(GoldenTraining, FiveStepsOfDpoOnAnAdapterFollowTrl) {
  expect_dpo_steps("base");
  expect_dpo_steps("start");
}

}  // namespace
}  // namespace hone::train
