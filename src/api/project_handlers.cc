// Projects: settings, guideline, schema, who may label.
#include "api/handlers.h"
#include "api/project_view.h"
#include "label/overlap_change.h"
#include "label/projects.h"
#include "label/task_schema.h"

namespace hone::api {
namespace {

using store::Connection;
using store::Durability;
using store::Transaction;

Answer project_answer(Call& call, Connection& db, const label::Project& project,
                      const label::Actor& actor, int status) {
  return {.status = status,
          .body = project_json(call, db, project, actor),
          .etag = etag_of(project.version)};
}

// "adaptive" is a word of the page: overlap_max says the same to the label room.
Json without_adaptive(Json body, int64_t overlap, int64_t overlap_max) {
  const Json* adaptive = body.find("adaptive");
  if (adaptive == nullptr) return body;
  const bool wanted = adaptive->as_bool();
  const Json* given = body.find("overlap_max");
  const Json* own = body.find("overlap");
  const int64_t least = own == nullptr ? overlap : own->as_int();
  int64_t most = given == nullptr || given->is_null() ? overlap_max : given->as_int();
  if (!wanted) most = least;
  if (wanted && most <= least) most = std::min<int64_t>(least + 2, label::kOverlapMax);
  Json::Object members;
  for (auto& [name, value] : body.as_object()) {
    if (name != "adaptive" && name != "overlap_max") members.emplace_back(name, std::move(value));
  }
  members.emplace_back("overlap_max", Json(most));
  return Json(std::move(members));
}

// What is null is not said.
Json without_nulls(const Json& body) {
  Json::Object members;
  for (const auto& [name, value] : body.as_object()) {
    if (!value.is_null()) members.emplace_back(name, value);
  }
  return Json(std::move(members));
}

void tell_project(Call& call, const std::string& project_id) {
  Json data;
  data["id"] = project_id;
  call.platform.events().publish(call.who().organisation_id, "project", data);
}

}  // namespace

http::Response list_projects(Call& call) {
  const label::Actor actor = call.actor();
  const PageRequest page = read_page(call.request.query);
  label::ProjectFilter filter;
  filter.state = call.query("state");
  if (!page.after.empty()) filter.before_id = page.after[0];
  filter.limit = static_cast<size_t>(page.limit) + 1;
  if (!sees_results(call)) {
    // What an annotator's skills leave out is missing from a page, so a page of theirs is a long one.
    filter.only_for_member = actor.member_id;
    filter.limit = 1000;
  }
  return call.organisation().read([&](Connection& db) {
    const auto projects = label::list_projects(db, filter);
    Json::Array items;
    std::optional<std::string> next;
    for (const label::Project& each : projects) {
      if (items.size() == static_cast<size_t>(page.limit)) {
        next = write_cursor({projects[items.size() - 1].id});
        break;
      }
      items.push_back(project_json(call, db, each, actor));
    }
    return json_response(200, page_body(std::move(items), next));
  });
}

http::Response make_project(Call& call) {
  const label::Actor actor = call.actor();
  const label::NewProject wanted = label::new_project_from_json(without_nulls(call.body));
  http::Response response = write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    const label::Project project = label::create_project(call.organisation(), tx, actor, wanted);
    return project_answer(call, tx, project, actor, 201);
  });
  return response;
}

http::Response read_project(Call& call) {
  const label::Actor actor = call.actor();
  return to_response(call.organisation().read([&](Connection& db) {
    return project_answer(call, db, visible_project(call, db, actor), actor, 200);
  }));
}

http::Response change_project(Call& call) {
  const label::Actor actor = call.actor();
  int64_t changed = 0;
  http::Response response = write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    const label::Project before = label::get_project(tx, call.id("project_id"));
    check_if_match(call.request, before.version, false);
    const label::ProjectPatch patch = label::project_patch_from_json(
        without_adaptive(without_nulls(call.body), before.overlap, before.overlap_max));
    const label::Project project = label::patch_project(call.organisation(), tx, actor,
                                                        before.public_id, patch, before.version);
    changed = project.id;
    return project_answer(call, tx, project, actor, 200);
  });
  // The other tasks of a large project, piece by piece: who labels meanwhile waits for a piece at most.
  if (changed != 0) label::finish_overlap_change(call.organisation(), changed);
  tell_project(call, call.id("project_id"));
  return response;
}

