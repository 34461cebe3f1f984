#include "cli/server_jobs.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "api/gate_overlap.h"
#include "base/error.h"
#include "cli/gate_job.h"
#include "cli/memory.h"
#include "cli/run_result.h"
#include "label/events.h"
#include "label/import.h"
#include "label/public_id.h"
#include "seal/digest.h"

namespace hone::cli {

namespace {

constexpr int64_t kLeaseMs = 30'000;
constexpr double kBeatSeconds = 1.0;
constexpr int kIdleMs = 500, kLineMs = 250;
constexpr double kStopSeconds = 60, kPlanSeconds = 120;
constexpr uint64_t kMaxLogBytes = 64 << 10;
constexpr size_t kImportPiece = 256 << 10;

// What the child said last on stderr: one sentence, without its name in front.
std::string last_words(Env& env, const std::string& path, int code) {
  std::string text;
  try {
    const uint64_t size = env.file_size(path);
    const uint64_t from = size > kMaxLogBytes ? size - kMaxLogBytes : 0;
    text = env.read_range(path, from, kMaxLogBytes);
  } catch (const Error&) {
    text.clear();
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const size_t line = text.rfind('\n');
  if (line != std::string::npos) text.erase(0, line + 1);
  if (text.rfind("hone: ", 0) == 0) text.erase(0, 6);
  if (code == 128 + SIGKILL) {
    return "the system ended the training, most likely because memory ran out: choose smaller "
           "settings (max_length, lora_r)";
  }
  return text.empty() ? "the training ended with code " + std::to_string(code) : text;
}

double number_or(const Json& line, std::string_view key, double otherwise) {
  const Json* value = line.find(key);
  return value != nullptr && value->is_number() ? value->as_double() : otherwise;
}

// Weights of the phases in the whole, for one bar over all of them.
double overall(const std::string& phase, double share) {
  struct Part {
    const char* phase;
    double begin, end;
  };
  constexpr Part kParts[] = {{"loading", 0, 0.01},           {"measuring before", 0.01, 0.07},
                             {"answers before", 0.07, 0.10}, {"reference", 0.10, 0.20},
                             {"training", 0.20, 0.88},       {"measuring after", 0.88, 0.95},
                             {"answers after", 0.95, 0.99},  {"done", 1, 1}};
  for (const Part& part : kParts) {
    if (phase == part.phase) return part.begin + share * (part.end - part.begin);
  }
  return 0;
}

std::string text_at(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

label::RunChange to_state(std::string state, std::string phase = {}) {
  label::RunChange change;
  change.state = std::move(state);
  change.phase = std::move(phase);
  return change;
}

// What the jobs' list shows: "training 12 of 42".
std::string progress_text(const Json& progress) {
  std::string text = text_at(progress, "phase");
  const auto steps = static_cast<int64_t>(number_or(progress, "steps", 0));
  if (steps > 0) {
    text += " " + std::to_string(static_cast<int64_t>(number_or(progress, "step", 0))) + " of " +
            std::to_string(steps);
  }
  return text;
}

}  // namespace

ServerJobs::ServerJobs(Env& env, api::Platform& platform, ServerJobsOptions options)
    : env_(env),
      platform_(platform),
      options_(std::move(options)),
      worker_("server-" + std::to_string(getpid()) + "-" + std::to_string(env.now_ms())) {
  platform_.control().write(store::Durability::kDisk, [&](store::Transaction& tx) {
    store::adopt_jobs_of_others(tx, worker_, env_.now_ms());
  });
  thread_ = std::thread([this] { work(); });
}

ServerJobs::~ServerJobs() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ServerJobs::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

std::vector<std::string> ServerJobs::common_arguments() const {
  std::vector<std::string> words = {"--behind", "--threads", std::to_string(options_.threads)};
  if (!options_.memory_limit.empty()) {
    words.insert(words.end(), {"--memory-limit", options_.memory_limit});
  }
  return words;
}

Json ServerJobs::plan_run(const api::OfferedModel& model, std::string_view method,
                          const Json& settings, const std::string& snapshot_folder) {
  const std::lock_guard one_at_a_time(plan_mutex_);
  Json spec = Json::object();
  spec["model"] = model.path;
  spec["train"] = snapshot_folder + "/train.jsonl";
  spec["heldout"] = snapshot_folder + "/heldout.jsonl";
  spec["output"] = snapshot_folder;  // a plan writes nothing
  spec["method"] = method;
  if (settings.is_object()) spec["settings"] = settings;
  const std::string name = platform_.options().data_dir + "/" + label::make_public_id(env_, "plan");
  write_file_atomically(env_, name + ".json", spec.dump());
  struct Remove {
    Env& env;
    const std::string& name;
    ~Remove() {
      env.remove_all(name + ".json");
      env.remove_all(name + ".log");
    }
  } remove{env_, name};
  std::vector<std::string> words = {"job", "plan", name + ".json"};
  for (std::string& word : common_arguments()) words.push_back(std::move(word));
  ChildProcess child(words, name + ".log");
  const double begin = env_.steady_seconds();
  std::string answer;
  while (!child.ended()) {
    if (auto line = child.next_line(kLineMs)) answer = std::move(*line);
    if (env_.steady_seconds() - begin > kPlanSeconds) {
      throw Error(ErrorCode::kBusy,
                  "the plan takes too long, the machine is busy: try again later");
    }
  }
  const int code = child.wait();
  if (code != 0) throw invalid_input(last_words(env_, name + ".log", code));
  Json plan = Json::parse(answer).value();
  const uint64_t limit = options_.memory_limit.empty()
                             ? available_memory() / 10 * 9
                             : parse_size(options_.memory_limit, "memory-limit");
  Json missing = Json::array();
  if (static_cast<uint64_t>(plan.at("memory_bytes").as_int()) > limit) {
    missing.push_back("memory: choose smaller settings or a smaller model");
  }
  if (plan.at("rows").as_int() == 0) missing.push_back("training pairs");
  plan["memory_limit_bytes"] = limit;
  plan["config_digest"] = seal::sha256_hex(plan.at("settings").dump_canonical()).substr(0, 16);
  Json writes = Json::array();
  for (const char* what : {"an adapter (PEFT)", "metrics.jsonl", "two reports", "checkpoints"}) {
    writes.push_back(what);
  }
  plan["writes"] = std::move(writes);
  plan["ready"] = missing.size() == 0;
  plan["missing"] = std::move(missing);
  return plan;
}

void ServerJobs::work() {
  int64_t last_adopted_ms = 0;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    std::optional<store::Job> job;
    try {
      job = platform_.control().write(store::Durability::kProcess, [&](store::Transaction& tx) {
        const int64_t now_ms = env_.now_ms();
        if (now_ms - last_adopted_ms > kLeaseMs) {
          store::adopt_abandoned_jobs(tx, now_ms);
          last_adopted_ms = now_ms;
        }
        return store::claim_job(tx, worker_, {"run", "import", "gate"}, kLeaseMs, now_ms);
      });
    } catch (const Error&) {
      job.reset();  // busy, or a full disk: look again later
    }
    if (job) {
      run(*job);
      continue;
    }
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(kIdleMs),
                      [&] { return stopping_ || woken_; });
    woken_ = false;
  }
}

void ServerJobs::run(const store::Job& job) {
  progress_ = Json::object();
  evidence_ = Json();
  fraction_ = job.fraction;
  try {
    if (job.kind == "run") {
      run_training(job);
    } else if (job.kind == "gate") {
      run_gate(job);
    } else {
      run_import(job);
    }
  } catch (const std::exception& thrown) {
    const auto* known = dynamic_cast<const Error*>(&thrown);
    const Error error = known != nullptr ? *known : Error(ErrorCode::kInternal, thrown.what());
    try {
      platform_.control().write(store::Durability::kDisk, [&](store::Transaction& tx) {
        store::fail_job(tx, job.public_id, worker_, error, std::nullopt, env_.now_ms());
      });
      if (job.kind == "run") {
        label::RunChange change = to_state("failed");
        change.error = error.message();
        change_run(job, change);
      }
    } catch (const Error&) {
      // Not even that could be written: the lease runs out and the job is adopted.
    }
  }
  tell(job);
}

bool ServerJobs::must_stop(const store::Job& job, const store::JobProgress& progress) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return true;
  }
  try {
    const store::JobStanding standing =
        platform_.control().write(store::Durability::kProcess, [&](store::Transaction& tx) {
          return store::report_job(tx, job.public_id, worker_, progress, kLeaseMs, env_.now_ms());
        });
    return !standing.is_mine || standing.cancel_requested;
  } catch (const Error&) {
    return false;  // busy: the next beat tries again
  }
}

