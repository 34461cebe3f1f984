#include "store/job_queue.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "store/testing.h"

namespace hone::store {
namespace {

constexpr int64_t kLease = 1000;

class JobQueueTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string schema = real_env().read_file("migrations/sqlite/control/0002_jobs.sql", 1 << 20);
    database_->write(Durability::kDisk, [&](Transaction& tx) { tx.run_script(schema); });
  }
  template <class F>
  auto write(F f) {
    return database_->write(Durability::kProcess, f);
  }
  NewJob import(std::string id) {
    NewJob job;
    job.public_id = std::move(id);
    job.kind = "import";
    job.organisation = "org_a";
    job.payload["file"] = "rows.jsonl";
    job.created_by = "usr_ada";
    return job;
  }
  Enqueued add(const NewJob& job, int64_t now_ms = 0) {
    return write([&](Transaction& tx) { return enqueue_job(tx, job, now_ms); });
  }
  std::optional<Job> claim(std::string worker, int64_t now_ms,
                           std::vector<std::string> kinds = {}) {
    return write([&](Transaction& tx) { return claim_job(tx, worker, kinds, kLease, now_ms); });
  }
  JobStanding heartbeat(std::string id, std::string worker, int64_t now_ms) {
    return write([&](Transaction& tx) { return heartbeat_job(tx, id, worker, kLease, now_ms); });
  }
  int64_t adopt(int64_t now_ms) {
    return write([&](Transaction& tx) { return adopt_abandoned_jobs(tx, now_ms); });
  }
  Job get(std::string id) {
    return *database_->read([&](Connection& db) { return get_job(db, id); });
  }

  TestFolder folder_;
  std::unique_ptr<Database> database_ = open_test_database(folder_);
};

TEST_F(JobQueueTest, AJobRunsFromTheQueueToItsEnd) {
  EXPECT_TRUE(add(import("job_1"), 5).is_new);
  EXPECT_EQ(get("job_1").state, JobState::kQueued);
  Job job = *claim("server", 10);
  EXPECT_EQ(job.public_id, "job_1");
  EXPECT_EQ(job.payload.at("file").as_string(), "rows.jsonl");
  EXPECT_EQ(job.attempts, 1);
  EXPECT_EQ(job.started_at_ms, 10);
  EXPECT_EQ(claim("server", 11), std::nullopt) << "one worker a job";
  JobProgress half{0.5, "half of it", Json::parse(R"({"bytes": 70})").value()};
  EXPECT_TRUE(write([&](Transaction& tx) {
                return report_job(tx, "job_1", "server", half, kLease, 12);
              }).is_mine);
  EXPECT_EQ(get("job_1").fraction, 0.5);
  EXPECT_EQ(get("job_1").progress_text, "half of it");
  EXPECT_TRUE(write([&](Transaction& tx) {
    return finish_job(tx, "job_1", "server", Json::parse(R"({"rows": 3})").value(), 20);
  }));
  job = get("job_1");
  EXPECT_EQ(job.state, JobState::kDone);
  EXPECT_EQ(job.fraction, 1);
  EXPECT_EQ(job.result.at("rows").as_int(), 3);
  EXPECT_EQ(job.finished_at_ms, 20);
  EXPECT_FALSE(write([&](Transaction& tx) { return finish_job(tx, "job_1", "server", {}, 21); }));
}

TEST_F(JobQueueTest, OfOneUniqueKeyOneJobIsUnfinished) {
  NewJob first = import("job_1"), second = import("job_2"), other = import("job_3");
  first.unique_key = second.unique_key = other.unique_key = "prj_x";
  other.organisation = "org_b";
  add(first);
  Enqueued again = add(second);
  EXPECT_FALSE(again.is_new);
  EXPECT_EQ(again.public_id, "job_1");
  EXPECT_TRUE(add(other).is_new) << "another organisation's key is another key";
  claim("server", 1);
  EXPECT_FALSE(add(second).is_new) << "running is unfinished";
  write([&](Transaction& tx) { return finish_job(tx, "job_1", "server", {}, 2); });
  EXPECT_TRUE(add(second).is_new);
}

TEST_F(JobQueueTest, JobsAreClaimedByPriorityThenAgeAndOnlyWhenDueAndOfTheKind) {
  NewJob urgent = import("job_3"), later = import("job_4"), other = import("job_5");
  urgent.priority = 1;
  later.not_before_ms = 100;
  later.priority = 9;
  other.kind = "train";
  add(import("job_1"));
  add(import("job_2"));
  add(urgent);
  add(later);
  add(other);
  EXPECT_EQ(claim("s", 1, {"train", "export"})->public_id, "job_5");
  EXPECT_EQ(claim("s", 1, {"train", "export"}), std::nullopt);
  EXPECT_EQ(claim("s", 1)->public_id, "job_3");
  EXPECT_EQ(claim("s", 1)->public_id, "job_1");
  EXPECT_EQ(claim("s", 100)->public_id, "job_4");
  EXPECT_EQ(claim("s", 100)->public_id, "job_2");
}

