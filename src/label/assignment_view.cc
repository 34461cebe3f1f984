// What a browser shows of an assignment. Reads only, and off the writer thread: bodies may be long.

#include "label/organisation.h"
#include "label/queue.h"
#include "label/receipt.h"
#include "label/task_moves.h"
#include "label/times.h"

namespace hone::label {
namespace {

Json shown_responses(const Json& body, std::string_view order_text, bool with_models) {
  Json shown = Json::array();
  const Json* responses = body.find("responses");
  if (responses == nullptr || !responses->is_array()) return shown;
  for (const uint32_t index : parse_shown_order(order_text, responses->size())) {
    const Json& response = responses->as_array()[index];
    Json entry = Json::object();
    entry["response_id"] = response.at("response_id");
    entry["text"] = response.at("text");
    const Json* model = response.find("model");
    if (with_models && model != nullptr) entry["model"] = *model;
    shown.push_back(std::move(entry));
  }
  return shown;
}

Json shown_messages(const Json& messages) {
  Json shown = Json::array();
  int64_t index = 0;
  for (const Json& message : messages.as_array()) {
    Json entry = Json::object();
    entry["index"] = index++;
    for (const char* field : {"role", "content"}) {
      if (const Json* value = message.find(field)) entry[field] = *value;
    }
    shown.push_back(std::move(entry));
  }
  return shown;
}

struct TaskText {
  std::string public_id, body, project_id;
  bool blind = true, erased = false;
};

TaskText read_task_text(store::Connection& db, int64_t task) {
  auto text = db.query_one(
      "SELECT t.public_id, b.body, p.public_id, p.is_blind, b.erased_at_ms FROM task t"
      " JOIN task_body b ON b.task_id = t.id JOIN project p ON p.id = t.project_id WHERE t.id = $1",
      {task}, [](const store::Row& row) {
        return TaskText{row.string(0), row.string(1), row.string(2), row.boolean(3),
                        !row.is_null(4)};
      });
  if (!text) throw not_found("there is no such task");
  return *std::move(text);
}

}  // namespace

Json assignment_json(Organisation& organisation, store::Connection& db, const Lease& lease) {
  const TaskText text = read_task_text(db, lease.task);
  if (text.erased) {
    throw not_found("the text of this task was erased meanwhile; go on with the next one");
  }
  const Json body = Json::parse(text.body).value();
  Json task = Json::object();
  if (const Json* prompt = body.find("prompt")) task["prompt"] = *prompt;
  task["responses"] = shown_responses(body, lease.shown_order, !text.blind);
  const Json* messages = body.find("messages");
  if (messages != nullptr && messages->is_array()) task["messages"] = shown_messages(*messages);
  Json json = Json::object();
  json["assignment_id"] = lease.public_id;
  json["task_id"] = text.public_id;
  json["project_id"] = text.project_id;
  json["task"] = std::move(task);
  json["lease_expires_at"] = format_time(lease.expires_at_ms);
  json["guideline_version"] = lease.guideline_version;
  json["schema_version"] = lease.schema_version;
  json["receipt"] = make_receipt(organisation, lease, text.public_id);
  if (const auto draft =
          db.query_text("SELECT body FROM draft WHERE assignment_id = $1", {lease.assignment})) {
    json["draft"] = Json::parse(*draft).value();
  }
  return json;
}

Json get_assignment(Organisation& organisation, store::Connection& db, const Actor& actor,
                    std::string_view assignment) {
  const auto lease = db.query_one(
      "SELECT id, task_id, project_id, member_id, public_id, shown_order, guideline_version,"
      " schema_version, leased_at_ms, expires_at_ms FROM assignment WHERE public_id = $1",
      {assignment}, [](const store::Row& row) {
        return Lease{row.int64(0),  row.int64(1), row.int64(2), row.int64(3), row.string(4),
                     row.string(5), row.int64(6), row.int64(7), row.int64(8), row.int64(9)};
      });
  if (!lease || lease->member != actor.member_id) throw not_found("there is no such assignment");
  Json json = assignment_json(organisation, db, *lease);
  const auto answer = db.query_one(
      "SELECT b.answer, b.rationale FROM annotation a JOIN annotation_body b"
      " ON b.annotation_id = a.id WHERE a.assignment_id = $1 ORDER BY a.revision DESC LIMIT 1",
      {lease->assignment},
      [](const store::Row& row) { return std::pair(row.string(0), row.string(1)); });
  if (answer) {
    json["answer"] = Json::parse(answer->first).value();
    if (!answer->second.empty()) json["rationale"] = answer->second;
  }
  return json;
}

}  // namespace hone::label
