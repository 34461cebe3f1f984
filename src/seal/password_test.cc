#include "seal/password.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace hone::seal {
namespace {

TEST(Password, VerifiesAgainstItsOwnHashOnly) {
  const std::string hash = hash_password("correct horse");
  EXPECT_EQ(hash.substr(0, 10), "$argon2id$");
  EXPECT_TRUE(verify_password(hash, "correct horse"));
  EXPECT_FALSE(verify_password(hash, "correct horsf"));
  EXPECT_FALSE(verify_password(hash, ""));
  EXPECT_FALSE(verify_password("no hash", "correct horse"));
  EXPECT_FALSE(verify_password(std::string(4000, 'x'), "correct horse"));
  EXPECT_FALSE(verify_no_password("correct horse"));
  EXPECT_NE(hash_password("same"), hash_password("same"));
}

// argon2-cffi 25.1, which is the reference implementation: "password", "somesalt", 256 KiB, 2 passes.
TEST(Password, AHashOfAnotherImplementationVerifies) {
  const std::string hash =
      "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
  EXPECT_TRUE(verify_password(hash, "password"));
  EXPECT_FALSE(verify_password(hash, "passwore"));
}

TEST(Password, GrownOptionsAskForANewHash) {
  PasswordOptions small;
  small.memory_bytes = 1 << 20;
  const std::string hash = hash_password("correct horse", small);
  EXPECT_EQ(hash.substr(0, 30), "$argon2id$v=19$m=1024,t=2,p=1$");
  EXPECT_TRUE(verify_password(hash, "correct horse"));
  EXPECT_FALSE(needs_rehash(hash, small));
  EXPECT_TRUE(needs_rehash(hash));
  small.passes = 3;
  EXPECT_TRUE(needs_rehash(hash, small));
  EXPECT_TRUE(needs_rehash("no hash"));
  EXPECT_TRUE(needs_rehash(std::string(4000, 'x')));
}

TEST(Password, HasABound) {
  PasswordOptions small;
  small.memory_bytes = 1 << 20;
  const std::string longest(kPasswordBytesMax, 'x');
  const std::string hash = hash_password(longest, small);
  EXPECT_TRUE(verify_password(hash, longest));
  EXPECT_FALSE(verify_password(hash, longest + "x"));
  try {
    hash_password(longest + "x", small);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kTooLarge);
  }
}

TEST(Password, TextsCompareWhole) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abcd"));
  EXPECT_TRUE(equal_in_constant_time("", ""));
}

}  // namespace
}  // namespace hone::seal
