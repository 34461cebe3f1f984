#pragma once
// Names that mean a model for now: "assistant" is version 3, which is one model, or several by
// weight. A move is one write: whoever asks meets the old version or the new one, never neither.
//
// Versions are never changed. Promoting makes a new one; rolling back points at the one that the
// present version took over from, again and again if need be. Every move, and every promotion that
// a gate refused, is a record with its evidence (Promotion).
//
// Functions on a Connection or Transaction of control.db. Errors: not_found, conflict, invalid_input.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "registry/gate.h"
#include "registry/models.h"
#include "store/database.h"

namespace hone::registry {

struct Target {
  Model model;
  double weight = 1;
};

struct Alias {
  int64_t key = 0;
  std::string name;
  int64_t version = 0;  // 0 = it points nowhere yet
  std::vector<Target> targets;
  std::optional<GateSettings> gate;

  Json to_json() const;
};

// What an alias meant from then on; never changed.
struct AliasVersion {
  int64_t version = 0, previous = 0;  // previous: what it took over from; 0 = none
  std::vector<Target> targets;
  std::string created_by;
  int64_t created_at_ms = 0;
};

struct Promotion {
  int64_t key = 0;                   // order of making
  std::string id, alias, candidate;  // prm_…; names
  std::string outcome;               // a GateOutcome's name, "by_hand", "split", "rolled_back"
  int64_t from_version = 0, to_version = 0;
  std::string reason;
  Json evidence = Json::object();
  std::string created_by;
  int64_t created_at_ms = 0;

  bool moved() const { return from_version != to_version; }
  Json to_json() const;
};

// Who decides, when, under which id (made by the caller).
struct Decision {
  std::string id;  // prm_…
  std::string by, reason;
  int64_t now_ms = 0;
  // Refuses with conflict when the alias has moved on since it was looked at.
  std::optional<int64_t> expected_version = {};
};

std::vector<Alias> list_aliases(store::Connection& db, int64_t organisation);
std::optional<Alias> find_alias(store::Connection& db, int64_t organisation, std::string_view name);

// Makes the alias when there is none. Null takes the gate away. Throws invalid_input as check_floor.
void set_gate(store::Transaction& tx, int64_t organisation, std::string_view alias,
              const GateSettings* gate, int64_t now_ms);

// Moves the alias to one model, making it when there is none. An alias with a gate moves only with
// evidence that the gate accepts; what it says is the record's outcome, moved or not. Without
// evidence, or `force` with a reason: by hand.
Promotion promote(store::Transaction& tx, int64_t organisation, std::string_view alias,
                  std::string_view model, const GateEvidence* evidence, bool force,
                  const Decision& decision);
// Two to eight models by weight (each above 0); the same base for all.
Promotion split(store::Transaction& tx, int64_t organisation, std::string_view alias,
                const std::vector<std::pair<std::string, double>>& models,
                const Decision& decision);
Promotion roll_back(store::Transaction& tx, int64_t organisation, std::string_view alias,
                    const Decision& decision);

// Takes a model out of the lists. Conflict while an alias answers with it or an adapter stands on it.
void retire_model(store::Transaction& tx, int64_t organisation, std::string_view named,
                  int64_t now_ms);

// Both the newest first; before: the key or version of the last one of the page before.
std::vector<Promotion> list_promotions(store::Connection& db, int64_t organisation,
                                       std::string_view alias, size_t limit,
                                       std::optional<int64_t> before = {});
std::vector<AliasVersion> list_versions(store::Connection& db, int64_t organisation,
                                        std::string_view alias, size_t limit,
                                        std::optional<int64_t> before = {});

// What a name means to an organisation: an alias, else a model of that name, id or digest. Throws
// not_found; conflict for an alias that points nowhere.
std::vector<Target> resolve(store::Connection& db, int64_t organisation, std::string_view name);
// Which of these weights (each above 0) a key falls to: by weight, always the same for the same key
// (a conversation, a person).
size_t pick(std::span<const double> weights, std::string_view key);

}  // namespace hone::registry
