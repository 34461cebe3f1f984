#pragma once
// Gradient of the embedding look-up (the look-up itself is PanelMatrix::read_row): each row of dx is
// rounded to fixed point on its own (fixed_point.h) and added at its token, so the order of rows
// does not matter. Tokens are checked by the caller: 0 <= token < vocabulary.

#include <cstdint>

#include "tensor/compute.h"
#include "tensor/matmul.h"
#include "tensor/view.h"

namespace hone::tensor {

// grad has the panel layout of the [vocabulary, dx.cols] matrix; tokens[r] belongs to row r.
FixedStatistics embedding_backward(Compute& compute, View<const float> dx, const int32_t* tokens,
                                   FixedGradient grad);
FixedStatistics embedding_backward_reference(View<const float> dx, const int32_t* tokens,
                                             FixedGradient grad);

}  // namespace hone::tensor
