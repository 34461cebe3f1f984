#include "train/step.h"

#include <cmath>
#include <vector>

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

// How many sums a pass adds: one a value and group of rows, but for the embedding's look-ups, which
// are added row by row (docs/decisions/0003).
class SumsOfPass {
 public:
  explicit SumsOfPass(llm::Trainable& trainable) {
    for (const llm::Parameter& p : trainable.parameters) per_group_ += values_of(p);
    if (const llm::Parameter* embedding = trainable.find(trainable.embedding)) {
      per_row_ = static_cast<double>(embedding->cols);
      if (trainable.lm_head != llm::kFrozen) per_group_ -= values_of(*embedding);  // not tied
    }
  }
  double operator()(const llm::TreeRows& rows) const {
    return per_group_ * static_cast<double>(rows.groups().size()) +
           per_row_ * static_cast<double>(rows.size());
  }

 private:
  static double values_of(const llm::Parameter& p) {
    return static_cast<double>(p.rows) * static_cast<double>(p.cols);
  }
  double per_group_ = 0, per_row_ = 0;
};

}  // namespace

Accumulated accumulate_gradients(llm::TrainingPass& pass, Optimizer& optimizer,
                                 std::span<const llm::TreeExample> batch, const TreeLoss& loss,
                                 size_t step, const KnownCoefficients& known) {
  llm::LoraDropout dropout{optimizer.config().lora_dropout, optimizer.config().seed, step, 0};
  const SumsOfPass sums_of_pass(optimizer.trainable());
  for (int attempt = 0; attempt < kMaxRepeats; ++attempt) {
    bool overflow = false;
    Accumulated done;
    double sums = 0, flushed = 0;
    llm::for_each_pass(batch, pass.max_rows(), [&](const llm::PlannedPass& planned) {
      const auto of_tree = [&](size_t t, auto values) {
        const size_t begin = planned.target_begin[t];
        return values.subspan(begin, planned.target_begin[t + 1] - begin);
      };
      std::vector<float> before(known ? planned.targets.size() : 0);
      for (size_t t = 0; known && t < planned.count; ++t) {
        known(planned.first + t, of_tree(t, std::span<float>(before)));
      }
      const auto pass_loss = [&](const llm::PassResult& result, std::span<float> coefficients) {
        check_finite(result.log_probs, step);
        for (size_t t = 0; t < planned.count; ++t) {
          loss(planned.first + t, planned.result_of(t, result), of_tree(t, coefficients));
        }
      };
      done.rows += planned.rows.size();
      dropout.first_tree = planned.first;
      const tensor::FixedStatistics statistics = pass.run(planned.rows, planned.targets, pass_loss,
                                                          optimizer.trainable(), &dropout, before);
      sums += sums_of_pass(planned.rows);
      flushed += static_cast<double>(statistics.flushed_to_zero);
      overflow = statistics.overflow;
      return !overflow;
    });
    done.flushed_to_zero = sums > 0 ? flushed / sums : 0;
    if (!overflow) return done;
    optimizer.widen();
  }
  throw Error(
      ErrorCode::kInternal,
      "the gradient of step " + std::to_string(step) +
          " grew beyond what numbers hold: lower --learning-rate, or look for rows that are "
          "not text in the training data");
}

}  // namespace hone::train
