#pragma once
// From rows to token trees with targets: what the loss is on, and what was cut.
//
// Text rules are TRL's: strings are taken as they are, with the vocabulary's BOS in front and EOS
// behind (unless the text ends in it); message lists go through the chat template; a row that is
// already tokenised gets nothing added. Prompts of preference rows end in the generation
// prompt. Message rows train every token, or with assistant_only_loss those that the assistant
// said, by the template's spans (no {% generation %} needed).
//
// Cuts: a prompt keeps its last max_prompt_length tokens, then the row its first max_length. A row
// that has nothing left to train on is refused by name, never dropped in silence.

#include <cstdint>
#include <string>
#include <vector>

#include "data/rows.h"
#include "llm/model_config.h"
#include "llm/text_codec.h"
#include "llm/tree_scoring.h"

namespace hone::llm {

struct TokenizeOptions {
  size_t max_length = 1024;          // 0 = no cut
  size_t max_prompt_length = 0;      // 0 = no cut
  bool completion_only_loss = true;  // of prompt-completion rows
  bool assistant_only_loss = false;  // of message rows
};

struct SftTokens {
  std::vector<int32_t> tokens;
  std::vector<uint8_t> trained;  // 1: the loss is on this token
  double weight = 1;
  std::string name;
  size_t cut = 0;  // tokens that max_length took away

  size_t trained_tokens() const;  // those with a token before them
  TreeExample tree() const;
};

struct PreferenceTokens {
  std::vector<int32_t> prompt, chosen, rejected;
  double weight = 1, probability = 1, margin = 0;
  std::string name;
  size_t cut = 0;

  // Targets: the chosen tokens, then the rejected ones (without a first token that nothing
  // predicts, when the prompt is empty).
  TreeExample tree(bool prefix_sharing) const;
  // Targets: the score behind the chosen answer's last token, then behind the rejected one's.
  TreeExample score_tree(bool prefix_sharing) const;
  size_t chosen_tokens() const { return chosen.size() - (prompt.empty() ? 1 : 0); }
  size_t rejected_tokens() const { return rejected.size() - (prompt.empty() ? 1 : 0); }
};

// A prompt to answer, with what its row says beside.
struct PromptTokens {
  std::vector<int32_t> ids;  // at least one
  std::string text;          // as the model reads it; empty for a row of ids
  Json columns = Json::object();
  std::string name;   // data::row_name
  std::string where;  // "prompts.jsonl:3"
};

// An answer in steps, each with its label; the score stands behind a step's last token.
struct StepTokens {
  std::vector<int32_t> tokens;
  std::vector<uint32_t> ends;   // positions of the steps' last tokens; those that are trained
  std::vector<uint8_t> labels;  // of each: 1 right, 0 wrong
  double weight = 1;
  std::string name;
  size_t cut = 0;  // tokens that max_length took away

  TreeExample score_tree() const;
};

// codec may be null when every row is already tokenised. context_length bounds every path.
SftTokens tokenize_sft_row(const data::Row& row, const TextCodec* codec,
                           const TokenizeOptions& config, size_t context_length);
PreferenceTokens tokenize_preference_row(const data::Row& row, const TextCodec* codec,
                                         const TokenizeOptions& config, size_t context_length);

std::vector<SftTokens> tokenize_sft(const std::vector<data::Row>& rows, const TextCodec* codec,
                                    const TokenizeOptions& config, const ModelConfig& model);
std::vector<PreferenceTokens> tokenize_preferences(const std::vector<data::Row>& rows,
                                                   const TextCodec* codec,
                                                   const TokenizeOptions& config,
                                                   const ModelConfig& model);

// A prompt keeps its last max_prompt_length tokens. Throws invalid_input that names the row when the
// model cannot answer it: empty, longer than the context, unknown ids.
std::vector<PromptTokens> tokenize_prompts(const std::vector<data::Row>& rows,
                                           const TextCodec* codec, const TokenizeOptions& config,
                                           const ModelConfig& model);

// TRL's rule for process rewards: prompt and steps are tokenised apart, without special tokens, BOS
// in front where there is one, the separator behind every step; the row keeps its first max_length
// tokens. A row that keeps no step's end is refused by name.
std::vector<StepTokens> tokenize_steps(const std::vector<data::Row>& rows, const TextCodec* codec,
                                       const std::string& separator, bool last_step_only,
                                       size_t max_length, const ModelConfig& model);

// Row kinds that each method takes, in the order in which it prefers them.
std::vector<data::RowKind> sft_row_kinds();
std::vector<data::RowKind> preference_row_kinds();
std::vector<data::RowKind> prompt_row_kinds();
std::vector<data::RowKind> stepwise_row_kinds();

}  // namespace hone::llm
