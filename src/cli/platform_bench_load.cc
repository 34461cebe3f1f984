// hone bench platform: what people do, over HTTP.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <thread>

#include "base/env.h"
#include "base/error.h"
#include "cli/platform_bench.h"

namespace hone::cli {

namespace {

constexpr size_t kListRequests = 200, kPageRows = 30;
constexpr size_t kImportPieceRows = 200;

double seconds_now() { return real_env().steady_seconds(); }

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

// What one person did.
struct Worker {
  std::vector<double> next_seconds, submit_seconds;
  std::vector<std::string> tasks;
  size_t errors = 0;
  std::string error;
};

void label_until(const BenchServer& server, const std::string& token, const std::string& project,
                 std::atomic<int64_t>& left, Worker& worker) {
  http::HttpClient client = server.client();
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

}  // namespace

std::string make_bench_project(const BenchServer& server, const std::string& token,
                               size_t overlap) {
  Json project = Json::object();
  project["name"] = "bench";
  project["task_type"] = "pairwise";
  project["overlap"] = uint64_t{overlap};
  http::HttpClient client = server.client();
  const auto made = client.request(request_of("POST", "/api/v1/projects", token, project.dump()));
  return expect(made, 201, "project").at("id").as_string();
}

BenchImport import_pairs(const BenchServer& server, const std::string& token,
                         const std::string& project, size_t tasks) {
  http::HttpClient client = server.client();
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
  return {seconds_now() - begin, server.memory_mb("VmHWM:")};
}

BenchLoad label_together(const BenchServer& server, const std::vector<std::string>& tokens,
                         const std::string& project, size_t people, size_t labels, size_t overlap) {
  std::atomic<int64_t> left{static_cast<int64_t>(labels)};
  std::vector<Worker> workers(people);
  std::vector<std::thread> threads;
  const double begin = seconds_now();
  for (size_t i = 0; i < people; ++i) {
    threads.emplace_back([&, i] { label_until(server, tokens[i], project, left, workers[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  BenchLoad load;
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

double tasks_page_ms(const BenchServer& server, const std::string& token,
                     const std::string& project) {
  http::HttpClient client = server.client();
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

BenchExport export_annotations(const BenchServer& server, const std::string& token,
                               const std::string& project) {
  http::HttpClient client = server.client();
  BenchExport result;
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

Json load_json(const BenchLoad& load) {
  Json json = Json::object();
  json["people"] = uint64_t{load.people};
  json["labels"] = uint64_t{load.labels};
  json["labels_per_second"] = static_cast<double>(load.labels) / load.seconds;
  json["next_p50_ms"] = 1000 * quantile(load.next_seconds, 0.5);
  json["next_p99_ms"] = 1000 * quantile(load.next_seconds, 0.99);
  json["submit_p50_ms"] = 1000 * quantile(load.submit_seconds, 0.5);
  json["submit_p99_ms"] = 1000 * quantile(load.submit_seconds, 0.99);
  std::vector<double> both;
  for (size_t i = 0; i < load.next_seconds.size(); ++i) {
    both.push_back(load.next_seconds[i] + load.submit_seconds[i]);
  }
  json["both_p99_ms"] = 1000 * quantile(std::move(both), 0.99);
  json["given_too_often"] = uint64_t{load.repeated};
  json["errors"] = uint64_t{load.errors};
  return json;
}

}  // namespace hone::cli
