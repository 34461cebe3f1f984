// hone quickstart: the whole loop on the shipped example. Human preferences in, a measurably
// better model out, in a few minutes on two cores.

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "base/rng.h"
#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/preference_report.h"
#include "cli/progress.h"
#include "cli/training_progress.h"
#include "data/data_check.h"
#include "data/dataset.h"
#include "eval/compare.h"
#include "train/dpo.h"
#include "train/final_model.h"

namespace hone::cli {

namespace {

struct Quickstart {
  CommonOptions common;
  ModelOptions model;
  std::string examples = "examples/quickstart", output = "runs/quickstart";
};

train::DpoConfig settings(const Quickstart& q) {
  train::DpoConfig config;
  config.learning_rate = 2e-4;
  config.lora_r = 16;
  config.num_train_epochs = 2;
  config.per_device_train_batch_size = 8;
  config.loss_type = {train::PreferenceLossType::kSigmoid, train::PreferenceLossType::kSft};
  config.loss_weights = {1, 1};
  config.max_length = 512;
  config.logging_steps = 1;
  config.save_steps = 10;
  config.seed = q.common.seed;
  return config;
}

void say(const Quickstart& q, const std::string& text) {
  if (!q.common.quiet) std::fprintf(stderr, "%s\n", text.c_str());
}

// Tokens a second of reading a text, measured once, so that the time left is no guess.
double reading_rate(tensor::Compute& compute, const LoadedModel& loaded) {
  constexpr size_t kTokens = 256;
  llm::TokenTree tree = llm::make_sequence({});
  Rng rng(1, rng_stream("reading-rate"));
  for (size_t i = 0; i < kTokens; ++i) {
    tree.nodes[0].tokens.push_back(static_cast<int32_t>(rng.below(loaded.model.config.vocab_size)));
  }
  const llm::TreeExample example{tree, {{0, kTokens - 1}}};
  llm::TrainingPass pass(compute, loaded.model, nullptr, kTokens, {true});
  double best = 0;
  for (int repeat = 0; repeat < 3; ++repeat) {
    const double begin = real_env().steady_seconds();
    llm::score_trees(pass, {&example, 1}, [](size_t, const llm::TreeResult&) {});
    best = std::max(best, kTokens / (real_env().steady_seconds() - begin));
  }
  return best;
}

struct Pairs {
  data::Dataset train_rows, held_out_rows;
  std::vector<llm::PreferenceTokens> train, held_out;
  size_t train_tokens = 0, held_out_tokens = 0;
};

Pairs load_pairs(const Quickstart& q, const LoadedModel& loaded) {
  data::ReadOptions read;
  read.accepted = llm::preference_row_kinds();
  Pairs pairs;
  pairs.train_rows = data::load_dataset(real_env(), q.examples + "/train.jsonl", read);
  pairs.held_out_rows = data::load_dataset(real_env(), q.examples + "/heldout.jsonl", read);
  const data::DataReport check = data::check_data(pairs.train_rows, &pairs.held_out_rows, {});
  if (check.shared_prompts.count > 0) {
    throw invalid_input(q.examples + ": " + std::to_string(check.shared_prompts.count) +
                        " training prompts stand in heldout.jsonl too: split the files by prompt");
  }
  const llm::TokenizeOptions cut = {settings(q).max_length, 0, true, false};
  const auto tokenize = [&](const data::Dataset& rows, size_t* tokens) {
    auto out =
        name_pairs(llm::tokenize_preferences(rows.rows, &loaded.text(), cut, loaded.model.config),
                   data::unique_row_names(rows.rows));
    for (const auto& pair : out) *tokens += pair.tree(true).tree.row_count();
    return out;
  };
  pairs.train = tokenize(pairs.train_rows, &pairs.train_tokens);
  pairs.held_out = tokenize(pairs.held_out_rows, &pairs.held_out_tokens);
  return pairs;
}

void say_machine(const Quickstart& q, tensor::Compute& compute, const LoadedModel& loaded,
                 const Pairs& pairs, double rate) {
  const train::DpoConfig config = settings(q);
  // Forward and backward of LoRA cost about 2.6 readings; references and two evaluations one each.
  const double readings = config.num_train_epochs * 2.6 * static_cast<double>(pairs.train_tokens) +
                          static_cast<double>(pairs.train_tokens) +
                          3 * static_cast<double>(pairs.held_out_tokens);
  char text[400];
  std::snprintf(text, sizeof text,
                "This machine: %zu threads, %s, %s of memory free; reads %.0f tokens/s with this "
                "model (%.1f M parameters).\n%zu training pairs, %zu held-out pairs. About %s.",
                compute.threads(), tensor::instruction_set(),
                bytes_text(available_memory()).c_str(), rate,
                static_cast<double>(loaded.model.parameter_count()) / 1e6, pairs.train.size(),
                pairs.held_out.size(), duration_text(readings / rate + 10).c_str());
  say(q, text);
}

train::TrainResult run_training(const Quickstart& q, tensor::Compute& compute, LoadedModel& loaded,
                                const Pairs& pairs) {
  const train::DpoConfig config = settings(q);
  train::TrainJob job{compute, real_env(), loaded.model, q.output,      false,
                      false,   {},         {},           &interrupted()};
  job.manifest.digests["model"] = model_digest(q.model.model);
  job.manifest.digests["data"] = pairs.train_rows.digest;
  job.sources["model"] = absolute_path(q.model.model);
  job.sources["data"] = absolute_path(q.examples + "/train.jsonl");
  job.manifest.program_version = program_version();
  job.manifest.program_commit = program_commit();
  job.resume = real_env().exists(q.output + "/manifest.json");
  TrainingProgress progress("train", train::total_steps(config, pairs.train.size()),
                            q.common.quiet);
  progress.attach(job);
  const train::DpoReference reference{nullptr, nullptr, job.manifest.digests["model"]};
  train::TrainResult result;
  try {
    result = train::train_dpo(job, config, pairs.train, {}, reference);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kConflict || !job.resume) throw;
    say(q, "note: " + q.output + " is of other settings or data; it is made anew");
    job.resume = false;
    job.overwrite = true;
    result = train::train_dpo(job, config, pairs.train, {}, reference);
  }
  progress.finish();
  if (!result.stopped) {
    train::save_final(job, result, {q.model.model, loaded.end_of_generation, &loaded.text()});
  }
  return result;
}

eval::Report evaluate(const Quickstart& q, tensor::Compute& compute, const LoadedModel& loaded,
                      const Pairs& pairs, const char* label,
                      const std::vector<llm::PairSums>* reference,
                      std::vector<llm::PairSums>* sums) {
  Progress progress(label, "pairs", pairs.held_out.size(), q.common.quiet);
  *sums = llm::score_pairs(compute, loaded.model, loaded.adapter_or_null(), pairs.held_out, {},
                           [&](size_t done) { progress.update(done); });
  progress.finish();
  const PreferenceEvaluation evaluation{loaded,
                                        pairs.held_out,
                                        *sums,
                                        reference == nullptr ? *sums : *reference,
                                        settings(q).beta,
                                        q.model.model,
                                        loaded.adapter ? q.output + "/final" : "",
                                        pairs.held_out_rows.digest};
  return preference_report(evaluation);
}

std::vector<std::string> answers(tensor::Compute& compute, const LoadedModel& loaded,
                                 const std::vector<Json>& rows) {
  llm::Generator generator(compute, loaded.model, loaded.adapter_or_null(),
                           &loaded.text().tokenizer(), loaded.end_of_generation, {});
  std::vector<llm::GenerationRequest> requests;
  for (size_t i = 0; i < rows.size(); ++i) {
    llm::GenerationRequest request;
    request.prompt = prompt_ids(loaded, rows[i], "show.jsonl: row " + std::to_string(i + 1));
    request.index = i;
    request.max_tokens = 120;
    request.sampling.temperature = 0;
    requests.push_back(std::move(request));
  }
  std::vector<std::string> texts(rows.size());
  generator.run(std::move(requests),
                [&](const llm::GeneratedSample& sample) { texts[sample.index] = sample.text; });
  return texts;
}

void show_answers(const std::vector<Json>& rows, const std::vector<std::string>& before,
                  const std::vector<std::string>& after) {
  constexpr size_t kWidth = 100;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Json& question = rows[i].at("prompt").as_array().back().at("content");
    std::printf("\n%s\n%s", question.as_string().c_str(),
                side_by_side("before", before[i], "after", after[i], kWidth).c_str());
  }
}

}  // namespace

