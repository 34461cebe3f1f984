#include "cli/preference_report.h"

#include <cstdio>

#include "base/check.h"
#include "eval/preferences.h"
#include "tensor/recipe.h"

namespace hone::cli {

eval::Report preference_report(const PreferenceEvaluation& e) {
  eval::Report report;
  report.measured = "preferences";
  report.digests["data"] = e.data_digest;
  report.digests["model"] = model_digest(e.model_path);
  if (!e.adapter_path.empty()) report.digests["adapter"] = model_digest(e.adapter_path);
  report.settings["beta"] = e.beta;
  report.program_version = program_version();
  report.program_commit = program_commit();
  report.recipe = tensor::kRecipe;
  report.better = eval::preference_metrics();
  report.primary = "likelihood_accuracy";
  report.items = eval::preference_items(e.pairs, e.policy, e.reference, e.beta);
  return report;
}

std::vector<llm::PreferenceTokens> name_pairs(std::vector<llm::PreferenceTokens> pairs,
                                              const std::vector<std::string>& names) {
  HONE_CHECK(pairs.size() == names.size());
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i].name = names[i];
  return pairs;
}

std::string sums_text(const eval::Report& report) {
  std::string text;
  for (const eval::MetricSum& sum : report.sums()) {
    char line[160];
    const bool rate = sum.name.find("accuracy") != std::string::npos;
    if (rate) {
      std::snprintf(line, sizeof line, "  %-22s %6.1f %%   [%.1f %%, %.1f %%]\n", sum.name.c_str(),
                    100 * sum.mean, 100 * sum.interval.low, 100 * sum.interval.high);
    } else {
      std::snprintf(line, sizeof line, "  %-22s %8.4f   [%.4f, %.4f]\n", sum.name.c_str(), sum.mean,
                    sum.interval.low, sum.interval.high);
    }
    text += line;
  }
  return text;
}

}  // namespace hone::cli
