// What stands in metrics.jsonl: TRL's names, TRL's values.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "train/testing.h"

namespace hone::train {
namespace {

class Metrics : public ::testing::Test {
 protected:
  std::vector<Json> dpo(llm::Model& model, const DpoConfig& config,
                        const std::vector<llm::PreferenceTokens>& pairs,
                        const std::vector<llm::PreferenceTokens>& held_out = {}) {
    TrainJob job{compute_, real_env(), model, folder_.path() + "/run", false, true};
    train_dpo(job, config, pairs, held_out, {nullptr, nullptr, "base"});
    return testing::lines_of(real_env(), job.output + "/metrics.jsonl");
  }
  static std::set<std::string> keys(const Json& line) {
    std::set<std::string> out;
    for (const auto& [key, value] : line.as_object()) out.insert(key);
    return out;
  }

  tensor::Compute compute_{2};
  llm::testing::TemporaryFolder folder_{"metrics"};
};

// tests/golden/train/README.md
TEST_F(Metrics, OfDpoAreTrls) {
  const Json golden = llm::testing::read_json("tests/golden/train/dpo_metrics.json");
  std::vector<llm::PreferenceTokens> pairs;
  for (const Json& p : golden.at("pairs").as_array()) {
    pairs.push_back(testing::pair_of(llm::testing::ints_of(p.at("prompt_ids")),
                                     llm::testing::ints_of(p.at("chosen_ids")),
                                     llm::testing::ints_of(p.at("rejected_ids"))));
  }
  DpoConfig config;
  config.beta = golden.at("beta").as_double();
  config.reference_free = true;
  config.max_steps = 1;
  for (size_t lora_r : {0u, 4u}) {
    config.lora_r = lora_r;
    llm::Model model = llm::testing::load_golden(compute_, "llama_tied");
    if (lora_r == 0) llm::make_trainable(compute_, model);
    const Json line = dpo(model, config, pairs).at(0);
    EXPECT_NEAR(line.at("loss").as_double(), golden.at("loss").as_double(), 1e-5);
    for (const auto& [key, wanted] : golden.at("metrics").as_object()) {
      const double value = wanted.as_double();
      EXPECT_NEAR(line.at(key).as_double(), value, 1e-5 * (1 + std::abs(value)))
          << key << ", lora " << lora_r;
    }
  }
}

TEST_F(Metrics, EveryNameThatTrlLogsIsThere) {
  DpoConfig config;
  config.lora_r = 2;
  config.max_steps = 1;
  llm::Model model = llm::testing::random_model({});
  const std::vector<Json> lines = dpo(model, config, testing::pairs(4, 96), testing::pairs(2, 96));
  ASSERT_EQ(lines.size(), 2u);
  const std::set<std::string> of_method = {"loss",
                                           "rewards/chosen",
                                           "rewards/rejected",
                                           "rewards/accuracies",
                                           "rewards/margins",
                                           "logps/chosen",
                                           "logps/rejected",
                                           "logits/chosen",
                                           "logits/rejected",
                                           "entropy",
                                           "mean_token_accuracy",
                                           "num_tokens"};
  std::set<std::string> train = {"step", "epoch", "grad_norm", "grad_flushed_to_zero",
                                 "learning_rate"};
  std::set<std::string> eval = {"step"};
  for (const std::string& name : of_method) {
    train.insert(name);
    eval.insert("eval_" + name);
  }
  EXPECT_EQ(keys(lines[0]), train);
  EXPECT_EQ(keys(lines[1]), eval);
}

TEST_F(Metrics, OfTheHeadThatLearnsAreOfTheHeadAsItStands) {
  DpoConfig config;
  config.learning_rate = 0.1;
  config.max_steps = 2;
  config.logging_steps = 1;
  config.per_device_train_batch_size = 4;
  llm::Model model = llm::testing::random_model({});
  const auto pairs = testing::pairs(4, 96);
  const std::vector<Json> lines = dpo(model, config, pairs, pairs);
  // The evaluation behind step 2 sees other weights than step 2 did, step 2 others than step 1.
  const double at[] = {lines[0].at("logits/chosen").as_double(),
                       lines[1].at("logits/chosen").as_double(),
                       lines[2].at("eval_logits/chosen").as_double()};
  EXPECT_NE(at[0], at[1]);
  // By hand: the mean of the logits of every chosen token under the model as it ended.
  double sum = 0, count = 0;
  for (const auto& pair : pairs) {
    std::vector<int32_t> tokens = pair.prompt;
    tokens.insert(tokens.end(), pair.chosen.begin(), pair.chosen.end());
    const auto logits = llm::testing::logits_of(compute_, model, nullptr, tokens);
    for (size_t i = pair.prompt.size(); i < tokens.size(); ++i) {
      for (float logit : logits[i - 1]) sum += static_cast<double>(logit) / 96;
      count += 1;
    }
  }
  EXPECT_NEAR(at[2], sum / count, 1e-6);
}

TEST_F(Metrics, GradientsBelowTheFixedPointAreCounted) {
  const SftConfig config;
  std::vector<llm::TreeExample> batch;
  for (const llm::SftTokens& row : testing::sft_rows(5, 96)) batch.push_back(row.tree());
  double before = -1;
  for (int exponent : {40, 8, 0, -20}) {
    llm::Model model = llm::testing::random_model({});
    llm::Trainable trainable = llm::full_parameters(model);
    Optimizer optimizer(compute_, trainable, config);
    llm::testing::set_exponents(trainable, exponent);
    llm::TrainingPass pass(compute_, model, nullptr, 256, {});
    const double share = accumulate_gradients(
                             pass, optimizer, batch,
                             [](size_t, const llm::TreeResult&, std::span<float> coefficients) {
                               std::fill(coefficients.begin(), coefficients.end(), -1.0f);
                             },
                             1)
                             .flushed_to_zero;
    EXPECT_GT(share, before) << exponent;
    EXPECT_LE(share, 1) << exponent;
    before = share;
  }
  EXPECT_GT(before, 0.5);  // at 2^20 a unit nothing is left but what was 0 anyhow
}

TEST_F(Metrics, GradientNormsByTensorAddUpToTheWhole) {
  DpoConfig config;
  config.max_steps = 1;
  config.log_gradient_norms = true;
  llm::Model model = llm::testing::random_model({});
  const Json line = dpo(model, config, testing::pairs(4, 96)).at(0);
  double squares = 0;
  size_t tensors = 0;
  for (const auto& [key, value] : line.as_object()) {
    if (!key.starts_with("grad_norm/")) continue;
    squares += std::pow(value.as_double(), 2);
    ++tensors;
  }
  EXPECT_EQ(tensors, llm::full_parameters(model).parameters.size());
  EXPECT_TRUE(line.find("grad_norm/model.layers.1.self_attn.q_proj.weight") != nullptr);
  const double norm = line.at("grad_norm").as_double();
  EXPECT_NEAR(std::sqrt(squares), norm, 1e-12 * norm);
}

}  // namespace
}  // namespace hone::train
