// Distillation: TRL's loss and PyTorch's gradient, what may not change a bit, and what a run
// says.
#include "train/distill.h"

#include <gtest/gtest.h>

#include <cmath>

#include "train/testing.h"

namespace hone::train {
namespace {

using llm::Parameter;
using llm::TreeExample;
using llm::testing::doubles_of;
using testing::golden_trees;
using testing::small_shape;

struct Gradient {
  double loss = 0;  // mean over the tokens
  size_t tokens = 0;
};

// Adds the gradient of the sum of all divergences.
Gradient run_against(tensor::Compute& compute, llm::Model& student, llm::Trainable& trainable,
                     const llm::Model& teacher, const std::vector<TreeExample>& trees, double beta,
                     size_t max_rows, bool recompute) {
  const size_t rows = std::max(max_rows, llm::least_pass_rows(trees));
  llm::TrainingPass of_teacher(compute, teacher, nullptr, rows, llm::PassOptions{true});
  llm::TrainingPass pass(compute, student, nullptr, rows,
                         llm::PassOptions{recompute, false, true, true});
  pass.learn_from(&of_teacher, static_cast<float>(beta));
  Gradient out;
  llm::for_each_pass(trees, rows, [&](const llm::PlannedPass& planned) {
    const std::vector<float> known(planned.targets.size(), 1.0f);
    const auto watch = [&](const llm::PassResult& result, std::span<float>) {
      for (const float d : result.divergences) out.loss += static_cast<double>(d);
      out.tokens += result.divergences.size();
    };
    EXPECT_FALSE(
        pass.run(planned.rows, planned.targets, watch, trainable, nullptr, known).overflow);
    return true;
  });
  out.loss /= static_cast<double>(out.tokens);
  return out;
}

// tests/golden/train/README.md
TEST(Distill, LossAndGradientAreThoseOfTrlAndPyTorch) {
  const Json golden = llm::testing::read_json("tests/golden/train/distillation.json");
  tensor::Compute compute(2);
  const llm::Model teacher = llm::testing::load_golden(compute, golden.at("teacher").as_string());
  llm::Model student = llm::testing::load_golden(compute, golden.at("student").as_string());
  llm::make_trainable(compute, student);
  for (const Json& c : golden.at("cases").as_array()) {
    const double beta = c.at("beta").as_double();
    llm::Trainable trainable = llm::full_parameters(student);
    llm::testing::set_exponents(trainable, 40);
    const Gradient got =
        run_against(compute, student, trainable, teacher, golden_trees(golden), beta, 64, false);
    const double loss = c.at("loss").as_double();
    EXPECT_NEAR(got.loss, loss, 2e-6 * (1 + loss)) << beta;
    const auto tokens = static_cast<double>(got.tokens);
    for (const Parameter& p : trainable.parameters) {
      const Json& wanted = c.at("gradients").at(p.name);
      const double norm = wanted.at("norm").as_double();
      EXPECT_NEAR(llm::testing::gradient_norm(p) / tokens, norm, 5e-5 * norm) << beta << p.name;
      const std::vector<double> sample = doubles_of(wanted.at("sample"));
      for (size_t i = 0; i < sample.size(); ++i) {
        EXPECT_NEAR(llm::testing::gradient_at(p, i / p.cols, i % p.cols) / tokens, sample[i],
                    5e-5 * norm)
            << beta << p.name << i;
      }
    }
  }
}

TEST(Distill, CutsThreadsAndRecomputeChangeNoBitOfTheGradient) {
  llm::Model student = llm::testing::random_model(small_shape());
  const llm::Model teacher = llm::testing::random_model(small_shape(2, 24), 9);
  std::vector<TreeExample> trees;
  for (const llm::SftTokens& row : testing::sft_rows(20, 32)) trees.push_back(row.tree());
  std::vector<std::vector<int64_t>> first;
  for (const auto& [threads, max_rows, recompute] :
       {std::tuple<size_t, size_t, bool>{1, 4096, false}, {2, 1, true}, {3, 100, false}}) {
    tensor::Compute compute(threads);
    llm::Trainable trainable = llm::full_parameters(student);
    llm::testing::set_exponents(trainable, 34);
    run_against(compute, student, trainable, teacher, trees, 0.5, max_rows, recompute);
    if (first.empty()) first = llm::testing::integers_of(trainable);
    EXPECT_TRUE(first == llm::testing::integers_of(trainable)) << threads << " " << max_rows;
  }
}

// Rows of which the second half is the answer.
std::vector<llm::SftTokens> answered_rows(size_t count) {
  std::vector<llm::SftTokens> rows = testing::sft_rows(count, 32);
  for (llm::SftTokens& row : rows) {
    for (size_t i = 0; i < row.tokens.size() / 2; ++i) row.trained[i] = 0;
  }
  return rows;
}

struct Outcome {
  std::vector<Json> lines;
  Json report;
  std::vector<std::vector<float>> values;
};

Outcome train(const std::string& folder, const DistillConfig& config, size_t stop_after = 0) {
  tensor::Compute compute(1);
  const llm::Model teacher = llm::testing::random_model(small_shape(2, 24), 9);
  llm::Model student = llm::testing::random_model(small_shape());
  testing::StoppedJob job(compute, real_env(), student, folder + "/run",
                          real_env().exists(folder + "/run"), stop_after);
  train_distill(job, config, answered_rows(8), answered_rows(5), {teacher});
  Outcome run;
  run.lines = testing::lines_of(real_env(), job.output + "/metrics.jsonl");
  if (job.env.exists(job.output + "/distillation.json")) {
    run.report = llm::testing::read_json(job.output + "/distillation.json");
  }
  run.values = testing::model_values(student);
  return run;
}

DistillConfig small_config() {
  DistillConfig config;
  config.learning_rate = 1e-2;
  config.max_steps = 8;
  config.per_device_train_batch_size = 4;
  config.logging_steps = 1;
  config.eval_steps = 4;
  config.save_steps = 1;
  config.max_new_tokens = 6;
  return config;
}

TEST(Distill, TheStudentComesNearerAndTheReportSaysHowFar) {
  for (const double beta : {0.0, 0.5, 1.0}) {
    llm::testing::TemporaryFolder folder("distill");
    DistillConfig config = small_config();
    config.beta = beta;
    config.lmbda = 0;
    config.max_steps = 40;
    const Outcome run = train(folder.path(), config);
    const double before = run.report.at("divergence_before").as_double();
    const double after = run.report.at("divergence_after").as_double();
    EXPECT_GT(before, 0);
    EXPECT_LT(after, 0.8 * before) << beta;
    // Rows that are noise: what a random teacher says of them says nothing of who is better.
    EXPECT_TRUE(run.report.find("teacher") != nullptr && run.report.find("after") != nullptr);
    EXPECT_EQ(run.lines.back().at("eval_loss").as_double(), after);
  }
}

TEST(Distill, StepsLearnFromTheStudentsAnswersAsOftenAsAsked) {
  for (const auto& [lmbda, seq_kd, least, most] :
       {std::tuple<double, bool, size_t, size_t>{0, false, 0, 0},
        {1, false, 8, 8},
        {0.5, false, 1, 7},
        {0, true, 0, 0}}) {
    llm::testing::TemporaryFolder folder("distill_policy");
    DistillConfig config = small_config();
    config.lmbda = lmbda;
    config.seq_kd = seq_kd;
    const Outcome run = train(folder.path(), config);
    size_t on_policy = 0, drawn = 0;
    for (const Json& line : run.lines) {
      if (line.find("on_policy") == nullptr) continue;
      on_policy += line.at("on_policy").as_double() == 1 ? 1 : 0;
      drawn += line.find("completions/mean_length") != nullptr ? 1 : 0;
    }
    EXPECT_GE(on_policy, least) << lmbda;
    EXPECT_LE(on_policy, most) << lmbda;
    EXPECT_EQ(drawn, seq_kd ? 8u : on_policy);
  }
}

TEST(Distill, ARunThatWasStoppedGoesOnToTheSameBits) {
  DistillConfig config = small_config();
  for (const bool seq_kd : {false, true}) {
    config.seq_kd = seq_kd;
    llm::testing::TemporaryFolder whole("distill_whole");
    const Outcome expected = train(whole.path(), config);
    for (const size_t stop : {1, 3, 6}) {
      llm::testing::TemporaryFolder folder("distill_stopped");
      train(folder.path(), config, stop);
      const Outcome run = train(folder.path(), config);
      EXPECT_TRUE(run.values == expected.values) << "stopped after " << stop;
      EXPECT_EQ(run.report.dump(), expected.report.dump());
      EXPECT_EQ(run.lines.size(), expected.lines.size());
    }
  }
}

TEST(Distill, WhatCannotBeIsRefusedWithAReason) {
  const auto with = [](auto change) {
    DistillConfig config = small_config();
    change(config);
    return llm::testing::refusal([&] { validate(config); });
  };
  EXPECT_EQ(with([](DistillConfig&) {}), "accepted");
  EXPECT_EQ(with([](DistillConfig& c) { c.beta = 1.5; }), "--beta is 1.5: it must be from 0 to 1");
  EXPECT_EQ(with([](DistillConfig& c) { c.lmbda = -1; }), "--lmbda is -1: it must be from 0 to 1");
  EXPECT_NE(with([](DistillConfig& c) { c.temperature = 0; }), "accepted");
  EXPECT_NE(with([](DistillConfig& c) { c.max_new_tokens = 0; }), "accepted");

  tensor::Compute compute(1);
  const llm::Model teacher = llm::testing::random_model(small_shape(), 9);
  llm::Model student = llm::testing::random_model(small_shape());
  llm::testing::TemporaryFolder folder("distill_refused");
  TrainJob job{compute, real_env(), student, folder.path() + "/run"};
  const std::string why = llm::testing::refusal(
      [&] { train_distill(job, small_config(), testing::sft_rows(4, 32), {}, {teacher}); });
  EXPECT_NE(why.find("has no prompt"), std::string::npos) << why;
  EXPECT_FALSE(job.env.exists(job.output));
}

TEST(Distill, SettingsComeBackFromAManifest) {
  DistillConfig config = small_config();
  config.seq_kd = true;
  config.beta = 0.25;
  EXPECT_EQ(distill_config_from_json(config.to_json()).to_json().dump(), config.to_json().dump());
}

}  // namespace
}  // namespace hone::train
