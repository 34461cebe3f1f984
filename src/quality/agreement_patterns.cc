#include "quality/agreement_patterns.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "base/error.h"

namespace hone::quality {
namespace {

double square(double x) { return x * x; }

void set(Estimate& estimate, double numerator, double denominator) {
  estimate.defined = denominator > 0.0;
  estimate.value = estimate.defined ? numerator / denominator : 0.0;
}

std::vector<double> ratio_distances(std::span<const double> values) {
  const size_t k = values.size();
  std::vector<double> distance(k * k, 0.0);
  for (size_t a = 0; a < k; ++a) {
    for (size_t b = 0; b < k; ++b) {
      const double sum = values[a] + values[b];
      if (sum > 0.0) distance[a * k + b] = square((values[a] - values[b]) / sum);
    }
  }
  return distance;
}

}  // namespace

std::vector<double> agreement_weight_matrix(const LabelTable& table,
                                            const AgreementOptions& options) {
  const bool ac2 = options.metric == AgreementMetric::kAc2;
  if (!ac2 && options.metric != AgreementMetric::kCohen) return {};
  const bool by_value =
      options.level == MeasurementLevel::kInterval || options.level == MeasurementLevel::kRatio;
  enum class Shape { kLinear, kQuadratic, kOrdinal, kRatio } shape = Shape::kLinear;
  switch (options.weights) {
    case AgreementWeights::kNone: return {};
    case AgreementWeights::kLinear: break;
    case AgreementWeights::kQuadratic: shape = Shape::kQuadratic; break;
    case AgreementWeights::kByLevel:
      switch (options.level) {
        case MeasurementLevel::kNominal: return {};
        case MeasurementLevel::kOrdinal: shape = ac2 ? Shape::kOrdinal : Shape::kLinear; break;
        case MeasurementLevel::kInterval: shape = Shape::kQuadratic; break;
        case MeasurementLevel::kRatio: shape = Shape::kRatio; break;
      }
  }
  const size_t k = table.class_count();
  if (k > kMostWeightedClasses) {
    throw Error(ErrorCode::kTooLarge,
                "agreement: weights are for at most " + std::to_string(kMostWeightedClasses) +
                    " different labels, here are " + std::to_string(k) +
                    ". Use alpha with --level interval, or round the labels.");
  }
  std::vector<double> x(k);
  for (size_t a = 0; a < k; ++a) x[a] = by_value ? table.class_values()[a] : static_cast<double>(a);
  const auto [low, high] = std::minmax_element(x.begin(), x.end());
  const double range = *high - *low;
  const double widest = *high + *low > 0.0 ? square(range / (*high + *low)) : 0.0;
  const double size = static_cast<double>(k);
  std::vector<double> weights(k * k, 1.0);
  for (size_t a = 0; a < k; ++a) {
    for (size_t b = 0; b < k; ++b) {
      if (a == b || !(range > 0.0)) continue;
      const double gap = std::fabs(x[a] - x[b]);
      double& weight = weights[a * k + b];
      switch (shape) {
        case Shape::kLinear: weight = 1.0 - gap / range; break;
        case Shape::kQuadratic: weight = 1.0 - square(gap / range); break;
        case Shape::kOrdinal: weight = 1.0 - (gap + 1.0) * gap / (size * (size - 1.0)); break;
        case Shape::kRatio: weight = 1.0 - square(gap / (x[a] + x[b])) / widest; break;
      }
    }
  }
  return weights;
}

AgreementPatterns::AgreementPatterns(std::span<const uint32_t> labels,
                                     std::span<const uint32_t> begin,
                                     std::span<const double> class_values,
                                     const AgreementOptions& options, std::vector<double> weights,
                                     bool with_classes)
    : metric_(options.metric),
      level_(options.level),
      class_count_(class_values.size()),
      with_classes_(with_classes),
      weights_(std::move(weights)) {
  const size_t units = begin.size() - 1;
  std::vector<uint32_t> sorted(labels.begin(), labels.end());
  std::vector<uint32_t> by_labels(units);
  std::iota(by_labels.begin(), by_labels.end(), 0u);
  const auto of = [&](uint32_t unit) {
    return std::span(sorted).subspan(begin[unit], begin[unit + 1] - begin[unit]);
  };
  for (uint32_t unit = 0; unit < units; ++unit) std::sort(of(unit).begin(), of(unit).end());
  std::sort(by_labels.begin(), by_labels.end(), [&](uint32_t a, uint32_t b) {
    const auto x = of(a), y = of(b);
    if (x.size() != y.size()) return x.size() < y.size();
    const auto [p, q] = std::mismatch(x.begin(), x.end(), y.begin());
    return p != x.end() ? *p < *q : a < b;
  });

  if (metric_ == AgreementMetric::kAlpha && level_ == MeasurementLevel::kRatio) {
    distance_ = ratio_distances(class_values);
  }
  class_values_.assign(class_values.begin(), class_values.end());
  if (level_ == MeasurementLevel::kInterval) {  // distances do not move, squares lose less
    const double middle = class_values_[class_count_ / 2];
    for (double& value : class_values_) value -= middle;
  }
  weight_sum_ = weights_.empty() ? static_cast<double>(class_count_)
                                 : std::accumulate(weights_.begin(), weights_.end(), 0.0);

  pattern_of_unit_.resize(units);
  entry_begin_.push_back(0);
  for (size_t i = 0; i < units; ++i) {
    const auto mine = of(by_labels[i]);
    if (i > 0 && std::ranges::equal(mine, of(by_labels[i - 1]))) {
      ++multiplicity_.back();
      pattern_of_unit_[by_labels[i]] = static_cast<uint32_t>(multiplicity_.size() - 1);
      continue;
    }
    const double n = static_cast<double>(mine.size());
    const bool paired = mine.size() > 1;
    const size_t first = entries_.size();
    for (size_t from = 0; from < mine.size();) {
      size_t to = from;
      while (to < mine.size() && mine[to] == mine[from]) ++to;
      const double count = static_cast<double>(to - from);
      entries_.push_back({mine[from], count, count / n,
                          paired ? count * (count - 1.0) / (n - 1.0) : 0.0,
                          paired ? count * (n - count) / (n * (n - 1.0)) : 0.0});
      from = to;
    }
    double observed = 0.0;
    if (paired) {
      const std::span<const Entry> own(entries_.data() + first, entries_.size() - first);
      if (!distance_.empty()) {
        for (const Entry& a : own) {
          for (const Entry& b : own) {
            observed += a.count * b.count * distance_[a.label_class * class_count_ + b.label_class];
          }
        }
        observed /= n - 1.0;
      } else if (metric_ == AgreementMetric::kAlpha && level_ == MeasurementLevel::kInterval) {
        double sum = 0.0, squares = 0.0;
        for (const Entry& a : own) {
          sum += a.count * class_values_[a.label_class];
          squares += a.count * square(class_values_[a.label_class]);
        }
        observed = 2.0 * std::max(0.0, n * squares - sum * sum) / (n - 1.0);
        if (own.size() == 1) observed = 0.0;
      } else if (metric_ == AgreementMetric::kAc2 && !weights_.empty()) {
        for (const Entry& a : own) {
          double credit = -1.0;  // not with itself
          for (const Entry& b : own) {
            credit += weights_[a.label_class * class_count_ + b.label_class] * b.count;
          }
          observed += a.count * credit;
        }
        observed /= n * (n - 1.0);
      } else {
        for (const Entry& a : own) observed += a.agreeing / n;
      }
    }
    labels_of_.push_back(n);
    observed_of_.push_back(observed);
    entry_begin_.push_back(static_cast<uint32_t>(entries_.size()));
    multiplicity_.push_back(1);
    pattern_of_unit_[by_labels[i]] = static_cast<uint32_t>(multiplicity_.size() - 1);
  }
}

void AgreementPatterns::evaluate(std::span<const uint32_t> multiplicity, Scratch& scratch,
                                 AgreementValues& values) const {
  scratch.total.assign(class_count_, 0.0);
  scratch.share.assign(class_count_, 0.0);
  scratch.agreeing.assign(class_count_, 0.0);
  scratch.disagreeing.assign(class_count_, 0.0);
  double units = 0.0, labels = 0.0, observed = 0.0;
  for (size_t p = 0; p < labels_of_.size(); ++p) {
    if (multiplicity[p] == 0 || labels_of_[p] < 2.0) continue;
    const double times = static_cast<double>(multiplicity[p]);
    units += times;
    labels += times * labels_of_[p];
    observed += times * observed_of_[p];
    for (size_t e = entry_begin_[p]; e < entry_begin_[p + 1]; ++e) {
      const Entry& entry = entries_[e];
      scratch.total[entry.label_class] += times * entry.count;
      scratch.share[entry.label_class] += times * entry.share;
      scratch.agreeing[entry.label_class] += times * entry.agreeing;
      scratch.disagreeing[entry.label_class] += times * entry.disagreeing;
    }
  }
  values = {false, 0.0, 0.0, 0.0, std::move(values.metric), std::move(values.specific)};
  if (units == 0.0) {
    values.metric.assign(with_classes_ ? class_count_ : 0, {});
    values.specific.assign(with_classes_ ? class_count_ : 0, {});
    return;
  }
  values.observed = observed / units;
  switch (metric_) {
    case AgreementMetric::kPercent:
      values.defined = true;
      values.value = values.observed;
      break;
    case AgreementMetric::kFleiss:
      for (const double total : scratch.total) values.expected += square(total / labels);
      break;
    case AgreementMetric::kAc1:
    case AgreementMetric::kAc2:
      if (class_count_ > 1) {
        const double k = static_cast<double>(class_count_);
        for (const double share : scratch.share) {
          values.expected += share / units * (1.0 - share / units);
        }
        values.expected *= weight_sum_ / (k * (k - 1.0));
      } else {
        values.expected = 1.0;
      }
      break;
    case AgreementMetric::kAlpha: alpha(multiplicity, scratch, values); break;
    case AgreementMetric::kCohen: break;  // agreement_cohen.h
  }
  if (metric_ == AgreementMetric::kFleiss || metric_ == AgreementMetric::kAc1 ||
      metric_ == AgreementMetric::kAc2) {
    values.defined = values.expected < 1.0;
    if (values.defined) {
      values.value = (values.observed - values.expected) / (1.0 - values.expected);
    }
  }
  if (with_classes_) classes(scratch, units, labels, values);
}

void AgreementPatterns::alpha(std::span<const uint32_t> multiplicity, Scratch& scratch,
                              AgreementValues& values) const {
  double labels = 0.0;
  for (const double total : scratch.total) labels += total;
  double seen = 0.0, chance = 0.0;
  if (level_ == MeasurementLevel::kNominal) {
    double squares = 0.0;
    for (size_t k = 0; k < class_count_; ++k) {
      seen += scratch.total[k] - scratch.agreeing[k];
      squares += square(scratch.total[k]);
    }
    chance = labels * labels - squares;
  } else if (level_ == MeasurementLevel::kRatio) {
    for (size_t p = 0; p < labels_of_.size(); ++p) {
      seen += static_cast<double>(multiplicity[p]) * observed_of_[p];
    }
    for (size_t a = 0; a < class_count_; ++a) {
      if (scratch.total[a] == 0.0) continue;
      double row = 0.0;
      for (size_t b = 0; b < class_count_; ++b) {
        row += scratch.total[b] * distance_[a * class_count_ + b];
      }
      chance += scratch.total[a] * row;
    }
  } else {
    // Ordinal: the distance of two classes is the difference of their mean ranks (Krippendorff's
    // sum over the classes between them, the two ends half), so it is the interval level on ranks.
    std::span<const double> x = class_values_;
    if (level_ == MeasurementLevel::kOrdinal) {
      scratch.position.resize(class_count_);
      double below = -0.5 * labels;
      for (size_t k = 0; k < class_count_; ++k) {
        scratch.position[k] = below + 0.5 * scratch.total[k];
        below += scratch.total[k];
      }
      x = scratch.position;
    }
    for (size_t p = 0; p < labels_of_.size(); ++p) {
      if (multiplicity[p] == 0 || labels_of_[p] < 2.0) continue;
      double within = observed_of_[p];
      if (level_ == MeasurementLevel::kOrdinal) {
        double sum = 0.0, squares = 0.0;
        for (size_t e = entry_begin_[p]; e < entry_begin_[p + 1]; ++e) {
          const Entry& entry = entries_[e];
          sum += entry.count * x[entry.label_class];
          squares += entry.count * square(x[entry.label_class]);
        }
        within =
            entry_begin_[p + 1] - entry_begin_[p] == 1
                ? 0.0
                : 2.0 * std::max(0.0, labels_of_[p] * squares - sum * sum) / (labels_of_[p] - 1.0);
      }
      seen += static_cast<double>(multiplicity[p]) * within;
    }
    double mean = 0.0;
    size_t classes_seen = 0;
    for (size_t k = 0; k < class_count_; ++k) {
      mean += scratch.total[k] * x[k] / labels;
      classes_seen += scratch.total[k] > 0.0;
    }
    for (size_t k = 0; k < class_count_; ++k) {
      chance += 2.0 * labels * scratch.total[k] * square(x[k] - mean);
    }
    if (classes_seen < 2) chance = 0.0;
  }
  chance /= labels - 1.0;
  values.observed = seen / labels;
  values.expected = chance / labels;
  values.defined = chance > 0.0;
  if (values.defined) values.value = 1.0 - seen / chance;
}

void AgreementPatterns::classes(const Scratch& scratch, double units, double labels,
                                AgreementValues& values) const {
  values.metric.resize(class_count_);
  values.specific.resize(class_count_);
  for (size_t k = 0; k < class_count_; ++k) {
    const double total = scratch.total[k];
    const double observed = 1.0 - 2.0 * scratch.disagreeing[k] / units;
    double expected = 0.0;
    switch (metric_) {
      case AgreementMetric::kPercent: set(values.metric[k], observed, 1.0); break;
      case AgreementMetric::kFleiss:
        expected = square(total / labels) + square(1.0 - total / labels);
        break;
      case AgreementMetric::kAc1:
      case AgreementMetric::kAc2:
        expected = 2.0 * scratch.share[k] / units * (1.0 - scratch.share[k] / units);
        break;
      case AgreementMetric::kAlpha: {
        const double seen = 2.0 * (total - scratch.agreeing[k]);
        const double chance = 2.0 * total * (labels - total) / (labels - 1.0);
        set(values.metric[k], chance - seen, chance);
        break;
      }
      case AgreementMetric::kCohen: break;
    }
    if (metric_ == AgreementMetric::kFleiss || metric_ == AgreementMetric::kAc1 ||
        metric_ == AgreementMetric::kAc2) {
      set(values.metric[k], observed - expected, 1.0 - expected);
    }
    // n_ik (n_i - 1) / (n_i - 1): each label k meets the others of its task with weight one in sum.
    set(values.specific[k], scratch.agreeing[k], total);
  }
}

}  // namespace hone::quality
