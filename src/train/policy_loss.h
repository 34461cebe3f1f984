#pragma once
// GRPO and its relatives as pure functions of a completion's log-probabilities (TRL's names and
// formulas; trainers.md section 2; papers in docs/papers.md).
//
// r_t = exp(lp_t - old_t), or with importance level `sequence` exp(mean over t) for every token
// (GSPO). Of one token, A the completion's advantage:
//   grpo bnpo dr_grpo dapo luspo   -min(min(r, delta) A, clip(r, 1 - e, 1 + e_high) A)
//   cispo   -sg(min(r, e_high)) A lp
//   sapo    -A 4 s(tau (r - 1)) / tau, tau by the sign of A
//   vespo   -sg(exp(lambda + k log W - lambda W)) A lp, W = exp(sum_t (lp - old)), (k, lambda) by
//           the sign of A; log ratios are kept in [-20, 20], log W in [log 1e-8, 20]
//   rloo    -min(W A, clip(W, 1 - e, 1 + e_high) A) once for the whole completion
// plus beta times KL to the reference, k3: exp(q) - q - 1, q = ref_t - lp_t; with
// bias_correction_kl times r_t. What peers write differently (train/conventions.h): with
// clamp_log_ratio lp_t - old_t in [-20, 20] before r_t of a token; with dual_clip c and A < 0 the
// clipped loss is at most -c A; with kl_clamp bounds around the KL.
// sg: no gradient through it. What the batch divides by stands in train/policy_reduction.h.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "train/conventions.h"

namespace hone::train {

enum class PolicyLossType { kGrpo, kBnpo, kDrGrpo, kDapo, kLuspo, kCispo, kSapo, kVespo, kRloo };
enum class ImportanceLevel { kToken, kSequence };

std::string_view name(PolicyLossType type);
std::string_view name(ImportanceLevel level);

struct PolicyLossConfig {
  PolicyLossType loss_type = PolicyLossType::kDapo;
  ImportanceLevel importance_sampling_level = ImportanceLevel::kToken;
  double epsilon = 0.2;
  double epsilon_high = 0.2;
  std::optional<double> delta;
  double beta = 0;
  bool use_bias_correction_kl = false;
  std::optional<double> off_policy_mask_threshold;  // drops A < 0 with mean(old - lp) above it
  double sapo_temperature_pos = 1.0, sapo_temperature_neg = 1.05;
  double vespo_k_pos = 2, vespo_lambda_pos = 3, vespo_k_neg = 3, vespo_lambda_neg = 2;
  KlClamp kl_clamp = KlClamp::kNone;
  bool clamp_log_ratio = false;
  double dual_clip = 0;  // 0: off
};
// Of the clipped losses alone: whether clamp_log_ratio and dual_clip act on this one.
bool is_clipped(PolicyLossType type);

struct CompletionLogProbs {
  std::span<const float> now, old;
  std::span<const float> reference;       // empty without beta
  std::span<const unsigned char> learns;  // 0: no policy gradient from this token; empty: all
  double advantage = 0;
};

// One completion. Sums are over its tokens, each weighted by `token_weight`.
struct CompletionLoss {
  double value = 0;
  std::vector<double> slopes;  // d value / d now, a token each
  // Sums over tokens, not weighted.
  double kl = 0;
  double low_clipped = 0, high_clipped = 0;  // tokens; at sequence level all or none
  double cispo_clipped = 0;
  double vespo_phi = 0;  // of the completion, not a sum
};

CompletionLoss policy_loss(const PolicyLossConfig& config, const CompletionLogProbs& completion,
                           double token_weight);

}  // namespace hone::train
