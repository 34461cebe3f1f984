// hone bench platform: the labelling platform over HTTP, server and load generator on this machine,
// with the rate at which its disk can keep something beside it.
//
// The server is a child process, as people run it. Everybody asks next and answers, one after the other,
// over a connection of their own; every answer is acknowledged after its commit is on the disk.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>
#include <thread>

#include "base/env.h"
#include "base/error.h"
#include "base/json.h"
#include "cli/child_process.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/options.h"
#include "http/client.h"

namespace hone::cli {

namespace {

constexpr int kReadyMs = 60'000;
constexpr size_t kListRequests = 200, kPageRows = 30;
constexpr size_t kImportPieceRows = 200;

struct BenchFlags {
  CommonOptions common;
  size_t tasks = 20000, overlap = 1, labels = 3000;
  std::vector<std::string> people = {"1", "32"};
  std::string folder;
};

double seconds_now() { return real_env().steady_seconds(); }

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double at = q * static_cast<double>(values.size() - 1);
  return values[static_cast<size_t>(at + 0.5)];
}

// How often a second this disk takes 4 KiB for good, one after the other.
double sync_rate(const std::string& folder) {
  const std::string path = folder + "/sync_rate";
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) throw Error(ErrorCode::kUnavailable, path + ": " + std::strerror(errno));
  const std::string block(4096, 'x');
  size_t count = 0;
  const double begin = seconds_now();
  while (seconds_now() - begin < 1.5) {
    if (write(file, block.data(), block.size()) < 0 || fdatasync(file) != 0) break;
    ++count;
  }
  const double rate = static_cast<double>(count) / (seconds_now() - begin);
  close(file);
  unlink(path.c_str());
  return rate;
}

// Resident and peak memory of a process, MB.
double memory_mb(pid_t pid, const char* field) {
  const std::string status =
      real_env().read_file("/proc/" + std::to_string(pid) + "/status", 1 << 16);
  const size_t at = status.find(field);
  return at == std::string::npos ? 0 : std::atof(status.c_str() + at + std::strlen(field)) / 1024;
}

struct Server {
  std::unique_ptr<ChildProcess> process;
  uint16_t port = 0;
  std::string folder;
  double first_page_seconds = 0, idle_mb = 0;
};

http::HttpClient client_of(uint16_t port) {
  http::ClientOptions options;
  options.port = port;
  options.timeout_ms = 300'000;
  options.max_body_bytes = 4ull << 30;
  return http::HttpClient(options);
}

Server start_server(const std::string& folder) {
  Server server;
  server.folder = folder + "/data";
  const double begin = seconds_now();
  server.process = std::make_unique<ChildProcess>(
      std::vector<std::string>{"up", "--no-demo", "--data-dir", server.folder, "--listen",
                               "127.0.0.1:0", "--quiet"},
      folder + "/server.log");
  while (!server.process->ended() && server.port == 0) {
    const auto line = server.process->next_line(kReadyMs);
    if (!line) break;
    const size_t colon = line->rfind(':');
    if (line->rfind("listening on ", 0) == 0 && colon != std::string::npos) {
      server.port = static_cast<uint16_t>(std::stoul(line->substr(colon + 1)));
    }
  }
  if (server.port == 0) {
    throw Error(ErrorCode::kInternal, "the server did not start: " +
                                          real_env().read_file(folder + "/server.log", 1 << 16));
  }
  if (client_of(server.port).get("/").status != 200) {
    throw Error(ErrorCode::kInternal, "the server has no page at /");
  }
  server.first_page_seconds = seconds_now() - begin;
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  server.idle_mb = memory_mb(server.process->pid(), "VmRSS:");
  return server;
}

// A person's key for programs, by the command that an operator would use.
std::string make_token(const Server& server, const std::string& name, const char* role) {
  ChildProcess child(
      {"user", "add", name, "--role", role, "--token", "--json", "--data-dir", server.folder},
      server.folder + "/../user.log");
  std::string line;
  while (!child.ended()) {
    if (auto next = child.next_line(kReadyMs)) line = *next;
  }
  if (child.wait() != 0) {
    throw Error(
        ErrorCode::kInternal,
        "hone user add failed: " + real_env().read_file(server.folder + "/../user.log", 1 << 16));
  }
  return Json::parse(line).value().at("token").as_string();
}

http::ClientRequest request_of(const char* method, std::string target, const std::string& token,
                               std::string_view body = {}) {
  http::ClientRequest request;
  request.method = method;
  request.target = std::move(target);
  request.headers.set("Authorization", "Bearer " + token);
  if (!body.empty()) request.headers.set("Content-Type", "application/json");
  request.body = body;
  return request;
}

Json expect(const http::ClientResponse& response, int status, const char* what) {
  if (response.status != status) {
    throw Error(ErrorCode::kInternal, std::string(what) + ": " + std::to_string(response.status) +
                                          " " + response.body.substr(0, 400));
  }
  return response.body.empty() ? Json() : Json::parse(response.body).value();
}

