#pragma once
// The mean of a row's logits over the vocabulary, without the logits: sum_v (h . w_v) / V = h . m,
// m the mean of the head's rows. TRL logs it as logits/chosen and logits/rejected.
//
// Order: m is summed in f64 per column, vocabulary rows of equal n % 16 ascending inside blocks of
// 1024 rows, then the 16 lanes, then the blocks; h . m is one f64 chain over the columns. So the
// numbers depend on no thread and no batch.

#include <vector>

#include "tensor/compute.h"
#include "tensor/panels.h"
#include "tensor/view.h"

namespace hone::llm {

// m: one value a column of the head.
std::vector<double> mean_head_row(tensor::Compute& compute, const tensor::PanelMatrix& head);

// hidden: one row of the final norm's output.
float mean_logit(const float* hidden, const std::vector<double>& mean_head_row);

}  // namespace hone::llm
