// A run that was interrupted anywhere ends with the bits of one that was not.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/fault_env.h"
#include "tensor/recipe.h"
#include "train/tensorboard.h"
#include "train/testing.h"

namespace hone::train {
namespace {

using Values = std::vector<std::vector<float>>;

template <typename Config>
Config small_config() {
  Config config;
  config.learning_rate = 1e-2;
  config.max_steps = 7;
  config.per_device_train_batch_size = 3;
  config.gradient_accumulation_steps = 1;
  config.logging_steps = 2;
  config.eval_steps = 3;
  config.save_steps = 2;
  config.warmup_steps = 2;
  return config;
}

struct Outcome {
  Values values;
  TrainResult result;
};

class Method {
 public:
  virtual ~Method() = default;
  virtual Outcome run(Env& env, bool resume, size_t stop_after) = 0;
  bool accept_recipe = false;

 protected:
  // Runs `train(job)` so that it is asked to stop after that many steps; 0: never.
  template <typename Train>
  TrainResult guarded(Env& env, llm::Model& model, bool resume, size_t stop_after, Train train) {
    testing::StoppedJob job(compute_, env, model, "runs/one", resume, stop_after);
    job.accept_recipe = accept_recipe;
    return train(job);
  }
  tensor::Compute compute_{1};
};

class FullSft : public Method {
 public:
  SftConfig config = small_config<SftConfig>();
  std::vector<llm::SftTokens> rows = testing::sft_rows(8, 32);

  Outcome run(Env& env, bool resume, size_t stop_after) override {
    llm::Model model = llm::testing::random_model(testing::small_shape());
    Outcome out;
    out.result = guarded(env, model, resume, stop_after, [&](TrainJob& job) {
      return train_sft(job, config, rows, testing::sft_rows(2, 32));
    });
    out.values = testing::model_values(model);
    return out;
  }
};

class LoraDpo : public Method {
 public:
  DpoConfig config = small_config<DpoConfig>();
  std::vector<llm::PreferenceTokens> pairs = testing::pairs(8, 32),
                                     eval_pairs = testing::pairs(2, 32);
  LoraDpo() {
    config.lora_r = 2;
    config.loss_type = {PreferenceLossType::kSigmoid, PreferenceLossType::kSft};
    config.loss_weights = {1, 0.1};
    config.lora_dropout = 0.1;
    config.report_to = ReportTo::kTensorboard;
  }

