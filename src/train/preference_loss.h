#pragma once
// The DPO family as pure functions of a pair's log-probabilities (TRL 1.x names and formulas;
// trainers.md section 2; papers in docs/papers.md).
//
// a = l - l_ref for each side, D = a_chosen - a_rejected; primes are per-token averages.
//   sigmoid      -(1-e) log s(bD) - e log s(-bD)          e = label smoothing (cDPO)
//   hinge        max(0, 1 - bD)
//   ipo          (D' - 1/(2b))^2                          with ipo_log_probs sum: D for D'
//   robust       [-(1-e) log s(bD) + e log s(-bD)] / (1-2e)
//   exo_pair     s(bD)(log s(bD) - log(1-e)) + s(-bD)(log s(-bD) - log e), e = 0.001 when 0
//   nca_pair     -log s(b a_c) - 1/2 log s(-b a_c) - 1/2 log s(-b a_r)
//   bco_pair     -log s(b a_c) - log s(-b a_r)
//   sppo_hard    (a_c - 1/(2b))^2 + (a_r + 1/(2b))^2
//   apo_zero     1 - s(b a_c) + s(b a_r)
//   apo_down     s(b a_c) + 1 - s(bD)
//   discopop     x = bD, g = s(x/0.05): (1-g)(-log s(x)) + g exp(-x)
//   sigmoid_norm -log s(bD')
//   aot          d = sort(l_c - l_r) - sort(l_c_ref - l_r_ref): -(1-e) log s(bd) - e log s(-bd)
//   aot_unpaired d = sort(a_c) - sort(a_r): the same
// `sft` is not here: it is a sum over tokens, normalised over the batch's chosen tokens (dpo.cc).
//
// f-divergences: D is f(a_chosen) - f(a_rejected), and a' is f(a) by the tokens, with
//   reverse_kl a | forward_kl 1 - exp(-a) | js_divergence log 2 + log s(a)
//   alpha_divergence (exp((alpha-1) a) - 1)/(alpha-1), the exponent at most 80; a for alpha = 1
// Those losses that read a_chosen and a_rejected apart (nca_pair, bco_pair, sppo_hard, apo_*, aot*)
// have no such form.
// All in f64; no state; any thread.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "train/conventions.h"

namespace hone::train {

enum class PreferenceLossType {
  kSigmoid,
  kHinge,
  kIpo,
  kRobust,
  kExoPair,
  kNcaPair,
  kBcoPair,
  kSppoHard,
  kApoZero,
  kApoDown,
  kDiscopop,
  kSigmoidNorm,
  kAot,
  kAotUnpaired,
  kSft
};
enum class FDivergence { kReverseKl, kForwardKl, kJs, kAlpha };

std::string_view name(PreferenceLossType type);
std::optional<PreferenceLossType> preference_loss_from_name(std::string_view name);
std::vector<std::string> preference_loss_names();
std::string_view name(FDivergence divergence);

// Whether the loss of a pair follows from that pair alone. aot and aot_unpaired sort a batch.
bool is_coupled(PreferenceLossType type);
// Whether the loss reads D, so that another divergence than reverse_kl can stand in it.
bool takes_f_divergence(PreferenceLossType type);

// What a loss is told beside the pair.
struct PreferenceForm {
  double beta = 0.1;
  double label_smoothing = 0;
  FDivergence f_divergence = FDivergence::kReverseKl;
  double f_alpha_divergence_coef = 0.5;
  IpoLogProbs ipo_log_probs = IpoLogProbs::kMean;
};

struct PairLogProbs {
  double chosen = 0, rejected = 0;          // sums over completion tokens under the policy
  double ref_chosen = 0, ref_rejected = 0;  // under the reference; 0 when reference-free
  size_t chosen_tokens = 0, rejected_tokens = 0;
};

struct PairLoss {
  double value = 0;
  double d_chosen = 0;    // d value / d pair.chosen
  double d_rejected = 0;  // d value / d pair.rejected
};

// type is any but kSft and those that are coupled.
PairLoss preference_loss(PreferenceLossType type, const PreferenceForm& form,
                         const PairLogProbs& pair);
inline PairLoss preference_loss(PreferenceLossType type, double beta, double label_smoothing,
                                const PairLogProbs& pair) {
  return preference_loss(type, PreferenceForm{beta, label_smoothing}, pair);
}

// p L(chosen, rejected) + (1 - p) L(rejected, chosen): how sure it is that chosen is better.
PairLoss preference_loss(PreferenceLossType type, const PreferenceForm& form,
                         const PairLogProbs& pair, double probability);

// aot and aot_unpaired over the pairs that are sorted together. The value of a place in the order is
// told of the pair whose policy margin (aot_unpaired: whose chosen answer) stands there; slopes are
// of the sum of all values. Equal numbers stand in the order of the pairs.
std::vector<PairLoss> coupled_losses(PreferenceLossType type, const PreferenceForm& form,
                                     std::span<const PairLogProbs> pairs);

// LD-DPO: what the log-probability of an answer's token counts, the answer's place for it from 0:
// ld_alpha beyond the length of the shorter of the two answers, 1 before.
inline double ld_weight(size_t place, size_t shorter, double ld_alpha) {
  return place < shorter ? 1 : ld_alpha;
}

}  // namespace hone::train
