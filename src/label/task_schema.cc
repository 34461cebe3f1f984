#include "label/task_schema.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "base/utf8.h"

namespace hone::label {
namespace {

constexpr std::array<std::string_view, 7> kKindNames = {
    "comparison", "ranking", "rating", "choice", "flags", "checklist", "text"};

std::string at(const std::string& path, std::string_view key) {
  return path + "/" + std::string(key);
}

const Json& object_at(const Json& json, const std::string& path) {
  if (!json.is_object()) {
    throw FieldError(path, "expected an object, found a " + std::string(json.kind_name()));
  }
  return json;
}

void only_fields(const Json& json, const std::string& path,
                 std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : json.as_object()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string list;
    for (std::string_view name : known) list += (list.empty() ? "" : ", ") + std::string(name);
    throw FieldError(at(path, key), "there is no such field here; possible are " + list);
  }
}

bool boolean_at(const Json& json, const std::string& path, std::string_view key, bool otherwise) {
  const Json* value = json.find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_bool()) throw FieldError(at(path, key), "expected true or false");
  return value->as_bool();
}

int64_t integer_at(const Json& json, const std::string& path, std::string_view key,
                   int64_t otherwise, int64_t low, int64_t high) {
  const Json* value = json.find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_integer() || value->as_double() < static_cast<double>(low) ||
      value->as_double() > static_cast<double>(high)) {
    throw FieldError(at(path, key), "expected a whole number from " + std::to_string(low) + " to " +
                                        std::to_string(high));
  }
  return value->as_int();
}

std::string text_of(const Json& json, const std::string& path, size_t most_chars) {
  if (!json.is_string()) {
    throw FieldError(path, "expected a text, found a " + std::string(json.kind_name()));
  }
  const std::string& text = json.as_string();
  if (count_characters(text) > most_chars) {
    throw FieldError(path, "a text here has at most " + std::to_string(most_chars) + " characters");
  }
  if (text.find('\0') != std::string::npos) {
    throw FieldError(path, "a text may not hold a zero byte; leave it out");
  }
  return text;
}

std::string text_at(const Json& json, const std::string& path, std::string_view key,
                    std::string otherwise, size_t most_chars = kSchemaTitleChars) {
  const Json* value = json.find(key);
  return value == nullptr ? otherwise : text_of(*value, at(path, key), most_chars);
}

template <class T, size_t N>
T word_at(const Json& json, const std::string& path, std::string_view key, T otherwise,
          const std::array<std::pair<std::string_view, T>, N>& words) {
  const Json* value = json.find(key);
  if (value == nullptr) return otherwise;
  std::string list;
  for (const auto& [word, meaning] : words) {
    if (value->is_string() && value->as_string() == word) return meaning;
    list += (list.empty() ? "" : ", ") + std::string(word);
  }
  throw FieldError(at(path, key), "expected one of " + list);
}

constexpr std::array<std::pair<std::string_view, Subject>, 3> kSubjects = {
    {{"task", Subject::kTask}, {"response", Subject::kResponse}, {"turn", Subject::kTurn}}};
constexpr std::array<std::pair<std::string_view, Turns>, 3> kTurns = {
    {{"assistant", Turns::kAssistant}, {"user", Turns::kUser}, {"all", Turns::kAll}}};
constexpr std::array<std::pair<std::string_view, Rationale>, 3> kRationales = {
    {{"off", Rationale::kOff},
     {"optional", Rationale::kOptional},
     {"required", Rationale::kRequired}}};

template <class T, size_t N>
std::string word_of(T meaning, const std::array<std::pair<std::string_view, T>, N>& words) {
  for (const auto& [word, value] : words) {
    if (value == meaning) return std::string(word);
  }
  return {};
}

std::string name_at(const Json& json, const std::string& path) {
  const Json* value = json.find("name");
  const bool is_text = value != nullptr && value->is_string();
  const std::string name = is_text ? value->as_string() : std::string();
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  bool good = !name.empty() && name.size() <= 40 && is_lower(name[0]);
  for (char c : name) good = good && (is_lower(c) || (c >= '0' && c <= '9') || c == '_');
  if (!good) {
    throw FieldError(
        at(path, "name"),
        "a name is needed: a small letter, then small letters, digits or _, at most 40");
  }
  return name;
}

