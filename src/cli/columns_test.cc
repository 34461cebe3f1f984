#include "cli/columns.h"

#include <gtest/gtest.h>

namespace hone::cli {
namespace {

using Lines = std::vector<std::string>;

TEST(Wrap, BreaksAtSpacesAndKeepsLineEnds) {
  EXPECT_EQ(wrap("one two three", 7), (Lines{"one two", "three"}));
  EXPECT_EQ(wrap("one two three", 8), (Lines{"one two", "three"}));
  EXPECT_EQ(wrap("a\n\nb", 5), (Lines{"a", "", "b"}));
  EXPECT_EQ(wrap("ends\n\n", 5), (Lines{"ends"}));
}

TEST(Wrap, CutsAWordThatIsLongerThanTheLine) {
  EXPECT_EQ(wrap("abcdefgh", 3), (Lines{"abc", "def", "gh"}));
  EXPECT_EQ(wrap("x abcdefgh", 4), (Lines{"x", "abcd", "efgh"}));
}

TEST(Wrap, CountsCharactersNotBytes) {
  EXPECT_EQ(wrap("\u00e4\u00f6\u00fc\u00df", 2), (Lines{"\u00e4\u00f6", "\u00fc\u00df"}));
}

TEST(Wrap, HasNoLinesForNoTextAndEndsForWidthZero) {
  EXPECT_EQ(wrap("", 5), Lines{});
  EXPECT_EQ(wrap("ab", 0), (Lines{"a", "b"}));
}

TEST(SideBySide, PadsTheShorterText) {
  const std::string text = side_by_side("old", "one", "new", "two\nthree", 23);
  EXPECT_EQ(text,
            "old        \u2502 new\n"
            "\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u253c"
            "\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500\n"
            "one        \u2502 two\n"
            "           \u2502 three\n");
}

TEST(ColumnsTest, StreamedWordsBreakWhereWholeTextDoes) {
  const std::string text = "A rainbow is caused by light.\nIt has seven colours, more or less.";
  for (size_t step : {1, 2, 7, 100}) {
    WordWrap wrapping(20);
    std::string out;
    for (size_t i = 0; i < text.size(); i += step) {
      out += wrapping.push(std::string_view(text).substr(i, step));
    }
    out += wrapping.flush();
    EXPECT_EQ(out, "A rainbow is caused\nby light.\nIt has seven \ncolours, more or \nless.")
        << step;
  }
  WordWrap none(0);
  EXPECT_EQ(none.push("a long line of text that nobody breaks"),
            "a long line of text that nobody breaks");
}

TEST(ColumnsTest, NarrowTerminalsCompareOneBelowTheOther) {
  EXPECT_EQ(compared("before", "one two three", "after", "four", 14),
            "before:\n  one two\n  three\nafter:\n  four\n");
  EXPECT_NE(compared("before", "one", "after", "two", 80).find("\u2502"), std::string::npos);
}

}  // namespace
}  // namespace hone::cli
