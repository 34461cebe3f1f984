#include "llm/batcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "llm/testing_batcher.h"
#include "llm/text_codec.h"

namespace hone::llm {
namespace {

using testing::answer_alone;
using testing::kTinyEnd;
using testing::kTinyVocab;
using testing::random_tokens;
using testing::Recorder;
using testing::refusal;
using testing::RequestAnswer;

struct World {
  tensor::Compute compute{2};
  Model model = testing::random_model({});
  Tokenizer tokenizer = testing::tiny_tokenizer();
  LoraAdapter adapters[2] = {testing::random_adapter(model, 3, 3),
                             testing::random_adapter(model, 5, 4)};

  std::unique_ptr<Batcher> batcher(BatcherOptions options) {
    options.max_lora_rank = 5;
    return std::make_unique<Batcher>(compute, model, &tokenizer, std::vector<int32_t>{kTinyEnd},
                                     options);
  }
  RequestAnswer alone(const BatchRequest& request) {
    return answer_alone(compute, model, &tokenizer, {kTinyEnd}, request);
  }
};

BatchRequest request_of(std::vector<int32_t> prompt, size_t max_tokens, double temperature = 0) {
  BatchRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling.temperature = temperature;
  return request;
}

// Every second token may come, and after `length` of them only the end.
class Alternating : public TokenConstraint {
 public:
  explicit Alternating(size_t length) : length_(length) {}
  std::unique_ptr<TokenConstraint> clone() const override {
    return std::make_unique<Alternating>(*this);
  }
  void allowed(std::span<uint64_t> bits) override {
    if (seen_ == length_) {
      bits[kTinyEnd / 64] |= uint64_t{1} << kTinyEnd % 64;
      return;
    }
    for (size_t token = seen_ % 2; token < kTinyVocab - 1; token += 2) {
      bits[token / 64] |= uint64_t{1} << token % 64;
    }
  }
  void accept(int32_t token) override {
    EXPECT_EQ(static_cast<size_t>(token) % 2, seen_ % 2);
    ++seen_;
  }
  bool finished() const override { return false; }

 private:
  size_t length_, seen_ = 0;
};

// One of the many things that clients ask for. Prompts share their beginnings.
BatchRequest random_request(World& world, Rng& rng,
                            const std::vector<std::vector<int32_t>>& stems) {
  std::vector<int32_t> prompt = stems[rng.below(stems.size())];
  if (rng.below(3) > 0) prompt.resize(1 + rng.below(prompt.size()));
  if (rng.below(4) == 0) prompt.resize(std::max<size_t>(64, prompt.size() / 64 * 64), 7);
  const std::vector<int32_t> own = random_tokens(rng, rng.below(3) * 20, kTinyVocab);
  prompt.insert(prompt.end(), own.begin(), own.end());
  BatchRequest request =
      request_of(std::move(prompt), 1 + rng.below(90), rng.below(2) == 0 ? 0 : 1);
  const size_t adapter = rng.below(3);
  if (adapter > 0) request.adapter = &world.adapters[adapter - 1];
  request.cache_scope = adapter == 0 ? "base" : adapter == 1 ? "one" : "two";
  request.use_prefix_cache = rng.below(4) > 0;
  request.seed = rng.below(3);
  request.index = rng.below(50);
  request.n = rng.below(4) == 0 ? 1 + rng.below(5) : 1;
  switch (rng.below(10)) {
    case 0: request.sampling.top_p = 0.8; break;
    case 1: request.sampling.repetition_penalty = 1.2; break;
    case 2: request.sampling.logit_bias = {{3, 5.0f}, {kTinyEnd, 2.0f}}; break;
    case 3: request.min_tokens = request.max_tokens / 2; break;
    case 4: request.stop = {"x4", "bc"}; break;
    case 5: request.constraint = std::make_shared<Alternating>(rng.below(40)); break;
    case 6: request.stop_token_ids = {11, 12, 13}; break;
    case 7: request.ignore_end_of_generation = true; break;
    default: break;
  }
  if (rng.below(3) == 0) request.top_log_probs = rng.below(6);
  if (rng.below(3) == 0) request.prompt_scores = true;
  if (rng.below(6) == 0) request.prompt_top_log_probs = 3;
  if (rng.below(8) == 0) request.max_tokens = request.min_tokens = 0;
  if (rng.below(12) == 0) {
    request.pooling = rng.below(2) == 0 ? Pooling::kMean : Pooling::kLast;
  }
  return request;
}

// A schedule: requests come at random steps; some are cancelled.
struct Schedule {
  struct Entry {
    BatchRequest request;
    RequestAnswer alone;
  };
  std::vector<Entry> entries;
  size_t answered = 0, cancelled = 0, put_aside = 0, cached = 0;