// Words that an answer's JSON uses itself.
void check_question_name(const std::string& name, const std::string& path) {
  if (name == "rationale" || name.ends_with("_strength")) {
    throw FieldError(at(path, "name"), "this name has a meaning of its own; choose another");
  }
}

std::vector<Option> parse_options(const Json& json, const std::string& path, std::string_view key,
                                  size_t fewest) {
  const std::string here = at(path, key);
  const Json* list = json.find(key);
  if (list == nullptr || !list->is_array() || list->size() < fewest || list->size() > kOptionsMax) {
    throw FieldError(here, "a list of " + std::to_string(fewest) + " to " +
                               std::to_string(kOptionsMax) + " entries {name, title} is needed");
  }
  std::vector<Option> options;
  for (size_t i = 0; i < list->size(); ++i) {
    const std::string place = at(here, std::to_string(i));
    const Json& entry = object_at(list->as_array()[i], place);
    only_fields(entry, place, {"name", "title", "key"});
    Option option{name_at(entry, place), {}, text_at(entry, place, "key", "", 20)};
    option.title = text_at(entry, place, "title", option.name);
    for (const Option& other : options) {
      if (other.name == option.name) {
        throw FieldError(at(place, "name"), "this name stands twice; each option has its own");
      }
    }
    options.push_back(std::move(option));
  }
  return options;
}

Strength parse_strength(const Json& json, const std::string& path) {
  object_at(json, path);
  only_fields(json, path, {"title", "labels", "required"});
  Strength strength;
  strength.title = text_at(json, path, "title", "By how much?");
  strength.required = boolean_at(json, path, "required", false);
  const Json* labels = json.find("labels");
  if (labels == nullptr || !labels->is_array() || labels->size() < 2 || labels->size() > 10) {
    throw FieldError(at(path, "labels"), "a list of 2 to 10 words is needed, weakest first");
  }
  for (size_t i = 0; i < labels->size(); ++i) {
    strength.labels.push_back(text_of(
        labels->as_array()[i], at(at(path, "labels"), std::to_string(i)), kSchemaTitleChars));
  }
  return strength;
}

void parse_rating(const Json& json, const std::string& path, Question& question) {
  question.min = integer_at(json, path, "min", 1, -1000, 1000);
  question.max = integer_at(json, path, "max", 5, -1000, 1000);
  if (question.max <= question.min || question.max - question.min > 9) {
    throw FieldError(at(path, "max"), "a rating has 2 to 10 steps: max is min + 1 to min + 9");
  }
  const Json* labels = json.find("labels");
  if (labels == nullptr) return;
  const std::string here = at(path, "labels");
  for (const auto& [key, word] : object_at(*labels, here).as_object()) {
    bool known = false;
    for (int64_t n = question.min; n <= question.max; ++n) {
      if (key != std::to_string(n)) continue;
      question.labels[n] = text_of(word, at(here, key), kSchemaTitleChars);
      known = true;
    }
    if (!known) throw FieldError(at(here, key), "this is no number of the rating");
  }
}

QuestionKind parse_kind(const Json& json, const std::string& path) {
  const Json* value = json.find("kind");
  const std::string word = value != nullptr && value->is_string() ? value->as_string() : "";
  if (word == "spans" || word == "steps") {
    throw FieldError(at(path, "kind"), "the kind \"" + word + "\" comes later");
  }
  for (size_t i = 0; i < kKindNames.size(); ++i) {
    if (word == kKindNames[i]) return static_cast<QuestionKind>(i);
  }
  std::string list;
  for (std::string_view name : kKindNames) list += (list.empty() ? "" : ", ") + std::string(name);
  throw FieldError(at(path, "kind"), "expected one of " + list);
}

