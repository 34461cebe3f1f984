#include "store/sqlite_log.h"

#include <gtest/gtest.h>

namespace hone::store {
namespace {

constexpr int kPages = 800;  // little: 100; a long log: 3,200

TEST(LogStep, NothingIsCopiedUntilThereIsEnoughNewInTheLog) {
  EXPECT_EQ(log_step({.pages = 799}, kPages), LogStep::kNothing);
  EXPECT_EQ(log_step({.pages = 800}, kPages), LogStep::kInBackground);
  // Not once more for the few pages that came since.
  EXPECT_EQ(log_step({.pages = 810, .copied = 800}, kPages), LogStep::kNothing);
  EXPECT_EQ(log_step({.pages = 1600, .copied = 800}, kPages), LogStep::kInBackground);
}

TEST(LogStep, TheWriterCopiesWhatIsLeftOfALongLogWhenThatIsLittle) {
  EXPECT_EQ(log_step({.pages = 3100, .copied = 3050}, kPages), LogStep::kNothing);
  EXPECT_EQ(log_step({.pages = 3200, .copied = 3100}, kPages), LogStep::kByWriter);
  EXPECT_EQ(log_step({.pages = 3200, .copied = 3000}, kPages), LogStep::kInBackground);
}

TEST(LogStep, TheWriterHelpsWhenTheBackgroundDoesNotKeepUp) {
  EXPECT_EQ(log_step({.pages = 6399, .copied = 800}, kPages), LogStep::kInBackground);
  EXPECT_EQ(log_step({.pages = 6400, .copied = 800}, kPages), LogStep::kByWriter);
}

TEST(LogStep, WhileSomebodyReadsInTheLogTheWriterTriesAgainOnlyAfterAsMuch) {
  EXPECT_EQ(log_step({.pages = 3250, .copied = 3200, .tried = 3200}, kPages), LogStep::kNothing);
  EXPECT_EQ(log_step({.pages = 3300, .copied = 3200, .tried = 3200}, kPages), LogStep::kByWriter);
  EXPECT_EQ(log_step({.pages = 6450, .copied = 0, .tried = 6400}, kPages), LogStep::kInBackground);
}

}  // namespace
}  // namespace hone::store
