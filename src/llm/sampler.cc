#include "llm/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/json.h"
#include "tensor/exp_row.h"

namespace hone::llm {

namespace {

void require(bool good, const char* option, double value, const char* allowed) {
  if (!good) {
    throw invalid_input(std::string("--") + option + " " +
                        (std::isfinite(value) ? number_to_string(value) : std::to_string(value)) +
                        " cannot be: it must be " + allowed);
  }
}

int32_t argmax(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

bool is_set(std::span<const uint64_t> bits, size_t token) {
  return (bits[token / 64] >> (token % 64) & 1) != 0;
}

}  // namespace

void validate(const SamplingOptions& o) {
  require(std::isfinite(o.temperature) && o.temperature >= 0, "temperature", o.temperature,
          "0 (greedy) or more");
  require(o.top_p > 0 && o.top_p <= 1, "top-p", o.top_p, "above 0 and at most 1 (off)");
  require(o.min_p >= 0 && o.min_p <= 1, "min-p", o.min_p, "between 0 (off) and 1");
  require(std::isfinite(o.repetition_penalty) && o.repetition_penalty > 0, "repetition-penalty",
          o.repetition_penalty, "above 0 (1 is off)");
  require(std::abs(o.presence_penalty) <= 100, "presence-penalty", o.presence_penalty,
          "between -100 and 100");
  require(std::abs(o.frequency_penalty) <= 100, "frequency-penalty", o.frequency_penalty,
          "between -100 and 100");
  if (o.logit_bias.size() > kMaxLogitBiases) {
    throw invalid_input("logit_bias names " + std::to_string(o.logit_bias.size()) +
                        " tokens; at most " + std::to_string(kMaxLogitBiases) + " are taken");
  }
  std::unordered_set<int32_t> seen;
  for (const auto& [id, bias] : o.logit_bias) {
    const std::string where = "logit_bias of token " + std::to_string(id);
    if (!(std::abs(bias) <= 100)) throw invalid_input(where + " must be between -100 and 100");
    if (!seen.insert(id).second) throw invalid_input(where + " is there twice: give it once");
  }
}

void Sampler::penalise(const SamplingOptions& options, std::span<const int32_t> prompt,
                       std::span<const int32_t> answer) {
  std::unordered_map<int32_t, size_t> in_answer, seen;
  for (int32_t id : answer) ++in_answer[id];
  seen = in_answer;
  for (int32_t id : prompt) ++seen[id];
  const auto repetition = static_cast<float>(options.repetition_penalty);
  for (const auto& entry : seen) {
    float& logit = logits_[static_cast<size_t>(entry.first)];
    if (repetition != 1.0f) logit = logit > 0 ? logit / repetition : logit * repetition;
  }
  for (const auto& [id, count] : in_answer) {
    logits_[static_cast<size_t>(id)] -= static_cast<float>(
        options.presence_penalty + options.frequency_penalty * static_cast<double>(count));
  }
}

std::span<const float> Sampler::changed(std::span<const float> logits,
                                        const SamplingOptions& options,
                                        std::span<const int32_t> prompt,
                                        std::span<const int32_t> answer,
                                        std::span<const uint64_t> allowed) {
  const bool penalties = options.repetition_penalty != 1 || options.presence_penalty != 0 ||
                         options.frequency_penalty != 0;
  if (!penalties && options.logit_bias.empty() && allowed.empty()) return logits;
  logits_.assign(logits.begin(), logits.end());
  for (const auto& [id, bias] : options.logit_bias) logits_[static_cast<size_t>(id)] += bias;
  if (penalties) penalise(options, prompt, answer);
  for (size_t word = 0; word < allowed.size(); ++word) {
    if (allowed[word] == ~uint64_t{0}) continue;
    const size_t end = std::min(logits_.size(), word * 64 + 64);
    for (size_t token = word * 64; token < end; ++token) {
      if (!is_set(allowed, token)) logits_[token] = -std::numeric_limits<float>::infinity();
    }
  }
  return logits_;
}

int32_t Sampler::sample(std::span<const float> logits, const SamplingOptions& options,
                        std::span<const int32_t> prompt, std::span<const int32_t> answer,
                        double uniform, std::span<const uint64_t> allowed) {
  kept_ = 1;
  logits = changed(logits, options, prompt, answer, allowed);
  const int32_t best = argmax(logits);
  if (options.temperature == 0) return best;
  const auto temperature = static_cast<float>(options.temperature);
  // A temperature so small that the scaled logits leave f32 is greedy.
  if (!std::isfinite(logits[static_cast<size_t>(best)] / temperature)) return best;
  weights_.resize(logits.size());
  tensor::exp_row(logits.data(), logits.size(), temperature,
                  logits[static_cast<size_t>(best)] / temperature, weights_.data());
  if (options.top_k > 0 || options.top_p < 1 || options.min_p > 0) {
    return draw_filtered(options, uniform, allowed);
  }
  double total = 0;
  for (float weight : weights_) total += static_cast<double>(weight);
  const double wanted = uniform * total;
  double sum = 0;
  for (size_t i = 0; i < weights_.size(); ++i) {
    sum += static_cast<double>(weights_[i]);
    if (sum > wanted) return static_cast<int32_t>(i);
  }
  return best;  // rounding left the last sum at `wanted`
}

int32_t Sampler::draw_filtered(const SamplingOptions& options, double uniform,
                               std::span<const uint64_t> allowed) {
  const auto weight = [&](int32_t id) { return weights_[static_cast<size_t>(id)]; };
  const auto before = [&](int32_t a, int32_t b) {
    return weight(a) != weight(b) ? weight(a) > weight(b) : a < b;
  };
  candidates_.resize(weights_.size());
  std::iota(candidates_.begin(), candidates_.end(), 0);
  if (!allowed.empty()) {
    std::erase_if(candidates_,
                  [&](int32_t id) { return !is_set(allowed, static_cast<size_t>(id)); });
  }
  if (options.top_k > 0 && options.top_k < candidates_.size()) {
    std::nth_element(candidates_.begin(),
                     candidates_.begin() + static_cast<std::ptrdiff_t>(options.top_k - 1),
                     candidates_.end(), before);
    candidates_.resize(options.top_k);
  }
  if (options.top_p < 1) {
    double total = 0;
    if (options.top_k > 0) std::sort(candidates_.begin(), candidates_.end());
    for (int32_t id : candidates_) total += static_cast<double>(weight(id));
    // The few most likely first: a full sort of the vocabulary is seldom needed.
    size_t sorted = 0, kept = 0;
    double sum = 0;
    while (kept < candidates_.size() && (kept == 0 || sum < options.top_p * total)) {
      if (kept == sorted) {
        sorted = std::min(candidates_.size(), std::max<size_t>(64, 4 * sorted));
        std::partial_sort(candidates_.begin() + static_cast<std::ptrdiff_t>(kept),
                          candidates_.begin() + static_cast<std::ptrdiff_t>(sorted),
                          candidates_.end(), before);
      }
      sum += static_cast<double>(weight(candidates_[kept++]));
    }
    candidates_.resize(kept);
  }
  if (options.min_p > 0) {
    const auto least = static_cast<float>(options.min_p);  // the most likely token weighs 1
    std::erase_if(candidates_, [&](int32_t id) { return weight(id) < least; });
  }
  std::sort(candidates_.begin(), candidates_.end());
  double total = 0, all = 0;
  for (int32_t id : candidates_) total += static_cast<double>(weight(id));
  for (float each : weights_) all += static_cast<double>(each);
  kept_ = static_cast<float>(total / all);
  const double wanted = uniform * total;
  double sum = 0;
  for (int32_t id : candidates_) {
    sum += static_cast<double>(weight(id));
    if (sum > wanted) return id;
  }
  return candidates_.back();
}

}  // namespace hone::llm
