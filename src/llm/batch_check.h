#pragma once
// What the batcher can run at all. Pure; any thread. Internal to llm/batcher.h.

#include <cstddef>

#include "llm/batcher.h"

namespace hone::llm {

inline constexpr size_t kMaxTopLogProbs = 20;
inline constexpr size_t kMaxStopTexts = 64;
inline constexpr size_t kMaxStopBytes = 1024;  // of one text
inline constexpr size_t kMaxStopTokens = 1024;
inline constexpr size_t kMaxSamples = 4096;

// Pages of one sample of the request at its longest.
size_t request_pages(const ModelConfig& config, const BatchRequest& request);

// Throws what Batcher::check promises.
void check_request(const ModelConfig& config, bool has_text, const BatcherOptions& options,
                   const BatchRequest& request);

}  // namespace hone::llm
