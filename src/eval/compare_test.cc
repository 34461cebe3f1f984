// Reports and their comparison: what comes back, what is refused, which word is said.

#include "eval/compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "base/env.h"
#include "base/error.h"

namespace hone::eval {
namespace {

// right: how many of n items are right, from the front; margin: a little more for the later items.
Report report_of(size_t n, size_t right, double margin, const std::string& prefix = "i") {
  Report report;
  report.measured = "preferences";
  report.digests["data"] = "d1";
  report.settings["beta"] = 0.1;
  report.seeds["seed"] = 42;
  report.recipe = "exact-f32/1";
  report.better = {{"accuracy", Better::kHigher}, {"loss", Better::kLower}};
  report.primary = "accuracy";
  for (size_t i = 0; i < n; ++i) {
    const double noise = static_cast<double>((i * 37) % 11) / 10.0;
    report.items.push_back({prefix + std::to_string(i),
                            {{"accuracy", i < right ? 1.0 : 0.0},
                             {"loss", 1.0 - margin * (0.5 + noise)},
                             {"tokens", 12.0}}});
  }
  return report;
}

std::string refusal(const Report& first, const Report& second) {
  try {
    compare_reports(first, second);
  } catch (const Error& error) {
    return error.message();
  }
  return "(not refused)";
}

bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Report, SumsHaveWilsonForRatesAndNormalForMeans) {
  const auto sums = report_of(60, 37, 0.1).sums();
  ASSERT_EQ(sums.size(), 3u);
  EXPECT_TRUE(sums[0].binary);
  EXPECT_NEAR(sums[0].interval.low, 0.49017595824099924, 1e-12);  // statsmodels, as in quality.txt
  EXPECT_FALSE(sums[1].binary);
  EXPECT_LT(sums[1].interval.low, sums[1].mean);
  EXPECT_EQ(sums[2].better, Better::kNeither);
}

TEST(Report, ComesBackAsItWasAndIsCanonical) {
  const Report report = report_of(5, 3, 0.125);
  const std::string text = report.to_json().dump_canonical();
  const Report again = Report::from_json(Json::parse(text).value());
  EXPECT_EQ(again.to_json().dump_canonical(), text);
  EXPECT_EQ(again.seeds.at("seed"), 42u);
  EXPECT_EQ(again.better.at("loss"), Better::kLower);
}

TEST(Report, ItemsThatMakeNoSenseAreRefused) {
  Report report = report_of(3, 1, 0.1);
  report.items[2].id = "i0";
  EXPECT_THROW(report.sums(), Error);
  report.items[2].id = "";
  EXPECT_THROW(report.sums(), Error);
  report = report_of(3, 1, 0.1);
  report.items[1].values[1].second = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(report.to_json(), Error);
  report = report_of(3, 1, 0.1);
  report.items[1].values.pop_back();
  EXPECT_THROW(report.sums(), Error);
  report.items.clear();
  EXPECT_THROW(report.sums(), Error);
}

TEST(Report, FilesAreWrittenWholeAndNeverReplacedUnasked) {
  const std::string folder = testing::TempDir() + "hone_eval_report";
  std::filesystem::create_directories(folder);
  const std::string path = folder + "/r.json";
  write_report(real_env(), path, report_of(5, 3, 0.1), true);
  EXPECT_THROW(write_report(real_env(), path, report_of(5, 3, 0.1), false), Error);
  EXPECT_EQ(read_report(real_env(), path).items.size(), 5u);
  for (const char* broken : {"{", "[]", "{}", "{\"schema\":\"hone.report/2\"}", "{\"schema\":7}"}) {
    write_file_atomically(real_env(), path, broken);
    EXPECT_THROW(read_report(real_env(), path), Error) << broken;
  }
  std::filesystem::remove_all(folder);
}

TEST(Compare, AClearGainIsBetterAndTheOtherWayRoundWorse) {
  const Comparison up = compare_reports(report_of(100, 40, 0.0), report_of(100, 80, 0.2));
  ASSERT_EQ(up.metrics.size(), 3u);
  EXPECT_TRUE(up.is_better());
  EXPECT_EQ(up.metrics[0].gained, 40u);
  EXPECT_EQ(up.metrics[0].lost, 0u);
  EXPECT_DOUBLE_EQ(up.metrics[0].difference, 0.4);
  EXPECT_EQ(up.metrics[1].judgement->verdict, quality::Verdict::kBetter);  // the loss fell
  EXPECT_LT(up.metrics[1].interval.high, 0.0);
  EXPECT_FALSE(up.metrics[2].judgement.has_value());
  EXPECT_TRUE(says(up.to_text(), "second against first on accuracy: better\n")) << up.to_text();

  const Comparison down = compare_reports(report_of(100, 80, 0.2), report_of(100, 40, 0.0));
  EXPECT_FALSE(down.is_better());
  EXPECT_EQ(down.metrics[0].judgement->verdict, quality::Verdict::kWorse);
  EXPECT_EQ(down.metrics[1].judgement->verdict, quality::Verdict::kWorse);
}

TEST(Compare, EqualReportsAreNeverBetterAndFewItemsAskForMore) {
  const Comparison many = compare_reports(report_of(400, 200, 0.1), report_of(400, 200, 0.1));
  EXPECT_EQ(many.metrics[0].judgement->verdict, quality::Verdict::kNoDifferenceShown);
  EXPECT_FALSE(many.is_better());
  const Comparison few = compare_reports(report_of(30, 10, 0.1), report_of(30, 12, 0.1));
  EXPECT_EQ(few.metrics[0].judgement->verdict, quality::Verdict::kTooFew);
  EXPECT_TRUE(says(few.to_text(), "too few (need about ")) << few.to_text();
  EXPECT_EQ(
      compare_reports(report_of(1, 0, 0.1), report_of(1, 1, 0.1)).metrics[0].judgement->verdict,
      quality::Verdict::kTooFew);
}

TEST(Compare, ItemsArePairedByIdWhateverTheirOrder) {
  Report second = report_of(50, 30, 0.1);
  std::reverse(second.items.begin(), second.items.end());
  const Comparison comparison = compare_reports(report_of(50, 30, 0.1), second);
  EXPECT_EQ(comparison.metrics[0].gained, 0u);
  EXPECT_EQ(comparison.metrics[0].lost, 0u);
}

TEST(Compare, OtherItemsOtherMeasurementsAndOtherMetricsAreRefused) {
  EXPECT_TRUE(
      says(refusal(report_of(10, 5, 0.1), report_of(8, 5, 0.1)),
           "2 of the first's 10 are missing in the second, 0 of the second's 8 in the first "
           "(\"i8\", for one)"));
  Report other = report_of(10, 5, 0.1);
  other.measured = "piqa";
  EXPECT_TRUE(says(refusal(report_of(10, 5, 0.1), other), "measured \"preferences\""));
  other = report_of(10, 5, 0.1);
  other.better["loss"] = Better::kHigher;
  EXPECT_TRUE(says(refusal(report_of(10, 5, 0.1), other), "which way \"loss\" is better"));
  other = report_of(10, 5, 0.1);
  for (ReportItem& item : other.items) item.values = {{"f1", 0.5}};
  EXPECT_TRUE(says(refusal(report_of(10, 5, 0.1), other), "share no metric"));
}

TEST(Compare, OtherDataAndOtherSettingsAreSaid) {
  Report other = report_of(10, 5, 0.1);
  other.digests["data"] = "d2";
  other.settings["beta"] = 0.2;
  const Comparison comparison = compare_reports(report_of(10, 5, 0.1), other);
  EXPECT_EQ(comparison.notes.size(), 2u);
  EXPECT_TRUE(says(comparison.to_text(), "note: the settings differ"));
}

TEST(Compare, TheSameReportsGiveTheSameBytes) {
  const auto text = [] {
    return compare_reports(report_of(40, 20, 0.1), report_of(40, 28, 0.15))
        .to_json()
        .dump_canonical();
  };
  EXPECT_EQ(text(), text());
}

}  // namespace
}  // namespace hone::eval
