#include "label/erasure.h"

#include <utility>

#include "base/json.h"
#include "label/events.h"
#include "label/feedback.h"
#include "label/members.h"
#include "label/projects.h"
#include "label/task_moves.h"
#include "label/task_schema.h"

namespace hone::label {
namespace {

constexpr size_t kPage = 500;
constexpr std::string_view kTombstone = R"({"erased":true})";

// An annotation whose texts go.
struct Said {
  int64_t id = 0, assignment = 0, project = 0, schema_version = 0;
  std::string answer;
};

constexpr std::string_view kOfTask =
    "SELECT a.id, a.assignment_id, a.project_id, a.schema_version, b.answer FROM annotation a"
    " JOIN annotation_body b ON b.annotation_id = a.id WHERE a.task_id = $1 AND a.id > $2"
    " ORDER BY a.id LIMIT $3";
constexpr std::string_view kOfMember =
    "SELECT a.id, a.assignment_id, a.project_id, a.schema_version, b.answer FROM annotation a"
    " JOIN annotation_body b ON b.annotation_id = a.id WHERE a.member_id = $1 AND a.id > $2"
    " ORDER BY a.id LIMIT $3";

Said read_said(const store::Row& row) {
  return {row.int64(0), row.int64(1), row.int64(2), row.int64(3), row.string(4)};
}

// The answer without what was written in words.
std::string without_texts(const TaskSchema& schema, const std::string& answer) {
  const Json before = Json::parse(answer).value();
  if (!before.is_object()) return std::string(kTombstone);
  Json after = Json::object();
  for (const auto& [name, value] : before.as_object()) {
    bool is_text = false;
    for (const Question& question : schema.questions) {
      if (question.name == name) is_text = question.kind == QuestionKind::kText;
    }
    if (!is_text) after[name] = value;
  }
  return after.size() == 0 ? std::string(kTombstone) : after.dump();
}

void erase_annotation(store::Transaction& tx, const Said& said, int64_t now_ms) {
  const auto schema = get_schema(tx, said.project, said.schema_version);
  tx.execute(
      "UPDATE annotation_body SET answer = $2, rationale = '', erased_at_ms = $3"
      " WHERE annotation_id = $1",
      {said.id, without_texts(*schema, said.answer), now_ms});
}

// One page of annotations; the last id, or 0 at the end.
int64_t erase_page(store::Transaction& tx, std::string_view sql, int64_t owner, int64_t after,
                   int64_t now_ms, int64_t& erased) {
  const auto page = tx.query_all(sql, {owner, after, kPage}, read_said);
  for (const Said& said : page) erase_annotation(tx, said, now_ms);
  erased += static_cast<int64_t>(page.size());
  return page.size() < kPage ? 0 : page.back().id;
}

int64_t erase_annotations(Organisation& organisation, std::string_view sql, int64_t owner) {
  int64_t erased = 0;
  for (int64_t after = 0;;) {
    // A job may run again after a failed group: it counts into values of its own.
    const auto [last, count] =
        organisation.write(store::Durability::kDisk, [&, after](store::Transaction& tx) {
          int64_t of_page = 0;
          const int64_t end =
              erase_page(tx, sql, owner, after, organisation.env().now_ms(), of_page);
          return std::pair(end, of_page);
        });
    erased += count;
    if (last == 0) return erased;
    after = last;
  }
}

std::vector<std::string> snapshots_with(store::Connection& db, std::string_view column,
                                        int64_t owner) {
  return db.query_all(
      "SELECT DISTINCT s.public_id FROM annotation a"
      " JOIN snapshot_annotation l ON l.annotation_id = a.id"
      " JOIN snapshot s ON s.id = l.snapshot_id WHERE a." +
          std::string(column) + " = $1 ORDER BY s.public_id",
      {owner}, [](const store::Row& row) { return row.string(0); });
}

void erase_task_rows(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                     TaskRow task) {
  const int64_t now_ms = organisation.env().now_ms();
  tx.execute("UPDATE task_body SET body = $2, erased_at_ms = $3 WHERE task_id = $1",
             {task.id, kTombstone, now_ms});
  // A digest of a short text would let it be guessed; and what is gone is not a duplicate any more.
  std::string random(32, '\0');
  organisation.env().random_bytes(random.data(), random.size());
  tx.execute(
      "UPDATE task SET external_id = NULL, content_digest = $2, group_digest = $3 WHERE id = $1",
      {task.id, store::Bytes{std::string_view(random).substr(0, 16)},
       store::Bytes{std::string_view(random).substr(16)}});
  tx.execute("UPDATE gold SET explanation = '' WHERE task_id = $1", {task.id});
  const std::string of_task = " IN (SELECT id FROM assignment WHERE task_id = $1)";
  tx.execute("DELETE FROM draft WHERE assignment_id" + of_task, {task.id});
  tx.execute("UPDATE skip SET comment = '' WHERE assignment_id" + of_task, {task.id});
  tx.execute("UPDATE flag SET comment = '' WHERE task_id = $1", {task.id});
  if (task.open()) set_task_state(tx, task, "cancelled", now_ms, actor);
  record_event(tx, now_ms, actor,
               {.kind = "task.erased",
                .object = task.public_id,
                .project_id = task.project,
                .from = "",
                .to = "erased"});
  organisation.queue().drop_project(task.project);
}

void erase_member_rows(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                       const Member& member) {
  tx.execute("UPDATE member SET name = pseudonym WHERE id = $1", {member.id});
  const std::string of_member = " IN (SELECT id FROM assignment WHERE member_id = $1)";
  tx.execute("DELETE FROM draft WHERE assignment_id" + of_member, {member.id});
  tx.execute("UPDATE skip SET comment = '' WHERE assignment_id" + of_member, {member.id});
  tx.execute("UPDATE flag SET comment = '' WHERE member_id = $1", {member.id});
  record_event(tx, organisation.env().now_ms(), actor,
               {.kind = "member.erased", .object = member.person_id, .from = "", .to = "erased"});
  organisation.queue().drop_member(member.id);
}

// What the person said of served answers, and the tasks that stand on their consent alone.
void erase_feedback(Organisation& organisation, const Actor& actor, int64_t member) {
  for (;;) {
    const WithdrawnFeedback page =
        organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
          return withdraw_feedback_of(organisation, tx, actor, member, kPage);
        });
    for (const std::string& task : page.orphans) erase_task(organisation, actor, task);
    if (!page.any) return;
  }
}

}  // namespace

Erased erase_task(Organisation& organisation, const Actor& actor, std::string_view task_id) {
  const int64_t id = organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
    const TaskRow task = get_task_row(tx, task_id);
    erase_task_rows(organisation, tx, actor, task);
    return task.id;
  });
  Erased erased;
  erased.annotations = erase_annotations(organisation, kOfTask, id);
  erased.snapshots =
      organisation.read([&](store::Connection& db) { return snapshots_with(db, "task_id", id); });
  return erased;
}

Erased erase_person(Organisation& organisation, const Actor& actor, std::string_view person_id) {
  const int64_t id = organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
    const auto member = find_member(tx, person_id);
    if (!member) throw not_found("there is no such person");
    erase_member_rows(organisation, tx, actor, *member);
    return member->id;
  });
  erase_feedback(organisation, actor, id);
  Erased erased;
  erased.annotations = erase_annotations(organisation, kOfMember, id);
  erased.snapshots =
      organisation.read([&](store::Connection& db) { return snapshots_with(db, "member_id", id); });
  return erased;
}

}  // namespace hone::label
