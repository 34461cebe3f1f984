#pragma once
// Tools of a chat request (OpenAI's `tools`, `tool_choice`, `parallel_tool_calls`): what the prompt
// needs, what the answer may be, and how calls are read out of it (tool_call_parser.h).
//
// How a model writes a call is its template's business, so the syntax is found in the template's
// source, by what it writes:
//   "[TOOL_CALLS]"                      Mistral  [TOOL_CALLS] [{"name": .., "arguments": ..}, ..]
//   "<tool_call>"                       Hermes   <tool_call>\n{"name": .., "arguments": ..}\n</tool_call>
//   "parameters": beside ipython        Llama 3  {"name": .., "parameters": ..}, one call
// A template that does not know tools (SmolLM2), or none of these syntaxes, gets the tools in a system
// text of ours (docs/serving.md) and the Hermes syntax.
//
// Immutable: any number of threads.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "llm/grammar/constraint.h"
#include "llm/tokenizer/tokenizer.h"

namespace hone::llm {

enum class ToolSyntax { kHermes, kLlama3, kMistral };

struct Tool {
  std::string name;
  Json parameters;  // its JSON schema
};

class ToolUse {
 public:
  // tools: an array of {"type": "function", "function": {"name", "description", "parameters"}};
  // choice: null or absent (auto), "none", "auto", "required", {"type": "function", "function":
  // {"name"}}. Errors: invalid_input that names the field; schemas are checked here, so that a
  // constraint can be made. At most 1,024 tools; names of 1 to 64 letters, digits, '_' and '-'.
  static Result<ToolUse> make(const Json& tools, const Json* choice, bool parallel,
                              std::string_view template_source);

  ToolSyntax syntax() const { return syntax_; }
  // No tools, or none may be called: the prompt has none of them and the answer is plain text.
  bool is_off() const { return off_; }
  // A call must come (required, or a function by name).
  bool must_call() const { return must_call_; }
  const std::vector<Tool>& tools() const { return tools_; }
  bool has_tool(std::string_view name) const;

  // For RenderOptions::tools; null when the template is not told.
  const Json* tools_for_template() const;
  // The messages as this template takes them: our system text in front where the template knows no
  // tools, with earlier calls and their results as text; otherwise calls' arguments as the template
  // wants them (an object or a text).
  Json messages_for_template(const Json& messages) const;

  // What the answer may be. With must_call(): calls and nothing else. Otherwise free text in which a
  // call, once begun ("<tool_call>"), is held to its syntax and schema. Null when off.
  Result<std::unique_ptr<TokenConstraint>> constraint(
      std::shared_ptr<const grammar::VocabularyTrie> trie) const;

  // Some vocabularies have a special token for the text that begins or ends a call; streamed text
  // does not show it, so the parser must be given it. Empty for every other token.
  std::string_view marker_text(const Tokenizer& tokenizer, int32_t token) const;

 private:
  ToolUse() = default;

  ToolSyntax syntax_ = ToolSyntax::kHermes;
  bool off_ = true, must_call_ = false, parallel_ = true;
  bool template_knows_ = false, arguments_as_object_ = false;
  Json raw_;                 // the request's tools
  std::vector<Tool> tools_;  // that may be called
  std::shared_ptr<const grammar::Grammar> grammar_;
};

}  // namespace hone::llm