void parse_kind_fields(const Json& json, const std::string& path, Question& question) {
  switch (question.kind) {
    case QuestionKind::kComparison:
      only_fields(json, path,
                  {"name", "kind", "title", "help", "required", "tie", "both_bad", "strength"});
      question.tie = boolean_at(json, path, "tie", true);
      question.both_bad = boolean_at(json, path, "both_bad", true);
      if (const Json* strength = json.find("strength");
          strength != nullptr && !strength->is_null()) {
        question.strength = parse_strength(*strength, at(path, "strength"));
      }
      return;
    case QuestionKind::kRanking:
      only_fields(json, path, {"name", "kind", "title", "help", "required", "ties"});
      question.ties = boolean_at(json, path, "ties", true);
      return;
    case QuestionKind::kRating:
      only_fields(
          json, path,
          {"name", "kind", "title", "help", "required", "of", "turns", "min", "max", "labels"});
      parse_rating(json, path, question);
      return;
    case QuestionKind::kChoice:
    case QuestionKind::kFlags:
      only_fields(json, path,
                  {"name", "kind", "title", "help", "required", "of", "turns", "options"});
      question.options =
          parse_options(json, path, "options", question.kind == QuestionKind::kChoice ? 2 : 1);
      return;
    case QuestionKind::kChecklist:
      only_fields(json, path,
                  {"name", "kind", "title", "help", "required", "of", "turns", "items"});
      question.options = parse_options(json, path, "items", 1);
      return;
    case QuestionKind::kText:
      only_fields(
          json, path,
          {"name", "kind", "title", "help", "required", "of", "turns", "max_chars", "prefill"});
      question.max_chars =
          static_cast<size_t>(integer_at(json, path, "max_chars", 20000, 1, 100000));
      question.prefill_response = word_at(
          json, path, "prefill", false,
          std::array<std::pair<std::string_view, bool>, 2>{{{"none", false}, {"response", true}}});
      return;
  }
}

Question parse_question(const Json& json, const std::string& path) {
  object_at(json, path);
  Question question;
  question.name = name_at(json, path);
  check_question_name(question.name, path);
  question.kind = parse_kind(json, path);
  question.title = text_at(json, path, "title", question.name);
  question.help = text_at(json, path, "help", "", 2000);
  question.required = boolean_at(json, path, "required", true);
  question.subject = word_at(json, path, "of", Subject::kTask, kSubjects);
  question.turns = word_at(json, path, "turns", Turns::kAssistant, kTurns);
  if (json.find("turns") != nullptr && question.subject != Subject::kTurn) {
    throw FieldError(at(path, "turns"), "turns have a meaning only beside \"of\": \"turn\"");
  }
  parse_kind_fields(json, path, question);
  return question;
}

// A kind that cannot be answered on the rows of this type is refused now, not by each answer later.
void check_kind_fits(const TaskSchema& schema, const Question& question, const std::string& path) {
  const bool is_conversation = schema.task_type == "conversation";
  if (question.kind == QuestionKind::kComparison && schema.task_type != "pairwise") {
    throw FieldError(at(path, "kind"), "a comparison needs two responses: the task type pairwise");
  }
  if (question.kind == QuestionKind::kRanking &&
      (schema.task_type != "ranking" && schema.task_type != "pairwise")) {
    throw FieldError(at(path, "kind"), "a ranking needs responses: the task type ranking");
  }
  if (question.subject == Subject::kTurn && !is_conversation) {
    throw FieldError(at(path, "of"), "turns are there in the task type conversation only");
  }
  if (question.subject == Subject::kResponse && is_conversation) {
    throw FieldError(at(path, "of"), "a conversation has turns, no responses");
  }
}

Json options_json(const std::vector<Option>& options, bool with_key) {
  Json list = Json::array();
  for (const Option& option : options) {
    Json entry = Json::object();
    entry["name"] = option.name;
    entry["title"] = option.title;
    if (with_key && !option.key.empty()) entry["key"] = option.key;
    list.push_back(std::move(entry));
  }
  return list;
}

void subject_json(const Question& question, Json& json) {
  json["of"] = word_of(question.subject, kSubjects);
  if (question.subject == Subject::kTurn) json["turns"] = word_of(question.turns, kTurns);
}

