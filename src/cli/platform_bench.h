#pragma once
// The parts of hone bench platform: a server as a child process, the load that people make, and a
// training run beside them. docs/cli.md says what is measured.
//
// Owned by the thread that measures; label_together has threads of its own and ends them. Errors:
// internal with what the server said, when it does not do as it should.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "cli/child_process.h"
#include "http/client.h"

namespace hone::cli {

// How often a second the disk of `folder` takes 4 KiB for good, one after the other.
double sync_rate(const std::string& folder);

double quantile(std::vector<double> values, double q);  // 0 of none

class BenchServer {
 public:
  // hone up in `data`, which is made when it is not there. demo: a new one gets the demo project.
  BenchServer(const std::string& data, bool demo);
  ~BenchServer();  // stops it
  BenchServer(const BenchServer&) = delete;
  BenchServer& operator=(const BenchServer&) = delete;

  // A person's key for programs, by the command that an operator would use.
  std::string make_token(const std::string& name, const char* role) const;
  http::HttpClient client() const;
  double memory_mb(const char* field) const;  // of /proc/PID/status: "VmHWM:"
  double first_page_seconds() const { return first_page_seconds_; }
  double idle_mb() const { return idle_mb_; }
  const std::string& data() const { return data_; }

 private:
  std::string data_;
  std::unique_ptr<ChildProcess> process_;
  uint16_t port_ = 0;
  double first_page_seconds_ = 0, idle_mb_ = 0;
};

http::ClientRequest request_of(const char* method, std::string target, const std::string& token,
                               std::string_view body = {});
// The body of a response that must have this status.
Json expect(const http::ClientResponse& response, int status, const char* what);

// A project of generated pairs, imported over HTTP.
std::string make_bench_project(const BenchServer& server, const std::string& token, size_t overlap);
struct BenchImport {
  double seconds = 0, peak_mb = 0;
};
BenchImport import_pairs(const BenchServer& server, const std::string& token,
                         const std::string& project, size_t tasks);

// Everybody asks next and answers, one after the other, over a connection of their own.
struct BenchLoad {
  size_t people = 0, labels = 0, errors = 0, repeated = 0;
  double seconds = 0;
  std::vector<double> next_seconds, submit_seconds;
};
BenchLoad label_together(const BenchServer& server, const std::vector<std::string>& tokens,
                         const std::string& project, size_t people, size_t labels, size_t overlap);
Json load_json(const BenchLoad& load);

// The median of walking through the first 200 pages of 30 tasks.
double tasks_page_ms(const BenchServer& server, const std::string& token,
                     const std::string& project);
struct BenchExport {
  double seconds = 0;
  size_t bytes = 0, lines = 0;
};
BenchExport export_annotations(const BenchServer& server, const std::string& token,
                               const std::string& project);

// A training run on the demo project, as its page starts one.
class BenchTraining {
 public:
  // Starts it and returns when it takes steps. Throws when the server offers no model.
  BenchTraining(const BenchServer& server, const std::string& token);
  bool is_training();  // still in its steps
  void stop();         // cancels it and waits for its end

 private:
  Json read();

  http::HttpClient client_;
  const std::string token_;
  std::string run_;
};

}  // namespace hone::cli
