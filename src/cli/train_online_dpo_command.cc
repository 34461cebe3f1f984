// hone train online_dpo: from prompts and rewards to an adapter or a model.

#include "cli/commands.h"
#include "cli/online_options.h"
#include "train/online_dpo.h"

namespace hone::cli {

int train_online_dpo(const Arguments& arguments) {
  CommonOptions common;
  OnlineFlags flags;
  train::OnlineDpoConfig config;
  std::string loss_type = "sigmoid";
  double missing_eos_penalty = 0;
  Options options("train online_dpo", "DPO on the better and the worse of two own answers.",
                  "--model M --data PROMPTS.jsonl --reward SPEC --output RUN");
  options.example(
      "hone train online_dpo --model m.gguf --data sums.jsonl --reward numeric --output run "
      "--lora-r 16 --learning-rate 5e-5",
      "a LoRA adapter; the base is the reference");
  options.example(
      "hone train online_dpo --model m.gguf --data chats.jsonl --reward length:target=40 "
      "--output run --missing-eos-penalty 1",
      "answers that do not end are worth one less");
  flags.add_to(options, config);
  options.section("Online DPO");
  options.choice("loss-type", &loss_type, {"sigmoid", "ipo"}, "of the pair; ipo is on sums");
  options.real("missing-eos-penalty", &missing_eos_penalty,
               "what an answer that was cut loses of its reward; not given = nothing");
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  config.loss_type = *train::preference_loss_from_name(loss_type);
  if (options.was_given("missing-eos-penalty")) config.missing_eos_penalty = missing_eos_penalty;
  train::validate(config);
  OnlineInput input = read_online_input(flags, config, common);
  return run_online("online_dpo", input, flags, config, common,
                    [&](train::TrainJob& job, const train::OnlineData& data) {
                      return train::train_online_dpo(job, config, data);
                    });
}

}  // namespace hone::cli
