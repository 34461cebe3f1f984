// Models, adapters, embeddings and tokens over real connections, by a tiny model.
#include <gtest/gtest.h>

#include "openai/testing.h"

namespace hone::openai::testing {
namespace {

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

class LittleMemoryTest : public ServiceTest {
 protected:
  LittleMemoryTest() : ServiceTest({.threads = 1, .max_lora_rank = 8}, 512, {}, nullptr, kBytes) {}
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

}  // namespace
}  // namespace hone::openai::testing
