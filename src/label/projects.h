#pragma once
// Projects: what is asked, of whom, how often. Schemas and guidelines have versions; what was said
// stays stamped with the version that it answered.
//
// Errors: not_found, conflict (an old version of the project, a schema that old answers do not fit),
// FieldError for settings. Functions that write are called inside Organisation::write.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "label/permissions.h"
#include "label/task_schema.h"
#include "store/database.h"

namespace hone::label {

class Organisation;

struct ProjectCounts {
  int64_t tasks = 0;  // that the queue gives out or gave out: neither gold nor cancelled
  int64_t done = 0;   // done or undecided
  int64_t annotations = 0, surplus = 0, skips = 0, flags = 0;
};

struct Project {
  int64_t id = 0;
  std::string public_id, name, task_type, state;  // open, paused, finished, archived
  int64_t schema_version = 0, guideline_version = 0;
  int64_t overlap = 1, overlap_max = 1;
  double stop_probability = 0.0;
  int64_t lease_seconds = 900;
  double gold_share = 0.0;
  bool blind = true;
  bool show_gold_result = false;  // after a gold answer: whether it was right, and the explanation
  std::vector<std::string> skills;
  std::string description;
  std::string split_state;
  ProjectCounts counts;
  std::string created_by;
  int64_t created_at_ms = 0;
  int64_t version = 0;  // the ETag

  bool adaptive() const { return overlap_max > overlap; }
  bool ended() const { return state == "finished" || state == "archived"; }
};

inline constexpr int64_t kOverlapMax = 50, kLeaseSecondsMax = 24 * 3600;
inline constexpr size_t kProjectNameChars = 200, kGuidelineChars = 500'000;

struct NewProject {
  std::string name, task_type;
  int64_t overlap = 1;
  std::optional<int64_t> overlap_max;
  std::optional<double> stop_probability;
  int64_t lease_seconds = 900;
  double gold_share = 0.0;
  bool blind = true;
  bool show_gold_result = false;
  std::vector<std::string> skills;
  std::string description;
  std::string guideline;
  std::optional<Json> schema;  // the built-in one of the type
};
// From a request's body; unknown fields are refused by name.
NewProject new_project_from_json(const Json& body);

// What may change of a project; nothing = as it is.
struct ProjectPatch {
  std::optional<std::string> name, state, description;
  std::optional<int64_t> overlap, overlap_max, lease_seconds;
  std::optional<double> stop_probability, gold_share;
  std::optional<bool> blind, show_gold_result;
  std::optional<std::vector<std::string>> skills;
};
ProjectPatch project_patch_from_json(const Json& body);

Project create_project(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                       const NewProject& wanted);
// if_version: conflict when the project has another version meanwhile. A changed overlap has reached the
// first kOverlapPiece tasks when this returns; finish_overlap_change (overlap_change.h) does the rest.
Project patch_project(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                      std::string_view project, const ProjectPatch& patch,
                      std::optional<int64_t> if_version = std::nullopt);

Project get_project(store::Connection& db, std::string_view public_id);
Project get_project(store::Connection& db, int64_t id);

struct ProjectFilter {
  std::string state;                 // empty = all
  std::optional<int64_t> before_id;  // keyset, newest first
  size_t limit = 50;
  int64_t only_for_member = 0;  // != 0: those that this member may label, not archived
};
std::vector<Project> list_projects(store::Connection& db, const ProjectFilter& filter);

struct VersionInfo {
  int64_t version = 0;
  std::string created_by;
  int64_t created_at_ms = 0;
};
struct Guideline {
  VersionInfo info;
  std::string body;
  std::vector<VersionInfo> versions;  // newest first, at most 200
};
// version: nothing = the newest.
Guideline get_guideline(store::Connection& db, const Project& project,
                        std::optional<int64_t> version = std::nullopt);
int64_t add_guideline(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                      std::string_view project, std::string_view body);

std::shared_ptr<const TaskSchema> get_schema(store::Connection& db, int64_t project_id,
                                             int64_t version);
// Refused (conflict) when the main question's kind or subject changes, or one of its classes goes,
// while there are annotations: old and new answers could not be judged together.
int64_t add_schema(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                   std::string_view project, const Json& schema);

// Who may label it: person ids; nothing = everybody with the skills.
std::optional<std::vector<std::string>> project_people(store::Connection& db, int64_t project_id);
void set_project_people(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                        std::string_view project,
                        const std::optional<std::vector<std::string>>& person_ids);

// Recounts: what does not agree, one sentence each, at most 20; empty = all agrees.
std::vector<std::string> verify_counters(store::Connection& db, int64_t project_id);
// Sets every counter of the project to what a recount says; an event says so.
void repair_counters(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                     int64_t project_id);

}  // namespace hone::label
