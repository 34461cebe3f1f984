#include "openai/chat_exchange.h"

#include <utility>

#include "openai/token_text.h"

namespace hone::openai {
namespace {

// A stream numbers its calls, since their pieces might come apart.
std::string call_json(const llm::ToolCall& call, bool is_stream) {
  std::string out = "{";
  if (is_stream) out += "\"index\":" + std::to_string(call.index) + ",";
  return out + "\"id\":" + json_text(call.id) +
         ",\"type\":\"function\",\"function\":{\"name\":" + json_text(call.name) +
         ",\"arguments\":" + json_text(call.arguments) + "}}";
}

}  // namespace

ChatExchange::ChatExchange(Service& service, Caller caller, ServedModelPointer model,
                           ChatRequest request, std::shared_ptr<const llm::ToolUse> tools,
                           std::vector<int32_t> prompt, size_t max_tokens)
    : Exchange(service, std::move(caller), std::move(model)),
      request_(std::move(request)),
      tools_(std::move(tools)),
      prompt_(std::move(prompt)),
      settings_(settings_json(request_, max_tokens).dump()),
      choices_(request_.n) {
  set_id("chatcmpl-");
  chunk_head_ = head("chat.completion.chunk");
  begin_record(request_.model, request_.conversation.messages, {}, settings_, choices_.size(),
               request_.store);
  if (tools_->is_off()) return;
  for (size_t i = 0; i < choices_.size(); ++i) {
    choices_[i].parser.emplace(*tools_, id() + "/" + std::to_string(i));
  }
}

std::string ChatExchange::head(std::string_view object) const {
  return "{\"id\":\"" + id() + "\",\"object\":\"" + std::string(object) +
         "\",\"created\":" + std::to_string(created_s()) + ",\"model\":" + json_text(model().name) +
         ",\"system_fingerprint\":\"" + model().fingerprint + "\"";
}

void ChatExchange::on_prompt(size_t, size_t, std::span<const llm::PromptTokenScore>) {
  if (!is_stream()) return;
  for (size_t i = 0; i < choices_.size(); ++i) {
    send_chunk(i, R"({"role":"assistant","content":"","refusal":null})", {}, {});
  }
}

void ChatExchange::on_token(size_t, const llm::TokenEvent& event) {
  Choice& choice = choices_[event.sample];
  if (request_.return_token_ids) choice.ids.push_back(event.id);
  std::string entry;
  if (request_.log_probs) {
    append_chat_log_prob(entry, service().tokenizer(), event.id, event.log_prob, event.top);
  }
  std::string text(event.text);
  if (choice.parser) text += tools_->marker_text(service().tokenizer(), event.id);
  take_text(event.sample, text, entry, false);
}

void ChatExchange::on_end(size_t, const llm::EndEvent& event) {
  Choice& choice = choices_[event.sample];
  take_text(event.sample, event.text, {}, true);
  const bool has_calls = choice.parser && choice.parser->call_count() > 0;
  choice.finish_reason = has_calls && event.reason == llm::FinishReason::kStop
                             ? std::string_view("tool_calls")
                             : llm::name(event.reason);
  record_calls(event.sample);
  if (is_stream()) {
    send_chunk(event.sample, "{}", {}, choice.finish_reason, mac_member(event.sample));
  }
}

void ChatExchange::take_text(size_t index, std::string_view text, std::string_view entry,
                             bool is_end) {
  Choice& choice = choices_[index];
  std::string content(text);
  std::string calls;
  if (choice.parser) {
    llm::ToolCallOutput found = choice.parser->push(text);
    if (is_end) {
      llm::ToolCallOutput rest = choice.parser->finish();
      found.content += rest.content;
      for (llm::ToolCall& call : rest.calls) found.calls.push_back(std::move(call));
    }
    content = std::move(found.content);
    for (const llm::ToolCall& call : found.calls) {
      if (!calls.empty()) calls += ',';
      calls += call_json(call, is_stream());
      if (!choice.called.empty()) choice.called += ',';
      choice.called += call_json(call, false);
    }
    choice.said += content;
  }
  if (is_stream()) {
    if (!content.empty() || !entry.empty()) send_text(index, content, entry);
    if (!calls.empty()) send_chunk(index, "{\"tool_calls\":[" + calls + "]}", {}, {});
    return;
  }
  choice.text += content;
  const auto add = [](std::string& list, std::string_view more) {
    if (!list.empty() && !more.empty()) list += ',';
    list += more;
  };
  add(choice.log_probs, entry);
  add(choice.calls, calls);
}

void ChatExchange::record_calls(size_t index) {
  const Choice& choice = choices_[index];
  feedback::Choice* record = recorded(index);
  if (record == nullptr || !choice.parser) return;
  record->text = choice.said;
  record->finish_reason = choice.finish_reason;
  if (choice.called.empty()) return;
  // What the model wrote in its calls is JSON by their grammar; should it not be, the text stands alone.
  Result<Json> calls = Json::parse("[" + choice.called + "]");
  if (calls) record->tool_calls = std::move(*calls);
}

std::string ChatExchange::choice_json(size_t index) const {
  const Choice& choice = choices_[index];
  const bool calls_alone = choice.text.empty() && !choice.calls.empty();
  std::string out = "{\"index\":" + std::to_string(index) +
                    ",\"message\":{\"role\":\"assistant\",\"content\":" +
                    (calls_alone ? "null" : json_text(choice.text)) + ",\"refusal\":null";
  if (!choice.calls.empty()) out += ",\"tool_calls\":[" + choice.calls + "]";
  out += "},\"logprobs\":";
  out += request_.log_probs ? "{\"content\":[" + choice.log_probs + "],\"refusal\":null}" : "null";
  out += ",\"finish_reason\":" + json_text(choice.finish_reason) + mac_member(index);
  if (request_.return_token_ids) out += ",\"token_ids\":" + ids_json(choice.ids);
  return out + "}";
}

std::string ChatExchange::finish() {
  const std::string usage = usage_json(prompt_tokens(), cached_tokens(), generated_tokens());
  if (is_stream()) {
    if (request_.include_usage) send(chunk_head_ + ",\"choices\":[],\"usage\":" + usage + "}");
    return {};
  }
  std::string out = head("chat.completion") + ",\"choices\":[";
  for (size_t i = 0; i < choices_.size(); ++i) {
    if (i > 0) out += ',';
    out += choice_json(i);
  }
  out += "],\"usage\":" + usage + ",\"settings\":" + settings_;
  if (request_.return_token_ids) out += ",\"prompt_token_ids\":" + ids_json(prompt_);
  return out + "}";
}

void ChatExchange::send_chunk(size_t index, std::string_view delta, std::string_view log_probs,
                              std::string_view finish_reason, std::string_view mac) {
  std::string out = chunk_head_;
  out += ",\"choices\":[{\"index\":" + std::to_string(index) + ",\"delta\":";
  out += delta;
  out += ",\"logprobs\":";
  if (log_probs.empty()) {
    out += "null";
  } else {
    ((out += "{\"content\":[") += log_probs) += "],\"refusal\":null}";
  }
  out += ",\"finish_reason\":";
  if (finish_reason.empty()) {
    out += "null";
  } else {
    append_json_string(out, finish_reason);
  }
  out += mac;
  if (request_.return_token_ids) {
    out += ",\"token_ids\":" + ids_json(choices_[index].ids);
    choices_[index].ids.clear();
  }
  out += "}]";
  if (request_.include_usage) out += ",\"usage\":null";
  if (first_chunk_) {
    out += ",\"settings\":" + settings_;
    if (request_.return_token_ids) out += ",\"prompt_token_ids\":" + ids_json(prompt_);
    first_chunk_ = false;
  }
  send(out + "}");
}

void ChatExchange::send_text(size_t index, std::string_view text, std::string_view log_probs) {
  std::string delta = "{\"content\":";
  append_json_string(delta, text);
  send_chunk(index, delta + "}", log_probs, {});
}

}  // namespace hone::openai
