#include "label/import_columns.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "data/label_fields.h"

namespace hone::label {
namespace {

constexpr size_t kMostWorkerBytes = 200;

constexpr std::array<std::string_view, 18> kRoleNames = {
    "prompt",   "left",  "right",      "response",    "responses", "messages",
    "models",   "model", "model_left", "model_right", "id",        "language",
    "priority", "gold",  "winner",     "worker",      "meta",      "ignore"};

struct Guess {
  std::string_view name;
  ColumnRole role;
};
constexpr Guess kGuesses[] = {
    {"question", ColumnRole::kPrompt},
    {"instruction", ColumnRole::kPrompt},
    {"input", ColumnRole::kPrompt},
    {"query", ColumnRole::kPrompt},
    {"user_prompt", ColumnRole::kPrompt},
    {"response_a", ColumnRole::kLeft},
    {"response_1", ColumnRole::kLeft},
    {"response1", ColumnRole::kLeft},
    {"output_1", ColumnRole::kLeft},
    {"output1", ColumnRole::kLeft},
    {"output_a", ColumnRole::kLeft},
    {"answer_a", ColumnRole::kLeft},
    {"answer1", ColumnRole::kLeft},
    {"answer_1", ColumnRole::kLeft},
    {"completion_a", ColumnRole::kLeft},
    {"text_a", ColumnRole::kLeft},
    {"chosen", ColumnRole::kLeft},
    {"result_x", ColumnRole::kLeft},
    {"response_b", ColumnRole::kRight},
    {"response_2", ColumnRole::kRight},
    {"response2", ColumnRole::kRight},
    {"output_2", ColumnRole::kRight},
    {"output2", ColumnRole::kRight},
    {"output_b", ColumnRole::kRight},
    {"answer_b", ColumnRole::kRight},
    {"answer2", ColumnRole::kRight},
    {"answer_2", ColumnRole::kRight},
    {"completion_b", ColumnRole::kRight},
    {"text_b", ColumnRole::kRight},
    {"rejected", ColumnRole::kRight},
    {"result_y", ColumnRole::kRight},
    {"answer", ColumnRole::kResponse},
    {"output", ColumnRole::kResponse},
    {"completion", ColumnRole::kResponse},
    {"reply", ColumnRole::kResponse},
    {"generation", ColumnRole::kResponse},
    {"answers", ColumnRole::kResponses},
    {"outputs", ColumnRole::kResponses},
    {"completions", ColumnRole::kResponses},
    {"candidates", ColumnRole::kResponses},
    {"conversation", ColumnRole::kMessages},
    {"conversations", ColumnRole::kMessages},
    {"dialogue", ColumnRole::kMessages},
    {"chat", ColumnRole::kMessages},
    {"model_name", ColumnRole::kModel},
    {"model_id", ColumnRole::kModel},
    {"model_a", ColumnRole::kModelLeft},
    {"model_1", ColumnRole::kModelLeft},
    {"model1", ColumnRole::kModelLeft},
    {"left_model", ColumnRole::kModelLeft},
    {"model_x", ColumnRole::kModelLeft},
    {"model_b", ColumnRole::kModelRight},
    {"model_2", ColumnRole::kModelRight},
    {"model2", ColumnRole::kModelRight},
    {"right_model", ColumnRole::kModelRight},
    {"model_y", ColumnRole::kModelRight},
    {"external_id", ColumnRole::kId},
    {"idx", ColumnRole::kId},
    {"uid", ColumnRole::kId},
    {"uuid", ColumnRole::kId},
    {"question_id", ColumnRole::kId},
    {"pair_id", ColumnRole::kId},
    {"lang", ColumnRole::kLanguage},
    {"locale", ColumnRole::kLanguage},
    {"golden", ColumnRole::kGold},
    {"gold_answer", ColumnRole::kGold},
    {"preference", ColumnRole::kWinner},
    {"vote", ColumnRole::kWinner},
    {"judge", ColumnRole::kWorker},
    {"annotator", ColumnRole::kWorker},
    {"rater", ColumnRole::kWorker},
    {"annotator_id", ColumnRole::kWorker},
};

// "Response A" and "response-a" are response_a.
std::string plain_name(std::string_view name) {
  std::string plain(name);
  for (char& c : plain) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == ' ' || c == '-' || c == '.') c = '_';
  }
  return plain;
}

