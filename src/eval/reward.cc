#include "eval/reward.h"

#include "base/check.h"

namespace hone::eval {

namespace {
double win(double margin) { return margin > 0 ? 1.0 : margin < 0 ? 0.0 : 0.5; }
}  // namespace

std::vector<ReportItem> step_items(const std::vector<llm::StepTokens>& rows,
                                   const std::vector<std::vector<double>>& scores) {
  HONE_CHECK(rows.size() == scores.size());
  std::vector<ReportItem> items;
  for (size_t i = 0; i < rows.size(); ++i) {
    HONE_CHECK(scores[i].size() == rows[i].labels.size());
    for (size_t k = 0; k < scores[i].size(); ++k) {
      const double margin = rows[i].labels[k] != 0 ? scores[i][k] : -scores[i][k];
      items.push_back({rows[i].name + "#" + std::to_string(k + 1),
                       {{"reward_accuracy", win(margin)}, {"reward_margin", margin}}});
    }
  }
  return items;
}

std::vector<ReportItem> reward_items(const std::vector<llm::PreferenceTokens>& pairs,
                                     const std::vector<llm::PairSums>& scores) {
  HONE_CHECK(pairs.size() == scores.size());
  std::vector<ReportItem> items;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const double margin = scores[i].chosen - scores[i].rejected;
    items.push_back({pairs[i].name,
                     {{"reward_accuracy", win(margin)},
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
