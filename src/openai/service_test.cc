// Whole requests over real connections, answered by a tiny model: forms, streams, log-probabilities,
// refusals.
#include <gtest/gtest.h>

#include <regex>

#include "openai/testing.h"

namespace hone::openai::testing {
namespace {

// The text with what differs from one answer to the next taken out.
std::string without_chance(std::string text) {
  text = std::regex_replace(text, std::regex("(chatcmpl|cmpl)-[0-9a-f]{32}"), "$1-ID");
  text = std::regex_replace(text, std::regex("\"created\":[0-9]+"), "\"created\":0");
  text = std::regex_replace(text, std::regex("\"system_fingerprint\":\"[0-9a-f]{64}\""),
                            "\"system_fingerprint\":\"F\"");
  return text;
}

TEST_F(ServiceTest, AChatHasOpenAIsShapeToTheByte) {
  const auto response = post("/v1/chat/completions",
                             "{\"model\":\"tiny\"," + kMessages +
                                 R"(,"temperature":0,"seed":1,"max_tokens":4,"ignore_eos":true})");
  ASSERT_EQ(response.status, 200) << response.body;
  const Json body = Json::parse(response.body).value();
  const std::string content =
      body.at("choices").as_array()[0].at("message").at("content").as_string();
  std::string quoted;
  append_json_string(quoted, content);
  const std::string expected =
      R"({"id":"chatcmpl-ID","object":"chat.completion","created":0,"model":"tiny",)"
      R"("system_fingerprint":"F","choices":[{"index":0,"message":{"role":"assistant","content":)" +
      quoted +
      R"(,"refusal":null},"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":27,)"
      R"("completion_tokens":4,"total_tokens":31,"prompt_tokens_details":{"cached_tokens":0}},)"
      R"("settings":{"temperature":0,"top_p":1,"top_k":0,"min_p":0,"repetition_penalty":1,)"
      R"("presence_penalty":0,"frequency_penalty":0,"seed":1,"max_tokens":4,"min_tokens":0}})";
  EXPECT_EQ(without_chance(response.body), expected);
}

TEST_F(ServiceTest, AStreamIsARoleThenTextThenAnEmptyDeltaThenUsageThenDone) {
  const Events events =
      stream("/v1/chat/completions",
             "{\"model\":\"tiny\"," + kMessages +
                 R"(,"temperature":0,"max_tokens":5,"ignore_eos":true,"stream":true,)"
                 R"("stream_options":{"include_usage":true}})");
  ASSERT_TRUE(events.done);
  ASSERT_GE(events.chunks.size(), 3u);
  const auto choice = [&](size_t i) { return events.chunks[i].at("choices").as_array()[0]; };
  EXPECT_EQ(choice(0).at("delta").dump(), R"({"role":"assistant","content":"","refusal":null})");
  const size_t last = events.chunks.size() - 1;
  EXPECT_EQ(choice(last - 1).at("delta").dump(), "{}");
  EXPECT_EQ(choice(last - 1).at("finish_reason").as_string(), "length");
  EXPECT_EQ(events.chunks[last].at("choices").size(), 0u);
  EXPECT_EQ(events.chunks[last].at("usage").at("completion_tokens").as_int(), 5);
  for (size_t i = 0; i < last; ++i) {
    EXPECT_TRUE(events.chunks[i].at("usage").is_null());
    EXPECT_EQ(events.chunks[i].at("id"), events.chunks[0].at("id"));
    EXPECT_EQ(events.chunks[i].at("created"), events.chunks[0].at("created"));
    EXPECT_EQ(events.chunks[i].at("object").as_string(), "chat.completion.chunk");
    if (i + 1 < last) {
      EXPECT_TRUE(choice(i).at("finish_reason").is_null());
    }
  }
}

TEST_F(ServiceTest, WithoutUsageAskedForNoChunkSpeaksOfIt) {
  const Events events = stream("/v1/completions",
                               R"({"model":"tiny","prompt":"hello","max_tokens":3,"stream":true})");
  ASSERT_TRUE(events.done);
  for (const Json& chunk : events.chunks) EXPECT_EQ(chunk.find("usage"), nullptr);
}

TEST_F(ServiceTest, AStreamThatOnlyEchoesEndsAsTheWholeAnswerDoesAndNamesTheIdsOnce) {
  const std::string body =
      R"({"model":"tiny","prompt":["hello","he"],"max_tokens":0,"echo":true,"return_token_ids":true)";
  const Json whole = answer("/v1/completions", body + "}");
  const Events streamed = stream("/v1/completions", body + ",\"stream\":true}");
  ASSERT_TRUE(streamed.done);
  ASSERT_EQ(streamed.chunks.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const Json& one = whole.at("choices").as_array()[i];
    const Json& piece = streamed.chunks[i].at("choices").as_array()[0];
    for (const char* name : {"index", "text", "finish_reason", "prompt_token_ids"}) {
      EXPECT_EQ(piece.at(name), one.at(name)) << name;
    }
    EXPECT_EQ(piece.at("finish_reason").as_string(), "length");
  }
  const Events longer = stream(
      "/v1/completions", R"({"model":"tiny","prompt":"hello","max_tokens":3,"ignore_eos":true,)"
                         R"("logprobs":0,"return_token_ids":true,"stream":true})");
  ASSERT_GE(longer.chunks.size(), 3u);
  for (size_t i = 0; i < longer.chunks.size(); ++i) {
    const Json& piece = longer.chunks[i].at("choices").as_array()[0];
    EXPECT_EQ(piece.find("prompt_token_ids") != nullptr, i == 0);
  }
}

TEST_F(ServiceTest, StreamedAndWholeAnswersAreEqual) {
  for (int seed = 0; seed < 6; ++seed) {
    const std::string settings =
        ",\"seed\":" + std::to_string(seed) + ",\"max_tokens\":24,\"n\":2,\"temperature\":1.5";
    const std::string chat = "{\"model\":\"tiny\"," + kMessages + settings;
    const Json whole = answer("/v1/chat/completions", chat + "}");
    const Events streamed = stream("/v1/chat/completions", chat + ",\"stream\":true}");
    const std::string text = R"({"model":"tiny","prompt":"he said")" + settings;
    const Json whole_text = answer("/v1/completions", text + ",\"logprobs\":2}");
    const Events streamed_text =
        stream("/v1/completions", text + ",\"logprobs\":2,\"stream\":true}");
    for (size_t i = 0; i < 2; ++i) {
      const auto index = static_cast<int64_t>(i);
      EXPECT_EQ(streamed.text(index),
                whole.at("choices").as_array()[i].at("message").at("content").as_string());
      const Json& choice = whole_text.at("choices").as_array()[i];
      EXPECT_EQ(streamed_text.text(index), choice.at("text").as_string());
      Json log_probs = Json::array(), offsets = Json::array(), tokens = Json::array();
      for (const Json& chunk : streamed_text.chunks) {
        for (const Json& each : chunk.at("choices").as_array()) {
          if (each.at("index").as_int() != index || each.at("logprobs").is_null()) continue;
          const Json& part = each.at("logprobs");
          for (const Json& v : part.at("token_logprobs").as_array()) log_probs.push_back(v);
          for (const Json& v : part.at("text_offset").as_array()) offsets.push_back(v);
          for (const Json& v : part.at("tokens").as_array()) tokens.push_back(v);
        }
      }
      EXPECT_EQ(log_probs, choice.at("logprobs").at("token_logprobs"));
      EXPECT_EQ(offsets, choice.at("logprobs").at("text_offset"));
      EXPECT_EQ(tokens, choice.at("logprobs").at("tokens"));
    }
  }
}

TEST_F(ServiceTest, EchoGivesOneEntryForEachPromptTokenAndOneForTheNext) {
  const Json body = answer("/v1/completions",
                           R"({"model":"tiny","prompt":[[104,105,32,116],[256,108]],"echo":true,)"
                           R"("max_tokens":1,"logprobs":1,"temperature":0,"seed":1234})");
  ASSERT_EQ(body.at("choices").size(), 2u);
  const size_t expected[] = {5, 3};
  for (size_t i = 0; i < 2; ++i) {
    const Json& choice = body.at("choices").as_array()[i];
    EXPECT_EQ(choice.at("index").as_int(), static_cast<int64_t>(i));
    const Json& log_probs = choice.at("logprobs");
    for (const char* list : {"tokens", "token_logprobs", "top_logprobs", "text_offset"}) {
      EXPECT_EQ(log_probs.at(list).size(), expected[i]) << list;
    }
    EXPECT_TRUE(log_probs.at("token_logprobs").as_array()[0].is_null());
    EXPECT_TRUE(log_probs.at("top_logprobs").as_array()[0].is_null());
    // The token itself is in its map, with the same number; the last was the most likely one.
    const Json& last = log_probs.at("top_logprobs").as_array().back();
    double most = -1e9;
    for (const auto& [name, value] : last.as_object()) most = std::max(most, value.as_double());
    EXPECT_EQ(log_probs.at("token_logprobs").as_array().back().as_double(), most);
  }
  EXPECT_EQ(body.at("choices").as_array()[0].at("text").as_string().substr(0, 4), "hi t");
  EXPECT_EQ(body.at("choices").as_array()[0].at("logprobs").at("text_offset").dump(),
            "[0,1,2,3,4]");
}

TEST_F(ServiceTest, EchoedLogProbabilitiesAreTheScores) {
  const std::vector<int32_t> ids = {104, 101, 108, 108, 111, 32, 116, 104};
  tensor::Compute compute(1);
  const std::vector<float> scores = llm::testing::log_probs_of(compute, model_, nullptr, ids);
  const std::string request =
      R"({"model":"tiny","prompt":[104,101,108,108,111,32,116,104],"echo":true,"max_tokens":0,)"
      R"("logprobs":0})";
  for (int again = 0; again < 2; ++again) {  // cold, and perhaps from the cache
    const Json body = answer("/v1/completions", request);
    const Json& given = body.at("choices").as_array()[0].at("logprobs").at("token_logprobs");
    ASSERT_EQ(given.size(), ids.size());
    for (size_t i = 1; i < ids.size(); ++i) {
      EXPECT_EQ(given.as_array()[i].dump(), number_to_string(scores[i - 1]));
    }
    EXPECT_EQ(body.at("usage").at("completion_tokens").as_int(), 0);
  }
}

TEST_F(ServiceTest, ChatLogProbabilitiesHaveTextBytesAndAlternatives) {
  const Json body =
      answer("/v1/chat/completions", "{\"model\":\"tiny\"," + kMessages +
                                         R"(,"temperature":0,"max_tokens":3,"ignore_eos":true,)"
                                         R"("logprobs":true,"top_logprobs":4})");
  const Json& content = body.at("choices").as_array()[0].at("logprobs").at("content");
  ASSERT_EQ(content.size(), 3u);
  for (const Json& entry : content.as_array()) {
    ASSERT_EQ(entry.at("top_logprobs").size(), 4u);
    // Greedy: the token is the first alternative, with the same number.
    const Json& first = entry.at("top_logprobs").as_array()[0];
    EXPECT_EQ(first.at("token"), entry.at("token"));
    EXPECT_EQ(first.at("logprob"), entry.at("logprob"));
    EXPECT_EQ(first.at("bytes"), entry.at("bytes"));
    double before = 0;
    for (const Json& each : entry.at("top_logprobs").as_array()) {
      EXPECT_LE(each.at("logprob").as_double(), before);
      before = each.at("logprob").as_double();
    }
  }
}

TEST_F(ServiceTest, AStopTextIsCutOffAndNeverStreamedInPart) {
  const std::string base =
      R"({"model":"tiny","prompt":"the","max_tokens":40,"temperature":1,"seed":3,)"
      R"("ignore_eos":true)";
  const std::string text =
      answer("/v1/completions", base + "}").at("choices").as_array()[0].at("text").as_string();
  // A piece of the answer, in ASCII.
  size_t at = 2;
  while (at + 2 < text.size() && (text[at] <= ' ' || text[at] > '~' || text[at] == '"' ||
                                  text[at] == '\\' || text[at + 1] <= ' ' || text[at + 1] > '~' ||
                                  text[at + 1] == '"' || text[at + 1] == '\\')) {
    ++at;
  }
  ASSERT_LT(at + 2, text.size());
  const std::string stop = text.substr(at, 2);
  const std::string with_stop = base + ",\"stop\":[\"" + stop + "\"]";
  const Json whole = answer("/v1/completions", with_stop + "}");
  const Json& choice = whole.at("choices").as_array()[0];
  EXPECT_EQ(choice.at("text").as_string(), text.substr(0, text.find(stop)));
  EXPECT_EQ(choice.at("finish_reason").as_string(), "stop");
  EXPECT_EQ(stream("/v1/completions", with_stop + ",\"stream\":true}").text(),
            choice.at("text").as_string());
}

TEST_F(ServiceTest, TheBestOfSeveralIsTheOneOfTheHighestMeanLogProbability) {
  const std::string base =
      R"({"model":"tiny","prompt":"he","max_tokens":6,"temperature":1.5,"seed":9,"logprobs":0,)";
  const Json all = answer("/v1/completions", base + "\"n\":5}");
  const Json best = answer("/v1/completions", base + "\"n\":1,\"best_of\":5}");
  ASSERT_EQ(best.at("choices").size(), 1u);
  double most = -1e9;
  std::string text;
  for (const Json& choice : all.at("choices").as_array()) {
    const Json::Array& numbers = choice.at("logprobs").at("token_logprobs").as_array();
    double sum = 0;
    for (const Json& number : numbers) sum += number.as_double();
    const double mean = sum / static_cast<double>(numbers.size());
    if (mean > most) {
      most = mean;
      text = choice.at("text").as_string();
    }
  }
  EXPECT_EQ(best.at("choices").as_array()[0].at("text").as_string(), text);
  EXPECT_EQ(best.at("usage"), all.at("usage"));  // what was written counts
}

TEST_F(ServiceTest, AnOverLongPromptIsRefusedWithBothNumbers) {
  const std::string text(600, 'x');
  const Refusal refused =
      refusal("/v1/completions", R"({"model":"tiny","prompt":")" + text + R"(","max_tokens":8})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.type, "invalid_request_error");
  EXPECT_EQ(refused.code, "context_length_exceeded");
  EXPECT_EQ(refused.param, "prompt");
  EXPECT_NE(refused.message.find("512"), std::string::npos) << refused.message;
  EXPECT_NE(refused.message.find("608"), std::string::npos) << refused.message;
  // One that just fits is answered.
  const std::string fits(508, 'x');
  answer("/v1/completions", R"({"model":"tiny","prompt":")" + fits + R"(","max_tokens":4})");
}

TEST_F(ServiceTest, AChatWithoutALimitWritesToTheEndOfTheContext) {
  const Json body =
      answer("/v1/chat/completions", "{\"model\":\"tiny\"," + kMessages + ",\"ignore_eos\":true}");
  EXPECT_EQ(body.at("usage").at("total_tokens").as_int(), 512);
  EXPECT_EQ(body.at("settings").at("max_tokens").as_int(), 512 - 27);
}

TEST_F(ServiceTest, RefusalsAreOpenAIsErrorObjects) {
  const std::string chat = "{\"model\":\"tiny\"," + kMessages;
  Refusal refused = refusal("/v1/chat/completions", chat + "}", "");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.code, "invalid_api_key");
  refused = refusal("/v1/chat/completions", "{\"model\":\"nope\"," + kMessages + "}");
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(refused.code, "model_not_found");
  EXPECT_EQ(refused.param, "model");
  refused = refusal("/v1/chat/completions", chat + ",\"temperature\":3}");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.param, "temperature");
  refused = refusal("/v1/chat/completions", chat);
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.message.find("not JSON"), std::string::npos);
  EXPECT_EQ(refusal("/v1/nothing", "{}").status, 404);
  EXPECT_EQ(refusal("/v1/chat/completions", "", "one", "DELETE").status, 405);
  EXPECT_EQ(refusal("/v1/completions", R"({"model":"tiny","prompt":""})").param, "prompt");
  EXPECT_EQ(refusal("/v1/completions", R"({"model":"tiny","prompt":[5000]})").param, "prompt");
  EXPECT_EQ(
      refusal("/v1/completions", R"({"model":"tiny","prompt":"a","logit_bias":{"5000":1}})").param,
      "logit_bias");
  const std::string huge(17 << 20, ' ');
  refused = refusal("/v1/completions", huge);
  EXPECT_EQ(refused.status, 413);
  EXPECT_NE(refused.message.find("16777216"), std::string::npos) << refused.message;
}

}  // namespace
}  // namespace hone::openai::testing
