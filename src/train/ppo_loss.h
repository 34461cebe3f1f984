#pragma once
// What PPO computes between rollout and gradient, as pure functions (Schulman et al. 2017; TRL's
// PPOTrainer; trainers.md section 2; papers in docs/papers.md).
//
//   k_t      = lp - ref (k1), or exp(ref - lp) - 1 - (ref - lp) (k3)
//   r_t      = -kl_coef k_t; the score is added in the slot behind the last token, or at the last
//              token of an answer that was cut off (it has no such slot)
//   whiten   r <- (r - mean) / sqrt(var + 1e-8) + mean over all slots of the batch, when asked for
//   d_t      = r_t + gamma V_{t+1} - V_t,   A_t = d_t + gamma lam A_{t+1},   R_t = A_t + V_t
//   A        <- (A - mean) / sqrt(var + 1e-8) over the batch's tokens (variance with n - 1)
//   policy   max(-A w, -A clip(w, 1 - e, 1 + e)) of a token, w = exp(lp - old)
// What peers write differently (train/conventions.h): bounds around k_t; the score at the last token,
// and then no slot behind it; another whitening of A; lp - old in [-20, 20]; with dual_clip c and
// A < 0 the policy's loss is at most -c A.
//   value    1/2 max((V - R)^2, (clip(V, V_old - ev, V_old + ev) - R)^2) of a slot
// The batch is the update's: whitening sees nothing else. All in f64; no state; any thread.

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "train/conventions.h"

namespace hone::train {

enum class KlEstimator { kK1, kK3 };
std::string_view name(KlEstimator estimator);

// One answer of an update.
struct PpoAnswer {
  std::vector<double> log_probs;      // of its tokens, by the sampler
  std::vector<double> ref_log_probs;  // the same tokens under the reference
  // One a slot: before each token, and behind the last one unless the answer was cut off.
  std::vector<double> values;
  double score = 0;

  bool has_end_slot() const { return values.size() > log_probs.size(); }
};

struct PpoShaping {
  double kl_coef = 0.05;
  KlEstimator kl_estimator = KlEstimator::kK1;
  bool whiten_rewards = false;
  double gamma = 1, lam = 0.95;
  KlClamp kl_clamp = KlClamp::kNone;
  AdvantageWhitening advantage_whitening = AdvantageWhitening::kTokensSample;  // never kAnswers
};

// What an answer's tokens and slots are trained towards.
struct PpoTargets {
  std::vector<double> kl;          // a token
  std::vector<double> rewards;     // a slot
  std::vector<double> advantages;  // a token, whitened
  std::vector<double> returns;     // a slot
};
std::vector<PpoTargets> ppo_targets(std::span<const PpoAnswer> answers, const PpoShaping& shaping);

struct PpoLoss {
  double value = 0;
  double slope = 0;      // d value / d log-probability, or d value / d V
  bool clipped = false;  // the clipped side is the larger one
};
struct PpoClip {
  double cliprange = 0.2;
  bool clamp_log_ratio = false;
  double dual_clip = 0;  // 0: off
};
PpoLoss ppo_policy_loss(double log_prob, double old_log_prob, double advantage,
                        const PpoClip& clip);
PpoLoss ppo_value_loss(double value, double old_value, double target, double cliprange_value);

// The coefficient after an update whose answers had this mean KL (sum over tokens): Ziegler et al.
// 2019, as OpenRLHF has it: kl_coef (1 + clip(kl / target - 1, -0.2, 0.2) answers / horizon).
double adapted_kl_coef(double kl_coef, double kl, double target, double horizon, size_t answers);

}  // namespace hone::train
