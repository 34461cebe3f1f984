#include "llm/batch_pass.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "llm/batch_sample.h"
#include "llm/head_scale.h"
#include "tensor/matmul.h"

namespace hone::llm {

using tensor::View;

namespace {
// Rows of the head at once: each stream's last, or a pass of scored prompt tokens.
size_t head_rows(const BatcherOptions& options) {
  return options.rows_per_pass + options.max_samples;
}
}  // namespace

BatchPass::BatchPass(tensor::Compute& compute, const Model& model, const BatcherOptions& options)
    : compute_(compute),
      model_(model),
      max_streams_(options.max_samples),
      workspace_(model.config, options.max_lora_rank, options.rows_per_pass),
      gathered_(head_rows(options), model.config.hidden_size),
      logits_(options.max_samples, model.config.vocab_size),
      results_(head_rows(options)) {}

uint64_t BatchPass::planned_bytes(const ModelConfig& config, const BatcherOptions& options) {
  return Workspace::planned_bytes(config, options.max_lora_rank, options.rows_per_pass) +
         sizeof(float) *
             (options.max_samples * config.vocab_size + head_rows(options) * config.hidden_size);
}

void BatchPass::run(std::span<BatchStream* const> streams, const KvCache& cache) {
  HONE_CHECK(streams.size() <= max_streams_);
  rows_.clear();
  score_rows_.clear();
  next_.clear();
  full_pages_.clear();
  // Rows of one adapter side by side: fewer, larger products.
  std::vector<BatchStream*> order(streams.begin(), streams.end());
  std::stable_sort(order.begin(), order.end(), [](const BatchStream* a, const BatchStream* b) {
    return std::less<>()(a->request().adapter, b->request().adapter);
  });
  std::vector<size_t> begins;
  for (const BatchStream* stream : order) {
    begins.push_back(rows_.size());
    if (stream->planned == 0) continue;
    rows_.append(*stream->sequence, stream->read,
                 std::span(stream->tokens).subspan(stream->read, stream->planned),
                 stream->request().adapter);
  }
  View<const float> hidden;
  if (rows_.size() > 0) hidden = forward(compute_, model_, rows_, cache, workspace_);
  last_rows_.clear();
  for (size_t i = 0; i < order.size(); ++i) {
    BatchStream& stream = *order[i];
    const size_t planned = stream.planned;
    read(stream, begins[i], hidden);
    last_rows_.push_back(planned > 0 ? hidden.row(begins[i] + planned - 1)
                                     : stream.last_hidden.data());
  }
  score();
  follow(order);
  for (BatchStream* stream : order) stream->last_hidden.clear();
}

void BatchPass::read(BatchStream& stream, size_t row_begin, View<const float> hidden) {
  const BatchRequest& request = stream.request();
  const size_t begin = stream.read, end = begin + stream.planned;
  if (stream.wants_scores()) {
    const size_t scored_end = stream.tokens.size();
    if (!stream.last_hidden.empty() && begin < scored_end) {
      score_rows_.push_back({&stream, begin, stream.last_hidden.data()});
    }
    for (size_t at = begin; at < end && at + 1 < scored_end; ++at) {
      score_rows_.push_back({&stream, at + 1, hidden.row(row_begin + at - begin)});
    }
  }
  if (stream.is_prompt && request.pooling != Pooling::kNone) {
    std::vector<double>& sum = stream.owner->pooled;
    if (begin == 0 || request.pooling == Pooling::kLast) sum.assign(hidden.cols, 0);
    for (size_t at = begin; at < end; ++at) {
      if (request.pooling == Pooling::kLast && at + 1 < end) continue;
      const float* row = hidden.row(row_begin + at - begin);
      for (size_t c = 0; c < hidden.cols; ++c) sum[c] += static_cast<double>(row[c]);
    }
  }
  for (size_t page = begin / kPagePositions; (page + 1) * kPagePositions <= end; ++page) {
    const size_t last = (page + 1) * kPagePositions - 1;
    full_pages_.push_back({&stream, page, {hidden.row(row_begin + last - begin), hidden.cols}});
  }
  stream.read = end;
  stream.planned = 0;
}

void BatchPass::score() {
  // Those that want more than one alternative go apart: their logits are stored.
  const auto many = [](const ScoreRow& row) {
    return row.stream->request().prompt_top_log_probs > 1;
  };
  const auto middle = std::stable_partition(score_rows_.begin(), score_rows_.end(),
                                            [&](const ScoreRow& row) { return !many(row); });
  const auto fused = static_cast<size_t>(middle - score_rows_.begin());
  score_fused(std::span(score_rows_).first(fused));
  for (size_t at = fused; at < score_rows_.size(); at += max_streams_) {
    score_with_logits(
        std::span(score_rows_).subspan(at, std::min(max_streams_, score_rows_.size() - at)));
  }
}

void BatchPass::score_fused(std::span<const ScoreRow> rows) {
  if (rows.empty()) return;
  const View<float> hidden = gathered_.rows_view(0, rows.size());
  std::vector<tensor::HeadTarget> targets;
  for (size_t i = 0; i < rows.size(); ++i) {
    std::memcpy(hidden.row(i), rows[i].hidden, hidden.cols * sizeof(float));
    targets.push_back({static_cast<uint32_t>(i), rows[i].stream->tokens[rows[i].position], 0.0f});
  }
  std::vector<float> log_probs(rows.size());
  tensor::head_log_probs(compute_, hidden, model_.head(), targets, log_probs.data(),
                         results_.data());
  for (size_t i = 0; i < rows.size(); ++i) {
    PromptTokenScore& score = rows[i].stream->owner->scores[rows[i].position];
    score.log_prob = log_probs[i];
    score.most_likely = {results_[i].argmax, results_[i].max_logit - results_[i].lse};
  }
}

// Logits of the first `count` gathered rows.
View<float> BatchPass::logits_of(size_t count) {
  const View<float> logits = logits_.rows_view(0, count);
  const tensor::MatmulPart head = {
      gathered_.rows_view(0, count), &model_.head(), logits, nullptr, false, 1.0f};
  tensor::matmul(compute_, {&head, 1});
  tensor::log_softmax_rows(compute_, logits, results_.data());
  return logits;
}

void BatchPass::score_with_logits(std::span<const ScoreRow> rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    std::memcpy(gathered_.view().row(i), rows[i].hidden, gathered_.cols() * sizeof(float));
  }
  const View<float> logits = logits_of(rows.size());
  compute_.pool().run(rows.size(), [&](size_t i, size_t) {
    const BatchStream& stream = *rows[i].stream;
    const auto token = static_cast<size_t>(stream.tokens[rows[i].position]);
    PromptTokenScore& score = stream.owner->scores[rows[i].position];
    score.log_prob = logits.row(i)[token] - results_[i].lse;
    score.most_likely = {results_[i].argmax, results_[i].max_logit - results_[i].lse};
    score.top = most_likely({logits.row(i), logits.cols}, results_[i].lse,
                            stream.request().prompt_top_log_probs);
  });
}

void BatchPass::follow(std::span<BatchStream* const> streams) {
  for (size_t i = 0; i < streams.size(); ++i) {
    BatchStream& stream = *streams[i];
    if (stream.unread() > 0 || !stream.wants_next()) continue;
    std::memcpy(gathered_.view().row(next_.size()), last_rows_[i],
                gathered_.cols() * sizeof(float));
    scale_row(gathered_.view().row(next_.size()), gathered_.cols(), stream.request().head_scale);
    next_.push_back({&stream, {}, {}});
  }
  if (next_.empty()) return;
  const View<float> logits = logits_of(next_.size());
  for (size_t i = 0; i < next_.size(); ++i) {
    next_[i].logits = {logits.row(i), logits.cols};
    next_[i].row = results_[i];
  }
}

}  // namespace hone::llm
