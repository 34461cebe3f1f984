#include "label/sampling_rules.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "label/events.h"
#include "label/organisation.h"
#include "label/projects.h"
#include "label/public_id.h"
#include "label/task_rows.h"
#include "seal/digest.h"

namespace hone::label {
namespace {

constexpr std::array<std::string_view, 7> kSources = {
    "any", "judged", "thumbs_up", "thumbs_down", "compared", "edited", "reported"};
constexpr int64_t kDay = 24 * 3600 * 1000;

int64_t day_of(int64_t at_ms) { return at_ms - at_ms % kDay; }

constexpr std::string_view kRuleColumns =
    "SELECT r.id, r.public_id, r.name, r.model, r.source, r.share, r.daily_cap, r.project_id,"
    " p.public_id, r.is_on, r.created_by, r.created_at_ms,"
    " (SELECT count(*) FROM sampled s WHERE s.rule_id = r.id AND s.outcome = 'task'),"
    " (SELECT count(*) FROM sampled s WHERE s.rule_id = r.id AND s.outcome = 'task'"
    "  AND s.at_ms >= $1)"
    " FROM sampling_rule r JOIN project p ON p.id = r.project_id ";

SamplingRule read_rule(const store::Row& row) {
  SamplingRule rule;
  rule.id = row.int64(0);
  rule.public_id = row.string(1);
  rule.name = row.string(2);
  rule.model = row.string(3);
  rule.source = sampling_source_from_name(row.text(4));
  rule.share = row.real(5);
  rule.daily_cap = row.int64(6);
  rule.project = row.int64(7);
  rule.project_id = row.string(8);
  rule.on = row.boolean(9);
  rule.created_by = row.string(10);
  rule.created_at_ms = row.int64(11);
  rule.taken = row.int64(12);
  rule.taken_today = row.int64(13);
  return rule;
}

bool wants_two(const Project& project) {
  return project.task_type == "pairwise" || project.task_type == "ranking";
}

void apply(store::Connection& db, SamplingRule& rule, const SamplingRuleChange& change) {
  if (change.name) rule.name = *change.name;
  if (change.model) rule.model = *change.model;
  if (change.source) rule.source = *change.source;
  if (change.share) rule.share = *change.share;
  if (change.daily_cap) rule.daily_cap = *change.daily_cap;
  if (change.on) rule.on = *change.on;
  if (change.project_id) rule.project_id = *change.project_id;
  const Project project = get_project(db, rule.project_id);
  rule.project = project.id;
  if (project.state == "archived") {
    throw FieldError("/project_id", "this project is archived: choose one that is open");
  }
  if (!(rule.share > 0 && rule.share <= 1)) {
    throw FieldError("/share", "the share is above 0 and at most 1");
  }
  if (rule.daily_cap < 1 || rule.daily_cap > kDailyCapMax) {
    throw FieldError("/daily_cap", "the cap is 1 to 100,000 tasks a day");
  }
  const bool brings_two = rule.source == SamplingSource::kCompared ||
                          rule.source == SamplingSource::kEdited ||
                          rule.source == SamplingSource::kJudged;
  if (wants_two(project) && !brings_two) {
    throw FieldError("/source", "a " + project.task_type +
                                    " project needs two answers: take what was compared, edited or "
                                    "judged, or a project that asks about one answer");
  }
}

Json rule_json(const SamplingRule& rule) {
  Json data = Json::object();
  data["project"] = rule.project_id;
  data["source"] = sampling_source_name(rule.source);
  data["share"] = number_to_string(rule.share);
  data["daily_cap"] = rule.daily_cap;
  data["on"] = rule.on;
  return data;
}

void note_rule(Organisation& organisation, store::Transaction& tx, const Actor& actor,
               const SamplingRule& rule, std::string_view kind) {
  record_event(tx, organisation.env().now_ms(), actor,
               {.kind = kind,
                .object = rule.public_id,
                .project_id = rule.project,
                .from = "",
                .to = rule.on ? "on" : "off",
                .data = rule_json(rule)});
}

bool model_fits(const SamplingRule& rule, const feedback::Answer& answer) {
  return rule.model.empty() || rule.model == answer.head.model || rule.model == answer.head.asked ||
         rule.model == answer.head.model_digest || rule.model == answer.head.fingerprint;
}

bool source_fits(SamplingSource source, const NewFeedback* said) {
  if (source == SamplingSource::kAny) return true;
  if (said == nullptr) return false;
  switch (source) {
    case SamplingSource::kThumbsUp: return said->verdict == "up";
    case SamplingSource::kThumbsDown: return said->verdict == "down";
    case SamplingSource::kCompared: return said->kind == FeedbackKind::kComparison;
    case SamplingSource::kEdited: return said->kind == FeedbackKind::kEdit;
    case SamplingSource::kReported: return said->kind == FeedbackKind::kReport;
    default: return true;
  }
}

Json provenance(const SamplingRule& rule, const Occasion& occasion,
                const std::vector<const feedback::Answer*>& answers) {
  Json meta = Json::object();
  meta["rule"] = rule.public_id;
  if (occasion.said != nullptr) {
    meta["feedback"] = occasion.feedback_id;
    meta["kind"] = feedback_kind_name(occasion.said->kind);
    meta["verdict"] = occasion.said->verdict;
    if (!occasion.said->reason.empty()) meta["reason"] = occasion.said->reason;
    if (!occasion.said->comment.empty()) meta["comment"] = occasion.said->comment;
  }
  Json list = Json::array();
  for (const feedback::Answer* answer : answers) {
    Json one = Json::object();
    // All but the texts, which the task has: docs/formats/answer.md.
    const Json all = answer->to_json();
    for (const auto& [name, value] : all.as_object()) {
      if (name != "messages" && name != "prompt" && name != "text") one[name] = value;
    }
    list.push_back(std::move(one));
  }
  meta["answers"] = std::move(list);
  return meta;
}

Json response_json(std::string_view text, std::string_view model) {
  Json response = Json::object();
  response["text"] = text;
  response["model"] = model;
  return response;
}

// The answers that make one task, and the row; null when they make none.
struct Candidate {
  std::vector<const feedback::Answer*> answers;
  Json row;
};

Candidate pair_candidate(const Occasion& occasion) {
  Candidate candidate;
  if (occasion.said == nullptr) return candidate;
  const feedback::Answer& first = occasion.answers[0];
  Json responses = Json::array();
  responses.push_back(response_json(first.choice.text, first.head.model));
  if (occasion.said->kind == FeedbackKind::kComparison && occasion.answers.size() > 1) {
    const feedback::Answer& second = occasion.answers[1];
    responses.push_back(response_json(second.choice.text, second.head.model));
    candidate.answers = {&first, &second};
  } else if (occasion.said->kind == FeedbackKind::kEdit) {
    responses.push_back(response_json(occasion.said->edited, "corrected"));
    candidate.answers = {&first};
  } else {
    return candidate;
  }
  candidate.row["prompt"] = first.prompt();
  candidate.row["responses"] = std::move(responses);
  return candidate;
}

Candidate single_candidate(const Project& project, const feedback::Answer& answer) {
  Candidate candidate;
  candidate.answers = {&answer};
  if (project.task_type == "conversation") {
    Json messages = answer.is_chat() ? answer.head.messages : Json::array();
    if (!answer.is_chat()) {
      Json asked = Json::object();
      asked["role"] = "user";
      asked["content"] = answer.choice.prompt;
      messages.push_back(std::move(asked));
    }
    Json said = Json::object();
    said["role"] = "assistant";
    said["content"] = answer.choice.text;
    messages.push_back(std::move(said));
    candidate.row["messages"] = std::move(messages);
  } else {
    candidate.row["prompt"] = answer.prompt();
    candidate.row["response"] = answer.choice.text;
    candidate.row["model"] = answer.head.model;
  }
  return candidate;
}

std::vector<Candidate> candidates(const Project& project, const Occasion& occasion) {
  std::vector<Candidate> list;
  if (wants_two(project)) {
    Candidate pair = pair_candidate(occasion);
    if (!pair.row.is_null()) list.push_back(std::move(pair));
    return list;
  }
  for (const feedback::Answer& answer : occasion.answers) {
    list.push_back(single_candidate(project, answer));
  }
  return list;
}

bool taken_before(store::Connection& db, const SamplingRule& rule, const feedback::Answer& answer) {
  return db
      .query_int64("SELECT 1 FROM sampled WHERE rule_id = $1 AND completion = $2 AND choice = $3",
                   {rule.id, answer.head.id, answer.index})
      .has_value();
}

void note_sampled(store::Transaction& tx, const SamplingRule& rule, const Candidate& candidate,
                  std::string_view outcome, std::optional<int64_t> task, int64_t now_ms) {
  for (const feedback::Answer* answer : candidate.answers) {
    // Of a pair the second is noted beside the first, so that the cap counts tasks.
    const bool is_first = answer == candidate.answers.front();
    tx.execute(
        "INSERT INTO sampled (rule_id, completion, choice, outcome, task_id, at_ms)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        {rule.id, answer->head.id, answer->index, is_first ? outcome : "beside", task, now_ms});
  }
}

// Takes one candidate; its task's public id when one was made.
std::optional<std::string> take(Organisation& organisation, store::Transaction& tx,
                                const SamplingRule& rule, const Project& project,
                                const Occasion& occasion, Candidate& candidate) {
  const int64_t now_ms = organisation.env().now_ms();
  candidate.row["meta"] = provenance(rule, occasion, candidate.answers);
  PublicIds ids(organisation.env());
  const auto schema = get_schema(tx, project.id, project.schema_version);
  const Result<NewTask> task = row_to_task(*schema, candidate.row, ids);
  if (!task) {
    note_sampled(tx, rule, candidate, "unfit", std::nullopt, now_ms);
    return std::nullopt;
  }
  const InsertedTasks made =
      insert_tasks(tx, task_defaults(tx, project.id), {&*task, 1}, std::nullopt, "system", now_ms);
  const bool is_new = made.created == 1;
  note_sampled(tx, rule, candidate, is_new ? "task" : "duplicate",
               is_new ? std::optional(made.task_ids[0]) : std::nullopt, now_ms);
  if (!is_new) return std::nullopt;
  Json data = Json::object();
  data["rule"] = rule.public_id;
  data["completion"] = candidate.answers[0]->head.id;
  record_event(tx, now_ms, system_actor(),
               {.kind = "task.sampled",
                .object = task->public_id,
                .project_id = project.id,
                .from = "",
                .to = "open",
                .data = std::move(data)});
  return task->public_id;
}

}  // namespace

std::string_view sampling_source_name(SamplingSource source) {
  return kSources[static_cast<size_t>(source)];
}

SamplingSource sampling_source_from_name(std::string_view name) {
  const auto found = std::find(kSources.begin(), kSources.end(), name);
  if (found == kSources.end()) {
    throw FieldError("/source",
                     "the source is any, judged, thumbs_up, thumbs_down, compared, edited or "
                     "reported");
  }
  return static_cast<SamplingSource>(found - kSources.begin());
}

SamplingRule make_sampling_rule(Organisation& organisation, store::Transaction& tx,
                                const Actor& actor, const SamplingRuleChange& wanted) {
  require(actor, Permission::kFeedbackManage);
  if (tx.query_int64("SELECT count(*) FROM sampling_rule WHERE removed_at_ms IS NULL", {})
          .value_or(0) >= static_cast<int64_t>(kRulesMax)) {
    throw Error(ErrorCode::kConflict, "there are 100 rules already: change or remove one of them");
  }
  SamplingRule rule;
  rule.created_at_ms = organisation.env().now_ms();
  rule.public_id = make_public_id(organisation.env(), "rul");
  rule.created_by = actor.id;
  apply(tx, rule, wanted);
  tx.execute(
      "INSERT INTO sampling_rule (public_id, name, model, source, share, daily_cap, project_id,"
      " is_on, created_by, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
      {rule.public_id, rule.name, rule.model, sampling_source_name(rule.source), rule.share,
       rule.daily_cap, rule.project, rule.on, rule.created_by, rule.created_at_ms});
  note_rule(organisation, tx, actor, rule, "sampling_rule.made");
  return rule;
}

SamplingRule change_sampling_rule(Organisation& organisation, store::Transaction& tx,
                                  const Actor& actor, std::string_view id,
                                  const SamplingRuleChange& change) {
  require(actor, Permission::kFeedbackManage);
  SamplingRule rule = get_sampling_rule(tx, id, organisation.env().now_ms());
  apply(tx, rule, change);
  tx.execute(
      "UPDATE sampling_rule SET name = $2, model = $3, source = $4, share = $5, daily_cap = $6,"
      " project_id = $7, is_on = $8 WHERE id = $1",
      {rule.id, rule.name, rule.model, sampling_source_name(rule.source), rule.share,
       rule.daily_cap, rule.project, rule.on});
  note_rule(organisation, tx, actor, rule, "sampling_rule.changed");
  return rule;
}

void remove_sampling_rule(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                          std::string_view id) {
  require(actor, Permission::kFeedbackManage);
  const int64_t now_ms = organisation.env().now_ms();
  SamplingRule rule = get_sampling_rule(tx, id, now_ms);
  rule.on = false;
  tx.execute("UPDATE sampling_rule SET is_on = 0, removed_at_ms = $2 WHERE id = $1",
             {rule.id, now_ms});
  note_rule(organisation, tx, actor, rule, "sampling_rule.removed");
}

SamplingRule get_sampling_rule(store::Connection& db, std::string_view id, int64_t now_ms) {
  auto rule =
      db.query_one(std::string(kRuleColumns) + "WHERE r.public_id = $2 AND r.removed_at_ms IS NULL",
                   {day_of(now_ms), id}, read_rule);
  if (!rule) throw not_found("there is no such rule");
  return *std::move(rule);
}

std::vector<SamplingRule> list_sampling_rules(store::Connection& db, int64_t now_ms) {
  return db.query_all(
      std::string(kRuleColumns) + "WHERE r.removed_at_ms IS NULL ORDER BY r.id LIMIT $2",
      {day_of(now_ms), kRulesMax}, read_rule);
}

bool drawn(std::string_view rule_id, std::string_view completion, int64_t choice, double share) {
  const std::string digest =
      seal::sha256_bytes("sample\n" + std::string(rule_id) + "\n" + std::string(completion) + "\n" +
                         std::to_string(choice));
  // 53 bits: a double has them exactly.
  uint64_t bits = 0;
  for (size_t i = 0; i < 7; ++i) bits = bits << 8 | static_cast<unsigned char>(digest[i]);
  return std::ldexp(static_cast<double>(bits >> 3), -53) < share;
}

std::vector<SampledTask> sample(Organisation& organisation, store::Transaction& tx,
                                const Occasion& occasion) {
  std::vector<SampledTask> tasks;
  if (occasion.answers.empty()) return tasks;
  for (SamplingRule& rule : list_sampling_rules(tx, organisation.env().now_ms())) {
    if (!rule.on || !source_fits(rule.source, occasion.said)) continue;
    const Project project = get_project(tx, rule.project);
    if (project.ended()) continue;
    for (Candidate& candidate : candidates(project, occasion)) {
      const feedback::Answer& first = *candidate.answers[0];
      const bool fits =
          std::any_of(candidate.answers.begin(), candidate.answers.end(),
                      [&](const feedback::Answer* each) { return model_fits(rule, *each); });
      if (!fits || !drawn(rule.public_id, first.head.id, first.index, rule.share)) continue;
      if (rule.taken_today >= rule.daily_cap || taken_before(tx, rule, first)) continue;
      const auto task = take(organisation, tx, rule, project, occasion, candidate);
      if (!task) continue;
      ++rule.taken_today;
      tasks.push_back({rule.public_id, *task});
    }
  }
  return tasks;
}

}  // namespace hone::label
