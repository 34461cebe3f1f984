// Answers that are held to tools, schemas and grammars, by a tiny model.
#include <gtest/gtest.h>

#include "openai/testing.h"

namespace hone::openai::testing {
namespace {

const std::string kTools =
    R"("tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object",)"
    R"("properties":{"city":{"enum":["Rome","Oslo"]}},"required":["city"],)"
    R"("additionalProperties":false}}}])";

TEST_F(LongContextTest, ACallThatMustComeComesWholeAndStreamedAlike) {
  const std::string body = "{\"model\":\"tiny\"," + kMessages + "," + kTools +
                           R"(,"tool_choice":"required","parallel_tool_calls":false,"seed":4,)"
                           R"("max_tokens":300)";
  const Json whole = answer("/v1/chat/completions", body + "}");
  const Json& choice = whole.at("choices").as_array()[0];
  EXPECT_EQ(choice.at("finish_reason").as_string(), "tool_calls");
  EXPECT_TRUE(choice.at("message").at("content").is_null());
  const Json& call = choice.at("message").at("tool_calls").as_array().at(0);
  EXPECT_EQ(call.at("type").as_string(), "function");
  EXPECT_EQ(call.at("function").at("name").as_string(), "weather");
  const Json arguments = Json::parse(call.at("function").at("arguments").as_string()).value();
  const std::string city = arguments.at("city").as_string();
  EXPECT_TRUE(city == "Rome" || city == "Oslo") << city;

  const Events events = stream("/v1/chat/completions", body + ",\"stream\":true}");
  EXPECT_EQ(events.text(), "");
  std::string streamed;
  for (const Json& chunk : events.chunks) {
    const Json* calls = chunk.at("choices").as_array()[0].at("delta").find("tool_calls");
    if (calls == nullptr) continue;
    EXPECT_EQ(calls->as_array()[0].at("index").as_int(), 0);
    streamed += calls->as_array()[0].at("function").at("arguments").as_string();
  }
  EXPECT_EQ(streamed, call.at("function").at("arguments").as_string());
  const Json& last = events.chunks.back().at("choices").as_array()[0];
  EXPECT_EQ(last.at("finish_reason").as_string(), "tool_calls");
}

TEST_F(LongContextTest, AnAnswerIsHeldToItsSchemaOrTheRequestIsRefused) {
  const std::string body = "{\"model\":\"tiny\"," + kMessages + R"(,"seed":2,"max_tokens":400,)";
  const auto with_schema = [&](const std::string& schema) {
    return body + R"("response_format":{"type":"json_schema","json_schema":{"name":"s","schema":)" +
           schema + "}}}";
  };
  const Json held =
      answer("/v1/chat/completions",
             with_schema(R"({"type":"object","properties":{"a":{"type":"integer","minimum":0,)"
                         R"("maximum":9}},"required":["a"],"additionalProperties":false})"));
  const Json& choice = held.at("choices").as_array()[0];
  const Json read = Json::parse(choice.at("message").at("content").as_string()).value();
  EXPECT_LE(read.at("a").as_int(), 9);
  EXPECT_EQ(read.size(), 1u);
  Refusal refused = refusal("/v1/chat/completions", with_schema(R"({"not":{}})"));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.param, "response_format");
  refused = refusal("/v1/chat/completions", body + R"("grammar":"root ::= nothing"})");
  EXPECT_EQ(refused.param, "grammar");
  refused = refusal("/v1/chat/completions",
                    body + kTools + R"(,"response_format":{"type":"json_object"}})");
  EXPECT_EQ(refused.param, "response_format");
  EXPECT_EQ(answer("/v1/completions",
                   R"({"model":"tiny","prompt":"he","grammar":"root ::= \"yes\" | \"no\""})")
                .at("choices")
                .as_array()[0]
                .at("finish_reason")
                .as_string(),
            "stop");
}

}  // namespace
}  // namespace hone::openai::testing
