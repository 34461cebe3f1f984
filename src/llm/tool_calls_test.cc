#include "llm/tool_calls.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "llm/chat_template.h"
#include "llm/tokenizer/byte_alphabet.h"
#include "llm/tokenizer/tokenizer_gguf.h"
#include "llm/tool_call_parser.h"

namespace hone::llm {
namespace {

using grammar::VocabularyTrie;

constexpr char kHermes[] =
    "{% if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>{% endif %}"
    "{% for m in messages %}{{ m.role }}: {{ m.content }}{% if m.tool_calls %}"
    "{% for c in m.tool_calls %}<tool_call>\n{\"name\": \"{{ c.function.name }}\", \"arguments\": "
    "{{ c.function.arguments | tojson }}}\n</tool_call>{% endfor %}{% endif %}\n{% endfor %}";
constexpr char kLlama[] =
    "{% if tools %}Environment: ipython {{ tools }}{% endif %}{\"name\": ..., \"parameters\": ...}";
constexpr char kMistral[] =
    "{% if tools %}[AVAILABLE_TOOLS]{{ tools }}{% endif %}[TOOL_CALLS] {{ m.tool_calls|tojson }}";
constexpr char kPlain[] = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}";

const char* const kTools = R"([
  {"type":"function","function":{"name":"get_weather","description":"Weather of a city",
   "parameters":{"type":"object","properties":{"city":{"type":"string"},
   "unit":{"enum":["C","F"]}},"required":["city"],"additionalProperties":false}}},
  {"type":"function","function":{"name":"stop","description":"Ends it"}},
  {"type":"function","function":{"name":"add","parameters":{"properties":
   {"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a","b"]}}}])";

Json tools() { return Json::parse(kTools).value(); }

ToolUse use_of(std::string_view source, const char* choice = "\"auto\"", bool parallel = true) {
  const Json parsed = Json::parse(choice).value();
  return ToolUse::make(tools(), &parsed, parallel, source).value();
}

std::string error_of(const char* tools_text, const char* choice = "null") {
  const Json parsed = Json::parse(choice).value();
  const auto use = ToolUse::make(Json::parse(tools_text).value(), &parsed, true, kPlain);
  return use ? "accepted" : use.error().message();
}

// Bytes, and <tool_call> as a special token.
struct Words {
  Words() : tokenizer(make()), trie(std::make_shared<const VocabularyTrie>(tokenizer)) {}
  static Tokenizer make() {
    GgufTokenizerFields fields;
    fields.model = "gpt2";
    fields.pre = "smollm";
    for (int b = 0; b < 256; ++b) {
      fields.tokens.push_back(piece_of_bytes(std::string(1, static_cast<char>(b))));
    }
    for (const char* text : {"aa", "<tool", "_call>", "_call>{", "_call>\n{\"", "call>x", "{\"name",
                             "\": \"", "\"}}\n</", "tool_call>", "S] [{", "[TOOL", "_CALL"}) {
      fields.tokens.push_back(piece_of_bytes(text));
    }
    fields.merges = {"a a"};
    fields.token_types.assign(fields.tokens.size(), 1);
    for (const char* control : {"<tool_call>", "[TOOL_CALLS]", "<|im_end|>"}) {
      fields.tokens.push_back(control);
      fields.token_types.push_back(3);
    }
    fields.eos = static_cast<int32_t>(fields.tokens.size() - 1);
    return Tokenizer(tokenizer_from_gguf(fields));
  }
  Tokenizer tokenizer;
  std::shared_ptr<const VocabularyTrie> trie;
};

// Whether the constraint takes the text, byte by byte, and whether it may end there.
enum class Fit { kRefused, kOpen, kWhole };
Fit fit(const ToolUse& use, const Words& words, std::string_view text) {
  const auto constraint = use.constraint(words.trie).value();
  std::vector<uint64_t> bits((words.trie->vocabulary() + 63) / 64);
  const auto is_allowed = [&](int32_t token) {
    std::fill(bits.begin(), bits.end(), 0);
    constraint->allowed(bits);
    return (bits[static_cast<size_t>(token) / 64] >> (token % 64) & 1) != 0;
  };
  for (const char c : text) {
    const int32_t token = words.tokenizer.find(piece_of_bytes(std::string(1, c))).value();
    if (!is_allowed(token)) return Fit::kRefused;
    constraint->accept(token);
  }
  return is_allowed(words.trie->end_of_generation()[0]) ? Fit::kWhole : Fit::kOpen;
}

