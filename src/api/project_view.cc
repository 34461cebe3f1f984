#include "api/project_view.h"

#include <algorithm>

#include "label/annotations.h"
#include "label/live.h"
#include "label/members.h"
#include "label/splits.h"

namespace hone::api {

bool sees_results(const Call& call) { return call.can(label::Permission::kQualityView); }

namespace {

bool may_label(store::Connection& db, const label::Project& project, const label::Actor& actor) {
  const auto member = label::find_member(db, actor.member_id);
  if (!member) return false;
  const auto people = label::project_people(db, project.id);
  if (people && std::find(people->begin(), people->end(), member->person_id) == people->end()) {
    return false;
  }
  return std::all_of(project.skills.begin(), project.skills.end(), [&](const std::string& skill) {
    return std::find(member->skills.begin(), member->skills.end(), skill) != member->skills.end();
  });
}

}  // namespace

label::Project visible_project(Call& call, store::Connection& db, const label::Actor& actor) {
  label::Project project = label::get_project(db, call.id("project_id"));
  if (!sees_results(call) && !may_label(db, project, actor)) {
    throw not_found("there is no such project");
  }
  return project;
}

Json project_json(Call& call, store::Connection& db, const label::Project& project,
                  const label::Actor& actor) {
  Json body = Json::object();
  body["id"] = project.public_id;
  body["name"] = project.name;
  body["task_type"] = project.task_type;
  body["state"] = project.state;
  body["overlap"] = project.overlap;
  body["overlap_max"] = project.overlap_max;
  body["stop_probability"] = project.stop_probability;
  body["adaptive"] = project.adaptive();
  body["lease_seconds"] = project.lease_seconds;
  body["blind"] = project.blind;
  body["show_gold_result"] = project.show_gold_result;
  body["live"] = label::get_live(db, project.id).has_value();
  body["skills"] = texts_json(project.skills);
  body["description"] = project.description;
  body["guideline_version"] = project.guideline_version;
  body["schema_version"] = project.schema_version;
  body["split_state"] = project.split_state;
  body["created_at"] = time_text(project.created_at_ms);
  if (call.can(label::Permission::kLabel)) {
    const label::MyCounts mine = label::my_counts(db, actor.member_id, project);
    body["mine"]["done"] = mine.done;
    body["mine"]["available"] = mine.available;
  }
  if (!sees_results(call)) return body;
  body["gold_share"] = project.gold_share;
  const label::ProjectCounts& counts = project.counts;
  Json& shown = body["counts"];
  shown["tasks"] = counts.tasks;
  shown["done"] = counts.done;
  shown["open"] = std::max<int64_t>(0, counts.tasks - counts.done);
  shown["annotations"] = counts.annotations;
  shown["surplus"] = counts.surplus;
  shown["skips"] = counts.skips;
  shown["flags"] = counts.flags;
  // Counting sides reads an index of the whole project: only a frozen one has something to count.
  label::SplitCounts split{.train = 0, .heldout = 0, .none = counts.tasks};
  if (project.split_state == "frozen") split = label::split_counts(db, project.id);
  body["split"]["train"] = split.train;
  body["split"]["heldout"] = split.heldout;
  body["split"]["none"] = split.none;
  return body;
}

Json named_actor(const Call& call, store::Connection& db, const std::string& actor_id) {
  Json body = Json::object();
  const auto member = label::find_member(db, actor_id);
  const bool by_name = call.can(label::Permission::kPeopleView);
  body["id"] = member && !by_name ? member->pseudonym : actor_id;
  body["name"] = !member ? actor_id : by_name ? member->name : member->pseudonym;
  return body;
}

}  // namespace hone::api
