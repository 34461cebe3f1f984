// What people say of served answers (docs/api.md, "Feedback").
#include "api/handlers.h"
#include "api/project_view.h"
#include "label/erasure.h"
#include "label/feedback.h"
#include "label/sampling_rules.h"
#include "label/times.h"

namespace hone::api {
namespace {

using label::FeedbackKind;
using store::Connection;
using store::Durability;
using store::Transaction;

constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kDaysShown = 30;

struct AnswerName {
  std::string completion;
  int64_t choice = 0;
};

// Which answers the body is about, left and right of a comparison.
std::vector<AnswerName> named_answers(const Call& call, FeedbackKind kind) {
  std::vector<AnswerName> names;
  if (kind == FeedbackKind::kComparison) {
    for (const Json& each : call.body.at("completions").as_array()) {
      names.push_back({each.as_string(), 0});
    }
    if (call.has("choices")) {
      const Json::Array& choices = call.body.at("choices").as_array();
      for (size_t i = 0; i < names.size(); ++i) names[i].choice = choices[i].as_int();
    }
    return names;
  }
  names.push_back({call.text("completion"), call.maybe_int("choice").value_or(0)});
  return names;
}

std::string verdict_of(const Call& call, FeedbackKind kind) {
  switch (kind) {
    case FeedbackKind::kComparison: return call.text("winner");
    case FeedbackKind::kThumbs: return call.body.at("value").as_int() > 0 ? "up" : "down";
    case FeedbackKind::kEdit: return "edited";
    case FeedbackKind::kReport: return "reported";
  }
  return {};
}

[[noreturn]] void refuse_unknown(Call& call, const std::string& completion) {
  feedback::KeptCompletions& kept = call.platform.kept();
  if (kept.was_here(call.who().organisation_id, completion)) {
    throw ApiError(ErrorCode::kNotFound,
                   "this answer is gone: answers are kept for " +
                       std::to_string(kept.options().keep_ms / 3'600'000) +
                       " hours, the oldest go first when there are many; ask again and judge the "
                       "new one (hone serve --keep-completions keeps them longer)",
                   "completion")
        .with_status(410);
  }
  throw ApiError(ErrorCode::kNotFound,
                 "there is no answer of this id here: it was never given, is another "
                 "organisation's, or the server was started anew since (answers of requests with "
                 "\"store\": true outlive that)",
                 "completion");
}

feedback::Answer kept_answer(Call& call, const AnswerName& name) {
  feedback::KeptCompletions& kept = call.platform.kept();
  const std::string& organisation = call.who().organisation_id;
  if (const feedback::KeptPointer found = kept.find(organisation, name.completion)) {
    if (name.choice < 0 || static_cast<size_t>(name.choice) >= found->choices.size()) {
      throw bad_field("choice", "this completion has " + std::to_string(found->choices.size()) +
                                    (found->choices.size() == 1 ? " choice" : " choices") +
                                    ", counted from 0");
    }
    return found->answer(static_cast<size_t>(name.choice));
  }
  const int64_t not_before_ms = call.now_ms() - kept.options().keep_ms;
  auto stored = call.organisation().read([&](Connection& db) {
    return label::stored_answer(db, name.completion, name.choice, not_before_ms);
  });
  if (!stored) refuse_unknown(call, name.completion);
  return std::move(*stored);
}

// Sent back by the client, under the server's MAC.
feedback::Answer signed_answer(Call& call, const Json& sent, const AnswerName& name) {
  feedback::Answer answer;
  const auto text = [&](std::string_view field) {
    const Json* member = sent.find(field);
    return member == nullptr || member->is_null() ? std::string() : member->as_string();
  };
  answer.head.id = text("completion");
  answer.head.organisation = call.who().organisation_id;
  answer.head.asked = answer.head.model = text("model");
  answer.head.fingerprint = text("system_fingerprint");
  answer.head.settings = sent.at("settings");
  if (const Json* messages = sent.find("messages")) answer.head.messages = *messages;
  answer.head.created_at_ms = call.now_ms();
  if (const Json* choice = sent.find("choice")) answer.index = choice->as_int();
  answer.choice.prompt = text("prompt");
  answer.choice.text = text("text");
  const bool is_named = answer.head.id == name.completion && answer.index == name.choice;
  if (!is_named || !call.platform.kept().check(answer, text("feedback_mac"))) {
    throw bad_field("answers",
                    "an answer that is sent back must be as it came: completion, choice, model, "
                    "system_fingerprint, settings, messages (texts, with the role system) or "
                    "prompt, text, and the feedback_mac beside it");
  }
  return answer;
}

std::vector<feedback::Answer> find_answers(Call& call, FeedbackKind kind) {
  const std::vector<AnswerName> names = named_answers(call, kind);
  std::vector<feedback::Answer> answers;
  if (!call.platform.kept().enabled()) {
    if (!call.has("answers") || call.body.at("answers").size() != names.size()) {
      throw bad_field("answers",
                      "this server keeps no answers: send each back in answers, with the "
                      "feedback_mac that came with it");
    }
    for (size_t i = 0; i < names.size(); ++i) {
      answers.push_back(signed_answer(call, call.body.at("answers").as_array()[i], names[i]));
    }
    return answers;
  }
  for (const AnswerName& name : names) answers.push_back(kept_answer(call, name));
  return answers;
}

Json feedback_json(const Call& call, const label::Feedback& said) {
  const bool is_pair = said.kind == FeedbackKind::kComparison;
  Json body = Json::object();
  body["id"] = said.public_id;
  body["kind"] = label::feedback_kind_name(said.kind);
  body["verdict"] = said.verdict;
  body["reason"] = said.reason;
  body["completion"] = said.completion;
  body["choice"] = said.choice;
  body["other"] = is_pair ? Json(said.other) : Json();
  body["other_choice"] = is_pair ? Json(said.other_choice) : Json();
  const bool by_name = call.can(label::Permission::kPeopleView);
  body["person"]["id"] = by_name ? said.person_id : said.pseudonym;
  body["person"]["name"] = by_name ? said.name : said.pseudonym;
  body["consent"] = said.consent;
  body["comment"] = said.comment;
  body["text"] = said.edited;
  body["excerpt"] = said.excerpt;
  body["models"] = texts_json(said.models);
  body["created_at"] = time_text(said.created_at_ms);
  return body;
}

}  // namespace

http::Response give_feedback(Call& call) {
  const label::Actor actor = call.actor();
  label::NewFeedback said;
  said.kind = label::feedback_kind_from_name(call.text("kind"));
  said.verdict = verdict_of(call, said.kind);
  said.reason = call.text("reason");
  said.comment = call.text("comment");
  said.edited = call.text("text");
  said.consent = call.body.at("consent").as_bool();
  said.answers = find_answers(call, said.kind);
  label::Organisation& organisation = call.organisation();
  std::vector<std::string> orphans;
  http::Response response = write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    label::GivenFeedback given = label::give_feedback(organisation, tx, actor, said);
    orphans = std::move(given.orphans);
    Json tasks = Json::array();
    if (said.consent) {
      const label::Occasion occasion{said.answers, &said, given.public_id};
      for (const label::SampledTask& each : label::sample(organisation, tx, occasion)) {
        tasks.push_back(call.can(label::Permission::kFeedbackView) ? Json(each.task_id) : Json());
      }
    }
    if (!call.can(label::Permission::kFeedbackView)) tasks = Json::array();
    Json body = Json::object();
    body["id"] = given.public_id;
    body["consent"] = said.consent;
    body["repeated"] = given.repeated;
    body["tasks"] = std::move(tasks);
    return {.status = 201, .body = std::move(body)};
  });
  for (const std::string& task : orphans) label::erase_task(organisation, actor, task);
  return response;
}

