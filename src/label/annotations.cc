#include "label/annotations.h"

#include <algorithm>

#include "label/assignment_row.h"
#include "label/events.h"
#include "label/gold.h"
#include "label/live_quality.h"
#include "label/organisation.h"
#include "label/public_id.h"
#include "label/receipt.h"
#include "label/task_moves.h"

namespace hone::label {
namespace {

constexpr int64_t kActiveMsMax = 24 * 3600 * 1000;

std::string task_body(store::Connection& db, int64_t task) {
  auto body =
      db.query_one("SELECT body, erased_at_ms FROM task_body WHERE task_id = $1", {task},
                   [](const store::Row& row) { return std::pair(row.string(0), !row.is_null(1)); });
  if (!body || body->second) {
    throw Error(ErrorCode::kConflict,
                "the text of this task was erased meanwhile, so it cannot be answered; go on with "
                "the next one");
  }
  return body->first;
}

// The assignment went with the power, the answer did not: made again from what the browser kept. It
// holds no place; the rule for late answers decides.
AssignmentRow remake(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                     std::string_view assignment, const Submission& submission,
                     std::string& shown_order) {
  const auto receipt = open_receipt(organisation, submission.receipt, assignment, actor.member_id);
  if (!receipt) throw not_found("there is no such assignment");
  const TaskRow task = get_task_row(tx, receipt->task);
  shown_order = receipt->shown_order;
  if (const auto other = find_assignment(tx, task.id, actor.member_id)) return *other;
  const int64_t now_ms = organisation.env().now_ms();
  tx.execute(
      "INSERT INTO assignment (public_id, project_id, task_id, member_id, stage, state,"
      " shown_order, guideline_version, schema_version, leased_at_ms, expires_at_ms, ended_at_ms)"
      " VALUES ($1, $2, $3, $4, 'attempt', 'expired', $5, $6, $7, $8, $8, $9)",
      {assignment, task.project, task.id, actor.member_id, receipt->shown_order,
       receipt->guideline_version, receipt->schema_version, receipt->leased_at_ms, now_ms});
  record_event(tx, now_ms, actor,
               {.kind = "assignment.remade",
                .object = assignment,
                .project_id = task.project,
                .to = "expired"});
  return *find_assignment(tx, assignment);
}

// The answer that stands or stood last.
struct LastAnnotation {
  std::string public_id, status, answer, rationale;
  int64_t id = 0, revision = 0, created_at_ms = 0;
};
std::optional<LastAnnotation> last_annotation(store::Connection& db, int64_t assignment) {
  return db.query_one(
      "SELECT a.public_id, a.status, b.answer, b.rationale, a.id, a.revision, a.created_at_ms"
      " FROM annotation a JOIN annotation_body b ON b.annotation_id = a.id"
      " WHERE a.assignment_id = $1 ORDER BY a.revision DESC LIMIT 1",
      {assignment}, [](const store::Row& row) {
        return LastAnnotation{row.string(0), row.string(1), row.string(2), row.string(3),
                              row.int64(4),  row.int64(5),  row.int64(6)};
      });
}

std::string_view status_for(const AssignmentRow& assignment, const TaskRow& task) {
  if (task.is_gold) return "valid";
  if (task.state == "cancelled") return "surplus";
  if (assignment.state == "leased" && task.valid < task.wanted) return "valid";
  return task.has_place() ? "valid" : "surplus";
}

struct Saved {
  int64_t id = 0;
  std::string public_id;
};
Saved insert_annotation(Organisation& organisation, store::Transaction& tx,
                        const AssignmentRow& assignment, const std::string& shown_order,
                        int64_t revision, std::string_view status, const Answer& answer,
                        const std::string& rationale, int64_t active_ms, int64_t now_ms) {
  Saved saved{0, make_public_id(organisation.env(), "ann")};
  const int64_t wall_ms = std::max<int64_t>(0, now_ms - assignment.leased_at_ms);
  tx.execute(
      "INSERT INTO annotation (public_id, project_id, task_id, member_id, assignment_id, revision,"
      " status, choice, shown_order, guideline_version, schema_version, active_ms, wall_ms,"
      " created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
      {saved.public_id, assignment.project, assignment.task, assignment.member, assignment.id,
       revision, status, answer.choice, shown_order, assignment.guideline_version,
       assignment.schema_version, active_ms, wall_ms, now_ms});
  saved.id = tx.last_insert_id();
  tx.execute("INSERT INTO annotation_body (annotation_id, answer, rationale) VALUES ($1, $2, $3)",
             {saved.id, answer.answer.dump(), rationale});
  return saved;
}

// Whether the task has enough, and what it wants now.
void settle_task(Organisation& organisation, store::Transaction& tx, const Project& project,
                 const TaskSchema& schema, TaskRow& task, int64_t now_ms) {
  if (!task.open()) return;
  if (!project.adaptive()) {
    if (task.valid >= task.wanted) set_task_state(tx, task, "done", now_ms, system_actor());
    return;
  }
  organisation.live().note_answers(project.id);
  if (task.valid < project.overlap) return;
  const double certainty =
      LiveQuality::certainty(organisation.live().posterior(tx, project.id, schema, task.id));
  if (certainty >= project.stop_probability) {
    set_task_state(tx, task, "done", now_ms, system_actor());
  } else if (task.valid >= project.overlap_max) {
    set_task_state(tx, task, "undecided", now_ms, system_actor());
  } else if (task.valid >= task.wanted) {
    set_wanted(tx, task, task.valid + 1);
    organisation.queue().freed(task.project, task.place());
  }
}

void note_submission(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                     const AssignmentRow& assignment, const TaskRow& task, const Saved& saved,
                     std::string_view status, const Answer& answer, const std::string& rationale,
                     int64_t now_ms) {
  Json data = Json::object();
  data["answer"] = organisation.salted_digest("answer:" + saved.public_id, answer.answer.dump());
  data["assignment"] = assignment.public_id;
  if (!rationale.empty()) {
    data["rationale"] = organisation.salted_digest("rationale:" + saved.public_id, rationale);
  }
  data["task"] = task.public_id;
  record_event(tx, now_ms, actor,
               {.kind = "annotation.submitted",
                .object = saved.public_id,
                .project_id = task.project,
                .from = assignment.state,
                .to = status,
                .data = std::move(data)});
}

int64_t count_done(store::Connection& db, int64_t member, int64_t project) {
  return db
      .query_int64(
          "SELECT count(*) FROM assignment WHERE member_id = $1 AND project_id = $2"
          " AND state = 'submitted'",
          {member, project})
      .value_or(0);
}

// Counted once, then kept: a person in the thousands would pay for it with every answer.
int64_t done_by(Organisation& organisation, store::Transaction& tx, const AssignmentRow& assignment,
                int64_t more) {
  Queue& queue = organisation.queue();
  ProjectMarks& project = queue.marks(tx, assignment.project);
  MemberMarks& member = queue.member(tx, project, assignment.member);
  queue.touch(assignment.project);
  if (member.done) {
    *member.done += more;
  } else {
    member.done = count_done(tx, assignment.member, assignment.project);
  }
  return *member.done;
}

Submitted repeated(const LastAnnotation& last, const Answer& answer, const std::string& rationale,
                   const TaskRow& task) {
  if (!same_answer(Json::parse(last.answer).value(), answer.answer) ||
      last.rationale != rationale) {
    throw Error(ErrorCode::kConflict,
                "this task is answered already, with another answer; undo that one first");
  }
  Submitted submitted;
  submitted.annotation_id = last.public_id;
  submitted.status = last.status;
  submitted.repeated = true;
  submitted.project = task.project;
  return submitted;
}

void forget_skip(store::Transaction& tx, const AssignmentRow& assignment) {
  if (tx.execute("DELETE FROM skip WHERE assignment_id = $1", {assignment.id}) > 0) {
    move_project(tx, assignment.project, "skips", -1);
  }
}

}  // namespace

Submission submission_from_json(const Json& body) {
  if (!body.is_object())
    throw FieldError("", "the body is an object {answer, rationale, active_ms}");
  Submission submission;
  for (const auto& [name, json] : body.as_object()) {
    if (name == "answer") {
      submission.answer = json;
    } else if (name == "rationale" && (json.is_string() || json.is_null())) {
      if (json.is_string()) submission.rationale = json.as_string();
    } else if (name == "receipt" && json.is_string()) {
      submission.receipt = json.as_string();
    } else if (name == "active_ms" && json.is_integer() && json.as_double() >= 0 &&
               json.as_double() <= 1e15) {
      submission.active_ms = json.as_int();
    } else if (name == "rationale" || name == "receipt") {
      throw FieldError("/" + name, "expected a text");
    } else if (name == "active_ms") {
      throw FieldError("/active_ms", "expected milliseconds, a whole number from 0");
    } else {
      throw FieldError("/" + name,
                       "there is no such field; possible are answer, rationale, "
                       "active_ms and receipt");
    }
  }
  return submission;
}

Submitted submit(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                 std::string_view assignment_id, const Submission& submission) {
  require(actor, Permission::kLabel);
  std::string shown_order;
  AssignmentRow assignment;
  const auto found = find_assignment(tx, assignment_id);
  if (found && found->member == actor.member_id) {
    assignment = *found;
  } else {
    assignment = remake(organisation, tx, actor, assignment_id, submission, shown_order);
  }
  if (shown_order.empty()) shown_order = assignment.shown_order;

  Queue& queue = organisation.queue();
  ProjectMarks& marks = queue.marks(tx, assignment.project);
  const auto schema = queue.schema(tx, marks, assignment.schema_version);
  const TaskParts parts = task_parts(Json::parse(task_body(tx, assignment.task)).value());
  const Answer answer = validate_answer(
      *schema, parts, parse_shown_order(shown_order, parts.response_ids.size()), submission.answer);
  const std::string rationale = check_rationale(*schema, submission.rationale);
  TaskRow task = get_task_row(tx, assignment.task);
  const auto last = last_annotation(tx, assignment.id);
  if (assignment.state == "submitted" && last) {
    Submitted same = repeated(*last, answer, rationale, task);
    same.done_by_me = done_by(organisation, tx, assignment, 0);
    same.exam = exam_result(tx, marks.project, *schema, parts, task, answer.answer);
    return same;
  }

  const int64_t now_ms = organisation.env().now_ms();
  const std::string_view status = status_for(assignment, task);
  const bool is_valid = status == "valid";
  const int64_t active_ms = std::clamp<int64_t>(submission.active_ms, 0, kActiveMsMax);
  const Saved saved =
      insert_annotation(organisation, tx, assignment, shown_order, last ? last->revision + 1 : 1,
                        status, answer, rationale, active_ms, now_ms);
  if (assignment.state == "skipped") forget_skip(tx, assignment);
  tx.execute("UPDATE assignment SET state = 'submitted', ended_at_ms = $2 WHERE id = $1",
             {assignment.id, now_ms});
  tx.execute("DELETE FROM draft WHERE assignment_id = $1", {assignment.id});
  move_counts(tx, task, is_valid ? 1 : 0, assignment.state == "leased" ? -1 : 0);
  if (!task.is_gold) {
    move_project(tx, task.project, is_valid ? "annotations" : "surplus", 1);
  }
  note_submission(organisation, tx, actor, assignment, task, saved, status, answer, rationale,
                  now_ms);
  if (is_valid && !task.is_gold) {
    settle_task(organisation, tx, marks.project, *schema, task, now_ms);
  }
  Submitted submitted;
  submitted.annotation_id = saved.public_id;
  submitted.status = status;
  submitted.project = task.project;
  submitted.exam = exam_result(tx, marks.project, *schema, parts, task, answer.answer);
  submitted.done_by_me = done_by(organisation, tx, assignment, 1);
  return submitted;
}

}  // namespace hone::label
