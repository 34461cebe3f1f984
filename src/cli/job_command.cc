// hone job: work that a server starts as a child process, so that a training which runs out of memory
// never stops the labelling beside it (decisions 4.1). What to do is a JSON file; how far it is, is
// one JSON line after another on stdout. SIGTERM saves and stops; the same file goes on from there.

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "api/gate_overlap.h"
#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/gate_command.h"
#include "cli/preference_loop.h"

namespace hone::cli {

namespace {

constexpr uint64_t kMaxSpecBytes = 1 << 20;
constexpr double kLineSeconds = 0.25;  // between two lines of progress

void print_line(const Json& line) {
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

// {"phase", "done", "total", "share", "loss"?, "per_second", "seconds_left"}; share is of the phase.
class Lines : public LoopWatcher {
 public:
  void begin(LoopPhase phase, size_t total) override { start(phase, total, 0, 0); }
  void update(size_t done) override { step(done, -1, {}); }
  void end() override {}
  void attach(train::TrainJob& job, size_t steps) override {
    job.reference_progress = [this](size_t done, size_t total) {
      if (phase_ != LoopPhase::kReference) start(LoopPhase::kReference, total, done, -1);
      step(done, -1, {});
      stop_if_interrupted("no step is done yet; the same job goes on");
    };
    job.begin = [this, steps](size_t done, double share) {
      start(LoopPhase::kTraining, steps, done, share);
    };
    job.progress = [this](const train::StepReport& report) {
      step(report.step, report.share_done, report.loss);
    };
  }

 private:
  void start(LoopPhase phase, size_t total, size_t done, double share) {
    phase_ = phase;
    total_ = total;
    first_done_ = done;
    first_share_ = share >= 0 ? share : part(done);
    began_ = real_env().steady_seconds();
    said_ = -1e9;
    step(done, first_share_, {});
  }
  double part(size_t done) const {
    return total_ == 0 ? 1 : static_cast<double>(done) / static_cast<double>(total_);
  }
  void step(size_t done, double share, std::optional<double> loss) {
    const double now = real_env().steady_seconds();
    if (now - said_ < kLineSeconds && done != total_) return;
    said_ = now;
    if (share < 0) share = part(done);
    Json line = Json::object();
    line["phase"] = loop_phase_name(*phase_);
    line["done"] = uint64_t{done};
    line["total"] = uint64_t{total_};
    line["share"] = share;
    if (loss) line["loss"] = *loss;
    const double seconds = now - began_;
    if (done > first_done_ && seconds > 0 && share > first_share_) {
      line["per_second"] = static_cast<double>(done - first_done_) / seconds;
      line["seconds_left"] = seconds * (1 - share) / (share - first_share_);
    }
    print_line(line);
  }

  std::optional<LoopPhase> phase_;
  size_t total_ = 0, first_done_ = 0;
  double first_share_ = 0, began_ = 0, said_ = -1e9;
};

const std::string& text_of(const Json& spec, std::string_view key) {
  return spec.at(key).as_string();
}

// The recommended settings, with what the file says in their place.
train::DpoConfig config_of(const Json& spec, uint64_t seed) {
  Json settings = recommended_settings(seed).to_json();
  if (const Json* given = spec.find("settings")) {
    for (const auto& [key, value] : given->as_object()) {
      if (settings.find(key) == nullptr) {
        throw invalid_input("settings: \"" + key +
                            "\" is not a setting of DPO; docs/cli.md, hone "
                            "train dpo, lists them");
      }
      settings[key] = value;
    }
  }
  if (const Json* method = spec.find("method"); method != nullptr && method->as_string() == "sft") {
    Json losses = Json::array();
    losses.push_back("sft");
    settings["loss_type"] = std::move(losses);
    settings["loss_weights"] = Json::array();
    settings["reference_free"] = true;
  }
  train::DpoConfig config = train::dpo_config_from_json(settings);
  config.seed = seed;
  config.logging_steps = 1;
  config.save_steps = 10;
  train::validate(config);
  return config;
}

PreferenceLoop loop_of(const std::string& path, const CommonOptions& common) {
  const Json spec = Json::parse(real_env().read_file(path, kMaxSpecBytes)).value();
  PreferenceLoop loop;
  loop.common = common;
  loop.common.quiet = true;
  loop.model.model = text_of(spec, "model");
  loop.train_path = text_of(spec, "train");
  loop.held_out_path = text_of(spec, "heldout");
  loop.output = text_of(spec, "output");
  if (const Json* show = spec.find("show")) loop.show_path = show->as_string();
  if (const Json* tokens = spec.find("answer_tokens")) {
    loop.answer_tokens = static_cast<size_t>(std::clamp<int64_t>(tokens->as_int(), 1, 4096));
  }
  loop.config = config_of(spec, common.seed);
  return loop;
}

// {"gates": [{"alias", "floor", "name", "path", "digest"}]}: sets that the training rows must not
// stand in.
std::vector<api::GateSet> gates_of(const std::string& path) {
  const Json spec = Json::parse(real_env().read_file(path, kMaxSpecBytes)).value();
  std::vector<api::GateSet> gates;
  const Json* list = spec.find("gates");
  if (list == nullptr || !list->is_array()) return gates;
  for (const Json& set : list->as_array()) gates.push_back(api::GateSet::from_json(set));
  return gates;
}

// Reads the arguments of one kind of job; nothing when help was printed.
std::optional<PreferenceLoop> parse(const char* name, const char* summary,
                                    const Arguments& arguments,
                                    std::vector<api::GateSet>* gates = nullptr) {
  CommonOptions common;
  Options options(std::string("job ") + name, summary, "SPEC.json");
  options.example(std::string("hone job ") + name + " spec.json",
                  "{\"model\", \"train\", \"heldout\", \"output\", \"method\"?, \"settings\"?}");
  bool behind = false;
  options.flag("behind", &behind, "run while nobody else wants the processor: a server's jobs do");
  common.add_to(options);
  const std::vector<std::string> words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (behind) stand_behind();
  if (words.size() != 1) {
    throw invalid_input(std::string("hone job ") + name + " takes one file: SPEC.json");
  }
  if (gates != nullptr) *gates = gates_of(words[0]);
  return loop_of(words[0], common);
}

int job_train(const Arguments& arguments) {
  std::vector<api::GateSet> gates;
  const auto loop =
      parse("train", "measure, train on preferences, measure again.", arguments, &gates);
  if (!loop) return 0;
  // The server is gone: save and stop, and go on when it is back.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::signal(SIGPIPE, SIG_IGN);
  Json loading = Json::object();
  loading["phase"] = "loading";
  print_line(loading);
  LoadedModel loaded = open_model(loop->model);
  const LoopPairs pairs = load_loop_pairs(*loop, loaded);
  // A gate that was set after the run began is the gate's to judge, not this run's.
  if (!gates.empty() && !real_env().exists(loop->output + "/manifest.json")) {
    api::refuse_gate_overlap(real_env(), pairs.train_rows, "the training rows of this run", gates);
  }
  check_memory(loop->common, loop_memory(*loop, loaded), "this run",
               "choose a smaller max_length or lora_r, or raise the operator's limit");
  interrupted();  // sets the handlers
  std::optional<LoopResult> result = kept_result(*loop, pairs);
  if (!result) {
    tensor::Compute compute(loop->common.threads);
    load_weights(compute, loaded);
    Lines lines;
    size_t stopped_at = 0;
    result = run_loop(*loop, compute, loaded, pairs, lines, &stopped_at);
    if (!result) {
      throw Interrupted{"after step " + std::to_string(stopped_at) +
                        "; everything is saved, the same job goes on from there"};
    }
  }
  Json line = Json::object();
  line["phase"] = "done";
  line["comparison"] = eval::compare_reports(result->before, result->after).to_json();
  print_line(line);
  return 0;
}

int job_plan(const Arguments& arguments) {
  const auto loop = parse("plan", "what a run will take, before it starts.", arguments);
  if (!loop) return 0;
  LoadedModel loaded = open_model(loop->model);
  const LoopPairs pairs = load_loop_pairs(*loop, loaded);
  const MemoryPlan memory = loop_memory(*loop, loaded);
  tensor::Compute compute(loop->common.threads);
  load_weights(compute, loaded);
  const double rate = reading_rate(compute, loaded);
  Json plan = Json::object();
  plan["rows"] = uint64_t{pairs.train.size()};
  plan["heldout_rows"] = uint64_t{pairs.held_out.size()};
  plan["tokens"] = uint64_t{pairs.train_tokens};
  plan["steps"] = uint64_t{train::total_steps(loop->config, pairs.train.size())};
  plan["memory_bytes"] = memory.peak_bytes();
  plan["memory_available_bytes"] = available_memory();
  plan["tokens_per_second"] = rate;
  plan["seconds"] = loop_seconds(*loop, pairs, rate);
  plan["settings"] = loop->config.to_json();
  print_line(plan);
  return 0;
}

}  // namespace

// This thread, and those that it will make, run while nobody else of this group of processes wants the
// processor, and go at once when somebody does. Niceness is not enough for that: since Linux 6.6 a thread
// that wakes up may wait until the one at work has had its slice, however nice that one is, and an
// answer wakes up some ten threads, those of the disk too.
void stand_behind() {
  const sched_param parameters = {};
  if (sched_setscheduler(0, SCHED_IDLE, &parameters) != 0) setpriority(PRIO_PROCESS, 0, 19);
}

int run_job(const Arguments& arguments) {
  constexpr Object kKinds[] = {
      {"train", "measure, train on preferences, measure again", job_train},
      {"plan", "what a run will take, before it starts", job_plan},
      {"gate", "measure a candidate and what answers now on a gate's sets", run_job_gate},
  };
  return run_object("job", "work that a server starts as a child process.", kKinds, arguments);
}

}  // namespace hone::cli
