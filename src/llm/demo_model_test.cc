// The demo model against float64: tests/golden/torch/smollm2.json, made with transformers from the
// same Q4_1 file (script and versions beside it). Needs the model: HONE_MODEL.

#include <gtest/gtest.h>

#include <cstdlib>

#include "llm/generator.h"
#include "llm/testing.h"
#include "seal/digest.h"

namespace hone::llm {
namespace {

using testing::doubles_of;
using testing::ints_of;

// transformers' own f32 is off by up to 8.4e-5 on these prompts.
constexpr double kTolerance = 2e-4;

TEST(DemoModel, AgreesWithFloat64OnEveryTokenAndOnGreedyAnswers) {
  const char* path = std::getenv("HONE_MODEL");
  if (path == nullptr) GTEST_SKIP() << "skipped: HONE_MODEL does not name a model file";
  const Json golden = testing::read_json(testing::kGolden + "smollm2.json");
  if (seal::sha256_file(path) != golden.at("sha256").as_string()) {
    GTEST_SKIP() << "skipped: HONE_MODEL is not the demo model that the golden was made from";
  }
  tensor::Compute compute;
  const Model model = testing::load(compute, path);
  const auto& prompts = golden.at("prompts").as_array();
  std::vector<std::vector<int32_t>> rows;
  std::vector<GenerationRequest> requests;
  for (const Json& prompt : prompts) {
    GenerationRequest request;
    request.prompt = ints_of(prompt.at("prompt_ids"));
    request.index = requests.size();
    request.max_tokens = prompt.at("greedy_ids").size();
    request.sampling.temperature = 0;
    rows.push_back(request.prompt);
    for (int32_t id : ints_of(prompt.at("greedy_ids"))) rows.back().push_back(id);
    requests.push_back(std::move(request));
  }
  score_rows(compute, model, nullptr, rows, {}, [&](size_t i, const ScoredTokens& scored) {
    const std::vector<double> expected = doubles_of(prompts[i].at("logprobs"));
    ASSERT_EQ(scored.log_probs.size(), expected.size());
    for (size_t t = 0; t < expected.size(); ++t) {
      EXPECT_NEAR(static_cast<double>(scored.log_probs[t]), expected[t], kTolerance)
          << "prompt " << i << ", token " << t + 1;
    }
  });
  Generator generator(compute, model, nullptr, nullptr, {}, {});
  generator.run(std::move(requests), [&](const GeneratedSample& sample) {
    EXPECT_EQ(sample.token_ids, ints_of(prompts[sample.index].at("greedy_ids")));
  });
}

}  // namespace
}  // namespace hone::llm
