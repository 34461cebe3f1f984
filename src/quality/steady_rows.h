#pragma once
// Rows that never move: blocks of 4,096 rows, so that adding one allocates at most one block and copies
// no row. A copy shares the blocks and keeps its own size: it may be read on another
// thread while the original grows, as long as nobody changes rows that the copy sees.

#include <cstddef>
#include <memory>
#include <vector>

#include "base/check.h"

namespace hone::quality {

template <typename T>
class SteadyRows {
 public:
  explicit SteadyRows(size_t width) : width_(width) {}

  size_t size() const { return size_; }
  size_t width() const { return width_; }

  T* operator[](size_t row) { return at(row); }
  const T* operator[](size_t row) const { return at(row); }

  // The new last row; numbers in it are not set.
  T* add() {
    if (size_ == blocks_.size() * kBlock) {
      blocks_.push_back(std::shared_ptr<T[]>(new T[kBlock * width_]));
    }
    return at(size_++);
  }

 private:
  static constexpr size_t kBlock = 4096;
  T* at(size_t row) const {
    HONE_CHECK(row < size_);
    return blocks_[row / kBlock].get() + row % kBlock * width_;
  }

  size_t width_, size_ = 0;
  std::vector<std::shared_ptr<T[]>> blocks_;
};

}  // namespace hone::quality
