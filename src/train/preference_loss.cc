#include "train/preference_loss.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "tensor/math.h"

namespace hone::train {

namespace {

constexpr std::array<std::pair<PreferenceLossType, std::string_view>, 15> kNames = {{
    {PreferenceLossType::kSigmoid, "sigmoid"},
    {PreferenceLossType::kHinge, "hinge"},
    {PreferenceLossType::kIpo, "ipo"},
    {PreferenceLossType::kRobust, "robust"},
    {PreferenceLossType::kExoPair, "exo_pair"},
    {PreferenceLossType::kNcaPair, "nca_pair"},
    {PreferenceLossType::kBcoPair, "bco_pair"},
    {PreferenceLossType::kSppoHard, "sppo_hard"},
    {PreferenceLossType::kApoZero, "apo_zero"},
    {PreferenceLossType::kApoDown, "apo_down"},
    {PreferenceLossType::kDiscopop, "discopop"},
    {PreferenceLossType::kSigmoidNorm, "sigmoid_norm"},
    {PreferenceLossType::kAot, "aot"},
    {PreferenceLossType::kAotUnpaired, "aot_unpaired"},
    {PreferenceLossType::kSft, "sft"},
}};

constexpr double kDiscopopTemperature = 0.05;
constexpr double kExoSmoothing = 1e-3;
constexpr double kMaxAlphaExponent = 80;  // TRL's, so that it stays a number in f32
constexpr double kLog2 = 0.69314718055994530942;

double log_sigmoid(double x) { return -tensor::softplus_f64(-x); }
double sigmoid(double x) { return tensor::exp_f64(log_sigmoid(x)); }

// A loss of one number x with its slope.
struct Slope {
  double value, slope;
};

// -log s(x), scaled by a weight.
Slope negative_log_sigmoid(double x) { return {-log_sigmoid(x), -sigmoid(-x)}; }

Slope loss_of_margin(PreferenceLossType type, double x, double e) {
  switch (type) {
    case PreferenceLossType::kSigmoid:
    case PreferenceLossType::kSigmoidNorm:
    case PreferenceLossType::kAot:
    case PreferenceLossType::kAotUnpaired: {
      const Slope keep = negative_log_sigmoid(x), flip = negative_log_sigmoid(-x);
      return {(1 - e) * keep.value + e * flip.value, (1 - e) * keep.slope - e * flip.slope};
    }
    case PreferenceLossType::kRobust: {
      const Slope keep = negative_log_sigmoid(x), flip = negative_log_sigmoid(-x);
      const double scale = 1 / (1 - 2 * e);
      return {scale * ((1 - e) * keep.value - e * flip.value),
              scale * ((1 - e) * keep.slope + e * flip.slope)};
    }
    case PreferenceLossType::kHinge: return x < 1 ? Slope{1 - x, -1} : Slope{0, 0};
    case PreferenceLossType::kExoPair: {
      const double smoothing = e > 0 ? e : kExoSmoothing;
      const double log_keep = tensor::log_f64(1 - smoothing), log_flip = tensor::log_f64(smoothing);
      const double p = sigmoid(x), q = sigmoid(-x);
      return {p * (log_sigmoid(x) - log_keep) + q * (log_sigmoid(-x) - log_flip),
              p * q * (x - log_keep + log_flip)};
    }
    case PreferenceLossType::kDiscopop: {
      const double g = sigmoid(x / kDiscopopTemperature);
      const double dg = g * (1 - g) / kDiscopopTemperature;
      const Slope logistic = negative_log_sigmoid(x);
      const double exponential = tensor::exp_f64(-x);
      return {(1 - g) * logistic.value + g * exponential,
              (1 - g) * logistic.slope - g * exponential + dg * (exponential - logistic.value)};
    }
    default: HONE_CHECK(false);
  }
  return {0, 0};
}

// f(a), and its slope by a.
Slope f_score(const PreferenceForm& form, double a) {
  switch (form.f_divergence) {
    case FDivergence::kReverseKl: return {a, 1};
    case FDivergence::kForwardKl: {
      const double e = tensor::exp_f64(-a);
      return {1 - e, e};
    }
    case FDivergence::kJs: return {kLog2 + log_sigmoid(a), sigmoid(-a)};
    case FDivergence::kAlpha: {
      const double k = form.f_alpha_divergence_coef - 1;
      if (std::abs(k) < 1e-6) return {a, 1};
      const double e = tensor::exp_f64(std::min(k * a, kMaxAlphaExponent));
      return {(e - 1) / k, k * a > kMaxAlphaExponent ? 0 : e};
    }
  }
  return {a, 1};
}

// Indices in the order of their values; equal ones keep theirs.
std::vector<size_t> order_of(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a] < values[b]; });
  return order;
}

}  // namespace

std::string_view name(FDivergence divergence) {
  switch (divergence) {
    case FDivergence::kReverseKl: return "reverse_kl";
    case FDivergence::kForwardKl: return "forward_kl";
    case FDivergence::kJs: return "js_divergence";
    case FDivergence::kAlpha: return "alpha_divergence";
  }
  return "reverse_kl";
}

bool is_coupled(PreferenceLossType type) {
  return type == PreferenceLossType::kAot || type == PreferenceLossType::kAotUnpaired;
}

bool takes_f_divergence(PreferenceLossType type) {
  switch (type) {
    case PreferenceLossType::kSigmoid:
    case PreferenceLossType::kSigmoidNorm:
    case PreferenceLossType::kHinge:
    case PreferenceLossType::kIpo:
    case PreferenceLossType::kExoPair:
    case PreferenceLossType::kRobust:
    case PreferenceLossType::kDiscopop:
    case PreferenceLossType::kSft: return true;
    default: return false;
  }
}

