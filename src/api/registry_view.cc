#include "api/registry_view.h"

#include <filesystem>

#include "api/project_view.h"
#include "label/events.h"
#include "label/public_id.h"
#include "label/snapshots.h"

namespace hone::api {
namespace {

constexpr size_t kFilesMax = 1000;

// Of a file, or of the files of a folder; null when they are gone.
Json bytes_of(Env& env, const std::string& path) {
  try {
    if (env.is_file(path)) return Json(env.file_size(path));
    if (!env.is_directory(path)) return {};
    uint64_t bytes = 0;
    size_t files = 0;
    for (const std::string& name : env.list_directory(path)) {
      if (++files > kFilesMax) break;
      const std::string file = path + "/" + name;
      if (env.is_file(file)) bytes += env.file_size(file);
    }
    return Json(bytes);
  } catch (const Error&) {
    return {};
  }
}

Json targets_json(const std::vector<registry::Target>& targets) {
  Json list = Json::array();
  for (const registry::Target& target : targets) {
    Json one = Json::object();
    one["model"] = target.model.name;
    one["model_id"] = target.model.id;
    one["digest"] = target.model.digest;
    one["weight"] = target.weight;
    list.push_back(std::move(one));
  }
  return list;
}

// A set by the snapshot that it is of; of a file of the operator the last part of its name.
Json set_json(store::Connection& db, const std::string& source, const std::string& digest,
              const std::string& metric) {
  const bool is_snapshot = source.rfind("snp_", 0) == 0;
  std::string name = std::filesystem::path(source).filename().string();
  if (is_snapshot) {
    try {
      name = label::get_snapshot(db, source).name;
    } catch (const Error&) {
      // Gone, as after a backup that was put back: its id is still what the gate says.
    }
  }
  Json json = Json::object();
  json["snapshot_id"] = is_snapshot ? Json(source) : Json();
  json["name"] = name;
  json["digest"] = digest;
  json["metric"] = metric;
  return json;
}

Json gate_json(store::Connection& db, const registry::GateSettings& gate) {
  Json json = Json::object();
  json["heldout"] = set_json(db, gate.heldout_source, gate.heldout_digest, gate.metric);
  json["items_min"] = gate.items_min;
  json["second"] = gate.floor_digest.empty()
                       ? Json()
                       : set_json(db, gate.floor_source, gate.floor_digest, gate.floor_metric);
  json["floor"] = gate.floor;
  json["no_worse"] = gate.no_worse;
  return json;
}

}  // namespace

Json model_json(Call& call, store::Connection& organisation_db, const registry::Model& model) {
  Json json = Json::object();
  json["id"] = model.id;
  json["name"] = model.name;
  json["kind"] = registry::model_kind_name(model.kind);
  json["shared"] = model.shared;
  json["digest"] = model.digest;
  json["parent"] = model.parent_id.empty() ? Json() : Json(model.parent_name);
  json["parent_id"] = model.parent_id.empty() ? Json() : Json(model.parent_id);
  json["origin"] = model.origin;
  json["bytes"] = bytes_of(call.platform.env(), model.path);
  const std::string note =
      call.platform.has_model_host()
          ? call.platform.model_host().why_not_served(call.who().organisation_id, model.id)
          : "this server answers from no model";
  json["served"] = note.empty();
  json["note"] = note;
  json["created_by"] = named_actor(call, organisation_db, model.created_by);
  json["created_at"] = time_text(model.created_at_ms);
  return json;
}

Json alias_json(store::Connection& organisation_db, const registry::Alias& alias,
                const std::string& job_id) {
  Json json = Json::object();
  json["name"] = alias.name;
  json["version"] = alias.version;
  json["targets"] = targets_json(alias.targets);
  json["gate"] = alias.gate ? gate_json(organisation_db, *alias.gate) : Json();
  json["job_id"] = job_id.empty() ? Json() : Json(job_id);
  return json;
}

Json version_json(Call& call, store::Connection& organisation_db,
                  const registry::AliasVersion& version) {
  Json json = Json::object();
  json["version"] = version.version;
  json["previous"] = version.previous;
  json["targets"] = targets_json(version.targets);
  json["created_by"] = named_actor(call, organisation_db, version.created_by);
  json["created_at"] = time_text(version.created_at_ms);
  return json;
}

Json decision_json(Call& call, store::Connection& organisation_db,
                   const registry::Promotion& promotion) {
  Json json = Json::object();
  json["id"] = promotion.id;
  json["alias"] = promotion.alias;
  json["candidate"] = promotion.candidate.empty() ? Json() : Json(promotion.candidate);
  json["outcome"] = promotion.outcome;
  json["moved"] = promotion.moved();
  json["from_version"] = promotion.from_version;
  json["to_version"] = promotion.to_version;
  json["reason"] = promotion.reason;
  json["evidence"] = promotion.evidence;
  json["created_by"] = named_actor(call, organisation_db, promotion.created_by);
  json["created_at"] = time_text(promotion.created_at_ms);
  return json;
}

registry::Alias alias_of_path(Call& call) {
  const std::string& name = call.id("alias");
  auto alias = call.platform.control().read([&](store::Connection& db) {
    return registry::find_alias(db, call.who().organisation_key, name);
  });
  if (!alias) throw not_found("there is no such alias");
  return std::move(*alias);
}

registry::Decision new_decision(Call& call, const label::Actor& actor) {
  Env& env = call.platform.env();
  return {.id = label::make_public_id(env, "prm"),
          .by = actor.id,
          .reason = call.text("reason"),
          .now_ms = env.now_ms(),
          .expected_version = call.maybe_int("expected_version")};
}

void record_registry_event(Call& call, const label::Actor& actor, std::string_view kind,
                           std::string_view object, Json data) {
  call.organisation().write(store::Durability::kDisk, [&](store::Transaction& tx) {
    label::record_event(tx, call.now_ms(), actor,
                        {.kind = kind,
                         .object = object,
                         .project_id = std::nullopt,
                         .from = "",
                         .to = "",
                         .data = std::move(data)});
  });
}

void tell_registry(Call& call, std::string_view kind, const std::string& id) {
  if (call.platform.has_model_host()) call.platform.model_host().refresh();
  Json data = Json::object();
  data["id"] = id;
  call.platform.events().publish(call.who().organisation_id, kind, data);
}

}  // namespace hone::api
