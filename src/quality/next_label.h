#pragma once
// What to ask next: which task deserves one more label, which pair one more comparison, and when
// to stop.
//
// A label of a worker with confusion matrix pi is worth its mutual information with the truth,
// I = H(sum_k T_k pi_k.) - sum_k T_k H(pi_k.), in bits (Lindley 1956). A comparison of things whose
// estimated strengths have covariance C is worth 1/2 log2(1 + p (1 - p) v), v = C_ii + C_jj - 2 C_ij
// (the gain in D-optimality of one Bernoulli trial), p = sigmoid(s_i - s_j). Pure functions.

#include <cstdint>
#include <span>
#include <vector>

namespace hone::quality {

struct LabelGain {
  double information = 0.0;  // bits
  double accuracy = 0.0;     // expected rise of the largest posterior
};
// posterior: classes numbers with sum 1. confusion: classes x classes, row = truth, rows sum to 1.
LabelGain label_gain(std::span<const double> posterior, std::span<const double> confusion);
// One-coin worker: right with probability `accuracy`, else any other class alike.
LabelGain label_gain(std::span<const double> posterior, double accuracy);
// The posterior after that worker said `label`; unchanged when the label was impossible.
std::vector<double> posterior_after(std::span<const double> posterior,
                                    std::span<const double> confusion, uint32_t label);

struct StopRule {
  double threshold = 0.99;   // largest posterior at which a task is done, in (0, 1]
  uint32_t min_labels = 3;   // never done with fewer
  uint32_t max_labels = 20;  // done anyway ("undecided") with so many
};
enum class TaskState : uint8_t { kAsk, kDone, kUndecided };
TaskState task_state(std::span<const double> posterior, uint32_t labels, const StopRule& rule);

struct NextTask {
  uint32_t task = 0;
  double information = 0.0;  // bits of one label of a typical worker
  double accuracy = 0.0;
  double confidence = 0.0;  // largest posterior now
};
struct NextTasks {
  std::vector<NextTask> ask;  // largest information first, then by task
  uint64_t done = 0, undecided = 0;
};
// posteriors: tasks x classes; labels: so far per task; worker_accuracy: of whoever will answer.
NextTasks next_tasks(std::span<const double> posteriors, size_t classes,
                     std::span<const uint32_t> labels, double worker_accuracy,
                     const StopRule& rule = {}, size_t most = 1000);

struct NextPair {
  uint32_t first = 0, second = 0;  // first < second
  double variance = 0.0;           // of the difference of strengths
  double probability = 0.0;        // that first wins
  double information = 0.0;        // bits
};
// strengths in logits; covariance: n x n, row-major (ranking.h). The `most` best pairs.
std::vector<NextPair> next_pairs(std::span<const double> strengths,
                                 std::span<const double> covariance, size_t most = 20);

}  // namespace hone::quality