namespace {

// The moment at which a day begins.
std::optional<int64_t> day_of_query(const Call& call, std::string_view name) {
  return label::parse_day(call.query(name));
}

}  // namespace

http::Response list_feedback(Call& call) {
  const PageRequest page = read_page(call.request.query);
  label::FeedbackFilter filter;
  filter.kind = call.query("kind");
  filter.verdict = call.query("verdict");
  filter.completion = call.query("completion");
  filter.model = call.query("model");
  if (!call.query("consent").empty()) filter.consent = call.query_bool("consent");
  filter.from_ms = day_of_query(call, "from");
  if (const auto last = day_of_query(call, "to")) filter.before_ms = *last + kDayMs;
  if (!page.after.empty()) filter.before_id = page.after[0];
  filter.limit = static_cast<size_t>(page.limit) + 1;
  const auto rows =
      call.organisation().read([&](Connection& db) { return label::list_feedback(db, filter); });
  Json::Array items;
  std::optional<std::string> next;
  for (const label::Feedback& each : rows) {
    if (items.size() == static_cast<size_t>(page.limit)) {
      next = write_cursor({rows[items.size() - 1].id});
      break;
    }
    items.push_back(feedback_json(call, each));
  }
  return json_response(200, page_body(std::move(items), next));
}

http::Response count_feedback(Call& call) {
  const PageRequest page = read_page(call.request.query);
  const int64_t now_ms = call.now_ms();
  const int64_t days = call.query_int("days").value_or(kDaysShown);
  const int64_t from_ms = now_ms - now_ms % kDayMs - (days - 1) * kDayMs;
  const auto rows =
      call.organisation().read([&](Connection& db) { return label::feedback_by_day(db, from_ms); });
  Json::Array items;
  for (const label::FeedbackDay& each : rows) {
    Json item = Json::object();
    item["day"] = time_text(each.day_ms).substr(0, 10);
    item["model"] = each.model;
    item["up"] = each.up;
    item["down"] = each.down;
    item["won"] = each.won;
    item["lost"] = each.lost;
    item["undecided"] = each.undecided;
    item["edited"] = each.edited;
    item["reported"] = each.reported;
    items.push_back(std::move(item));
  }
  return json_response(200, page_of(items, page));
}

