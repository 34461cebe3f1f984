#include "quality/incremental.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "base/error.h"
#include "base/json.h"
#include "base/thread_pool.h"
#include "quality/label_test_data.h"

namespace hone::quality {
namespace {

const std::vector<std::string> kClasses = {"0", "1", "2"};

AggregateOptions with(Method method) {
  AggregateOptions options;
  options.method = method;
  options.restarts = 2;
  return options;
}

void add_all(IncrementalAggregate& live, const std::vector<LabelRow>& rows) {
  for (const LabelRow& row : rows) live.add(row[0], row[1], row[2]);
}

TEST(Incremental, ARefitIsTheFullFitToTheBitForEveryMethod) {
  const Planted planted = plant(200, 15, 3, 4, 0.4, 0.9, 20);
  const LabelTable table = table_of_rows(planted.rows, kClasses);
  ThreadPool pool(2);
  for (const Method method : all_methods()) {
    SCOPED_TRACE(method_name(method));
    IncrementalAggregate live(kClasses, with(method));
    for (size_t i = 0; i < planted.rows.size(); ++i) {
      const LabelRow& row = planted.rows[i];
      EXPECT_TRUE(live.add(row[0], row[1], row[2]).is_new);
      if (i == 400) live.accept(IncrementalAggregate::refit(live.snapshot()).parameters);
    }
    auto refit = IncrementalAggregate::refit(live.snapshot(), &pool);
    const Aggregate full = aggregate(table, with(method));
    EXPECT_EQ(refit.aggregate.posterior, full.posterior);
    EXPECT_EQ(refit.aggregate.skill, full.skill);
    EXPECT_EQ(refit.aggregate.objective, full.objective);
    EXPECT_EQ(refit.aggregate.method, full.method);
    live.accept(std::move(refit.parameters));
    EXPECT_EQ(live.labels_since_refit(), 0u);
    for (size_t task = 0; task < table.task_count(); ++task) {
      const auto posterior = live.posterior(table.tasks()[task]);
      for (size_t k = 0; k < 3; ++k) {
        EXPECT_NEAR(posterior[k], full.posterior[task * 3 + k], 1e-9);
      }
    }
  }
}

// The live posterior of a new label is Bayes' rule with the parameters of the last refit.
TEST(Incremental, ALabelMultipliesThePosteriorOfItsTaskByItsChance) {
  const Planted planted = plant(300, 10, 3, 4, 0.5, 0.9, 21);
  const LabelTable table = table_of_rows(planted.rows, kClasses);
  IncrementalAggregate live(kClasses, with(Method::kIbcc));
  add_all(live, planted.rows);
  auto refit = IncrementalAggregate::refit(live.snapshot());
  const Aggregate fit = refit.aggregate;
  live.accept(std::move(refit.parameters));
  // Worker 2 has not labelled task 0 with "1" yet, or it would be a repeat.
  const auto update = live.add("t000000", "w0002", "1");
  ASSERT_TRUE(update.is_new);
  double chance[3] = {1.0, 4.0, 1.0}, total[3] = {6.0, 6.0, 6.0};  // ibcc's prior
  for (const uint32_t place : table.labels_of_worker(2)) {
    const Label& label = table.labels()[place];
    for (size_t k = 0; k < 3; ++k) {
      total[k] += fit.posterior[label.task * 3 + k];
      if (label.value == 1) chance[k] += fit.posterior[label.task * 3 + k];
    }
  }
  double expected[3], sum = 0.0;
  for (size_t k = 0; k < 3; ++k) sum += expected[k] = fit.posterior[k] * chance[k] / total[k];
  double entropy = 0.0;
  for (size_t k = 0; k < 3; ++k) {
    EXPECT_NEAR(update.posterior[k], expected[k] / sum, 1e-9);
    entropy -= expected[k] / sum * std::log(expected[k] / sum);
  }
  EXPECT_NEAR(update.entropy, entropy, 1e-8);
  EXPECT_EQ(live.posterior("t000000"), update.posterior);
}

TEST(Incremental, ANewWorkerAndTheFirstLabelOfAllSaySomething) {
  for (const Method method : all_methods()) {
    IncrementalAggregate live({"a", "b"}, with(method));
    EXPECT_EQ(live.posterior("t"), (std::vector<double>{0.5, 0.5}));
    const auto update = live.add("t", "w", "b");
    EXPECT_GT(update.posterior[1], 0.7) << method_name(method);
    EXPECT_NEAR(update.posterior[0] + update.posterior[1], 1.0, 1e-12);
    EXPECT_FALSE(live.add("t", "w", "b").is_new);
    EXPECT_EQ(live.label_count(), 1u);
    EXPECT_TRUE(live.add("t", "w", "a").is_new);  // a contradiction is kept
    EXPECT_NEAR(live.posterior("t")[0], 0.5, 1e-9) << method_name(method);
  }
}

TEST(Incremental, TheOrderOfArrivalMattersToNoBit) {
  Planted planted = plant(100, 12, 3, 5, 0.4, 0.9, 22);
  for (const Method method : {Method::kIbcc, Method::kGlad, Method::kWawa, Method::kMaceVb}) {
    IncrementalAggregate one(kClasses, with(method)), two(kClasses, with(method));
    const std::vector<LabelRow> first(planted.rows.begin(), planted.rows.begin() + 300);
    std::vector<LabelRow> rest(planted.rows.begin() + 300, planted.rows.end());
    add_all(one, first);
    add_all(two, first);
    one.accept(IncrementalAggregate::refit(one.snapshot()).parameters);
    two.accept(IncrementalAggregate::refit(two.snapshot()).parameters);
    add_all(one, rest);
    shuffle(rest, 5);
    add_all(two, rest);
    for (const LabelRow& row : planted.rows) {
      EXPECT_EQ(one.posterior(row[0]), two.posterior(row[0])) << method_name(method);
    }
  }
}

TEST(Incremental, LabelsThatComeWhileARefitRunsAreKept) {
  const Planted planted = plant(400, 20, 3, 5, 0.4, 0.9, 23);
  IncrementalAggregate live(kClasses, with(Method::kDawidSkene));
  IncrementalAggregate waited(kClasses, with(Method::kDawidSkene));
  const std::vector<LabelRow> first(planted.rows.begin(), planted.rows.begin() + 1500);
  const std::vector<LabelRow> rest(planted.rows.begin() + 1500, planted.rows.end());
  add_all(live, first);
  add_all(waited, first);
  const auto input = live.snapshot();
  std::optional<IncrementalAggregate::Refit> refit;
  std::thread background([&] { refit = IncrementalAggregate::refit(input); });
  add_all(live, rest);
  background.join();
  live.accept(std::move(refit->parameters));
  EXPECT_EQ(live.labels_since_refit(), rest.size());
  waited.accept(IncrementalAggregate::refit(waited.snapshot()).parameters);
  add_all(waited, rest);
  EXPECT_EQ(live.to_json().dump(), waited.to_json().dump());
}

TEST(Incremental, StateReadsBackEqualAndGoesOnWithTheSameBits) {
  const Planted planted = plant(60, 10, 3, 4, 0.4, 0.9, 24);
  for (const Method method : all_methods()) {
    SCOPED_TRACE(method_name(method));
    IncrementalAggregate live(kClasses, with(method));
    for (size_t i = 0; i < 200; ++i) {
      live.add(planted.rows[i][0], planted.rows[i][1], planted.rows[i][2]);
      if (i == 150) live.accept(IncrementalAggregate::refit(live.snapshot()).parameters);
    }
    live.set_gold("t000003", "1");
    const std::string text = live.to_json().dump();
    IncrementalAggregate read = IncrementalAggregate::from_json(Json::parse(text).value());
    EXPECT_EQ(read.to_json().dump(), text);
    for (size_t i = 200; i < planted.rows.size(); ++i) {
      const LabelRow& row = planted.rows[i];
      EXPECT_EQ(live.add(row[0], row[1], row[2]).posterior,
                read.add(row[0], row[1], row[2]).posterior);
    }
    EXPECT_EQ(IncrementalAggregate::refit(live.snapshot()).aggregate.posterior,
              IncrementalAggregate::refit(read.snapshot()).aggregate.posterior);
    EXPECT_EQ(read.posterior("t000003"), (std::vector<double>{0, 1, 0}));
  }
}

TEST(Incremental, GoldTasksAreKnownAtOnceAndInTheRefit) {
  IncrementalAggregate live({"a", "b"}, with(Method::kIbcc));
  live.add("t", "w", "a");
  live.set_gold("t", "b");
  live.set_gold("nobody labelled this", "a");
  EXPECT_EQ(live.posterior("t"), (std::vector<double>{0, 1}));
  const auto refit = IncrementalAggregate::refit(live.snapshot());
  EXPECT_EQ(refit.aggregate.posterior, (std::vector<double>{0, 1}));
}

TEST(Incremental, RefusesWhatItCannotUse) {
  EXPECT_THROW(IncrementalAggregate({"a"}), Error);
  EXPECT_THROW(IncrementalAggregate({"a", "a"}), Error);
  IncrementalAggregate live({"a", "b"}, with(Method::kIbcc));
  EXPECT_THROW(live.add("t", "w", "c"), Error);
  EXPECT_THROW(live.set_gold("t", "c"), Error);
  EXPECT_THROW(IncrementalAggregate::refit(live.snapshot()), Error);
  live.add("t", "w", "a");
  IncrementalAggregate other({"a", "b"}, with(Method::kIbcc));
  EXPECT_THROW(other.accept(IncrementalAggregate::refit(live.snapshot()).parameters), Error);
}

TEST(Incremental, ABrokenStateIsRefusedWithASentence) {
  IncrementalAggregate live({"a", "b"}, with(Method::kIbcc));
  live.add("t", "w", "a");
  const Json good = live.to_json();
  const auto refused = [&](const auto& change) {
    Json bad = good;
    change(bad);
    try {
      IncrementalAggregate::from_json(bad);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCorruptData);
      return true;
    }
    return false;
  };
  EXPECT_FALSE(refused([](Json&) {}));
  EXPECT_TRUE(refused([](Json& s) { s = Json(3); }));
  EXPECT_TRUE(refused([](Json& s) { s["version"] = 2; }));
  EXPECT_TRUE(refused([](Json& s) { s["labels"].push_back(0); }));
  EXPECT_TRUE(refused([](Json& s) { s["labels"].as_array()[0] = 7; }));
  EXPECT_TRUE(refused([](Json& s) { s["tasks"].push_back("t"); }));
  EXPECT_TRUE(refused([](Json& s) { s["tasks"].push_back("u"); }));
  EXPECT_TRUE(refused([](Json& s) { s["gold"].push_back(0); }));
  EXPECT_TRUE(refused([](Json& s) { s["parameters"]["scores"] = Json::array(); }));
  EXPECT_TRUE(refused([](Json& s) { s["parameters"]["labels"] = 5; }));
  EXPECT_TRUE(refused([](Json& s) { s["parameters"]["method"] = "auto"; }));
  EXPECT_TRUE(refused([](Json& s) { s["options"]["method"] = "magic"; }));
  EXPECT_TRUE(refused([](Json& s) { s["classes"] = Json::array(); }));
}

// What a label costs must not grow with the table. Time is printed, never asserted.
TEST(Incremental, ALabelCostsTheSameInALargeTable) {
  IncrementalAggregate live({"a", "b"}, with(Method::kIbcc));
  Rng rng(25, rng_stream("many"));
  std::vector<double> micros;
  for (size_t i = 0; i < 200000; ++i) {
    const std::string task = "t" + std::to_string(rng.below(70000));
    const std::string worker = "w" + std::to_string(rng.below(500));
    const char* label = rng.below(2) ? "a" : "b";
    const auto begin = std::chrono::steady_clock::now();
    live.add(task, worker, label);
    micros.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
            .count());
  }
  std::vector<double> late(micros.end() - 20000, micros.end());
  std::sort(late.begin(), late.end());
  std::printf(
      "a label into %zu: median %.2f us, 99 %% %.2f us, above 50 us %zu times, "
      "longest of all %.1f us\n",
      live.label_count(), late[late.size() / 2], late[late.size() * 99 / 100],
      static_cast<size_t>(
          std::count_if(micros.begin(), micros.end(), [](double us) { return us > 50.0; })),
      *std::max_element(micros.begin(), micros.end()));
  EXPECT_GT(live.label_count(), 190000u);
}

TEST(SteadyRows, NeverMoveAndCopiesKeepTheirLength) {
  SteadyRows<uint32_t> rows(2);
  std::vector<const uint32_t*> places;
  for (uint32_t i = 0; i < 10000; ++i) {
    uint32_t* row = rows.add();
    row[0] = i;
    row[1] = 2 * i;
    places.push_back(row);
  }
  const SteadyRows<uint32_t> copy = rows;
  rows.add();
  EXPECT_EQ(copy.size(), 10000u);
  EXPECT_EQ(rows.size(), 10001u);
  for (uint32_t i = 0; i < 10000; ++i) {
    EXPECT_EQ(rows[i], places[i]);
    EXPECT_EQ(copy[i], places[i]);
    EXPECT_EQ(copy[i][1], 2 * i);
  }
}

}  // namespace
}  // namespace hone::quality
