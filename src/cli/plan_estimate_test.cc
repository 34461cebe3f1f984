#include "cli/plan_estimate.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace hone::cli {
namespace {

Machines machines_of(const std::string& text) {
  return machines_from_json(Json::parse(text).value(), "four.json");
}

std::string refusal(const std::string& text) {
  try {
    machines_of(text);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

TEST(PlanEstimate, ThreeProbesTellLoadRowsAndStepsApart) {
  // 2 s to load, 0.01 s a row, 0.5 s a step.
  const Rates rates = rates_of({100, 1, 2 + 1 + 0.5}, {400, 1, 2 + 4 + 0.5}, {400, 4, 2 + 4 + 2.0});
  EXPECT_NEAR(rates.load_s, 2, 1e-12);
  EXPECT_NEAR(rates.row_s, 0.01, 1e-12);
  EXPECT_NEAR(rates.step_s, 0.5, 1e-12);
}

TEST(PlanEstimate, NoiseBelowNothingCountsAsNothing) {
  const Rates rates = rates_of({100, 1, 3}, {400, 1, 2.9}, {400, 4, 5.9});
  EXPECT_EQ(rates.row_s, 0);
  EXPECT_NEAR(rates.step_s, 1, 1e-12);
  EXPECT_NEAR(rates.load_s, 2, 1e-12);
}

TEST(PlanEstimate, OtherMachinesShrinkTheWorkAndExchangeGradients) {
  const Rates rates{2, 0.01, 10};
  Machines here;
  here.cores = 2;
  here.gflops_per_core = 100;
  const Estimate alone = estimate(rates, 1000, 50, here.flops(), 1 << 30, 8000, here);
  EXPECT_NEAR(alone.total_s, 2 + 10 + 500, 1e-9);
  EXPECT_EQ(alone.exchange_s, 0);
  EXPECT_EQ(alone.cost, 0);

  const Machines four = machines_of(
      R"({"count": 4, "cores": 8, "gflops_per_core": 50, "memory": "1G", "network_gbit": 8,
          "price_per_hour": 3.6})");
  // Each twice as fast; the ring moves 1.5 times 2 GB over 1 GB a second.
  const Estimate e = estimate(rates, 1000, 50, here.flops(), 2u << 30, 2'000'000'000, four);
  EXPECT_NEAR(e.prepare_s, 2 + 10.0 / 8, 1e-9);
  EXPECT_NEAR(e.exchange_s, 3, 1e-9);
  EXPECT_NEAR(e.step_s, 10.0 / 8 + 3, 1e-9);
  EXPECT_NEAR(e.total_s, 3.25 + 50 * 4.25, 1e-9);
  EXPECT_NEAR(e.cost, e.total_s * 4 * 0.001, 1e-9);
  EXPECT_FALSE(e.fits);
}

TEST(PlanEstimate, MachinesThatCannotBeAreRefusedByName) {
  EXPECT_NE(refusal("[]").find("one JSON object"), std::string::npos);
  EXPECT_NE(refusal(R"({"gflops_per_core": 50})").find("\"cores\" is missing"), std::string::npos);
  EXPECT_NE(
      refusal(R"({"cores": 2, "gflop_per_core": 5})").find("did you mean \"gflops_per_core\""),
      std::string::npos);
  EXPECT_NE(refusal(R"({"cores": 0, "gflops_per_core": 5})").find("\"cores\""), std::string::npos);
  EXPECT_NE(refusal(R"({"cores": 2.5, "gflops_per_core": 5})").find("whole number"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"cores": 2, "gflops_per_core": 5, "count": 3})").find("network_gbit"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"cores": 2, "gflops_per_core": 5, "memory": "much"})").find("memory"),
            std::string::npos);
  EXPECT_EQ(refusal(R"({"cores": 2, "gflops_per_core": 5})"), "");
}

}  // namespace
}  // namespace hone::cli
