// Whole requests over real connections, answered by a tiny model.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <regex>
#include <thread>

#include "openai/testing.h"

namespace hone::openai::testing {
namespace {

using http::testing::eventually;

const std::string kMessages = R"("messages":[{"role":"user","content":"hello there"}])";

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

// The numbers and texts of an answer's choices, without the form around them.
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

TEST_F(ServiceTest, ManyAtOnceGetWhatEachGetsAlone) {
  constexpr int kMany = 32;
  const auto body_of = [](int i) {
    return R"({"model":"tiny","prompt":"he told them )" + std::to_string(i * 7919) +
           R"(","max_tokens":20,"temperature":1,"seed":)" + std::to_string(i) + R"(,"logprobs":1})";
  };
  const auto choices = [&](int i) {
    return answer("/v1/completions", body_of(i)).at("choices").dump();
  };
  std::vector<std::string> alone, together(kMany);
  for (int i = 0; i < kMany; ++i) alone.push_back(choices(i));
  std::vector<std::thread> threads;
  for (int i = 0; i < kMany; ++i) {
    threads.emplace_back([&, i] { together[static_cast<size_t>(i)] = choices(i); });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kMany; ++i)
    EXPECT_EQ(together[static_cast<size_t>(i)], alone[static_cast<size_t>(i)]);
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

TEST_F(ServiceTest, ModelsAreListedWithParentRootAndDigest) {
  const Json list = Json::parse(ask("GET", "/v1/models", "").body).value();
  ASSERT_EQ(list.at("data").size(), 1u);
  const Json& base = list.at("data").as_array()[0];
  EXPECT_EQ(base.at("id").as_string(), "tiny");
  EXPECT_TRUE(base.at("parent").is_null());
  EXPECT_EQ(base.at("digest").as_string(), std::string(64, 'b'));
  EXPECT_EQ(Json::parse(ask("GET", "/v1/models/tiny", "").body).value(), base);
  EXPECT_EQ(refusal("/v1/models/other", "", "one", "GET").code, "model_not_found");
  // The fingerprint of every answer is the one in the list.
  EXPECT_EQ(answer("/v1/completions", R"({"model":"tiny","prompt":"a","max_tokens":1})")
                .at("system_fingerprint"),
            base.at("fingerprint"));
  // By digest, whole or in part.
  answer("/v1/completions", R"({"model":"tiny@bbbbbbbb","prompt":"a","max_tokens":1})");
  EXPECT_EQ(refusal("/v1/completions", R"({"model":"tiny@bbb","prompt":"a"})").status, 404);
}

TEST_F(ServiceTest, AdaptersComeAndGoForTheirOrganisationAlone) {
  llm::save_lora(real_env(), folder_.path() + "/tone", llm::testing::random_adapter(model_, 4),
                 "tiny");
  EXPECT_EQ(refusal("/v1/load_lora_adapter", R"({"lora_name":"tone"})", "-one").status, 403);
  for (const char* path : {"../tone", "/etc", "a/b", "..", ".", ""}) {
    EXPECT_EQ(refusal("/v1/load_lora_adapter",
                      R"({"lora_name":"tone","lora_path":")" + std::string(path) + "\"}")
                  .status,
              400)
        << path;
  }
  EXPECT_EQ(refusal("/v1/load_lora_adapter", R"({"lora_name":"x","lora_path":"none"})").status,
            404);
  const std::string ask_tone =
      R"({"model":"tone","prompt":"he","max_tokens":8,"temperature":0,"ignore_eos":true})";
  EXPECT_EQ(refusal("/v1/completions", ask_tone).status, 404);
  const Json loaded = answer("/v1/load_lora_adapter", R"({"lora_name":"tone","lora_path":"tone"})");
  EXPECT_EQ(loaded.at("parent").as_string(), "tiny");
  EXPECT_EQ(refusal("/v1/load_lora_adapter", R"({"lora_name":"tone"})").status, 409);
  const Json with = answer("/v1/completions", ask_tone);
  EXPECT_EQ(with.at("system_fingerprint"), loaded.at("fingerprint"));
  // Another organisation sees nothing of it, and cannot unload it.
  EXPECT_EQ(Json::parse(ask("GET", "/v1/models", "").body).value().at("data").size(), 2u);
  EXPECT_EQ(Json::parse(ask("GET", "/v1/models", "", "two").body).value().at("data").size(), 1u);
  EXPECT_EQ(refusal("/v1/completions", ask_tone, "two").status, 404);
  EXPECT_EQ(refusal("/v1/models/tone", "", "two", "GET").status, 404);
  EXPECT_EQ(refusal("/v1/unload_lora_adapter", R"({"lora_name":"tone"})", "two").status, 404);
  answer("/v1/unload_lora_adapter", R"({"lora_name":"tone"})");
  EXPECT_EQ(refusal("/v1/completions", ask_tone).status, 404);
  EXPECT_EQ(refusal("/v1/unload_lora_adapter", R"({"lora_name":"tone"})").status, 404);
}

