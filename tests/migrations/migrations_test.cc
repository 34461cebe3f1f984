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
