#include "serve/engine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/forwarding_env.h"
#include "llm/testing_batcher.h"

namespace hone::serve {
namespace {

using llm::BatchRequest;
using llm::testing::answer_alone;
using llm::testing::kTinyEnd;
using llm::testing::kTinyVocab;
using llm::testing::random_tokens;
using llm::testing::Recorder;
using llm::testing::RequestAnswer;

// A recorder that others can wait for.
class Waiter : public llm::BatchListener {
 public:
  void on_prompt(size_t cached, std::span<const llm::PromptTokenScore> scores) override {
    recorder.on_prompt(cached, scores);
  }
  void on_pooled(std::span<const float> vector) override { recorder.on_pooled(vector); }
  void on_token(const llm::TokenEvent& event) override {
    recorder.on_token(event);
    std::unique_lock lock(mutex_);
    ++tokens_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !held_; });
  }
  void on_end(const llm::EndEvent& event) override { recorder.on_end(event); }
  void on_done(const Error* error) override {
    recorder.on_done(error);
    const std::lock_guard lock(mutex_);
    done_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_; });
  }
  void wait_for_token() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return tokens_ > 0 || done_; });
  }
  // Between these two the engine stands still once the first token has come.
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  bool done() const {
    const std::lock_guard lock(mutex_);
    return done_;
  }

  Recorder recorder;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  size_t tokens_ = 0;
  bool done_ = false, held_ = false;
};

struct World {
  tensor::Compute compute{2};
  llm::Model model = llm::testing::random_model({});
  llm::TextCodec codec{llm::testing::tiny_tokenizer(), std::nullopt};

  RequestAnswer alone(const BatchRequest& request) {
    return answer_alone(compute, model, &codec.tokenizer(), {kTinyEnd}, request);
  }
  EngineOptions options() const {
    EngineOptions options;
    options.threads = 2;
    options.max_running = 6;
    options.context_tokens = 2048;
    options.rows_per_pass = 64;
    options.max_lora_rank = 4;
    return options;
  }
};

Submission submission_of(BatchRequest request, const std::shared_ptr<Waiter>& waiter,
                         std::string key = "key") {
  Submission submission;
  submission.request = std::move(request);
  submission.listener = waiter;
  submission.key = std::move(key);
  return submission;
}

BatchRequest long_request(size_t max_tokens = 400) {
  BatchRequest request;
  request.prompt = {1, 2, 3};
  request.max_tokens = max_tokens;
  request.ignore_end_of_generation = true;
  return request;
}

TEST(Engine, CallersOnManyThreadsGetWhatTheyWouldGetAlone) {
  World world;
  Engine engine(real_env(), world.model, world.codec, world.options());
  std::vector<std::shared_ptr<const llm::LoraAdapter>> adapters = {nullptr};
  for (uint64_t i = 0; i < 2; ++i) {
    adapters.push_back(std::make_shared<const llm::LoraAdapter>(
        llm::testing::random_adapter(world.model, 4, 5 + i)));
  }
  std::vector<BatchRequest> requests;
  std::vector<RequestAnswer> alone;
  Rng rng(2, rng_stream("engine"));
  const std::vector<int32_t> stem = random_tokens(rng, 130, kTinyVocab);
  for (size_t i = 0; i < 24; ++i) {
    BatchRequest request;
    request.prompt = stem;
    request.prompt.resize(1 + rng.below(130));
    request.max_tokens = 1 + rng.below(40);
    request.index = i;
    request.n = 1 + i % 3;
    request.use_prefix_cache = true;
    request.cache_scope = std::to_string(i % 3);
    request.adapter = adapters[i % 3].get();
    alone.push_back(world.alone(request));
    requests.push_back(std::move(request));
  }
  std::vector<std::thread> threads;
  std::atomic<size_t> equal{0};
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = t; i < requests.size(); i += 4) {
        const auto waiter = std::make_shared<Waiter>();
        Submission submission = submission_of(requests[i], waiter, std::to_string(t));
        submission.adapter = adapters[i % 3];
        engine.submit(std::move(submission));
        if (i % 2 == 0) waiter->wait();
        waiter->wait();
        if (waiter->recorder.answer == alone[i]) ++equal;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal.load(), requests.size());
  engine.stop(10'000);
  const EngineMetrics metrics = engine.metrics();
  EXPECT_EQ(metrics.requests, requests.size());
  EXPECT_EQ(metrics.waiting + metrics.running, 0u);
}

