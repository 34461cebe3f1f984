#pragma once
// Models and adapters by name and digest (docs/formats/digest.md), with where they came from.
//
// A model belongs to an organisation, or, bases only, to all of them (decisions 4.4). Names are
// unique among the living of one owner; an organisation's own name hides a shared one. Retiring
// (aliases.h) keeps the row: what an alias meant and what a decision was about stays readable.
//
// Functions on a Connection or Transaction of control.db; any thread that has one. Errors:
// not_found, conflict (a name in use), invalid_input.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "store/database.h"

namespace hone::registry {

enum class ModelKind { kBase, kAdapter };
std::string_view model_kind_name(ModelKind kind);  // "base", "adapter"

struct Model {
  int64_t key = 0;
  std::string id;  // mdl_…
  bool shared = false;
  std::string name;
  ModelKind kind = ModelKind::kBase;
  std::string parent_id, parent_name;  // of an adapter
  std::string path, digest;
  Json origin = Json::object();
  std::string created_by;
  int64_t created_at_ms = 0;

  Json to_json() const;
};

struct NewModel {
  std::string id;  // mdl_…, made by the caller
  std::string name;
  ModelKind kind = ModelKind::kBase;
  std::string parent;  // name, id or digest; of an adapter
  std::string path, digest;
  Json origin = Json::object();  // {"run", "snapshot", "data"}; what is unknown is left out
};

// organisation 0 = shared.
Model add_model(store::Transaction& tx, int64_t organisation, const NewModel& wanted,
                std::string_view created_by, int64_t now_ms);
// What the organisation sees, its own first, by name.
std::vector<Model> list_models(store::Connection& db, int64_t organisation, size_t limit);
// By id, name or digest (at least 12 characters of it).
Model find_model(store::Connection& db, int64_t organisation, std::string_view named);
Model get_model(store::Connection& db, int64_t key);

// Throws invalid_input: 1 to 100 letters, digits, '.', '-', '_', ':' and '/', no ids of ours.
void check_name(std::string_view name);

}  // namespace hone::registry
