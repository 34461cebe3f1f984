#include "train/policy_step.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "train/dealt_trees.h"
#include "train/policy_reduction.h"

namespace hone::train {

namespace {

// One completion of the step, and what became of it.
struct Member {
  const Completion* completion = nullptr;
  size_t micro_batch = 0;
  double token_weight = 1;
  CompletionLoss loss;
  double entropy = 0, difference = 0;
  double learning_entropy = 0;  // of the tokens that learn
};

bool is_masked(const Completion& c, bool mask_truncated) { return mask_truncated && !c.ended; }

// Members of one group, in the order of their tree's targets.
struct Branch {
  std::vector<Member> members;
};

class Batch {
 public:
  Batch(const std::vector<llm::PromptTokens>& prompts, std::span<const Group> groups,
        const PolicyStepOptions& options)
      : options_(options) {
    size_t place = 0;
    for (const Group& group : groups) {
      std::vector<Completion> learning;
      Branch branch;
      for (const Completion& c : group.completions) {
        const size_t micro = place++ / options.micro_batch;
        if (micro_tokens_.size() <= micro) micro_tokens_.resize(micro + 1);
        if (is_masked(c, options.mask_truncated_completions)) continue;
        micro_tokens_[micro] += c.ids.size();
        learning.push_back(c);
        branch.members.push_back({&c, micro, 1, {}, 0, 0, 0});
      }
      if (branch.members.empty()) continue;
      trees_.push_back(group_tree(prompts[group.prompt].ids, learning, options.prefix_sharing));
      if (options.entropy_bonus) add_entropy_targets(trees_.back());
      branches_.push_back(std::move(branch));
      where_.push_back(prompts[group.prompt].where);
    }
    completions_ = place;
    learning_tokens_ = micro_tokens_;
    for (Branch& branch : branches_) {
      for (Member& member : branch.members) {
        member.token_weight = token_weight(options.loss.loss_type, member.completion->ids.size(),
                                           micro_tokens_[member.micro_batch]);
      }
    }
  }

  const std::vector<llm::TreeExample>& trees() const { return trees_; }
  // Of a tree: its targets without those of entropies, which stand behind.
  size_t tokens_of(size_t tree) const {
    return trees_[tree].targets.size() / (options_.entropy_bonus ? 2 : 1);
  }

  // What the weighted sum is divided by.
  double normaliser() const {
    return reduction_normaliser(options_.loss.loss_type,
                                {completions_, micro_tokens_.size(), options_.max_completion_length,
                                 options_.generation_tokens_per_step});
  }

  void see(size_t tree, const llm::TreeResult& result, std::span<float> coefficients, size_t step,
           const std::vector<unsigned char>* learns) {
    size_t at = 0;
    const size_t tokens = tokens_of(tree);
    for (Member& member : branches_[tree].members) {
      const Completion& c = *member.completion;
      const auto now = result.log_probs.subspan(at, c.ids.size());
      compare(member, now, tree, step);
      CompletionLogProbs log_probs{now, c.log_probs, c.reference, {}, c.advantage};
      if (learns != nullptr) {
        log_probs.learns = std::span(*learns).subspan(first_token_[tree] + at, c.ids.size());
      }
      member.loss = policy_loss(options_.loss, log_probs, member.token_weight);
      member.entropy = member.learning_entropy = 0;
      const double by_entropy = -bonus_of_token(member.micro_batch) * normaliser();
      for (size_t t = 0; t < c.ids.size(); ++t) {
        coefficients[at + t] = static_cast<float>(member.loss.slopes[t]);
        const double entropy = static_cast<double>(result.rows[at + t].entropy);
        member.entropy += entropy;
        if (!log_probs.learns.empty() && log_probs.learns[t] == 0) continue;
        member.learning_entropy += entropy;
        if (options_.entropy_bonus) {
          coefficients[tokens + at + t] = static_cast<float>(by_entropy);
        }
      }
      at += c.ids.size();
    }
  }