TEST(Engine, AnAdapterLivesUntilItsLastRequestEnds) {
  World world;
  Engine engine(real_env(), world.model, world.codec, world.options());
  auto adapter =
      std::make_shared<const llm::LoraAdapter>(llm::testing::random_adapter(world.model, 4));
  const std::weak_ptr<const llm::LoraAdapter> watch = adapter;
  const auto waiter = std::make_shared<Waiter>();
  Submission submission = submission_of(long_request(100), waiter);
  submission.adapter = adapter;
  BatchRequest same = long_request(100);
  same.adapter = adapter.get();
  const RequestAnswer alone = world.alone(same);
  engine.submit(std::move(submission));
  adapter.reset();  // unloaded while it answers
  waiter->wait();
  EXPECT_EQ(waiter->recorder.answer, alone);
  engine.stop(1000);
  EXPECT_TRUE(watch.expired());
}

TEST(Engine, AFullQueueIsBusyAndSaysWhenToComeBack) {
  World world;
  EngineOptions options = world.options();
  options.max_running = 1;
  options.max_waiting = 5;
  options.max_waiting_per_key = 2;
  Engine engine(real_env(), world.model, world.codec, options);
  std::vector<std::shared_ptr<Waiter>> waiters;
  const auto submit = [&](const std::string& key) {
    waiters.push_back(std::make_shared<Waiter>());
    if (waiters.size() == 1) waiters[0]->hold();
    try {
      engine.submit(submission_of(long_request(), waiters.back(), key));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBusy);
      EXPECT_NE(error.message().find("come back in"), std::string::npos);
      waiters.pop_back();
      return false;
    }
    return true;
  };
  EXPECT_TRUE(submit("a"));
  waiters[0]->wait_for_token();  // it has the only place
  EXPECT_TRUE(submit("a"));
  EXPECT_TRUE(submit("a"));
  EXPECT_FALSE(submit("a"));
  EXPECT_TRUE(submit("b"));
  EXPECT_TRUE(submit("b"));
  EXPECT_TRUE(submit("c"));
  EXPECT_FALSE(submit("d"));
  EXPECT_GE(engine.retry_after_seconds(), 1);
  EXPECT_EQ(engine.metrics().refused, 2u);
  waiters[0]->release();
  engine.stop(0);
  for (const auto& waiter : waiters) {
    ASSERT_TRUE(waiter->done());
    if (waiter->recorder.failure) {
      EXPECT_EQ(waiter->recorder.failure->code(), ErrorCode::kUnavailable);
    }
  }
  EXPECT_THROW(engine.submit(submission_of(long_request(), waiters[0])), Error);
}

TEST(Engine, ACancelEndsWhatRunsAndWhatWaits) {
  World world;
  EngineOptions options = world.options();
  options.max_running = 1;
  Engine engine(real_env(), world.model, world.codec, options);
  const auto runs = std::make_shared<Waiter>(), waits = std::make_shared<Waiter>(),
             lives = std::make_shared<Waiter>();
  runs->hold();
  const auto first = engine.submit(submission_of(long_request(), runs));
  runs->wait_for_token();
  const auto second = engine.submit(submission_of(long_request(), waits));
  engine.submit(submission_of(long_request(5), lives));
  engine.cancel(second);
  engine.cancel(first);
  runs->release();
  waits->wait();
  EXPECT_TRUE(waits->recorder.answer.samples.empty());
  runs->wait();
  EXPECT_EQ(runs->recorder.answer.samples[0].ids.size(), 1u);
  EXPECT_FALSE(runs->recorder.failure.has_value());
  engine.cancel(first);
  engine.cancel(999);
  lives->wait();
  EXPECT_EQ(lives->recorder.answer.samples[0].ids.size(), 5u);
}

