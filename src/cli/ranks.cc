#include "cli/ranks.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/cpu_limits.h"
#include "base/error.h"
#include "train/leader_env.h"
#include "train/mpi_ranks.h"

namespace hone::cli {

namespace {

constexpr double kPatienceSeconds = 5;  // for the others, at an error

// What mpirun and other starters of MPI programs say of a process.
std::optional<size_t> number_of(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  size_t value = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, status] = std::from_chars(text, end, value);
  if (status != std::errc() || stop != end) return std::nullopt;
  return value;
}

// This process, as interrupted() is: set by join_ranks, before there are threads.
struct Joined {
  std::unique_ptr<train::MpiRanks> ranks;
  std::unique_ptr<train::LeaderEnv> env;
};
Joined& joined() {
  static Joined state;
  return state;
}

char end_message[320];  // made beforehand: a signal handler may only write

void on_end(int) {
  const ssize_t written = write(STDERR_FILENO, end_message, std::strlen(end_message));
  (void)written;
  _exit(1);
}

// Where mpirun's signals go: only now is it known that mpirun sends them.
void await_end(size_t rank, size_t size) {
  std::snprintf(
      end_message, sizeof end_message,
      "hone: rank %zu of %zu: mpirun ended the run, because another rank died or somebody "
      "stopped it. Checkpoints are whole: the same command with --resume goes on from the "
      "last one, on any number of ranks\n",
      rank, size);
  std::signal(SIGTERM, on_end);
}

// Beside the program, or where it is installed.
std::vector<std::string> library_paths() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  std::vector<std::string> paths;
  if (!error) {
    for (const char* folder : {"", "../lib"}) {
      const std::filesystem::path path = program.parent_path() / folder / "libhone_mpi.so";
      if (std::filesystem::exists(path, error)) paths.push_back(path.lexically_normal().string());
    }
  }
  return paths;
}

// Before the ranks know each other, one of those on a machine speaks.
bool speaks_for_machine() { return number_of("OMPI_COMM_WORLD_LOCAL_RANK").value_or(0) == 0; }

std::string of_rank(size_t rank) {
  return "rank " + std::to_string(rank) + " of " + std::to_string(ranks().size()) + ": ";
}

}  // namespace

train::Communicator& ranks() {
  if (joined().ranks != nullptr) return *joined().ranks;
  return train::one_rank();
}

Env& run_env() { return joined().env != nullptr ? *joined().env : real_env(); }

size_t ranks_here() {
  if (ranks().size() == 1) return 1;
  return std::max<size_t>(1, number_of("OMPI_COMM_WORLD_LOCAL_SIZE").value_or(1));
}

void join_ranks(const std::string& command) {
  const std::optional<size_t> size = number_of("OMPI_COMM_WORLD_SIZE");
  if (size == size_t{1} || (!size && std::getenv("PMIX_RANK") == nullptr)) return;
  if (command != "train") {
    const bool only_asks = command.empty() || command[0] == '-' || command == "help";
    if (!size || only_asks) return;  // a job of one process, perhaps
    throw invalid_input("hone " + command +
                        " runs in one process, and mpirun started several: only hone train runs on "
                        "many ranks; start this without mpirun");
  }
  std::unique_ptr<train::MpiRanks> all = train::MpiRanks::start(library_paths());
  if (all->size() == 1) {
    all->finish();
    return;
  }
  joined().env = std::make_unique<train::LeaderEnv>(real_env(), *all);
  joined().ranks = std::move(all);
  await_end(ranks().rank(), ranks().size());
  if (ranks().leads()) return;
  const int nowhere = open("/dev/null", O_WRONLY);
  if (nowhere >= 0) dup2(nowhere, STDOUT_FILENO);  // results are rank 0's to print
}

int leave_ranks(int code, const std::string& error) {
  train::MpiRanks* const all = joined().ranks.get();
  if (all == nullptr) {
    if (!error.empty() && speaks_for_machine()) std::fprintf(stderr, "%s\n", error.c_str());
    return code;
  }
  if (code != 0 && !all->all_end_within(kPatienceSeconds)) {
    std::fprintf(stderr, "%s%s\n", of_rank(all->rank()).c_str(), error.c_str());
    all->abort(code);
  }
  if (code != 0) {
    const std::vector<std::string> errors = all->gather(error);
    for (size_t r = 0; all->leads() && r < errors.size(); ++r) {
      if (errors[r].empty() || (r > 0 && errors[r] == errors[0])) continue;
      std::fprintf(stderr, "%s%s\n", r == 0 ? "" : of_rank(r).c_str(), errors[r].c_str());
    }
  }
  std::signal(SIGTERM, SIG_IGN);  // mpirun ends all as soon as the first has gone with an error
  all->finish();
  return code;
}

void adapt_to_ranks(CommonOptions& common) {
  if (ranks().size() == 1) return;
  if (!ranks().leads()) common.quiet = true;
  // mpirun may have given each rank cores of its own; else they share what there is.
  const bool has_own_cores = std::getenv("OMPI_MCA_orte_bound_at_launch") != nullptr;
  if (common.threads == 0 && !has_own_cores) {
    common.threads = std::max<size_t>(1, allowed_cores().size() / ranks_here());
  }
}

}  // namespace hone::cli
