// kill -9 in the middle of writing, many times over one database: every number that was printed is
// in it afterwards, of either durability, and every job is whole. HONE_TEST_LONG=1 does 200 rounds.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/rng.h"
#include "store/backup.h"
#include "store/testing.h"

namespace hone::store {
namespace {

struct Child {
  pid_t pid = -1;
  int out = -1;
};

Child start_writer(const std::string& path) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  Child child;
  child.pid = ::fork();
  if (child.pid == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    ::execl(HONE_KILL_WRITER, HONE_KILL_WRITER, path.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  child.out = ends[0];
  return child;
}

// Reads until so many bytes came, kills, and returns all whole lines as numbers.
std::vector<int64_t> kill_after(Child child, size_t bytes_wanted) {
  std::string text;
  char chunk[4096];
  bool killed = false;
  while (true) {
    if (!killed && text.size() >= bytes_wanted) {
      ::kill(child.pid, SIGKILL);
      killed = true;
    }
    ssize_t n = ::read(child.out, chunk, sizeof chunk);
    if (n <= 0) break;
    text.append(chunk, static_cast<size_t>(n));
  }
  EXPECT_TRUE(killed) << "the writer ended by itself";
  ::close(child.out);
  int status = 0;
  ::waitpid(child.pid, &status, 0);
  std::vector<int64_t> numbers;
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    numbers.push_back(std::stoll(text.substr(at, end - at)));
  }
  return numbers;
}

TEST(Kill, EveryAcknowledgedNumberIsThereAfterEveryKill) {
  const int rounds = std::getenv("HONE_TEST_LONG") != nullptr ? 200 : 20;
  TestFolder folder;
  const std::string path = folder.file("test.db");
  std::vector<int64_t> acknowledged;
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Rng rng(7, rng_stream("kill", static_cast<uint64_t>(round)));
    auto numbers = kill_after(start_writer(path), 1 + rng.below(2000));
    acknowledged.insert(acknowledged.end(), numbers.begin(), numbers.end());
    SqliteOptions options;
    options.path = path;
    auto database = open_sqlite(options, real_env());
    database->read([&](Connection& db) {
      for (int64_t number : acknowledged) {
        ASSERT_EQ(db.query_int64("SELECT count(*) FROM first f JOIN second s USING (number)"
                                 " WHERE number = $1",
                                 {number}),
                  1)
            << number << " was acknowledged";
      }
      int64_t first = *db.query_int64("SELECT count(*) FROM first");
      EXPECT_EQ(first, *db.query_int64("SELECT count(*) FROM second")) << "half a job";
      EXPECT_EQ(first, *db.query_int64("SELECT max(number) FROM first")) << "a gap";
    });
  }
  check_sqlite(real_env(), path, {});
  EXPECT_GT(acknowledged.size(), static_cast<size_t>(rounds));
}

}  // namespace
}  // namespace hone::store
