// serve_bench MODEL [THREADS [SECONDS]]: tokens a second of the whole engine, and the time to the
// first token, for 1, 8 and 32 chats at once: prompts of 40 to 50 tokens that share nothing but the
// template's beginning, 64 new tokens, temperature 0. Then a second request that shares a prefix of
// 400 tokens with one before it, against itself cold.
#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/rng.h"
#include "llm/formats/model_file.h"
#include "serve/engine.h"

namespace {

using namespace hone;

constexpr size_t kNewTokens = 64;

// Counts those that are still answering.
struct Crowd {
  std::mutex mutex;
  std::condition_variable changed;
  size_t left = 0;

  void wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return left == 0; });
  }
};

class Chat : public llm::BatchListener {
 public:
  explicit Chat(Crowd& crowd) : crowd_(crowd), sent_(real_env().steady_seconds()) {}
  void on_token(const llm::TokenEvent&) override {
    if (tokens++ == 0) first_token = real_env().steady_seconds() - sent_;
  }
  void on_end(const llm::EndEvent&) override {}
  void on_done(const Error* error) override {
    if (error != nullptr) std::fprintf(stderr, "%s\n", error->message().c_str());
    const std::lock_guard lock(crowd_.mutex);
    if (--crowd_.left == 0) crowd_.changed.notify_all();
  }

  size_t tokens = 0;
  double first_token = 0;

 private:
  Crowd& crowd_;
  double sent_;
};

class Bench {
 public:
  Bench(serve::Engine& engine, const llm::TextCodec& codec, size_t vocabulary)
      : engine_(engine), vocabulary_(vocabulary) {
    stem_ = codec.encode_text("<|im_start|>system\nYou are a helpful assistant<|im_end|>\n");
    stem_.resize(std::min<size_t>(stem_.size(), 20));
  }

  std::vector<int32_t> prompt(size_t length) {
    Rng rng(11, rng_stream("serve-bench", ++prompts_));
    std::vector<int32_t> ids = stem_;
    while (ids.size() < length) ids.push_back(static_cast<int32_t>(rng.below(vocabulary_ / 2)));
    return ids;
  }

  std::shared_ptr<Chat> send(Crowd& crowd, std::vector<int32_t> ids, size_t new_tokens) {
    {
      const std::lock_guard lock(crowd.mutex);
      ++crowd.left;
    }
    serve::Submission submission;
    submission.request.prompt = std::move(ids);
    submission.request.max_tokens = new_tokens;
    submission.request.sampling.temperature = 0;
    submission.request.ignore_end_of_generation = true;
    submission.request.use_prefix_cache = true;
    submission.key = std::to_string(crowd.left);
    auto chat = std::make_shared<Chat>(crowd);
    submission.listener = chat;
    engine_.submit(std::move(submission));
    return chat;
  }

  // A burst of so many, all the way to the end.
  void burst(size_t chats, std::vector<double>* rates, std::vector<double>* first_tokens) {
    Crowd crowd;
    std::vector<std::vector<int32_t>> prompts;
    for (size_t i = 0; i < chats; ++i) prompts.push_back(prompt(40 + i % 11));
    std::vector<std::shared_ptr<Chat>> all;
    const double begin = real_env().steady_seconds();
    for (auto& ids : prompts) all.push_back(send(crowd, std::move(ids), kNewTokens));
    crowd.wait();
    const double seconds = real_env().steady_seconds() - begin;
    size_t tokens = 0;
    for (const auto& chat : all) {
      tokens += chat->tokens;
      first_tokens->push_back(chat->first_token);
    }
    rates->push_back(static_cast<double>(tokens) / seconds);
  }

 private:
  serve::Engine& engine_;
  size_t vocabulary_;
  std::vector<int32_t> stem_;
  uint64_t prompts_ = 0;
};

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const auto at = static_cast<size_t>(q * static_cast<double>(values.size() - 1) + 0.5);
  return values[at];
}

void report(Bench& bench, size_t chats, double seconds) {
  std::vector<double> rates, first_tokens;
  const double end = real_env().steady_seconds() + seconds;
  do {
    bench.burst(chats, &rates, &first_tokens);
  } while (real_env().steady_seconds() < end);
  std::printf(
      "%2zu chats: %6.1f tokens/s (best %6.1f), first token p50 %.3f s, p99 %.3f s, of %zu\n",
      chats, quantile(rates, 0.5), quantile(rates, 1), quantile(first_tokens, 0.5),
      quantile(first_tokens, 0.99), first_tokens.size());
}

void report_prefix(Bench& bench) {
  std::vector<double> cold, warm;
  for (size_t i = 0; i < 5; ++i) {
    std::vector<int32_t> ids = bench.prompt(400);
    for (std::vector<double>* times : {&cold, &warm}) {
      std::vector<int32_t> own = ids;
      own.push_back(static_cast<int32_t>(100 + times->size()));
      Crowd crowd;
      const auto chat = bench.send(crowd, std::move(own), 1);
      crowd.wait();
      times->push_back(chat->first_token);
    }
  }
  std::printf("prefix of 400: first token cold %.4f s, shared %.4f s: %.1f times\n",
              quantile(cold, 0.5), quantile(warm, 0.5), quantile(cold, 0.5) / quantile(warm, 0.5));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "serve_bench MODEL [THREADS [SECONDS]]\n");
    return 2;
  }
  const double seconds = argc > 3 ? std::atof(argv[3]) : 8;
  const double begin = real_env().steady_seconds();
  serve::EngineOptions options;
  options.threads = argc > 2 ? static_cast<size_t>(std::atoi(argv[2])) : 0;
  options.context_tokens = 32 * 512;
  std::unique_ptr<tensor::Compute> packer = std::make_unique<tensor::Compute>(options.threads);
  const llm::Model model = llm::load_model(*packer, *llm::ModelFile::open(argv[1]));
  packer.reset();
  const auto codec = llm::load_text_codec(argv[1]);
  if (!codec) return 2;
  serve::Engine engine(real_env(), model, *codec, options);
  const llm::Batcher::Memory plan = serve::Engine::planned_memory(model.config, options);
  std::printf("ready after %.3f s; the engine plans at most %.0f MB beside %.0f MB of weights\n",
              real_env().steady_seconds() - begin,
              static_cast<double>(plan.pages + plan.passes) / 1e6,
              static_cast<double>(model.weight_bytes()) / 1e6);
  Bench bench(engine, *codec, model.config.vocab_size);
  std::vector<double> ignored;
  bench.burst(8, &ignored, &ignored);
  for (size_t chats : {1, 8, 32}) report(bench, chats, seconds);
  report_prefix(bench);
  engine.stop(1000);
  const serve::EngineMetrics metrics = engine.metrics();
  std::printf("passes %llu, rows %llu, put aside %llu, cached tokens %llu, busy %.1f s\n",
              static_cast<unsigned long long>(metrics.batch.passes),
              static_cast<unsigned long long>(metrics.batch.rows),
              static_cast<unsigned long long>(metrics.batch.put_aside),
              static_cast<unsigned long long>(metrics.batch.cached_tokens), metrics.busy_seconds);
  return 0;
}
