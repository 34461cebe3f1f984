#include "cli/plan_estimate.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "cli/memory.h"
#include "cli/options.h"

namespace hone::cli {

namespace {

double number_of(const Json& json, const char* field, const std::string& where, bool must) {
  const Json* value = json.find(field);
  if (value == nullptr) {
    if (!must) return 0;
    throw invalid_input(where + ": the machines' \"" + field + "\" is missing");
  }
  if (!value->is_number() || !std::isfinite(value->as_double()) || value->as_double() < 0 ||
      (must && value->as_double() == 0)) {
    throw invalid_input(where + ": \"" + field + "\" must be a number above 0");
  }
  return value->as_double();
}

size_t count_of(const Json& json, const char* field, const std::string& where, bool must) {
  constexpr double kMost = 1e6;
  const double value = number_of(json, field, where, must);
  if (value > kMost || value != std::floor(value)) {
    throw invalid_input(where + ": \"" + field + "\" must be a whole number up to 1000000");
  }
  return static_cast<size_t>(value);
}

}  // namespace

Machines machines_from_json(const Json& json, const std::string& where) {
  if (!json.is_object()) {
    throw invalid_input(where + " must hold one JSON object: {\"count\": 4, \"cores\": 16, ...}");
  }
  static const std::vector<std::string> known = {
      "count", "cores", "gflops_per_core", "memory", "network_gbit", "price_per_hour", "currency"};
  for (const auto& [name, value] : json.as_object()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string meant = nearest(name, known);
    throw invalid_input(where + ": \"" + name + "\" says nothing of machines" +
                        (meant.empty() ? "" : "; did you mean \"" + meant + "\"?"));
  }
  Machines out;
  if (json.find("count") != nullptr) out.count = count_of(json, "count", where, true);
  out.cores = count_of(json, "cores", where, true);
  out.gflops_per_core = number_of(json, "gflops_per_core", where, true);
  if (const Json* memory = json.find("memory")) {
    if (!memory->is_string()) throw invalid_input(where + ": \"memory\" must be such as \"64G\"");
    out.memory_bytes = parse_size(memory->as_string(), "memory");
  }
  out.network_gbit = number_of(json, "network_gbit", where, false);
  if (out.count > 1 && out.network_gbit == 0) {
    throw invalid_input(where + ": several machines exchange gradients: give \"network_gbit\"");
  }
  out.price_per_hour = number_of(json, "price_per_hour", where, false);
  if (const Json* currency = json.find("currency")) {
    if (!currency->is_string() || currency->as_string().size() > 8) {
      throw invalid_input(where + ": \"currency\" must be a short text such as \"EUR\"");
    }
    out.currency = currency->as_string();
  }
  return out;
}

Rates rates_of(const Probe& few, const Probe& rows, const Probe& steps) {
  Rates out;
  if (steps.steps > rows.steps) {
    out.step_s = std::max(
        0.0, (steps.seconds - rows.seconds) / static_cast<double>(steps.steps - rows.steps));
  }
  if (rows.rows > few.rows) {
    out.row_s =
        std::max(0.0, (rows.seconds - few.seconds) / static_cast<double>(rows.rows - few.rows));
  }
  out.load_s = std::max(0.0, few.seconds - static_cast<double>(few.rows) * out.row_s -
                                 static_cast<double>(few.steps) * out.step_s);
  return out;
}

Estimate estimate(const Rates& rates, size_t rows, size_t steps, double here_flops,
                  uint64_t memory_bytes, uint64_t gradient_bytes, const Machines& machines) {
  Estimate out;
  const auto count = static_cast<double>(machines.count);
  const double faster = machines.flops() / here_flops * count;
  out.prepare_s = rates.load_s + static_cast<double>(rows) * rates.row_s / faster;
  if (machines.count > 1) {
    out.exchange_s = 2 * (count - 1) / count * static_cast<double>(gradient_bytes) /
                     (machines.network_gbit * 1e9 / 8);
  }
  out.step_s = rates.step_s / faster + out.exchange_s;
  out.total_s = out.prepare_s + static_cast<double>(steps) * out.step_s;
  out.machine_hours = out.total_s / 3600 * count;
  out.cost = out.machine_hours * machines.price_per_hour;
  out.fits = machines.memory_bytes == 0 || memory_bytes <= machines.memory_bytes;
  return out;
}

Json Estimate::to_json() const {
  Json json = Json::object();
  json["prepare_seconds"] = prepare_s;
  json["step_seconds"] = step_s;
  json["exchange_seconds"] = exchange_s;
  json["seconds"] = total_s;
  json["machine_hours"] = machine_hours;
  json["cost"] = cost;
  json["fits"] = fits;
  return json;
}

}  // namespace hone::cli
