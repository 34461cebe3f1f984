#include "label/tasks.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/utf8.h"
#include "label/events.h"
#include "label/live_quality.h"
#include "label/organisation.h"
#include "label/project_quality.h"
#include "label/task_answer.h"
#include "label/task_moves.h"
#include "label/task_text.h"

namespace hone::label {
namespace {

constexpr std::string_view kItemColumns =
    "SELECT t.id, t.public_id, t.state, t.split, b.body, t.external_id, t.priority, t.valid,"
    " t.wanted, t.is_gold, t.created_at_ms FROM task t JOIN task_body b ON b.task_id = t.id ";
// By its public id; the index has the first signs only (migration 0002).
constexpr std::string_view kItemByPublicId =
    "SELECT t.id, t.public_id, t.state, t.split, b.body, t.external_id, t.priority, t.valid,"
    " t.wanted, t.is_gold, t.created_at_ms FROM task t INDEXED BY task_by_public_id"
    " JOIN task_body b ON b.task_id = t.id"
    " WHERE substr(t.public_id, 5, 5) = substr($1, 5, 5) AND t.public_id = $1";

struct Row {
  int64_t id = 0;
  TaskItem item;
  std::string body;
};

Row read_row(const store::Row& row) {
  Row read;
  read.id = row.int64(0);
  read.item.public_id = row.string(1);
  read.item.state = row.string(2);
  read.item.split = row.string(3);
  read.body = row.string(4);
  read.item.external_id = row.optional_string(5).value_or("");
  read.item.priority = row.int64(6);
  read.item.annotations = row.int64(7);
  read.item.wanted = row.int64(8);
  read.item.is_gold = row.boolean(9);
  read.item.created_at_ms = row.int64(10);
  return read;
}

bool is_flagged(store::Connection& db, int64_t task) {
  return db
      .query_int64("SELECT 1 FROM flag WHERE task_id = $1 AND resolved_at_ms IS NULL LIMIT 1",
                   {task})
      .has_value();
}

void set_best(TaskItem& item, const TaskSchema& schema,
              const std::vector<std::vector<double>>& posterior) {
  if (posterior.empty()) return;
  const auto classes = main_classes(schema);
  for (const auto& part : posterior) {
    const auto most = std::max_element(part.begin(), part.end());
    item.answer +=
        (item.answer.empty() ? "" : ",") + classes[static_cast<size_t>(most - part.begin())];
  }
  item.answer_words = choice_in_words(schema, item.answer);
  item.probability = LiveQuality::certainty(posterior);
}

// ---- Search --------------------------------------------------------------------------------------

std::string lower(std::string_view text) {
  std::string low(text);
  for (char& c : low) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return low;
}

// Any text under these members, at any depth.
bool text_holds(const Json& json, const std::string& low) {
  if (json.is_string()) return lower(json.as_string()).find(low) != std::string::npos;
  if (json.is_array()) {
    return std::any_of(json.as_array().begin(), json.as_array().end(),
                       [&](const Json& entry) { return text_holds(entry, low); });
  }
  for (const char* field : {"text", "content"}) {
    const Json* value = json.find(field);
    if (value != nullptr && text_holds(*value, low)) return true;
  }
  return false;
}

struct Search {
  std::string low;      // what is looked for
  std::string escaped;  // as it stands inside JSON
  explicit Search(std::string_view q) : low(lower(q)) {
    append_json_string(escaped, low);
    escaped = escaped.substr(1, escaped.size() - 2);
  }
  bool holds(const Row& row) const {
    if (low.empty()) return true;
    if (lower(row.item.external_id) == low) return true;
    // Most texts are passed over without being parsed.
    if (lower(row.body).find(escaped) == std::string::npos) return false;
    const auto body = Json::parse(row.body);
    if (!body) return false;
    for (const char* field : {"prompt", "responses", "messages"}) {
      const Json* value = body->find(field);
      if (value != nullptr && text_holds(*value, low)) return true;
    }
    return false;
  }
};

// ---- Pages ---------------------------------------------------------------------------------------

struct Lister {
  Organisation& organisation;
  const Project& project;
  const TaskFilter& filter;
  Search search;
  std::shared_ptr<const TaskSchema> schema;
  bool any_flags;  // of the project
  TaskPage page = {};
  size_t looked = 0;

