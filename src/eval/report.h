#pragma once
// A report: what was measured, on what, how, per item and in sum (docs/formats/report.md, schema
// "hone.report/1"). Canonical JSON: the same measurement gives the same bytes.
//
// Every item has the same metrics in the same order. A metric is "binary" when every value is 0 or
// 1; its sum gets Wilson's interval, any other the normal interval mean +- z sd / sqrt(n).
// Values that are not finite, ids that are empty or repeated, and items that disagree about the
// metrics are refused (invalid_input), when building as when reading.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "quality/paired_tests.h"

namespace hone {
class Env;
}

namespace hone::eval {

enum class Better { kHigher, kLower, kNeither };  // which way a metric improves

struct ReportItem {
  std::string id;
  std::vector<std::pair<std::string, double>> values;
};

struct MetricSum {
  std::string name;
  Better better = Better::kNeither;
  bool binary = false;
  uint64_t n = 0;
  double mean = 0.0;
  quality::Interval interval;  // at 95 %
};

struct Report {
  static constexpr const char* kSchema = "hone.report/1";

  std::string measured;                        // "preferences", "piqa", ...
  std::map<std::string, std::string> digests;  // "data", "model", "adapter", "base", ...
  Json settings = Json::object();              // every option that changes a value
  std::map<std::string, uint64_t> seeds;
  std::string program_version, program_commit, recipe;
  std::map<std::string, Better> better;  // by metric; one that is not named is kNeither
  std::string primary;                   // the metric that a comparison answers for; may be empty
  std::vector<ReportItem> items;

  // In the order of the items' values. Throws as the header says; no items are refused too.
  std::vector<MetricSum> sums() const;

  Json to_json() const;
  static Report from_json(const Json& json);
};

// Written whole or not at all; conflict when path exists and overwrite was not said.
void write_report(Env& env, const std::string& path, const Report& report, bool overwrite);
Report read_report(Env& env, const std::string& path);

}  // namespace hone::eval
