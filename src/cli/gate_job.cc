#include "cli/gate_job.h"

#include "base/error.h"
#include "label/events.h"
#include "label/public_id.h"
#include "label/snapshots.h"

namespace hone::cli {

namespace {

struct Order {
  int64_t organisation = 0;
  std::string alias, model_id, reason;
  int64_t expected_version = 0;
};

Order order_of(api::Platform& platform, const store::Job& job) {
  Order order;
  order.organisation = platform.identity()
                           .read([&](store::Connection& db) {
                             return platform.identity().organisation(db, job.organisation);
                           })
                           .key;
  order.alias = job.payload.at("alias").as_string();
  order.model_id = job.payload.at("model_id").as_string();
  order.reason = job.payload.at("reason").as_string();
  order.expected_version = job.payload.at("expected_version").as_int();
  return order;
}

// The files of a model, as hone eval names them.
Json subject(store::Connection& db, int64_t organisation, const registry::Model& model) {
  Json json = Json::object();
  if (model.kind == registry::ModelKind::kBase) {
    json["model"] = model.path;
    return json;
  }
  json["model"] = registry::find_model(db, organisation, model.parent_id).path;
  json["adapter"] = model.path;
  return json;
}

// A snapshot of the organisation, or a file that the operator named on the command line.
std::string file_of(api::Platform& platform, const store::Job& job, const std::string& source,
                    const char* name) {
  if (source.rfind("snp_", 0) != 0) return source;
  return label::snapshot_file(platform.organisation(job.organisation), source, name);
}

}  // namespace

Json gate_spec(api::Platform& platform, const store::Job& job, const std::string& folder) {
  const Order order = order_of(platform, job);
  Json spec = Json::object();
  registry::GateSettings gate;
  registry::Model candidate;
  platform.control().read([&](store::Connection& db) {
    const auto alias = registry::find_alias(db, order.organisation, order.alias);
    if (!alias || !alias->gate) {
      throw Error(ErrorCode::kConflict, order.alias + " has no gate any more: promote it by hand");
    }
    if (alias->version != order.expected_version) {
      throw Error(ErrorCode::kConflict,
                  order.alias + " has moved on meanwhile: look again, then decide");
    }
    gate = *alias->gate;
    candidate = registry::find_model(db, order.organisation, order.model_id);
    spec["candidate"] = subject(db, order.organisation, candidate);
    if (!alias->targets.empty()) {
      spec["champion"] = subject(db, order.organisation, alias->targets[0].model);
    }
  });
  const auto add_set = [&](const char* name, const std::string& source, const std::string& digest,
                           const std::string& metric) {
    Json set = Json::object();
    set["name"] = name;
    set["data"] = file_of(platform, job, source, "heldout.jsonl");
    set["digest"] = digest;
    set["metric"] = metric;
    spec["sets"].push_back(std::move(set));
  };
  add_set("main", gate.heldout_source, gate.heldout_digest, gate.metric);
  if (!gate.floor_digest.empty()) {
    add_set("second", gate.floor_source, gate.floor_digest, gate.floor_metric);
  }
  if (const Json* snapshot = candidate.origin.find("snapshot")) {
    spec["training"] = file_of(platform, job, snapshot->as_string(), "train.jsonl");
    if (const Json* digest = candidate.origin.find("data")) spec["training_digest"] = *digest;
  }
  spec["output"] = folder;
  return spec;
}

registry::Promotion decide_gate(api::Platform& platform, const store::Job& job,
                                const Json& evidence_json) {
  const Order order = order_of(platform, job);
  const registry::GateEvidence evidence = registry::GateEvidence::from_json(evidence_json);
  registry::Decision decision;
  decision.id = label::make_public_id(platform.env(), "prm");
  decision.by = job.created_by;
  decision.reason = order.reason;
  decision.now_ms = platform.env().now_ms();
  decision.expected_version = order.expected_version;
  const registry::Promotion made =
      platform.control().write(store::Durability::kDisk, [&](store::Transaction& tx) {
        return registry::promote(tx, order.organisation, order.alias, order.model_id, &evidence,
                                 false, decision);
      });
  label::Actor actor = label::system_actor();
  actor.id = job.created_by;
  Json data = Json::object();
  data["outcome"] = made.outcome;
  data["from_version"] = made.from_version;
  data["to_version"] = made.to_version;
  platform.organisation(job.organisation)
      .write(store::Durability::kDisk, [&](store::Transaction& tx) {
        label::record_event(tx, decision.now_ms, actor,
                            {.kind = "alias.decided",
                             .object = made.id,
                             .project_id = std::nullopt,
                             .from = "",
                             .to = "",
                             .data = std::move(data)});
      });
  return made;
}

}  // namespace hone::cli