TEST(ToolUse, FindsTheSyntaxInWhatTheTemplateWrites) {
  EXPECT_EQ(use_of(kHermes).syntax(), ToolSyntax::kHermes);
  EXPECT_NE(use_of(kHermes).tools_for_template(), nullptr);
  EXPECT_EQ(use_of(kLlama).syntax(), ToolSyntax::kLlama3);
  EXPECT_EQ(use_of(kMistral).syntax(), ToolSyntax::kMistral);
  EXPECT_EQ(use_of(kPlain).syntax(), ToolSyntax::kHermes);
  EXPECT_EQ(use_of(kPlain).tools_for_template(), nullptr);
  EXPECT_EQ(use_of("{{ tools }} in a way of its own").tools_for_template(), nullptr);
}

TEST(ToolUse, ARequiredCallIsHeldToSyntaxAndSchema) {
  const Words words;
  const ToolUse use = use_of(kHermes, "\"required\"");
  EXPECT_TRUE(use.must_call());
  const std::string weather =
      "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>";
  EXPECT_EQ(fit(use, words, weather), Fit::kWhole);
  EXPECT_EQ(fit(use, words, weather + "\n" + weather), Fit::kWhole);
  EXPECT_EQ(fit(use, words, "<tool_call>{\"name\":\"stop\",\"arguments\":{}}</tool_call>"),
            Fit::kWhole);
  EXPECT_EQ(fit(use, words, weather.substr(0, 40)), Fit::kOpen);
  EXPECT_EQ(fit(use, words, "Hello"), Fit::kRefused);
  EXPECT_EQ(fit(use, words, "<tool_call>\n{\"name\": \"rain\""), Fit::kRefused);
  EXPECT_EQ(fit(use, words, "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {}"),
            Fit::kRefused);
  EXPECT_EQ(fit(use, words, weather + "x"), Fit::kRefused);
  const ToolUse single = use_of(kHermes, "\"required\"", false);
  EXPECT_EQ(fit(single, words, weather), Fit::kWhole);
  EXPECT_EQ(fit(single, words, weather + "\n"), Fit::kRefused);
}

TEST(ToolUse, ANamedFunctionIsTheOnlyOne) {
  const Words words;
  const ToolUse use = use_of(kPlain, R"({"type":"function","function":{"name":"add"}})");
  EXPECT_EQ(
      fit(use, words,
          "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1, \"b\": 2}}\n</tool_call>"),
      Fit::kWhole);
  EXPECT_EQ(fit(use, words, "<tool_call>\n{\"name\": \"stop\""), Fit::kRefused);
}

TEST(ToolUse, ByDefaultTextIsFreeUntilACallBegins) {
  const Words words;
  const ToolUse use = use_of(kHermes);
  EXPECT_FALSE(use.must_call());
  for (const char* text :
       {"", "Hello <tool> é 😀", "<tool_cal", "<<tool_call", "<tool_tool_call>"}) {
    EXPECT_EQ(fit(use, words, text), Fit::kWhole) << text;
  }
  EXPECT_EQ(fit(use, words, "Well. <<tool_call>\n{\"name\": \"st"), Fit::kOpen);
  EXPECT_EQ(fit(use, words, "Well. <tool_call>\n{\"name\": \"x"), Fit::kRefused);
  EXPECT_EQ(fit(use, words, "<tool_call> no"), Fit::kRefused);
  EXPECT_EQ(fit(use, words, "a<tool_call>{\"name\": \"stop\", \"arguments\": {}}</tool_call>"),
            Fit::kWhole);
}

