#pragma once
// The DPO family as pure functions of a pair's log-probabilities (TRL 1.x names and formulas;
// trainers.md section 2; papers in docs/papers.md).
//
// a = l - l_ref for each side, D = a_chosen - a_rejected; primes are per-token averages.
//   sigmoid      -(1-e) log s(bD) - e log s(-bD)          e = label smoothing (cDPO)
//   hinge        max(0, 1 - bD)
//   ipo          (D' - 1/(2b))^2
//   robust       [-(1-e) log s(bD) + e log s(-bD)] / (1-2e)
//   exo_pair     s(bD)(log s(bD) - log(1-e)) + s(-bD)(log s(-bD) - log e), e = 0.001 when 0
//   nca_pair     -log s(b a_c) - 1/2 log s(-b a_c) - 1/2 log s(-b a_r)
//   bco_pair     -log s(b a_c) - log s(-b a_r)
//   sppo_hard    (a_c - 1/(2b))^2 + (a_r + 1/(2b))^2
//   apo_zero     1 - s(b a_c) + s(b a_r)
//   apo_down     s(b a_c) + 1 - s(bD)
//   discopop     x = bD, g = s(x/0.05): (1-g)(-log s(x)) + g exp(-x)
//   sigmoid_norm -log s(bD')
// `sft` is not here: it is a sum over tokens, normalised over the batch's chosen tokens (dpo.cc).
// All in f64; no state; any thread.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  kSft
};

std::string_view name(PreferenceLossType type);
std::optional<PreferenceLossType> preference_loss_from_name(std::string_view name);
std::vector<std::string> preference_loss_names();

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

// type is any but kSft.
PairLoss preference_loss(PreferenceLossType type, double beta, double label_smoothing,
                         const PairLogProbs& pair);

// p L(chosen, rejected) + (1 - p) L(rejected, chosen): how sure it is that chosen is better.
PairLoss preference_loss(PreferenceLossType type, double beta, double label_smoothing,
                         const PairLogProbs& pair, double probability);

}  // namespace hone::train