// A clock that a test moves.
class MovedClock : public ForwardingEnv {
 public:
  MovedClock() : ForwardingEnv(real_env()) {}
  double steady_seconds() override { return ForwardingEnv::steady_seconds() + ahead.load(); }

  std::atomic<double> ahead{0};
};

TEST(Engine, WhoWaitedOrRanTooLongEndsBusy) {
  World world;
  MovedClock clock;
  EngineOptions options = world.options();
  options.max_running = 1;
  options.time_limit_ms = 1'000'000;
  Engine engine(clock, world.model, world.codec, options);
  const auto runs = std::make_shared<Waiter>(), waits = std::make_shared<Waiter>();
  runs->hold();
  engine.submit(submission_of(long_request(), runs));
  runs->wait_for_token();
  engine.submit(submission_of(long_request(), waits));
  clock.ahead = 2000;
  runs->release();
  for (const auto& waiter : {runs, waits}) {
    waiter->wait();
    ASSERT_TRUE(waiter->recorder.failure.has_value());
    EXPECT_EQ(waiter->recorder.failure->code(), ErrorCode::kBusy);
  }
  EXPECT_TRUE(waits->recorder.answer.samples.empty());
  EXPECT_EQ(engine.metrics().timed_out, 2u);
}

TEST(Engine, AFloodOfOneKeyDelaysAnotherByABoundedNumberOfPasses) {
  World world;
  EngineOptions options = world.options();
  options.max_running = 2;
  options.max_waiting = 2000;
  options.max_waiting_per_key = 2000;
  Engine engine(real_env(), world.model, world.codec, options);
  std::vector<std::shared_ptr<Waiter>> flood;
  for (size_t i = 0; i < 1000; ++i) {
    flood.push_back(std::make_shared<Waiter>());
    engine.submit(submission_of(long_request(8), flood.back(), "flood"));
  }
  flood[20]->wait();
  const uint64_t before = engine.metrics().batch.passes;
  const auto other = std::make_shared<Waiter>();
  engine.submit(submission_of(long_request(8), other, "other"));
  other->wait();
  // A turn of the flood is 256 tokens: 24 requests of 11, two at once, 9 passes each; twice that,
  // since passes go on while this thread wakes up.
  const uint64_t after = engine.metrics().batch.passes;
  size_t done = 0;
  for (const auto& waiter : flood) done += waiter->done() ? 1 : 0;
  EXPECT_LT(done, 500u) << "it waited for the flood";
  EXPECT_LT(after - before, 2000u);
  engine.stop(0);
}

