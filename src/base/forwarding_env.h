#pragma once
// An Env that hands everything to another one: the base of those that change a clock or entropy and
// nothing else. The other must outlive it.

#include <memory>
#include <string>
#include <vector>

#include "base/env.h"

namespace hone {

class ForwardingEnv : public Env {
 public:
  explicit ForwardingEnv(Env& behind) : behind_(behind) {}

  std::unique_ptr<WritableFile> create_file(const std::string& path) override {
    return behind_.create_file(path);
  }
  std::unique_ptr<WritableFile> append_file(const std::string& path) override {
    return behind_.append_file(path);
  }
  std::string read_file(const std::string& path, uint64_t max_bytes) override {
    return behind_.read_file(path, max_bytes);
  }
  std::string read_range(const std::string& path, uint64_t offset, uint64_t count) override {
    return behind_.read_range(path, offset, count);
  }
  bool exists(const std::string& path) override { return behind_.exists(path); }
  bool is_directory(const std::string& path) override { return behind_.is_directory(path); }
  bool is_file(const std::string& path) override { return behind_.is_file(path); }
  uint64_t file_size(const std::string& path) override { return behind_.file_size(path); }
  std::vector<std::string> list_directory(const std::string& path) override {
    return behind_.list_directory(path);
  }
  void create_directories(const std::string& path) override { behind_.create_directories(path); }
  void rename(const std::string& from, const std::string& to) override { behind_.rename(from, to); }
  void remove_all(const std::string& path) override { behind_.remove_all(path); }
  void truncate(const std::string& path, uint64_t bytes) override { behind_.truncate(path, bytes); }
  void sync_directory(const std::string& path) override { behind_.sync_directory(path); }
  int64_t now_ms() override { return behind_.now_ms(); }
  double steady_seconds() override { return behind_.steady_seconds(); }
  void random_bytes(void* out, size_t n) override { behind_.random_bytes(out, n); }

 private:
  Env& behind_;
};

}  // namespace hone
