#include "data/csv_cell.h"

#include <gtest/gtest.h>

#include <vector>

#include "data/csv_splitter.h"

namespace hone::data {
namespace {

std::string cell(std::string_view text) {
  std::string out;
  append_csv_text(text, out);
  return out;
}

TEST(CsvCell, TextsStandInQuotesAndQuotesAreDoubled) {
  EXPECT_EQ(cell(""), "");
  EXPECT_EQ(cell("a"), "\"a\"");
  EXPECT_EQ(cell("a,b\r\nc"), "\"a,b\r\nc\"");
  EXPECT_EQ(cell("\""), "\"\"\"\"");
  EXPECT_EQ(cell("say \"hi\" twice\""), "\"say \"\"hi\"\" twice\"\"\"");
}

TEST(CsvCell, WhatASpreadsheetWouldRunGetsAnApostrophe) {
  for (const char* text : {"=1+1",
                           "+1+1",
                           "-1+1",
                           "@SUM(1)",
                           "\t=1",
                           "\r=1",
                           "\n=1",
                           "=",
                           "-",
                           "--1",
                           "-1e",
                           "-1 ",
                           "+5",
                           "-0x10",
                           "- 5",
                           "-5-5",
                           "\xef\xbc\x9d"
                           "1+1",
                           "\xef\xbc\x8b"
                           "1",
                           "\xef\xbc\x8d"
                           "1",
                           "\xef\xbc\xa0"
                           "A1",
                           "=HYPERLINK(\"http://evil\",\"x\")"}) {
    EXPECT_TRUE(looks_like_formula(text)) << text;
    EXPECT_EQ(cell(text).substr(0, 2), "\"'") << text;
  }
  EXPECT_EQ(cell("=\"a\""), "\"'=\"\"a\"\"\"");
}

TEST(CsvCell, NumbersAndPlainTextsStay) {
  for (const char* text : {"-5", "-1.5", "-2e-3", "5", "a=b", " =1", "'=1", "1-1", "a@b.c", "\"=1",
                           "\xe2\x88\x92"
                           "1",
                           "#", "*"}) {
    EXPECT_FALSE(looks_like_formula(text)) << text;
    EXPECT_EQ(cell(text)[1], text[0]) << text;
  }
  EXPECT_TRUE(looks_like_formula("-" + std::string(1000, '1')));  // no number that anybody writes
}

// Every text of a small alphabet, between two others: the splitter of the importer gives all three
// back, and none begins as a formula does.
TEST(CsvCell, WhateverStandsInACellItStaysOneCell) {
  const std::vector<std::string> signs = {"\"", ",", "\n", "\r", "=", "-", "'", "1", "a", ";"};
  size_t texts = 0;
  for (size_t n = 0; n < 10000; ++n) {
    std::string text;
    for (size_t digits = n; digits > 0; digits /= 10) text += signs[digits % 10];
    std::string line;
    for (const std::string_view each :
         {std::string_view("first"), std::string_view(text), std::string_view("last")}) {
      if (!line.empty()) line += ',';
      append_csv_text(each, line);
    }
    size_t records = 0;
    CsvSplitter splitter(1 << 20, [&](CsvRecord& record) {
      ++records;
      EXPECT_EQ(record.fault, "");
      ASSERT_EQ(record.cells.size(), 3u) << line;
      const std::string& found = record.cells[1].text;
      const bool guarded = looks_like_formula(text);
      EXPECT_EQ(found, guarded ? "'" + text : text);
      EXPECT_FALSE(looks_like_formula(found));
    });
    splitter.feed(line + "\r\n");
    splitter.finish();
    EXPECT_EQ(records, 1u) << line;
    ++texts;
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_EQ(texts, 10000u);
}

}  // namespace
}  // namespace hone::data
