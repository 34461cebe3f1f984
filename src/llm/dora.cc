#include "llm/dora.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "tensor/matmul.h"

namespace hone::llm {

using tensor::Compute;
using tensor::View;

namespace {

constexpr size_t kRowsPerTask = 64;

template <typename Row>
void for_rows(Compute& compute, size_t rows, size_t per_task, const Row& row) {
  const size_t tasks = (rows + per_task - 1) / per_task;
  compute.pool().run(tasks, [&](size_t task, size_t) {
    const size_t end = std::min(rows, (task + 1) * per_task);
    for (size_t r = task * per_task; r < end; ++r) row(r);
  });
}

double dot(const float* a, const float* b, size_t n) {
  double sum = 0;
  for (size_t k = 0; k < n; ++k) sum += static_cast<double>(a[k]) * static_cast<double>(b[k]);
  return sum;
}

std::vector<double> squares_of_rows(Compute& compute, const tensor::PanelMatrix& weight) {
  std::vector<double> squares(weight.rows());
  const size_t tasks = (weight.rows() + kRowsPerTask - 1) / kRowsPerTask;
  compute.pool().run(tasks, [&](size_t task, size_t) {
    std::vector<float> row(weight.cols());
    const size_t end = std::min(weight.rows(), (task + 1) * kRowsPerTask);
    for (size_t n = task * kRowsPerTask; n < end; ++n) {
      weight.read_row(n, row.data());
      squares[n] = dot(row.data(), row.data(), row.size());
    }
  });
  return squares;
}

// |W + s B A| of each row.
std::vector<double> norms_of(Compute& compute, const tensor::PanelMatrix& weight, LoraPair& pair) {
  const size_t r = pair.rank(), in = weight.cols(), out = weight.rows();
  if (pair.base_squares.empty()) pair.base_squares = squares_of_rows(compute, weight);
  std::vector<float> a(r * in), across(r * out);
  for (size_t i = 0; i < r; ++i) pair.a.read_row(i, a.data() + i * in);
  const tensor::MatmulPart part = {View<const float>(a.data(), r, in),
                                   &weight,
                                   View<float>(across.data(), r, out),
                                   nullptr,
                                   false,
                                   1.0f};
  tensor::matmul(compute, {&part, 1});
  std::vector<double> gram(r * r);
  for (size_t i = 0; i < r; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      gram[i * r + j] = gram[j * r + i] = dot(a.data() + i * in, a.data() + j * in, in);
    }
  }
  const double s = static_cast<double>(pair.scale);
  std::vector<double> norms(out);
  for_rows(compute, out, kRowsPerTask, [&](size_t n) {
    std::vector<float> b(r);
    pair.b.read_row(n, b.data());
    double sum = pair.base_squares[n];
    for (size_t i = 0; i < r; ++i) {
      double inner = 2 * s * static_cast<double>(across[i * out + n]);
      for (size_t j = 0; j < r; ++j) inner += s * s * gram[i * r + j] * static_cast<double>(b[j]);
      sum += static_cast<double>(b[i]) * inner;
    }
    norms[n] = std::sqrt(std::max(sum, 0.0));
  });
  return norms;
}

template <typename Use>
void for_pairs(const Model& model, LoraAdapter& adapter, const Use& use) {
  HONE_CHECK(model.layers.size() == adapter.layers.size());
  for (size_t i = 0; i < adapter.layers.size(); ++i) {
    for (size_t k = 0; k < kLinearKinds; ++k) {
      LoraPair& pair = adapter.layers[i].pair[k];
      if (!pair.empty()) use(model.layers[i].linear[k].weight, pair);
    }
  }
}

}  // namespace

void start_dora(Compute& compute, const Model& model, LoraAdapter& adapter) {
  adapter.use_dora = true;
  for_pairs(model, adapter, [&](const tensor::PanelMatrix& weight, LoraPair& pair) {
    const std::vector<double> norms = norms_of(compute, weight, pair);
    pair.magnitude.assign(norms.begin(), norms.end());
  });
  refresh_dora(compute, model, adapter);
}

void refresh_dora(Compute& compute, const Model& model, LoraAdapter& adapter) {
  if (!adapter.use_dora) return;
  for_pairs(model, adapter, [&](const tensor::PanelMatrix& weight, LoraPair& pair) {
    const std::vector<double> norms = norms_of(compute, weight, pair);
    HONE_CHECK(pair.magnitude.size() == norms.size());
    pair.gain.resize(norms.size());
    pair.inverse_norm.resize(norms.size());
    for (size_t n = 0; n < norms.size(); ++n) {
      // The norm in f32 too, so that a magnitude that is the norm gives a gain of exactly 1. A row of
      // zeros has no direction: its output stays 0.
      const auto norm = static_cast<float>(norms[n]);
      pair.gain[n] = norm > 0 ? pair.magnitude[n] / norm : 0;
      pair.inverse_norm[n] = norm > 0 ? 1 / norm : 0;
    }
  });
}

void apply_gain(Compute& compute, const LoraPair& pair, const float* bias, View<const float> z,
                View<float> y, bool accumulate) {
  HONE_CHECK(pair.gain.size() == z.cols && y.cols == z.cols && y.rows == z.rows);
  const float* gain = pair.gain.data();
  for_rows(compute, z.rows, 8, [&](size_t r) {
    const float* from = z.row(r);
    float* to = y.row(r);
    for (size_t n = 0; n < z.cols; ++n) {
      float value = gain[n] * from[n];
      if (bias != nullptr) value += bias[n];
      to[n] = accumulate ? to[n] + value : value;
    }
  });
}

}  // namespace hone::llm
