#include "label/annotations.h"

#include "label/events.h"
#include "label/gold.h"
#include "label/live_quality.h"
#include "label/receipt.h"
#include "label/testing.h"

namespace hone::label {
namespace {

constexpr char kLeft[] = R"({"winner":"left"})";
constexpr char kRight[] = R"({"winner":"right"})";

struct Pair {
  TestOrganisation test;
  Project project;
  Actor ann, ben, eve;
  explicit Pair(int64_t overlap = 1, int64_t tasks = 3) {
    project = test.pairwise(overlap);
    test.add_tasks(project, tasks);
    ann = test.person("ann");
    ben = test.person("ben");
    eve = test.person("eve");
  }
  ~Pair() {
    EXPECT_TRUE(test.recount(project).empty()) << test.recount(project).front();
    EXPECT_TRUE(verify_chain(test.org()).intact);
  }
  Lease next(const Actor& actor) { return test.next(actor, project).leases.at(0); }
  Project now() { return test.read_project(project); }
  void undo(const Actor& actor, const std::string& assignment) {
    test.write(
        [&](store::Transaction& tx) { hone::label::undo(test.org(), tx, actor, assignment); });
  }
  void skip(const Actor& actor, const std::string& assignment, const std::string& reason) {
    test.write([&](store::Transaction& tx) {
      hone::label::skip(test.org(), tx, actor, assignment, reason, "");
    });
  }
  Json view(const Actor& actor, const std::string& assignment) {
    return test.org().read(
        [&](store::Connection& db) { return get_assignment(test.org(), db, actor, assignment); });
  }
};

// Decisions 3.1, with planted answers: who always wants the first text of the file must come out as
// "first" whatever the side, and so must who says it by id.
TEST(Submit, SidesMapThroughTheOrderShownInBothForms) {
  Pair pair(1, 60);
  int swapped = 0;
  for (int i = 0; i < 60; ++i) {
    const Lease lease = pair.next(pair.ann);
    const Json view = pair.view(pair.ann, lease.public_id);
    const auto& responses = view.at("task").at("responses").as_array();
    ASSERT_EQ(responses.size(), 2u);
    EXPECT_EQ(responses[0].find("model"), nullptr) << "blind";
    const bool first_is_left = responses[0].at("text").as_string().starts_with("one");
    if (!first_is_left) ++swapped;
    const std::string id = responses[first_is_left ? 0 : 1].at("response_id").as_string();
    const std::string answer =
        i % 2 == 0 ? std::string(first_is_left ? kLeft : kRight) : R"({"winner":")" + id + "\"}";
    pair.test.answer(pair.ann, lease.public_id, answer);
  }
  EXPECT_GT(swapped, 10);
  EXPECT_LT(swapped, 50);
  EXPECT_EQ(pair.test.number("SELECT count(*) FROM annotation WHERE choice = 'first'"), 60);
}

TEST(Submit, AnAnswerMovesEveryCounterAndClosesTheTask) {
  Pair pair(2, 1);
  const Lease first = pair.next(pair.ann);
  pair.test.env.advance_ms(12345);
  const Submitted submitted = pair.test.answer(pair.ann, first.public_id, kLeft);
  EXPECT_EQ(submitted.status, "valid");
  EXPECT_EQ(submitted.done_by_me, 1);
  EXPECT_FALSE(submitted.exam);
  EXPECT_EQ(pair.now().counts.annotations, 1);
  EXPECT_EQ(pair.now().counts.done, 0);
  pair.test.answer(pair.ben, pair.next(pair.ben).public_id, kRight);
  EXPECT_EQ(pair.now().counts.annotations, 2);
  EXPECT_EQ(pair.now().counts.done, 1);
  EXPECT_EQ(pair.test.text("SELECT state FROM task"), "done");
  EXPECT_EQ(pair.test.number("SELECT wall_ms FROM annotation ORDER BY id LIMIT 1"), 12345);
}

TEST(Submit, TheSameAnswerAgainIsTheSameAnnotationAndAnotherIsAConflict) {
  Pair pair(1, 1);
  const Lease lease = pair.next(pair.ann);
  const Submitted once = pair.test.answer(pair.ann, lease.public_id, kLeft);
  const Submitted twice = pair.test.answer(pair.ann, lease.public_id, kLeft);
  EXPECT_EQ(once.annotation_id, twice.annotation_id);
  EXPECT_FALSE(once.repeated);
  EXPECT_TRUE(twice.repeated);
  EXPECT_EQ(twice.status, "valid");
  EXPECT_EQ(error_from([&] { pair.test.answer(pair.ann, lease.public_id, kRight); }).code(),
            ErrorCode::kConflict);
  EXPECT_EQ(pair.test.number("SELECT count(*) FROM annotation"), 1);
}

TEST(Submit, AnotherPersonsAssignmentIsNotFound) {
  Pair pair(1, 1);
  const Lease lease = pair.next(pair.ann);
  for (const std::string& id : {lease.public_id, std::string("asn_nobody")}) {
    EXPECT_EQ(error_from([&] { pair.test.answer(pair.ben, id, kLeft); }).code(),
              ErrorCode::kNotFound);
  }
}

TEST(Submit, AnEmptyAnswerIsRefusedAndTheLeaseStays) {
  Pair pair(1, 1);
  const Lease lease = pair.next(pair.ann);
  const Error error = error_from([&] { pair.test.answer(pair.ann, lease.public_id, "{}"); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
  EXPECT_NE(error.message().find("winner"), std::string::npos);
  EXPECT_EQ(pair.next(pair.ann).public_id, lease.public_id);
}

TEST(Submit, ALateAnswerWhosePlaceIsFreeIsValid) {
  Pair pair(1, 1);
  const Lease lease = pair.next(pair.ann);
  pair.test.env.advance_ms(1000 * 1000);
  sweep_all(pair.test.org());
  EXPECT_EQ(pair.test.text("SELECT state FROM assignment"), "expired");
  EXPECT_EQ(pair.test.answer(pair.ann, lease.public_id, kLeft).status, "valid");
}

TEST(Submit, ALateAnswerWhosePlaceIsTakenIsKeptAsSurplus) {
  Pair pair(1, 1);
  const Lease late = pair.next(pair.ann);
  pair.test.env.advance_ms(1000 * 1000);
  const Lease taken = pair.next(pair.ben);
  EXPECT_EQ(pair.test.answer(pair.ann, late.public_id, kLeft).status, "surplus");
  EXPECT_EQ(pair.test.answer(pair.ben, taken.public_id, kLeft).status, "valid");
  EXPECT_EQ(pair.now().counts.surplus, 1);
  EXPECT_EQ(pair.now().counts.annotations, 1);
}

TEST(Submit, AnAnswerWhoseLeaseWentWithThePowerIsMadeAgainFromItsReceipt) {
  Pair pair(1, 1);
  const Lease lease = pair.next(pair.ann);
  const std::string receipt = pair.view(pair.ann, lease.public_id).at("receipt").as_string();
  // What the power takes: the rows that were committed for the process only.
  pair.test.write([&](store::Transaction& tx) {
    tx.execute("DELETE FROM assignment");
    tx.execute("UPDATE task SET leased = 0, slots = wanted");
  });
  EXPECT_EQ(error_from([&] { pair.test.answer(pair.ann, lease.public_id, kLeft); }).code(),
            ErrorCode::kNotFound);
  EXPECT_EQ(error_from([&] { pair.test.answer(pair.ben, lease.public_id, kLeft, receipt); }).code(),
            ErrorCode::kNotFound);
  std::string forged = receipt;
  forged[4] = forged[4] == 'x' ? 'y' : 'x';
  EXPECT_EQ(error_from([&] { pair.test.answer(pair.ann, lease.public_id, kLeft, forged); }).code(),
            ErrorCode::kNotFound);
  const Submitted submitted = pair.test.answer(pair.ann, lease.public_id, kLeft, receipt);
  EXPECT_EQ(submitted.status, "valid");
  EXPECT_EQ(pair.test.text("SELECT choice FROM annotation"),
            lease.shown_order == "0,1" ? "first" : "second");
  EXPECT_TRUE(pair.test.answer(pair.ann, lease.public_id, kLeft, receipt).repeated);
}

TEST(Submit, AReceiptOfAPersonWhoHoldsTheTaskAgainAnswersThatLease) {
  Pair pair(1, 1);
  const Lease lost = pair.next(pair.ann);
  const std::string receipt = pair.view(pair.ann, lost.public_id).at("receipt").as_string();
  pair.test.write([&](store::Transaction& tx) {
    tx.execute("DELETE FROM assignment");
    tx.execute("UPDATE task SET leased = 0, slots = wanted");
  });
  pair.test.open();
  pair.next(pair.ann);
  EXPECT_EQ(pair.test.answer(pair.ann, lost.public_id, kLeft, receipt).status, "valid");
  EXPECT_EQ(pair.test.text("SELECT choice FROM annotation"),
            lost.shown_order == "0,1" ? "first" : "second");
  EXPECT_EQ(pair.test.number("SELECT count(*) FROM assignment"), 1);
}

TEST(Undo, TakesAnAnswerBackAndHoldsTheTaskAgain) {
  Pair pair(1, 1);
  const Lease lease = pair.next(pair.ann);
  pair.test.answer(pair.ann, lease.public_id, kLeft);
  EXPECT_EQ(pair.now().counts.done, 1);
  pair.undo(pair.ann, lease.public_id);
  EXPECT_EQ(pair.now().counts.done, 0);
  EXPECT_EQ(pair.now().counts.annotations, 0);
  EXPECT_TRUE(pair.test.next(pair.ben, pair.project).leases.empty()) << "ann holds the place";
  EXPECT_EQ(pair.view(pair.ann, lease.public_id).at("answer").at("winner").as_string().substr(0, 4),
            "rsp_");
  EXPECT_EQ(pair.test.answer(pair.ann, lease.public_id, kRight).status, "valid");
  EXPECT_EQ(pair.test.number("SELECT max(revision) FROM annotation"), 2);
  EXPECT_EQ(pair.test.number("SELECT count(*) FROM annotation WHERE status = 'valid'"), 1);
  EXPECT_EQ(error_from([&] { pair.undo(pair.ben, lease.public_id); }).code(), ErrorCode::kNotFound);
}

TEST(Undo, OfASurplusAnswerHoldsNoPlaceThatIsNotThere) {
  Pair pair(1, 1);
  const Lease late = pair.next(pair.ann);
  pair.test.env.advance_ms(1000 * 1000);
  pair.test.answer(pair.ben, pair.next(pair.ben).public_id, kLeft);
  pair.test.answer(pair.ann, late.public_id, kLeft);
  pair.undo(pair.ann, late.public_id);
  EXPECT_EQ(pair.now().counts.surplus, 0);
  EXPECT_EQ(pair.test.answer(pair.ann, late.public_id, kRight).status, "surplus");
}

TEST(Undo, IsOverAfterADayAfterFiftyAnswersAndWhenTheProjectIsFinished) {
  Pair pair(1, 60);
  std::vector<std::string> ids;
  for (int i = 0; i < 52; ++i) {
    ids.push_back(pair.next(pair.ann).public_id);
    pair.test.answer(pair.ann, ids.back(), kLeft);
  }
  EXPECT_EQ(error_from([&] { pair.undo(pair.ann, ids[1]); }).code(), ErrorCode::kConflict);
  EXPECT_NO_THROW(pair.undo(pair.ann, ids[2]));
  EXPECT_EQ(error_from([&] { pair.undo(pair.ann, ids[2]); }).code(), ErrorCode::kConflict);
  pair.test.env.advance_ms(kUndoMs + 1);
  EXPECT_EQ(error_from([&] { pair.undo(pair.ann, ids[51]); }).code(), ErrorCode::kConflict);
  const Lease fresh = pair.next(pair.ann);
  pair.test.answer(pair.ann, fresh.public_id, kLeft);
  ProjectPatch finish;
  finish.state = "finished";
  pair.test.write([&](store::Transaction& tx) {
    return patch_project(pair.test.org(), tx, system_actor(), pair.project.public_id, finish);
  });
  EXPECT_EQ(error_from([&] { pair.undo(pair.ann, fresh.public_id); }).code(), ErrorCode::kConflict);
}

TEST(Skip, GivesTheTaskToOthersAndNeverAgainToTheSkipper) {
  Pair pair(1, 1);
  const Lease lease = pair.next(pair.ann);
  EXPECT_EQ(error_from([&] { pair.skip(pair.ann, lease.public_id, " "); }).code(),
            ErrorCode::kInvalidInput);
  pair.skip(pair.ann, lease.public_id, "Broken or unreadable");
  pair.skip(pair.ann, lease.public_id, "Broken or unreadable");
  EXPECT_EQ(pair.now().counts.skips, 1);
  EXPECT_EQ(pair.test.next(pair.ann, pair.project).reason, NextReason::kAllYoursDone);
  ASSERT_EQ(pair.test.next(pair.ben, pair.project).leases.size(), 1u);
}

TEST(Skip, CanBeTakenBackOrAnsweredOver) {
  Pair pair(1, 2);
  const Lease lease = pair.next(pair.ann);
  pair.skip(pair.ann, lease.public_id, "Other");
  pair.undo(pair.ann, lease.public_id);
  EXPECT_EQ(pair.now().counts.skips, 0);
  EXPECT_EQ(pair.next(pair.ann).public_id, lease.public_id);
  pair.skip(pair.ann, lease.public_id, "Other");
  EXPECT_EQ(pair.test.answer(pair.ann, lease.public_id, kLeft).status, "valid");
  EXPECT_EQ(pair.now().counts.skips, 0);
  EXPECT_EQ(error_from([&] { pair.skip(pair.ann, lease.public_id, "Other"); }).code(),
            ErrorCode::kConflict);
}

TEST(Draft, IsKeptUntilTheAnswerComes) {
  Pair pair(1, 1);
  const Lease lease = pair.next(pair.ann);
  const auto save = [&](const Json& draft) {
    pair.test.write([&](store::Transaction& tx) {
      save_draft(pair.test.org(), tx, pair.ann, lease.public_id, draft);
    });
  };
  save(Json::parse(R"({"rationale":"half a sen"})").value());
  save(Json::parse(R"({"rationale":"half a sentence"})").value());
  EXPECT_EQ(pair.view(pair.ann, lease.public_id).at("draft").at("rationale").as_string(),
            "half a sentence");
  EXPECT_EQ(error_from([&] { save(Json(std::string(kDraftBytesMax, 'x'))); }).code(),
            ErrorCode::kTooLarge);
  pair.test.answer(pair.ann, lease.public_id, kLeft);
  EXPECT_EQ(pair.view(pair.ann, lease.public_id).find("draft"), nullptr);
  EXPECT_EQ(error_from([&] { save(Json(1)); }).code(), ErrorCode::kConflict);
}

TEST(Flag, IsCountedAndBounded) {
  Pair pair(1, 1);
  const Lease lease = pair.next(pair.ann);
  const auto raise = [&] {
    return pair.test.write([&](store::Transaction& tx) {
      return flag(pair.test.org(), tx, pair.ann, lease.public_id, "private data", "a name");
    });
  };
  for (int i = 0; i < 5; ++i) EXPECT_EQ(raise().substr(0, 4), "flg_");
  EXPECT_EQ(error_from([&] { raise(); }).code(), ErrorCode::kConflict);
  EXPECT_EQ(pair.now().counts.flags, 5);
}

TEST(MyWorkOf, CountsWhatOnePersonDidAndSaysWhatCanBeUndone) {
  Pair pair(1, 5);
  for (int i = 0; i < 3; ++i) pair.test.answer(pair.ann, pair.next(pair.ann).public_id, kLeft);
  const MyWork work = pair.test.org().read(
      [&](store::Connection& db) { return my_work(pair.test.org(), db, pair.ann, pair.now()); });
  EXPECT_EQ(work.done, 3);
  EXPECT_EQ(work.done_today, 3);
  EXPECT_EQ(work.available, 2);
  ASSERT_EQ(work.recent.size(), 3u);
  EXPECT_EQ(work.recent[0].prompt, "question 3");
  EXPECT_TRUE(work.recent[0].can_undo);
}

// ---- Gold ----------------------------------------------------------------------------------------

struct GoldCase {
  TestOrganisation test;
  Project project;
  std::vector<std::string> gold;
  Actor ann;
  explicit GoldCase(bool show_result) {
    NewProject wanted;
    wanted.name = "with gold";
    wanted.task_type = "pairwise";
    wanted.gold_share = 0.5;
    wanted.show_gold_result = show_result;
    project = test.project(wanted);
    const auto tasks = test.add_tasks(project, 40);
    gold.assign(tasks.begin(), tasks.begin() + 10);
    for (const std::string& task : gold) {
      test.write([&](store::Transaction& tx) {
        mark_gold(test.org(), tx, system_actor(), task, Json::parse(R"({"winner":"left"})").value(),
                  "the first is right");
      });
    }
    ann = test.person("ann");
  }
};

TEST(Gold, IsGivenBesideTheQueueAndCountsForNoQuota) {
  GoldCase gold(false);
  EXPECT_EQ(gold.test.read_project(gold.project).counts.tasks, 30);
  int given = 0, on_gold = 0;
  for (;; ++given) {
    const auto next = gold.test.next(gold.ann, gold.project);
    if (next.leases.empty()) break;
    const Submitted submitted = gold.test.answer(gold.ann, next.leases[0].public_id, kLeft);
    EXPECT_EQ(submitted.status, "valid");
    EXPECT_FALSE(submitted.exam) << "nothing tells a gold task, not even afterwards";
    on_gold += static_cast<int>(gold.test.number("SELECT is_gold FROM task WHERE id = " +
                                                 std::to_string(next.leases[0].task)));
  }
  EXPECT_GE(given, 35);
  EXPECT_EQ(given - on_gold, 30);
  const Project project = gold.test.read_project(gold.project);
  EXPECT_EQ(project.counts.annotations, 30);
  EXPECT_EQ(project.counts.done, 30);
  EXPECT_TRUE(gold.test.recount(gold.project).empty());
  const auto scores =
      gold.test.org().read([&](store::Connection& db) { return gold_scores(db, project); });
  ASSERT_EQ(scores.size(), 1u);
  EXPECT_EQ(scores[0].of, on_gold);
  EXPECT_LT(scores[0].right, on_gold) << "left is the first response about half of the time";
  EXPECT_GT(scores[0].right, 0);
}

TEST(Gold, TellsTheResultWhenTheProjectWantsThatAndThenTheAnswerStays) {
  GoldCase gold(true);
  int told = 0;
  for (int i = 0; i < 20; ++i) {
    const Lease lease = gold.test.next(gold.ann, gold.project).leases.at(0);
    const Submitted submitted = gold.test.answer(gold.ann, lease.public_id, kLeft);
    const bool is_gold =
        gold.test.number("SELECT is_gold FROM task WHERE id = " + std::to_string(lease.task)) == 1;
    EXPECT_EQ(submitted.exam.has_value(), is_gold);
    if (!is_gold) continue;
    ++told;
    EXPECT_EQ(submitted.exam->correct, lease.shown_order == "0,1");
    EXPECT_EQ(submitted.exam->explanation, "the first is right");
    EXPECT_EQ(error_from([&] {
                gold.test.write([&](store::Transaction& tx) {
                  undo(gold.test.org(), tx, gold.ann, lease.public_id);
                });
              }).code(),
              ErrorCode::kConflict);
  }
  EXPECT_GT(told, 0);
}

TEST(Gold, ThatIsGoldNoMoreKeepsNoMoreValidAnswersThanItsQuota) {
  GoldCase gold(false);
  for (const char* name : {"ben", "eve", "joe", "kim"}) {
    const Actor actor = gold.test.person(name);
    for (int i = 0; i < 20; ++i) {
      const auto next = gold.test.next(actor, gold.project);
      if (next.leases.empty()) break;
      gold.test.answer(actor, next.leases[0].public_id, kLeft);
    }
  }
  for (const std::string& task : gold.gold) {
    gold.test.write(
        [&](store::Transaction& tx) { unmark_gold(gold.test.org(), tx, system_actor(), task); });
  }
  EXPECT_TRUE(gold.test.recount(gold.project).empty()) << gold.test.recount(gold.project)[0];
  EXPECT_EQ(gold.test.number("SELECT count(*) FROM task WHERE valid > wanted"), 0);
  EXPECT_GT(gold.test.number("SELECT surplus FROM project"), 0);
}

// Area under the ROC curve of "larger means gold".
double auc(const std::vector<std::pair<double, bool>>& scored) {
  double better = 0.0, pairs = 0.0;
  for (const auto& [gold_score, is_gold] : scored) {
    if (!is_gold) continue;
    for (const auto& [score, other_is_gold] : scored) {
      if (other_is_gold) continue;
      pairs += 1.0;
      better += gold_score > score ? 1.0 : gold_score == score ? 0.5 : 0.0;
    }
  }
  return better / pairs;
}

// What an annotator could look at: ids, when the lease began and ends, the length of what is shown.
TEST(Gold, CannotBeToldByIdTimeOrLength) {
  TestOrganisation test(3);
  NewProject wanted;
  wanted.name = "hidden gold";
  wanted.task_type = "pairwise";
  wanted.gold_share = 0.4;
  const Project project = test.project(wanted);
  test.add_tasks(test.pairwise(), 1000);  // so that all numbers in the texts have four digits
  const auto tasks = test.add_tasks(project, 4800);
  test.write([&](store::Transaction& tx) {
    for (size_t i = 0; i < tasks.size(); i += 3) {
      mark_gold(test.org(), tx, system_actor(), tasks[i],
                Json::parse(R"({"winner":"left"})").value(), "");
    }
  });
  const Actor ann = test.person("ann");
  std::vector<std::vector<std::pair<double, bool>>> features(5);
  for (int i = 0; i < 2400; ++i) {
    test.env.advance_ms(1000);
    const Lease lease = test.next(ann, project).leases.at(0);
    const bool is_gold =
        test.number("SELECT is_gold FROM task WHERE id = " + std::to_string(lease.task)) == 1;
    const Json view = test.org().read(
        [&](store::Connection& db) { return assignment_json(test.org(), db, lease); });
    const auto first_letters = [](const std::string& id) {
      return static_cast<double>(id[4]) * 256.0 + static_cast<double>(id[5]);
    };
    features[0].emplace_back(first_letters(lease.public_id), is_gold);
    features[1].emplace_back(static_cast<double>(lease.leased_at_ms), is_gold);
    features[2].emplace_back(static_cast<double>(lease.expires_at_ms - lease.leased_at_ms),
                             is_gold);
    features[3].emplace_back(static_cast<double>(view.dump().size()), is_gold);
    features[4].emplace_back(lease.shown_order == "0,1" ? 1.0 : 0.0, is_gold);
    test.write(
        [&](store::Transaction& tx) { skip(test.org(), tx, ann, lease.public_id, "Other", ""); });
  }
  for (size_t i = 0; i < features.size(); ++i) {
    // Its standard error by chance is 0.012.
    EXPECT_NEAR(auc(features[i]), 0.5, 0.05) << "feature " << i;
  }
}

// ---- Adaptive overlap ----------------------------------------------------------------------------

TEST(Adaptive, StopsWhenTheLabelsAgreeAndAsksOnWhenTheyDoNot) {
  TestOrganisation test;
  NewProject wanted;
  wanted.name = "adaptive";
  wanted.task_type = "pairwise";
  wanted.overlap = 2;
  wanted.overlap_max = 4;
  wanted.stop_probability = 0.8;
  const Project project = test.project(wanted);
  test.add_tasks(project, 2);
  std::vector<Actor> people;
  for (const char* name : {"a", "b", "c", "d", "e"}) people.push_back(test.person(name));
  // Task 1: two that agree. Task 2: first, second, tie, both bad.
  const char* said[] = {"rsp_a2", "rsp_b2", "tie", "both_bad"};
  for (int i = 0; i < 2; ++i) {
    const auto lease = test.next(people[static_cast<size_t>(i)], project).leases.at(0);
    test.answer(people[static_cast<size_t>(i)], lease.public_id, R"({"winner":"rsp_a1"})");
  }
  EXPECT_EQ(test.text("SELECT state FROM task WHERE public_id = 'tsk_1'"), "done");
  for (size_t i = 0; i < 4; ++i) {
    const auto next = test.next(people[i], project);
    ASSERT_EQ(next.leases.size(), 1u) << i;
    test.answer(people[i], next.leases[0].public_id,
                std::string(R"({"winner":")") + said[i] + "\"}");
  }
  EXPECT_EQ(test.text("SELECT state FROM task WHERE public_id = 'tsk_2'"), "undecided");
  EXPECT_EQ(test.number("SELECT wanted FROM task WHERE public_id = 'tsk_2'"), 4);
  EXPECT_TRUE(test.next(people[4], project).leases.empty());
  EXPECT_TRUE(test.recount(project).empty());
}

TEST(Adaptive, NeedsAQuestionThatCanBeCounted) {
  TestOrganisation test;
  NewProject wanted;
  wanted.name = "texts";
  wanted.task_type = "text";
  wanted.overlap_max = 3;
  EXPECT_EQ(error_from([&] { test.project(wanted); }).code(), ErrorCode::kInvalidInput);
}

// Five careful people and a contrary one: after a refit the contrary one's word counts against him.
TEST(Adaptive, LearnsWhomToBelieve) {
  TestOrganisation test;
  const Project project = test.pairwise(6);
  test.add_tasks(project, 30);
  for (const char* name : {"a", "b", "c", "d", "e", "liar"}) {
    const Actor actor = test.person(name);
    for (int i = 0; i < 30; ++i) {
      const Lease lease = test.next(actor, project).leases.at(0);
      const bool first = (lease.task % 2 == 0) != (std::string(name) == "liar");
      test.answer(actor, lease.public_id, (first == (lease.shown_order == "0,1")) ? kLeft : kRight);
    }
  }
  test.add_tasks(project, 1);
  const Actor liar = test.person("liar");
  test.answer(liar, test.next(liar, project).leases.at(0).public_id, R"({"winner":"rsp_a31"})");
  const int64_t task = test.number("SELECT id FROM task WHERE public_id = 'tsk_31'");
  const auto first_probability = [&] {
    return test.org().read([&](store::Connection& db) {
      return test.org().live().posterior(db, project.id, built_in_schema("pairwise"), task)[0][0];
    });
  };
  EXPECT_GT(first_probability(), 0.5);
  test.org().live().refit_now(project.id);
  EXPECT_LT(first_probability(), 0.3);
}

}  // namespace
}  // namespace hone::label
