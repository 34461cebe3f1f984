#pragma once
// The files of a run on several ranks: rank 0 alone touches them, and what it finds holds for all.
//
// Every rank runs the same program, so every rank asks for the same files in the same order. Rank 0
// does what was asked and tells the others the answer, an error too; a file that is written exists on
// rank 0 only, and writing to it elsewhere does nothing. So no other machine needs to see the folder,
// and no code that reads or writes a run knows of ranks. Clock and entropy are each rank's own.
//
// Rule: only what all ranks ask may be asked here, from one thread. A write that fails on rank 0
// throws there alone (asking the others at each line would cost more than it is worth): the end of a
// process with an error ends the others.

#include <memory>
#include <string>
#include <vector>

#include "base/forwarding_env.h"
#include "train/communicator.h"

namespace hone::train {

class LeaderEnv : public ForwardingEnv {
 public:
  // Both must outlive it; `behind` is used on rank 0, and for clock and entropy.
  LeaderEnv(Env& behind, Communicator& ranks)
      : ForwardingEnv(behind), behind_(behind), ranks_(ranks) {}

  std::unique_ptr<WritableFile> create_file(const std::string& path) override;
  std::unique_ptr<WritableFile> append_file(const std::string& path) override;
  std::string read_file(const std::string& path, uint64_t max_bytes) override;
  std::string read_range(const std::string& path, uint64_t offset, uint64_t count) override;
  bool exists(const std::string& path) override;
  bool is_directory(const std::string& path) override;
  bool is_file(const std::string& path) override;
  uint64_t file_size(const std::string& path) override;
  std::vector<std::string> list_directory(const std::string& path) override;
  void create_directories(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove_all(const std::string& path) override;
  void truncate(const std::string& path, uint64_t bytes) override;
  void sync_directory(const std::string& path) override;

 private:
  // What `ask` answers on rank 0, or the error that it throws there.
  template <typename Ask>
  std::string shared(const Ask& ask);
  template <typename Open>
  std::unique_ptr<WritableFile> opened(const Open& open);

  Env& behind_;
  Communicator& ranks_;
};

}  // namespace hone::train
