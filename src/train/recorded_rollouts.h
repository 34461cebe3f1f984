#pragma once
// Answers that were given before, for the methods that else draw their own (--rollouts FILE):
// tokenised completion rows (data/rows.h) that carry beside prompt_ids and completion_ids
//
//   logprobs   a number a token: the log-probability it had, at the policy's temperature
//   group      a text or a whole number: rows of one group answer one prompt and stand together
//   kept_mass  optional, a number a token: logprobs are then of a distribution that was cut by top-k,
//              top-p or min-p to this share of the probability; logprobs + log(kept_mass) is the
//              policy's own
//   reward     optional, a number or null; or rewards, an object of them by name. All rows or none
//
// Every other key is a column that rewards may read. docs/formats/rollouts.md.

#include <span>
#include <string>
#include <vector>

#include "data/rows.h"
#include "llm/model.h"
#include "llm/tokenized_rows.h"
#include "llm/tokenizer/tokenizer.h"
#include "reward/reward.h"
#include "tensor/compute.h"
#include "train/rollout.h"

namespace hone::train {

struct OnlineConfig;

struct RecordedRollouts {
  std::vector<llm::PromptTokens> prompts;       // one a group
  std::vector<Group> groups;                    // of each prompt
  std::vector<std::vector<std::string>> where;  // of each completion: "rollouts.jsonl:7"
  bool has_rewards = false;
  reward::Functions rewards;  // with has_rewards: their names; they judge nothing themselves
};

struct RolloutReader {
  size_t num_generations = 1, max_completion_length = 1;
  size_t vocab_size = 0, context_length = 0;
  std::vector<int32_t> end_of_generation = {};
  const llm::Tokenizer* tokenizer = nullptr;  // null: no texts
};

// Throws invalid_input that names the row ("file:line") and what is wrong with it.
RecordedRollouts recorded_rollouts(const std::vector<data::Row>& rows, const RolloutReader& reader);

// Computes every log-probability again under the model that training begins with and holds it
// against the recorded one. Throws invalid_input that names the first row that is further off than
// tolerance. Returns the largest difference.
double check_rollouts(tensor::Compute& compute, const llm::Model& model,
                      const RecordedRollouts& rollouts, const OnlineConfig& config,
                      double tolerance);

}  // namespace hone::train
