#include "cli/quality_workers.h"

#include <algorithm>
#include <cmath>

#include "cli/quality_text.h"

namespace hone::cli {

namespace {

constexpr uint64_t kMostIntervals = 4000000;  // workers x classes x classes that are computed
constexpr uint64_t kMostPatternAnswers = 2000000;
constexpr uint64_t kPatternWork = 20000000;  // answers x permutations, about
constexpr double kLargeLean = 0.15;
constexpr double kLargeLeanZ = 4.0;
constexpr uint64_t kFewestForLean = 20;

Lean lean_of(const quality::LabelTable& table, const quality::Aggregate& fit, size_t worker) {
  const size_t classes = table.class_count();
  const auto labels = table.labels_of_worker(worker);
  std::vector<uint64_t> said(classes, 0);
  std::vector<double> deserved(classes, 0.0), variance(classes, 0.0);
  for (const uint32_t at : labels) {
    const quality::Label& label = table.labels()[at];
    ++said[label.value];
    for (size_t k = 0; k < classes; ++k) {
      const double p = fit.posterior[label.task * classes + k];
      deserved[k] += p;
      variance[k] += p * (1.0 - p);
    }
  }
  Lean lean;
  const double n = static_cast<double>(labels.size());
  for (size_t k = 0; k < classes; ++k) {
    const double excess = static_cast<double>(said[k]) - deserved[k];
    if (excess <= 0) continue;
    // The chance that remains even for a perfect worker, and that of a label's share; the larger.
    const double share = (deserved[k] + 1.0) / (n + 2.0);
    const double z = excess / std::sqrt(std::max(variance[k], n * share * (1.0 - share)));
    if (z > lean.z) {
      lean.label = static_cast<uint32_t>(k);
      lean.said = said[k];
      lean.deserved = deserved[k];
      lean.z = z;
      lean.is_large =
          z >= kLargeLeanZ && excess >= kLargeLean * n && labels.size() >= kFewestForLean;
    }
  }
  return lean;
}

std::vector<uint32_t> time_order(const LabelInput& input) {
  const auto labels = input.table.labels();
  std::vector<uint32_t> order;
  std::vector<bool> taken(labels.size(), false);
  order.reserve(labels.size());
  for (const quality::Answer& answer : input.answers) {
    const auto of_task = input.table.labels_of_task(answer.task);
    const auto found = std::lower_bound(
        of_task.begin(), of_task.end(), answer, [](const quality::Label& l, const auto& a) {
          return l.worker < a.worker || (l.worker == a.worker && l.value < a.value);
        });
    if (found == of_task.end() || found->worker != answer.worker || found->value != answer.value) {
      continue;  // dropped by --on-conflict
    }
    const auto place = static_cast<uint32_t>(&*found - labels.data());
    if (taken[place]) continue;
    taken[place] = true;
    order.push_back(place);
  }
  return order;
}

void add_patterns(const LabelInput& input, const WorkersOptions& options, WorkersReport& report) {
  if (input.answers.size() > kMostPatternAnswers) {
    report.notes.push_back("with more than " + grouped(kMostPatternAnswers) +
                           " labels, runs and alternating answers are not looked for");
    return;
  }
  const uint64_t affordable = kPatternWork / std::max<uint64_t>(input.answers.size(), 1);
  quality::PatternOptions patterns;
  patterns.rounds = static_cast<size_t>(std::clamp<uint64_t>(affordable, 199, 999));
  patterns.seed = options.seed;
  report.patterns = quality::answer_patterns(input.answers, input.table.class_count(), patterns);
}

void add_near_duplicates(const LabelInput& input, WorkersReport& report, ThreadPool* pool) {
  if (input.rationales.empty()) return;
  const std::vector<std::string_view> texts(input.rationales.begin(), input.rationales.end());
  report.duplicates = quality::near_duplicates(texts, {}, pool);
  for (const quality::NearDuplicate& pair : report.duplicates.pairs) {
    const uint32_t first = input.answers[pair.first].worker;
    const uint32_t second = input.answers[pair.second].worker;
    ++report.rows[first].near_duplicates;
    if (second != first) ++report.rows[second].near_duplicates;
  }
}

void add_evidence(const LabelInput& input, std::span<const int64_t> gold,
                  const WorkersOptions& options, WorkersReport& report, ThreadPool* pool) {
  const std::vector<uint32_t> order = time_order(input);
  report.crowd = quality::crowd_evidence(input.table, {}, order).workers;
  for (const auto& row : report.crowd) report.rows[row.worker].crowd = &row;
  add_patterns(input, options, report);
  for (const auto& row : report.patterns) report.rows[row.worker].pattern = &row;
  if (input.has_seconds && options.floor_seconds > 0) {
    report.times = quality::time_evidence(input.answers, options.floor_seconds);
    for (const auto& row : report.times) report.rows[row.worker].time = &row;
  }
  if (!gold.empty()) {
    report.gold = quality::gold_evidence(input.table, gold);
    for (const auto& row : report.gold.workers) report.rows[row.worker].gold = &row;
  }
  add_near_duplicates(input, report, pool);
}

std::string pattern_remark(const quality::PatternRow& row) {
  // What a person would see first when looking down the answers.
  if (row.period >= 2 && row.period_p <= 0.01 && row.period_share >= 0.8) {
    return row.period == 2 ? "alternates" : "repeats every " + std::to_string(row.period);
  }
  if (row.entropy < 0.6 * row.crowd_entropy) return "nearly always the same";
  return row.run_p <= row.period_p ? "the same " + grouped(row.longest_run) + " times in a row"
                                   : "answers in a pattern";
}

void add_remarks(const LabelInput& input, const WorkersOptions& options, WorkerReport& row) {
  const double level = options.false_discovery;
  if (row.lean.is_large) {
    row.remarks.push_back("\"" + shown_name(input.table.classes()[row.lean.label], 16) +
                          "\" too often (" + grouped(row.lean.said) + " instead of " +
                          fixed_text(row.lean.deserved, 0) + ")");
  }
  if (row.crowd != nullptr && row.crowd->q <= level) row.remarks.push_back("unlike the others");
  if (row.pattern != nullptr && row.pattern->q <= level) {
    row.remarks.push_back(pattern_remark(*row.pattern));
  }
  if (row.time != nullptr && row.time->q <= level) {
    row.remarks.push_back("too fast (" + percent_text(row.time->share, 0) + ")");
  }
  if (row.gold != nullptr && row.gold->decision == quality::SprtDecision::kBad) {
    row.remarks.push_back("fails gold tasks (" + grouped(row.gold->right) + " of " +
                          grouped(row.gold->right + row.gold->wrong) + ")");
  }
  if (row.near_duplicates > 0) {
    row.remarks.push_back(counted(row.near_duplicates, "rationale is", "rationales are") +
                          " nearly a copy");
  }
}

void count_truth(const LabelInput& input, std::span<const int64_t> truth, WorkersReport& report) {
  if (truth.empty()) return;
  for (const quality::Label& label : input.table.labels()) {
    if (truth[label.task] < 0) continue;
    WorkerReport& row = report.rows[label.worker];
    ++row.truth_tasks;
    row.truth_right += truth[label.task] == static_cast<int64_t>(label.value) ? 1 : 0;
  }
}

}  // namespace

WorkersReport report_workers(const LabelInput& input, const quality::Aggregate& fit,
                             std::span<const int64_t> truth, std::span<const int64_t> gold,
                             const WorkersOptions& options, ThreadPool* pool) {
  const quality::LabelTable& table = input.table;
  const uint64_t classes = table.class_count();
  const bool intervals = table.worker_count() * classes * classes <= kMostIntervals;
  WorkersReport report;
  if (!intervals) {
    report.notes.push_back("with so many workers and labels no interval is computed for each");
  }
  report.rows.resize(table.worker_count());
  for (size_t worker = 0; worker < table.worker_count(); ++worker) {
    WorkerReport& row = report.rows[worker];
    row.worker = static_cast<uint32_t>(worker);
    row.labels = fit.worker_labels[worker];
    row.accuracy = fit.reliability[worker];
    if (intervals) {
      row.interval = quality::worker_quality(fit, table, worker).reliability_interval;
    }
    if (!fit.skill.empty()) row.skill = fit.skill[worker];
    row.lean = lean_of(table, fit, worker);
  }
  count_truth(input, truth, report);
  if (options.evidence) add_evidence(input, gold, options, report, pool);
  for (WorkerReport& row : report.rows) add_remarks(input, options, row);
  return report;
}

Json worker_json(const WorkerReport& row, const LabelInput& input, const quality::Aggregate& fit) {
  Json json = Json::object();
  json["worker"] = input.table.workers()[row.worker];
  json["labels"] = row.labels;
  json["accuracy"] = row.accuracy;
  if (row.interval) json["interval"] = interval_json(*row.interval);
  if (row.skill) json[fit.skill_name] = *row.skill;
  if (row.truth_tasks > 0) {
    json["truth_tasks"] = row.truth_tasks;
    json["truth_right"] = row.truth_right;
  }
  if (row.lean.z > 0) {
    Json& lean = json["most_overused"] = Json::object();
    lean["label"] = input.table.classes()[row.lean.label];
    lean["said"] = row.lean.said;
    lean["deserved"] = row.lean.deserved;
    lean["z"] = row.lean.z;
  }
  if (row.crowd != nullptr) {
    Json& crowd = json["against_the_crowd"] = Json::object();
    crowd["votes"] = row.crowd->votes;
    crowd["e_value"] = row.crowd->betting;
    crowd["q"] = row.crowd->q;
  }
  if (row.pattern != nullptr) {
    Json& pattern = json["pattern"] = Json::object();
    pattern["entropy_bits"] = row.pattern->entropy;
    pattern["longest_run"] = row.pattern->longest_run;
    pattern["period"] = row.pattern->period;
    pattern["q"] = row.pattern->q;
  }
  if (row.time != nullptr) {
    Json& time = json["time"] = Json::object();
    time["below_floor"] = row.time->below;
    time["timed"] = row.time->timed;
    time["median_seconds"] = row.time->median;
    time["q"] = row.time->q;
  }
  if (row.gold != nullptr) {
    Json& gold = json["gold"] = Json::object();
    gold["right"] = row.gold->right;
    gold["wrong"] = row.gold->wrong;
    gold["anytime_p"] = row.gold->anytime_p;
  }
  if (row.near_duplicates > 0) json["near_duplicate_rationales"] = row.near_duplicates;
  json["remarks"] = strings_json(row.remarks);
  return json;
}

std::string workers_csv(const WorkersReport& report, const LabelInput& input,
                        const quality::Aggregate& fit) {
  const bool has_truth = std::any_of(report.rows.begin(), report.rows.end(),
                                     [](const WorkerReport& row) { return row.truth_tasks > 0; });
  std::string out = "worker,labels,accuracy,accuracy_low,accuracy_high";
  if (!fit.skill.empty()) out += "," + fit.skill_name;
  if (has_truth) out += ",truth_tasks,truth_right";
  out += ",most_overused,said,deserved,crowd_q,pattern_q,remarks\n";
  for (const WorkerReport& row : report.rows) {
    append_csv_cell(out, input.table.workers()[row.worker]);
    out += "," + std::to_string(row.labels) + "," + number_to_string(row.accuracy) + ",";
    if (row.interval) out += number_to_string(row.interval->low);
    out += ",";
    if (row.interval) out += number_to_string(row.interval->high);
    if (!fit.skill.empty()) out += "," + number_to_string(*row.skill);
    if (has_truth) {
      out += "," + std::to_string(row.truth_tasks) + "," + std::to_string(row.truth_right);
    }
    out += ",";
    if (row.lean.z > 0) {
      append_csv_cell(out, input.table.classes()[row.lean.label]);
      out += "," + std::to_string(row.lean.said) + "," + number_to_string(row.lean.deserved);
    } else {
      out += ",,";
    }
    out += ",";
    if (row.crowd != nullptr) out += number_to_string(row.crowd->q);
    out += ",";
    if (row.pattern != nullptr) out += number_to_string(row.pattern->q);
    out += ",";
    std::string remarks;
    for (const std::string& remark : row.remarks) remarks += (remarks.empty() ? "" : "; ") + remark;
    append_csv_cell(out, remarks);
    out += "\n";
  }
  return out;
}

}  // namespace hone::cli
