#include "data/rows.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "data/row_fields.h"

namespace hone::data {
namespace {

struct Shape {
  RowKind kind;
  std::array<std::string_view, 3> keys;  // all must be there; empty ones are not asked for
};

// In the order of rows.h.
constexpr std::array<Shape, 11> kShapes = {{
    {RowKind::kTokenizedLm, {"input_ids"}},
    {RowKind::kTokenizedPreference, {"prompt_ids", "chosen_ids", "rejected_ids"}},
    {RowKind::kTokenizedCompletion, {"prompt_ids", "completion_ids"}},
    {RowKind::kPreference, {"chosen", "rejected"}},
    {RowKind::kStepwise, {"prompt", "completions", "labels"}},
    {RowKind::kUnpaired, {"prompt", "completion", "label"}},
    {RowKind::kPromptCompletion, {"prompt", "completion"}},
    {RowKind::kMessages, {"messages"}},
    {RowKind::kText, {"text"}},
    {RowKind::kPromptOnly, {"prompt"}},
    {RowKind::kPromptOnly, {"prompt_ids"}},
}};

constexpr std::array<std::string_view, 14> kDecidingKeys = {
    "text",           "messages",   "prompt",       "completion", "chosen",
    "rejected",       "label",      "input_ids",    "labels",     "prompt_ids",
    "completion_ids", "chosen_ids", "rejected_ids", "completions"};

bool present(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value != nullptr && !value->is_null();
}

bool fits(const Json& object, const Shape& shape) {
  return std::all_of(shape.keys.begin(), shape.keys.end(),
                     [&](std::string_view key) { return key.empty() || present(object, key); });
}

std::optional<RowKind> find_kind(const Json& object, std::span<const RowKind> accepted) {
  if (accepted.empty()) {
    for (const Shape& shape : kShapes) {
      if (fits(object, shape)) return shape.kind;
    }
    return std::nullopt;
  }
  for (const RowKind kind : accepted) {
    for (const Shape& shape : kShapes) {
      if (shape.kind == kind && fits(object, shape)) return kind;
    }
  }
  return std::nullopt;
}

// A half of a pair is the commonest slip, so it is named before "no known shape".
std::string explain_no_kind(const Json& object, std::span<const RowKind> accepted) {
  const std::array<std::array<std::string_view, 2>, 6> halves = {
      {{"chosen", "rejected"},
       {"rejected", "chosen"},
       {"chosen_ids", "rejected_ids"},
       {"rejected_ids", "chosen_ids"},
       {"completion", "prompt"},
       {"completion_ids", "prompt_ids"}}};
  for (const auto& half : halves) {
    if (present(object, half[0]) && !present(object, half[1])) {
      return "\"" + std::string(half[0]) + "\" without \"" + std::string(half[1]) + "\"";
    }
  }
  if (present(object, "chosen_ids") && !present(object, "prompt_ids")) {
    return "\"chosen_ids\" without \"prompt_ids\"";
  }
  std::string found;
  for (const std::string_view key : kDecidingKeys) {
    if (present(object, key)) found += (found.empty() ? "\"" : ", \"") + std::string(key) + "\"";
  }
  std::string wanted;
  for (const Shape& shape : kShapes) {
    if (!accepted.empty() &&
        std::find(accepted.begin(), accepted.end(), shape.kind) == accepted.end()) {
      continue;
    }
    std::string keys;
    for (const std::string_view key : shape.keys) {
      if (!key.empty()) keys += (keys.empty() ? "" : " + ") + std::string(key);
    }
    wanted += (wanted.empty() ? "" : ", or ") + keys;
  }
  return "needs " + wanted + "; the row has " +
         (found.empty() ? "none of the keys of a training row" : found);
}

// A prompt with one answer of a pair is a slip, not a row of prompts.
bool has_half_a_pair(const Json& object) {
  const auto one_alone = [&](std::string_view a, std::string_view b) {
    return present(object, a) != present(object, b);
  };
  return one_alone("chosen", "rejected") || one_alone("chosen_ids", "rejected_ids");
}

// Strings and message lists may not be mixed within one row.
void take_texts(Json& object, std::span<Json* const> targets,
                std::span<const std::string_view> keys) {
  bool any_string = false, any_list = false;
  for (size_t i = 0; i < keys.size(); ++i) {
    *targets[i] = take_text(object, keys[i]);
    (targets[i]->is_string() ? any_string : any_list) = true;
  }
  if (any_string && any_list) {
    std::string names;
    for (const std::string_view key : keys) {
      names += (names.empty() ? "\"" : ", \"") + std::string(key) + "\"";
    }
    throw invalid_input(names + " must all be strings or all be message lists");
  }
}

void take_preference(Json& object, Row& row) {
  if (present(object, "prompt")) {
    const std::array<Json*, 3> targets = {&row.prompt, &row.chosen, &row.rejected};
    const std::array<std::string_view, 3> keys = {"prompt", "chosen", "rejected"};
    return take_texts(object, targets, keys);
  }
  const std::array<Json*, 2> targets = {&row.chosen, &row.rejected};
  const std::array<std::string_view, 2> keys = {"chosen", "rejected"};
  take_texts(object, targets, keys);
  SplitPreference split = split_shared_prompt(row.chosen, row.rejected).value();
  row.prompt = std::move(split.prompt);
  row.chosen = std::move(split.chosen);
  row.rejected = std::move(split.rejected);
}

void take_prompt_completion(Json& object, Row& row) {
  const std::array<Json*, 2> targets = {&row.prompt, &row.completion};
  const std::array<std::string_view, 2> keys = {"prompt", "completion"};
  take_texts(object, targets, keys);
}

void take_steps(Json& object, Row& row) {
  row.prompt = take_string(object, "prompt");
  row.steps = take_strings(object, "completions");
  for (bool right : take_bools(object, "labels")) row.step_labels.push_back(right ? 1 : 0);
  if (row.steps.empty() || row.steps.size() != row.step_labels.size()) {
    throw invalid_input("\"completions\" has " + std::to_string(row.steps.size()) +
                        " steps and \"labels\" " + std::to_string(row.step_labels.size()) +
                        ": each step needs one label, and there must be a step");
  }
}

void take_tokenized_lm(Json& object, Row& row) {
  row.input_ids = take_ids(object, "input_ids", kMustNotBeEmpty);
  if (!present(object, "labels")) return;
  row.token_labels = take_token_labels(object, "labels");
  if (row.token_labels.size() != row.input_ids.size()) {
    throw invalid_input("\"labels\" has " + std::to_string(row.token_labels.size()) +
                        " entries, \"input_ids\" has " + std::to_string(row.input_ids.size()));
  }
  const auto trained = [](int32_t label) { return label != kNotTrained; };
  if (!std::any_of(row.token_labels.begin() + 1, row.token_labels.end(), trained)) {
    throw invalid_input(
        "every label that could be trained is -100 (the first token is never predicted), so the "
        "row trains nothing; remove it");
  }
}

void take_content(Json& object, Row& row) {
  switch (row.kind) {
    case RowKind::kText: row.text = take_string(object, "text"); break;
    case RowKind::kMessages: row.messages = take_messages(object, "messages"); break;
    case RowKind::kPromptCompletion: take_prompt_completion(object, row); break;
    case RowKind::kPreference: take_preference(object, row); break;
    case RowKind::kUnpaired:
      take_prompt_completion(object, row);
      row.label = take_bool(object, "label");
      break;
    case RowKind::kStepwise: take_steps(object, row); break;
    case RowKind::kPromptOnly:
      if (present(object, "prompt")) {
        row.prompt = take_text(object, "prompt");
      } else {
        row.prompt_ids = take_ids(object, "prompt_ids", kMustNotBeEmpty);
      }
      break;
    case RowKind::kTokenizedLm: take_tokenized_lm(object, row); break;
    case RowKind::kTokenizedCompletion:
      row.prompt_ids = take_ids(object, "prompt_ids", kMayBeEmpty);
      row.completion_ids = take_ids(object, "completion_ids", kMustNotBeEmpty);
      if (present(object, "label")) row.label = take_bool(object, "label");
      break;
    case RowKind::kTokenizedPreference:
      row.prompt_ids = take_ids(object, "prompt_ids", kMayBeEmpty);
      row.chosen_ids = take_ids(object, "chosen_ids", kMustNotBeEmpty);
      row.rejected_ids = take_ids(object, "rejected_ids", kMustNotBeEmpty);
      break;
  }
}

bool is_preference(const Row& row) {
  return row.kind == RowKind::kPreference || row.kind == RowKind::kTokenizedPreference;
}

bool is_judged(const Row& row) { return is_preference(row) || row.label.has_value(); }

void take_extras(Json& object, Row& row) {
  if (present(object, "weight")) {
    row.weight = take_number(object, "weight");
    if (!(std::isfinite(row.weight) && row.weight >= 0.0)) {
      throw invalid_input("\"weight\" must be a finite number, 0 or more, found " +
                          number_to_string(row.weight));
    }
  }
  if (present(object, "id")) row.id = take_name(object, "id");
  if (!is_judged(row)) return;
  if (present(object, "probability")) {
    row.probability = take_number(object, "probability");
    if (!(row.probability >= 0.0 && row.probability <= 1.0)) {
      throw invalid_input("\"probability\" must lie between 0 and 1, found " +
                          number_to_string(row.probability));
    }
  }
  if (is_preference(row) && present(object, "margin")) {
    row.margin = take_number(object, "margin");
    if (!std::isfinite(row.margin)) throw invalid_input("\"margin\" must be a finite number");
  }
  if (present(object, "labels")) row.labels = take_names(object, "labels");
}

size_t shared_bytes(const std::string& a, const std::string& b) {
  const size_t shorter = std::min(a.size(), b.size());
  size_t at = 0;
  while (at < shorter && a[at] == b[at]) ++at;
  const auto inside_character = [](const std::string& text, size_t i) {
    return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80;
  };
  const auto back_one = [&] {
    do --at;
    while (at > 0 && inside_character(a, at));
  };
  if (at == shorter) {  // one is the start of the other
    if (at > 0) back_one();
    return at;
  }
  if (inside_character(a, at) || inside_character(b, at)) back_one();
  if (at > 0 && a[at - 1] == ' ') --at;
  return at;
}

}  // namespace

std::string_view row_kind_name(RowKind kind) {
  switch (kind) {
    case RowKind::kText: return "text";
    case RowKind::kMessages: return "messages";
    case RowKind::kPromptCompletion: return "prompt_completion";
    case RowKind::kPreference: return "preference";
    case RowKind::kUnpaired: return "unpaired";
    case RowKind::kPromptOnly: return "prompt_only";
    case RowKind::kTokenizedLm: return "tokenized_lm";
    case RowKind::kTokenizedCompletion: return "tokenized_completion";
    case RowKind::kStepwise: return "stepwise";
    case RowKind::kTokenizedPreference: break;
  }
  return "tokenized_preference";
}

bool Row::conversational() const {
  return messages.is_array() || prompt.is_array() || completion.is_array() || chosen.is_array();
}

Result<Row> row_from_json(Json object, std::span<const RowKind> accepted) {
  if (!object.is_object()) {
    return invalid_input("expected an object like {\"prompt\": ...}, found a " +
                         std::string(object.kind_name()));
  }
  const std::optional<RowKind> kind = find_kind(object, accepted);
  if (!kind || (*kind == RowKind::kPromptOnly && has_half_a_pair(object)))
    return invalid_input(explain_no_kind(object, accepted));
  try {
    Row row;
    row.kind = *kind;
    take_content(object, row);
    take_extras(object, row);
    std::erase_if(object.as_object(), [](const Json::Member& member) { return is_taken(member); });
    row.provenance = std::move(object);
    return row;
  } catch (const Error& error) {
    return error;
  }
}

std::string row_content(const Row& row) {
  Json content = Json::object();
  content["kind"] = row_kind_name(row.kind);
  const auto add_text = [&](std::string_view key, const Json& value) {
    if (!value.is_null()) content[key] = value;
  };
  const auto add_ids = [&](std::string_view key, const std::vector<int32_t>& ids) {
    if (ids.empty()) return;
    Json::Array array(ids.begin(), ids.end());
    content[key] = Json(std::move(array));
  };
  add_text("text", row.text);
  add_text("messages", row.messages);
  add_text("prompt", row.prompt);
  add_text("completion", row.completion);
  add_text("chosen", row.chosen);
  add_text("rejected", row.rejected);
  add_ids("input_ids", row.input_ids);
  add_ids("labels", row.token_labels);
  add_ids("prompt_ids", row.prompt_ids);
  add_ids("completion_ids", row.completion_ids);
  add_ids("chosen_ids", row.chosen_ids);
  add_ids("rejected_ids", row.rejected_ids);
  if (row.label) content["label"] = *row.label;
  for (const std::string& step : row.steps) content["completions"].push_back(step);
  for (uint8_t right : row.step_labels) content["labels"].push_back(right != 0);
  return content.dump_canonical();
}

std::string row_name(const Row& row) {
  return row.id.empty() ? "line-" + std::to_string(row.line) : row.id;
}

Result<SplitPreference> split_shared_prompt(const Json& chosen, const Json& rejected) {
  SplitPreference split;
  if (chosen.is_string() && rejected.is_string()) {
    const std::string &a = chosen.as_string(), &b = rejected.as_string();
    if (a.empty() || b.empty()) {
      return invalid_input("an empty \"chosen\" or \"rejected\" needs an explicit \"prompt\"");
    }
    const size_t shared = shared_bytes(a, b);
    split.prompt = a.substr(0, shared);
    split.chosen = a.substr(shared);
    split.rejected = b.substr(shared);
    return split;
  }
  if (!chosen.is_array() || !rejected.is_array()) {
    return invalid_input("\"chosen\" and \"rejected\" must both be strings or both message lists");
  }
  const Json::Array &a = chosen.as_array(), &b = rejected.as_array();
  const size_t shorter = std::min(a.size(), b.size());
  size_t shared = 0;
  while (shared < shorter && a[shared] == b[shared]) ++shared;
  if (shared == shorter && shared > 0) --shared;
  if (shared == 0) {
    return invalid_input(
        "no \"prompt\", and \"chosen\" and \"rejected\" share no message to take as one");
  }
  const auto cut = [&](const Json::Array& messages, size_t from, size_t to) {
    return Json(Json::Array(messages.begin() + static_cast<std::ptrdiff_t>(from),
                            messages.begin() + static_cast<std::ptrdiff_t>(to)));
  };
  split.prompt = cut(a, 0, shared);
  split.chosen = cut(a, shared, a.size());
  split.rejected = cut(b, shared, b.size());
  return split;
}

}  // namespace hone::data
