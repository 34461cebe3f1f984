#include "label/task_moves.h"
#include "label/task_rows.h"
#include "label/tasks.h"
#include "label/testing.h"

namespace hone::label {
namespace {

NewTask task_of(const std::string& public_id, const std::string& digest) {
  NewTask task;
  task.public_id = public_id;
  task.content_digest = digest;
  task.group_digest = digest;
  task.body = R"({"prompt":")" + public_id + R"(","responses":[]})";
  return task;
}

InsertedTasks insert(TestOrganisation& test, const Project& project,
                     const std::vector<NewTask>& tasks) {
  return test.write([&](store::Transaction& tx) {
    return insert_tasks(tx, task_defaults(tx, project.id), tasks, std::nullopt, "system", 1);
  });
}

// The indexes hold the first bytes of digests and ids only: whatever shares them is told apart.
TEST(TasksThatBeginAlike, AreTwoByTheirContentAndTheSameContentIsOne) {
  TestOrganisation test;
  const Project project = test.pairwise(), other = test.pairwise();
  const std::string digest = "0123456789abcdef", alike = "0123456789abcdeX";
  const auto first =
      insert(test, project, {task_of("tsk_aaaaa1", digest), task_of("tsk_b", alike)});
  EXPECT_EQ(first.created, 2);
  const auto again = insert(test, project, {task_of("tsk_c", alike), task_of("tsk_d", digest)});
  EXPECT_EQ(again.created, 0);
  EXPECT_EQ(again.duplicates, 2);
  // Twice in one call, too; another project has its own.
  const auto twice = insert(test, other, {task_of("tsk_e", digest), task_of("tsk_f", digest)});
  EXPECT_EQ(twice.created, 1);
  EXPECT_EQ(twice.task_ids, (std::vector<int64_t>{3, 0}));
}

TEST(TasksThatBeginAlike, AreFoundEachByItsPublicId) {
  TestOrganisation test;
  const Project project = test.pairwise();
  insert(test, project,
         {task_of("tsk_aaaaa1", "0123456789abcdef"), task_of("tsk_aaaaa2", "1123456789abcdef")});
  test.org().read([&](store::Connection& db) {
    EXPECT_EQ(get_task_row(db, "tsk_aaaaa1").id, 1);
    EXPECT_EQ(get_task_row(db, "tsk_aaaaa2").id, 2);
    EXPECT_EQ(get_task(test.org(), db, "tsk_aaaaa2").item.public_id, "tsk_aaaaa2");
    EXPECT_EQ(error_from([&] { get_task_row(db, "tsk_aaaaa3"); }).code(), ErrorCode::kNotFound);
    EXPECT_EQ(error_from([&] { get_task_row(db, ""); }).code(), ErrorCode::kNotFound);
    return true;
  });
}

}  // namespace
}  // namespace hone::label
