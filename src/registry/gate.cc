#include "registry/gate.h"

#include <cmath>
#include <cstdio>

#include "base/error.h"

namespace hone::registry {

namespace {

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void require_subject(const GateComparison& set, const std::string& which, std::string_view data,
                     std::string_view candidate, std::string_view champion) {
  const auto refuse = [&](const std::string& what) {
    return invalid_input("the report on the " + which + " set is not about " + what +
                         ": measure again with hone eval");
  };
  if (set.data_digest != data) {
    throw refuse("the data that the gate names (its digest is " + set.data_digest.substr(0, 12) +
                 ", the gate's " + std::string(data.substr(0, 12)) + ")");
  }
  if (set.candidate_digest != candidate) throw refuse("the candidate");
  if (!champion.empty() && set.champion_digest != champion) {
    throw refuse("the model that the alias answers with now");
  }
}

}  // namespace

Json GateSettings::to_json() const {
  Json json = Json::object();
  json["heldout_digest"] = heldout_digest;
  if (!heldout_source.empty()) json["heldout_source"] = heldout_source;
  json["metric"] = metric;
  json["items_min"] = items_min;
  if (!floor_digest.empty()) {
    json["floor_digest"] = floor_digest;
    if (!floor_source.empty()) json["floor_source"] = floor_source;
    json["floor_metric"] = floor_metric;
    json["floor"] = floor;
    json["no_worse"] = no_worse;
  }
  return json;
}

GateSettings GateSettings::from_json(const Json& json) {
  if (!json.is_object()) throw invalid_input("a gate must be a JSON object");
  GateSettings gate;
  for (const auto& [key, value] : json.as_object()) {
    const auto text = [&, &name = key, &v = value]() -> std::string {
      if (!v.is_string()) throw invalid_input("gate: " + name + " must be a text");
      return v.as_string();
    };
    const auto number = [&, &name = key, &v = value]() -> double {
      if (!v.is_number() || !std::isfinite(v.as_double())) {
        throw invalid_input("gate: " + name + " must be a number");
      }
      return v.as_double();
    };
    if (key == "heldout_digest") {
      gate.heldout_digest = text();
    } else if (key == "heldout_source") {
      gate.heldout_source = text();
    } else if (key == "floor_source") {
      gate.floor_source = text();
    } else if (key == "metric") {
      gate.metric = text();
    } else if (key == "floor_digest") {
      gate.floor_digest = text();
    } else if (key == "floor_metric") {
      gate.floor_metric = text();
    } else if (key == "floor") {
      gate.floor = number();
    } else if (key == "no_worse") {
      if (!value.is_bool()) throw invalid_input("gate: no_worse must be true or false");
      gate.no_worse = value.as_bool();
    } else if (key == "items_min") {
      const double items = number();
      if (items < 0 || items > 1e9 || items != std::floor(items)) {
        throw invalid_input("gate: items_min must be a whole number from 0 to 1e9");
      }
      gate.items_min = static_cast<uint64_t>(items);
    } else {
      throw invalid_input("gate: \"" + key + "\" is no setting of a gate");
    }
  }
  if (!is_digest(gate.heldout_digest)) {
    throw invalid_input("gate: heldout_digest must be the SHA-256 of the frozen held-out file");
  }
  if (!gate.floor_digest.empty() && !is_digest(gate.floor_digest)) {
    throw invalid_input("gate: floor_digest must be the SHA-256 of the second set");
  }
  return gate;
}

void check_floor(const GateSettings& gate) {
  const bool is_share = gate.floor_metric.find("accuracy") != std::string::npos;
  if (!gate.floor_digest.empty() && is_share && !(gate.floor >= 0 && gate.floor <= 1)) {
    throw invalid_input("the floor of " + gate.floor_metric +
                        " is a share from 0 to 1 (0.6 is 60 %): no model reaches another");
  }
}

Json GateComparison::to_json() const {
  Json json = Json::object();
  json["data"] = data_digest;
  json["metric"] = metric;
  json["candidate"] = candidate_digest;
  if (!champion_digest.empty()) {
    json["champion"] = champion_digest;
    json["gained"] = gained;
    json["lost"] = lost;
    json["champion_mean"] = champion_mean;
    json["difference"] = difference;
    json["interval"] = Json::Array{Json(interval.low), Json(interval.high)};
    json["p"] = p_value;
    json["smallest_detectable"] = smallest_detectable;
    json["verdict"] = quality::verdict_name(verdict);
  }
  json["n"] = n;
  json["candidate_mean"] = candidate_mean;
  json["report"] = report_digest;
  return json;
}

Json GateEvidence::to_json() const {
  Json json = Json::object();
  json["main"] = main.to_json();
  if (second) json["second"] = second->to_json();
  json["overlap_main"] = overlap_main;
  json["overlap_second"] = overlap_second;
  if (!training_digest.empty()) json["training_data"] = training_digest;
  return json;
}

namespace {

Error corrupt_evidence(std::string_view key) {
  return corrupt_data("the evidence of a gate has no valid \"" + std::string(key) + "\"");
}

const Json& member(const Json& json, std::string_view key) {
  const Json* found = json.is_object() ? json.find(key) : nullptr;
  if (found == nullptr) throw corrupt_evidence(key);
  return *found;
}

std::string text_at(const Json& json, std::string_view key) {
  const Json& value = member(json, key);
  if (!value.is_string()) throw corrupt_evidence(key);
  return value.as_string();
}

double number_at(const Json& json, std::string_view key) {
  const Json& value = member(json, key);
  if (!value.is_number() || !std::isfinite(value.as_double())) throw corrupt_evidence(key);
  return value.as_double();
}

uint64_t count_at(const Json& json, std::string_view key) {
  const double value = number_at(json, key);
  if (value < 0 || value > 1e15 || value != std::floor(value)) throw corrupt_evidence(key);
  return static_cast<uint64_t>(value);
}

quality::Verdict verdict_at(const Json& json) {
  const std::string name = text_at(json, "verdict");
  for (const auto verdict : {quality::Verdict::kBetter, quality::Verdict::kWorse,
                             quality::Verdict::kNoDifferenceShown, quality::Verdict::kTooFew}) {
    if (quality::verdict_name(verdict) == name) return verdict;
  }
  throw corrupt_evidence("verdict");
}

GateComparison comparison_of(const Json& json) {
  GateComparison set;
  set.data_digest = text_at(json, "data");
  set.metric = text_at(json, "metric");
  set.candidate_digest = text_at(json, "candidate");
  set.n = count_at(json, "n");
  set.candidate_mean = number_at(json, "candidate_mean");
  set.report_digest = text_at(json, "report");
  if (json.find("champion") == nullptr) return set;
  set.champion_digest = text_at(json, "champion");
  set.gained = count_at(json, "gained");
  set.lost = count_at(json, "lost");
  set.champion_mean = number_at(json, "champion_mean");
  set.difference = number_at(json, "difference");
  set.p_value = number_at(json, "p");
  set.smallest_detectable = number_at(json, "smallest_detectable");
  const Json& interval = member(json, "interval");
  if (!interval.is_array() || interval.size() != 2 || !interval.as_array()[0].is_number() ||
      !interval.as_array()[1].is_number()) {
    throw corrupt_evidence("interval");
  }
  set.interval = {interval.as_array()[0].as_double(), interval.as_array()[1].as_double()};
  set.verdict = verdict_at(json);
  return set;
}

}  // namespace

GateEvidence GateEvidence::from_json(const Json& json) {
  GateEvidence evidence;
  evidence.main = comparison_of(member(json, "main"));
  if (const Json* second = json.find("second")) evidence.second = comparison_of(*second);
  evidence.overlap_main = count_at(json, "overlap_main");
  evidence.overlap_second = count_at(json, "overlap_second");
  if (json.find("training_data") != nullptr) {
    evidence.training_digest = text_at(json, "training_data");
  }
  return evidence;
}

std::string_view gate_outcome_name(GateOutcome outcome) {
  switch (outcome) {
    case GateOutcome::kPromoted: return "promoted";
    case GateOutcome::kKept: return "kept";
    case GateOutcome::kWorse: return "worse";
    case GateOutcome::kTooFew: return "too_few";
  }
  return "";
}

GateDecision decide(const GateSettings& gate, const GateEvidence& evidence,
                    std::string_view candidate_digest, std::string_view champion_digest) {
  const GateComparison& main = evidence.main;
  require_subject(main, "held-out", gate.heldout_digest, candidate_digest, champion_digest);
  const bool has_floor = !gate.floor_digest.empty();
  if (has_floor) {
    if (!evidence.second) {
      throw invalid_input("the gate has a floor on a second set: give the report on it too");
    }
    require_subject(*evidence.second, "second", gate.floor_digest, candidate_digest,
                    gate.no_worse ? champion_digest : std::string_view());
  }
  if (const uint64_t shared = evidence.overlap_main + evidence.overlap_second; shared > 0) {
    return {GateOutcome::kKept, std::to_string(shared) +
                                    " prompts of the tests stand in the candidate's training "
                                    "data: it was tested on what it had seen"};
  }
  if (main.n < gate.items_min) {
    return {GateOutcome::kTooFew, std::to_string(main.n) + " items, and the gate wants " +
                                      std::to_string(gate.items_min)};
  }
  if (!champion_digest.empty()) {
    const std::string numbers = " (" + main.metric + " " + rounded(main.champion_mean) + " to " +
                                rounded(main.candidate_mean) + ", p " + rounded(main.p_value) +
                                ", " + std::to_string(main.n) + " items)";
    switch (main.verdict) {
      case quality::Verdict::kTooFew:
        return {GateOutcome::kTooFew, "too few items to tell the two apart" + numbers};
      case quality::Verdict::kWorse:
        return {GateOutcome::kWorse, "worse than what answers now" + numbers};
      case quality::Verdict::kNoDifferenceShown:
        return {GateOutcome::kKept, "no difference shown" + numbers};
      case quality::Verdict::kBetter: break;
    }
  }
  if (has_floor) {
    const GateComparison& second = *evidence.second;
    if (!(second.candidate_mean >= gate.floor)) {
      return {GateOutcome::kKept, second.metric + " on the second set is " +
                                      rounded(second.candidate_mean) + ", below the floor of " +
                                      rounded(gate.floor)};
    }
    if (gate.no_worse && !champion_digest.empty() && second.verdict == quality::Verdict::kWorse) {
      return {GateOutcome::kKept, second.metric + " on the second set fell from " +
                                      rounded(second.champion_mean) + " to " +
                                      rounded(second.candidate_mean)};
    }
  }
  return {GateOutcome::kPromoted, champion_digest.empty()
                                      ? "the first model of this alias, and it passed"
                                      : main.metric + " rose from " + rounded(main.champion_mean) +
                                            " to " + rounded(main.candidate_mean) + " (p " +
                                            rounded(main.p_value) + ", " + std::to_string(main.n) +
                                            " items)"};
}

}  // namespace hone::registry
