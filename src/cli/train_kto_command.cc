// hone train kto: answers that were judged one by one.

#include <algorithm>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/train_methods.h"
#include "train/kto.h"

namespace hone::cli {

namespace {

using Answers = std::vector<llm::UnpairedTokens>;

size_t answer_size(const llm::UnpairedTokens& row) {
  return row.prompt.size() + row.completion.size();
}

}  // namespace

int train_kto(const Arguments& arguments) {
  CommonOptions common;
  TrainFlags flags;
  flags.train_sampling_strategy = "sequential";
  train::KtoConfig config;
  std::string loss_type = "kto", ref_model;
  Options options("train kto", "learn from answers that were judged one by one: good or bad.",
                  "--model M --data D.jsonl --output RUN");
  options.example(
      "hone train kto --model m.gguf --data thumbs.jsonl --output run --lora-r 16 "
      "--learning-rate 5e-5",
      "rows with prompt, completion and label true or false; a LoRA adapter");
  options.example(
      "hone train kto --model m.gguf --data thumbs.jsonl --output run --lora-r 16 "
      "--desirable-weight 3",
      "three times as many bad answers as good ones");
  flags.add_to(options, config);
  options.section("KTO");
  options.choice("loss-type", &loss_type, {"kto", "apo_zero_unpaired"},
                 "the second does not ask how far the policy has gone at all");
  options.real("beta", &config.beta, "how far the policy may leave the reference");
  options.real("desirable-weight", &config.desirable_weight, "of good answers");
  options.real("undesirable-weight", &config.undesirable_weight, "of bad answers");
  options.text("ref-model", &ref_model, "MODEL",
               "reference; empty = the model without its adapter");
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  config.loss_type = *train::kto_loss_from_name(loss_type);
  train::validate(config);

  const TrainFiles files = read_train_files(flags, llm::unpaired_row_kinds(), common);
  LoadedModel loaded = open_model(flags.model);
  const llm::TokenizeOptions cut = {config.max_length, config.max_prompt_length, true, false};
  const auto tokenize = [&](const data::Dataset& dataset) {
    return llm::tokenize_unpaired(dataset.rows, loaded.codec_or_null(), cut, loaded.model.config);
  };
  const Answers examples = tokenize(files.rows);
  const Answers eval_examples = files.held_out ? tokenize(*files.held_out) : Answers();
  std::optional<LoadedModel> reference;
  if (!ref_model.empty()) reference = open_reference(ref_model, loaded);
  TrainPlan plan;
  add_rows(plan, examples, answer_size);
  plan.eval_rows = eval_examples.size();
  check_train_plan(
      plan, config, loaded, reference ? &*reference : nullptr, common,
      std::max(train::longest_meeting(examples), train::longest_meeting(eval_examples)));
  return run_training("kto", plan, config, flags, common, loaded, files,
                      [&](tensor::Compute& compute, train::TrainJob& job) {
                        if (reference) {
                          load_weights(compute, *reference);
                          job.manifest.digests["ref_model"] = model_digest(ref_model);
                          job.sources["ref_model"] = absolute_path(ref_model);
                        }
                        return train::train_kto(job, config, examples, eval_examples,
                                                reference ? &reference->model : nullptr);
                      });
}

}  // namespace hone::cli
