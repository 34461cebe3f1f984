#include "train/mpi_ranks.h"

#include <dlfcn.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/error.h"

namespace hone::train {

namespace {

// Stays open: MPI's own threads may run in it until the process ends.
const HoneMpi* open_library(const std::vector<std::string>& libraries) {
  std::string why = "it was built without MPI";
  for (const std::string& path : libraries) {
    // MPI loads parts of its own, which look for its names.
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (library == nullptr) {
      const char* said = dlerror();
      if (said != nullptr) why = said;
      continue;
    }
    const auto table = reinterpret_cast<decltype(&hone_mpi)>(dlsym(library, "hone_mpi"));
    if (table != nullptr && table()->version == kHoneMpiVersion) return table();
    why = path + " is of another version of hone";
  }
  throw invalid_input("mpirun started this, but hone cannot open MPI here (" + why +
                      "): install the package libopenmpi3 on every machine (and libopenmpi-dev "
                      "where hone is built, before it is built), or start hone without mpirun");
}

}  // namespace

std::unique_ptr<MpiRanks> MpiRanks::start(const std::vector<std::string>& libraries) {
  std::unique_ptr<MpiRanks> ranks(new MpiRanks(open_library(libraries)));
  int rank = 0, size = 1;
  ranks->check(ranks->mpi_->start(&rank, &size));
  ranks->rank_ = static_cast<size_t>(rank);
  ranks->size_ = static_cast<size_t>(size);
  return ranks;
}

void MpiRanks::check(int error) const {
  if (error == 0) return;
  char text[256] = {};
  mpi_->describe(error, text, sizeof text);
  throw Error(ErrorCode::kUnavailable,
              std::string("another rank is gone, or the network to it (MPI: ") + text +
                  "): checkpoints are whole; the same command with --resume goes on from the last "
                  "one, on any number of ranks");
}

void MpiRanks::sum(std::span<int64_t> values) { check(mpi_->sum(values.data(), values.size())); }

void MpiRanks::broadcast_from(size_t from, std::string& bytes) {
  uint64_t size = bytes.size();
  check(mpi_->broadcast(&size, sizeof size, static_cast<int>(from)));
  bytes.resize(size);
  check(mpi_->broadcast(bytes.data(), size, static_cast<int>(from)));
}

std::string MpiRanks::broadcast(std::string bytes) {
  broadcast_from(0, bytes);
  return bytes;
}

std::vector<std::string> MpiRanks::gather(std::string bytes) {
  std::vector<std::string> all(size_);
  all[rank_] = std::move(bytes);
  for (size_t r = 0; r < size_; ++r) broadcast_from(r, all[r]);
  return all;
}

bool MpiRanks::all_end_within(double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration<double>(seconds);
  int yes = 0;
  while (mpi_->all_arrived(&yes) == 0 && yes == 0 && Clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return yes != 0;
}

void MpiRanks::finish() { check(mpi_->finish()); }

void MpiRanks::abort(int code) {
  mpi_->abort(code);
  std::_Exit(code);
}

}  // namespace hone::train
