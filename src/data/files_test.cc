// Files of rows: JSONL and CSV in, JSONL out, the manifest, the check before training.

#include <gtest/gtest.h>

#include <filesystem>

#include "base/env.h"
#include "base/error.h"
#include "base/fault_env.h"
#include "data/csv_splitter.h"
#include "data/data_check.h"
#include "data/dataset.h"
#include "data/jsonl_writer.h"
#include "data/row_reader.h"
#include "data/run_manifest.h"

namespace hone::data {
namespace {

struct Read {
  std::vector<Row> rows;
  ReadCounts counts;
};

Read read(std::string_view bytes, RowFormat format = RowFormat::kJsonl, ReadOptions options = {},
          size_t piece = SIZE_MAX) {
  Read result;
  RowReader reader("d.jsonl", format, std::move(options),
                   [&](Row&& row) { result.rows.push_back(std::move(row)); });
  for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at)) {
    reader.feed(bytes.substr(at, piece));
  }
  reader.finish();
  result.counts = reader.counts();
  return result;
}

std::string refusal(std::string_view bytes, RowFormat format = RowFormat::kJsonl,
                    ReadOptions options = {}) {
  try {
    read(bytes, format, std::move(options));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
    return error.message();
  }
  return "(not refused)";
}

bool says(const std::string& message, std::string_view part) {
  return message.find(part) != std::string::npos;
}

const ReadOptions kSkip = {.on_bad_row = OnBadRow::kSkip};

class InFolder : public testing::Test {
 protected:
  InFolder() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = testing::TempDir() + "hone_data_" + info->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~InFolder() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string write(const std::string& name, std::string_view bytes) const {
    auto file = real_env().create_file(path(name));
    file->append(bytes);
    file->close();
    return path(name);
  }
  std::string content(const std::string& name) const {
    return real_env().read_file(path(name), 1 << 20);
  }

  std::string folder_;
};

TEST(Jsonl, LinesMayEndInCrlfBeBlankAndFollowAByteOrderMark) {
  const Read result = read("\xEF\xBB\xBF{\"text\":\"a\"}\r\n\r\n  \n{\"text\":\"b\"}");
  ASSERT_EQ(result.rows.size(), 2u);
  EXPECT_EQ(result.rows[0].text.as_string(), "a");
  EXPECT_EQ(result.rows[1].line, 4u);
  EXPECT_EQ(result.rows[1].file, "d.jsonl");
}

TEST(Jsonl, PiecesOfAnySizeGiveTheSameRows) {
  const std::string bytes =
      "\xEF\xBB\xBF{\"text\":\"\xC3\xA4\"}\r\n\n{\"prompt\":\"p\",\"completion\":\"c\"}\n";
  const Read whole = read(bytes);
  for (size_t piece = 1; piece < bytes.size(); ++piece) {
    const Read cut = read(bytes, RowFormat::kJsonl, {}, piece);
    ASSERT_EQ(cut.rows.size(), whole.rows.size()) << piece;
    for (size_t i = 0; i < cut.rows.size(); ++i) {
      EXPECT_EQ(row_content(cut.rows[i]), row_content(whole.rows[i])) << piece;
      EXPECT_EQ(cut.rows[i].line, whole.rows[i].line) << piece;
    }
  }
}

TEST(Jsonl, ABadLineIsNamedWithItsNumberAndTheNextStep) {
  const std::string message = refusal("{\"text\":\"a\"}\n{\"text\": \n");
  EXPECT_TRUE(message.starts_with("d.jsonl:2: not a JSON value")) << message;
  EXPECT_TRUE(says(message, "--on-bad-row skip")) << message;
  EXPECT_TRUE(says(refusal("{\"text\":\"a\"}\n{\"text\":7}\n"),
                   "d.jsonl:2: \"text\" must be a string, found a number"));
  EXPECT_TRUE(says(refusal("[{\"text\":\"a\"},\n"), "JSONL has one object a line"));
  EXPECT_TRUE(says(refusal("{\"text\":\"a\",\"text\":\"b\"}\n"), "d.jsonl:1:"));
  EXPECT_TRUE(says(refusal("{\"text\":\"a\"} {\"text\":\"b\"}\n"), "d.jsonl:1:"));
}

