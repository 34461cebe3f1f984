#include "llm/fold_lora.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"

namespace hone::llm {

namespace {

void fold_pair(tensor::PanelMatrix& weight, const LoraPair& pair) {
  const size_t in = weight.cols(), rank = pair.rank();
  std::vector<float> a(rank * in), b(rank), row(in);
  std::vector<double> folded(in);
  for (size_t r = 0; r < rank; ++r) pair.a.read_row(r, a.data() + r * in);
  for (size_t n = 0; n < weight.rows(); ++n) {
    weight.read_row(n, row.data());
    pair.b.read_row(n, b.data());
    std::fill(folded.begin(), folded.end(), 0.0);
    for (size_t r = 0; r < rank; ++r) {
      const double of_row = static_cast<double>(b[r]);
      for (size_t k = 0; k < in; ++k) folded[k] += of_row * static_cast<double>(a[r * in + k]);
    }
    double squares = 0;
    for (size_t k = 0; k < in; ++k) {
      folded[k] = static_cast<double>(row[k]) + static_cast<double>(pair.scale) * folded[k];
      squares += folded[k] * folded[k];
    }
    const double gain = pair.dora() && squares > 0
                            ? static_cast<double>(pair.magnitude[n]) / std::sqrt(squares)
                            : 1;
    for (size_t k = 0; k < in; ++k) row[k] = static_cast<float>(gain * folded[k]);
    weight.write_row(n, row.data());
  }
}

}  // namespace

void fold_lora(Model& model, const LoraAdapter& adapter) {
  HONE_CHECK(model.layers.size() == adapter.layers.size());
  for (size_t i = 0; i < model.layers.size(); ++i) {
    for (size_t k = 0; k < kLinearKinds; ++k) {
      const LoraPair& pair = adapter.layers[i].pair[k];
      if (!pair.empty()) fold_pair(model.layers[i].linear[k].weight, pair);
    }
  }
}

}  // namespace hone::llm