TEST(Engine, AListenerThatThrowsEndsItsOwnRequestOnly) {
  class Thrower : public llm::BatchListener {
   public:
    void on_token(const llm::TokenEvent&) override { throw invalid_input("my own fault"); }
    void on_end(const llm::EndEvent&) override {}
    void on_done(const Error*) override {}
  };
  World world;
  Engine engine(real_env(), world.model, world.codec, world.options());
  Submission bad = submission_of(long_request(), nullptr);
  bad.listener = std::make_shared<Thrower>();
  const auto good = std::make_shared<Waiter>();
  engine.submit(std::move(bad));
  engine.submit(submission_of(long_request(50), good));
  good->wait();
  EXPECT_EQ(good->recorder.answer, world.alone(long_request(50)));
  engine.stop(10'000);
  EXPECT_EQ(engine.metrics().running, 0u);
}

TEST(Engine, WhatCannotRunIsRefusedAtTheDoor) {
  World world;
  Engine engine(real_env(), world.model, world.codec, world.options());
  const auto waiter = std::make_shared<Waiter>();
  BatchRequest request = long_request();
  request.prompt.assign(600, 1);
  EXPECT_THROW(engine.submit(submission_of(request, waiter)), Error);
  EXPECT_FALSE(waiter->done());
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitised = true;  // whose shadow memory is no memory of Hone's
#else
constexpr bool kSanitised = false;
#endif

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

// Four requests of 512 positions each fill the 2,048 that there are.
void fill_pages(Engine& engine) {
  std::vector<std::shared_ptr<Waiter>> waiters;
  Rng rng(4, rng_stream("memory"));
  for (size_t i = 0; i < 4; ++i) {
    BatchRequest request;
    request.prompt = random_tokens(rng, 505, 1000);
    request.max_tokens = 8;
    request.prompt_scores = true;
    request.use_prefix_cache = true;
    waiters.push_back(std::make_shared<Waiter>());
    engine.submit(submission_of(std::move(request), waiters.back()));
  }
  for (const auto& waiter : waiters) waiter->wait();
}

TEST(Engine, TouchesTheMemoryThatItPlansAndNoMore) {
  const char* path = std::getenv("HONE_MODEL");
  if (path == nullptr) GTEST_SKIP() << "skipped: HONE_MODEL does not name a model file";
  if (kSanitised) GTEST_SKIP() << "a sanitiser's own memory would be measured";
  tensor::Compute compute(2);
  const llm::Model model = llm::testing::load(compute, path);
  const auto codec = llm::load_text_codec(path);
  ASSERT_TRUE(codec.has_value());
  EngineOptions options;
  options.threads = 2;
  options.max_running = 4;
  options.context_tokens = 2048;
  options.rows_per_pass = 256;
  options.max_lora_rank = 0;
  options.kept_tokens = 2048;  // all of it stays, so that it can be measured afterwards
  const double before = resident_bytes();
  Engine engine(real_env(), model, *codec, options);
  fill_pages(engine);
  const double touched = resident_bytes() - before;
  const llm::Batcher::Memory memory = Engine::planned_memory(model.config, options);
  const auto planned = static_cast<double>(memory.pages + memory.passes);
  EXPECT_LE(touched, planned) << "MB: " << touched / 1e6 << " of " << planned / 1e6;
  EXPECT_GE(touched, 0.8 * planned) << "MB: " << touched / 1e6 << " of " << planned / 1e6;

  // The same with the usual share that stays: the rest goes back to the machine.
  options.kept_tokens = 0;
  const double between = resident_bytes();
  Engine other(real_env(), model, *codec, options);
  fill_pages(other);
  const auto kept_pages = llm::KvCache::pages_for(2048) / 4;
  for (int i = 0; i < 500 && other.metrics().batch.resident_pages > kept_pages; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(other.metrics().batch.resident_pages, kept_pages);
  EXPECT_LE(other.metrics().batch.cached_pages, kept_pages);
  const llm::Batcher::Memory kept = Engine::planned_memory(model.config, options);
  EXPECT_LT(kept.kept_pages, kept.pages / 2);
  EXPECT_LE(resident_bytes() - between, static_cast<double>(kept.kept_pages + kept.passes));
}

TEST(Engine, StopLetsWhatRunsFinish) {
  World world;
  Engine engine(real_env(), world.model, world.codec, world.options());
  std::vector<std::shared_ptr<Waiter>> waiters;
  for (size_t i = 0; i < 20; ++i) {
    waiters.push_back(std::make_shared<Waiter>());
    engine.submit(submission_of(long_request(20), waiters.back()));
  }
  engine.stop(60'000);
  for (const auto& waiter : waiters) {
    EXPECT_TRUE(waiter->done());
    EXPECT_FALSE(waiter->recorder.failure.has_value());
    EXPECT_EQ(waiter->recorder.answer.samples[0].ids.size(), 20u);
  }
  EXPECT_THROW(engine.submit(submission_of(long_request(), waiters[0])), Error);
}

}  // namespace
}  // namespace hone::serve
