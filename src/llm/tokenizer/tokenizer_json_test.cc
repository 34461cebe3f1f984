// What a tokenizer.json may say and Hone does not do is refused by its name, never left out.

#include "llm/tokenizer/tokenizer_json.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "llm/tokenizer/tokenizer.h"

namespace hone::llm {
namespace {

constexpr const char* kModel =
    R"("model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "<s>": 3}, "merges": ["a b"]})";
constexpr const char* kByteLevel =
    R"("pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true})";

std::string file_of(const std::string& members) { return "{" + members + "}"; }
std::string joined(const std::string& more) {
  return file_of(std::string(kModel) + ", " + kByteLevel + (more.empty() ? "" : ", " + more));
}

std::string refusal_of(const std::string& tokenizer, const char* config = nullptr,
                       const char* generation = nullptr) {
  const auto optional = [](const char* text) { return Json::parse(text ? text : "null").value(); };
  const Json file = Json::parse(tokenizer).value();
  const Json config_json = optional(config), generation_json = optional(generation);
  try {
    (void)tokenizer_from_json(file, config ? &config_json : nullptr,
                              generation ? &generation_json : nullptr);
  } catch (const Error& error) {
    return error.message();
  }
  return "nothing was refused";
}

void expect_refused(const std::string& tokenizer, const std::vector<std::string>& parts) {
  const std::string message = refusal_of(tokenizer);
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << tokenizer << "\n" << message;
  }
}

TEST(TokenizerJson, ReadsWhatItKnows) {
  const Json file = Json::parse(joined("")).value();
  const Tokenizer tokenizer(tokenizer_from_json(file, nullptr, nullptr));
  EXPECT_EQ(tokenizer.encode("abab"), (std::vector<int32_t>{2, 2}));
}

TEST(TokenizerJson, RefusesOtherModelsByName) {
  for (const char* type : {"WordPiece", "Unigram", "WordLevel"}) {
    const std::string model = R"("model": {"type": ")" + std::string(type) + R"(", "vocab": {}})";
    expect_refused(file_of(model), {"model type", type, "BPE"});
  }
}

TEST(TokenizerJson, RefusesMembersOfTheModelThatWouldChangeIds) {
  const auto refuse = [](const std::string& member, const char* part) {
    const std::string model =
        R"("model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], )" + member + "}";
    expect_refused(file_of(model + ", " + kByteLevel), {part});
  };
  refuse(R"("continuing_subword_prefix": "##")", "model.continuing_subword_prefix");
  refuse(R"("end_of_word_suffix": "</w>")", "model.end_of_word_suffix");
  refuse(R"("dropout": 0.1)", "model.dropout");
  refuse(R"("unk_token": "<unk>")", "model.unk_token \"<unk>\"");
  refuse(R"("byte_fallback": 1)", "boolean");
}

TEST(TokenizerJson, RefusesOtherNormalizersByName) {
  for (const char* type : {"NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Strip", "Nmt",
                           "BertNormalizer", "Precompiled", "ByteLevel"}) {
    const std::string step = R"({"type": ")" + std::string(type) + R"("})";
    expect_refused(joined(R"("normalizer": )" + step), {"normalizer", type, "NFC"});
    expect_refused(
        joined(R"("normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, )" + step +
               "]}"),
        {"normalizer", type});
  }
  expect_refused(
      joined(R"("normalizer": {"type": "Replace", "pattern": {"Regex": "a+"}, "content": "b"})"),
      {"normalizer Replace", "only a pattern that is a String"});
  expect_refused(joined(R"("normalizer": {})"), {"normalizer", "\"type\""});
}

