#include "cli/gate_command.h"

#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <map>

#include "base/env.h"
#include "base/error.h"
#include "cli/common.h"
#include "cli/gate_evidence.h"
#include "cli/preference_report.h"
#include "data/jsonl_writer.h"
#include "llm/pair_scoring.h"
#include "llm/tokenized_rows.h"

namespace hone::cli {

namespace {

constexpr uint64_t kMaxSpecBytes = 1 << 20;
constexpr double kLineSeconds = 0.25;
constexpr size_t kMaxLength = 1024;  // as hone eval preferences
constexpr double kBeta = 0.1;
constexpr const char* kWhatNow = "nothing was decided; promote again";

struct Subject {
  std::string name;  // "candidate", "champion"
  ModelOptions files;
};
struct TestSet {
  std::string name, data, digest, metric;
};
struct Spec {
  std::vector<Subject> subjects;
  std::vector<TestSet> sets;
  std::string training, training_digest, output;
};

std::string text_of(const Json& json, std::string_view key) {
  const Json* found = json.find(key);
  return found == nullptr || !found->is_string() ? std::string() : found->as_string();
}

Spec read_spec(const std::string& path) {
  const Json json = Json::parse(real_env().read_file(path, kMaxSpecBytes)).value();
  Spec spec;
  for (const char* name : {"candidate", "champion"}) {
    const Json* subject = json.find(name);
    if (subject == nullptr) continue;
    spec.subjects.push_back({name, {text_of(*subject, "model"), text_of(*subject, "adapter")}});
  }
  if (const Json* sets = json.find("sets"); sets != nullptr && sets->is_array()) {
    for (const Json& set : sets->as_array()) {
      spec.sets.push_back({text_of(set, "name"), text_of(set, "data"), text_of(set, "digest"),
                           text_of(set, "metric")});
    }
  }
  spec.training = text_of(json, "training");
  spec.training_digest = text_of(json, "training_digest");
  spec.output = text_of(json, "output");
  if (spec.subjects.empty() || spec.sets.empty() || spec.output.empty()) {
    throw invalid_input(path + " needs candidate, sets and output (src/cli/gate_command.h)");
  }
  return spec;
}

// {"phase", "done", "total", "share", "fraction", "seconds_left"?}: share and fraction of the whole.
class Lines {
 public:
  explicit Lines(size_t total) : total_(total), began_(real_env().steady_seconds()) {}
  void phase(const std::string& name) {
    phase_ = name;
    say(0, true);
  }
  void update(size_t done) { say(done, false); }
  void finish(size_t done) { before_ += done; }

 private:
  void say(size_t done, bool at_once) {
    const double now = real_env().steady_seconds();
    if (!at_once && now - said_ < kLineSeconds) return;
    said_ = now;
    const size_t all = before_ + done;
    const double share = total_ == 0 ? 0 : static_cast<double>(all) / static_cast<double>(total_);
    Json line = Json::object();
    line["phase"] = phase_;
    line["done"] = uint64_t{all};
    line["total"] = uint64_t{total_};
    line["share"] = share;
    line["fraction"] = share;
    const double seconds = now - began_;
    if (all > 0 && seconds > 0) {
      line["per_second"] = static_cast<double>(all) / seconds;
      line["seconds_left"] = seconds * (1 - share) / share;
    }
    print(line);
  }

 public:
  static void print(const Json& line) {
    std::printf("%s\n", line.dump().c_str());
    std::fflush(stdout);
  }

 private:
  const size_t total_;
  size_t before_ = 0;
  const double began_;
  double said_ = -1e9;
  std::string phase_;
};

std::string report_path(const Spec& spec, const TestSet& set, const Subject& subject) {
  return spec.output + "/" + set.name + "-" + subject.name + ".json";
}

class Measuring {
 public:
  Measuring(const Spec& spec, const CommonOptions& common, std::vector<data::Dataset> sets)
      : spec_(spec), common_(common), sets_(std::move(sets)), lines_(total()) {}

  void run() {
    for (const Subject& subject : spec_.subjects) measure(subject);
  }

 private:
  size_t total() const {
    size_t rows = 0;
    for (const data::Dataset& set : sets_) rows += set.rows.size();
    size_t all = 0;
    for (const Subject& subject : spec_.subjects)
      all += rows * (subject.files.adapter.empty() ? 1 : 2);
    return all;
  }

  void measure(const Subject& subject) {
    LoadedModel loaded = open_model(subject.files);
    std::vector<std::vector<llm::PreferenceTokens>> pairs;
    MemoryPlan plan;
    plan.add_model(loaded);
    uint64_t most = 0;
    for (const data::Dataset& set : sets_) {
      pairs.push_back(
          name_pairs(llm::tokenize_preferences(set.rows, loaded.codec_or_null(),
                                               {kMaxLength, 0, true, false}, loaded.model.config),
                     data::unique_row_names(set.rows)));
      most = std::max(
          most, llm::pair_scoring_bytes(loaded.model.config, loaded.lora_rank(), pairs.back(), {}));
    }
    plan.add("activations", most);
    check_memory(common_, plan, "this gate", "choose a smaller held-out set");
    tensor::Compute compute(common_.threads);
    load_weights(compute, loaded);
    for (size_t i = 0; i < sets_.size(); ++i) measure_set(compute, subject, loaded, i, pairs[i]);
  }

