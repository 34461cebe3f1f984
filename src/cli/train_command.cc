// hone train sft | dpo: from a file of rows to an adapter or a model.

#include <cmath>
#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/train_options.h"
#include "cli/training_progress.h"
#include "data/data_check.h"
#include "data/dataset.h"
#include "train/dpo.h"
#include "train/final_model.h"
#include "train/sft.h"

namespace hone::cli {

namespace {

data::Dataset load_rows(const TrainFlags& flags, const std::string& path,
                        const std::vector<data::RowKind>& kinds) {
  data::ReadOptions options;
  options.accepted = kinds;
  options.on_bad_row = flags.on_bad_row == "skip" ? data::OnBadRow::kSkip : data::OnBadRow::kFail;
  return data::load_dataset(real_env(), path, options);
}

// What will happen, before anything long starts.
struct Plan {
  size_t rows = 0, eval_rows = 0, cut_rows = 0, cut_tokens = 0, tokens = 0, longest = 0;
  size_t steps = 0, sequences = 0;  // sequences: what a batch counts
  MemoryPlan memory;

  Json to_json() const {
    Json json = Json::object();
    json["rows"] = uint64_t{rows};
    json["eval_rows"] = uint64_t{eval_rows};
    json["tokens_per_epoch"] = uint64_t{tokens};
    json["longest_row"] = uint64_t{longest};
    json["rows_cut"] = uint64_t{cut_rows};
    json["tokens_cut"] = uint64_t{cut_tokens};
    json["sequences"] = uint64_t{sequences};
    json["steps"] = uint64_t{steps};
    json["memory_bytes"] = memory.peak_bytes();
    json["memory"] = memory.to_json();
    return json;
  }
};

template <typename Tokens>
void add_rows(Plan& plan, const std::vector<Tokens>& rows, size_t (*size)(const Tokens&)) {
  plan.rows = plan.sequences = rows.size();
  for (const Tokens& row : rows) {
    plan.tokens += size(row);
    plan.longest = std::max(plan.longest, size(row));
    plan.cut_rows += row.cut > 0 ? 1 : 0;
    plan.cut_tokens += row.cut;
  }
}

size_t sft_size(const llm::SftTokens& row) { return row.tokens.size(); }
size_t pair_size(const llm::PreferenceTokens& row) {
  return row.prompt.size() + row.chosen.size() + row.rejected.size();
}

void print_plan(const Plan& plan, const CommonOptions& common) {
  if (common.quiet) return;
  std::fprintf(stderr,
               "%zu rows, %zu tokens an epoch, longest %zu; %zu steps; about %s of memory\n",
               plan.rows, plan.tokens, plan.longest, plan.steps,
               bytes_text(plan.memory.peak_bytes()).c_str());
  if (plan.sequences != plan.rows) {
    std::fprintf(stderr, "note: --packing makes them %zu sequences; a batch counts sequences\n",
                 plan.sequences);
  }
  if (plan.cut_rows > 0) {
    std::fprintf(stderr, "note: %zu rows are cut by --max-length (%zu tokens left out)\n",
                 plan.cut_rows, plan.cut_tokens);
  }
}

void warn_of_overlap(const data::Dataset& train, const data::Dataset& held_out) {
  const data::DataReport report = data::check_data(train, &held_out, {});
  if (report.shared_prompts.count == 0) return;
  std::fprintf(stderr,
               "warning: %llu training rows have a prompt that is also in --eval-data (line %llu): "
               "the evaluation will look better than it is\n",
               static_cast<unsigned long long>(report.shared_prompts.count),
               static_cast<unsigned long long>(report.shared_prompts.lines.front()));
}

train::TrainJob make_job(tensor::Compute& compute, LoadedModel& loaded, const TrainFlags& flags,
                         const data::Dataset& rows, const data::Dataset* eval_rows) {
  train::TrainJob job{compute,         real_env(), loaded.model, flags.output,  flags.resume,
                      flags.overwrite, {},         {},           &interrupted()};
  job.manifest.digests["model"] = model_digest(flags.model.model);
  job.manifest.digests["data"] = rows.digest;
  if (eval_rows != nullptr) job.manifest.digests["eval_data"] = eval_rows->digest;
  job.accept_recipe = flags.accept_recipe;
  job.sources["model"] = absolute_path(flags.model.model);
  job.sources["data"] = absolute_path(flags.data);
  if (eval_rows != nullptr) job.sources["eval_data"] = absolute_path(flags.eval_data);
  job.manifest.program_version = program_version();
  job.manifest.program_commit = program_commit();
  return job;
}

int finish(const train::TrainResult& result, const train::TrainJob& job, const TrainFlags& flags,
           const CommonOptions& common, const LoadedModel& loaded) {
  if (result.stopped) {
    std::fprintf(stderr,
                 "stopped after step %zu; everything is saved. Go on with the same command "
                 "and --resume\n",
                 result.steps);
    return 130;
  }
  train::save_final(
      job, result,
      {flags.model.model, loaded.end_of_generation, loaded.codec ? &*loaded.codec : nullptr});
  Json json = Json::object();
  json["run"] = job.output;
  json["steps"] = uint64_t{result.steps};
  json["final"] = job.output + "/final";
  if (common.json) {
    std::printf("%s\n", json.dump().c_str());
  } else if (!common.quiet) {
    std::fprintf(stderr, "done: %s/final (%s)\n", job.output.c_str(),
                 result.adapter ? "a PEFT adapter" : "a model");
  }
  return 0;
}

// The memory and the steps, said and refused before the weights are loaded.
template <typename Config>
void check_plan(Plan& plan, const Config& config, const LoadedModel& loaded,
                const LoadedModel* reference, const CommonOptions& common, size_t largest_tree) {
  plan.steps = train::total_steps(config, plan.sequences);
  plan.memory = training_memory(loaded, reference, config,
                                std::max(config.max_tokens_per_pass, largest_tree));
  check_memory(common, plan.memory, "training",
               "use --lora-r 16, --recompute, or a smaller --max-tokens-per-pass or --max-length");
  print_plan(plan, common);
}

template <typename Config>
void prepare_model(tensor::Compute& compute, const Config& config, LoadedModel& loaded) {
  load_weights(compute, loaded);
  if (config.lora_r == 0) llm::make_trainable(compute, loaded.model);
}

int train_sft(const Arguments& arguments) {
  CommonOptions common;
  TrainFlags flags;
  train::SftConfig config;
  Options options("train sft", "supervised fine-tuning: learn the shown answers.",
                  "--model M --data D.jsonl --output RUN");
  options.example("hone train sft --model m.gguf --data answers.jsonl --output run --lora-r 16",
                  "a LoRA adapter; the base may stay quantised");
  options.example(
      "hone train sft --model m.gguf --data chats.jsonl --output run "
      "--learning-rate 2e-5 --assistant-only-loss",
      "all weights, on what the assistant says");
  options.example("hone train sft --config sft.yaml --resume", "go on with an interrupted run");
  flags.add_to(options, config);
  options.section("SFT");
  options.flag(
      "packing", &config.packing,
      "a batch counts sequences of several rows, up to --max-length tokens; rows never see "
      "each other and nothing is padded either way");
  options.flag("completion-only-loss", &config.completion_only_loss,
               "of prompt-completion rows: the prompt is not trained (default true)");
  options.flag("assistant-only-loss", &config.assistant_only_loss,
               "of message rows: only what the assistant says");
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  train::validate(config);

  const data::Dataset rows = load_rows(flags, flags.data, llm::sft_row_kinds());
  std::optional<data::Dataset> held_out;
  if (!flags.eval_data.empty()) {
    held_out = load_rows(flags, flags.eval_data, llm::sft_row_kinds());
    if (!common.quiet) warn_of_overlap(rows, *held_out);
  }
  LoadedModel loaded = open_model(flags.model);
  const llm::TextCodec* codec = loaded.codec_or_null();
  const llm::TokenizeOptions cut = {config.max_length, config.max_prompt_length,
                                    config.completion_only_loss, config.assistant_only_loss};
  const auto examples = llm::tokenize_sft(rows.rows, codec, cut, loaded.model.config);
  std::vector<llm::SftTokens> eval_examples;
  if (held_out) eval_examples = llm::tokenize_sft(held_out->rows, codec, cut, loaded.model.config);

  Plan plan;
  add_rows(plan, examples, sft_size);
  plan.eval_rows = eval_examples.size();
  plan.sequences = train::sft_units(config, examples).size();
  check_plan(plan, config, loaded, nullptr, common, plan.longest);
  if (flags.dry_run) {
    std::printf("%s\n", plan.to_json().dump_pretty().c_str());
    return 0;
  }
  tensor::Compute compute(common.threads);
  prepare_model(compute, config, loaded);
  TrainingProgress progress("sft", plan.steps, common.quiet);
  train::TrainJob job = make_job(compute, loaded, flags, rows, held_out ? &*held_out : nullptr);
  progress.attach(job);
  const train::TrainResult result = train::train_sft(job, config, examples, eval_examples);
  progress.finish();
  return finish(result, job, flags, common, loaded);
}

int train_dpo(const Arguments& arguments) {
  CommonOptions common;
  TrainFlags flags;
  train::DpoConfig config;
  std::vector<std::string> losses = {"sigmoid"};
  std::string ref_model;
  bool precompute = true;
  Options options("train dpo", "direct preference optimisation: learn which answer is better.",
                  "--model M --data D.jsonl --output RUN");
  options.example(
      "hone train dpo --model m.gguf --data pairs.jsonl --output run --lora-r 16 "
      "--learning-rate 5e-5",
      "a LoRA adapter from preference pairs");
  options.example(
      "hone train dpo --model m.gguf --data pairs.jsonl --output run --lora-r 16 "
      "--loss-type sigmoid,sft --loss-weights 1,0.5",
      "RPO: keep the chosen answers likely");
  options.example("hone train dpo --model m.gguf --data pairs.jsonl --output run --dry-run",
                  "what will happen: rows, cuts, memory, steps");
  flags.add_to(options, config);
  options.section("DPO");
  options.real("beta", &config.beta, "how far the policy may leave the reference");
  options.list("loss-type", &losses, "LOSS,..",
               "one or several of: sigmoid hinge ipo robust exo_pair nca_pair bco_pair sppo_hard "
               "apo_zero apo_down discopop sigmoid_norm sft");
  options.reals("loss-weights", &config.loss_weights, "one number for each loss; empty = 1 each");
  options.real("label-smoothing", &config.label_smoothing, "share of labels that are wrong");
  options.text("ref-model", &ref_model, "MODEL", "reference; empty = the model before training");
  options.flag("reference-free", &config.reference_free, "reference log-probabilities are 0");
  options.flag("precompute-ref-log-probs", &precompute,
               "accepted for TRL's sake: they are always computed once");
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  config.loss_type.clear();
  for (const std::string& name : losses) {
    const auto type = train::preference_loss_from_name(name);
    if (!type) {
      const std::string close = nearest(name, train::preference_loss_names());
      throw invalid_input("--loss-type \"" + name + "\" is not known" +
                          (close.empty() ? "" : "; did you mean " + close + "?") +
                          " (hone train dpo --help lists them)");
    }
    config.loss_type.push_back(*type);
  }
  train::validate(config);

  const data::Dataset rows = load_rows(flags, flags.data, llm::preference_row_kinds());
  std::optional<data::Dataset> held_out;
  if (!flags.eval_data.empty()) {
    held_out = load_rows(flags, flags.eval_data, llm::preference_row_kinds());
    if (!common.quiet) warn_of_overlap(rows, *held_out);
  }
  LoadedModel loaded = open_model(flags.model);
  const llm::TextCodec* codec = loaded.codec_or_null();
  const llm::TokenizeOptions cut = {config.max_length, config.max_prompt_length, true, false};
  const auto examples = llm::tokenize_preferences(rows.rows, codec, cut, loaded.model.config);
  std::vector<llm::PreferenceTokens> eval_examples;
  if (held_out) {
    eval_examples = llm::tokenize_preferences(held_out->rows, codec, cut, loaded.model.config);
  }
  std::optional<LoadedModel> reference;
  if (!ref_model.empty() && !config.reference_free) {
    reference = open_model({ref_model, ""});
    if (reference->model.config.vocab_size != loaded.model.config.vocab_size) {
      throw invalid_input("--ref-model " + ref_model +
                          " has another vocabulary than --model: a "
                          "reference must read the same tokens");
    }
  }

  Plan plan;
  add_rows(plan, examples, pair_size);
  plan.eval_rows = eval_examples.size();
  check_plan(plan, config, loaded, reference ? &*reference : nullptr, common, plan.longest);
  if (flags.dry_run) {
    std::printf("%s\n", plan.to_json().dump_pretty().c_str());
    return 0;
  }
  tensor::Compute compute(common.threads);
  prepare_model(compute, config, loaded);
  if (reference) load_weights(compute, *reference);
  TrainingProgress progress("dpo", plan.steps, common.quiet);
  train::TrainJob job = make_job(compute, loaded, flags, rows, held_out ? &*held_out : nullptr);
  progress.attach(job);
  train::DpoReference dpo_reference;
  dpo_reference.digest = job.manifest.digests["model"];
  if (reference) {
    dpo_reference.model = &reference->model;
    dpo_reference.digest = job.manifest.digests["ref_model"] = model_digest(ref_model);
    job.sources["ref_model"] = absolute_path(ref_model);
  }
  const train::TrainResult result =
      train::train_dpo(job, config, examples, eval_examples, dpo_reference);
  progress.finish();
  return finish(result, job, flags, common, loaded);
}

}  // namespace

int run_train(const Arguments& arguments) {
  constexpr Object kMethods[] = {
      {"sft", "supervised fine-tuning: learn the shown answers", train_sft},
      {"dpo", "direct preference optimisation: learn which answer is better", train_dpo},
  };
  return run_object("train", "from a file of rows to an adapter or a model.", kMethods, arguments);
}

}  // namespace hone::cli
