#include "cli/replay_run.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <filesystem>

#include "base/env.h"
#include "base/error.h"
#include "cli/kept_layers.h"
#include "cli/online_options.h"
#include "cli/progress.h"
#include "cli/reward_functions.h"
#include "cli/temporary_folder.h"
#include "cli/train_jepa.h"
#include "data/dataset.h"
#include "llm/unpaired_rows.h"
#include "reward/builtin.h"
#include "train/cpo.h"
#include "train/distill.h"
#include "train/dpo.h"
#include "train/grpo.h"
#include "train/kto.h"
#include "train/online_dpo.h"
#include "train/orpo.h"
#include "train/ppo.h"
#include "train/reward.h"
#include "train/rloo.h"
#include "train/sft.h"

namespace hone::cli {

namespace {

// The path that was given, else the one that the run remembers.
std::string source_of(const std::string& given, const std::map<std::string, std::string>& sources,
                      const std::string& name, const std::string& option) {
  if (!given.empty()) return given;
  const auto found = sources.find(name);
  if (found != sources.end() && real_env().exists(found->second)) return found->second;
  if (found != sources.end()) {
    throw not_found("the run's " + name + " was " + found->second +
                    ", which is not there any more: give it as " + option);
  }
  throw invalid_input("the run does not say where its " + name + " lies: give it as " + option);
}

void check_digest(const data::RunManifest& manifest, const std::string& name,
                  const std::string& path, const std::string& digest) {
  const auto expected = manifest.digests.find(name);
  if (expected == manifest.digests.end()) {
    throw invalid_input("the run's manifest has no digest of its " + name +
                        ": nothing can be proven with it");
  }
  if (expected->second == digest) return;
  throw invalid_input(path + " is not what the run used as " + name + ": its digest is " +
                      digest.substr(0, 16) + "..., the manifest says " +
                      expected->second.substr(0, 16) + "...");
}

std::vector<data::RowKind> row_kinds_of(const std::string& method) {
  if (method == "sft" || method == "jepa" || method == "distill") return llm::sft_row_kinds();
  if (method == "kto") return llm::unpaired_row_kinds();
  if (method == "grpo" || method == "rloo" || method == "online_dpo" || method == "ppo") {
    return llm::prompt_row_kinds();
  }
  std::vector<data::RowKind> kinds = llm::preference_row_kinds();
  if (method == "reward") kinds.push_back(data::RowKind::kStepwise);
  return kinds;
}

size_t largest_pair(const std::vector<llm::PreferenceTokens>& pairs) {
  size_t largest = 0;
  for (const auto& e : pairs) {
    largest = std::max(largest, e.prompt.size() + e.chosen.size() + e.rejected.size());
  }
  return largest;
}

class Replay {
 public:
  Replay(const std::string& run, const ReplayFlags& flags, const data::RunManifest& manifest,
         const Checkpoint& checkpoint, size_t last)
      : run_(run),
        flags_(flags),
        manifest_(manifest),
        checkpoint_(checkpoint),
        last_(last),
        sources_(train::RunDirectory::read_sources(real_env(), run)) {}

