#pragma once
// The size of a packed matrix (tensor/panels.h) before there is one.

#include <cstddef>

#include "tensor/data_type.h"

namespace hone::tensor {

// Bytes that PanelMatrix::pack takes for n rows of k values.
size_t packed_bytes(DataType type, size_t n, size_t k);

}  // namespace hone::tensor
