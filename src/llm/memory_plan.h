#pragma once
// How many bytes work will touch at its peak, from sizes alone, before anything is allocated
// (decisions 2.2). Each function stands for one engine and counts what that engine keeps: keys and
// values, activations, logits. Weights are counted apart, as they are packed.
//
// Promise: never below what is touched when every answer takes all its tokens, and above it by less
// than a fifth (tests/memory compares with the process's own peak). Pure; any thread.

#include <cstdint>
#include <span>
#include <vector>

#include "llm/formats/model_file.h"
#include "llm/generator.h"
#include "llm/pair_scoring.h"
#include "llm/scoring.h"

namespace hone::llm {

struct WeightMemory {
  uint64_t packed_bytes = 0;  // as load_model keeps them, with the table of rope
  uint64_t loading_bytes =
      0;  // the most while they are packed: what is done, and one stored tensor
  uint64_t largest_bytes = 0;  // the largest stored tensor
};
WeightMemory weight_memory(const ModelFile& file);

uint64_t generation_bytes(const ModelConfig& config, size_t max_lora_rank,
                          std::span<const GenerationRequest> requests,
                          const GeneratorOptions& options);

uint64_t scoring_bytes(const ModelConfig& config, size_t max_lora_rank,
                       std::span<const std::vector<int32_t>> rows, const ScoreOptions& options);

uint64_t pair_scoring_bytes(const ModelConfig& config, size_t max_lora_rank,
                            std::span<const PreferenceTokens> pairs,
                            const PairScoreOptions& options);

}  // namespace hone::llm
