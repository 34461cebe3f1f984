// A reward model as a reward function: how answers are closed, that batches change no bit, and what
// cannot judge.
#include "train/model_reward.h"

#include <gtest/gtest.h>

#include "llm/formats/model_writer.h"
#include "llm/reward_scoring.h"
#include "llm/score_head.h"
#include "llm/tokenizer/byte_alphabet.h"
#include "llm/tokenizer/tokenizer_json_writer.h"
#include "train/final_model.h"
#include "train/testing.h"

namespace hone::train {
namespace {

constexpr int32_t kEnd = 257;
constexpr const char* kChatml =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + "
    "'\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

// A token per byte and two special ones.
llm::TextCodec byte_codec(bool with_template) {
  llm::TokenizerData data;
  for (int byte = 0; byte < 256; ++byte) {
    data.pieces.push_back(llm::piece_of_bytes(std::string(1, static_cast<char>(byte))));
    data.types.push_back(llm::TokenType::kNormal);
  }
  for (const char* text : {"<|im_start|>", "<|im_end|>"}) {
    llm::AddedToken added;
    added.id = static_cast<int32_t>(data.pieces.size());
    added.text = text;
    added.special = true;
    data.pieces.emplace_back(text);
    data.types.push_back(llm::TokenType::kControl);
    data.added_tokens.push_back(std::move(added));
  }
  data.eos = kEnd;
  data.end_of_generation = {kEnd};
  std::optional<llm::ChatTemplate> chat;
  if (with_template) chat = llm::ChatTemplate::parse(kChatml, {"", "<|im_end|>"}).value();
  return llm::TextCodec(llm::Tokenizer(std::move(data)), std::move(chat));
}

class ModelRewardTest : public ::testing::Test {
 protected:
  ModelRewardTest() : folder_("model_reward"), model_(make_model()) {}

  static llm::Model make_model(size_t context = 64) {
    llm::testing::TinyShape shape;
    shape.vocab = 258;
    shape.layers = 1;
    shape.context = context;
    llm::Model model = llm::testing::random_model(shape);
    model.score = llm::new_score_head(shape.hidden, 3);
    model.config.score_head = true;
    return model;
  }

  // The folder of a model with or without its words, template and score head.
  std::string write(const std::string& name, const llm::Model& model, bool words = true,
                    bool with_template = true) const {
    std::vector<llm::NamedFile> files;
    if (words) {
      const llm::TextCodec codec = byte_codec(with_template);
      llm::HuggingFaceTokenizer written =
          llm::huggingface_tokenizer(codec.tokenizer().data(), codec.template_source());
      files.emplace_back("tokenizer.json", std::move(written.tokenizer_json));
      files.emplace_back("tokenizer_config.json", std::move(written.tokenizer_config_json));
    }
    const std::string path = folder_.path() + "/" + name;
    llm::write_huggingface_directory(real_env(), path, model.config, tensor::DataType::kF32,
                                     model_rows(model), {kEnd}, files);
    return path;
  }

