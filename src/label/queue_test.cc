#include "label/queue.h"

#include <set>

#include "label/events.h"
#include "label/testing.h"

namespace hone::label {
namespace {

std::string task_of(TestOrganisation& test, const Lease& lease) {
  return test.text("SELECT public_id FROM task WHERE id = " + std::to_string(lease.task));
}
constexpr char kLeft[] = R"({"winner":"left"})";

TEST(Queue, GivesTheFirstTaskByPriorityThenByAge) {
  TestOrganisation test;
  const Project project = test.pairwise();
  const auto low = test.add_tasks(project, 2, 0);
  const auto high = test.add_tasks(project, 2, 7);
  const Actor ann = test.person("ann");
  std::vector<std::string> given;
  for (int i = 0; i < 4; ++i) {
    const auto next = test.next(ann, project);
    ASSERT_EQ(next.leases.size(), 1u);
    given.push_back(task_of(test, next.leases[0]));
    test.answer(ann, next.leases[0].public_id, kLeft);
  }
  EXPECT_EQ(given, (std::vector<std::string>{high[0], high[1], low[0], low[1]}));
  EXPECT_EQ(test.next(ann, project).reason, NextReason::kNoneLeft);
  EXPECT_TRUE(test.recount(project).empty());
}

TEST(Queue, RepeatsGiveTheUnexpiredLeasesFirstAndNeverMoreThanThree) {
  TestOrganisation test;
  const Project project = test.pairwise();
  test.add_tasks(project, 5);
  const Actor ann = test.person("ann");
  const auto one = test.next(ann, project);
  const auto again = test.next(ann, project);
  EXPECT_EQ(one.leases[0].public_id, again.leases[0].public_id);
  const auto three = test.next(ann, project, 3);
  ASSERT_EQ(three.leases.size(), 3u);
  EXPECT_EQ(three.leases[0].public_id, one.leases[0].public_id);
  const auto same = test.next(ann, project, 3);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(same.leases[i].public_id, three.leases[i].public_id);
  EXPECT_EQ(error_from([&] { test.next(ann, project, 4); }).code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_from([&] { test.next(ann, project, 0); }).code(), ErrorCode::kInvalidInput);
}

TEST(Queue, ATaskIsNeverHeldByMoreThanItsOverlapAndNeverTwiceByOne) {
  TestOrganisation test;
  const Project project = test.pairwise(2);
  test.add_tasks(project, 1);
  const Actor ann = test.person("ann"), ben = test.person("ben"), eve = test.person("eve");
  const auto first = test.next(ann, project);
  ASSERT_EQ(first.leases.size(), 1u);
  ASSERT_EQ(test.next(ben, project).leases.size(), 1u);
  EXPECT_EQ(test.next(eve, project).reason, NextReason::kNoneLeft);
  test.answer(ann, first.leases[0].public_id, kLeft);
  EXPECT_TRUE(test.next(ann, project).leases.empty());
}

TEST(Queue, SaysWhyThereIsNothing) {
  TestOrganisation test;
  NewProject wanted;
  wanted.name = "chemistry";
  wanted.task_type = "pairwise";
  wanted.overlap = 2;
  wanted.skills = {"chemistry"};
  const Project project = test.project(wanted);
  test.add_tasks(project, 1);
  const Actor ann = test.person("ann", Role::kAnnotator, {"chemistry"});
  const Actor ben = test.person("ben");
  EXPECT_EQ(test.next(ben, project).reason, NextReason::kNotQualified);
  const auto next = test.next(ann, project);
  ASSERT_EQ(next.leases.size(), 1u);
  test.answer(ann, next.leases[0].public_id, kLeft);
  EXPECT_EQ(test.next(ann, project).reason, NextReason::kAllYoursDone);
  const Actor viewer = test.person("vic", Role::kViewer);
  EXPECT_EQ(error_from([&] { test.next(viewer, project); }).code(), ErrorCode::kForbidden);
  test.write([&](store::Transaction& tx) {
    MemberPatch patch;
    patch.paused = true;
    return patch_member(test.org(), tx, system_actor(), "usr_ann", patch);
  });
  EXPECT_EQ(test.next(ann, project).reason, NextReason::kPaused);
  test.write([&](store::Transaction& tx) {
    MemberPatch patch;
    patch.skills = {"chemistry"};
    return patch_member(test.org(), tx, system_actor(), "usr_ben", patch);
  });
  EXPECT_EQ(test.next(ben, project).leases.size(), 1u);
  ProjectPatch pause;
  pause.state = "paused";
  test.write([&](store::Transaction& tx) {
    return patch_project(test.org(), tx, system_actor(), project.public_id, pause);
  });
  EXPECT_EQ(test.next(ben, project).reason, NextReason::kPaused);
}

TEST(Queue, OnlyThoseWhoAreNamedMayLabelAProjectThatNamesPeople) {
  TestOrganisation test;
  const Project project = test.pairwise();
  test.add_tasks(project, 3);
  const Actor ann = test.person("ann"), ben = test.person("ben");
  test.write([&](store::Transaction& tx) {
    set_project_people(test.org(), tx, system_actor(), project.public_id,
                       std::vector<std::string>{"usr_ann"});
  });
  EXPECT_EQ(test.next(ben, project).reason, NextReason::kNotQualified);
  EXPECT_EQ(test.next(ann, project).leases.size(), 1u);
}

TEST(Queue, LanguagesOfPeopleAndTasksMustMeet) {
  TestOrganisation test;
  const Project project = test.pairwise();
  const auto german = test.add_tasks(project, 1, 5, "de");
  const auto english = test.add_tasks(project, 1, 3, "en");
  const auto any = test.add_tasks(project, 1, 1);
  const Actor ann = test.person("ann", Role::kAnnotator, {}, {"en-GB"});
  const auto next = test.next(ann, project, 3);
  ASSERT_EQ(next.leases.size(), 2u);
  EXPECT_EQ(task_of(test, next.leases[0]), english[0]);
  EXPECT_EQ(task_of(test, next.leases[1]), any[0]);
  const Actor eve = test.person("eve");
  EXPECT_EQ(task_of(test, test.next(eve, project).leases.at(0)), german[0]);
}

TEST(Queue, AnExpiredLeaseIsFreeForOthersAndForItsOwner) {
  TestOrganisation test;
  const Project project = test.pairwise();
  test.add_tasks(project, 1);
  const Actor ann = test.person("ann"), ben = test.person("ben");
  const auto first = test.next(ann, project);
  EXPECT_TRUE(test.next(ben, project).leases.empty());
  test.env.advance_ms(901 * 1000);
  const auto again = test.next(ann, project);
  ASSERT_EQ(again.leases.size(), 1u);
  // The same row and the same order: the person may still have the old page open.
  EXPECT_EQ(again.leases[0].public_id, first.leases[0].public_id);
  EXPECT_EQ(again.leases[0].shown_order, first.leases[0].shown_order);
  test.env.advance_ms(901 * 1000);
  ASSERT_EQ(test.next(ben, project).leases.size(), 1u);
  EXPECT_TRUE(test.next(ann, project).leases.empty());
  EXPECT_TRUE(test.recount(project).empty());
}

TEST(Queue, AHeartbeatKeepsALeaseAndALostOneSaysSo) {
  TestOrganisation test;
  const Project project = test.pairwise();
  test.add_tasks(project, 1);
  const Actor ann = test.person("ann"), ben = test.person("ben");
  const auto lease = test.next(ann, project).leases.at(0);
  const auto beat = [&] {
    return test.write(
        [&](store::Transaction& tx) { return heartbeat(test.org(), tx, ann, lease.public_id); });
  };
  for (int i = 0; i < 5; ++i) {
    test.env.advance_ms(600 * 1000);
    EXPECT_EQ(beat(), test.env.now_ms() + 900 * 1000);
    EXPECT_TRUE(test.next(ben, project).leases.empty());
  }
  test.env.advance_ms(901 * 1000);
  ASSERT_EQ(test.next(ben, project).leases.size(), 1u);
  EXPECT_EQ(error_from(beat).code(), ErrorCode::kConflict);
  EXPECT_EQ(error_from([&] {
              test.write([&](store::Transaction& tx) {
                return heartbeat(test.org(), tx, ben, lease.public_id);
              });
            }).code(),
            ErrorCode::kNotFound);
}

TEST(Queue, AReleasedTaskComesBackToItsPlaceBehindEverybodysMark) {
  TestOrganisation test;
  const Project project = test.pairwise();
  const auto tasks = test.add_tasks(project, 6);
  const Actor ann = test.person("ann"), ben = test.person("ben");
  const auto held = test.next(ann, project, 3);
  const auto other = test.next(ben, project, 2);  // ben's mark is behind ann's three
  test.write(
      [&](store::Transaction& tx) { release(test.org(), tx, ann, held.leases[1].public_id); });
  for (const Lease& lease : other.leases) test.answer(ben, lease.public_id, kLeft);
  EXPECT_EQ(task_of(test, test.next(ben, project).leases.at(0)), tasks[1]);
  EXPECT_TRUE(test.recount(project).empty());
}

TEST(Queue, SeesTasksThatCameLaterWithAHigherPriority) {
  TestOrganisation test;
  const Project project = test.pairwise();
  test.add_tasks(project, 3, 0);
  const Actor ann = test.person("ann");
  test.answer(ann, test.next(ann, project).leases.at(0).public_id, kLeft);
  const auto urgent = test.add_tasks(project, 1, 9);
  EXPECT_EQ(task_of(test, test.next(ann, project).leases.at(0)), urgent[0]);
}

TEST(Queue, WhatMemoryKeepsCanBeDroppedAtAnyMoment) {
  TestOrganisation with, without;
  for (TestOrganisation* test : {&with, &without}) {
    const Project project = test->pairwise(2);
    test->add_tasks(project, 30, 0);
    test->add_tasks(project, 30, 1);
    const std::vector<Actor> people = {test->person("ann"), test->person("ben"),
                                       test->person("eve")};
    for (int i = 0; i < 200; ++i) {
      const Actor& actor = people[static_cast<size_t>(i) % 3];
      if (test == &without)
        test->write([&](store::Transaction&) { test->org().queue().drop_all(); });
      const auto next = test->next(actor, project, 2);
      if (next.leases.empty()) continue;
      const std::string id = next.leases.back().public_id;
      if (i % 7 == 3) {
        test->write([&](store::Transaction& tx) { release(test->org(), tx, actor, id); });
      } else if (i % 11 == 5) {
        test->write(
            [&](store::Transaction& tx) { skip(test->org(), tx, actor, id, "no idea", ""); });
      } else {
        test->answer(actor, id, kLeft);
      }
      if (i % 50 == 49) test->env.advance_ms(1000 * 1000);
    }
    EXPECT_TRUE(test->recount(project).empty());
  }
  const std::string state =
      "SELECT group_concat(task_id || ':' || member_id || ':' || state, ' ') FROM"
      " (SELECT * FROM assignment ORDER BY task_id, member_id)";
  EXPECT_EQ(with.text(state), without.text(state));
}

TEST(Queue, LooksThroughALongQueueInPieces) {
  TestOrganisation test;
  const Project project = test.pairwise(2);
  test.add_tasks(project, static_cast<int64_t>(kScanMax) + 50, 0, "fr");
  const auto last = test.add_tasks(project, 1, 0, "en");
  const Actor ann = test.person("ann", Role::kAnnotator, {}, {"en"});
  const NextResult piece = test.write(
      [&](store::Transaction& tx) { return next(test.org(), tx, ann, project.public_id, 1); });
  EXPECT_TRUE(piece.leases.empty());
  EXPECT_TRUE(piece.again);
  EXPECT_EQ(task_of(test, test.next(ann, project).leases.at(0)), last[0]);
}

TEST(Queue, SidesAreShuffledPerViewAndBothOrdersOccur) {
  TestOrganisation test;
  const Project project = test.pairwise();
  test.add_tasks(project, 200);
  const Actor ann = test.person("ann");
  int straight = 0;
  for (int i = 0; i < 200; ++i) {
    const Lease lease = test.next(ann, project).leases.at(0);
    if (lease.shown_order == "0,1") ++straight;
    test.answer(ann, lease.public_id, kLeft);
  }
  // 200 fair draws: 65 to 135 but for one in a million.
  EXPECT_GT(straight, 64);
  EXPECT_LT(straight, 136);
}

TEST(Queue, ALeaseAndItsAnswerSurviveTheEndOfTheProcess) {
  TestOrganisation test;
  const Project project = test.pairwise();
  test.add_tasks(project, 2);
  const Actor ann = test.person("ann");
  const Lease lease = test.next(ann, project).leases.at(0);
  test.open();
  EXPECT_EQ(test.next(ann, project).leases.at(0).public_id, lease.public_id);
  EXPECT_EQ(test.answer(ann, lease.public_id, kLeft).status, "valid");
  test.open();
  EXPECT_EQ(test.number("SELECT count(*) FROM annotation WHERE status = 'valid'"), 1);
  EXPECT_TRUE(verify_chain(test.org()).intact);
}

}  // namespace
}  // namespace hone::label
