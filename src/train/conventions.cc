#include "train/conventions.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "train/settings_reader.h"

namespace hone::train {

std::string_view name(KlClamp clamp) {
  switch (clamp) {
    case KlClamp::kNone: return "none";
    case KlClamp::kAll: return "all";
    case KlClamp::kK3: return "k3";
  }
  return "none";
}

std::string_view name(AdvantageWhitening whitening) {
  switch (whitening) {
    case AdvantageWhitening::kAnswers: return "answers";
    case AdvantageWhitening::kTokensSample: return "tokens_sample";
    case AdvantageWhitening::kTokensPopulation: return "tokens_population";
  }
  return "answers";
}

std::string_view name(ScorePosition position) {
  return position == ScorePosition::kBehind ? "behind" : "last_token";
}

std::string_view name(IpoLogProbs log_probs) {
  return log_probs == IpoLogProbs::kMean ? "mean" : "sum";
}

std::string_view name(SftMean mean) { return mean == SftMean::kTokens ? "tokens" : "pairs"; }

std::string_view name(NllScope scope) {
  return scope == NllScope::kPromptAndAnswer ? "prompt_and_answer" : "answer";
}

void PolicyConventions::add_to(Json& settings, const PolicyConventions& defaults) const {
  if (advantage_epsilon != defaults.advantage_epsilon) {
    settings["advantage_epsilon"] = advantage_epsilon;
  }
  if (advantage_whitening != defaults.advantage_whitening) {
    settings["advantage_whitening"] = name(advantage_whitening);
  }
  if (kl_clamp != defaults.kl_clamp) settings["kl_clamp"] = name(kl_clamp);
  if (clamp_log_ratio != defaults.clamp_log_ratio) settings["clamp_log_ratio"] = clamp_log_ratio;
  if (dual_clip != defaults.dual_clip) settings["dual_clip"] = dual_clip;
}

void PolicyConventions::read(Settings& settings) {
  using W = AdvantageWhitening;
  settings.read_if_there("advantage_epsilon", &advantage_epsilon);
  settings.read_if_there("advantage_whitening", &advantage_whitening,
                         {W::kAnswers, W::kTokensSample, W::kTokensPopulation});
  settings.read_if_there("kl_clamp", &kl_clamp, {KlClamp::kNone, KlClamp::kAll, KlClamp::kK3});
  settings.read_if_there("clamp_log_ratio", &clamp_log_ratio);
  settings.read_if_there("dual_clip", &dual_clip);
}

void validate(const PolicyConventions& c) {
  if (!(std::isfinite(c.advantage_epsilon) && c.advantage_epsilon > 0)) {
    throw invalid_input("settings: \"advantage_epsilon\" must be above 0");
  }
  if (c.dual_clip != 0 && !(std::isfinite(c.dual_clip) && c.dual_clip > 1)) {
    throw invalid_input("settings: \"dual_clip\" must be 0 (off) or above 1");
  }
}

ClampedKl clamped_kl(KlClamp clamp, bool k3, double estimate, double q) {
  if (clamp == KlClamp::kNone || (clamp == KlClamp::kK3 && !k3)) return {estimate, true};
  const bool q_inside = clamp == KlClamp::kAll || std::abs(q) <= kLogRatioBound;
  return {std::clamp(estimate, -kKlBound, kKlBound), q_inside && std::abs(estimate) <= kKlBound};
}

}  // namespace hone::train