  Outcome run(Env& env, bool resume, size_t stop_after) override {
    llm::Model model = llm::testing::random_model(testing::small_shape());
    Outcome out;
    out.result = guarded(env, model, resume, stop_after, [&](TrainJob& job) {
      return train_dpo(job, config, pairs, eval_pairs, {nullptr, nullptr, "base"});
    });
    out.values = testing::adapter_values(model, *out.result.adapter);
    return out;
  }
};

constexpr const char* kEvents = "runs/one/events.out.tfevents.hone";

std::string log_of(Env& env, const char* name) {
  return env.read_file(std::string("runs/one/") + name, 1u << 30);
}

void expect_same_end(Env& ours, Env& theirs, const Outcome& a, const Outcome& b,
                     const std::string& what) {
  ASSERT_TRUE(a.values == b.values) << what << ": other weights";
  ASSERT_EQ(a.result.steps, b.result.steps) << what;
  ASSERT_EQ(log_of(ours, "steps.jsonl"), log_of(theirs, "steps.jsonl")) << what;
  ASSERT_EQ(log_of(ours, "metrics.jsonl"), log_of(theirs, "metrics.jsonl")) << what;
  ASSERT_EQ(ours.exists(kEvents), theirs.exists(kEvents)) << what;
  if (!ours.exists(kEvents)) return;
  const std::string events = ours.read_file(kEvents, 1u << 30);
  ASSERT_EQ(events, theirs.read_file(kEvents, 1u << 30)) << what;
  std::string wanted = tensorboard_header();
  for (const Json& line : testing::lines_of(ours, "runs/one/metrics.jsonl")) {
    wanted += tensorboard_event(line);
  }
  ASSERT_EQ(events, wanted) << what;
}

void expect_stops_change_nothing(Method& method) {
  FaultEnv whole_env;
  const Outcome whole = method.run(whole_env, false, 0);
  ASSERT_EQ(whole.result.steps, 7u);
  for (size_t stop = 1; stop <= 6; ++stop) {
    FaultEnv env;
    const Outcome part = method.run(env, false, stop);
    ASSERT_TRUE(part.result.stopped);
    ASSERT_EQ(part.result.steps, stop);
    env.crash();  // what a stop has saved is safe
    Outcome rest = method.run(env, true, 2);
    if (stop < 5) {
      ASSERT_EQ(rest.result.steps, stop + 2);
      rest = method.run(env, true, 0);
    }
    if (stop == 5) rest = method.run(env, true, 0);
    expect_same_end(whole_env, env, whole, rest, "stopped after " + std::to_string(stop));
  }
}

// Every operation of the disk fails in turn and the power goes with it.
void expect_crashes_change_nothing(Method& method) {
  FaultEnv whole_env;
  const Outcome whole = method.run(whole_env, false, 0);
  const uint64_t operations = whole_env.operations();
  ASSERT_GT(operations, 30u);
  size_t resumed_late = 0;
  for (uint64_t at = 1; at <= operations; ++at) {
    FaultEnv env;
    env.fail_at(at);
    const std::string what =
        "operation " + std::to_string(at) + " of " + std::to_string(operations);
    try {
      method.run(env, false, 0);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kUnavailable) << what << ": " << error.message();
    }
    env.crash();
    if (env.exists("runs/one/checkpoints/step-000004/state.safetensors")) ++resumed_late;
    const Outcome rest = method.run(env, true, 0);
    expect_same_end(whole_env, env, whole, rest, what);
  }
  EXPECT_GT(resumed_late, 5u);  // checkpoints did survive
}

TEST(Resume, AFullSftThatWasStoppedEndsWithTheSameBits) {
  FullSft method;
  expect_stops_change_nothing(method);
}

TEST(Resume, ALoraDpoThatWasStoppedEndsWithTheSameBits) {
  LoraDpo method;
  expect_stops_change_nothing(method);
}

TEST(Resume, ADpoThatSortsItsPairsAndWasStoppedEndsWithTheSameBits) {
  LoraDpo method;
  method.config.lora_dropout = 0;
  method.config.loss_type = {PreferenceLossType::kAot, PreferenceLossType::kSft};
  method.config.ld_alpha = 0.5;
  for (auto* pairs : {&method.pairs, &method.eval_pairs}) {
    for (llm::PreferenceTokens& pair : *pairs) pair.weight = pair.probability = 1;
  }
  expect_stops_change_nothing(method);
}

TEST(Resume, AFullSftSurvivesAPowerCutAtEveryOperation) {
  FullSft method;
  expect_crashes_change_nothing(method);
}

TEST(Resume, ALoraDpoSurvivesAPowerCutAtEveryOperation) {
  LoraDpo method;
  expect_crashes_change_nothing(method);
}

// There is room for ever more bytes. What was saved before the disk was full is whole, and once
// there is room again the run goes on to the same bits.
void expect_a_full_disk_loses_nothing(Method& method) {
  FaultEnv whole_env;
  const Outcome whole = method.run(whole_env, false, 0);
  size_t with_checkpoint = 0;
  bool full = true;
  for (uint64_t room = 0; full; room += room / 3 + 100) {
    FaultEnv env;
    env.full_after(room);
    full = false;
    try {
      method.run(env, false, 0);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kUnavailable) << error.message();
      full = true;
    }
    if (env.exists("runs/one/checkpoints/step-000002")) ++with_checkpoint;
    env.full_after(UINT64_MAX);
    const Outcome rest = method.run(env, true, 0);
    expect_same_end(whole_env, env, whole, rest, "room for " + std::to_string(room) + " bytes");
  }
  EXPECT_GT(with_checkpoint, 2u);  // some of them were full late
}

TEST(Resume, AFullSftOnAFullDiskLosesNothing) {
  FullSft method;
  expect_a_full_disk_loses_nothing(method);
}

