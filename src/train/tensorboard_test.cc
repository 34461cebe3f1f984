#include "train/tensorboard.h"

#include <gtest/gtest.h>

#include "train/testing.h"

namespace hone::train {
namespace {

// RFC 3720, appendix B.4.
TEST(Tensorboard, TheChecksumIsCastagnolis) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43u);
}

// tests/golden/train/README.md
TEST(Tensorboard, FramesAreThoseOfItsOwnWriter) {
  std::string ours = tensorboard_header();
  for (const Json& line : testing::lines_of(real_env(), "tests/golden/train/tensorboard.jsonl")) {
    ours += tensorboard_event(line);
  }
  EXPECT_EQ(ours, real_env().read_file("tests/golden/train/tensorboard.bin", 1 << 20));
}

}  // namespace
}  // namespace hone::train
