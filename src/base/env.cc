#include "base/env.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

// What the reader of the message can do.
const char* next_step(const std::error_code& reason) {
  if (reason == std::errc::no_such_file_or_directory) return "; check its name and folder";
  if (reason == std::errc::permission_denied || reason == std::errc::read_only_file_system) {
    return "; choose another place, or change who may use it";
  }
  if (reason == std::errc::no_space_on_device || reason == std::errc::file_too_large ||
      reason == std::error_code(EDQUOT, std::generic_category())) {
    return "; make room there and run it again (what was written before is whole)";
  }
  return "";
}

Error failed(const std::string& what, const std::string& path, const std::error_code& reason) {
  bool absent = reason == std::errc::no_such_file_or_directory;
  return Error(absent ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
               "cannot " + what + " " + path + ": " + reason.message() + next_step(reason));
}
Error failed(const std::string& what, const std::string& path, int number) {
  return failed(what, path, std::error_code(number, std::generic_category()));
}

// A file descriptor with its path for messages.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, const char* what) : path_(path) {
    do {
      fd_ = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    } while (fd_ < 0 && errno == EINTR);
    if (fd_ < 0) throw failed(what, path, errno);
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  const std::string& path() const { return path_; }
  void sync() const {
    if (::fsync(fd_) != 0) throw failed("sync", path_, errno);
  }
  void close() {
    int fd = std::exchange(fd_, -1);
    if (::close(fd) != 0 && errno != EINTR) throw failed("close", path_, errno);
  }

 private:
  std::string path_;
  int fd_ = -1;
};

class PosixFile : public WritableFile {
 public:
  PosixFile(const std::string& path, int flags)
      : file_(path, O_WRONLY | O_CREAT | flags, "write to") {
    buffer_.reserve(kBufferBytes);
  }
  // A file that was not closed has failed or is abandoned: what is buffered is dropped.
  ~PosixFile() override = default;

  void append(std::string_view bytes) override {
    HONE_CHECK(open_);
    if (buffer_.size() + bytes.size() > kBufferBytes) flush();
    if (bytes.size() >= kBufferBytes) {
      write(bytes);
    } else {
      buffer_ += bytes;
    }
  }
  void sync() override {
    HONE_CHECK(open_);
    flush();
    file_.sync();
  }
  void close() override {
    HONE_CHECK(open_);
    open_ = false;
    flush();
    file_.close();
  }

 private:
  static constexpr size_t kBufferBytes = 64 << 10;

  void flush() {
    write(buffer_);
    buffer_.clear();
  }
  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw failed("write to", file_.path(), errno);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
  }

  Descriptor file_;
  std::string buffer_;
  bool open_ = true;
};

class PosixEnv : public Env {
 public:
  std::unique_ptr<WritableFile> create_file(const std::string& path) override {
    return std::make_unique<PosixFile>(path, O_TRUNC);
  }
  std::unique_ptr<WritableFile> append_file(const std::string& path) override {
    return std::make_unique<PosixFile>(path, O_APPEND);
  }

  std::string read_file(const std::string& path, uint64_t max_bytes) override {
    if (is_directory(path)) throw invalid_input("cannot read " + path + ": it is a folder");
    Descriptor file(path, O_RDONLY, "read");
    std::string bytes;
    // The size is a hint: a pipe has none, and a file may grow while it is read.
    struct stat info {};
    if (::fstat(file.get(), &info) == 0 && info.st_size > 0) {
      bytes.reserve(std::min(static_cast<uint64_t>(info.st_size), max_bytes));
    }
    std::string chunk(256 << 10, '\0');
    while (true) {
      ssize_t read = ::read(file.get(), chunk.data(), chunk.size());
      if (read < 0 && errno == EINTR) continue;
      if (read < 0) throw failed("read", path, errno);
      if (read == 0) return bytes;
      if (static_cast<uint64_t>(read) > max_bytes - bytes.size()) {
        throw Error(ErrorCode::kTooLarge,
                    path + " has more than the bound of " + std::to_string(max_bytes) + " bytes");
      }
      bytes.append(chunk, 0, static_cast<size_t>(read));
    }
  }

