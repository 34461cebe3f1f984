// What a person sees of the own work. Reads.

#include <algorithm>

#include "label/annotations.h"
#include "label/organisation.h"
#include "label/task_text.h"

namespace hone::label {
namespace {

// Today in UTC, by what lies on the member's index: at most this many answers are added up.
constexpr int64_t kTodayMax = 5000;

void add_today(store::Connection& db, int64_t member, int64_t project, int64_t now_ms,
               MyWork& work) {
  constexpr int64_t kDayMs = 24 * 3600 * 1000;
  const int64_t midnight = now_ms - now_ms % kDayMs;
  for (const store::Row& row :
       db.query("SELECT created_at_ms, active_ms, status FROM annotation WHERE member_id = $1"
                " AND project_id = $2 ORDER BY id DESC LIMIT $3",
                {member, project, kTodayMax})) {
    if (row.int64(0) < midnight) break;
    if (row.text(2) == "withdrawn") continue;
    ++work.done_today;
    work.active_ms_today += row.int64(1);
  }
}

std::vector<MyAnnotation> recent_annotations(store::Connection& db, int64_t member,
                                             const Project& project, int64_t now_ms, size_t most) {
  size_t number = 0;
  return db.query_all(
      "SELECT s.public_id, t.public_id, b.body, a.status, ab.answer, a.created_at_ms, t.is_gold"
      " FROM annotation a JOIN assignment s ON s.id = a.assignment_id"
      " JOIN task t ON t.id = a.task_id JOIN task_body b ON b.task_id = t.id"
      " JOIN annotation_body ab ON ab.annotation_id = a.id"
      " WHERE a.member_id = $1 AND a.project_id = $2 AND a.status <> 'withdrawn'"
      " ORDER BY a.id DESC LIMIT $3",
      {member, project.id, most}, [&](const store::Row& row) {
        MyAnnotation mine;
        mine.assignment_id = row.string(0);
        mine.task_id = row.string(1);
        mine.prompt = prompt_start(row.text(2));
        mine.status = row.string(3);
        mine.answer = Json::parse(row.text(4)).value();
        mine.created_at_ms = row.int64(5);
        mine.can_undo = ++number <= static_cast<size_t>(kUndoLast) && !project.ended() &&
                        mine.created_at_ms + kUndoMs >= now_ms && mine.status != "rejected" &&
                        !(row.boolean(6) && project.show_gold_result);
        return mine;
      });
}

}  // namespace

MyCounts my_counts(store::Connection& db, int64_t member, const Project& project) {
  MyCounts counts;
  counts.done = db.query_int64(
                      "SELECT count(*) FROM assignment WHERE member_id = $1 AND project_id = $2"
                      " AND state = 'submitted'",
                      {member, project.id})
                    .value_or(0);
  const int64_t open = project.counts.tasks - project.counts.done;
  counts.available = project.state == "open"
                         ? std::clamp<int64_t>(project.counts.tasks - counts.done, 0, open)
                         : 0;
  return counts;
}

MyWork my_work(Organisation& organisation, store::Connection& db, const Actor& actor,
               const Project& project, size_t recent) {
  require(actor, Permission::kLabel);
  const int64_t now_ms = organisation.env().now_ms();
  MyWork work;
  const MyCounts counts = my_counts(db, actor.member_id, project);
  work.done = counts.done;
  work.available = counts.available;
  work.guideline_version = project.guideline_version;
  add_today(db, actor.member_id, project.id, now_ms, work);
  work.recent =
      recent_annotations(db, actor.member_id, project, now_ms, std::min<size_t>(recent, 50));
  return work;
}

}  // namespace hone::label