http::Response read_feedback(Call& call) {
  return call.organisation().read([&](Connection& db) {
    const label::Feedback said = label::get_feedback(db, call.id("feedback_id"));
    Json body = Json::object();
    body["feedback"] = feedback_json(call, said);
    Json answers = Json::array();
    for (const feedback::Answer& each : label::feedback_answers(db, said.id)) {
      answers.push_back(each.to_json());
    }
    body["answers"] = std::move(answers);
    return json_response(200, body);
  });
}

http::Response withdraw_feedback(Call& call) {
  const label::Actor actor = call.actor();
  label::Organisation& organisation = call.organisation();
  return once_over_both(call, [&]() -> Answer {
    const auto tasks = organisation.write(Durability::kDisk, [&](Transaction& tx) {
      return label::withdraw_feedback(organisation, tx, actor, call.id("feedback_id"));
    });
    for (const std::string& task : tasks) label::erase_task(organisation, actor, task);
    return {.status = 204};
  });
}

http::Response export_feedback(Call& call) {
  const label::FeedbackFormat format =
      label::feedback_format_from_name(call.query("format", "preferences"));
  label::Organisation& organisation = call.organisation();
  http::Response response = http::Response::streamed(
      "application/jsonl", [&organisation, format](http::StreamWriter& writer) {
        label::export_feedback(organisation, format, [&](std::string_view line) {
          if (!writer.write(line)) throw Error(ErrorCode::kUnavailable, "the client left");
        });
      });
  response.headers.set("Content-Disposition", "attachment; filename=\"feedback-" +
                                                  std::string(call.query("format", "preferences")) +
                                                  ".jsonl\"");
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

}  // namespace hone::api
