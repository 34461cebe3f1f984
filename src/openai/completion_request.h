#pragma once
// POST /v1/completions: the body as a value. Texts become tokens later, with the model.

#include <string>
#include <variant>
#include <vector>

#include "openai/generation_request.h"

namespace hone::openai {

inline constexpr size_t kPromptsMax = 1024;       // of one request
inline constexpr int64_t kLegacyLogProbsMax = 5;  // as OpenAI

// A text, or token ids that are final (nothing is added to them).
using PromptText = std::variant<std::string, std::vector<int32_t>>;

// A string, a list of strings, ids, or lists of ids, under that name; at least one.
std::vector<PromptText> read_prompts(Fields& fields, std::string_view name);

struct CompletionRequest : GenerationRequest {
  std::vector<PromptText> prompts;
  bool echo = false;
  std::optional<size_t> log_probs;  // how many alternatives; 0 = the token's own alone
  size_t best_of = 1;               // at least n
  bool add_special_tokens = true;   // of texts
};

// Throws RequestError.
CompletionRequest read_completion_request(const Json& body, Env& env);

}  // namespace hone::openai
