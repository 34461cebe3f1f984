// What a person does with an assignment beside answering it: undo, skip, flag, draft.

#include "base/utf8.h"
#include "label/annotations.h"
#include "label/assignment_row.h"
#include "label/events.h"
#include "label/organisation.h"
#include "label/public_id.h"
#include "label/task_moves.h"

namespace hone::label {
namespace {

void check_words(const std::string& field, std::string_view text, size_t most_chars, bool needed) {
  if (count_characters(text) > most_chars || find_invalid_utf8(text) ||
      text.find('\0') != std::string_view::npos) {
    throw FieldError(field, "at most " + std::to_string(most_chars) + " characters of plain text");
  }
  if (needed && text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    throw FieldError(field, "say why in a few words");
  }
}

struct Undone {
  int64_t id = 0, created_at_ms = 0;
  std::string public_id, status;
};
std::optional<Undone> standing_annotation(store::Connection& db, int64_t assignment) {
  return db.query_one(
      "SELECT id, created_at_ms, public_id, status FROM annotation WHERE assignment_id = $1"
      " ORDER BY revision DESC LIMIT 1",
      {assignment}, [](const store::Row& row) {
        return Undone{row.int64(0), row.int64(1), row.string(2), row.string(3)};
      });
}

void check_undo(Organisation& organisation, store::Connection& db, const AssignmentRow& assignment,
                const Project& project, const TaskRow& task) {
  if (project.ended()) {
    throw Error(ErrorCode::kConflict, "the project is " + project.state +
                                          ", so answers stay as they are; ask its manager");
  }
  if (assignment.ended_at_ms + kUndoMs < organisation.env().now_ms()) {
    throw Error(ErrorCode::kConflict, "an answer can be taken back for 24 hours only");
  }
  if (task.is_gold && project.show_gold_result) {
    throw Error(ErrorCode::kConflict, "the right answer was shown already, so this one stays");
  }
  const int64_t later =
      db.query_int64(
            "SELECT count(*) FROM (SELECT 1 FROM annotation WHERE member_id = $1 AND"
            " project_id = $2 AND id > (SELECT COALESCE(max(id), 0) FROM annotation"
            " WHERE assignment_id = $3) LIMIT 50)",
            {assignment.member, assignment.project, assignment.id})
          .value_or(0);
  if (assignment.state == "submitted" && later >= kUndoLast) {
    throw Error(ErrorCode::kConflict, "only the last 50 answers can be taken back");
  }
}

// Leased again while there is a place for it; else as a lease that ran out.
void lease_after_undo(Organisation& organisation, store::Transaction& tx,
                      const AssignmentRow& assignment, const Project& project, TaskRow& task) {
  const int64_t now_ms = organisation.env().now_ms();
  const bool leased = task.is_gold ? task.open() : task.has_place();
  tx.execute(
      "UPDATE assignment SET state = $2, leased_at_ms = $3, expires_at_ms = $4, ended_at_ms = $5"
      " WHERE id = $1",
      {assignment.id, leased ? "leased" : "expired", now_ms,
       leased ? now_ms + project.lease_seconds * 1000 : now_ms,
       leased ? std::optional<int64_t>() : now_ms});
  if (leased) move_counts(tx, task, 0, 1);
  if (task.has_place()) organisation.queue().freed(task.project, task.place());
}

void undo_annotation(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                     const AssignmentRow& assignment, TaskRow& task, const Undone& annotation) {
  if (annotation.status != "valid" && annotation.status != "surplus") {
    throw Error(ErrorCode::kConflict, "there is no answer here that could be taken back");
  }
  const int64_t now_ms = organisation.env().now_ms();
  tx.execute("UPDATE annotation SET status = 'withdrawn' WHERE id = $1", {annotation.id});
  const bool was_valid = annotation.status == "valid";
  if (!task.is_gold) {
    move_project(tx, task.project, was_valid ? "annotations" : "surplus", -1);
  }
  if (was_valid) {
    move_counts(tx, task, -1, 0);
    if (task.done()) set_task_state(tx, task, "open", now_ms, actor);
  }
  Json data = Json::object();
  data["assignment"] = assignment.public_id;
  record_event(tx, now_ms, actor,
               {.kind = "annotation.withdrawn",
                .object = annotation.public_id,
                .project_id = task.project,
                .from = annotation.status,
                .to = "withdrawn",
                .data = std::move(data)});
}

void undo_skip(Organisation& organisation, store::Transaction& tx, const Actor& actor,
               const AssignmentRow& assignment) {
  tx.execute("DELETE FROM skip WHERE assignment_id = $1", {assignment.id});
  move_project(tx, assignment.project, "skips", -1);
  record_event(tx, organisation.env().now_ms(), actor,
               {.kind = "assignment.skip_withdrawn",
                .object = assignment.public_id,
                .project_id = assignment.project,
                .from = "skipped",
                .to = "leased"});
}

}  // namespace

void undo(Organisation& organisation, store::Transaction& tx, const Actor& actor,
          std::string_view assignment_id) {
  require(actor, Permission::kLabel);
  const AssignmentRow assignment = own_assignment(tx, actor, assignment_id);
  const Project project = get_project(tx, assignment.project);
  TaskRow task = get_task_row(tx, assignment.task);
  if (assignment.state != "submitted" && assignment.state != "skipped") {
    throw Error(ErrorCode::kConflict, "there is no answer here that could be taken back");
  }
  check_undo(organisation, tx, assignment, project, task);
  if (assignment.state == "skipped") {
    undo_skip(organisation, tx, actor, assignment);
  } else {
    const auto annotation = standing_annotation(tx, assignment.id);
    if (!annotation) throw not_found("there is no answer here");
    undo_annotation(organisation, tx, actor, assignment, task, *annotation);
    organisation.queue().forget_done(assignment.project, assignment.member);
  }
  lease_after_undo(organisation, tx, assignment, project, task);
}

void skip(Organisation& organisation, store::Transaction& tx, const Actor& actor,
          std::string_view assignment_id, std::string_view reason, std::string_view comment) {
  require(actor, Permission::kLabel);
  check_words("/reason", reason, kReasonChars, true);
  check_words("/comment", comment, kCommentChars, false);
  const AssignmentRow assignment = own_assignment(tx, actor, assignment_id);
  if (assignment.state == "skipped") return;
  if (assignment.state == "submitted") {
    throw Error(ErrorCode::kConflict, "this task is answered already; undo the answer first");
  }
  const int64_t now_ms = organisation.env().now_ms();
  tx.execute("UPDATE assignment SET state = 'skipped', ended_at_ms = $2 WHERE id = $1",
             {assignment.id, now_ms});
  tx.execute(
      "INSERT INTO skip (assignment_id, reason, comment, created_at_ms) VALUES ($1, $2, $3, $4)",
      {assignment.id, reason, comment, now_ms});
  tx.execute("DELETE FROM draft WHERE assignment_id = $1", {assignment.id});
  move_project(tx, assignment.project, "skips", 1);
  TaskRow task = get_task_row(tx, assignment.task);
  if (assignment.state == "leased") move_counts(tx, task, 0, -1);
  Json data = Json::object();
  data["reason"] = organisation.salted_digest("skip:" + assignment.public_id, reason);
  data["task"] = task.public_id;
  record_event(tx, now_ms, actor,
               {.kind = "assignment.skipped",
                .object = assignment.public_id,
                .project_id = assignment.project,
                .from = assignment.state,
                .to = "skipped",
                .data = std::move(data)});
  if (task.has_place()) organisation.queue().freed(task.project, task.place());
}

std::string flag(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                 std::string_view assignment_id, std::string_view reason,
                 std::string_view comment) {
  require(actor, Permission::kLabel);
  check_words("/reason", reason, kReasonChars, true);
  check_words("/comment", comment, kCommentChars, false);
  const AssignmentRow assignment = own_assignment(tx, actor, assignment_id);
  const int64_t open =
      tx.query_int64(
            "SELECT count(*) FROM flag WHERE project_id = $1 AND resolved_at_ms IS NULL"
            " AND task_id = $2 AND member_id = $3",
            {assignment.project, assignment.task, assignment.member})
          .value_or(0);
  if (open >= kFlagsOfOneMax) {
    throw Error(ErrorCode::kConflict,
                "you flagged this task five times already; somebody will "
                "look at it");
  }
  const int64_t now_ms = organisation.env().now_ms();
  const std::string id = make_public_id(organisation.env(), "flg");
  tx.execute(
      "INSERT INTO flag (public_id, project_id, task_id, member_id, reason, comment,"
      " created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)",
      {id, assignment.project, assignment.task, assignment.member, reason, comment, now_ms});
  move_project(tx, assignment.project, "flags_open", 1);
  Json data = Json::object();
  data["assignment"] = assignment.public_id;
  data["reason"] = organisation.salted_digest("flag:" + id, reason);
  record_event(tx, now_ms, actor,
               {.kind = "flag.raised",
                .object = id,
                .project_id = assignment.project,
                .to = "open",
                .data = std::move(data)});
  return id;
}

void save_draft(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                std::string_view assignment_id, const Json& draft) {
  require(actor, Permission::kLabel);
  const std::string text = draft.dump();
  if (text.size() > kDraftBytesMax) {
    throw Error(ErrorCode::kTooLarge, "a draft has at most 512 KiB; shorten the text");
  }
  const AssignmentRow assignment = own_assignment(tx, actor, assignment_id);
  if (assignment.state == "submitted" || assignment.state == "skipped") {
    throw Error(ErrorCode::kConflict, "this task is " + assignment.state +
                                          " already, so its draft is not kept; undo that first");
  }
  tx.execute(
      "INSERT INTO draft (assignment_id, body, saved_at_ms) VALUES ($1, $2, $3)"
      " ON CONFLICT (assignment_id) DO UPDATE SET body = $2, saved_at_ms = $3",
      {assignment.id, text, organisation.env().now_ms()});
}

}  // namespace hone::label
