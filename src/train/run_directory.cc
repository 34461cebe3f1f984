#include "train/run_directory.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "tensor/recipe.h"
#include "train/checkpoint.h"
#include "train/tensorboard.h"

namespace hone::train {

namespace {

constexpr uint64_t kMaxLogBytes = uint64_t{4} << 30;
constexpr const char* kManifest = "manifest.json";
constexpr const char* kMetrics = "metrics.jsonl";
constexpr const char* kSteps = "steps.jsonl";
constexpr const char* kCompletions = "completions.jsonl";
constexpr const char* kSources = "sources.json";
constexpr const char* kEvents = "events.out.tfevents.hone";  // TensorBoard looks for "tfevents"
constexpr uint64_t kMaxSourcesBytes = 1 << 20;
constexpr const char* kState = "state.safetensors";
constexpr const char* kWriting = ".writing";  // in checkpoints/: the one being written

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;  // a line without its end was never acknowledged
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// The step of a log line, or nothing when the line is damaged.
std::optional<size_t> step_of(const std::string& line) {
  const Result<Json> json = Json::parse(line);
  if (!json) return std::nullopt;
  const Json* step = json->find("step");
  if (step == nullptr || !step->is_integer()) return std::nullopt;
  return static_cast<size_t>(step->as_int());
}

std::string checkpoint_name(size_t step) {
  char name[40];
  std::snprintf(name, sizeof name, "step-%06zu", step);
  return name;
}

// What a killed program left of a file that it had not finished: NAME.DIGITS.tmp, NAME.partial.
void remove_unfinished(Env& env, const std::string& folder) {
  if (!env.exists(folder)) return;
  for (const std::string& name : env.list_directory(folder)) {
    std::string_view rest = name;
    bool unfinished = rest.ends_with(".partial");
    if (rest.ends_with(".tmp")) {
      rest.remove_suffix(4);
      const size_t dot = rest.rfind('.');
      unfinished = dot != std::string_view::npos && dot > 0 && dot + 1 < rest.size() &&
                   rest.find_first_not_of("0123456789", dot + 1) == std::string_view::npos;
    }
    if (unfinished) env.remove_all(folder + "/" + name);
  }
}

// Another program may go on with a run; another setting, file or recipe may not.
void check_same(const data::RunManifest& before, const data::RunManifest& now,
                const std::string& path, bool accept_recipe) {
  if (before.recipe != now.recipe && !accept_recipe) {
    throw Error(ErrorCode::kConflict,
                path + " was computed by numerics recipe " + before.recipe +
                    ", this program computes by " + now.recipe +
                    ": go on with the program that began it, or with --accept-recipe");
  }
  const Json old = before.to_json(), fresh = now.to_json();
  for (const char* key : {"method", "seeds", "digests", "settings"}) {
    const Json* a = old.find(key);
    const Json* b = fresh.find(key);
    const std::string then = a == nullptr ? "none" : a->dump_canonical();
    const std::string current = b == nullptr ? "none" : b->dump_canonical();
    if (then == current) continue;
    throw Error(ErrorCode::kConflict, path + " was started with other " + key + " (then " + then +
                                          ", now " + current +
                                          "): resume with the same, or name a new folder");
  }
}

}  // namespace

RunDirectory RunDirectory::open(Env& env, std::string path, const data::RunManifest& manifest,
                                Opening opening) {
  const bool resume = opening.resume, overwrite = opening.overwrite;
  RunDirectory run(env, std::move(path));
  run.accept_recipe_ = opening.accept_recipe;
  const bool there = env.exists(run.file(kManifest));
  if (env.is_file(run.path_)) {
    throw invalid_input(run.path_ + " is a file: name a folder for the run");
  }
  if (there && overwrite && !resume) env.remove_all(run.path_);
  if (there && !overwrite && !resume) {
    throw Error(ErrorCode::kConflict, run.path_ +
                                          " holds a run already: --resume continues it, "
                                          "--overwrite starts it again");
  }
  if (!there && !resume && env.exists(run.path_) && !env.list_directory(run.path_).empty() &&
      !overwrite) {
    throw Error(ErrorCode::kConflict,
                run.path_ + " exists and is not empty: name a new folder for the run");
  }
  if (there && resume) {
    check_same(read_manifest(env, run.path_), manifest, run.path_, opening.accept_recipe);
  } else {
    create_directories_durably(env, run.path_ + "/checkpoints");
    data::write_run_manifest(env, run.file(kManifest), manifest);
  }
  return run;
}

data::RunManifest RunDirectory::read_manifest(Env& env, const std::string& path) {
  const std::string name = path + "/" + kManifest;
  if (!env.exists(name)) {
    throw not_found(path + " is not a run: it has no manifest.json (hone runs list shows runs)");
  }
  return data::read_run_manifest(env, name);
}

void RunDirectory::write_sources(const std::map<std::string, std::string>& sources) {
  if (sources.empty()) return;
  Json json = Json::object();
  for (const auto& [name, path] : sources) json[name] = path;
  write_file_atomically(env_, file(kSources), json.dump_pretty() + "\n");
}

std::map<std::string, std::string> RunDirectory::read_sources(Env& env, const std::string& path) {
  std::map<std::string, std::string> sources;
  const std::string name = path + "/" + kSources;
  if (!env.exists(name)) return sources;
  const Result<Json> json = Json::parse(env.read_file(name, kMaxSourcesBytes));
  if (!json || !json->is_object()) return sources;
  for (const auto& [key, value] : json->as_object()) {
    if (value.is_string()) sources[key] = value.as_string();
  }
  return sources;
}

std::vector<std::string> RunDirectory::checkpoints() {
  std::vector<std::string> names;
  const std::string folder = path_ + "/checkpoints";
  if (!env_.exists(folder)) return names;
  for (const std::string& name : env_.list_directory(folder)) {
    if (name.compare(0, 5, "step-") == 0 && env_.exists(folder + "/" + name + "/" + kState)) {
      names.push_back(name);
    }
  }
  // Longer names are later steps once there are more than six digits.
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return names;
}

void RunDirectory::restore_more(const std::string& checkpoint, size_t step,
                                const MoreStates& more) {
  for (const auto& [name, optimizer] : more) {
    const std::string path = checkpoint + "/" + name + ".safetensors";
    if (!env_.exists(path)) {
      throw corrupt_data(
          checkpoint + " has no " + name +
          ".safetensors: remove its folder, and --resume goes on from the checkpoint "
          "before");
    }
    if (read_checkpoint(env_, path, *optimizer, accept_recipe_).step != step) {
      throw corrupt_data(path +
                         " is of another step than the state beside it: remove the folder, "
                         "and --resume goes on from the checkpoint before");
    }
  }
}

size_t RunDirectory::restore(Optimizer& optimizer, size_t total_limit, ReportTo report_to,
                             const MoreStates& more) {
  CheckpointOrigin from{0, tensor::kRecipe};
  const std::vector<std::string> names = checkpoints();
  if (!names.empty()) {
    const std::string checkpoint = path_ + "/checkpoints/" + names.back();
    from = read_checkpoint(env_, checkpoint + "/" + kState, optimizer, accept_recipe_);
    restore_more(checkpoint, from.step, more);
  }
  const size_t step = from.step;
  remove_unfinished(env_, path_);
  remove_unfinished(env_, path_ + "/final");
  drop_checkpoints(total_limit);
  if (accept_recipe_) accept_recipe_of(step, from.recipe);
  cut_log(kMetrics, step, nullptr);
  cut_log(kCompletions, step, nullptr);
  cut_log(kSteps, step, &expected_steps_);
  if (from.recipe != tensor::kRecipe) expected_steps_.clear();  // other bits, as was accepted
  rebuild_events(report_to);
  metrics_ = env_.append_file(file(kMetrics));
  steps_ = env_.append_file(file(kSteps));
  env_.sync_directory(path_);  // the logs' names must outlive a power cut as their lines do
  return step;
}

// The manifest's recipe is the one that computes from here on; what was before is remembered.
void RunDirectory::accept_recipe_of(size_t step, const std::string& recipe) {
  data::RunManifest manifest = read_manifest(env_, path_);
  const data::RunManifest before = manifest;
  if (recipe != tensor::kRecipe && step > 0 &&
      (manifest.earlier_recipes.empty() || manifest.earlier_recipes.back().last_step != step)) {
    manifest.earlier_recipes.push_back({recipe, step});
  }
  manifest.recipe = tensor::kRecipe;
  if (!(manifest == before)) data::write_run_manifest(env_, file(kManifest), manifest);
}

void RunDirectory::rebuild_events(ReportTo report_to) {
  const bool wanted = report_to == ReportTo::kTensorboard;
  if (!wanted && !env_.exists(file(kEvents))) return;
  std::unique_ptr<WritableFile> events = env_.create_file(file(kEvents));
  events->append(tensorboard_header());
  if (env_.exists(file(kMetrics))) {
    for (const std::string& line : lines_of(env_.read_file(file(kMetrics), kMaxLogBytes))) {
      events->append(tensorboard_event(Json::parse(line).value()));
    }
  }
  events->sync();
  if (wanted) events_ = std::move(events);
}

void RunDirectory::cut_log(const char* name, size_t step, std::vector<std::string>* set_aside) {
  if (set_aside != nullptr) set_aside->clear();
  if (!env_.exists(file(name))) return;
  uint64_t keep = 0;
  bool cut = false;
  for (const std::string& line : lines_of(env_.read_file(file(name), kMaxLogBytes))) {
    const std::optional<size_t> at = step_of(line);
    if (!at) break;  // what follows a damaged line was not synced
    if (*at <= step && !cut) {
      keep += line.size() + 1;
    } else {
      cut = true;
      if (set_aside != nullptr) set_aside->push_back(line);
    }
  }
  env_.truncate(file(name), keep);
  if (set_aside != nullptr) std::reverse(set_aside->begin(), set_aside->end());
}

void RunDirectory::save_checkpoint(Optimizer& optimizer, size_t step, size_t total_limit,
                                   const std::map<std::string, std::string>& files,
                                   const MoreStates& more) {
  flush();
  const std::string folder = path_ + "/checkpoints";
  const std::string name = checkpoint_name(step), temporary = folder + "/" + kWriting;
  env_.remove_all(temporary);
  env_.create_directories(temporary);
  write_checkpoint(env_, temporary + "/" + kState, optimizer, step);
  for (const auto& [more_name, beside] : more) {
    write_checkpoint(env_, temporary + "/" + more_name + ".safetensors", *beside, step);
  }
  for (const auto& [file_name, text] : files) {
    write_file_atomically(env_, temporary + "/" + file_name, text);
  }
  env_.sync_directory(temporary);
  env_.remove_all(folder + "/" + name);
  env_.rename(temporary, folder + "/" + name);
  env_.sync_directory(folder);
  drop_checkpoints(total_limit);
}

void RunDirectory::drop_checkpoints(size_t total_limit) {
  const std::string folder = path_ + "/checkpoints";
  std::vector<std::string> names = checkpoints();
  if (total_limit > 0 && names.size() > total_limit) {
    names.erase(names.begin(), names.end() - static_cast<std::ptrdiff_t>(total_limit));
  }
  if (!env_.exists(folder)) return;
  // What is none of them is an old one, or what a kill left of one that was written or removed.
  for (const std::string& name : env_.list_directory(folder)) {
    const bool ours = name == kWriting || name.starts_with("step-");
    if (ours && std::find(names.begin(), names.end(), name) == names.end()) {
      env_.remove_all(folder + "/" + name);
    }
  }
}

std::optional<std::string> RunDirectory::checkpoint_file(size_t step, const std::string& name) {
  const std::string path = path_ + "/checkpoints/" + checkpoint_name(step) + "/" + name;
  if (!env_.exists(path)) return std::nullopt;
  return env_.read_file(path, kMaxLogBytes);
}

void RunDirectory::log_step(const StepRecord& record) {
  Json json = Json::object();
  json["step"] = uint64_t{record.step};
  json["loss"] = record.loss;
  json["grad_norm"] = record.grad_norm;
  json["hash"] = record.hash;
  const std::string line = json.dump();
  if (!expected_steps_.empty()) {
    const std::string before = expected_steps_.back();
    expected_steps_.pop_back();
    if (before != line) {
      throw Error(ErrorCode::kInternal,
                  file(kSteps) + ": step " + std::to_string(record.step) +
                      " came out otherwise than before the interruption. Then: " + before +
                      " Now: " + line + " Was the program, the machine or the data changed?");
    }
  }
  steps_->append(line + "\n");
}

void RunDirectory::log_metrics(const Json& line) {
  metrics_->append(line.dump() + "\n");
  if (events_ != nullptr) events_->append(tensorboard_event(line));
  flush();  // so that who watches the run sees it
}

void RunDirectory::log_completion(const Json& line) {
  if (completions_ == nullptr) {
    completions_ = env_.append_file(file(kCompletions));
    env_.sync_directory(path_);  // as restore() does for the other logs
  }
  completions_->append(line.dump() + "\n");
}

void RunDirectory::flush() {
  if (completions_ != nullptr) completions_->sync();
  if (metrics_ != nullptr) metrics_->sync();
  if (steps_ != nullptr) steps_->sync();
  if (events_ != nullptr) events_->sync();
}

std::vector<StepRecord> RunDirectory::read_steps(Env& env, const std::string& path) {
  std::vector<StepRecord> records;
  const std::string name = path + "/" + kSteps;
  for (const std::string& line : lines_of(env.read_file(name, kMaxLogBytes))) {
    const Json json = Json::parse(line).value();
    records.push_back({static_cast<size_t>(json.at("step").as_int()), json.at("loss").as_double(),
                       json.at("grad_norm").as_double(), json.at("hash").as_string()});
  }
  return records;
}

namespace {

// A sum of products of odd numbers over 32-bit words: any thread order gives the same 64 bits.
void hash_parameters(tensor::Compute& compute, const llm::Trainable& trainable, uint64_t* total,
                     uint64_t* place) {
  constexpr size_t kBlock = 1 << 16;
  for (const llm::Parameter& p : trainable.parameters) {
    const size_t blocks = (p.size + kBlock - 1) / kBlock;
    std::vector<uint64_t> sums(blocks);
    const uint64_t base = *place;
    compute.pool().run(blocks, [&](size_t block, size_t) {
      const size_t end = std::min(p.size, (block + 1) * kBlock);
      uint64_t sum = 0;
      for (size_t i = block * kBlock; i < end; ++i) {
        uint32_t bits;
        std::memcpy(&bits, p.values + i, sizeof bits);
        const uint64_t mixed = (uint64_t{bits} + 0x632BE59BD9B4E019u) * (2 * (base + i) + 1);
        sum += mixed ^ (mixed >> 29);
      }
      sums[block] = sum;
    });
    for (uint64_t sum : sums) *total += sum;
    *place += p.size;
  }
}

}  // namespace

std::string parameter_hash(tensor::Compute& compute, const llm::Trainable& trainable,
                           const llm::Trainable* beside) {
  uint64_t total = 0x9E3779B97F4A7C15u, place = 1;
  hash_parameters(compute, trainable, &total, &place);
  if (beside != nullptr) hash_parameters(compute, *beside, &total, &place);
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(total));
  return text;
}

}  // namespace hone::train