TEST(Resume, ALoraDpoOnAFullDiskLosesNothing) {
  LoraDpo method;
  expect_a_full_disk_loses_nothing(method);
}

TEST(Resume, ACheckpointThatWasReachedIsNeverLost) {
  FullSft method;
  FaultEnv env;
  method.run(env, false, 5);
  env.crash();
  ASSERT_TRUE(env.exists("runs/one/manifest.json"));
  EXPECT_TRUE(env.exists("runs/one/checkpoints/step-000005/state.safetensors"));
}

TEST(Resume, OptionsThatDecideNoBitMayChange) {
  FullSft method;
  FaultEnv whole_env, env;
  const Outcome whole = method.run(whole_env, false, 0);
  env.fail_at(whole_env.operations() * 2 / 3);
  EXPECT_THROW(method.run(env, false, 0), Error);  // no power cut: the lines stay
  method.config.logging_steps = 1;
  method.config.eval_steps = 0;
  method.config.max_tokens_per_pass = 16;
  method.config.recompute = true;
  EXPECT_TRUE(method.run(env, true, 0).values == whole.values);
  EXPECT_EQ(log_of(env, "steps.jsonl"), log_of(whole_env, "steps.jsonl"));
}

TEST(Resume, AnotherSettingOrFolderInUseIsRefused) {
  FullSft method;
  FaultEnv env;
  method.run(env, false, 3);
  const auto said = [&](bool resume) {
    return llm::testing::refusal([&] { method.run(env, resume, 0); });
  };
  EXPECT_NE(said(false).find("--resume"), std::string::npos);
  method.config.learning_rate = 2e-2;
  EXPECT_NE(said(true).find("settings"), std::string::npos);
}

void replace_in(Env& env, const std::string& path, const std::string& from, const std::string& to) {
  std::string text = env.read_file(path, 1u << 30);
  for (size_t at; (at = text.find(from)) != std::string::npos;) text.replace(at, from.size(), to);
  write_file_atomically(env, path, text);
}

// The recipe of manifest and checkpoint as an older program would have named it.
TEST(Resume, ACheckpointOfAnotherRecipeGoesOnOnlyWhenAccepted) {
  LoraDpo method;
  FaultEnv whole_env, env;
  const Outcome whole = method.run(whole_env, false, 0);
  method.run(env, false, 3);
  const std::string now = tensor::kRecipe, before = "older-f32/7";
  ASSERT_EQ(now.size(), before.size());  // the checkpoint's header keeps its length
  replace_in(env, "runs/one/checkpoints/step-000003/state.safetensors", now, before);
  const std::string checkpoint_alone = llm::testing::refusal([&] { method.run(env, true, 0); });
  EXPECT_NE(checkpoint_alone.find("--accept-recipe"), std::string::npos) << checkpoint_alone;
  replace_in(env, "runs/one/manifest.json", now, before);
  const std::string said = llm::testing::refusal([&] { method.run(env, true, 0); });
  EXPECT_NE(said.find("--accept-recipe"), std::string::npos) << said;
  EXPECT_NE(said.find(before), std::string::npos) << said;
  method.accept_recipe = true;
  const Outcome rest = method.run(env, true, 0);
  EXPECT_TRUE(rest.values == whole.values);  // the recipe had another name only
  const data::RunManifest manifest = RunDirectory::read_manifest(env, "runs/one");
  EXPECT_EQ(manifest.recipe, now);
  ASSERT_EQ(manifest.earlier_recipes.size(), 1u);
  EXPECT_EQ(manifest.earlier_recipes[0], (data::RunManifest::EarlierRecipe{before, 3}));
  // From here on nothing has to be accepted again, and the history stays.
  method.accept_recipe = false;
  method.run(env, true, 0);
  EXPECT_EQ(RunDirectory::read_manifest(env, "runs/one").earlier_recipes.size(), 1u);
}

