#include "train/compat.h"

#include <iterator>

#include "base/error.h"

namespace hone::train {

namespace {

struct Peer {
  Compat compat;
  std::string_view name, title;
};
constexpr Peer kPeers[] = {
    {Compat::kTrl, "trl", "TRL"},
    {Compat::kOpenrlhf, "openrlhf", "OpenRLHF"},
    {Compat::kVerl, "verl", "verl"},
    {Compat::kLlamaFactory, "lf", "LLaMA-Factory"},
};
constexpr double kVerlDualClip = 3;

const Peer& peer_of(Compat compat) { return kPeers[static_cast<size_t>(compat)]; }

[[noreturn]] void no_such_method(Compat compat, const char* method) {
  const Peer& peer = peer_of(compat);
  throw invalid_input("--compat " + std::string(peer.name) + ": " + std::string(peer.title) +
                      " has no " + method + "; leave --compat out");
}

// Refuses an option that the peer does not compute.
void require(bool good, Compat compat, const std::string& option, const std::string& instead) {
  if (good) return;
  const Peer& peer = peer_of(compat);
  throw invalid_input("--compat " + std::string(peer.name) + ": " + std::string(peer.title) +
                      " does not compute " + option + "; " + instead);
}

// What OpenRLHF and verl write alike wherever a ratio is clipped.
void set_policy(Compat compat, PolicyConventions& conventions) {
  const bool verl = compat == Compat::kVerl;
  conventions.kl_clamp = verl ? KlClamp::kK3 : KlClamp::kAll;
  conventions.clamp_log_ratio = true;
  conventions.dual_clip = verl ? kVerlDualClip : 0;
}
AdvantageWhitening whitening_of(Compat compat) {
  return compat == Compat::kVerl ? AdvantageWhitening::kTokensSample
                                 : AdvantageWhitening::kTokensPopulation;
}

}  // namespace

std::string_view name(Compat compat) { return peer_of(compat).name; }

std::vector<std::string> compat_names() {
  std::vector<std::string> names;
  for (const Peer& peer : kPeers) names.emplace_back(peer.name);
  return names;
}

std::optional<Compat> compat_from_name(std::string_view name) {
  for (const Peer& peer : kPeers) {
    if (peer.name == name) return peer.compat;
  }
  return std::nullopt;
}

void set_compat(Compat compat, DpoConfig& config) {
  if (compat == Compat::kTrl) return;
  if (compat == Compat::kVerl) no_such_method(compat, "DPO");
  const bool openrlhf = compat == Compat::kOpenrlhf;
  for (PreferenceLossType type : config.loss_type) {
    using T = PreferenceLossType;
    const bool both = type == T::kSigmoid || type == T::kIpo || type == T::kSft;
    require(both || (!openrlhf && type == T::kHinge), compat,
            "--loss-type " + std::string(name(type)),
            openrlhf ? "take sigmoid, ipo or sft" : "take sigmoid, hinge, ipo or sft");
  }
  require(config.f_divergence_type == FDivergence::kReverseKl, compat, "--f-divergence-type",
          "leave it at reverse_kl");
  require(!openrlhf || !config.ld_alpha, compat, "--ld-alpha", "leave it out");
  require(!config.reference_free, compat, "--reference-free", "leave it out");
  if (openrlhf && config.has(PreferenceLossType::kIpo)) config.ipo_log_probs = IpoLogProbs::kSum;
  if (config.has(PreferenceLossType::kSft)) config.sft_mean = SftMean::kPairs;
  if (config.ld_alpha) config.ld_alpha_of_reference = false;
}

void set_compat(Compat compat, OrpoConfig& config) {
  if (compat == Compat::kTrl) return;
  if (compat != Compat::kLlamaFactory) no_such_method(compat, "ORPO");
  config.nll_scope = NllScope::kAnswer;
}

void set_compat(Compat compat, GrpoConfig& config) {
  if (compat == Compat::kTrl) return;
  if (compat == Compat::kLlamaFactory) no_such_method(compat, "GRPO");
  const bool verl = compat == Compat::kVerl;
  using T = PolicyLossType;
  const bool sequence = config.importance_sampling_level == ImportanceLevel::kSequence;
  require(config.loss_type == T::kDapo || config.loss_type == T::kGrpo ||
              (verl && config.loss_type == T::kDrGrpo),
          compat, "--loss-type " + std::string(name(config.loss_type)),
          verl ? "take dapo, grpo or dr_grpo" : "take dapo or grpo");
  require(!sequence || !verl, compat, "--importance-sampling-level sequence as TRL does",
          "take token");
  require(!sequence || config.loss_type == T::kGrpo, compat,
          "--importance-sampling-level sequence over the batch's tokens", "take --loss-type grpo");
  require(config.scale_rewards != ScaleRewards::kBatch, compat, "--scale-rewards batch",
          "take group or none");
  require(config.multi_objective_aggregation == RewardAggregation::kSumThenNormalize, compat,
          "--multi-objective-aggregation normalize_then_sum", "take sum_then_normalize");
  require(!config.delta, compat, "--delta", "leave it out");
  require(!config.off_policy_mask_threshold, compat, "--off-policy-mask-threshold", "leave it out");
  require(config.top_entropy_quantile == 1, compat, "--top-entropy-quantile", "leave it out");
  set_policy(compat, config.conventions);
  if (sequence) config.conventions.clamp_log_ratio = false;
  config.use_bias_correction_kl = false;
  if (config.advantage_estimator != AdvantageEstimator::kGroup) {
    config.conventions.advantage_whitening = whitening_of(compat);
  } else if (config.scale_rewards == ScaleRewards::kGroup) {
    config.conventions.advantage_epsilon = verl ? 1e-6 : 1e-9;
  }
}

void set_compat(Compat compat, RlooConfig& config) {
  if (compat == Compat::kTrl) return;
  if (compat == Compat::kLlamaFactory) no_such_method(compat, "RLOO");
  require(!config.normalize_advantages, compat, "--normalize-advantages for RLOO", "leave it out");
  require(compat == Compat::kVerl || config.beta == 0, compat,
          "RLOO's KL before the group's others are compared, but behind it and from each token on",
          "give --beta 0");
  set_policy(compat, config.conventions);
  // The KL is in the reward, and its k1 stands as it is.
  config.conventions.kl_clamp = KlClamp::kNone;
  config.importance_sampling_level = ImportanceLevel::kToken;
}

void set_compat(Compat compat, PpoConfig& config) {
  if (compat == Compat::kTrl) return;
  if (compat == Compat::kLlamaFactory) {
    throw invalid_input(
        "--compat lf: LLaMA-Factory's PPO is an older TRL's, with formulas of its own; leave "
        "--compat out");
  }
  require(!config.whiten_rewards, compat, "--whiten-rewards", "leave it out");
  set_policy(compat, config.conventions);
  config.conventions.advantage_whitening = whitening_of(compat);
  config.score_position = ScorePosition::kLastToken;
}

}  // namespace hone::train
