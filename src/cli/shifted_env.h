#pragma once
// An Env whose clock can be set apart from the world's: what the demo project's past is written with.
// Everything else is the Env behind it. set_shift_ms() before threads use it, or between their uses.

#include <atomic>

#include "base/env.h"

namespace hone::cli {

class ShiftedEnv : public Env {
 public:
  explicit ShiftedEnv(Env& base) : base_(base) {}
  void set_shift_ms(int64_t shift_ms) { shift_ms_.store(shift_ms); }

  std::unique_ptr<WritableFile> create_file(const std::string& path) override {
    return base_.create_file(path);
  }
  std::unique_ptr<WritableFile> append_file(const std::string& path) override {
    return base_.append_file(path);
  }
  std::string read_file(const std::string& path, uint64_t max_bytes) override {
    return base_.read_file(path, max_bytes);
  }
  std::string read_range(const std::string& path, uint64_t offset, uint64_t count) override {
    return base_.read_range(path, offset, count);
  }
  bool exists(const std::string& path) override { return base_.exists(path); }
  bool is_directory(const std::string& path) override { return base_.is_directory(path); }
  bool is_file(const std::string& path) override { return base_.is_file(path); }
  uint64_t file_size(const std::string& path) override { return base_.file_size(path); }
  std::vector<std::string> list_directory(const std::string& path) override {
    return base_.list_directory(path);
  }
  void create_directories(const std::string& path) override { base_.create_directories(path); }
  void rename(const std::string& from, const std::string& to) override { base_.rename(from, to); }
  void remove_all(const std::string& path) override { base_.remove_all(path); }
  void truncate(const std::string& path, uint64_t bytes) override { base_.truncate(path, bytes); }
  void sync_directory(const std::string& path) override { base_.sync_directory(path); }
  int64_t now_ms() override { return base_.now_ms() + shift_ms_.load(); }
  double steady_seconds() override { return base_.steady_seconds(); }
  void random_bytes(void* out, size_t n) override { base_.random_bytes(out, n); }

 private:
  Env& base_;
  std::atomic<int64_t> shift_ms_{0};
};

}  // namespace hone::cli