int run_quickstart(const Arguments& arguments) {
  Quickstart q;
  bool no_chat = false;
  Options options("quickstart", "human preferences in, a measurably better model out.",
                  "--model M");
  options.example("hone quickstart --model models/SmolLM2-135M-Instruct.Q4_1.gguf",
                  "DPO with LoRA on examples/quickstart, the proof, and a chat with both");
  options.example("hone quickstart --model m.gguf --examples my/pairs --output runs/mine",
                  "the same on your own train.jsonl, heldout.jsonl and show.jsonl");
  q.model.add_to(options);
  options.text("examples", &q.examples, "DIR", "train.jsonl, heldout.jsonl, show.jsonl");
  options.text("output", &q.output, "RUN", "run directory; an interrupted run goes on");
  options.flag("no-chat", &no_chat, "do not end in hone chat --compare");
  q.common.add_to(options);
  options.parse(arguments);
  if (options.wants_help()) {
    std::fputs(options.help().c_str(), stdout);
    return 0;
  }
  options.require("model", q.model.model);
  q.model.adapter.clear();

  tensor::Compute compute(q.common.threads);
  LoadedModel loaded = load(compute, q.model);
  const Pairs pairs = load_pairs(q, loaded);
  const std::vector<Json> show = read_json_lines(q.examples + "/show.jsonl");
  check_memory(
      q.common,
      loaded.model.weight_bytes() + train::planned_training_bytes(loaded.model.config, settings(q),
                                                                  settings(q).max_tokens_per_pass),
      "the quickstart", "close other programs");
  say_machine(q, compute, loaded, pairs, reading_rate(compute, loaded));

  std::vector<llm::PairSums> base_sums, tuned_sums;
  const eval::Report before = evaluate(q, compute, loaded, pairs, "before", nullptr, &base_sums);
  const std::vector<std::string> answers_before = answers(compute, loaded, show);
  const train::TrainResult result = run_training(q, compute, loaded, pairs);
  if (result.stopped) {
    say(q, "stopped after step " + std::to_string(result.steps) +
               "; everything is saved, the same command goes on");
    return 130;
  }
  loaded.adapter = llm::load_lora(loaded.model, q.output + "/final");
  const eval::Report after = evaluate(q, compute, loaded, pairs, "after", &base_sums, &tuned_sums);
  eval::write_report(real_env(), q.output + "/before.json", before, true);
  eval::write_report(real_env(), q.output + "/after.json", after, true);
  const eval::Comparison comparison = eval::compare_reports(before, after);
  if (q.common.json) {
    std::printf("%s\n", comparison.to_json().dump_canonical().c_str());
    return comparison.is_better() ? 0 : 3;
  }
  show_answers(show, answers_before, answers(compute, loaded, show));
  std::printf(
      "\nHeld-out preferences (%zu pairs the training never saw)\n\nbefore\n%safter\n%s\n%s\n",
      pairs.held_out.size(), sums_text(before).c_str(), sums_text(after).c_str(),
      comparison.to_text().c_str());
  std::printf("\nadapter: %s/final   reports: %s/before.json %s/after.json\n", q.output.c_str(),
              q.output.c_str(), q.output.c_str());
  std::fflush(stdout);
  if (!no_chat && isatty(STDIN_FILENO) != 0 && stdout_is_terminal()) {
    return run_chat({"--model", q.model.model, "--adapter", q.output + "/final", "--compare", ""});
  }
  return 0;  // the verdict is printed; "too few" is an answer, not a failure of the program
}

}  // namespace hone::cli