  // Without the entropy's part.
  double policy_loss_value() const {
    double sum = 0;
    for (const Branch& branch : branches_) {
      for (const Member& member : branch.members) sum += member.loss.value;
    }
    return sum / normaliser();
  }
  double loss() const {
    double bonus = 0;
    for (const Branch& branch : branches_) {
      for (const Member& member : branch.members) {
        bonus += bonus_of_token(member.micro_batch) * member.learning_entropy;
      }
    }
    return policy_loss_value() - bonus;
  }

  // Mean over the tokens that learn.
  double entropy() const {
    double sum = 0, tokens = 0;
    for (size_t each : learning_tokens_) tokens += static_cast<double>(each);
    for (const Branch& branch : branches_) {
      for (const Member& member : branch.members) sum += member.learning_entropy;
    }
    return sum / std::max(1.0, tokens);
  }

  void add_metrics(Json& metrics) const;

  // Of each token, tree after tree: whether its entropy is among the highest share of its
  // micro-batch (torch.quantile with linear interpolation).
  std::vector<unsigned char> high_entropy(const std::vector<std::vector<float>>& entropies);

 private:
  static void add_entropy_targets(llm::TreeExample& tree) {
    const size_t tokens = tree.targets.size();
    for (size_t i = 0; i < tokens; ++i) {
      llm::TreeTarget target = tree.targets[i];
      target.entropy = true;
      tree.targets.push_back(target);
    }
  }

  // What the loss loses by the entropy of one token.
  double bonus_of_token(size_t micro) const {
    const size_t tokens = std::max<size_t>(1, learning_tokens_[micro] * micro_tokens_.size());
    return options_.entropy_coef / static_cast<double>(tokens);
  }

  void compare(Member& member, std::span<const float> now, size_t tree, size_t step) {
    member.difference = 0;
    for (size_t t = 0; t < now.size(); ++t) {
      member.difference = std::max(member.difference,
                                   std::abs(static_cast<double>(now[t]) -
                                            static_cast<double>(member.completion->log_probs[t])));
    }
    if (member.difference == 0 || !options_.must_equal_sampler) return;
    throw Error(ErrorCode::kInternal,
                "step " + std::to_string(step) + ": an answer to " + where_[tree] +
                    " has other log-probabilities in training than where it was drawn (by " +
                    number_to_string(member.difference) +
                    "); they must be equal to the bit: please report this");
  }

