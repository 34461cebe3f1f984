#include "llm/chat_template.h"

#include <algorithm>
#include <optional>

#include "llm/jinja/from_json.h"
#include "llm/jinja/interpreter.h"
#include "llm/jinja/parser.h"

namespace hone::llm {
namespace {

using jinja::Origin;
using jinja::Value;

constexpr size_t kMaxSource = 1u << 20;
// Stands at the end of the last message while it renders. The template may trim its last space.
constexpr std::string_view kContinueTag = "CONTINUE_FINAL_MESSAGE_TAG ";

Value message_value(const Json& message, size_t index, jinja::Budget& budget) {
  if (!message.is_object()) return jinja::from_json(message, jinja::kFromData, budget);
  if (index >= (1u << 22)) jinja::fail("a chat has too many messages");
  const Json* role = message.find("role");
  Origin origin = jinja::kFromData | static_cast<Origin>(index + 1) << jinja::kMessageShift;
  if (role != nullptr && role->is_string() && role->as_string() == "assistant")
    origin |= jinja::kAssistant;
  std::vector<std::pair<Value, Value>> items;
  for (const auto& [key, value] : message.as_object()) {
    const Origin of_value = key == "role" ? origin | jinja::kRoleField : origin;
    items.emplace_back(Value::text(key, origin), jinja::from_json(value, of_value, budget));
  }
  return Value::dict(std::move(items));
}

Value messages_value(const Json& messages, jinja::Budget& budget) {
  std::vector<Value> items;
  for (const Json& message : messages.as_array()) {
    items.push_back(message_value(message, items.size(), budget));
  }
  return Value::list(std::move(items));
}

Value or_none(const Json* json, jinja::Budget& budget) {
  return json == nullptr ? Value::none() : jinja::from_json(*json, jinja::kFromData, budget);
}

RenderedChat to_chat(jinja::Text text) {
  RenderedChat chat;
  size_t begin = 0;
  for (const auto& run : text.runs) {
    Span span;
    span.begin = begin;
    span.end = begin = run.end;
    span.generated = (run.origin & jinja::kGenerated) != 0;
    span.trusted = (run.origin & ~jinja::kGenerated) == jinja::kFromTemplate;
    span.message = static_cast<int>(run.origin >> jinja::kMessageShift) - 1;
    span.assistant = (run.origin & jinja::kAssistant) != 0;
    span.role_field = (run.origin & jinja::kRoleField) != 0;
    chat.spans.push_back(span);
  }
  chat.text = std::move(text.bytes);
  return chat;
}

// The text to which the tag is put: the content itself or its last part with a "text".
std::string* open_text(Json& message) {
  if (!message.is_object()) return nullptr;
  for (auto& [key, value] : message.as_object()) {
    if (key != "content") continue;
    if (value.is_string()) return &const_cast<std::string&>(value.as_string());
    if (!value.is_array()) return nullptr;
    auto& parts = value.as_array();
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (!part->is_object()) continue;
      for (auto& [name, text] : part->as_object()) {
        if (name == "text" && text.is_string()) return &const_cast<std::string&>(text.as_string());
      }
    }
  }
  return nullptr;
}

void cut(RenderedChat& chat, size_t size) {
  chat.text.resize(size);
  while (!chat.spans.empty() && chat.spans.back().begin >= size) chat.spans.pop_back();
  if (!chat.spans.empty()) chat.spans.back().end = std::min(chat.spans.back().end, size);
}

void cut_at_tag(RenderedChat& chat) {
  const std::string_view word = kContinueTag.substr(0, kContinueTag.size() - 1);
  const size_t at = chat.text.rfind(word);
  if (at == std::string::npos) {
    throw invalid_input(
        "chat template: the last message does not appear in the text, so it cannot be continued");
  }
  const bool keeps_space = chat.text.compare(at, kContinueTag.size(), kContinueTag) == 0;
  cut(chat, at);
  if (keeps_space) return;
  const size_t last = chat.text.find_last_not_of(" \t\n\r\v\f");
  cut(chat, last == std::string::npos ? 0 : last + 1);
}

}  // namespace

struct ChatTemplate::Parsed {
  std::string source;
  ChatTemplateOptions options;
  jinja::Block block;
};

Result<ChatTemplate> ChatTemplate::parse(std::string source, ChatTemplateOptions options) {
  if (source.size() > kMaxSource) {
    return Error(ErrorCode::kTooLarge, "chat template: its text is longer than 1 MiB");
  }
  auto parsed = std::make_shared<Parsed>();
  try {
    parsed->block = jinja::parse_template(source);
  } catch (const jinja::TemplateError& error) {
    return invalid_input("chat template, line " + std::to_string(error.line) + ": " +
                         error.message);
  }
  parsed->source = std::move(source);
  parsed->options = std::move(options);
  return ChatTemplate(std::move(parsed));
}

const std::string& ChatTemplate::source() const { return parsed_->source; }