std::string pairwise_rows(size_t from, size_t to) {
  std::string rows;
  for (size_t i = from; i < to; ++i) {
    const std::string n = std::to_string(i);
    rows += "{\"prompt\":\"Question number " + n +
            ": how does one keep bread fresh for a week without a freezer?\",\"left\":\"Answer A "
            "to " +
            n +
            ". Keep it in a bread box, cut side down, and toast it from the fourth "
            "day on; a paper bag inside a cloth one works as well.\",\"right\":\"Answer B to " +
            n +
            ". Bread does not stay fresh, so buy smaller loaves more often, or bake rolls and "
            "take out what you need each morning.\"}\n";
  }
  return rows;
}

struct Import {
  double seconds = 0;
  double server_mb = 0;
};
Import import_tasks(const Server& server, const std::string& token, const std::string& project,
                    size_t tasks) {
  http::HttpClient client = client_of(server.port);
  size_t made = 0;
  std::string piece;
  const double begin = seconds_now();
  const auto response = client.upload(
      request_of("POST", "/api/v1/projects/" + project + "/import?format=jsonl&name=bench.jsonl",
                 token),
      [&]() -> std::string_view {
        const size_t next = std::min(tasks, made + kImportPieceRows);
        piece = pairwise_rows(made, next);
        made = next;
        return piece;
      });
  const Json done = expect(response, 200, "import");
  if (done.at("created").as_int() != static_cast<int64_t>(tasks)) {
    throw Error(ErrorCode::kInternal, "import: " + response.body.substr(0, 400));
  }
  return {seconds_now() - begin, memory_mb(server.process->pid(), "VmHWM:")};
}

struct Load {
  size_t people = 0, labels = 0, errors = 0, repeated = 0;
  double seconds = 0;
  std::vector<double> next_seconds, submit_seconds;
};

// What one person did.
struct Worker {
  std::vector<double> next_seconds, submit_seconds;
  std::vector<std::string> tasks;
  size_t errors = 0;
  std::string error;
};

void label_until(const Server& server, const std::string& token, const std::string& project,
                 std::atomic<int64_t>& left, Worker& worker) {
  http::HttpClient client = client_of(server.port);
  try {
    while (left.fetch_sub(1) > 0) {
      const double begin = seconds_now();
      const auto next =
          client.request(request_of("POST", "/api/v1/projects/" + project + "/next", token, "{}"));
      const double got = seconds_now();
      if (next.status == 204) break;
      if (next.status != 200) {
        ++worker.errors;
        worker.error = next.body.substr(0, 300);
        continue;
      }
      const Json assignment = Json::parse(next.body).value();
      const auto answered = client.request(request_of(
          "PUT",
          "/api/v1/assignments/" + assignment.at("assignment_id").as_string() + "/annotation",
          token, "{\"answer\":{\"winner\":\"left\"},\"active_ms\":1200}"));
      worker.next_seconds.push_back(got - begin);
      worker.submit_seconds.push_back(seconds_now() - got);
      if (answered.status != 201) {
        ++worker.errors;
        worker.error = answered.body.substr(0, 300);
        continue;
      }
      worker.tasks.push_back(assignment.at("task_id").as_string());
    }
  } catch (const Error& error) {
    ++worker.errors;
    worker.error = error.message();
  }
}

