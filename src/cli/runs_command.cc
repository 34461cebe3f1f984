// hone runs list | show | diff: what runs there are and how they differ.

#include <algorithm>
#include <cstdio>
#include <map>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "train/run_directory.h"

namespace hone::cli {

namespace {

constexpr uint64_t kMaxMetricsBytes = uint64_t{4} << 30;

struct Run {
  std::string path;
  data::RunManifest manifest;
  std::vector<train::StepRecord> steps;
  bool finished = false;  // final/ is there
};

std::string join_path(const std::string& folder, const std::string& name) {
  return folder == "." ? name : folder + "/" + name;
}

Run read_run(const std::string& path) {
  Env& env = real_env();
  Run run;
  run.path = path;
  run.manifest = train::RunDirectory::read_manifest(env, path);
  if (env.exists(path + "/steps.jsonl")) {
    run.steps = train::RunDirectory::read_steps(env, path);
  }
  run.finished = env.exists(path + "/final");
  return run;
}

// The folder itself, or the runs right below it.
std::vector<std::string> find_runs(const std::string& folder) {
  Env& env = real_env();
  if (!env.exists(folder)) throw not_found(folder + ": there is no such folder");
  if (!env.is_directory(folder)) throw invalid_input(folder + " is a file: name a folder of runs");
  if (env.exists(folder + "/manifest.json")) return {folder};
  std::vector<std::string> found;
  for (const std::string& name : env.list_directory(folder)) {
    const std::string path = join_path(folder, name);
    if (env.exists(path + "/manifest.json")) found.push_back(path);
  }
  return found;
}

std::string digest_of(const Run& run, const char* name) {
  const auto found = run.manifest.digests.find(name);
  return found == run.manifest.digests.end() ? "" : found->second;
}

Json run_json(const Run& run) {
  Json json = Json::object();
  json["run"] = run.path;
  json["method"] = run.manifest.method;
  json["steps"] = uint64_t{run.steps.empty() ? 0 : run.steps.back().step};
  json["loss"] = run.steps.empty() ? Json() : Json(run.steps.back().loss);
  json["hash"] = run.steps.empty() ? Json() : Json(run.steps.back().hash);
  json["finished"] = run.finished;
  json["model"] = digest_of(run, "model");
  json["data"] = digest_of(run, "data");
  return json;
}

int list(const std::string& folder, bool json) {
  const std::vector<std::string> paths = find_runs(folder);
  size_t width = 3;
  for (const std::string& path : paths) width = std::max(width, path.size());
  if (!json && !paths.empty()) {
    std::printf("%-*s  %-6s  %6s  %10s  %-8s  %-8s  %s\n", static_cast<int>(width), "run", "method",
                "steps", "last loss", "model", "data", "state");
  }
  for (const std::string& path : paths) {
    const Run run = read_run(path);
    if (json) {
      std::printf("%s\n", run_json(run).dump().c_str());
      continue;
    }
    const size_t steps = run.steps.empty() ? 0 : run.steps.back().step;
    char loss[32] = "-";
    if (steps > 0) std::snprintf(loss, sizeof loss, "%.4f", run.steps.back().loss);
    std::printf(
        "%-*s  %-6s  %6zu  %10s  %-8s  %-8s  %s\n", static_cast<int>(width), path.c_str(),
        run.manifest.method.c_str(), steps, loss, digest_of(run, "model").substr(0, 8).c_str(),
        digest_of(run, "data").substr(0, 8).c_str(), run.finished ? "finished" : "not finished");
  }
  if (paths.empty()) {
    std::fprintf(stderr, "no runs in %s (a run has a manifest.json; hone train makes them)\n",
                 folder.c_str());
  }
  return 0;
}

std::vector<Json> metrics_of(const std::string& run) {
  std::vector<Json> lines;
  const std::string path = run + "/metrics.jsonl";
  if (!real_env().exists(path)) return lines;
  const std::string text = real_env().read_file(path, kMaxMetricsBytes);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (Result<Json> line = Json::parse(std::string_view(text).substr(begin, end - begin))) {
      lines.push_back(std::move(line).value());
    }
    begin = end + 1;
  }
  return lines;
}

// The last line of training and the last of evaluation.
void print_metrics(const std::string& run) {
  const Json *trained = nullptr, *evaluated = nullptr;
  const std::vector<Json> lines = metrics_of(run);
  for (const Json& line : lines) (line.find("loss") != nullptr ? trained : evaluated) = &line;
  for (const Json* line : {trained, evaluated}) {
    if (line == nullptr || !line->is_object()) continue;
    std::printf("\n%s\n", line == trained ? "last training line" : "last evaluation line");
    for (const auto& [key, value] : line->as_object()) {
      if (key.compare(0, 10, "grad_norm/") == 0) continue;
      std::printf("  %-32s %s\n", key.c_str(), value.dump().c_str());
    }
  }
}

int show(const std::string& path, bool json) {
  const Run run = read_run(path);
  const auto sources = train::RunDirectory::read_sources(real_env(), path);
  if (json) {
    Json out = run_json(run);
    out["manifest"] = run.manifest.to_json();
    Json metrics = Json::array();
    for (Json& line : metrics_of(path)) metrics.push_back(std::move(line));
    out["metrics"] = std::move(metrics);
    std::printf("%s\n", out.dump().c_str());
    return 0;
  }
  const auto line = [](const std::string& key, const std::string& value) {
    std::printf("  %-32s %s\n", key.c_str(), value.c_str());
  };
  std::printf("%s: %s, %zu steps, %s\n", path.c_str(), run.manifest.method.c_str(),
              run.steps.empty() ? size_t{0} : run.steps.back().step,
              run.finished ? "finished" : "not finished");
  line("program", run.manifest.program_version + " (" + run.manifest.program_commit + "), recipe " +
                      run.manifest.recipe);
  for (const auto& [name, seed] : run.manifest.seeds) line(name, std::to_string(seed));
  for (const auto& [name, digest] : run.manifest.digests) {
    const auto source = sources.find(name);
    line(name,
         "sha256 " + digest.substr(0, 16) + (source == sources.end() ? "" : "  " + source->second));
  }
  if (!run.steps.empty()) line("hash after the last step", run.steps.back().hash);
  std::printf("\nsettings\n");
  for (const auto& [key, value] : run.manifest.settings.as_object()) line(key, value.dump());
  print_metrics(path);
  return 0;
}

// Every leaf of a manifest by its path.
void flatten(const Json& json, const std::string& prefix, std::map<std::string, std::string>* out) {
  if (!json.is_object()) {
    (*out)[prefix] = json.dump_canonical();
    return;
  }
  for (const auto& [key, value] : json.as_object()) {
    flatten(value, prefix.empty() ? key : prefix + "." + key, out);
  }
}

struct Change {
  std::string key, a, b;  // "-" where it is missing
};

std::vector<Change> manifest_changes(const Run& a, const Run& b) {
  std::map<std::string, std::string> left, right;
  flatten(a.manifest.to_json(), "", &left);
  flatten(b.manifest.to_json(), "", &right);
  std::vector<Change> changes;
  for (const auto& [key, value] : left) {
    const auto other = right.find(key);
    if (other == right.end()) {
      changes.push_back({key, value, "-"});
    } else if (other->second != value) {
      changes.push_back({key, value, other->second});
    }
  }
  for (const auto& [key, value] : right) {
    if (!left.contains(key)) changes.push_back({key, "-", value});
  }
  return changes;
}

// The first step that both have whose loss, norm or hash differs; step 0: none.
struct OtherStep {
  size_t step = 0;
  std::string what, a, b;
};

OtherStep first_other_step(const Run& a, const Run& b) {
  const size_t shared = std::min(a.steps.size(), b.steps.size());
  for (size_t i = 0; i < shared; ++i) {
    const train::StepRecord &x = a.steps[i], &y = b.steps[i];
    const std::string columns[][3] = {
        {"step", std::to_string(x.step), std::to_string(y.step)},
        {"loss", number_to_string(x.loss), number_to_string(y.loss)},
        {"grad_norm", number_to_string(x.grad_norm), number_to_string(y.grad_norm)},
        {"hash", x.hash, y.hash}};
    for (const auto& column : columns) {
      if (column[1] != column[2]) return {x.step, column[0], column[1], column[2]};
    }
  }
  return {};
}

int diff(const std::string& path_a, const std::string& path_b, bool json) {
  const Run a = read_run(path_a), b = read_run(path_b);
  const std::vector<Change> changes = manifest_changes(a, b);
  const OtherStep other = first_other_step(a, b);
  const size_t shared = std::min(a.steps.size(), b.steps.size());
  if (json) {
    Json out = Json::object();
    out["a"] = path_a;
    out["b"] = path_b;
    Json rows = Json::array();
    for (const Change& change : changes) {
      Json row = Json::object();
      row["key"] = change.key;
      row["a"] = change.a;
      row["b"] = change.b;
      rows.push_back(std::move(row));
    }
    out["manifest"] = std::move(rows);
    out["steps_a"] = uint64_t{a.steps.size()};
    out["steps_b"] = uint64_t{b.steps.size()};
    out["first_other_step"] = other.step == 0 ? Json() : Json(uint64_t{other.step});
    std::printf("%s\n", out.dump().c_str());
    return 0;
  }
  if (changes.empty()) std::printf("the same method, settings, seeds, files and program\n");
  size_t width = 0;
  for (const Change& change : changes) width = std::max(width, change.key.size());
  for (const Change& change : changes) {
    std::printf("%-*s  %s -> %s\n", static_cast<int>(width), change.key.c_str(), change.a.c_str(),
                change.b.c_str());
  }
  if (other.step > 0) {
    std::printf("steps: first differ at step %zu (%s %s -> %s)\n", other.step, other.what.c_str(),
                other.a.c_str(), other.b.c_str());
  } else {
    std::printf("steps: the %zu that both have are equal to the bit\n", shared);
  }
  if (a.steps.size() != b.steps.size()) {
    std::printf("steps done: %zu -> %zu\n", a.steps.size(), b.steps.size());
  }
  return 0;
}

}  // namespace

int run_runs(const Arguments& arguments) {
  CommonOptions common;
  Options options("runs", "what runs there are, what one was, and how two differ.",
                  "list [DIR] | show RUN | diff A B");
  options.example("hone runs list experiments", "a table of the runs in a folder");
  options.example("hone runs show experiments/first", "settings, digests, last metrics");
  options.example("hone runs diff experiments/first experiments/second",
                  "other settings, and the first step that came out otherwise");
  common.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return 0;
  const std::string what = words.empty() ? "" : words[0];
  if (what == "list" && words.size() <= 2)
    return list(words.size() == 2 ? words[1] : ".", common.json);
  if (what == "show" && words.size() == 2) return show(words[1], common.json);
  if (what == "diff" && words.size() == 3) return diff(words[1], words[2], common.json);
  if (what != "list" && what != "show" && what != "diff") {
    const std::string close = nearest(what, {"list", "show", "diff"});
    if (!close.empty()) {
      throw invalid_input("hone runs " + what + " does not exist; did you mean " + close +
                          "? Write list [DIR], show RUN or diff A B");
    }
  }
  throw invalid_input("hone runs: write list [DIR], show RUN or diff A B");
}

}  // namespace hone::cli
