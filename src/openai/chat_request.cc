#include "openai/chat_request.h"

#include <algorithm>

#include "openai/errors.h"

namespace hone::openai {
namespace {

constexpr size_t kTextBytesMax = size_t{16} << 20;

// A string, or a list of parts of type text; null when absent.
Json read_content(Fields& message) {
  const Json* content = message.take("content");
  if (content == nullptr) return nullptr;
  const std::string name = message.name_of("content");
  if (content->is_string()) return *content;
  if (!content->is_array()) {
    throw bad_field(name, name + " must be a string or a list of parts of type text");
  }
  std::string text;
  bool is_first = true;
  for (const Json& part : content->as_array()) {
    Fields fields(part, name + ".");
    fields.require("type");
    const std::string type = *fields.text("type", kNameBytesMax);
    if (type != "text" && type != "input_text" && type != "output_text") {
      throw bad_field(name,
                      "this model reads text only; a part of type '" + shown(type) + "' was sent");
    }
    fields.require("text");
    if (!is_first) text += '\n';
    is_first = false;
    text += *fields.text("text", kTextBytesMax);
    fields.finish();
  }
  return text;
}

// {"id", "type": "function", "function": {"name", "arguments"}}; arguments as an object, which is
// what templates read.
Json read_tool_calls(const Json& calls, const std::string& name) {
  if (!calls.is_array()) throw bad_field(name, name + " must be a list");
  if (calls.size() > kToolsMax) throw bad_field(name, name + " has more than 128 calls");
  Json out = Json::array();
  for (const Json& each : calls.as_array()) {
    Fields call(each, name + ".");
    Json json = Json::object();
    if (auto id = call.text("id", kNameBytesMax)) json["id"] = *id;
    call.word("type", {"function"});
    call.ignore({"index"});
    json["type"] = "function";
    Fields function(call.require("function"), name + ".function.");
    Json inner = Json::object();
    function.require("name");
    inner["name"] = *function.text("name", kNameBytesMax);
    const Json* arguments = function.take("arguments");
    if (arguments == nullptr) {
      inner["arguments"] = Json::object();
    } else if (arguments->is_object()) {
      inner["arguments"] = *arguments;
    } else if (arguments->is_string()) {
      Result<Json> parsed = Json::parse(arguments->as_string(), {.max_depth = 100});
      if (!parsed || !parsed->is_object()) {
        throw bad_field(name + ".function.arguments",
                        name + ".function.arguments must be a JSON object, as a string");
      }
      inner["arguments"] = std::move(*parsed);
    } else {
      throw bad_field(name + ".function.arguments", name + ".function.arguments must be a string");
    }
    function.finish();
    call.finish();
    json["function"] = std::move(inner);
    out.push_back(std::move(json));
  }
  return out;
}

Json read_message(const Json& value, size_t index) {
  const std::string where = "messages[" + std::to_string(index) + "].";
  Fields fields(value, where);
  fields.require("role");
  std::string role = *fields.word("role", {"system", "developer", "user", "assistant", "tool"});
  if (role == "developer") role = "system";  // templates know it by this name
  Json message = Json::object();
  message["role"] = role;
  Json content = read_content(fields);
  const Json* calls = fields.take("tool_calls");
  if (content.is_null() && (role != "assistant" || calls == nullptr)) {
    throw bad_field(where + "content", "the field " + where + "content is missing");
  }
  message["content"] = content.is_null() ? Json("") : std::move(content);
  if (calls != nullptr) {
    if (role != "assistant") {
      throw bad_field(where + "tool_calls", where + "tool_calls is for the role assistant only");
    }
    if (calls->size() > 0) message["tool_calls"] = read_tool_calls(*calls, where + "tool_calls");
  }
  if (auto name = fields.text("name", kNameBytesMax)) message["name"] = *name;
  if (auto id = fields.text("tool_call_id", kNameBytesMax)) message["tool_call_id"] = *id;
  if (auto text = fields.text("reasoning_content", kTextBytesMax)) {
    message["reasoning_content"] = *text;
  }
  fields.ignore({"annotations", "refusal"});  // of an answer that is sent back
  fields.refuse("audio", "this model reads text only");
  fields.refuse("function_call", "use tool_calls");
  fields.finish();
  return message;
}

bool is_tool_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

Json read_tools(Fields& fields) {
  const Json* tools = fields.take("tools");
  if (tools == nullptr) return nullptr;
  const std::string name = fields.name_of("tools");
  if (!tools->is_array()) throw bad_field(name, name + " must be a list of functions");
  if (tools->size() > kToolsMax) {
    throw bad_field(name, name + " has " + std::to_string(tools->size()) + " tools; at most " +
                              std::to_string(kToolsMax) + " are taken");
  }
  if (tools->size() == 0) return nullptr;
  std::vector<std::string> names;
  for (size_t i = 0; i < tools->size(); ++i) {
    const std::string where = name + "[" + std::to_string(i) + "].";
    Fields tool(tools->as_array()[i], where);
    tool.require("type");
    tool.word("type", {"function"});
    Fields function(tool.require("function"), where + "function.");
    function.require("name");
    names.push_back(*function.text("name", kNameBytesMax));
    if (!is_tool_name(names.back())) {
      throw bad_field(where + "function.name",
                      where + "function.name must be 1 to 64 letters, digits, - or _");
    }
    if (std::count(names.begin(), names.end(), names.back()) > 1) {
      throw bad_field(where + "function.name", "two tools are called " + names.back());
    }
    function.text("description", kTextBytesMax);
    function.flag("strict");
    if (const Json* parameters = function.take("parameters")) {
      if (!parameters->is_object()) {
        throw bad_field(where + "function.parameters",
                        where + "function.parameters must be a JSON schema");
      }
    }
    function.finish();
    tool.finish();
  }
  return *tools;
}

// Which tools there are, llm::ToolUse looks at later.
void read_tool_choice(Fields& fields, ChatRequest& request) {
  request.parallel_tool_calls = fields.flag("parallel_tool_calls").value_or(true);
  const Json* choice = fields.take("tool_choice");
  if (choice == nullptr) return;
  if (choice->is_string()) {
    fields.word("tool_choice", {"none", "auto", "required"});
    if (choice->as_string() == "required" && request.conversation.tools.is_null()) {
      throw bad_field("tool_choice", "tool_choice asks for a tool, but there are none");
    }
    request.tool_choice = *choice;
    return;
  }
  Fields named(*choice, "tool_choice.");
  named.require("type");
  named.word("type", {"function"});
  Fields function(named.require("function"), "tool_choice.function.");
  function.require("name");
  const std::string name = *function.text("name", kNameBytesMax);
  function.finish();
  named.finish();
  if (!request.conversation.tools.is_null()) {
    for (const Json& tool : request.conversation.tools.as_array()) {
      if (tool.at("function").at("name").as_string() != name) continue;
      request.tool_choice = *choice;
      return;
    }
  }
  throw bad_field("tool_choice",
                  "tool_choice names the tool '" + shown(name) + "', which is not among the tools");
}

void read_log_probs(Fields& fields, ChatRequest& request) {
  request.log_probs = fields.flag("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, kTopLogProbsMax);
  if (top && *top > 0 && !request.log_probs) {
    throw bad_field("top_logprobs", "top_logprobs needs logprobs: true");
  }
  request.top_log_probs = static_cast<size_t>(top.value_or(0));
}

void read_max_tokens(Fields& fields, ChatRequest& request) {
  const auto old_name = fields.integer("max_tokens", 1, kTokensMax);
  const auto new_name = fields.integer("max_completion_tokens", 1, kTokensMax);
  if (old_name && new_name && *old_name != *new_name) {
    throw bad_field("max_tokens", "max_tokens and max_completion_tokens differ: send one of them");
  }
  if (old_name || new_name)
    request.max_tokens = static_cast<size_t>(new_name ? *new_name : *old_name);
  if (request.max_tokens && request.min_tokens > *request.max_tokens) {
    throw bad_field("min_tokens", "min_tokens is more than max_tokens");
  }
}

}  // namespace

Conversation read_conversation(Fields& fields) {
  Conversation conversation;
  const Json& messages = fields.require("messages");
  if (!messages.is_array()) throw bad_field("messages", "messages must be a list of messages");
  if (messages.size() == 0) throw bad_field("messages", "messages is empty");
  if (messages.size() > kMessagesMax) {
    throw bad_field("messages", "messages has " + std::to_string(messages.size()) +
                                    " entries; at most " + std::to_string(kMessagesMax) +
                                    " are taken");
  }
  conversation.messages = Json::array();
  for (size_t i = 0; i < messages.size(); ++i) {
    conversation.messages.push_back(read_message(messages.as_array()[i], i));
  }
  conversation.tools = read_tools(fields);
  if (const Json* documents = fields.take("documents")) {
    if (!documents->is_array()) throw bad_field("documents", "documents must be a list");
    conversation.documents = *documents;
  }
  if (const Json* variables = fields.take("chat_template_kwargs")) {
    if (!variables->is_object()) {
      throw bad_field("chat_template_kwargs", "chat_template_kwargs must be an object");
    }
    conversation.variables = *variables;
  }
  conversation.continue_final_message = fields.flag("continue_final_message").value_or(false);
  const auto prompt = fields.flag("add_generation_prompt");
  if (conversation.continue_final_message && prompt.value_or(false)) {
    throw bad_field("continue_final_message",
                    "continue_final_message and add_generation_prompt exclude each other");
  }
  conversation.add_generation_prompt = prompt.value_or(!conversation.continue_final_message);
  return conversation;
}

ChatRequest read_chat_request(const Json& body, Env& env) {
  Fields fields(body);
  ChatRequest request;
  read_generation(fields, request, env);
  request.conversation = read_conversation(fields);
  read_max_tokens(fields, request);
  read_tool_choice(fields, request);
  read_log_probs(fields, request);
  if (const Json* modalities = fields.take("modalities")) {
    Json text = Json::array();
    text.push_back("text");
    if (*modalities != text) throw bad_field("modalities", "this model writes text only");
  }
  fields.refuse("add_special_tokens", "the chat template writes what there is to write");
  fields.refuse("echo", "use /v1/completions");
  fields.refuse("functions", "use tools");
  fields.refuse("function_call", "use tool_choice");
  fields.refuse("audio", "this model writes text only");
  fields.refuse("web_search_options", "this server does not search the web");
  fields.refuse("chat_template", "the model's own template is used");
  fields.finish();
  return request;
}

}  // namespace hone::openai
