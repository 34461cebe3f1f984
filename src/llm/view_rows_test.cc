// Two views of a row: where they come from, the tree that keeps them apart, and what is refused.
#include "llm/view_rows.h"

#include <gtest/gtest.h>

#include <cstring>

#include "llm/predictor_tokens.h"
#include "llm/testing.h"
#include "llm/tokenizer/byte_alphabet.h"

namespace hone::llm {
namespace {

using testing::refusal;

constexpr int32_t kEnd = 256, kBos = 257;

// A token per byte; 256 ends, 257 begins.
TextCodec byte_codec(bool with_bos) {
  TokenizerData data;
  for (int byte = 0; byte < 256; ++byte) {
    data.pieces.push_back(piece_of_bytes(std::string(1, static_cast<char>(byte))));
    data.types.push_back(TokenType::kNormal);
  }
  for (const char* text : {"</s>", "<s>"}) {
    AddedToken added;
    added.id = static_cast<int32_t>(data.pieces.size());
    added.text = text;
    added.special = true;
    data.pieces.emplace_back(text);
    data.types.push_back(TokenType::kControl);
    data.added_tokens.push_back(std::move(added));
  }
  data.eos = kEnd;
  data.bos = kBos;
  if (with_bos) data.prefix = {kBos};
  data.end_of_generation = {kEnd};
  constexpr char kTemplate[] =
      "{% for m in messages %}{{ m['role'][0] + ':' + m['content'] + '</s>' }}{% endfor %}"
      "{% if add_generation_prompt %}a:{% endif %}";
  return TextCodec(Tokenizer(std::move(data)),
                   ChatTemplate::parse(kTemplate, {"<s>", "</s>"}).value());
}

std::string text_of(const std::vector<int32_t>& tokens) {
  std::string out;
  for (int32_t id : tokens) {
    out += id < 256 ? std::string(1, static_cast<char>(id)) : id == kEnd ? "{E}" : "{B}";
  }
  return out;
}

ModelConfig model_config(size_t context = 64) {
  ModelConfig config = testing::random_model({}).config;
  config.vocab_size = 258;
  config.context_length = context;
  return config;
}

data::Row row_of(const std::string& json) {
  data::Row row = data::row_from_json(Json::parse(json).value(), sft_row_kinds()).value();
  row.file = "rows.jsonl";
  row.line = 7;
  return row;
}

ViewTokens views(const std::string& json, bool with_bos = false,
                 const TokenizeOptions& options = {}, size_t predictors = 0) {
  const TextCodec codec = byte_codec(with_bos);
  return tokenize_views({row_of(json)}, &codec, options, predictors, model_config()).front();
}

TEST(ViewRows, PromptAndCompletionAreTheViewsByDefault) {
  const ViewTokens row = views(R"({"prompt":"add: ","completion":"a+b"})");
  EXPECT_EQ(text_of(row.first), "add: ");
  EXPECT_EQ(text_of(row.second), "a+b{E}");
  EXPECT_EQ(text_of(row.row.tokens), "add: a+b{E}");
  EXPECT_EQ(row.row.trained_tokens(), 4u);
  const ViewTokens bos = views(R"({"prompt":"add: ","completion":"a+b"})", true);
  EXPECT_EQ(text_of(bos.first), "{B}add: ");
  EXPECT_EQ(text_of(bos.second), "{B}a+b{E}");
  EXPECT_EQ(text_of(bos.row.tokens), "{B}add: a+b{E}");
  const ViewTokens ids = views(R"({"prompt_ids":[1,2],"completion_ids":[3]})", true);
  EXPECT_EQ(ids.first, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(ids.second, (std::vector<int32_t>{3})) << "nothing is added to ids";
}

TEST(ViewRows, TrainingTheWholeRowDoesNotMoveTheViews) {
  TokenizeOptions options;
  options.completion_only_loss = false;
  const ViewTokens row = views(R"({"prompt":"add: ","completion":"a+b"})", false, options);
  EXPECT_EQ(text_of(row.first), "add: ");
  EXPECT_EQ(row.row.trained_tokens(), 8u);
}

TEST(ViewRows, AConversationIsSplitBeforeTheAssistantsLastWords) {
  const ViewTokens row = views(
      R"({"messages":[{"role":"user","content":"add"},{"role":"assistant","content":"a+b"}]})");
  EXPECT_EQ(text_of(row.first), "u:add{E}a:");
  EXPECT_EQ(text_of(row.second), "a+b{E}");
  EXPECT_EQ(text_of(row.row.tokens), "u:add{E}a:a+b{E}");
}

TEST(ViewRows, NamedViewsStandBesideAnyRow) {
  const ViewTokens row = views(R"({"text":"both","views":["one","other"]})", true);
  EXPECT_EQ(text_of(row.row.tokens), "{B}both{E}");
  EXPECT_EQ(text_of(row.first), "{B}one");
  EXPECT_EQ(text_of(row.second), "{B}other{E}");
}

TEST(ViewRows, TheTreeSharesAPromptAndKeepsTheViewsApart) {
  const ViewTokens row = views(R"({"prompt":"ab","completion":"c"})");
  const TreeExample shared = row.tree({258, 2, true});
  ASSERT_EQ(shared.tree.nodes.size(), 4u);
  EXPECT_EQ(text_of(shared.tree.nodes[0].tokens), "ab");
  EXPECT_EQ(text_of(shared.tree.nodes[1].tokens), "c{E}");
  EXPECT_EQ(shared.tree.nodes[1].parent, 0);
  EXPECT_EQ(shared.tree.nodes[2].tokens, (std::vector<int32_t>{258, 259}));
  EXPECT_EQ(shared.tree.nodes[2].parent, 0);
  EXPECT_EQ(text_of(shared.tree.nodes[3].tokens), "c{E}");
  EXPECT_EQ(shared.tree.nodes[3].parent, -1);
  EXPECT_EQ(shared.targets.size(), 4u);
  EXPECT_EQ(row.tree({258, 0, true}).tree.row_count(), 2u + 2 + 2);
  const TreeExample apart = row.tree({258, 2, false});
  EXPECT_EQ(apart.tree.nodes.size(), 3u);
  EXPECT_EQ(apart.tree.row_count(), 4u + 4 + 2);
}

// The states do not depend on the form of the tree, and neither view reads the other.
TEST(ViewRows, TheStatesOfAViewAreThoseOfTheViewAlone) {
  tensor::Compute compute(2);
  Model model = testing::random_model({.vocab = 258});
  model.predictors = new_predictors(model, 2, 1);
  TrainingPass pass(compute, model, nullptr, 128, {});
  const auto states = [&](const TreeExample& tree) {
    std::vector<std::vector<float>> out;
    score_trees(pass, {&tree, 1}, [&](size_t, const TreeResult& result) {
      for (const HiddenState& state : result.hidden) {
        if (!state.value.empty()) out.emplace_back(state.value.begin(), state.value.end());
      }
    });
    return out;
  };
  const ViewTokens row = views(R"({"prompt":"a longer prompt","completion":"answer"})");
  const auto shared = states(row.tree({258, 2, true}));
  ASSERT_EQ(shared.size(), 2u);
  EXPECT_TRUE(shared == states(row.tree({258, 2, false})));
  EXPECT_TRUE(shared == states(row.views_tree({258, 2, true})));
  const ViewTokens other = views(R"({"prompt":"a longer prompt","completion":"another"})");
  EXPECT_TRUE(shared[0] == states(other.views_tree({258, 2, true}))[0]);
  EXPECT_FALSE(shared[1] == states(other.views_tree({258, 2, true}))[1]);
  EXPECT_FALSE(shared[0] == states(row.views_tree({258, 1, true}))[0]);
}

TEST(ViewRows, RowsWithoutTwoViewsAreRefusedByName) {
  const auto why = [](const std::string& json, const TokenizeOptions& options = {},
                      size_t predictors = 0) {
    return refusal([&] { views(json, false, options, predictors); });
  };
  EXPECT_EQ(why(R"({"prompt":"a","completion":"b"})"), "accepted");
  EXPECT_EQ(why(R"({"text":"alone"})"),
            "rows.jsonl:7: has no second view: jepa needs prompt and completion, messages, or "
            "\"views\" with two texts beside the row");
  EXPECT_NE(why(R"({"input_ids":[1,2,3]})").find("no second view"), std::string::npos);
  EXPECT_NE(why(R"({"prompt":"","completion":"b"})").find("first view is empty"),
            std::string::npos);
  EXPECT_NE(why(R"({"text":"t","views":["one"]})").find("two strings"), std::string::npos);
  EXPECT_NE(why(R"({"text":"t","views":["one",2]})").find("two strings"), std::string::npos);
  EXPECT_NE(why(R"({"messages":[{"role":"user","content":"a"}]})").find("assistant"),
            std::string::npos);
  EXPECT_NE(why(R"({"messages":[{"role":"assistant","content":"a"}]})").find("before it"),
            std::string::npos);
  const TokenizeOptions uncut = {.max_length = 0};
  const std::string longest = std::string(R"({"prompt":")") + std::string(62, 'x');
  EXPECT_EQ(why(longest + R"(","completion":"b"})", uncut, 2), "accepted");
  EXPECT_NE(why(longest + R"(","completion":"b"})", uncut, 3).find("context is 64"),
            std::string::npos);
  const data::Row ids = row_of(R"({"input_ids":[1,2],"views":["a","b"]})");
  EXPECT_NE(
      refusal([&] { tokenize_views({ids}, nullptr, {}, 0, model_config()); }).find("no tokenizer"),
      std::string::npos);
}

TEST(ViewRows, AViewIsCutAsRowsAre) {
  TokenizeOptions options;
  options.max_length = 6;
  const ViewTokens row = views(R"({"text":"t","views":["abcdefgh","ij"]})", false, options);
  EXPECT_EQ(text_of(row.first), "abcdef");
  EXPECT_EQ(row.row.cut, 2u);
  const ViewTokens pair = views(R"({"prompt":"abcd","completion":"efgh"})", false, options);
  EXPECT_EQ(text_of(pair.second), "ef");
}

}  // namespace
}  // namespace hone::llm
