#include "registry/models.h"

#include <algorithm>

#include "base/error.h"

namespace hone::registry {

namespace {

constexpr size_t kNameMax = 100, kDigestMin = 12;

constexpr std::string_view kColumns =
    "SELECT m.id, m.public_id, m.organisation_id IS NULL, m.name, m.kind, p.public_id, p.name, "
    "m.path, m.digest, m.origin, m.created_by, m.created_at_ms FROM model m "
    "LEFT JOIN model p ON p.id = m.parent_id ";

Model read_model(const store::Row& row) {
  return {.key = row.int64(0),
          .id = row.string(1),
          .shared = row.boolean(2),
          .name = row.string(3),
          .kind = row.text(4) == "base" ? ModelKind::kBase : ModelKind::kAdapter,
          .parent_id = row.optional_string(5).value_or(""),
          .parent_name = row.optional_string(6).value_or(""),
          .path = row.string(7),
          .digest = row.string(8),
          .origin = Json::parse(row.text(9)).value(),
          .created_by = row.string(10),
          .created_at_ms = row.int64(11)};
}

std::vector<Model> living(store::Connection& db, int64_t organisation, std::string_view condition,
                          std::string_view value, size_t limit) {
  std::string sql(kColumns);
  sql += "WHERE m.retired_at_ms IS NULL AND (m.organisation_id = $1 OR m.organisation_id IS NULL) ";
  sql += condition;
  sql += " ORDER BY m.organisation_id IS NULL, m.name LIMIT $3";
  return db.query_all(sql, {organisation, value, static_cast<int64_t>(limit)}, read_model);
}

}  // namespace

std::string_view model_kind_name(ModelKind kind) {
  return kind == ModelKind::kBase ? "base" : "adapter";
}

Json Model::to_json() const {
  Json json = Json::object();
  json["id"] = id;
  json["name"] = name;
  json["kind"] = model_kind_name(kind);
  json["shared"] = shared;
  json["digest"] = digest;
  if (!parent_id.empty()) {
    json["parent"] = parent_name;
    json["parent_id"] = parent_id;
  }
  json["origin"] = origin;
  json["created_by"] = created_by;
  json["created_at_ms"] = created_at_ms;
  return json;
}

void check_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':' || c == '/';
  };
  // Dots alone would be a place in a path (/aliases/..).
  if (name.empty() || name.size() > kNameMax || !std::all_of(name.begin(), name.end(), fits) ||
      name.find_first_not_of('.') == std::string_view::npos) {
    throw invalid_input(
        "\"" + std::string(name.substr(0, kNameMax)) +
        "\" is no name for a model: 1 to 100 letters, digits and . - _ : /, not dots alone");
  }
  if (name.starts_with("mdl_")) {
    throw invalid_input("names that begin with mdl_ are ids: choose another");
  }
}

Model add_model(store::Transaction& tx, int64_t organisation, const NewModel& wanted,
                std::string_view created_by, int64_t now_ms) {
  check_name(wanted.name);
  const bool adapter = wanted.kind == ModelKind::kAdapter;
  if (adapter && organisation == 0) {
    throw invalid_input("an adapter belongs to an organisation; only bases are shared by all");
  }
  store::Value parent;
  if (adapter) {
    const Model base = find_model(tx, organisation, wanted.parent);
    if (base.kind != ModelKind::kBase) {
      throw invalid_input(base.name + " is an adapter: the parent must be the base it stands on");
    }
    parent = base.key;
  }
  const auto taken = tx.query_int64(
      "SELECT count(*) FROM alias WHERE name = $2 AND ($1 = 0 OR organisation_id = $1)",
      {organisation, wanted.name});
  if (taken.value_or(0) > 0) {
    throw Error(ErrorCode::kConflict, wanted.name + " is the name of an alias: choose another");
  }
  const int64_t added = tx.execute(
      "INSERT INTO model (public_id, organisation_id, name, kind, parent_id, path, digest, origin, "
      "created_by, created_at_ms) VALUES ($1, nullif($2, 0), $3, $4, $5, $6, $7, $8, $9, $10) "
      "ON CONFLICT DO NOTHING",
      {wanted.id, organisation, wanted.name, model_kind_name(wanted.kind), parent, wanted.path,
       wanted.digest, wanted.origin.dump(), created_by, now_ms});
  if (added == 0) {
    throw Error(ErrorCode::kConflict,
                "there is a model called " + wanted.name +
                    " already: choose another name, or move an alias to the new one");
  }
  return get_model(tx, tx.last_insert_id());
}

std::vector<Model> list_models(store::Connection& db, int64_t organisation, size_t limit) {
  return living(db, organisation, "AND $2 = ''", "", limit);
}

Model find_model(store::Connection& db, int64_t organisation, std::string_view named) {
  // Its own name hides a shared one: the own comes first.
  if (auto found = living(db, organisation, "AND (m.name = $2 OR m.public_id = $2)", named, 1);
      !found.empty()) {
    return found[0];
  }
  if (named.size() >= kDigestMin) {
    const auto found =
        living(db, organisation, "AND substr(m.digest, 1, length($2)) = $2", named, 2);
    if (found.size() == 1) return found[0];
    if (found.size() > 1) {
      throw invalid_input("several models begin with the digest " + std::string(named) +
                          ": give the name");
    }
  }
  throw not_found("there is no model \"" + std::string(named) +
                  "\" (hone model list shows what there is)");
}

Model get_model(store::Connection& db, int64_t key) {
  auto found = db.query_one(std::string(kColumns) + "WHERE m.id = $1", {key}, read_model);
  if (!found) throw not_found("there is no such model");
  return *found;
}

}  // namespace hone::registry
