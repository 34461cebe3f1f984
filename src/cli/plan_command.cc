// hone plan train | serve: memory, time and cost before anything long starts.
//
// Training is measured, not guessed: three short probes of the very command, each a child process
// with a sample of the rows and a few steps, so that whatever a method does (reference
// log-probabilities, generation, rewards) is in the numbers.

#include <algorithm>
#include <cstdio>
#include <functional>

#include "base/env.h"
#include "base/error.h"
#include "cli/child_process.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/kept_layers.h"
#include "cli/memory.h"
#include "cli/plan_estimate.h"
#include "cli/progress.h"
#include "cli/temporary_folder.h"
#include "data/csv_splitter.h"
#include "data/jsonl_splitter.h"
#include "tensor/ceiling.h"

namespace hone::cli {

namespace {

constexpr uint64_t kMaxMachinesBytes = 1 << 16;
constexpr size_t kMaxRecordBytes = 64 << 20;
constexpr size_t kPieceBytes = 1 << 20;
constexpr size_t kMaxProbeSteps = 1000;
constexpr int kLookEveryMs = 200;

// The words of a training command, and what is asked of each of them here.
class TrainWords {
 public:
  explicit TrainWords(std::vector<std::string> words) : words_(std::move(words)) {}

  // The value of an option, which goes from the words; "" when it is not there.
  std::string take(const std::string& option) {
    std::string value;
    for (size_t i = 0; i < words_.size();) {
      if (words_[i].starts_with("--" + option + "=")) {
        value = words_[i].substr(option.size() + 3);
        words_.erase(at(i));
      } else if (words_[i] == "--" + option) {
        if (i + 1 == words_.size()) throw invalid_input("--" + option + " needs a value");
        value = words_[i + 1];
        words_.erase(at(i), at(i + 2));
      } else {
        ++i;
      }
    }
    return value;
  }
  bool take_flag(const std::string& option) { return std::erase(words_, "--" + option) > 0; }
  void add(const std::vector<std::string>& more) {
    words_.insert(words_.end(), more.begin(), more.end());
  }
  // With more words behind.
  std::vector<std::string> with(const std::vector<std::string>& more) const {
    std::vector<std::string> out = {"train"};
    out.insert(out.end(), words_.begin(), words_.end());
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }

