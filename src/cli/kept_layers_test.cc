#include "cli/kept_layers.h"

#include <gtest/gtest.h>

namespace hone::cli {
namespace {

TEST(KeptLayers, AreAsManyAsTheLimitAllowsAndAtLeastOne) {
  MemoryPlan least;
  least.add("activations of one layer", 1000);
  const uint64_t peak = least.peak_bytes();
  const auto more = [](size_t kept) { return 100 * uint64_t{kept - 1}; };
  const auto choose = [&](uint64_t limit, bool as_few = false) {
    MemoryPlan plan = least;
    const KeptLayers chosen = keep_layers(plan, 5, as_few, limit, more);
    EXPECT_EQ(chosen.layers, 5u);
    EXPECT_EQ(chosen.peaks.size(), 5u);
    EXPECT_EQ(plan.peak_bytes(), chosen.peaks[chosen.kept - 1]);
    return chosen.kept;
  };
  EXPECT_EQ(choose(peak + 250), 3u);
  EXPECT_EQ(choose(peak + 300), 4u);
  EXPECT_EQ(choose(peak + 299), 3u);
  EXPECT_EQ(choose(peak + 400), 5u);
  EXPECT_EQ(choose(UINT64_MAX), 5u);
  EXPECT_EQ(choose(peak), 1u);
  EXPECT_EQ(choose(1), 1u);  // check_memory refuses it with this least number
  EXPECT_EQ(choose(UINT64_MAX, true), 1u);
}

TEST(KeptLayers, WhatIsGivenBackBeforeTheWorkLeavesRoomForThem) {
  MemoryPlan plan;
  plan.add("activations of one layer", 1000);
  const uint64_t peak = plan.peak_bytes();
  plan.add_passing(1350);
  const KeptLayers chosen =
      keep_layers(plan, 8, false, peak + 350, [](size_t kept) { return 100 * uint64_t{kept - 1}; });
  EXPECT_EQ(chosen.kept, 4u);
  EXPECT_EQ(plan.peak_bytes(), peak + 350);
}

}  // namespace
}  // namespace hone::cli
