// hone train kto: answers that were judged one by one.

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/train_methods.h"
#include "cli/training_progress.h"
#include "train/kto.h"

namespace hone::cli {

namespace {

using Answers = std::vector<llm::UnpairedTokens>;

size_t answer_size(const llm::UnpairedTokens& row) {
  return row.prompt.size() + row.completion.size();
}

// A prompt can meet any row's answer.
size_t longest_meeting(const Answers& rows) {
  size_t prompt = 0, answer = 0;
  for (const llm::UnpairedTokens& row : rows) {
    prompt = std::max(prompt, row.prompt.size());
    answer = std::max(answer, row.completion.size());
  }
  return prompt + answer;
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
      "hone train kto --model m.gguf --data thumbs.jsonl --output run --lora-r "
      "16 "
      "--learning-rate 5e-5",
      "rows with prompt, completion and label true or false; a LoRA adapter");
  options.example(
      "hone train kto --model m.gguf --data thumbs.jsonl --output "
      "run --lora-r 16 "
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

  const data::Dataset rows = load_train_rows(flags, flags.data, llm::unpaired_row_kinds());
  std::optional<data::Dataset> held_out;
  if (!flags.eval_data.empty()) {
    held_out = load_train_rows(flags, flags.eval_data, llm::unpaired_row_kinds());
    if (!common.quiet) warn_of_overlap(rows, *held_out);
  }
  LoadedModel loaded = open_model(flags.model);
  const llm::TokenizeOptions cut = {config.max_length, config.max_prompt_length, true, false};
  const auto tokenize = [&](const data::Dataset& dataset) {
    return llm::tokenize_unpaired(dataset.rows, loaded.codec_or_null(), cut, loaded.model.config);
  };
  const Answers examples = tokenize(rows);
  const Answers eval_examples = held_out ? tokenize(*held_out) : Answers();
  std::optional<LoadedModel> reference;
  if (!ref_model.empty()) {
    reference = open_model({ref_model, ""});
    if (reference->model.config.vocab_size != loaded.model.config.vocab_size) {
      throw invalid_input("--ref-model " + ref_model +
                          " has another vocabulary than --model: a "
                          "reference must read the same tokens");
    }
  }
  TrainPlan plan;
  add_rows(plan, examples, answer_size);
  plan.eval_rows = eval_examples.size();
  check_train_plan(plan, config, loaded, reference ? &*reference : nullptr, common,
                   std::max(longest_meeting(examples), longest_meeting(eval_examples)));
  if (flags.dry_run) {
    std::printf("%s\n", plan.to_json().dump_pretty().c_str());
    return 0;
  }
  tensor::Compute compute(common.threads);
  prepare_model(compute, config, loaded);
  if (reference) load_weights(compute, *reference);
  TrainingProgress progress("kto", plan.steps, common.quiet);
  train::TrainJob job =
      make_train_job(compute, loaded, flags, rows, held_out ? &*held_out : nullptr);
  progress.attach(job);
  if (reference) {
    job.manifest.digests["ref_model"] = model_digest(ref_model);
    job.sources["ref_model"] = absolute_path(ref_model);
  }
  const train::TrainResult result = train::train_kto(job, config, examples, eval_examples,
                                                     reference ? &reference->model : nullptr);
  progress.finish();
  return finish_training(result, job, flags, common, loaded);
}

}  // namespace hone::cli
