#include "tensor/sampling.h"

#include <algorithm>

#include "base/check.h"
#include "tensor/math.h"

namespace hone::tensor {

void apply_penalties(const SamplingSettings& settings, std::span<const SeenToken> seen,
                     std::span<float> logits) {
  for (const SeenToken& one : seen) {
    if (one.token < 0 || static_cast<size_t>(one.token) >= logits.size()) continue;
    float& logit = logits[static_cast<size_t>(one.token)];
    logit = logit > 0.0f ? logit / settings.repetition_penalty : logit * settings.repetition_penalty;
    if (one.output_count != 0) {
      logit -= settings.frequency_penalty * static_cast<float>(one.output_count);
      logit -= settings.presence_penalty;
    }
  }
}

int32_t argmax_token(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

Draw Sampler::draw(std::span<const float> logits, const SamplingSettings& settings, double u) {
  HONE_CHECK(!logits.empty());
  if (settings.temperature == 0.0f) return {argmax_token(logits), 1.0, 1.0};
  weights_.resize(logits.size());
  const float largest =
      *std::max_element(logits.begin(), logits.end()) / settings.temperature;
  for (size_t i = 0; i < logits.size(); ++i) {
    weights_[i] = exp_f32(logits[i] / settings.temperature - largest);
  }
  const bool all = settings.min_p <= 0.0f && settings.top_p >= 1.0f &&
                   (settings.top_k <= 0 || static_cast<size_t>(settings.top_k) >= logits.size());
  return all ? draw_from_all(u) : draw_from_largest(settings, u);
}

Draw Sampler::draw_from_all(double u) const {
  double total = 0.0;
  for (const float w : weights_) total += static_cast<double>(w);
  const double target = u * total;
  double sum = 0.0;
  size_t chosen = 0;
  for (size_t i = 0; i < weights_.size(); ++i) {
    if (weights_[i] == 0.0f) continue;
    chosen = i;
    sum += static_cast<double>(weights_[i]);
    if (sum > target) break;
  }
  return {static_cast<int32_t>(chosen), static_cast<double>(weights_[chosen]) / total, 1.0};
}

// Puts the `wanted` first of order_ in order: weight descending, id ascending.
size_t Sampler::sort_largest(size_t wanted) {
  wanted = std::min(wanted, order_.size());
  std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(wanted),
                    order_.end(), [this](int32_t a, int32_t b) {
                      const float wa = weights_[static_cast<size_t>(a)];
                      const float wb = weights_[static_cast<size_t>(b)];
                      return wa != wb ? wa > wb : a < b;
                    });
  return wanted;
}

Draw Sampler::draw_from_largest(const SamplingSettings& settings, double u) {
  const auto weight = [this](size_t rank) {
    return static_cast<double>(weights_[static_cast<size_t>(order_[rank])]);
  };
  order_.clear();
  double total = 0.0;
  for (size_t i = 0; i < weights_.size(); ++i) {
    total += static_cast<double>(weights_[i]);
    if (weights_[i] >= settings.min_p && weights_[i] > 0.0f) {
      order_.push_back(static_cast<int32_t>(i));
    }
  }
  // min_p above 1 would drop the largest too: it stays.
  if (order_.empty()) order_.push_back(argmax_token(weights_));
  size_t count = order_.size();
  if (settings.top_k > 0) count = std::min(count, static_cast<size_t>(settings.top_k));
  if (settings.top_p >= 1.0f) {
    sort_largest(count);
  } else {
    double left = 0.0;
    if (count < order_.size()) {
      sort_largest(count);
      for (size_t i = 0; i < count; ++i) left += weight(i);
    } else {
      for (const int32_t token : order_) {
        left += static_cast<double>(weights_[static_cast<size_t>(token)]);
      }
    }
    const double wanted = static_cast<double>(settings.top_p) * left;
    double sum = 0.0;
    size_t kept = 0, sorted = 0;
    while (kept < count && (kept == 0 || sum < wanted)) {
      // Few tokens hold most of the mass: sort a prefix and only rarely more of it.
      if (kept == sorted) sorted = sort_largest(std::min(count, std::max<size_t>(64, 4 * sorted)));
      sum += weight(kept++);
    }
    count = kept;
  }
  double kept_sum = 0.0;
  for (size_t i = 0; i < count; ++i) kept_sum += weight(i);
  const double target = u * kept_sum;
  double sum = 0.0;
  size_t chosen = 0;
  for (size_t i = 0; i < count; ++i) {
    chosen = i;
    sum += weight(i);
    if (sum > target) break;
  }
  return {order_[chosen], weight(chosen) / kept_sum, kept_sum / total};
}

}  // namespace hone::tensor
