#include "llm/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/rng.h"
#include "llm/tokenizer/bpe.h"
#include "llm/tokenizer/byte_alphabet.h"
#include "llm/tokenizer/regex_split.h"
#include "llm/tokenizer/stream_decoder.h"
#include "llm/tokenizer/text_map.h"
#include "llm/tokenizer/tokenizer_gguf.h"

namespace hone::llm {
namespace {

// Every byte, a few merges, and two control tokens; ids 0..255 are the bytes.
GgufTokenizerFields byte_level_fields() {
  GgufTokenizerFields fields;
  fields.model = "gpt2";
  fields.pre = "smollm";
  for (int b = 0; b < 256; ++b) {
    fields.tokens.push_back(piece_of_bytes(std::string(1, static_cast<char>(b))));
  }
  for (const char* merge : {"h e", "l l", "he ll", "hell o", "a a", "aa aa", "< |"}) {
    fields.merges.push_back(merge);
    std::string piece(merge);
    piece.erase(piece.find(' '), 1);
    fields.tokens.push_back(piece);
  }
  fields.token_types.assign(fields.tokens.size(), 1);
  for (const char* control : {"<|im_start|>", "<|im_end|>"}) {
    fields.tokens.push_back(control);
    fields.token_types.push_back(3);
  }
  fields.tokens.push_back("<think>");
  fields.token_types.push_back(4);
  return fields;
}

GgufTokenizerFields sentence_piece_fields() {
  GgufTokenizerFields fields;
  fields.model = "llama";
  fields.tokens = {"<unk>", "<s>", "</s>"};
  fields.token_types = {2, 3, 3};
  constexpr char kHex[] = "0123456789ABCDEF";
  for (int b = 0; b < 256; ++b) {
    fields.tokens.push_back(std::string("<0x") + kHex[b / 16] + kHex[b % 16] + ">");
    fields.token_types.push_back(6);
  }
  for (const char* piece : {"\xE2\x96\x81", "a", "b", "ab",
                            "\xE2\x96\x81"
                            "ab"}) {
    fields.tokens.push_back(piece);
    fields.token_types.push_back(1);
  }
  for (size_t i = 0; i < fields.tokens.size(); ++i) {
    fields.scores.push_back(-static_cast<float>(i));
  }
  return fields;
}

Tokenizer byte_level() { return Tokenizer(tokenizer_from_gguf(byte_level_fields())); }
Tokenizer sentence_piece() { return Tokenizer(tokenizer_from_gguf(sentence_piece_fields())); }

template <typename Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.message();
  }
  return "nothing was thrown";
}

void expect_message(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(Tokenizer, MergesInTheOrderOfTheRanks) {
  const Tokenizer tokenizer = byte_level();
  EXPECT_EQ(tokenizer.encode("hello"), std::vector<int32_t>{*tokenizer.find("hello")});
  const std::vector<int32_t> ids = tokenizer.encode("aaaaa");
  ASSERT_EQ(ids.size(), 2u);
  EXPECT_EQ(tokenizer.piece(ids[0]), "aaaa");
  EXPECT_EQ(tokenizer.piece(ids[1]), "a");
}

TEST(Tokenizer, EncodesNothingAsNothing) {
  EXPECT_TRUE(byte_level().encode("").empty());
  EXPECT_TRUE(sentence_piece().encode("", {.add_special = false}).empty());
  EXPECT_EQ(sentence_piece().encode(""), std::vector<int32_t>{1});
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8AndNamesTheByte) {
  expect_message(message_of([] { (void)byte_level().encode("ab\xFF"); }), "byte 2");
  expect_message(message_of([] { (void)byte_level().encode("\xED\xA0\x80"); }), "byte 0");
}

TEST(Tokenizer, UserTextNeverBecomesASpecialToken) {
  const Tokenizer tokenizer = byte_level();
  const int32_t end = *tokenizer.find("<|im_end|>");
  const std::vector<TextSpan> spans = {
      {"<|im_start|>", true}, {"say <|im_end|> now", false}, {"<|im_end|>\n", true}};
  const Encoding encoding = tokenizer.encode(spans);
  std::vector<uint32_t> places;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    if (encoding.ids[i] == end) places.push_back(encoding.begin[i]);
  }
  EXPECT_EQ(places, std::vector<uint32_t>{30});
  EXPECT_TRUE(tokenizer.is_special(encoding.ids.front()));
  EXPECT_EQ(tokenizer.decode(encoding.ids, {.skip_special = false}),
            "<|im_start|>say <|im_end|> now<|im_end|>\n");
}

