#include "train/unreferenced_loss.h"

#include <cmath>

#include "tensor/math.h"

namespace hone::train {

namespace {

constexpr std::string_view kNames[] = {"sigmoid", "hinge", "ipo", "simpo"};

double log_sigmoid(double x) { return -tensor::softplus_f64(-x); }
double sigmoid(double x) { return tensor::exp_f64(log_sigmoid(x)); }

// log(1 - e^x) for x < 0; of an answer that is certain it is held at a finite number.
double log_of_rest(double x) {
  constexpr double kCertain = -1e-12, kSmall = -1e-3;
  x = std::fmin(x, kCertain);
  // Near 0 the difference would lose its digits.
  const double rest =
      x > kSmall ? -x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4))) : 1 - tensor::exp_f64(x);
  return tensor::log_f64(rest);
}

struct Slopes {
  double value = 0, slope = 0;  // by d (or by the log odds)
};

// p f(d) + (1 - p) f(-d).
template <typename Loss>
Slopes both_ways(const Loss& loss, double d, double probability) {
  const Slopes forward = loss(d), backward = loss(-d);
  return {probability * forward.value + (1 - probability) * backward.value,
          probability * forward.slope - (1 - probability) * backward.slope};
}

}  // namespace

std::string_view name(CpoLossType type) { return kNames[static_cast<size_t>(type)]; }

std::optional<CpoLossType> cpo_loss_from_name(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<CpoLossType>(i);
  }
  return std::nullopt;
}

UnreferencedLoss orpo_loss(double beta, const AnswerLogProbs& pair, double probability) {
  const double c = pair.mean_chosen(), r = pair.mean_rejected();
  const double odds = (c - r) - (log_of_rest(c) - log_of_rest(r));
  const Slopes loss = both_ways(
      [&](double o) {
        return Slopes{-beta * log_sigmoid(o), -beta * sigmoid(-o)};
      },
      odds, probability);
  // d (x - log(1 - e^x)) / dx = 1 / (1 - e^x)
  const double by_c = tensor::exp_f64(-log_of_rest(c)), by_r = tensor::exp_f64(-log_of_rest(r));
  return {loss.value, loss.slope * by_c / static_cast<double>(pair.chosen_tokens),
          -loss.slope * by_r / static_cast<double>(pair.rejected_tokens), odds};
}

UnreferencedLoss cpo_loss(const CpoLossOptions& o, const AnswerLogProbs& pair, double probability) {
  const bool means = o.type == CpoLossType::kIpo || o.type == CpoLossType::kSimpo;
  const double d = means ? pair.mean_chosen() - pair.mean_rejected() : pair.chosen - pair.rejected;
  const double beta = o.beta, e = o.label_smoothing;
  const double shift = o.type == CpoLossType::kSimpo ? o.simpo_gamma / beta : 0;
  const auto loss = [&](double difference) -> Slopes {
    const double x = difference - shift;
    switch (o.type) {
      case CpoLossType::kHinge: return {std::fmax(0.0, 1 - beta * x), beta * x < 1 ? -beta : 0.0};
      case CpoLossType::kIpo: {
        const double off = x - 1 / (2 * beta);
        return {off * off, 2 * off};
      }
      case CpoLossType::kSigmoid:
      case CpoLossType::kSimpo: break;
    }
    return {-(1 - e) * log_sigmoid(beta * x) - e * log_sigmoid(-beta * x),
            -(1 - e) * beta * sigmoid(-beta * x) + e * beta * sigmoid(beta * x)};
  };
  const Slopes slopes = both_ways(loss, d, probability);
  const double per_chosen = means ? 1 / static_cast<double>(pair.chosen_tokens) : 1;
  const double per_rejected = means ? 1 / static_cast<double>(pair.rejected_tokens) : 1;
  return {slopes.value, slopes.slope * per_chosen, -slopes.slope * per_rejected};
}

}  // namespace hone::train
