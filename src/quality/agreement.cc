#include "quality/agreement.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>

#include "base/error.h"
#include "base/rng.h"
#include "base/thread_pool.h"
#include "quality/agreement_cohen.h"
#include "quality/agreement_patterns.h"
#include "quality/bootstrap.h"
#include "quality/resample_draws.h"

namespace hone::quality {
namespace {

constexpr size_t kMostReportedClasses = 1000;
constexpr uint32_t kNoTask = 0xffffffffu;
constexpr double kMostWork = 1e13;              // multiplications
constexpr size_t kMostStoredValues = 40000000;  // rounds x columns

constexpr std::array<std::string_view, 6> kMetricNames = {"percent", "cohen", "fleiss",
                                                          "alpha",   "ac1",   "ac2"};
constexpr std::array<std::string_view, 4> kLevelNames = {"nominal", "ordinal", "interval", "ratio"};
constexpr std::array<std::string_view, 4> kWeightNames = {"by-level", "none", "linear",
                                                          "quadratic"};

template <typename Enum, size_t size>
std::optional<Enum> by_name(const std::array<std::string_view, size>& names,
                            std::string_view name) {
  for (size_t i = 0; i < size; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

void check(const LabelTable& table, const AgreementOptions& options) {
  if (options.rounds != 0 && (options.rounds < 100 || options.rounds > 1000000)) {
    throw invalid_input("agreement: rounds must be 0 or lie between 100 and 1000000, got " +
                        std::to_string(options.rounds));
  }
  if (!(options.confidence > 0.0 && options.confidence < 1.0)) {
    throw invalid_input("agreement: the confidence must lie between 0 and 1");
  }
  const bool with_ratio =
      options.level == MeasurementLevel::kRatio &&
      (options.metric == AgreementMetric::kAlpha || options.metric == AgreementMetric::kAc2 ||
       options.metric == AgreementMetric::kCohen);
  if (!with_ratio) return;
  for (const double value : table.class_values()) {
    if (!(value >= 0.0)) {
      throw invalid_input("agreement: the ratio level needs numbers of at least 0, got " +
                          std::to_string(value) + ". Use --level interval.");
    }
  }
  if (table.class_count() > kMostWeightedClasses) {
    throw Error(ErrorCode::kTooLarge,
                "agreement: the ratio level takes at most " + std::to_string(kMostWeightedClasses) +
                    " different labels, here are " + std::to_string(table.class_count()) +
                    ". Use --level interval, or round the labels.");
  }
}

// Rounds of one statistic: row r holds what round r said, NaN inside where it is not defined.
class Rounds {
 public:
  Rounds(size_t rounds, size_t columns) : rounds_(rounds), values_(rounds * columns) {}

  void set(size_t column, size_t round, double value, bool defined) {
    values_[column * rounds_ + round] = defined ? value : std::nan("");
  }
  // Standard error and interval of a column; false when under half of the rounds are defined.
  bool summarise(size_t column, double confidence, Estimate& estimate) {
    estimate.interval = {estimate.value, estimate.value};
    const auto begin = values_.begin() + static_cast<std::ptrdiff_t>(column * rounds_);
    const auto end = std::remove_if(begin, begin + static_cast<std::ptrdiff_t>(rounds_),
                                    [](double value) { return std::isnan(value); });
    const std::span<double> defined(begin, end);
    if (!estimate.defined || defined.size() * 2 < rounds_ || defined.size() < 2) return false;
    double mean = 0.0, squares = 0.0;
    const double n = static_cast<double>(defined.size());
    for (const double value : defined) mean += value / n;
    for (const double value : defined) squares += (value - mean) * (value - mean);
    estimate.standard_error = std::sqrt(squares / (n - 1.0));
    std::sort(defined.begin(), defined.end());
    const double rim = (1.0 - confidence) / 2.0;
    estimate.interval = {sorted_quantile(defined, rim), sorted_quantile(defined, 1.0 - rim)};
    return true;
  }

 private:
  size_t rounds_;
  std::vector<double> values_;  // column after column
};

// Resamples the units; each counts in counter[of_unit[unit]]; measure(counter, scratch, values).
template <typename Scratch, typename Measure>
void resample(size_t rounds, uint64_t seed, std::span<const uint32_t> of_unit, size_t counters,
              ThreadPool* pool, Rounds& out, size_t classes, const Measure& measure) {
  struct Bench {
    std::vector<uint32_t> counter;
    Scratch scratch;
    AgreementValues values;
  };
  std::vector<Bench> benches(pool != nullptr ? pool->size() : 1);
  const auto one = [&](size_t round, size_t thread) {
    Bench& bench = benches[thread];
    bench.counter.assign(counters, 0);
    count_draws(seed, rng_stream("agreement", round), of_unit, bench.counter);
    measure(bench.counter, bench.scratch, bench.values);
    out.set(0, round, bench.values.value, bench.values.defined);
    for (size_t k = 0; k < classes; ++k) {
      const Estimate &metric = bench.values.metric[k], &specific = bench.values.specific[k];
      out.set(1 + 2 * k, round, metric.value, metric.defined);
      out.set(2 + 2 * k, round, specific.value, specific.defined);
    }
  };
  if (pool == nullptr) {
    for (size_t round = 0; round < rounds; ++round) one(round, 0);
  } else {
    pool->run(rounds, one);
  }
}

Estimate plain(const Estimate& value) {
  return {value.defined, value.value, 0.0, {value.value, value.value}};
}

// The pairs with most common tasks, by (common tasks, first, second).
struct PairCount {
  uint32_t first, second;
  uint64_t common;
};
bool before(const PairCount& a, const PairCount& b) {
  if (a.common != b.common) return a.common > b.common;
  return a.first != b.first ? a.first < b.first : a.second < b.second;
}

std::vector<PairCount> busiest_pairs(const LabelTable& table, size_t most, size_t min_common,
                                     uint64_t& left_out) {
  std::vector<PairCount> best;
  std::vector<uint64_t> common(table.worker_count(), 0);
  std::vector<uint32_t> met;
  uint64_t found = 0;
  for (uint32_t first = 0; first < table.worker_count(); ++first) {
    met.clear();
    uint32_t last_task = kNoTask;
    for (const uint32_t index : table.labels_of_worker(first)) {
      const uint32_t task = table.labels()[index].task;
      if (task == last_task) continue;  // several labels of one worker are one common task
      last_task = task;
      uint32_t last_worker = first;
      for (const Label& label : table.labels_of_task(task)) {
        if (label.worker <= first || label.worker == last_worker) continue;
        last_worker = label.worker;
        if (common[label.worker]++ == 0) met.push_back(label.worker);
      }
    }
    for (const uint32_t second : met) {
      if (common[second] >= min_common) {
        ++found;
        best.push_back({first, second, common[second]});
      }
      common[second] = 0;
    }
    if (best.size() > 2 * most + 65536) {
      std::nth_element(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(most), best.end(),
                       before);
      best.resize(most);
    }
  }
  std::sort(best.begin(), best.end(), before);
  if (best.size() > most) best.resize(most);
  left_out = found - best.size();
  return best;
}

PairAgreement pair_agreement(const LabelTable& table, const PairCount& pair, uint64_t index,
                             const AgreementOptions& options, const std::vector<double>& weights,
                             ThreadPool* pool) {
  std::vector<uint32_t> labels, begin = {0};
  std::vector<CohenCell> cells;
  uint64_t same = 0;
  const auto theirs = table.labels_of_worker(pair.second);
  for (const uint32_t mine_index : table.labels_of_worker(pair.first)) {
    const Label& mine = table.labels()[mine_index];
    auto at = std::partition_point(theirs.begin(), theirs.end(),
                                   [&](uint32_t i) { return table.labels()[i].task < mine.task; });
    for (; at != theirs.end() && table.labels()[*at].task == mine.task; ++at) {
      const uint32_t other = table.labels()[*at].value;
      labels.insert(labels.end(), {mine.value, other});
      begin.push_back(static_cast<uint32_t>(labels.size()));
      cells.push_back({static_cast<uint32_t>(cells.size()), mine.value, other});
      same += mine.value == other;
    }
  }
  PairAgreement result{pair.first, pair.second, pair.common, 0.0, {}};
  result.percent = static_cast<double>(same) / static_cast<double>(cells.size());
  AgreementValues values;
  Rounds rounds(options.rounds, 1);
  const uint64_t seed = rng_stream("agreement-pair", options.seed, index);
  if (options.metric == AgreementMetric::kCohen) {
    const size_t units = cells.size();
    const CohenPairs cohen(std::move(cells), {0, units}, table.class_count(), weights);
    CohenPairs::Scratch scratch;
    const std::vector<uint32_t> once(units, 1);
    cohen.evaluate(once, scratch, values);
    std::vector<uint32_t> identity(units);
    std::iota(identity.begin(), identity.end(), 0u);
    resample<CohenPairs::Scratch>(
        options.rounds, seed, identity, units, pool, rounds, 0,
        [&](const auto& counter, auto& own, auto& out) { cohen.evaluate(counter, own, out); });
  } else {
    const AgreementPatterns patterns(labels, begin, table.class_values(), options, weights, false);
    AgreementPatterns::Scratch scratch;
    patterns.evaluate(patterns.multiplicity(), scratch, values);
    resample<AgreementPatterns::Scratch>(
        options.rounds, seed, patterns.pattern_of_unit(), patterns.pattern_count(), pool, rounds, 0,
        [&](const auto& counter, auto& own, auto& out) { patterns.evaluate(counter, own, out); });
  }
  result.metric = plain({values.defined, values.value, 0.0, {}});
  if (options.rounds > 0) rounds.summarise(0, options.confidence, result.metric);
  return result;
}

std::string many(uint64_t count, const char* thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

void warn(const LabelTable& table, Agreement& result) {
  const uint64_t alone = table.task_count() - result.tasks;
  if (result.tasks == 0) {
    result.warnings.push_back(
        "No task has labels of two workers or more, so nothing can be said about agreement. Ask a "
        "second worker on some tasks.");
    return;
  }
  if (alone > 0) {
    result.warnings.push_back(many(alone, "task") + " of " + std::to_string(table.task_count()) +
                              (alone == 1 ? " has" : " have") +
                              " one label only and say nothing about agreement.");
  }
  if (!result.overall.defined) {
    result.warnings.push_back(
        "All labels are of one class, so chance alone would agree fully and this metric has no "
        "value; percent has.");
  }
  if (result.tasks < 30) {
    result.warnings.push_back("Only " + many(result.tasks, "task") +
                              " with two labels: the interval is rough below 30.");
  }
  if (table.conflicts() > 0) {
    result.warnings.push_back(many(table.conflicts(), "time") +
                              " a worker gave one task several different labels.");
  }
}

}  // namespace

std::optional<AgreementMetric> agreement_metric(std::string_view name) {
  return by_name<AgreementMetric>(kMetricNames, name);
}
std::optional<MeasurementLevel> measurement_level(std::string_view name) {
  return by_name<MeasurementLevel>(kLevelNames, name);
}
std::optional<AgreementWeights> agreement_weights(std::string_view name) {
  return by_name<AgreementWeights>(kWeightNames, name);
}
std::string_view agreement_metric_name(AgreementMetric metric) {
  return kMetricNames[static_cast<size_t>(metric)];
}

Agreement agreement(const LabelTable& table, const AgreementOptions& options, ThreadPool* pool) {
  check(table, options);
  const std::vector<double> weights = agreement_weight_matrix(table, options);
  const bool with_classes = table.class_count() <= kMostReportedClasses;
  const size_t classes = with_classes ? table.class_count() : 0;

  Agreement result;
  result.metric = options.metric;
  std::vector<uint32_t> labels, begin = {0};
  std::vector<uint64_t> labels_of_class(classes, 0);
  std::vector<uint8_t> took_part(table.worker_count(), 0);
  labels.reserve(table.label_count());
  for (size_t task = 0; task < table.task_count(); ++task) {
    const auto own = table.labels_of_task(task);
    const bool paired = own.size() > 1 && own.front().worker != own.back().worker;
    result.tasks += paired;
    for (const Label& label : own) {
      labels.push_back(label.value);
      if (!paired) continue;
      ++result.labels;
      took_part[label.worker] = 1;
      if (with_classes) ++labels_of_class[label.value];
    }
    if (!own.empty()) begin.push_back(static_cast<uint32_t>(labels.size()));
  }
  result.workers = static_cast<uint64_t>(std::count(took_part.begin(), took_part.end(), 1));

  size_t rounds_for_classes = classes;
  if (options.rounds * (1 + 2 * classes) > kMostStoredValues) {
    rounds_for_classes = 0;
    result.warnings.push_back(
        "Too many rounds for so many classes: intervals of the single "
        "classes are left out. Use fewer --rounds.");
  }
  AgreementValues values;
  Rounds rounds(options.rounds, 1 + 2 * rounds_for_classes);
  if (options.metric == AgreementMetric::kCohen) {
    const CohenCrowd cohen(table, weights, with_classes);
    if (cohen.work() * static_cast<double>(options.rounds) > kMostWork) {
      throw Error(ErrorCode::kTooLarge,
                  "agreement: an interval of cohen over so many labels and classes would take "
                  "hours. Use fewer --rounds, or alpha.");
    }
    std::vector<uint32_t> identity(table.task_count());
    std::iota(identity.begin(), identity.end(), 0u);
    CohenCrowd::Scratch scratch;
    cohen.evaluate(std::vector<uint32_t>(table.task_count(), 1), scratch, values);
    resample<CohenCrowd::Scratch>(
        options.rounds, options.seed, identity, table.task_count(), pool, rounds,
        rounds_for_classes,
        [&](const auto& counter, auto& own, auto& out) { cohen.evaluate(counter, own, out); });
  } else {
    const AgreementPatterns patterns(labels, begin, table.class_values(), options, weights,
                                     with_classes);
    AgreementPatterns::Scratch scratch;
    patterns.evaluate(patterns.multiplicity(), scratch, values);
    resample<AgreementPatterns::Scratch>(
        options.rounds, options.seed, patterns.pattern_of_unit(), patterns.pattern_count(), pool,
        rounds, rounds_for_classes,
        [&](const auto& counter, auto& own, auto& out) { patterns.evaluate(counter, own, out); });
  }
  result.observed = values.observed;
  result.expected = values.expected;
  result.overall = plain({values.defined, values.value, 0.0, {}});
  const bool summarised =
      options.rounds == 0 || rounds.summarise(0, options.confidence, result.overall);
  for (uint32_t k = 0; k < classes && !values.metric.empty(); ++k) {
    ClassAgreement row{k, labels_of_class[k], plain(values.metric[k]), plain(values.specific[k])};
    if (options.rounds > 0 && rounds_for_classes > 0) {
      rounds.summarise(1 + 2 * k, options.confidence, row.metric);
      rounds.summarise(2 + 2 * k, options.confidence, row.specific);
    }
    result.classes.push_back(row);
  }
  if (options.pairs > 0) {
    const auto pairs = busiest_pairs(
        table, options.pairs, std::max<size_t>(options.min_pair_tasks, 1), result.pairs_left_out);
    for (const PairCount& pair : pairs) {
      const uint64_t index = (static_cast<uint64_t>(pair.first) << 32) | pair.second;
      result.pairs.push_back(pair_agreement(table, pair, index, options, weights, pool));
    }
  }
  warn(table, result);
  if (result.overall.defined && !summarised) {
    result.warnings.push_back(
        "Most resamples of the tasks have labels of one class only: there is "
        "no interval.");
  }
  return result;
}

Estimate cohen_kappa(std::span<const uint32_t> first, std::span<const uint32_t> second,
                     size_t classes, AgreementWeights weights) {
  if (first.size() != second.size()) {
    throw invalid_input("cohen_kappa: " + std::to_string(first.size()) + " verdicts against " +
                        std::to_string(second.size()));
  }
  if (classes > kMostWeightedClasses) {
    throw Error(ErrorCode::kTooLarge,
                "cohen_kappa: at most " + std::to_string(kMostWeightedClasses) + " classes");
  }
  std::vector<double> matrix;
  if (classes > 1 &&
      (weights == AgreementWeights::kLinear || weights == AgreementWeights::kQuadratic)) {
    matrix.resize(classes * classes);
    for (size_t a = 0; a < classes; ++a) {
      for (size_t b = 0; b < classes; ++b) {
        const double gap =
            (static_cast<double>(a) - static_cast<double>(b)) / static_cast<double>(classes - 1);
        matrix[a * classes + b] =
            1.0 - (weights == AgreementWeights::kLinear ? std::fabs(gap) : gap * gap);
      }
    }
  }
  std::vector<CohenCell> cells;
  for (size_t i = 0; i < first.size(); ++i) {
    if (first[i] >= classes || second[i] >= classes) {
      throw invalid_input("cohen_kappa: verdict " + std::to_string(std::max(first[i], second[i])) +
                          " with " + std::to_string(classes) + " classes");
    }
    cells.push_back({0, first[i], second[i]});
  }
  const CohenPairs cohen(std::move(cells), {0, first.size()}, classes, std::move(matrix));
  const std::vector<uint32_t> once(1, 1);
  CohenPairs::Scratch scratch;
  AgreementValues values;
  cohen.evaluate(once, scratch, values);
  return plain({values.defined, values.value, 0.0, {}});
}

}  // namespace hone::quality
