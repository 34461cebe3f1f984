#pragma once
// What the tests of the batcher and of the engine share: a listener that remembers, answers that can
// be compared, and tiny words.

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "llm/batcher.h"
#include "llm/testing.h"

namespace hone::llm::testing {

inline constexpr size_t kTinyVocab = 96;
inline constexpr int32_t kTinyEnd = 95;

// Tokens that write letters, words, and halves of characters; the last one ends a text.
inline Tokenizer tiny_tokenizer() {
  TokenizerData data;
  for (size_t i = 0; i + 1 < kTinyVocab; ++i) {
    if (i < 26) {
      data.pieces.push_back(std::string(1, static_cast<char>('a' + i)));
    } else if (i < 36) {
      data.pieces.push_back(std::string(1, static_cast<char>('A' + i - 26)) + "bc");
    } else if (i == 36) {
      data.pieces.emplace_back("\u00c3");  // byte C3
    } else if (i == 37) {
      data.pieces.emplace_back("\u00a9");  // byte A9: C3 A9 is one character
    } else {
      data.pieces.push_back("x" + std::to_string(i));
    }
    data.types.push_back(TokenType::kNormal);
  }
  data.pieces.emplace_back("<end>");
  data.types.push_back(TokenType::kControl);
  data.end_of_generation = {kTinyEnd};
  return Tokenizer(std::move(data));
}

struct SampleAnswer {
  std::vector<int32_t> ids;
  std::vector<float> log_probs;
  std::vector<std::vector<std::pair<int32_t, float>>> top;
  std::string text, stop;
  FinishReason reason = FinishReason::kLength;
  int32_t end_token = -1;
  bool operator==(const SampleAnswer&) const = default;
};

struct RequestAnswer {
  std::map<size_t, SampleAnswer> samples;
  std::vector<float> score_log_probs, score_best;
  std::vector<int32_t> score_best_ids;
  std::vector<std::vector<std::pair<int32_t, float>>> score_top;
  std::vector<float> pooled;
  bool operator==(const RequestAnswer&) const = default;
};

inline std::vector<std::pair<int32_t, float>> pairs_of(std::span<const TokenLogProb> tokens) {
  std::vector<std::pair<int32_t, float>> out;
  for (const TokenLogProb& token : tokens) out.emplace_back(token.id, token.log_prob);
  return out;
}

// Holds the batcher to its word: one on_prompt, then tokens, one end a sample, one on_done, nothing
// after it.
class Recorder : public BatchListener {
 public:
  void on_prompt(size_t cached, std::span<const PromptTokenScore> scores) override {
    EXPECT_FALSE(done);
    EXPECT_EQ(++prompts_, 1u);
    cached_tokens = cached;
    for (const PromptTokenScore& score : scores) {
      answer.score_log_probs.push_back(score.log_prob);
      answer.score_best.push_back(score.most_likely.log_prob);
      answer.score_best_ids.push_back(score.most_likely.id);
      answer.score_top.push_back(pairs_of(score.top));
    }
  }
  void on_pooled(std::span<const float> vector) override {
    answer.pooled.assign(vector.begin(), vector.end());
  }
  void on_token(const TokenEvent& event) override {
    EXPECT_FALSE(done);
    EXPECT_EQ(prompts_, 1u);
    EXPECT_EQ(ended_.count(event.sample), 0u);
    SampleAnswer& sample = answer.samples[event.sample];
    sample.ids.push_back(event.id);
    sample.log_probs.push_back(event.log_prob);
    sample.top.push_back(pairs_of(event.top));
    sample.text += event.text;
    if (on_any_token) on_any_token();
  }
  void on_end(const EndEvent& event) override {
    EXPECT_FALSE(done);
    EXPECT_EQ(ended_.count(event.sample), 0u);
    ended_[event.sample] = true;
    SampleAnswer& sample = answer.samples[event.sample];
    sample.text += event.text;
    sample.stop = event.stop;
    sample.reason = event.reason;
    sample.end_token = event.token;
  }
  void on_done(const Error* error) override {
    EXPECT_FALSE(done);
    done = true;
    if (error != nullptr) failure = *error;
  }

  RequestAnswer answer;
  size_t cached_tokens = 0;
  bool done = false;
  std::optional<Error> failure;
  std::function<void()> on_any_token;

 private:
  size_t prompts_ = 0;
  std::map<size_t, bool> ended_;
};

// The request alone, with room for everything and nothing remembered.
inline RequestAnswer answer_alone(tensor::Compute& compute, const Model& model,
                                  const Tokenizer* tokenizer, std::vector<int32_t> ends,
                                  BatchRequest request) {
  BatcherOptions options;
  options.max_samples = std::max<size_t>(1, request.n);
  options.page_count =
      (request.n + 2) * (KvCache::pages_for(request.prompt.size() + request.max_tokens) + 2);
  options.max_lora_rank = request.adapter == nullptr ? 0 : request.adapter->max_rank();
  request.use_prefix_cache = false;
  Batcher batcher(compute, model, tokenizer, std::move(ends), options);
  Recorder recorder;
  batcher.add(std::move(request), recorder);
  while (batcher.step()) {
  }
  EXPECT_TRUE(recorder.done);
  return recorder.answer;
}

}  // namespace hone::llm::testing
