// hone train grpo: from prompts and rewards to an adapter or a model.

#include "base/error.h"
#include "cli/commands.h"
#include "cli/compat_option.h"
#include "cli/online_options.h"
#include "train/grpo.h"

namespace hone::cli {

namespace {

// The options of train::GrpoConfig as they are typed.
struct GrpoFlags {
  std::string loss_type = "dapo", level = "token", scale = "group", estimator = "group";
  std::string aggregation = "sum_then_normalize";
  double delta = 0, off_policy = 0;
  CompatOption compat;

  void add_to(Options& options, train::GrpoConfig& config);
  void fill(const Options& options, train::GrpoConfig& config) const;
};

void GrpoFlags::add_to(Options& options, train::GrpoConfig& config) {
  options.section("GRPO");
  options.choice("loss-type", &loss_type,
                 {"dapo", "grpo", "bnpo", "dr_grpo", "luspo", "cispo", "sapo", "vespo"},
                 "the loss, and what its sum is divided by");
  options.choice("importance-sampling-level", &level, {"token", "sequence"},
                 "sequence: one ratio for an answer (GSPO)");
  options.choice("advantage-estimator", &estimator, {"group", "reinforce", "reinforce_baseline"},
                 "what an answer is held against: its group, or the batch (REINFORCE++)");
  options.choice("scale-rewards", &scale, {"group", "batch", "none"},
                 "whose deviation advantages are divided by");
  options.choice("multi-objective-aggregation", &aggregation,
                 {"sum_then_normalize", "normalize_then_sum"},
                 "of several rewards; the second is GDPO");
  options.real("delta", &delta, "ratios above it are cut to it; not given = no bound");
  options.flag("use-bias-correction-kl", &config.use_bias_correction_kl,
               "the KL is weighed by the ratio (default true)");
  options.real("off-policy-mask-threshold", &off_policy,
               "bad answers that the policy has left this far teach nothing; not given = off");
  options.real("sapo-temperature-pos", &config.sapo_temperature_pos, "");
  options.real("sapo-temperature-neg", &config.sapo_temperature_neg, "");
  options.real("vespo-k-pos", &config.vespo_k_pos, "");
  options.real("vespo-lambda-pos", &config.vespo_lambda_pos, "");
  options.real("vespo-k-neg", &config.vespo_k_neg, "");
  options.real("vespo-lambda-neg", &config.vespo_lambda_neg, "");
  options.flag("mask-truncated-completions", &config.mask_truncated_completions,
               "answers that were cut teach nothing");
  options.real("top-entropy-quantile", &config.top_entropy_quantile,
               "share of the tokens that learn, those of the most entropy");
  options.real("entropy-coef", &config.entropy_coef,
               "so much of the tokens' mean entropy is taken from the loss");
  options.flag("use-adaptive-entropy", &config.use_adaptive_entropy,
               "moves --entropy-coef after each step, by what the entropy was");
  options.real("entropy-target", &config.entropy_target, "up at or below it, down above it");
  options.real("entropy-coef-delta", &config.entropy_coef_delta, "by how much");
  options.real("entropy-coef-min", &config.entropy_coef_min, "");
  options.real("entropy-coef-max", &config.entropy_coef_max, "");
  options.flag("dynamic-sampling", &config.dynamic_sampling,
               "groups whose rewards are all equal give way to other prompts");
  options.count("max-generation-batches", &config.max_generation_batches,
                "how often --dynamic-sampling asks in one generation at most");
  compat.add_to(options);
}

void GrpoFlags::fill(const Options& options, train::GrpoConfig& config) const {
  using T = train::PolicyLossType;
  for (T type :
       {T::kGrpo, T::kBnpo, T::kDrGrpo, T::kDapo, T::kLuspo, T::kCispo, T::kSapo, T::kVespo}) {
    if (train::name(type) == loss_type) config.loss_type = type;
  }
  config.importance_sampling_level =
      level == "token" ? train::ImportanceLevel::kToken : train::ImportanceLevel::kSequence;
  config.advantage_estimator = estimator == "group" ? train::AdvantageEstimator::kGroup
                               : estimator == "reinforce"
                                   ? train::AdvantageEstimator::kReinforce
                                   : train::AdvantageEstimator::kReinforceBaseline;
  config.scale_rewards = scale == "group"   ? train::ScaleRewards::kGroup
                         : scale == "batch" ? train::ScaleRewards::kBatch
                                            : train::ScaleRewards::kNone;
  config.multi_objective_aggregation = aggregation == "sum_then_normalize"
                                           ? train::RewardAggregation::kSumThenNormalize
                                           : train::RewardAggregation::kNormalizeThenSum;
  if (options.was_given("delta")) config.delta = delta;
  if (options.was_given("off-policy-mask-threshold")) config.off_policy_mask_threshold = off_policy;
  if (compat.peer != "trl" && options.was_given("use-bias-correction-kl")) {
    throw invalid_input("--compat " + compat.peer +
                        " with --use-bias-correction-kl: TRL alone weighs the KL by the ratio; "
                        "leave one of them out");
  }
  compat.set(config);
}

}  // namespace

int train_grpo(const Arguments& arguments) {
  CommonOptions common;
  OnlineFlags flags;
  GrpoFlags grpo;
  train::GrpoConfig config;
  Options options("train grpo", "learn from rewards of the model's own answers.",
                  "--model M --data PROMPTS.jsonl --reward SPEC --output RUN");
  options.example(
      "hone train grpo --model m.gguf --data sums.jsonl --reward numeric --output run "
      "--learning-rate 1e-5",
      "prompts with a column \"answer\"; an answer is right when its last number is that");
  options.example(
      "hone train grpo --model m.gguf --data sums.jsonl --reward numeric "
      "--reward overlong:max=256,cache=64 --reward-weights 1,0.5 --output run --lora-r 16",
      "two rewards, a LoRA adapter");
  options.example(
      "hone train grpo --model m.gguf --data sums.jsonl --reward exact --output run "
      "--dynamic-sampling --epsilon-high 0.28",
      "as DAPO has it");
  flags.add_to(options, config);
  grpo.add_to(options, config);
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  grpo.fill(options, config);
  train::validate(config);
  OnlineInput input = read_online_input(flags, config, common);
  return run_online("grpo", input, flags, config, common,
                    [&](train::TrainJob& job, const train::OnlineData& data) {
                      return train::train_grpo(job, config, data);
                    });
}

}  // namespace hone::cli