TEST(Jsonl, BadUtf8IsNamedByLineAndByte) {
  EXPECT_TRUE(says(refusal("{\"text\":\"a\"}\n{\"text\":\"\xFF\"}\n"),
                   "d.jsonl:2: not valid UTF-8 at byte 10 of the line"));
  EXPECT_TRUE(says(refusal("\xFF\xFE{\0\"\0"), "not valid UTF-8 at byte 1"));
}

TEST(Jsonl, NestingDeeperThanARowNeedsIsRefused) {
  const std::string deep = "{\"text\":\"a\",\"x\":" + std::string(100000, '[') + "\n";
  EXPECT_TRUE(says(refusal(deep), "d.jsonl:1:"));
}

TEST(Jsonl, LinesUpToTheBoundAreReadAndOnePastItIsRefused) {
  const std::string line = "{\"text\":\"abc\"}";
  EXPECT_EQ(read(line + "\n", RowFormat::kJsonl, {.max_line_bytes = line.size()}).rows.size(), 1u);
  EXPECT_TRUE(says(refusal(line + "\n", RowFormat::kJsonl, {.max_line_bytes = line.size() - 1}),
                   "d.jsonl:1: the line is longer than 13 bytes; --max-line-bytes"));
}

TEST(Jsonl, SkippingCountsBadLinesAndKeepsTheFirstFew) {
  std::string bytes;
  for (int i = 0; i < 15; ++i) bytes += "bad\n";
  const Read result = read(bytes + "{\"text\":\"a\"}\nworse", RowFormat::kJsonl, kSkip);
  EXPECT_EQ(result.counts.rows, 1u);
  EXPECT_EQ(result.counts.skipped, 16u);
  EXPECT_EQ(result.counts.first_skipped.size(), ReadCounts::kMostKept);
  EXPECT_TRUE(result.counts.first_skipped[1].starts_with("d.jsonl:2: "));
  EXPECT_EQ(result.rows[0].line, 16u);
}

TEST(Jsonl, AFileWithoutRowsIsRefusedInWords) {
  EXPECT_TRUE(says(refusal(""), "the file has no rows"));
  EXPECT_TRUE(says(refusal("\n \r\n"), "the file has no rows"));
  EXPECT_TRUE(says(refusal("\xEF\xBB\xBF"), "the file has no rows"));
  EXPECT_TRUE(says(refusal("\xEF\xBB"), "d.jsonl:1: not valid UTF-8"));
  EXPECT_TRUE(says(refusal("x\ny\n", RowFormat::kJsonl, kSkip), "no usable row; 2 were skipped"));
}

TEST(Csv, QuotesCommasAndLineBreaksAsInRfc4180) {
  const Read result = read(
      "prompt,chosen,rejected,weight,source\r\n"
      "\"a, \"\"b\"\"\nc\",x,\"\",0.5,web\r\n"
      "\r\n"
      "p,y,z,,\"\"\r\n",
      RowFormat::kCsv);
  ASSERT_EQ(result.rows.size(), 2u);
  EXPECT_EQ(result.rows[0].prompt.as_string(), "a, \"b\"\nc");
  EXPECT_EQ(result.rows[0].rejected.as_string(), "");
  EXPECT_EQ(result.rows[0].weight, 0.5);
  EXPECT_EQ(result.rows[0].provenance.dump(), R"({"source":"web"})");
  EXPECT_EQ(result.rows[1].weight, 1.0);
  EXPECT_EQ(result.rows[1].line, 5u);  // the first record takes two lines, one is blank
}

