#include "quality/verdict.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "quality/normal.h"

namespace hone::quality {
namespace {

constexpr double kMostItems = 9007199254740992.0;  // 2^53

struct Quantiles {
  double alpha, power;
};

Quantiles quantiles(const PowerOptions& options) {
  if (!(options.alpha > 0.0 && options.alpha < 1.0) ||
      !(options.power >= 0.5 && options.power < 1.0) ||
      !(options.effect_rate > 0.0 && options.effect_rate <= 1.0) || !(options.effect_sd > 0.0)) {
    throw invalid_input("power: needs alpha in (0, 1), power in [0.5, 1), effects above 0");
  }
  return {normal_quantile(1.0 - options.alpha / 2.0),
          options.power == 0.5 ? 0.0 : normal_quantile(options.power)};
}

double needed_rate(double effect, double discordance, const Quantiles& z) {
  const double spread = std::max(discordance, effect);
  const double rest = std::max(0.0, spread - effect * effect);
  const double root = z.alpha * std::sqrt(spread) + z.power * std::sqrt(rest);
  return root * root / (effect * effect);
}

uint64_t round_up(double items) {
  return static_cast<uint64_t>(std::ceil(std::min(items, kMostItems)));
}

uint64_t more(uint64_t needed, uint64_t n) { return needed > n ? needed - n : 1; }

// Rules 2 to 5; the callers have dealt with rule 1.
Judgement decide(uint64_t n, double difference, bool significant, double detectable,
                 uint64_t needed_for_observed, uint64_t needed_for_what_matters) {
  Judgement result;
  result.smallest_detectable_effect = detectable;
  if (significant && std::fabs(difference) >= detectable) {
    result.verdict = difference > 0 ? Verdict::kBetter : Verdict::kWorse;
  } else if (significant) {
    result.items_more = more(needed_for_observed, n);
  } else if (n >= needed_for_what_matters) {
    result.verdict = Verdict::kNoDifferenceShown;
  } else {
    result.items_more = more(needed_for_what_matters, n);
  }
  return result;
}

}  // namespace

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kBetter: return "better";
    case Verdict::kNoDifferenceShown: return "no difference shown";
    case Verdict::kWorse: return "worse";
    case Verdict::kTooFew: break;
  }
  return "too few";
}

uint64_t items_needed_rate(double effect, double discordance, const PowerOptions& options) {
  if (!(effect > 0.0 && effect <= 1.0) || !(discordance >= 0.0 && discordance <= 1.0)) {
    throw invalid_input("items needed: effect must lie in (0, 1] and discordance in [0, 1]");
  }
  return round_up(needed_rate(effect, discordance, quantiles(options)));
}

uint64_t items_needed_mean(double effect, double sd, const PowerOptions& options) {
  if (!(effect > 0.0) || !(sd >= 0.0)) {
    throw invalid_input("items needed: effect must be above 0 and sd at least 0");
  }
  const Quantiles z = quantiles(options);
  const double root = (z.alpha + z.power) * sd / effect;
  return round_up(root * root);
}

double smallest_detectable_rate(uint64_t n, double discordance, const PowerOptions& options) {
  if (!(discordance >= 0.0 && discordance <= 1.0)) {
    throw invalid_input("smallest detectable effect: discordance must lie in [0, 1]");
  }
  const Quantiles z = quantiles(options);
  const double items = static_cast<double>(n);
  double low = 0.0, high = 1.0;  // needed_rate falls as the effect grows
  if (needed_rate(high, discordance, z) > items) return 1.0;
  for (;;) {
    const double middle = low + (high - low) / 2.0;
    if (middle <= low || middle >= high) return high;
    (needed_rate(middle, discordance, z) > items ? low : high) = middle;
  }
}

double smallest_detectable_mean(uint64_t n, double sd, const PowerOptions& options) {
  if (n == 0 || !(sd >= 0.0)) {
    throw invalid_input("smallest detectable effect: needs items and sd at least 0");
  }
  const Quantiles z = quantiles(options);
  return (z.alpha + z.power) * sd / std::sqrt(static_cast<double>(n));
}

Judgement judge_rates(uint64_t n, uint64_t gained, uint64_t lost, const PowerOptions& options) {
  if (gained > n || lost > n - gained) {
    throw invalid_input("verdict: more discordant items than items");
  }
  const double items = static_cast<double>(std::max<uint64_t>(n, 1));
  const double discordance = static_cast<double>(gained + lost) / items;
  const double difference = (static_cast<double>(gained) - static_cast<double>(lost)) / items;
  const double detectable = smallest_detectable_rate(n, discordance, options);
  const uint64_t matters = items_needed_rate(options.effect_rate, discordance, options);
  if (n < kFewestItems) return {Verdict::kTooFew, detectable, more(matters, n)};
  const bool significant = mcnemar(gained, lost).p < options.alpha;
  const uint64_t observed =
      significant ? items_needed_rate(std::fabs(difference), discordance, options) : 0;
  return decide(n, difference, significant, detectable, observed, matters);
}

Judgement judge_means(uint64_t n, double difference, double sd, const Interval& interval,
                      const PowerOptions& options) {
  const double detectable = smallest_detectable_mean(std::max<uint64_t>(n, 1), sd, options);
  const uint64_t matters = items_needed_mean(options.effect_sd, 1.0, options);
  if (n < kFewestItems) return {Verdict::kTooFew, detectable, more(matters, n)};
  const bool significant =
      (interval.low > 0.0 && difference > 0.0) || (interval.high < 0.0 && difference < 0.0);
  const uint64_t observed = significant ? items_needed_mean(std::fabs(difference), sd, options) : 0;
  return decide(n, difference, significant, detectable, observed, matters);
}

}  // namespace hone::quality