  void play(World& world, const BatcherOptions& options, Rng& rng, const std::string& what) {
    const std::unique_ptr<Batcher> batcher = world.batcher(options);
    std::vector<std::unique_ptr<Recorder>> recorders(entries.size());
    std::vector<size_t> order(entries.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    std::vector<std::pair<size_t, Batcher::Id>> ids;
    std::vector<bool> was_cancelled(entries.size());
    size_t next = 0, steps = 0;
    for (bool busy = true; busy || next < order.size(); ++steps) {
      ASSERT_LT(steps, 200000u) << what << ": does not end";
      while (next < order.size() && rng.below(3) > 0) {
        const size_t i = order[next++];
        recorders[i] = std::make_unique<Recorder>();
        ids.emplace_back(i, batcher->add(entries[i].request, *recorders[i]));
      }
      if (!ids.empty() && rng.below(40) == 0) {
        const auto [i, id] = ids[rng.below(ids.size())];
        if (!recorders[i]->done) was_cancelled[i] = true;
        batcher->cancel(id);
        EXPECT_TRUE(recorders[i]->done) << what;
      }
      if (rng.below(200) == 0) batcher->drop_cached("one");
      busy = batcher->step();
    }
    for (size_t i = 0; i < entries.size(); ++i) {
      ASSERT_TRUE(recorders[i]->done) << what;
      if (was_cancelled[i]) {
        ++cancelled;
        continue;
      }
      EXPECT_FALSE(recorders[i]->failure.has_value()) << what;
      EXPECT_EQ(recorders[i]->answer, entries[i].alone) << what << ", request " << i;
      cached += recorders[i]->cached_tokens;
      ++answered;
    }
    put_aside += batcher->metrics().put_aside;
    if (options.kept_pages > 0) {
      EXPECT_LE(batcher->metrics().cached_pages, options.kept_pages) << what;
      EXPECT_LE(batcher->metrics().resident_pages, options.kept_pages) << what;
    }
    batcher->drop_cached(std::nullopt);
    EXPECT_EQ(batcher->metrics().free_pages, options.page_count) << what << ": pages leaked";
  }
};

TEST(Batcher, AnyScheduleGivesTheBitsOfEachRequestAlone) {
  World world;
  Rng rng(17, rng_stream("schedules"));
  std::vector<std::vector<int32_t>> stems;
  for (size_t i = 0; i < 4; ++i) stems.push_back(random_tokens(rng, 150 + 30 * i, kTinyVocab));
  Schedule schedule;
  size_t most = 0;
  for (size_t i = 0; i < 90; ++i) {
    BatchRequest request = random_request(world, rng, stems);
    most = std::max(most, Batcher::pages_for(world.model.config, request));
    RequestAnswer alone = world.alone(request);
    schedule.entries.push_back({std::move(request), std::move(alone)});
  }
  for (size_t round = 0; round < 6; ++round) {
    BatcherOptions options;
    options.max_samples = 1 + rng.below(10);
    options.page_count = round % 2 == 0 ? most + rng.below(3) : 200;
    options.rows_per_pass = options.max_samples + rng.below(round < 3 ? 30 : 300);
    options.prompt_rows_beside_writing = 1 + rng.below(100);
    if (round % 3 == 1) options.kept_pages = 1 + rng.below(8);
    schedule.play(world, options, rng, "round " + std::to_string(round));
  }
  EXPECT_GT(schedule.answered, 400u);
  EXPECT_GT(schedule.cancelled, 5u);
  EXPECT_GT(schedule.put_aside, 5u) << "no pages were short: the test tests too little";
  EXPECT_GT(schedule.cached, 1000u) << "the cache was never warm: the test tests too little";
}

TEST(Batcher, PromptScoresAreTheScorersBitsColdAndFromTheCache) {
  World world;
  Rng rng(3, rng_stream("scores"));
  const std::unique_ptr<Batcher> batcher = world.batcher({4, 100, 50, 50, 0});
  for (size_t length : {1, 2, 63, 64, 65, 128, 130, 300}) {
    BatchRequest request = request_of(random_tokens(rng, length, kTinyVocab), 0);
    const LoraAdapter* const some[] = {nullptr, &world.adapters[0]};
    for (const LoraAdapter* adapter : some) {
      request.adapter = adapter;
      request.cache_scope = adapter == nullptr ? "base" : "one";
      request.use_prefix_cache = true;
      const std::vector<float> wanted =
          testing::log_probs_of(world.compute, world.model, adapter, request.prompt);
      // First without scores, so that the pages are there and know none.
      for (size_t turn = 0; turn < 4; ++turn) {
        request.prompt_scores = turn > 0;
        request.max_tokens = turn == 3 ? 1 : 0;
        Recorder recorder;
        batcher->add(request, recorder);
        while (batcher->step()) {
        }
        ASSERT_TRUE(recorder.done);
        if (turn == 0) continue;
        ASSERT_EQ(recorder.answer.score_log_probs.size(), length);
        EXPECT_EQ(wanted, std::vector<float>(recorder.answer.score_log_probs.begin() + 1,
                                             recorder.answer.score_log_probs.end()));
        // Full pages, and the last one but for its last token when that is worth a copy.
        const size_t full = length / 64 * 64, rest = length - full;
        const size_t cached = full + (rest > 8 ? rest - 1 : 0);
        EXPECT_EQ(recorder.cached_tokens, turn > 1 ? cached : 0) << length;
        for (size_t i = 1; i < length; ++i) {
          EXPECT_GE(recorder.answer.score_best[i], recorder.answer.score_log_probs[i]);
          EXPECT_EQ(recorder.answer.score_best_ids[i] == request.prompt[i],
                    recorder.answer.score_best[i] == recorder.answer.score_log_probs[i]);
        }
      }
    }
  }
}

TEST(Batcher, TextsThatPartWithinAPageReadTheirBeginningOnce) {
  World world;
  const std::unique_ptr<Batcher> batcher = world.batcher({4, 100, 100, 100, 0});
  Rng rng(8, rng_stream("beginnings"));
  const std::vector<int32_t> stem = random_tokens(rng, 90, kTinyVocab);
  const auto goes_on = [&](size_t shared, size_t more) {
    std::vector<int32_t> out(stem.begin(), stem.begin() + static_cast<std::ptrdiff_t>(shared));
    for (int32_t token : random_tokens(rng, more, kTinyVocab)) out.push_back(token);
    // Surely another token than the stem's.
    if (more > 0 && shared < stem.size()) out[shared] = (stem[shared] + 1) % (kTinyVocab - 1);
    return out;
  };
  const auto cached = [&](std::vector<int32_t> prompt, size_t max_tokens, bool scores) {
    BatchRequest request = request_of(std::move(prompt), max_tokens);
    request.use_prefix_cache = true;
    request.prompt_scores = scores;
    Recorder recorder;
    batcher->add(request, recorder);
    while (batcher->step()) {
    }
    EXPECT_EQ(recorder.answer, world.alone(request));
    return recorder.cached_tokens;
  };
  EXPECT_EQ(cached(stem, 0, true), 0u);
  // Two answers to one question: 30 tokens are the same, the last of them is read again.
  EXPECT_EQ(cached(goes_on(30, 20), 0, true), 29u);
  EXPECT_EQ(cached(goes_on(30, 0), 3, true), 29u);
  EXPECT_EQ(cached(goes_on(80, 5), 0, true), 79u) << "within the second page";
  EXPECT_EQ(cached(goes_on(70, 30), 0, true), 64u) << "6 tokens are not worth a copy";
  EXPECT_EQ(cached(goes_on(5, 30), 0, true), 0u);
  // Scores that nobody computed are computed, and a chat goes on where its answer ended.
  BatchRequest chat = request_of(random_tokens(rng, 20, kTinyVocab), 16);
  chat.ignore_end_of_generation = true;
  std::vector<int32_t> talk = chat.prompt;
  const RequestAnswer answered = world.alone(chat);
  for (int32_t id : answered.samples.at(0).ids) talk.push_back(id);
  chat.use_prefix_cache = true;
  Recorder first;
  batcher->add(chat, first);
  while (batcher->step()) {
  }
  talk.resize(talk.size() + 10, 7);
  EXPECT_EQ(cached(talk, 4, false), 20u + 15 - 1) << "the answer's last token was never read";
  EXPECT_EQ(cached(talk, 0, true), 0u) << "nobody asked for the prompt's scores yet";
  EXPECT_EQ(cached(talk, 0, true), talk.size() - 1);
}

TEST(Batcher, APageOfOneScopeIsNoPageOfAnother) {
  World world;
  const std::unique_ptr<Batcher> batcher = world.batcher({4, 100, 100, 100, 0});
  Rng rng(5, rng_stream("scopes"));
  BatchRequest request = request_of(random_tokens(rng, 200, kTinyVocab), 4);
  request.use_prefix_cache = true;
  const auto cached = [&](const char* scope, const LoraAdapter* adapter) {
    request.cache_scope = scope;
    request.adapter = adapter;
    Recorder recorder;
    batcher->add(request, recorder);
    while (batcher->step()) {
    }
    EXPECT_EQ(recorder.answer, world.alone(request));
    return recorder.cached_tokens;
  };
  EXPECT_EQ(cached("a", nullptr), 0u);
  EXPECT_EQ(cached("a", nullptr), 192u);
  EXPECT_EQ(cached("b", nullptr), 0u);
  EXPECT_EQ(cached("a", &world.adapters[0]), 0u) << "a scope that forgot the adapter";
  EXPECT_EQ(cached("a", &world.adapters[0]), 192u);
  batcher->drop_cached("a");
  EXPECT_EQ(cached("a", nullptr), 0u);
  EXPECT_EQ(cached("b", nullptr), 192u);
}

TEST(Batcher, SixtyFourLongConversationsEndInTooFewPages) {
  World world;
  Rng rng(6, rng_stream("conversations"));
  // Room for two of them at their longest.
  const std::unique_ptr<Batcher> batcher = world.batcher({32, 14, 64, 64, 0});
  std::vector<std::unique_ptr<Recorder>> recorders;
  std::vector<BatchRequest> requests;
  for (size_t i = 0; i < 64; ++i) {
    requests.push_back(request_of(random_tokens(rng, 60 + i, kTinyVocab), 300, 1));
    requests.back().index = i;
    requests.back().ignore_end_of_generation = true;
    requests.back().use_prefix_cache = i % 2 == 0;
    recorders.push_back(std::make_unique<Recorder>());
    batcher->add(requests.back(), *recorders.back());
  }
  size_t steps = 0;
  while (batcher->step()) ASSERT_LT(++steps, 100000u);
  for (size_t i = 0; i < 64; ++i) {
    ASSERT_TRUE(recorders[i]->done && !recorders[i]->failure);
    EXPECT_EQ(recorders[i]->answer.samples[0].ids.size(), 300u);
    if (i % 16 == 0) {
      EXPECT_EQ(recorders[i]->answer, world.alone(requests[i]));
    }
  }
  const BatcherMetrics metrics = batcher->metrics();
  EXPECT_GT(metrics.put_aside, 0u);
  // What was read again is bounded: not more than a few times what had to be read once.
  EXPECT_LT(metrics.rows, 8u * 64 * 400);
  EXPECT_EQ(metrics.generated_tokens, 64u * 300);
}

TEST(Batcher, ACancelFreesPagesAtOnceFromAListenerToo) {
  World world;
  const std::unique_ptr<Batcher> batcher = world.batcher({8, 40, 64, 64, 0});
  Rng rng(7, rng_stream("cancel"));
  Recorder first, second, third;
  const auto id = batcher->add(request_of(random_tokens(rng, 200, kTinyVocab), 100), first);
  batcher->step();
  EXPECT_LT(batcher->metrics().free_pages, 40u);
  batcher->cancel(id);
  EXPECT_TRUE(first.done);
  EXPECT_EQ(batcher->metrics().free_pages, 40u);
  batcher->cancel(id);
  batcher->cancel(12345);
  EXPECT_FALSE(batcher->step());

  // In the middle of a token's event, both its own request and another one.
  BatchRequest request = request_of({1, 2, 3}, 100, 1);
  request.n = 4;
  request.ignore_end_of_generation = true;
  Batcher::Id second_id = 0, third_id = 0;
  size_t tokens = 0;
  second.on_any_token = [&] {
    if (++tokens == 9) {
      batcher->cancel(third_id);
      batcher->cancel(second_id);
    }
  };
  second_id = batcher->add(request, second);
  third_id = batcher->add(request, third);
  while (batcher->step()) {
  }
  EXPECT_TRUE(second.done && third.done);
  EXPECT_EQ(tokens, 9u);
  EXPECT_EQ(batcher->metrics().free_pages, 40u);
}

class NothingAfterTwo : public TokenConstraint {
 public:
  explicit NothingAfterTwo(bool throws) : throws_(throws) {}
  std::unique_ptr<TokenConstraint> clone() const override {
    return std::make_unique<NothingAfterTwo>(*this);
  }
  void allowed(std::span<uint64_t> bits) override {
    if (seen_ < 2) bits[0] = 0xff;
  }
  void accept(int32_t token) override {
    EXPECT_LT(token, 8);
    if (++seen_ == 2 && throws_) throw Error(ErrorCode::kTooLarge, "the stack is too deep");
  }
  bool finished() const override { return false; }

