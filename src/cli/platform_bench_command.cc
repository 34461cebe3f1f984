// hone bench platform: the labelling platform over HTTP, server and load generator on this machine,
// with the rate at which its disk can keep something beside it.
//
// The server is a child process, as people run it. Everybody asks next and answers, one after the other,
// over a connection of their own; every answer is acknowledged after its commit is on the disk.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <thread>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/options.h"
#include "cli/platform_bench.h"

namespace hone::cli {

namespace {

constexpr size_t kPeopleMax = 1000;
constexpr size_t kBesidePairs = 400'000;

struct BenchFlags {
  CommonOptions common;
  size_t tasks = 20000, overlap = 1, labels = 3000;
  std::vector<std::string> people = {"1", "32"};
  std::string folder, data;
  bool training = false, importing = false;
};

// What is measured on: the server, who works there, and the project of generated pairs.
struct Bench {
  const BenchFlags& flags;
  BenchServer& server;
  std::string disk;  // the folder whose disk counts
  std::string manager, project;
  std::vector<size_t> crowds;
  std::vector<std::string> people;  // their keys
};

// A folder that was filled before says in bench.json with what.
std::string note_path(const BenchServer& server) { return server.data() + "/bench.json"; }

void fill(Bench& bench, Json& result) {
  const BenchFlags& flags = bench.flags;
  bench.project = make_bench_project(bench.server, bench.manager, flags.overlap);
  const BenchImport import = import_pairs(bench.server, bench.manager, bench.project, flags.tasks);
  result["import_seconds"] = import.seconds;
  result["import_peak_mb"] = import.peak_mb;
  Json note = Json::object();
  note["project"] = bench.project;
  note["tasks"] = uint64_t{flags.tasks};
  note["overlap"] = uint64_t{flags.overlap};
  write_file_atomically(real_env(), note_path(bench.server), note.dump());
}

void fill_or_reuse(Bench& bench, Json& result) {
  constexpr uint64_t kNoteBytes = 4096;
  const std::string path = note_path(bench.server);
  if (!real_env().exists(path)) return fill(bench, result);
  const Json note = Json::parse(real_env().read_file(path, kNoteBytes)).value();
  const int64_t tasks = note.at("tasks").as_int(), overlap = note.at("overlap").as_int();
  if (tasks != static_cast<int64_t>(bench.flags.tasks) ||
      overlap != static_cast<int64_t>(bench.flags.overlap)) {
    throw invalid_input(bench.flags.data + " was filled with --tasks " + std::to_string(tasks) +
                        " --overlap " + std::to_string(overlap) +
                        ": give the same, or another folder");
  }
  bench.project = note.at("project").as_string();
}

// Each crowd in turn; the disk's rate is taken before each, since it changes by the minute.
void label(Bench& bench, const char* beside, Json& loads) {
  for (const size_t people : bench.crowds) {
    const double syncs = sync_rate(bench.disk);
    const BenchLoad load = label_together(bench.server, bench.people, bench.project, people,
                                          bench.flags.labels, bench.flags.overlap);
    Json json = load_json(load);
    json["beside"] = beside;
    json["fdatasync_per_second"] = syncs;
    json["labels_per_sync"] = static_cast<double>(load.labels) / load.seconds / syncs;
    loads.push_back(std::move(json));
  }
}

void label_beside_training(Bench& bench, Json& loads) {
  BenchTraining training(bench.server, bench.manager);
  label(bench, "training", loads);
  if (!training.is_training()) {
    throw Error(ErrorCode::kInternal,
                "the training ended before the labelling: ask for fewer "
                "--labels");
  }
  training.stop();
  label(bench, "", loads);
}

// Pairs into another project all the while.
void label_beside_import(Bench& bench, Json& loads) {
  const std::string other = make_bench_project(bench.server, bench.manager, 1);
  std::atomic<bool> ended = false;
  std::string failure;
  std::thread import([&] {
    try {
      import_pairs(bench.server, bench.manager, other, kBesidePairs);
    } catch (const Error& error) {
      failure = error.message();
    }
    ended = true;
  });
  label(bench, "import", loads);
  const bool too_soon = ended;
  import.join();
  if (!failure.empty()) throw Error(ErrorCode::kInternal, failure);
  if (too_soon) {
    throw Error(ErrorCode::kInternal,
                "the import ended before the labelling: ask for fewer --labels");
  }
}

Json measure(const BenchFlags& flags, const std::string& folder) {
  Json result = Json::object();
  result["fdatasync_per_second"] = sync_rate(folder);
  BenchServer server(flags.data.empty() ? folder + "/data" : absolute_path(flags.data),
                     flags.training);
  result["first_page_seconds"] = server.first_page_seconds();
  result["idle_mb"] = server.idle_mb();
  Bench bench{flags, server, folder, server.make_token("bench manager", "manager"), {}, {}, {}};
  for (const std::string& text : flags.people) {
    bench.crowds.push_back(std::clamp<size_t>(std::stoul(text), 1, kPeopleMax));
  }
  while (bench.people.size() < *std::max_element(bench.crowds.begin(), bench.crowds.end())) {
    const std::string name = "bench person " + std::to_string(bench.people.size() + 1);
    bench.people.push_back(server.make_token(name, "annotator"));
  }
  fill_or_reuse(bench, result);
  result["tasks"] = uint64_t{flags.tasks};
  result["tasks_page_p50_ms"] = tasks_page_ms(server, bench.manager, bench.project);
  Json loads = Json::array();
  label(bench, "", loads);
  if (flags.importing) label_beside_import(bench, loads);
  if (flags.training) label_beside_training(bench, loads);
  result["labelling"] = std::move(loads);
  const BenchExport all = export_annotations(server, bench.manager, bench.project);
  result["export_seconds"] = all.seconds;
  result["export_rows"] = uint64_t{all.lines};
  result["peak_mb"] = server.memory_mb("VmHWM:");
  return result;
}

std::string table(const Json& result) {
  std::ostringstream text;
  char line[240];
  const auto number = [&](const char* key) { return result.at(key).as_double(); };
  std::snprintf(line, sizeof line, "this disk: %.0f fdatasync a second, one after the other\n\n",
                number("fdatasync_per_second"));
  text << line;
  std::snprintf(line, sizeof line, "start to first page       %8.0f ms, %.0f MB idle\n",
                1000 * number("first_page_seconds"), number("idle_mb"));
  text << line;
  if (result.find("import_seconds") != nullptr) {
    std::snprintf(line, sizeof line, "import of %-9lld        %8.2f s, peak %.0f MB\n",
                  static_cast<long long>(result.at("tasks").as_int()), number("import_seconds"),
                  number("import_peak_mb"));
    text << line;
  }
  std::snprintf(line, sizeof line, "tasks page of 30, p50     %8.2f ms\n",
                number("tasks_page_p50_ms"));
  text << line;
  for (const Json& load : result.at("labelling").as_array()) {
    const std::string& beside = load.at("beside").as_string();
    std::snprintf(line, sizeof line,
                  "%4lld at once: %8.0f labels/s (disk %.0f/s)   next p50 %.2f p99 %.2f ms, "
                  "submit p50 %.2f p99 %.2f ms, both p99 %.2f ms%s\n",
                  static_cast<long long>(load.at("people").as_int()),
                  load.at("labels_per_second").as_double(),
                  load.at("fdatasync_per_second").as_double(), load.at("next_p50_ms").as_double(),
                  load.at("next_p99_ms").as_double(), load.at("submit_p50_ms").as_double(),
                  load.at("submit_p99_ms").as_double(), load.at("both_p99_ms").as_double(),
                  beside.empty() ? "" : (", beside: " + beside).c_str());
    text << line;
    std::snprintf(line, sizeof line, "              given too often %lld, errors %lld\n",
                  static_cast<long long>(load.at("given_too_often").as_int()),
                  static_cast<long long>(load.at("errors").as_int()));
    text << line;
  }
  std::snprintf(line, sizeof line, "export of %-9lld labels %8.2f s\n",
                static_cast<long long>(result.at("export_rows").as_int()),
                number("export_seconds"));
  text << line;
  std::snprintf(line, sizeof line, "server's peak memory      %8.0f MB\n", number("peak_mb"));
  text << line;
  return text.str();
}

}  // namespace

int run_bench_platform(const Arguments& arguments) {
  BenchFlags flags;
  Options options("bench platform", "the labelling platform over HTTP, beside this disk's rate.",
                  "");
  options.example("hone bench platform", "20,000 pairs; 1 and 32 people at once");
  options.example("hone bench platform --tasks 1000000 --overlap 3 --people 32",
                  "the same at a million");
  options.count("tasks", &flags.tasks, "pairs that are imported first");
  options.count("overlap", &flags.overlap, "answers that each pair needs");
  options.count("labels", &flags.labels, "answers that each crowd gives");
  options.list("people", &flags.people, "N,..", "sizes of the crowds");
  options.flag("importing", &flags.importing,
               "the crowds once more while 400,000 pairs are imported into another project");
  options.flag("training", &flags.training,
               "the same once more while a run of the demo project trains (needs HONE_MODEL)");
  options.text("data", &flags.data, "DIR",
               "a data folder that is kept: filled when it is new, else used again as it is");
  options.text("folder", &flags.folder, "DIR",
               "where the data lies meanwhile: the disk that counts; empty = here");
  flags.common.add_to(options);
  if (!options.parse(arguments).empty()) {
    throw invalid_input("hone bench platform takes options only");
  }
  if (options.show_help()) return 0;
  const std::string folder =
      absolute_path((flags.folder.empty() ? std::string(".") : flags.folder) +
                    "/hone_bench_platform." + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  struct Remove {
    const std::string& folder;
    ~Remove() {
      std::error_code ignored;
      std::filesystem::remove_all(folder, ignored);
    }
  } remove{folder};
  const Json result = measure(flags, folder);
  std::fputs(flags.common.json ? (result.dump() + "\n").c_str() : table(result).c_str(), stdout);
  return 0;
}

}  // namespace hone::cli
