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
  for (const Json& token : given.at("tokens").as_array())
    fields.tokens.push_back(token.as_string());
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

// Just enough of GGUF to take the tokenizer's keys out of a file that is known to be whole; the
// reader that trusts nothing is the formats' own.
class KeyReader {
 public:
  explicit KeyReader(const char* path) : file_(path, std::ios::binary) {}

  GgufTokenizerFields read() {
    (void)number<uint32_t>();  // magic
    (void)number<uint32_t>();  // version
    (void)number<uint64_t>();  // tensors
    const auto keys = number<uint64_t>();
    for (uint64_t i = 0; i < keys && file_.good(); ++i) {
      const std::string key = text();
      read_value(key, number<uint32_t>());
    }
    return fields_;
  }

 private:
  template <typename T>
  T number() {
    T value{};
    file_.read(reinterpret_cast<char*>(&value), sizeof value);
    return value;
  }
  std::string text() {
    std::string value(number<uint64_t>(), '\0');
    file_.read(value.data(), static_cast<std::streamsize>(value.size()));
    return value;
  }
  void skip(uint32_t type) {
    constexpr size_t kSizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (type == 8) {
      (void)text();
    } else {
      file_.ignore(static_cast<std::streamsize>(kSizes[type]));
    }
  }
  void read_value(const std::string& key, uint32_t type) {
    if (type == 9) return read_array(key);
    if (key == "tokenizer.ggml.model") {
      fields_.model = text();
    } else if (key == "tokenizer.ggml.pre") {
      fields_.pre = text();
    } else if (key == "tokenizer.ggml.bos_token_id") {
      fields_.bos = number<uint32_t>();
    } else if (key == "tokenizer.ggml.eos_token_id") {
      fields_.eos = number<uint32_t>();
    } else if (key == "tokenizer.ggml.unknown_token_id") {
      fields_.unk = number<uint32_t>();
    } else if (key == "tokenizer.ggml.add_bos_token") {
      fields_.add_bos = number<uint8_t>() != 0;
    } else {
      skip(type);
    }
  }
  void read_array(const std::string& key) {
    const auto type = number<uint32_t>();
    const auto size = number<uint64_t>();
    for (uint64_t i = 0; i < size && file_.good(); ++i) {
      if (key == "tokenizer.ggml.tokens") {
        fields_.tokens.push_back(text());
      } else if (key == "tokenizer.ggml.merges") {
        fields_.merges.push_back(text());
      } else if (key == "tokenizer.ggml.token_type") {
        fields_.token_types.push_back(number<int32_t>());
      } else {
        skip(type);
      }
    }
  }

  std::ifstream file_;
  GgufTokenizerFields fields_;
};

TEST(DemoModel, EncodesAsHuggingFaceTokenizersAndLlamaCpp) {
  const char* path = std::getenv("HONE_MODEL");
  if (path == nullptr) {
    GTEST_SKIP() << "HONE_MODEL is not set to SmolLM2-135M-Instruct.Q4_1.gguf";
  }
  const Tokenizer tokenizer(tokenizer_from_gguf(KeyReader(path).read()));
  const Json golden = read_golden("smollm2.json");
  ASSERT_EQ(static_cast<int64_t>(tokenizer.vocab_size()), golden.at("vocab_size").as_int());
  ASSERT_EQ(golden.at("llama_cpp_equal").as_int(), static_cast<int64_t>(golden.at("rows").size()));
  for (const Json& row : golden.at("rows").as_array()) {
    const std::string& text = row.as_array()[0].as_string();
    EXPECT_EQ(tokenizer.encode(text), ids_of(row.as_array()[1])) << printed(text);
    if (text.find('\x1D') != std::string::npos) continue;  // this vocabulary cannot say it
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text), {.skip_special = false}), text);
    expect_ranges_tile(tokenizer, text);
  }
  EXPECT_TRUE(tokenizer.encode("\x1D").empty());
  EXPECT_TRUE(tokenizer.is_end_of_generation(*tokenizer.find("<|im_end|>")));
  EXPECT_TRUE(tokenizer.is_end_of_generation(*tokenizer.find("<|endoftext|>")));
  EXPECT_FALSE(tokenizer.is_end_of_generation(*tokenizer.find("<|im_start|>")));
  EXPECT_FALSE(tokenizer.adds_bos());
}

}  // namespace
}  // namespace hone::llm
