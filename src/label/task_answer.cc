#include "label/task_answer.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>

#include "base/check.h"
#include "base/utf8.h"

namespace hone::label {
namespace {

// Who is answering: a person before an order of responses, or a file in import order.
struct Reader {
  const TaskSchema& schema;
  const TaskParts& parts;
  const ShownOrder& shown;
  bool import_order;
};

std::string place(const Question& question, std::string_view rest = {}) {
  std::string path = "/answer/" + question.name;
  if (!rest.empty()) path += "/" + std::string(rest);
  return path;
}

std::string quoted(const Question& question) { return "\"" + question.title + "\""; }

[[noreturn]] void missing(const Question& question) {
  throw FieldError(place(question), "the question " + quoted(question) +
                                        " has no answer; answer it (" + question.name +
                                        ") or skip the task");
}

[[noreturn]] void wrong(const Question& question, std::string_view rest, const std::string& what) {
  throw FieldError(place(question, rest), "the question " + quoted(question) + " wants " + what);
}

// Import index of what an answer names; nothing when it names no response of this task.
std::optional<size_t> response_named(const Reader& reader, std::string_view name) {
  for (size_t i = 0; i < reader.parts.response_ids.size(); ++i) {
    if (reader.parts.response_ids[i] == name) return i;
  }
  if (!reader.import_order) return std::nullopt;
  size_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() ||
      number >= reader.parts.response_ids.size()) {
    return std::nullopt;
  }
  return number;
}

std::optional<size_t> response_index(const Reader& reader, const Json& json) {
  if (json.is_string()) return response_named(reader, json.as_string());
  if (reader.import_order && json.is_integer()) {
    const double number = json.as_double();
    if (number >= 0 && number < static_cast<double>(reader.parts.response_ids.size())) {
      return static_cast<size_t>(json.as_int());
    }
  }
  return std::nullopt;
}

struct Piece {
  Json answer;
  std::vector<std::string> choice;  // parts
};

Piece read_comparison(const Reader& reader, const Question& question, const Json& json) {
  const auto& ids = reader.parts.response_ids;
  if (ids.size() != 2) {
    throw FieldError(place(question), "this task has no two responses to compare; skip it");
  }
  std::string words = "a response_id, left or right";
  if (question.tie) words += ", tie";
  if (question.both_bad) words += ", both_bad";
  if (json.is_string()) {
    const std::string& word = json.as_string();
    if ((word == "tie" && question.tie) || (word == "both_bad" && question.both_bad)) {
      return {Json(word), {word}};
    }
  }
  std::optional<size_t> index = response_index(reader, json);
  if (!index && json.is_string()) {
    const std::string& word = json.as_string();
    if (word == "left") index = reader.import_order ? 0 : reader.shown[0];
    if (word == "right") index = reader.import_order ? 1 : reader.shown[1];
    // A gold answer may also be written as it is exported.
    if (reader.import_order && word == "first") index = 0;
    if (reader.import_order && word == "second") index = 1;
  }
  if (!index) wrong(question, {}, words);
  return {Json(ids[*index]), {*index == 0 ? "first" : "second"}};
}

Piece read_ranking(const Reader& reader, const Question& question, const Json& json) {
  const auto& ids = reader.parts.response_ids;
  const std::string form = "every response once, in groups, best first: [[response_id], …]";
  if (!json.is_array() || json.size() > ids.size()) wrong(question, {}, form);
  std::vector<size_t> rank(ids.size(), ids.size());
  size_t named = 0;
  Json groups = Json::array();
  for (size_t g = 0; g < json.size(); ++g) {
    const Json& entry = json.as_array()[g];
    const Json::Array alone = {entry};
    const Json::Array& members = entry.is_array() ? entry.as_array() : alone;
    if (members.empty() || members.size() > ids.size()) wrong(question, {}, form);
    if (members.size() > 1 && !question.ties) wrong(question, {}, "no ties: one response a place");
    std::vector<size_t> indices;
    for (const Json& member : members) {
      const auto index = response_index(reader, member);
      if (!index || rank[*index] != ids.size()) wrong(question, {}, form);
      rank[*index] = g;
      indices.push_back(*index);
      ++named;
    }
    std::sort(indices.begin(), indices.end());  // within a tie no order is meant
    Json group = Json::array();
    for (size_t index : indices) group.push_back(ids[index]);
    groups.push_back(std::move(group));
  }
  if (named != ids.size() || ids.size() < 2) wrong(question, {}, form);
  Piece piece{std::move(groups), {}};
  for (size_t i = 0; i < ids.size(); ++i) {
    for (size_t j = i + 1; j < ids.size(); ++j) {
      piece.choice.push_back(rank[i] == rank[j] ? "tie" : rank[i] < rank[j] ? "first" : "second");
    }
  }
  return piece;
}

Piece read_rating(const Question& question, std::string_view rest, const Json& json) {
  const double number = json.is_number() ? json.as_double() : 0.0;
  if (!json.is_number() || number < static_cast<double>(question.min) ||
      number > static_cast<double>(question.max) ||
      number != static_cast<double>(static_cast<int64_t>(number))) {
    wrong(question, rest,
          "a whole number from " + std::to_string(question.min) + " to " +
              std::to_string(question.max));
  }
  const auto value = static_cast<int64_t>(number);
  return {Json(value), {std::to_string(value)}};
}

Piece read_choice(const Question& question, std::string_view rest, const Json& json) {
  std::string names;
  for (const Option& option : question.options) {
    if (json.is_string() && json.as_string() == option.name) return {json, {option.name}};
    names += (names.empty() ? "" : ", ") + option.name;
  }
  wrong(question, rest, "one of " + names);
}

Piece read_flags(const Question& question, std::string_view rest, const Json& json) {
  std::string names;
  for (const Option& option : question.options) {
    names += (names.empty() ? "" : ", ") + option.name;
  }
  const std::string form = "a list of some of " + names + ", or [] when nothing applies";
  if (!json.is_array() || json.size() > question.options.size()) wrong(question, rest, form);
  std::vector<bool> set(question.options.size(), false);
  for (const Json& entry : json.as_array()) {
    const auto found =
        std::find_if(question.options.begin(), question.options.end(), [&](const Option& option) {
          return entry.is_string() && entry.as_string() == option.name;
        });
    if (found == question.options.end()) wrong(question, rest, form);
    set[static_cast<size_t>(found - question.options.begin())] = true;
  }
  Piece piece{Json::array(), {}};
  for (size_t i = 0; i < set.size(); ++i) {
    if (set[i]) piece.answer.push_back(question.options[i].name);
    piece.choice.push_back(set[i] ? "yes" : "no");
  }
  return piece;
}

Piece read_checklist(const Question& question, std::string_view rest, const Json& json) {
  if (!json.is_object()) wrong(question, rest, "{item: true or false} for every item");
  Piece piece{Json::object(), {}};
  for (const Option& option : question.options) {
    const Json* value = json.find(option.name);
    if (value == nullptr || !value->is_bool()) {
      wrong(
          question, rest,
          "true or false for every item; \"" + option.title + "\" (" + option.name + ") has none");
    }
    piece.answer[option.name] = *value;
    piece.choice.push_back(value->as_bool() ? "yes" : "no");
  }
  if (json.size() != question.options.size()) wrong(question, rest, "its own items only");
  return piece;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kWhite = " \t\r\n\f\v";
  const size_t first = text.find_first_not_of(kWhite);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhite) - first + 1);
}