TEST(ToolUse, ATokenThatRunsOverTheBeginningOfACallIsHeldToo) {
  const Words words;
  const auto constraint = use_of(kHermes).constraint(words.trie).value();
  const auto id = [&](const char* text) {
    return words.tokenizer.find(piece_of_bytes(text)).value();
  };
  constraint->accept(id("<tool"));
  std::vector<uint64_t> bits((words.trie->vocabulary() + 63) / 64);
  constraint->allowed(bits);
  const auto allowed = [&](int32_t t) {
    return (bits[static_cast<size_t>(t) / 64] >> (t % 64) & 1) != 0;
  };
  EXPECT_TRUE(allowed(id("_call>")));
  EXPECT_TRUE(allowed(id("_call>{")));
  EXPECT_TRUE(allowed(id("_call>\n{\"")));
  EXPECT_FALSE(allowed(words.tokenizer.find("[TOOL_CALLS]").value()));
  EXPECT_TRUE(allowed(words.tokenizer.find("<tool_call>").value()));
  constraint->accept(id("_"));
  std::fill(bits.begin(), bits.end(), 0);
  constraint->allowed(bits);
  EXPECT_FALSE(allowed(id("call>x")));
}

TEST(ToolUse, LlamaAndMistralHaveTheirOwnForms) {
  const Words words;
  const ToolUse llama = use_of(kLlama);
  EXPECT_EQ(fit(llama, words, "{\"name\": \"add\", \"parameters\": {\"a\": 1,\"b\": 2}}"),
            Fit::kWhole);
  EXPECT_EQ(fit(llama, words, "{\"name\": \"sub\""), Fit::kRefused);
  EXPECT_EQ(fit(llama, words, "{\"names\": 3} is JSON"), Fit::kWhole);
  EXPECT_EQ(fit(llama, words, "Hello {\"name\": 3}"), Fit::kWhole);
  EXPECT_EQ(fit(use_of(kLlama, "\"required\""), words, "Hello"), Fit::kRefused);
  const ToolUse mistral = use_of(kMistral);
  const std::string stop = "{\"name\": \"stop\", \"arguments\": {}}";
  EXPECT_EQ(fit(mistral, words, "Yes: [TOOL_CALLS] [" + stop + ", " + stop + "]"), Fit::kWhole);
  EXPECT_EQ(fit(mistral, words, "[TOOL_CALLS] [" + stop), Fit::kOpen);
  EXPECT_EQ(fit(mistral, words, "[TOOL_CALLS] []"), Fit::kRefused);
}

TEST(ToolUse, WhatIsWrongIsNamed) {
  EXPECT_EQ(error_of("3"), "tools: it must be an array");
  EXPECT_EQ(error_of(R"([{"type":"web_search"}])"),
            "tools[0]: `type` must be \"function\"; other tools are not supported");
  EXPECT_EQ(error_of(R"([{"type":"function","function":{"name":"a b"}}])"),
            "tools[0].function.name: it must be 1 to 64 letters, digits, '_' and '-'");
  EXPECT_EQ(error_of(R"([{"type":"function","function":{"name":"a"}},)"
                     R"({"type":"function","function":{"name":"a"}}])"),
            "tools[1]: the name a stands twice");
  EXPECT_EQ(error_of(R"([{"type":"function","function":{"name":"a","parameters":)"
                     R"({"properties":{"x":{"not":{}}}}}}])"),
            "the JSON schema at tools.a.parameters.properties.x: `not` is not supported");
  EXPECT_EQ(error_of("[]", "\"required\""),
            "tool_choice: a call is required, but `tools` is empty");
  EXPECT_EQ(error_of(kTools, "\"maybe\""),
            "tool_choice: it must be none, auto, required or a function by name");
  EXPECT_EQ(error_of(kTools, R"({"type":"function","function":{"name":"x"}})"),
            "tool_choice: there is no tool named x in `tools`");
  EXPECT_EQ(error_of("[]"), "accepted");
}

TEST(ToolUse, NoneMeansThatTheModelNeverHearsOfThem) {
  const Words words;
  const ToolUse use = use_of(kHermes, "\"none\"");
  EXPECT_TRUE(use.is_off());
  EXPECT_EQ(use.tools_for_template(), nullptr);
  EXPECT_EQ(use.constraint(words.trie).value(), nullptr);
  ToolCallParser parser(use, "id");
  EXPECT_EQ(parser.push("<tool_call>{").content, "<tool_call>{");
}

