// hone replay RUN: computes steps of a run again and compares them to the bit.

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdio>
#include <filesystem>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/kept_layers.h"
#include "cli/online_options.h"
#include "cli/progress.h"
#include "cli/reward_functions.h"
#include "cli/temporary_folder.h"
#include "cli/train_jepa.h"
#include "data/dataset.h"
#include "llm/unpaired_rows.h"
#include "reward/builtin.h"
#include "tensor/recipe.h"
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

struct ReplayFlags {
  std::string model, ref_model, teacher, value_model, data, steps, temporary_dir;
  std::vector<std::string> rewards;
  CommonOptions common;
};

struct StepRange {
  size_t first = 1, last = 0;
};

// "5:8", "5:", ":8" or "5", inside the run's steps.
StepRange parse_steps(const std::string& text, size_t begin, size_t done) {
  StepRange range{begin, done};
  if (text.empty()) return range;
  const auto number = [&](const std::string& part, size_t otherwise) {
    if (part.empty()) return otherwise;
    size_t value = 0;
    const char* end = part.data() + part.size();
    const auto [stop, status] = std::from_chars(part.data(), end, value);
    if (status != std::errc() || stop != end) {
      throw invalid_input("--steps \"" + text + "\" is not a range: write 5:8, 5: or 5");
    }
    return value;
  };
  const size_t colon = text.find(':');
  range.first = number(text.substr(0, colon), begin);
  range.last = colon == std::string::npos ? range.first : number(text.substr(colon + 1), done);
  if (range.first < begin || range.first > range.last || range.last > done) {
    throw invalid_input("--steps " + text + " is not in this run: it has steps " +
                        std::to_string(begin) + " to " + std::to_string(done) +
                        (begin > 1 ? " of this program's recipe" : ""));
  }
  return range;
}

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

struct Checkpoint {
  size_t step = 0;  // 0: from the start
  std::string name;
};

// The newest checkpoint before the first step that is asked for.
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

size_t oldest_checkpoint(const std::string& run) {
  size_t oldest = 0;
  for (size_t first = SIZE_MAX; first > 1; first = oldest) {
    const Checkpoint found = nearest_checkpoint(run, first);
    if (found.step == 0) break;
    oldest = found.step;
  }
  return oldest;
}

struct Difference {
  size_t step = 0;
  std::string what, then, now;
};

bool same_bits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