Json question_json(const Question& question) {
  Json json = Json::object();
  json["name"] = question.name;
  json["kind"] = question_kind_name(question.kind);
  json["title"] = question.title;
  if (!question.help.empty()) json["help"] = question.help;
  json["required"] = question.required;
  switch (question.kind) {
    case QuestionKind::kComparison:
      json["tie"] = question.tie;
      json["both_bad"] = question.both_bad;
      if (question.strength) {
        Json& strength = json["strength"];
        strength["title"] = question.strength->title;
        Json labels = Json::array();
        for (const std::string& label : question.strength->labels) labels.push_back(label);
        strength["labels"] = std::move(labels);
        strength["required"] = question.strength->required;
      }
      break;
    case QuestionKind::kRanking: json["ties"] = question.ties; break;
    case QuestionKind::kRating: {
      subject_json(question, json);
      json["min"] = question.min;
      json["max"] = question.max;
      Json labels = Json::object();
      for (const auto& [number, word] : question.labels) labels[std::to_string(number)] = word;
      if (!question.labels.empty()) json["labels"] = std::move(labels);
      break;
    }
    case QuestionKind::kChoice:
    case QuestionKind::kFlags:
      subject_json(question, json);
      json["options"] = options_json(question.options, true);
      break;
    case QuestionKind::kChecklist:
      subject_json(question, json);
      json["items"] = options_json(question.options, true);
      break;
    case QuestionKind::kText:
      subject_json(question, json);
      json["max_chars"] = question.max_chars;
      json["prefill"] = question.prefill_response ? "response" : "none";
      break;
  }
  return json;
}

std::string_view built_in_questions(std::string_view task_type) {
  if (task_type == "pairwise") {
    return R"([{"name":"winner","kind":"comparison","title":"Which answer is better?"}])";
  }
  if (task_type == "ranking") {
    return R"([{"name":"order","kind":"ranking","title":"Put the answers in order, best first"}])";
  }
  if (task_type == "rating") {
    return R"([
      {"name":"helpfulness","kind":"rating","title":"How helpful is it?","of":"response",
       "labels":{"1":"not at all","5":"very"}},
      {"name":"accuracy","kind":"rating","title":"How correct is it?","of":"response",
       "labels":{"1":"wrong","5":"correct"}},
      {"name":"clarity","kind":"rating","title":"How clear is it?","of":"response",
       "labels":{"1":"confusing","5":"clear"}}])";
  }
  if (task_type == "text") {
    return R"([{"name":"correction","kind":"text","title":"Write the best answer",
      "max_chars":20000,"prefill":"response"}])";
  }
  if (task_type == "safety") {
    return R"([{"name":"flags","kind":"flags","title":"What is wrong with it?","of":"response",
      "options":[
        {"name":"violence","title":"Violence or threats"},
        {"name":"hate","title":"Hate or harassment"},
        {"name":"sexual","title":"Sexual content"},
        {"name":"self_harm","title":"Self-harm"},
        {"name":"illegal","title":"Helps with a crime"},
        {"name":"private_data","title":"Private data of a person"},
        {"name":"dangerous_advice","title":"Dangerous advice"}]}])";
  }
  if (task_type == "rubric") {
    return R"([{"name":"checklist","kind":"checklist","title":"What does it do?","of":"response",
      "items":[
        {"name":"answers_question","title":"It answers the question"},
        {"name":"is_correct","title":"Everything in it is correct"},
        {"name":"is_complete","title":"Nothing important is missing"},
        {"name":"follows_format","title":"It keeps to the form that was asked for"}]}])";
  }
  return R"([
    {"name":"turn_quality","kind":"choice","title":"How is this turn?","of":"turn",
     "turns":"assistant","options":[{"name":"good","title":"Good"},{"name":"bad","title":"Bad"},
     {"name":"unsure","title":"Unsure"}]},
    {"name":"overall","kind":"rating","title":"How good is the conversation?",
     "labels":{"1":"bad","5":"very good"}}])";
}

}  // namespace

std::string_view question_kind_name(QuestionKind kind) {
  return kKindNames[static_cast<size_t>(kind)];
}

const std::vector<std::string>& task_types() {
  static const std::vector<std::string> kTypes = {"pairwise", "ranking", "rating",      "text",
                                                  "safety",   "rubric",  "conversation"};
  return kTypes;
}

