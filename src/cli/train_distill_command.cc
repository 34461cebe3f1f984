// hone train distill: from a larger model to a smaller one.

#include <algorithm>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/train_methods.h"
#include "train/distill.h"
#include "train/rollout.h"

namespace hone::cli {

namespace {

size_t row_size(const llm::SftTokens& row) { return row.tokens.size(); }

// The teacher keeps nothing for a backward pass; while answers are drawn their pages
// are there too.
void add_memory(MemoryPlan& plan, const train::DistillConfig& config, const LoadedModel& student,
                const LoadedModel& teacher, size_t teacher_rank, size_t rows, size_t longest) {
  plan.add("the teacher's pass",
           llm::TrainingPass::planned_bytes(teacher.model.config, teacher_rank, rows,
                                            llm::PassOptions{true}));
  const train::RolloutOptions options = train::distill_rollout(config);
  uint64_t pages = 0;
  if (config.lmbda > 0) {
    pages = train::Rollouts::planned_bytes(student.model.config, options, config.lora_r, longest);
  }
  if (config.seq_kd) {
    pages = std::max(pages, train::Rollouts::planned_bytes(teacher.model.config, options,
                                                           teacher_rank, longest));
  }
  if (pages > 0) plan.add("answers being drawn", pages);
}

}  // namespace

namespace {

LoadedModel open_teacher(const ModelOptions& options, const LoadedModel& loaded) {
  LoadedModel teacher = open_model(options);
  if (loaded.codec && teacher.codec) {
    train::check_teacher(loaded.codec->tokenizer(), teacher.codec->tokenizer(), loaded.model.config,
                         teacher.model.config);
  } else if (loaded.model.config.vocab_size != teacher.model.config.vocab_size) {
    throw invalid_input("--teacher has another number of words than --model");
  }
  return teacher;
}

}  // namespace

int train_distill(const Arguments& arguments) {
  CommonOptions common;
  TrainFlags flags;
  ModelOptions teacher_options;
  train::DistillConfig config;
  std::string recorded_path;
  Options options("train distill", "learn what a larger model would say, word by word.",
                  "--model M --teacher T --data D.jsonl --output RUN");
  options.example(
      "hone train distill --model small.gguf --teacher large.gguf --data chats.jsonl --output run "
      "--learning-rate 1e-4",
      "half of the steps on the rows' answers, half on the student's own");
  options.example(
      "hone train distill --model small.gguf --teacher large.gguf --data chats.jsonl --output run "
      "--lmbda 0 --beta 0",
      "off-policy: the teacher's distribution on the rows' answers");
  options.example(
      "hone train distill --model small.gguf --teacher large.gguf --data prompts.jsonl "
      "--output run --lmbda 1 --beta 1",
      "on-policy distillation");
  options.example(
      "hone train distill --model small.gguf --teacher-logprobs said.jsonl --data chats.jsonl "
      "--output run --lmbda 0",
      "a teacher elsewhere, whose words were recorded");
  flags.add_to(options, config);
  options.section("Distillation");
  options.text("teacher", &teacher_options.model, "MODEL", "of the same tokenizer");
  options.text("teacher-adapter", &teacher_options.adapter, "DIR", "its PEFT LoRA directory");
  options.real("beta", &config.beta,
               "0: KL(teacher || student), 1: KL(student || teacher), between: Jensen-Shannon");
  options.real("lmbda", &config.lmbda, "share of the steps that take the student's own answers");
  options.real("temperature", &config.temperature, "of answers that are drawn");
  options.count("max-new-tokens", &config.max_new_tokens, "of answers that are drawn");
  options.flag("seq-kd", &config.seq_kd,
               "the other steps take the teacher's answers to the prompts");
  options.count(
      "teacher-top-k", &config.teacher_top_k,
      "compare the teacher's most likely words of a token and all others as one; 0 = all");
  options.text("teacher-logprobs", &recorded_path, "FILE",
               "in the place of --teacher: what one said of these rows (hone score "
               "--top-logprobs); needs --lmbda 0");
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  config.recorded_teacher = !recorded_path.empty();
  config.complete();
  train::validate(config);
  if (teacher_options.model.empty() == recorded_path.empty()) {
    throw invalid_input(recorded_path.empty()
                            ? "--teacher is missing: the model to learn from (or what it said: "
                              "--teacher-logprobs)"
                            : "--teacher and --teacher-logprobs are both given: take one");
  }

  const TrainFiles files = read_train_files(flags, llm::sft_row_kinds(), common);
  LoadedModel loaded = open_model(flags.model);
  std::optional<LoadedModel> teacher;
  if (!config.recorded_teacher) teacher = open_teacher(teacher_options, loaded);
  const llm::TokenizeOptions cut = {config.max_length, config.max_prompt_length, true, true};
  const llm::TextCodec* codec = loaded.codec_or_null();
  const auto examples = llm::tokenize_sft(files.rows.rows, codec, cut, loaded.model.config);
  std::vector<llm::SftTokens> eval_examples;
  if (files.held_out)
    eval_examples = llm::tokenize_sft(files.held_out->rows, codec, cut, loaded.model.config);

  std::vector<train::TeacherWords> words;
  if (config.recorded_teacher) {
    words = train::read_teacher_words(real_env(), recorded_path, examples,
                                      loaded.model.config.vocab_size);
  }
  TrainPlan plan;
  add_rows(plan, examples, row_size);
  plan.eval_rows = eval_examples.size();
  plan.steps = train::total_steps(config, plan.sequences);
  const size_t largest =
      plan.longest + (config.lmbda > 0 || config.seq_kd ? config.max_new_tokens : 0);
  const size_t pass_rows = std::max(config.max_tokens_per_pass, largest);
  plan.memory = least_training_memory(loaded, teacher ? &*teacher : nullptr, config, pass_rows);
  if (teacher) {
    add_memory(plan.memory, config, loaded, *teacher,
               teacher->adapter ? teacher->adapter->max_rank() : 0, pass_rows, plan.longest);
  }
  fit_memory(plan, config, loaded.model.config, common,
             "use --lora-r 16, or a smaller --max-tokens-per-pass or --max-length",
             [&](size_t kept) { return more_layers_bytes(loaded.model.config, pass_rows, kept); });
  say_plan(plan, common);
  return run_training(
      "distill", plan, config, flags, common, loaded, files,
      [&](tensor::Compute& compute, train::TrainJob& job) {
        const llm::Tokenizer* tokenizer = loaded.codec ? &loaded.codec->tokenizer() : nullptr;
        if (!teacher) {
          job.manifest.digests["teacher_logprobs"] = model_digest(recorded_path);
          job.sources["teacher_logprobs"] = absolute_path(recorded_path);
          return train::train_distill(
              job, config, examples, eval_examples,
              {loaded.model, nullptr, tokenizer, loaded.end_of_generation, &words});
        }
        load_weights(compute, *teacher);
        job.manifest.digests["teacher"] = model_digest(teacher_options.model);
        job.sources["teacher"] = absolute_path(teacher_options.model);
        if (!teacher_options.adapter.empty()) {
          job.manifest.digests["teacher_adapter"] = model_digest(teacher_options.adapter);
          job.sources["teacher_adapter"] = absolute_path(teacher_options.adapter);
        }
        return train::train_distill(
            job, config, examples, eval_examples,
            {teacher->model, teacher->adapter_or_null(), tokenizer, loaded.end_of_generation});
      });
}

}  // namespace hone::cli
