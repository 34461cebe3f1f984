// http_bench [SECONDS]: requests a second and their time with a trivial handler, client and server
// in one process on the cores that it may use; then what an idle connection costs.
// http_bench --serve: only serves, prints the port and waits for the end of stdin (for wrk, curl).
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/env.h"
#include "http/client.h"
#include "http/server.h"

namespace {

using namespace hone;
using namespace hone::http;

Router bench_router() {
  Router router;
  router.add("GET", "/hello", {.name = "hello"},
             [](Request&) { return Response::json(200, "{\"hello\":\"world\"}"); });
  router.add("POST", "/echo", {.name = "echo"},
             [](Request& request) { return Response::json(200, std::move(request.body)); });
  return router;
}

ServerOptions bench_options() {
  ServerOptions options;
  if (const char* threads = std::getenv("HONE_BENCH_IO_THREADS")) {
    options.io_threads = static_cast<size_t>(std::atoi(threads));
  }
  return options;
}

void measure(Server& server, size_t clients, double seconds) {
  std::vector<std::vector<double>> times(clients);
  std::atomic<bool> ended{false};
  std::vector<std::thread> threads;
  const double begin = real_env().steady_seconds();
  for (size_t c = 0; c < clients; ++c) {
    threads.emplace_back([&, c] {
      ClientOptions options;
      options.port = server.port();
      HttpClient client(options);
      const std::string body = "{\"answer\":\"left\",\"active_ms\":1234}";
      while (!ended.load(std::memory_order_relaxed)) {
        const double sent = real_env().steady_seconds();
        const int status = client.post("/echo", body).status;
        if (status != 200) std::exit(1);
        times[c].push_back(real_env().steady_seconds() - sent);
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  ended = true;
  for (std::thread& thread : threads) thread.join();
  const double spent = real_env().steady_seconds() - begin;
  std::vector<double> all;
  for (const auto& some : times) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  const auto at = [&](double share) {
    return all[static_cast<size_t>(share * static_cast<double>(all.size() - 1))] * 1e6;
  };
  std::printf(
      "%3zu keep-alive clients: %8.0f requests/s, p50 %6.0f us, p99 %6.0f us, max %6.0f us\n",
      clients, static_cast<double>(all.size()) / spent, at(0.5), at(0.99), at(1));
}

double resident_mb() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  double resident = 0;
  file >> pages >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

void measure_idle(Server& server, size_t count) {
  const double before = resident_mb();
  std::vector<std::unique_ptr<HttpClient>> clients;
  ClientOptions options;
  options.port = server.port();
  const double begin = real_env().steady_seconds();
  // The clients run in a process of their own, so that the memory is the server's alone.
  int ready[2];
  int done[2];
  if (pipe(ready) != 0 || pipe(done) != 0) std::exit(1);
  const pid_t child = fork();
  if (child == 0) {
    for (size_t i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<HttpClient>(options));
      if (clients.back()->get("/hello").status != 200) _exit(1);
    }
    char byte = 'r';
    if (write(ready[1], &byte, 1) != 1 || read(done[0], &byte, 1) < 0) _exit(1);
    _exit(0);
  }
  char byte = 0;
  if (read(ready[0], &byte, 1) != 1) std::exit(1);
  const double spent = real_env().steady_seconds() - begin;
  const double after = resident_mb();
  rusage from{};
  rusage to{};
  getrusage(RUSAGE_SELF, &from);
  std::this_thread::sleep_for(std::chrono::seconds(2));
  getrusage(RUSAGE_SELF, &to);
  const auto seconds = [](const rusage& usage) {
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  };
  std::printf(
      "%zu idle connections (open: %llu), opened and used in %.2f s: %.1f MB before, %.1f MB "
      "with them, %.0f bytes each; %.2f %% of a core while idle\n",
      count, static_cast<unsigned long long>(server.metrics().connections_open), spent, before,
      after, (after - before) * 1e6 / static_cast<double>(count),
      (seconds(to) - seconds(from)) / 2 * 100);
  if (write(done[1], &byte, 1) != 1) std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  Server server(real_env(), bench_options(), bench_router());
  server.start();
  if (argc > 1 && std::strcmp(argv[1], "--serve") == 0) {
    std::printf("%u\n", static_cast<unsigned>(server.port()));
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    server.stop(1'000);
    return 0;
  }
  const double seconds = argc > 1 ? std::atof(argv[1]) : 5;
  measure_idle(server, 5'000);  // first: memory that other work leaves would hide it
  for (const size_t clients : {1, 8, 32, 200}) measure(server, clients, seconds);
  server.stop(1'000);
  return 0;
}
