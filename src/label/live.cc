#include "label/live.h"

#include <utility>

#include "base/utf8.h"
#include "label/events.h"
#include "label/organisation.h"
#include "label/projects.h"
#include "label/task_rows.h"

namespace hone::label {
namespace {

constexpr size_t kModelChars = 512;
constexpr size_t kSystemChars = size_t{16} << 10;

std::string text_at(const Json& json, std::string_view name, std::string otherwise) {
  const Json* member = json.find(name);
  return member == nullptr || member->is_null() ? std::move(otherwise) : member->as_string();
}

double number_at(const Json& json, std::string_view name, double otherwise) {
  const Json* member = json.find(name);
  return member == nullptr || member->is_null() ? otherwise : member->as_double();
}

LiveSide side_from(const Json& json, const std::string& path) {
  LiveSide side;
  side.model = text_at(json, "model", "");
  side.system = text_at(json, "system", "");
  side.temperature = number_at(json, "temperature", side.temperature);
  side.top_p = number_at(json, "top_p", side.top_p);
  const Json* tokens = json.find("max_tokens");
  if (tokens != nullptr && !tokens->is_null()) side.max_tokens = tokens->as_int();
  if (side.model.empty() || count_characters(side.model) > kModelChars) {
    throw FieldError(path + "/model", "name the model that answers, as /v1/models lists it");
  }
  if (count_characters(side.system) > kSystemChars) {
    throw FieldError(path + "/system", "a system prompt has at most 16,384 characters");
  }
  if (!(side.temperature >= 0 && side.temperature <= 2)) {
    throw FieldError(path + "/temperature", "the temperature is 0 to 2");
  }
  if (!(side.top_p > 0 && side.top_p <= 1)) {
    throw FieldError(path + "/top_p", "top_p is above 0 and at most 1");
  }
  if (side.max_tokens < 1 || side.max_tokens > kLiveTokensMax) {
    throw FieldError(path + "/max_tokens", "an answer has 1 to 4,096 tokens");
  }
  return side;
}

Json side_json(const LiveSide& side) {
  Json json = Json::object();
  json["model"] = side.model;
  json["temperature"] = side.temperature;
  json["top_p"] = side.top_p;
  json["max_tokens"] = side.max_tokens;
  json["system"] = side.system;
  return json;
}

// What decided an answer, without its texts.
Json decided_by(const feedback::Answer& answer) {
  Json json = Json::object();
  const Json all = answer.to_json();
  for (const auto& [name, value] : all.as_object()) {
    if (name != "messages" && name != "text") json[name] = value;
  }
  return json;
}

Json live_row(const LiveRound& round, std::string_view prompt,
              const std::array<feedback::Answer, 2>& in_import_order) {
  Json asked = Json::object();
  asked["role"] = "user";
  asked["content"] = prompt;
  Json row = Json::object();
  row["prompt"] = Json::array();
  row["prompt"].push_back(std::move(asked));
  Json responses = Json::array();
  Json answers = Json::array();
  for (size_t i = 0; i < 2; ++i) {
    Json response = Json::object();
    response["text"] = in_import_order[i].choice.text;
    response["model"] = round.settings.sides[i].model;
    responses.push_back(std::move(response));
    answers.push_back(decided_by(in_import_order[i]));
  }
  row["responses"] = std::move(responses);
  Json meta = Json::object();
  meta["live"] = true;
  meta["answers"] = std::move(answers);
  row["meta"] = std::move(meta);
  return row;
}

}  // namespace

Json LiveSettings::to_json() const {
  Json list = Json::array();
  for (const LiveSide& side : sides) list.push_back(side_json(side));
  Json json = Json::object();
  json["sides"] = std::move(list);
  return json;
}

LiveSettings LiveSettings::from_json(const Json& json) {
  const Json* list = json.find("sides");
  if (list == nullptr || !list->is_array() || list->size() != 2) {
    throw FieldError("/sides", "two sides are needed, each with its model");
  }
  LiveSettings settings;
  for (size_t i = 0; i < 2; ++i) {
    settings.sides[i] = side_from(list->as_array()[i], "/sides/" + std::to_string(i));
  }
  if (side_json(settings.sides[0]) == side_json(settings.sides[1]) &&
      settings.sides[0].temperature == 0) {
    throw FieldError("/sides",
                     "the two sides are the same model at temperature 0, so both answers would be "
                     "equal: change one of them");
  }
  return settings;
}

void set_live(Organisation& organisation, store::Transaction& tx, const Actor& actor,
              std::string_view project_id, const LiveSettings* settings) {
  require(actor, Permission::kProjectManage);
  const Project project = get_project(tx, project_id);
  if (settings != nullptr && project.task_type != "pairwise") {
    throw FieldError("/sides", "live answers are for pairwise projects; this one is of type " +
                                   project.task_type);
  }
  const int64_t now_ms = organisation.env().now_ms();
  const bool before = get_live(tx, project.id).has_value();
  if (settings == nullptr) {
    tx.execute("DELETE FROM live_setting WHERE project_id = $1", {project.id});
  } else {
    tx.execute(
        "INSERT INTO live_setting (project_id, body, changed_by, changed_at_ms)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT (project_id) DO UPDATE SET body = excluded.body,"
        " changed_by = excluded.changed_by, changed_at_ms = excluded.changed_at_ms",
        {project.id, settings->to_json().dump(), actor.id, now_ms});
  }
  record_event(tx, now_ms, actor,
               {.kind = "project.live_changed",
                .object = project.public_id,
                .project_id = project.id,
                .from = before ? "on" : "off",
                .to = settings != nullptr ? "on" : "off"});
}

std::optional<LiveSettings> get_live(store::Connection& db, int64_t project) {
  const auto body = db.query_text("SELECT body FROM live_setting WHERE project_id = $1", {project});
  if (!body) return std::nullopt;
  return LiveSettings::from_json(Json::parse(*body).value());
}

LiveRound begin_live_round(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                           std::string_view project_id) {
  const ProjectMarks& project = check_may_label(organisation, tx, actor, project_id);
  const auto settings = get_live(tx, project.project.id);
  if (!settings) {
    throw Error(ErrorCode::kConflict,
                "this project has no live answers; its lead switches them on in its settings");
  }
  const int64_t held =
      tx.query_int64(
            "SELECT count(*) FROM assignment WHERE member_id = $1 AND project_id = $2 AND state ="
            " 'leased' AND expires_at_ms > $3",
            {actor.member_id, project.project.id, organisation.env().now_ms()})
          .value_or(0);
  if (held >= static_cast<int64_t>(kLeasesMax)) {
    throw Error(ErrorCode::kConflict,
                "judge the answers that you have first; three wait for you already");
  }
  LiveRound round;
  round.project = project.project.id;
  round.project_id = project.project.public_id;
  round.settings = *settings;
  unsigned char bit = 0;
  organisation.env().random_bytes(&bit, 1);
  if ((bit & 1) != 0) round.order = {1, 0};
  return round;
}

Lease finish_live_round(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                        const LiveRound& round, std::string_view prompt,
                        const std::array<feedback::Answer, 2>& answers) {
  std::array<feedback::Answer, 2> in_import_order;
  for (size_t place = 0; place < 2; ++place) in_import_order[round.order[place]] = answers[place];
  const ProjectMarks& project = check_may_label(organisation, tx, actor, round.project_id);
  const auto schema = get_schema(tx, round.project, project.project.schema_version);
  PublicIds ids(organisation.env());
  const NewTask task = row_to_task(*schema, live_row(round, prompt, in_import_order), ids).value();
  const int64_t now_ms = organisation.env().now_ms();
  const InsertedTasks made = insert_tasks(tx, task_defaults(tx, round.project), {&task, 1},
                                          std::nullopt, actor.id, now_ms);
  if (made.created == 0) {
    throw Error(ErrorCode::kConflict,
                "these two answers to this very question are a task already: write something else");
  }
  record_event(tx, now_ms, actor,
               {.kind = "task.written_live",
                .object = task.public_id,
                .project_id = round.project,
                .from = "",
                .to = "open"});
  return lease_task(organisation, tx, actor, round.project_id, made.task_ids[0],
                    format_shown_order({round.order[0], round.order[1]}));
}

}  // namespace hone::label
