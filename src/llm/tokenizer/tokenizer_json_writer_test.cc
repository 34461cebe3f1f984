// What is written is read back and compared on the golden strings. Once also against transformers:
// scripts are not needed for it, AutoTokenizer.from_pretrained on the written directory is enough.

#include "llm/tokenizer/tokenizer_json_writer.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/env.h"
#include "base/error.h"
#include "base/json.h"
#include "llm/text_codec.h"
#include "llm/tokenizer/tokenizer.h"
#include "llm/tokenizer/tokenizer_gguf.h"
#include "llm/tokenizer/tokenizer_json.h"

namespace hone::llm {
namespace {

Json read_golden(const std::string& name) {
  return Json::parse(real_env().read_file("tests/golden/tokenizer/" + name, 16 << 20)).value();
}

std::vector<int32_t> ids_of(const Json& array) {
  std::vector<int32_t> ids;
  for (const Json& id : array.as_array()) ids.push_back(static_cast<int32_t>(id.as_int()));
  return ids;
}

TokenizerData read_back(const HuggingFaceTokenizer& files) {
  const Json tokenizer = Json::parse(files.tokenizer_json).value();
  const Json config = Json::parse(files.tokenizer_config_json).value();
  return tokenizer_from_json(tokenizer, &config, nullptr);
}

std::vector<std::string> texts_of(const Json& golden) {
  std::vector<std::string> texts;
  for (const Json& row : golden.at("rows").as_array()) {
    texts.push_back(row.as_array()[0].as_string());
  }
  return texts;
}

void expect_same(const Tokenizer& given, const Tokenizer& back,
                 const std::vector<std::string>& texts) {
  ASSERT_EQ(back.vocab_size(), given.vocab_size());
  EXPECT_EQ(back.bos(), given.bos());
  EXPECT_EQ(back.eos(), given.eos());
  EXPECT_EQ(back.pad(), given.pad());
  EXPECT_EQ(back.adds_bos(), given.adds_bos());
  EXPECT_EQ(back.adds_eos(), given.adds_eos());
  for (size_t id = 0; id < given.vocab_size(); ++id) {
    const auto token = static_cast<int32_t>(id);
    ASSERT_EQ(back.piece(token), given.piece(token));
    ASSERT_EQ(back.bytes(token), given.bytes(token));
    ASSERT_EQ(back.is_special(token), given.is_special(token)) << given.piece(token);
  }
  for (const std::string& text : texts) {
    for (const bool parse_special : {true, false}) {
      const EncodeOptions options{.parse_special = parse_special};
      const std::vector<int32_t> ids = given.encode(text, options);
      ASSERT_EQ(back.encode(text, options), ids) << Json(text).dump();
      ASSERT_EQ(back.decode(ids), given.decode(ids)) << Json(text).dump();
    }
  }
}

class WrittenVocabulary : public testing::TestWithParam<const char*> {};

TEST_P(WrittenVocabulary, GivesTheGoldenIds) {
  const Json golden = read_golden(GetParam());
  const TokenizerData data = tokenizer_from_json(golden.at("tokenizer"), nullptr, nullptr);
  const HuggingFaceTokenizer files = huggingface_tokenizer(data, "");
  const Json json = Json::parse(files.tokenizer_json).value();
  // Without the config: the post_processor alone has to say what stands around a text.
  const Tokenizer back(tokenizer_from_json(json, nullptr, nullptr));
  for (const Json& row : golden.at("rows").as_array()) {
    const std::string& text = row.as_array()[0].as_string();
    ASSERT_EQ(back.encode(text), ids_of(row.as_array()[1])) << Json(text).dump();
    ASSERT_EQ(back.encode(text, {.add_special = false}), ids_of(row.as_array()[2]));
  }
  expect_same(Tokenizer(data), back, texts_of(golden));
  EXPECT_EQ(huggingface_tokenizer(back.data(), "").tokenizer_json, files.tokenizer_json);
}

INSTANTIATE_TEST_SUITE_P(Goldens, WrittenVocabulary,
                         testing::Values("small_smollm.json", "small_gpt2.json",
                                         "small_llama3.json", "small_qwen2.json",
                                         "small_llama2.json", "small_metaspace.json"));

TokenizerData sentence_piece_of(const Json& golden) {
  const Json& given = golden.at("fields");
  GgufTokenizerFields fields;
  fields.model = given.at("model").as_string();
  for (const Json& token : given.at("tokens").as_array())
    fields.tokens.push_back(token.as_string());
  fields.token_types = ids_of(given.at("token_types"));
  for (const Json& score : given.at("scores").as_array()) {
    fields.scores.push_back(static_cast<float>(score.as_double()));
  }
  return tokenizer_from_gguf(fields);
}

TEST(TokenizerJsonWriter, SentencePieceScoresBecomeMergesThatGiveTheSameIds) {
  const Json golden = read_golden("sentence_piece.json");
  const TokenizerData data = sentence_piece_of(golden);
  const TokenizerData back = read_back(huggingface_tokenizer(data, ""));
  EXPECT_FALSE(back.merges.empty());
  expect_same(Tokenizer(data), Tokenizer(back), texts_of(golden));
}

TEST(TokenizerJsonWriter, ASentencePieceWithoutASpaceInFrontKeepsItSo) {
  const Json golden = read_golden("sentence_piece.json");
  TokenizerData data = sentence_piece_of(golden);
  data.pre_steps.erase(data.pre_steps.begin());
  data.strip_leading_space = false;
  const TokenizerData back = read_back(huggingface_tokenizer(data, ""));
  expect_same(Tokenizer(data), Tokenizer(back), texts_of(golden));
}

// Bytes, one merge, two control tokens.
TokenizerData small_data() {
  GgufTokenizerFields fields;
  fields.model = "gpt2";
  fields.pre = "qwen2";
  fields.tokens = {"a", "b", "ab", "<s>", "</s>", "a b"};
  fields.token_types = {1, 1, 1, 3, 3, 4};
  fields.merges = {"a b"};
  fields.bos = 3;
  fields.eos = 4;
  fields.unk = 4;
  fields.pad = 4;
  fields.add_bos = true;
  return tokenizer_from_gguf(fields);
}

TEST(TokenizerJsonWriter, TheConfigNamesTheSpecialTokensAndCarriesTheTemplate) {
  const std::string chat_template = "{% for m in messages %}\"{{ m.content }}\"\n{% endfor %}";
  const HuggingFaceTokenizer files = huggingface_tokenizer(small_data(), chat_template);
  const Json config = Json::parse(files.tokenizer_config_json).value();
  EXPECT_EQ(config.at("tokenizer_class").as_string(), "PreTrainedTokenizerFast");
  EXPECT_EQ(config.at("bos_token").as_string(), "<s>");
  EXPECT_EQ(config.at("eos_token").as_string(), "</s>");
  EXPECT_EQ(config.at("unk_token").as_string(), "</s>");
  EXPECT_EQ(config.at("pad_token").as_string(), "</s>");
  EXPECT_TRUE(config.at("add_bos_token").as_bool());
  EXPECT_FALSE(config.at("add_eos_token").as_bool());
  EXPECT_FALSE(config.at("clean_up_tokenization_spaces").as_bool());
  EXPECT_EQ(config.at("chat_template").as_string(), chat_template);
}

TEST(TokenizerJsonWriter, WhatIsNotThereIsNotInTheConfig) {
  TokenizerData data = small_data();
  data.bos = data.eos = data.unk = data.pad = std::nullopt;
  data.prefix = {3, 3};  // more than add_bos_token can say
  const HuggingFaceTokenizer files = huggingface_tokenizer(data, "");
  const Json config = Json::parse(files.tokenizer_config_json).value();
  for (const char* key :
       {"bos_token", "eos_token", "unk_token", "pad_token", "add_bos_token", "chat_template"}) {
    EXPECT_EQ(config.find(key), nullptr) << key;
  }
  EXPECT_EQ(read_back(files).prefix, data.prefix);
}

TEST(TokenizerJsonWriter, AnUnknownTokenThatTextNeverBecomesIsNotTheModels) {
  const HuggingFaceTokenizer files = huggingface_tokenizer(small_data(), "");
  const Json tokenizer = Json::parse(files.tokenizer_json).value();
  EXPECT_TRUE(tokenizer.at("model").at("unk_token").is_null());
  EXPECT_TRUE(Tokenizer(read_back(files)).encode("z", {.add_special = false}).empty());
}

TEST(TokenizerJsonWriter, IdsThatNothingUsesStayFree) {
  TokenizerData data = small_data();
  data.pieces.insert(data.pieces.begin(), "");
  data.types.insert(data.types.begin(), TokenType::kUnused);
  for (TokenizerData::Merge& merge : data.merges) merge = {1, 2, 3};
  for (AddedToken& token : data.added_tokens) ++token.id;
  data.bos = 4;
  data.eos = data.unk = data.pad = 5;
  data.prefix = {4};
  data.end_of_generation = {5};
  const TokenizerData back = read_back(huggingface_tokenizer(data, ""));
  expect_same(Tokenizer(data), Tokenizer(back), {"abba a b", "<s>ab</s>"});
}

TEST(TokenizerJsonWriter, OfTokensWithOneTextTheOneThatTextBecomesIsWritten) {
  TokenizerData data = small_data();
  data.pieces.push_back("<s>");
  data.types.push_back(TokenType::kNormal);
  const TokenizerData back = read_back(huggingface_tokenizer(data, ""));
  EXPECT_EQ(Tokenizer(back).encode("ab<s>"), Tokenizer(data).encode("ab<s>"));
}

std::string refusal_of(const TokenizerData& data, const std::string& chat_template = "") {
  try {
    (void)huggingface_tokenizer(data, chat_template);
  } catch (const Error& error) {
    return error.message();
  }
  return "nothing was thrown";
}

TEST(TokenizerJsonWriter, RefusesWhatTheFilesCannotSay) {
  const auto refuse = [](auto change, const std::string& part) {
    TokenizerData data = small_data();
    change(data);
    const std::string message = refusal_of(data);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  refuse([](TokenizerData& d) { d.pieces[1] = "\xFF"; }, "token 1 is not valid UTF-8");
  refuse([](TokenizerData& d) { d.pieces[3].clear(); }, "token 3 has no text");
  refuse(
      [](TokenizerData& d) {
        d.pre_steps = {{TextStep::Kind::kPrependIfMissing, {}, "_"}};
      },
      "only where it is missing");
  refuse(
      [](TokenizerData& d) {
        d.pre_steps = {{TextStep::Kind::kPrepend, {}, "_"}};
        d.added_tokens[0].normalized = true;
      },
      "between two changes");
  refuse([](TokenizerData& d) { d.types.pop_back(); }, "token types");
  EXPECT_NE(refusal_of(small_data(), "\x80").find("chat template is not valid UTF-8"),
            std::string::npos);
}

TEST(TokenizerJsonWriter, RefusesPiecesWhoseCutsAreTooMany) {
  TokenizerData data = sentence_piece_of(read_golden("sentence_piece.json"));
  data.pieces.push_back(std::string(1025, 'a'));
  data.types.push_back(TokenType::kNormal);
  data.scores.push_back(-1e6f);
  EXPECT_NE(refusal_of(data).find("longer than 1024 bytes"), std::string::npos);
}

TEST(DemoModel, IsWrittenAndReadBackWithTheGoldenIds) {
  const char* path = std::getenv("HONE_MODEL");
  if (path == nullptr) {
    GTEST_SKIP() << "HONE_MODEL is not set to SmolLM2-135M-Instruct.Q4_1.gguf";
  }
  const std::optional<TextCodec> codec = load_text_codec(path);
  ASSERT_TRUE(codec.has_value());
  const TokenizerData back = read_back(huggingface_tokenizer(codec->tokenizer().data(), ""));
  const Json golden = read_golden("smollm2.json");
  const Tokenizer tokenizer(back);
  for (const Json& row : golden.at("rows").as_array()) {
    const std::string& text = row.as_array()[0].as_string();
    ASSERT_EQ(tokenizer.encode(text), ids_of(row.as_array()[1])) << Json(text).dump();
  }
  expect_same(codec->tokenizer(), tokenizer, texts_of(golden));
}

}  // namespace
}  // namespace hone::llm
