#include "registry/aliases.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/utf8.h"
#include "seal/digest.h"

namespace hone::registry {

namespace {

constexpr int64_t kAliasesMax = 1000;
constexpr size_t kTargetsMax = 8, kReasonMax = 1000;

Json targets_json(const std::vector<Target>& targets) {
  Json::Array list;
  for (const Target& target : targets) {
    Json one = Json::object();
    one["model"] = target.model.id;
    one["weight"] = target.weight;
    list.push_back(std::move(one));
  }
  return Json(std::move(list));
}

std::vector<Target> read_targets(store::Connection& db, std::string_view text) {
  std::vector<Target> targets;
  const Json list = Json::parse(text).value();
  for (const Json& one : list.as_array()) {
    const auto key =
        db.query_int64("SELECT id FROM model WHERE public_id = $1", {one.at("model").as_string()});
    if (!key) throw Error(ErrorCode::kCorruptData, "an alias points at a model that is not there");
    targets.push_back({get_model(db, *key), one.at("weight").as_double()});
  }
  return targets;
}

struct AliasRow {
  int64_t key = 0, version = 0;
  std::string name;
  std::optional<std::string> gate, targets;
};

constexpr std::string_view kAliases =
    "SELECT a.id, a.name, a.version, a.gate, v.targets FROM alias a LEFT JOIN alias_version v "
    "ON v.alias_id = a.id AND v.version = a.version WHERE a.organisation_id = $1 ";

AliasRow read_row(const store::Row& row) {
  return {.key = row.int64(0),
          .version = row.int64(2),
          .name = row.string(1),
          .gate = row.optional_string(3),
          .targets = row.optional_string(4)};
}

Alias whole(store::Connection& db, const AliasRow& row) {
  Alias alias;
  alias.key = row.key;
  alias.name = row.name;
  alias.version = row.version;
  if (row.targets) alias.targets = read_targets(db, *row.targets);
  if (row.gate) alias.gate = GateSettings::from_json(Json::parse(*row.gate).value());
  return alias;
}

Alias find_or_make(store::Transaction& tx, int64_t organisation, std::string_view name,
                   int64_t now_ms) {
  if (auto found = find_alias(tx, organisation, name)) return *found;
  check_name(name);
  const auto model = tx.query_int64(
      "SELECT count(*) FROM model WHERE name = $2 AND retired_at_ms IS NULL AND "
      "(organisation_id = $1 OR organisation_id IS NULL)",
      {organisation, name});
  if (model.value_or(0) > 0) {
    throw Error(ErrorCode::kConflict,
                std::string(name) + " is the name of a model: choose another for the alias");
  }
  const auto count =
      tx.query_int64("SELECT count(*) FROM alias WHERE organisation_id = $1", {organisation});
  if (count.value_or(0) >= kAliasesMax) {
    throw Error(ErrorCode::kConflict, "there are 1,000 aliases already");
  }
  tx.execute("INSERT INTO alias (organisation_id, name, created_at_ms) VALUES ($1, $2, $3)",
             {organisation, name, now_ms});
  return find_alias(tx, organisation, name).value();
}

void require_version(const Alias& alias, const Decision& decision) {
  if (decision.expected_version && *decision.expected_version != alias.version) {
    throw Error(ErrorCode::kConflict, alias.name + " has moved on to version " +
                                          std::to_string(alias.version) +
                                          " meanwhile: look again, then decide");
  }
  if (count_characters(decision.reason) > kReasonMax) {
    throw invalid_input("a reason has at most 1,000 characters");
  }
}

int64_t add_version(store::Transaction& tx, const Alias& alias, const std::vector<Target>& targets,
                    const Decision& decision) {
  const int64_t version =
      tx.query_int64("SELECT coalesce(max(version), 0) FROM alias_version WHERE alias_id = $1",
                     {alias.key})
          .value_or(0) +
      1;
  tx.execute(
      "INSERT INTO alias_version (alias_id, version, previous, targets, created_by, created_at_ms) "
      "VALUES ($1, $2, $3, $4, $5, $6)",
      {alias.key, version, alias.version, targets_json(targets).dump(), decision.by,
       decision.now_ms});
  tx.execute("UPDATE alias SET version = $2 WHERE id = $1", {alias.key, version});
  return version;
}

Promotion record(store::Transaction& tx, const Alias& alias, const Model* candidate,
                 std::string_view outcome, int64_t to_version, std::string reason,
                 const Json& evidence, const Decision& decision) {
  tx.execute(
      "INSERT INTO promotion (public_id, alias_id, candidate_id, outcome, from_version, "
      "to_version, reason, evidence, created_by, created_at_ms) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
      {decision.id, alias.key, candidate == nullptr ? store::Value() : store::Value(candidate->key),
       outcome, alias.version, to_version, reason, evidence.dump(), decision.by, decision.now_ms});
  Promotion promotion;
  promotion.id = decision.id;
  promotion.alias = alias.name;
  promotion.candidate = candidate == nullptr ? "" : candidate->name;
  promotion.outcome = outcome;
  promotion.from_version = alias.version;
  promotion.to_version = to_version;
  promotion.reason = std::move(reason);
  promotion.evidence = evidence;
  promotion.created_by = decision.by;
  promotion.created_at_ms = decision.now_ms;
  return promotion;
}

Alias require_alias(store::Connection& db, int64_t organisation, std::string_view name) {
  auto alias = find_alias(db, organisation, name);
  if (!alias) {
    throw not_found("there is no alias \"" + std::string(name) +
                    "\" (hone model list shows what there is)");
  }
  return *alias;
}

}  // namespace

Json Alias::to_json() const {
  Json json = Json::object();
  json["alias"] = name;
  json["version"] = version;
  Json::Array list;
  for (const Target& target : targets) {
    Json one = Json::object();
    one["model"] = target.model.name;
    one["model_id"] = target.model.id;
    one["digest"] = target.model.digest;
    one["weight"] = target.weight;
    list.push_back(std::move(one));
  }
  json["targets"] = std::move(list);
  json["gate"] = gate ? gate->to_json() : Json();
  return json;
}

Json Promotion::to_json() const {
  Json json = Json::object();
  json["id"] = id;
  json["alias"] = alias;
  json["candidate"] = candidate.empty() ? Json() : Json(candidate);
  json["outcome"] = outcome;
  json["from_version"] = from_version;
  json["to_version"] = to_version;
  json["reason"] = reason;
  json["evidence"] = evidence;
  json["created_by"] = created_by;
  json["created_at_ms"] = created_at_ms;
  return json;
}

std::vector<Alias> list_aliases(store::Connection& db, int64_t organisation) {
  std::vector<Alias> aliases;
  const auto rows =
      db.query_all(std::string(kAliases) + "ORDER BY a.name", {organisation}, read_row);
  for (const AliasRow& row : rows) aliases.push_back(whole(db, row));
  return aliases;
}

std::optional<Alias> find_alias(store::Connection& db, int64_t organisation,
                                std::string_view name) {
  const auto row =
      db.query_one(std::string(kAliases) + "AND a.name = $2", {organisation, name}, read_row);
  if (!row) return std::nullopt;
  return whole(db, *row);
}

void set_gate(store::Transaction& tx, int64_t organisation, std::string_view name,
              const GateSettings* gate, int64_t now_ms) {
  if (gate != nullptr) check_floor(*gate);
  const Alias alias = find_or_make(tx, organisation, name, now_ms);
  tx.execute("UPDATE alias SET gate = $2 WHERE id = $1",
             {alias.key, gate == nullptr ? store::Value() : store::Value(gate->to_json().dump())});
}

Promotion promote(store::Transaction& tx, int64_t organisation, std::string_view name,
                  std::string_view model, const GateEvidence* evidence, bool force,
                  const Decision& decision) {
  const Alias alias = find_or_make(tx, organisation, name, decision.now_ms);
  require_version(alias, decision);
  const Model candidate = find_model(tx, organisation, model);
  if (alias.targets.size() == 1 && alias.targets[0].model.key == candidate.key) {
    throw Error(ErrorCode::kConflict, alias.name + " answers with " + candidate.name + " already");
  }
  const Json evidence_json = evidence == nullptr ? Json::object() : evidence->to_json();
  if (force && decision.reason.empty()) {
    throw invalid_input("moving an alias past its gate needs a reason: --reason \"…\"");
  }
  if (alias.gate && !force) {
    if (evidence == nullptr) {
      throw Error(ErrorCode::kConflict,
                  alias.name +
                      " has a gate: give the reports of candidate and champion on its held-out "
                      "set, or --force with a reason");
    }
    if (alias.targets.size() > 1) {
      throw Error(ErrorCode::kConflict, alias.name +
                                            " is split between models: a gate compares "
                                            "with one; roll back first, or --force with a reason");
    }
    const std::string champion = alias.targets.empty() ? "" : alias.targets[0].model.digest;
    const GateDecision said = decide(*alias.gate, *evidence, candidate.digest, champion);
    const bool moves = said.outcome == GateOutcome::kPromoted;
    const int64_t to = moves ? add_version(tx, alias, {{candidate, 1.0}}, decision) : alias.version;
    return record(tx, alias, &candidate, gate_outcome_name(said.outcome), to, said.reason,
                  evidence_json, decision);
  }
  const int64_t to = add_version(tx, alias, {{candidate, 1.0}}, decision);
  return record(tx, alias, &candidate, "by_hand", to, decision.reason, evidence_json, decision);
}

Promotion split(store::Transaction& tx, int64_t organisation, std::string_view name,
                const std::vector<std::pair<std::string, double>>& models,
                const Decision& decision) {
  if (models.size() < 2 || models.size() > kTargetsMax) {
    throw invalid_input("a split names two to eight models");
  }
  const Alias alias = find_or_make(tx, organisation, name, decision.now_ms);
  require_version(alias, decision);
  if (alias.gate && decision.reason.empty()) {
    throw Error(ErrorCode::kConflict,
                alias.name + " has a gate: a split past it needs a reason, --reason \"…\"");
  }
  std::vector<Target> targets;
  for (const auto& [named, weight] : models) {
    if (!(weight > 0) || !(weight <= 1e6)) {
      throw invalid_input("the weight of " + named + " must be above 0 and at most 1,000,000");
    }
    Model model = find_model(tx, organisation, named);
    for (const Target& other : targets) {
      if (other.model.key == model.key) throw invalid_input(named + " stands in the split twice");
    }
    targets.push_back({std::move(model), weight});
  }
  const int64_t to = add_version(tx, alias, targets, decision);
  return record(tx, alias, nullptr, "split", to, decision.reason, targets_json(targets), decision);
}

Promotion roll_back(store::Transaction& tx, int64_t organisation, std::string_view name,
                    const Decision& decision) {
  const Alias alias = require_alias(tx, organisation, name);
  require_version(alias, decision);
  const auto previous =
      tx.query_int64("SELECT previous FROM alias_version WHERE alias_id = $1 AND version = $2",
                     {alias.key, alias.version});
  if (previous.value_or(0) == 0) {
    throw Error(ErrorCode::kConflict, alias.name + " has no earlier version to go back to");
  }
  const std::string targets =
      tx.query_text("SELECT targets FROM alias_version WHERE alias_id = $1 AND version = $2",
                    {alias.key, *previous})
          .value();
  for (const Target& target : read_targets(tx, targets)) {
    find_model(tx, organisation, target.model.id);  // throws when it was retired since
  }
  tx.execute("UPDATE alias SET version = $2 WHERE id = $1", {alias.key, *previous});
  return record(tx, alias, nullptr, "rolled_back", *previous, decision.reason, Json::object(),
                decision);
}

void retire_model(store::Transaction& tx, int64_t organisation, std::string_view named,
                  int64_t now_ms) {
  const Model model = find_model(tx, organisation, named);
  if (model.shared && organisation != 0) {
    throw Error(ErrorCode::kForbidden, model.name + " is shared: the operator retires it");
  }
  const auto owners = tx.query_all("SELECT DISTINCT organisation_id FROM alias", {},
                                   [](const store::Row& row) { return row.int64(0); });
  for (const int64_t owner : owners) {
    for (const Alias& alias : list_aliases(tx, owner)) {
      for (const Target& target : alias.targets) {
        if (target.model.key != model.key) continue;
        throw Error(ErrorCode::kConflict, "the alias " + alias.name + " answers with " +
                                              model.name + ": promote another model first");
      }
    }
  }
  const auto child = tx.query_text(
      "SELECT name FROM model WHERE parent_id = $1 AND retired_at_ms IS NULL LIMIT 1", {model.key});
  if (child) {
    throw Error(ErrorCode::kConflict,
                "the adapter " + *child + " stands on " + model.name + ": retire it first");
  }
  tx.execute("UPDATE model SET retired_at_ms = $2 WHERE id = $1", {model.key, now_ms});
}

std::vector<AliasVersion> list_versions(store::Connection& db, int64_t organisation,
                                        std::string_view name, size_t limit,
                                        std::optional<int64_t> before) {
  const Alias alias = require_alias(db, organisation, name);
  std::vector<std::string> targets;
  auto versions = db.query_all(
      "SELECT version, previous, created_by, created_at_ms, targets FROM alias_version WHERE "
      "alias_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3",
      {alias.key, before.value_or(INT64_MAX), static_cast<int64_t>(limit)},
      [&](const store::Row& row) {
        targets.push_back(row.string(4));
        return AliasVersion{row.int64(0), row.int64(1), {}, row.string(2), row.int64(3)};
      });
  for (size_t i = 0; i < versions.size(); ++i) versions[i].targets = read_targets(db, targets[i]);
  return versions;
}

std::vector<Promotion> list_promotions(store::Connection& db, int64_t organisation,
                                       std::string_view alias, size_t limit,
                                       std::optional<int64_t> before) {
  require_alias(db, organisation, alias);
  return db.query_all(
      "SELECT p.public_id, a.name, m.name, p.outcome, p.from_version, p.to_version, p.reason, "
      "p.evidence, p.created_by, p.created_at_ms, p.id FROM promotion p JOIN alias a ON a.id = "
      "p.alias_id LEFT JOIN model m ON m.id = p.candidate_id WHERE a.organisation_id = $1 AND "
      "a.name = $2 AND p.id < $4 ORDER BY p.id DESC LIMIT $3",
      {organisation, alias, static_cast<int64_t>(limit), before.value_or(INT64_MAX)},
      [](const store::Row& row) {
        Promotion p;
        p.id = row.string(0);
        p.alias = row.string(1);
        p.candidate = row.optional_string(2).value_or("");
        p.outcome = row.string(3);
        p.from_version = row.int64(4);
        p.to_version = row.int64(5);
        p.reason = row.string(6);
        p.evidence = Json::parse(row.text(7)).value();
        p.created_by = row.string(8);
        p.created_at_ms = row.int64(9);
        p.key = row.int64(10);
        return p;
      });
}

std::vector<Target> resolve(store::Connection& db, int64_t organisation, std::string_view name) {
  if (const auto alias = find_alias(db, organisation, name)) {
    if (alias->targets.empty()) {
      throw Error(ErrorCode::kConflict, "the alias " + alias->name +
                                            " points nowhere yet: hone model promote " +
                                            alias->name + " MODEL");
    }
    return alias->targets;
  }
  return {{find_model(db, organisation, name), 1.0}};
}

size_t pick(std::span<const double> weights, std::string_view key) {
  double total = 0;
  for (const double weight : weights) total += weight;
  // 52 bits of the key's digest as a number in [0, 1): the same choice on every machine.
  const std::string bits = seal::sha256_hex(key).substr(0, 13);
  double at = std::ldexp(static_cast<double>(std::stoull(bits, nullptr, 16)), -52) * total;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (at < weights[i]) return i;
    at -= weights[i];
  }
  return weights.size() - 1;
}

}  // namespace hone::registry
