#include "train/reward_loss.h"

#include "tensor/math.h"

namespace hone::train {

namespace {

struct Slope {
  double value, slope;
};

// -log s(x).
Slope negative_log_sigmoid(double x) {
  return {tensor::softplus_f64(-x), -tensor::exp_f64(-tensor::softplus_f64(x))};
}

}  // namespace

RewardLoss reward_loss(double chosen, double rejected, double margin, double probability,
                       double center_rewards_coefficient) {
  RewardLoss loss;
  const Slope right = negative_log_sigmoid(chosen - rejected - margin);
  loss.value = probability * right.value;
  double slope = probability * right.slope;
  if (probability != 1) {
    const Slope wrong = negative_log_sigmoid(rejected - chosen - margin);
    loss.value += (1 - probability) * wrong.value;
    slope -= (1 - probability) * wrong.slope;
  }
  const double sum = chosen + rejected;
  loss.value += center_rewards_coefficient * sum * sum;
  const double d_sum = 2 * center_rewards_coefficient * sum;
  loss.d_chosen = slope + d_sum;
  loss.d_rejected = d_sum - slope;
  return loss;
}

StepLoss step_loss(double score, bool right) {
  const Slope loss = negative_log_sigmoid(right ? score : -score);
  return {loss.value, right ? loss.slope : -loss.slope};
}

}  // namespace hone::train
