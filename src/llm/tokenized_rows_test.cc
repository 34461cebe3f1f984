// From rows to tokens and targets: spans of chat templates, masks, cuts and refusals.
#include "llm/tokenized_rows.h"

#include <gtest/gtest.h>

#include "llm/testing.h"
#include "llm/tokenizer/byte_alphabet.h"

namespace hone::llm {
namespace {

constexpr int32_t kStart = 256, kEnd = 257, kBos = 258;

constexpr char kChatml[] =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + "
    "'\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

// A token per byte, and three special ones; <|im_end|> is EOS.
TextCodec byte_codec(bool with_bos = false, bool with_template = true) {
  TokenizerData data;
  for (int byte = 0; byte < 256; ++byte) {
    data.pieces.push_back(piece_of_bytes(std::string(1, static_cast<char>(byte))));
    data.types.push_back(TokenType::kNormal);
  }
  for (const char* text : {"<|im_start|>", "<|im_end|>", "<s>"}) {
    const auto id = static_cast<int32_t>(data.pieces.size());
    data.pieces.emplace_back(text);
    data.types.push_back(TokenType::kControl);
    AddedToken added;
    added.id = id;
    added.text = text;
    added.special = true;
    data.added_tokens.push_back(std::move(added));
  }
  data.eos = kEnd;
  data.bos = kBos;
  if (with_bos) data.prefix = {kBos};
  data.end_of_generation = {kEnd};
  std::optional<ChatTemplate> chat;
  if (with_template) chat = ChatTemplate::parse(kChatml, {"<s>", "<|im_end|>"}).value();
  return TextCodec(Tokenizer(std::move(data)), std::move(chat));
}

// Special tokens as {S}, {E} and {B}.
std::string text_of(const std::vector<int32_t>& tokens) {
  std::string out;
  for (int32_t id : tokens) {
    if (id < 256)
      out += static_cast<char>(id);
    else
      out += id == kStart ? "{S}" : id == kEnd ? "{E}" : "{B}";
  }
  return out;
}

// The tokens under the mask, each run closed by '|'.
std::string trained_text(const SftTokens& row) {
  std::string out;
  for (size_t i = 0; i < row.tokens.size(); ++i) {
    if (row.trained[i] != 0)
      out += text_of({row.tokens[i]});
    else if (!out.empty() && out.back() != '|')
      out += '|';
  }
  return out;
}

data::Row row_of(const std::string& json) {
  data::Row row = data::row_from_json(Json::parse(json).value()).value();
  row.file = "rows.jsonl";
  row.line = 7;
  return row;
}

SftTokens sft(const std::string& json, const TokenizeOptions& options = {},
              const TextCodec& codec = byte_codec(), size_t context = 2048) {
  return tokenize_sft_row(row_of(json), &codec, options, context);
}

PreferenceTokens preference(const std::string& json, const TokenizeOptions& options = {},
                            const TextCodec& codec = byte_codec(), size_t context = 2048) {
  return tokenize_preference_row(row_of(json), &codec, options, context);
}

bool says(const std::string& message, const std::string& words) {
  return message.find(words) != std::string::npos;
}

constexpr char kTalk[] =
    R"({"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"},)"
    R"({"role":"user","content":"<|im_end|>"},{"role":"assistant","content":"no"}]})";

TEST(TextCodec, TextOfAUserNeverBecomesASpecialToken) {
  const TextCodec codec = byte_codec();
  const Json messages = row_of(kTalk).messages;
  const ChatTokens chat = codec.encode_chat(messages, true);
  EXPECT_EQ(text_of(chat.ids),
            "{S}user\nhi{E}\n{S}assistant\nyo{E}\n{S}user\n<|im_end|>{E}\n{S}assistant\nno{E}\n"
            "{S}assistant\n");
  EXPECT_EQ(std::count(chat.ids.begin(), chat.ids.end(), kEnd), 4);
}

TEST(TextCodec, AModelWithoutATemplateRefusesMessages) {
  EXPECT_TRUE(
      says(testing::refusal([] { sft(kTalk, {}, byte_codec(false, false)); }), "no chat template"));
}

TEST(SftRows, MessagesTrainEveryTokenOrTheAssistantsOnly) {
  EXPECT_EQ(sft(kTalk).trained_tokens(), sft(kTalk).tokens.size() - 1);
  TokenizeOptions options;
  options.assistant_only_loss = true;
  EXPECT_EQ(trained_text(sft(kTalk, options)), "yo{E}|no{E}|");
  const std::string silent = R"({"messages":[{"role":"user","content":"hi"}]})";
  EXPECT_TRUE(
      says(testing::refusal([&] { sft(silent, options); }), "rows.jsonl:7: no token is left"));
}

TEST(SftRows, TextGetsBosInFrontAndEosBehindUnlessItEndsInIt) {
  EXPECT_EQ(text_of(sft(R"({"text":"ab"})").tokens), "ab{E}");
  EXPECT_EQ(text_of(sft(R"({"text":"ab"})", {}, byte_codec(true)).tokens), "{B}ab{E}");
  EXPECT_EQ(text_of(sft(R"({"text":"ab<|im_end|>"})").tokens), "ab{E}");
}

TEST(SftRows, PromptAndCompletionTrainTheCompletion) {
  const std::string row = R"({"prompt":"ask ","completion":"say"})";
  EXPECT_EQ(trained_text(sft(row)), "say{E}");
  EXPECT_EQ(text_of(sft(row, {}, byte_codec(true)).tokens), "{B}ask say{E}");
  TokenizeOptions all;
  all.completion_only_loss = false;
  EXPECT_EQ(trained_text(sft(row, all)), "ask say{E}");
  const std::string chat =
      R"({"prompt":[{"role":"user","content":"hi"}],"completion":[{"role":"assistant","content":"yo"}]})";
  EXPECT_EQ(text_of(sft(chat).tokens), "{S}user\nhi{E}\n{S}assistant\nyo{E}\n");
  EXPECT_EQ(trained_text(sft(chat)), "yo{E}\n");
}

TEST(SftRows, CutsKeepTheEndOfThePromptAndTheStartOfTheRow) {
  TokenizeOptions options;
  options.max_prompt_length = 2;
  const std::string row = R"({"prompt":"abcdef","completion":"ghij"})";
  EXPECT_EQ(text_of(sft(row, options).tokens), "efghij{E}");
  options.max_length = 4;
  const SftTokens cut = sft(row, options);
  EXPECT_EQ(text_of(cut.tokens), "efgh");
  EXPECT_EQ(cut.cut, 3u);
  EXPECT_EQ(cut.trained_tokens(), 2u);
  options.max_prompt_length = 0;
  EXPECT_TRUE(says(testing::refusal([&] { sft(row, options); }), "--max-length"));
  options.max_length = 0;  // no cut, but the context bounds it
  EXPECT_TRUE(says(testing::refusal([&] { sft(row, options, byte_codec(), 10); }),
                   "the model's context is 10"));
  options.max_length = 100;  // the context cuts first
  EXPECT_EQ(sft(row, options, byte_codec(), 10).tokens.size(), 10u);
}

TEST(SftRows, TokenisedRowsGetNothingAdded) {
  const SftTokens row = sft(R"({"input_ids":[5,6,7,8],"labels":[-100,-100,7,8]})");
  EXPECT_EQ(row.tokens, (std::vector<int32_t>{5, 6, 7, 8}));
  EXPECT_EQ(row.trained, (std::vector<uint8_t>{0, 0, 1, 1}));
  const TreeExample tree = row.tree();
  ASSERT_EQ(tree.targets.size(), 2u);
  EXPECT_EQ(tree.token(tree.targets[0]), 7);
  const data::Row pair = row_of(R"({"prompt_ids":[1,2],"completion_ids":[3]})");
  EXPECT_EQ(tokenize_sft_row(pair, nullptr, {}, 64).trained, (std::vector<uint8_t>{0, 0, 1}));
  EXPECT_TRUE(
      says(testing::refusal([] { tokenize_sft_row(row_of(R"({"text":"ab"})"), nullptr, {}, 64); }),
           "no tokenizer"));
  EXPECT_TRUE(
      says(testing::refusal([] { sft(R"({"input_ids":[5,6],"labels":[5,-100]})"); }), "-100"));
}

TEST(SftRows, IdsThatTheModelDoesNotHaveAreRefused) {
  ModelConfig model;
  model.vocab_size = 200;  // the tokenizer knows 259
  model.context_length = 64;
  const TextCodec codec = byte_codec();
  EXPECT_TRUE(says(testing::refusal([&] {
                     tokenize_sft({row_of(R"({"input_ids":[1,200]})")}, nullptr, {}, model);
                   }),
                   "token id 200"));
  EXPECT_TRUE(
      says(testing::refusal([&] { tokenize_sft({row_of(R"({"text":"ab"})")}, &codec, {}, model); }),
           "token id 257"));
  EXPECT_TRUE(says(testing::refusal([&] {
                     tokenize_preferences({row_of(R"({"prompt":"a","chosen":"b","rejected":"c"})")},
                                          &codec, {}, model);
                   }),
                   "token id 257"));
}

ModelConfig of_bytes(size_t context) {
  ModelConfig config;
  config.vocab_size = 259;
  config.context_length = context;
  return config;
}

StepTokens steps(const std::string& separator, bool last_only, size_t max_length,
                 const TextCodec& codec = byte_codec()) {
  const std::vector<data::Row> rows = {row_of(
      R"({"prompt":"2+2*3?","completions":["2*3=6","2+6=9"],"labels":[true,false],"weight":0.5})")};
  return tokenize_steps(rows, &codec, separator, last_only, max_length, of_bytes(64)).at(0);
}

// TRL's rule: prompt and steps apart, the separator behind every step, its score there.
TEST(StepRows, ScoresStandBehindTheSeparatorOfEachStep) {
  const StepTokens plain = steps("\n", false, 0);
  EXPECT_EQ(text_of(plain.tokens), "2+2*3?2*3=6\n2+6=9\n");
  EXPECT_EQ(plain.ends, (std::vector<uint32_t>{11, 17}));
  EXPECT_EQ(plain.labels, (std::vector<uint8_t>{1, 0}));
  EXPECT_EQ(plain.weight, 0.5);
  EXPECT_EQ(plain.cut, 0u);
  const TreeExample tree = plain.score_tree();
  ASSERT_EQ(tree.targets.size(), 2u);
  EXPECT_TRUE(tree.targets[1].score);
  EXPECT_EQ(tree.targets[1].position, 17u);
  const StepTokens apart = steps("", false, 0, byte_codec(true));
  EXPECT_EQ(text_of(apart.tokens), "{B}2+2*3?2*3=62+6=9");
  EXPECT_EQ(apart.ends, (std::vector<uint32_t>{11, 16}));
  const StepTokens last = steps("\n", true, 0);
  EXPECT_EQ(last.ends, (std::vector<uint32_t>{17}));
  EXPECT_EQ(last.labels, (std::vector<uint8_t>{0}));
}

TEST(StepRows, ACutKeepsTheStepsThatEndBeforeIt) {
  const StepTokens cut = steps("\n", false, 13);
  EXPECT_EQ(cut.tokens.size(), 13u);
  EXPECT_EQ(cut.ends, (std::vector<uint32_t>{11}));
  EXPECT_EQ(cut.cut, 5u);
  EXPECT_TRUE(says(testing::refusal([] { steps("\n", false, 11); }),
                   "rows.jsonl:7: no step ends within --max-length 11"));
  EXPECT_TRUE(says(testing::refusal([] { steps("\n", true, 13); }), "no step ends"));
}

TEST(PreferenceRows, PromptEndsInTheGenerationPromptAndAnswersInTheirEnd) {
  const PreferenceTokens pair = preference(
      R"({"prompt":[{"role":"user","content":"hi"}],"chosen":[{"role":"assistant","content":"yo"}],)"
      R"("rejected":[{"role":"assistant","content":"<|im_start|>"}]})");
  EXPECT_EQ(text_of(pair.prompt), "{S}user\nhi{E}\n{S}assistant\n");
  EXPECT_EQ(text_of(pair.chosen), "yo{E}\n");
  EXPECT_EQ(text_of(pair.rejected), "<|im_start|>{E}\n");
  const PreferenceTokens plain =
      preference(R"({"prompt":"p","chosen":"c","rejected":"r"})", {}, byte_codec(true));
  EXPECT_EQ(text_of(plain.prompt), "{B}p");
  EXPECT_EQ(text_of(plain.chosen), "c{E}");
}

TEST(PreferenceRows, AnImplicitPromptIsWhatBothShare) {
  const PreferenceTokens pair = preference(R"({"chosen":"say yes","rejected":"say no"})");
  EXPECT_EQ(text_of(pair.prompt), "say");
  EXPECT_EQ(text_of(pair.chosen), " yes{E}");
  EXPECT_EQ(text_of(pair.rejected), " no{E}");
  const PreferenceTokens chat = preference(
      R"({"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],)"
      R"("rejected":[{"role":"user","content":"q"},{"role":"assistant","content":"b"}]})");
  EXPECT_EQ(text_of(chat.prompt), "{S}user\nq{E}\n{S}assistant\n");
  EXPECT_EQ(text_of(chat.rejected), "b{E}\n");
}

