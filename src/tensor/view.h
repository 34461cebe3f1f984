#pragma once
// A View borrows rows of numbers: row r starts at data + r * stride. It never owns and is copied
// freely; the memory must outlive it.

#include <cstddef>

#include "base/check.h"

namespace hone::tensor {

template <typename T>
struct View {
  T* data = nullptr;
  size_t rows = 0;
  size_t cols = 0;
  size_t stride = 0;  // in elements, at least cols

  View() = default;
  View(T* d, size_t r, size_t c) : data(d), rows(r), cols(c), stride(c) {}
  View(T* d, size_t r, size_t c, size_t s) : data(d), rows(r), cols(c), stride(s) {}

  T* row(size_t r) const {
    HONE_DCHECK(r < rows);
    return data + r * stride;
  }
  View slice_rows(size_t begin, size_t count) const {
    HONE_DCHECK(begin + count <= rows);
    return {data + begin * stride, count, cols, stride};
  }
  View slice_cols(size_t begin, size_t count) const {
    HONE_DCHECK(begin + count <= cols);
    return {data + begin, rows, count, stride};
  }
  operator View<const T>() const { return {data, rows, cols, stride}; }
};

}  // namespace hone::tensor
