#pragma once
// The ranks that mpirun started, through libhone_mpi.so (train/mpi_library.h), which is opened here and
// only here: a program that nobody started with mpirun needs no MPI on its machine.

#include <memory>
#include <string>
#include <vector>

#include "train/communicator.h"
#include "train/mpi_library.h"

namespace hone::train {

class MpiRanks : public Communicator {
 public:
  // `libraries`: where to look for it, in this order. Waits until all ranks are there. Throws
  // invalid_input that names the package to install when there is no MPI.
  static std::unique_ptr<MpiRanks> start(const std::vector<std::string>& libraries);

  size_t rank() const override { return rank_; }
  size_t size() const override { return size_; }
  void sum(std::span<int64_t> values) override;
  std::string broadcast(std::string bytes) override;
  std::vector<std::string> gather(std::string bytes) override;

  // Whether every rank comes to its end too within that time: then all may go in peace (finish);
  // else some of them wait for this one, and only abort frees them.
  bool all_end_within(double seconds);
  void finish();
  // Ends every rank with that exit code, this one too.
  [[noreturn]] void abort(int code);

 private:
  explicit MpiRanks(const HoneMpi* mpi) : mpi_(mpi) {}
  void check(int error) const;
  // Of rank `from`; what the others give is replaced.
  void broadcast_from(size_t from, std::string& bytes);

  const HoneMpi* mpi_;
  size_t rank_ = 0, size_ = 1;
};

}  // namespace hone::train