 private:
  std::vector<std::string>::iterator at(size_t i) {
    return words_.begin() + static_cast<std::ptrdiff_t>(i);
  }
  std::vector<std::string> words_;
};

// Runs the program with those words; its stdout. What it says when it fails is the error.
std::string run_child(const std::vector<std::string>& words, const std::string& folder) {
  const std::string errors = folder + "/stderr";
  ChildProcess child(words, errors);
  std::string out;
  while (!child.ended()) {
    if (const auto line = child.next_line(kLookEveryMs)) out += *line + "\n";
    if (interrupted()) {
      child.kill();
      throw Interrupted{"the plan is not made"};
    }
  }
  const int code = child.wait();
  if (code == 0) return out;
  std::string said = real_env().read_file(errors, kMaxRecordBytes);
  while (!said.empty() && said.back() == '\n') said.pop_back();
  said = said.substr(said.rfind('\n') + 1);
  if (said.starts_with("hone: ")) said = said.substr(6);
  if (said.empty()) said = "a probe of the training ended with code " + std::to_string(code);
  throw code == 2 ? invalid_input(said) : Error(ErrorCode::kUnavailable, said);
}

void feed_file(const std::string& path, const std::function<void(std::string_view)>& feed) {
  const uint64_t size = real_env().file_size(path);
  for (uint64_t at = 0; at < size; at += kPieceBytes) {
    feed(real_env().read_range(path, at, std::min<uint64_t>(kPieceBytes, size - at)));
  }
}

std::string csv_line(const data::CsvRecord& record) {
  std::string out;
  for (const data::CsvCell& cell : record.cells) {
    if (&cell != &record.cells.front()) out += ',';
    out += '"';
    for (char c : cell.text) out += c == '"' ? "\"\"" : std::string(1, c);
    out += '"';
  }
  return out + "\n";
}

// Copies `wanted` of the file's `rows` rows, evenly spread, so that lengths are those of all.
void write_sample(const std::string& path, size_t rows, size_t wanted, const std::string& to) {
  std::string out;
  size_t seen = 0, taken = 0;
  const auto is_next = [&] { return taken < wanted && seen++ * wanted / rows >= taken; };
  if (path.ends_with(".csv")) {
    bool heading = true;
    data::CsvSplitter splitter(kMaxRecordBytes, [&](data::CsvRecord& record) {
      if (record.blank() || !record.fault.empty()) return;
      if (!heading && !is_next()) return;
      taken += heading ? 0 : 1;
      heading = false;
      out += csv_line(record);
    });
    feed_file(path, [&](std::string_view bytes) { splitter.feed(bytes); });
    splitter.finish();
  } else {
    data::JsonlSplitter splitter(kMaxRecordBytes, [&](Result<Json> value, uint64_t) {
      if (!value || !is_next()) return;
      ++taken;
      out += value.value().dump() + "\n";
    });
    feed_file(path, [&](std::string_view bytes) { splitter.feed(bytes); });
    splitter.finish();
  }
  write_file_atomically(real_env(), to, out);
}

// Gradients that ranks would exchange: as many as values in what the training writes.
uint64_t trained_values(const std::string& final_folder) {
  uint64_t bytes = 0;
  for (const std::string& name : real_env().list_directory(final_folder)) {
    if (name.ends_with(".safetensors")) bytes += real_env().file_size(final_folder + "/" + name);
  }
  return bytes / sizeof(float);
}

struct Measured {
  Rates rates;
  uint64_t trained_values = 0;
};

Measured measure(const TrainWords& words, const std::string& data, const Json& dry,
                 size_t probe_steps, bool quiet) {
  const TemporaryFolder folder("", "hone-plan");
  const auto rows = static_cast<size_t>(dry.at("rows").as_int());
  const auto sequences = std::max<size_t>(1, static_cast<size_t>(dry.at("sequences").as_int()));
  const auto steps = std::max<size_t>(1, static_cast<size_t>(dry.at("steps").as_int()));
  // Enough for the longest probe, were every row used once; all of them when that is not many.
  const size_t a_step = std::max<size_t>(1, sequences / steps + 1);
  const size_t many = std::min(rows, std::max<size_t>(64, 4 * a_step * (probe_steps + 1)));
  const size_t few = std::max<size_t>(1, many / 4);
  const std::string suffix = data.ends_with(".csv") ? ".csv" : ".jsonl";
  write_sample(data, rows, many, folder.path() + "/many" + suffix);
  write_sample(data, rows, few, folder.path() + "/few" + suffix);
  Progress progress("plan", "probes", 4, quiet);
  size_t done = 0;
  const auto probe = [&](const char* sample, size_t sample_rows, size_t probe_step_count) {
    const std::string output = folder.path() + "/run";
    real_env().remove_all(output);
    const double begin = real_env().steady_seconds();
    run_child(words.with({"--data", folder.path() + "/" + sample + suffix, "--output", output,
                          "--max-steps", std::to_string(probe_step_count), "--quiet"}),
              folder.path());
    const Probe out{sample_rows, probe_step_count, real_env().steady_seconds() - begin};
    progress.update(++done);
    return out;
  };
  probe("few", few, 1);  // warm: the model's pages, digests
  const Probe first = probe("few", few, 1);
  const Probe second = probe("many", many, 1);
  const Probe third = probe("many", many, 1 + probe_steps);
  progress.finish();
  return {rates_of(first, second, third), trained_values(folder.path() + "/run/final")};
}

void print(const Json& plan, const Machines& machines, const Estimate& e, bool is_here) {
  const auto row = [](const char* what, const std::string& value) {
    std::printf("%-26s %s\n", what, value.c_str());
  };
  const auto count = [&](const char* field) { return std::to_string(plan.at(field).as_int()); };
  row("machines", is_here ? "this one, " + std::to_string(machines.cores) + " threads"
                          : std::to_string(machines.count) + " of " +
                                std::to_string(machines.cores) + " cores");
  row("rows, steps", count("rows") + ", " + count("steps"));
  row("memory of each",
      bytes_text(static_cast<uint64_t>(plan.at("memory_bytes").as_int())) +
          (machines.memory_bytes == 0 ? ""
           : e.fits                   ? " of " + bytes_text(machines.memory_bytes)
                    : ": MORE than the " + bytes_text(machines.memory_bytes) + " there are"));
  if (const Json* layers = plan.find("layers")) {
    row("layers that keep theirs", count("kept_layers") + " of " +
                                       std::to_string(layers->as_int()) +
                                       (plan.at("kept_layers").as_int() == layers->as_int()
                                            ? ""
                                            : ": the others' activations are computed again"));
  }
  row("before the first step", duration_text(e.prepare_s));
  char step[64];
  std::snprintf(step, sizeof step, "%.3g s", e.step_s);
  row("a step", step + (machines.count > 1 ? ", of it exchange " + duration_text(e.exchange_s)
                                           : std::string()));
  row("the whole training", duration_text(e.total_s));
  if (machines.price_per_hour > 0) {
    char cost[64];
    std::snprintf(cost, sizeof cost, "%.2f %s (%.2f machine hours)", e.cost,
                  machines.currency.c_str(), e.machine_hours);
    row("cost", cost);
  }
}

struct PlanFlags {
  std::string machines;
  size_t probe_steps = 5;
  CommonOptions common;
};

Options plan_options(PlanFlags& flags) {
  Options options("plan train", "what a training will take: memory, time and cost.",
                  "METHOD [options of hone train METHOD] [options]");
  options.example("hone plan train dpo --model m.gguf --data pairs.jsonl --lora-r 16",
                  "on this machine");
  options.example("hone plan train sft --model m.gguf --data rows.jsonl --machines four.json",
                  "on machines that are described");
  options.text("machines", &flags.machines, "FILE.json",
               "{\"count\", \"cores\", \"gflops_per_core\", \"memory\", \"network_gbit\", "
               "\"price_per_hour\"}; empty = this machine");
  options.count("probe-steps", &flags.probe_steps, "steps that are measured; more are surer");
  flags.common.add_to(options);
  return options;
}

constexpr double kDefaultShare = 0.9;  // cli/memory.h

// A dry run keeps all layers' activations; what it would be under this limit.
void fit_plan(Json& dry, uint64_t limit) {
  const Json* peaks = dry.find("memory_bytes_by_kept_layers");
  if (peaks == nullptr) return;
  KeptLayers layers;
  for (const Json& peak : peaks->as_array()) {
    layers.peaks.push_back(static_cast<uint64_t>(peak.as_int()));
  }
  const auto most = static_cast<size_t>(dry.at("kept_layers").as_int());  // 1 with --recompute
  const size_t kept = std::min(most, layers.within(limit));
  const uint64_t less = layers.peaks[most - 1] - layers.peaks[kept - 1];
  dry["kept_layers"] = uint64_t{kept};
  dry["memory_bytes"] = layers.peaks[kept - 1];
  dry["memory"]["peak_bytes"] = layers.peaks[kept - 1];
  if (less == 0) return;
  Json& activations = dry["memory"]["parts"]["activations of more layers"];
  activations = static_cast<uint64_t>(activations.as_int()) - less;
}

int plan_train(const Arguments& arguments) {
  PlanFlags flags;
  Options options = plan_options(flags);
  if (arguments.empty() || arguments[0] == "--help") {
    options.parse({"--help"});
    options.show_help();
    return 0;
  }
  TrainWords words(arguments);
  flags.machines = words.take("machines");
  if (const std::string count = words.take("probe-steps"); !count.empty()) {
    options.parse({"--probe-steps", count});
  }
  if (flags.probe_steps == 0 || flags.probe_steps > kMaxProbeSteps) {
    throw invalid_input("--probe-steps must be from 1 to " + std::to_string(kMaxProbeSteps));
  }
  flags.common.json = words.take_flag("json");
  flags.common.quiet = words.take_flag("quiet");
  if (const std::string threads = words.take("threads"); !threads.empty()) {
    options.parse({"--threads", threads});
  }
  tensor::Compute compute(flags.common.threads);
  Machines machines;
  machines.cores = compute.threads();
  machines.memory_bytes = available_memory();
  const double here = tensor::measure_fma_peak(compute);
  machines.gflops_per_core = here / 1e9 / static_cast<double>(machines.cores);
  const bool is_here = flags.machines.empty();
  if (!is_here) {
    const std::string text = real_env().read_file(flags.machines, kMaxMachinesBytes);
    machines = machines_from_json(Json::parse(text).value(), flags.machines);
  }

  const std::string data = words.take("data");
  if (data.empty()) throw invalid_input("--data FILE is missing: the rows that will be trained on");
  const bool evaluates = !words.take("eval-data").empty();
  words.take("output");
  const std::string max_steps = words.take("max-steps");
  for (const char* flag : {"dry-run", "resume", "overwrite"}) words.take_flag(flag);
  Json dry;
  {
    const TemporaryFolder folder("", "hone-plan");
    std::vector<std::string> more = {"--data", data, "--dry-run", "--quiet"};
    if (!max_steps.empty()) more.insert(more.end(), {"--max-steps", max_steps});
    // A plan is also for those who have another machine.
    more.insert(more.end(), {"--memory-limit", "1000000G"});
    const std::string given = words.take("memory-limit");
    const uint64_t limit =
        given.empty()
            ? static_cast<uint64_t>(kDefaultShare * static_cast<double>(machines.memory_bytes))
            : parse_size(given, "memory-limit");
    dry = Json::parse(run_child(words.with(more), folder.path())).value();
    fit_plan(dry, limit);
    // The probes shall do what the training will.
    if (dry.find("layers") != nullptr &&
        dry.at("kept_layers").as_int() < dry.at("layers").as_int() &&
        limit >= static_cast<uint64_t>(dry.at("memory_bytes").as_int())) {
      words.add({"--memory-limit", std::to_string(limit)});
    }
  }
  words.add({"--threads", std::to_string(compute.threads())});
  const Measured measured = measure(words, data, dry, flags.probe_steps, flags.common.quiet);
  const auto memory = static_cast<uint64_t>(dry.at("memory_bytes").as_int());
  const Estimate e = estimate(measured.rates, static_cast<size_t>(dry.at("rows").as_int()),
                              static_cast<size_t>(dry.at("steps").as_int()), here, memory,
                              measured.trained_values * sizeof(int64_t), machines);
  if (evaluates && !flags.common.quiet) {
    std::fprintf(stderr, "note: the evaluations on --eval-data are not in the time\n");
  }
  if (!flags.common.json) {
    print(dry, machines, e, is_here);
  } else {
    Json json = dry;
    json["schema"] = "hone.plan/1";
    json["estimate"] = e.to_json();
    json["gradient_bytes"] = measured.trained_values * sizeof(int64_t);
    json["here_flops"] = here;
    json["load_seconds"] = measured.rates.load_s;
    json["row_seconds"] = measured.rates.row_s;
    json["step_seconds_here"] = measured.rates.step_s;
    std::printf("%s\n", json.dump_pretty().c_str());
  }
  return e.fits ? 0 : 3;
}

int plan_serve(const Arguments& arguments) {
  if (std::find(arguments.begin(), arguments.end(), "--help") != arguments.end()) {
    Options options("plan serve", "the memory that hone serve would take with the same options.",
                    "[options of hone serve]");
    CommonOptions common;
    common.add_to(options);
    options.example("hone plan serve --model m.gguf --context-tokens 32768", "a longer memory");
    options.parse({"--help"});
    options.show_help();
    return 0;
  }
  Arguments more = arguments;
  more.emplace_back("--plan");
  return run_serve(more);
}

}  // namespace

int run_plan(const Arguments& arguments) {
  constexpr Object kKinds[] = {
      {"train", "memory, time and cost of a training", plan_train},
      {"serve", "the memory of hone serve with the same options", plan_serve},
  };
  return run_object("plan", "what work will take, before it starts.", kKinds, arguments);
}

}  // namespace hone::cli
