#include "llm/formats/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace hone::llm {
namespace {

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0 && (errno == ENOENT || errno == ENOTDIR)) {
      throw not_found(path + ": there is no such file");
    }
    if (fd_ < 0) {
      throw Error(ErrorCode::kUnavailable, path + ": cannot open: " + std::strerror(errno));
    }
  }
  ~Descriptor() { close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const Descriptor file(path);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) {
    throw Error(ErrorCode::kUnavailable, path + ": cannot stat: " + std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) throw invalid_input(path + ": is not a regular file");
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return;
  void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) {
    throw Error(ErrorCode::kUnavailable, path + ": cannot map: " + std::strerror(errno));
  }
  bytes_ = {static_cast<const std::byte*>(address), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace hone::llm