void ServerJobs::take_line(const store::Job& job, const Json& line) {
  const std::string phase = text_at(line, "phase");
  const bool is_new_phase = text_at(progress_, "phase") != phase;
  progress_ = Json::object();
  progress_["phase"] = phase;
  progress_["step"] = static_cast<int64_t>(number_or(line, "done", 0));
  progress_["steps"] = static_cast<int64_t>(number_or(line, "total", 0));
  progress_["rate"] = number_or(line, "per_second", 0);
  if (const Json* left = line.find("seconds_left")) progress_["seconds_left"] = *left;
  if (const Json* evidence = line.find("evidence")) evidence_ = *evidence;
  const double share = number_or(line, "share", 0);
  fraction_ = std::max(fraction_, number_or(line, "fraction", overall(phase, share)));
  if (is_new_phase && job.kind == "run") change_run(job, to_state("running", phase));
}

bool ServerJobs::follow(const store::Job& job, ChildProcess& child) {
  double beat = 0, asked_at = 0;
  while (!child.ended()) {
    const auto line = child.next_line(kLineMs);
    if (line) {
      const Result<Json> json = Json::parse(*line);
      if (json && json->is_object()) take_line(job, *json);
    }
    const double now = env_.steady_seconds();
    if (now - beat < kBeatSeconds) continue;
    beat = now;
    const store::JobProgress progress = {fraction_, progress_text(progress_), progress_};
    if (asked_at == 0 && must_stop(job, progress)) {
      child.terminate();
      asked_at = now;
    }
    if (asked_at != 0 && now - asked_at > kStopSeconds) child.kill();
    tell(job);
  }
  return asked_at == 0;
}

