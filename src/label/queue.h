#pragma once
// The lease engine: who is asked what next. One write-transaction chooses, leases and counts.
//
// The order. A member's own unexpired leases come first. Then, with chance gold_share, a gold task
// that the member has not had, in random order; else the first task by (priority descending, id) that
// is open, has a free place, fits the member's languages and that the member never had. Each lease
// shows the responses in an order of its own, drawn from Env's entropy and stored.
//
// The cost of a choice does not depend on the number of tasks. Memory keeps per (project, member) how
// far each priority level was looked through, and per project a log of the places that came free
// behind somebody's mark (expiry, skip, release, undo, a task that wants one more): each member reads
// the log once and keeps what lies behind his own marks. All of it is a cache: dropped (after an
// error, or when it grows over its bounds) it is read again from the database; a drop costs looking
// through once more what a member has had, in pieces of kScanMax tasks a transaction.
//
// A lease that ran out is swept by next() (at most kSweepMax a call) or sweep(): its place is free
// again, and the same member may have the task again (the same row).
//
// Threads: everything but lease_next() and sweep_all() runs on the writer thread, inside a write.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "label/members.h"
#include "label/projects.h"
#include "label/task_answer.h"

namespace hone::label {

inline constexpr size_t kLeasesMax = 3;       // of one member in one project at a time
inline constexpr size_t kScanMax = 2000;      // tasks looked at in one transaction
inline constexpr size_t kSweepMax = 64;       // leases swept by one next()
inline constexpr size_t kFreedMax = 65536;    // entries of the log of one project
inline constexpr size_t kMembersMax = 20000;  // (project, member) marks kept

// One lease: what the database has of it.
struct Lease {
  int64_t assignment = 0, task = 0, project = 0, member = 0;
  std::string public_id;  // asn_…
  std::string shown_order;
  int64_t guideline_version = 0, schema_version = 0;
  int64_t leased_at_ms = 0, expires_at_ms = 0;
};

enum class NextReason { kNone, kNoneLeft, kAllYoursDone, kPaused, kNotQualified };
std::string_view next_reason_name(NextReason reason);  // "none-left", …; "" for kNone

struct NextResult {
  std::vector<Lease> leases;
  NextReason reason = NextReason::kNone;  // why there is none
  bool again = false;  // none yet, and not everything was looked at: call once more
};

// Up to `count` (1 to kLeasesMax) leases, inside a write of Durability::kProcess (decisions 3.4: only
// the answer must be durable). Throws not_found, forbidden, invalid_input.
NextResult next(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                std::string_view project, size_t count);
// The same with its own writes, again until it has looked at everything.
NextResult lease_next(Organisation& organisation, const Actor& actor, std::string_view project,
                      size_t count);

// The project's marks, when this person may be given tasks of it now; inside a write. Throws
// forbidden, conflict (paused, ended), not_found.
struct ProjectMarks;
ProjectMarks& check_may_label(Organisation& organisation, store::Transaction& tx,
                              const Actor& actor, std::string_view project);
// Leases one task with a free place that this person never had, its responses in this order.
Lease lease_task(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                 std::string_view project, int64_t task, const std::string& shown_order);

// Prolongs an own lease that still stands; returns when it ends. Conflict when it does not stand.
int64_t heartbeat(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                  std::string_view assignment);
// Gives an own lease back; nothing happens when there is none any more.
void release(Organisation& organisation, store::Transaction& tx, const Actor& actor,
             std::string_view assignment);
// Ends leases that ran out, at most `most`; returns how many.
size_t sweep(Organisation& organisation, store::Transaction& tx, size_t most);
// In writes of its own, until none is left.
size_t sweep_all(Organisation& organisation);

// What a browser shows of a lease, docs/api.md: {assignment_id, task_id, project_id, task, …,
// receipt}. The responses stand in the order shown, without models. A read.
Json assignment_json(Organisation& organisation, store::Connection& db, const Lease& lease);
// The same for one's own assignment by id, with `draft` and the last `answer`. not_found when it is
// another's.
Json get_assignment(Organisation& organisation, store::Connection& db, const Actor& actor,
                    std::string_view assignment);

// ---- What memory keeps ---------------------------------------------------------------------------

// The place of a task in the queue.
struct QueuePlace {
  int64_t priority = 0;
  int64_t task = 0;
  // The one that is given out earlier comes first.
  friend bool operator<(const QueuePlace& a, const QueuePlace& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.task < b.task;
  }
};

struct MemberMarks {
  std::map<int64_t, int64_t> seen;  // priority -> every task up to this id was looked at
  std::set<QueuePlace> behind;      // free places behind the marks
  uint64_t log_read = 0;            // entries of the project's log that are taken into account
  bool qualified = false, paused = false;
  std::vector<std::string> languages;
  std::vector<int64_t> gold_left;  // shuffled
  uint64_t gold_version = 0;
  std::optional<int64_t> done;  // submitted assignments
  uint64_t used = 0;
};

struct ProjectMarks {
  Project project;  // its counts are not kept up
  std::map<int64_t, std::shared_ptr<const TaskSchema>> schemas;
  std::map<int64_t, int64_t, std::greater<>> levels;  // priority -> largest id that may be free
  int64_t last_task = 0, last_gold = 0;               // largest ids that the levels know of
  std::deque<QueuePlace> freed;                       // the log
  uint64_t freed_begin = 0;                           // number of its first entry
  uint64_t gold_version = 1;
  std::unordered_map<int64_t, MemberMarks> members;
};

class Queue {
 public:
  // Of the project, read when it is not there. Stays valid until the job ends or drops it.
  ProjectMarks& marks(store::Connection& db, std::string_view project);
  ProjectMarks& marks(store::Connection& db, int64_t project);
  MemberMarks& member(store::Connection& db, ProjectMarks& project, int64_t member);
  std::shared_ptr<const TaskSchema> schema(store::Connection& db, ProjectMarks& project,
                                           int64_t version);
  // Sees tasks that were inserted since: they are told to nobody.
  void refresh(store::Connection& db, ProjectMarks& project);
  // Takes the log's news into the member's marks.
  static void read_log(ProjectMarks& project, MemberMarks& member);

  // A task may be given out (again): it has a place, opened, or got a higher priority.
  void freed(int64_t project, QueuePlace place);
  void gold_changed(int64_t project);
  void forget_done(int64_t project, int64_t member);  // counted again when it is asked for
  // The job is about to change the project's marks, or was: when it fails they are dropped.
  void touch(int64_t project) { touched_.insert(project); }
  void begin_job() { touched_.clear(); }
  void drop_touched();
  void drop_project(int64_t project);
  void drop_member(int64_t member);
  void drop_all();

 private:
  ProjectMarks* find(int64_t project);
  void make_room();

  std::unordered_map<int64_t, std::unique_ptr<ProjectMarks>> projects_;
  std::map<std::string, int64_t, std::less<>> ids_;  // public id -> id
  std::set<int64_t> touched_;                        // by the job that runs
  size_t members_ = 0;
  uint64_t clock_ = 0;
};

}  // namespace hone::label
