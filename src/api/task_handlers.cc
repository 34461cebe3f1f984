// Tasks as those see them who lead: lists, one task with what was said, gold, flags.
#include "api/handlers.h"
#include "api/project_view.h"
#include "label/gold.h"
#include "label/tasks.h"

namespace hone::api {
namespace {

using store::Connection;
using store::Durability;
using store::Transaction;

Json task_row_json(const label::TaskItem& item) {
  Json body = Json::object();
  body["id"] = item.public_id;
  body["state"] = item.state;
  body["priority"] = item.priority;
  body["split"] = item.split;
  body["prompt"] = item.prompt;
  body["annotations"] = item.annotations;
  body["wanted"] = item.wanted;
  body["answer"] = item.answer.empty() ? Json() : Json(item.answer_words);
  body["probability"] = item.probability ? Json(*item.probability) : Json();
  body["flagged"] = item.flagged;
  body["is_gold"] = item.is_gold;
  body["created_at"] = time_text(item.created_at_ms);
  return body;
}

// Viewers see a pseudonym where others see a name, and no id that leads to the person.
Json person_of(const Call& call, const std::string& id, const std::string& name,
               const std::string& pseudonym) {
  const bool by_name = call.can(label::Permission::kPeopleView);
  Json body = Json::object();
  body["id"] = by_name ? id : pseudonym;
  body["name"] = by_name ? name : pseudonym;
  return body;
}

Json annotation_json(const Call& call, const label::TaskAnnotation& each) {
  Json body = Json::object();
  body["id"] = each.id;
  body["person"] = person_of(call, each.person_id, each.name, each.pseudonym);
  body["status"] = each.status;
  body["answer"] = each.answer;
  body["rationale"] = each.rationale;
  body["active_ms"] = each.active_ms;
  body["created_at"] = time_text(each.created_at_ms);
  body["guideline_version"] = each.guideline_version;
  return body;
}

Json flag_json(const Call& call, const label::TaskFlag& each) {
  Json body = Json::object();
  body["id"] = each.id;
  body["person"] = person_of(call, each.person_id, each.name, each.pseudonym);
  body["reason"] = each.reason;
  body["comment"] = each.comment;
  body["created_at"] = time_text(each.created_at_ms);
  body["resolved_at"] = time_json(each.resolved_at_ms);
  return body;
}

// One list of shares over the parts of the main question; a part is named when there are several.
Json posterior_json(const label::TaskDetail& task) {
  Json list = Json::array();
  for (size_t part = 0; part < task.posterior.size(); ++part) {
    for (const auto& [answer, probability] : task.posterior[part]) {
      Json entry = Json::object();
      entry["answer"] =
          task.posterior.size() == 1 ? answer : std::to_string(part + 1) + ": " + answer;
      entry["probability"] = probability;
      list.push_back(std::move(entry));
    }
  }
  return list;
}

Json task_json(const Call& call, const label::TaskDetail& task) {
  Json body = task_row_json(task.item);
  body["body"] = task.body.is_null() ? Json::object() : task.body;
  body["posterior"] = posterior_json(task);
  Json annotations = Json::array();
  for (const auto& each : task.annotations) annotations.push_back(annotation_json(call, each));
  body["annotations"] = std::move(annotations);
  Json flags = Json::array();
  for (const auto& each : task.flags) flags.push_back(flag_json(call, each));
  body["flags"] = std::move(flags);
  Json gold;
  if (task.gold) {
    gold["answer"] = *task.gold;
    gold["explanation"] = task.gold_explanation;
  }
  body["gold"] = std::move(gold);
  return body;
}

Json task_now(Call& call, Connection& db) {
  return task_json(call, label::get_task(call.organisation(), db, call.id("task_id")));
}

// The answer is read after the write: what is shown of a task leaves the writer's thread alone.
http::Response changed_task(Call& call, const std::function<void(Transaction&)>& change) {
  http::Response response = write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    change(tx);
    return {.status = 200, .body = task_now(call, tx)};
  });
  return response;
}

}  // namespace

http::Response list_tasks(Call& call) {
  label::Organisation& organisation = call.organisation();
  const label::Project project = organisation.read(
      [&](Connection& db) { return label::get_project(db, call.id("project_id")); });
  label::TaskFilter filter;
  filter.q = call.query("q");
  filter.state = call.query("state");
  filter.split = call.query("split");
  if (call.request.query.contains("flagged")) filter.flagged = call.query_bool("flagged");
  const std::string_view sort = call.query("sort", "new");
  if (sort == "certainty") filter.sort = label::TaskSort::kCertainty;
  if (sort == "disagreement") filter.sort = label::TaskSort::kDisagreement;
  filter.after = call.query("after");
  filter.limit =
      static_cast<size_t>(call.request.query.get_int("limit", kPageDefault, 1, kPageMax));
  const label::TaskPage page = label::list_tasks(organisation, project, filter);
  Json::Array items;
  for (const label::TaskItem& each : page.items) items.push_back(task_row_json(each));
  std::optional<std::string> next;
  if (!page.next.empty()) next = page.next;
  return json_response(200, page_body(std::move(items), next));
}

http::Response read_task(Call& call) {
  return call.organisation().read(
      [&](Connection& db) { return json_response(200, task_now(call, db)); });
}

http::Response change_task(Call& call) {
  const label::Actor actor = call.actor();
  return changed_task(call, [&](Transaction& tx) {
    label::patch_task(call.organisation(), tx, actor, call.id("task_id"),
                      {.priority = call.maybe_int("priority"), .state = call.maybe_text("state")});
  });
}

http::Response set_gold(Call& call) {
  const label::Actor actor = call.actor();
  return changed_task(call, [&](Transaction& tx) {
    label::mark_gold(call.organisation(), tx, actor, call.id("task_id"), call.body.at("answer"),
                     call.text("explanation"));
  });
}

http::Response clear_gold(Call& call) {
  const label::Actor actor = call.actor();
  return changed_task(call, [&](Transaction& tx) {
    label::unmark_gold(call.organisation(), tx, actor, call.id("task_id"));
  });
}

http::Response resolve_flag(Call& call) {
  const label::Actor actor = call.actor();
  return write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    label::resolve_flag(call.organisation(), tx, actor, call.id("flag_id"));
    return {.status = 204};
  });
}

}  // namespace hone::api
