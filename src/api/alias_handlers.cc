// Aliases: what answers under a name, and the decisions that moved it. An alias with a gate moves
// after a job has measured the candidate (job_runner.h, kind "gate"); everything else at once.
#include <map>
#include <tuple>

#include "api/dataset_view.h"
#include "api/handlers.h"
#include "api/registry_view.h"
#include "label/projects.h"
#include "seal/digest.h"
#include "store/job_queue.h"

namespace hone::api {
namespace {

using registry::Alias;
using registry::Promotion;
using store::Connection;
using store::Durability;
using store::Transaction;

constexpr int64_t kJobsLookedAt = 100;

// The job that measures for an alias now, by the alias's name.
std::map<std::string, std::string> running_gates(Call& call) {
  store::JobPage wanted;
  wanted.organisation = call.who().organisation_id;
  wanted.kind = "gate";
  wanted.limit = kJobsLookedAt;
  const auto jobs =
      call.platform.control().read([&](Connection& db) { return store::list_jobs(db, wanted); });
  std::map<std::string, std::string> running;
  for (const store::Job& job : jobs) {
    if (job.state != store::JobState::kQueued && job.state != store::JobState::kRunning) continue;
    if (const Json* alias = job.payload.find("alias")) running[alias->as_string()] = job.public_id;
  }
  return running;
}

Json shown(Call& call, const Alias& alias) {
  const auto running = running_gates(call);
  const auto job = running.find(alias.name);
  return call.organisation().read([&](Connection& db) {
    return alias_json(db, alias, job == running.end() ? "" : job->second);
  });
}

// The decision on the disk, in the chain of events and in what answers.
Answer decided(Call& call, const label::Actor& actor,
               const std::function<Promotion(Transaction&)>& decide) {
  const Promotion made =
      call.platform.control().write(Durability::kDisk, [&](Transaction& tx) { return decide(tx); });
  Json data = Json::object();
  data["outcome"] = made.outcome;
  data["from_version"] = made.from_version;
  data["to_version"] = made.to_version;
  record_registry_event(call, actor, "alias.decided", made.id, std::move(data));
  tell_registry(call, "alias", made.alias);
  Json body =
      call.organisation().read([&](Connection& db) { return decision_json(call, db, made); });
  return {.status = 200, .body = std::move(body)};
}

// Whether a job could measure this candidate: told now rather than by a job that fails.
void require_measurable(const Alias& alias, const registry::Model& candidate) {
  if (alias.targets.size() > 1) {
    throw Error(ErrorCode::kConflict,
                alias.name +
                    " is split between models, and a gate compares with one: roll back "
                    "first, or move it past the gate with a reason");
  }
  if (alias.targets.size() == 1 && alias.targets[0].model.key == candidate.key) {
    throw Error(ErrorCode::kConflict, alias.name + " answers with " + candidate.name + " already");
  }
  const registry::GateSettings& gate = *alias.gate;
  if (gate.heldout_source.empty() || (!gate.floor_digest.empty() && gate.floor_source.empty())) {
    throw Error(ErrorCode::kConflict,
                "the gate of " + alias.name +
                    " does not say where its sets lie: set it again, then promote");
  }
  if (candidate.kind == registry::ModelKind::kAdapter &&
      candidate.origin.find("snapshot") == nullptr) {
    throw Error(ErrorCode::kConflict,
                "nothing says here what " + candidate.name +
                    " was trained on, and the gate looks for test prompts in it: the operator "
                    "promotes it with hone model promote --training-data FILE");
  }
}

Answer start_measuring(Call& call, const Alias& alias, const registry::Model& candidate) {
  require_measurable(alias, candidate);
  Json payload = Json::object();
  payload["alias"] = alias.name;
  payload["model_id"] = candidate.id;
  payload["expected_version"] = call.maybe_int("expected_version").value_or(alias.version);
  payload["reason"] = call.text("reason");
  Json body = Json::object();
  body["job_id"] = enqueue(call, "gate", std::move(payload),
                           "gate " + call.who().organisation_id + " " + alias.name);
  return {.status = 202, .body = std::move(body)};
}

// The held-out rows of a snapshot, as a gate names them.
std::pair<std::string, std::string> set_of(Call& call, std::string_view field) {
  const std::string id = call.text(field);
  const label::Snapshot snapshot =
      call.organisation().read([&](Connection& db) { return label::get_snapshot(db, id); });
  if (snapshot.state != "ready" || snapshot.rows_heldout == 0 || snapshot.format != "preferences") {
    throw bad_field("/" + std::string(field),
                    "a gate measures on the held-out rows of a snapshot of preferences that is "
                    "ready: " +
                        snapshot.name + " has none");
  }
  return {id, seal::sha256_file(label::snapshot_file(call.organisation(), id, "heldout.jsonl"))};
}

registry::GateSettings wanted_gate(Call& call) {
  registry::GateSettings gate;
  std::tie(gate.heldout_source, gate.heldout_digest) = set_of(call, "heldout");
  gate.metric = call.text("metric");
  gate.items_min = static_cast<uint64_t>(call.maybe_int("items_min").value_or(0));
  if (!call.has("second")) {
    for (const char* name : {"second_metric", "floor", "no_worse"}) {
      if (call.has(name)) {
        throw bad_field("/" + std::string(name), std::string(name) +
                                                     " is about a second set: "
                                                     "name one, or leave it out");
      }
    }
    return gate;
  }
  std::tie(gate.floor_source, gate.floor_digest) = set_of(call, "second");
  gate.floor_metric = call.text("second_metric");
  gate.floor = call.maybe_number("floor").value_or(0);
  gate.no_worse = call.maybe_bool("no_worse").value_or(false);
  return gate;
}

void change_gate(Call& call, const label::Actor& actor, const std::string& alias,
                 const registry::GateSettings* gate) {
  call.platform.control().write(Durability::kDisk, [&](Transaction& tx) {
    registry::set_gate(tx, call.who().organisation_key, alias, gate, call.now_ms());
  });
  Json data = Json::object();
  if (gate != nullptr) data["heldout_digest"] = gate->heldout_digest;
  record_registry_event(call, actor, gate != nullptr ? "gate.set" : "gate.removed",
                        gate != nullptr ? gate->heldout_source : "", std::move(data));
  tell_registry(call, "alias", alias);
}

}  // namespace

http::Response list_aliases(Call& call) {
  const PageRequest page = read_page(call.request.query);
  const auto aliases = call.platform.control().read(
      [&](Connection& db) { return registry::list_aliases(db, call.who().organisation_key); });
  const auto running = running_gates(call);
  return call.organisation().read([&](Connection& db) {
    Json::Array items;
    for (const Alias& alias : aliases) {
      const auto job = running.find(alias.name);
      items.push_back(alias_json(db, alias, job == running.end() ? "" : job->second));
    }
    return json_response(200, page_of(items, page));
  });
}

http::Response read_alias(Call& call) {
  return json_response(200, shown(call, alias_of_path(call)));
}

http::Response promote_alias(Call& call) {
  const label::Actor actor = call.actor();
  const bool force = call.maybe_bool("force").value_or(false);
  if (force && call.text("reason").empty()) {
    throw bad_field("/reason", "moving an alias past its gate needs a reason");
  }
  const int64_t organisation = call.who().organisation_key;
  const std::string& name = call.id("alias");
  return once_over_both(call, [&]() -> Answer {
    const auto [alias, candidate] = call.platform.control().read([&](Connection& db) {
      return std::pair(registry::find_alias(db, organisation, name),
                       registry::find_model(db, organisation, call.text("model")));
    });
    if (alias && alias->gate && !force) return start_measuring(call, *alias, candidate);
    return decided(call, actor, [&](Transaction& tx) {
      return registry::promote(tx, organisation, name, candidate.id, nullptr, force,
                               new_decision(call, actor));
    });
  });
}

http::Response split_alias(Call& call) {
  const label::Actor actor = call.actor();
  std::vector<std::pair<std::string, double>> models;
  for (const Json& part : call.body.at("models").as_array()) {
    models.emplace_back(part.at("model").as_string(), part.at("weight").as_double());
  }
  return once_over_both(call, [&] {
    return decided(call, actor, [&](Transaction& tx) {
      return registry::split(tx, call.who().organisation_key, call.id("alias"), models,
                             new_decision(call, actor));
    });
  });
}

http::Response roll_back_alias(Call& call) {
  const label::Actor actor = call.actor();
  return once_over_both(call, [&] {
    const std::string name = alias_of_path(call).name;
    return decided(call, actor, [&](Transaction& tx) {
      return registry::roll_back(tx, call.who().organisation_key, name, new_decision(call, actor));
    });
  });
}

http::Response list_alias_versions(Call& call) {
  const PageRequest page = read_page(call.request.query);
  std::optional<int64_t> before;
  if (!page.after.empty()) before = page.after[0];
  const std::string name = alias_of_path(call).name;
  const auto versions = call.platform.control().read([&](Connection& db) {
    return registry::list_versions(db, call.who().organisation_key, name,
                                   static_cast<size_t>(page.limit) + 1, before);
  });
  return call.organisation().read([&](Connection& db) {
    return list_response(
        versions, page.limit, [&](const auto& each) { return version_json(call, db, each); },
        [](const auto& each) { return each.version; });
  });
}

http::Response list_decisions(Call& call) {
  const PageRequest page = read_page(call.request.query);
  std::optional<int64_t> before;
  if (!page.after.empty()) before = page.after[0];
  const std::string name = alias_of_path(call).name;
  const auto decisions = call.platform.control().read([&](Connection& db) {
    return registry::list_promotions(db, call.who().organisation_key, name,
                                     static_cast<size_t>(page.limit) + 1, before);
  });
  return call.organisation().read([&](Connection& db) {
    return list_response(
        decisions, page.limit, [&](const auto& each) { return decision_json(call, db, each); },
        [](const auto& each) { return each.key; });
  });
}

http::Response set_gate(Call& call) {
  const label::Actor actor = call.actor();
  return once_over_both(call, [&]() -> Answer {
    const registry::GateSettings gate = wanted_gate(call);
    change_gate(call, actor, call.id("alias"), &gate);
    return {.status = 200, .body = shown(call, alias_of_path(call))};
  });
}

http::Response remove_gate(Call& call) {
  const label::Actor actor = call.actor();
  return once_over_both(call, [&]() -> Answer {
    change_gate(call, actor, alias_of_path(call).name, nullptr);
    return {.status = 204};
  });
}

http::Response list_heldout_sets(Call& call) {
  const PageRequest page = read_page(call.request.query);
  std::optional<int64_t> before;
  if (!page.after.empty()) before = page.after[0];
  return call.organisation().read([&](Connection& db) {
    const auto snapshots =
        label::list_heldout_snapshots(db, before, static_cast<size_t>(page.limit) + 1);
    return list_response(
        snapshots, page.limit,
        [&](const label::Snapshot& each) {
          Json json = Json::object();
          json["snapshot_id"] = each.public_id;
          json["name"] = each.name;
          json["project_id"] = each.project_id;
          json["project"] = label::get_project(db, each.project_id).name;
          json["rows"] = each.rows_heldout;
          return json;
        },
        [](const label::Snapshot& each) { return each.id; });
  });
}

}  // namespace hone::api
