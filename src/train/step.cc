#include "train/step.h"

#include "base/error.h"

namespace hone::train {

namespace {
constexpr int kMaxRepeats = 12;  // each makes room for 2^12 times larger sums
}

size_t accumulate_gradients(llm::TrainingPass& pass, Optimizer& optimizer,
                            std::span<const llm::TreeExample> batch, const TreeLoss& loss) {
  for (int attempt = 0; attempt < kMaxRepeats; ++attempt) {
    bool overflow = false;
    size_t run_rows = 0;
    llm::for_each_pass(batch, pass.max_rows(), [&](const llm::PlannedPass& planned) {
      const auto pass_loss = [&](const llm::PassResult& result, std::span<float> coefficients) {
        for (size_t t = 0; t < planned.count; ++t) {
          const size_t begin = planned.target_begin[t];
          loss(planned.first + t, planned.result_of(t, result),
               coefficients.subspan(begin, planned.target_begin[t + 1] - begin));
        }
      };
      run_rows += planned.rows.size();
      overflow =
          pass.run(planned.rows, planned.targets, pass_loss, optimizer.trainable()).overflow;
      return !overflow;
    });
    if (!overflow) return run_rows;
    optimizer.widen();
  }
  throw Error(ErrorCode::kInternal,
              "the gradient grew beyond what numbers hold: lower --learning-rate, or look for "
              "rows that are not text in the training data");
}

}  // namespace hone::train
