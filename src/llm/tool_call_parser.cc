#include "llm/tool_call_parser.h"

#include <algorithm>

#include "base/rng.h"

namespace hone::llm {
namespace {

constexpr size_t kMaxCallBytes = 1u << 20, kMaxCalls = 256, kMaxGivenUp = 64;
constexpr std::string_view kSpace = " \t\r\n";

std::string_view begin_mark(ToolSyntax syntax) {
  switch (syntax) {
    case ToolSyntax::kHermes: return "<tool_call>";
    case ToolSyntax::kMistral: return "[TOOL_CALLS]";
    case ToolSyntax::kLlama3: return {};
  }
  return {};
}

std::string_view end_mark(ToolSyntax syntax) {
  return syntax == ToolSyntax::kHermes ? "</tool_call>" : std::string_view();
}

// How much of the end of the text could be the beginning of the mark.
size_t open_end(std::string_view text, std::string_view mark) {
  for (size_t size = std::min(text.size(), mark.size() - 1); size > 0; --size) {
    if (mark.starts_with(text.substr(text.size() - size))) return size;
  }
  return 0;
}

std::string call_id(const std::string& seed, size_t index, ToolSyntax syntax) {
  constexpr std::string_view kLetters =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  Rng rng(0, rng_stream("tool-call " + seed, index));
  const bool short_id = syntax == ToolSyntax::kMistral;
  std::string out = short_id ? "" : "call_";
  for (size_t i = short_id ? 9 : 24; i > 0; --i) out += kLetters[rng.below(kLetters.size())];
  return out;
}

// The text without the calls' marks is what Llama 3 writes: {"name"...
bool may_be_bare_call(std::string_view text) {
  constexpr std::string_view kBegin = "{\"name\"";
  size_t at = 0;
  for (const char c : text) {
    if (at == kBegin.size()) return true;
    if (c == kBegin[at]) {
      ++at;
    } else if (kSpace.find(c) == std::string_view::npos || at > 1) {
      return false;
    }
  }
  return true;
}

}  // namespace

ToolCallOutput ToolCallParser::push(std::string_view text) {
  ToolCallOutput out;
  held_ += text;
  run(out, false);
  return out;
}

ToolCallOutput ToolCallParser::finish() {
  ToolCallOutput out;
  run(out, true);
  out.content += held_;
  held_.clear();
  state_ = State::kStart;
  return out;
}

void ToolCallParser::run(ToolCallOutput& out, bool at_end) {
  if (use_->is_off()) {
    out.content += held_;
    held_.clear();
    return;
  }
  // Each turn takes bytes off held_ or moves to another state, or stops.
  for (bool goes_on = true; goes_on && !held_.empty();) {
    switch (state_) {
      case State::kStart: goes_on = read_start(out, at_end); break;
      case State::kContent: goes_on = read_content(out, at_end); break;
      case State::kCall: goes_on = read_call(out, at_end); break;
      case State::kAfterCall: goes_on = read_after(at_end); break;
    }
  }
}

bool ToolCallParser::read_start(ToolCallOutput& out, bool at_end) {
  (void)out;
  (void)at_end;
  if (use_->syntax() != ToolSyntax::kLlama3) {
    state_ = State::kContent;
    return true;
  }
  const size_t first = held_.find_first_not_of(kSpace);
  if (first == std::string::npos) return false;
  state_ = held_[first] == '{' ? State::kCall : State::kContent;
  call_begin_ = first;
  scanned_ = depth_ = 0;
  in_string_ = escaped_ = false;
  return true;
}

bool ToolCallParser::read_content(ToolCallOutput& out, bool at_end) {
  const std::string_view mark = begin_mark(use_->syntax());
  const bool looks = !mark.empty() && count_ < kMaxCalls && given_up_ < kMaxGivenUp;
  const size_t found = looks ? held_.find(mark) : std::string::npos;
  if (found == std::string::npos) {
    const size_t keep = !looks || at_end ? 0 : open_end(held_, mark);
    out.content.append(held_, 0, held_.size() - keep);
    held_.erase(0, held_.size() - keep);
    return false;
  }
  out.content.append(held_, 0, found);
  held_.erase(0, found);
  state_ = State::kCall;
  call_begin_ = mark.size();
  scanned_ = depth_ = 0;
  in_string_ = escaped_ = false;
  return true;
}

// What was taken for a call is content; the first byte of it at least.
void ToolCallParser::give_up(ToolCallOutput& out) {
  const std::string_view mark = begin_mark(use_->syntax());
  const size_t size = mark.empty() ? held_.size() : mark.size();
  out.content.append(held_, 0, size);
  held_.erase(0, size);
  state_ = State::kContent;
  ++given_up_;
}

bool ToolCallParser::read_call(ToolCallOutput& out, bool at_end) {
  const size_t begin = held_.find_first_not_of(kSpace, call_begin_);
  if (begin == std::string::npos) return false;
  const char opening = use_->syntax() == ToolSyntax::kMistral ? '[' : '{';
  const bool bare = use_->syntax() == ToolSyntax::kLlama3;
  if (held_[begin] != opening || held_.size() > kMaxCallBytes ||
      (bare && !may_be_bare_call(std::string_view(held_).substr(begin)))) {
    give_up(out);
    return true;
  }
  size_t at = std::max(scanned_, begin);
  for (bool closed = false; at < held_.size() && !closed; ++at) {
    const char c = held_[at];
    if (escaped_) {
      escaped_ = false;
    } else if (in_string_) {
      if (c == '\\') escaped_ = true;
      if (c == '"') in_string_ = false;
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if ((c == '}' || c == ']') && --depth_ == 0) {
      closed = true;
    }
  }
  scanned_ = at;
  if (depth_ > 0 || in_string_) {
    if (at_end) give_up(out);
    return at_end;
  }
  if (!take_calls(std::string_view(held_).substr(begin, at - begin), out)) {
    give_up(out);
    return true;
  }
  held_.erase(0, at);
  state_ = State::kAfterCall;
  return true;
}

// White space and the mark behind a call are not content.
bool ToolCallParser::read_after(bool at_end) {
  const size_t begin = held_.find_first_not_of(kSpace);
  if (begin == std::string::npos) {
    if (at_end) held_.clear();
    return false;
  }
  const std::string_view mark = end_mark(use_->syntax());
  const std::string_view rest = std::string_view(held_).substr(begin);
  if (!mark.empty() && rest.size() < mark.size() && mark.starts_with(rest) && !at_end) return false;
  const bool marked = !mark.empty() && rest.starts_with(mark);
  held_.erase(0, begin + (marked ? mark.size() : 0));
  if (!marked) state_ = State::kContent;
  return true;
}

bool ToolCallParser::make_call(const Json& json, ToolCall& call) {
  const Json* name = json.find("name");
  const Json* arguments = json.find("arguments");
  if (arguments == nullptr) arguments = json.find("parameters");
  if (name == nullptr || !name->is_string() || !use_->has_tool(name->as_string())) return false;
  if (arguments == nullptr) return false;
  call.name = name->as_string();
  if (arguments->is_object()) {
    call.arguments = arguments->dump();
    return true;
  }
  // Some models write the object as a text.
  if (!arguments->is_string()) return false;
  const auto inner = Json::parse(arguments->as_string());
  if (!inner || !inner->is_object()) return false;
  call.arguments = arguments->as_string();
  return true;
}

bool ToolCallParser::take_calls(std::string_view json, ToolCallOutput& out) {
  const auto parsed = Json::parse(json);
  if (!parsed) return false;
  std::vector<Json> entries;
  if (parsed->is_array()) {
    entries = parsed->as_array();
  } else {
    entries.push_back(*parsed);
  }
  if (entries.empty() || count_ + entries.size() > kMaxCalls) return false;
  std::vector<ToolCall> calls(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    if (!make_call(entries[i], calls[i])) return false;
  }
  for (ToolCall& call : calls) {
    call.index = count_++;
    call.id = call_id(id_seed_, call.index, use_->syntax());
    out.calls.push_back(std::move(call));
  }
  return true;
}

}  // namespace hone::llm
