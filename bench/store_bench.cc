// How many small writes a second the room store commits, beside what the disk itself can do in the
// same run. Build it by name: ninja -C build/release store_bench; run it on a quiet machine:
//   build/release/tests/store/store_bench FOLDER
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "store/sqlite_database.h"

namespace {

using namespace hone;
using namespace hone::store;
using Clock = std::chrono::steady_clock;

constexpr double kSeconds = 1.5;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Rate of act() on each of `threads`, and the 50th and 99th percentile of one call.
void measure(const char* name, int threads, const std::function<void(int, int64_t)>& act) {
  std::vector<std::vector<double>> times(static_cast<size_t>(threads));
  std::vector<std::thread> running;
  const auto start = Clock::now();
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      for (int64_t i = 0; seconds_since(start) < kSeconds; ++i) {
        const auto before = Clock::now();
        act(t, i);
        times[static_cast<size_t>(t)].push_back(seconds_since(before) * 1e3);
      }
    });
  }
  for (auto& thread : running) thread.join();
  const double elapsed = seconds_since(start);
  std::vector<double> all;
  for (auto& some : times) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  std::printf("%-44s %9.0f /s   p50 %7.3f ms   p99 %7.3f ms\n", name,
              static_cast<double>(all.size()) / elapsed, all[all.size() / 2],
              all[all.size() * 99 / 100]);
  std::fflush(stdout);
}

// The disk alone: 4 KiB and fdatasync, at the end of a growing file or over one that has its size.
void measure_disk(const std::string& folder) {
  const std::string path = folder + "/raw", bytes(4096, 'x');
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0) return std::perror(path.c_str());
  measure("disk: append 4 KiB, fdatasync", 1, [&](int, int64_t) {
    if (::write(fd, bytes.data(), bytes.size()) < 0 || ::fdatasync(fd) != 0) std::abort();
  });
  off_t size = ::lseek(fd, 0, SEEK_END);
  measure("disk: overwrite 4 KiB, fdatasync", 1, [&](int, int64_t i) {
    off_t at = (i * 4096) % size;
    if (::pwrite(fd, bytes.data(), bytes.size(), at) < 0 || ::fdatasync(fd) != 0) std::abort();
  });
  ::close(fd);
  ::unlink(path.c_str());
}

void measure_writer(const std::string& folder) {
  SqliteOptions options;
  options.path = folder + "/bench.db";
  auto database = open_sqlite(options, real_env());
  database->write(Durability::kDisk, [](Transaction& tx) {
    tx.run_script("CREATE TABLE label (id INTEGER PRIMARY KEY, worker INTEGER, body TEXT)");
  });
  const std::string body(120, 'b');
  auto insert = [&](int t, int64_t i) {
    return [&, t, i](Transaction& tx) {
      tx.execute("INSERT INTO label (worker, body) VALUES ($1, $2)", {t, body});
      return i;
    };
  };
  for (int threads : {1, 8, 32}) {
    for (auto durability : {Durability::kDisk, Durability::kProcess}) {
      std::string name = std::string(durability == Durability::kDisk ? "kDisk" : "kProcess") +
                         " insert, " + std::to_string(threads) + " threads";
      WriteStatistics before = database->statistics();
      measure(name.c_str(), threads,
              [&](int t, int64_t i) { database->write(durability, insert(t, i)); });
      WriteStatistics after = database->statistics();
      std::printf("%44s %9.1f jobs a group\n", "",
                  static_cast<double>(after.jobs - before.jobs) /
                      static_cast<double>(after.groups - before.groups));
    }
    std::string name = "one kProcess, one kDisk, " + std::to_string(threads) + " threads";
    measure(name.c_str(), threads, [&](int t, int64_t i) {
      database->write(Durability::kProcess, insert(t, i));
      database->write(Durability::kDisk, insert(t, i));
    });
  }
  for (auto durability : {Durability::kDisk, Durability::kProcess}) {
    measure(durability == Durability::kDisk ? "empty kDisk group" : "empty kProcess group", 1,
            [&](int, int64_t) { database->write(durability, [](Transaction&) {}); });
  }
  measure("kProcess after kDisk, empty (the switch)", 1, [&](int, int64_t) {
    database->write(Durability::kDisk, [](Transaction&) {});
    database->write(Durability::kProcess, [](Transaction&) {});
  });
  measure("256 empty jobs in a group (savepoints)", 1, [&](int, int64_t) {
    std::vector<std::future<void>> answers;
    for (int i = 0; i < 256; ++i) {
      answers.push_back(database->write_async(Durability::kProcess, [](Transaction&) {}));
    }
    for (auto& answer : answers) answer.get();
  });
  measure("read of one row", 1, [&](int, int64_t i) {
    database->read([&](Connection& db) {
      return db.query_int64("SELECT worker FROM label WHERE id = $1", {i % 1000 + 1});
    });
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: store_bench FOLDER (an empty one, on the disk in question)\n");
    return 2;
  }
  measure_disk(argv[1]);
  measure_writer(argv[1]);
  measure_disk(argv[1]);
  return 0;
}
