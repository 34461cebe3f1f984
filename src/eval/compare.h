#pragma once
// Two reports on the same items: is the second better than the first?
//
// Items are paired by id; both reports must have the same ones (invalid_input says how many are
// missing where). Every metric that both have is compared: the difference second - first, its BCa
// bootstrap interval, exact McNemar when all values of both are 0 or 1, else the sign test, the
// smallest detectable effect, and the verdict by the rule of quality/verdict.h. A metric where
// lower is better is turned round for the verdict only; one where neither is gets none.
//
// The answer is the verdict on the first report's primary metric, or, without one, on the first
// shared metric that has a verdict.

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/report.h"
#include "quality/bootstrap.h"
#include "quality/verdict.h"

namespace hone::eval {

struct CompareOptions {
  quality::PowerOptions power;
  size_t bootstrap_rounds = 10000;
  uint64_t seed = 42;
};

struct MetricComparison {
  std::string name;
  Better better = Better::kNeither;
  bool binary = false;
  uint64_t n = 0;
  double first_mean = 0.0, second_mean = 0.0, difference = 0.0;
  quality::Interval interval;     // of the difference, at 1 - alpha
  uint64_t gained = 0, lost = 0;  // items on which the second's value is higher, lower
  quality::PairedTest test;       // McNemar or sign test
  double smallest_detectable_effect = 0.0;
  std::optional<quality::Judgement> judgement;  // none when neither way is better
};

struct Comparison {
  std::vector<MetricComparison> metrics;
  std::string primary;             // the metric that answers
  std::vector<std::string> notes;  // what a reader should know: other data, other settings

  bool is_better() const;  // exit 0 or 3
  Json to_json() const;
  std::string to_text() const;  // a table and one sentence
};

Comparison compare_reports(const Report& first, const Report& second,
                           const CompareOptions& options = {});

// "better", "too few (need about 120 more)", ...
std::string verdict_text(const quality::Judgement& judgement);

}  // namespace hone::eval
