#pragma once
// What hone quality aggregate says about people: how often each is right, which label each says too
// often, and evidence worth a look. Rows, never a verdict: a person decides.

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/quality_input.h"
#include "quality/aggregate.h"
#include "quality/near_duplicates.h"
#include "quality/trust.h"

namespace hone::cli {

// The label that a worker says most beyond what the tasks deserve.
struct Lean {
  uint32_t label = 0;     // class
  uint64_t said = 0;      // times
  double deserved = 0.0;  // times, by the posterior of the same tasks
  double z = 0.0;         // standard errors between the two
  bool is_large = false;  // z >= 4, 15 points or more of the worker's answers, 20 labels or more
};

struct WorkerReport {
  uint32_t worker = 0;
  uint64_t labels = 0;
  double accuracy = 0.0;  // probability that a label is right, by the posterior
  std::optional<quality::Interval> interval;
  std::optional<double> skill;  // the method's own (Aggregate::skill_name)
  Lean lean;
  uint64_t truth_tasks = 0, truth_right = 0;  // against --truth
  const quality::CrowdRow* crowd = nullptr;
  const quality::PatternRow* pattern = nullptr;
  const quality::TimeRow* time = nullptr;
  const quality::GoldRow* gold = nullptr;
  uint64_t near_duplicates = 0;      // pairs of rationales that this worker has a part in
  std::vector<std::string> remarks;  // in plain words; empty: nothing to say
};

struct WorkersReport {
  std::vector<WorkerReport> rows;  // by worker
  std::vector<quality::CrowdRow> crowd;
  std::vector<quality::PatternRow> patterns;
  std::vector<quality::TimeRow> times;
  quality::GoldEvidence gold;
  quality::NearDuplicates duplicates;
  std::vector<std::string> notes;
};

struct WorkersOptions {
  bool evidence = true;
  double false_discovery = 0.05;
  double floor_seconds = 0.0;  // 0: time is not judged
  uint64_t seed = 42;
};

// truth, gold: class of each task, or negative; empty: none. The input must outlive the report.
WorkersReport report_workers(const LabelInput& input, const quality::Aggregate& fit,
                             std::span<const int64_t> truth, std::span<const int64_t> gold,
                             const WorkersOptions& options, ThreadPool* pool);

Json worker_json(const WorkerReport& row, const LabelInput& input, const quality::Aggregate& fit);
// "worker,labels,accuracy,..." with its header.
std::string workers_csv(const WorkersReport& report, const LabelInput& input,
                        const quality::Aggregate& fit);

}  // namespace hone::cli