  std::string read_range(const std::string& path, uint64_t offset, uint64_t count) override {
    if (is_directory(path)) throw invalid_input("cannot read " + path + ": it is a folder");
    Descriptor file(path, O_RDONLY, "read");
    std::string bytes(count, '\0');
    size_t done = 0;
    while (done < count) {
      const ssize_t read =
          ::pread(file.get(), bytes.data() + done, count - done, static_cast<off_t>(offset + done));
      if (read < 0 && errno == EINTR) continue;
      if (read < 0) throw failed("read", path, errno);
      if (read == 0) break;
      done += static_cast<size_t>(read);
    }
    bytes.resize(done);
    return bytes;
  }

  bool exists(const std::string& path) override {
    std::error_code reason;
    return fs::exists(path, reason);
  }
  bool is_directory(const std::string& path) override {
    std::error_code reason;
    return fs::is_directory(path, reason);
  }
  bool is_file(const std::string& path) override {
    std::error_code reason;
    return fs::is_regular_file(path, reason);
  }
  uint64_t file_size(const std::string& path) override {
    std::error_code reason;
    uint64_t size = fs::file_size(path, reason);
    if (reason) throw failed("read the size of", path, reason);
    return size;
  }
  std::vector<std::string> list_directory(const std::string& path) override {
    std::error_code reason;
    std::vector<std::string> names;
    fs::directory_iterator entry(path, reason);
    for (; !reason && entry != fs::directory_iterator(); entry.increment(reason)) {
      names.push_back(entry->path().filename().string());
    }
    if (reason) throw failed("list", path, reason);
    std::sort(names.begin(), names.end());
    return names;
  }
  void create_directories(const std::string& path) override {
    std::error_code reason;
    fs::create_directories(path, reason);
    if (reason) throw failed("create the folder", path, reason);
  }
  void rename(const std::string& from, const std::string& to) override {
    std::error_code reason;
    fs::rename(from, to, reason);
    if (reason) throw failed("rename to " + to, from, reason);
  }
  void remove_all(const std::string& path) override {
    std::error_code reason;
    fs::remove_all(path, reason);
    if (reason) throw failed("remove", path, reason);
  }
  void truncate(const std::string& path, uint64_t bytes) override {
    std::error_code reason;
    fs::resize_file(path, bytes, reason);
    if (reason) throw failed("cut", path, reason);
  }
  void sync_directory(const std::string& path) override {
    Descriptor(path, O_RDONLY | O_DIRECTORY, "sync the folder").sync();
  }

  int64_t now_ms() override {
    auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  }
  double steady_seconds() override {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  void random_bytes(void* out, size_t n) override {
    auto* to = static_cast<unsigned char*>(out);
    while (n > 0) {
      ssize_t got = ::getrandom(to, n, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw failed("read", "the system's random numbers", errno);
      to += got;
      n -= static_cast<size_t>(got);
    }
  }
};

}  // namespace

Env& real_env() {
  static PosixEnv env;
  return env;
}

namespace {

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

void write_file_atomically(Env& env, const std::string& path, std::string_view bytes) {
  // A name of its own, so that two writers of one file do not write into each other's.
  uint32_t unique = 0;
  env.random_bytes(&unique, sizeof unique);
  std::string temporary = path + "." + std::to_string(unique) + ".tmp";
  try {
    auto file = env.create_file(temporary);
    file->append(bytes);
    file->sync();
    file->close();
    env.rename(temporary, path);
  } catch (const Error&) {
    try {
      env.remove_all(temporary);
    } catch (const Error&) {
      // The first failure is the one that tells what is wrong.
    }
    throw;
  }
  env.sync_directory(folder_of(path));
}

void create_directories_durably(Env& env, const std::string& path) {
  std::vector<std::string> changed;
  for (std::string at = path; !env.exists(at); at = folder_of(at)) changed.push_back(folder_of(at));
  env.create_directories(path);
  for (const std::string& folder : changed) env.sync_directory(folder);
}

}  // namespace hone
