// Against the ids that Hugging Face tokenizers, sentencepiece and llama.cpp give (how they were
// made: tests/golden/tokenizer/make_tokenizer_goldens.py).

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "llm/tokenizer/tokenizer.h"
#include "llm/tokenizer/tokenizer_gguf.h"
#include "llm/tokenizer/tokenizer_json.h"

namespace hone::llm {
namespace {

Json read_golden(const std::string& name) {
  std::ifstream file("tests/golden/tokenizer/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name << ": run the tests from the top of the source tree";
  std::stringstream text;
  text << file.rdbuf();
  return Json::parse(text.str()).value();
}

std::vector<int32_t> ids_of(const Json& array) {
  std::vector<int32_t> ids;
  for (const Json& id : array.as_array()) ids.push_back(static_cast<int32_t>(id.as_int()));
  return ids;
}

std::string printed(const std::string& text) { return Json(text).dump(); }

// Where nothing is normalised, the ranges of the tokens are the text.
void expect_ranges_tile(const Tokenizer& tokenizer, const std::string& text) {
  const Encoding encoding = tokenizer.encode_with_ranges(text, {.add_special = false});
  uint32_t at = 0;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    ASSERT_EQ(encoding.begin[i], at) << printed(text);
    ASSERT_GE(encoding.end[i], at);
    at = encoding.end[i];
  }
  ASSERT_EQ(at, text.size()) << printed(text);
}

class SmallVocabulary : public testing::TestWithParam<const char*> {};

TEST_P(SmallVocabulary, EncodesAsHuggingFaceTokenizers) {
  const Json golden = read_golden(GetParam());
  const Tokenizer tokenizer(tokenizer_from_json(golden.at("tokenizer"), nullptr, nullptr));
  ASSERT_GE(golden.at("rows").size(), 300u);
  size_t different = 0;
  for (const Json& row : golden.at("rows").as_array()) {
    const std::string& text = row.as_array()[0].as_string();
    EXPECT_EQ(tokenizer.encode(text), ids_of(row.as_array()[1])) << printed(text);
    EXPECT_EQ(tokenizer.encode(text, {.add_special = false}), ids_of(row.as_array()[2]))
        << printed(text);
    if (HasFailure() && ++different > 20) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Goldens, SmallVocabulary,
                         testing::Values("small_smollm.json", "small_gpt2.json",
                                         "small_llama3.json", "small_qwen2.json",
                                         "small_llama2.json", "small_metaspace.json"));

TEST(SentencePieceVocabulary, EncodesAndDecodesAsSentencePiece) {
  const Json golden = read_golden("sentence_piece.json");
  const Json& given = golden.at("fields");
  GgufTokenizerFields fields;
  fields.model = given.at("model").as_string();
  for (const Json& token : given.at("tokens").as_array()) fields.tokens.push_back(token.as_string());
  fields.token_types = ids_of(given.at("token_types"));
  for (const Json& score : given.at("scores").as_array()) {
    fields.scores.push_back(static_cast<float>(score.as_double()));
  }
  const Tokenizer tokenizer(tokenizer_from_gguf(fields));
  for (const Json& row : golden.at("rows").as_array()) {
    const std::string& text = row.as_array()[0].as_string();
    const EncodeOptions plain{.add_special = false, .parse_special = false};
    EXPECT_EQ(tokenizer.encode(text, plain), ids_of(row.as_array()[1])) << printed(text);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, {.parse_special = false})), text);
    expect_ranges_tile(tokenizer, text);
  }
}

TEST(ByteLevelVocabulary, RangesTileTheTextAndDecodingGivesItBack) {
  const Json golden = read_golden("small_gpt2.json");
  const Tokenizer tokenizer(tokenizer_from_json(golden.at("tokenizer"), nullptr, nullptr));
  for (const Json& row : golden.at("rows").as_array()) {
    const std::string& text = row.as_array()[0].as_string();
    const std::vector<int32_t> ids = tokenizer.encode(text);
    EXPECT_EQ(tokenizer.decode(ids, {.skip_special = false}), text);
    if (text.find("think>") == std::string::npos) expect_ranges_tile(tokenizer, text);
  }
}

TEST(DemoModel, EncodesAsHuggingFaceTokenizersAndLlamaCpp) {
  const char* path = std::getenv("HONE_TOKENIZER_JSON");
  if (path == nullptr) {
    GTEST_SKIP() << "HONE_TOKENIZER_JSON is not set (make_tokenizer_goldens.py writes that file "
                    "from the demo model)";
  }
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  const Json content = Json::parse(text.str()).value();
  const Tokenizer from_json(tokenizer_from_json(content, nullptr, nullptr));
  const Json golden = read_golden("smollm2.json");
  ASSERT_EQ(static_cast<int64_t>(from_json.vocab_size()), golden.at("vocab_size").as_int());
  GgufTokenizerFields fields;
  fields.model = "gpt2";
  fields.pre = "smollm";
  for (size_t i = 0; i < from_json.vocab_size(); ++i) {
    fields.tokens.push_back(from_json.data().pieces[i]);
    fields.token_types.push_back(static_cast<int32_t>(from_json.data().types[i]));
  }
  for (const TokenizerData::Merge& merge : from_json.data().merges) {
    fields.merges.push_back(std::string(from_json.piece(merge.left)) + " " +
                            std::string(from_json.piece(merge.right)));
  }
  const Tokenizer from_gguf(tokenizer_from_gguf(fields));
  for (const Json& row : golden.at("rows").as_array()) {
    const std::string& string = row.as_array()[0].as_string();
    EXPECT_EQ(from_json.encode(string), ids_of(row.as_array()[1])) << printed(string);
    EXPECT_EQ(from_gguf.encode(string), ids_of(row.as_array()[1])) << printed(string);
  }
}

}  // namespace
}  // namespace hone::llm