std::string_view name(PreferenceLossType type) {
  for (const auto& [known, text] : kNames) {
    if (known == type) return text;
  }
  HONE_CHECK(false);
  return {};
}

std::optional<PreferenceLossType> preference_loss_from_name(std::string_view text) {
  for (const auto& [type, known] : kNames) {
    if (known == text) return type;
  }
  return std::nullopt;
}

std::vector<std::string> preference_loss_names() {
  std::vector<std::string> names;
  for (const auto& entry : kNames) names.emplace_back(entry.second);
  return names;
}

PairLoss preference_loss(PreferenceLossType type, const PreferenceForm& form,
                         const PairLogProbs& pair) {
  HONE_CHECK(!is_coupled(type));
  const double b = form.beta, e = form.label_smoothing;
  const double a_c = pair.chosen - pair.ref_chosen;
  const double a_r = pair.rejected - pair.ref_rejected;
  const Slope f_c = f_score(form, a_c), f_r = f_score(form, a_r);
  const double per_chosen = 1 / static_cast<double>(pair.chosen_tokens);
  const double per_rejected = 1 / static_cast<double>(pair.rejected_tokens);
  switch (type) {
    case PreferenceLossType::kIpo: {
      const bool sum = form.ipo_log_probs == IpoLogProbs::kSum;
      const double by_chosen = sum ? 1 : per_chosen, by_rejected = sum ? 1 : per_rejected;
      const double distance = f_c.value * by_chosen - f_r.value * by_rejected - 1 / (2 * b);
      return {distance * distance, 2 * distance * by_chosen * f_c.slope,
              -2 * distance * by_rejected * f_r.slope};
    }
    case PreferenceLossType::kSigmoidNorm: {
      const Slope s =
          loss_of_margin(type, b * (f_c.value * per_chosen - f_r.value * per_rejected), e);
      return {s.value, b * s.slope * per_chosen * f_c.slope,
              -b * s.slope * per_rejected * f_r.slope};
    }
    case PreferenceLossType::kNcaPair: {
      const Slope keep = negative_log_sigmoid(b * a_c), flip = negative_log_sigmoid(-b * a_c);
      const Slope rejected = negative_log_sigmoid(-b * a_r);
      return {keep.value + 0.5 * flip.value + 0.5 * rejected.value,
              b * (keep.slope - 0.5 * flip.slope), -0.5 * b * rejected.slope};
    }
    case PreferenceLossType::kBcoPair: {
      const Slope chosen = negative_log_sigmoid(b * a_c);
      const Slope rejected = negative_log_sigmoid(-b * a_r);
      return {chosen.value + rejected.value, b * chosen.slope, -b * rejected.slope};
    }
    case PreferenceLossType::kSppoHard: {
      const double up = a_c - 1 / (2 * b), down = a_r + 1 / (2 * b);
      return {up * up + down * down, 2 * up, 2 * down};
    }
    case PreferenceLossType::kApoZero: {
      const double p = sigmoid(b * a_c), q = sigmoid(b * a_r);
      return {1 - p + q, -b * p * (1 - p), b * q * (1 - q)};
    }
    case PreferenceLossType::kApoDown: {
      const double p = sigmoid(b * a_c), m = sigmoid(b * (a_c - a_r));
      const double dm = b * m * (1 - m);
      return {p + 1 - m, b * p * (1 - p) - dm, dm};
    }
    default: {
      const Slope s = loss_of_margin(type, b * (f_c.value - f_r.value), e);
      return {s.value, b * s.slope * f_c.slope, -b * s.slope * f_r.slope};
    }
  }
}

PairLoss preference_loss(PreferenceLossType type, const PreferenceForm& form,
                         const PairLogProbs& pair, double probability) {
  const PairLoss forward = preference_loss(type, form, pair);
  if (probability == 1) return forward;
  const PairLogProbs swapped{pair.rejected,   pair.chosen,          pair.ref_rejected,
                             pair.ref_chosen, pair.rejected_tokens, pair.chosen_tokens};
  const PairLoss backward = preference_loss(type, form, swapped);
  const double p = probability, q = 1 - probability;
  return {p * forward.value + q * backward.value, p * forward.d_chosen + q * backward.d_rejected,
          p * forward.d_rejected + q * backward.d_chosen};
}

std::vector<PairLoss> coupled_losses(PreferenceLossType type, const PreferenceForm& form,
                                     std::span<const PairLogProbs> pairs) {
  HONE_CHECK(is_coupled(type));
  const bool unpaired = type == PreferenceLossType::kAotUnpaired;
  // What is sorted against what; only aot's second has no slope.
  std::vector<double> up, down;
  for (const PairLogProbs& p : pairs) {
    up.push_back(unpaired ? p.chosen - p.ref_chosen : p.chosen - p.rejected);
    down.push_back(unpaired ? p.rejected - p.ref_rejected : p.ref_chosen - p.ref_rejected);
  }
  const std::vector<size_t> first = order_of(up), second = order_of(down);
  std::vector<PairLoss> losses(pairs.size());
  for (size_t place = 0; place < pairs.size(); ++place) {
    const size_t i = first[place], j = second[place];
    const Slope s = loss_of_margin(type, form.beta * (up[i] - down[j]), form.label_smoothing);
    losses[i].value = s.value;
    losses[i].d_chosen = form.beta * s.slope;
    losses[unpaired ? j : i].d_rejected = -form.beta * s.slope;
  }
  return losses;
}

}  // namespace hone::train
