// What memory keeps of the queue; queue.h says why it can be dropped at any moment.

#include <algorithm>
#include <limits>

#include "label/json_lists.h"
#include "label/queue.h"

namespace hone::label {
namespace {

constexpr std::string_view kNextLevel =
    "SELECT priority FROM task INDEXED BY task_queue WHERE project_id = $1 AND state = 'open'"
    " AND slots > 0 AND is_gold = 0 AND priority <= $2 ORDER BY priority DESC LIMIT 1";
constexpr std::string_view kLastOfLevel =
    "SELECT id FROM task INDEXED BY task_queue WHERE project_id = $1 AND state = 'open'"
    " AND slots > 0 AND is_gold = 0 AND priority = $2 ORDER BY id DESC LIMIT 1";

// One seek a level and one for its end: levels are few, tasks are many.
void read_levels(store::Connection& db, ProjectMarks& marks) {
  marks.levels.clear();
  int64_t below = std::numeric_limits<int64_t>::max();
  while (const auto priority = db.query_int64(kNextLevel, {marks.project.id, below})) {
    marks.levels[*priority] =
        db.query_int64(kLastOfLevel, {marks.project.id, *priority}).value_or(0);
    if (*priority == std::numeric_limits<int64_t>::min()) break;
    below = *priority - 1;
  }
}

bool is_qualified(store::Connection& db, const Project& project, int64_t member) {
  if (db.query_int64("SELECT 1 FROM project_member WHERE project_id = $1 LIMIT 1", {project.id}) &&
      !db.query_int64("SELECT 1 FROM project_member WHERE project_id = $1 AND member_id = $2",
                      {project.id, member})) {
    return false;
  }
  return std::all_of(project.skills.begin(), project.skills.end(), [&](const std::string& skill) {
    return db.query_int64("SELECT 1 FROM member_skill WHERE member_id = $1 AND skill = $2",
                          {member, skill});
  });
}

}  // namespace

ProjectMarks* Queue::find(int64_t project) {
  const auto found = projects_.find(project);
  return found == projects_.end() ? nullptr : found->second.get();
}

ProjectMarks& Queue::marks(store::Connection& db, std::string_view project) {
  const auto known = ids_.find(project);
  if (known != ids_.end()) {
    if (ProjectMarks* found = find(known->second)) return *found;
  }
  return marks(db, get_project(db, project).id);
}

ProjectMarks& Queue::marks(store::Connection& db, int64_t project) {
  if (ProjectMarks* found = find(project)) return *found;
  touch(project);
  auto made = std::make_unique<ProjectMarks>();
  made->project = get_project(db, project);
  refresh(db, *made);
  ids_[made->project.public_id] = project;
  return *(projects_[project] = std::move(made));
}

void Queue::refresh(store::Connection& db, ProjectMarks& project) {
  const int64_t last =
      db.query_int64("SELECT max(id) FROM task WHERE project_id = $1", {project.project.id})
          .value_or(0);
  if (last == project.last_task) return;
  touch(project.project.id);
  project.last_task = last;
  read_levels(db, project);
  const int64_t gold = db.query_int64(
                             "SELECT max(id) FROM task INDEXED BY task_gold WHERE project_id = $1"
                             " AND is_gold = 1",
                             {project.project.id})
                           .value_or(0);
  if (gold != project.last_gold) ++project.gold_version;
  project.last_gold = gold;
}

MemberMarks& Queue::member(store::Connection& db, ProjectMarks& project, int64_t member) {
  const auto found = project.members.find(member);
  if (found != project.members.end()) {
    found->second.used = ++clock_;
    return found->second;
  }
  touch(project.project.id);
  make_room();
  MemberMarks marks;
  const auto known = db.query_one(
      "SELECT is_paused, languages FROM member WHERE id = $1", {member},
      [](const store::Row& row) { return std::pair(row.boolean(0), text_list(row.text(1))); });
  if (!known) {
    throw Error(ErrorCode::kForbidden, "labelling needs a person of this organisation");
  }
  marks.paused = known->first;
  marks.languages = known->second;
  marks.qualified = is_qualified(db, project.project, member);
  marks.log_read = project.freed_begin + project.freed.size();
  marks.used = ++clock_;
  ++members_;
  return project.members.emplace(member, std::move(marks)).first->second;
}

std::shared_ptr<const TaskSchema> Queue::schema(store::Connection& db, ProjectMarks& project,
                                                int64_t version) {
  auto& schema = project.schemas[version];
  if (!schema) schema = get_schema(db, project.project.id, version);
  return schema;
}

void Queue::read_log(ProjectMarks& project, MemberMarks& member) {
  const uint64_t end = project.freed_begin + project.freed.size();
  if (member.log_read < project.freed_begin) {
    // The log was cut behind him: look through everything once more.
    member.seen.clear();
    member.behind.clear();
    member.log_read = end;
    return;
  }
  for (; member.log_read < end; ++member.log_read) {
    const QueuePlace& place = project.freed[member.log_read - project.freed_begin];
    const auto mark = member.seen.find(place.priority);
    if (mark != member.seen.end() && place.task <= mark->second) member.behind.insert(place);
  }
}

void Queue::freed(int64_t project, QueuePlace place) {
  ProjectMarks* marks = find(project);
  if (marks == nullptr) return;
  touch(project);
  int64_t& last = marks->levels[place.priority];
  last = std::max(last, place.task);
  if (marks->members.empty()) return;
  marks->freed.push_back(place);
  if (marks->freed.size() > kFreedMax) {
    marks->freed.pop_front();
    ++marks->freed_begin;
  }
}

void Queue::gold_changed(int64_t project) {
  if (ProjectMarks* marks = find(project)) ++marks->gold_version;
}

void Queue::forget_done(int64_t project, int64_t member) {
  ProjectMarks* marks = find(project);
  if (marks == nullptr) return;
  const auto found = marks->members.find(member);
  if (found != marks->members.end()) found->second.done.reset();
}

void Queue::drop_project(int64_t project) {
  if (ProjectMarks* marks = find(project)) {
    members_ -= marks->members.size();
    ids_.erase(marks->project.public_id);
    projects_.erase(project);
  }
}

void Queue::drop_touched() {
  for (const int64_t project : std::exchange(touched_, {})) drop_project(project);
}

void Queue::drop_member(int64_t member) {
  for (auto& [id, project] : projects_) members_ -= project->members.erase(member);
}

void Queue::drop_all() {
  projects_.clear();
  ids_.clear();
  members_ = 0;
}

// Forgets those who were not seen for longest, half of what there is room for.
void Queue::make_room() {
  if (members_ < kMembersMax) return;
  const uint64_t oldest = clock_ - kMembersMax / 2;
  for (auto& [id, project] : projects_) {
    members_ -= std::erase_if(project->members,
                              [&](const auto& entry) { return entry.second.used < oldest; });
  }
}

}  // namespace hone::label
