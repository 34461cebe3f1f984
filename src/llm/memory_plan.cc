#include "llm/memory_plan.h"

#include <algorithm>
#include <functional>

#include "llm/kv_cache.h"
#include "llm/training_pass.h"
#include "tensor/memory.h"
#include "tensor/panel_bytes.h"

namespace hone::llm {

namespace {

constexpr size_t kRopePositions = 8192;  // load_model's reserve

// Sum of the largest `count` values.
uint64_t sum_of_largest(std::vector<uint64_t> values, size_t count) {
  count = std::min(count, values.size());
  std::partial_sort(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count),
                    values.end(), std::greater<>());
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) sum += values[i];
  return sum;
}

}  // namespace

WeightMemory weight_memory(const ModelFile& file) {
  const ModelConfig& config = file.config();
  WeightMemory memory;
  for (const TensorShape& shape : tensor_shapes(config)) {  // in load_model's order
    const StoredTensor& t = file.at(shape.name);
    memory.packed_bytes +=
        t.is_vector() ? t.rows * sizeof(float) : tensor::packed_bytes(t.type, t.rows, t.cols);
    memory.loading_bytes = std::max(memory.loading_bytes, memory.packed_bytes + t.bytes.size());
    memory.largest_bytes = std::max<uint64_t>(memory.largest_bytes, t.bytes.size());
  }
  memory.packed_bytes +=
      std::min(config.context_length, kRopePositions) * config.rope_dim * sizeof(float);
  return memory;
}

uint64_t generation_bytes(const ModelConfig& config, size_t max_lora_rank,
                          std::span<const GenerationRequest> requests,
                          const GeneratorOptions& options) {
  // At most batch_size prompts and as many samples live at once. A sample shares its prompt's full
  // pages and has the rest, and the page that it writes into, for itself (KvCache::fork).
  std::vector<uint64_t> prompt_pages, own_pages, prompt_rows;
  size_t samples = 0;
  for (const GenerationRequest& r : requests) {
    const size_t room = config.context_length - std::min(config.context_length, r.prompt.size());
    const size_t end = r.prompt.size() + std::min(r.max_tokens, room);
    // An only sample takes over its prompt's pages.
    const bool shares = r.n > 1;
    prompt_pages.push_back(shares ? KvCache::pages_for(r.prompt.size()) : 0);
    prompt_rows.push_back(r.prompt.size());
    const uint64_t own = KvCache::pages_for(end) - (shares ? r.prompt.size() / kPagePositions : 0);
    const size_t here = std::min(r.n, options.batch_size);
    own_pages.insert(own_pages.end(), here, own);
    samples += r.n;
  }
  const size_t batch = std::max<size_t>(1, options.batch_size);
  const uint64_t pages = sum_of_largest(prompt_pages, batch) + sum_of_largest(own_pages, batch);
  const size_t sequences = std::max<size_t>(1, std::min(batch, samples));
  const uint64_t rows =
      sequences + std::min<uint64_t>(options.rows_per_pass, sum_of_largest(prompt_rows, sequences));
  const uint64_t logits = sequences * (config.vocab_size + config.hidden_size) * sizeof(float);
  return tensor::mapped_bytes(pages * KvCache::page_bytes(config)) +
         Workspace::planned_bytes(config, max_lora_rank, rows) + logits;
}

uint64_t scoring_bytes(const ModelConfig& config, size_t max_lora_rank,
                       std::span<const std::vector<int32_t>> rows, const ScoreOptions& options) {
  const ScoreRoom room = score_room(rows, options);
  // Of the head: a tile's sums for every row.
  const uint64_t head = room.rows_per_pass * 2048 * sizeof(float);
  return tensor::mapped_bytes(room.pages * KvCache::page_bytes(config)) +
         Workspace::planned_bytes(config, max_lora_rank, room.rows_per_pass) + head;
}

uint64_t pair_scoring_bytes(const ModelConfig& config, size_t max_lora_rank,
                            std::span<const PreferenceTokens> pairs,
                            const PairScoreOptions& options) {
  std::vector<TreeExample> trees;
  for (const PreferenceTokens& pair : pairs) trees.push_back(pair.tree(options.prefix_sharing));
  return TrainingPass::planned_score_bytes(config, max_lora_rank, pair_pass_rows(trees, options),
                                           PassOptions{true});
}

}  // namespace hone::llm
