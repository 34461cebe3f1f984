#include "label/import_votes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "label/members.h"
#include "seal/digest.h"

namespace hone::label {
namespace {

constexpr std::string_view kInsertAssignment =
    "INSERT INTO assignment (public_id, project_id, task_id, member_id, state, shown_order,"
    " guideline_version, schema_version, leased_at_ms, expires_at_ms, ended_at_ms)"
    " VALUES ($1, $2, $3, $4, 'submitted', '0,1', $5, $6, $7, $7, $7)"
    " ON CONFLICT (task_id, member_id, stage) DO NOTHING";
constexpr std::string_view kInsertAnnotation =
    "INSERT INTO annotation (public_id, project_id, task_id, member_id, assignment_id, revision,"
    " status, choice, shown_order, guideline_version, schema_version, created_at_ms)"
    " VALUES ($1, $2, $3, $4, $5, 1, 'valid', $6, '0,1', $7, $8, $9)";
constexpr std::string_view kInsertBody =
    "INSERT INTO annotation_body (annotation_id, answer) VALUES ($1, $2)";
// A task never has more valid annotations than it wants.
constexpr std::string_view kMoveTask =
    "UPDATE task SET valid = valid + $2,"
    " wanted = CASE WHEN wanted < valid + leased + $2 THEN valid + leased + $2 ELSE wanted END,"
    " slots = CASE WHEN wanted > valid + leased + $2 THEN wanted - valid - leased - $2 ELSE 0 END"
    " WHERE id = $1";
constexpr std::string_view kFinishTask =
    "UPDATE task SET state = 'done', done_at_ms = $2"
    " WHERE id = $1 AND state = 'open' AND is_gold = 0 AND valid >= wanted";

// The task that a row's votes are about.
struct Target {
  int64_t task = 0;
  bool is_gold = false;
  std::vector<std::string> response_ids;
  bool exchanged = false;
};

bool same_response(const Json& a, const Json& b) {
  const auto part = [](const Json& response, const char* key) {
    const Json* value = response.find(key);
    return value != nullptr && value->is_string() ? value->as_string() : std::string();
  };
  return part(a, "text") == part(b, "text") && part(a, "model") == part(b, "model");
}

class VoteWriter {
 public:
  VoteWriter(Organisation& organisation, store::Transaction& tx, const Actor& actor,
             int64_t project, const TaskSchema& schema, int64_t now_ms)
      : organisation_(organisation),
        tx_(tx),
        actor_(actor),
        project_(project),
        schema_(schema),
        now_ms_(now_ms),
        ids_(organisation.env()) {
    const auto versions = tx.query_one(
        "SELECT guideline_version, schema_version FROM project WHERE id = $1", {project},
        [](const store::Row& row) { return std::pair(row.int64(0), row.int64(1)); });
    if (!versions) throw not_found("there is no such project");
    std::tie(guideline_version_, schema_version_) = *versions;
  }

  void write(const Target& target, const std::vector<Vote>& votes);
  void finish();
  const InsertedVotes& result() const { return result_; }

 private:
  int64_t member(const std::string& worker);
  bool write_one(const Target& target, const Vote& vote);