  void measure_set(tensor::Compute& compute, const Subject& subject, const LoadedModel& loaded,
                   size_t at, const std::vector<llm::PreferenceTokens>& pairs) {
    const auto score = [&](const llm::LoraAdapter* adapter) {
      lines_.phase("measuring the " + subject.name + " on the " + spec_.sets[at].name + " set");
      auto sums = llm::score_pairs(compute, loaded.model, adapter, pairs, {}, [&](size_t done) {
        lines_.update(done);
        stop_if_interrupted(kWhatNow);
      });
      lines_.finish(pairs.size());
      return sums;
    };
    // A base measured for both sides of the comparison is measured once.
    auto& reference = references_[{subject.files.model, at}];
    if (reference.empty()) {
      reference = score(nullptr);
    } else {
      lines_.finish(pairs.size());
    }
    PreferenceEvaluation evaluation{
        loaded,          pairs, {}, reference, kBeta, subject.files.model, subject.files.adapter,
        sets_[at].digest};
    evaluation.policy = loaded.adapter ? score(loaded.adapter_or_null()) : reference;
    eval::write_report(real_env(), report_path(spec_, spec_.sets[at], subject),
                       preference_report(evaluation), true);
  }

  const Spec& spec_;
  const CommonOptions& common_;
  const std::vector<data::Dataset> sets_;
  Lines lines_;
  std::map<std::pair<std::string, size_t>, std::vector<llm::PairSums>> references_;
};

registry::GateEvidence evidence_of(const Spec& spec) {
  Env& env = real_env();
  registry::GateEvidence evidence;
  const bool has_champion = spec.subjects.size() > 1;
  for (const TestSet& set : spec.sets) {
    registry::GateComparison compared = compare_for_gate(
        env, report_path(spec, set, spec.subjects[0]),
        has_champion ? report_path(spec, set, spec.subjects[1]) : std::string(), set.metric);
    if (set.name == "main") {
      evidence.main = std::move(compared);
    } else {
      evidence.second = std::move(compared);
    }
  }
  return evidence;
}

// Read before the long part: a file that is not what it was ends the job at once.
void look_for_overlap(const Spec& spec, registry::GateEvidence& evidence) {
  if (spec.training.empty()) return;
  Env& env = real_env();
  const data::Dataset training = data::load_dataset(env, spec.training);
  if (!spec.training_digest.empty() && training.digest != spec.training_digest) {
    throw invalid_input(
        "the training data of the candidate is no longer what its run names; put it back");
  }
  evidence.training_digest = training.digest;
  for (const TestSet& set : spec.sets) {
    const uint64_t count =
        prompts_in_common(env, training, set.data, set.digest, "the " + set.name + " set");
    (set.name == "main" ? evidence.overlap_main : evidence.overlap_second) = count;
  }
}

}  // namespace

int run_job_gate(const Arguments& arguments) {
  CommonOptions common;
  bool behind = false;
  Options options("job gate", "measure a candidate and what answers now on a gate's sets.",
                  "SPEC.json");
  options.example(
      "hone job gate spec.json",
      "{\"candidate\": {\"model\", \"adapter\"?}, \"champion\"?, \"sets\", \"output\"}");
  options.flag("behind", &behind, "run while nobody else wants the processor: a server's jobs do");
  common.add_to(options);
  const std::vector<std::string> words = options.parse(arguments);
  if (options.show_help()) return 0;
  if (behind) stand_behind();
  if (words.size() != 1) throw invalid_input("hone job gate takes one file: SPEC.json");
  const Spec spec = read_spec(words[0]);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::signal(SIGPIPE, SIG_IGN);
  interrupted();  // sets the handlers
  real_env().create_directories(spec.output);
  registry::GateEvidence overlap;
  look_for_overlap(spec, overlap);
  std::vector<data::Dataset> sets;
  data::ReadOptions read;
  read.accepted = llm::preference_row_kinds();
  for (const TestSet& set : spec.sets) {
    sets.push_back(data::load_dataset(real_env(), set.data, read));
    if (sets.back().digest == set.digest) continue;
    throw invalid_input("the " + set.name +
                        " set is no longer the file that the gate names: set the gate again");
  }
  Measuring(spec, common, std::move(sets)).run();
  registry::GateEvidence evidence = evidence_of(spec);
  evidence.training_digest = overlap.training_digest;
  evidence.overlap_main = overlap.overlap_main;
  evidence.overlap_second = overlap.overlap_second;
  Json line = Json::object();
  line["phase"] = "done";
  line["fraction"] = 1.0;
  line["evidence"] = evidence.to_json();
  Lines::print(line);
  return 0;
}

}  // namespace hone::cli
