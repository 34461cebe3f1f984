// hone quickstart: the whole loop on the shipped example. Human preferences in, a measurably
// better model out, in a few minutes on two cores.

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/preference_loop.h"
#include "cli/progress.h"
#include "cli/training_progress.h"
#include "eval/compare.h"

namespace hone::cli {

namespace {

constexpr size_t kUsualWidth = 80, kWidest = 132;  // characters

// Columns to write to: the terminal's, within what reads well.
size_t width_of(int descriptor) {
  const size_t columns = terminal_width(descriptor);
  return columns == 0 ? kUsualWidth : std::clamp<size_t>(columns, 20, kWidest);
}

void say(const PreferenceLoop& q, const std::string& text) {
  if (q.common.quiet) return;
  std::fputs(wrapped_text(text, width_of(STDERR_FILENO) - 1).c_str(), stderr);
}

void say_machine(const PreferenceLoop& q, tensor::Compute& compute, const LoadedModel& loaded,
                 const LoopPairs& pairs, const MemoryPlan& plan, double rate) {
  char text[600];
  std::snprintf(text, sizeof text,
                "This machine: %zu threads, %s, %s of memory free. It reads %.0f tokens/s with "
                "this model (%.1f million parameters).\n"
                "To do: learn from %zu preference pairs, and prove it on %zu that are held out. "
                "About %s, %s of memory.",
                compute.threads(), tensor::instruction_set(),
                bytes_text(available_memory()).c_str(), rate,
                static_cast<double>(loaded.model.parameter_count()) / 1e6, pairs.train.size(),
                pairs.held_out.size(), duration_text(loop_seconds(q, pairs, rate)).c_str(),
                bytes_text(plan.peak_bytes()).c_str());
  say(q, text);
}

// The bars of the terminal.
class Bars : public LoopWatcher {
 public:
  explicit Bars(bool quiet) : quiet_(quiet) {}

  void begin(LoopPhase phase, size_t total) override {
    if (phase == LoopPhase::kAnswersBefore || phase == LoopPhase::kAnswersAfter) {
      return;  // a few seconds
    }
    const bool before = phase == LoopPhase::kMeasuringBefore;
    counted_.emplace(before ? "before" : "after", "pairs", total, quiet_);
  }
  void update(size_t done) override {
    if (counted_) counted_->update(done);
  }
  void end() override {
    if (counted_) counted_->finish();
    if (training_) training_->finish();
    counted_.reset();
    training_.reset();
  }
  void attach(train::TrainJob& job, size_t steps) override {
    training_.emplace("train", steps, quiet_);
    training_->attach(job);
  }

 private:
  bool quiet_;
  std::optional<Progress> counted_;
  std::optional<TrainingProgress> training_;
};

void show_answers(const std::vector<Json>& rows, const LoopResult& shown) {
  for (size_t i = 0; i < rows.size(); ++i) {
    std::printf("\n%s\n%s", bold(prompt_text(rows[i].at("prompt"))).c_str(),
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
std::string result_text(const PreferenceLoop& q, const LoopResult& shown,
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
  PreferenceLoop q;
  std::string examples = "examples/quickstart";
  q.output = "runs/quickstart";
  bool no_chat = false;
  Options options("quickstart", "human preferences in, a measurably better model out.",
                  "--model M");
  options.example("hone quickstart --model models/SmolLM2-135M-Instruct.Q4_1.gguf",
                  "DPO with LoRA on examples/quickstart, the proof, and a chat with both");
  options.example("hone quickstart --model m.gguf --examples my/pairs --output runs/mine",
                  "the same on your own train.jsonl, heldout.jsonl and show.jsonl");
  options.text("model", &q.model.model, "MODEL", "a .gguf file or a Hugging Face directory");
  options.text("examples", &examples, "DIR", "train.jsonl, heldout.jsonl, show.jsonl");
  options.text("output", &q.output, "RUN", "run directory; an interrupted run goes on");
  options.flag("no-chat", &no_chat, "do not end in hone chat --compare");
  q.common.add_to(options);
  options.parse(arguments);
  if (options.show_help()) return 0;
  options.require("model", q.model.model);
  q.train_path = examples + "/train.jsonl";
  q.held_out_path = examples + "/heldout.jsonl";
  q.show_path = examples + "/show.jsonl";
  q.config = recommended_settings(q.common.seed);

  LoadedModel loaded = open_model(q.model);
  const LoopPairs pairs = load_loop_pairs(q, loaded);
  const MemoryPlan plan = loop_memory(q, loaded);
  check_memory(q.common, plan, "the quickstart", "close other programs");
  interrupted();  // sets the handlers
  tensor::Compute compute(q.common.threads);
  load_weights(compute, loaded);
  std::optional<LoopResult> shown = kept_result(q, pairs);
  if (shown) {
    say(q, q.output + " is finished already: showing what it learnt. To train again, remove that " +
               "folder or name another --output.");
  } else {
    say_machine(q, compute, loaded, pairs, plan, reading_rate(compute, loaded));
    Bars bars(q.common.quiet);
    size_t stopped_at = 0;
    shown = run_loop(q, compute, loaded, pairs, bars, &stopped_at);
    if (!shown) {
      say(q, "stopped after step " + std::to_string(stopped_at) +
                 "; everything is saved, the same command goes on from there");
      return 130;
    }
  }
  const eval::Comparison comparison = eval::compare_reports(shown->before, shown->after);
  if (q.common.json) {
    std::printf("%s\n", comparison.to_json().dump_canonical().c_str());
    return comparison.is_better() ? 0 : 3;
  }
  show_answers(pairs.show, *shown);
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
