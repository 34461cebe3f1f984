#include "data/object_stream.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"

namespace hone::data {
namespace {

// Every row as "line@end object" or "line@end !fault", whatever the size of the pieces.
std::vector<std::string> read(ObjectFormat format, std::string_view bytes, size_t piece,
                              size_t max_row_bytes = 1 << 16) {
  std::vector<std::string> rows;
  ObjectStream stream(format, {.max_row_bytes = max_row_bytes}, [&](ObjectRow&& row) {
    rows.push_back(std::to_string(row.line) + "@" + std::to_string(row.end) + " " +
                   (row.fault.empty() ? row.object.dump() : "!" + row.fault));
  });
  for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at)) {
    stream.feed(bytes.substr(at, piece));
  }
  stream.finish();
  return rows;
}

std::vector<std::string> read(ObjectFormat format, std::string_view bytes) {
  const auto whole = read(format, bytes, bytes.size() + 1);
  for (const size_t piece : {1, 2, 3, 7}) EXPECT_EQ(read(format, bytes, piece), whole);
  return whole;
}

using Rows = std::vector<std::string>;

TEST(ObjectStream, JsonLinesComeWithLineAndEnd) {
  EXPECT_EQ(read(ObjectFormat::kJsonl, "\xEF\xBB\xBF{\"a\":1}\r\n\n  \n{\"a\":2}"),
            (Rows{"1@12 {\"a\":1}", "4@23 {\"a\":2}"}));
  EXPECT_EQ(read(ObjectFormat::kJsonl, ""), Rows{});
}

TEST(ObjectStream, ABadLineIsSaidAndTheNextOneComes) {
  const Rows rows = read(ObjectFormat::kJsonl, "{\"a\":\n[1]\n{\"a\":\"\xFF\"}\n7\n{\"a\":3}\n");
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_NE(rows[0].find("1@6 !not a JSON value"), std::string::npos) << rows[0];
  EXPECT_EQ(rows[1], "2@10 !a row must be a JSON object, found an array");
  EXPECT_NE(rows[2].find("UTF-8"), std::string::npos);
  EXPECT_EQ(rows[3], "4@22 !a row must be a JSON object, found a number");
  EXPECT_EQ(rows[4], "5@30 {\"a\":3}");
}

TEST(ObjectStream, AnArrayGivesItsElementsOneByOne) {
  EXPECT_EQ(read(ObjectFormat::kJsonArray, " [\n{\"a\":\"}]\\\"{\"},\n {\"b\":[{}, [1]]} , 5\n]\n"),
            (Rows{"2@16 {\"a\":\"}]\\\"{\"}", "3@34 {\"b\":[{},[1]]}",
                  "3@39 !a row must be a JSON object, found a number"}));
  EXPECT_EQ(read(ObjectFormat::kJsonArray, "[]"), Rows{});
  EXPECT_EQ(read(ObjectFormat::kJsonArray, ""), Rows{});
}

TEST(ObjectStream, AnArrayThatIsCutOffSaysSoBehindItsWholeRows) {
  EXPECT_EQ(read(ObjectFormat::kJsonArray, "[{\"a\":1},{\"b\":"),
            (Rows{"1@8 {\"a\":1}", "1@14 !the file ends inside this row: it was cut off"}));
  EXPECT_EQ(read(ObjectFormat::kJsonArray, "[{\"a\":1}"),
            (Rows{"1@8 {\"a\":1}", "1@8 !the file ends before the closing ]: it was cut off"}));
}

TEST(ObjectStream, WhatIsNoArrayOfRowsIsRefusedWithTheLine) {
  for (const char* bytes : {"\n{", "[{},,{}]", "[{} {}]", "[{}] x", "[,]"}) {
    EXPECT_THROW(read(ObjectFormat::kJsonArray, bytes), Error) << bytes;
  }
}

TEST(ObjectStream, CsvRecordsAreObjectsOfTexts) {
  EXPECT_EQ(read(ObjectFormat::kCsv, "p,q\r\n\"a\nb\",\"c\"\"\"\r\n\r\n1,"),
            (Rows{R"(2@18 {"p":"a\nb","q":"c\""})", R"(5@22 {"p":"1","q":""})"}));
  const Rows bad = read(ObjectFormat::kCsv, "p,q\n1\n1,2,3\na\"b,c\n1,\xFF\n1,2\n");
  ASSERT_EQ(bad.size(), 5u);
  EXPECT_NE(bad[0].find("2@6 !the header has 2 columns, this row has 1"), std::string::npos);
  EXPECT_NE(bad[1].find("needs quotes"), std::string::npos);
  EXPECT_NE(bad[2].find("a quote inside a cell"), std::string::npos);
  EXPECT_NE(bad[3].find("\"q\" is not valid UTF-8"), std::string::npos);
  EXPECT_EQ(bad[4], R"(6@26 {"p":"1","q":"2"})");
}

TEST(ObjectStream, AHeaderThatCannotBeUsedEndsTheReading) {
  for (const std::string bytes : {"a,a\n1,2\n", "a,\n1,2\n", "\xFF,b\n1,2\n", "\"a\n1,2\n"}) {
    EXPECT_THROW(read(ObjectFormat::kCsv, bytes, 100), Error) << bytes;
  }
  std::string wide = "c0";
  for (int i = 1; i < 1'000'000; ++i) wide += ",c" + std::to_string(i);
  EXPECT_THROW(read(ObjectFormat::kCsv, wide + "\n1\n", 4096, 16 << 20), Error);
}

TEST(ObjectStream, ARowOverTheBoundIsOneBadRow) {
  const std::string text(100, 'x');
  const std::string json = "{\"a\":\"" + text + "\"}";
  Rows rows = read(ObjectFormat::kJsonl, json + "\n{\"b\":1}\n", 8, 64);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], "1@109 !the row is longer than 64 bytes");
  rows = read(ObjectFormat::kJsonArray, "[" + json + ",{\"b\":1}]", 8, 64);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], "1@109 !the row is longer than 64 bytes");
  EXPECT_EQ(rows[1], "1@117 {\"b\":1}");
  rows = read(ObjectFormat::kCsv, "a\n" + text + "\nb\n", 8, 64);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_NE(rows[0].find("longer than 64 bytes"), std::string::npos);
}

TEST(ObjectStream, NestingIsBoundedAndALongNestIsNoDeepStack) {
  std::string deep(100'000, '[');
  const Rows rows =
      read(ObjectFormat::kJsonl, "{\"a\":" + deep + "\n{\"b\":1}\n", 1 << 20, 1 << 20);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_NE(rows[0].find("!not a JSON value"), std::string::npos);
}

TEST(ObjectStream, TheFormatIsGuessedFromTheFirstSign) {
  EXPECT_EQ(guess_object_format("\xEF\xBB\xBF \n{"), ObjectFormat::kJsonl);
  EXPECT_EQ(guess_object_format("  [1"), ObjectFormat::kJsonArray);
  EXPECT_EQ(guess_object_format("prompt,left\n"), ObjectFormat::kCsv);
  EXPECT_EQ(guess_object_format(""), ObjectFormat::kJsonl);
}

}  // namespace
}  // namespace hone::data