void ServerJobs::run_training(const store::Job& job) {
  label::Organisation& organisation = platform_.organisation(job.organisation);
  const std::string run_id = text_at(job.payload, "run_id");
  const label::Run order =
      organisation.read([&](store::Connection& db) { return label::get_run(db, run_id); });
  const std::string folder = label::run_folder(organisation, run_id);
  const std::string snapshot = organisation.folder() + "/snapshots/" + order.snapshot_id;
  env_.create_directories(organisation.folder() + "/runs");
  Json spec = Json::object();
  spec["model"] = platform_.model(order.model).path;
  spec["train"] = snapshot + "/train.jsonl";
  spec["heldout"] = snapshot + "/heldout.jsonl";
  spec["output"] = folder;
  spec["method"] = order.method;
  spec["settings"] = order.settings;
  const int64_t organisation_key =
      platform_.identity()
          .read([&](store::Connection& db) {
            return platform_.identity().organisation(db, job.organisation);
          })
          .key;
  for (const api::GateSet& set : api::gate_sets(platform_, organisation, organisation_key)) {
    spec["gates"].push_back(set.to_json());
  }
  write_file_atomically(env_, folder + ".spec.json", spec.dump());
  change_run(job, to_state("running", "loading"));

  std::vector<std::string> words = {"job", "train", folder + ".spec.json"};
  for (std::string& word : common_arguments()) words.push_back(std::move(word));
  ChildProcess child(words, folder + ".log");
  const bool by_itself = follow(job, child);
  const int code = child.wait();
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;  // saved; the next server adopts the job and goes on
  }
  const int64_t now_ms = env_.now_ms();
  if (code == 0) {
    const Json result = run_result(env_, folder);
    platform_.control().write(store::Durability::kDisk, [&](store::Transaction& tx) {
      store::finish_job(tx, job.public_id, worker_, result, now_ms);
    });
    label::RunChange change = to_state("done", "done");
    change.result = result;
    change_run(job, change);
  } else if (!by_itself) {
    platform_.control().write(store::Durability::kDisk, [&](store::Transaction& tx) {
      store::end_cancelled_job(tx, job.public_id, worker_, now_ms);
    });
    change_run(job, to_state("cancelled"));
  } else {
    throw Error(ErrorCode::kInternal, last_words(env_, folder + ".log", code));
  }
}