void check_task_type(std::string_view task_type) {
  const auto& types = task_types();
  if (std::find(types.begin(), types.end(), task_type) != types.end()) return;
  if (task_type == "spans" || task_type == "steps") {
    throw FieldError("/task_type", "the task type \"" + std::string(task_type) + "\" comes later");
  }
  std::string list;
  for (const std::string& type : types) list += (list.empty() ? "" : ", ") + type;
  throw FieldError("/task_type", "expected one of " + list);
}

TaskSchema parse_task_schema(const Json& json) {
  object_at(json, "");
  only_fields(json, "", {"version", "task_type", "questions", "rationale", "skip_reasons"});
  if (integer_at(json, "", "version", 1, 1, 1000000) != 1) {
    throw FieldError("/version", "this program knows version 1 of the schema language");
  }
  TaskSchema schema;
  schema.task_type = text_at(json, "", "task_type", "", 40);
  check_task_type(schema.task_type);
  const Json* questions = json.find("questions");
  if (questions == nullptr || !questions->is_array() || questions->size() == 0 ||
      questions->size() > kQuestionsMax) {
    throw FieldError("/questions",
                     "a list of 1 to " + std::to_string(kQuestionsMax) + " questions is needed");
  }
  for (size_t i = 0; i < questions->size(); ++i) {
    const std::string path = "/questions/" + std::to_string(i);
    Question question = parse_question(questions->as_array()[i], path);
    check_kind_fits(schema, question, path);
    for (const Question& other : schema.questions) {
      if (other.name == question.name) {
        throw FieldError(at(path, "name"), "this name stands twice; each question has its own");
      }
    }
    schema.questions.push_back(std::move(question));
  }
  if (!schema.main().required) {
    throw FieldError("/questions/0/required", "the first question is the main one: it is required");
  }
  schema.rationale = word_at(json, "", "rationale", Rationale::kOptional, kRationales);
  if (const Json* reasons = json.find("skip_reasons"); reasons != nullptr) {
    if (!reasons->is_array() || reasons->size() > 20) {
      throw FieldError("/skip_reasons", "expected a list of at most 20 texts");
    }
    for (size_t i = 0; i < reasons->size(); ++i) {
      schema.skip_reasons.push_back(
          text_of(reasons->as_array()[i], "/skip_reasons/" + std::to_string(i), kSchemaTitleChars));
    }
  } else {
    schema.skip_reasons = {"I do not know the subject", "Broken or unreadable", "Other"};
  }
  return schema;
}

Json TaskSchema::normalised() const {
  Json json = Json::object();
  json["version"] = 1;
  json["task_type"] = task_type;
  Json list = Json::array();
  for (const Question& question : questions) list.push_back(question_json(question));
  json["questions"] = std::move(list);
  json["rationale"] = word_of(rationale, kRationales);
  Json reasons = Json::array();
  for (const std::string& reason : skip_reasons) reasons.push_back(reason);
  json["skip_reasons"] = std::move(reasons);
  return json;
}

TaskSchema built_in_schema(std::string_view task_type) {
  check_task_type(task_type);
  Json json = Json::object();
  json["version"] = 1;
  json["task_type"] = task_type;
  json["questions"] = Json::parse(built_in_questions(task_type)).value();
  return parse_task_schema(json);
}

std::vector<std::string> main_classes(const TaskSchema& schema) {
  const Question& question = schema.main();
  switch (question.kind) {
    case QuestionKind::kComparison: {
      std::vector<std::string> classes = {"first", "second"};
      if (question.tie) classes.push_back("tie");
      if (question.both_bad) classes.push_back("both_bad");
      return classes;
    }
    case QuestionKind::kRanking:
      return question.ties ? std::vector<std::string>{"first", "second", "tie"}
                           : std::vector<std::string>{"first", "second"};
    case QuestionKind::kRating: {
      std::vector<std::string> classes;
      for (int64_t n = question.min; n <= question.max; ++n) classes.push_back(std::to_string(n));
      return classes;
    }
    case QuestionKind::kChoice: {
      std::vector<std::string> classes;
      for (const Option& option : question.options) classes.push_back(option.name);
      return classes;
    }
    case QuestionKind::kFlags:
    case QuestionKind::kChecklist: return {"yes", "no"};
    case QuestionKind::kText: return {};
  }
  return {};
}

}  // namespace hone::label