// Steps that the older recipe computed behind its last checkpoint are not held against the new one.
TEST(Resume, LinesOfAnotherRecipeAreNotCompared) {
  FullSft method;
  FaultEnv env;
  method.run(env, false, 3);
  const std::string now = tensor::kRecipe, before = "older-f32/7";
  replace_in(env, "runs/one/checkpoints/step-000003/state.safetensors", now, before);
  replace_in(env, "runs/one/manifest.json", now, before);
  const std::string steps = log_of(env, "steps.jsonl");
  write_file_atomically(env, "runs/one/steps.jsonl",
                        steps + R"({"step":4,"loss":1,"grad_norm":1,"hash":"00"})" + "\n");
  method.accept_recipe = true;
  EXPECT_EQ(method.run(env, true, 0).result.steps, 7u);
}

TEST(Resume, OnlyTheNewestCheckpointsStay) {
  FullSft method;
  method.config.save_steps = 1;
  method.config.save_total_limit = 3;
  FaultEnv env;
  method.run(env, false, 0);
  EXPECT_EQ(env.list_directory("runs/one/checkpoints"),
            (std::vector<std::string>{"step-000005", "step-000006", "step-000007"}));
}

// A kill between the name of a new checkpoint and the removal of an old one, and within a removal.
TEST(Resume, WhatAKillLeftOfOldCheckpointsIsRemoved) {
  FullSft method;
  method.config.save_steps = 1;
  method.config.save_total_limit = 3;
  FaultEnv env;
  method.run(env, false, 0);
  const std::string folder = "runs/one/checkpoints/";
  const std::string state =
      env.read_file(folder + "step-000005/state.safetensors", uint64_t{1} << 30);
  for (const char* name : {"step-000004/state.safetensors", "step-000003/rollouts.jsonl",
                           ".writing/state.safetensors", "notes/mine.txt"}) {
    const std::string path = folder + name;
    env.create_directories(path.substr(0, path.rfind('/')));
    write_file_atomically(env, path, state);
  }
  EXPECT_EQ(method.run(env, true, 0).result.steps, 7u);
  EXPECT_EQ(env.list_directory("runs/one/checkpoints"),
            (std::vector<std::string>{"notes", "step-000005", "step-000006", "step-000007"}));
}

TEST(Resume, ACheckpointOfOtherParametersIsRefusedAndChangesNothing) {
  FullSft method;
  FaultEnv env;
  method.run(env, false, 3);
  const std::string path = "runs/one/checkpoints/step-000003/state.safetensors";
  const std::string bytes = env.read_file(path, 1u << 30);
  auto file = env.create_file(path);
  file->append(std::string_view(bytes).substr(0, bytes.size() / 2));
  file->close();
  const std::string said = llm::testing::refusal([&] { method.run(env, true, 0); });
  EXPECT_NE(said.find(path), std::string::npos) << said;
}

TEST(Resume, ACheckpointWhoseNumbersAreNonsenseIsRefused) {
  FullSft method;
  FaultEnv env;
  method.run(env, false, 3);
  const std::string path = "runs/one/checkpoints/step-000003/state.safetensors";
  const std::string bytes = env.read_file(path, 1u << 30);
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  const float nonsense[] = {std::numeric_limits<float>::quiet_NaN(), -1, 0.5f, 1e30f};
  for (size_t number : {1, 2, 3}) {  // the step's two parts, the first exponent
    for (float value : nonsense) {
      if (number == 3 && value == -1) continue;  // an exponent may be negative
      std::string damaged = bytes;
      std::memcpy(damaged.data() + 8 + header + number * sizeof value, &value, sizeof value);
      write_file_atomically(env, path, damaged);
      const std::string said = llm::testing::refusal([&] { method.run(env, true, 0); });
      EXPECT_NE(said.find("is damaged"), std::string::npos)
          << number << " " << value << ": " << said;
    }
  }
}

TEST(Resume, ARunIsNeverNamedAsAFile) {
  FullSft method;
  FaultEnv env;
  env.create_directories("runs");
  write_file_atomically(env, "runs/one", "mine");
  const std::string said = llm::testing::refusal([&] { method.run(env, false, 0); });
  EXPECT_NE(said.find("is a file"), std::string::npos) << said;
  EXPECT_EQ(env.read_file("runs/one", 99), "mine");
}

