#include "llm/formats/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>

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

void MappedFile::forget(std::span<const std::byte> part) const {
  // Whole pages inside the part; neighbours keep theirs.
  constexpr size_t kPage = 4096;
  const std::less<const std::byte*> before;
  if (part.empty() || bytes_.empty() || before(part.data(), bytes_.data()) ||
      before(bytes_.data() + bytes_.size(), part.data() + part.size())) {
    return;
  }
  const auto offset = static_cast<size_t>(part.data() - bytes_.data());
  const size_t begin = (offset + kPage - 1) / kPage * kPage;
  const size_t end = (offset + part.size()) / kPage * kPage;
  if (begin >= end) return;
  madvise(const_cast<std::byte*>(bytes_.data() + begin), end - begin, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace hone::llm
