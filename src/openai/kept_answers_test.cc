// What is written down of an answer, so that it can be judged: the same that the client saw.
#include "openai/testing.h"

namespace hone::openai {
namespace {

using http::testing::eventually;
using testing::ServiceTest;

constexpr const char* kChat =
    R"({"model":"tiny","messages":[{"role":"user","content":"hell"}],"max_tokens":6,"ignore_eos":true,"temperature":0.5,"seed":3)";

using KeptAnswersTest = testing::LongContextTest;

TEST_F(KeptAnswersTest, AChatIsKeptWithMessagesSettingsAndLogProbabilities) {
  const Json said = answer("/v1/chat/completions",
                           std::string(kChat) + R"(,"logprobs":true,"return_token_ids":true})");
  const feedback::KeptPointer kept = kept_.find("one", said.at("id").as_string());
  ASSERT_NE(kept, nullptr);
  const Json& choice = said.at("choices").as_array()[0];
  const feedback::Answer one = kept->answer(0);
  EXPECT_EQ(one.choice.text, choice.at("message").at("content").as_string());
  EXPECT_EQ(one.choice.finish_reason, "length");
  EXPECT_EQ(one.head.messages.dump(), R"([{"role":"user","content":"hell"}])");
  EXPECT_EQ(one.head.settings.dump(), said.at("settings").dump());
  EXPECT_EQ(one.head.fingerprint, said.at("system_fingerprint").as_string());
  EXPECT_EQ(one.head.model, "tiny");
  EXPECT_EQ(one.head.model_digest, std::string(64, 'b'));
  EXPECT_EQ(one.head.caller, "one");
  EXPECT_FALSE(one.head.consented);
  const Json::Array& tokens = choice.at("logprobs").at("content").as_array();
  ASSERT_EQ(one.choice.log_probs.size(), tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    EXPECT_EQ(number_to_string(one.choice.log_probs[i]), tokens[i].at("logprob").dump());
    EXPECT_EQ(one.choice.token_ids[i], choice.at("token_ids").as_array()[i].as_int());
  }
  EXPECT_EQ(kept_.find("two", one.head.id), nullptr);
}

TEST_F(KeptAnswersTest, AStreamIsKeptAsItWasSent) {
  const testing::Events events =
      stream("/v1/chat/completions", std::string(kChat) + R"(,"n":2,"stream":true,"store":true})");
  ASSERT_TRUE(events.done);
  const feedback::KeptPointer kept = kept_.find("one", events.chunks[0].at("id").as_string());
  ASSERT_NE(kept, nullptr);
  ASSERT_EQ(kept->choices.size(), 2u);
  EXPECT_EQ(kept->choices[0].text, events.text(0));
  EXPECT_EQ(kept->choices[1].text, events.text(1));
  EXPECT_TRUE(kept->head.consented);
}

TEST_F(KeptAnswersTest, TextCompletionsAreKeptPromptByPrompt) {
  const Json said =
      answer("/v1/completions", R"({"model":"tiny","prompt":["he","th"],"n":2,"max_tokens":3})");
  const feedback::KeptPointer kept = kept_.find("one", said.at("id").as_string());
  ASSERT_NE(kept, nullptr);
  ASSERT_EQ(kept->choices.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(kept->choices[i].prompt, i < 2 ? "he" : "th");
    EXPECT_EQ(kept->choices[i].text, said.at("choices").as_array()[i].at("text").as_string());
  }
  EXPECT_TRUE(kept->head.messages.is_null());
}

TEST_F(KeptAnswersTest, WhatAClientHadWhenItLeftIsKeptToo) {
  const std::string text =
      R"({"model":"tiny","messages":[{"role":"user","content":"he"}],"n":64,"ignore_eos":true,"stream":true})";
  http::testing::RawSocket socket((*server_)->port());
  socket.send(chat_bytes(text));
  // Some tokens later.
  EXPECT_TRUE(
      eventually([&] { return service_->engine().metrics().batch.generated_tokens > 200; }));
  socket.close();
  EXPECT_TRUE(eventually([&] { return kept_.counts().completions == 1; }));
}

TEST_F(KeptAnswersTest, OfACallTheArgumentsAreKeptAndNotItsMarkup) {
  const std::string body =
      R"({"model":"tiny","messages":[{"role":"user","content":"he"}],"seed":4,"tool_choice":"required",)"
      R"("max_tokens":300,"parallel_tool_calls":false,"tools":[{"type":"function","function":{"name":"weather",)"
      R"("parameters":{"type":"object","properties":{"city":{"enum":["Rome","Oslo"]}},)"
      R"("required":["city"],"additionalProperties":false}}}])";
  for (const bool is_stream : {false, true}) {
    std::string id;
    if (is_stream) {
      id = stream("/v1/chat/completions", body + R"(,"stream":true})")
               .chunks[0]
               .at("id")
               .as_string();
    } else {
      id = answer("/v1/chat/completions", body + "}").at("id").as_string();
    }
    const feedback::KeptPointer kept = kept_.find("one", id);
    ASSERT_NE(kept, nullptr);
    const feedback::Choice& choice = kept->choices[0];
    EXPECT_EQ(choice.finish_reason, "tool_calls");
    EXPECT_EQ(choice.text.find("tool_call"), std::string::npos) << choice.text;
    ASSERT_EQ(choice.tool_calls.size(), 1u);
    EXPECT_EQ(choice.tool_calls.as_array()[0].at("function").at("name").as_string(), "weather");
  }
}

TEST_F(KeptAnswersTest, WhatIsScoredOrHasMoreSamplesThanAreShownIsNotKept) {
  for (const char* body :
       {R"({"model":"tiny","prompt":"he","max_tokens":1,"echo":true,"logprobs":1})",
        R"({"model":"tiny","prompt":"he","max_tokens":2,"best_of":3})"}) {
    const Json said = answer("/v1/completions", body);
    EXPECT_EQ(kept_.find("one", said.at("id").as_string()), nullptr) << body;
  }
  EXPECT_EQ(kept_.counts().completions, 0u);
}

class SignedAnswersTest : public ServiceTest {
 protected:
  SignedAnswersTest()
      : ServiceTest({.threads = 1, .max_running = 8, .context_tokens = 4096, .rows_per_pass = 64},
                    512, {.keep_ms = 0}) {}
};

TEST_F(SignedAnswersTest, WhereNothingIsKeptEachAnswerBringsItsMac) {
  const Json said = answer("/v1/chat/completions", std::string(kChat) + "}");
  const Json& choice = said.at("choices").as_array()[0];
  feedback::Answer back;
  back.head.id = said.at("id").as_string();
  back.head.organisation = "one";
  back.head.model = said.at("model").as_string();
  back.head.fingerprint = said.at("system_fingerprint").as_string();
  back.head.settings = said.at("settings");
  back.head.messages = Json::parse(R"([{"content":"hell","role":"user"}])").value();
  back.choice.text = choice.at("message").at("content").as_string();
  const std::string mac = choice.at("feedback_mac").as_string();
  EXPECT_TRUE(kept_.check(back, mac));
  back.choice.text += "?";
  EXPECT_FALSE(kept_.check(back, mac));
  EXPECT_EQ(kept_.counts().completions, 0u);

  const testing::Events events =
      stream("/v1/chat/completions", std::string(kChat) + R"(,"stream":true})");
  std::string streamed;
  for (const Json& chunk : events.chunks) {
    if (const Json* one = chunk.at("choices").as_array()[0].find("feedback_mac")) {
      streamed = one->as_string();
    }
  }
  back.head.id = events.chunks[0].at("id").as_string();
  back.choice.text = events.text(0);
  EXPECT_TRUE(kept_.check(back, streamed));
}

TEST_F(SignedAnswersTest, TextCompletionsToo) {
  const Json said =
      answer("/v1/completions", R"({"model":"tiny","prompt":["he","th"],"max_tokens":3})");
  feedback::Answer back;
  back.head.id = said.at("id").as_string();
  back.head.organisation = "one";
  back.head.model = "tiny";
  back.head.fingerprint = said.at("system_fingerprint").as_string();
  back.head.settings = said.at("settings");
  back.index = 1;
  back.choice.prompt = "th";
  back.choice.text = said.at("choices").as_array()[1].at("text").as_string();
  EXPECT_TRUE(kept_.check(back, said.at("choices").as_array()[1].at("feedback_mac").as_string()));
}

}  // namespace
}  // namespace hone::openai
