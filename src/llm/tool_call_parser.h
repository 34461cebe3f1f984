#pragma once
// From an answer's text, as it comes, to what a client gets: plain content and tool calls.
//
// Content comes out as soon as it cannot be the beginning of a call. A call comes out whole, when its
// last bracket is there. What looks like a call but is none (bad JSON, an unknown tool, cut off)
// comes out as content: nothing that the model wrote is lost but the marks around calls.
//
// Bounds: a call of at most 1 MiB, 256 calls, 64 that were none; beyond, the text is content. For one thread.

#include <string>
#include <string_view>
#include <vector>

#include "llm/tool_calls.h"

namespace hone::llm {

struct ToolCall {
  size_t index = 0;
  std::string id;  // "call_" and 24 characters; for Mistral 9 characters, as its template wants
  std::string name;
  std::string arguments;  // a JSON object as text
};

struct ToolCallOutput {
  std::string content;
  std::vector<ToolCall> calls;
};

class ToolCallParser {
 public:
  // id_seed: what makes the calls' ids unique, such as the completion's id.
  ToolCallParser(const ToolUse& use, std::string id_seed)
      : use_(&use), id_seed_(std::move(id_seed)) {}

  ToolCallOutput push(std::string_view text);
  // The end of the answer: what was held back.
  ToolCallOutput finish();
  size_t call_count() const { return count_; }

 private:
  enum class State { kStart, kContent, kCall, kAfterCall };

  void run(ToolCallOutput& out, bool at_end);
  bool read_start(ToolCallOutput& out, bool at_end);
  bool read_content(ToolCallOutput& out, bool at_end);
  bool read_call(ToolCallOutput& out, bool at_end);
  bool read_after(bool at_end);
  bool take_calls(std::string_view json, ToolCallOutput& out);
  bool make_call(const Json& json, ToolCall& call);
  void give_up(ToolCallOutput& out);

  const ToolUse* use_;
  std::string id_seed_;
  State state_ = State::kStart;
  std::string held_;       // not yet decided
  size_t call_begin_ = 0;  // in held_, behind the mark
  // The scan for the last bracket goes on where it stopped.
  size_t scanned_ = 0, depth_ = 0;
  bool in_string_ = false, escaped_ = false;
  size_t count_ = 0, given_up_ = 0;
};

}  // namespace hone::llm