TEST_F(JobQueueTest, AWorkerThatDiedLosesItsJobAndTheNextGoesOnFromItsProgress) {
  add(import("job_1"));
  claim("first", 0);
  JobProgress progress{0.25, "a quarter", Json::parse(R"({"bytes": 70})").value()};
  write([&](Transaction& tx) { return report_job(tx, "job_1", "first", progress, kLease, 500); });
  EXPECT_EQ(adopt(1499), 0) << "the report was a heartbeat";
  EXPECT_EQ(adopt(1500), 1);
  Job job = *claim("second", 1600);
  EXPECT_EQ(job.attempts, 2);
  EXPECT_EQ(job.progress.at("bytes").as_int(), 70);
  // The first was only slow: it learns that the job is another's and changes nothing.
  EXPECT_FALSE(heartbeat("job_1", "first", 1700).is_mine);
  EXPECT_FALSE(write([&](Transaction& tx) { return finish_job(tx, "job_1", "first", {}, 1700); }));
  EXPECT_FALSE(write([&](Transaction& tx) {
    return fail_job(tx, "job_1", "first", not_found("x"), std::nullopt, 1700);
  }));
  EXPECT_TRUE(heartbeat("job_1", "second", 1700).is_mine);
  EXPECT_EQ(get("job_1").state, JobState::kRunning);
}

TEST_F(JobQueueTest, AJobThatKeepsDyingIsFailedAfterItsAttempts) {
  NewJob job = import("job_1");
  job.attempts_max = 2;
  add(job);
  claim("s", 0);
  EXPECT_EQ(adopt(1000), 1);
  EXPECT_EQ(get("job_1").state, JobState::kQueued);
  claim("s", 2000);
  EXPECT_EQ(adopt(3000), 1);
  Job dead = get("job_1");
  EXPECT_EQ(dead.state, JobState::kFailed);
  EXPECT_NE(dead.error.find("2 times"), std::string::npos);
  EXPECT_EQ(claim("s", 4000), std::nullopt);
}

TEST_F(JobQueueTest, AServerThatStartsAdoptsEveryJobOfOthersAtOnce) {
  add(import("job_1"));
  add(import("job_2"));
  claim("before", 0);
  claim("now", 0);
  EXPECT_EQ(write([](Transaction& tx) { return adopt_jobs_of_others(tx, "now", 1); }), 1);
  EXPECT_EQ(get("job_1").state, JobState::kQueued);
  EXPECT_EQ(get("job_2").state, JobState::kRunning);
}

TEST_F(JobQueueTest, AFailureIsRetriedOnlyWhenAskedAndOnlySoOften) {
  NewJob job = import("job_1");
  job.attempts_max = 2;
  add(job);
  auto fail = [&](std::optional<int64_t> retry_at_ms, int64_t now_ms) {
    return write([&](Transaction& tx) {
      return fail_job(tx, "job_1", "s", Error(ErrorCode::kUnavailable, "the disk is full"),
                      retry_at_ms, now_ms);
    });
  };
  claim("s", 0);
  EXPECT_TRUE(fail(500, 10));
  EXPECT_EQ(get("job_1").state, JobState::kQueued);
  EXPECT_EQ(get("job_1").error, "the disk is full");
  EXPECT_EQ(claim("s", 499), std::nullopt);
  EXPECT_EQ(claim("s", 500)->attempts, 2);
  EXPECT_TRUE(fail(900, 600));
  EXPECT_EQ(get("job_1").state, JobState::kFailed);
  EXPECT_EQ(get("job_1").error_code, "unavailable");
  add(import("job_2"));
  claim("s", 1000);
  EXPECT_TRUE(write([](Transaction& tx) {
    return fail_job(tx, "job_2", "s", invalid_input("no such column"), std::nullopt, 1001);
  }));
  EXPECT_EQ(get("job_2").state, JobState::kFailed);
}

