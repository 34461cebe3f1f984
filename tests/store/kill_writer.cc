// The child of kill_test: four threads write to the database that is named and print each number
// once its answer was durable, until somebody kills the process.
#include <unistd.h>

#include <cstdio>
#include <thread>
#include <vector>

#include "store/sqlite_database.h"

int main(int argc, char** argv) {
  using namespace hone;
  using namespace hone::store;
  if (argc != 2) return 2;
  try {
    SqliteOptions options;
    options.path = argv[1];
    options.checkpoint_pages = 50;
    auto database = open_sqlite(options, real_env());
    database->write(Durability::kDisk, [](Transaction& tx) {
      tx.run_script(
          "CREATE TABLE IF NOT EXISTS first (number INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT);"
          "CREATE TABLE IF NOT EXISTS second (number INTEGER PRIMARY KEY, x TEXT)");
    });
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        while (true) {
          const auto durability = t % 2 == 0 ? Durability::kDisk : Durability::kProcess;
          int64_t number = database->write(durability, [&](Transaction& tx) {
            tx.execute("INSERT INTO first (x) VALUES ($1)", {"some text of a label"});
            int64_t id = tx.last_insert_id();
            tx.execute("INSERT INTO second (number, x) VALUES ($1, $2)", {id, "its other half"});
            return id;
          });
          std::string line = std::to_string(number) + "\n";
          if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) return;
        }
      });
    }
    for (auto& thread : threads) thread.join();
  } catch (const Error& error) {
    std::fprintf(stderr, "%s (%s)\n", error.message().c_str(), error.detail().c_str());
    return 1;
  }
  return 0;
}
