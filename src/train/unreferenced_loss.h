#pragma once
// Losses of preference pairs that need no reference model, as pure functions (TRL's ORPOTrainer and
// CPOTrainer; trainers.md section 2; papers in docs/papers.md). c and r are the chosen and the
// rejected answer's log-probability: its tokens' mean where a line says so, else their sum.
//
//   orpo     means: o = (c - r) - (log(1 - e^c) - log(1 - e^r)); -b log s(o)      (ORPO)
//   sigmoid  -(1-e) log s(b d) - e log s(-b d), d = c - r                         (CPO)
//   hinge    max(0, 1 - b d)                                                      (CPO)
//   ipo      means: (d - 1/(2b))^2                                                (CPO)
//   simpo    means: sigmoid with d = c - r - gamma / b                            (SimPO)
// Each goes with a token mean of -log p over chosen tokens, which is the method's (orpo.cc, cpo.cc).
// All in f64; no state; any thread.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hone::train {

enum class CpoLossType { kSigmoid, kHinge, kIpo, kSimpo };
std::string_view name(CpoLossType type);
std::optional<CpoLossType> cpo_loss_from_name(std::string_view name);

struct AnswerLogProbs {
  double chosen = 0, rejected = 0;  // sums
  size_t chosen_tokens = 0, rejected_tokens = 0;

  double mean_chosen() const { return chosen / static_cast<double>(chosen_tokens); }
  double mean_rejected() const { return rejected / static_cast<double>(rejected_tokens); }
};

struct UnreferencedLoss {
  double value = 0;
  double d_chosen = 0, d_rejected = 0;  // by each token's log-probability of that side
  double log_odds = 0;                  // of ORPO
};

// probability: how sure it is that chosen is better; the rest weighs the swapped pair.
UnreferencedLoss orpo_loss(double beta, const AnswerLogProbs& pair, double probability);

struct CpoLossOptions {
  CpoLossType type = CpoLossType::kSigmoid;
  double beta = 0.1, label_smoothing = 0, simpo_gamma = 0.5;
};
UnreferencedLoss cpo_loss(const CpoLossOptions& options, const AnswerLogProbs& pair,
                          double probability);

}  // namespace hone::train