std::optional<Difference> first_difference(const std::vector<train::StepRecord>& then,
                                           const std::vector<train::StepRecord>& now) {
  for (const train::StepRecord& fresh : now) {
    const auto old = std::find_if(then.begin(), then.end(), [&](const train::StepRecord& record) {
      return record.step == fresh.step;
    });
    if (old == then.end()) return Difference{fresh.step, "step", "missing", "computed"};
    if (!same_bits(old->loss, fresh.loss)) {
      return Difference{fresh.step, "loss", number_to_string(old->loss),
                        number_to_string(fresh.loss)};
    }
    if (!same_bits(old->grad_norm, fresh.grad_norm)) {
      return Difference{fresh.step, "grad_norm", number_to_string(old->grad_norm),
                        number_to_string(fresh.grad_norm)};
    }
    if (old->hash != fresh.hash) return Difference{fresh.step, "hash", old->hash, fresh.hash};
  }
  return std::nullopt;
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

// Runs the steps behind the checkpoint up to range.last into `folder` and returns them.
class Replay {
 public:
  Replay(const std::string& run, const ReplayFlags& flags, const data::RunManifest& manifest,
         StepRange range)
      : run_(run),
        flags_(flags),
        manifest_(manifest),
        range_(range),
        sources_(train::RunDirectory::read_sources(real_env(), run)),
        checkpoint_(nearest_checkpoint(run, range.first)) {}

  size_t begins_after() const { return checkpoint_.step; }

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
    train::TrainJob job{compute, real_env(), loaded.model, folder.path() + "/run", true, false,
                        {},      {},         &stop_};
    job_ = &job;
    job.manifest = manifest_;
    job.accept_recipe = !manifest_.earlier_recipes.empty();
    Progress progress("replay", "steps", range_.last - checkpoint_.step, flags_.common.quiet);
    // The loop looks at `stop` at the end of a step, before it reports it.
    stop_ = checkpoint_.step + 1 >= range_.last;
    job.progress = [&](const train::StepReport& report) {
      progress.update(report.step - checkpoint_.step);
      stop_ = report.step + 1 >= range_.last;
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
        llm::tokenize_sft(dataset.rows, loaded.codec ? &*loaded.codec : nullptr,
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
    size_t largest = 0;
    if (config.process) {
      const auto examples = llm::tokenize_steps(dataset.rows, codec, config.step_separator,
                                                config.train_on_last_step_only, config.max_length,
                                                loaded.model.config);
      for (const auto& e : examples) largest = std::max(largest, e.tokens.size());
      prepare(compute, loaded, nullptr, config, largest, llm::HeadNeed::kScore);
      train::train_process_reward(job, config, examples, {});
      return;
    }
    const train::RewardPairs examples = train::reward_pairs(
        llm::tokenize_preferences(dataset.rows, codec, {0, config.max_prompt_length, true, false},
                                  loaded.model.config),
        config.max_length);
    for (const auto& e : examples.pairs) {
      largest = std::max(largest, e.prompt.size() + e.chosen.size() + e.rejected.size());
    }
    prepare(compute, loaded, nullptr, config, largest, llm::HeadNeed::kScore);
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
    if (manifest_.digests.contains("ref_model")) {
      const std::string path =
          source_of(flags_.ref_model, sources_, "ref_model", "--ref-model MODEL");
      check_digest(manifest_, "ref_model", path, model_digest(path));
      return open_model({path, ""});
    }
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
    size_t largest = 0;
    for (const auto& e : examples) {
      largest = std::max(largest, e.prompt.size() + e.chosen.size() + e.rejected.size());
    }
    prepare(compute, loaded, nullptr, config, largest);
    train(job, config, examples, {});
  }

  // A second model of the run, not loaded yet.
  LoadedModel open_other(const std::string& given, const std::string& name,
                         const std::string& option) const {
    const std::string path = source_of(given, sources_, name, option);
    check_digest(manifest_, name, path, model_digest(path));
    return open_model({path, ""});
  }

  void kto(tensor::Compute& compute, LoadedModel& loaded, const data::Dataset& dataset,
           train::TrainJob& job) {
    train::KtoConfig config = train::kto_config_from_json(manifest_.settings);
    const auto examples = llm::tokenize_unpaired(
        dataset.rows, loaded.codec_or_null(),
        {config.max_length, config.max_prompt_length, true, false}, loaded.model.config);
    std::optional<LoadedModel> reference;
    if (manifest_.digests.contains("ref_model")) {
      reference = open_other(flags_.ref_model, "ref_model", "--ref-model MODEL");
    }
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
        dataset.rows, loaded.codec ? &*loaded.codec : nullptr,
        {config.max_length, config.max_prompt_length, true, false}, loaded.model.config);
    std::optional<LoadedModel> reference;
    train::DpoReference dpo_reference;
    dpo_reference.digest = manifest_.digests.at("model");
    if (manifest_.digests.contains("ref_model")) {
      const std::string path =
          source_of(flags_.ref_model, sources_, "ref_model", "--ref-model MODEL");
      dpo_reference.digest = model_digest(path);
      check_digest(manifest_, "ref_model", path, dpo_reference.digest);
      reference = open_model({path, ""});
      dpo_reference.model = &reference->model;
    }
    size_t largest = 0;
    for (const auto& e : examples) {
      largest = std::max(largest, e.prompt.size() + e.chosen.size() + e.rejected.size());
    }
    prepare(compute, loaded, reference ? &*reference : nullptr, config, largest);
    if (reference) load_weights(compute, *reference);
    train::train_dpo(job, config, examples, {}, dpo_reference);
  }

  std::string run_;
  const ReplayFlags& flags_;
  const data::RunManifest& manifest_;
  StepRange range_;
  std::map<std::string, std::string> sources_;
  Checkpoint checkpoint_;
  std::atomic<bool> stop_{false};
  train::TrainJob* job_ = nullptr;  // while compute() runs
};

// Behind the steps of earlier recipes (--accept-recipe), whose last checkpoint must still be there.
size_t first_replayable_step(const std::string& run, const data::RunManifest& manifest) {
  if (manifest.earlier_recipes.empty()) return 1;
  const size_t first = manifest.earlier_recipes.back().last_step + 1;
  if (nearest_checkpoint(run, first).step + 1 == first) return first;
  const size_t oldest = oldest_checkpoint(run);
  if (oldest < first) {
    throw invalid_input(run + " went on with another numerics recipe after step " +
                        std::to_string(first - 1) +
                        ", and no checkpoint from there on is left: nothing can be replayed");
  }
  return oldest + 1;
}

void check_replayable(const std::string& run, const data::RunManifest& manifest) {
  constexpr std::array<std::string_view, 12> kMethods = {"sft",  "dpo",  "reward",     "ppo",
                                                         "grpo", "rloo", "online_dpo", "orpo",
                                                         "cpo",  "kto",  "distill",    "jepa"};
  if (std::find(kMethods.begin(), kMethods.end(), manifest.method) == kMethods.end()) {
    throw invalid_input(run + " is a run of " + manifest.method +
                        ", which hone replay does not know");
  }
  if (!manifest.seeds.contains("seed")) throw invalid_input(run + ": the manifest has no seed");
  if (manifest.recipe != tensor::kRecipe) {
    throw Error(ErrorCode::kConflict, run + " was computed by recipe " + manifest.recipe +
                                          ", this program has " + tensor::kRecipe +
                                          ": replay it with hone " + manifest.program_version +
                                          " (" + manifest.program_commit + ")");
  }
}

void print(const std::string& run, size_t begins_after, size_t last, size_t count,
           const std::optional<Difference>& difference, bool json) {
  if (json) {
    Json out = Json::object();
    out["run"] = run;
    out["first_step"] = uint64_t{begins_after + 1};
    out["last_step"] = uint64_t{last};
    out["steps"] = uint64_t{count};
    out["equal"] = !difference.has_value();
    if (difference) {
      Json at = Json::object();
      at["step"] = uint64_t{difference->step};
      at["field"] = difference->what;
      at["then"] = difference->then;
      at["now"] = difference->now;
      out["first_difference"] = std::move(at);
    }
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  const std::string from =
      begins_after == 0 ? "from the start" : "from checkpoint step-" + std::to_string(begins_after);
  if (!difference) {
    std::printf("equal to the bit: steps %zu to %zu, computed again %s\n", begins_after + 1, last,
                from.c_str());
    return;
  }
  std::printf("DIFFERS first at step %zu: %s was %s, is now %s (computed again %s)\n",
              difference->step, difference->what.c_str(), difference->then.c_str(),
              difference->now.c_str(), from.c_str());
}

}  // namespace

int run_replay(const Arguments& arguments) {
  ReplayFlags flags;
  Options options("replay", "computes steps of a run again and compares them to the bit.",
                  "RUN [--steps a:b]");
  options.example("hone replay run", "every step: exit 0 when all are equal, 3 when not");
  options.example("hone replay run --steps 40:45", "from the nearest checkpoint before step 40");
  options.example("hone replay run --model m.gguf --data pairs.jsonl",
                  "when the files have moved; their digests are checked");
  options.text("steps", &flags.steps, "A:B", "first and last step; empty = all");
  options.text("model", &flags.model, "MODEL", "empty = where the run says it was");
  options.text("data", &flags.data, "FILE", "empty = where the run says it was");
  options.text("ref-model", &flags.ref_model, "MODEL", "of a run that had one");
  options.text("teacher", &flags.teacher, "MODEL",
               "of a distillation: the teacher, or the file of what it said");
  options.text("value-model", &flags.value_model, "MODEL", "of a run of ppo that had one");
  options.texts("reward", &flags.rewards, "SPEC",
                "of a run whose reward is a program: the same again");
  options.text("temporary-dir", &flags.temporary_dir, "DIR", "where a copy of the run is computed");
  flags.common.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return 0;
  if (words.size() != 1) throw invalid_input("hone replay needs one RUN (a run's folder)");
  const std::string& run = words[0];
  const data::RunManifest manifest = train::RunDirectory::read_manifest(real_env(), run);
  check_replayable(run, manifest);
  if (!real_env().exists(run + "/steps.jsonl")) throw invalid_input(run + " has no steps yet");
  const auto then = train::RunDirectory::read_steps(real_env(), run);
  if (then.empty()) throw invalid_input(run + " has no steps yet");
  const size_t first = first_replayable_step(run, manifest);
  const StepRange range = parse_steps(flags.steps, first, then.back().step);
  interrupted();  // sets the handlers
  Replay replay(run, flags, manifest, range);
  const auto now = replay.compute();
  const auto difference = first_difference(then, now);
  print(run, replay.begins_after(), range.last, now.size(), difference, flags.common.json);
  return difference ? 3 : 0;
}

}  // namespace hone::cli
