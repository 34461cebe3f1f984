#include "label/import_formats.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/error.h"
#include "data/label_fields.h"

namespace hone::label {
namespace {

constexpr std::array<std::string_view, 4> kFormatNames = {"jsonl", "csv", "label-studio", "arena"};
constexpr size_t kMostAnnotations = 1000;            // of one task in a file
constexpr size_t kMostKeptBytes = size_t{64} << 10;  // of annotations that are no votes

bool has_list(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value != nullptr && value->is_array();
}

// ---- Label Studio ----

// {"type": "pairwise", "value": {"selected": "left"}} or {"type": "choices", "value": {"choices": ["A"]}}.
std::optional<std::string> choice_of_result(const Json& result) {
  const Json* value = result.find("value");
  if (value == nullptr) return std::nullopt;
  if (const Json* selected = value->find("selected")) return vote_choice(*selected);
  const Json* choices = value->find("choices");
  if (choices == nullptr || !choices->is_array() || choices->size() != 1) return std::nullopt;
  return vote_choice(choices->as_array()[0]);
}

std::string person_of(const Json& annotation) {
  const Json* by = annotation.find("completed_by");
  if (by == nullptr || by->is_null()) return "imported";
  if (by->is_string()) return by->as_string();
  if (by->is_integer()) return "user " + by->dump();
  for (const char* key : {"email", "username", "id"}) {
    const Json* name = by->find(key);
    if (name == nullptr || name->is_null()) continue;
    return name->is_string() ? name->as_string() : "user " + name->dump();
  }
  return "imported";
}

std::optional<Vote> vote_of_annotation(const Json& annotation) {
  const Json* result = annotation.find("result");
  if (result == nullptr || !result->is_array()) return std::nullopt;
  for (const Json& part : result->as_array()) {
    if (auto choice = choice_of_result(part))
      return Vote{vote_worker(person_of(annotation)), *choice};
  }
  return std::nullopt;
}

bool was_cancelled(const Json& annotation) {
  const Json* cancelled = annotation.find("was_cancelled");
  return cancelled != nullptr && cancelled->is_bool() && cancelled->as_bool();
}

ImportRow row_from_label_studio(ColumnRoles& roles, Json&& object) {
  const Json* data = object.find("data");
  if (data == nullptr || !data->is_object()) {
    throw invalid_input("a Label Studio task has its texts in an object \"data\"");
  }
  ImportRow out = roles.apply(Json(*data), false);
  if (const Json* id = object.find("id"); id != nullptr && out.row.find("id") == nullptr) {
    out.row["id"] = *id;
  }
  if (!has_list(object, "annotations")) return out;
  const Json::Array& annotations = object.find("annotations")->as_array();
  if (annotations.size() > kMostAnnotations) {
    throw invalid_input("the task has more than " + std::to_string(kMostAnnotations) +
                        " annotations");
  }
  Json kept = Json::array();
  for (const Json& annotation : annotations) {
    if (was_cancelled(annotation)) continue;
    std::optional<Vote> vote;
    if (roles.task_type() == "pairwise") vote = vote_of_annotation(annotation);
    if (vote) {
      out.votes.push_back(std::move(*vote));
    } else {
      kept.push_back(annotation);
    }
  }
  if (kept.size() > 0 && kept.dump().size() <= kMostKeptBytes) {
    out.row["meta"]["annotations"] = std::move(kept);
  }
  return out;
}

// ---- Arena ----

const Json::Array& turns_of(const Json& battle, const char* key) {
  const Json* turns = battle.find(key);
  if (turns == nullptr || !turns->is_array() || turns->size() == 0 || turns->size() > 1000) {
    throw invalid_input("\"" + std::string(key) + "\" must be a list of messages");
  }
  for (const Json& turn : turns->as_array()) {
    const Json* role = turn.find("role");
    const Json* content = turn.find("content");
    if (role == nullptr || !role->is_string() || content == nullptr || !content->is_string()) {
      throw invalid_input("\"" + std::string(key) +
                          "\" needs in every message a \"role\" and a \"content\" that are texts");
    }
  }
  return turns->as_array();
}

bool same_turn(const Json& a, const Json& b) {
  return a.at("role") == b.at("role") && a.at("content") == b.at("content");
}

bool is_role(const Json& turn, std::string_view role) {
  return turn.at("role").as_string() == role;
}

// The answer, and behind it what followed in the same battle.
std::string rest_as_text(const Json::Array& turns, size_t from) {
  std::string text;
  for (size_t i = from; i < turns.size(); ++i) {
    if (i > from) text += is_role(turns[i], "assistant") ? "\n\nAssistant: " : "\n\nUser: ";
    text += turns[i].at("content").as_string();
  }
  return text;
}

// Arena's files name languages in English words.
std::optional<std::string> language_tag(const Json& value) {
  if (!value.is_string()) return std::nullopt;
  static constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"english", "en"},    {"chinese", "zh"}, {"german", "de"},   {"french", "fr"},
      {"spanish", "es"},    {"russian", "ru"}, {"japanese", "ja"}, {"korean", "ko"},
      {"portuguese", "pt"}, {"italian", "it"}, {"polish", "pl"},   {"vietnamese", "vi"}};
  std::string word = value.as_string();
  for (char& c : word) c = (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
  for (const auto& [name, tag] : kWords) {
    if (word == name) return std::string(tag);
  }
  return word.size() == 2 || word.size() == 3 ? std::optional(word) : std::nullopt;
}

void take_model(const Json& battle, const char* key, Json& response) {
  const Json* model = battle.find(key);
  if (model != nullptr && model->is_string()) response["model"] = *model;
}

ImportRow row_from_battle(const ColumnRoles& roles, Json&& battle) {
  const Json::Array& a = turns_of(battle, "conversation_a");
  const Json::Array& b = turns_of(battle, "conversation_b");
  size_t shared = 0;
  while (shared < a.size() && shared < b.size() && same_turn(a[shared], b[shared]) &&
         !is_role(a[shared], "assistant")) {
    ++shared;
  }
  if (shared == 0 || shared == a.size() || shared == b.size()) {
    throw invalid_input("the two conversations must begin with the same prompt and have an answer");
  }
  ImportRow out;
  Json& row = out.row;
  if (shared == 1 && is_role(a[0], "user")) {
    row["prompt"] = a[0].at("content");
  } else {
    row["prompt"] = Json(Json::Array(a.begin(), a.begin() + static_cast<ptrdiff_t>(shared)));
  }
  row["left"]["text"] = rest_as_text(a, shared);
  row["right"]["text"] = rest_as_text(b, shared);
  take_model(battle, "model_a", row["left"]);
  take_model(battle, "model_b", row["right"]);
  for (const char* key : {"question_id", "id"}) {
    const Json* id = battle.find(key);
    if (id == nullptr || id->is_null()) continue;
    row["id"] = *id;
    break;
  }
  if (const Json* language = battle.find("language")) {
    if (auto tag = language_tag(*language)) row["language"] = *tag;
  }
  const Json* winner = battle.find("winner");
  if (winner == nullptr || winner->is_null() || roles.task_type() != "pairwise") return out;
  const auto choice = vote_choice(*winner);
  if (!choice) {
    throw invalid_input(
        "\"winner\" must be model_a, model_b, tie or tie (bothbad), found " +
        data::quoted_for_message(winner->is_string() ? winner->as_string() : winner->dump()));
  }
  std::string worker = "imported";
  for (const char* key : {"judge", "user", "judge_hash"}) {
    const Json* name = battle.find(key);
    if (name == nullptr || name->is_null()) continue;
    worker = name->is_string() ? name->as_string() : name->dump();
    break;
  }
  out.votes.push_back({vote_worker(worker), *choice});
  return out;
}

// The first object of JSONL or of an array, when it is whole in these bytes.
std::optional<Json> first_object(std::string_view first_bytes) {
  std::optional<Json> first;
  try {
    data::ObjectStream stream(data::guess_object_format(first_bytes), {},
                              [&](data::ObjectRow&& row) {
                                if (!first && row.fault.empty()) first = std::move(row.object);
                              });
    stream.feed(first_bytes);
    stream.finish();
  } catch (const Error&) {
    // A broken file is refused where it is read, with its line.
  }
  return first;
}

}  // namespace