TEST_F(ServiceTest, EmbeddingsAreOfLengthOneInBothForms) {
  const Json floats = answer("/v1/embeddings", R"({"model":"tiny","input":["he","the hill"]})");
  ASSERT_EQ(floats.at("data").size(), 2u);
  for (const Json& row : floats.at("data").as_array()) {
    double squares = 0;
    for (const Json& value : row.at("embedding").as_array()) {
      squares += value.as_double() * value.as_double();
    }
    EXPECT_NEAR(squares, 1, 1e-5);
    EXPECT_EQ(row.at("embedding").size(), model_.config.hidden_size);
  }
  const Json packed =
      answer("/v1/embeddings", R"({"model":"tiny","input":"he","encoding_format":"base64"})");
  const std::string text = packed.at("data").as_array()[0].at("embedding").as_string();
  EXPECT_EQ(text.size(), (model_.config.hidden_size * 4 + 2) / 3 * 4);
  const Json last =
      answer("/v1/embeddings", R"({"model":"tiny","input":[104,101],"pooling":"last"})");
  EXPECT_EQ(last.at("usage").at("prompt_tokens").as_int(), 2);
  EXPECT_EQ(refusal("/v1/embeddings", R"({"model":"tiny","input":"a","dimensions":3})").param,
            "dimensions");
}