  std::vector<train::StepRecord> compute() {
    const std::string model_path = source_of(flags_.model, sources_, "model", "--model M");
    const std::string data_path = source_of(flags_.data, sources_, "data", "--data D.jsonl");
    check_digest(manifest_, "model", model_path, model_digest(model_path));
    data::ReadOptions read;
    // Bad rows were left out then, or there were none: the digest says that it is the same file.
    read.on_bad_row = data::OnBadRow::kSkip;
    const Json* recorded = manifest_.settings.find("recorded_rollouts");
    read.accepted = recorded != nullptr && recorded->is_bool() && recorded->as_bool()
                        ? rollout_row_kinds()
                        : row_kinds_of(manifest_.method);
    const data::Dataset dataset = data::load_dataset(real_env(), data_path, read);
    check_digest(manifest_, "data", data_path, dataset.digest);

    const TemporaryFolder folder(flags_.temporary_dir, "hone-replay");
    copy_checkpoint(folder.path());
    tensor::Compute compute(flags_.common.threads);
    LoadedModel loaded = open_model({model_path, ""});
    train::TrainJob job{compute, real_env(), loaded.model, folder.path() + "/run", true};
    job_ = &job;
    job.stop = &stop_;
    job.manifest = manifest_;
    job.accept_recipe = !manifest_.earlier_recipes.empty();
    Progress progress("replay", "steps", last_ - checkpoint_.step, flags_.common.quiet);
    // The loop looks at `stop` at the end of a step, before it reports it.
    stop_ = checkpoint_.step + 1 >= last_;
    job.progress = [&](const train::StepReport& report) {
      progress.update(report.step - checkpoint_.step);
      stop_ = report.step + 1 >= last_;
      stop_if_interrupted("nothing was left behind");
    };
    if (manifest_.method == "dpo") {
      dpo(compute, loaded, dataset, job);
    } else if (manifest_.method == "grpo") {
      online(compute, loaded, dataset, job, train::grpo_config_from_json(manifest_.settings),
             train::train_grpo);
    } else if (manifest_.method == "rloo") {
      online(compute, loaded, dataset, job, train::rloo_config_from_json(manifest_.settings),
             train::train_rloo);
    } else if (manifest_.method == "ppo") {
      ppo(compute, loaded, dataset, job);
    } else if (manifest_.method == "online_dpo") {
      online(compute, loaded, dataset, job, train::online_dpo_config_from_json(manifest_.settings),
             train::train_online_dpo);
    } else if (manifest_.method == "reward") {
      reward(compute, loaded, dataset, job);
    } else if (manifest_.method == "orpo") {
      pairs(compute, loaded, dataset, job, train::orpo_config_from_json(manifest_.settings),
            train::train_orpo);
    } else if (manifest_.method == "cpo") {
      pairs(compute, loaded, dataset, job, train::cpo_config_from_json(manifest_.settings),
            train::train_cpo);
    } else if (manifest_.method == "kto") {
      kto(compute, loaded, dataset, job);
    } else if (manifest_.method == "jepa") {
      jepa(compute, loaded, dataset, job);
    } else if (manifest_.method == "distill") {
      distill(compute, loaded, dataset, job);
    } else {
      sft(compute, loaded, dataset, job);
    }
    progress.finish();
    return train::RunDirectory::read_steps(real_env(), job.output);
  }

 private:
  void copy_checkpoint(const std::string& folder) const {
    const std::string to = folder + "/run/checkpoints";
    real_env().create_directories(to);
    if (checkpoint_.step == 0) return;
    std::error_code error;
    std::filesystem::copy(run_ + "/checkpoints/" + checkpoint_.name, to + "/" + checkpoint_.name,
                          std::filesystem::copy_options::recursive, error);
    if (error) {
      throw Error(ErrorCode::kUnavailable, "cannot copy " + checkpoint_.name + " to " + to + ": " +
                                               error.message() +
                                               " (--temporary-dir names another place)");
    }
  }

  template <typename Config>
  void prepare(tensor::Compute& compute, LoadedModel& loaded, const LoadedModel* reference,
               Config& config, size_t largest_row, llm::HeadNeed need = llm::HeadNeed::kLanguage,
               const ValueInput* value = nullptr) const {
    config.seed = manifest_.seeds.at("seed");
    config.save_steps = 0;
    config.logging_steps = SIZE_MAX;
    const size_t rows = std::max(config.max_tokens_per_pass, largest_row);
    MemoryPlan plan = least_training_memory(loaded, reference, config, rows);
    if (value != nullptr) value->add_to(plan, loaded, config, rows);
    const llm::ModelConfig& model = loaded.model.config;
    const auto more = [&](size_t kept) {
      return more_layers_bytes(model, rows, kept) +
             (value == nullptr ? 0 : value->more_layers_bytes(loaded, rows, kept));
    };
    job_->kept_layers =
        keep_layers(plan, model.layers.size(), false, memory_limit(flags_.common), more).kept;
    check_memory(flags_.common, plan, "the replay", "close other programs");
    load_weights(compute, loaded, need);
    if (config.lora_r == 0) llm::make_trainable(compute, loaded.model);
  }