  const PolicyStepOptions& options_;
  size_t completions_ = 0;
  std::vector<size_t> micro_tokens_, learning_tokens_;
  std::vector<Branch> branches_;
  std::vector<llm::TreeExample> trees_;
  std::vector<std::string> where_;
  std::vector<size_t> first_token_;  // of each tree, where high_entropy was asked
};

std::vector<unsigned char> Batch::high_entropy(const std::vector<std::vector<float>>& entropies) {
  std::vector<std::vector<float>> by_micro(micro_tokens_.size());
  size_t tokens = 0;
  first_token_.clear();
  for (size_t b = 0; b < branches_.size(); ++b) {
    first_token_.push_back(tokens);
    tokens += entropies[b].size();
    size_t at = 0;
    for (const Member& member : branches_[b].members) {
      for (size_t t = 0; t < member.completion->ids.size(); ++t) {
        by_micro[member.micro_batch].push_back(entropies[b][at++]);
      }
    }
  }
  std::vector<double> least;
  for (const std::vector<float>& values : by_micro) {
    least.push_back(entropy_threshold(values, options_.top_entropy_quantile));
  }
  std::vector<unsigned char> learns(tokens);
  std::fill(learning_tokens_.begin(), learning_tokens_.end(), size_t{0});
  for (size_t b = 0, next = 0; b < branches_.size(); ++b) {
    size_t at = 0;
    for (const Member& member : branches_[b].members) {
      for (size_t t = 0; t < member.completion->ids.size(); ++t) {
        const double entropy = static_cast<double>(entropies[b][at++]);
        learns[next] = entropy >= least[member.micro_batch] ? 1 : 0;
        learning_tokens_[member.micro_batch] += learns[next++];
      }
    }
  }
  return learns;
}

void Batch::add_metrics(Json& metrics) const {
  double entropy = 0, kl = 0, tokens = 0, low = 0, high = 0, cispo = 0, phi = 0, members = 0;
  double difference = 0, most_high = 0, least_low = 0;
  for (const Branch& branch : branches_) {
    for (const Member& member : branch.members) {
      const double length = static_cast<double>(member.completion->ids.size());
      const CompletionLoss& loss = member.loss;
      entropy += member.entropy;
      kl += loss.kl;
      tokens += length;
      low += loss.low_clipped;
      high += loss.high_clipped;
      cispo += loss.cispo_clipped;
      phi += loss.vespo_phi;
      difference = std::max(difference, member.difference);
      least_low =
          members == 0 ? loss.low_clipped / length : std::min(least_low, loss.low_clipped / length);
      most_high = std::max(most_high, loss.high_clipped / length);
      members += 1;
    }
  }
  const auto of_tokens = [&](double sum) { return sum / std::max(1.0, tokens); };
  metrics["entropy"] = of_tokens(entropy);
  if (options_.entropy_bonus) metrics["policy_loss"] = policy_loss_value();
  if (options_.loss.beta > 0) metrics["kl"] = of_tokens(kl);
  switch (options_.loss.loss_type) {
    case PolicyLossType::kCispo: metrics["cispo_clip_ratio"] = of_tokens(cispo); break;
    case PolicyLossType::kVespo:
      metrics["vespo/phi_seq_mean"] = phi / std::max(1.0, members);
      break;
    case PolicyLossType::kSapo: break;
    default:
      metrics["clip_ratio/low_mean"] = of_tokens(low);
      metrics["clip_ratio/low_min"] = least_low;
      metrics["clip_ratio/high_mean"] = of_tokens(high);
      metrics["clip_ratio/high_max"] = most_high;
      metrics["clip_ratio/region_mean"] = of_tokens(low + high);
  }
  // Only where the weights are those that spoke is a difference one of the two engines.
  if (options_.must_equal_sampler) metrics["sampling/sampling_logp_difference/max"] = difference;
}

}  // namespace

size_t learning_tokens(std::span<const Group> groups, bool mask_truncated) {
  size_t tokens = 0;
  for (const Group& group : groups) {
    for (const Completion& c : group.completions) {
      if (!is_masked(c, mask_truncated)) tokens += c.ids.size();
    }
  }
  return tokens;
}

PolicyStep policy_step(TrainingRun& run, const std::vector<llm::PromptTokens>& prompts,
                       std::span<const Group> groups, const PolicyStepOptions& options,
                       size_t step) {
  Batch batch(prompts, groups, options);
  std::vector<unsigned char> learns;
  const bool by_entropy = options.top_entropy_quantile < 1;
  if (by_entropy) {
    // Which tokens learn is known only when all of a micro-batch are.
    std::vector<std::vector<float>> entropies(batch.trees().size());
    score_trees(run.ranks(), run.pass(), batch.trees(),
                [&](size_t i, const llm::TreeResult& result) {
                  for (const tensor::HeadRowResult& row : result.rows.first(batch.tokens_of(i))) {
                    entropies[i].push_back(row.entropy);
                  }
                });
    learns = batch.high_entropy(entropies);
  }
  PolicyStep out;
  out.normaliser = batch.normaliser();
  const auto loss = [&](size_t tree, const llm::TreeResult& result, std::span<float> coefficients) {
    batch.see(tree, result, coefficients, step, by_entropy ? &learns : nullptr);
  };
  out.gradients = accumulate_gradients(run.pass(), run.optimizer(), batch.trees(), loss, step);
  out.loss = batch.loss();
  out.entropy = batch.entropy();
  batch.add_metrics(out.metrics);
  return out;
}

}  // namespace hone::train
