#include "label/overlap_change.h"

#include "label/testing.h"

namespace hone::label {
namespace {

constexpr int64_t kMany = 2 * kOverlapPiece + 500;

struct Pairs {
  TestOrganisation test;
  Project project = test.pairwise(1);

  explicit Pairs(int64_t tasks) { test.add_tasks(project, tasks); }
  void change(int64_t overlap) {
    test.write([&](store::Transaction& tx) {
      ProjectPatch patch;
      patch.overlap = overlap;
      return patch_project(test.org(), tx, system_actor(), project.public_id, patch);
    });
  }
  int64_t wanting(int64_t answers) {
    return test.number(
        "SELECT count(*) FROM task WHERE slots = wanted - valid - leased AND wanted = " +
        std::to_string(answers));
  }
};

TEST(OverlapChange, ASmallProjectFollowsInTheChangeItself) {
  Pairs pairs(kOverlapPiece - 1);
  pairs.change(3);
  EXPECT_EQ(pairs.wanting(3), kOverlapPiece - 1);
  EXPECT_EQ(pairs.test.number("SELECT count(overlap_reached_task) FROM project"), 0);
}

TEST(OverlapChange, NoTransactionTouchesMoreThanAPiece) {
  Pairs pairs(kMany);
  pairs.change(3);
  EXPECT_EQ(pairs.wanting(3), kOverlapPiece);
  EXPECT_EQ(pairs.wanting(1), kMany - kOverlapPiece);
  pairs.test.write([&](store::Transaction& tx) {
    return follow_overlap(pairs.test.org(), tx, pairs.project.id);
  });
  EXPECT_EQ(pairs.wanting(3), 2 * kOverlapPiece);
  finish_overlap_change(pairs.test.org(), pairs.project.id);
  EXPECT_EQ(pairs.wanting(3), kMany);
  EXPECT_TRUE(pairs.test.recount(pairs.project).empty());
}

TEST(OverlapChange, WhatACrashBrokeOffGoesOnAtTheStart) {
  Pairs pairs(kMany);
  pairs.change(3);
  pairs.test.open();
  EXPECT_EQ(pairs.wanting(3), kMany);
  EXPECT_TRUE(pairs.test.recount(pairs.project).empty());
}

TEST(OverlapChange, AnotherChangeOnItsWayBeginsAtTheFirstTask) {
  Pairs pairs(kMany);
  pairs.change(3);
  pairs.change(2);
  finish_overlap_change(pairs.test.org(), pairs.project.id);
  EXPECT_EQ(pairs.wanting(2), kMany);
}

TEST(OverlapChange, TasksBehindTheFirstPieceAreDoneOrOpenAgainAndCounted) {
  Pairs pairs(kMany);
  // Half of them answered twice already, by hand: enough for an overlap of 2, too few for 3.
  pairs.change(2);
  finish_overlap_change(pairs.test.org(), pairs.project.id);
  const Actor ann = pairs.test.person("ann"), ben = pairs.test.person("ben");
  const auto last = pairs.test.number("SELECT max(id) FROM task");
  pairs.test.write([&](store::Transaction& tx) {
    return tx.execute("UPDATE task SET priority = 9 WHERE id = $1", {last});
  });
  for (const Actor& person : {ann, ben}) {
    const NextResult next = pairs.test.next(person, pairs.project);
    ASSERT_EQ(next.leases.at(0).task, last);
    pairs.test.answer(person, next.leases[0].public_id, R"({"winner":"left"})");
  }
  EXPECT_EQ(pairs.test.read_project(pairs.project).counts.done, 1);
  pairs.change(3);
  finish_overlap_change(pairs.test.org(), pairs.project.id);
  EXPECT_EQ(pairs.test.read_project(pairs.project).counts.done, 0);
  EXPECT_EQ(pairs.test.number("SELECT slots FROM task WHERE id = " + std::to_string(last)), 1);
  // A third person finds the place that came free behind everybody's mark.
  EXPECT_EQ(pairs.test.next(pairs.test.person("cem"), pairs.project).leases.at(0).task, last);
  pairs.change(1);
  finish_overlap_change(pairs.test.org(), pairs.project.id);
  EXPECT_EQ(pairs.test.read_project(pairs.project).counts.done, 1);
  EXPECT_TRUE(pairs.test.recount(pairs.project).empty());
}

}  // namespace
}  // namespace hone::label
