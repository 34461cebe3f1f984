// Every field of a request: right, of the wrong type, out of range; and what nobody knows.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "base/env.h"
#include "openai/chat_request.h"
#include "openai/completion_request.h"
#include "openai/errors.h"

namespace hone::openai {
namespace {

const std::string kChat = R"("model":"m","messages":[{"role":"user","content":"hi"}])";
const std::string kText = R"("model":"m","prompt":"hi")";

ChatRequest chat(const std::string& more, const std::string& base = kChat) {
  return read_chat_request(parse_body("{" + base + (more.empty() ? "" : ",") + more + "}"),
                           real_env());
}
CompletionRequest completion(const std::string& more, const std::string& base = kText) {
  return read_completion_request(parse_body("{" + base + (more.empty() ? "" : ",") + more + "}"),
                                 real_env());
}

// The param that an error names, or "accepted".
std::string refused_param(const std::function<void()>& read) {
  try {
    read();
  } catch (const RequestError& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
    EXPECT_FALSE(error.message().empty());
    return error.param();
  }
  return "accepted";
}

struct Row {
  std::string field;
  std::vector<std::string> good, bad;
};

// What both kinds of request take.
const std::vector<Row> kBoth = {
    {"temperature", {"0", "2", "0.5", "null"}, {"-0.1", "2.01", "\"1\"", "true", "[]"}},
    {"top_p", {"0", "1", "0.9"}, {"-0.1", "1.1", "\"x\""}},
    {"top_k", {"0", "-1", "40", "40.0"}, {"-2", "1.5", "\"40\"", "1e12"}},
    {"min_p", {"0", "1"}, {"-1", "2", "{}"}},
    {"presence_penalty", {"-2", "2"}, {"-2.1", "2.1", "\"0\""}},
    {"frequency_penalty", {"-2", "2"}, {"-3", "3", "false"}},
    {"repetition_penalty", {"1", "1.3"}, {"0", "-1", "11", "\"1\""}},
    {"seed", {"0", "-5", "9223372036854775807"}, {"1.5", "\"7\"", "18446744073709551615", "1e30"}},
    {"n", {"1", "3"}, {"0", "129", "1.5", "\"2\"", "-1"}},
    {"min_tokens", {"0"}, {"-1", "0.5"}},
    {"stop", {"\"a\"", "[\"a\",\"b\"]", "[]"}, {"1", "[1]", "\"\"", "[\"a\",\"\"]", "{}"}},
    {"stop_token_ids", {"[1,2]"}, {"1", "[-1]", "[\"a\"]", "[1.5]"}},
    {"logit_bias",
     {"{\"5\":-100,\"6\":100}", "{}"},
     {"[]", "{\"a\":1}", "{\"5\":101}", "{\"5\":\"1\"}", "{\"-1\":1}", "{\"5 \":1}"}},
    {"ignore_eos", {"true", "false"}, {"1", "\"true\""}},
    {"stream", {"true", "false"}, {"1", "\"yes\""}},
    {"response_format", {"{\"type\":\"text\"}", "{\"type\":\"json_object\"}"}, {"\"json\"", "[]"}},
    {"grammar", {"\"root ::= [a]\""}, {"1", "{}"}},
    {"return_token_ids", {"true"}, {"1"}},
    {"cache_salt", {"\"a\""}, {"1"}},
    {"cache_prompt", {"false"}, {"0"}},
    {"user", {"\"me\"", "7"}, {}},
    {"metadata", {"{\"a\":1}"}, {}},
    {"store", {"true", "false", "null"}, {"1", "\"yes\""}},
    {"service_tier", {"\"auto\""}, {}},
    {"skip_special_tokens", {"true"}, {"false", "1"}},
    {"use_beam_search", {"false"}, {"true"}},
    {"truncate_prompt_tokens", {"null"}, {"10"}},
    {"guided_json", {}, {"{}"}},
    {"prompt_logprobs", {}, {"1"}},
};

const std::vector<Row> kChatOnly = {
    {"max_tokens", {"1", "100"}, {"0", "-1", "1.5", "\"10\""}},
    {"max_completion_tokens", {"1"}, {"0", "\"1\""}},
    {"logprobs", {"true", "false"}, {"1", "\"true\""}},
    {"parallel_tool_calls", {"true", "false"}, {"1"}},
    {"add_generation_prompt", {"true", "false"}, {"1"}},
    {"chat_template_kwargs", {"{\"a\":1}"}, {"[]", "1"}},
    {"documents", {"[]"}, {"{}"}},
    {"tools",
     {"[]"},
     {"{}", "[1]", "[{}]", "[{\"type\":\"function\"}]",
      "[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]",
      "[{\"type\":\"x\",\"function\":{\"name\":\"a\"}}]"}},
    {"tool_choice", {"\"none\"", "\"auto\""}, {"\"required\"", "\"sometimes\"", "1"}},
    {"modalities", {"[\"text\"]"}, {"[\"audio\"]", "\"text\""}},
    {"functions", {}, {"[]"}},
    {"chat_template", {}, {"\"x\""}},
    {"echo", {"false"}, {"true"}},
    {"audio", {}, {"{}"}},
};

const std::vector<Row> kTextOnly = {
    {"max_tokens", {"1", "100"}, {"0", "-1", "1.5", "\"10\""}},
    {"logprobs", {"0", "5"}, {"6", "-1", "true", "\"1\""}},
    {"best_of", {"1", "20"}, {"0", "21", "\"2\""}},
    {"echo", {"true", "false"}, {"1"}},
    {"suffix", {"null"}, {"\"x\"", "\"\""}},
    {"add_special_tokens", {"true", "false"}, {"1"}},
};

bool begins_with(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

template <class Read>
void check_table(const std::vector<Row>& rows, const Read& read) {
  for (const Row& row : rows) {
    const auto with = [&](const std::string& value) {
      return refused_param([&] { read("\"" + row.field + "\":" + value); });
    };
    for (const std::string& value : row.good) {
      EXPECT_EQ(with(value), "accepted") << row.field << ": " << value;
    }
    for (const std::string& value : row.bad) {
      EXPECT_TRUE(begins_with(with(value), row.field)) << row.field << ": " << value;
    }
  }
}

TEST(ChatRequest, EachFieldIsCheckedByTypeAndRange) {
  const auto read = [](const std::string& more) { chat(more); };
  check_table(kBoth, read);
  check_table(kChatOnly, read);
}

TEST(CompletionRequest, EachFieldIsCheckedByTypeAndRange) {
  const auto read = [](const std::string& more) { completion(more); };
  check_table(kBoth, read);
  check_table(kTextOnly, read);
}

TEST(Requests, AnUnknownFieldIsRefusedByItsName) {
  EXPECT_EQ(refused_param([] { chat("\"temprature\":1"); }), "temprature");
  EXPECT_EQ(refused_param([] { completion("\"max_new_tokens\":1"); }), "max_new_tokens");
  EXPECT_EQ(refused_param([] { chat("\"stream\":true,\"stream_options\":{\"usage\":true}"); }),
            "stream_options.usage");
  EXPECT_EQ(refused_param([] {
              chat("", R"("model":"m","messages":[{"role":"user","content":"a","mood":1}])");
            }),
            "messages[0].mood");
  // A name from outside is shown in part and stays UTF-8.
  std::string long_name;
  for (int i = 0; i < 200; ++i) long_name += "ä";
  EXPECT_LT(refused_param([&] { chat("\"" + long_name + "\":1"); }).size(), 110u);
}

TEST(Requests, ModelPromptAndMessagesMustBeThere) {
  EXPECT_EQ(refused_param([] { completion("", R"("prompt":"a")"); }), "model");
  EXPECT_EQ(refused_param([] { completion("", R"("model":"m")"); }), "prompt");
  EXPECT_EQ(refused_param([] { chat("", R"("model":"m")"); }), "messages");
  EXPECT_EQ(refused_param([] { chat("", R"("model":"m","messages":[])"); }), "messages");
  EXPECT_EQ(refused_param([] { chat("", R"("model":7,"messages":[])"); }), "model");
}

TEST(Requests, DefaultsAreOpenAIs) {
  const ChatRequest request = chat("");
  EXPECT_EQ(request.sampling.temperature, 1);
  EXPECT_EQ(request.sampling.top_p, 1);
  EXPECT_EQ(request.n, 1u);
  EXPECT_FALSE(request.max_tokens.has_value());
  EXPECT_FALSE(request.stream);
  EXPECT_EQ(*completion("").max_tokens, 16u);
  EXPECT_EQ(completion("\"seed\":-7").seed, static_cast<uint64_t>(-7));
  // Without a seed each request draws its own; -1 asks for that too.
  EXPECT_NE(chat("").seed, chat("").seed);
  EXPECT_NE(chat("\"seed\":-1").seed, chat("\"seed\":-1").seed);
}

TEST(Requests, BoundsAreSaid) {
  std::string stops = "[";
  for (int i = 0; i < 65; ++i) stops += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\"";
  EXPECT_EQ(refused_param([&] { chat("\"stop\":" + stops + "]"); }), "stop");
  EXPECT_EQ(refused_param([&] { chat("\"stop\":\"" + std::string(1025, 'a') + "\""); }), "stop");
  std::string long_ones = "[";
  for (int i = 0; i < 20; ++i) {
    long_ones += (i > 0 ? ",\"" : "\"") + std::string(1000, 'a') + "\"";
  }
  EXPECT_EQ(refused_param([&] { chat("\"stop\":" + long_ones + "]"); }), "stop");
  std::string prompts = "[\"a\"";
  for (int i = 0; i < 1024; ++i) prompts += ",\"a\"";
  EXPECT_EQ(refused_param([&] { completion("", R"("model":"m","prompt":)" + prompts + "]"); }),
            "prompt");
}

TEST(CompletionRequest, ThePromptIsATextTextsIdsOrListsOfIds) {
  const auto prompts = [](const std::string& prompt) {
    return completion("", R"("model":"m","prompt":)" + prompt).prompts;
  };
  EXPECT_EQ(std::get<std::string>(prompts("\"ab\"").at(0)), "ab");
  EXPECT_EQ(prompts("[\"a\",\"b\"]").size(), 2u);
  EXPECT_EQ(std::get<std::vector<int32_t>>(prompts("[1,2,3]").at(0)),
            (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(prompts("[[1],[2,3]]").size(), 2u);
  EXPECT_EQ(prompts("[\"a\",[2,3]]").size(), 2u);
  for (const char* bad : {"7", "{}", "[]", "[1,\"a\"]", "[1.5]", "[-1]", "[[1],2]", "[null]",
                          "[4294967296]", "[[[1]]]", "true"}) {
    EXPECT_EQ(refused_param([&] { prompts(bad); }), "prompt") << bad;
  }
}

TEST(CompletionRequest, SettingsThatExcludeEachOtherAreRefused) {
  EXPECT_EQ(refused_param([] { completion("\"n\":3,\"best_of\":2"); }), "best_of");
  EXPECT_EQ(refused_param([] { completion("\"best_of\":2,\"stream\":true"); }), "best_of");
  EXPECT_EQ(refused_param([] { completion("\"stream_options\":{\"include_usage\":true}"); }),
            "stream_options");
  EXPECT_EQ(refused_param([] { completion("\"min_tokens\":17"); }), "min_tokens");
  EXPECT_EQ(refused_param([] {
              completion(R"("grammar":"root ::= [a]","response_format":{"type":"json_object"})");
            }),
            "grammar");
  EXPECT_EQ(completion("\"max_tokens\":0,\"echo\":true").max_tokens, 0u);
  EXPECT_EQ(completion("\"n\":2").best_of, 2u);
}

TEST(ChatRequest, MaxTokensHasTwoNames) {
  EXPECT_EQ(chat("\"max_completion_tokens\":5").max_tokens, 5u);
  EXPECT_EQ(chat("\"max_completion_tokens\":5,\"max_tokens\":5").max_tokens, 5u);
  EXPECT_EQ(refused_param([] { chat("\"max_completion_tokens\":5,\"max_tokens\":6"); }),
            "max_tokens");
}

TEST(ChatRequest, AlternativesNeedLogProbabilities) {
  EXPECT_EQ(chat("\"logprobs\":true,\"top_logprobs\":20").top_log_probs, 20u);
  EXPECT_EQ(refused_param([] { chat("\"top_logprobs\":1"); }), "top_logprobs");
  EXPECT_EQ(refused_param([] { chat("\"logprobs\":true,\"top_logprobs\":21"); }), "top_logprobs");
}

TEST(ChatRequest, MessagesBecomeWhatTemplatesRead) {
  const ChatRequest request = chat("", R"("model":"m","messages":[
      {"role":"developer","content":"be kind"},
      {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
      {"role":"assistant","content":null,"refusal":null,"annotations":[],
       "tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},
      {"role":"tool","tool_call_id":"c1","content":"2"}])");
  const Json& messages = request.conversation.messages;
  EXPECT_EQ(messages.as_array()[0].at("role").as_string(), "system");
  EXPECT_EQ(messages.as_array()[1].at("content").as_string(), "a\nb");
  EXPECT_EQ(messages.as_array()[2].at("content").as_string(), "");
  const Json& call = messages.as_array()[2].at("tool_calls").as_array()[0];
  EXPECT_EQ(call.at("function").at("arguments").at("x").as_int(), 1);
  EXPECT_EQ(messages.as_array()[3].at("tool_call_id").as_string(), "c1");
}

TEST(ChatRequest, BadMessagesAreNamedByTheirPlace) {
  const auto param = [](const std::string& message) {
    return refused_param([&] { chat("", R"("model":"m","messages":[)" + message + "]"); });
  };
  EXPECT_EQ(param("1"), "messages[0]");
  EXPECT_EQ(param("{}"), "messages[0].role");
  EXPECT_EQ(param(R"({"role":"user"})"), "messages[0].content");
  EXPECT_EQ(param(R"({"role":"king","content":"a"})"), "messages[0].role");
  EXPECT_EQ(param(R"({"role":"user","content":7})"), "messages[0].content");
  EXPECT_EQ(param(R"({"role":"user","content":[{"type":"image_url","image_url":{}}]})"),
            "messages[0].content");
  EXPECT_EQ(param(R"({"role":"user","content":"a","tool_calls":[]})"), "messages[0].tool_calls");
  EXPECT_EQ(
      param(R"({"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{"}}]})"),
      "messages[0].tool_calls.function.arguments");
}

TEST(ChatRequest, ContinuingAnAnswerLeavesOutTheGenerationPrompt) {
  EXPECT_FALSE(chat("\"continue_final_message\":true").conversation.add_generation_prompt);
  EXPECT_TRUE(chat("").conversation.add_generation_prompt);
  EXPECT_EQ(
      refused_param([] { chat("\"continue_final_message\":true,\"add_generation_prompt\":true"); }),
      "continue_final_message");
}

TEST(ChatRequest, AToolThatIsChosenMustBeThere) {
  const std::string tools =
      R"("tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}])";
  EXPECT_TRUE(chat(tools).tool_choice.is_null());
  EXPECT_EQ(chat(tools + R"(,"tool_choice":"required")").tool_choice.as_string(), "required");
  const ChatRequest named =
      chat(tools + R"(,"tool_choice":{"type":"function","function":{"name":"f"}})");
  EXPECT_EQ(named.tool_choice.at("function").at("name").as_string(), "f");
  EXPECT_EQ(refused_param([&] {
              chat(tools + R"(,"tool_choice":{"type":"function","function":{"name":"g"}})");
            }),
            "tool_choice");
  EXPECT_EQ(refused_param([&] { chat(R"("tool_choice":"required")"); }), "tool_choice");
}

TEST(ChatRequest, ASchemaComesWithItsFormat) {
  using Format = GenerationRequest::Format;
  const ChatRequest request =
      chat(R"("response_format":{"type":"json_schema","json_schema":{"name":"a","strict":true,)"
           R"("schema":{"type":"object"}}})");
  EXPECT_EQ(request.format, Format::kJsonSchema);
  EXPECT_EQ(request.schema.at("type").as_string(), "object");
  EXPECT_EQ(chat(R"("response_format":{"type":"json_object","schema":{}})").format,
            Format::kJsonSchema);
  EXPECT_EQ(refused_param([] { chat(R"("response_format":{"type":"json_schema"})"); }),
            "response_format.json_schema");
  EXPECT_EQ(refused_param([] { chat(R"("response_format":{"type":"xml"})"); }),
            "response_format.type");
}

TEST(Body, MustBeAJsonObjectInUtf8OfBoundedDepth) {
  const auto message = [](const std::string& text) -> std::string {
    try {
      parse_body(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
      return error.message();
    }
    return "accepted";
  };
  EXPECT_NE(message("{").find("not JSON"), std::string::npos);
  EXPECT_NE(message("").find("not JSON"), std::string::npos);
  EXPECT_NE(message("[1]").find("must be a JSON object"), std::string::npos);
  EXPECT_NE(message("{\"a\":\"\xff\"}").find("UTF-8"), std::string::npos);
  EXPECT_NE(message("{\"a\":1,\"a\":2}"), "accepted");
  EXPECT_NE(message("{\"a\":" + std::string(5000, '[') + std::string(5000, ']') + "}"), "accepted");
  EXPECT_EQ(message("{}"), "accepted");
}

}  // namespace
}  // namespace hone::openai
