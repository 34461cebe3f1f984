#include "label/tasks.h"

#include "label/events.h"
#include "label/testing.h"

namespace hone::label {
namespace {

struct Tasks {
  TestOrganisation test;
  Project project;
  std::vector<std::string> ids;
  Actor ann;
  explicit Tasks(int64_t count, int64_t overlap = 1) {
    project = test.pairwise(overlap);
    ids = test.add_tasks(project, count);
    ann = test.person("ann");
  }
  TaskPage list(const TaskFilter& filter) {
    return list_tasks(test.org(), test.read_project(project), filter);
  }
  void answer_one(const std::string& json) {
    test.answer(ann, test.next(ann, project).leases.at(0).public_id, json);
  }
  void patch(const std::string& task, const TaskPatch& change) {
    test.write(
        [&](store::Transaction& tx) { patch_task(test.org(), tx, system_actor(), task, change); });
  }
};

TEST(TaskList, PagesByKeyMeetEveryTaskOnceNewestFirst) {
  Tasks tasks(25);
  TaskFilter filter;
  filter.limit = 10;
  std::vector<std::string> seen;
  for (int page = 0; page < 3; ++page) {
    const TaskPage list = tasks.list(filter);
    for (const TaskItem& item : list.items) seen.push_back(item.public_id);
    EXPECT_EQ(list.next.empty(), page == 2);
    filter.after = list.next;
  }
  std::reverse(seen.begin(), seen.end());
  EXPECT_EQ(seen, tasks.ids);
  filter.after = "no cursor";
  EXPECT_EQ(error_from([&] { tasks.list(filter); }).code(), ErrorCode::kInvalidInput);
}

TEST(TaskList, FiltersAndSaysWhatIsAnsweredAndHowSure) {
  Tasks tasks(5);
  tasks.answer_one(R"({"winner":"rsp_a1"})");
  TaskFilter filter;
  filter.state = "done";
  const TaskPage done = tasks.list(filter);
  ASSERT_EQ(done.items.size(), 1u);
  EXPECT_EQ(done.items[0].answer, "first");
  EXPECT_EQ(done.items[0].answer_words, "the first response");
  EXPECT_NEAR(*done.items[0].probability, 4.0 / 7.0, 1e-6);
  filter.state = "open";
  EXPECT_EQ(tasks.list(filter).items.size(), 4u);
  EXPECT_FALSE(tasks.list(filter).items[0].probability);
}

TEST(TaskList, SearchesTextsNotTheirNames) {
  Tasks tasks(12);
  TaskFilter filter;
  filter.q = "QUESTION 12";
  ASSERT_EQ(tasks.list(filter).items.size(), 1u);
  filter.q = "two 3";
  EXPECT_EQ(tasks.list(filter).items.size(), 1u);
  filter.q = "response_id";
  EXPECT_TRUE(tasks.list(filter).items.empty());
  filter.q = tasks.ids[4];
  EXPECT_EQ(tasks.list(filter).items.size(), 1u);
}

TEST(TaskList, FlaggedOnesAreFoundAndResolved) {
  Tasks tasks(6);
  const Lease lease = tasks.test.next(tasks.ann, tasks.project).leases.at(0);
  const std::string flag_id = tasks.test.write([&](store::Transaction& tx) {
    return flag(tasks.test.org(), tx, tasks.ann, lease.public_id, "broken", "");
  });
  TaskFilter filter;
  filter.flagged = true;
  ASSERT_EQ(tasks.list(filter).items.size(), 1u);
  EXPECT_EQ(tasks.list(filter).items[0].public_id, tasks.ids[0]);
  filter.flagged = false;
  EXPECT_EQ(tasks.list(filter).items.size(), 5u);
  for (int i = 0; i < 2; ++i) {
    tasks.test.write([&](store::Transaction& tx) {
      resolve_flag(tasks.test.org(), tx, system_actor(), flag_id);
    });
  }
  EXPECT_EQ(tasks.test.read_project(tasks.project).counts.flags, 0);
  filter.flagged = true;
  EXPECT_TRUE(tasks.list(filter).items.empty());
}

TEST(TaskList, SortsByCertaintyAndByDispute) {
  Tasks tasks(3, 2);
  const Actor ben = tasks.test.person("ben");
  const char* of_ann[] = {"rsp_a1", "rsp_a2", "rsp_a3"};
  const char* of_ben[] = {"rsp_a1", "rsp_b2", "rsp_a3"};
  for (int i = 0; i < 3; ++i) {
    for (const auto& [actor, said] : {std::pair(tasks.ann, of_ann[i]), std::pair(ben, of_ben[i])}) {
      tasks.test.answer(actor, tasks.test.next(actor, tasks.project).leases.at(0).public_id,
                        std::string(R"({"winner":")") + said + "\"}");
    }
  }
  for (const TaskSort sort : {TaskSort::kCertainty, TaskSort::kDisagreement}) {
    TaskFilter filter;
    filter.sort = sort;
    filter.limit = 1;
    const TaskPage page = tasks.list(filter);
    ASSERT_EQ(page.items.size(), 1u);
    EXPECT_EQ(page.items[0].public_id, tasks.ids[1]);
    EXPECT_FALSE(page.next.empty());
  }
}

TEST(TaskDetailOf, HasTheAnswersAndThePosterior) {
  Tasks tasks(1);
  tasks.answer_one(R"({"winner":"rsp_b1"})");
  const TaskDetail detail = tasks.test.org().read(
      [&](store::Connection& db) { return get_task(tasks.test.org(), db, tasks.ids[0]); });
  ASSERT_EQ(detail.annotations.size(), 1u);
  EXPECT_EQ(detail.annotations[0].name, "ann");
  EXPECT_NE(detail.annotations[0].pseudonym, "ann");
  EXPECT_EQ(detail.annotations[0].answer.at("winner").as_string(), "rsp_b1");
  ASSERT_EQ(detail.posterior.size(), 1u);
  EXPECT_EQ(detail.posterior[0][1].first, "second");
  EXPECT_EQ(detail.body.at("prompt").as_string(), "question 1");
  EXPECT_EQ(error_from([&] {
              tasks.test.org().read([&](store::Connection& db) {
                return get_task(tasks.test.org(), db, "tsk_none");
              });
            }).code(),
            ErrorCode::kNotFound);
}

TEST(TaskPatchOf, PriorityMovesATaskToTheFrontEvenBehindAMark) {
  Tasks tasks(5);
  tasks.answer_one(R"({"winner":"left"})");
  TaskPatch raise;
  raise.priority = 50;
  tasks.patch(tasks.ids[3], raise);
  const Lease lease = tasks.test.next(tasks.ann, tasks.project).leases.at(0);
  EXPECT_EQ(tasks.test.text("SELECT public_id FROM task WHERE id = " + std::to_string(lease.task)),
            tasks.ids[3]);
  raise.priority = 101;
  EXPECT_EQ(error_from([&] { tasks.patch(tasks.ids[3], raise); }).code(), ErrorCode::kInvalidInput);
}

TEST(TaskPatchOf, ACancelledTaskIsGivenToNobodyAndItsLateAnswerIsSurplus) {
  Tasks tasks(1);
  const Lease lease = tasks.test.next(tasks.ann, tasks.project).leases.at(0);
  TaskPatch cancel;
  cancel.state = "cancelled";
  tasks.patch(tasks.ids[0], cancel);
  EXPECT_EQ(tasks.test.read_project(tasks.project).counts.tasks, 0);
  EXPECT_EQ(tasks.test.answer(tasks.ann, lease.public_id, R"({"winner":"left"})").status,
            "surplus");
  const Actor ben = tasks.test.person("ben");
  EXPECT_TRUE(tasks.test.next(ben, tasks.project).leases.empty());
  TaskPatch open;
  open.state = "open";
  tasks.patch(tasks.ids[0], open);
  EXPECT_EQ(tasks.test.next(ben, tasks.project).leases.size(), 1u);
  EXPECT_TRUE(tasks.test.recount(tasks.project).empty());
  open.state = "done";
  EXPECT_EQ(error_from([&] { tasks.patch(tasks.ids[0], open); }).code(), ErrorCode::kInvalidInput);
}

TEST(TaskPatchOf, OpeningADoneTaskAsksOnePersonMore) {
  Tasks tasks(1);
  tasks.answer_one(R"({"winner":"left"})");
  TaskPatch open;
  open.state = "open";
  tasks.patch(tasks.ids[0], open);
  EXPECT_TRUE(tasks.test.next(tasks.ann, tasks.project).leases.empty());
  const Actor ben = tasks.test.person("ben");
  EXPECT_EQ(tasks.test.next(ben, tasks.project).leases.size(), 1u);
  EXPECT_TRUE(tasks.test.recount(tasks.project).empty());
}

}  // namespace
}  // namespace hone::label