TEST(Csv, CellsBecomeWhatTheirColumnMeans) {
  const Read result = read(
      "prompt,completion,label,labels,id\n"
      "\"[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"q\"\"}]\",\"[{\"\"role\"\":\"\"a\"\","
      "\"\"content\"\":\"\"r\"\"}]\",TRUE,\"[\"\"x\"\"]\",7\n"
      "[1] not a message list,[],0,,\n",
      RowFormat::kCsv);
  ASSERT_EQ(result.rows.size(), 2u);
  EXPECT_TRUE(result.rows[0].conversational());
  EXPECT_EQ(result.rows[0].label, true);
  EXPECT_EQ(result.rows[0].labels, std::vector<std::string>{"x"});
  EXPECT_EQ(result.rows[0].id, "7");
  EXPECT_EQ(result.rows[1].prompt.as_string(), "[1] not a message list");
  EXPECT_EQ(result.rows[1].label, false);
  EXPECT_EQ(
      read("prompt_ids,completion_ids\n[1],\"[2,3]\"\n", RowFormat::kCsv).rows[0].completion_ids,
      (std::vector<int32_t>{2, 3}));
}

TEST(Csv, BadRecordsAreNamedByTheirFirstLine) {
  const auto csv = [](std::string_view bytes) { return refusal(bytes, RowFormat::kCsv); };
  EXPECT_TRUE(
      says(csv("text\n\"a\nb\"\n\"c\" d\n"), "d.jsonl:4: a closing quote must be followed"));
  EXPECT_TRUE(says(csv("text\na\"b\n"), "d.jsonl:2: a quote inside a cell"));
  EXPECT_TRUE(
      says(csv("text\n\"never closed\n\n"), "d.jsonl:2: a quote is opened and never closed"));
  EXPECT_TRUE(says(csv("text\na\rb\n"), "d.jsonl:2: a carriage return"));
  EXPECT_TRUE(says(csv("prompt,completion\na\n"), "the header has 2 columns, the record has 1"));
  EXPECT_TRUE(says(csv("text\n\xFF\n"), "column \"text\": not valid UTF-8 at byte 1"));
  EXPECT_TRUE(says(csv("prompt,chosen,rejected,weight\na,b,c,heavy\n"),
                   "column \"weight\" must hold a number, found \"heavy\""));
  EXPECT_TRUE(says(csv("prompt,completion,label\na,b,maybe\n"),
                   "column \"label\" must hold true or false"));
  EXPECT_TRUE(says(csv("messages\nhello\n"), "column \"messages\" must hold a JSON array"));
  EXPECT_TRUE(says(csv("input_ids\n7\n"), "must hold a JSON array, found a number"));
}

TEST(Csv, AHeaderThatCannotBeUsedIsAnErrorEvenWhenSkipping) {
  const auto csv = [](std::string_view bytes) { return refusal(bytes, RowFormat::kCsv, kSkip); };
  EXPECT_TRUE(says(csv("a,b\n1,2\n"), "d.jsonl:1: the first line must name the columns"));
  EXPECT_TRUE(says(csv("text,text\na,b\n"), "names \"text\" twice"));
  EXPECT_TRUE(says(csv("text,\na,b\n"), "column 2 has no name"));
  EXPECT_TRUE(says(csv("text,\"x\n"), "the header: a quote is opened"));
  EXPECT_TRUE(says(csv("text\n"), "the file has no rows"));
  EXPECT_TRUE(says(csv(""), "the file has no rows"));
}