TEST_F(ServiceTest, TokensAreReadAndWrittenInBothDialects) {
  const Json ours = answer("/tokenize", R"({"content":"hello"})");
  EXPECT_EQ(ours.at("tokens").dump(), "[256,257,111]");
  const Json theirs = answer("/tokenize", R"({"model":"tiny","prompt":"hello",)"
                                          R"("add_special_tokens":false})");
  EXPECT_EQ(theirs.at("tokens"), ours.at("tokens"));
  EXPECT_EQ(theirs.at("count").as_int(), 3);
  EXPECT_EQ(theirs.at("max_model_len").as_int(), 512);
  const Json pieces = answer("/tokenize", R"({"content":"é","with_pieces":true})");
  EXPECT_EQ(pieces.at("tokens").dump(), R"([{"id":195,"piece":[195]},{"id":169,"piece":[169]}])");
  EXPECT_EQ(answer("/detokenize", R"({"tokens":[256,257,111]})").at("content").as_string(),
            "hello");
  EXPECT_EQ(answer("/detokenize", R"({"tokens":[256]})").at("prompt").as_string(), "he");
  EXPECT_EQ(refusal("/detokenize", R"({"tokens":[5000]})").param, "tokens");
  const Json info = Json::parse(ask("GET", "/tokenizer_info", "").body).value();
  EXPECT_EQ(info.at("eos_token").as_string(), "<|im_end|>");
  EXPECT_TRUE(info.at("bos_token").is_null());
  EXPECT_EQ(answer("/apply-template", "{" + kMessages + "}").at("prompt").as_string(),
            "<|im_start|>user\nhello there<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(answer("/tokenize", "{" + kMessages + "}").at("count").as_int(), 27);
}

TEST_F(ServiceTest, WhatAUserWritesNeverBecomesASpecialToken) {
  const Json body = answer("/tokenize", R"({"messages":[{"role":"user","content":"<|im_end|>"}]})");
  int64_t ends = 0;
  for (const Json& id : body.at("tokens").as_array()) ends += id.as_int() == kTinyEnd ? 1 : 0;
  EXPECT_EQ(ends, 1);
}

TEST_F(ServiceTest, AClientThatLeavesCancelsItsRequest) {
  const std::string body = "{\"model\":\"tiny\"," + kMessages + ",\"n\":64,\"ignore_eos\":true";
  for (const std::string more : {"}", ",\"stream\":true}"}) {
    const uint64_t before = service_->engine().metrics().cancelled;
    {
      http::testing::RawSocket socket((*server_)->port());
      const std::string text = body + more;
      socket.send(
          "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
          "one\r\nContent-Length: " +
          std::to_string(text.size()) + "\r\n\r\n" + text);
      EXPECT_TRUE(eventually([&] { return service_->engine().metrics().running > 0; }));
      socket.close();
    }
    EXPECT_TRUE(eventually([&] { return service_->engine().metrics().cancelled > before; }));
    EXPECT_TRUE(eventually([&] {
      const serve::EngineMetrics now = service_->engine().metrics();
      return now.running == 0 && now.waiting == 0;
    }));
  }
}

TEST_F(ServiceTest, AClientThatReadsTooSlowlyIsDroppedAndNobodyElseNotices) {
  const std::string other =
      R"({"model":"tiny","prompt":"he","max_tokens":30,"temperature":1,"seed":1})";
  const std::string alone = answer("/v1/completions", other).at("choices").dump();
  http::testing::RawSocket socket((*server_)->port(), 4096);
  const std::string text = "{\"model\":\"tiny\"," + kMessages +
                           R"(,"n":100,"ignore_eos":true,"stream":true,"logprobs":true,)"
                           R"("top_logprobs":20})";
  socket.send(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
      "slow\r\nContent-Length: " +
      std::to_string(text.size()) + "\r\n\r\n" + text);
  EXPECT_TRUE(eventually([&] { return service_->engine().metrics().running > 0; }));
  EXPECT_EQ(answer("/v1/completions", other).at("choices").dump(), alone);
  EXPECT_TRUE(eventually([&] { return service_->metrics().dropped.load() == 1; }));
  EXPECT_TRUE(eventually([&] { return service_->engine().metrics().running == 0; }));
  EXPECT_EQ(answer("/v1/completions", other).at("choices").dump(), alone);
}

TEST_F(ServiceTest, ACachedPrefixAndNeighboursOfAnotherAdapterChangeNoByte) {
  llm::save_lora(real_env(), folder_.path() + "/tone", llm::testing::random_adapter(model_, 4),
                 "tiny");
  answer("/v1/load_lora_adapter", R"({"lora_name":"tone"})");
  const std::string prompt(200, 'h');  // some pages
  const auto ask_for = [&](const std::string& model) {
    return answer("/v1/completions", "{\"model\":\"" + model + "\",\"prompt\":\"" + prompt +
                                         R"(","max_tokens":20,"seed":7,"echo":true,"logprobs":1})");
  };
  const Json base = ask_for("tiny"), tone = ask_for("tone");
  EXPECT_NE(base.at("choices"), tone.at("choices"));
  EXPECT_EQ(base.at("usage").at("prompt_tokens_details").at("cached_tokens").as_int(), 0);
  std::vector<std::thread> threads;
  std::atomic<int> equal{0}, cached{0};
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      const Json again = ask_for(i % 2 == 0 ? "tiny" : "tone");
      if (again.at("choices") == (i % 2 == 0 ? base : tone).at("choices")) ++equal;
      if (again.at("usage").at("prompt_tokens_details").at("cached_tokens").as_int() > 0) ++cached;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, 16);
  EXPECT_GT(cached, 0);
  // Another organisation's prompt finds nothing of it.
  const Json other = answer("/v1/completions",
                            R"({"model":"tiny","max_tokens":1,"prompt":")" + prompt + "\"}", "two");
  EXPECT_EQ(other.at("usage").at("prompt_tokens_details").at("cached_tokens").as_int(), 0);
}

class FullQueueTest : public ServiceTest {
 protected:
  FullQueueTest()
      : ServiceTest({.threads = 1,
                     .max_running = 1,
                     .context_tokens = 1024,
                     .rows_per_pass = 64,
                     .max_lora_rank = 8,
                     .max_waiting = 2,
                     .max_waiting_per_key = 2}) {}
};

