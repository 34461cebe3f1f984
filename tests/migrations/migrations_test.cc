// What hone_embed puts into a program, and that the migrations which it carries apply.
#include <gtest/gtest.h>

#include <span>
#include <string>

#include "base/embedded_file.h"
#include "store/migrate.h"
#include "store/testing.h"

namespace hone::embedded {
std::span<const EmbeddedFile> test_control_migrations();
std::span<const EmbeddedFile> test_organisation_migrations();
std::span<const EmbeddedFile> test_texts();
std::span<const EmbeddedFile> test_folder();
}  // namespace hone::embedded

namespace hone::store {
namespace {

void apply_all(std::span<const EmbeddedFile> files) {
  TestFolder folder;
  auto database = open_test_database(folder);
  auto migrations = migrations_of(files);
  ASSERT_GT(migrations.size(), 0u);
  EXPECT_EQ(migrate(*database, migrations, 1), migrations.size());
  EXPECT_EQ(migrate(*database, migrations, 2), 0u);
}

TEST(Migrations, ThoseOfTheControlDatabaseApplyToAnEmptyFile) {
  apply_all(embedded::test_control_migrations());
}

TEST(Migrations, ThoseOfAnOrganisationApplyToAnEmptyFile) {
  apply_all(embedded::test_organisation_migrations());
}

// A folder of the first form: a task with a label, and everything else that refers to a task.
constexpr const char* kRowsOfTheFirstForm = R"(
INSERT INTO member (id, person_id, name, pseudonym, created_at_ms) VALUES (1, 'usr_a', 'a', 'p', 1);
INSERT INTO project (id, public_id, name, task_type, state, schema_version, guideline_version, overlap,
  overlap_max, stop_probability, lease_seconds, created_by, created_at_ms)
  VALUES (1, 'prj_a', 'n', 'pairwise', 'open', 1, 1, 2, 2, 0.95, 900, 'usr_a', 1);
INSERT INTO task (id, public_id, project_id, content_digest, group_digest, state, slots, wanted, valid,
  split, created_at_ms) VALUES (7, 'tsk_aaaaa', 1, x'0102030405', x'02', 'open', 1, 2, 1, 'train', 5),
  (9, 'tsk_bbbbb', 1, x'0102030406', x'02', 'open', 2, 2, 0, '', 6);
INSERT INTO task_body (task_id, body) VALUES (7, '{}'), (9, '{}');
INSERT INTO gold (task_id, answer, created_by, created_at_ms) VALUES (9, '{}', 'usr_a', 1);
INSERT INTO assignment (id, public_id, project_id, task_id, member_id, state, shown_order,
  guideline_version, schema_version, leased_at_ms, expires_at_ms)
  VALUES (1, 'asn_a', 1, 7, 1, 'submitted', '0,1', 1, 1, 1, 1);
INSERT INTO annotation (id, public_id, project_id, task_id, member_id, assignment_id, revision, status,
  shown_order, guideline_version, schema_version, created_at_ms)
  VALUES (1, 'ann_a', 1, 7, 1, 1, 1, 'valid', '0,1', 1, 1, 1);
INSERT INTO flag (id, public_id, project_id, task_id, member_id, reason, created_at_ms, resolved_at_ms)
  VALUES (1, 'flg_a', 1, 7, 1, 'r', 1, 2);
)";

TEST(Migrations, AFolderOfTheFirstFormKeepsItsTasksAndAllThatRefersToThem) {
  TestFolder folder;
  auto database = open_test_database(folder);
  const auto migrations = migrations_of(embedded::test_organisation_migrations());
  migrate(*database, std::span(migrations).first(1), 1);
  database->write(Durability::kDisk, [](Transaction& tx) { tx.run_script(kRowsOfTheFirstForm); });
  EXPECT_EQ(migrate(*database, migrations, 2), migrations.size() - 1);
  database->read([](Connection& db) {
    EXPECT_FALSE(db.query("PRAGMA foreign_key_check").next());
    EXPECT_EQ(db.query_text("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(
        db.query_text("SELECT group_concat(id || public_id || slots || wanted || valid || split"
                      " || created_at_ms || stage) FROM task"),
        "7tsk_aaaaa121train5attempt,9tsk_bbbbb2206attempt");
    EXPECT_EQ(db.query_int64("SELECT count(*) FROM sqlite_schema WHERE name = 'task_before'"
                             " OR name = 'flag_of_task'"),
              0);
    return true;
  });
  // What refers to a task is held to it as before.
  EXPECT_EQ(code_from([&] {
              database->write(Durability::kDisk, [](Transaction& tx) {
                tx.execute("INSERT INTO task_body (task_id, body) VALUES (8, '{}')");
              });
            }),
            ErrorCode::kConflict);
}

TEST(Embedding, AFileHasItsNameItsBytesAndItsDigest) {
  auto files = embedded::test_organisation_migrations();
  ASSERT_GE(files.size(), 1u);
  EXPECT_EQ(files[0].name, "0001_labels.sql");
  EXPECT_EQ(files[0].bytes,
            real_env().read_file("migrations/sqlite/organisation/0001_labels.sql", 1 << 20));
  EXPECT_EQ(files[0].sha256.size(), 64u);
  EXPECT_FALSE(files[0].is_gzip);
}

TEST(Embedding, GzipIsKeptWhereItIsSmaller) {
  auto files = embedded::test_texts();
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].name, "LICENSE");
  EXPECT_TRUE(files[0].is_gzip);
  EXPECT_EQ(files[0].bytes.substr(0, 2), "\x1f\x8b");
  EXPECT_LT(files[0].bytes.size(), real_env().file_size("LICENSE"));
  EXPECT_EQ(files[1].name, "tests/migrations/one_byte.txt");
  EXPECT_FALSE(files[1].is_gzip);
  EXPECT_EQ(files[1].bytes, "x");
  EXPECT_EQ(files[1].sha256, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
}

TEST(Embedding, AFolderIsTakenWholeWhenNoFilesAreNamed) {
  auto files = embedded::test_folder();
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0].name, "CMakeLists.txt");
  EXPECT_EQ(files[2].name, "one_byte.txt");
}

}  // namespace
}  // namespace hone::store