Load label_together(const Server& server, const std::vector<std::string>& tokens,
                    const std::string& project, size_t people, size_t labels, size_t overlap) {
  std::atomic<int64_t> left{static_cast<int64_t>(labels)};
  std::vector<Worker> workers(people);
  std::vector<std::thread> threads;
  const double begin = seconds_now();
  for (size_t i = 0; i < people; ++i) {
    threads.emplace_back([&, i] { label_until(server, tokens[i], project, left, workers[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  Load load;
  load.seconds = seconds_now() - begin;
  load.people = people;
  std::map<std::string, size_t> given;
  for (const Worker& worker : workers) {
    load.errors += worker.errors;
    if (!worker.error.empty()) std::fprintf(stderr, "note: %s\n", worker.error.c_str());
    for (const std::string& task : worker.tasks) {
      ++load.labels;
      if (++given[task] > overlap) ++load.repeated;
    }
    load.next_seconds.insert(load.next_seconds.end(), worker.next_seconds.begin(),
                             worker.next_seconds.end());
    load.submit_seconds.insert(load.submit_seconds.end(), worker.submit_seconds.begin(),
                               worker.submit_seconds.end());
  }
  return load;
}

double page_ms(const Server& server, const std::string& token, const std::string& project) {
  http::HttpClient client = client_of(server.port);
  std::vector<double> seconds;
  std::string after;
  for (size_t i = 0; i < kListRequests; ++i) {
    const double begin = seconds_now();
    const auto response = client.request(
        request_of("GET",
                   "/api/v1/projects/" + project + "/tasks?limit=" + std::to_string(kPageRows) +
                       (after.empty() ? "" : "&after=" + after),
                   token));
    seconds.push_back(seconds_now() - begin);
    const Json page = expect(response, 200, "tasks");
    const Json& next = page.at("next");
    after = next.is_string() ? next.as_string() : "";
  }
  return 1000 * quantile(seconds, 0.5);
}

struct Export {
  double seconds = 0;
  size_t bytes = 0, lines = 0;
};
Export export_all(const Server& server, const std::string& token, const std::string& project) {
  http::HttpClient client = client_of(server.port);
  Export result;
  const double begin = seconds_now();
  const auto response = client.stream(
      request_of("GET", "/api/v1/projects/" + project + "/export?format=annotations", token),
      nullptr, [&](std::string_view bytes) {
        result.bytes += bytes.size();
        result.lines += static_cast<size_t>(std::count(bytes.begin(), bytes.end(), '\n'));
        return true;
      });
  expect({response.status, {}, ""}, 200, "export");
  result.seconds = seconds_now() - begin;
  return result;
}

Json load_json(const Load& load) {
  Json json = Json::object();
  json["people"] = uint64_t{load.people};
  json["labels"] = uint64_t{load.labels};
  json["labels_per_second"] = static_cast<double>(load.labels) / load.seconds;
  json["next_p50_ms"] = 1000 * quantile(load.next_seconds, 0.5);
  json["next_p99_ms"] = 1000 * quantile(load.next_seconds, 0.99);
  json["submit_p50_ms"] = 1000 * quantile(load.submit_seconds, 0.5);
  json["submit_p99_ms"] = 1000 * quantile(load.submit_seconds, 0.99);
  json["given_too_often"] = uint64_t{load.repeated};
  json["errors"] = uint64_t{load.errors};
  return json;
}

Json measure(const BenchFlags& flags, const std::string& folder) {
  Json result = Json::object();
  const double syncs = sync_rate(folder);
  Server server = start_server(folder);
  result["fdatasync_per_second"] = syncs;
  result["first_page_seconds"] = server.first_page_seconds;
  result["idle_mb"] = server.idle_mb;
  const std::string manager = make_token(server, "bench manager", "manager");
  std::vector<size_t> crowds;
  for (const std::string& text : flags.people) {
    crowds.push_back(std::clamp<size_t>(std::stoul(text), 1, 1000));
  }
  std::vector<std::string> tokens;
  while (tokens.size() < *std::max_element(crowds.begin(), crowds.end())) {
    tokens.push_back(
        make_token(server, "bench person " + std::to_string(tokens.size() + 1), "annotator"));
  }
  http::HttpClient client = client_of(server.port);
  Json project = Json::object();
  project["name"] = "bench";
  project["task_type"] = "pairwise";
  project["overlap"] = uint64_t{flags.overlap};
  const std::string id =
      expect(client.request(request_of("POST", "/api/v1/projects", manager, project.dump())), 201,
             "project")
          .at("id")
          .as_string();
  const Import import = import_tasks(server, manager, id, flags.tasks);
  result["tasks"] = uint64_t{flags.tasks};
  result["import_seconds"] = import.seconds;
  result["import_peak_mb"] = import.server_mb;
  result["tasks_page_p50_ms"] = page_ms(server, manager, id);
  Json loads = Json::array();
  for (const size_t people : crowds) {
    const Load load = label_together(server, tokens, id, people, flags.labels, flags.overlap);
    Json json = load_json(load);
    json["labels_per_sync"] = static_cast<double>(load.labels) / load.seconds / syncs;
    loads.push_back(std::move(json));
  }
  result["labelling"] = std::move(loads);
  const Export all = export_all(server, manager, id);
  result["export_seconds"] = all.seconds;
  result["export_rows"] = uint64_t{all.lines};
  result["peak_mb"] = memory_mb(server.process->pid(), "VmHWM:");
  server.process->terminate();
  server.process->wait();
  return result;
}

std::string table(const Json& result) {
  std::ostringstream text;
  char line[200];
  const auto number = [&](const char* key) { return result.at(key).as_double(); };
  std::snprintf(line, sizeof line, "this disk: %.0f fdatasync a second, one after the other\n\n",
                number("fdatasync_per_second"));
  text << line;
  std::snprintf(line, sizeof line, "start to first page       %8.0f ms, %.0f MB idle\n",
                1000 * number("first_page_seconds"), number("idle_mb"));
  text << line;
  std::snprintf(line, sizeof line, "import of %-9lld        %8.2f s, peak %.0f MB\n",
                static_cast<long long>(result.at("tasks").as_int()), number("import_seconds"),
                number("import_peak_mb"));
  text << line;
  std::snprintf(line, sizeof line, "tasks page of %zu, p50     %8.2f ms\n", kPageRows,
                number("tasks_page_p50_ms"));
  text << line;
  for (const Json& load : result.at("labelling").as_array()) {
    std::snprintf(
        line, sizeof line,
        "%4lld at once: %8.0f labels/s (%.2f of the disk's rate)   next p50 %.2f p99 %.2f ms, "
        "submit p50 %.2f p99 %.2f ms\n",
        static_cast<long long>(load.at("people").as_int()),
        load.at("labels_per_second").as_double(), load.at("labels_per_sync").as_double(),
        load.at("next_p50_ms").as_double(), load.at("next_p99_ms").as_double(),
        load.at("submit_p50_ms").as_double(), load.at("submit_p99_ms").as_double());
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
