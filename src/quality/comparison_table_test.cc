#include "quality/comparison_table.h"

#include <gtest/gtest.h>

#include <limits>
#include <tuple>

#include "base/error.h"
#include "base/rng.h"

namespace hone::quality {
namespace {

struct Row {
  std::string left, right;
  Winner winner;
  std::string worker, task;
  double weight;
  std::vector<double> covariates;
};

std::vector<Row> random_rows(size_t count) {
  Rng rng(2, rng_stream("comparison-table-test"));
  std::vector<Row> rows;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t left = rng.below(6);
    const uint64_t right = (left + 1 + rng.below(5)) % 6;
    const auto name = [](const char* kind, uint64_t n) { return kind + std::to_string(n); };
    rows.push_back({name("m", left),
                    name("m", right),
                    static_cast<Winner>(rng.below(4)),
                    rng.below(5) ? name("w", rng.below(7)) : "",
                    rng.below(5) ? name("t", rng.below(7)) : "",
                    rng.below(2) ? 1.0 : 0.5,
                    {rng.uniform(), static_cast<double>(rng.below(2))}});
  }
  return rows;
}

ComparisonTable table_of(const std::vector<Row>& rows) {
  ComparisonTableBuilder builder({"length", "lists"});
  for (const Row& row : rows) {
    builder.add(row.left, row.right, row.winner, row.worker, row.task, row.weight, row.covariates);
  }
  return std::move(builder).build();
}

auto fields(const Comparison& c) {
  return std::tuple(c.left, c.right, c.winner, c.worker, c.task, c.weight);
}

TEST(ComparisonTable, IsTheSameWhateverTheOrderOfTheRowsAndRemembersThatOrder) {
  std::vector<Row> rows = random_rows(500);
  const ComparisonTable first = table_of(rows);
  Rng rng(3, rng_stream("shuffle"));
  for (size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[rng.below(i)]);
  const ComparisonTable second = table_of(rows);
  EXPECT_EQ(first.names, second.names);
  EXPECT_EQ(first.workers, second.workers);
  EXPECT_EQ(first.covariates, second.covariates);
  ASSERT_EQ(first.comparisons.size(), second.comparisons.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(fields(first.comparisons[i]), fields(second.comparisons[i]));
    EXPECT_LE(fields(first.comparisons[i ? i - 1 : 0]), fields(first.comparisons[i]));
    // The place in the input leads back to the row.
    const uint32_t place = second.order[i];
    const Comparison& c = second.comparisons[place];
    EXPECT_EQ(second.names[c.left], rows[i].left);
    EXPECT_EQ(c.worker == kNobody ? "" : second.workers[c.worker], rows[i].worker);
    EXPECT_EQ(c.task == kNobody ? "" : second.tasks[c.task], rows[i].task);
    EXPECT_EQ(second.covariates[0][place], rows[i].covariates[0]);
    EXPECT_EQ(second.covariates[1][place], rows[i].covariates[1]);
  }
}

TEST(ComparisonTable, RefusesWhatCannotBeRanked) {
  ComparisonTableBuilder builder({"length"});
  const std::vector<double> good = {1.0}, bad = {std::numeric_limits<double>::quiet_NaN()};
  EXPECT_THROW(builder.add("a", "a", Winner::kTie, "", "", 1.0, good), Error);
  EXPECT_THROW(builder.add("a", "b", Winner::kTie, "", "", 0.0, good), Error);
  EXPECT_THROW(builder.add("a", "b", Winner::kTie, "", "", -1.0, good), Error);
  EXPECT_THROW(
      builder.add("a", "b", Winner::kTie, "", "", std::numeric_limits<double>::infinity(), good),
      Error);
  EXPECT_THROW(builder.add("a", "b", Winner::kTie, "", "", 1.0, bad), Error);
  EXPECT_THROW(builder.add("a", "b", Winner::kTie), Error);
  EXPECT_THROW(ComparisonTableBuilder({"x", "x"}), Error);
  EXPECT_THROW(std::move(builder).build(), Error);  // nothing of that was taken
}

}  // namespace
}  // namespace hone::quality
