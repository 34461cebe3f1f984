// What is written is read back from a file and compared on the golden strings. llama.cpp's own ids
// for such files: tests/golden/interop/tokenizer_interop.py.

#include "llm/tokenizer/tokenizer_gguf_writer.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "llm/formats/model_writer.h"
#include "llm/testing.h"
#include "llm/text_codec.h"
#include "llm/tokenizer/tokenizer_json.h"

namespace hone::llm {
namespace {

Json read_golden(const std::string& name) {
  return testing::read_json("tests/golden/tokenizer/" + name);
}

// Through a file that holds nothing but the vocabulary.
TextCodec through_a_file(const TokenizerData& data, size_t rows, const ModelExtras& extras) {
  const testing::TemporaryFolder folder("tokenizer_gguf_writer");
  const std::string path = folder.path() + "/vocabulary.gguf";
  GgufWriter writer(real_env(), path);
  for (const GgufEntry& entry : tokenizer_entries(gguf_tokenizer(data, rows), extras)) {
    writer.add(entry);
  }
  writer.finish();
  return load_text_codec(path).value();
}

class GgufWrittenVocabulary : public ::testing::TestWithParam<const char*> {};

TEST_P(GgufWrittenVocabulary, GivesTheGoldenIds) {
  const Json golden = read_golden(GetParam());
  TokenizerData data = tokenizer_from_json(golden.at("tokenizer"), nullptr, nullptr);
  bool plain_tokens = true;
  for (AddedToken& token : data.added_tokens) {  // GGUF has no such tokens: the goldens' are made
    plain_tokens = plain_tokens && !token.lstrip && !token.rstrip && !token.single_word &&
                   !(token.normalized && !data.normalizer.empty());
    token.lstrip = token.rstrip = token.single_word = token.normalized = false;
  }
  const Tokenizer given(data);
  const TextCodec codec = through_a_file(data, data.pieces.size() + 13, {});
  const Tokenizer& back = codec.tokenizer();
  ASSERT_EQ(back.vocab_size(), given.vocab_size() + 13);
  EXPECT_EQ(back.adds_bos(), !data.prefix.empty());
  EXPECT_EQ(back.adds_eos(), !data.suffix.empty());
  for (const int32_t end : given.end_of_generation()) {
    EXPECT_TRUE(back.is_end_of_generation(end)) << end;
  }
  for (size_t id = 0; id < given.vocab_size(); ++id) {
    const auto token = static_cast<int32_t>(id);
    if (given.piece(token).empty()) continue;
    ASSERT_EQ(back.piece(token), given.piece(token));
    ASSERT_EQ(back.bytes(token), given.bytes(token));
    ASSERT_EQ(back.is_special(token), given.is_special(token)) << given.piece(token);
  }
  size_t compared = 0;
  for (const Json& row : golden.at("rows").as_array()) {
    const std::string& text = row.as_array()[0].as_string();
    // Metaspace puts no second space in front of a text that has one; llama.cpp's form does.
    const bool metaspace = data.pre_steps.size() == 2;
    if (metaspace && (text.empty() || text[0] == ' ' || text.substr(0, 3) == "\xE2\x96\x81" ||
                      text.find('<') != std::string::npos)) {
      continue;
    }
    ASSERT_EQ(back.encode(text), given.encode(text)) << Json(text).dump();
    if (plain_tokens) {
      ASSERT_EQ(back.encode(text), testing::ints_of(row.as_array()[1])) << Json(text).dump();
    }
    const std::vector<int32_t> plain = given.encode(text, {.parse_special = false});
    ASSERT_EQ(back.encode(text, {.parse_special = false}), plain) << Json(text).dump();
    ++compared;
  }
  EXPECT_GT(compared, 200u);
}

INSTANTIATE_TEST_SUITE_P(Goldens, GgufWrittenVocabulary,
                         ::testing::Values("small_smollm.json", "small_gpt2.json",
                                           "small_llama3.json", "small_qwen2.json",
                                           "small_llama2.json", "small_metaspace.json"));

TokenizerData small_data() {
  return tokenizer_from_json(read_golden("small_llama3.json").at("tokenizer"), nullptr, nullptr);
}

TEST(TokenizerGgufWriter, KeepsIdsOfSpecialTokensTemplatesAndEnds) {
  TokenizerData data = small_data();
  data.bos = 1;
  data.eos = 2;
  data.pad = 0;
  data.prefix = {1};
  data.end_of_generation.push_back(40);  // nothing in its text says so
  ModelExtras extras;
  extras.chat_template = "{{ messages[0].content }}";
  extras.named_chat_templates = {{"default", "{{ messages[0].content }}"}, {"tool_use", "tools"}};
  const TextCodec codec = through_a_file(data, data.pieces.size(), extras);
  EXPECT_EQ(codec.tokenizer().bos(), 1);
  EXPECT_EQ(codec.tokenizer().eos(), 2);
  EXPECT_EQ(codec.tokenizer().pad(), 0);
  EXPECT_TRUE(codec.tokenizer().adds_bos());
  EXPECT_FALSE(codec.tokenizer().adds_eos());
  EXPECT_TRUE(codec.tokenizer().is_end_of_generation(40));
  EXPECT_EQ(codec.template_source(), *extras.chat_template);
}

TEST(TokenizerGgufWriter, NamesWhatGgufCannotSay) {
  const auto refusal_of = [](const TokenizerData& data, size_t rows) {
    return testing::refusal([&] { gguf_tokenizer(data, rows); });
  };
  const size_t size = small_data().pieces.size();
  EXPECT_EQ(refusal_of(small_data(), size), "accepted");
  EXPECT_NE(refusal_of(small_data(), size - 1).find("the model's embedding"), std::string::npos);
  TokenizerData data = small_data();
  data.splits[0].regex += "|x";
  EXPECT_NE(refusal_of(data, size).find("none of the ways that have a name: smollm"),
            std::string::npos);
  data = small_data();
  data.ignore_merges = !data.ignore_merges;
  EXPECT_NE(refusal_of(data, size).find("none of the ways"), std::string::npos);
  data = small_data();
  data.added_tokens[0].lstrip = true;
  EXPECT_NE(refusal_of(data, size).find("white space"), std::string::npos);
  data = small_data();
  data.suffix = {2, 3};
  EXPECT_NE(refusal_of(data, size).find("EOS around a text"), std::string::npos);
  data = small_data();
  data.end_of_generation = {40, 41, 42};
  EXPECT_NE(refusal_of(data, size).find("more than three"), std::string::npos);
  TokenizerData pieces =
      tokenizer_from_json(read_golden("small_llama2.json").at("tokenizer"), nullptr, nullptr);
  std::swap(pieces.merges.front(), pieces.merges.back());
  pieces.merges.push_back(pieces.merges.front());
  EXPECT_NE(refusal_of(pieces, pieces.pieces.size()).find("order of their pieces"),
            std::string::npos);
}

}  // namespace
}  // namespace hone::llm
