// hone train rloo: from prompts and rewards to an adapter or a model.

#include "cli/commands.h"
#include "cli/compat_option.h"
#include "cli/online_options.h"
#include "train/rloo.h"

namespace hone::cli {

int train_rloo(const Arguments& arguments) {
  CommonOptions common;
  OnlineFlags flags;
  train::RlooConfig config;
  CompatOption compat;
  Options options("train rloo", "learn from rewards, each answer against its group's others.",
                  "--model M --data PROMPTS.jsonl --reward SPEC --output RUN");
  options.example(
      "hone train rloo --model m.gguf --data sums.jsonl --reward numeric --output run "
      "--num-generations 4 --learning-rate 1e-5",
      "four answers to a prompt, held to the model before training by a KL of 0.05 in the reward");
  options.example(
      "hone train rloo --model m.gguf --data sums.jsonl --reward numeric --output run --lora-r 16 "
      "--beta 0",
      "a LoRA adapter, without a reference");
  flags.add_to(options, config);
  options.section("RLOO");
  options.flag("normalize-advantages", &config.normalize_advantages,
               "by the batch's mean and deviation");
  options.reals("reward-clip-range", &config.reward_clip_range, "LOW,HIGH; empty = no clip");
  compat.add_to(options);
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  compat.set(config);
  train::validate(config);
  OnlineInput input = read_online_input(flags, config, common);
  return run_online("rloo", input, flags, config, common,
                    [&](train::TrainJob& job, const train::OnlineData& data) {
                      return train::train_rloo(job, config, data);
                    });
}

}  // namespace hone::cli
