#pragma once
// The loss of a reward model on one pair, as a pure function of the two scores (Bradley and Terry;
// TRL's RewardTrainer; trainers.md section 2; papers in docs/papers.md).
//
//   L(a, b) = -log s(a - b - margin)
//   loss = p L(chosen, rejected) + (1 - p) L(rejected, chosen) + c (chosen + rejected)^2
// p: how sure it is that chosen is better (decisions 1.9); c: center_rewards_coefficient.
// A step of a process reward model, right (1) or not (0): -log s(score) or -log s(-score), which is
// TRL's cross-entropy over two classes with the score as the difference of their logits.
// All in f64; no state; any thread.

namespace hone::train {

struct RewardLoss {
  double value = 0;
  double d_chosen = 0;    // d value / d chosen
  double d_rejected = 0;  // d value / d rejected
};

RewardLoss reward_loss(double chosen, double rejected, double margin, double probability,
                       double center_rewards_coefficient);

struct StepLoss {
  double value = 0, slope = 0;
};
StepLoss step_loss(double score, bool right);

}  // namespace hone::train
