#include "eval/compare.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <unordered_map>

#include "base/error.h"

namespace hone::eval {
namespace {

using Pairs = std::vector<std::pair<const ReportItem*, const ReportItem*>>;

Pairs pair_items(const Report& first, const Report& second) {
  std::unordered_map<std::string_view, const ReportItem*> by_id;
  for (const ReportItem& item : second.items) by_id.emplace(item.id, &item);
  Pairs pairs;
  std::string example;
  for (const ReportItem& item : first.items) {
    const auto found = by_id.find(item.id);
    if (found != by_id.end()) {
      pairs.emplace_back(&item, found->second);
    } else if (example.empty()) {
      example = item.id;
    }
  }
  const size_t missing_second = first.items.size() - pairs.size();
  const size_t missing_first = second.items.size() - pairs.size();
  if (missing_first == 0 && missing_second == 0) return pairs;
  throw invalid_input(
      "the reports are not about the same items: " + std::to_string(missing_second) +
      " of the first's " + std::to_string(first.items.size()) + " are missing in the second, " +
      std::to_string(missing_first) + " of the second's " + std::to_string(second.items.size()) +
      " in the first" + (example.empty() ? "" : " (\"" + example + "\", for one)") +
      "; measure both on the same file");
}

const double* value_of(const ReportItem& item, std::string_view name) {
  for (const auto& [metric, value] : item.values) {
    if (metric == name) return &value;
  }
  return nullptr;
}

bool is_rate(double value) { return value == 0.0 || value == 1.0; }

// Filled: means, difference, kind, counts. Returned: the differences.
std::vector<double> take_differences(const Pairs& pairs, MetricComparison& metric) {
  std::vector<double> differences;
  metric.n = pairs.size();
  metric.binary = true;
  for (const auto& [a, b] : pairs) {
    const double before = *value_of(*a, metric.name), after = *value_of(*b, metric.name);
    metric.binary = metric.binary && is_rate(before) && is_rate(after);
    metric.first_mean += before;
    metric.second_mean += after;
    metric.gained += after > before;
    metric.lost += after < before;
    differences.push_back(after - before);
  }
  const double n = static_cast<double>(metric.n);
  metric.first_mean /= n;
  metric.second_mean /= n;
  for (const double difference : differences) metric.difference += difference;
  metric.difference /= n;
  return differences;
}

double standard_deviation(const std::vector<double>& values, double mean) {
  if (values.size() < 2) return 0.0;
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

quality::Judgement judge(const MetricComparison& metric, double sd, const CompareOptions& options) {
  const bool turned = metric.better == Better::kLower;
  if (metric.binary) {
    return quality::judge_rates(metric.n, turned ? metric.lost : metric.gained,
                                turned ? metric.gained : metric.lost, options.power);
  }
  const quality::Interval interval =
      turned ? quality::Interval{-metric.interval.high, -metric.interval.low} : metric.interval;
  return quality::judge_means(metric.n, turned ? -metric.difference : metric.difference, sd,
                              interval, options.power);
}

MetricComparison compare_metric(const Pairs& pairs, const std::string& name, Better better,
                                const CompareOptions& options) {
  MetricComparison metric;
  metric.name = name;
  metric.better = better;
  const std::vector<double> differences = take_differences(pairs, metric);
  metric.interval = {metric.difference, metric.difference};
  if (metric.n >= 2) {
    metric.interval = quality::bootstrap_mean(differences, {.rounds = options.bootstrap_rounds,
                                                            .confidence = 1.0 - options.power.alpha,
                                                            .seed = options.seed})
                          .bca;
  }
  metric.test = quality::mcnemar(metric.gained, metric.lost);  // the sign test is the same sum
  const double sd = standard_deviation(differences, metric.difference);
  const quality::Judgement judgement = judge(metric, sd, options);
  metric.smallest_detectable_effect = judgement.smallest_detectable_effect;
  if (better != Better::kNeither) metric.judgement = judgement;
  return metric;
}

Better agreed_direction(const Report& first, const Report& second, const std::string& name) {
  const auto direction = [&](const Report& report) {
    const auto found = report.better.find(name);
    return found == report.better.end() ? Better::kNeither : found->second;
  };
  if (direction(first) == direction(second)) return direction(first);
  throw invalid_input("the reports disagree about which way \"" + name + "\" is better");
}

void add_notes(const Report& first, const Report& second, std::vector<std::string>& notes) {
  const auto data = [](const Report& report) {
    const auto found = report.digests.find("data");
    return found == report.digests.end() ? std::string() : found->second;
  };
  if (data(first) != data(second)) {
    notes.push_back("the data files differ; the item ids are the same");
  }
  if (!(first.settings == second.settings)) notes.push_back("the settings differ");
  if (first.recipe != second.recipe) notes.push_back("the numerics recipes differ");
}

std::string choose_primary(const Report& first, const std::vector<MetricComparison>& metrics) {
  for (const MetricComparison& metric : metrics) {
    if (metric.name == first.primary && metric.judgement) return metric.name;
  }
  for (const MetricComparison& metric : metrics) {
    if (metric.judgement) return metric.name;
  }
  return {};
}

const MetricComparison* find_metric(const Comparison& comparison) {
  for (const MetricComparison& metric : comparison.metrics) {
    if (metric.name == comparison.primary) return &metric;
  }
  return nullptr;
}

std::string fixed(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

std::string short_p(double p) {
  char text[64];
  std::snprintf(text, sizeof text, "%.2g", p);
  return text;
}

std::string signed_fixed(double value) { return (value >= 0 ? "+" : "") + fixed(value); }

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    text += line + "\n";
  }
  return text;
}

}  // namespace

std::string verdict_text(const quality::Judgement& judgement) {
  std::string text(quality::verdict_name(judgement.verdict));
  if (judgement.verdict == quality::Verdict::kTooFew) {
    text += " (need about " + std::to_string(judgement.items_more) + " more)";
  }
  return text;
}

Comparison compare_reports(const Report& first, const Report& second,
                           const CompareOptions& options) {
  if (first.measured != second.measured) {
    throw invalid_input("the first report measured \"" + first.measured + "\", the second \"" +
                        second.measured + "\"; compare reports of the same measurement");
  }
  if (first.items.empty() || second.items.empty()) throw invalid_input("a report has no items");
  Comparison comparison;
  const Pairs pairs = pair_items(first, second);
  for (const auto& value : first.items.front().values) {
    const std::string& name = value.first;
    if (value_of(second.items.front(), name) == nullptr) {
      comparison.notes.push_back("only the first report has \"" + name + "\"");
      continue;
    }
    comparison.metrics.push_back(
        compare_metric(pairs, name, agreed_direction(first, second, name), options));
  }
  if (comparison.metrics.empty()) throw invalid_input("the reports share no metric");
  add_notes(first, second, comparison.notes);
  comparison.primary = choose_primary(first, comparison.metrics);
  return comparison;
}

bool Comparison::is_better() const {
  const MetricComparison* metric = find_metric(*this);
  return metric != nullptr && metric->judgement &&
         metric->judgement->verdict == quality::Verdict::kBetter;
}

Json Comparison::to_json() const {
  Json json = Json::object();
  json["schema"] = "hone.comparison/1";
  json["primary"] = primary;
  json["better"] = is_better();
  json["metrics"] = Json::array();
  for (const MetricComparison& metric : metrics) {
    Json one = Json::object();
    one["name"] = metric.name;
    one["n"] = metric.n;
    one["kind"] = metric.binary ? "binary" : "continuous";
    one["first"] = metric.first_mean;
    one["second"] = metric.second_mean;
    one["difference"] = metric.difference;
    one["interval"] = Json::object();
    one["interval"]["low"] = metric.interval.low;
    one["interval"]["high"] = metric.interval.high;
    one["interval"]["method"] = "bootstrap_bca";
    one["gained"] = metric.gained;
    one["lost"] = metric.lost;
    one["test"] = metric.binary ? "mcnemar_exact" : "sign_exact";
    one["p"] = metric.test.p;
    one["mid_p"] = metric.test.mid_p;
    one["smallest_detectable_effect"] = metric.smallest_detectable_effect;
    if (metric.judgement) {
      one["verdict"] = quality::verdict_name(metric.judgement->verdict);
      one["items_more"] = metric.judgement->items_more;
    }
    json["metrics"].push_back(std::move(one));
  }
  json["notes"] = Json::array();
  for (const std::string& note : notes) json["notes"].push_back(note);
  return json;
}

std::string Comparison::to_text() const {
  std::vector<std::vector<std::string>> rows = {
      {"metric", "n", "first", "second", "difference", "interval", "p", "detectable", "verdict"}};
  for (const MetricComparison& metric : metrics) {
    rows.push_back(
        {metric.name, std::to_string(metric.n), fixed(metric.first_mean), fixed(metric.second_mean),
         signed_fixed(metric.difference),
         "[" + signed_fixed(metric.interval.low) + ", " + signed_fixed(metric.interval.high) + "]",
         short_p(metric.test.p), fixed(metric.smallest_detectable_effect),
         metric.judgement ? verdict_text(*metric.judgement) : "-"});
  }
  std::string text = aligned(rows);
  for (const std::string& note : notes) text += "note: " + note + "\n";
  if (const MetricComparison* metric = find_metric(*this)) {
    text +=
        "second against first on " + metric->name + ": " + verdict_text(*metric->judgement) + "\n";
  }
  return text;
}

}  // namespace hone::eval