  void sft(tensor::Compute& compute, LoadedModel& loaded, const data::Dataset& dataset,
           train::TrainJob& job) {
    train::SftConfig config = train::sft_config_from_json(manifest_.settings);
    const auto examples =
        llm::tokenize_sft(dataset.rows, loaded.codec_or_null(),
                          {config.max_length, config.max_prompt_length, config.completion_only_loss,
                           config.assistant_only_loss},
                          loaded.model.config);
    size_t largest = 0;
    for (const auto& example : examples) largest = std::max(largest, example.tokens.size());
    prepare(compute, loaded, nullptr, config, largest);
    train::train_sft(job, config, examples, {});
  }

  void jepa(tensor::Compute& compute, LoadedModel& loaded, const data::Dataset& dataset,
            train::TrainJob& job) {
    train::JepaConfig config = train::jepa_config_from_json(manifest_.settings);
    const auto examples =
        llm::tokenize_views(dataset.rows, loaded.codec_or_null(),
                            {config.max_length, config.max_prompt_length,
                             config.completion_only_loss, config.assistant_only_loss},
                            config.jepa_predictors, loaded.model.config);
    prepare(compute, loaded, nullptr, config,
            largest_view_tree(config, loaded.model.config, examples));
    train::train_jepa(job, config, examples, {});
  }

  void reward(tensor::Compute& compute, LoadedModel& loaded, const data::Dataset& dataset,
              train::TrainJob& job) {
    train::RewardConfig config = train::reward_config_from_json(manifest_.settings);
    const llm::TextCodec* codec = loaded.codec_or_null();
    if (config.process) {
      const auto examples = llm::tokenize_steps(dataset.rows, codec, config.step_separator,
                                                config.train_on_last_step_only, config.max_length,
                                                loaded.model.config);
      size_t largest = 0;
      for (const auto& e : examples) largest = std::max(largest, e.tokens.size());
      prepare(compute, loaded, nullptr, config, largest, llm::HeadNeed::kScore);
      train::train_process_reward(job, config, examples, {});
      return;
    }
    const train::RewardPairs examples = train::reward_pairs(
        llm::tokenize_preferences(dataset.rows, codec, {0, config.max_prompt_length, true, false},
                                  loaded.model.config),
        config.max_length);
    prepare(compute, loaded, nullptr, config, largest_pair(examples.pairs), llm::HeadNeed::kScore);
    train::train_reward(job, config, examples.pairs, {});
  }

  // A manifest may come from a stranger: what would run a program must be named here again.
  RewardFunctions rewards_of(const std::vector<std::string>& specs) const {
    for (const std::string& spec : specs) {
      const bool named =
          std::find(flags_.rewards.begin(), flags_.rewards.end(), spec) != flags_.rewards.end();
      if (reward::runs_a_program(spec) && !named) {
        throw invalid_input("the run's reward \"" + spec +
                            "\" runs a program: look at it, then name it yourself with the same "
                            "--reward");
      }
    }
    RewardFunctions rewards = make_rewards(specs);
    for (const auto& [name, digest] : rewards.digests()) {
      check_digest(manifest_, name, "the run's reward", digest);
    }
    return rewards;
  }

  // The reference of a run that had one beside the model, not loaded yet.
  std::optional<LoadedModel> open_reference(const train::OnlineConfig& config) const {
    if (config.beta == 0) return std::nullopt;
    if (manifest_.digests.contains("ref_model")) return open_ref_model();
    if (config.lora_r > 0) return std::nullopt;
    return open_model({source_of(flags_.model, sources_, "model", "--model M"), ""});
  }