bool may_repeat(ColumnRole role) {
  return role == ColumnRole::kPrompt || role == ColumnRole::kResponse ||
         role == ColumnRole::kWinner || role == ColumnRole::kMeta || role == ColumnRole::kIgnore;
}

bool is_response_text(ColumnRole role) {
  return role == ColumnRole::kLeft || role == ColumnRole::kRight || role == ColumnRole::kResponse;
}

// annotator1, rater_2 …
bool is_numbered_person(std::string_view plain) {
  if (!plain.starts_with("annotator") && !plain.starts_with("rater") &&
      !plain.starts_with("judge")) {
    return false;
  }
  return plain.back() >= '0' && plain.back() <= '9';
}

Json parse_cell(std::string_view column, std::string_view text) {
  Result<Json> parsed = Json::parse(text, {.max_depth = 64});
  if (!parsed) {
    throw invalid_input(data::quoted_for_message(column) +
                        " must hold JSON here: " + parsed.error().message());
  }
  return std::move(*parsed);
}

bool begins_with(std::string_view text, std::string_view signs) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != text.npos && signs.find(text[first]) != signs.npos;
}

// A prompt cell "[Draft] …" is text all the same: only a list of messages is taken for one.
Json prompt_cell(Json&& cell) {
  if (!begins_with(cell.as_string(), "[")) return std::move(cell);
  Result<Json> parsed = Json::parse(cell.as_string(), {.max_depth = 64});
  if (!parsed || !parsed->is_array() || parsed->size() == 0) return std::move(cell);
  const bool messages = std::all_of(parsed->as_array().begin(), parsed->as_array().end(),
                                    [](const Json& m) { return m.find("role") != nullptr; });
  return messages ? std::move(*parsed) : std::move(cell);
}

// What a cell of text means in a column of that role.
Json cell_value(const ColumnRoles::Column& column, Json&& cell) {
  const std::string& text = cell.as_string();
  switch (column.role) {
    case ColumnRole::kPrompt: return prompt_cell(std::move(cell));
    case ColumnRole::kMessages:
    case ColumnRole::kResponses:
    case ColumnRole::kModels: return parse_cell(column.name, text);
    case ColumnRole::kGold:
      return begins_with(text, "{") ? parse_cell(column.name, text) : std::move(cell);
    case ColumnRole::kPriority: {
      const double number = data::number_of_field("priority", text);
      const bool whole = number >= -1e15 && number <= 1e15 &&
                         static_cast<double>(static_cast<int64_t>(number)) == number;
      return whole ? Json(static_cast<int64_t>(number)) : Json(number);
    }
    default: return std::move(cell);
  }
}

std::string short_text(const Json& value) {
  return value.is_string() ? value.as_string() : value.dump();
}

// Prompts of several columns: texts with an empty line between.
void join_prompt(Json& row, Json&& value) {
  const Json* earlier = row.find("prompt");
  if (earlier == nullptr) {
    row["prompt"] = std::move(value);
    return;
  }
  if (!earlier->is_string() || !value.is_string()) {
    throw invalid_input("several prompt columns must all be texts");
  }
  if (value.as_string().empty()) return;
  const std::string joined = earlier->as_string().empty()
                                 ? value.as_string()
                                 : earlier->as_string() + "\n\n" + value.as_string();
  row["prompt"] = joined;
}

}  // namespace

std::string_view column_role_name(ColumnRole role) { return kRoleNames[static_cast<size_t>(role)]; }

std::optional<ColumnRole> column_role_from_name(std::string_view name) {
  const auto found = std::find(kRoleNames.begin(), kRoleNames.end(), name);
  if (found == kRoleNames.end()) return std::nullopt;
  return static_cast<ColumnRole>(std::distance(kRoleNames.begin(), found));
}

