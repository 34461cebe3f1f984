#include "quality/label_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>

#include "base/error.h"
#include "base/rng.h"

namespace hone::quality {
namespace {

using Row = std::array<std::string, 3>;

LabelTable table_of(const std::vector<Row>& rows, OnConflict on_conflict = OnConflict::kKeep,
                    std::vector<std::string> declared = {}) {
  LabelTableBuilder builder(std::move(declared));
  for (const Row& row : rows) builder.add(row[0], row[1], row[2]);
  return std::move(builder).build(on_conflict);
}

std::vector<Row> rows_of(const LabelTable& table) {
  std::vector<Row> rows;
  for (const Label& label : table.labels()) {
    rows.push_back(
        {table.tasks()[label.task], table.workers()[label.worker], table.classes()[label.value]});
  }
  return rows;
}

std::vector<std::string> classes_of(const LabelTable& table) {
  return {table.classes().begin(), table.classes().end()};
}

std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
    return error.message();
  }
  return "";
}

TEST(LabelTable, IsTheSameWhateverTheOrderOfTheRows) {
  std::vector<Row> rows;
  Rng rng(1, rng_stream("label-table-test"));
  for (int i = 0; i < 400; ++i) {
    rows.push_back({"t" + std::to_string(rng.below(30)), "w" + std::to_string(rng.below(12)),
                    "c" + std::to_string(rng.below(4))});
  }
  const LabelTable first = table_of(rows);
  EXPECT_GT(first.duplicates(), 0u);
  EXPECT_GT(first.conflicts(), 0u);
  for (size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[rng.below(i)]);
  const LabelTable second = table_of(rows);
  EXPECT_EQ(rows_of(first), rows_of(second));
  EXPECT_EQ(classes_of(first), classes_of(second));
  EXPECT_EQ(first.duplicates(), second.duplicates());
  EXPECT_EQ(first.conflicts(), second.conflicts());
  const std::vector<Row> sorted = rows_of(first);
  EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end()));
}

TEST(LabelTable, FindsTheLabelsOfATaskAndOfAWorker) {
  const LabelTable table =
      table_of({{"b", "x", "no"}, {"a", "y", "yes"}, {"b", "y", "yes"}, {"a", "x", "yes"}});
  ASSERT_EQ(table.task_count(), 2u);
  ASSERT_EQ(table.labels_of_task(0).size(), 2u);
  EXPECT_EQ(table.labels_of_task(1)[0].worker, 0u);
  EXPECT_EQ(table.labels_of_task(1)[0].value, 0u);
  for (size_t worker = 0; worker < 2; ++worker) {
    const auto places = table.labels_of_worker(worker);
    ASSERT_EQ(places.size(), 2u);
    EXPECT_LT(places[0], places[1]);
    for (const uint32_t place : places) EXPECT_EQ(table.labels()[place].worker, worker);
  }
}

TEST(LabelTable, DropsExactRepeatsAndCountsThem) {
  const LabelTable table = table_of({{"a", "x", "1"}, {"a", "x", "1"}, {"a", "x", "1"}});
  EXPECT_EQ(table.label_count(), 1u);
  EXPECT_EQ(table.duplicates(), 2u);
  EXPECT_EQ(table.conflicts(), 0u);
}

TEST(LabelTable, DoesWithContradictionsWhatItIsTold) {
  const std::vector<Row> rows = {
      {"a", "x", "2"}, {"a", "x", "1"}, {"a", "x", "2"}, {"a", "x", "3"}, {"b", "x", "1"}};
  const LabelTable kept = table_of(rows, OnConflict::kKeep);
  EXPECT_EQ(kept.label_count(), 4u);
  EXPECT_EQ(kept.duplicates(), 1u);
  EXPECT_EQ(kept.conflicts(), 1u);
  EXPECT_EQ(rows_of(table_of(rows, OnConflict::kFirst))[0], (Row{"a", "x", "2"}));
  EXPECT_EQ(rows_of(table_of(rows, OnConflict::kLast))[0], (Row{"a", "x", "3"}));
  const LabelTable dropped = table_of(rows, OnConflict::kDrop);
  EXPECT_EQ(rows_of(dropped), (std::vector<Row>{{"b", "x", "1"}}));
  EXPECT_TRUE(dropped.labels_of_task(0).empty());  // the task is still there, without an answer
  EXPECT_NE(refusal([] {
              table_of({{"a", "x", "1"}, {"a", "x", "2"}}, OnConflict::kDrop);
            }).find("--on-conflict"),
            std::string::npos);
}

TEST(LabelTable, OrdersClassesAsNumbersOnlyWhenAllAreNumbers) {
  const LabelTable numbers = table_of({{"a", "x", "10"}, {"b", "x", "9"}, {"c", "x", "-1.5"}});
  EXPECT_EQ(classes_of(numbers), (std::vector<std::string>{"-1.5", "9", "10"}));
  EXPECT_TRUE(numbers.classes_are_numbers());
  EXPECT_EQ(numbers.class_values()[0], -1.5);
  const LabelTable words = table_of({{"a", "x", "10"}, {"b", "x", "9"}, {"c", "x", "nan"}});
  EXPECT_EQ(classes_of(words), (std::vector<std::string>{"10", "9", "nan"}));
  EXPECT_FALSE(words.classes_are_numbers());
  EXPECT_EQ(words.class_values()[2], 2.0);
}

TEST(LabelTable, KeepsADeclaredListAndItsOrder) {
  const LabelTable table = table_of({{"a", "x", "tie"}}, OnConflict::kKeep, {"win", "tie", "loss"});
  EXPECT_EQ(classes_of(table), (std::vector<std::string>{"win", "tie", "loss"}));
  EXPECT_EQ(table.labels()[0].value, 1u);
  const std::string message = refusal([] {
    table_of({{"a", "x", "maybe"}}, OnConflict::kKeep, {"yes", "no"});
  });
  EXPECT_NE(message.find("\"maybe\""), std::string::npos) << message;
  EXPECT_NE(message.find("\"yes\", \"no\""), std::string::npos) << message;
  EXPECT_NE(refusal([] {
              LabelTableBuilder builder({"a", "b", "a"});
            }).find("twice"),
            std::string::npos);
}

TEST(LabelTable, RefusesATableWithoutLabels) {
  EXPECT_NE(refusal([] { table_of({}); }).find("no label"), std::string::npos);
}

}  // namespace
}  // namespace hone::quality
