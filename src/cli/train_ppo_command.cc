// hone train ppo: from prompts and rewards to an adapter or a model, with a value head.

#include "cli/commands.h"
#include "cli/compat_option.h"
#include "cli/online_options.h"
#include "train/ppo.h"

namespace hone::cli {

namespace {

// What is only known to be given or not behind the parse.
struct PpoFlags {
  std::string estimator = "k1";
  double missing_eos_penalty = 0, value_learning_rate = 0;
};

void add_options(Options& options, train::PpoConfig& config, OnlineFlags& online, PpoFlags& flags) {
  options.section("PPO");
  options.count("response-length", &config.max_completion_length, "tokens of an answer at most");
  options.count("num-ppo-epochs", &config.num_iterations,
                "how often the answers of a generation are trained on");
  options.count("num-mini-batches", &config.num_mini_batches,
                "optimiser steps that one pass over a generation takes");
  options.real("kl-coef", &config.beta,
               "weight of the KL to the reference in the reward; 0 = no reference");
  options.choice("kl-estimator", &flags.estimator, {"k1", "k3"}, "of a token's KL");
  options.real("kl-target", &config.kl_target,
               "mean KL of an answer that --kl-coef is steered to; 0 = it is fixed");
  options.real("kl-horizon", &config.kl_horizon, "answers over which it is steered");
  options.flag("whiten-rewards", &config.whiten_rewards, "scales rewards, keeps their mean");
  options.real("cliprange", &config.cliprange, "of the ratio");
  options.real("cliprange-value", &config.cliprange_value, "of the values");
  options.real("vf-coef", &config.vf_coef, "weight of the value loss");
  options.real("gamma", &config.gamma, "discount of later rewards");
  options.real("lam", &config.lam, "of the generalised advantage estimate");
  options.real("missing-eos-penalty", &flags.missing_eos_penalty,
               "taken from the score of an answer that was cut; not given = none");
  options.count("value-warmup-steps", &config.value_warmup_steps,
                "optimiser steps that teach the values alone");
  options.text("value-model", &online.value_model, "MODEL",
               "a value model apart from the policy: a model, or an adapter of --model; a reward "
               "model lends its score head; empty = a head on the policy's own layers");
  options.real("value-learning-rate", &flags.value_learning_rate,
               "peak rate of --value-model; not given = --learning-rate");
}

}  // namespace

int train_ppo(const Arguments& arguments) {
  CommonOptions common;
  OnlineFlags flags;
  train::PpoConfig config;
  CompatOption compat;
  PpoFlags ppo;
  Options options("train ppo", "learn from rewards of the model's own answers, with a value head.",
                  "--model M --data PROMPTS.jsonl --reward SPEC --output RUN");
  options.example(
      "hone train ppo --model m.gguf --data prompts.jsonl --lora-r 16 --output run "
      "--reward model:path=m.gguf,adapter=rm/final",
      "a reward model of hone train reward scores the answers");
  options.example(
      "hone train ppo --model m.gguf --data sums.jsonl --reward numeric --output run "
      "--num-mini-batches 4 --kl-target 6",
      "four optimiser steps a pass; the KL is steered");
  options.example(
      "hone train ppo --model m.gguf --data prompts.jsonl --lora-r 16 --output run "
      "--reward model:path=m.gguf,adapter=rm/final --value-model rm/final --value-learning-rate "
      "9e-6",
      "a value model of its own, which begins as the reward model");
  flags.train.add_to(options, config);
  flags.add_rewards(options, config);
  flags.add_sampling(options, config);
  flags.add_reference(options);
  add_options(options, config, flags, ppo);
  compat.add_to(options);
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  config.kl_estimator = ppo.estimator == "k1" ? train::KlEstimator::kK1 : train::KlEstimator::kK3;
  if (options.was_given("missing-eos-penalty")) {
    config.missing_eos_penalty = ppo.missing_eos_penalty;
  }
  config.value_model = !flags.value_model.empty();
  if (options.was_given("value-learning-rate")) {
    config.value_learning_rate = ppo.value_learning_rate;
  }
  config.complete();
  compat.set(config);
  train::validate(config);
  OnlineInput input = read_online_input(flags, config, common);
  return run_online("ppo", input, flags, config, common,
                    [&](train::TrainJob& job, const train::OnlineData& data) {
                      if (!input.value) return train::train_ppo(job, config, data);
                      train::ValueStart start = input.value->start(input.loaded);
                      return train::train_ppo(job, config, data, &start);
                    });
}

}  // namespace hone::cli