std::string vote_worker(std::string_view name) {
  constexpr std::string_view kWhite = " \t\r\n";
  const size_t first = name.find_first_not_of(kWhite);
  if (first == name.npos) return "imported";
  name = name.substr(first, name.find_last_not_of(kWhite) - first + 1);
  if (name.size() > kMostWorkerBytes || name.find('\0') != name.npos) {
    throw invalid_input("the worker's name must be at most " + std::to_string(kMostWorkerBytes) +
                        " bytes without a zero byte");
  }
  return std::string(name);
}

std::optional<std::string> vote_choice(const Json& value) {
  if (!value.is_string() && !value.is_integer()) return std::nullopt;
  std::string word = plain_name(short_text(value));
  if (word.size() > 4 && word.starts_with("[[") && word.ends_with("]]")) {
    word = word.substr(2, word.size() - 4);
  }
  const auto is_one_of = [&](std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  if (is_one_of({"left", "first", "a", "model_a", "1", "response_1", "response1", "response_a",
                 "output_1", "x", "model_x"})) {
    return "first";
  }
  if (is_one_of({"right", "second", "b", "model_b", "2", "response_2", "response2", "response_b",
                 "output_2", "y", "model_y"})) {
    return "second";
  }
  if (is_one_of(
          {"tie", "0", "c", "equal", "draw", "same", "both", "tie_(bothgood)", "both_good"})) {
    return "tie";
  }
  if (is_one_of({"both_bad", "bothbad", "tie_(bothbad)", "neither", "none"})) return "both_bad";
  return std::nullopt;
}

ColumnRoles::ColumnRoles(std::string task_type, const Json& confirmed)
    : task_type_(std::move(task_type)) {
  if (confirmed.is_null()) return;
  if (!confirmed.is_object() || confirmed.size() > kMostColumns) {
    throw invalid_input("columns must be an object {\"column\": \"role\"}");
  }
  for (const auto& [name, word] : confirmed.as_object()) {
    const auto role = word.is_string() ? column_role_from_name(word.as_string()) : std::nullopt;
    if (!role) {
      std::string roles;
      for (const std::string_view known : kRoleNames) {
        roles += (roles.empty() ? "" : ", ") + std::string(known);
      }
      throw invalid_input("column " + data::quoted_for_message(name) +
                          ": the role must be one of " + roles);
    }
    const auto holder = holders_.find(*role);
    if (holder != holders_.end() && !may_repeat(*role)) {
      throw invalid_input("columns " + data::quoted_for_message(columns_[holder->second].name) +
                          " and " + data::quoted_for_message(name) + " cannot both be the " +
                          std::string(column_role_name(*role)) + "; choose one");
    }
    add(name, *role, true);
  }
}

void ColumnRoles::add(const std::string& name, ColumnRole role, bool confirmed) {
  index_.emplace(name, columns_.size());
  holders_.emplace(role, columns_.size());
  columns_.push_back({name, role, confirmed});
}

ColumnRole ColumnRoles::guess(const std::string& name, const Json& value) const {
  const std::string plain = plain_name(name);
  std::optional<ColumnRole> role = column_role_from_name(plain);
  if (!role && !plain.empty() && is_numbered_person(plain) && vote_choice(value)) {
    role = ColumnRole::kWinner;
  }
  if (!role) {
    const auto* found = std::find_if(std::begin(kGuesses), std::end(kGuesses),
                                     [&](const Guess& g) { return g.name == plain; });
    if (found == std::end(kGuesses)) return ColumnRole::kMeta;
    role = found->role;
  }
  if (*role == ColumnRole::kResponse && value.is_array()) role = ColumnRole::kResponses;
  const bool conversation = task_type_ == "conversation";
  if (*role == ColumnRole::kMessages && !conversation) role = ColumnRole::kPrompt;
  const bool of_pairs = *role == ColumnRole::kWinner || *role == ColumnRole::kWorker;
  if (of_pairs && task_type_ != "pairwise") return ColumnRole::kMeta;
  return *role;
}

void ColumnRoles::learn(const Json::Object& object) {
  // Columns that are called as a role first, so that no guess takes it from them.
  for (const bool exact : {true, false}) {
    for (const auto& [name, value] : object) {
      if (columns_.size() >= kMostColumns) return;  // later ones are meta
      if (index_.find(name) != index_.end() || value.is_null()) continue;
      const bool is_exact = column_role_from_name(plain_name(name)).has_value();
      if (is_exact != exact) continue;
      ColumnRole role = guess(name, value);
      if (!may_repeat(role) && holders_.count(role) > 0) role = ColumnRole::kMeta;
      // A guess never adds a second prompt to one that is called so, but "instruction" and "input"
      // belong together.
      const auto prompt = holders_.find(ColumnRole::kPrompt);
      if (!exact && role == ColumnRole::kPrompt && prompt != holders_.end() &&
          (columns_[prompt->second].confirmed ||
           plain_name(columns_[prompt->second].name) == "prompt")) {
        role = ColumnRole::kMeta;
      }
      if (!exact && role == ColumnRole::kResponse && holders_.count(role) > 0) {
        role = ColumnRole::kMeta;
      }
      add(name, role, false);
    }
  }
}

void ColumnRoles::take(const Column& column, Json&& value, bool is_text, ImportRow& out) {
  if (column.role == ColumnRole::kIgnore || value.is_null()) return;
  if (is_text) {
    const bool empty = value.as_string().empty();
    if (empty && !is_response_text(column.role) && column.role != ColumnRole::kPrompt) return;
    value = cell_value(column, std::move(value));
  }
  switch (column.role) {
    case ColumnRole::kPrompt: return join_prompt(out.row, std::move(value));
    case ColumnRole::kMeta:
      if (column.name == "meta" && value.is_object()) {
        if (value.size() > kMostColumns) {
          throw invalid_input("\"meta\" has more than " + std::to_string(kMostColumns) + " keys");
        }
        for (auto& [name, inner] : value.as_object()) out.row["meta"][name] = std::move(inner);
      } else {
        out.row["meta"][column.name] = std::move(value);
      }
      return;
    case ColumnRole::kWinner: winners_.emplace_back(column.name, std::move(value)); return;
    case ColumnRole::kWorker: worker_ = short_text(value); return;
    default: break;
  }
  const std::string_view key = column_role_name(column.role);
  if (column.role == ColumnRole::kResponse && out.row.find("response") != nullptr) {
    out.row["responses"] = Json(Json::Array{*out.row.find("response"), std::move(value)});
    auto& members = out.row.as_object();
    members.erase(std::find_if(members.begin(), members.end(),
                               [](const Json::Member& m) { return m.first == "response"; }));
  } else if (column.role == ColumnRole::kResponse && out.row.find("responses") != nullptr) {
    out.row["responses"].push_back(std::move(value));
  } else {
    out.row[key] = std::move(value);
  }
}

void ColumnRoles::take_votes(ImportRow& out) {
  for (auto& [column, value] : winners_) {
    const std::optional<std::string> choice = vote_choice(value);
    if (!choice) {
      throw invalid_input(data::quoted_for_message(column) + " must be left, right, tie or " +
                          "both_bad, found " + data::quoted_for_message(short_text(value)));
    }
    const bool by_column = worker_.empty() && winners_.size() > 1;
    out.votes.push_back({vote_worker(by_column ? column : worker_), *choice});
  }
}

ImportRow ColumnRoles::apply(Json&& object, bool is_text) {
  if (object.size() > kMostColumns) {
    throw invalid_input("the row has more than " + std::to_string(kMostColumns) + " keys");
  }
  learn(object.as_object());
  ImportRow out;
  out.row = Json::object();
  winners_.clear();
  worker_.clear();
  for (auto& [name, value] : object.as_object()) {
    const auto known = index_.find(name);
    take(known == index_.end() ? Column{name, ColumnRole::kMeta, false} : columns_[known->second],
         std::move(value), is_text, out);
  }
  take_votes(out);
  return out;
}

Json ColumnRoles::to_json() const {
  Json out = Json::object();
  for (const Column& column : columns_) out[column.name] = column_role_name(column.role);
  return out;
}

}  // namespace hone::label
