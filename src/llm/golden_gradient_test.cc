// The backward pass against PyTorch in float64, and against differences of the forward.
#include <gtest/gtest.h>

#include <cmath>

#include "llm/testing.h"

namespace hone::llm {
namespace {

using testing::doubles_of;
using testing::gradient_at;
using testing::gradient_norm;
using testing::ints_of;
using testing::kGolden;
using testing::read_json;

std::vector<TreeExample> sft_batch(const Json& golden) {
  std::vector<TreeExample> batch;
  for (const Json& row : golden.at("sft_rows").as_array()) {
    TreeExample example{make_sequence(ints_of(row.at("input_ids"))), {}};
    const std::vector<int32_t> labels = ints_of(row.at("labels"));
    for (uint32_t i = 1; i < labels.size(); ++i) {
      if (labels[i] != -100) example.targets.push_back({0, i});
    }
    batch.push_back(std::move(example));
  }
  return batch;
}

TEST(GoldenGradients, EveryTensorOfEveryFamilyHasPyTorchsGradient) {
  tensor::Compute compute(2);
  for (const std::string& name : testing::kGoldenModels) {
    const Json golden = read_json(kGolden + name + ".json");
    Model model = testing::load_golden(compute, name);
    make_trainable(compute, model);
    Trainable trainable = full_parameters(model);
    testing::set_exponents(trainable, 40);
    const std::vector<TreeExample> batch = sft_batch(golden);
    const double targets = golden.at("sft_targets").as_double();
    const auto result = testing::run_batch(compute, model, nullptr, trainable, batch, 512, false,
                                           [](size_t, size_t) { return -1.0f; });
    ASSERT_FALSE(result.overflow) << name;
    double loss = 0, squares = 0;
    size_t count = 0;
    for (const auto& row : result.log_probs) {
      count += row.size();
      for (float value : row) loss -= static_cast<double>(value);
    }
    EXPECT_EQ(static_cast<double>(count), targets) << name;
    EXPECT_NEAR(loss / targets, golden.at("sft_loss").as_double(), 2e-6) << name;
    EXPECT_EQ(trainable.parameters.size(), golden.at("gradients").size()) << name;
    for (const Parameter& p : trainable.parameters) {
      const Json& wanted = golden.at("gradients").at(p.name);
      const double norm = gradient_norm(p) / targets;
      const double wanted_norm = wanted.at("norm").as_double();
      squares += norm * norm;
      EXPECT_NEAR(norm, wanted_norm, 1e-5 * wanted_norm + 1e-7) << name << " " << p.name;
      const std::vector<int32_t> at = ints_of(wanted.at("at"));
      const std::vector<double> values = doubles_of(wanted.at("values"));
      for (size_t i = 0; i < at.size(); ++i) {
        const auto flat = static_cast<size_t>(at[i]);
        EXPECT_NEAR(gradient_at(p, flat / p.cols, flat % p.cols) / targets, values[i],
                    1e-5 * std::abs(values[i]) + 3e-6 * wanted_norm)
            << name << " " << p.name << " entry " << flat;
      }
    }
    const double wanted = golden.at("grad_norm").as_double();
    EXPECT_NEAR(std::sqrt(squares), wanted, 1e-5 * wanted) << name;
  }
}

// The loss whose gradient is tested: a weighted sum of log-probabilities, in f64.
double loss_of(tensor::Compute& compute, const Model& model, const LoraAdapter* adapter,
               const std::vector<TreeExample>& batch, const testing::Coefficient& coefficient) {
  TrainingPass pass(compute, model, adapter, least_pass_rows(batch), {});
  double loss = 0;
  score_trees(pass, batch, [&](size_t tree, const TreeResult& result) {
    for (size_t i = 0; i < result.log_probs.size(); ++i) {
      loss += static_cast<double>(coefficient(tree, i)) * static_cast<double>(result.log_probs[i]);
    }
  });
  return loss;
}

// For each parameter: the slope of the loss along the parameter's own gradient, by a fourth-order
// central difference, against the gradient's squared length.
void expect_slopes(tensor::Compute& compute, const Model& model, const LoraAdapter* adapter,
                   Trainable& trainable, const std::string& what) {
  Rng rng(5, rng_stream("slopes"));
  const size_t vocab = model.config.vocab_size;
  const std::vector<TreeExample> batch = {
      testing::all_targets(make_group(
          testing::random_tokens(rng, 9, vocab),
          {testing::random_tokens(rng, 7, vocab), testing::random_tokens(rng, 12, vocab)})),
      testing::all_targets(make_sequence(testing::random_tokens(rng, 20, vocab)))};
  const auto coefficient = [](size_t tree, size_t i) {
    return (tree == 0 ? 0.25f : -0.5f) * static_cast<float>(1 + i % 3);
  };
  testing::set_exponents(trainable, 38);
  ASSERT_FALSE(testing::run_batch(compute, model, adapter, trainable, batch, 64, false, coefficient)
                   .overflow);
  for (Parameter& p : trainable.parameters) {
    const double norm = gradient_norm(p);
    ASSERT_GT(norm, 0) << what << " " << p.name;
    const std::vector<float> before(p.values, p.values + p.size);
    const auto at = [&](double step) {
      for (size_t i = 0; i < p.size; ++i) {
        const double direction = static_cast<double>(p.factor) * static_cast<double>(p.fixed()[i]) *
                                 std::ldexp(1.0, -p.exponent) / norm;
        p.values[i] = static_cast<float>(static_cast<double>(before[i]) + step * direction);
      }
      return loss_of(compute, model, adapter, batch, coefficient);
    };
    const double h = 0.02;
    const double slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
    std::copy(before.begin(), before.end(), p.values);
    EXPECT_NEAR(slope / norm, 1, 4e-3) << what << " " << p.name << " norm " << norm;
  }
}

TEST(GradientSlopes, EveryParameterKindOfAFullModelFollowsTheForward) {
  tensor::Compute compute(1);
  testing::TinyShape biased;
  biased.bias = true;
  biased.tied = false;
  testing::TinyShape normed;
  normed.qk_norm = true;
  testing::TinyShape windowed;
  windowed.window = 5;
  windowed.heads = 3;  // 24 columns of q: not a multiple of a panel
  windowed.kv_heads = 1;
  windowed.bias = true;
  const std::pair<const char*, testing::TinyShape> cases[] = {
      {"bias, untied", biased}, {"norm per head", normed}, {"window, odd heads", windowed}};
  for (const auto& [what, shape] : cases) {
    Model model = testing::random_model(shape);
    Trainable trainable = full_parameters(model);
    expect_slopes(compute, model, nullptr, trainable, what);
  }
}

TEST(GradientSlopes, AAndBOfAllSevenMapsFollowTheForward) {
  tensor::Compute compute(1);
  testing::TinyShape shape;
  shape.qk_norm = true;
  const Model model = testing::random_model(shape);
  LoraAdapter adapter = testing::random_adapter(model, 5);
  Trainable trainable = lora_parameters(model, adapter);
  EXPECT_EQ(trainable.parameters.size(), 2u * 7 * 2);
  expect_slopes(compute, model, &adapter, trainable, "lora");
}

}  // namespace
}  // namespace hone::llm
