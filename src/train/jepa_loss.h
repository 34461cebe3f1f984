#pragma once
// LLM-JEPA's losses between a predicted and a true representation (arXiv 2509.14252), as functions of
// u (the first view's state behind its predictors) and v (the second view's), with both gradients:
// no side is held still, as in the paper's code.
//
//   cosine   1 - u.v / (max(|u|, 1e-8) max(|v|, 1e-8))
//   l2       |u - v|
//   mse      |u - v|^2 / n
//   infonce  of a micro-batch: -log softmax_j(cos(u_i, v_j) / t) at j = i; |.| at least 1e-12
//
// In f64 in a fixed order, any thread.

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace hone::train {

enum class JepaLossType { kCosine, kL2, kMse, kInfoNce };
std::string_view name(JepaLossType type);
std::optional<JepaLossType> jepa_loss_from_name(std::string_view name);

struct JepaLoss {
  double value = 0;
  double cosine = 0;  // of u and v
  std::vector<double> du, dv;
};
// cosine, l2 or mse. u and v are as long.
JepaLoss jepa_loss(JepaLossType type, std::span<const float> u, std::span<const float> v);

// One a row. weights: of each row's own loss; the gradients are those of sum(w_i L_i), the values
// are without them.
std::vector<JepaLoss> jepa_infonce(std::span<const std::vector<float>> u,
                                   std::span<const std::vector<float>> v,
                                   std::span<const double> weights, double temperature);

}  // namespace hone::train
