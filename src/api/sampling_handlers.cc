// Which served answers become tasks of which project (docs/serving.md, "From use to labels").
#include "api/dataset_view.h"
#include "api/handlers.h"
#include "api/project_view.h"
#include "label/sampling_rules.h"

namespace hone::api {
namespace {

using store::Connection;
using store::Durability;
using store::Transaction;

label::SamplingRuleChange change_of(const Call& call) {
  label::SamplingRuleChange change;
  change.name = call.maybe_text("name");
  change.model = call.maybe_text("model");
  change.project_id = call.maybe_text("project_id");
  if (const auto source = call.maybe_text("source")) {
    change.source = label::sampling_source_from_name(*source);
  }
  change.share = call.maybe_number("share");
  change.daily_cap = call.maybe_int("daily_cap");
  change.on = call.maybe_bool("on");
  return change;
}

Json rule_json(const Call& call, Connection& db, const label::SamplingRule& rule) {
  Json body = Json::object();
  body["id"] = rule.public_id;
  body["name"] = rule.name;
  body["model"] = rule.model;
  body["source"] = label::sampling_source_name(rule.source);
  body["share"] = rule.share;
  body["daily_cap"] = rule.daily_cap;
  body["project_id"] = rule.project_id;
  body["on"] = rule.on;
  body["taken"] = rule.taken;
  body["taken_today"] = rule.taken_today;
  body["created_by"] = named_actor(call, db, rule.created_by);
  body["created_at"] = time_text(rule.created_at_ms);
  return body;
}

}  // namespace

http::Response list_sampling_rules(Call& call) {
  const PageRequest page = read_page(call.request.query);
  return call.organisation().read([&](Connection& db) {
    Json::Array all;
    for (const label::SamplingRule& rule : label::list_sampling_rules(db, call.now_ms())) {
      all.push_back(rule_json(call, db, rule));
    }
    return json_response(200, page_of(all, page));
  });
}

http::Response make_sampling_rule(Call& call) {
  const label::Actor actor = call.actor();
  const label::SamplingRuleChange wanted = change_of(call);
  return write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    const label::SamplingRule rule =
        label::make_sampling_rule(call.organisation(), tx, actor, wanted);
    return {.status = 201, .body = rule_json(call, tx, rule)};
  });
}

http::Response change_sampling_rule(Call& call) {
  const label::Actor actor = call.actor();
  const label::SamplingRuleChange change = change_of(call);
  return write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    const label::SamplingRule rule =
        label::change_sampling_rule(call.organisation(), tx, actor, call.id("rule_id"), change);
    return {.status = 200, .body = rule_json(call, tx, rule)};
  });
}

http::Response remove_sampling_rule(Call& call) {
  const label::Actor actor = call.actor();
  return write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    label::remove_sampling_rule(call.organisation(), tx, actor, call.id("rule_id"));
    return {.status = 204};
  });
}

}  // namespace hone::api
