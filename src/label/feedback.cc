#include "label/feedback.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <utility>

#include "base/utf8.h"
#include "label/events.h"
#include "label/json_lists.h"
#include "label/organisation.h"
#include "label/public_id.h"
#include "label/task_schema.h"

namespace hone::label {
namespace {

constexpr std::array<std::string_view, 4> kKinds = {"thumbs", "comparison", "edit", "report"};
constexpr size_t kExcerptBytes = 300;
constexpr std::string_view kColumns =
    "SELECT f.id, f.public_id, f.kind, f.completion, f.choice, f.other, f.other_choice, f.verdict,"
    " f.reason, m.person_id, m.name, m.pseudonym, f.consent, f.state, f.created_at_ms, b.comment,"
    " b.edited, b.excerpt, b.models, b.erased_at_ms FROM feedback f"
    " JOIN feedback_body b ON b.feedback_id = f.id JOIN member m ON m.id = f.member_id ";

Feedback read_feedback(const store::Row& row) {
  Feedback said;
  said.id = row.int64(0);
  said.public_id = row.string(1);
  said.kind = feedback_kind_from_name(row.text(2));
  said.completion = row.string(3);
  said.choice = row.int64(4);
  said.other = row.string(5);
  said.other_choice = row.int64(6);
  said.verdict = row.string(7);
  said.reason = row.string(8);
  said.person_id = row.string(9);
  said.name = row.string(10);
  said.pseudonym = row.string(11);
  said.consent = row.boolean(12);
  said.state = row.string(13);
  said.created_at_ms = row.int64(14);
  said.comment = row.string(15);
  said.edited = row.string(16);
  said.excerpt = row.string(17);
  said.models = text_list(row.text(18));
  said.erased = !row.is_null(19);
  return said;
}

// The last thing that the person asked, shortened at a character.
std::string excerpt_of(const feedback::Answer& answer) {
  std::string text = answer.choice.prompt;
  if (answer.is_chat()) {
    for (const Json& message : answer.head.messages.as_array()) {
      const Json* content = message.find("content");
      if (message.at("role").as_string() == "user" && content != nullptr && content->is_string()) {
        text = content->as_string();
      }
    }
  }
  if (text.size() <= kExcerptBytes) return text;
  text.resize(kExcerptBytes);
  while (!text.empty() && find_invalid_utf8(text)) text.pop_back();
  return text + "…";
}

void check_answers(const NewFeedback& said) {
  const bool is_pair = said.kind == FeedbackKind::kComparison;
  if (said.answers.size() != (is_pair ? 2u : 1u)) {
    throw FieldError("/completions", "a comparison is about two answers, the rest about one");
  }
  if (!is_pair) return;
  const feedback::Answer &left = said.answers[0], &right = said.answers[1];
  if (left.head.id == right.head.id && left.index == right.index) {
    throw FieldError("/completions", "these are one and the same answer");
  }
  if (left.prompt().dump_canonical() != right.prompt().dump_canonical()) {
    throw FieldError("/completions",
                     "the two answers are to different conversations: compare answers to the same");
  }
}

void check_texts(const NewFeedback& said) {
  if (count_characters(said.comment) > kFeedbackCommentChars) {
    throw FieldError("/comment", "a comment has at most 4,000 characters");
  }
  if (said.kind != FeedbackKind::kEdit) return;
  if (count_characters(said.edited) > kFeedbackEditChars) {
    throw FieldError("/text", "a corrected answer has at most 524,288 characters");
  }
  if (said.edited.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw FieldError("/text", "write the answer as it should be");
  }
  if (said.edited == said.answers[0].choice.text) {
    throw FieldError("/text", "this is the answer as it was: a correction changes something");
  }
}

struct Place {
  std::string completion, other;
  int64_t choice = 0, other_choice = 0;
};

Place place_of(const NewFeedback& said) {
  Place place{said.answers[0].head.id, {}, said.answers[0].index, 0};
  if (said.answers.size() > 1) {
    place.other = said.answers[1].head.id;
    place.other_choice = said.answers[1].index;
  }
  return place;
}

std::optional<Feedback> said_before(store::Connection& db, const Actor& actor,
                                    const NewFeedback& said, const Place& place) {
  return db.query_one(
      std::string(kColumns) +
          "WHERE f.completion = $1 AND f.member_id = $2 AND f.kind = $3 AND f.choice = $4"
          " AND f.other = $5 AND f.other_choice = $6 AND f.state = 'given'",
      {place.completion, actor.member_id, feedback_kind_name(said.kind), place.choice, place.other,
       place.other_choice},
      read_feedback);
}

void erase_body(store::Transaction& tx, int64_t feedback, int64_t now_ms) {
  tx.execute(
      "UPDATE feedback_body SET comment = '', edited = '', models = '[]', excerpt = '',"
      " answers = '[]', erased_at_ms = $2 WHERE feedback_id = $1",
      {feedback, now_ms});
}

void end_feedback(store::Transaction& tx, const Actor& actor, const Feedback& said,
                  std::string_view state, int64_t now_ms) {
  tx.execute("UPDATE feedback SET state = $2 WHERE id = $1", {said.id, state});
  erase_body(tx, said.id, now_ms);
  record_event(tx, now_ms, actor,
               {.kind = "feedback." + std::string(state),
                .object = said.public_id,
                .project_id = {},
                .from = said.state,
                .to = state});
}

// Tasks of its answers that no consent stands behind, now that this one is gone.
std::vector<std::string> orphans_of(store::Connection& db, const Feedback& said) {
  std::vector<std::string> tasks;
  for (const std::string& completion : {said.completion, said.other}) {
    if (completion.empty()) continue;
    const bool others =
        db.query_int64(
              "SELECT 1 FROM feedback WHERE (completion = $1 OR other = $1) AND state = 'given'"
              " AND consent = 1 UNION ALL SELECT 1 FROM completion WHERE public_id = $1 LIMIT 1",
              {completion})
            .has_value();
    if (others) continue;
    for (std::string& task :
         db.query_all("SELECT t.public_id FROM sampled s JOIN task t ON t.id = s.task_id"
                      " WHERE s.completion = $1",
                      {completion}, [](const store::Row& row) { return row.string(0); })) {
      if (std::find(tasks.begin(), tasks.end(), task) == tasks.end()) tasks.push_back(task);
    }
  }
  return tasks;
}

int64_t insert_feedback(store::Transaction& tx, const Actor& actor, const NewFeedback& said,
                        const Place& place, const std::string& public_id, int64_t now_ms) {
  tx.execute(
      "INSERT INTO feedback (public_id, kind, completion, choice, other, other_choice, verdict,"
      " reason, member_id, given_by, consent, state, created_at_ms)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'given', $12)",
      {public_id, feedback_kind_name(said.kind), place.completion, place.choice, place.other,
       place.other_choice, said.verdict, said.reason, actor.member_id, actor.id, said.consent,
       now_ms});
  return tx.last_insert_id();
}

void insert_body(store::Transaction& tx, int64_t feedback, const NewFeedback& said) {
  std::vector<std::string> models;
  Json answers = Json::array();
  std::string excerpt;
  if (said.consent) {
    for (const feedback::Answer& answer : said.answers) {
      models.push_back(answer.head.model);
      answers.push_back(answer.to_json());
    }
    excerpt = excerpt_of(said.answers[0]);
  }
  tx.execute(
      "INSERT INTO feedback_body (feedback_id, comment, edited, models, excerpt, answers)"
      " VALUES ($1, $2, $3, $4, $5, $6)",
      {feedback, said.comment, said.edited, text_list_json(models), excerpt, answers.dump()});
}

}  // namespace

std::string_view feedback_kind_name(FeedbackKind kind) { return kKinds[static_cast<size_t>(kind)]; }

FeedbackKind feedback_kind_from_name(std::string_view name) {
  const auto found = std::find(kKinds.begin(), kKinds.end(), name);
  if (found == kKinds.end()) {
    throw FieldError("/kind", "the kind is thumbs, comparison, edit or report");
  }
  return static_cast<FeedbackKind>(found - kKinds.begin());
}

GivenFeedback give_feedback(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                            const NewFeedback& said) {
  require(actor, Permission::kFeedbackGive);
  check_answers(said);
  check_texts(said);
  const Place place = place_of(said);
  const int64_t now_ms = organisation.env().now_ms();
  std::vector<std::string> orphans;
  if (const auto before = said_before(tx, actor, said, place)) {
    if (before->verdict == said.verdict && before->reason == said.reason &&
        before->consent == said.consent && before->comment == said.comment &&
        before->edited == said.edited && !before->erased) {
      return {before->public_id, true, {}};
    }
    end_feedback(tx, actor, *before, "replaced", now_ms);
    if (before->consent && !said.consent) orphans = orphans_of(tx, *before);
  }
  const std::string public_id = make_public_id(organisation.env(), "fbk");
  insert_body(tx, insert_feedback(tx, actor, said, place, public_id, now_ms), said);
  Json data = Json::object();
  data["kind"] = feedback_kind_name(said.kind);
  data["completion"] = place.completion;
  data["consent"] = said.consent;
  data["digest"] = organisation.salted_digest(
      "feedback:" + public_id, said.verdict + "\n" + said.comment + "\n" + said.edited);
  record_event(tx, now_ms, actor,
               {.kind = "feedback.given",
                .object = public_id,
                .project_id = {},
                .from = "",
                .to = "given",
                .data = std::move(data)});
  return {public_id, false, std::move(orphans)};
}

std::vector<Feedback> list_feedback(store::Connection& db, const FeedbackFilter& filter) {
  std::string sql(kColumns);
  std::vector<store::Value> values;
  const auto add = [&](std::string_view condition, const auto& value, std::string_view end = "") {
    values.emplace_back(value);
    sql += values.size() == 1 ? "WHERE " : " AND ";
    sql += condition;
    sql += "$" + std::to_string(values.size());
    sql += end;
  };
  add("f.state = ", filter.state);
  if (!filter.kind.empty()) add("f.kind = ", filter.kind);
  if (!filter.verdict.empty()) add("f.verdict = ", filter.verdict);
  if (!filter.completion.empty()) add("f.completion = ", filter.completion);
  // A list of names as JSON: a quoted name stands in it only as one of them.
  const std::string quoted = Json(filter.model).dump();
  if (!filter.model.empty()) add("instr(b.models, ", quoted, ") > 0");
  if (filter.consent) add("f.consent = ", *filter.consent);
  if (filter.from_ms) add("f.created_at_ms >= ", *filter.from_ms);
  if (filter.before_ms) add("f.created_at_ms < ", *filter.before_ms);
  if (filter.before_id) add("f.id < ", *filter.before_id);
  values.emplace_back(filter.limit);
  sql += " ORDER BY f.id DESC LIMIT $" + std::to_string(values.size());
  return db.query_all(sql, values, read_feedback);
}

Feedback get_feedback(store::Connection& db, std::string_view id) {
  auto said = db.query_one(std::string(kColumns) + "WHERE f.public_id = $1", {id}, read_feedback);
  if (!said) throw not_found("there is no such feedback");
  return *std::move(said);
}

namespace {

using FeedbackDays = std::map<std::pair<int64_t, std::string>, FeedbackDay>;

FeedbackDay& day_of(FeedbackDays& days, int64_t day_ms, const std::string& model) {
  FeedbackDay& day = days[{day_ms, model}];
  day.day_ms = day_ms;
  day.model = model;
  return day;
}

void count_vote(FeedbackDays& days, int64_t day_ms, const std::vector<std::string>& models,
                const std::string& verdict, int64_t count) {
  const bool one_won = verdict == "left" || verdict == "right";
  const bool two = models.size() > 1 && models[0] != models[1];
  if (one_won && two) {
    day_of(days, day_ms, models[verdict == "left" ? 0 : 1]).won += count;
    day_of(days, day_ms, models[verdict == "left" ? 1 : 0]).lost += count;
    return;
  }
  day_of(days, day_ms, models[0]).undecided += count;
  if (two) day_of(days, day_ms, models[1]).undecided += count;
}

}  // namespace

std::vector<FeedbackDay> feedback_by_day(store::Connection& db, int64_t from_ms) {
  FeedbackDays days;
  for (const store::Row& row :
       db.query("SELECT f.created_at_ms - f.created_at_ms % 86400000, b.models, f.verdict, count(*)"
                " FROM feedback f JOIN feedback_body b ON b.feedback_id = f.id"
                " WHERE f.state = 'given' AND f.created_at_ms >= $1 GROUP BY 1, 2, 3",
                {from_ms})) {
    const int64_t day_ms = row.int64(0), count = row.int64(3);
    const std::string verdict = row.string(2);
    std::vector<std::string> models = text_list(row.text(1));
    if (models.empty()) models.emplace_back();
    if (verdict == "up") {
      day_of(days, day_ms, models[0]).up += count;
    } else if (verdict == "down") {
      day_of(days, day_ms, models[0]).down += count;
    } else if (verdict == "edited") {
      day_of(days, day_ms, models[0]).edited += count;
    } else if (verdict == "reported") {
      day_of(days, day_ms, models[0]).reported += count;
    } else {
      count_vote(days, day_ms, models, verdict, count);
    }
  }
  std::vector<FeedbackDay> list;
  for (auto& [key, day] : days) list.push_back(std::move(day));
  return list;
}

std::vector<feedback::Answer> feedback_answers(store::Connection& db, int64_t feedback) {
  const auto text =
      db.query_text("SELECT answers FROM feedback_body WHERE feedback_id = $1", {feedback});
  std::vector<feedback::Answer> answers;
  const Json list = Json::parse(text.value_or("[]")).value();
  for (const Json& each : list.as_array()) answers.push_back(feedback::Answer::from_json(each));
  return answers;
}

std::vector<std::string> withdraw_feedback(Organisation& organisation, store::Transaction& tx,
                                           const Actor& actor, std::string_view id) {
  const Feedback said = get_feedback(tx, id);
  const bool own = tx.query_int64("SELECT 1 FROM feedback WHERE id = $1 AND member_id = $2",
                                  {said.id, actor.member_id})
                       .has_value();
  if (!own) {
    // Who may not see the others' learns nothing of them.
    if (!can(actor.role, Permission::kFeedbackView)) throw not_found("there is no such feedback");
    require(actor, Permission::kFeedbackManage);
  }
  if (said.state != "given") return {};
  end_feedback(tx, actor, said, "withdrawn", organisation.env().now_ms());
  return orphans_of(tx, said);
}

WithdrawnFeedback withdraw_feedback_of(Organisation& organisation, store::Transaction& tx,
                                       const Actor& actor, int64_t member, size_t most) {
  WithdrawnFeedback withdrawn;
  for (const Feedback& said : tx.query_all(
           std::string(kColumns) + "WHERE f.member_id = $1 AND f.state = 'given' ORDER BY f.id"
                                   " LIMIT $2",
           {member, most}, read_feedback)) {
    withdrawn.any = true;
    end_feedback(tx, actor, said, "withdrawn", organisation.env().now_ms());
    for (std::string& task : orphans_of(tx, said)) withdrawn.orphans.push_back(std::move(task));
  }
  return withdrawn;
}

void store_completion(store::Transaction& tx, const feedback::KeptCompletion& completion) {
  Json list = Json::array();
  for (size_t i = 0; i < completion.choices.size(); ++i) {
    list.push_back(completion.answer(i).to_json());
  }
  tx.execute(
      "INSERT INTO completion (public_id, body, created_at_ms) VALUES ($1, $2, $3)"
      " ON CONFLICT (public_id) DO NOTHING",
      {completion.head.id, list.dump(), completion.head.created_at_ms});
}

std::optional<feedback::Answer> stored_answer(store::Connection& db, std::string_view id,
                                              int64_t choice, int64_t not_before_ms) {
  const auto body =
      db.query_text("SELECT body FROM completion WHERE public_id = $1 AND created_at_ms >= $2",
                    {id, not_before_ms});
  if (!body) return std::nullopt;
  const Json list = Json::parse(*body).value();
  if (choice < 0 || static_cast<size_t>(choice) >= list.size()) return std::nullopt;
  return feedback::Answer::from_json(list.as_array()[static_cast<size_t>(choice)]);
}

int64_t drop_completions(store::Transaction& tx, int64_t before_ms, int64_t most) {
  return tx.execute(
      "DELETE FROM completion WHERE id IN (SELECT id FROM completion WHERE created_at_ms < $1"
      " ORDER BY created_at_ms LIMIT $2)",
      {before_ms, most});
}

}  // namespace hone::label