std::string_view import_format_name(ImportFormat format) {
  return kFormatNames[static_cast<size_t>(format)];
}

ImportFormat import_format_from_name(std::string_view name) {
  const auto found = std::find(kFormatNames.begin(), kFormatNames.end(), name);
  if (found == kFormatNames.end()) {
    throw invalid_input("the format must be jsonl, csv, label-studio or arena, found " +
                        data::quoted_for_message(name));
  }
  return static_cast<ImportFormat>(found - kFormatNames.begin());
}

ImportFormat guess_import_format(std::string_view first_bytes) {
  if (data::guess_object_format(first_bytes) == data::ObjectFormat::kCsv) return ImportFormat::kCsv;
  const std::optional<Json> first = first_object(first_bytes);
  if (!first) return ImportFormat::kJsonl;
  if (has_list(*first, "conversation_a") && has_list(*first, "conversation_b")) {
    return ImportFormat::kArena;
  }
  const Json* data = first->find("data");
  const bool texts = data != nullptr && data->is_object() && first->find("prompt") == nullptr;
  return texts ? ImportFormat::kLabelStudio : ImportFormat::kJsonl;
}

data::ObjectFormat object_format_of(ImportFormat format, std::string_view first_bytes) {
  if (format == ImportFormat::kCsv) return data::ObjectFormat::kCsv;
  const data::ObjectFormat guess = data::guess_object_format(first_bytes);
  return guess == data::ObjectFormat::kCsv ? data::ObjectFormat::kJsonl : guess;
}

ImportRow row_from_object(ImportFormat format, ColumnRoles& roles, Json&& object) {
  switch (format) {
    case ImportFormat::kLabelStudio: return row_from_label_studio(roles, std::move(object));
    case ImportFormat::kArena: return row_from_battle(roles, std::move(object));
    case ImportFormat::kCsv: return roles.apply(std::move(object), true);
    case ImportFormat::kJsonl: break;
  }
  return roles.apply(std::move(object), false);
}

}  // namespace hone::label