  bool full() const { return page.items.size() >= filter.limit; }
  bool passes(const Row& row, bool flagged) const {
    return (filter.state.empty() || row.item.state == filter.state) &&
           (filter.split.empty() || row.item.split == filter.split) &&
           (!filter.flagged || *filter.flagged == flagged) && search.holds(row);
  }
  void look(store::Connection& db, Row row) {
    ++looked;
    const bool flagged = any_flags && is_flagged(db, row.id);
    if (!passes(row, flagged)) return;
    row.item.flagged = flagged;
    row.item.prompt = prompt_start(row.body);
    if (row.item.annotations > 0) {
      set_best(row.item, *schema, organisation.live().posterior(db, project.id, *schema, row.id));
    }
    page.items.push_back(std::move(row.item));
  }
};

int64_t cursor_number(const std::string& after, int64_t otherwise) {
  if (after.empty()) return otherwise;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(after.data(), after.data() + after.size(), number);
  if (error != std::errc() || end != after.data() + after.size() || number < 0) {
    throw FieldError("/after",
                     "this is no cursor of a list of tasks; take the one that the page "
                     "before gave");
  }
  return number;
}

// By id descending; the index of the filter that has one.
void list_newest(store::Connection& db, Lister& lister) {
  std::string sql(kItemColumns);
  sql += "WHERE t.project_id = $1 AND t.id < $2";
  std::vector<store::Value> values;
  values.emplace_back(lister.project.id);
  values.emplace_back(cursor_number(lister.filter.after, std::numeric_limits<int64_t>::max()));
  if (!lister.filter.state.empty()) {
    values.emplace_back(lister.filter.state);
    sql += " AND t.state = $3";
  }
  sql += " ORDER BY t.id DESC";
  int64_t last = 0;
  store::Cursor cursor = db.query(sql, values);
  while (!lister.full() && lister.looked < kLookMax && cursor.next()) {
    Row row = read_row(cursor.row());
    last = row.id;
    lister.look(db, std::move(row));
  }
  const bool more = (lister.full() || lister.looked >= kLookMax) && cursor.next();
  if (more) lister.page.next = std::to_string(last);
}

// Those with open flags are few: their ids first.
void list_flagged(store::Connection& db, Lister& lister) {
  const auto ids = db.query_all(
      "SELECT DISTINCT task_id FROM flag WHERE project_id = $1 AND resolved_at_ms IS NULL"
      " AND task_id < $2 ORDER BY task_id DESC LIMIT 2000",
      {lister.project.id, cursor_number(lister.filter.after, std::numeric_limits<int64_t>::max())},
      [](const store::Row& row) { return row.int64(0); });
  for (const int64_t id : ids) {
    if (lister.full()) return;
    auto row = db.query_one(std::string(kItemColumns) + "WHERE t.id = $1", {id}, read_row);
    if (row) lister.look(db, *std::move(row));
    lister.page.next = std::to_string(id);
  }
  if (ids.size() < 2000) lister.page.next.clear();
}

// An order that statistics made; the cursor is a place in it.
void list_sorted(store::Connection& db, Lister& lister, const std::vector<int64_t>& order) {
  auto place = static_cast<size_t>(cursor_number(lister.filter.after, 0));
  constexpr size_t kPlacesMax = 2000;
  for (; place < order.size() && !lister.full() && lister.looked < kPlacesMax; ++place) {
    auto row =
        db.query_one(std::string(kItemColumns) + "WHERE t.id = $1", {order[place]}, read_row);
    if (row) lister.look(db, *std::move(row));
  }
  if (place < order.size()) lister.page.next = std::to_string(place);
}

std::vector<TaskAnnotation> annotations_of(store::Connection& db, int64_t task) {
  return db.query_all(
      "SELECT a.public_id, m.person_id, m.name, m.pseudonym, a.status, a.choice, b.rationale,"
      " b.answer, a.active_ms, a.created_at_ms, a.guideline_version, b.erased_at_ms"
      " FROM annotation a JOIN member m ON m.id = a.member_id"
      " JOIN annotation_body b ON b.annotation_id = a.id WHERE a.task_id = $1"
      " ORDER BY a.id LIMIT 500",
      {task}, [](const store::Row& row) {
        TaskAnnotation said;
        said.id = row.string(0);
        said.person_id = row.string(1);
        said.name = row.string(2);
        said.pseudonym = row.string(3);
        said.status = row.string(4);
        said.choice = row.string(5);
        said.rationale = row.string(6);
        if (auto answer = Json::parse(row.text(7))) said.answer = *std::move(answer);
        said.active_ms = row.int64(8);
        said.created_at_ms = row.int64(9);
        said.guideline_version = row.int64(10);
        return said;
      });
}

std::vector<TaskFlag> flags_of(store::Connection& db, int64_t task) {
  return db.query_all(
      "SELECT f.public_id, m.person_id, m.name, m.pseudonym, f.reason, f.comment,"
      " f.created_at_ms, f.resolved_at_ms FROM flag f JOIN member m ON m.id = f.member_id"
      " WHERE f.task_id = $1 ORDER BY f.id LIMIT 200",
      {task}, [](const store::Row& row) {
        return TaskFlag{row.string(0), row.string(1), row.string(2), row.string(3),
                        row.string(4), row.string(5), row.int64(6),  row.optional_int64(7)};
      });
}

void add_gold(store::Connection& db, int64_t task, TaskDetail& detail) {
  const auto gold =
      db.query_one("SELECT answer, explanation FROM gold WHERE task_id = $1", {task},
                   [](const store::Row& row) { return std::pair(row.string(0), row.string(1)); });
  if (!gold) return;
  detail.gold = Json::parse(gold->first).value();
  detail.gold_explanation = gold->second;
}

void change_state(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                  TaskRow& task, const std::string& state, int64_t now_ms) {
  if (state != "open" && state != "cancelled") {
    throw FieldError("/state", "a task is made open or cancelled; the rest follows from answers");
  }
  if (state == "open" && task.valid >= task.wanted && !task.is_gold) {
    if (task.valid >= kOverlapMax) {
      throw Error(ErrorCode::kConflict, "this task has 50 answers already; more are not kept");
    }
    set_wanted(tx, task, task.valid + 1);
  }
  set_task_state(tx, task, state, now_ms, actor);
  if (task.is_gold) organisation.queue().gold_changed(task.project);
}

}  // namespace

TaskPage list_tasks(Organisation& organisation, const Project& project, const TaskFilter& filter) {
  if (filter.limit < 1 || filter.limit > 200)
    throw FieldError("/limit", "a page has 1 to 200 tasks");
  if (count_characters(filter.q) > 1000)
    throw FieldError("/q", "a search has at most 1,000 characters");
  std::vector<int64_t> order;
  if (filter.sort != TaskSort::kNew) {
    const auto quality = project_quality(organisation, project);
    order = filter.sort == TaskSort::kCertainty ? quality->by_certainty : quality->by_disagreement;
  }
  return organisation.read([&](store::Connection& db) {
    Lister lister{organisation,
                  project,
                  filter,
                  Search(filter.q),
                  get_schema(db, project.id, project.schema_version),
                  project.counts.flags > 0};
    if (filter.q.starts_with("tsk_")) {
      auto row = db.query_one(std::string(kItemByPublicId) + " AND t.project_id = $2",
                              {filter.q, project.id}, read_row);
      lister.search = Search("");
      if (row) lister.look(db, *std::move(row));
    } else if (filter.sort != TaskSort::kNew) {
      list_sorted(db, lister, order);
    } else if (filter.flagged == true) {
      list_flagged(db, lister);
    } else {
      list_newest(db, lister);
    }
    return std::move(lister.page);
  });
}

TaskDetail get_task(Organisation& organisation, store::Connection& db, std::string_view task_id) {
  auto row = db.query_one(kItemByPublicId, {task_id}, read_row);
  if (!row) throw not_found("there is no such task");
  TaskDetail detail;
  detail.project = get_task_row(db, row->id).project;
  const Project project = get_project(db, detail.project);
  const auto schema = get_schema(db, project.id, project.schema_version);
  detail.item = std::move(row->item);
  detail.item.prompt = prompt_start(row->body);
  detail.item.flagged = is_flagged(db, row->id);
  if (auto body = Json::parse(row->body)) detail.body = *std::move(body);
  const auto posterior = organisation.live().posterior(db, project.id, *schema, row->id);
  set_best(detail.item, *schema, posterior);
  const auto classes = main_classes(*schema);
  for (const auto& part : posterior) {
    auto& list = detail.posterior.emplace_back();
    for (size_t k = 0; k < classes.size(); ++k) list.emplace_back(classes[k], part[k]);
  }
  detail.annotations = annotations_of(db, row->id);
  detail.flags = flags_of(db, row->id);
  if (detail.item.is_gold) add_gold(db, row->id, detail);
  return detail;
}

void patch_task(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                std::string_view task_id, const TaskPatch& patch) {
  TaskRow task = get_task_row(tx, task_id);
  const int64_t now_ms = organisation.env().now_ms();
  if (patch.priority && *patch.priority != task.priority) {
    if (*patch.priority < -kPriorityMax || *patch.priority > kPriorityMax) {
      throw FieldError("/priority", "a priority is a whole number from -100 to 100");
    }
    tx.execute("UPDATE task SET priority = $2 WHERE id = $1", {task.id, *patch.priority});
    Json data = Json::object();
    data["from"] = task.priority;
    data["to"] = *patch.priority;
    record_event(tx, now_ms, actor,
                 {.kind = "task.priority_changed",
                  .object = task.public_id,
                  .project_id = task.project,
                  .data = std::move(data)});
    task.priority = *patch.priority;
  }
  if (patch.state) change_state(organisation, tx, actor, task, *patch.state, now_ms);
  if (task.has_place()) organisation.queue().freed(task.project, task.place());
}

void resolve_flag(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                  std::string_view flag_id) {
  const auto flag =
      tx.query_one("SELECT id, project_id, resolved_at_ms FROM flag WHERE public_id = $1",
                   {flag_id}, [](const store::Row& row) {
                     return std::tuple(row.int64(0), row.int64(1), !row.is_null(2));
                   });
  if (!flag) throw not_found("there is no such flag");
  const auto& [id, project, resolved] = *flag;
  if (resolved) return;
  const int64_t now_ms = organisation.env().now_ms();
  tx.execute("UPDATE flag SET resolved_at_ms = $2, resolved_by = $3 WHERE id = $1",
             {id, now_ms, actor.id});
  move_project(tx, project, "flags_open", -1);
  record_event(tx, now_ms, actor,
               {.kind = "flag.resolved",
                .object = flag_id,
                .project_id = project,
                .from = "open",
                .to = "resolved"});
}

}  // namespace hone::label