TEST(PreferenceRows, NothingInCommonLeavesAFirstTokenThatNothingPredicts) {
  const PreferenceTokens pair = preference(R"({"chosen":"yes","rejected":"no"})");
  EXPECT_TRUE(pair.prompt.empty());
  EXPECT_EQ(pair.chosen_tokens(), 3u);
  EXPECT_EQ(pair.tree(true).targets.size(), 3u + 2u);
  EXPECT_EQ(pair.tree(false).targets.size(), 3u + 2u);
}

TEST(PreferenceRows, BothLayoutsNameTheSameTargets) {
  const PreferenceTokens pair = preference(R"({"prompt":"pq","chosen":"abc","rejected":"de"})");
  const TreeExample shared = pair.tree(true), apart = pair.tree(false);
  ASSERT_EQ(shared.targets.size(), apart.targets.size());
  for (size_t i = 0; i < shared.targets.size(); ++i) {
    EXPECT_EQ(shared.token(shared.targets[i]), apart.token(apart.targets[i]));
  }
  EXPECT_EQ(shared.tree.row_count(), 2u + 4 + 3);
  EXPECT_EQ(apart.tree.row_count(), 6u + 5);
}

TEST(PreferenceRows, CutsAndWhatTheyLeaveNothingOf) {
  TokenizeOptions options;
  options.max_length = 6;
  const std::string row = R"({"prompt":"abcd","chosen":"efgh","rejected":"i"})";
  const PreferenceTokens cut = preference(row, options);
  EXPECT_EQ(text_of(cut.chosen), "ef");
  EXPECT_EQ(text_of(cut.rejected), "i{E}");
  EXPECT_EQ(cut.cut, 3u);
  options.max_length = 4;
  const std::string said = testing::refusal([&] { preference(row, options); });
  EXPECT_TRUE(says(said, "rows.jsonl:7: the prompt alone has 4 tokens")) << said;
  options.max_prompt_length = 2;
  EXPECT_EQ(text_of(preference(row, options).prompt), "cd");
  options = {};
  options.max_length = 0;
  EXPECT_TRUE(says(testing::refusal([&] { preference(row, options, byte_codec(), 8); }),
                   "the model's context is 8"));
}

TEST(PreferenceRows, AnAnswerThatIsEmptyIsRefused) {
  const data::Row row = [] {
    data::Row r = row_of(R"({"prompt_ids":[1],"chosen_ids":[2],"rejected_ids":[3]})");
    r.rejected_ids.clear();
    return r;
  }();
  EXPECT_TRUE(says(testing::refusal([&] { tokenize_preference_row(row, nullptr, {}, 64); }),
                   "an answer has no token"));
}

TEST(PreferenceRows, OtherKindsAreRefusedByName) {
  EXPECT_TRUE(says(testing::refusal([] { preference(R"({"text":"ab"})"); }), "not a preference"));
  EXPECT_TRUE(says(testing::refusal([] { sft(R"({"prompt":"p","chosen":"c","rejected":"r"})"); }),
                   "cannot be used by sft"));
}

}  // namespace
}  // namespace hone::llm
