#include "label/task_rows.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "data/data_check.h"
#include "label/task_answer.h"
#include "seal/digest.h"

namespace hone::label {
namespace {

constexpr size_t kMostResponses = 10;
constexpr size_t kMostMessages = 1000;
constexpr size_t kMostKeys = 4096;  // of a row and of its meta: looked through one by one
constexpr size_t kMostExternalIdBytes = 200;
constexpr size_t kMostLanguageBytes = 35;
constexpr int64_t kMostPriority = 100;
constexpr size_t kDigestBytes = 16;

struct Response {
  std::string text;
  std::string model;
};

struct Content {
  Json prompt;    // null, a string or messages
  Json messages;  // null or messages: a conversation
  std::vector<Response> responses;
};

Error wrong(std::string_view key, const std::string& reason) {
  return invalid_input("\"" + std::string(key) + "\" " + reason);
}

std::string kind_of(const Json& value) {
  const std::string kind(value.kind_name());
  return (kind.front() == 'a' || kind.front() == 'o' ? "an " : "a ") + kind;
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// A member that is there and not null.
const Json* given(const Json& row, std::string_view key) {
  const Json* value = row.find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string text_of(std::string_view key, const Json& value) {
  if (!value.is_string()) {
    throw wrong(key, "must be a text, found " + kind_of(value));
  }
  return value.as_string();
}

// [{role, content}, …] and nothing else of it.
Json read_messages(std::string_view key, const Json& value) {
  if (!value.is_array()) throw wrong(key, "must be a list of messages {\"role\", \"content\"}");
  if (value.size() == 0) throw wrong(key, "has no message");
  if (value.size() > kMostMessages) {
    throw wrong(key, "has more than " + std::to_string(kMostMessages) + " messages");
  }
  Json messages = Json::array();
  for (const Json& element : value.as_array()) {
    const Json* role = element.find("role");
    const Json* content = element.find("content");
    if (role == nullptr || !role->is_string() || is_blank(role->as_string()) ||
        role->as_string().size() > 64 || content == nullptr || !content->is_string()) {
      throw wrong(key, "needs in every message a \"role\" and a \"content\" that are texts");
    }
    messages.push_back(Json(Json::Object{{"role", *role}, {"content", *content}}));
  }
  return messages;
}

Json read_prompt(const Json& value) {
  if (value.is_array()) return read_messages("prompt", value);
  const std::string text = text_of("prompt", value);
  if (is_blank(text)) throw wrong("prompt", "is empty");
  return value;
}

Response read_response(std::string_view key, const Json& value) {
  Response response;
  if (value.is_object()) {
    const Json* text = value.find("text");
    if (text == nullptr) throw wrong(key, "needs the response's \"text\"");
    response.text = text_of(key, *text);
    if (const Json* model = given(value, "model")) response.model = text_of("model", *model);
    return response;
  }
  // Files of other tools have answers such as 42 and true without quotes.
  response.text = value.is_number() || value.is_bool() ? value.dump() : text_of(key, value);
  return response;
}

void set_model(const Json& row, std::string_view key, Response& response) {
  if (const Json* model = given(row, key)) response.model = text_of(key, *model);
}

void read_models(const Json& row, std::vector<Response>& responses) {
  const Json* models = given(row, "models");
  if (models == nullptr) return;
  if (!models->is_array() || models->size() != responses.size()) {
    throw wrong("models", "must be a list of as many names as there are responses, " +
                              std::to_string(responses.size()));
  }
  for (size_t i = 0; i < responses.size(); ++i) {
    const Json& model = models->as_array()[i];
    if (!model.is_null()) responses[i].model = text_of("models", model);
  }
}

// The three ways to say responses; one of them in a row.
std::vector<Response> read_responses(const Json& row) {
  const Json* list = given(row, "responses");
  const Json* left = given(row, "left");
  const Json* right = given(row, "right");
  const Json* single = given(row, "response");
  const bool sides = left != nullptr || right != nullptr;
  if ((list != nullptr) + sides + (single != nullptr) > 1) {
    throw invalid_input(
        "the row has more than one of \"left\" and \"right\", \"responses\" and \"response\"; keep "
        "one way");
  }
  std::vector<Response> responses;
  if (sides) {
    if (left == nullptr || right == nullptr) {
      throw invalid_input(left == nullptr ? "the row has a \"right\" and no \"left\""
                                          : "the row has a \"left\" and no \"right\"");
    }
    responses = {read_response("left", *left), read_response("right", *right)};
    set_model(row, "model_left", responses[0]);
    set_model(row, "model_right", responses[1]);
  } else if (single != nullptr) {
    responses = {read_response("response", *single)};
    set_model(row, "model", responses[0]);
  } else if (list != nullptr) {
    if (!list->is_array()) throw wrong("responses", "must be a list");
    if (list->size() > kMostResponses) {
      throw wrong("responses", "has more than " + std::to_string(kMostResponses));
    }
    for (const Json& element : list->as_array()) {
      responses.push_back(read_response("responses", element));
    }
  }
  read_models(row, responses);
  return responses;
}

void require_responses(std::string_view task_type, size_t count, size_t fewest, size_t most) {
  if (count >= fewest && count <= most) return;
  std::string wanted = std::to_string(fewest);
  if (most != fewest) wanted += " to " + std::to_string(most);
  throw invalid_input("a " + std::string(task_type) + " task needs " + wanted +
                      (most == 1 ? " response" : " responses") + ", the row has " +
                      std::to_string(count));
}

Content read_content(std::string_view task_type, const Json& row) {
  Content content;
  if (task_type == "conversation") {
    const Json* messages = given(row, "messages");
    if (messages == nullptr) throw invalid_input("the row has no \"messages\"");
    content.messages = read_messages("messages", *messages);
    return content;
  }
  const Json* prompt = given(row, "prompt");
  if (prompt == nullptr) throw invalid_input("the row has no \"prompt\"");
  content.prompt = read_prompt(*prompt);
  content.responses = read_responses(row);
  const size_t count = content.responses.size();
  if (task_type == "pairwise") {
    require_responses(task_type, count, 2, 2);
  } else if (task_type == "ranking") {
    require_responses(task_type, count, 2, kMostResponses);
  } else if (task_type == "text") {
    require_responses(task_type, count, 0, 1);
  } else {
    require_responses(task_type, count, 1, kMostResponses);
  }
  return content;
}

bool is_known_key(std::string_view task_type, std::string_view key) {
  static constexpr std::array<std::string_view, 4> kAlways = {"id", "language", "priority", "gold"};
  static constexpr std::array<std::string_view, 9> kOfResponses = {
      "prompt", "left",  "right",      "response",   "responses",
      "models", "model", "model_left", "model_right"};
  if (std::find(kAlways.begin(), kAlways.end(), key) != kAlways.end()) return true;
  if (task_type == "conversation") return key == "messages";
  return std::find(kOfResponses.begin(), kOfResponses.end(), key) != kOfResponses.end();
}

// What a row has beside the task: kept, never shown to who labels.
Json read_meta(std::string_view task_type, const Json& row) {
  Json meta;
  for (const auto& [key, value] : row.as_object()) {
    if (value.is_null() || is_known_key(task_type, key)) continue;
    if (key == "meta" && value.is_object()) {
      if (value.size() > kMostKeys) {
        throw wrong("meta", "has more than " + std::to_string(kMostKeys) + " keys");
      }
      for (const auto& [name, inner] : value.as_object()) meta[name] = inner;
    } else {
      meta[key] = value;
    }
  }
  return meta;
}

std::string digest16(std::string_view bytes) {
  return seal::sha256_bytes(bytes).substr(0, kDigestBytes);
}

std::string content_digest(const Content& content) {
  std::vector<const Response*> sorted;
  for (const Response& response : content.responses) sorted.push_back(&response);
  std::sort(sorted.begin(), sorted.end(), [](const Response* a, const Response* b) {
    return std::tie(a->text, a->model) < std::tie(b->text, b->model);
  });
  // Canonical JSON, written out: the three keys stand in their order, so does each message's.
  std::string text = "{\"messages\":" + content.messages.dump_canonical() +
                     ",\"prompt\":" + content.prompt.dump_canonical() + ",\"responses\":[";
  for (const Response* response : sorted) {
    if (text.back() != '[') text += ',';
    text += '[';
    append_json_string(text, response->text);
    text += ',';
    append_json_string(text, response->model);
    text += ']';
  }
  text += "]}";
  return digest16(text);
}

// A prompt of one user message and the same prompt as a text are one group.
std::string group_digest(const Content& content) {
  if (content.messages.is_null()) {
    const Json& prompt = content.prompt;
    const bool single = prompt.is_array() && prompt.size() == 1 &&
                        prompt.as_array()[0].at("role").as_string() == "user";
    return digest16(data::normalised_text(single ? prompt.as_array()[0].at("content") : prompt));
  }
  Json opening = Json::array();
  for (const Json& message : content.messages.as_array()) {
    opening.push_back(message);
    if (message.at("role").as_string() == "user") break;
  }
  return digest16(data::normalised_text(opening));
}

Json body_of(const Content& content, const Json& meta, std::span<const std::string> response_ids) {
  Json body = Json::object();
  if (!content.prompt.is_null()) body["prompt"] = content.prompt;
  if (!content.messages.is_null()) body["messages"] = content.messages;
  Json responses = Json::array();
  for (size_t i = 0; i < content.responses.size(); ++i) {
    Json response = Json::object();
    response["response_id"] = response_ids[i];
    response["text"] = content.responses[i].text;
    if (!content.responses[i].model.empty()) response["model"] = content.responses[i].model;
    responses.push_back(std::move(response));
  }
  body["responses"] = std::move(responses);
  if (!meta.is_null()) body["meta"] = meta;
  return body;
}

std::optional<std::string> read_external_id(const Json& row) {
  const Json* id = given(row, "id");
  if (id == nullptr) return std::nullopt;
  if (!id->is_string() && !id->is_integer()) throw wrong("id", "must be a text or a whole number");
  std::string text = id->is_string() ? id->as_string() : id->dump();
  if (text.size() > kMostExternalIdBytes || text.find('\0') != std::string::npos) {
    throw wrong("id", "must be at most " + std::to_string(kMostExternalIdBytes) +
                          " bytes without a zero byte");
  }
  if (text.empty()) return std::nullopt;
  return text;
}

std::string read_language(const Json& row) {
  const Json* language = given(row, "language");
  if (language == nullptr) return {};
  std::string text = text_of("language", *language);
  const bool tag = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!tag || text.size() > kMostLanguageBytes) {
    throw wrong("language", "must be a language tag such as en or zh-Hant");
  }
  return text;
}

int64_t read_priority(const Json& row) {
  const Json* priority = given(row, "priority");
  if (priority == nullptr) return 0;
  const bool whole = priority->is_integer();
  const double value = whole ? priority->as_double() : 0.0;
  if (!whole || value > kMostPriority || value < -kMostPriority) {
    throw wrong("priority", "must be a whole number from -100 to 100");
  }
  return priority->as_int();
}

// A gold answer, checked like a person's. "left" alone is the main question's answer.
Json read_gold(const TaskSchema& schema, const Json& gold, const Json& body) {
  const Json answer = gold.is_object() ? gold : Json(Json::Object{{schema.main().name, gold}});
  try {
    return validate_gold_answer(schema, task_parts(body), answer).answer;
  } catch (const Error& error) {
    throw wrong("gold", "is no answer to this task: " + error.message());
  }
}

}  // namespace

Result<NewTask> row_to_task(const TaskSchema& schema, const Json& row, PublicIds& ids) {
  if (!row.is_object()) {
    return invalid_input("a row must be an object such as {\"prompt\": …}, found " + kind_of(row));
  }
  if (row.size() > kMostKeys) {
    return invalid_input("the row has more than " + std::to_string(kMostKeys) + " keys");
  }
  try {
    const Content content = read_content(schema.task_type, row);
    NewTask task;
    for (size_t i = 0; i < content.responses.size(); ++i) {
      task.response_ids.push_back(ids.make("rsp"));
    }
    const Json body = body_of(content, read_meta(schema.task_type, row), task.response_ids);
    task.body = body.dump();
    if (task.body.size() > NewTask::kMostBodyBytes) {
      return invalid_input("the task is " + std::to_string(task.body.size()) +
                           " bytes, over the bound of " + std::to_string(NewTask::kMostBodyBytes) +
                           "; shorten its texts");
    }
    task.content_digest = content_digest(content);
    task.group_digest = group_digest(content);
    task.external_id = read_external_id(row);
    task.language = read_language(row);
    task.priority = read_priority(row);
    if (const Json* gold = given(row, "gold")) task.gold = read_gold(schema, *gold, body);
    task.public_id = ids.make("tsk");
    return task;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidInput) throw;
    return error;
  }
}

Result<NewTask> row_to_task(std::string_view task_type, const Json& row, PublicIds& ids) {
  return row_to_task(built_in_schema(task_type), row, ids);
}

}  // namespace hone::label