TEST(Csv, SkippingGoesOnAfterABadRecordAndPiecesDoNotMatter) {
  const std::string bytes = "\xEF\xBB\xBFtext,id\r\n\"a\nb\",1\r\nbro\"ken,2\r\nc,3,4\r\nd,5";
  const Read whole = read(bytes, RowFormat::kCsv, kSkip);
  EXPECT_EQ(whole.counts.rows, 2u);
  EXPECT_EQ(whole.counts.skipped, 2u);
  EXPECT_EQ(whole.rows[1].line, 6u);
  for (size_t piece = 1; piece < bytes.size(); ++piece) {
    const Read cut = read(bytes, RowFormat::kCsv, kSkip, piece);
    ASSERT_EQ(cut.rows.size(), 2u) << piece;
    EXPECT_EQ(cut.counts.first_skipped, whole.counts.first_skipped) << piece;
  }
}

TEST(Csv, RecordsAndColumnsAreBounded) {
  EXPECT_TRUE(says(refusal("text\nabcdef\n", RowFormat::kCsv, {.max_line_bytes = 5}),
                   "d.jsonl:2: the record is longer than 5 bytes"));
  EXPECT_EQ(read("text\nabcde\n", RowFormat::kCsv, {.max_line_bytes = 5}).rows.size(), 1u);
  EXPECT_TRUE(says(refusal("text\n" + std::string(5000, ',') + "\n", RowFormat::kCsv),
                   "more than 4096 columns"));
}

TEST(Format, IsDecidedByTheEnding) {
  EXPECT_EQ(row_format_of("a/b.CSV"), RowFormat::kCsv);
  EXPECT_EQ(row_format_of("a.jsonl"), RowFormat::kJsonl);
  EXPECT_EQ(row_format_of("csv"), RowFormat::kJsonl);
}

TEST_F(InFolder, LoadsAFileWithItsDigestAndCounts) {
  const std::string file = write("d.csv", "text\na\nb\n");
  const Dataset dataset = load_dataset(real_env(), file);
  EXPECT_EQ(dataset.rows.size(), 2u);
  EXPECT_EQ(dataset.bytes, 9u);
  EXPECT_EQ(dataset.digest, "799bcab46b87b5169354187ec0297ef4574136d0fe7787aff9fd7f709872fe59");
  EXPECT_EQ(dataset.kind_counts()[static_cast<size_t>(RowKind::kText)], 2u);
}

