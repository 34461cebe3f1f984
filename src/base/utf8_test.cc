#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace hone {
namespace {

TEST(Utf8, AcceptsTheFirstAndLastCodePointOfEachLength) {
  for (std::string text : {std::string("\0\x7f", 2), std::string("\xC2\x80\xDF\xBF"),
                           std::string("\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"),
                           std::string("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"), std::string()}) {
    EXPECT_EQ(find_invalid_utf8(text), std::nullopt);
    EXPECT_EQ(find_invalid_utf8("ten bytes." + text), std::nullopt);
  }
}

TEST(Utf8, SaysWhereTheTextStopsBeingValid) {
  for (const char* bad : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x9F\xBF",
                          "\xE2\x82", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF",
                          "\xF0\x9F\x98", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    EXPECT_EQ(find_invalid_utf8(bad), 0u);
    EXPECT_EQ(find_invalid_utf8("0123456789" + std::string(bad)), 10u);
    EXPECT_EQ(find_invalid_utf8("\xC3\xA4" + std::string(bad) + "after"), 2u);
  }
}

TEST(Utf8, CountsCharactersAndNotBytes) {
  EXPECT_EQ(count_characters(""), 0u);
  EXPECT_EQ(count_characters("abc"), 3u);
  EXPECT_EQ(count_characters("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), 4u);
}

}  // namespace
}  // namespace hone
