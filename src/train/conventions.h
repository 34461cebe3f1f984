#pragma once
// The formulas that other trainers write differently from TRL, as switches of a method's config. The
// defaults are TRL's; --compat sets them together (train/compat.h), and the switches alone decide
// bits: they stand in a manifest where they are not TRL's. docs/training.md has the table of peers.

#include <string_view>

#include "base/json.h"

namespace hone::train {

class Settings;

// Estimates of a token's KL to the reference, q = ref - lp. Beyond a bound there is no slope.
//   none   as they are (TRL)
//   all    every estimate kept in [-10, 10] (OpenRLHF)
//   k3     k3 alone: q in [-20, 20], then the estimate in [-10, 10] (verl)
enum class KlClamp { kNone, kAll, kK3 };
std::string_view name(KlClamp clamp);

// By what advantages are centred and scaled over the whole batch.
//   answers            an answer counts once: (a - mean) / (std_{n-1} + advantage_epsilon)
//   tokens_sample      a token counts once: (a - mean) / sqrt(var_{n-1} + 1e-8) (TRL's PPO, verl)
//   tokens_population  a token counts once: (a - mean) / sqrt(max(var_n, 1e-8)) (OpenRLHF)
enum class AdvantageWhitening { kAnswers, kTokensSample, kTokensPopulation };
std::string_view name(AdvantageWhitening whitening);

// Where PPO's score is added: in a slot behind the last token (TRL), or at the last token itself
// (OpenRLHF, verl), and then no answer has such a slot.
enum class ScorePosition { kBehind, kLastToken };
std::string_view name(ScorePosition position);

// What IPO reads of an answer: the mean of its tokens' log-probabilities (TRL, LLaMA-Factory), or
// their sum (OpenRLHF).
enum class IpoLogProbs { kMean, kSum };
std::string_view name(IpoLogProbs log_probs);

// DPO's sft: over the chosen tokens of the batch (TRL), or over each chosen answer's tokens and then
// over the pairs (OpenRLHF, LLaMA-Factory).
enum class SftMean { kTokens, kPairs };
std::string_view name(SftMean mean);

// ORPO's first term: mean over all tokens of the batch's prompts with their chosen answers (TRL), or
// over each chosen answer's own tokens and then over the pairs (LLaMA-Factory).
enum class NllScope { kPromptAndAnswer, kAnswer };
std::string_view name(NllScope scope);

// What GRPO, RLOO and PPO share.
struct PolicyConventions {
  double advantage_epsilon = 1e-4;  // is added to a deviation that advantages are divided by
  AdvantageWhitening advantage_whitening = AdvantageWhitening::kAnswers;
  KlClamp kl_clamp = KlClamp::kNone;
  bool clamp_log_ratio = false;  // a token's log ratio is kept in [-20, 20], no slope beyond
  double dual_clip =
      0;  // an answer that was bad costs at most so many times its advantage; 0 = off

  // The members that are not those of `defaults`.
  void add_to(Json& settings, const PolicyConventions& defaults) const;
  void read(Settings& settings);
};
// Throws invalid_input.
void validate(const PolicyConventions& conventions);

inline constexpr double kLogRatioBound = 20;
inline constexpr double kKlBound = 10;

// The estimate within the bounds, and whether a slope is left.
struct ClampedKl {
  double value = 0;
  bool inside = true;
};
ClampedKl clamped_kl(KlClamp clamp, bool k3, double estimate, double q);

}  // namespace hone::train
