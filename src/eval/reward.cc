#include "eval/reward.h"

#include "base/check.h"

namespace hone::eval {

std::vector<ReportItem> reward_items(const std::vector<llm::PreferenceTokens>& pairs,
                                     const std::vector<llm::PairSums>& scores) {
  HONE_CHECK(pairs.size() == scores.size());
  std::vector<ReportItem> items;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const double margin = scores[i].chosen - scores[i].rejected;
    items.push_back({pairs[i].name,
                     {{"reward_accuracy", margin > 0   ? 1.0
                                          : margin < 0 ? 0.0
                                                       : 0.5},
                      {"reward_margin", margin},
                      {"chosen_reward", scores[i].chosen},
                      {"rejected_reward", scores[i].rejected}}});
  }
  return items;
}

std::map<std::string, Better> reward_metrics() {
  return {{"reward_accuracy", Better::kHigher}, {"reward_margin", Better::kHigher}};
}

Json AgainstChance::to_json() const {
  Json json = Json::object();
  json["right"] = test.positive;
  json["wrong"] = test.negative;
  json["equal"] = test.zero;
  json["p"] = test.test.p;
  return json;
}

AgainstChance against_chance(const Report& report) {
  std::vector<double> margins;
  for (const ReportItem& item : report.items) {
    for (const auto& [name, value] : item.values) {
      if (name == "reward_margin") margins.push_back(value);
    }
  }
  return {quality::sign_test(margins)};
}

}  // namespace hone::eval