TEST_F(JobQueueTest, CancellingEndsAQueuedJobAndAsksARunningOne) {
  add(import("job_1"));
  add(import("job_2"));
  auto cancel = [&](std::string id, int64_t now_ms) {
    return write([&](Transaction& tx) { return cancel_job(tx, id, now_ms); });
  };
  EXPECT_EQ(cancel("job_1", 1), JobState::kCancelled);
  EXPECT_EQ(claim("s", 2)->public_id, "job_2");
  EXPECT_FALSE(heartbeat("job_2", "s", 3).cancel_requested);
  EXPECT_EQ(cancel("job_2", 4), JobState::kRunning);
  EXPECT_TRUE(heartbeat("job_2", "s", 5).cancel_requested);
  EXPECT_TRUE(write([](Transaction& tx) { return end_cancelled_job(tx, "job_2", "s", 6); }));
  EXPECT_EQ(cancel("job_2", 7), JobState::kCancelled);
  EXPECT_EQ(code_from([&] { cancel("job_9", 8); }), ErrorCode::kNotFound);
  // A job that was asked to stop and died is not started again.
  add(import("job_3"));
  claim("s", 10);
  cancel("job_3", 11);
  EXPECT_EQ(adopt(2000), 1);
  EXPECT_EQ(get("job_3").state, JobState::kCancelled);
}

TEST_F(JobQueueTest, PagesGoFromTheNewestAndStayWithinTheOrganisation) {
  for (int i = 0; i < 5; ++i) add(import("job_" + std::to_string(i)));
  NewJob foreign = import("job_foreign");
  foreign.organisation = "org_b";
  add(foreign);
  JobPage page;
  page.organisation = "org_a";
  page.limit = 3;
  auto list = [&] { return database_->read([&](Connection& db) { return list_jobs(db, page); }); };
  auto first = list();
  ASSERT_EQ(first.size(), 3u);
  EXPECT_EQ(first[0].public_id, "job_4");
  page.before_id = first.back().id;
  auto second = list();
  ASSERT_EQ(second.size(), 2u);
  EXPECT_EQ(second[1].public_id, "job_0");
  page.before_id.reset();
  page.state = JobState::kRunning;
  EXPECT_EQ(list().size(), 0u);
  claim("s", 1);
  EXPECT_EQ(list().size(), 1u);
  page.kind = "train";
  EXPECT_EQ(list().size(), 0u);
}

TEST_F(JobQueueTest, WhatIsTooLargeOrTooManyIsRefused) {
  NewJob large = import("job_large");
  large.payload["text"] = std::string(kJobJsonBytesMax, 'x');
  EXPECT_EQ(code_from([&] { add(large); }), ErrorCode::kTooLarge);
  write([&](Transaction& tx) {
    for (int64_t i = 0; i < kJobsWaitingMax; ++i) {
      enqueue_job(tx, import("job_" + std::to_string(i)), 0);
    }
  });
  EXPECT_EQ(code_from([&] { add(import("job_more")); }), ErrorCode::kBusy);
  claim("s", 1);
  JobProgress wordy{7.0, std::string(998, 'x') + "äöü", std::nullopt};
  write([&](Transaction& tx) { return report_job(tx, "job_0", "s", wordy, kLease, 2); });
  Job job = get("job_0");
  EXPECT_EQ(job.fraction, 1.0);
  EXPECT_EQ(job.progress_text, std::string(998, 'x') + "ä…");
  EXPECT_EQ(code_from([] { job_state_of("asleep"); }), ErrorCode::kInvalidInput);
}

TEST_F(JobQueueTest, EndedJobsArePrunedAndOthersStay) {
  add(import("job_1"));
  add(import("job_2"));
  claim("s", 0);
  write([](Transaction& tx) { return finish_job(tx, "job_1", "s", {}, 50); });
  EXPECT_EQ(write([](Transaction& tx) { return prune_jobs(tx, 50); }), 0);
  EXPECT_EQ(write([](Transaction& tx) { return prune_jobs(tx, 51); }), 1);
  EXPECT_EQ(get("job_2").state, JobState::kQueued);
}

TEST_F(JobQueueTest, ManyWorkersClaimEveryJobOnce) {
  for (int i = 0; i < 60; ++i) add(import("job_" + std::to_string(i)));
  std::vector<std::vector<std::string>> taken(6);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < taken.size(); ++t) {
    threads.emplace_back([&, t] {
      while (auto job = claim("worker_" + std::to_string(t), 1)) taken[t].push_back(job->public_id);
    });
  }
  for (auto& thread : threads) thread.join();
  std::set<std::string> all;
  size_t count = 0;
  for (const auto& some : taken) {
    all.insert(some.begin(), some.end());
    count += some.size();
  }
  EXPECT_EQ(count, 60u);
  EXPECT_EQ(all.size(), 60u);
}

}  // namespace
}  // namespace hone::store