TEST(TokenizerJson, RefusesOtherPreTokenizersByName) {
  for (const char* type : {"Whitespace", "WhitespaceSplit", "BertPreTokenizer", "Punctuation",
                           "CharDelimiterSplit", "UnicodeScripts", "FixedLength"}) {
    const std::string step = R"({"type": ")" + std::string(type) + R"("})";
    expect_refused(file_of(std::string(kModel) + R"(, "pre_tokenizer": )" + step),
                   {"pre_tokenizer", type, "Split, Digits, ByteLevel"});
  }
  const auto refuse = [](const std::string& steps, const std::vector<std::string>& parts) {
    expect_refused(file_of(std::string(kModel) + R"(, "pre_tokenizer": {"type": "Sequence", )" +
                           R"("pretokenizers": [)" + steps + "]}"),
                   parts);
  };
  const std::string split =
      R"({"type": "Split", "pattern": {"String": "-"}, "behavior": "Isolated"})";
  refuse(R"({"type": "Split", "pattern": {"String": "-"}, "behavior": "Contiguous"})",
         {"Split behavior", "Contiguous", "Isolated"});
  refuse(R"({"type": "ByteLevel"}, {"type": "Digits"})", {"Digits", "behind ByteLevel"});
  refuse(split + R"(, {"type": "ByteLevel", "add_prefix_space": true})",
         {"add_prefix_space", "behind another split"});
  refuse(split + R"(, {"type": "Metaspace"})", {"Metaspace behind another split"});
  refuse(R"({"type": "Metaspace", "prepend_scheme": "last"})",
         {"prepend_scheme", "last", "always"});
}

TEST(TokenizerJson, RefusesOtherPostProcessorsAndDecodersByName) {
  for (const char* type : {"BertProcessing", "RobertaProcessing"}) {
    expect_refused(joined(R"("post_processor": {"type": ")" + std::string(type) + R"("})"),
                   {"post_processor", type, "TemplateProcessing"});
  }
  for (const char* type : {"WordPiece", "BPEDecoder", "CTC"}) {
    expect_refused(joined(R"("decoder": {"type": ")" + std::string(type) + R"("})"),
                   {"decoder", type, "ByteLevel"});
  }
  expect_refused(joined(R"("post_processor": {"type": "TemplateProcessing", "single": [)"
                        R"({"Sequence": {"id": "A"}}, {"Sequence": {"id": "A"}}]})"),
                 {"TemplateProcessing", "repeats the text"});
}

TEST(TokenizerJson, RefusesBpeThatIsNeitherOfBytesNorSentencePieces) {
  expect_refused(file_of(kModel), {"neither ByteLevel nor SentencePiece"});
}

TEST(TokenizerJson, RefusesFilesThatDoNotFitTogether) {
  const auto refuse = [](const std::string& vocab, const std::string& merges,
                         const std::string& more, const char* part) {
    expect_refused(file_of(R"("model": {"vocab": )" + vocab + R"(, "merges": )" + merges + "}, " +
                           kByteLevel + more),
                   {part});
  };
  refuse(R"({"a": 0, "b": 0})", "[]", "", "id 0 to two tokens");
  refuse(R"({"a": -1})", "[]", "", "-1");
  refuse(R"({"a": 16000000})", "[]", "", "16000000");
  refuse(R"({"a": 0})", R"(["a b"])", "", "\"b\" is not in model.vocab");
  refuse(R"({"a": 0})", R"(["ab"])", "", "model.merges[0]");
  refuse(R"({"a": 0})", R"([["a"]])", "", "string");
  refuse("{}", "[]", "", "vocabulary is empty");
  refuse(R"({"a": 0})", "[]", R"(, "added_tokens": [{"id": 1}])", "content");
  expect_refused("[]", {"expected an object, found a"});
  expect_refused("{}", {"model"});
}

TEST(TokenizerJson, RefusesConfigsThatNameTokensThatAreNotThere) {
  const auto refuse = [](const char* config, const char* generation, const char* part) {
    const std::string message = refusal_of(joined(""), config, generation);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  refuse(R"({"bos_token": "<bos>"})", nullptr, "bos_token \"<bos>\"");
  refuse(R"({"eos_token": {"content": "<eos>"}})", nullptr, "eos_token \"<eos>\"");
  refuse(R"({"add_bos_token": true})", nullptr, "add_bos_token");
  refuse("{}", R"({"eos_token_id": 9})", "EOS id 9");
  EXPECT_EQ(refusal_of(joined(""), R"({"bos_token": "<s>", "add_bos_token": true})",
                       R"({"eos_token_id": [3]})"),
            "nothing was refused");
}

}  // namespace
}  // namespace hone::llm