void ServerJobs::run_gate(const store::Job& job) {
  const std::string folder =
      platform_.organisation(job.organisation).folder() + "/gates/" + job.public_id;
  env_.create_directories(folder);
  write_file_atomically(env_, folder + "/spec.json", gate_spec(platform_, job, folder).dump());
  std::vector<std::string> words = {"job", "gate", folder + "/spec.json"};
  for (std::string& word : common_arguments()) words.push_back(std::move(word));
  ChildProcess child(words, folder + "/log");
  const bool by_itself = follow(job, child);
  const int code = child.wait();
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;  // the next server adopts the job and measures again
  }
  if (!by_itself) {
    platform_.control().write(store::Durability::kDisk, [&](store::Transaction& tx) {
      store::end_cancelled_job(tx, job.public_id, worker_, env_.now_ms());
    });
    return;
  }
  if (code != 0) throw Error(ErrorCode::kInternal, last_words(env_, folder + "/log", code));
  const registry::Promotion made = decide_gate(platform_, job, evidence_);
  if (platform_.has_model_host()) platform_.model_host().refresh();
  platform_.control().write(store::Durability::kDisk, [&](store::Transaction& tx) {
    store::finish_job(tx, job.public_id, worker_, made.to_json(), env_.now_ms());
  });
  Json data = Json::object();
  data["id"] = made.alias;
  platform_.events().publish(job.organisation, "alias", data);
}

void ServerJobs::run_import(const store::Job& job) {
  label::Organisation& organisation = platform_.organisation(job.organisation);
  label::Actor actor = label::system_actor();
  actor.id = job.created_by;
  const std::string path = organisation.folder() + "/" + text_at(job.payload, "path");
  const uint64_t size = std::max<uint64_t>(env_.file_size(path), 1);
  label::ImportRequest request;
  request.max_bytes = platform_.options().max_import_bytes;
  const auto importer =
      label::Importer::resume(organisation, actor, text_at(job.payload, "import_id"), request);
  double beat = 0;
  for (uint64_t offset = 0;;) {
    const std::string piece = env_.read_range(path, offset, kImportPiece);
    if (piece.empty()) break;
    importer->feed(piece);
    offset += piece.size();
    const double now = env_.steady_seconds();
    if (now - beat < kBeatSeconds) continue;
    beat = now;
    store::JobProgress progress;
    progress.fraction = static_cast<double>(offset) / static_cast<double>(size);
    progress.text = std::to_string(importer->state().rows) + " rows";
    if (must_stop(job, progress)) {
      importer->stop();
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      platform_.control().write(store::Durability::kDisk, [&](store::Transaction& tx) {
        store::end_cancelled_job(tx, job.public_id, worker_, env_.now_ms());
      });
      return;
    }
    tell(job);
  }
  const label::ImportState state = importer->finish();
  platform_.control().write(store::Durability::kDisk, [&](store::Transaction& tx) {
    store::finish_job(tx, job.public_id, worker_, state.to_json(), env_.now_ms());
  });
  env_.remove_all(path);
}

void ServerJobs::change_run(const store::Job& job, const label::RunChange& change) {
  const std::string run_id = text_at(job.payload, "run_id");
  label::Organisation& organisation = platform_.organisation(job.organisation);
  organisation.write(
      change.state == "running" ? store::Durability::kProcess : store::Durability::kDisk,
      [&](store::Transaction& tx) {
        label::change_run(organisation, tx, label::system_actor(), run_id, change);
      });
  tell(job);
}

void ServerJobs::tell(const store::Job& job) {
  Json data = Json::object();
  data["id"] = job.public_id;
  platform_.events().publish(job.organisation, "job", data);
  if (job.kind != "run") return;
  data["id"] = text_at(job.payload, "run_id");
  platform_.events().publish(job.organisation, "run", data);
}

}  // namespace hone::cli
