#pragma once
// How far the workers agree, beyond what chance would give: one number, its interval, the same for
// each pair of workers and for each class against the rest.
//
//   percent  share of agreeing pairs of labels, mean over tasks with two labels or more
//   cohen    Cohen (1960), weighted: Cohen (1968); more than two workers: Conger (1980), chance from
//            each worker's own class shares, every two labels of a task count alike
//   fleiss   Fleiss (1971); unequal numbers of labels: mean agreement over tasks, pooled class shares
//   alpha    Krippendorff (Content Analysis, 2004, ch. 11); the one to use when labels are missing
//   ac1 ac2  Gwet (2008, 2014), class shares are means over tasks; ac2 takes the weights. For
//            when one class is much more frequent than the rest
//
// Tasks with one label say nothing and are left out everywhere.
//
// Per class: the same metric after merging all other classes (nominal), and the share of agreement
// specific to the class: of the pairs in which one label is this class, how often the other is too.
// Per pair of workers: percent and the metric on their common tasks alone.
//
// Intervals resample tasks with replacement (a task keeps all its labels), percentiles of `rounds`
// rounds. A round draws from Rng(seed, "agreement", round), so the bits do not depend on threads.
// Tasks with equal counts of labels are one pattern: a round costs one draw a task and then the
// patterns, not the labels. Pure; pool may be nullptr; throws invalid_input on options outside
// their domain, ratio levels with negative numbers, and too_large above the bounds below.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quality/label_table.h"
#include "quality/paired_tests.h"

namespace hone {
class ThreadPool;
}

namespace hone::quality {

enum class AgreementMetric { kPercent, kCohen, kFleiss, kAlpha, kAc1, kAc2 };
// What the distance of two classes means. Ordinal: their order (the table's); interval and ratio:
// LabelTable::class_values().
enum class MeasurementLevel { kNominal, kOrdinal, kInterval, kRatio };
// Partial credit in cohen and ac2. kByLevel: none for nominal; ordinal: linear for cohen, Gwet's
// ordinal weights for ac2; interval: quadratic; ratio: Gwet's ratio weights. kLinear and kQuadratic
// go by position, at the interval and ratio levels by value. Alpha has its level instead; percent,
// fleiss and ac1 have none.
enum class AgreementWeights { kByLevel, kNone, kLinear, kQuadratic };

// Names as in `--metric` and `--level`: percent cohen fleiss alpha ac1 ac2; nominal ordinal
// interval ratio; weights by-level none linear quadratic.
std::optional<AgreementMetric> agreement_metric(std::string_view name);
std::optional<MeasurementLevel> measurement_level(std::string_view name);
std::optional<AgreementWeights> agreement_weights(std::string_view name);
std::string_view agreement_metric_name(AgreementMetric metric);

inline constexpr size_t kMostWeightedClasses = 2048;  // a weight matrix is classes x classes

struct AgreementOptions {
  AgreementMetric metric = AgreementMetric::kAlpha;
  MeasurementLevel level = MeasurementLevel::kNominal;
  AgreementWeights weights = AgreementWeights::kByLevel;
  size_t rounds = 1000;  // 0 = no intervals; else 100 to 1,000,000
  double confidence = 0.95;
  uint64_t seed = 42;
  size_t pairs = 0;           // how many pairs of workers to report: those with most common tasks
  size_t min_pair_tasks = 2;  // fewer common tasks: the pair is left out
};

struct Estimate {
  bool defined = false;  // false: 0 / 0, say because there is only one class; see the warnings
  double value = 0.0;
  double standard_error = 0.0;  // of the rounds; 0 without rounds
  Interval interval;            // [value, value] without rounds
};

struct ClassAgreement {
  uint32_t label_class = 0;  // index into classes()
  uint64_t labels = 0;       // on tasks with two labels or more
  Estimate metric;           // this class against the rest
  Estimate specific;         // share of agreement specific to this class
};

struct PairAgreement {
  uint32_t first = 0, second = 0;  // workers, first < second
  uint64_t common_tasks = 0;
  double percent = 0.0;
  Estimate metric;
};

struct Agreement {
  AgreementMetric metric = AgreementMetric::kAlpha;
  Estimate overall;
  double observed = 0.0;  // agreement seen (weighted); alpha: mean squared distance seen
  double expected = 0.0;  // the same by chance
  uint64_t tasks = 0;     // with two labels or more: the others say nothing
  uint64_t labels = 0;    // on those tasks
  uint64_t workers = 0;   // who gave them
  std::vector<ClassAgreement> classes;  // ascending; empty when there are over 1,000 classes
  std::vector<PairAgreement> pairs;     // most common tasks first, then by (first, second)
  uint64_t pairs_left_out = 0;          // pairs with enough common tasks beyond options.pairs
  std::vector<std::string> warnings;
};

Agreement agreement(const LabelTable& table, const AgreementOptions& options = {},
                    ThreadPool* pool = nullptr);

// Cohen's kappa of two raters' verdicts on the same items, items[i] = (first's class, second's).
// For judges and quick checks; weights as above by position. No interval.
Estimate cohen_kappa(std::span<const uint32_t> first, std::span<const uint32_t> second,
                     size_t classes, AgreementWeights weights = AgreementWeights::kNone);

}  // namespace hone::quality
