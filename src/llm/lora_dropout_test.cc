#include "llm/lora_dropout.h"

#include <gtest/gtest.h>

#include <cmath>

#include "llm/testing.h"

namespace hone::llm {
namespace {

using testing::random_tokens;

std::vector<TreeExample> batch_of(size_t trees) {
  Rng rng(6, rng_stream("dropout-batch"));
  std::vector<TreeExample> batch;
  for (size_t i = 0; i < trees; ++i) {
    batch.push_back(testing::all_targets(
        i % 2 == 0 ? make_group(random_tokens(rng, 9 + i, 96),
                                {random_tokens(rng, 7, 96), random_tokens(rng, 12 + 20 * i, 96)})
                   : make_sequence(random_tokens(rng, 20 + 30 * i, 96))));
  }
  return batch;
}

float coefficient(size_t tree, size_t i) {
  return (tree % 2 == 0 ? 0.25f : -0.5f) * static_cast<float>(1 + i % 3);
}

// One step's gradients; returns the loss, a weighted sum of log-probabilities.
double run(tensor::Compute& compute, const Model& model, const LoraAdapter& adapter,
           Trainable& trainable, const std::vector<TreeExample>& batch, LoraDropout dropout,
           size_t max_rows = 4096, bool recompute = false) {
  TrainingPass pass(compute, model, &adapter, std::max(max_rows, least_pass_rows(batch)),
                    PassOptions{recompute, true});
  double loss = 0;
  for_each_pass(batch, pass.max_rows(), [&](const PlannedPass& planned) {
    dropout.first_tree = planned.first;
    const auto add = [&](const PassResult& result, std::span<float> coefficients) {
      for (size_t t = 0; t < planned.count; ++t) {
        for (size_t i = planned.target_begin[t]; i < planned.target_begin[t + 1]; ++i) {
          coefficients[i] = coefficient(planned.first + t, i - planned.target_begin[t]);
          loss += static_cast<double>(coefficients[i]) * static_cast<double>(result.log_probs[i]);
        }
      }
    };
    EXPECT_FALSE(pass.run(planned.rows, planned.targets, add, trainable, &dropout).overflow);
    return true;
  });
  return loss;
}

TEST(LoraDropout, KeepsTheShareAndTheMean) {
  tensor::Compute compute(2);
  const std::vector<TokenTree> trees = {make_sequence(std::vector<int32_t>(400, 1))};
  const TreeRows rows(trees);
  tensor::Tensor x(400, 203), y(400, 203);
  for (size_t r = 0; r < 400; ++r) std::fill_n(x.view().row(r), 203, 3.0f);
  for (double p : {0.05, 0.3, 0.9}) {
    const DropoutRows dropout({p, 42, 7, 0}, rows);
    dropout.apply(compute, 3, LinearKind::kUp, x.view(), y.view());
    size_t dropped = 0;
    for (size_t r = 0; r < 400; ++r) {
      for (size_t c = 0; c < 203; ++c) {
        const float value = y.view().row(r)[c];
        if (value == 0) {
          ++dropped;
        } else {
          EXPECT_EQ(value, 3.0f * static_cast<float>(1 / (1 - p)));
        }
      }
    }
    const double n = 400 * 203;
    EXPECT_NEAR(static_cast<double>(dropped) / n, p, 5 * std::sqrt(p * (1 - p) / n));
  }
}

TEST(LoraDropout, EverythingThatNamesAMaskChangesIt) {
  tensor::Compute compute(1);
  const std::vector<TokenTree> trees = {make_group({1, 2, 3}, {{4, 5}, {4, 5}}),
                                        make_group({1, 2, 3}, {{4, 5}, {4, 5}})};
  const TreeRows rows(trees);
  const auto mask = [&](LoraDropout dropout, size_t layer, LinearKind kind) {
    tensor::Tensor x(rows.size(), 64), y(rows.size(), 64);
    for (size_t r = 0; r < rows.size(); ++r) std::fill_n(x.view().row(r), 64, 1.0f);
    DropoutRows(dropout, rows).apply(compute, layer, kind, x.view(), y.view());
    std::vector<std::vector<float>> out;
    for (size_t r = 0; r < rows.size(); ++r) {
      out.emplace_back(y.view().row(r), y.view().row(r) + 64);
    }
    return out;
  };
  const auto first = mask({0.5, 42, 1, 0}, 0, LinearKind::kQ);
  EXPECT_TRUE(first == mask({0.5, 42, 1, 0}, 0, LinearKind::kQ));
  EXPECT_FALSE(first == mask({0.5, 43, 1, 0}, 0, LinearKind::kQ));
  EXPECT_FALSE(first == mask({0.5, 42, 2, 0}, 0, LinearKind::kQ));
  EXPECT_FALSE(first == mask({0.5, 42, 1, 1}, 0, LinearKind::kQ));
  EXPECT_FALSE(first == mask({0.5, 42, 1, 0}, 1, LinearKind::kQ));
  EXPECT_FALSE(first == mask({0.5, 42, 1, 0}, 0, LinearKind::kK));
  for (size_t a = 0; a < first.size(); ++a) {
    for (size_t b = 0; b < a; ++b) EXPECT_NE(first[a], first[b]) << a << " " << b;
  }
}

// With the masks held fixed the loss is a function like any other: a fourth-order central
// difference along each parameter's own gradient.
TEST(LoraDropout, GradientsFollowTheForwardUnderFixedMasks) {
  tensor::Compute compute(1);
  testing::TinyShape shape;
  shape.qk_norm = true;
  const Model model = testing::random_model(shape);
  LoraAdapter adapter = testing::random_adapter(model, 5);
  const std::vector<TreeExample> batch = batch_of(2);
  const LoraDropout dropout{0.3, 42, 9, 0};
  Trainable trainable = lora_parameters(model, adapter);
  testing::set_exponents(trainable, 38);
  run(compute, model, adapter, trainable, batch, dropout);
  Trainable scratch = lora_parameters(model, adapter);
  testing::set_exponents(scratch, 30);
  for (Parameter& p : trainable.parameters) {
    const double norm = testing::gradient_norm(p);
    ASSERT_GT(norm, 0) << p.name;
    const std::vector<float> before(p.values, p.values + p.size);
    const auto at = [&](double step) {
      for (size_t i = 0; i < p.size; ++i) {
        const double direction = static_cast<double>(p.factor) * static_cast<double>(p.fixed()[i]) *
                                 std::ldexp(1.0, -p.exponent) / norm;
        p.values[i] = static_cast<float>(static_cast<double>(before[i]) + step * direction);
      }
      return run(compute, model, adapter, scratch, batch, dropout);
    };
    const double h = 0.02;
    const double slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
    std::copy(before.begin(), before.end(), p.values);
    EXPECT_NEAR(slope / norm, 1, 4e-3) << p.name << " norm " << norm;
  }
}

TEST(LoraDropout, CutsThreadsAndRecomputeChangeNoBit) {
  const Model model = testing::random_model({});
  LoraAdapter adapter = testing::random_adapter(model, 4);
  const std::vector<TreeExample> batch = batch_of(8);
  std::vector<std::vector<int64_t>> first;
  double first_loss = 0;
  for (const auto& [threads, max_rows, recompute] :
       {std::tuple<size_t, size_t, bool>{1, 4096, false}, {2, 1, true}, {3, 512, false}}) {
    tensor::Compute compute(threads);
    Trainable trainable = lora_parameters(model, adapter);
    testing::set_exponents(trainable, 34);
    const double loss =
        run(compute, model, adapter, trainable, batch, {0.1, 42, 3, 0}, max_rows, recompute);
    if (first.empty()) {
      first = testing::integers_of(trainable);
      first_loss = loss;
    }
    EXPECT_TRUE(first == testing::integers_of(trainable)) << threads << " threads";
    EXPECT_EQ(loss, first_loss);
  }
}

TEST(LoraDropout, AShareOfZeroIsNoDropout) {
  tensor::Compute compute(1);
  const Model model = testing::random_model({});
  LoraAdapter adapter = testing::random_adapter(model, 4);
  const std::vector<TreeExample> batch = batch_of(3);
  Trainable without = lora_parameters(model, adapter), with = lora_parameters(model, adapter);
  testing::set_exponents(without, 34);
  testing::set_exponents(with, 34);
  testing::run_batch(compute, model, &adapter, without, batch, 4096, false, coefficient);
  run(compute, model, adapter, with, batch, {0, 42, 3, 0});
  EXPECT_TRUE(testing::integers_of(without) == testing::integers_of(with));
  run(compute, model, adapter, with, batch, {0.2, 42, 3, 0});
  EXPECT_FALSE(testing::integers_of(without) == testing::integers_of(with));
}

}  // namespace
}  // namespace hone::llm
