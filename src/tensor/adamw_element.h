#pragma once
// One element of AdamW in plain C++: the reference, and the kernels' last few elements.

#include <cmath>
#include <cstdint>

#include "tensor/adamw.h"
#include "tensor/fixed_point.h"
#include "tensor/math.h"

namespace hone::tensor {

struct AdamwConstants {
  double scale;  // 2^-exponent
  float clip, decay, first, second, beta2, step, root, epsilon;
};

inline AdamwConstants adamw_constants(const AdamwSettings& s, const AdamwTensor& tensor) {
  const double count = static_cast<double>(s.step);
  const double bias1 = 1.0 - pow_f64(s.beta1, count);
  const double bias2 = 1.0 - pow_f64(s.beta2, count);
  return {power_of_two(-tensor.gradient.exponent),
          tensor.clip,
          static_cast<float>(1.0 - s.learning_rate * s.weight_decay),
          static_cast<float>(1.0 - s.beta1),
          static_cast<float>(1.0 - s.beta2),
          static_cast<float>(s.beta2),
          static_cast<float>(s.learning_rate / bias1),
          static_cast<float>(std::sqrt(bias2)),
          static_cast<float>(s.epsilon)};
}

inline void adamw_element(const AdamwConstants& c, int64_t integer, float& w, float& m, float& v) {
  const float g = static_cast<float>(static_cast<double>(integer) * c.scale) * c.clip;
  w = w * c.decay;
  m = std::fma(c.first, g - m, m);
  v = std::fma(c.second * g, g, v * c.beta2);
  w = std::fma(-c.step, m / (std::sqrt(v) / c.root + c.epsilon), w);
}

}  // namespace hone::tensor