void check_text(const std::string& field, std::string_view text, size_t most_chars) {
  const size_t chars = count_characters(text);
  if (chars > most_chars) {
    throw FieldError(field, "the text has " + std::to_string(chars) + " characters; at most " +
                                std::to_string(most_chars) + " are kept, shorten it");
  }
  if (find_invalid_utf8(text)) throw FieldError(field, "the text is not valid UTF-8");
  if (text.find('\0') != std::string_view::npos) {
    throw FieldError(field, "a text may not hold a zero byte; leave it out");
  }
}

Piece read_text(const Question& question, std::string_view rest, const Json& json) {
  if (!json.is_string()) wrong(question, rest, "a text");
  check_text(place(question, rest), json.as_string(), question.max_chars);
  if (question.required && trimmed(json.as_string()).empty()) {
    wrong(question, rest, "some words; it is blank");
  }
  return {json, {}};
}

Piece read_one(const Reader& reader, const Question& question, std::string_view rest,
               const Json& json) {
  switch (question.kind) {
    case QuestionKind::kComparison: return read_comparison(reader, question, json);
    case QuestionKind::kRanking: return read_ranking(reader, question, json);
    case QuestionKind::kRating: return read_rating(question, rest, json);
    case QuestionKind::kChoice: return read_choice(question, rest, json);
    case QuestionKind::kFlags: return read_flags(question, rest, json);
    case QuestionKind::kChecklist: return read_checklist(question, rest, json);
    case QuestionKind::kText: return read_text(question, rest, json);
  }
  HONE_CHECK(false);
}

