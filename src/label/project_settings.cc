// Settings of a project from a request's body: every field by name, nothing unknown, all in bounds.

#include "label/project_settings.h"

#include <algorithm>

#include "base/utf8.h"
#include "label/projects.h"

namespace hone::label {
namespace {

std::string text_field(const std::string& name, const Json& json) {
  if (!json.is_string()) throw FieldError("/" + name, "expected a text");
  return json.as_string();
}

int64_t integer_field(const std::string& name, const Json& json) {
  if (!json.is_integer()) throw FieldError("/" + name, "expected a whole number");
  return json.as_int();
}

double number_field(const std::string& name, const Json& json) {
  if (!json.is_number()) throw FieldError("/" + name, "expected a number");
  return json.as_double();
}

bool bool_field(const std::string& name, const Json& json) {
  if (!json.is_bool()) throw FieldError("/" + name, "expected true or false");
  return json.as_bool();
}

std::vector<std::string> list_field(const std::string& name, const Json& json) {
  if (!json.is_array()) throw FieldError("/" + name, "expected a list of texts");
  std::vector<std::string> list;
  for (const Json& entry : json.as_array()) list.push_back(text_field(name, entry));
  return list;
}

// The fields that a new project and a patch share; false for another name.
template <class Settings>
bool common_field(Settings& settings, const std::string& name, const Json& json) {
  if (name == "name")
    settings.name = text_field(name, json);
  else if (name == "description")
    settings.description = text_field(name, json);
  else if (name == "overlap")
    settings.overlap = integer_field(name, json);
  else if (name == "overlap_max")
    settings.overlap_max = integer_field(name, json);
  else if (name == "stop_probability")
    settings.stop_probability = number_field(name, json);
  else if (name == "lease_seconds")
    settings.lease_seconds = integer_field(name, json);
  else if (name == "gold_share")
    settings.gold_share = number_field(name, json);
  else if (name == "blind")
    settings.blind = bool_field(name, json);
  else if (name == "show_gold_result")
    settings.show_gold_result = bool_field(name, json);
  else if (name == "skills")
    settings.skills = list_field(name, json);
  else
    return false;
  return true;
}

const Json::Object& body_object(const Json& body) {
  if (!body.is_object()) throw FieldError("", "the body is an object with the project's settings");
  return body.as_object();
}

void check_range(const std::string& field, double value, double low, double high,
                 const std::string& words) {
  if (!(value >= low && value <= high)) throw FieldError("/" + field, words);
}

}  // namespace

NewProject new_project_from_json(const Json& body) {
  NewProject project;
  for (const auto& [name, json] : body_object(body)) {
    if (common_field(project, name, json)) continue;
    if (name == "task_type") {
      project.task_type = text_field(name, json);
    } else if (name == "guideline") {
      project.guideline = text_field(name, json);
    } else if (name == "schema") {
      project.schema = json;
    } else {
      throw FieldError("/" + name, "a project has no such setting; see docs/api.md, Projects");
    }
  }
  return project;
}

ProjectPatch project_patch_from_json(const Json& body) {
  ProjectPatch patch;
  for (const auto& [name, json] : body_object(body)) {
    if (common_field(patch, name, json)) continue;
    if (name == "state") {
      patch.state = text_field(name, json);
    } else if (name == "task_type" || name == "schema" || name == "guideline") {
      throw FieldError("/" + name,
                       "this cannot be changed here; a schema and a guideline have "
                       "routes of their own, a task type stays");
    } else {
      throw FieldError("/" + name, "a project has no such setting; see docs/api.md, Projects");
    }
  }
  return patch;
}

void check_settings(const Project& project) {
  if (project.name.find_first_not_of(" \t\r\n") == std::string::npos ||
      count_characters(project.name) > kProjectNameChars) {
    throw FieldError("/name", "a project has a name of 1 to 200 characters");
  }
  if (count_characters(project.description) > 4000) {
    throw FieldError("/description", "a description has at most 4,000 characters");
  }
  check_range("overlap", static_cast<double>(project.overlap), 1, kOverlapMax,
              "the overlap is 1 to 50 people a task");
  check_range("overlap_max", static_cast<double>(project.overlap_max),
              static_cast<double>(project.overlap), kOverlapMax,
              "overlap_max is at least overlap and at most 50");
  check_range("lease_seconds", static_cast<double>(project.lease_seconds), 10, kLeaseSecondsMax,
              "a lease lasts 10 to 86,400 seconds");
  check_range("gold_share", project.gold_share, 0.0, 0.5, "the share of gold tasks is 0 to 0.5");
  check_range("stop_probability", project.stop_probability, 0.5, 1.0,
              "stop_probability is 0.5 to 1, say 0.95");
  if (project.skills.size() > 20) throw FieldError("/skills", "at most 20 skills can be needed");
  for (const std::string& skill : project.skills) {
    if (skill.empty() || count_characters(skill) > 60) {
      throw FieldError("/skills", "a skill has 1 to 60 characters");
    }
  }
}

void check_state_change(std::string_view from, std::string_view to) {
  const std::string_view known[] = {"open", "paused", "finished", "archived"};
  if (std::find(std::begin(known), std::end(known), to) == std::end(known)) {
    throw FieldError("/state", "the state is open, paused, finished or archived");
  }
  if (from == "archived" && to != "finished" && to != "archived") {
    throw Error(ErrorCode::kConflict,
                "an archived project is first made finished again, then open");
  }
}

}  // namespace hone::label
