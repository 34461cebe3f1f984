#include "label/gold.h"

#include <map>

#include "base/utf8.h"
#include "label/events.h"
#include "label/organisation.h"

namespace hone::label {
namespace {

constexpr size_t kExplanationChars = 4000;

struct Body {
  TaskParts parts;
  bool erased = false;
};
Body body_of(store::Connection& db, int64_t task) {
  auto body =
      db.query_one("SELECT body, erased_at_ms FROM task_body WHERE task_id = $1", {task},
                   [](const store::Row& row) {
                     return Body{task_parts(Json::parse(row.text(0)).value()), !row.is_null(1)};
                   });
  if (!body || body->erased) throw not_found("the text of this task was erased");
  return *std::move(body);
}

// Counters of the project speak of tasks that are no gold.
void move_project_counts(store::Transaction& tx, const TaskRow& task, int64_t sign) {
  const int64_t surplus =
      tx.query_int64("SELECT count(*) FROM annotation WHERE task_id = $1 AND status = 'surplus'",
                     {task.id})
          .value_or(0);
  if (task.state != "cancelled") move_project(tx, task.project, "tasks", sign);
  if (task.done()) move_project(tx, task.project, "tasks_done", sign);
  move_project(tx, task.project, "annotations", sign * task.valid);
  move_project(tx, task.project, "surplus", sign * surplus);
}

// The first `wanted` stay valid.
void cut_to_wanted(store::Transaction& tx, TaskRow& task) {
  const int64_t cut = tx.execute(
      "UPDATE annotation SET status = 'surplus' WHERE task_id = $1 AND status = 'valid' AND id NOT"
      " IN (SELECT id FROM annotation WHERE task_id = $1 AND status = 'valid' ORDER BY id LIMIT "
      "$2)",
      {task.id, task.wanted});
  move_counts(tx, task, -cut, 0);
}

}  // namespace

void mark_gold(Organisation& organisation, store::Transaction& tx, const Actor& actor,
               std::string_view task_id, const Json& answer, std::string_view explanation) {
  TaskRow task = get_task_row(tx, task_id);
  if (count_characters(explanation) > kExplanationChars) {
    throw FieldError("/explanation", "an explanation has at most 4,000 characters");
  }
  const Project project = get_project(tx, task.project);
  const auto schema = get_schema(tx, project.id, project.schema_version);
  const Answer key = validate_gold_answer(*schema, body_of(tx, task.id).parts, answer);
  const int64_t now_ms = organisation.env().now_ms();
  tx.execute(
      "INSERT INTO gold (task_id, answer, explanation, created_by, created_at_ms)"
      " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (task_id) DO UPDATE SET answer = $2,"
      " explanation = $3, created_by = $4, created_at_ms = $5",
      {task.id, key.answer.dump(), explanation, actor.id, now_ms});
  if (!task.is_gold) {
    move_project_counts(tx, task, -1);
    // Given to everybody from now on, so it is open whatever it was.
    tx.execute("UPDATE task SET is_gold = 1, state = 'open', done_at_ms = NULL WHERE id = $1",
               {task.id});
  }
  Json data = Json::object();
  data["answer"] = organisation.salted_digest("gold:" + task.public_id, key.answer.dump());
  record_event(tx, now_ms, actor,
               {.kind = "gold.marked",
                .object = task.public_id,
                .project_id = task.project,
                .from = task.is_gold ? "gold" : task.state,
                .to = "gold",
                .data = std::move(data)});
  organisation.queue().gold_changed(task.project);
}

void unmark_gold(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                 std::string_view task_id) {
  TaskRow task = get_task_row(tx, task_id);
  if (!task.is_gold) return;
  tx.execute("DELETE FROM gold WHERE task_id = $1", {task.id});
  tx.execute("UPDATE task SET is_gold = 0 WHERE id = $1", {task.id});
  task.is_gold = false;
  cut_to_wanted(tx, task);
  move_project_counts(tx, task, 1);
  const int64_t now_ms = organisation.env().now_ms();
  record_event(tx, now_ms, actor,
               {.kind = "gold.unmarked",
                .object = task.public_id,
                .project_id = task.project,
                .from = "gold",
                .to = task.state});
  if (task.valid >= task.wanted) set_task_state(tx, task, "done", now_ms, actor);
  organisation.queue().gold_changed(task.project);
  if (task.has_place()) organisation.queue().freed(task.project, task.place());
}

bool agrees_with_gold(const TaskSchema& schema, const Json& key, const Json& answer) {
  for (const Question& question : schema.questions) {
    if (question.kind == QuestionKind::kText) continue;
    const Json* known = key.find(question.name);
    if (known == nullptr) continue;
    const Json* said = answer.find(question.name);
    if (said == nullptr || !same_answer(*known, *said)) return false;
  }
  return true;
}

std::optional<ExamResult> exam_result(store::Connection& db, const Project& project,
                                      const TaskSchema& schema, const TaskParts& parts,
                                      const TaskRow& task, const Json& answer) {
  if (!task.is_gold || !project.show_gold_result) return std::nullopt;
  const auto key =
      db.query_one("SELECT answer, explanation FROM gold WHERE task_id = $1", {task.id},
                   [](const store::Row& row) { return std::pair(row.string(0), row.string(1)); });
  if (!key) return std::nullopt;
  try {
    const Answer known = validate_gold_answer(schema, parts, Json::parse(key->first).value());
    return ExamResult{agrees_with_gold(schema, known.answer, answer), key->second};
  } catch (const FieldError&) {
    return std::nullopt;  // a key of another version of the schema judges nobody
  }
}

std::vector<GoldScore> gold_scores(store::Connection& db, const Project& project) {
  const auto schema = get_schema(db, project.id, project.schema_version);
  std::map<int64_t, GoldScore> scores;
  int64_t of_task = 0;
  Json known;
  bool readable = false;
  for (const store::Row& row :
       db.query("SELECT t.id, g.answer, b.body, a.member_id, ab.answer FROM task t"
                " JOIN gold g ON g.task_id = t.id JOIN task_body b ON b.task_id = t.id"
                " JOIN annotation a ON a.task_id = t.id AND a.status = 'valid'"
                " JOIN annotation_body ab ON ab.annotation_id = a.id"
                " WHERE t.project_id = $1 AND t.is_gold = 1 ORDER BY t.id, a.id LIMIT 200000",
                {project.id})) {
    if (row.int64(0) != of_task) {
      of_task = row.int64(0);
      try {
        const TaskParts parts = task_parts(Json::parse(row.text(2)).value());
        known = validate_gold_answer(*schema, parts, Json::parse(row.text(1)).value()).answer;
        readable = true;
      } catch (const Error&) {
        readable = false;
      }
    }
    if (!readable) continue;
    GoldScore& score = scores[row.int64(3)];
    score.member = row.int64(3);
    ++score.of;
    if (agrees_with_gold(*schema, known, Json::parse(row.text(4)).value())) ++score.right;
  }
  std::vector<GoldScore> list;
  for (const auto& [member, score] : scores) list.push_back(score);
  return list;
}

}  // namespace hone::label
