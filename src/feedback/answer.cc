#include "feedback/answer.h"

#include <utility>

#include "base/error.h"

namespace hone::feedback {
namespace {

constexpr size_t kTokensMax = size_t{1} << 20;

std::string text_of(const Json& json, std::string_view name) {
  const Json* member = json.find(name);
  return member == nullptr || member->is_null() ? std::string() : member->as_string();
}

Json json_of(const Json& json, std::string_view name) {
  const Json* member = json.find(name);
  return member == nullptr ? Json() : *member;
}

// Bytes that a JSON value holds, near enough for a bound.
size_t bytes_of(const Json& json) {
  size_t bytes = sizeof(Json);
  if (json.is_string()) {
    bytes += json.as_string().size();
  } else if (json.is_array()) {
    for (const Json& each : json.as_array()) bytes += bytes_of(each);
  } else if (json.is_object()) {
    for (const auto& [name, value] : json.as_object()) bytes += name.size() + 32 + bytes_of(value);
  }
  return bytes;
}

template <class T>
Json list_of(const std::vector<T>& values) {
  Json::Array list;
  list.reserve(values.size());
  for (const T value : values) list.emplace_back(value);
  return Json(std::move(list));
}

const Json::Array& numbers(const Json& json, std::string_view name) {
  const Json::Array& list = json.at(name).as_array();
  if (list.size() > kTokensMax) {
    throw invalid_input(std::string(name) + " has more than 1,048,576 entries");
  }
  return list;
}

}  // namespace

Json Answer::completion(std::string_view text) const {
  if (!is_chat()) return Json(text);
  Json message = Json::object();
  message["role"] = "assistant";
  message["content"] = text;
  if (!choice.tool_calls.is_null() && text == choice.text) {
    message["tool_calls"] = choice.tool_calls;
  }
  Json list = Json::array();
  list.push_back(std::move(message));
  return list;
}

Json Answer::to_json() const {
  Json json = Json::object();
  json["completion"] = head.id;
  json["choice"] = index;
  if (!head.asked.empty() && head.asked != head.model) json["asked"] = head.asked;
  json["model"] = head.model;
  json["model_digest"] = head.model_digest;
  json["system_fingerprint"] = head.fingerprint;
  json["settings"] = head.settings;
  if (is_chat()) {
    json["messages"] = head.messages;
  } else {
    json["prompt"] = choice.prompt;
  }
  json["text"] = choice.text;
  if (!choice.tool_calls.is_null()) json["tool_calls"] = choice.tool_calls;
  json["finish_reason"] = choice.finish_reason;
  json["token_ids"] = list_of(choice.token_ids);
  json["log_probs"] = list_of(choice.log_probs);
  json["created_at_ms"] = head.created_at_ms;
  return json;
}

Answer Answer::from_json(const Json& json) {
  Answer answer;
  answer.head.id = json.at("completion").as_string();
  answer.index = json.at("choice").as_int();
  answer.head.model = text_of(json, "model");
  const std::string asked = text_of(json, "asked");
  answer.head.asked = asked.empty() ? answer.head.model : asked;
  answer.head.model_digest = text_of(json, "model_digest");
  answer.head.fingerprint = text_of(json, "system_fingerprint");
  answer.head.settings = json_of(json, "settings");
  answer.head.messages = json_of(json, "messages");
  answer.head.created_at_ms = json.at("created_at_ms").as_int();
  answer.choice.prompt = text_of(json, "prompt");
  answer.choice.text = json.at("text").as_string();
  answer.choice.tool_calls = json_of(json, "tool_calls");
  answer.choice.finish_reason = text_of(json, "finish_reason");
  for (const Json& id : numbers(json, "token_ids")) {
    answer.choice.token_ids.push_back(static_cast<int32_t>(id.as_int()));
  }
  for (const Json& value : numbers(json, "log_probs")) {
    answer.choice.log_probs.push_back(static_cast<float>(value.as_double()));
  }
  return answer;
}

size_t KeptCompletion::bytes() const {
  size_t bytes = sizeof(KeptCompletion) + head.id.size() + head.caller.size() +
                 bytes_of(head.settings) + bytes_of(head.messages);
  for (const Choice& each : choices) {
    bytes += sizeof(Choice) + each.prompt.size() + each.text.size() + bytes_of(each.tool_calls) +
             each.token_ids.size() * sizeof(int32_t) + each.log_probs.size() * sizeof(float);
  }
  return bytes;
}

}  // namespace hone::feedback