// The keys under which a question about responses or turns is answered, in import order.
std::vector<std::string> subjects_of(const Reader& reader, const Question& question) {
  std::vector<std::string> keys;
  if (question.subject == Subject::kResponse) return reader.parts.response_ids;
  for (size_t i = 0; i < reader.parts.roles.size(); ++i) {
    const std::string& role = reader.parts.roles[i];
    if (question.turns == Turns::kAll || (question.turns == Turns::kUser && role == "user") ||
        (question.turns == Turns::kAssistant && role == "assistant")) {
      keys.push_back(std::to_string(i));
    }
  }
  return keys;
}

Piece read_by_subject(const Reader& reader, const Question& question, const Json& json) {
  const std::vector<std::string> keys = subjects_of(reader, question);
  const bool of_turn = question.subject == Subject::kTurn;
  if (!json.is_object()) {
    wrong(question, {},
          of_turn ? "an answer for each turn: {\"1\": …}"
                  : "an answer for each response: {response_id: …}");
  }
  std::vector<const Json*> found(keys.size(), nullptr);
  for (const auto& [key, value] : json.as_object()) {
    std::optional<size_t> index;
    if (of_turn) {
      const auto at = std::find(keys.begin(), keys.end(), key);
      if (at != keys.end()) index = static_cast<size_t>(at - keys.begin());
    } else {
      index = response_named(reader, key);
    }
    if (!index || found[*index] != nullptr) {
      wrong(question, key,
            of_turn ? "turns that it asks about; this is none"
                    : "responses of this task; this is none");
    }
    found[*index] = &value;
  }
  Piece piece{Json::object(), {}};
  for (size_t i = 0; i < keys.size(); ++i) {
    if (found[i] == nullptr || found[i]->is_null()) {
      if (!question.required) continue;
      wrong(question, keys[i],
            of_turn ? "an answer for every turn; turn " + keys[i] + " has none"
                    : "an answer for every response; one has none");
    }
    Piece one = read_one(reader, question, keys[i], *found[i]);
    piece.answer[keys[i]] = std::move(one.answer);
    piece.choice.insert(piece.choice.end(), one.choice.begin(), one.choice.end());
  }
  return piece;
}

std::optional<int64_t> read_strength(const Question& question, const Json* json, bool decided) {
  const Strength& strength = *question.strength;
  const std::string field = "/answer/" + question.name + "_strength";
  if (json == nullptr || json->is_null()) {
    if (strength.required && decided) {
      throw FieldError(field, "the question \"" + strength.title + "\" has no answer");
    }
    return std::nullopt;
  }
  const auto steps = static_cast<int64_t>(strength.labels.size());
  if (!json->is_integer() || json->as_double() < 1 ||
      json->as_double() > static_cast<double>(steps)) {
    throw FieldError(field, "the question \"" + strength.title +
                                "\" wants a whole number from 1 to " + std::to_string(steps));
  }
  // A tie has no strength; what was pressed before the tie is no contradiction.
  if (!decided) return std::nullopt;
  return json->as_int();
}

void refuse_unknown(const TaskSchema& schema, const Json& answer) {
  for (const auto& [key, value] : answer.as_object()) {
    bool known = false;
    for (const Question& question : schema.questions) {
      known = known || key == question.name ||
              (question.strength && key == question.name + "_strength");
    }
    if (known) continue;
    std::string names;
    for (const Question& question : schema.questions) {
      names += (names.empty() ? "" : ", ") + question.name;
    }
    throw FieldError("/answer/" + key, "there is no such question; the questions are " + names);
  }
}

std::string join(const std::vector<std::string>& parts) {
  std::string joined;
  for (size_t i = 0; i < parts.size(); ++i) joined += (i == 0 ? "" : ",") + parts[i];
  return joined;
}