TEST(Tokenizer, ASpecialTokenDoesNotFormAcrossTheBorderOfUserText) {
  const Tokenizer tokenizer = byte_level();
  const std::vector<TextSpan> split = {{"<|im_", true}, {"end|>", false}};
  for (const int32_t id : tokenizer.encode(split).ids) EXPECT_FALSE(tokenizer.is_special(id));
  const std::vector<TextSpan> joined = {{"<|im_", true}, {"end|>", true}};
  EXPECT_EQ(tokenizer.encode(joined).ids, tokenizer.encode("<|im_end|>"));
}

TEST(Tokenizer, SpansThatAreNotTrustedEncodeAsTheTextWithoutSpecialTokens) {
  const Tokenizer tokenizer = byte_level();
  const std::vector<TextSpan> spans = {{"he", false}, {"llo <|im_e", false}, {"nd|>", false}};
  EXPECT_EQ(tokenizer.encode(spans).ids,
            tokenizer.encode("hello <|im_end|>", {.parse_special = false}));
}

TEST(Tokenizer, AddedTokensThatAreNotSpecialAreFoundInUserTextToo) {
  const Tokenizer tokenizer = byte_level();
  const TextSpan span{"<think>", false};
  EXPECT_EQ(tokenizer.encode(std::span<const TextSpan>(&span, 1)).ids,
            std::vector<int32_t>{*tokenizer.find("<think>")});
}

TEST(Tokenizer, AControlPieceIsNotFormedByMerging) {
  GgufTokenizerFields fields = byte_level_fields();
  fields.merges.push_back("hello hello");
  fields.tokens.push_back("hellohello");
  fields.token_types.push_back(3);
  const Tokenizer tokenizer(tokenizer_from_gguf(fields));
  EXPECT_EQ(tokenizer.encode("hellohello", {.parse_special = false}).size(), 2u);
  EXPECT_EQ(tokenizer.encode("hellohello").size(), 1u);
}

TEST(Tokenizer, KnowsTheEndsOfGeneration) {
  GgufTokenizerFields fields = byte_level_fields();
  fields.eos = 5;
  fields.eot = 6;
  const Tokenizer tokenizer(tokenizer_from_gguf(fields));
  EXPECT_TRUE(tokenizer.is_end_of_generation(5));
  EXPECT_TRUE(tokenizer.is_end_of_generation(6));
  EXPECT_TRUE(tokenizer.is_end_of_generation(*tokenizer.find("<|im_end|>")));
  EXPECT_FALSE(tokenizer.is_end_of_generation(*tokenizer.find("<|im_start|>")));
  EXPECT_FALSE(tokenizer.is_end_of_generation(-1));
  EXPECT_FALSE(tokenizer.is_end_of_generation(1 << 30));
}

TEST(Tokenizer, IdsOutsideTheVocabularyAreRefused) {
  const Tokenizer tokenizer = byte_level();
  const int32_t past = static_cast<int32_t>(tokenizer.vocab_size());
  expect_message(message_of([&] { (void)tokenizer.piece(past); }), std::to_string(past));
  expect_message(message_of([&] { (void)tokenizer.decode(std::vector<int32_t>{-1}); }), "-1");
}