 private:
  bool throws_;
  size_t seen_ = 0;
};

TEST(Batcher, AConstraintThatLeavesNothingEndsItsRequestAndNoOther) {
  World world;
  const std::unique_ptr<Batcher> batcher = world.batcher({8, 40, 64, 64, 0});
  for (bool throws : {false, true}) {
    BatchRequest bad = request_of({4, 5}, 50, 1), good = request_of({4, 5}, 50, 1);
    bad.n = 3;
    bad.constraint = std::make_shared<NothingAfterTwo>(throws);
    Recorder failed, fine;
    batcher->add(bad, failed);
    batcher->add(good, fine);
    while (batcher->step()) {
    }
    ASSERT_TRUE(failed.done && fine.done);
    ASSERT_TRUE(failed.failure.has_value());
    EXPECT_EQ(failed.failure->code(), throws ? ErrorCode::kTooLarge : ErrorCode::kInternal);
    EXPECT_EQ(fine.answer, world.alone(good));
    EXPECT_EQ(batcher->metrics().free_pages, 40u);
  }
}

TEST(Batcher, MinTokensBiasAndTopLogProbsSayWhatTheyMean) {
  World world;
  BatchRequest request = request_of({1, 2, 3}, 30, 1);
  request.sampling.logit_bias = {{kTinyEnd, 100.0f}};
  request.top_log_probs = 20;
  RequestAnswer answer = world.alone(request);
  EXPECT_EQ(answer.samples[0].ids, std::vector<int32_t>{kTinyEnd});
  EXPECT_EQ(answer.samples[0].end_token, kTinyEnd);
  EXPECT_EQ(answer.samples[0].text, "");
  request.min_tokens = 5;
  answer = world.alone(request);
  ASSERT_EQ(answer.samples[0].ids.size(), 6u);
  EXPECT_EQ(answer.samples[0].ids.back(), kTinyEnd);
  // Of the plain distribution, whatever was drawn from.
  std::vector<int32_t> tokens = request.prompt;
  for (size_t i = 0; i < 6; ++i) {
    const std::vector<float> logits =
        testing::logits_of(world.compute, world.model, nullptr, tokens).back();
    std::vector<std::pair<float, int32_t>> sorted;
    for (size_t t = 0; t < logits.size(); ++t) {
      sorted.emplace_back(-logits[t], static_cast<int32_t>(t));
    }
    std::sort(sorted.begin(), sorted.end());
    ASSERT_EQ(answer.samples[0].top[i].size(), 20u);
    for (size_t k = 0; k < 20; ++k) {
      EXPECT_EQ(answer.samples[0].top[i][k].first, sorted[k].second);
    }
    tokens.push_back(answer.samples[0].ids[i]);
  }
}

TEST(Batcher, PooledRowsHaveLengthOneAndNoChunkChangesThem) {
  World world;
  Rng rng(9, rng_stream("pooling"));
  BatchRequest request = request_of(random_tokens(rng, 150, kTinyVocab), 0);
  for (Pooling pooling : {Pooling::kMean, Pooling::kLast}) {
    request.pooling = pooling;
    const RequestAnswer whole = world.alone(request);
    double squares = 0;
    for (float value : whole.pooled) squares += static_cast<double>(value) * value;
    EXPECT_NEAR(squares, 1, 1e-5);
    EXPECT_EQ(whole.pooled.size(), world.model.config.hidden_size);
    const std::unique_ptr<Batcher> batcher = world.batcher({2, 10, 7, 7, 0});
    Recorder recorder;
    batcher->add(request, recorder);
    while (batcher->step()) {
    }
    EXPECT_EQ(recorder.answer.pooled, whole.pooled);
  }
}

TEST(Batcher, WhatCannotRunIsRefusedInOneSentence) {
  World world;
  const std::unique_ptr<Batcher> batcher = world.batcher({2, 4, 64, 64, 0});
  const auto said = [&](const std::function<void(BatchRequest&)>& spoil) {
    BatchRequest request = request_of({1, 2, 3}, 10);
    spoil(request);
    return refusal([&] { batcher->check(request); });
  };
  EXPECT_EQ(said([](BatchRequest&) {}), "accepted");
  EXPECT_NE(said([](auto& r) { r.prompt.clear(); }).find("empty"), std::string::npos);
  const std::string long_one = said([](auto& r) { r.prompt.assign(512, 1); });
  EXPECT_NE(long_one.find("512 tokens"), std::string::npos) << long_one;
  EXPECT_NE(said([](auto& r) { r.prompt = {96}; }).find("96"), std::string::npos);
  EXPECT_NE(said([](auto& r) { r.stop_token_ids = {-1}; }).find("-1"), std::string::npos);
  EXPECT_NE(said([](auto& r) { r.n = 0; }).find("n is 0"), std::string::npos);
  EXPECT_NE(said([](auto& r) { r.min_tokens = 11; }).find("min_tokens"), std::string::npos);
  EXPECT_NE(said([](auto& r) { r.top_log_probs = 21; }).find("20"), std::string::npos);
  EXPECT_NE(said([](auto& r) { r.stop.assign(10000, "x"); }).find("10000"), std::string::npos);
  EXPECT_NE(said([](auto& r) {
              r.sampling.logit_bias = {{96, 1.0f}};
            }).find("logit_bias"),
            std::string::npos);
  EXPECT_NE(said([](auto& r) {
              r.sampling.logit_bias = {{9, 1.0f}, {9, 2.0f}};
            }).find("twice"),
            std::string::npos);
  EXPECT_NE(said([](auto& r) {
              r.sampling.logit_bias = {{9, 101.0f}};
            }).find("100"),
            std::string::npos);
  EXPECT_NE(said([](auto& r) { r.max_tokens = 300; }).find("256"), std::string::npos);
  EXPECT_EQ(said([](auto& r) { r.max_tokens = 254; }), "accepted");  // 256 positions are read
  const LoraAdapter big = testing::random_adapter(world.model, 6);
  EXPECT_NE(said([&](auto& r) { r.adapter = &big; }).find("rank is 6"), std::string::npos);
}

TEST(Batcher, TheRealModelAnswersTheSameInAnySchedule) {
  const char* path = std::getenv("HONE_MODEL");
  if (path == nullptr) GTEST_SKIP() << "skipped: HONE_MODEL does not name a model file";
  tensor::Compute compute;
  const Model model = testing::load(compute, path);
  const auto codec = load_text_codec(path);
  ASSERT_TRUE(codec.has_value());
  const LoraAdapter adapter = testing::random_adapter(model, 4);
  const std::vector<int32_t> ends = codec->tokenizer().end_of_generation();
  const std::string stem =
      "The following is a conversation between a careful assistant and a person who asks short "
      "questions. The assistant answers each of them in one sentence, says so when it does not "
      "know the answer, and never makes anything up. It has read many books and forgotten a few. ";
  const char* questions[] = {"What is the capital of France?",
                             "Why is the sky blue?",
                             "Name three fruits.",
                             "2 + 2 =",
                             "Say hello in German.",
                             "Who?"};
  std::vector<BatchRequest> requests;
  std::vector<RequestAnswer> alone;
  for (size_t i = 0; i < 6; ++i) {
    BatchRequest request =
        request_of(codec->encode_text(stem + stem + questions[i]), 4 + i, i % 2 == 0 ? 0 : 0.8);
    request.index = i;
    request.adapter = i % 3 == 2 ? &adapter : nullptr;
    request.use_prefix_cache = true;
    request.prompt_scores = i % 2 == 1;
    alone.push_back(answer_alone(compute, model, &codec->tokenizer(), ends, request));
    requests.push_back(std::move(request));
  }
  BatcherOptions options;
  options.max_samples = 4;
  options.page_count = 6;  // too few for four at once
  options.rows_per_pass = 50;
  options.max_lora_rank = 4;
  Batcher batcher(compute, model, &codec->tokenizer(), ends, options);
  for (size_t turn = 0; turn < 2; ++turn) {  // cold, then warm
    std::vector<std::unique_ptr<Recorder>> recorders;
    for (const BatchRequest& request : requests) {
      recorders.push_back(std::make_unique<Recorder>());
      batcher.add(request, *recorders.back());
      batcher.step();
    }
    while (batcher.step()) {
    }
    for (size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(recorders[i]->answer, alone[i]) << "turn " << turn << ", request " << i;
    }
  }
  EXPECT_GT(batcher.metrics().cached_tokens, 0u);
}

}  // namespace
}  // namespace hone::llm
