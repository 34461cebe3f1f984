#include "seal/secret_box.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "base/error.h"

namespace hone::seal {
namespace {

class KeyFolder : public ::testing::Test {
 protected:
  KeyFolder() {
    folder_ = std::filesystem::temp_directory_path() / ("hone_box_" + new_token(real_env()));
    std::filesystem::create_directories(folder_);
  }
  ~KeyFolder() override { std::filesystem::remove_all(folder_); }
  std::string path(const char* name) const { return (folder_ / name).string(); }
  std::filesystem::path folder_;
};

TEST_F(KeyFolder, WhatIsSealedOpensUnderTheSameKeyFileAndContextOnly) {
  const SecretBox box = SecretBox::open(real_env(), path("key"));
  const std::string sealed = box.seal(real_env(), "ada@example.org", "email:usr_a");
  EXPECT_EQ(sealed.find("ada"), std::string::npos);
  EXPECT_EQ(box.unseal(sealed, "email:usr_a"), "ada@example.org");
  EXPECT_EQ(SecretBox::open(real_env(), path("key")).unseal(sealed, "email:usr_a"),
            "ada@example.org");
  EXPECT_EQ(box.unseal(sealed, "email:usr_b"), std::nullopt);
  EXPECT_EQ(SecretBox::open(real_env(), path("other")).unseal(sealed, "email:usr_a"), std::nullopt);
}

TEST_F(KeyFolder, AChangedOrCutBoxDoesNotOpen) {
  const SecretBox box = SecretBox::open(real_env(), path("key"));
  const std::string sealed = box.seal(real_env(), "secret", "c");
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(box.unseal(changed, "c"), std::nullopt) << i;
    EXPECT_EQ(box.unseal(sealed.substr(0, i), "c"), std::nullopt) << i;
  }
}

TEST_F(KeyFolder, TwoBoxesOfOneTextDiffer) {
  const SecretBox box = SecretBox::open(real_env(), path("key"));
  EXPECT_NE(box.seal(real_env(), "same", "c"), box.seal(real_env(), "same", "c"));
}

TEST_F(KeyFolder, TheKeyFileIsForItsOwnerOnly) {
  SecretBox::open(real_env(), path("key"));
  struct stat info = {};
  ASSERT_EQ(::stat(path("key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(KeyFolder, AFileThatHoldsNoKeyIsRefused) {
  for (const char* text : {"", "abc\n", "zz", "0011\n"}) {
    write_file_atomically(real_env(), path("key"), text);
    EXPECT_THROW(SecretBox::open(real_env(), path("key")), Error) << text;
  }
}

TEST_F(KeyFolder, KeyedDigestsAreEqualForEqualTextsUnderOneKeyOnly) {
  const SecretBox box = SecretBox::open(real_env(), path("key"));
  EXPECT_EQ(box.keyed_digest("a", "email"), box.keyed_digest("a", "email"));
  EXPECT_NE(box.keyed_digest("a", "email"), box.keyed_digest("b", "email"));
  EXPECT_NE(box.keyed_digest("a", "email"), box.keyed_digest("a", "peer"));
  EXPECT_NE(box.keyed_digest("a", "email"),
            SecretBox::open(real_env(), path("other")).keyed_digest("a", "email"));
}

TEST(Token, Has256BitsAndNeverRepeats) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string token = new_token(real_env());
    EXPECT_EQ(token.size(), 52u);
    EXPECT_EQ(token.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos);
    seen.insert(token);
  }
  EXPECT_EQ(seen.size(), 1000u);
}

}  // namespace
}  // namespace hone::seal
