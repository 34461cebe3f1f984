// Labels, truth and comparisons out of files: what is read, and what a bad line is told.

#include "data/label_reader.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/env.h"
#include "base/error.h"
#include "data/comparison_reader.h"

namespace hone::data {
namespace {

using Strings = std::vector<std::string>;

// Every label as "line task|worker|label", then what was skipped.
template <typename Reader>
void feed_all(Reader& reader, std::string_view bytes, size_t piece) {
  for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at)) {
    reader.feed(bytes.substr(at, piece));
  }
  reader.finish();
}

Strings labels_of(std::string_view bytes, const std::string& name = "l.csv",
                  LabelReadOptions options = {}, size_t piece = SIZE_MAX) {
  Strings out;
  LabelReader reader(name, std::move(options), [&](const LabelRow& row) {
    std::string text = std::to_string(row.line) + " " + std::string(row.task) + "|" +
                       std::string(row.worker) + "|" + std::string(row.label);
    if (row.seconds >= 0) text += "|" + std::to_string(static_cast<int>(row.seconds)) + " s";
    if (!row.rationale.empty()) text += "|" + std::string(row.rationale);
    out.push_back(text);
  });
  feed_all(reader, bytes, piece);
  for (const std::string& skipped : reader.counts().first_skipped) out.push_back(skipped);
  return out;
}

std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
    return error.message();
  }
  return "(not refused)";
}

std::string label_refusal(std::string_view bytes, const std::string& name = "l.csv",
                          const LabelReadOptions& options = {}) {
  return refusal([&] { labels_of(bytes, name, options); });
}

