#include "cli/run_result.h"

#include <algorithm>

#include "base/env.h"
#include "eval/compare.h"
#include "eval/report.h"

namespace hone::cli {

namespace {

constexpr uint64_t kMaxStepsBytes = 1 << 30, kMaxManifestBytes = 16 << 20;

Json interval_json(const quality::Interval& interval) {
  Json json = Json::array();
  json.push_back(interval.low);
  json.push_back(interval.high);
  return json;
}

Json side(const eval::Report& report) {
  Json json = Json::object();
  for (const eval::MetricSum& sum : report.sums()) {
    if (sum.name != report.primary) continue;
    json["accuracy"] = sum.mean;
    json["interval"] = interval_json(sum.interval);
  }
  return json;
}

}  // namespace

Json run_result(Env& env, const std::string& run_folder) {
  const eval::Report before = eval::read_report(env, run_folder + "/before.json");
  const eval::Report after = eval::read_report(env, run_folder + "/after.json");
  const eval::Comparison comparison = eval::compare_reports(before, after);
  const std::string steps = env.read_file(run_folder + "/steps.jsonl", kMaxStepsBytes);
  Json json = Json::object();
  json["steps"] = static_cast<int64_t>(std::count(steps.begin(), steps.end(), '\n'));
  json["settings"] = Json::parse(env.read_file(run_folder + "/manifest.json", kMaxManifestBytes))
                         .value()
                         .at("settings");
  json["before"] = side(before);
  json["after"] = side(after);
  for (const eval::MetricComparison& metric : comparison.metrics) {
    if (metric.name != comparison.primary) continue;
    json["difference"] = metric.difference;
    json["interval"] = interval_json(metric.interval);
    json["p_value"] = metric.test.p;
    json["smallest_detectable"] = metric.smallest_detectable_effect;
    json["pairs"] = metric.n;
    if (metric.judgement) {
      json["verdict"] = quality::verdict_name(metric.judgement->verdict);
      json["pairs_more"] = metric.judgement->items_more;
    }
  }
  return json;
}

}  // namespace hone::cli
