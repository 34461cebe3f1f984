#pragma once
// What the tests of train share: a tiny model's shape, small data, and runs that are stopped.

#include <atomic>
#include <string>
#include <vector>

#include "llm/testing.h"
#include "train/dpo.h"
#include "train/sft.h"

namespace hone::train::testing {

inline llm::testing::TinyShape small_shape(size_t layers = 1, size_t hidden = 16) {
  llm::testing::TinyShape shape;
  shape.layers = layers;
  shape.hidden = hidden;
  shape.heads = 2;
  shape.kv_heads = 1;
  shape.intermediate = 24;
  shape.vocab = 32;
  return shape;
}

// A run that is asked to stop behind that step; 0: never.
struct StoppedJob : TrainJob {
  StoppedJob(tensor::Compute& compute_, Env& env_, llm::Model& model_, std::string output_,
             bool resume_, size_t stop_after)
      : TrainJob{compute_, env_, model_, std::move(output_), resume_}, asked(stop_after == 1) {
    stop = &asked;
    // The stop is looked at before progress is told, so it is set one step early.
    progress = [this, stop_after](const StepReport&) { asked = ++steps + 1 == stop_after; };
  }
  StoppedJob(const StoppedJob&) = delete;
  StoppedJob& operator=(const StoppedJob&) = delete;

  std::atomic<bool> asked;
  size_t steps = 0;
};

inline llm::SftTokens sft_row(std::vector<int32_t> tokens, double weight = 1) {
  llm::SftTokens row;
  row.trained.assign(tokens.size(), 1);
  row.tokens = std::move(tokens);
  row.weight = weight;
  row.name = "row";
  return row;
}

inline std::vector<llm::SftTokens> sft_rows(size_t count, size_t vocab) {
  Rng rng(31, rng_stream("sft-rows"));
  std::vector<llm::SftTokens> rows;
  for (size_t i = 0; i < count; ++i) {
    rows.push_back(
        sft_row(llm::testing::random_tokens(rng, 4 + 9 * (i % 5), vocab), i % 4 == 3 ? 0.5 : 1.0));
  }
  return rows;
}

// The rows of a golden as trees whose targets are the answers' tokens.
inline std::vector<llm::TreeExample> golden_trees(const Json& golden) {
  using llm::testing::ints_of;
  std::vector<llm::TreeExample> trees;
  for (const Json& row : golden.at("rows").as_array()) {
    llm::TreeExample tree{
        llm::make_group(ints_of(row.at("prompt_ids")), {ints_of(row.at("completion_ids"))}), {}};
    const auto tokens = static_cast<uint32_t>(row.at("completion_ids").size());
    for (uint32_t i = 0; i < tokens; ++i) tree.targets.push_back({1, i});
    trees.push_back(std::move(tree));
  }
  return trees;
}

inline llm::PreferenceTokens pair_of(std::vector<int32_t> prompt, std::vector<int32_t> chosen,
                                     std::vector<int32_t> rejected) {
  llm::PreferenceTokens pair;
  pair.prompt = std::move(prompt);
  pair.chosen = std::move(chosen);
  pair.rejected = std::move(rejected);
  pair.name = "pair";
  return pair;
}

inline std::vector<llm::PreferenceTokens> pairs(size_t count, size_t vocab) {
  Rng rng(32, rng_stream("pairs"));
  std::vector<llm::PreferenceTokens> out;
  for (size_t i = 0; i < count; ++i) {
    out.push_back(pair_of(llm::testing::random_tokens(rng, 3 + 7 * (i % 4), vocab),
                          llm::testing::random_tokens(rng, 1 + 5 * (i % 3), vocab),
                          llm::testing::random_tokens(rng, 2 + 4 * (i % 5), vocab)));
    if (i % 3 == 2) out.back().weight = 0.25;
    if (i % 4 == 1) out.back().probability = 0.9;
  }
  return out;
}

inline std::vector<std::vector<float>> model_values(llm::Model& model) {
  return llm::testing::values_of(llm::full_parameters(model));
}

inline std::vector<std::vector<float>> adapter_values(const llm::Model& model,
                                                      llm::LoraAdapter& adapter) {
  return llm::testing::values_of(llm::lora_parameters(model, adapter));
}

// Of the adapter where the run trained one.
inline std::vector<std::vector<float>> trained_values(llm::Model& model, TrainResult& result) {
  return result.adapter ? adapter_values(model, *result.adapter) : model_values(model);
}

inline std::vector<Json> lines_of(Env& env, const std::string& path) {
  std::vector<Json> lines;
  std::string text = env.read_file(path, 1u << 30);
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(Json::parse(std::string_view(text).substr(begin, end - begin)).value());
  }
  return lines;
}

}  // namespace hone::train::testing
