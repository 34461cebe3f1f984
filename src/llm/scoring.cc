#include "llm/scoring.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "tensor/log_softmax.h"

namespace hone::llm {

namespace {

void check(const Model& model, size_t index, const std::vector<int32_t>& row) {
  if (row.size() > model.config.context_length) {
    throw invalid_input("row " + std::to_string(index) + " has " + std::to_string(row.size()) +
                        " tokens, but the model's context is " +
                        std::to_string(model.config.context_length) + ": shorten it");
  }
  for (int32_t id : row) {
    if (id < 0 || static_cast<size_t>(id) >= model.config.vocab_size) {
      throw invalid_input("row " + std::to_string(index) + " holds token id " + std::to_string(id) +
                          ", which is not in the model's vocabulary of " +
                          std::to_string(model.config.vocab_size));
    }
  }
}

// One batch of rows, fed chunk by chunk until all are done.
class Batch {
 public:
  Batch(tensor::Compute& compute, const Model& model, const LoraAdapter* adapter,
        std::span<const std::vector<int32_t>> rows, KvCache& cache, Workspace& workspace)
      : compute_(compute),
        model_(model),
        adapter_(adapter),
        rows_(rows),
        cache_(cache),
        workspace_(workspace),
        scored_(rows.size()),
        fed_(rows.size(), 0) {}

  std::vector<ScoredTokens> run(size_t chunk) {
    std::vector<KvCache::SequenceId> sequences;
    for (size_t i = 0; i < rows_.size(); ++i) sequences.push_back(cache_.create());
    while (feed(sequences, chunk)) {
    }
    for (KvCache::SequenceId sequence : sequences) cache_.release(sequence);
    return std::move(scored_);
  }

 private:
  bool feed(const std::vector<KvCache::SequenceId>& sequences, size_t chunk) {
    Rows pass;
    std::vector<tensor::HeadTarget> targets;
    std::vector<size_t> owner;  // row of the batch, per target
    for (size_t i = 0; i < rows_.size(); ++i) {
      const size_t room = workspace_.max_rows() - pass.size();
      size_t count = std::min(rows_[i].size() - fed_[i], room);
      if (chunk > 0) count = std::min(count, chunk);
      if (count == 0) continue;
      const size_t first_row = pass.size();
      HONE_CHECK(cache_.extend(sequences[i], count));
      pass.append(sequences[i], fed_[i], std::span(rows_[i]).subspan(fed_[i], count));
      for (size_t k = 0; k < count; ++k) {
        if (fed_[i] + k + 1 >= rows_[i].size()) break;
        targets.push_back({static_cast<uint32_t>(first_row + k), rows_[i][fed_[i] + k + 1], 0.0f});
        owner.push_back(i);
      }
      fed_[i] += count;
    }
    if (pass.size() == 0) return false;
    const tensor::View<const float> hidden =
        forward(compute_, model_, adapter_, pass, cache_, workspace_);
    std::vector<float> log_probs(targets.size());
    std::vector<tensor::HeadRowResult> results(pass.size());
    if (!targets.empty()) {
      tensor::head_log_probs(compute_, hidden, model_.head(), targets, log_probs.data(),
                             results.data());
    }
    for (size_t t = 0; t < targets.size(); ++t) {
      ScoredTokens& scored = scored_[owner[t]];
      scored.log_probs.push_back(log_probs[t]);
      scored.is_greedy = scored.is_greedy && results[targets[t].row].argmax == targets[t].token;
    }
    return true;
  }

  tensor::Compute& compute_;
  const Model& model_;
  const LoraAdapter* adapter_;
  std::span<const std::vector<int32_t>> rows_;
  KvCache& cache_;
  Workspace& workspace_;
  std::vector<ScoredTokens> scored_;
  std::vector<size_t> fed_;
};

}  // namespace

std::vector<std::pair<size_t, size_t>> score_batches(std::span<const std::vector<int32_t>> rows,
                                                     const ScoreOptions& options) {
  std::vector<std::pair<size_t, size_t>> batches;  // without a wish, as many as one pass holds
  size_t tokens = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto full = [&] {
      return options.batch_size > 0 ? i - batches.back().first >= options.batch_size
                                    : tokens + rows[i].size() > options.rows_per_pass;
    };
    if (batches.empty() || full()) {
      batches.emplace_back(i, i);
      tokens = 0;
    }
    tokens += rows[i].size();
    batches.back().second = i + 1;
  }
  return batches;
}

ScoreRoom score_room(std::span<const std::vector<int32_t>> rows, const ScoreOptions& options) {
  ScoreRoom room;
  for (const auto& [begin, end] : score_batches(rows, options)) {
    size_t pages = 0, tokens = 0;
    for (size_t i = begin; i < end; ++i) {
      pages += KvCache::pages_for(rows[i].size());
      tokens += options.chunk > 0 ? std::min(options.chunk, rows[i].size()) : rows[i].size();
    }
    room.pages = std::max(room.pages, pages);
    room.rows_per_pass = std::max(room.rows_per_pass, std::min(options.rows_per_pass, tokens));
  }
  return room;
}

void score_rows(tensor::Compute& compute, const Model& model, const LoraAdapter* adapter,
                std::span<const std::vector<int32_t>> rows, const ScoreOptions& options,
                const std::function<void(size_t, const ScoredTokens&)>& on_row) {
  for (size_t i = 0; i < rows.size(); ++i) check(model, i, rows[i]);
  const auto batches = score_batches(rows, options);
  const ScoreRoom room = score_room(rows, options);
  KvCache cache(model.config, room.pages);
  Workspace workspace(model, adapter, room.rows_per_pass);
  for (const auto& [begin, end] : batches) {
    Batch batch(compute, model, adapter, rows.subspan(begin, end - begin), cache, workspace);
    std::vector<ScoredTokens> scored = batch.run(options.chunk);
    for (size_t i = 0; i < scored.size(); ++i) on_row(begin + i, scored[i]);
  }
}

}  // namespace hone::llm