  static std::vector<int32_t> bytes(const std::string& text) {
    std::vector<int32_t> ids;
    for (char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  static std::vector<int32_t> joined(std::vector<int32_t> a, const std::vector<int32_t>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  }
  // "<|im_start|>assistant\n" behind a question.
  static std::vector<int32_t> chat_prompt() {
    std::vector<int32_t> ids = {256};
    ids = joined(std::move(ids), bytes("user\nwhy?"));
    ids.push_back(257);
    ids = joined(std::move(ids), bytes("\n"));
    ids.push_back(256);
    return joined(std::move(ids), bytes("assistant\n"));
  }

  float by_hand(const std::vector<int32_t>& row) {
    float value = 0;
    llm::score_answers(compute_, model_, nullptr, std::span(&row, 1), 512,
                       [&](size_t, float score) { value = score; });
    return value;
  }
  static reward::Sample sample(const std::vector<int32_t>& prompt,
                               const std::vector<int32_t>& answer, bool ended) {
    return {"", "", prompt, answer, ended, nullptr, "p.jsonl:4"};
  }

  llm::testing::TemporaryFolder folder_;
  tensor::Compute compute_{1};
  llm::Model model_;
};

TEST_F(ModelRewardTest, AnAnswerIsClosedAsItWasInTraining) {
  ModelReward reward("judge", write("judge", model_), "");
  reward.load(compute_);
  const std::vector<int32_t> text = bytes("2+2="), chat = chat_prompt();
  const std::vector<int32_t> said = bytes("4"), ended = joined(bytes("4"), {kEnd});
  const auto value = [&](const reward::Sample& one) {
    return static_cast<float>(*reward.score({&one, 1}).at(0));
  };
  // Behind a text by the end token, whether the answer had come to it or was cut.
  const float of_text = by_hand(joined(joined(text, said), {kEnd}));
  EXPECT_EQ(value(sample(text, ended, true)), of_text);
  EXPECT_EQ(value(sample(text, said, false)), of_text);
  // Behind a chat's prompt by what the template writes after an assistant's words.
  const float of_chat = by_hand(joined(joined(joined(chat, said), {kEnd}), bytes("\n")));
  EXPECT_EQ(value(sample(chat, ended, true)), of_chat);
  EXPECT_NE(of_chat, of_text);
}

TEST_F(ModelRewardTest, NeitherTheBatchNorThreadsChangeABit) {
  const std::string path = write("judge", model_);
  std::vector<std::vector<int32_t>> answers;
  Rng rng(2, rng_stream("answers"));
  for (size_t i = 0; i < 9; ++i)
    answers.push_back(llm::testing::random_tokens(rng, 1 + 5 * i, 256));
  const std::vector<int32_t> prompt = bytes("why?");
  std::vector<reward::Sample> samples;
  for (const auto& answer : answers) samples.push_back(sample(prompt, answer, false));
  ModelReward reward("judge", path, "");
  reward.load(compute_);
  const auto all = reward.score(samples);
  tensor::Compute three(3);
  ModelReward again("judge", path, "");
  again.load(three);
  for (size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ(again.score(std::span(samples).subspan(i, 1)).at(0), all[i]) << i;
  }
  EXPECT_TRUE(reward.score({}).empty());
}

TEST_F(ModelRewardTest, WhatCannotJudgeIsRefusedByName) {
  const auto said = [&](const std::string& model, const std::string& adapter = "") {
    return llm::testing::refusal([&] { ModelReward("judge", model, adapter); });
  };
  EXPECT_NE(said(folder_.path() + "/gone").find("reward judge: there is no model"),
            std::string::npos);
  llm::Model plain = make_model();
  plain.score = {};
  plain.config.score_head = false;
  EXPECT_NE(said(write("plain", plain)).find("has no score head: train one"), std::string::npos);
  EXPECT_NE(said(write("wordless", model_, false)).find("has no tokenizer"), std::string::npos);

  ModelReward reward("judge", write("judge", make_model(16)), "");
  llm::ModelConfig other = model_.config;
  other.vocab_size = 300;
  EXPECT_NE(llm::testing::refusal([&] {
              reward.check_vocabulary(other);
            }).find("reads 258 tokens and the policy writes 300"),
            std::string::npos);
  reward.check_vocabulary(model_.config);
  reward.load(compute_);
  const std::vector<int32_t> prompt = bytes("why?"), answer = bytes("because it is long");
  const reward::Sample one = sample(prompt, answer, false);
  EXPECT_NE(llm::testing::refusal([&] {
              reward.score({&one, 1});
            }).find("an answer to p.jsonl:4 has 23 tokens"),
            std::string::npos);
}

TEST_F(ModelRewardTest, WithoutATemplateEveryAnswerIsAText) {
  ModelReward reward("judge", write("judge", model_, true, false), "");
  reward.load(compute_);
  const std::vector<int32_t> chat = chat_prompt(), said = bytes("4");
  const reward::Sample one = sample(chat, said, false);
  EXPECT_EQ(static_cast<float>(*reward.score({&one, 1}).at(0)),
            by_hand(joined(joined(chat, said), {kEnd})));
}

}  // namespace
}  // namespace hone::train
