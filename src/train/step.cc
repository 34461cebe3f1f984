#include "train/step.h"

#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "train/dealt_trees.h"

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
      per_row_ = static_cast<int64_t>(embedding->cols);
      if (trainable.lm_head != llm::kFrozen) per_group_ -= values_of(*embedding);  // not tied
    }
  }
  int64_t operator()(const llm::TreeRows& rows) const {
    return per_group_ * static_cast<int64_t>(rows.groups().size()) +
           per_row_ * static_cast<int64_t>(rows.size());
  }

 private:
  static int64_t values_of(const llm::Parameter& p) {
    return static_cast<int64_t>(p.rows * p.cols);
  }
  int64_t per_group_ = 0, per_row_ = 0;
};

// What a rank adds to the sums of a batch, for the others.
struct Share {
  int64_t rows = 0, sums = 0, flushed = 0, overflow = 0;

  std::string bytes() const {
    RankWriter writer;
    writer.value(*this);
    return writer.take();
  }
  void add(const std::string& bytes) {
    const auto other = RankReader(bytes).value<Share>();
    rows += other.rows;
    sums += other.sums;
    flushed += other.flushed;
    overflow += other.overflow;
  }
};

// One try at a batch's gradients: this rank's share of the passes.
class Attempt {
 public:
  Attempt(llm::TrainingPass& pass, Optimizer& optimizer, const TreeLoss& loss, size_t step,
          const KnownCoefficients& known)
      : pass_(pass), optimizer_(optimizer), loss_(loss), step_(step), known_(known) {}

  // `first`: the place of these trees in the batch. Tells `dealt` (may be null) what it saw.
  Share run(std::span<const llm::TreeExample> trees, size_t first, DealtTrees* dealt) {
    Share share;
    const SumsOfPass sums_of_pass(optimizer_.trainable());
    llm::for_each_pass(trees, pass_.max_rows(), [&](const llm::PlannedPass& planned) {
      const tensor::FixedStatistics statistics = run_pass(planned, first, dealt);
      share.rows += static_cast<int64_t>(planned.rows.size());
      share.sums += sums_of_pass(planned.rows);
      share.flushed += static_cast<int64_t>(statistics.flushed_to_zero);
      share.overflow += statistics.overflow ? 1 : 0;
      return share.overflow == 0;
    });
    return share;
  }

 private:
  tensor::FixedStatistics run_pass(const llm::PlannedPass& planned, size_t first,
                                   DealtTrees* dealt) {
    const auto of_tree = [&](size_t t, auto values) {
      const size_t begin = planned.target_begin[t];
      return values.subspan(begin, planned.target_begin[t + 1] - begin);
    };
    const size_t at = first + planned.first;
    std::vector<float> before(known_ ? planned.targets.size() : 0);
    for (size_t t = 0; known_ && t < planned.count; ++t) {
      known_(at + t, of_tree(t, std::span<float>(before)));
    }
    const auto pass_loss = [&](const llm::PassResult& result, std::span<float> coefficients) {
      check_finite(result.log_probs, step_);
      for (size_t t = 0; t < planned.count; ++t) {
        const llm::TreeResult of_one = planned.result_of(t, result);
        loss_(at + t, of_one, of_tree(t, coefficients));
        if (dealt != nullptr) dealt->add(of_one);
      }
    };
    const TrainConfig& config = optimizer_.config();
    const llm::LoraDropout dropout{config.lora_dropout, config.seed, step_, at};
    return pass_.run(planned.rows, planned.targets, pass_loss, optimizer_.trainable(), &dropout,
                     before);
  }

  llm::TrainingPass& pass_;
  Optimizer& optimizer_;
  const TreeLoss& loss_;
  size_t step_;
  const KnownCoefficients& known_;
};

// The same with the batch dealt out; behind it all ranks have seen all trees.
Share dealt_attempt(Attempt attempt, Communicator& ranks, std::span<const llm::TreeExample> batch,
                    const TreeLoss& loss) {
  DealtTrees dealt(ranks, batch);
  const Share own = attempt.run(dealt.own(), dealt.first(), &dealt);
  Share all;
  for (const std::string& note : dealt.exchange(own.bytes())) all.add(note);
  if (all.overflow > 0) return all;
  std::vector<float> nobody_reads;
  dealt.for_each(
      [&](size_t i, const llm::TreeResult& result) {
        nobody_reads.assign(result.log_probs.size(), 0);
        loss(i, result, nobody_reads);
      },
      true);
  return all;
}

}  // namespace

Accumulated accumulate_gradients(llm::TrainingPass& pass, Optimizer& optimizer,
                                 std::span<const llm::TreeExample> batch, const TreeLoss& loss,
                                 size_t step, const KnownCoefficients& known) {
  Communicator& ranks = optimizer.ranks();
  Attempt attempt(pass, optimizer, loss, step, known);
  for (int repeat = 0; repeat < kMaxRepeats; ++repeat) {
    const Share share = ranks.size() == 1 ? attempt.run(batch, 0, nullptr)
                                          : dealt_attempt(attempt, ranks, batch, loss);
    if (share.overflow > 0) {
      optimizer.widen();
      continue;
    }
    optimizer.sum_over_ranks();
    Accumulated done;
    done.rows = static_cast<size_t>(share.rows);
    if (share.sums > 0) {
      done.flushed_to_zero = static_cast<double>(share.flushed) / static_cast<double>(share.sums);
    }
    return done;
  }
  throw Error(
      ErrorCode::kInternal,
      "the gradient of step " + std::to_string(step) +
          " grew beyond what numbers hold: lower --learning-rate, or look for rows that are "
          "not text in the training data");
}

}  // namespace hone::train
