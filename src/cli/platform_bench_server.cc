// hone bench platform: the server as a child process, as people run it.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "base/env.h"
#include "base/error.h"
#include "cli/platform_bench.h"

namespace hone::cli {

namespace {

constexpr int kReadyMs = 60'000;
constexpr uint64_t kLogBytes = 1 << 16;

}  // namespace

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double at = q * static_cast<double>(values.size() - 1);
  return values[static_cast<size_t>(at + 0.5)];
}

double sync_rate(const std::string& folder) {
  const std::string path = folder + "/sync_rate";
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) throw Error(ErrorCode::kUnavailable, path + ": " + std::strerror(errno));
  const std::string block(4096, 'x');
  size_t count = 0;
  const double begin = real_env().steady_seconds();
  while (real_env().steady_seconds() - begin < 1.5) {
    if (write(file, block.data(), block.size()) < 0 || fdatasync(file) != 0) break;
    ++count;
  }
  const double rate = static_cast<double>(count) / (real_env().steady_seconds() - begin);
  close(file);
  unlink(path.c_str());
  return rate;
}

BenchServer::BenchServer(const std::string& data, bool demo) : data_(data) {
  const std::string log = data + ".log";
  const double begin = real_env().steady_seconds();
  std::vector<std::string> words = {"up", "--data-dir", data, "--listen", "127.0.0.1:0", "--quiet"};
  if (!demo) words.emplace_back("--no-demo");
  process_ = std::make_unique<ChildProcess>(words, log);
  while (!process_->ended() && port_ == 0) {
    const auto line = process_->next_line(kReadyMs);
    if (!line) break;
    const size_t colon = line->rfind(':');
    if (line->rfind("listening on ", 0) == 0 && colon != std::string::npos) {
      port_ = static_cast<uint16_t>(std::stoul(line->substr(colon + 1)));
    }
  }
  if (port_ == 0) {
    throw Error(ErrorCode::kInternal,
                "the server did not start: " + real_env().read_file(log, kLogBytes));
  }
  if (client().get("/").status != 200) {
    throw Error(ErrorCode::kInternal, "the server has no page at /");
  }
  first_page_seconds_ = real_env().steady_seconds() - begin;
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  idle_mb_ = memory_mb("VmRSS:");
}

BenchServer::~BenchServer() {
  process_->terminate();
  process_->wait();
}

http::HttpClient BenchServer::client() const {
  http::ClientOptions options;
  options.port = port_;
  options.timeout_ms = 300'000;
  options.max_body_bytes = 4ull << 30;
  return http::HttpClient(options);
}

double BenchServer::memory_mb(const char* field) const {
  const std::string status =
      real_env().read_file("/proc/" + std::to_string(process_->pid()) + "/status", kLogBytes);
  const size_t at = status.find(field);
  return at == std::string::npos ? 0 : std::atof(status.c_str() + at + std::strlen(field)) / 1024;
}

std::string BenchServer::make_token(const std::string& name, const char* role) const {
  const std::string log = data_ + ".user.log";
  ChildProcess child(
      {"user", "add", name, "--role", role, "--token", "--json", "--data-dir", data_}, log);
  std::string line;
  while (!child.ended()) {
    if (auto next = child.next_line(kReadyMs)) line = *next;
  }
  if (child.wait() != 0) {
    throw Error(ErrorCode::kInternal,
                "hone user add failed: " + real_env().read_file(log, kLogBytes));
  }
  return Json::parse(line).value().at("token").as_string();
}

http::ClientRequest request_of(const char* method, std::string target, const std::string& token,
                               std::string_view body) {
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

}  // namespace hone::cli