  void ppo(tensor::Compute& compute, LoadedModel& loaded, const data::Dataset& dataset,
           train::TrainJob& job) {
    const train::PpoConfig config = train::ppo_config_from_json(manifest_.settings);
    std::optional<ValueInput> value;
    if (config.value_model) {
      const std::string path =
          source_of(flags_.value_model, sources_, "value_model", "--value-model MODEL");
      check_digest(manifest_, "value_model", path, model_digest(path));
      value = open_value_model(path, loaded, config);
    }
    const auto train = [&](train::TrainJob& at, const train::PpoConfig& with,
                           const train::OnlineData& data) {
      if (!value) return train::train_ppo(at, with, data);
      train::ValueStart start = value->start(loaded);
      return train::train_ppo(at, with, data, &start);
    };
    online(compute, loaded, dataset, job, config, train, value ? &*value : nullptr);
  }

  template <typename Config, typename Train>
  void online(tensor::Compute& compute, LoadedModel& loaded, const data::Dataset& dataset,
              train::TrainJob& job, Config config, const Train& train,
              ValueInput* value = nullptr) {
    RewardFunctions rewards = rewards_of(config.rewards);
    rewards.check(loaded.model.config);
    std::optional<train::RecordedRollouts> recorded;
    if (config.recorded_rollouts) read_rollouts(dataset, config, loaded, rewards, recorded);
    const auto prompts =
        recorded ? recorded->prompts
                 : llm::tokenize_prompts(dataset.rows, loaded.codec_or_null(),
                                         {config.max_length, config.max_prompt_length, true, false},
                                         loaded.model.config);
    std::optional<LoadedModel> reference = open_reference(config);
    prepare(compute, loaded, reference ? &*reference : nullptr, config,
            train::largest_group_rows(config, prompts, loaded.model.config.context_length),
            llm::HeadNeed::kLanguage, value);
    if (value != nullptr) value->load(compute, loaded, config);
    if (reference) load_weights(compute, *reference);
    rewards.load(compute);
    config.log_completions = false;
    const std::vector<llm::PromptTokens> none;
    train::OnlineData data{prompts,
                           none,
                           rewards.functions,
                           nullptr,
                           loaded.end_of_generation,
                           reference ? &reference->model : nullptr,
                           recorded ? &*recorded : nullptr};
    if (loaded.codec) data.tokenizer = &loaded.codec->tokenizer();
    train(job, config, data);
  }

  using Pairs = std::vector<llm::PreferenceTokens>;
  template <typename Config>
  void pairs(tensor::Compute& compute, LoadedModel& loaded, const data::Dataset& dataset,
             train::TrainJob& job, Config config,
             train::TrainResult (*train)(train::TrainJob&, const Config&, const Pairs&,
                                         const Pairs&)) {
    const Pairs examples = llm::tokenize_preferences(
        dataset.rows, loaded.codec_or_null(),
        {config.max_length, config.max_prompt_length, true, false}, loaded.model.config);
    prepare(compute, loaded, nullptr, config, largest_pair(examples));
    train(job, config, examples, {});
  }

  // A second model of the run, not loaded yet.
  LoadedModel open_other(const std::string& given, const std::string& name,
                         const std::string& option) const {
    const std::string path = source_of(given, sources_, name, option);
    check_digest(manifest_, name, path, model_digest(path));
    return open_model({path, ""});
  }

  LoadedModel open_ref_model() const {
    return open_other(flags_.ref_model, "ref_model", "--ref-model MODEL");
  }

  void kto(tensor::Compute& compute, LoadedModel& loaded, const data::Dataset& dataset,
           train::TrainJob& job) {
    train::KtoConfig config = train::kto_config_from_json(manifest_.settings);
    const auto examples = llm::tokenize_unpaired(
        dataset.rows, loaded.codec_or_null(),
        {config.max_length, config.max_prompt_length, true, false}, loaded.model.config);
    std::optional<LoadedModel> reference;
    if (manifest_.digests.contains("ref_model")) reference = open_ref_model();
    prepare(compute, loaded, reference ? &*reference : nullptr, config,
            train::longest_meeting(examples));
    if (reference) load_weights(compute, *reference);
    train::train_kto(job, config, examples, {}, reference ? &reference->model : nullptr);
  }

