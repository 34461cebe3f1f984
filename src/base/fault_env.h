#pragma once
// A disk in memory for tests, as unkind as a real one may be (the model is LevelDB's
// fault_injection_test and the papers on crash consistency, "All File Systems Are Not Created
// Equal", OSDI 2014, in its strictest form):
//   crash()       forgets what was not synced: the contents of a file since its last sync(), and
//                 every name that was made, moved or removed in a folder since that folder's last
//                 sync_directory(). Folders are names too, in the folder above them.
//   fail_at(n)    the n-th operation from now fails once, with unavailable; nothing is changed.
//   full_after(b) appending is refused with unavailable once b bytes more have been taken; the
//   bytes
//                 that still fitted are written, as a disk does.
// Time stands until it is set; entropy is a fixed stream.
//
// "/" and the working folder are there from the start. What each call promises is Env's word
// (env.h). May be used from several threads. A WritableFile must not outlive its FaultEnv; after a
// crash() its further calls fail with unavailable.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"

namespace hone {

class FaultEnv : public Env {
 public:
  FaultEnv();
  ~FaultEnv() override;

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
  int64_t now_ms() override;
  double steady_seconds() override;
  void random_bytes(void* out, size_t n) override;

  void crash();
  void fail_at(uint64_t operation);  // 1 = the next one; 0 = none fails
  // Operations so far: every call that reads or writes the disk, of the Env or of a file; exists(),
  // is_directory() and is_file() cannot fail and are not counted. Loop fail_at() over 1..operations().
  uint64_t operations() const;
  void full_after(uint64_t bytes);
  void set_now_ms(int64_t now_ms);
  void set_steady_seconds(double seconds);

 private:
  struct Disk;
  class File;
  std::shared_ptr<Disk> disk_;
};

}  // namespace hone