TEST(Training, PassSizeAndAccumulationChangeNoBit) {
  FullSft method;
  FaultEnv a, b, c;
  method.config.per_device_train_batch_size = 4;
  const Outcome whole = method.run(a, false, 0);
  method.config.per_device_train_batch_size = 1;
  method.config.gradient_accumulation_steps = 4;
  EXPECT_TRUE(method.run(b, false, 0).values == whole.values);
  method.config.max_tokens_per_pass = 1;
  EXPECT_TRUE(method.run(c, false, 0).values == whole.values);
}

TEST(Training, WeightsThatAreNotNumbersEndTheRunWithTheStep) {
  tensor::Compute compute(1);
  llm::Model model = llm::testing::random_model(testing::small_shape());
  model.final_norm[3] = std::numeric_limits<float>::quiet_NaN();
  FaultEnv env;
  TrainJob job{compute, env, model, "runs/one"};
  const std::string said = llm::testing::refusal(
      [&] { train_sft(job, small_config<SftConfig>(), testing::sft_rows(4, 32), {}); });
  EXPECT_NE(said.find("loss of step 1 is not a number"), std::string::npos) << said;
}

TEST(Training, ALearningRateThatBlowsUpEndsTheRunAndKeepsWhatWasSaved) {
  FullSft method;
  method.config.learning_rate = 1e38;
  method.config.warmup_steps = 0;
  method.config.save_steps = 1;
  FaultEnv env;
  const std::string said = llm::testing::refusal([&] { method.run(env, false, 0); });
  EXPECT_NE(said.find("--learning-rate"), std::string::npos) << said;
  EXPECT_TRUE(env.exists("runs/one/checkpoints/step-000001/state.safetensors"));
}

TEST(Training, RowsThatWeighNothingMoveNothing) {
  FullSft method;
  method.config.weight_decay = 0;
  for (llm::SftTokens& row : method.rows) row.weight = 0;
  FaultEnv env;
  llm::Model model = llm::testing::random_model(testing::small_shape());
  EXPECT_TRUE(method.run(env, false, 0).values == testing::model_values(model));
}

TEST(Training, NothingToTrainOnIsRefused) {
  FullSft method;
  method.rows.clear();
  FaultEnv env;
  EXPECT_NE(llm::testing::refusal([&] { method.run(env, false, 0); }).find("no row"),
            std::string::npos);
  LoraDpo dpo;
  dpo.pairs.clear();
  EXPECT_NE(llm::testing::refusal([&] { dpo.run(env, false, 0); }).find("no row"),
            std::string::npos);
}

// An exponent that leaves no room is widened and the step computed again: the same as if the run
// had started there.
TEST(Training, AStepThatOverflowedIsTheStepWithMoreRoom) {
  tensor::Compute compute(1);
  const SftConfig config = small_config<SftConfig>();
  std::vector<llm::TreeExample> batch;
  for (const llm::SftTokens& row : testing::sft_rows(5, 32)) batch.push_back(row.tree());
  std::vector<Values> ends;
  std::vector<size_t> calls;
  for (int exponent : {70, 50, 30}) {
    llm::Model model = llm::testing::random_model(testing::small_shape());
    llm::Trainable trainable = llm::full_parameters(model);
    Optimizer optimizer(compute, trainable, config);
    llm::testing::set_exponents(trainable, exponent);
    llm::TrainingPass pass(compute, model, nullptr, 256, {});
    size_t count = 0;
    for (size_t s = 1; s <= 3; ++s) {
      accumulate_gradients(
          pass, optimizer, batch,
          [&](size_t, const llm::TreeResult&, std::span<float> coefficients) {
            ++count;
            std::fill(coefficients.begin(), coefficients.end(), -1.0f);
          },
          s);
      optimizer.apply(100, 1e-2, s);
    }
    ends.push_back(llm::testing::values_of(trainable));
    calls.push_back(count);
  }
  EXPECT_GT(calls[0], calls[1]);
  EXPECT_GT(calls[1], calls[2]);  // at 30 there is room from the start
  EXPECT_EQ(calls[2], 15u);
  EXPECT_TRUE(ends[0] == ends[2]);
  EXPECT_TRUE(ends[1] == ends[2]);
}

}  // namespace
}  // namespace hone::train
