#pragma once
// What the methods of hone train share around their options: rows, the plan that is said before
// anything long starts, the job, the result.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/common.h"
#include "cli/kept_layers.h"
#include "cli/memory.h"
#include "cli/train_options.h"
#include "data/dataset.h"
#include "train/final_model.h"
#include "train/training_run.h"

namespace hone::cli {

data::Dataset load_train_rows(const TrainFlags& flags, const std::string& path,
                              const std::vector<data::RowKind>& kinds);
void warn_of_overlap(const data::Dataset& train, const data::Dataset& held_out);

// Refuses rows whose prompts stand in a set of the gates of --gate.
void check_gates(const TrainFlags& flags, const data::Dataset& rows);

// --data and --eval-data, after check_gates; a prompt that both have is warned of.
struct TrainFiles {
  data::Dataset rows;
  std::optional<data::Dataset> held_out;
  const data::Dataset* eval() const { return held_out ? &*held_out : nullptr; }
};
TrainFiles read_train_files(const TrainFlags& flags, const std::vector<data::RowKind>& kinds,
                            const CommonOptions& common);

// --ref-model, not loaded yet; refused when it reads other tokens.
LoadedModel open_reference(const std::string& path, const LoadedModel& loaded);

// What will happen, before anything long starts.
struct TrainPlan {
  size_t rows = 0, eval_rows = 0, cut_rows = 0, cut_tokens = 0, tokens = 0, longest = 0;
  size_t steps = 0, sequences = 0;  // sequences: what a batch counts
  size_t too_long = 0;              // left out of a reward model's pairs
  MemoryPlan memory;
  KeptLayers kept_layers;

  Json to_json() const;
};

template <typename Tokens>
void add_rows(TrainPlan& plan, const std::vector<Tokens>& rows, size_t (*size)(const Tokens&)) {
  plan.rows = plan.sequences = rows.size();
  for (const Tokens& row : rows) {
    plan.tokens += size(row);
    plan.longest = std::max(plan.longest, size(row));
    plan.cut_rows += row.cut > 0 ? 1 : 0;
    plan.cut_tokens += row.cut;
  }
}

// The memory and the steps, said and refused before the weights are loaded. check_train_plan counts
// steps and memory of a method without generation; say_plan is told both.
void check_train_plan(TrainPlan& plan, const train::TrainConfig& config, const LoadedModel& loaded,
                      const LoadedModel* reference, const CommonOptions& common,
                      size_t largest_tree);
// The end of it for plans whose memory is counted elsewhere, with one layer kept: keeps as many as the
// limit allows, and refuses when one is too many. more: as keep_layers has it.
void fit_memory(TrainPlan& plan, const train::TrainConfig& config, const llm::ModelConfig& model,
                const CommonOptions& common, const std::string& how_to_lower,
                const std::function<uint64_t(size_t kept)>& more);
void say_plan(const TrainPlan& plan, const CommonOptions& common);
// Loads the weights; as f32 when all of them are trained.
void prepare_model(tensor::Compute& compute, const train::TrainConfig& config, LoadedModel& loaded,
                   llm::HeadNeed need = llm::HeadNeed::kLanguage);

train::TrainJob make_train_job(tensor::Compute& compute, LoadedModel& loaded,
                               const TrainFlags& flags, const data::Dataset& rows,
                               const data::Dataset* eval_rows);
// Saves final/ and says so; the command's exit code.
int finish_training(const train::TrainResult& result, const train::TrainJob& job,
                    const TrainFlags& flags, const CommonOptions& common,
                    const LoadedModel& loaded);

// From a plan that was said to final/ and the exit code: with --dry-run the plan alone; else weights,
// progress, and `train`, which loads what other weights it needs.
using TrainRows = std::function<train::TrainResult(tensor::Compute& compute, train::TrainJob& job)>;
int run_training(const std::string& method, const TrainPlan& plan, const train::TrainConfig& config,
                 const TrainFlags& flags, const CommonOptions& common, LoadedModel& loaded,
                 const TrainFiles& files, const TrainRows& train,
                 llm::HeadNeed need = llm::HeadNeed::kLanguage);

// Methods with a file of their own, for the table in train_command.cc.
int train_reward(const std::vector<std::string>& arguments);
int train_grpo(const std::vector<std::string>& arguments);
int train_rloo(const std::vector<std::string>& arguments);
int train_online_dpo(const std::vector<std::string>& arguments);
int train_reward(const std::vector<std::string>& arguments);
int train_distill(const std::vector<std::string>& arguments);
int train_kto(const std::vector<std::string>& arguments);
int train_orpo(const std::vector<std::string>& arguments);
int train_cpo(const std::vector<std::string>& arguments);
int train_jepa(const std::vector<std::string>& arguments);
int train_ppo(const std::vector<std::string>& arguments);

}  // namespace hone::cli
