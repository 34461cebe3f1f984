#pragma once
// Log-probabilities of given tokens, through the KV cache, in chunks and batches of any size: the
// same bits whatever the cut (docs/numerics.md). The engine of hone score and of evaluation.

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "llm/forward.h"

namespace hone::llm {

struct ScoredTokens {
  std::vector<float> log_probs;  // of tokens 1, 2, ...: one fewer than there are tokens
  bool is_greedy = true;         // each of them was the most likely one
};

struct ScoreOptions {
  size_t batch_size = 0;  // rows at once; 0 = as many as fit a pass
  size_t chunk = 0;       // tokens of a row fed at a time; 0 = as many as fit a pass
  size_t rows_per_pass = 512;
};

// Consecutive rows that are scored together: [begin, end) of each batch.
std::vector<std::pair<size_t, size_t>> score_batches(std::span<const std::vector<int32_t>> rows,
                                                     const ScoreOptions& options);

// What scoring those rows holds at once.
struct ScoreRoom {
  size_t pages = 1;          // of the cache
  size_t rows_per_pass = 1;  // the largest pass
};
ScoreRoom score_room(std::span<const std::vector<int32_t>> rows, const ScoreOptions& options);

// Calls on_row once per row, in order. Throws invalid_input that names a row longer than the
// model's context, or with an id outside the vocabulary, before anything runs. An empty row has no
// log-probabilities.
void score_rows(tensor::Compute& compute, const Model& model, const LoraAdapter* adapter,
                std::span<const std::vector<int32_t>> rows, const ScoreOptions& options,
                const std::function<void(size_t index, const ScoredTokens&)>& on_row);

}  // namespace hone::llm
