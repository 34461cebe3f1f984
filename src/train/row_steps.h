#pragma once
// The loop of the methods that learn from rows as they lie in a file: which rows a step takes, their
// gradient, the step's line, evaluation. What a row's loss is stands in the method's own file.

#include <span>
#include <string>
#include <vector>

#include "llm/tree_scoring.h"
#include "train/training_run.h"

namespace hone::train {

struct RowBatch {
  double loss = 0;
  double normaliser = 1;  // the gradient is the sum divided by this; above 0
  Json metrics = Json::object();
};

// The loss of one file's rows. Rows are named by their index in that file.
class RowLoss {
 public:
  virtual ~RowLoss() = default;
  // The trees that this step runs for these rows where they are not those of Rows; empty: those.
  // Called before the step's batch begins.
  virtual std::vector<llm::TreeExample> trees_of_step(size_t, std::span<const size_t>) {
    return {};
  }
  // A batch begins. Nothing of it has been computed; the pass may score for it.
  virtual void begin(std::span<const size_t> rows, llm::TrainingPass& pass) = 0;
  // The row at `place` of the batch: writes d(normaliser * loss) / d log_prob unless coefficients is
  // empty (evaluation). May be called again for the same place, when a step is repeated.
  virtual void row(size_t place, const llm::TreeResult& result, std::span<float> coefficients) = 0;
  // The whole batch; each metric's name begins with prefix.
  virtual RowBatch end(const std::string& prefix) = 0;
  // False for a loss that does not watch words' mean logits.
  virtual bool reads_words() const { return true; }
  // Whether the slopes of log-probabilities are known before anything is computed (train/step.h;
  // TrainConfig::known_coefficients): then known() writes them, and row() finds a copy.
  virtual bool slopes_are_known() const { return false; }
  virtual void known(size_t, std::span<float>) {}
};

struct Rows {
  std::vector<llm::TreeExample> trees;
  std::vector<size_t> tokens;  // of each row, as num_tokens counts them
  RowLoss* loss = nullptr;     // must outlive the training

  size_t largest_pass() const { return llm::least_pass_rows(trees); }
};

// `run` was made for the larger of both files' largest_pass. eval may have no rows.
TrainResult train_rows(TrainingRun& run, const TrainConfig& config, const Rows& rows,
                       const Rows& eval);
// The same, with a run of that method of its own. Throws invalid_input when there are no rows.
TrainResult train_rows(TrainJob& job, const TrainConfig& config, const std::string& method,
                       const Json& settings, const Rows& rows, const Rows& eval,
                       const TrainedHeads& heads = {});

}  // namespace hone::train
