#pragma once
// The world outside, as a parameter: files, clock, entropy. Real code takes Env& so that tests can
// hand in a disk that is full, that forgets what was not synced, or a clock that stands.
//
// Errors are thrown: not_found, unavailable (with the path and the system's reason), conflict.
// An Env may be used from several threads at once; a WritableFile from one at a time.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hone {

class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual void append(std::string_view bytes) = 0;
  virtual void sync() = 0;   // what was appended survives a power cut after this
  virtual void close() = 0;  // flushes; further calls are bugs
};

class Env {
 public:
  virtual ~Env() = default;

  virtual std::unique_ptr<WritableFile> create_file(const std::string& path) = 0;  // truncates
  virtual std::unique_ptr<WritableFile> append_file(const std::string& path) = 0;  // creates
  virtual std::string read_file(const std::string& path, uint64_t max_bytes) = 0;
  // Bytes [offset, offset + count) of a file; fewer where it ends.
  virtual std::string read_range(const std::string& path, uint64_t offset, uint64_t count) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual bool is_directory(const std::string& path) = 0;
  virtual bool is_file(const std::string& path) = 0;  // not a folder, a device or a pipe
  virtual uint64_t file_size(const std::string& path) = 0;
  virtual std::vector<std::string> list_directory(const std::string& path) = 0;  // names, sorted
  virtual void create_directories(const std::string& path) = 0;
  virtual void rename(const std::string& from, const std::string& to) = 0;  // replaces
  virtual void remove_all(const std::string& path) = 0;                     // absent is fine
  virtual void truncate(const std::string& path, uint64_t bytes) = 0;
  virtual void sync_directory(const std::string& path) = 0;

  virtual int64_t now_ms() = 0;         // UTC
  virtual double steady_seconds() = 0;  // for rates and time left
  virtual void random_bytes(void* out, size_t n) = 0;
};

// The operating system. Lives as long as the program.
Env& real_env();

// Writes to a temporary name beside path, syncs file and folder, renames: after a crash there is
// the old file or the new one, never a part.
void write_file_atomically(Env& env, const std::string& path, std::string_view bytes);

// create_directories, after which the names of the new folders survive a power cut.
void create_directories_durably(Env& env, const std::string& path);

}  // namespace hone