TEST_F(FullQueueTest, AFullQueueIs429WithRetryAfter) {
  const std::string body = "{\"model\":\"tiny\"," + kMessages + ",\"n\":8,\"ignore_eos\":true}";
  std::atomic<int> busy{0}, good{0};
  std::atomic<bool> has_retry_after{true};
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      const auto response = post("/v1/chat/completions", body);
      if (response.status == 429) {
        ++busy;
        if (!response.headers.contains("Retry-After")) has_retry_after = false;
      } else if (response.status == 200) {
        ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(busy.load(), 0);
  EXPECT_GT(good.load(), 0);
  EXPECT_EQ(busy + good, 12);
  EXPECT_TRUE(has_retry_after.load());
}

TEST_F(FullQueueTest, AListOfPromptsThatDoesNotFitTheQueueLeavesNothingBehind) {
  EXPECT_EQ(
      refusal("/v1/completions", R"({"model":"tiny","prompt":["a","b","c","d","e","f","g","h"],)"
                                 R"("max_tokens":200,"ignore_eos":true})")
          .status,
      429);
  EXPECT_TRUE(eventually([&] {
    const serve::EngineMetrics now = service_->engine().metrics();
    return now.running == 0 && now.waiting == 0;
  }));
}

class HeldAnswerTest : public ServiceTest {
 protected:
  HeldAnswerTest()
      : ServiceTest({.threads = 1,
                     .max_running = 8,
                     .context_tokens = 16384,
                     .rows_per_pass = 256,
                     .max_lora_rank = 8},
                    4096) {}
};

const std::string kTools =
    R"("tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object",)"
    R"("properties":{"city":{"enum":["Rome","Oslo"]}},"required":["city"],)"
    R"("additionalProperties":false}}}])";

TEST_F(HeldAnswerTest, ACallThatMustComeComesWholeAndStreamedAlike) {
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

TEST_F(HeldAnswerTest, AnAnswerIsHeldToItsSchemaOrTheRequestIsRefused) {
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

TEST_F(ServiceTest, MetricsCountTokensAndTimes) {
  answer("/v1/completions", R"({"model":"tiny","prompt":"he","max_tokens":5,"ignore_eos":true})");
  // What was done is counted when it is done, which may be just after its answer is there.
  for (const char* line :
       {"hone_serve_generated_tokens_total 5\n", "hone_serve_time_to_first_token_seconds_count 1\n",
        "hone_serve_time_between_tokens_seconds_count 4\n", "hone_serve_answers_total 1\n"}) {
    EXPECT_TRUE(eventually([&] {
      return service_->metrics_text().find(line) != std::string::npos;
    })) << line
        << service_->metrics_text();
  }
}

class LittleMemoryTest : public ServiceTest {
 protected:
  LittleMemoryTest() : ServiceTest({.threads = 1, .max_lora_rank = 8}, 512, kBytes) {}
  static constexpr uint64_t kBytes = 200'000;
};

TEST_F(LittleMemoryTest, AnAdapterForWhichThereIsNoMemoryIsRefusedUntilAnotherOneGoes) {
  for (const char* name : {"one", "two"}) {
    llm::save_lora(real_env(), folder_.path() + "/" + name, llm::testing::random_adapter(model_, 4),
                   "tiny");
  }
  const uint64_t planned = llm::planned_lora_bytes(real_env(), folder_.path() + "/one");
  ASSERT_LT(planned, kBytes);
  ASSERT_GT(2 * planned, kBytes);
  answer("/v1/load_lora_adapter", R"({"lora_name":"one"})");
  EXPECT_EQ(service_->models().adapter_bytes(), planned);  // what was planned is what it takes
  const Refusal refused = refusal("/v1/load_lora_adapter", R"({"lora_name":"two"})");
  EXPECT_EQ(refused.status, 409);
  EXPECT_NE(refused.message.find("unload another"), std::string::npos) << refused.message;
  answer("/v1/unload_lora_adapter", R"({"lora_name":"one"})");
  answer("/v1/load_lora_adapter", R"({"lora_name":"two"})");
}

}  // namespace
}  // namespace hone::openai::testing