Answer read_answer(const Reader& reader, const Json& answer) {
  if (!answer.is_object()) {
    throw FieldError("/answer", "an answer is an object with a member for each question");
  }
  refuse_unknown(reader.schema, answer);
  Answer result{Json::object(), {}};
  bool is_main = true;
  for (const Question& question : reader.schema.questions) {
    const Json* given = answer.find(question.name);
    if (given == nullptr || given->is_null()) {
      if (question.required && (is_main || !reader.import_order)) missing(question);
      is_main = false;
      continue;
    }
    Piece piece = question.subject == Subject::kTask ? read_one(reader, question, {}, *given)
                                                     : read_by_subject(reader, question, *given);
    result.answer[question.name] = std::move(piece.answer);
    if (is_main) result.choice = join(piece.choice);
    is_main = false;
    if (!question.strength) continue;
    const bool decided = piece.choice[0] == "first" || piece.choice[0] == "second";
    if (const auto steps =
            read_strength(question, answer.find(question.name + "_strength"), decided)) {
      result.answer[question.name + "_strength"] = *steps;
    }
  }
  return result;
}

}  // namespace

TaskParts task_parts(const Json& body) {
  TaskParts parts;
  if (const Json* responses = body.find("responses");
      responses != nullptr && responses->is_array()) {
    for (const Json& response : responses->as_array()) {
      parts.response_ids.push_back(response.at("response_id").as_string());
    }
  }
  if (const Json* messages = body.find("messages"); messages != nullptr && messages->is_array()) {
    for (const Json& message : messages->as_array()) {
      const Json* role = message.find("role");
      parts.roles.push_back(role != nullptr && role->is_string() ? role->as_string() : "");
    }
  }
  return parts;
}

std::string format_shown_order(const ShownOrder& order) {
  std::string text;
  for (size_t i = 0; i < order.size(); ++i) text += (i == 0 ? "" : ",") + std::to_string(order[i]);
  return text;
}

ShownOrder parse_shown_order(std::string_view text, size_t count) {
  ShownOrder order;
  bool good = true;
  for (std::string_view part : split_choice(text)) {
    uint32_t number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    good = good && error == std::errc() && end == part.data() + part.size();
    order.push_back(number);
  }
  std::vector<bool> seen(count, false);
  for (uint32_t number : order) {
    if (number < count) seen[number] = true;
  }
  if (!good || order.size() != count || std::find(seen.begin(), seen.end(), false) != seen.end()) {
    throw corrupt_data("the order in which the responses were shown is no order of " +
                       std::to_string(count) + " responses");
  }
  return order;
}

Answer validate_answer(const TaskSchema& schema, const TaskParts& parts, const ShownOrder& shown,
                       const Json& answer) {
  HONE_CHECK(shown.size() == parts.response_ids.size());
  return read_answer({schema, parts, shown, false}, answer);
}

Answer validate_gold_answer(const TaskSchema& schema, const TaskParts& parts, const Json& answer) {
  ShownOrder order(parts.response_ids.size());
  std::iota(order.begin(), order.end(), 0u);
  return read_answer({schema, parts, order, true}, answer);
}

std::string check_rationale(const TaskSchema& schema, std::string_view rationale) {
  check_text("/rationale", rationale, kRationaleChars);
  const std::string_view words = trimmed(rationale);
  if (schema.rationale == Rationale::kRequired && words.empty()) {
    throw FieldError("/rationale", "this project wants a reason for every answer; write one");
  }
  if (schema.rationale == Rationale::kOff && !words.empty()) {
    throw FieldError("/rationale", "this project takes no reasons; leave it out");
  }
  return std::string(words);
}

bool same_answer(const Json& a, const Json& b) { return a.dump_canonical() == b.dump_canonical(); }

std::vector<std::string_view> split_choice(std::string_view choice) {
  std::vector<std::string_view> parts;
  if (choice.empty()) return parts;
  for (size_t begin = 0;;) {
    const size_t comma = choice.find(',', begin);
    if (comma == std::string_view::npos) {
      parts.push_back(choice.substr(begin));
      return parts;
    }
    parts.push_back(choice.substr(begin, comma - begin));
    begin = comma + 1;
  }
}

std::string choice_in_words(const TaskSchema& schema, std::string_view choice) {
  const Question& question = schema.main();
  std::string words;
  for (std::string_view part : split_choice(choice)) {
    std::string word(part);
    if (question.kind == QuestionKind::kComparison) {
      word = part == "first"      ? "the first response"
             : part == "second"   ? "the second response"
             : part == "both_bad" ? "both bad"
                                  : word;
    }
    for (const Option& option : question.options) {
      if (question.kind == QuestionKind::kChoice && option.name == part) word = option.title;
    }
    words += (words.empty() ? "" : ", ") + word;
  }
  return words;
}

}  // namespace hone::label
