#pragma once
// What /v1/chat/completions and /v1/completions share: which model, how to draw, where to stop.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/json.h"
#include "llm/batcher.h"
#include "openai/fields.h"

namespace hone::openai {

inline constexpr size_t kChoicesMax = 128;       // n
inline constexpr size_t kBestOfMax = 20;         // as OpenAI
inline constexpr size_t kStopsMax = 64;          // OpenAI takes four
inline constexpr size_t kStopBytesMax = 1024;    // of one
inline constexpr size_t kStopsBytesMax = 16384;  // of all together
inline constexpr size_t kBiasesMax = 1024;
inline constexpr int64_t kTokensMax = 1 << 30;  // of any count of tokens; the context is less
inline constexpr size_t kNameBytesMax = 512;
inline constexpr size_t kGrammarBytesMax = 1 << 20;

struct GenerationRequest {
  std::string model;
  llm::SamplingOptions sampling;
  uint64_t seed = 0;  // as asked, or drawn
  size_t n = 1;
  std::optional<size_t> max_tokens;
  size_t min_tokens = 0;
  std::vector<std::string> stop;
  std::vector<int32_t> stop_token_ids;
  bool ignore_eos = false;
  bool stream = false;
  bool include_usage = false;
  bool return_token_ids = false;
  bool store = false;  // the texts may be kept on the disk and given to labellers
  std::string cache_salt;
  bool cache_prompt = true;
  // At most one of these.
  std::string grammar;  // GBNF
  enum class Format { kText, kJsonObject, kJsonSchema };
  Format format = Format::kText;
  Json schema;  // of kJsonSchema
};

// Takes its fields; throws RequestError. env gives a seed when none is asked for (or -1).
void read_generation(Fields& fields, GenerationRequest& request, Env& env);

// The settings that an answer was drawn with, for whoever wants to draw it again.
Json settings_json(const GenerationRequest& request, size_t max_tokens);

}  // namespace hone::openai
