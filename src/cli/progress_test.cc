#include "cli/progress.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hone::cli {
namespace {

size_t characters(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

TEST(ProgressTest, ALineNeverReachesTheTerminalsLastColumn) {
  for (size_t columns = 1; columns < 200; ++columns) {
    const std::string line = progress_line("train", 0.5, "21/42 steps  3.1 s each  1 min 5 s left",
                                           "loss 0.6931", columns);
    EXPECT_LT(characters(line), std::max<size_t>(columns, 2)) << columns;
  }
}

TEST(ProgressTest, TheBarShrinksThenGoesThenTheNote) {
  const auto line = [](size_t columns) {
    return progress_line("train", 0.5, "21/42 steps", "loss 0.7", columns);
  };
  EXPECT_EQ(line(80), "train ████████████░░░░░░░░░░░░ 21/42 steps  loss 0.7");
  EXPECT_EQ(line(35), "train ███░░░ 21/42 steps  loss 0.7");
  EXPECT_EQ(line(34), "train 21/42 steps  loss 0.7");
  EXPECT_EQ(line(20), "train 21/42 steps");
  EXPECT_EQ(line(11), "train 21/4");
}

TEST(ProgressTest, RatesAndTimesReadWell) {
  EXPECT_EQ(rate_text(164.2), "164/s");
  EXPECT_EQ(rate_text(3.14), "3.1/s");
  EXPECT_EQ(rate_text(0.125), "8.0 s each");
  EXPECT_EQ(rate_text(0), "");
  EXPECT_EQ(duration_text(48.2), "48 s");
  EXPECT_EQ(duration_text(190), "3 min 10 s");
  EXPECT_EQ(duration_text(7500), "2 h 5 min");
}

}  // namespace
}  // namespace hone::cli
