#include "tensor/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/error.h"

namespace hone::tensor {

namespace {
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kPage = 4096;

bool on_huge_pages(size_t bytes) { return bytes >= 2 * kHugePage; }
}  // namespace

size_t mapped_bytes(size_t bytes) {
  const size_t grain = on_huge_pages(bytes) ? kHugePage : kPage;
  return (bytes + grain - 1) / grain * grain;
}

Buffer::Buffer(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  const bool huge = on_huge_pages(bytes);
  const size_t wanted = mapped_bytes(bytes) + (huge ? kHugePage : 0);
  void* memory = wanted < bytes ? MAP_FAILED
                                : mmap(nullptr, wanted, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    throw Error(ErrorCode::kTooLarge, "no memory for " + std::to_string(bytes >> 20) +
                                          " MiB: close other programs or lower --memory-limit");
  }
  auto* begin = static_cast<std::byte*>(memory);
  if (huge) {  // keep the aligned middle, give the ends back
    const size_t lead = (kHugePage - reinterpret_cast<size_t>(begin) % kHugePage) % kHugePage;
    if (lead != 0) munmap(begin, lead);
    const size_t tail = kHugePage - lead;
    begin += lead;
    if (tail != 0) munmap(begin + wanted - kHugePage, tail);
    mapped_ = wanted - kHugePage;
    madvise(begin, mapped_, MADV_HUGEPAGE);
  } else {
    mapped_ = wanted;
  }
  data_ = begin;
}

void Buffer::give_back(size_t offset, size_t bytes) const {
  const size_t begin = (offset + kPage - 1) / kPage * kPage;
  const size_t end = std::min(offset + bytes, bytes_) / kPage * kPage;
  if (begin < end) madvise(data_ + begin, end - begin, MADV_DONTNEED);
}

void Buffer::release() {
  if (mapped_ != 0) munmap(data_, mapped_);
  data_ = nullptr;
  bytes_ = mapped_ = 0;
}

Tensor Tensor::clone() const {
  Tensor copy(rows_, cols_);
  if (size() != 0) std::memcpy(copy.data(), data(), size() * sizeof(float));
  return copy;
}

}  // namespace hone::tensor
