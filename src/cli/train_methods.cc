#include "cli/train_methods.h"

#include <cmath>
#include <cstdio>

#include "api/gate_overlap.h"
#include "base/env.h"
#include "base/error.h"
#include "cli/admin.h"
#include "cli/ranks.h"
#include "cli/training_progress.h"
#include "data/data_check.h"

namespace hone::cli {

data::Dataset load_train_rows(const TrainFlags& flags, const std::string& path,
                              const std::vector<data::RowKind>& kinds) {
  data::ReadOptions options;
  options.accepted = kinds;
  options.on_bad_row = flags.on_bad_row == "skip" ? data::OnBadRow::kSkip : data::OnBadRow::kFail;
  return data::load_dataset(real_env(), path, options);
}

Json TrainPlan::to_json() const {
  Json json = Json::object();
  json["rows"] = uint64_t{rows};
  json["eval_rows"] = uint64_t{eval_rows};
  json["tokens_per_epoch"] = uint64_t{tokens};
  json["longest_row"] = uint64_t{longest};
  json["rows_cut"] = uint64_t{cut_rows};
  json["tokens_cut"] = uint64_t{cut_tokens};
  json["sequences"] = uint64_t{sequences};
  if (too_long > 0) json["rows_left_out"] = uint64_t{too_long};
  json["steps"] = uint64_t{steps};
  json["memory_bytes"] = memory.peak_bytes();
  json["memory"] = memory.to_json();
  if (kept_layers.layers > 0) {
    json["layers"] = uint64_t{kept_layers.layers};
    json["kept_layers"] = uint64_t{kept_layers.kept};
    Json peaks = Json::array();
    for (uint64_t peak : kept_layers.peaks) peaks.push_back(peak);
    json["memory_bytes_by_kept_layers"] = std::move(peaks);
  }
  return json;
}

void say_plan(const TrainPlan& plan, const CommonOptions& common) {
  if (common.quiet) return;
  std::fprintf(stderr,
               "%zu rows, %zu tokens an epoch, longest %zu; %zu steps; about %s of memory\n",
               plan.rows, plan.tokens, plan.longest, plan.steps,
               bytes_text(plan.memory.peak_bytes()).c_str());
  if (plan.kept_layers.kept < plan.kept_layers.layers) {
    std::fprintf(
        stderr,
        "note: %zu of %zu layers keep their activations, the others are run again: slower, "
        "the same bits\n",
        plan.kept_layers.kept, plan.kept_layers.layers);
  }
  if (plan.sequences != plan.rows) {
    std::fprintf(stderr, "note: --packing makes them %zu sequences; a batch counts sequences\n",
                 plan.sequences);
  }
  if (plan.too_long > 0) {
    std::fprintf(stderr, "note: %zu pairs are longer than --max-length and are left out\n",
                 plan.too_long);
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

train::TrainJob make_train_job(tensor::Compute& compute, LoadedModel& loaded,
                               const TrainFlags& flags, const data::Dataset& rows,
                               const data::Dataset* eval_rows) {
  train::TrainJob job{compute,         run_env(), loaded.model, flags.output,  flags.resume,
                      flags.overwrite, {},        {},           &interrupted()};
  job.manifest.digests["model"] = model_digest(flags.model.model);
  job.manifest.digests["data"] = rows.digest;
  if (eval_rows != nullptr) job.manifest.digests["eval_data"] = eval_rows->digest;
  job.accept_recipe = flags.accept_recipe;
  job.ranks = &ranks();
  job.sources["model"] = absolute_path(flags.model.model);
  job.sources["data"] = absolute_path(flags.data);
  if (eval_rows != nullptr) job.sources["eval_data"] = absolute_path(flags.eval_data);
  job.manifest.program_version = program_version();
  job.manifest.program_commit = program_commit();
  return job;
}

int finish_training(const train::TrainResult& result, const train::TrainJob& job,
                    const TrainFlags& flags, const CommonOptions& common,
                    const LoadedModel& loaded) {
  if (result.stopped) {
    if (!ranks().leads()) return 130;
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
void check_train_plan(TrainPlan& plan, const train::TrainConfig& config, const LoadedModel& loaded,
                      const LoadedModel* reference, const CommonOptions& common,
                      size_t largest_tree) {
  plan.steps = train::total_steps(config, plan.sequences);
  const size_t rows = std::max(config.max_tokens_per_pass, largest_tree);
  plan.memory = least_training_memory(loaded, reference, config, rows);
  const llm::ModelConfig& model = loaded.model.config;
  fit_memory(plan, config, model, common,
             "use --lora-r 16, or a smaller --max-tokens-per-pass or --max-length",
             [&](size_t kept) { return more_layers_bytes(model, rows, kept); });
  say_plan(plan, common);
}

void fit_memory(TrainPlan& plan, const train::TrainConfig& config, const llm::ModelConfig& model,
                const CommonOptions& common, const std::string& how_to_lower,
                const std::function<uint64_t(size_t)>& more) {
  plan.kept_layers =
      keep_layers(plan.memory, model.layers.size(), config.recompute, memory_limit(common), more);
  check_memory(common, plan.memory, "training", how_to_lower);
}

void prepare_model(tensor::Compute& compute, const train::TrainConfig& config, LoadedModel& loaded,
                   llm::HeadNeed need) {
  load_weights(compute, loaded, need);
  if (config.lora_r == 0) llm::make_trainable(compute, loaded.model);
}

void check_gates(const TrainFlags& flags, const data::Dataset& rows) {
  for (const std::string& alias : flags.gates) {
    Arguments words = {"model", "gate", alias, "--show"};
    if (!flags.data_dir.empty()) words.insert(words.end(), {"--data-dir", flags.data_dir});
    if (!flags.organisation.empty()) {
      words.insert(words.end(), {"--organisation", flags.organisation});
    }
    const Json gate = Json::parse(ask_data_folder(words)).value();
    std::vector<api::GateSet> sets;
    for (const Json& set : gate.at("sets").as_array()) {
      sets.push_back(api::GateSet::from_json(set));
    }
    api::refuse_gate_overlap(real_env(), rows, flags.data, sets);
  }
}

TrainFiles read_train_files(const TrainFlags& flags, const std::vector<data::RowKind>& kinds,
                            const CommonOptions& common) {
  TrainFiles files;
  files.rows = load_train_rows(flags, flags.data, kinds);
  check_gates(flags, files.rows);
  if (flags.eval_data.empty()) return files;
  files.held_out = load_train_rows(flags, flags.eval_data, kinds);
  if (!common.quiet) warn_of_overlap(files.rows, *files.held_out);
  return files;
}

LoadedModel open_reference(const std::string& path, const LoadedModel& loaded) {
  LoadedModel reference = open_model({path, ""});
  if (reference.model.config.vocab_size != loaded.model.config.vocab_size) {
    throw invalid_input("--ref-model " + path +
                        " has another vocabulary than --model: a reference must read the same "
                        "tokens");
  }
  return reference;
}

int run_training(const std::string& method, const TrainPlan& plan, const train::TrainConfig& config,
                 const TrainFlags& flags, const CommonOptions& common, LoadedModel& loaded,
                 const TrainFiles& files, const TrainRows& train, llm::HeadNeed need) {
  if (flags.dry_run) {
    std::printf("%s\n", plan.to_json().dump_pretty().c_str());
    return 0;
  }
  tensor::Compute compute(common.threads);
  prepare_model(compute, config, loaded, need);
  TrainingProgress progress(method, plan.steps, common.quiet);
  train::TrainJob job = make_train_job(compute, loaded, flags, files.rows, files.eval());
  job.kept_layers = plan.kept_layers.kept;
  progress.attach(job);
  const train::TrainResult result = train(compute, job);
  progress.finish();
  return finish_training(result, job, flags, common, loaded);
}

}  // namespace hone::cli
