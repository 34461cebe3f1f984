#include "llm/generator.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "llm/testing_batcher.h"
#include "llm/text_codec.h"

namespace hone::llm {
namespace {

using testing::random_tokens;
using testing::refusal;

constexpr size_t kVocab = testing::kTinyVocab;
constexpr int32_t kEnd = testing::kTinyEnd;

using Samples = std::map<std::pair<uint64_t, uint64_t>, GeneratedSample>;

struct TinyWorld {
  tensor::Compute compute{2};
  Model model = testing::random_model({});
  Tokenizer tokenizer = testing::tiny_tokenizer();
  std::map<std::pair<uint64_t, uint64_t>, std::string> streamed;

  Samples run(std::vector<GenerationRequest> requests, const GeneratorOptions& options,
              const LoraAdapter* adapter = nullptr) {
    Generator generator(compute, model, adapter, &tokenizer, {kEnd}, options);
    streamed.clear();
    generator.on_text = [&](uint64_t index, uint64_t sample, std::string_view text) {
      streamed[{index, sample}] += text;
    };
    Samples out;
    generator.run(std::move(requests), [&](GeneratedSample sample) {
      const std::pair<uint64_t, uint64_t> key = {sample.index, sample.sample};
      EXPECT_EQ(out.count(key), 0u) << "given twice";
      out[key] = std::move(sample);
    });
    return out;
  }
  GeneratedSample one(GenerationRequest request) {
    return std::move(run({std::move(request)}, {}).begin()->second);
  }
};

GenerationRequest request_of(std::vector<int32_t> prompt, size_t max_tokens, double temperature,
                             uint64_t index = 0) {
  GenerationRequest request;
  request.prompt = std::move(prompt);
  request.index = index;
  request.max_tokens = max_tokens;
  request.sampling.temperature = temperature;
  return request;
}

void expect_same(const Samples& a, const Samples& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (const auto& [key, sample] : a) {
    const auto found = b.find(key);
    ASSERT_NE(found, b.end()) << what;
    EXPECT_EQ(sample.token_ids, found->second.token_ids) << what << " prompt " << key.first;
    EXPECT_EQ(sample.log_probs, found->second.log_probs) << what << " prompt " << key.first;
    EXPECT_EQ(sample.text, found->second.text) << what << " prompt " << key.first;
    EXPECT_EQ(sample.finish_reason, found->second.finish_reason) << what;
  }
}

std::vector<GenerationRequest> crowd(double temperature) {
  Rng rng(8, rng_stream("crowd"));
  std::vector<GenerationRequest> requests;
  for (uint64_t i = 0; i < 12; ++i) {
    requests.push_back(
        request_of(random_tokens(rng, 1 + 17 * i, kVocab), 4 + 5 * (i % 6), temperature, i));
    requests.back().n = 1 + i % 4;
    if (i % 3 == 0) requests.back().sampling.top_p = 0.8;
    if (i % 4 == 0) requests.back().sampling.repetition_penalty = 1.2;
  }
  return requests;
}

TEST(Generator, ATextIsTheSameAloneAndInAnyCrowd) {
  TinyWorld setup;
  const LoraAdapter adapter = testing::random_adapter(setup.model, 3);
  for (double temperature : {0.0, 1.0}) {
    for (const LoraAdapter* lora : {static_cast<const LoraAdapter*>(nullptr), &adapter}) {
      Samples alone;
      for (const GenerationRequest& request : crowd(temperature)) {
        alone.merge(setup.run({request}, {1, 512, 42}, lora));
      }
      EXPECT_EQ(alone.size(), 30u);
      expect_same(alone, setup.run(crowd(temperature), {32, 512, 42}, lora), "32 at once");
      expect_same(alone, setup.run(crowd(temperature), {8, 512, 42}, lora), "8 at once");
      expect_same(alone, setup.run(crowd(temperature), {1, 512, 42}, lora), "one at a time");
      expect_same(alone, setup.run(crowd(temperature), {5, 7, 42}, lora), "prompts by 7 rows");
      std::vector<GenerationRequest> backwards = crowd(temperature);
      std::reverse(backwards.begin(), backwards.end());
      expect_same(alone, setup.run(std::move(backwards), {3, 64, 42}, lora), "backwards");
    }
  }
}

TEST(Generator, LogProbabilitiesAreTheScorersBits) {
  TinyWorld setup;
  for (const GenerationRequest& request : crowd(1.0)) {
    for (const auto& [key, sample] : setup.run({request}, {})) {
      std::vector<int32_t> whole = request.prompt;
      whole.insert(whole.end(), sample.token_ids.begin(), sample.token_ids.end());
      const auto scored = testing::log_probs_of(setup.compute, setup.model, nullptr, whole);
      EXPECT_EQ(
          sample.log_probs,
          std::vector<float>(scored.end() - static_cast<std::ptrdiff_t>(sample.token_ids.size()),
                             scored.end()));
    }
  }
}

TEST(Generator, SamplesDifferBySeedIndexAndNumber) {
  TinyWorld setup;
  GenerationRequest request = request_of({1, 2, 3}, 20, 1);
  request.n = 2;
  const Samples a = setup.run({request}, {8, 512, 42}), b = setup.run({request}, {8, 512, 43});
  request.index = 9;
  const Samples c = setup.run({request}, {8, 512, 42});
  EXPECT_NE(a.at({0, 0}).token_ids, a.at({0, 1}).token_ids);
  EXPECT_NE(a.at({0, 0}).token_ids, b.at({0, 0}).token_ids);
  EXPECT_NE(a.at({0, 0}).token_ids, c.at({9, 0}).token_ids);
}

TEST(Generator, EndsAtTheBoundTheContextAndTheEndToken) {
  TinyWorld setup;
  GeneratedSample bounded = setup.one(request_of({5, 6}, 3, 0));
  EXPECT_EQ(bounded.token_ids.size(), 3u);
  EXPECT_EQ(bounded.finish_reason, FinishReason::kLength);
  // 512 positions: 505 are taken, so seven tokens fit.
  Rng rng(2, rng_stream("context"));
  const GeneratedSample full = setup.one(request_of(random_tokens(rng, 505, kVocab), SIZE_MAX, 0));
  if (full.finish_reason == FinishReason::kLength) {
    EXPECT_EQ(full.token_ids.size(), 7u);
  }
  // Any token may be declared the end: the answer's third is.
  Generator generator(setup.compute, setup.model, nullptr, &setup.tokenizer, {bounded.token_ids[2]},
                      {});
  generator.run({request_of({5, 6}, 30, 0)}, [&](GeneratedSample sample) {
    const auto third =
        std::find(bounded.token_ids.begin(), bounded.token_ids.end(), bounded.token_ids[2]);
    const auto length = static_cast<size_t>(third - bounded.token_ids.begin()) + 1;
    EXPECT_EQ(sample.token_ids, std::vector<int32_t>(bounded.token_ids.begin(), third + 1));
    EXPECT_EQ(sample.finish_reason, FinishReason::kStop);
    EXPECT_EQ(sample.text, setup.tokenizer.decode(std::span(bounded.token_ids).first(length - 1)));
  });
}

TEST(Generator, AStopTextIsFoundAnywhereAndCutOff) {
  TinyWorld setup;
  for (uint64_t index = 0; index < 6; ++index) {
    GenerationRequest request = request_of({7, 8, 9}, 40, 1, index);
    const std::string whole = setup.one(request).text;
    ASSERT_GT(whole.size(), 20u);
    for (size_t begin : {size_t{0}, size_t{1}, size_t{6}, size_t{13}}) {
      for (size_t length : {size_t{1}, size_t{4}}) {
        const std::string stop = whole.substr(begin, length);
        if (whole.find(stop) != std::string::npos) {
          request.stop = {"never said", stop, ""};
          const GeneratedSample cut = setup.one(request);
          EXPECT_EQ(cut.text, whole.substr(0, whole.find(stop)));
          EXPECT_EQ(cut.finish_reason, FinishReason::kStop);
          EXPECT_EQ((setup.streamed[{index, 0}]), cut.text);
        }
      }
    }
    // Of two, the one that comes first in the text.
    request.stop = {whole.substr(12, 3), whole.substr(5, 3)};
    const size_t first = std::min(whole.find(request.stop[0]), whole.find(request.stop[1]));
    EXPECT_EQ(setup.one(request).text, whole.substr(0, first));
    request.stop = {"never said"};
    EXPECT_EQ(setup.one(request).text, whole);
    EXPECT_EQ((setup.streamed[{index, 0}]), whole);
  }
}

TEST(Generator, WithoutATokenizerThereAreTokensAndNoText) {
  TinyWorld setup;
  Generator generator(setup.compute, setup.model, nullptr, nullptr, {}, {});
  generator.run({request_of({1}, 5, 0)}, [](GeneratedSample sample) {
    EXPECT_EQ(sample.token_ids.size(), 5u);
    EXPECT_EQ(sample.text, "");
  });
}

TEST(Generator, WhatCannotRunIsRefusedBeforeAnythingRuns) {
  TinyWorld setup;
  size_t answers = 0;
  const auto said = [&](GenerationRequest bad) {
    return refusal([&] {
      Generator generator(setup.compute, setup.model, nullptr, &setup.tokenizer, {kEnd}, {});
      generator.run({request_of({1}, 1, 0), std::move(bad)}, [&](GeneratedSample) { ++answers; });
    });
  };
  EXPECT_NE(said(request_of({}, 4, 0, 3)).find("prompt 3 is empty"), std::string::npos);
  EXPECT_NE(said(request_of(std::vector<int32_t>(512, 1), 4, 0)).find("512"), std::string::npos);
  EXPECT_NE(said(request_of({96}, 4, 0)).find("96"), std::string::npos);
  EXPECT_NE(said(request_of({-1}, 4, 0)).find("-1"), std::string::npos);
  EXPECT_NE(said(request_of({1}, 0, 0)).find("--max-tokens"), std::string::npos);
  EXPECT_EQ(answers, 0u);
}

TEST(Generator, ABatchOfNothingIsOneAndARunAfterAFailedOneIsClean) {
  TinyWorld setup;
  EXPECT_EQ(setup.run({request_of({1}, 2, 0)}, {0, 0, 42}).size(), 1u);
  Generator generator(setup.compute, setup.model, nullptr, &setup.tokenizer, {kEnd}, {});
  EXPECT_THROW(generator.run({request_of({1}, 3, 0, 1), request_of({2}, 9, 0, 2)},
                             [](GeneratedSample) { throw invalid_input("enough"); }),
               Error);
  size_t answers = 0;
  generator.run({request_of({4}, 3, 0, 7)}, [&](GeneratedSample sample) {
    EXPECT_EQ(sample.index, 7u);
    ++answers;
  });
  EXPECT_EQ(answers, 1u);
}

TEST(Generator, TheRealModelSaysTheSameAloneAndAmongOthers) {
  const char* path = std::getenv("HONE_MODEL");
  if (path == nullptr) GTEST_SKIP() << "skipped: HONE_MODEL does not name a model file";
  tensor::Compute compute;
  const Model model = testing::load(compute, path);
  const auto codec = load_text_codec(path);
  ASSERT_TRUE(codec.has_value());
  std::vector<GenerationRequest> requests;
  const char* prompts[] = {"The capital of France is",
                           "Once upon a time",
                           "def add(a, b):",
                           "Water boils at",
                           "1, 2, 3,",
                           "Dear friend,",
                           "Roses are",
                           "Why"};
  for (uint64_t i = 0; i < 8; ++i) {
    requests.push_back(request_of(codec->encode_text(prompts[i]), 10, i % 2 == 0 ? 0.0 : 0.8, i));
  }
  const auto run = [&](const std::vector<GenerationRequest>& some, size_t batch) {
    Generator generator(compute, model, nullptr, &codec->tokenizer(),
                        codec->tokenizer().end_of_generation(), {batch, 512, 42});
    Samples out;
    generator.run(some, [&](GeneratedSample s) { out[{s.index, s.sample}] = std::move(s); });
    return out;
  };
  const Samples together = run(requests, 8);
  for (size_t i : {size_t{0}, size_t{1}, size_t{5}}) {
    const Samples alone = run({requests[i]}, 1);
    EXPECT_EQ(alone.at({i, 0}).text, together.at({i, 0}).text);
    EXPECT_EQ(alone.at({i, 0}).log_probs, together.at({i, 0}).log_probs);
  }
}

}  // namespace
}  // namespace hone::llm
