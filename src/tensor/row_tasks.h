#pragma once
// How operations on rows use the pool: few rows stay on the calling thread (a fork costs more than
// the work), many are cut into tasks of consecutive rows. Rows are independent, so the cut is free.

#include <algorithm>
#include <cstddef>

#include "tensor/compute.h"

namespace hone::tensor {

constexpr size_t kRowsOnCaller = 32;
constexpr size_t kRowsPerTask = 16;

// body(begin, end) for consecutive pieces of [0, rows).
template <typename Body>
void for_row_pieces(Compute& compute, size_t rows, const Body& body) {
  if (rows < kRowsOnCaller || compute.threads() == 1) {
    if (rows != 0) body(size_t{0}, rows);
    return;
  }
  compute.pool().run((rows + kRowsPerTask - 1) / kRowsPerTask, [&](size_t task, size_t) {
    body(task * kRowsPerTask, std::min(rows, (task + 1) * kRowsPerTask));
  });
}

}  // namespace hone::tensor