TEST_F(InFolder, RefusesAFolderAndAFileThatIsNotThere) {
  EXPECT_THROW(load_dataset(real_env(), folder_), Error);
  try {
    load_dataset(real_env(), path("absent.jsonl"));
    FAIL() << "an absent file was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
}

TEST(RowNames, AreNeverGivenTwice) {
  const Read result = read(
      "{\"text\":\"a\",\"id\":\"x\"}\n{\"text\":\"b\",\"id\":\"x\"}\n{\"text\":\"c\",\"id\":\"x#"
      "2\"}\n{\"text\":\"d\"}\n");
  EXPECT_EQ(unique_row_names(result.rows),
            (std::vector<std::string>{"x", "x#2", "x#2#2", "line-4"}));
}

TEST_F(InFolder, OutputIsInInputOrderWhateverOrderTheWorkFinishedIn) {
  JsonlWriter writer(real_env(), path("o.jsonl"), false);
  writer.write(2, Json("c"));
  writer.write(0, Json("a"));
  EXPECT_FALSE(real_env().exists(path("o.jsonl")));
  writer.write(1, Json(0.1f));
  writer.write(Json("d"));
  writer.finish();
  EXPECT_EQ(content("o.jsonl"), "\"a\"\n0.1\n\"c\"\n\"d\"\n");
  EXPECT_FALSE(real_env().exists(path("o.jsonl.part")));
}

TEST_F(InFolder, AnExistingOutputIsRefusedAndStaysWholeUntilTheNewOneIsDone) {
  const std::string file = write("o.jsonl", "old\n");
  try {
    JsonlWriter writer(real_env(), file, false);
    FAIL() << "an existing output was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kConflict);
    EXPECT_TRUE(says(error.message(), "--overwrite"));
  }
  {
    JsonlWriter unfinished(real_env(), file, true);
    unfinished.write(Json("new"));
  }
  EXPECT_EQ(content("o.jsonl"), "old\n");
  EXPECT_FALSE(real_env().exists(file + ".part"));
  JsonlWriter writer(real_env(), file, true);
  writer.write(Json("new"));
  writer.finish();
  EXPECT_EQ(content("o.jsonl"), "\"new\"\n");
}

TEST(Output, OnAFullDiskTheOldResultStaysAndNoPartIsLeft) {
  for (uint64_t room : {0, 1, 5}) {
    FaultEnv env;
    write_file_atomically(env, "o.jsonl", "old\n");
    env.full_after(room);
    try {
      JsonlWriter writer(env, "o.jsonl", true);
      writer.write(Json("new line"));
      writer.finish();
      FAIL() << "a full disk took everything";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
    }
    EXPECT_EQ(env.list_directory("."), std::vector<std::string>{"o.jsonl"});
    EXPECT_EQ(env.read_file("o.jsonl", 99), "old\n");
  }
}

TEST_F(InFolder, OutputThatIsNoFileOrHasNoFolderIsRefusedBeforeTheWork) {
  const auto said = [](const std::string& path) {
    try {
      refuse_existing(real_env(), path, true);
    } catch (const Error& error) {
      return error.message();
    }
    return std::string("taken");
  };
  EXPECT_EQ(said(path("new.jsonl")), "taken");
  EXPECT_EQ(said(write("old.jsonl", "old")), "taken");
  EXPECT_EQ(said("in_this_folder.jsonl"), "taken");
  EXPECT_TRUE(says(said(path("no/folder.jsonl")), "make it first"));
  EXPECT_TRUE(says(said(path("")), "is a folder"));
  EXPECT_TRUE(says(said("/dev/null"), "is a device"));
}

RunManifest example_manifest() {
  RunManifest manifest;
  manifest.method = "dpo";
  manifest.settings["beta"] = 0.1;
  manifest.settings["loss_type"].push_back("sigmoid");
  manifest.seeds["seed"] = UINT64_MAX;
  manifest.digests["data"] = "ab12";
  manifest.program_version = "0.1.0";
  manifest.program_commit = "f6559f4";
  manifest.recipe = "exact-f32/1";
  return manifest;
}

TEST_F(InFolder, ManifestComesBackAsItWasAndIsCanonical) {
  write_run_manifest(real_env(), path("manifest.json"), example_manifest());
  EXPECT_EQ(
      content("manifest.json"),
      R"({"digests":{"data":"ab12"},"method":"dpo","program":{"commit":"f6559f4","version":"0.1.0"},)"
      R"("recipe":"exact-f32/1","schema":"hone.run/1","seeds":{"seed":"18446744073709551615"},)"
      R"("settings":{"beta":0.1,"loss_type":["sigmoid"]}})"
      "\n");
  EXPECT_EQ(read_run_manifest(real_env(), path("manifest.json")).to_json().dump_canonical(),
            example_manifest().to_json().dump_canonical());
}

TEST_F(InFolder, ManifestOfAnotherSchemaOrWithoutAKeyIsRefusedByName) {
  const auto refused = [&](const std::string& text) {
    write("m.json", text);
    try {
      read_run_manifest(real_env(), path("m.json"));
    } catch (const Error& error) {
      return error.message();
    }
    return std::string("(not refused)");
  };
  EXPECT_TRUE(says(refused("{"), "m.json: "));
  EXPECT_TRUE(says(refused("[]"), "expected an object"));
  EXPECT_TRUE(
      says(refused("{\"schema\":\"hone.run/9\"}"), "schema \"hone.run/9\" is not hone.run/1"));
  EXPECT_TRUE(says(refused("{\"schema\":\"hone.run/1\"}"), "missing \"method\""));
  std::string text = example_manifest().to_json().dump();
  text.replace(text.find("18446744073709551615"), 20, "18446744073709551616");
  EXPECT_TRUE(says(refused(text), "seed \"seed\" is not a 64-bit number"));
}

Dataset dataset_of(std::string_view bytes) {
  Read result = read(bytes);
  Dataset dataset;
  dataset.rows = std::move(result.rows);
  dataset.counts = result.counts;
  return dataset;
}

TEST(DataCheck, FindsDuplicatesEqualPairsContradictionsEmptyFieldsAndOverlap) {
  const Dataset train = dataset_of(
      "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"
      "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\",\"id\":5}\n"
      "{\"prompt\":\"p\",\"chosen\":\"b\",\"rejected\":\"a\"}\n"
      "{\"prompt\":\"q\",\"chosen\":\"c\",\"rejected\":\"c\"}\n"
      "{\"prompt\":\" The  Q\\n\",\"chosen\":\"\",\"rejected\":\"c\",\"weight\":0}\n");
  const Dataset held_out = dataset_of(
      "{\"prompt\":\"the q\",\"chosen\":\"x\",\"rejected\":\"y\"}\n"
      "{\"prompt\":\"q\",\"chosen\":\"c\",\"rejected\":\"c\"}\n");
  const auto length = [](const Row& row) { return size_t{row.line * 10}; };
  const DataReport report = check_data(train, &held_out, {.max_length = 40, .length = length});
  EXPECT_EQ(report.rows, 5u);
  EXPECT_EQ(report.distinct_prompts, 3u);
  EXPECT_EQ(report.duplicates.lines, std::vector<uint64_t>{2});
  EXPECT_EQ(report.contradictions.lines, std::vector<uint64_t>{3});
  EXPECT_EQ(report.equal_pairs.lines, std::vector<uint64_t>{4});
  EXPECT_EQ(report.empty_fields.lines, std::vector<uint64_t>{5});
  EXPECT_EQ(report.zero_weight.lines, std::vector<uint64_t>{5});
  EXPECT_EQ(report.shared_prompts.lines, (std::vector<uint64_t>{4, 5}));
  EXPECT_EQ(report.shared_rows.lines, std::vector<uint64_t>{4});
  EXPECT_EQ(report.too_long.lines, std::vector<uint64_t>{5});
  EXPECT_EQ(report.lengths.shortest, 10u);
  EXPECT_EQ(report.lengths.median, 30u);
  EXPECT_EQ(report.lengths.longest, 50u);
  EXPECT_EQ(report.lengths.total, 150u);
  EXPECT_EQ(report.to_json().at("kinds").dump(), R"({"preference":5})");
}

TEST(DataCheck, CleanRowsHaveNoFindingsAndListsAreBounded) {
  std::string bytes;
  for (int i = 0; i < 30; ++i) bytes += "{\"text\":\"" + std::to_string(i) + "\"}\n";
  const DataReport clean = check_data(dataset_of(bytes), nullptr, {});
  EXPECT_EQ(clean.duplicates.count + clean.equal_pairs.count + clean.empty_fields.count, 0u);
  EXPECT_FALSE(clean.has_held_out);
  EXPECT_FALSE(clean.has_lengths);
  const DataReport twice = check_data(dataset_of(bytes + bytes), nullptr, {});
  EXPECT_EQ(twice.duplicates.count, 30u);
  EXPECT_EQ(twice.duplicates.lines.size(), Finding::kMostListed);
}

TEST(DataCheck, NormalisedPromptsOfMessageListsKeepRolesApart) {
  const auto json = [](std::string_view text) { return Json::parse(text).value(); };
  EXPECT_EQ(normalised_text(Json("  The\n CAT ")), "the cat");
  EXPECT_EQ(normalised_text(
                json(R"([{"role":"user","content":"Hi "},{"role":"assistant","content":"Yo"}])")),
            "user: hi assistant: yo");
}

}  // namespace
}  // namespace hone::data