void expect_says(const std::string& message, std::string_view part) {
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(LabelReader, ReadsCsvAndJsonlAlikeInAnyPieces) {
  const Strings expected = {"2 a|w1|yes", "3 a|w2|no", "4 b, c|w1|yes"};
  const std::string csv = "\xEF\xBB\xBFtask,worker,label\r\na,w1,yes\r\na,w2,no\r\n\"b, c\",w1,yes";
  const std::string json =
      "\n{\"task\":\"a\",\"worker\":\"w1\",\"label\":\"yes\"}\n"
      "{\"item\":\"a\",\"worker\":\"w2\",\"label\":\"no\",\"note\":[1]}\n"
      "{\"task\":\"b, c\",\"worker\":\"w1\",\"label\":\"yes\"}\n";
  for (const size_t piece : {size_t{1}, size_t{2}, size_t{7}, SIZE_MAX}) {
    EXPECT_EQ(labels_of(csv, "l.csv", {}, piece), expected);
    EXPECT_EQ(labels_of(csv, "anything", {}, piece), expected);
    EXPECT_EQ(labels_of(json, "l.jsonl", {}, piece), expected);
    EXPECT_EQ(labels_of(json, "anything", {}, piece), expected);
  }
}

TEST(LabelReader, TakesAnyTextAndAnyOrderOfColumns) {
  EXPECT_EQ(labels_of("note,label,item,worker\nx,\"a \"\"b\"\"\",t\xC3\xA9, w \n"),
            (Strings{"2 t\xC3\xA9| w |a \"b\""}));
  EXPECT_EQ(labels_of("{\"task\":7,\"worker\":1.0,\"label\":true}\n", "l.jsonl"),
            (Strings{"1 7|1|true"}));
  EXPECT_EQ(labels_of("task,worker,label,seconds,rationale\na,w,x,12.5,because\na,v,x,,\n"),
            (Strings{"2 a|w|x|12 s|because", "3 a|v|x"}));
}

TEST(LabelReader, NamesTheColumnsThatAreMissingDoubledOrMeantByTwo) {
  expect_says(label_refusal("task,label\na,b\n"),
              "l.csv:1: there is no column \"worker\"; the header has \"task\" and \"label\"; "
              "rename one, or say which it is: --columns worker=NAME");
  expect_says(label_refusal("task,worker,worker,label\na,b,b,c\n"),
              "l.csv:1: the header names \"worker\" twice; keep one");
  expect_says(label_refusal("task,item,worker,label\na,a,b,c\n"),
              "l.csv:1: the header has both \"task\" and \"item\", which mean the same");
  expect_says(label_refusal("task;worker;label\na;b;c\n"), "columns are separated by commas");
  expect_says(label_refusal("{\"task\":1,\"label\":2}\n", "l.jsonl"),
              "l.jsonl:1: the row has no \"worker\"");
  expect_says(label_refusal("{\"task\":1,\"item\":1,\"worker\":1,\"label\":2}\n", "l.jsonl"),
              "l.jsonl:1: the row has both \"task\" and \"item\"");
}

TEST(LabelReader, ReadsOtherColumnsWhenTold) {
  LabelReadOptions options;
  options.fields.columns = {{"task", "question"}, {"worker", "who"}};
  EXPECT_EQ(labels_of("question,who,label,task\nq,w,x,other\n", "l.csv", options),
            (Strings{"2 q|w|x"}));
  EXPECT_EQ(labels_of("{\"question\":\"q\",\"who\":\"w\",\"label\":\"x\",\"task\":\"other\"}",
                      "l.jsonl", options),
            (Strings{"1 q|w|x"}));
  expect_says(label_refusal("question,worker,label\nq,w,x\n", "l.csv", options),
              "there is no column \"who\"");
  options.fields.columns = {{"tasks", "question"}};
  expect_says(label_refusal("question,worker,label\nq,w,x\n", "l.csv", options),
              "--columns tasks=question: l.csv has no field of that name; it has \"task\", "
              "\"worker\"");
}

TEST(LabelReader, NamesEveryKindOfBadLine) {
  const std::string header = "task,worker,label\n";
  expect_says(label_refusal(header + "a,w,x\nb,w\n"),
              "l.csv:3: the header has 3 columns, this row has 2 (correct the line, or leave such "
              "lines out with --on-bad-row skip)");
  expect_says(label_refusal(header + "a,w,x,y\n"),
              "a comma inside a text needs quotes around the text");
  expect_says(label_refusal(header + "a,w,\n"), "l.csv:2: \"label\" is empty");
  expect_says(label_refusal(header + "a,w,NaN\n"), "l.csv:2: the label \"NaN\" is a missing value");
  expect_says(label_refusal(header + "a,w,\xFF\n"),
              "l.csv:2: \"label\" is not valid UTF-8 at byte 1; save the file as UTF-8");
  expect_says(label_refusal(header + "a,\"w,x\n"), "l.csv:2: a quote is opened and never closed");
  expect_says(label_refusal(header), "l.csv: the file has no rows");
  expect_says(label_refusal(""), "l.csv: the file has no rows");
  expect_says(label_refusal("[{\"task\":1}]", "l.jsonl"),
              "l.jsonl:1: a line must be a JSON object");
  expect_says(label_refusal("{\"task\":1,\"worker\":1,\"label\":NaN}", "l.jsonl"),
              "l.jsonl:1: not a JSON value");
  expect_says(label_refusal("{\"task\":1,\"worker\":1,\"label\":null}", "l.jsonl"),
              "the row has no \"label\"");
  expect_says(label_refusal("{\"task\":1,\"worker\":1,\"label\":[1]}", "l.jsonl"),
              "\"label\" must be a text or a number, found an array");
  expect_says(label_refusal("task,worker,label,seconds\na,w,x,-3\n"), "\"seconds\" is below zero");
  expect_says(label_refusal("task,worker,label,seconds\na,w,x,nan\n"),
              "\"seconds\" must be a number, found \"nan\"");
}

TEST(LabelReader, HoldsLabelsToTheDeclaredList) {
  LabelReadOptions options;
  options.declared = {"yes", "no", "nan"};
  EXPECT_EQ(labels_of("task,worker,label\na,w,nan\na,v,yes\n", "l.csv", options).size(), 2u);
  expect_says(label_refusal("task,worker,label\na,w,maybe\n", "l.csv", options),
              "l.csv:2: the label \"maybe\" is not among the declared ones (--labels): nan, no, "
              "yes");
}

TEST(LabelReader, SkipsBadLinesWhenToldAndKeepsTheirReasons) {
  LabelReadOptions options;
  options.fields.on_bad_row = OnBadRow::kSkip;
  EXPECT_EQ(labels_of("task,worker,label\na,w\na,w,x\n", "l.csv", options),
            (Strings{"3 a|w|x", "l.csv:2: the header has 3 columns, this row has 2"}));
  expect_says(label_refusal("task,worker,label\na,w\n", "l.csv", options),
              "no usable row; 1 were skipped, the first: l.csv:2:");
}

TEST(LabelReader, BoundsALine) {
  LabelReadOptions options;
  options.fields.max_line_bytes = 64;
  const std::string longer(100, 'x');
  expect_says(label_refusal("task,worker,label\na,w," + longer + "\n", "l.csv", options),
              "longer than 64 bytes");
  expect_says(label_refusal("{\"task\":\"" + longer + "\"}", "l.jsonl", options),
              "l.jsonl:1: the line is longer than 64 bytes");
}

TEST(LabelReader, MakesARefusalOfItsCallerABadLine) {
  LabelReader reader("l.csv", {}, [](const LabelRow&) { throw invalid_input("not among mine"); });
  reader.feed("task,worker,label\n");
  expect_says(refusal([&] { reader.feed("a,w,x\n"); }), "l.csv:2: not among mine (correct");
}

TEST(TruthReader, ReadsLabelOrTruth) {
  for (const char* text :
       {"task,label\na,x\nb,y\n", "item,truth\na,x\nb,y\n",
        "{\"task\":\"a\",\"truth\":\"x\"}\n{\"item\":\"b\",\"label\":\"y\"}\n"}) {
    Strings out;
    TruthReader reader("t", {}, [&](const TruthRow& row) {
      out.push_back(std::string(row.task) + "=" + std::string(row.label));
    });
    feed_all(reader, text, 3);
    EXPECT_EQ(out, (Strings{"a=x", "b=y"}));
  }
  TruthReader reader("t.csv", {}, [](const TruthRow&) {});
  expect_says(refusal([&] { reader.feed("task,label,truth\na,x,y\n"); }),
              "t.csv:1: the header has both \"label\" and \"truth\"");
}

Strings comparisons_of(std::string_view bytes, ComparisonReadOptions options = {},
                       size_t piece = SIZE_MAX) {
  Strings out;
  ComparisonReader reader("c.csv", std::move(options), [&](const ComparisonRow& row) {
    std::string text = std::string(row.left) + ">" + std::string(row.right) + ":" +
                       std::to_string(static_cast<int>(row.winner)) + " " +
                       std::string(row.worker) + "/" + std::string(row.task) + " " +
                       std::to_string(row.weight);
    for (const double value : row.style) text += " " + std::to_string(value);
    out.push_back(text);
  });
  feed_all(reader, bytes, piece);
  return out;
}

TEST(ComparisonReader, ReadsWhatIsNeededAndWhatIsThere) {
  for (const size_t piece : {size_t{1}, SIZE_MAX}) {
    EXPECT_EQ(comparisons_of("left,right,winner\na,b,left\nb,a,both_bad\n", {}, piece),
              (Strings{"a>b:0 / 1.000000", "b>a:3 / 1.000000"}));
    EXPECT_EQ(comparisons_of("winner,worker,left,right,item,weight\ntie,w,a,b,t,0.5\n", {}, piece),
              (Strings{"a>b:2 w/t 0.500000"}));
  }
}

TEST(ComparisonReader, TurnsStyleIntoOneNumberAName) {
  ComparisonReadOptions options;
  options.style = {"length", "bold"};
  EXPECT_EQ(comparisons_of("left,right,winner,length_left,length_right,bold\na,b,left,30,9,-2\n",
                           options),
            (Strings{"a>b:0 / 1.000000 0.525000 -2.000000"}));
  const std::string message =
      refusal([&] { comparisons_of("left,right,winner,bold\na,b,left,1\n", options); });
  expect_says(message, "c.csv:2: --style length needs columns \"length_left\"");
  expect_says(refusal([&] {
                comparisons_of("left,right,winner,length_left,length_right,bold\na,b,tie,-1,2,0\n",
                               options);
              }),
              "amounts of 0 or more");
}

TEST(ComparisonReader, NamesEveryKindOfBadLine) {
  const auto refused = [](const std::string& rows) {
    return refusal([&] { comparisons_of("left,right,winner,weight\n" + rows); });
  };
  expect_says(refused("a,b,Left,\n"),
              "c.csv:2: the winner \"Left\" is none of left, right, tie, both_bad");
  expect_says(refused("a,b,b,\n"), "(say the side it was shown on, not its name)");
  expect_says(refused("a,a,left,\n"), "c.csv:2: \"a\" is compared with itself");
  expect_says(refused("a,b,left,0\n"), "\"weight\" must be above zero");
  expect_says(refused("a,b,left,inf\n"), "\"weight\" must be a number, found \"inf\"");
  expect_says(refused("a,,left,\n"), "c.csv:2: \"right\" is empty");
}

TEST(FeedFile, SaysWhatIsWrongWithAFile) {
  const auto ignore = [](std::string_view) {};
  try {
    feed_file("no/such/file.csv", ignore);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
  expect_says(refusal([&] { feed_file("tests", ignore); }), "tests is a folder");
  const std::string path = testing::TempDir() + "hone_feed_file.csv";
  const std::string bytes(3000000, 'x');
  write_file_atomically(real_env(), path, bytes);
  std::string back;
  feed_file(path, [&](std::string_view piece) {
    EXPECT_LE(piece.size(), size_t{1} << 20);
    back += piece;
  });
  EXPECT_EQ(back, bytes);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace hone::data