namespace {

Json version_json(const Call& call, Connection& db, const label::VersionInfo& info) {
  Json body = Json::object();
  body["version"] = info.version;
  body["created_at"] = time_text(info.created_at_ms);
  body["created_by"] = named_actor(call, db, info.created_by);
  return body;
}

Json guideline_json(const Call& call, Connection& db, const label::Guideline& guideline) {
  Json body = version_json(call, db, guideline.info);
  body["body"] = guideline.body;
  Json versions = Json::array();
  for (const label::VersionInfo& each : guideline.versions) {
    versions.push_back(version_json(call, db, each));
  }
  body["versions"] = std::move(versions);
  return body;
}

Json schema_json(Connection& db, const label::Project& project, int64_t version) {
  Json body = Json::object();
  body["version"] = version;
  body["schema"] = label::get_schema(db, project.id, version)->normalised();
  return body;
}

}  // namespace

http::Response read_guideline(Call& call) {
  const label::Actor actor = call.actor();
  return call.organisation().read([&](Connection& db) {
    const label::Project project = visible_project(call, db, actor);
    return json_response(
        200,
        guideline_json(call, db, label::get_guideline(db, project, call.query_int("version"))));
  });
}

http::Response change_guideline(Call& call) {
  const label::Actor actor = call.actor();
  return write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    label::add_guideline(call.organisation(), tx, actor, call.id("project_id"), call.text("body"));
    const label::Project project = label::get_project(tx, call.id("project_id"));
    return {.status = 201,
            .body = guideline_json(call, tx, label::get_guideline(tx, project)),
            .etag = etag_of(project.version)};
  });
}

http::Response read_schema(Call& call) {
  const label::Actor actor = call.actor();
  return call.organisation().read([&](Connection& db) {
    const label::Project project = visible_project(call, db, actor);
    return json_response(
        200, schema_json(db, project, call.query_int("version").value_or(project.schema_version)));
  });
}

http::Response change_schema(Call& call) {
  const label::Actor actor = call.actor();
  return write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    const int64_t version = label::add_schema(call.organisation(), tx, actor, call.id("project_id"),
                                              call.body.at("schema"));
    const label::Project project = label::get_project(tx, call.id("project_id"));
    return {
        .status = 201, .body = schema_json(tx, project, version), .etag = etag_of(project.version)};
  });
}

http::Response validate_schema(Call& call) {
  Json body = Json::object();
  body["valid"] = true;
  body["schema"] = label::parse_task_schema(call.body.at("schema")).normalised();
  return json_response(200, body);
}

http::Response list_schemas(Call& call) {
  read_page(call.request.query);  // they fit on one page; a cursor is checked all the same
  Json::Array items;
  for (const std::string& type : label::task_types()) {
    Json entry = Json::object();
    entry["task_type"] = type;
    entry["schema"] = label::built_in_schema(type).normalised();
    items.push_back(std::move(entry));
  }
  return json_response(200, page_body(std::move(items), std::nullopt));
}

namespace {

Json people_json(Connection& db, int64_t project) {
  const auto people = label::project_people(db, project);
  Json body = Json::object();
  body["people"] = people ? texts_json(*people) : Json();
  return body;
}

}  // namespace

http::Response read_project_people(Call& call) {
  return call.organisation().read([&](Connection& db) {
    return json_response(200, people_json(db, label::get_project(db, call.id("project_id")).id));
  });
}

http::Response change_project_people(Call& call) {
  const label::Actor actor = call.actor();
  return write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    label::set_project_people(call.organisation(), tx, actor, call.id("project_id"),
                              call.maybe_texts("people"));
    const label::Project project = label::get_project(tx, call.id("project_id"));
    return {.status = 200, .body = people_json(tx, project.id), .etag = etag_of(project.version)};
  });
}

}  // namespace hone::api