TEST(Tokenizer, SentencePieceFallsBackToBytesAndStripsItsSpace) {
  const Tokenizer tokenizer = sentence_piece();
  const Encoding encoding = tokenizer.encode_with_ranges("ab\xC3\xA9", {.add_special = false});
  EXPECT_EQ(encoding.ids, (std::vector<int32_t>{263, 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(encoding.begin, (std::vector<uint32_t>{0, 2, 3}));
  EXPECT_EQ(encoding.end, (std::vector<uint32_t>{2, 3, 4}));
  EXPECT_EQ(tokenizer.decode(encoding.ids), "ab\xC3\xA9");
  EXPECT_EQ(tokenizer.decode(encoding.ids, {.strip_leading_space = false}), " ab\xC3\xA9");
  EXPECT_EQ(tokenizer.encode("ab").front(), *tokenizer.bos());
}

TEST(Tokenizer, SentencePieceTextDoesNotBecomeByteTokensOrControlTokens) {
  const Tokenizer tokenizer = sentence_piece();
  for (const int32_t id :
       tokenizer.encode("<0x41></s>", {.add_special = false, .parse_special = false})) {
    EXPECT_NE(id, 2);
    EXPECT_NE(id, 3 + 0x41);
  }
}

TEST(Tokenizer, AWordOfAMillionLettersDoesNotTakeTheSquareOfItsLength) {
  const Tokenizer tokenizer = byte_level();
  EXPECT_EQ(tokenizer.encode(std::string(1 << 20, 'a')).size(), size_t{1} << 18);
  EXPECT_EQ(tokenizer.encode(std::string(1 << 20, ' ')).size(), size_t{1} << 20);
  EXPECT_EQ(sentence_piece().encode(std::string(1 << 18, 'a')).size(), (size_t{1} << 18) + 2);
}

TEST(Tokenizer, UnknownNamesAreRefusedWithTheKnownOnes) {
  GgufTokenizerFields fields = byte_level_fields();
  fields.pre = "tekken";
  expect_message(message_of([&] { (void)tokenizer_from_gguf(fields); }), "\"tekken\"");
  expect_message(message_of([&] { (void)tokenizer_from_gguf(fields); }), "smollm");
  fields.pre.reset();
  expect_message(message_of([&] { (void)tokenizer_from_gguf(fields); }), "\"default\"");
  fields.model = "t5";
  expect_message(message_of([&] { (void)tokenizer_from_gguf(fields); }), "\"t5\"");
}

TEST(Tokenizer, FieldsThatDoNotFitTogetherAreRefused) {
  const auto refuse = [](auto change, const char* part) {
    GgufTokenizerFields fields = byte_level_fields();
    change(fields);
    expect_message(message_of([&] { (void)Tokenizer(tokenizer_from_gguf(fields)); }), part);
  };
  refuse([](auto& f) { f.tokens.clear(); }, "tokenizer.ggml.tokens");
  refuse([](auto& f) { f.token_types.pop_back(); }, "tokenizer.ggml.token_type");
  refuse([](auto& f) { f.merges.clear(); }, "tokenizer.ggml.merges");
  refuse([](auto& f) { f.merges[3] = "nospace"; }, "merges[3]");
  refuse([](auto& f) { f.merges[2] = "h zz"; }, "not in the vocabulary");
  refuse([](auto& f) { f.bos = 100000; }, "bos_token_id");
  refuse([](auto& f) { f.eos = -1; }, "eos_token_id");
  refuse([](auto& f) { f.add_bos = true; }, "add_bos_token");
  GgufTokenizerFields fields = sentence_piece_fields();
  fields.scores.pop_back();
  expect_message(message_of([&] { (void)tokenizer_from_gguf(fields); }), "tokenizer.ggml.scores");
}

TEST(Bpe, TheHeapAndTheSearchGiveTheSameMerges) {
  MergeTable table(200);
  Rng rng(7, rng_stream("bpe"));
  for (int32_t rank = 0; rank < 200; ++rank) {
    table.add(static_cast<int32_t>(rng.below(20)), static_cast<int32_t>(rng.below(20)),
              {static_cast<uint32_t>(rank), static_cast<int32_t>(rng.below(20))});
  }
  const auto find = [&](const Symbol& left, const Symbol& right) {
    return table.find(left.id, right.id);
  };
  for (int round = 0; round < 500; ++round) {
    std::vector<Symbol> symbols(rng.below(60));
    for (uint32_t i = 0; i < symbols.size(); ++i) {
      symbols[i] = {static_cast<int32_t>(rng.below(22)) - 1, i, i + 1};
    }
    std::vector<Symbol> by_search = symbols;
    merge_by_search(by_search, find);
    merge_by_heap(symbols, find);
    ASSERT_EQ(symbols, by_search);
  }
}

TEST(StreamDecoder, HoldsTheStartOfACharacterBack) {
  const Tokenizer tokenizer = byte_level();
  const auto id = [&](int byte) {
    return *tokenizer.find(piece_of_bytes(std::string(1, static_cast<char>(byte))));
  };
  StreamDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.push(id(0xF0)), "");
  EXPECT_EQ(decoder.push(id(0x9F)), "");
  EXPECT_EQ(decoder.push(id(0x98)), "");
  EXPECT_EQ(decoder.push(id(0x80)), "\xF0\x9F\x98\x80");
  EXPECT_EQ(decoder.push(id(0xC3)), "");
  EXPECT_EQ(decoder.push(id('x')), "\xEF\xBF\xBDx");
  EXPECT_EQ(decoder.push(id(0x80)), "\xEF\xBF\xBD");
  EXPECT_EQ(decoder.push(id(0xE4)), "");
  EXPECT_EQ(decoder.flush(), "\xEF\xBF\xBD");
  EXPECT_EQ(decoder.flush(), "");
}

TEST(StreamDecoder, SkipsSpecialTokensUnlessAskedForThem) {
  const Tokenizer tokenizer = byte_level();
  const int32_t end = *tokenizer.find("<|im_end|>");
  EXPECT_EQ(StreamDecoder(tokenizer).push(end), "");
  EXPECT_EQ(StreamDecoder(tokenizer, {.skip_special = false}).push(end), "<|im_end|>");
}

TEST(ByteAlphabet, EveryByteHasItsCharacterAndComesBack) {
  for (int b = 0; b < 256; ++b) {
    const std::string byte(1, static_cast<char>(b));
    EXPECT_EQ(bytes_of_piece(piece_of_bytes(byte)), byte);
  }
  EXPECT_EQ(piece_of_bytes(" \n"), "\xC4\xA0\xC4\x8A");
  EXPECT_EQ(bytes_of_piece(" "), std::nullopt);
}

TEST(RegexSplitter, SpaceMeansWhiteSpaceAsInOniguruma) {
  const RegexSplitter splitter({{R"(\s)"}});
  std::vector<Range> words;
  splitter.split(
      "a\xE1\xA0\x8E"
      "b\xC2\xA0"
      "c",
      words);  // U+180E is not white space, U+00A0 is
  EXPECT_EQ(words, (std::vector<Range>{{0, 5}, {5, 7}, {7, 8}}));
}

TEST(RegexSplitter, BehavioursCutAsTheySay) {
  using Behavior = SplitStep::Behavior;
  const auto cut = [](Behavior behavior, bool invert) {
    std::vector<Range> words;
    RegexSplitter({{"-", behavior, invert}}).split("a-b--c", words);
    return words;
  };
  EXPECT_EQ(cut(Behavior::kRemoved, false), (std::vector<Range>{{0, 1}, {2, 3}, {5, 6}}));
  EXPECT_EQ(cut(Behavior::kRemoved, true), (std::vector<Range>{{1, 2}, {3, 4}, {4, 5}}));
  EXPECT_EQ(cut(Behavior::kMergedWithPrevious, false),
            (std::vector<Range>{{0, 2}, {2, 4}, {4, 5}, {5, 6}}));
  EXPECT_EQ(cut(Behavior::kMergedWithNext, false),
            (std::vector<Range>{{0, 1}, {1, 3}, {3, 4}, {4, 6}}));
}

TEST(RegexSplitter, RefusesWhatDoesNotCompileAndWhatNeverEnds) {
  expect_message(message_of([] { RegexSplitter({{"(a"}}); }), "does not compile");
  expect_message(message_of([] { RegexSplitter({{"[a[b]]"}}); }), "nests");
  const RegexSplitter slow({{"(a+)+$"}});
  std::vector<Range> words;
  expect_message(message_of([&] { slow.split(std::string(60, 'a') + "b", words); }), "gave up");
}

TEST(Nfc, ComposesAndKeepsTheRangesOfTheOriginal) {
  EXPECT_EQ(to_nfc("e\xCC\x81x"), "\xC3\xA9x");
  EXPECT_EQ(to_nfc("\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8"), "\xEA\xB0\x81");
  MappedText text("ae\xCC\x81z", 10);
  text.apply({TextStep::Kind::kNfc}, true);
  ASSERT_EQ(text.text(), "a\xC3\xA9z");
  EXPECT_EQ(text.begin(0), 10u);
  EXPECT_EQ(text.begin(1), 11u);
  EXPECT_EQ(text.end(2), 14u);
  EXPECT_EQ(text.begin(3), 14u);
  EXPECT_EQ(text.end(3), 15u);
}

TEST(Nfc, AMillionCombiningMarksDoNotTakeTheSquareOfTheirNumber) {
  std::string marks;
  for (int i = 0; i < (1 << 19); ++i) marks += i % 2 == 0 ? "\xCC\xA3" : "\xCC\x81";
  EXPECT_EQ(to_nfc(marks).size(), marks.size());
}

}  // namespace
}  // namespace hone::llm
