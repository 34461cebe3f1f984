#include "llm/mean_logits.h"

#include <algorithm>

namespace hone::llm {

namespace {

constexpr size_t kLanes = 16, kBlockRows = 1024;

// Adds rows [begin, end) to sums[column * 16 + n % 16].
void add_rows_to_lanes(const tensor::PanelMatrix& head, size_t begin, size_t end, double* sums) {
  const size_t columns = head.cols();
  if (head.is_f32()) {  // the padding of the last panel is zero
    for (size_t panel = begin / kLanes; panel * kLanes < end; ++panel) {
      const float* values = head.f32() + panel * columns * kLanes;
      for (size_t i = 0; i < columns * kLanes; ++i) sums[i] += static_cast<double>(values[i]);
    }
    return;
  }
  std::vector<float> row(columns);
  for (size_t n = begin; n < end; ++n) {
    head.read_row(n, row.data());
    for (size_t k = 0; k < columns; ++k)
      sums[k * kLanes + n % kLanes] += static_cast<double>(row[k]);
  }
}

}  // namespace

std::vector<double> mean_head_row(tensor::Compute& compute, const tensor::PanelMatrix& head) {
  const size_t columns = head.cols(), rows = head.rows();
  const size_t blocks = (rows + kBlockRows - 1) / kBlockRows;
  std::vector<double> of_block(blocks * columns);
  compute.pool().run(blocks, [&](size_t block, size_t) {
    std::vector<double> lanes(columns * kLanes);
    add_rows_to_lanes(head, block * kBlockRows, std::min(rows, (block + 1) * kBlockRows),
                      lanes.data());
    for (size_t k = 0; k < columns; ++k) {
      double sum = 0;
      for (size_t lane = 0; lane < kLanes; ++lane) sum += lanes[k * kLanes + lane];
      of_block[block * columns + k] = sum;
    }
  });
  std::vector<double> mean(columns);
  for (size_t block = 0; block < blocks; ++block) {
    for (size_t k = 0; k < columns; ++k) mean[k] += of_block[block * columns + k];
  }
  for (double& value : mean) value /= static_cast<double>(rows);
  return mean;
}

float mean_logit(const float* hidden, const std::vector<double>& mean_head_row) {
  double sum = 0;
  for (size_t k = 0; k < mean_head_row.size(); ++k) {
    sum += static_cast<double>(hidden[k]) * mean_head_row[k];
  }
  return static_cast<float>(sum);
}

}  // namespace hone::llm
