#include "label/projects.h"

#include <algorithm>
#include <limits>

#include "base/utf8.h"
#include "label/events.h"
#include "label/json_lists.h"
#include "label/organisation.h"
#include "label/overlap_change.h"
#include "label/project_settings.h"
#include "label/public_id.h"
#include "label/queue.h"

namespace hone::label {
namespace {

#define HONE_PROJECT_COLUMNS                                                               \
  "id, public_id, name, task_type, state, schema_version, guideline_version, overlap, "    \
  "overlap_max, stop_probability, lease_seconds, gold_share, is_blind, skills, settings, " \
  "split_state, tasks, tasks_done, annotations, surplus, skips, flags_open, created_by, "  \
  "created_at_ms, version"

Project read_project(const store::Row& row) {
  Project project;
  project.id = row.int64(0);
  project.public_id = row.string(1);
  project.name = row.string(2);
  project.task_type = row.string(3);
  project.state = row.string(4);
  project.schema_version = row.int64(5);
  project.guideline_version = row.int64(6);
  project.overlap = row.int64(7);
  project.overlap_max = row.int64(8);
  project.stop_probability = row.real(9);
  project.lease_seconds = row.int64(10);
  project.gold_share = row.real(11);
  project.blind = row.boolean(12);
  project.skills = text_list(row.text(13));
  const Json settings = Json::parse(row.text(14)).value();
  if (const Json* text = settings.find("description")) project.description = text->as_string();
  if (const Json* show = settings.find("show_gold_result")) {
    project.show_gold_result = show->as_bool();
  }
  project.split_state = row.string(15);
  project.counts = {row.int64(16), row.int64(17), row.int64(18),
                    row.int64(19), row.int64(20), row.int64(21)};
  project.created_by = row.string(22);
  project.created_at_ms = row.int64(23);
  project.version = row.int64(24);
  return project;
}

std::string settings_text(const Project& project) {
  Json settings = Json::object();
  settings["description"] = project.description;
  settings["show_gold_result"] = project.show_gold_result;
  return settings.dump();
}

void insert_schema(store::Transaction& tx, int64_t project, int64_t version,
                   const TaskSchema& schema, const Actor& actor, int64_t now_ms) {
  tx.execute(
      "INSERT INTO task_schema (project_id, version, body, created_by, created_at_ms)"
      " VALUES ($1, $2, $3, $4, $5)",
      {project, version, schema.normalised().dump(), actor.id, now_ms});
}

void insert_guideline(store::Transaction& tx, int64_t project, int64_t version,
                      std::string_view body, const Actor& actor, int64_t now_ms) {
  if (count_characters(body) > kGuidelineChars) {
    throw FieldError("/body",
                     "a guideline has at most 500,000 characters; link long material from it");
  }
  if (find_invalid_utf8(body)) throw FieldError("/body", "the guideline is not valid UTF-8");
  tx.execute(
      "INSERT INTO guideline (project_id, version, body, created_by, created_at_ms)"
      " VALUES ($1, $2, $3, $4, $5)",
      {project, version, body, actor.id, now_ms});
}

// Texts are never equal, so nothing could tell when a task has enough of them.
void check_adaptive(const Project& project, const TaskSchema& schema) {
  if (project.adaptive() && main_classes(schema).empty()) {
    throw FieldError("/overlap_max",
                     "the main question asks for a text, which cannot be counted; leave "
                     "overlap_max out");
  }
}

void apply_patch(Project& project, const ProjectPatch& patch) {
  const auto set = [](auto& to, const auto& from) {
    if (from) to = *from;
  };
  // A plain overlap stays plain when only the overlap is changed.
  if (patch.overlap && !patch.overlap_max && !project.adaptive()) {
    project.overlap_max = *patch.overlap;
  }
  set(project.name, patch.name);
  set(project.description, patch.description);
  set(project.overlap, patch.overlap);
  set(project.overlap_max, patch.overlap_max);
  set(project.lease_seconds, patch.lease_seconds);
  set(project.stop_probability, patch.stop_probability);
  set(project.gold_share, patch.gold_share);
  set(project.blind, patch.blind);
  set(project.show_gold_result, patch.show_gold_result);
  set(project.skills, patch.skills);
  if (patch.state) {
    check_state_change(project.state, *patch.state);
    project.state = *patch.state;
  }
}

// Names of settings that differ; their values are in the project's row, not in the event: a name or
// a description is a text.
Json changed_settings(const Project& before, const Project& after) {
  Json changed = Json::array();
  const auto note = [&](bool differs, const char* name) {
    if (differs) changed.push_back(name);
  };
  note(before.name != after.name, "name");
  note(before.description != after.description, "description");
  note(before.overlap != after.overlap, "overlap");
  note(before.overlap_max != after.overlap_max, "overlap_max");
  note(before.stop_probability != after.stop_probability, "stop_probability");
  note(before.lease_seconds != after.lease_seconds, "lease_seconds");
  note(before.gold_share != after.gold_share, "gold_share");
  note(before.blind != after.blind, "blind");
  note(before.show_gold_result != after.show_gold_result, "show_gold_result");
  note(before.skills != after.skills, "skills");
  note(before.state != after.state, "state");
  return changed;
}

std::vector<VersionInfo> guideline_versions(store::Connection& db, int64_t project) {
  return db.query_all(
      "SELECT version, created_by, created_at_ms FROM guideline WHERE project_id = $1"
      " ORDER BY version DESC LIMIT 200",
      {project}, [](const store::Row& row) {
        return VersionInfo{row.int64(0), row.string(1), row.int64(2)};
      });
}

void check_schema_change(store::Connection& db, const Project& project, const TaskSchema& schema) {
  if (schema.task_type != project.task_type) {
    throw FieldError("/schema/task_type", "this project's task type is " + project.task_type +
                                              "; make another project for another type");
  }
  if (!db.query_int64("SELECT 1 FROM annotation WHERE project_id = $1 LIMIT 1", {project.id})) {
    return;
  }
  const auto before = get_schema(db, project.id, project.schema_version);
  if (before->main().kind != schema.main().kind || before->main().name != schema.main().name ||
      before->main().subject != schema.main().subject) {
    throw Error(ErrorCode::kConflict,
                "there are answers to the main question \"" + before->main().name +
                    "\" already, which could not be read any more; keep its name, kind and what it "
                    "is about, or make another project");
  }
  const auto classes = main_classes(schema);
  for (const std::string& old : main_classes(*before)) {
    if (std::find(classes.begin(), classes.end(), old) == classes.end()) {
      throw Error(ErrorCode::kConflict, "the answer \"" + old +
                                            "\" may have been given already; keep it, or make "
                                            "another project");
    }
  }
}

}  // namespace

Project create_project(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                       const NewProject& wanted) {
  Project project;
  project.public_id = make_public_id(organisation.env(), "prj");
  project.name = wanted.name;
  project.task_type = wanted.task_type;
  check_task_type(project.task_type);
  project.overlap = wanted.overlap;
  project.overlap_max = wanted.overlap_max.value_or(wanted.overlap);
  project.stop_probability = wanted.stop_probability.value_or(0.95);
  project.lease_seconds = wanted.lease_seconds;
  project.gold_share = wanted.gold_share;
  project.blind = wanted.blind;
  project.show_gold_result = wanted.show_gold_result;
  project.skills = wanted.skills;
  project.description = wanted.description;
  check_settings(project);
  const TaskSchema schema =
      wanted.schema ? parse_task_schema(*wanted.schema) : built_in_schema(project.task_type);
  if (schema.task_type != project.task_type) {
    throw FieldError("/schema/task_type", "the schema is of another task type than the project");
  }
  check_adaptive(project, schema);
  const int64_t now_ms = organisation.env().now_ms();
  tx.execute(
      "INSERT INTO project (public_id, name, task_type, state, schema_version, guideline_version,"
      " overlap, overlap_max, stop_probability, lease_seconds, gold_share, is_blind, skills,"
      " settings, created_by, created_at_ms)"
      " VALUES ($1, $2, $3, 'open', 1, 1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
      {project.public_id, project.name, project.task_type, project.overlap, project.overlap_max,
       project.stop_probability, project.lease_seconds, project.gold_share, project.blind,
       text_list_json(project.skills), settings_text(project), actor.id, now_ms});
  const int64_t id = tx.last_insert_id();
  insert_schema(tx, id, 1, schema, actor, now_ms);
  insert_guideline(tx, id, 1, wanted.guideline, actor, now_ms);
  record_event(
      tx, now_ms, actor,
      {.kind = "project.created", .object = project.public_id, .project_id = id, .to = "open"});
  return get_project(tx, id);
}

Project patch_project(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                      std::string_view public_id, const ProjectPatch& patch,
                      std::optional<int64_t> if_version) {
  const Project before = get_project(tx, public_id);
  if (if_version && *if_version != before.version) {
    throw Error(ErrorCode::kConflict,
                "the project was changed meanwhile; load it again and repeat the change");
  }
  Project after = before;
  apply_patch(after, patch);
  check_settings(after);
  if (after.adaptive()) check_adaptive(after, *get_schema(tx, after.id, after.schema_version));
  const Json changed = changed_settings(before, after);
  if (changed.size() == 0) return before;
  const int64_t now_ms = organisation.env().now_ms();
  tx.execute(
      "UPDATE project SET name = $2, state = $3, overlap = $4, overlap_max = $5,"
      " stop_probability = $6, lease_seconds = $7, gold_share = $8, is_blind = $9, skills = $10,"
      " settings = $11, version = version + 1 WHERE id = $1",
      {after.id, after.name, after.state, after.overlap, after.overlap_max, after.stop_probability,
       after.lease_seconds, after.gold_share, after.blind, text_list_json(after.skills),
       settings_text(after)});
  if (before.overlap != after.overlap || before.overlap_max != after.overlap_max) {
    begin_overlap_change(organisation, tx, after);
  }
  Json data = Json::object();
  data["changed"] = changed;
  record_event(tx, now_ms, actor,
               {.kind = "project.changed",
                .object = after.public_id,
                .project_id = after.id,
                .from = before.state,
                .to = after.state,
                .data = std::move(data)});
  organisation.queue().drop_project(after.id);
  return get_project(tx, after.id);
}

Project get_project(store::Connection& db, std::string_view public_id) {
  auto project = db.query_one("SELECT " HONE_PROJECT_COLUMNS " FROM project WHERE public_id = $1",
                              {public_id}, read_project);
  if (!project) throw not_found("there is no such project");
  return *std::move(project);
}

Project get_project(store::Connection& db, int64_t id) {
  auto project = db.query_one("SELECT " HONE_PROJECT_COLUMNS " FROM project WHERE id = $1", {id},
                              read_project);
  if (!project) throw not_found("there is no such project");
  return *std::move(project);
}

std::vector<Project> list_projects(store::Connection& db, const ProjectFilter& filter) {
  std::string sql = "SELECT " HONE_PROJECT_COLUMNS " FROM project WHERE id < $1";
  std::vector<store::Value> values = {
      filter.before_id.value_or(std::numeric_limits<int64_t>::max()),
      static_cast<int64_t>(filter.limit)};
  if (!filter.state.empty()) {
    values.emplace_back(filter.state);
    sql += " AND state = $" + std::to_string(values.size());
  }
  if (filter.only_for_member != 0) {
    values.emplace_back(filter.only_for_member);
    const std::string member = "$" + std::to_string(values.size());
    sql +=
        " AND state <> 'archived' AND (NOT EXISTS (SELECT 1 FROM project_member p"
        " WHERE p.project_id = project.id) OR EXISTS (SELECT 1 FROM project_member p"
        " WHERE p.project_id = project.id AND p.member_id = " +
        member + "))";
  }
  sql += " ORDER BY id DESC LIMIT $2";
  std::vector<Project> projects = db.query_all(sql, values, read_project);
  if (filter.only_for_member == 0) return projects;
  const auto has =
      db.query_all("SELECT skill FROM member_skill WHERE member_id = $1", {filter.only_for_member},
                   [](const store::Row& row) { return row.string(0); });
  std::erase_if(projects, [&](const Project& project) {
    return std::any_of(project.skills.begin(), project.skills.end(), [&](const std::string& skill) {
      return std::find(has.begin(), has.end(), skill) == has.end();
    });
  });
  return projects;
}

Guideline get_guideline(store::Connection& db, const Project& project,
                        std::optional<int64_t> version) {
  auto guideline = db.query_one(
      "SELECT version, created_by, created_at_ms, body FROM guideline"
      " WHERE project_id = $1 AND version = $2",
      {project.id, version.value_or(project.guideline_version)}, [](const store::Row& row) {
        return Guideline{{row.int64(0), row.string(1), row.int64(2)}, row.string(3), {}};
      });
  if (!guideline) throw not_found("the guideline has no such version");
  guideline->versions = guideline_versions(db, project.id);
  return *std::move(guideline);
}

int64_t add_guideline(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                      std::string_view public_id, std::string_view body) {
  const Project project = get_project(tx, public_id);
  const int64_t version = project.guideline_version + 1;
  const int64_t now_ms = organisation.env().now_ms();
  insert_guideline(tx, project.id, version, body, actor, now_ms);
  tx.execute("UPDATE project SET guideline_version = $2, version = version + 1 WHERE id = $1",
             {project.id, version});
  Json data = Json::object();
  data["version"] = version;
  data["digest"] = organisation.salted_digest("guideline:" + project.public_id, body);
  record_event(tx, now_ms, actor,
               {.kind = "project.guideline_changed",
                .object = project.public_id,
                .project_id = project.id,
                .data = std::move(data)});
  organisation.queue().drop_project(project.id);
  return version;
}

std::shared_ptr<const TaskSchema> get_schema(store::Connection& db, int64_t project_id,
                                             int64_t version) {
  const auto body = db.query_text(
      "SELECT body FROM task_schema WHERE project_id = $1 AND version = $2", {project_id, version});
  if (!body) throw not_found("the schema has no such version");
  return std::make_shared<const TaskSchema>(parse_task_schema(Json::parse(*body).value()));
}

int64_t add_schema(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                   std::string_view public_id, const Json& json) {
  const Project project = get_project(tx, public_id);
  const TaskSchema schema = parse_task_schema(json);
  check_schema_change(tx, project, schema);
  const int64_t version = project.schema_version + 1;
  const int64_t now_ms = organisation.env().now_ms();
  insert_schema(tx, project.id, version, schema, actor, now_ms);
  tx.execute("UPDATE project SET schema_version = $2, version = version + 1 WHERE id = $1",
             {project.id, version});
  Json data = Json::object();
  data["version"] = version;
  record_event(tx, now_ms, actor,
               {.kind = "project.schema_changed",
                .object = project.public_id,
                .project_id = project.id,
                .data = std::move(data)});
  organisation.queue().drop_project(project.id);
  return version;
}

std::optional<std::vector<std::string>> project_people(store::Connection& db, int64_t project_id) {
  auto people = db.query_all(
      "SELECT m.person_id FROM project_member p JOIN member m ON m.id = p.member_id"
      " WHERE p.project_id = $1 ORDER BY m.id",
      {project_id}, [](const store::Row& row) { return row.string(0); });
  if (people.empty()) return std::nullopt;
  return people;
}

void set_project_people(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                        std::string_view public_id,
                        const std::optional<std::vector<std::string>>& person_ids) {
  const Project project = get_project(tx, public_id);
  if (person_ids && person_ids->empty()) {
    throw FieldError("/people",
                     "name at least one person, or null for everybody; to stop the work "
                     "pause the project");
  }
  tx.execute("DELETE FROM project_member WHERE project_id = $1", {project.id});
  Json data = Json::object();
  data["people"] = person_ids ? Json::array() : Json();
  for (const std::string& person : person_ids.value_or(std::vector<std::string>())) {
    const auto member = tx.query_int64("SELECT id FROM member WHERE person_id = $1", {person});
    if (!member) throw FieldError("/people", "there is nobody " + person + " here");
    tx.execute(
        "INSERT INTO project_member (project_id, member_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        {project.id, *member});
    data["people"].push_back(person);
  }
  tx.execute("UPDATE project SET version = version + 1 WHERE id = $1", {project.id});
  record_event(tx, organisation.env().now_ms(), actor,
               {.kind = "project.people_changed",
                .object = project.public_id,
                .project_id = project.id,
                .data = std::move(data)});
  organisation.queue().drop_project(project.id);
}

}  // namespace hone::label
