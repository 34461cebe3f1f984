#include "api/gate_overlap.h"

#include "base/error.h"
#include "data/data_check.h"
#include "label/snapshots.h"
#include "registry/aliases.h"
#include "seal/digest.h"

namespace hone::api {
namespace {

Error unreadable(const GateSet& set, const std::string& why) {
  return Error(ErrorCode::kConflict,
               set.words() + " " + why +
                   ", so nobody can say whether the training rows stand in it: set the gate again, "
                   "or take it away");
}

// A snapshot of the organisation, or a file that the operator named on the command line.
GateSet set_of(label::Organisation& organisation, const std::string& alias, bool is_floor,
               const std::string& source, const std::string& digest) {
  GateSet set{alias, is_floor, source, source, digest};
  if (source.rfind("snp_", 0) != 0) return set;
  try {
    set.name = organisation.read(
        [&](store::Connection& db) { return label::get_snapshot(db, source).name; });
    set.path = label::snapshot_file(organisation, source, "heldout.jsonl");
  } catch (const Error&) {
    set.path.clear();
  }
  return set;
}

}  // namespace

std::string GateSet::words() const {
  return std::string(is_floor ? "the floor set" : "the held-out set") + " of the gate of " + alias +
         " (" + (name.empty() ? "a file" : name) + ")";
}

Json GateSet::to_json() const {
  Json json = Json::object();
  json["alias"] = alias;
  json["floor"] = is_floor;
  json["name"] = name;
  json["path"] = path;
  json["digest"] = digest;
  return json;
}

GateSet GateSet::from_json(const Json& json) {
  return {json.at("alias").as_string(), json.at("floor").as_bool(), json.at("name").as_string(),
          json.at("path").as_string(), json.at("digest").as_string()};
}

std::vector<GateSet> gate_sets(Platform& platform, label::Organisation& organisation,
                               int64_t organisation_key, std::string_view alias) {
  const auto aliases = platform.control().read(
      [&](store::Connection& db) { return registry::list_aliases(db, organisation_key); });
  std::vector<GateSet> sets;
  for (const registry::Alias& each : aliases) {
    if (!each.gate || (!alias.empty() && each.name != alias)) continue;
    const registry::GateSettings& gate = *each.gate;
    sets.push_back(
        set_of(organisation, each.name, false, gate.heldout_source, gate.heldout_digest));
    if (gate.floor_digest.empty()) continue;
    sets.push_back(set_of(organisation, each.name, true, gate.floor_source, gate.floor_digest));
  }
  return sets;
}

std::string GateOverlap::words(const std::string& training) const {
  return training + " and " + set.words() + " have " + std::to_string(prompts) +
         (prompts == 1 ? " prompt" : " prompts") + " in common (the first in line " +
         std::to_string(first_line) +
         " of the training rows): a model that was trained on the test cannot pass its gate";
}

std::vector<GateOverlap> find_gate_overlaps(Env& env, const data::Dataset& rows,
                                            const std::vector<GateSet>& sets) {
  std::vector<GateOverlap> found;
  for (const GateSet& set : sets) {
    if (set.path.empty() || !env.exists(set.path)) throw unreadable(set, "is gone");
    const data::Dataset test = data::load_dataset(env, set.path);
    if (test.digest != set.digest) throw unreadable(set, "is no longer the file that it names");
    const data::Finding shared = data::check_data(rows, &test, {}).shared_prompts;
    if (shared.count > 0) found.push_back({set, shared.count, shared.lines.front()});
  }
  return found;
}

void refuse_gate_overlap(Env& env, const data::Dataset& rows, const std::string& training,
                         const std::vector<GateSet>& sets) {
  const auto found = find_gate_overlaps(env, rows, sets);
  if (found.empty()) return;
  throw Error(ErrorCode::kConflict,
              found.front().words(training) +
                  "; train on rows without them (a snapshot of a project whose split is frozen "
                  "leaves its held-out prompts out), or set the gate on other rows");
}

}  // namespace hone::api
