#include <algorithm>
#include <cmath>

#include "tensor/adamw.h"
#include "tensor/adamw_element.h"

namespace hone::tensor {

void adamw_reference(const AdamwSettings& settings, std::span<const AdamwTensor> tensors) {
  for (const AdamwTensor& tensor : tensors) {
    const AdamwConstants constants = adamw_constants(settings, tensor);
    for (size_t i = 0; i < tensor.n; ++i) {
      adamw_element(constants, tensor.gradient.values[i], tensor.weights[i], tensor.m[i],
                    tensor.v[i]);
      tensor.gradient.values[i] = 0;
    }
  }
}

GradientNorm gradient_norm_reference(FixedGradient gradient, size_t n) {
  GradientNorm norm;
  const double scale = power_of_two(-gradient.exponent);
  for (size_t begin = 0; begin < n; begin += 4096) {
    double lane[8] = {};
    for (size_t i = begin; i < std::min(n, begin + 4096); ++i) {
      const double x = static_cast<double>(gradient.values[i]) * scale;
      lane[i % 8] = std::fma(x, x, lane[i % 8]);
      norm.largest = std::max(norm.largest, std::fabs(x));
    }
    for (size_t width = 4; width > 0; width /= 2) {
      for (size_t j = 0; j < width; ++j) lane[j] += lane[j + width];
    }
    norm.sum_of_squares += lane[0];
  }
  return norm;
}

float clip_coefficient(double norm, double max_norm) {
  if (max_norm == 0.0) return 1.0f;
  return static_cast<float>(std::min(1.0, max_norm / (norm + 1e-6)));
}

}  // namespace hone::tensor