RenderedChat ChatTemplate::render(const Json& messages, const RenderOptions& options) const {
  if (!options.continue_final_message) return render_messages(messages, options);
  if (options.add_generation_prompt) {
    throw invalid_input(
        "chat template: continue_final_message and add_generation_prompt exclude one another");
  }
  Json open = messages;
  if (!open.is_array() || open.size() == 0) {
    throw invalid_input("chat template: continue_final_message needs a message to continue");
  }
  std::string* text = open_text(open.as_array().back());
  if (text == nullptr) {
    throw invalid_input(
        "chat template: continue_final_message needs a last message with text as its content");
  }
  *text += kContinueTag;
  RenderedChat chat = render_messages(open, options);
  cut_at_tag(chat);
  return chat;
}

RenderedChat ChatTemplate::render_messages(const Json& messages,
                                           const RenderOptions& options) const {
  if (!messages.is_array()) {
    throw invalid_input("chat template: messages must be an array, found " +
                        std::string(messages.kind_name()));
  }
  jinja::Budget budget;
  budget.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  jinja::Interpreter interpreter(budget, options.now_s);
  try {
    jinja::Budget& charged = interpreter.budget();
    interpreter.define("messages", messages_value(messages, charged));
    interpreter.define("tools", or_none(options.tools, charged));
    interpreter.define("documents", or_none(options.documents, charged));
    interpreter.define("add_generation_prompt", Value::boolean(options.add_generation_prompt));
    interpreter.define("bos_token", Value::text(parsed_->options.bos_token));
    interpreter.define("eos_token", Value::text(parsed_->options.eos_token));
    if (options.variables != nullptr) {
      for (const auto& [name, value] : options.variables->as_object()) {
        interpreter.define(name, jinja::from_json(value, jinja::kFromData, charged));
      }
    }
    return to_chat(interpreter.run(parsed_->block));
  } catch (const jinja::TemplateError& error) {
    throw invalid_input("chat template, line " + std::to_string(interpreter.line()) + ": " +
                        error.message);
  }
}

std::string ChatTemplate::generation_prompt(const Json& messages,
                                            const RenderOptions& options) const {
  RenderOptions with = options, without = options;
  with.continue_final_message = without.continue_final_message = false;
  with.add_generation_prompt = true;
  without.add_generation_prompt = false;
  try {
    const std::string longer = render_messages(messages, with).text;
    const std::string shorter = render_messages(messages, without).text;
    return longer.starts_with(shorter) ? longer.substr(shorter.size()) : std::string();
  } catch (const Error&) {
    return {};  // a template may refuse a prompt behind the assistant's message
  }
}

namespace {

// "<|im_start|>" of "<|im_start|>assistant\n": up to the first closing bracket, or the first line.
std::string turn_start(const std::string& prompt) {
  const size_t begin = prompt.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return {};
  const size_t end = prompt.find_first_of(">]\n", begin);
  if (end == std::string::npos) return prompt.substr(begin);
  return prompt.substr(begin, end - begin + (prompt[end] != '\n'));
}

bool is_said(const Span& span) { return span.assistant && !span.role_field && span.message >= 0; }

size_t tail_end(std::string_view tail, const std::string& eos, const std::string& start) {
  if (!eos.empty() && tail.find(eos) != std::string_view::npos) return tail.find(eos) + eos.size();
  const size_t next_turn = start.empty() ? tail.size() : std::min(tail.find(start), tail.size());
  const size_t end = std::min({tail.find('\n'), next_turn, tail.size()});
  return tail.substr(0, end).find_last_not_of(" \t\r\n") == std::string_view::npos ? 0 : end;
}

}  // namespace

std::vector<ByteRange> ChatTemplate::assistant_ranges(const RenderedChat& chat,
                                                      const Json& messages,
                                                      const RenderOptions& options) const {
  std::vector<ByteRange> ranges;
  const auto& spans = chat.spans;
  for (const Span& span : spans) {
    if (!span.generated) continue;
    if (!ranges.empty() && ranges.back().end == span.begin) {
      ranges.back().end = span.end;
    } else {
      ranges.push_back({span.begin, span.end});
    }
  }
  if (!ranges.empty()) return ranges;
  if (std::none_of(spans.begin(), spans.end(), is_said)) return ranges;

  const std::string prompt = generation_prompt(messages, options);
  const std::string start = turn_start(prompt);
  const std::string_view text = chat.text;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (!is_said(spans[i])) continue;
    // Forward over trusted text to the last data of this message.
    size_t last = i;
    for (size_t next = i + 1;
         next < spans.size() && (spans[next].trusted || spans[next].message == spans[i].message);
         ++next) {
      if (is_said(spans[next])) last = next;
      if (spans[next].role_field) break;
    }
    // Back over text that is not another message's, to the generation prompt.
    size_t before = spans[i].begin;
    for (size_t back = i; back > 0 && (spans[back - 1].trusted || spans[back - 1].role_field);
         --back) {
      before = spans[back - 1].begin;
    }
    if (!ranges.empty()) before = std::max(before, ranges.back().end);
    size_t begin = spans[i].begin;
    const std::string_view head = text.substr(before, begin - before);
    const size_t found = prompt.empty() ? std::string_view::npos : head.rfind(prompt);
    if (found != std::string_view::npos) begin = before + found + prompt.size();
    size_t end = spans[last].end;
    if (last + 1 < spans.size() && spans[last + 1].trusted) {
      end +=
          tail_end(text.substr(end, spans[last + 1].end - end), parsed_->options.eos_token, start);
    }
    ranges.push_back({begin, end});
    i = last;
  }
  return ranges;
}

}  // namespace hone::llm