  Organisation& organisation_;
  store::Transaction& tx_;
  const Actor& actor_;
  const int64_t project_;
  const TaskSchema& schema_;
  const int64_t now_ms_;
  PublicIds ids_;
  int64_t guideline_version_ = 0, schema_version_ = 0;
  std::map<std::string, int64_t> members_;
  InsertedVotes result_;
  int64_t counted_ = 0, finished_ = 0;
};

int64_t VoteWriter::member(const std::string& worker) {
  const auto known = members_.find(worker);
  if (known != members_.end()) return known->second;
  // The same name is the same judge in all imports of this organisation.
  const std::string person =
      public_id_from("usr", seal::sha256_bytes("imported judge\n" + worker).substr(0, 16));
  auto found = find_member(tx_, person);
  if (!found) {
    found = ensure_member(organisation_, tx_, actor_, {person, worker, {}, {}});
    tx_.execute("UPDATE member SET is_paused = 1 WHERE id = $1", {found->id});
  }
  return members_.emplace(worker, found->id).first->second;
}

bool VoteWriter::write_one(const Target& target, const Vote& vote) {
  const int64_t member_id = member(vote.worker);
  if (tx_.execute(kInsertAssignment, {ids_.make("asn"), project_, target.task, member_id,
                                      guideline_version_, schema_version_, now_ms_}) == 0) {
    ++result_.repeated;
    return false;
  }
  const int64_t assignment = tx_.last_insert_id();
  std::string choice = vote.choice;
  if (target.exchanged && choice == "first") {
    choice = "second";
  } else if (target.exchanged && choice == "second") {
    choice = "first";
  }
  tx_.execute(kInsertAnnotation, {ids_.make("ann"), project_, target.task, member_id, assignment,
                                  choice, guideline_version_, schema_version_, now_ms_});
  const int64_t annotation = tx_.last_insert_id();
  Json answer = Json::object();
  answer[schema_.main().name] = choice == "first"    ? target.response_ids[0]
                                : choice == "second" ? target.response_ids[1]
                                                     : choice;
  tx_.execute(kInsertBody, {annotation, answer.dump()});
  ++result_.annotations;
  return true;
}

void VoteWriter::write(const Target& target, const std::vector<Vote>& votes) {
  int64_t written = 0;
  for (const Vote& vote : votes) written += write_one(target, vote);
  if (written == 0) return;
  tx_.execute(kMoveTask, {target.task, written});
  if (target.is_gold) return;
  counted_ += written;
  finished_ += tx_.execute(kFinishTask, {target.task, now_ms_});
}

void VoteWriter::finish() {
  if (counted_ == 0) return;
  tx_.execute(
      "UPDATE project SET annotations = annotations + $2, tasks_done = tasks_done + $3 WHERE id = "
      "$1",
      {project_, counted_, finished_});
}

// The task that was there before this row; nothing when its texts were erased.
std::optional<Target> known_target(store::Connection& db, int64_t project, const NewTask& task) {
  Target target;
  const auto body = db.query_one(
      "SELECT t.id, t.is_gold, b.body FROM task t JOIN task_body b ON b.task_id = t.id"
      " WHERE t.id = $1 AND b.erased_at_ms IS NULL",
      {task_of_content(db, project, task.content_digest)}, [&](const store::Row& row) {
        target.task = row.int64(0);
        target.is_gold = row.boolean(1);
        return row.string(2);
      });
  if (!body) return std::nullopt;
  const Json there = Json::parse(*body).value();
  const Json::Array& responses = there.at("responses").as_array();
  for (const Json& response : responses) {
    target.response_ids.push_back(response.at("response_id").as_string());
  }
  if (responses.size() != 2) return std::nullopt;
  const Json row = Json::parse(task.body).value();
  target.exchanged = !same_response(responses[0], row.at("responses").as_array()[0]);
  return target;
}

}  // namespace

InsertedVotes insert_votes(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                           int64_t project, const TaskSchema& schema,
                           std::span<const NewTask> tasks, const InsertedTasks& inserted,
                           std::span<const TaskVotes> votes, int64_t now_ms) {
  if (votes.empty()) return {};
  VoteWriter writer(organisation, tx, actor, project, schema, now_ms);
  for (const TaskVotes& of_task : votes) {
    const NewTask& task = tasks[of_task.task];
    const int64_t id = inserted.task_ids[of_task.task];
    if (id != 0) {
      writer.write({id, task.gold.has_value(), task.response_ids, false}, of_task.votes);
    } else if (const auto known = known_target(tx, project, task)) {
      writer.write(*known, of_task.votes);
    }
  }
  writer.finish();
  return writer.result();
}

}  // namespace hone::label
