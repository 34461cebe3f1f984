// The work itself: next, answer, undo and what lies between. Only the answer is on the disk before it
// is acknowledged; a lease may be lost with the power and is made again from the answer (decisions 3.4).
#include "api/handlers.h"
#include "api/project_view.h"
#include "label/annotations.h"
#include "label/queue.h"

namespace hone::api {
namespace {

using store::Connection;
using store::Durability;
using store::Transaction;

const std::string& assignment(const Call& call) { return call.id("assignment_id"); }

}  // namespace

http::Response next_tasks(Call& call) {
  const label::Actor actor = call.actor();
  label::Organisation& organisation = call.organisation();
  const auto count = static_cast<size_t>(call.maybe_int("count").value_or(1));
  const label::NextResult result =
      label::lease_next(organisation, actor, call.id("project_id"), count);
  if (result.leases.empty()) {
    http::Response none = no_content();
    none.headers.set("X-Hone-Reason", label::next_reason_name(result.reason));
    return none;
  }
  return organisation.read([&](Connection& db) {
    if (count == 1) {
      return json_response(200, label::assignment_json(organisation, db, result.leases[0]));
    }
    Json list = Json::array();
    for (const label::Lease& each : result.leases) {
      list.push_back(label::assignment_json(organisation, db, each));
    }
    return json_response(200, list);
  });
}

http::Response read_assignment(Call& call) {
  const label::Actor actor = call.actor();
  label::Organisation& organisation = call.organisation();
  return organisation.read([&](Connection& db) {
    return json_response(200, label::get_assignment(organisation, db, actor, assignment(call)));
  });
}

http::Response submit_annotation(Call& call) {
  const label::Actor actor = call.actor();
  Json::Object said;
  for (const auto& [name, value] : call.body.as_object()) {
    if (!value.is_null()) said.emplace_back(name, value);
  }
  const label::Submission submission = label::submission_from_json(Json(std::move(said)));
  return write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    const label::Submitted done =
        label::submit(call.organisation(), tx, actor, assignment(call), submission);
    Json body = Json::object();
    body["annotation_id"] = done.annotation_id;
    body["status"] = done.status;
    body["done_by_me"] = done.done_by_me;
    if (done.exam) {
      body["exam"]["correct"] = done.exam->correct;
      body["exam"]["explanation"] = done.exam->explanation;
    }
    return {.status = 201, .body = std::move(body)};
  });
}

http::Response save_draft(Call& call) {
  const label::Actor actor = call.actor();
  return write_here(call, Durability::kProcess, [&](Transaction& tx) -> Answer {
    label::save_draft(call.organisation(), tx, actor, assignment(call), call.body.at("draft"));
    return {.status = 204};
  });
}

http::Response heartbeat(Call& call) {
  const label::Actor actor = call.actor();
  return write_here(call, Durability::kProcess, [&](Transaction& tx) -> Answer {
    Json body = Json::object();
    body["lease_expires_at"] =
        time_text(label::heartbeat(call.organisation(), tx, actor, assignment(call)));
    return {.status = 200, .body = std::move(body)};
  });
}

http::Response skip_assignment(Call& call) {
  const label::Actor actor = call.actor();
  return write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    label::skip(call.organisation(), tx, actor, assignment(call), call.text("reason"),
                call.text("comment"));
    return {.status = 204};
  });
}

http::Response flag_assignment(Call& call) {
  const label::Actor actor = call.actor();
  return write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    label::flag(call.organisation(), tx, actor, assignment(call), call.text("reason"),
                call.text("comment"));
    return {.status = 204};
  });
}

http::Response undo_annotation(Call& call) {
  const label::Actor actor = call.actor();
  label::Organisation& organisation = call.organisation();
  return write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    label::undo(organisation, tx, actor, assignment(call));
    return {.status = 200,
            .body = label::get_assignment(organisation, tx, actor, assignment(call))};
  });
}

http::Response release_assignment(Call& call) {
  const label::Actor actor = call.actor();
  return write_here(call, Durability::kProcess, [&](Transaction& tx) -> Answer {
    label::release(call.organisation(), tx, actor, assignment(call));
    return {.status = 204};
  });
}

http::Response read_my_work(Call& call) {
  const label::Actor actor = call.actor();
  label::Organisation& organisation = call.organisation();
  return organisation.read([&](Connection& db) {
    const label::Project project = visible_project(call, db, actor);
    const label::MyWork work = label::my_work(organisation, db, actor, project);
    Json body = Json::object();
    body["done"] = work.done;
    body["done_today"] = work.done_today;
    const int64_t tenths = work.active_ms_today / 6000;
    body["minutes_today"] = static_cast<double>(tenths) / 10.0;
    body["available"] = work.available;
    Json recent = Json::array();
    for (const label::MyAnnotation& each : work.recent) {
      Json entry = Json::object();
      entry["assignment_id"] = each.assignment_id;
      entry["task_id"] = each.task_id;
      entry["prompt"] = each.prompt;
      entry["answer"] = each.answer;
      entry["status"] = each.status;
      entry["created_at"] = time_text(each.created_at_ms);
      entry["can_undo"] = each.can_undo;
      recent.push_back(std::move(entry));
    }
    body["recent"] = std::move(recent);
    body["guideline_version"] = work.guideline_version;
    return json_response(200, body);
  });
}

}  // namespace hone::api