TEST(ToolUse, ATemplateWithoutToolsGetsThemInASystemText) {
  const Json messages = Json::parse(R"([{"role":"system","content":"Be kind."},
    {"role":"user","content":"Rain?"},
    {"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":
     {"name":"get_weather","arguments":"{\"city\":\"Rome\"}"}}]},
    {"role":"tool","tool_call_id":"1","content":"wet"}])")
                            .value();
  const std::string text = ChatTemplate::parse(kPlain)
                               .value()
                               .render(use_of(kPlain).messages_for_template(messages))
                               .text;
  EXPECT_EQ(text.find("<system>Be kind.\n\nYou can call these tools."), 0u) << text;
  EXPECT_NE(text.find("{\"name\":\"stop\",\"description\":\"Ends it\"}\n"), std::string::npos);
  EXPECT_NE(text.find("<assistant><tool_call>\n{\"name\":\"get_weather\",\"arguments\":{\"city\":"
                      "\"Rome\"}}\n</tool_call>\n<user><tool_response>\nwet\n</tool_response>\n"),
            std::string::npos)
      << text;
  Json only = Json::array();
  only.push_back(messages.as_array()[1]);
  EXPECT_EQ(use_of(kPlain).messages_for_template(only).as_array()[0].at("role").as_string(),
            "system");
}

TEST(ToolUse, ArgumentsAreAnObjectWhereTheTemplateWritesThemAsJson) {
  const Json messages = Json::parse(R"([{"role":"assistant","content":"","tool_calls":[{"function":
     {"name":"add","arguments":"{\"a\":1,\"b\":2}"}}]}])")
                            .value();
  const ToolUse use = use_of(kHermes);
  RenderOptions options;
  options.tools = use.tools_for_template();
  const std::string text = ChatTemplate::parse(kHermes)
                               .value()
                               .render(use.messages_for_template(messages), options)
                               .text;
  EXPECT_NE(text.find("\"arguments\": {\"a\": 1, \"b\": 2}}"), std::string::npos) << text;
  EXPECT_NE(text.find("<tools>{\"type\": \"function\""), std::string::npos) << text;
}

