#include "eval/preferences.h"

#include "base/check.h"

namespace hone::eval {

namespace {
double win(double margin) { return margin > 0 ? 1.0 : margin < 0 ? 0.0 : 0.5; }
}  // namespace

std::vector<ReportItem> preference_items(const std::vector<llm::PreferenceTokens>& pairs,
                                         const std::vector<llm::PairSums>& policy,
                                         const std::vector<llm::PairSums>& reference, double beta) {
  HONE_CHECK(pairs.size() == policy.size() && pairs.size() == reference.size());
  std::vector<ReportItem> items;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto chosen = static_cast<double>(pairs[i].chosen_tokens());
    const auto rejected = static_cast<double>(pairs[i].rejected_tokens());
    const double likelihood = policy[i].chosen / chosen - policy[i].rejected / rejected;
    const double gain_chosen = policy[i].chosen - reference[i].chosen;
    const double gain_rejected = policy[i].rejected - reference[i].rejected;
    const double reward = beta * (gain_chosen - gain_rejected);
    const double normalised = beta * (gain_chosen / chosen - gain_rejected / rejected);
    items.push_back({pairs[i].name,
                     {{"likelihood_accuracy", win(likelihood)},
                      {"likelihood_margin", likelihood},
                      {"reward_accuracy", win(reward)},
                      {"reward_margin", reward},
                      {"reward_accuracy_norm", win(normalised)}}});
  }
  return items;
}

std::map<std::string, Better> preference_metrics() {
  return {{"likelihood_accuracy", Better::kHigher},
          {"likelihood_margin", Better::kHigher},
          {"reward_accuracy", Better::kHigher},
          {"reward_margin", Better::kHigher},
          {"reward_accuracy_norm", Better::kHigher}};
}

}  // namespace hone::eval
