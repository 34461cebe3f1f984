#include "train/step.h"

#include <cmath>

#include "base/error.h"

namespace hone::train {

namespace {
constexpr int kMaxRepeats = 12;  // each makes room for 2^20 times larger sums

void check_finite(std::span<const float> log_probs, size_t step) {
  for (float value : log_probs) {
    if (std::isfinite(value)) continue;
    throw Error(ErrorCode::kInternal,
                "the loss of step " + std::to_string(step) +
                    " is not a number: lower --learning-rate or look at the rows of that step; "
                    "checkpoints up to here are whole (--resume goes on from the last one)");
  }
}
}  // namespace

size_t accumulate_gradients(llm::TrainingPass& pass, Optimizer& optimizer,
                            std::span<const llm::TreeExample> batch, const TreeLoss& loss,
                            size_t step) {
  for (int attempt = 0; attempt < kMaxRepeats; ++attempt) {
    bool overflow = false;
    size_t run_rows = 0;
    llm::for_each_pass(batch, pass.max_rows(), [&](const llm::PlannedPass& planned) {
      const auto pass_loss = [&](const llm::PassResult& result, std::span<float> coefficients) {
        check_finite(result.log_probs, step);
        for (size_t t = 0; t < planned.count; ++t) {
          const size_t begin = planned.target_begin[t];
          loss(planned.first + t, planned.result_of(t, result),
               coefficients.subspan(begin, planned.target_begin[t + 1] - begin));
        }
      };
      run_rows += planned.rows.size();
      overflow = pass.run(planned.rows, planned.targets, pass_loss, optimizer.trainable()).overflow;
      return !overflow;
    });
    if (!overflow) return run_rows;
    optimizer.widen();
  }
  throw Error(
      ErrorCode::kInternal,
      "the gradient of step " + std::to_string(step) +
          " grew beyond what numbers hold: lower --learning-rate, or look for rows that are "
          "not text in the training data");
}

}  // namespace hone::train