  void distill(tensor::Compute& compute, LoadedModel& loaded, const data::Dataset& dataset,
               train::TrainJob& job) {
    train::DistillConfig config = train::distill_config_from_json(manifest_.settings);
    if (manifest_.digests.contains("teacher_adapter")) {
      throw invalid_input(
          "the run's teacher had an adapter: merge the two (hone model merge) before a run that is "
          "to be replayed");
    }
    const auto examples = llm::tokenize_sft(
        dataset.rows, loaded.codec_or_null(),
        {config.max_length, config.max_prompt_length, true, true}, loaded.model.config);
    size_t largest = 0;
    for (const auto& example : examples) largest = std::max(largest, example.tokens.size());
    if (config.recorded_teacher) {
      const std::string path =
          source_of(flags_.teacher, sources_, "teacher_logprobs", "--teacher FILE");
      check_digest(manifest_, "teacher_logprobs", path, model_digest(path));
      const auto words =
          train::read_teacher_words(real_env(), path, examples, loaded.model.config.vocab_size);
      prepare(compute, loaded, nullptr, config, largest);
      train::train_distill(job, config, examples, {}, {loaded.model, nullptr, nullptr, {}, &words});
      return;
    }
    LoadedModel teacher = open_other(flags_.teacher, "teacher", "--teacher MODEL");
    prepare(compute, loaded, &teacher, config, largest + config.max_new_tokens);
    load_weights(compute, teacher);
    train::train_distill(
        job, config, examples, {},
        {teacher.model, nullptr, loaded.codec ? &loaded.codec->tokenizer() : nullptr,
         loaded.end_of_generation});
  }

  void dpo(tensor::Compute& compute, LoadedModel& loaded, const data::Dataset& dataset,
           train::TrainJob& job) {
    train::DpoConfig config = train::dpo_config_from_json(manifest_.settings);
    const auto examples = llm::tokenize_preferences(
        dataset.rows, loaded.codec_or_null(),
        {config.max_length, config.max_prompt_length, true, false}, loaded.model.config);
    std::optional<LoadedModel> reference;
    train::DpoReference dpo_reference;
    dpo_reference.digest = manifest_.digests.at("model");
    if (manifest_.digests.contains("ref_model")) {
      reference = open_ref_model();
      dpo_reference = {&reference->model, nullptr, manifest_.digests.at("ref_model")};
    }
    prepare(compute, loaded, reference ? &*reference : nullptr, config, largest_pair(examples));
    if (reference) load_weights(compute, *reference);
    train::train_dpo(job, config, examples, {}, dpo_reference);
  }

  std::string run_;
  const ReplayFlags& flags_;
  const data::RunManifest& manifest_;
  Checkpoint checkpoint_;
  size_t last_;
  std::map<std::string, std::string> sources_;
  std::atomic<bool> stop_{false};
  train::TrainJob* job_ = nullptr;  // while compute() runs
};

}  // namespace

Checkpoint nearest_checkpoint(const std::string& run, size_t first) {
  Checkpoint best;
  const std::string folder = run + "/checkpoints";
  if (!real_env().exists(folder)) return best;
  for (const std::string& name : real_env().list_directory(folder)) {
    size_t step = 0;
    if (name.compare(0, 5, "step-") != 0) continue;
    const char* end = name.data() + name.size();
    const auto [stop, status] = std::from_chars(name.data() + 5, end, step);
    if (status == std::errc() && stop == end && step < first && step > best.step) {
      best = {step, name};
    }
  }
  return best;
}

std::vector<train::StepRecord> replay_steps(const std::string& run, const ReplayFlags& flags,
                                            const data::RunManifest& manifest,
                                            const Checkpoint& checkpoint, size_t last) {
  return Replay(run, flags, manifest, checkpoint, last).compute();
}

}  // namespace hone::cli
