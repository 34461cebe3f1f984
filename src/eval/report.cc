#include "eval/report.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <unordered_set>

#include "base/env.h"
#include "base/error.h"
#include "data/jsonl_writer.h"
#include "quality/normal.h"

namespace hone::eval {
namespace {

constexpr uint64_t kMaxReportBytes = uint64_t{1} << 30;
constexpr double kConfidence = 0.95;

std::string_view better_name(Better better) {
  switch (better) {
    case Better::kHigher: return "higher";
    case Better::kLower: return "lower";
    case Better::kNeither: break;
  }
  return "neither";
}

Better better_from(const std::string& name) {
  for (const Better better : {Better::kHigher, Better::kLower, Better::kNeither}) {
    if (name == better_name(better)) return better;
  }
  throw invalid_input("report: \"better\" must be higher, lower or neither, found \"" + name +
                      "\"");
}

void check_items(const std::vector<ReportItem>& items) {
  if (items.empty()) throw invalid_input("report: it has no items");
  std::unordered_set<std::string_view> ids;
  const auto& first = items.front().values;
  std::unordered_set<std::string_view> names;
  for (const auto& [name, value] : first) {
    if (!names.insert(name).second) throw invalid_input("report: metric \"" + name + "\" twice");
  }
  for (const ReportItem& item : items) {
    if (item.id.empty()) throw invalid_input("report: an item has an empty id");
    if (!ids.insert(item.id).second) {
      throw invalid_input("report: the id \"" + item.id + "\" stands twice");
    }
    const bool same_metrics =
        std::equal(item.values.begin(), item.values.end(), first.begin(), first.end(),
                   [](const auto& a, const auto& b) { return a.first == b.first; });
    if (!same_metrics) {
      throw invalid_input("report: item \"" + item.id + "\" has other metrics than the first item");
    }
    for (const auto& [name, value] : item.values) {
      if (std::isfinite(value)) continue;
      throw invalid_input("report: " + name + " of item \"" + item.id + "\" is not finite");
    }
  }
}

MetricSum sum_of(const Report& report, size_t index) {
  MetricSum sum;
  sum.name = report.items.front().values[index].first;
  const auto better = report.better.find(sum.name);
  if (better != report.better.end()) sum.better = better->second;
  sum.n = report.items.size();
  sum.binary = true;
  double total = 0.0;
  for (const ReportItem& item : report.items) {
    const double value = item.values[index].second;
    sum.binary = sum.binary && (value == 0.0 || value == 1.0);
    total += value;
  }
  const double n = static_cast<double>(sum.n);
  sum.mean = total / n;
  if (sum.binary) {
    sum.interval = quality::wilson_interval(total, n, kConfidence);
    return sum;
  }
  double squares = 0.0;
  for (const ReportItem& item : report.items) {
    const double distance = item.values[index].second - sum.mean;
    squares += distance * distance;
  }
  const double z = quality::normal_quantile(0.5 + kConfidence / 2.0);
  const double half = sum.n < 2 ? 0.0 : z * std::sqrt(squares / (n - 1.0) / n);
  sum.interval = {sum.mean - half, sum.mean + half};
  return sum;
}

Json sum_json(const MetricSum& sum) {
  Json json = Json::object();
  json["name"] = sum.name;
  json["better"] = better_name(sum.better);
  json["kind"] = sum.binary ? "binary" : "continuous";
  json["n"] = sum.n;
  json["mean"] = sum.mean;
  json["interval"] = Json::object();
  json["interval"]["low"] = sum.interval.low;
  json["interval"]["high"] = sum.interval.high;
  json["interval"]["confidence"] = kConfidence;
  json["interval"]["method"] = sum.binary ? "wilson" : "normal";
  return json;
}

ReportItem item_from(const Json& json, const std::vector<std::string>& metrics) {
  ReportItem item;
  item.id = json.at("id").as_string();
  const Json& values = json.at("values");
  if (values.size() != metrics.size()) {
    throw invalid_input("report: item \"" + item.id + "\" has " + std::to_string(values.size()) +
                        " values for " + std::to_string(metrics.size()) + " metrics");
  }
  for (const std::string& name : metrics)
    item.values.emplace_back(name, values.at(name).as_double());
  return item;
}

uint64_t seed_from(const std::string& text) {
  const bool digits = !text.empty() && text.size() <= 20 &&
                      text.find_first_not_of("0123456789") == std::string::npos;
  if (!digits)
    throw invalid_input("report: a seed must be written in digits, found \"" + text + "\"");
  return std::strtoull(text.c_str(), nullptr, 10);
}

}  // namespace

std::vector<MetricSum> Report::sums() const {
  check_items(items);
  std::vector<MetricSum> all;
  for (size_t i = 0; i < items.front().values.size(); ++i) all.push_back(sum_of(*this, i));
  return all;
}

Json Report::to_json() const {
  Json json = Json::object();
  json["schema"] = kSchema;
  json["measured"] = measured;
  json["digests"] = Json::object();
  for (const auto& [name, digest] : digests) json["digests"][name] = digest;
  json["settings"] = settings;
  json["seeds"] = Json::object();
  for (const auto& [name, seed] : seeds) json["seeds"][name] = std::to_string(seed);
  json["program"] = Json::object();
  json["program"]["version"] = program_version;
  json["program"]["commit"] = program_commit;
  json["recipe"] = recipe;
  json["primary"] = primary;
  json["metrics"] = Json::array();
  for (const MetricSum& sum : sums()) json["metrics"].push_back(sum_json(sum));
  json["items"] = Json::array();
  for (const ReportItem& item : items) {
    Json one = Json::object();
    one["id"] = item.id;
    one["values"] = Json::object();
    for (const auto& [name, value] : item.values)
      one["values"].as_object().emplace_back(name, value);
    json["items"].push_back(std::move(one));
  }
  return json;
}

Report Report::from_json(const Json& json) {
  if (const std::string& schema = json.at("schema").as_string(); schema != kSchema) {
    throw invalid_input("report: schema \"" + schema + "\" is not " + kSchema +
                        "; use the program version that wrote it");
  }
  Report report;
  report.measured = json.at("measured").as_string();
  for (const auto& [name, value] : json.at("digests").as_object()) {
    report.digests[name] = value.as_string();
  }
  report.settings = json.at("settings");
  for (const auto& [name, value] : json.at("seeds").as_object()) {
    report.seeds[name] = seed_from(value.as_string());
  }
  report.program_version = json.at("program").at("version").as_string();
  report.program_commit = json.at("program").at("commit").as_string();
  report.recipe = json.at("recipe").as_string();
  report.primary = json.at("primary").as_string();
  std::vector<std::string> metrics;
  for (const Json& metric : json.at("metrics").as_array()) {
    metrics.push_back(metric.at("name").as_string());
    report.better[metrics.back()] = better_from(metric.at("better").as_string());
  }
  for (const Json& item : json.at("items").as_array()) {
    report.items.push_back(item_from(item, metrics));
  }
  check_items(report.items);
  return report;
}

void write_report(Env& env, const std::string& path, const Report& report, bool overwrite) {
  data::refuse_existing(env, path, overwrite);
  write_file_atomically(env, path, report.to_json().dump_canonical() + "\n");
}

Report read_report(Env& env, const std::string& path) {
  const Result<Json> json = Json::parse(env.read_file(path, kMaxReportBytes));
  if (!json) throw corrupt_data(path + ": not a report: " + json.error().message());
  try {
    return Report::from_json(*json);
  } catch (const Error& error) {
    throw invalid_input(path + ": " + error.message());
  }
}

}  // namespace hone::eval
