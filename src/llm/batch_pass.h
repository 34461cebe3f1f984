#pragma once
// One pass of the batcher: the planned tokens of its streams through the model, and of the head only
// what somebody wants: logits of rows that a token follows, log-probabilities of prompt tokens that
// were asked for.
//
// Internal to llm/batcher.h; the batcher's thread.

#include <cstdint>
#include <span>
#include <vector>

#include "llm/batch_stream.h"
#include "llm/forward.h"
#include "tensor/log_softmax.h"

namespace hone::llm {

class BatchPass {
 public:
  BatchPass(tensor::Compute& compute, const Model& model, const BatcherOptions& options);
  static uint64_t planned_bytes(const ModelConfig& config, const BatcherOptions& options);

  // Logits that follow a stream's last token; valid until the next pass.
  struct Next {
    BatchStream* stream = nullptr;
    std::span<const float> logits;
    tensor::HeadRowResult row;
  };
  // A page that became full, and the final norm's row of its last position; valid likewise.
  struct FullPage {
    BatchStream* stream = nullptr;
    size_t number = 0;
    std::span<const float> last_hidden;
  };

  // Reads the planned tokens (their sequences are extended already): moves `read`, fills the
  // owners' scores and sums. At most max_samples streams; those that have read everything and plan
  // nothing have a last_hidden.
  void run(std::span<BatchStream* const> streams, const KvCache& cache);
  std::span<const Next> next() const { return next_; }
  std::span<const FullPage> full_pages() const { return full_pages_; }
  size_t rows() const { return rows_.size(); }

 private:
  struct ScoreRow {
    BatchStream* stream;
    size_t position;  // of the token that is scored
    const float* hidden;
  };
  void read(BatchStream& stream, size_t row_begin, tensor::View<const float> hidden);
  void score();
  void score_fused(std::span<const ScoreRow> rows);
  void score_with_logits(std::span<const ScoreRow> rows);
  void follow(std::span<BatchStream* const> streams);
  tensor::View<float> logits_of(size_t count);

  tensor::Compute& compute_;
  const Model& model_;
  size_t max_streams_;
  Workspace workspace_;
  tensor::Tensor gathered_, logits_;
  std::vector<tensor::HeadRowResult> results_;
  Rows rows_;
  std::vector<const float*> last_rows_;  // of each stream: the row of its last token
  std::vector<ScoreRow> score_rows_;
  std::vector<Next> next_;
  std::vector<FullPage> full_pages_;
};

}  // namespace hone::llm
