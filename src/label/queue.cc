#include "label/queue.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/rng.h"
#include "label/events.h"
#include "label/organisation.h"
#include "label/public_id.h"
#include "label/task_moves.h"

namespace hone::label {
namespace {

constexpr std::string_view kLeaseColumns =
    "SELECT id, task_id, project_id, member_id, public_id, shown_order, guideline_version,"
    " schema_version, leased_at_ms, expires_at_ms FROM assignment ";

Lease read_lease(const store::Row& row) {
  Lease lease;
  lease.assignment = row.int64(0);
  lease.task = row.int64(1);
  lease.project = row.int64(2);
  lease.member = row.int64(3);
  lease.public_id = row.string(4);
  lease.shown_order = row.string(5);
  lease.guideline_version = row.int64(6);
  lease.schema_version = row.int64(7);
  lease.leased_at_ms = row.int64(8);
  lease.expires_at_ms = row.int64(9);
  return lease;
}

// What one next() works with.
struct Picker {
  Organisation& organisation;
  store::Transaction& tx;
  const Actor& actor;
  ProjectMarks& project;
  MemberMarks& member;
  int64_t now_ms;
  size_t looked = 0;  // tasks
  NextResult result;
};

// The row of a member and a task, when there is one already.
struct Earlier {
  int64_t id = 0;
  std::string public_id, state, shown_order;
  bool had() const { return state != "expired" && state != "released"; }
};
std::optional<Earlier> earlier_assignment(store::Connection& db, int64_t task, int64_t member) {
  return db.query_one(
      "SELECT id, public_id, state, shown_order FROM assignment"
      " WHERE task_id = $1 AND member_id = $2 AND stage = 'attempt'",
      {task, member}, [](const store::Row& row) {
        return Earlier{row.int64(0), row.string(1), row.string(2), row.string(3)};
      });
}

Rng fresh_rng(Env& env) {
  uint64_t seed = 0;
  env.random_bytes(&seed, sizeof seed);
  return {seed, rng_stream("queue")};
}

template <class T>
void shuffle(std::vector<T>& list, Rng& rng) {
  for (size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[rng.below(i)]);
}

size_t response_count(Picker& pick, int64_t task) {
  if (pick.project.project.task_type == "pairwise") return 2;
  const auto body = pick.tx.query_text("SELECT body FROM task_body WHERE task_id = $1", {task});
  return body ? task_parts(Json::parse(*body).value()).response_ids.size() : 0;
}

std::string new_order(Picker& pick, int64_t task) {
  ShownOrder order(response_count(pick, task));
  std::iota(order.begin(), order.end(), 0u);
  Rng rng = fresh_rng(pick.organisation.env());
  shuffle(order, rng);
  return format_shown_order(order);
}

void note_lease(Picker& pick, const TaskRow& task, const Lease& lease, std::string_view from) {
  Json data = Json::object();
  data["task"] = task.public_id;
  record_event(pick.tx, pick.now_ms, pick.actor,
               {.kind = "assignment.leased",
                .object = lease.public_id,
                .project_id = lease.project,
                .from = from,
                .to = "leased",
                .data = std::move(data)});
}

// The same row again after an expiry or a release: with the order that the person may still have
// before him on an open page.
Lease lease_again(Picker& pick, TaskRow& task, const Earlier& earlier) {
  const Project& project = pick.project.project;
  const int64_t expires = pick.now_ms + project.lease_seconds * 1000;
  pick.tx.execute(
      "UPDATE assignment SET state = 'leased', guideline_version = $2, schema_version = $3,"
      " leased_at_ms = $4, expires_at_ms = $5, ended_at_ms = NULL WHERE id = $1",
      {earlier.id, project.guideline_version, project.schema_version, pick.now_ms, expires});
  Lease lease{earlier.id,
              task.id,
              project.id,
              pick.actor.member_id,
              earlier.public_id,
              earlier.shown_order,
              project.guideline_version,
              project.schema_version,
              pick.now_ms,
              expires};
  note_lease(pick, task, lease, earlier.state);
  return lease;
}

Lease lease_new(Picker& pick, TaskRow& task, const std::string& shown_order) {
  const Project& project = pick.project.project;
  Lease lease{0,
              task.id,
              project.id,
              pick.actor.member_id,
              make_public_id(pick.organisation.env(), "asn"),
              shown_order,
              project.guideline_version,
              project.schema_version,
              pick.now_ms,
              pick.now_ms + project.lease_seconds * 1000};
  pick.tx.execute(
      "INSERT INTO assignment (public_id, project_id, task_id, member_id, stage, state,"
      " shown_order, guideline_version, schema_version, leased_at_ms, expires_at_ms)"
      " VALUES ($1, $2, $3, $4, 'attempt', 'leased', $5, $6, $7, $8, $9)",
      {lease.public_id, lease.project, lease.task, lease.member, lease.shown_order,
       lease.guideline_version, lease.schema_version, lease.leased_at_ms, lease.expires_at_ms});
  lease.assignment = pick.tx.last_insert_id();
  note_lease(pick, task, lease, "");
  return lease;
}

// Takes the task when it may be given to this member now; false when not.
bool take(Picker& pick, int64_t id, bool as_gold) {
  ++pick.looked;
  const auto earlier = earlier_assignment(pick.tx, id, pick.actor.member_id);
  if (earlier && earlier->had()) return false;
  TaskRow task = get_task_row(pick.tx, id);
  if (task.project != pick.project.project.id || task.is_gold != as_gold) return false;
  if (as_gold ? !task.open() : !task.has_place()) return false;
  if (!language_fits(pick.member.languages, task.language)) return false;
  move_counts(pick.tx, task, 0, 1);
  pick.result.leases.push_back(earlier ? lease_again(pick, task, *earlier)
                                       : lease_new(pick, task, new_order(pick, task.id)));
  return true;
}

// ---- Gold ----------------------------------------------------------------------------------------

bool draw_gold(Picker& pick) {
  const double share = pick.project.project.gold_share;
  return share > 0.0 && fresh_rng(pick.organisation.env()).uniform() < share;
}

void load_gold(Picker& pick) {
  if (pick.member.gold_version == pick.project.gold_version) return;
  pick.member.gold_left = pick.tx.query_all(
      "SELECT id FROM task t INDEXED BY task_gold WHERE project_id = $1 AND is_gold = 1"
      " AND state = 'open'"
      " AND NOT EXISTS (SELECT 1 FROM assignment a WHERE a.task_id = t.id AND a.member_id = $2"
      " AND a.stage = 'attempt' AND a.state NOT IN ('expired', 'released')) LIMIT 10000",
      {pick.project.project.id, pick.actor.member_id},
      [](const store::Row& row) { return row.int64(0); });
  Rng rng = fresh_rng(pick.organisation.env());
  shuffle(pick.member.gold_left, rng);
  pick.member.gold_version = pick.project.gold_version;
}

bool take_gold(Picker& pick) {
  load_gold(pick);
  while (!pick.member.gold_left.empty() && pick.looked < kScanMax) {
    const int64_t task = pick.member.gold_left.back();
    pick.member.gold_left.pop_back();
    if (take(pick, task, true)) return true;
  }
  return false;
}

// The planner would as soon walk through every open task; the index that has free places only, in the
// order of the queue, is named wherever the cost of a choice depends on it.

// ---- The queue -----------------------------------------------------------------------------------

// Looks through one level from the member's mark on.
bool take_from_level(Picker& pick, int64_t priority, int64_t last) {
  constexpr int64_t kBatch = 64;
  int64_t& mark = pick.member.seen[priority];
  while (mark < last && pick.looked < kScanMax) {
    const auto batch = pick.tx.query_all(
        "SELECT id FROM task INDEXED BY task_queue WHERE project_id = $1 AND state = 'open'"
        " AND slots > 0 AND is_gold = 0 AND priority = $2 AND id > $3 ORDER BY id LIMIT $4",
        {pick.project.project.id, priority, mark, pick.looked == 0 ? int64_t{1} : kBatch},
        [](const store::Row& row) { return row.int64(0); });
    if (batch.empty()) {
      mark = last;
      return false;
    }
    for (const int64_t task : batch) {
      mark = task;
      if (take(pick, task, false)) return true;
      if (pick.looked >= kScanMax) return false;
    }
  }
  return false;
}

// The best free place behind the marks that has at least this priority.
bool take_from_behind(Picker& pick, int64_t least_priority) {
  auto& behind = pick.member.behind;
  while (!behind.empty() && behind.begin()->priority >= least_priority && pick.looked < kScanMax) {
    const QueuePlace place = *behind.begin();
    behind.erase(behind.begin());
    if (take(pick, place.task, false)) return true;
  }
  return false;
}

bool take_from_queue(Picker& pick) {
  Queue::read_log(pick.project, pick.member);
  // At one level what lies behind the mark has a smaller id than what lies before it.
  for (const auto& [priority, last] : pick.project.levels) {
    if (take_from_behind(pick, priority) || take_from_level(pick, priority, last)) return true;
    if (pick.looked >= kScanMax) return false;
  }
  return take_from_behind(pick, std::numeric_limits<int64_t>::min());
}

NextReason reason_for_nothing(Picker& pick) {
  const bool any_free = pick.tx
                            .query_int64(
                                "SELECT id FROM task INDEXED BY task_queue WHERE project_id = $1 "
                                "AND state = 'open' AND slots > 0"
                                " AND is_gold = 0 LIMIT 1",
                                {pick.project.project.id})
                            .has_value();
  if (!any_free) return NextReason::kNoneLeft;
  const bool had_any =
      pick.tx
          .query_int64("SELECT id FROM assignment WHERE member_id = $1 AND project_id = $2 LIMIT 1",
                       {pick.actor.member_id, pick.project.project.id})
          .has_value();
  return had_any ? NextReason::kAllYoursDone : NextReason::kNotQualified;
}

// ---- Ends of leases ------------------------------------------------------------------------------

void end_lease(Organisation& organisation, store::Transaction& tx, const Lease& lease,
               std::string_view state, const Actor& actor, int64_t now_ms) {
  tx.execute("UPDATE assignment SET state = $2, ended_at_ms = $3 WHERE id = $1",
             {lease.assignment, state, now_ms});
  TaskRow task = get_task_row(tx, lease.task);
  move_counts(tx, task, 0, -1);
  record_event(tx, now_ms, actor,
               {.kind = state == "expired" ? "assignment.expired" : "assignment.released",
                .object = lease.public_id,
                .project_id = lease.project,
                .from = "leased",
                .to = state});
  if (task.has_place()) organisation.queue().freed(task.project, task.place());
}

size_t sweep_rows(Organisation& organisation, store::Transaction& tx,
                  const std::vector<Lease>& leases, int64_t now_ms) {
  for (const Lease& lease : leases) {
    end_lease(organisation, tx, lease, "expired", system_actor(), now_ms);
  }
  return leases.size();
}

void add_own_leases(Picker& pick, size_t count) {
  const auto own = pick.tx.query_all(
      std::string(kLeaseColumns) +
          "WHERE member_id = $1 AND project_id = $2 AND state = 'leased' ORDER BY id LIMIT $3",
      {pick.actor.member_id, pick.project.project.id, 2 * kLeasesMax}, read_lease);
  for (const Lease& lease : own) {
    if (lease.expires_at_ms <= pick.now_ms) {
      end_lease(pick.organisation, pick.tx, lease, "expired", system_actor(), pick.now_ms);
    } else if (pick.result.leases.size() < count) {
      pick.result.leases.push_back(lease);
    }
  }
}

Lease own_lease(store::Connection& db, const Actor& actor, std::string_view assignment,
                std::string* state) {
  auto lease = db.query_one(
      "SELECT id, task_id, project_id, member_id, public_id, shown_order, guideline_version,"
      " schema_version, leased_at_ms, expires_at_ms, state FROM assignment WHERE public_id = $1",
      {assignment}, [&](const store::Row& row) {
        *state = row.string(10);
        return read_lease(row);
      });
  if (!lease || lease->member != actor.member_id) throw not_found("there is no such assignment");
  return *std::move(lease);
}

}  // namespace

std::string_view next_reason_name(NextReason reason) {
  constexpr std::string_view kNames[] = {"", "none-left", "all-yours-done", "paused",
                                         "not-qualified"};
  return kNames[static_cast<size_t>(reason)];
}

NextResult next(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                std::string_view project_id, size_t count) {
  require(actor, Permission::kLabel);
  if (count < 1 || count > kLeasesMax) throw FieldError("/count", "ask for 1 to 3 tasks at a time");
  Queue& queue = organisation.queue();
  ProjectMarks& project = queue.marks(tx, project_id);
  MemberMarks& member = queue.member(tx, project, actor.member_id);
  queue.refresh(tx, project);
  Picker pick{organisation, tx, actor, project, member, organisation.env().now_ms(), 0, {}};
  if (project.project.state != "open" || member.paused) {
    pick.result.reason = NextReason::kPaused;
    return pick.result;
  }
  if (!member.qualified) {
    pick.result.reason = NextReason::kNotQualified;
    return pick.result;
  }
  queue.touch(project.project.id);
  add_own_leases(pick, count);
  sweep(organisation, tx, kSweepMax);
  while (pick.result.leases.size() < count) {
    if (draw_gold(pick) && take_gold(pick)) continue;
    if (!take_from_queue(pick)) break;
  }
  if (!pick.result.leases.empty()) return pick.result;
  pick.result.again = pick.looked >= kScanMax;
  if (!pick.result.again) pick.result.reason = reason_for_nothing(pick);
  return pick.result;
}

ProjectMarks& check_may_label(Organisation& organisation, store::Transaction& tx,
                              const Actor& actor, std::string_view project_id) {
  require(actor, Permission::kLabel);
  Queue& queue = organisation.queue();
  ProjectMarks& project = queue.marks(tx, project_id);
  const MemberMarks& member = queue.member(tx, project, actor.member_id);
  if (!member.qualified) {
    throw Error(ErrorCode::kForbidden,
                "you are not among those who label this project; its lead can change that");
  }
  if (project.project.state != "open" || member.paused) {
    throw Error(ErrorCode::kConflict, "this project is paused or has ended; come back later");
  }
  return project;
}

Lease lease_task(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                 std::string_view project_id, int64_t id, const std::string& shown_order) {
  ProjectMarks& project = check_may_label(organisation, tx, actor, project_id);
  MemberMarks& member = organisation.queue().member(tx, project, actor.member_id);
  organisation.queue().touch(project.project.id);
  Picker pick{organisation, tx, actor, project, member, organisation.env().now_ms(), 0, {}};
  TaskRow task = get_task_row(tx, id);
  if (task.project != project.project.id || !task.has_place() ||
      earlier_assignment(tx, id, actor.member_id)) {
    throw Error(ErrorCode::kConflict, "this task cannot be given to you; ask for the next one");
  }
  move_counts(tx, task, 0, 1);
  return lease_new(pick, task, shown_order);
}

NextResult lease_next(Organisation& organisation, const Actor& actor, std::string_view project,
                      size_t count) {
  // A bound on the whole, for a queue that changes faster than it is looked through.
  for (int round = 0; round < 5000; ++round) {
    NextResult result = organisation.write(
        store::Durability::kProcess,
        [&](store::Transaction& tx) { return next(organisation, tx, actor, project, count); });
    if (!result.again) return result;
  }
  throw Error(ErrorCode::kBusy, "the queue changes too fast just now; ask again in a moment");
}

int64_t heartbeat(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                  std::string_view assignment) {
  std::string state;
  const Lease lease = own_lease(tx, actor, assignment, &state);
  if (state != "leased") {
    throw Error(ErrorCode::kConflict, "this task is not held any more (" + state +
                                          "); what you answer is kept all the same");
  }
  const ProjectMarks& project = organisation.queue().marks(tx, lease.project);
  const int64_t expires = organisation.env().now_ms() + project.project.lease_seconds * 1000;
  tx.execute("UPDATE assignment SET expires_at_ms = $2 WHERE id = $1", {lease.assignment, expires});
  return expires;
}

void release(Organisation& organisation, store::Transaction& tx, const Actor& actor,
             std::string_view assignment) {
  std::string state;
  const Lease lease = own_lease(tx, actor, assignment, &state);
  if (state != "leased") return;
  end_lease(organisation, tx, lease, "released", actor, organisation.env().now_ms());
}

size_t sweep(Organisation& organisation, store::Transaction& tx, size_t most) {
  const int64_t now_ms = organisation.env().now_ms();
  const auto leases = tx.query_all(
      std::string(kLeaseColumns) +
          "WHERE state = 'leased' AND expires_at_ms <= $1 ORDER BY expires_at_ms LIMIT $2",
      {now_ms, most}, read_lease);
  return sweep_rows(organisation, tx, leases, now_ms);
}

size_t sweep_all(Organisation& organisation) {
  constexpr size_t kPiece = 256;
  size_t swept = 0;
  for (;;) {
    const size_t piece =
        organisation.write(store::Durability::kProcess,
                           [&](store::Transaction& tx) { return sweep(organisation, tx, kPiece); });
    swept += piece;
    if (piece < kPiece) return swept;
  }
}

}  // namespace hone::label
