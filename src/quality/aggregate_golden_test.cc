// Every method on a table of our own against NumPy and SciPy (tests/golden/quality/aggregate.txt).

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <sstream>

#include "quality/aggregate.h"
#include "quality/label_test_data.h"

namespace hone::quality {
namespace {

struct Golden {
  std::vector<LabelRow> rows;
  std::map<std::string, std::map<std::string, std::vector<double>>> posterior, skill;
  std::map<std::string, double> objective;
};

Golden read_golden() {
  std::ifstream file("tests/golden/quality/aggregate.txt");
  Golden golden;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string kind, a, b, c;
    words >> kind >> a >> b;
    if (kind == "label" && words >> c) golden.rows.push_back({a, b, c});
    if (kind == "objective") golden.objective[a] = std::strtod(b.c_str(), nullptr);
    if (kind != "posterior" && kind != "skill") continue;
    auto& into = kind == "posterior" ? golden.posterior[a][b] : golden.skill[a][b];
    while (words >> c) into.push_back(std::strtod(c.c_str(), nullptr));
  }
  EXPECT_EQ(golden.rows.size(), 300u) << "no golden values; tests run from the top of the tree";
  return golden;
}

TEST(AggregateGolden, EveryMethodHasTheWitnessesPosteriorAndSkill) {
  const Golden golden = read_golden();
  const LabelTable table = table_of_rows(golden.rows);
  // The likelihood is flat at its top: stopped at a change of 1e-15, posteriors are a root of it off.
  const std::map<std::string, double> tolerance = {
      {"majority", 1e-12}, {"wawa", 1e-12},    {"dawid-skene", 1e-6},
      {"one-coin", 1e-5},  {"zencrowd", 1e-6}, {"ibcc", 1e-9},
      {"mace", 1e-6},      {"mace-vb", 1e-6},  {"glad", 1e-6}};
  ASSERT_EQ(golden.posterior.size(), tolerance.size());
  for (const auto& [name, posterior] : golden.posterior) {
    SCOPED_TRACE(name);
    AggregateOptions options;
    options.method = *method_from_name(name);
    if (name != "ibcc") {  // to the fixed point; ibcc with the stop of its authors
      options.tolerance = 1e-15;
      options.max_iterations = 20000;
      options.restarts = 1;
    }
    const Aggregate result = aggregate(table, options);
    ASSERT_EQ(posterior.size(), table.task_count());
    double worst = 0.0;
    for (size_t task = 0; task < table.task_count(); ++task) {
      const auto& expected = posterior.at(table.tasks()[task]);
      for (size_t k = 0; k < 3; ++k) {
        worst = std::max(worst, std::fabs(result.posterior[task * 3 + k] - expected[k]));
      }
    }
    EXPECT_LE(worst, tolerance.at(name));
    if (const auto skill = golden.skill.find(name); skill != golden.skill.end()) {
      ASSERT_EQ(result.skill.size(), table.worker_count());
      for (size_t worker = 0; worker < table.worker_count(); ++worker) {
        EXPECT_NEAR(result.skill[worker], skill->second.at(table.workers()[worker])[0],
                    10.0 * tolerance.at(name));
      }
    }
    if (const auto objective = golden.objective.find(name); objective != golden.objective.end()) {
      EXPECT_NEAR(*result.objective, objective->second, 1e-8);
    }
  }
}

}  // namespace
}  // namespace hone::quality
