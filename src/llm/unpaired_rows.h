#pragma once
// Answers that were judged one by one, as tokens.

#include <vector>

#include "llm/tokenized_rows.h"

namespace hone::llm {

struct UnpairedTokens {
  std::vector<int32_t> prompt, completion;
  bool desirable = true;
  double weight = 1, probability = 1;  // probability: that `desirable` is right
  std::string name;
  size_t cut = 0;

  // Targets: the completion's tokens (without a first one that nothing predicts).
  TreeExample tree() const;
};
// A prompt with an answer to another one, targets alike.
TreeExample answer_tree(const std::vector<int32_t>& prompt, const std::vector<int32_t>& completion);

std::vector<data::RowKind> unpaired_row_kinds();
// Like tokenize_sft; throws invalid_input for a tokenised row without a label.
std::vector<UnpairedTokens> tokenize_unpaired(const std::vector<data::Row>& rows,
                                              const TextCodec* codec, const TokenizeOptions& config,
                                              const ModelConfig& model);

}  // namespace hone::llm
