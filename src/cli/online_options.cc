#include "cli/online_options.h"

#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/training_progress.h"

namespace hone::cli {

void OnlineFlags::add_rewards(Options& options, train::OnlineConfig& config) {
  options.section("Rewards");
  options.texts(
      "reward", &config.rewards, "SPEC",
      "what an answer is worth; may be given several times: exact, numeric, arithmetic, prefix, "
      "regex, json, length, overlong, ended, format, posterior, program, model, each "
      "NAME:key=value,.. (docs/training.md)");
  options.reals("reward-weights", &config.reward_weights, "one for each reward; empty = 1 each");
}

void OnlineFlags::add_sampling(Options& options, train::OnlineConfig& config) {
  options.section("Generation (batch sizes count answers, online_dpo's prompts, as in TRL)");
  options.count("num-generations", &config.num_generations, "answers to a prompt");
  options.count("num-generations-eval", &config.num_generations_eval,
                "answers to a prompt of --eval-data; 0 = --num-generations");
  options.real("temperature", &config.temperature, "");
  options.real("top-p", &config.top_p, "1 = off");
  options.count("top-k", &config.top_k, "0 = off");
  options.real("min-p", &config.min_p, "0 = off");
  options.text("rollouts", &rollouts, "FILE",
               "recorded answers with their log-probabilities, in the place of --data and of own "
               "answers (docs/formats/rollouts.md)");
  options.real("rollout-tolerance", &rollout_tolerance,
               "how far a recorded log-probability may be from what --model says");
  train.data_option = "rollouts";
  train.instead_of_data = &rollouts;
  options.count("rollout-batch-size", &config.rollout_batch_size,
                "answers written at once; decides memory and speed, no bit");
  options.flag("log-completions", &config.log_completions,
               "every answer with its rewards into completions.jsonl (default true)");
}

void OnlineFlags::add_reference(Options& options) {
  options.text("ref-model", &ref_model, "MODEL",
               "where a KL is asked for: the reference; empty = the model before training");
}

void OnlineFlags::add_to(Options& options, train::OnlineConfig& config) {
  train.add_to(options, config);
  add_rewards(options, config);
  add_sampling(options, config);
  options.count("max-completion-length", &config.max_completion_length,
                "tokens of an answer at most");
  options.count("num-iterations", &config.num_iterations,
                "how often the answers of a generation are trained on");
  options.count("steps-per-generation", &config.steps_per_generation,
                "micro-batches that one generation serves; 0 = one optimiser step");
  options.section("Policy");
  options.real("beta", &config.beta, "weight of the KL to the reference; 0 = no reference");
  add_reference(options);
  options.real("epsilon", &config.epsilon, "lower clip of the ratio");
  options.real("epsilon-high", &epsilon_high_, "upper clip; not given = --epsilon");
}

bool OnlineFlags::parse(Options& options, const std::vector<std::string>& arguments,
                        train::OnlineConfig& config, CommonOptions& common) {
  if (!train.parse(options, arguments, config, common)) return false;
  if (options.was_given("epsilon-high")) config.epsilon_high = epsilon_high_;
  config.recorded_rollouts = !rollouts.empty();
  if (!(rollout_tolerance >= 0)) throw invalid_input("--rollout-tolerance must be 0 or more");
  if (config.rewards.empty() && !config.recorded_rollouts) {
    throw invalid_input("there is no reward: name at least one with --reward (for example exact)");
  }
  return true;
}

train::OnlineData OnlineInput::data() const {
  train::OnlineData data{prompts,
                         eval_prompts,
                         rewards.functions,
                         nullptr,
                         loaded.end_of_generation,
                         reference ? &reference->model : nullptr};
  if (loaded.codec) data.tokenizer = &loaded.codec->tokenizer();
  if (recorded) data.recorded = &*recorded;
  return data;
}

void read_rollouts(const data::Dataset& rows, const train::OnlineConfig& config,
                   LoadedModel& loaded, RewardFunctions& rewards,
                   std::optional<train::RecordedRollouts>& recorded) {
  const llm::ModelConfig& model = loaded.model.config;
  recorded = train::recorded_rollouts(
      rows.rows,
      {config.num_generations, config.max_completion_length, model.vocab_size, model.context_length,
       loaded.end_of_generation, loaded.codec ? &loaded.codec->tokenizer() : nullptr});
  if (!recorded->has_rewards) return;
  if (!rewards.functions.empty()) {
    throw invalid_input("the rollouts carry rewards: leave out --reward, or take theirs away");
  }
  rewards.functions = std::move(recorded->rewards);
}

namespace {

// Of a generation or an evaluation, whichever takes more.
uint64_t rollout_bytes(const OnlineInput& input, const train::OnlineConfig& config,
                       size_t longest) {
  const llm::ModelConfig& model = input.loaded.model.config;
  train::RolloutOptions options = config.rollout();
  const uint64_t of_steps =
      train::Rollouts::planned_bytes(model, options, config.lora_r, longest,
                                     config.prompts_per_generation() * options.num_generations);
  if (config.num_generations_eval > 0) options.num_generations = config.num_generations_eval;
  if (input.eval_prompts.empty()) return of_steps;
  return std::max(of_steps, train::Rollouts::planned_bytes(
                                model, options, config.lora_r, longest,
                                input.eval_prompts.size() * options.num_generations));
}

}  // namespace

OnlineInput read_online_input(const OnlineFlags& flags, const train::OnlineConfig& config,
                              const CommonOptions& common) {
  OnlineInput input;
  // Rewards first: a slip in one is found at once.
  input.rewards = make_rewards(config.rewards);
  if (!config.recorded_rollouts) {
    reward::check_functions(input.rewards.functions, config.reward_weights);
  }
  input.rows =
      load_train_rows(flags.train, flags.train.data,
                      config.recorded_rollouts ? rollout_row_kinds() : llm::prompt_row_kinds());
  check_gates(flags.train, input.rows);
  if (!flags.train.eval_data.empty()) {
    input.held_out = load_train_rows(flags.train, flags.train.eval_data, llm::prompt_row_kinds());
    if (!common.quiet) warn_of_overlap(input.rows, *input.held_out);
  }
  input.loaded = open_model(flags.train.model);
  input.rewards.check(input.loaded.model.config);
  if (!flags.value_model.empty()) {
    input.value = open_value_model(flags.value_model, input.loaded, config);
  }
  const llm::TokenizeOptions cut = {config.max_length, config.max_prompt_length, true, false};
  const llm::TextCodec* codec = input.loaded.codec_or_null();
  if (config.recorded_rollouts) {
    read_rollouts(input.rows, config, input.loaded, input.rewards, input.recorded);
    reward::check_functions(input.rewards.functions, config.reward_weights);
    input.prompts = input.recorded->prompts;
    if (input.held_out && input.recorded->has_rewards) {
      throw invalid_input("--eval-data needs a --reward that can judge: the rollouts' own cannot");
    }
  } else {
    input.prompts = llm::tokenize_prompts(input.rows.rows, codec, cut, input.loaded.model.config);
  }
  if (input.held_out) {
    input.eval_prompts =
        llm::tokenize_prompts(input.held_out->rows, codec, cut, input.loaded.model.config);
  }
  if (config.beta > 0 && (!flags.ref_model.empty() || config.lora_r == 0)) {
    const std::string& path = flags.ref_model.empty() ? flags.train.model.model : flags.ref_model;
    input.reference = open_reference(path, input.loaded);
  }
  TrainPlan& plan = input.plan;
  plan.rows = plan.sequences = input.prompts.size();
  plan.eval_rows = input.eval_prompts.size();
  for (const llm::PromptTokens& prompt : input.prompts) {
    plan.tokens += prompt.ids.size();
    plan.longest = std::max(plan.longest, prompt.ids.size());
  }
  plan.steps = train::total_online_steps(config, input.prompts.size());
  const llm::ModelConfig& model = input.loaded.model.config;
  const size_t largest =
      std::max(config.max_tokens_per_pass,
               train::largest_group_rows(config, input.prompts, model.context_length));
  plan.memory = least_training_memory(input.loaded, input.reference ? &*input.reference : nullptr,
                                      config, largest);
  const size_t longest =
      std::max(train::longest_prompt(input.prompts), train::longest_prompt(input.eval_prompts));
  plan.memory.add("keys and values of the answers", rollout_bytes(input, config, longest));
  if (config.beta > 0) {
    plan.memory.add("reference pass", llm::TrainingPass::planned_score_bytes(
                                          model, 0, largest, llm::PassOptions{true}));
  }
  if (input.value) {
    train::check_value_model(model, input.value->config(input.loaded),
                             train::longest_prompt(input.prompts) + config.max_completion_length);
    input.value->add_to(plan.memory, input.loaded, config, largest);
  }
  input.rewards.add_to(plan.memory, longest + config.max_completion_length);
  fit_memory(plan, config, model, common,
             "use --lora-r 16, fewer --num-generations, or a smaller --max-completion-length or "
             "--rollout-batch-size",
             [&](size_t kept) {
               const uint64_t of_value =
                   input.value ? input.value->more_layers_bytes(input.loaded, largest, kept) : 0;
               return more_layers_bytes(model, largest, kept) + of_value;
             });
  say_plan(plan, common);
  return input;
}

int run_online(
    const char* label, OnlineInput& input, const OnlineFlags& flags,
    const train::OnlineConfig& config, const CommonOptions& common,
    const std::function<train::TrainResult(train::TrainJob&, const train::OnlineData&)>& train) {
  if (flags.train.dry_run) {
    std::printf("%s\n", input.plan.to_json().dump_pretty().c_str());
    return 0;
  }
  tensor::Compute compute(common.threads);
  prepare_model(compute, config, input.loaded);
  if (input.reference) load_weights(compute, *input.reference);
  if (input.value) input.value->load(compute, input.loaded, config);
  input.rewards.load(compute);
  if (input.recorded) {
    const double off = train::check_rollouts(compute, input.loaded.model, *input.recorded, config,
                                             flags.rollout_tolerance);
    if (!common.quiet) {
      std::fprintf(stderr, "rollouts: log-probabilities are --model's to within %s\n",
                   number_to_string(off).c_str());
    }
  }
  TrainingProgress progress(label, input.plan.steps, common.quiet);
  train::TrainJob job = make_train_job(compute, input.loaded, flags.train, input.rows,
                                       input.held_out ? &*input.held_out : nullptr);
  job.kept_layers = input.plan.kept_layers.kept;
  if (input.reference && !flags.ref_model.empty()) {
    job.manifest.digests["ref_model"] = model_digest(flags.ref_model);
    job.sources["ref_model"] = absolute_path(flags.ref_model);
  }
  if (input.value) {
    job.manifest.digests["value_model"] = model_digest(input.value->path);
    job.sources["value_model"] = absolute_path(input.value->path);
  }
  for (const auto& [name, digest] : input.rewards.digests()) job.manifest.digests[name] = digest;
  progress.attach(job);
  const train::TrainResult result = train(job, input.data());
  progress.finish();
  return finish_training(result, job, flags.train, common, input.loaded);
}

}  // namespace hone::cli
