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
#include "seal/digest.h"
#include "tensor/recipe.h"
#include "train/dpo.h"
#include "train/final_model.h"

namespace hone::cli {

namespace {

constexpr uint64_t kMaxShownBytes = 1 << 20;

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

constexpr size_t kUsualWidth = 80, kWidest = 132;  // characters

// Columns to write to: the terminal's, within what reads well.
size_t width_of(int descriptor) {
  const size_t columns = terminal_width(descriptor);
  return columns == 0 ? kUsualWidth : std::clamp<size_t>(columns, 20, kWidest);
}

void say(const Quickstart& q, const std::string& text) {
  if (q.common.quiet) return;
  std::fputs(wrapped_text(text, width_of(STDERR_FILENO) - 1).c_str(), stderr);
}

void stop_if_asked() {
  stop_if_interrupted("what was trained is saved; the same command goes on from there");
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
                 const Pairs& pairs, const MemoryPlan& plan, double rate) {
  const train::DpoConfig config = settings(q);
  // Forward and backward of LoRA cost about 2.6 readings; references and two evaluations one each.
  const double readings = config.num_train_epochs * 2.6 * static_cast<double>(pairs.train_tokens) +
                          static_cast<double>(pairs.train_tokens) +
                          3 * static_cast<double>(pairs.held_out_tokens);
  char text[600];
  std::snprintf(text, sizeof text,
                "This machine: %zu threads, %s, %s of memory free. It reads %.0f tokens/s with "
                "this model (%.1f million parameters).\n"
                "To do: learn from %zu preference pairs, and prove it on %zu that are held out. "
                "About %s, %s of memory.",
                compute.threads(), tensor::instruction_set(),
                bytes_text(available_memory()).c_str(), rate,
                static_cast<double>(loaded.model.parameter_count()) / 1e6, pairs.train.size(),
                pairs.held_out.size(), duration_text(readings / rate + 10).c_str(),
                bytes_text(plan.peak_bytes()).c_str());
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
                           [&](size_t done) {
                             progress.update(done);
                             stop_if_asked();
                           });
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

std::vector<std::string> answers(const Quickstart& q, tensor::Compute& compute,
                                 const LoadedModel& loaded, const std::vector<Json>& rows) {
  llm::Generator generator(compute, loaded.model, loaded.adapter_or_null(),
                           &loaded.text().tokenizer(), loaded.end_of_generation, {});
  generator.on_text = [](uint64_t, uint64_t, std::string_view) { stop_if_asked(); };
  std::vector<llm::GenerationRequest> requests;
  for (size_t i = 0; i < rows.size(); ++i) {
    llm::GenerationRequest request;
    request.prompt =
        prompt_ids(loaded, rows[i], q.examples + "/show.jsonl: row " + std::to_string(i + 1));
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

// What a finished quickstart leaves beside its run, so that a second one has only to show it.
struct Shown {
  eval::Report before, after;
  std::vector<std::string> answers_before, answers_after;
};

// Everything that the shown things depend on.
std::string shown_digest(const Quickstart& q, const Pairs& pairs) {
  return seal::sha256_hex("hone.quickstart/1 " + std::string(tensor::kRecipe) + " " +
                          program_version() + " " + program_commit() + " " +
                          model_digest(q.model.model) + " " + model_digest(q.output + "/final") +
                          " " + pairs.train_rows.digest + " " + pairs.held_out_rows.digest + " " +
                          seal::sha256_file(q.examples + "/show.jsonl") + " " +
                          settings(q).to_json().dump_canonical());
}

Json texts_json(const std::vector<std::string>& texts) {
  Json json = Json::array();
  for (const std::string& text : texts) json.push_back(text);
  return json;
}

void keep(const Quickstart& q, const Pairs& pairs, const Shown& shown) {
  eval::write_report(real_env(), q.output + "/before.json", shown.before, true);
  eval::write_report(real_env(), q.output + "/after.json", shown.after, true);
  Json json = Json::object();
  json["digest"] = shown_digest(q, pairs);
  json["before"] = texts_json(shown.answers_before);
  json["after"] = texts_json(shown.answers_after);
  write_file_atomically(real_env(), q.output + "/shown.json", json.dump() + "\n");
}

// What keep() left, when all of it is of the same files and program; nothing otherwise.
std::optional<Shown> kept(const Quickstart& q, const Pairs& pairs, size_t count) {
  const std::string path = q.output + "/shown.json";
  if (!real_env().exists(path) || !real_env().exists(q.output + "/final")) return std::nullopt;
  try {
    const Json json = Json::parse(real_env().read_file(path, kMaxShownBytes)).value();
    if (json.at("digest").as_string() != shown_digest(q, pairs)) return std::nullopt;
    Shown shown{eval::read_report(real_env(), q.output + "/before.json"),
                eval::read_report(real_env(), q.output + "/after.json"),
                {},
                {}};
    for (const Json& text : json.at("before").as_array()) {
      shown.answers_before.push_back(text.as_string());
    }
    for (const Json& text : json.at("after").as_array()) {
      shown.answers_after.push_back(text.as_string());
    }
    if (shown.answers_before.size() != count || shown.answers_after.size() != count) {
      return std::nullopt;
    }
    return shown;
  } catch (const Error&) {
    return std::nullopt;  // a file that cannot be read is made anew
  }
}

void show_answers(const std::vector<Json>& rows, const Shown& shown) {
  for (size_t i = 0; i < rows.size(); ++i) {
    const Json& question = rows[i].at("prompt").as_array().back().at("content");
    std::printf("\n%s\n%s", bold(question.as_string()).c_str(),
                compared("before", shown.answers_before[i], "after", shown.answers_after[i],
                         width_of(STDOUT_FILENO) - 1)
                    .c_str());
  }
}

// "18.8 %  [11.1 %, 30.0 %]" of the metric that answers.
std::string share_text(const eval::Report& report) {
  for (const eval::MetricSum& sum : report.sums()) {
    if (sum.name != report.primary) continue;
    char text[96];
    std::snprintf(text, sizeof text, "%5.1f %%   [%.1f %%, %.1f %%]", 100 * sum.mean,
                  100 * sum.interval.low, 100 * sum.interval.high);
    return text;
  }
  return "-";
}

// The proof in a few lines; hone compare has all metrics.
std::string result_text(const Quickstart& q, const Shown& shown,
                        const eval::Comparison& comparison) {
  const auto metric =
      std::find_if(comparison.metrics.begin(), comparison.metrics.end(),
                   [&](const eval::MetricComparison& m) { return m.name == comparison.primary; });
  if (metric == comparison.metrics.end()) return "\n" + comparison.to_text();
  const size_t width = width_of(STDOUT_FILENO) - 1;
  char text[400];
  std::snprintf(text, sizeof text,
                "%zu pairs that the training never saw. How often does the model find the answer "
                "that people preferred the more likely one?",
                static_cast<size_t>(metric->n));
  std::string out = "\n" + bold("Did it learn?") + "\n" + wrapped_text(text, width);
  out +=
      "\n  before  " + share_text(shown.before) + "\n  after   " + share_text(shown.after) + "\n";
  std::snprintf(text, sizeof text,
                "  change %+.1f points   [%+.1f, %+.1f], exact McNemar p = %.1e\n",
                100 * metric->difference, 100 * metric->interval.low, 100 * metric->interval.high,
                metric->test.p);
  out += text;
  std::snprintf(text, sizeof text, "  %zu pairs can show a change of %.1f points or more\n",
                static_cast<size_t>(metric->n), 100 * metric->smallest_detectable_effect);
  out += text;
  if (metric->judgement) {
    out += "\n  verdict " + bold(eval::verdict_text(*metric->judgement)) + "\n";
  }
  out +=
      "\n" + wrapped_text("The adapter is in " + q.output + "/final. All metrics: hone compare " +
                              q.output + "/before.json " + q.output + "/after.json",
                          width);
  return out;
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
  options.text("model", &q.model.model, "MODEL", "a .gguf file or a Hugging Face directory");
  options.text("examples", &q.examples, "DIR", "train.jsonl, heldout.jsonl, show.jsonl");
  options.text("output", &q.output, "RUN", "run directory; an interrupted run goes on");
  options.flag("no-chat", &no_chat, "do not end in hone chat --compare");
  q.common.add_to(options);
  options.parse(arguments);
  if (options.show_help()) return 0;
  options.require("model", q.model.model);

  LoadedModel loaded = open_model(q.model);
  const Pairs pairs = load_pairs(q, loaded);
  const std::vector<Json> show = read_json_lines(q.examples + "/show.jsonl");
  const MemoryPlan plan =
      training_memory(loaded, nullptr, settings(q), settings(q).max_tokens_per_pass);
  check_memory(q.common, plan, "the quickstart", "close other programs");
  interrupted();  // sets the handlers
  tensor::Compute compute(q.common.threads);
  load_weights(compute, loaded);
  std::optional<Shown> shown = kept(q, pairs, show.size());
  if (shown) {
    say(q, q.output + " is finished already: showing what it learnt. To train again, remove that " +
               "folder or name another --output.");
  } else {
    say_machine(q, compute, loaded, pairs, plan, reading_rate(compute, loaded));
    std::vector<llm::PairSums> base_sums, tuned_sums;
    shown.emplace();
    shown->before = evaluate(q, compute, loaded, pairs, "before", nullptr, &base_sums);
    shown->answers_before = answers(q, compute, loaded, show);
    const train::TrainResult result = run_training(q, compute, loaded, pairs);
    if (result.stopped) {
      say(q, "stopped after step " + std::to_string(result.steps) +
                 "; everything is saved, the same command goes on from there");
      return 130;
    }
    loaded.adapter = llm::load_lora(loaded.model, q.output + "/final");
    shown->after = evaluate(q, compute, loaded, pairs, "after", &base_sums, &tuned_sums);
    shown->answers_after = answers(q, compute, loaded, show);
    keep(q, pairs, *shown);
  }
  const eval::Comparison comparison = eval::compare_reports(shown->before, shown->after);
  if (q.common.json) {
    std::printf("%s\n", comparison.to_json().dump_canonical().c_str());
    return comparison.is_better() ? 0 : 3;
  }
  show_answers(show, *shown);
  std::fputs(result_text(q, *shown, comparison).c_str(), stdout);
  std::fflush(stdout);
  if (!no_chat && stdin_is_terminal() && stdout_is_terminal()) {
    std::printf("\n%s\n", bold("Now ask both yourself: the model before and after.").c_str());
    std::fflush(stdout);
    return run_chat({"--model", q.model.model, "--adapter", q.output + "/final", "--compare", ""});
  }
  return 0;  // the verdict is printed; "too few" is an answer, not a failure of the program
}

}  // namespace hone::cli
