#include "llm/tool_calls.h"

#include <algorithm>

#include "llm/grammar/json_schema.h"

namespace hone::llm {
namespace {

using grammar::Expression;
using grammar::JsonRules;
using grammar::Syntax;

constexpr size_t kMaxTools = 1024, kMaxName = 64;
constexpr std::string_view kCallBegin = "<tool_call>", kCallEnd = "</tool_call>";
constexpr std::string_view kMistralBegin = "[TOOL_CALLS]";

constexpr std::string_view kSystemText =
    "You can call these tools. Each line is one tool, with the JSON schema of its arguments:\n";
constexpr std::string_view kSystemRules =
    "\nTo call a tool, write nothing but the call, in exactly this form:\n"
    "<tool_call>\n{\"name\": \"tool name\", \"arguments\": {\"argument name\": \"value\"}}\n"
    "</tool_call>\n"
    "The result then comes in <tool_response></tool_response>. When no tool is needed, answer "
    "directly.";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// "arguments | tojson": the template wants the arguments as an object.
bool writes_arguments_as_json(std::string_view source) {
  if (contains(source, "arguments is string")) return false;
  for (const std::string_view word : {"arguments", "function", "tool_call", "tool_calls"}) {
    for (size_t at = source.find(word); at != std::string_view::npos;
         at = source.find(word, at + 1)) {
      const size_t bar = source.find_first_not_of(" \t\n", at + word.size());
      if (bar == std::string_view::npos || source[bar] != '|') continue;
      const size_t filter = source.find_first_not_of(" \t\n", bar + 1);
      if (filter != std::string_view::npos && source.substr(filter).starts_with("tojson")) {
        return true;
      }
    }
  }
  return false;
}

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= kMaxName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

Tool read_tool(const Json& json, const std::string& place) {
  const Json* type = json.find("type");
  if (type == nullptr || *type != Json("function")) {
    throw invalid_input(place + ": `type` must be \"function\"; other tools are not supported");
  }
  const Json* function = json.find("function");
  if (function == nullptr || !function->is_object()) {
    throw invalid_input(place + ": `function` is missing or not an object");
  }
  const Json* name = function->find("name");
  if (name == nullptr || !name->is_string() || !is_name(name->as_string())) {
    throw invalid_input(place + ".function.name: it must be 1 to 64 letters, digits, '_' and '-'");
  }
  Tool tool = {name->as_string(), Json::object()};
  tool.parameters["type"] = "object";
  tool.parameters["properties"] = Json::object();
  const Json* parameters = function->find("parameters");
  if (parameters != nullptr && !parameters->is_null()) {
    if (!parameters->is_object()) {
      throw invalid_input(place + ".function.parameters: it must be a JSON schema");
    }
    tool.parameters = *parameters;
    if (tool.parameters.find("type") == nullptr) tool.parameters["type"] = "object";
    if (*tool.parameters.find("type") != Json("object")) {
      throw invalid_input(place + ".function.parameters: its `type` must be \"object\"");
    }
  }
  return tool;
}

// ---- the grammar of answers ---------------------------------------------------------------------

Expression mark(std::string_view text) {
  return grammar::choice({grammar::literal(text), grammar::special_token(text)});
}

// Text in which `begin` does not stand, up to it: then `then`. Or text to the end. The states of the
// search for `begin` (Knuth, Morris, Pratt 1977) are rules; each may be the last. Characters are
// ASCII where `begin` is.
Expression free_until(Syntax& syntax, std::string_view begin, const Expression& then) {
  std::vector<uint32_t> states;
  for (size_t i = 0; i < begin.size(); ++i) states.push_back(syntax.add("free text"));
  const auto after = [&](size_t state, char c) {
    std::string seen = std::string(begin.substr(0, state)) + c;
    while (!begin.starts_with(seen)) seen.erase(0, 1);
    return seen.size();
  };
  for (size_t i = 0; i < begin.size(); ++i) {
    std::vector<Expression> ways = {grammar::sequence({}),
                                    grammar::sequence({grammar::special_token(begin), then})};
    grammar::CodePoints known;
    std::string letters(begin);
    std::sort(letters.begin(), letters.end());
    letters.erase(std::unique(letters.begin(), letters.end()), letters.end());
    for (const char c : letters) {
      const auto value = static_cast<uint32_t>(static_cast<uint8_t>(c));
      known.push_back({value, value});
      const size_t to = after(i, c);
      ways.push_back(grammar::sequence({grammar::characters({{value, value}}),
                                        to == begin.size() ? then : grammar::rule(states[to])}));
    }
    ways.push_back(grammar::sequence(
        {grammar::characters(grammar::complement(known)), grammar::rule(states[0])}));
    syntax.rules[states[i]].body = grammar::choice(std::move(ways));
  }
  return grammar::rule(states[0]);
}

// Text that does not begin with `begin`, or `begin` and then `then`.
Expression free_unless_first(Syntax& syntax, std::string_view begin, const Expression& then) {
  const uint32_t any = syntax.add(
      "free text",
      grammar::repeat(grammar::characters(grammar::complement({})), 0, grammar::kNoLimit));
  Expression out = then;
  for (size_t i = begin.size(); i-- > 0;) {
    const auto value = static_cast<uint32_t>(static_cast<uint8_t>(begin[i]));
    out = grammar::rule(syntax.add(
        "beginning",
        grammar::choice(
            {grammar::sequence({}), grammar::sequence({grammar::literal(begin.substr(i, 1)), out}),
             grammar::sequence({grammar::characters(grammar::complement({{value, value}})),
                                grammar::rule(any)})})));
  }
  return out;
}

// {"name": "x", "arguments": {..}} without its first bytes, for the tools.
Expression call_body(const std::vector<Tool>& tools, const char* key, Syntax& syntax,
                     JsonRules& json) {
  grammar::SchemaRules schemas(syntax, json);
  std::vector<Expression> ways;
  for (size_t i = 0; i < tools.size(); ++i) {
    const std::string place = "tools." + tools[i].name + ".parameters";
    ways.push_back(grammar::sequence(
        {grammar::literal(tools[i].name + "\","), grammar::optional(grammar::literal(" ")),
         grammar::literal(std::string("\"") + key + "\":"),
         grammar::optional(grammar::literal(" ")), schemas.add(tools[i].parameters, place),
         grammar::literal("}")}));
  }
  return grammar::rule(syntax.add("call", grammar::choice(std::move(ways))));
}

Expression list_of(const Expression& item, const Expression& separator, bool many) {
  if (!many) return item;
  return grammar::sequence(
      {item, grammar::repeat(grammar::sequence({separator, item}), 0, grammar::kNoLimit)});
}

std::shared_ptr<const grammar::Grammar> answer_grammar(ToolSyntax kind,
                                                       const std::vector<Tool>& tools,
                                                       bool parallel, bool must_call) {
  Syntax syntax;
  JsonRules json(syntax);
  const Expression line = grammar::optional(grammar::literal("\n"));
  const Expression space = grammar::optional(grammar::literal(" "));
  const auto object = [&](const char* key) {
    return grammar::sequence({grammar::literal("{\"name\":"), space, grammar::literal("\""),
                              call_body(tools, key, syntax, json)});
  };
  Expression root;
  if (kind == ToolSyntax::kHermes) {
    const Expression rest = grammar::sequence({line, object("arguments"), line, mark(kCallEnd)});
    const Expression more = grammar::sequence({line, mark(kCallBegin), rest});
    const Expression calls =
        parallel ? grammar::sequence({rest, grammar::repeat(more, 0, grammar::kNoLimit)}) : rest;
    root = must_call ? grammar::sequence({mark(kCallBegin), calls})
                     : free_until(syntax, kCallBegin, grammar::rule(syntax.add("calls", calls)));
  } else if (kind == ToolSyntax::kMistral) {
    const Expression list =
        list_of(object("arguments"), grammar::sequence({grammar::literal(","), space}), parallel);
    const Expression calls =
        grammar::sequence({space, grammar::literal("["), list, grammar::literal("]")});
    root = must_call ? grammar::sequence({mark(kMistralBegin), calls})
                     : free_until(syntax, kMistralBegin, grammar::rule(syntax.add("calls", calls)));
  } else if (must_call) {
    root = object("parameters");
  } else {
    const Expression rest = grammar::sequence({grammar::literal(":"), space, grammar::literal("\""),
                                               call_body(tools, "parameters", syntax, json)});
    root = free_unless_first(syntax, "{\"name\"", grammar::rule(syntax.add("calls", rest)));
  }
  syntax.root = syntax.add("answer", root);
  return grammar::Grammar::compile(syntax).value();
}

// ---- the prompt ---------------------------------------------------------------------------------

std::string call_text(const Json& call) {
  const Json* function = call.find("function");
  if (function == nullptr) return {};
  Json out = Json::object();
  if (const Json* name = function->find("name")) out["name"] = *name;
  if (const Json* arguments = function->find("arguments")) {
    const auto parsed =
        arguments->is_string() ? Json::parse(arguments->as_string()) : Result<Json>(*arguments);
    out["arguments"] = parsed ? *parsed : *arguments;
  }
  return "<tool_call>\n" + out.dump() + "\n</tool_call>";
}

std::string text_of(const Json* content) {
  if (content == nullptr || content->is_null()) return {};
  if (content->is_string()) return content->as_string();
  if (!content->is_array()) return content->dump();
  std::string out;
  for (const Json& part : content->as_array()) {
    const Json* text = part.find("text");
    if (text != nullptr && text->is_string()) out += text->as_string();
  }
  return out;
}

// A message of a conversation with tools, for a template that knows none.
Json as_plain(const Json& message) {
  if (!message.is_object()) return message;
  const Json* role = message.find("role");
  Json out = Json::object();
  if (role != nullptr && *role == Json("tool")) {
    out["role"] = "user";
    out["content"] = "<tool_response>\n" + text_of(message.find("content")) + "\n</tool_response>";
    return out;
  }
  const Json* calls = message.find("tool_calls");
  if (calls == nullptr || !calls->is_array()) return message;
  std::string text = text_of(message.find("content"));
  for (const Json& call : calls->as_array()) {
    if (!text.empty()) text += "\n";
    text += call_text(call);
  }
  if (role != nullptr) out["role"] = *role;
  out["content"] = text;
  return out;
}

Json with_argument_objects(const Json& message) {
  Json out = message;
  if (!out.is_object() || out.find("tool_calls") == nullptr) return out;
  Json& calls = out["tool_calls"];
  if (!calls.is_array()) return out;
  for (Json& call : calls.as_array()) {
    const Json* function = call.find("function");
    const Json* arguments = function == nullptr ? nullptr : function->find("arguments");
    if (arguments == nullptr || !arguments->is_string()) continue;
    auto parsed = Json::parse(arguments->as_string());
    if (parsed && parsed->is_object()) call["function"]["arguments"] = std::move(*parsed);
  }
  return out;
}

}  // namespace

Result<ToolUse> ToolUse::make(const Json& tools, const Json* choice, bool parallel,
                              std::string_view template_source) {
  try {
    ToolUse use;
    if (!tools.is_null() && !tools.is_array()) throw invalid_input("tools: it must be an array");
    if (tools.size() > kMaxTools) throw invalid_input("tools: more than 1,024 are not supported");
    for (size_t i = 0; i < tools.size(); ++i) {
      const std::string place = "tools[" + std::to_string(i) + "]";
      Tool tool = read_tool(tools.as_array()[i], place);
      if (use.has_tool(tool.name)) {
        throw invalid_input(place + ": the name " + tool.name + " stands twice");
      }
      use.tools_.push_back(std::move(tool));
    }
    std::string mode = "auto", named;
    if (choice != nullptr && choice->is_string()) mode = choice->as_string();
    if (choice != nullptr && choice->is_object()) {
      const Json* function = choice->find("function");
      const Json* name = function == nullptr ? nullptr : function->find("name");
      if (name == nullptr || !name->is_string()) {
        throw invalid_input(
            "tool_choice: {\"type\": \"function\", \"function\": {\"name\": ..}} "
            "was expected");
      }
      named = name->as_string();
      if (!use.has_tool(named)) {
        throw invalid_input("tool_choice: there is no tool named " + named + " in `tools`");
      }
    } else if (choice != nullptr && !choice->is_null() && mode != "none" && mode != "auto" &&
               mode != "required") {
      throw invalid_input("tool_choice: it must be none, auto, required or a function by name");
    }
    if (use.tools_.empty() && mode == "required") {
      throw invalid_input("tool_choice: a call is required, but `tools` is empty");
    }
    const bool has_tools = contains(template_source, "tools");
    use.template_knows_ = has_tools;
    if (has_tools && contains(template_source, kMistralBegin) &&
        !contains(template_source, "[ARGS]")) {
      use.syntax_ = ToolSyntax::kMistral;
    } else if (has_tools && contains(template_source, "\"parameters\":") &&
               contains(template_source, "ipython")) {
      use.syntax_ = ToolSyntax::kLlama3;
      parallel = false;
    } else if (!contains(template_source, kCallBegin)) {
      use.template_knows_ = false;
    }
    use.arguments_as_object_ = writes_arguments_as_json(template_source);
    use.off_ = use.tools_.empty() || mode == "none";
    if (use.off_) return use;
    use.must_call_ = mode == "required" || !named.empty();
    use.parallel_ = parallel && named.empty();
    use.raw_ = tools;
    if (!named.empty()) {
      std::erase_if(use.tools_, [&](const Tool& tool) { return tool.name != named; });
    }

    use.grammar_ = answer_grammar(use.syntax_, use.tools_, use.parallel_, use.must_call_);
    return use;
  } catch (const Error& error) {
    return error;
  }
}

bool ToolUse::has_tool(std::string_view name) const {
  return std::any_of(tools_.begin(), tools_.end(),
                     [&](const Tool& tool) { return tool.name == name; });
}

const Json* ToolUse::tools_for_template() const {
  return template_knows_ && !off_ ? &raw_ : nullptr;
}

Json ToolUse::messages_for_template(const Json& messages) const {
  if (!messages.is_array()) return messages;
  Json out = Json::array();
  if (template_knows_) {
    for (const Json& message : messages.as_array()) {
      out.push_back(arguments_as_object_ ? with_argument_objects(message) : message);
    }
    return out;
  }
  for (const Json& message : messages.as_array()) out.push_back(as_plain(message));
  if (off_) return out;
  std::string text(kSystemText);
  for (const Json& tool : raw_.as_array()) text += tool.at("function").dump() + "\n";
  text += kSystemRules;
  auto& list = out.as_array();
  const bool has_system = !list.empty() && list[0].is_object() && list[0].find("role") != nullptr &&
                          *list[0].find("role") == Json("system");
  if (has_system) {
    const std::string own = text_of(list[0].find("content"));
    list[0]["content"] = own.empty() ? text : own + "\n\n" + text;
  } else {
    Json system = Json::object();
    system["role"] = "system";
    system["content"] = text;
    list.insert(list.begin(), std::move(system));
  }
  return out;
}

Result<std::unique_ptr<TokenConstraint>> ToolUse::constraint(
    std::shared_ptr<const grammar::VocabularyTrie> trie) const {
  if (off_) return std::unique_ptr<TokenConstraint>();
  return grammar::make_constraint(grammar_, std::move(trie));
}

std::string_view ToolUse::marker_text(const Tokenizer& tokenizer, int32_t token) const {
  if (off_ || !tokenizer.is_special(token)) return {};
  const std::string_view piece = tokenizer.piece(token);
  const std::vector<std::string_view> marks =
      syntax_ == ToolSyntax::kMistral ? std::vector<std::string_view>{kMistralBegin}
                                      : std::vector<std::string_view>{kCallBegin, kCallEnd};
  return std::find(marks.begin(), marks.end(), piece) != marks.end() ? piece : std::string_view();
}

}  // namespace hone::llm
