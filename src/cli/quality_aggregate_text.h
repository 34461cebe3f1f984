#pragma once
// What hone quality aggregate tells: as text for a labelling lead, as JSON, as charts.

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/quality_input.h"
#include "cli/quality_outputs.h"
#include "cli/quality_plot.h"
#include "cli/quality_text.h"
#include "cli/quality_workers.h"
#include "quality/aggregate.h"
#include "quality/next_label.h"

namespace hone::cli {

inline constexpr size_t kMostConfusionClasses = 40;  // more: no confusion table, it is their square

struct AggregateReport {
  LabelInput input;
  quality::Method asked = quality::Method::kAuto;
  quality::Aggregate fit;
  quality::StopRule rule;
  std::optional<TruthInput> truth, gold;
  WorkersReport workers;

  // judge_tasks fills these.
  uint64_t sure = 0, ask = 0, undecided = 0, ties = 0;
  quality::NextTasks next;                    // where one more label tells most
  double typical_accuracy = 0.0;              // of a label
  std::optional<quality::Accuracy> accuracy;  // against truth; labels nobody gave count as wrong
  std::optional<quality::Interval> accuracy_interval;
};

void judge_tasks(AggregateReport& report);
std::vector<std::string> report_warnings(const AggregateReport& report);
std::string aggregate_text(const AggregateReport& report);
Json aggregate_json(const AggregateReport& report);
std::vector<Chart> aggregate_charts(const AggregateReport& report);

}  // namespace hone::cli