TEST(ToolUse, HundredsOfKilobytesOfSchemasAreTaken) {
  Json list = Json::array();
  std::string description(200, 'd');
  for (int t = 0; t < 300; ++t) {
    Json properties = Json::object();
    for (int p = 0; p < 20; ++p) {
      Json property = Json::object();
      property["type"] = p % 3 == 0 ? "string" : p % 3 == 1 ? "integer" : "boolean";
      property["description"] = description.substr(0, 40);
      properties["parameter_" + std::to_string(p)] = std::move(property);
    }
    Json function = Json::object();
    function["name"] = "tool_" + std::to_string(t);
    function["description"] = description;
    function["parameters"] = Json::object();
    function["parameters"]["type"] = "object";
    function["parameters"]["properties"] = std::move(properties);
    Json tool = Json::object();
    tool["type"] = "function";
    tool["function"] = std::move(function);
    list.push_back(std::move(tool));
  }
  const std::string text = list.dump();
  EXPECT_GT(text.size(), 500'000u);
  const Json choice = "required";
  const auto use = ToolUse::make(list, &choice, true, kHermes);
  ASSERT_TRUE(use) << use.error().message();
  const Words words;
  EXPECT_EQ(fit(*use, words,
                "<tool_call>\n{\"name\": \"tool_299\", \"arguments\": {\"parameter_3\": \"x\", "
                "\"parameter_19\": 7}}\n</tool_call>"),
            Fit::kWhole);
  printf("%zu bytes of tools\n", text.size());
}

// ---- reading calls out of text ------------------------------------------------------------------

struct Read {
  std::string content;
  std::vector<ToolCall> calls;
};

Read read(const ToolUse& use, std::string_view text, size_t piece) {
  ToolCallParser parser(use, "chatcmpl-1");
  Read out;
  const auto take = [&](ToolCallOutput now) {
    out.content += now.content;
    for (ToolCall& call : now.calls) out.calls.push_back(std::move(call));
  };
  for (size_t i = 0; i < text.size(); i += piece) take(parser.push(text.substr(i, piece)));
  take(parser.finish());
  return out;
}

void expect_read(const ToolUse& use, std::string_view text, const std::string& content,
                 const std::vector<std::pair<std::string, std::string>>& calls) {
  for (size_t piece = 1; piece <= text.size() + 1; ++piece) {
    const Read got = read(use, text, piece);
    EXPECT_EQ(got.content, content) << text << " in pieces of " << piece;
    ASSERT_EQ(got.calls.size(), calls.size()) << text << " in pieces of " << piece;
    for (size_t i = 0; i < calls.size(); ++i) {
      EXPECT_EQ(got.calls[i].name, calls[i].first);
      EXPECT_EQ(got.calls[i].arguments, calls[i].second);
      EXPECT_EQ(got.calls[i].index, i);
    }
  }
}

TEST(ToolCallParser, ReadsCallsHoweverTheTextIsCut) {
  const ToolUse use = use_of(kHermes);
  expect_read(use, "Hello.", "Hello.", {});
  expect_read(use,
              "Let me see.\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": "
              "\"a}\\\"</tool_call>\"}}\n</tool_call>\n<tool_call>{\"name\":\"stop\",\"arguments\":"
              "{}}</tool_call>\n",
              "Let me see.\n",
              {{"get_weather", "{\"city\":\"a}\\\"</tool_call>\"}"}, {"stop", "{}"}});
  expect_read(use, "<tool_call>{\"name\":\"stop\",\"arguments\":{}} then", "then",
              {{"stop", "{}"}});
  expect_read(use, "<tool_call>{\"name\":\"add\",\"arguments\":\"{\\\"a\\\":1}\"}</tool_call>", "",
              {{"add", "{\"a\":1}"}});
}

TEST(ToolCallParser, WhatIsNoCallIsContent) {
  const ToolUse use = use_of(kHermes);
  for (const char* text :
       {"a <tool_call", "<tool_call>", "<tool_call>{\"name\": \"stop\"", "<tool_call>[1]",
        "<tool_call>{\"name\":\"unknown\",\"arguments\":{}}</tool_call>",
        "<tool_call>{\"name\":\"stop\"}</tool_call>", "<tool_call>{bad}</tool_call> on",
        "<tool_call>{\"name\":\"stop\",\"arguments\":[]}"}) {
    expect_read(use, text, text, {});
  }
  expect_read(use, "<tool_call>{x<tool_call>{\"name\":\"stop\",\"arguments\":{}}</tool_call>",
              "<tool_call>{x", {{"stop", "{}"}});
}

TEST(ToolCallParser, ReadsLlamaAndMistral) {
  const ToolUse llama = use_of(kLlama);
  expect_read(llama, " {\"name\": \"add\", \"parameters\": {\"a\": 1}}", "",
              {{"add", "{\"a\":1}"}});
  expect_read(llama, "Hi {\"name\": \"add\"}", "Hi {\"name\": \"add\"}", {});
  expect_read(llama, "{\"nam\": 1}", "{\"nam\": 1}", {});
  const ToolUse mistral = use_of(kMistral);
  expect_read(mistral,
              "[TOOL_CALLS] [{\"name\":\"stop\",\"arguments\":{}},{\"name\":\"add\",\"arguments\":"
              "{\"b\":[2]},\"id\":\"123456789\"}]",
              "", {{"stop", "{}"}, {"add", "{\"b\":[2]}"}});
  expect_read(mistral, "[TOOL_CALLS] []", "[TOOL_CALLS] []", {});
}

TEST(ToolCallParser, ContentIsNotHeldBackLongerThanNeeded) {
  const ToolUse use = use_of(kHermes);
  ToolCallParser other(use, "x");
  EXPECT_EQ(other.push("Hello <").content, "Hello ");
  EXPECT_EQ(other.push("b> and <tool_").content, "<b> and ");
  EXPECT_EQ(other.finish().content, "<tool_");
}

TEST(ToolCallParser, IdsDifferAndHaveTheirForm) {
  const std::string two =
      "<tool_call>{\"name\":\"stop\",\"arguments\":{}}</tool_call><tool_call>{\"name\":\"stop\","
      "\"arguments\":{}}</tool_call>";
  const ToolUse use = use_of(kHermes);
  const Read got = read(use, two, 100);
  ASSERT_EQ(got.calls.size(), 2u);
  EXPECT_EQ(got.calls[0].id.size(), 29u);
  EXPECT_EQ(got.calls[0].id.substr(0, 5), "call_");
  EXPECT_NE(got.calls[0].id, got.calls[1].id);
  const ToolUse mistral = use_of(kMistral);
  EXPECT_EQ(
      read(mistral, "[TOOL_CALLS][{\"name\":\"stop\",\"arguments\":{}}]", 9).calls.at(0).id.size(),
      9u);
}

TEST(ToolCallParser, EndlessBeginningsCostBoundedWork) {
  const ToolUse use = use_of(kHermes);
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "<tool_call>{\"";
  const Read got = read(use, text, 1000);
  EXPECT_EQ(got.content, text);
}

TEST(ToolUse, MarksThatAreSpecialTokensAreGivenToTheParser) {
  const Words words;
  const int32_t special = words.tokenizer.find("<tool_call>").value();
  EXPECT_EQ(use_of(kHermes).marker_text(words.tokenizer, special), "<tool_call>");
  EXPECT_EQ(use_of(kMistral).marker_text(words.tokenizer, special), "");
  EXPECT_EQ(use_of(kHermes).marker_text(words.tokenizer, words.tokenizer.find("a").value()), "");
}

// What a constrained model writes, the parser reads, whatever tokens it takes.
TEST(ToolUse, EveryRandomAnswerUnderRequiredIsCallsWithTheirArguments) {
  const Words words;
  for (const char* source : {kHermes, kLlama, kMistral}) {
    const ToolUse use = use_of(source, "\"required\"");
    const auto made = use.constraint(words.trie).value();
    size_t calls = 0;
    for (uint64_t seed = 0; seed < 40; ++seed) {
      Rng rng(seed, rng_stream("calls"));
      const auto constraint = made->clone();
      ToolCallParser parser(use, "x");
      std::vector<uint64_t> bits((words.trie->vocabulary() + 63) / 64);
      ToolCallOutput all;
      const auto take = [&](ToolCallOutput now) {
        all.content += now.content;
        for (ToolCall& call : now.calls) all.calls.push_back(std::move(call));
      };
      for (int step = 0; step < 20'000; ++step) {
        std::fill(bits.begin(), bits.end(), 0);
        constraint->allowed(bits);
        std::vector<int32_t> tokens;
        for (int32_t t = 0; t < static_cast<int32_t>(words.trie->vocabulary()); ++t) {
          if (bits[static_cast<size_t>(t) / 64] >> (t % 64) & 1) tokens.push_back(t);
        }
        ASSERT_FALSE(tokens.empty());
        int32_t token = tokens[rng.below(tokens.size())];
        for (const int32_t t : tokens) {
          if (words.trie->bytes_of(t) == "\"" && rng.below(4) == 0) token = t;
          if (words.trie->is_end_of_generation(t) && rng.below(2) == 0) token = t;
        }
        constraint->accept(token);
        if (words.trie->is_end_of_generation(token)) break;
        const std::string_view marker = use.marker_text(words.tokenizer, token);
        take(parser.push(marker.empty() ? words.trie->bytes_of(token) : marker));
      }
      take(parser.finish());
      EXPECT_EQ(all.content, "") << source << seed;
      EXPECT_GE(all.calls.size(), 1u) << source << seed;
      for (const ToolCall& call : all.calls)
        EXPECT_TRUE(Json::parse(call.arguments)) << call.arguments;
      calls += all.calls.size();
    }
    EXPECT_GE(calls, 40u);
  }
}

}  // namespace
}  // namespace hone::llm
