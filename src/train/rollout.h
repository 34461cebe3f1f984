#pragma once
// What the policy says to the prompts of a step: llm/batcher.h on the very weights that are trained
// (with LoRA, base and adapter), so there is no second engine and nothing to keep in step.
//
// The promise: a completion is a pure function of the weights, the seed, `step` and the prompt's
// place among that step's prompts. Not of the batch, the threads or what came before. Its
// log-probabilities are those that training computes, to the bit (docs/numerics.md).
// No page outlives a call, so nothing of earlier weights is ever read.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "llm/batcher.h"
#include "llm/tokenized_rows.h"
#include "llm/tree_scoring.h"
#include "train/advantages.h"
#include "train/communicator.h"

namespace hone::train {

struct Completion {
  std::vector<int32_t> ids;      // the end token included, where one ended it
  std::vector<float> log_probs;  // of the policy at its temperature, nothing cut
  // With top-k, top-p or min-p: of each token the share of the probability that they kept, so that
  // log_probs - log(kept) is of the distribution that it was drawn from. Else empty. The ratio of
  // two policies is of the whole distributions, and exactly 1 where the weights are those that spoke.
  std::vector<float> kept;
  bool ended = false;  // false: cut at the longest that was allowed
  std::string text;    // without the end token; empty without a tokenizer
  // Filled behind the rollout.
  std::vector<Reward> rewards;   // of each function
  std::vector<float> reference;  // the reference's log-probabilities, where they are wanted
  std::vector<float> values;     // of PPO: a slot each (train/ppo_loss.h)
  double advantage = 0;
};

// A prompt with its completions.
struct Group {
  size_t prompt = 0;  // index into the prompts of the run
  std::vector<Completion> completions;
};

struct RolloutOptions {
  size_t num_generations = 8;
  size_t max_completion_length = 256;
  // The temperature is the policy's own: log-probabilities are of it (head_scale), in training too.
  llm::SamplingOptions sampling;
  size_t batch_size = 32;  // completions written at once; changes no bit
  uint64_t seed = 42;
  std::vector<std::string> stop = {};  // texts that end an answer; not for training
};

// Who speaks: what the batcher needs of a model.
struct Speaker {
  const llm::Model* model = nullptr;
  const llm::LoraAdapter* adapter = nullptr;
  const llm::Tokenizer* tokenizer = nullptr;  // null: no texts
  std::vector<int32_t> end_of_generation;
};

class Rollouts {
 public:
  // longest_prompt: of any prompt that will come, in tokens. On several ranks each answers a part of
  // the prompts, and all get all answers; every rank makes the same calls.
  Rollouts(tensor::Compute& compute, Speaker speaker, const RolloutOptions& options,
           size_t longest_prompt, Communicator& ranks = one_rank());
  // answers: of one call of generate, at most; SIZE_MAX: not known.
  static uint64_t planned_bytes(const llm::ModelConfig& config, const RolloutOptions& options,
                                size_t lora_rank, size_t longest_prompt, size_t answers = SIZE_MAX);

  // One group for each of `chosen`, in its order; the first has place `first_place` in the step.
  // Throws invalid_input for a prompt that does not fit the context.
  std::vector<Group> generate(const std::vector<llm::PromptTokens>& prompts,
                              std::span<const size_t> chosen, std::string_view stream,
                              uint64_t step, size_t first_place = 0);

 private:
  static llm::BatcherOptions batcher_options(const llm::ModelConfig& config,
                                             const RolloutOptions& options, size_t lora_rank,
                                             size_t longest_prompt);
  std::vector<Group> answer(const std::vector<llm::PromptTokens>& prompts,
                            std::span<const size_t> chosen, std::string_view stream, uint64_t step,
                            size_t first_place);

  tensor::Compute& compute_;
  Communicator& ranks_;
  Speaker speaker_;
  RolloutOptions options_;
  llm::BatcherOptions batcher_;
};

// Whether answers are drawn from a part of the distribution.
bool cuts(const llm::SamplingOptions& sampling);

// What a pass over these completions must be told (TrainingPass::set_head_scale): 1 / temperature.
float head_scale(double temperature);

// A prompt with its completions as one tree, or without sharing each behind its own copy of the
// prompt; the targets are all tokens of all completions, completion after completion.
llm::TreeExample group_tree(const std::vector<int32_t>& prompt,
                            const std::vector<Completion>& completions, bool prefix_sharing);

}  // namespace hone::train
