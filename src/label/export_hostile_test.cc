// Hostile texts in every field that a person or a file fills, from the import over the answer to each
// format of the export: they come out as they went in, and nothing runs them.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "data/csv_cell.h"
#include "data/csv_splitter.h"
#include "label/events.h"
#include "label/export.h"
#include "label/import.h"
#include "label/testing.h"

namespace hone::label {
namespace {

const std::vector<std::string>& corpus() {
  static const std::vector<std::string> kTexts = {
      // SQL
      "'; DROP TABLE task; --", "\" OR \"1\"=\"1", "1; DELETE FROM annotation WHERE 1=1",
      "$1 ?1 :name %s", "') UNION SELECT hash FROM event --",
      // HTML
      "<script>alert(1)</script><img src=x onerror=alert(1)>", "</textarea><svg/onload=alert(1)>",
      "&lt;b&gt; &#x3c;i&#x3e;",
      // markdown
      "[x](javascript:alert(1)) ![y](data:text/html,<b>)", "```\n<b>\n``` | a | b |", "# =1+1",
      // cells of a spreadsheet
      "=HYPERLINK(\"http://evil\",\"x\")", "@SUM(1+1)*cmd|' /C calc'!A0", "+1+cmd|' /C calc'!A0",
      "-2+3+cmd|' /C calc'!A0", "\t=1+1", "\r=1+1", "\n=1+1",
      "\xef\xbc\x9d"
      "1+1",
      "=1+1\";=2+2;\"", "\",=1+1,\"", "a\n=1+1", "a\",\n\"=1+1\",\"b", "-5", "'=1+1",
      // lines, encodings, templates
      "two\r\nlines\rand\nmore", "\xe2\x80\xa8 \xe2\x80\xa9 \xe2\x80\xae txt.exe",
      "%00%0d%0aSet-Cookie: a=b", "{{constructor.constructor('alert(1)')()}} ${7*7}",
      "\\u0000 \\\" \\n \\", "[]", "{\"a\":1}", ",,,,", "\x01\x1b[2J\x7f",
      "\xf0\x9f\x98\x80 \xe4\xbd\xa0\xe5\xa5\xbd"};
  return kTexts;
}

using Records = std::vector<std::map<std::string, std::string>>;  // cells by column

class HostileExport : public ::testing::Test {
 protected:
  Project make(const std::string& type) {
    NewProject wanted;
    wanted.name = type;
    wanted.task_type = type;
    return test_.project(wanted);
  }
  ImportState import(const Project& project, std::string_view bytes, const char* format) {
    ImportRequest request;
    request.project = project.public_id;
    request.name = "hostile";
    request.format = format;
    Importer importer(test_.org(), manager_, request);
    importer.feed(bytes);
    ImportState state = importer.finish();
    EXPECT_EQ(state.errors, 0) << state.first_errors.front().reason;
    return state;
  }
  // In the form of the importer: a task a text, which stands in every field.
  std::string rows_of(const std::vector<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts) {
      Json row = Json::object();
      row["id"] = text;
      row["prompt"] = text;
      row["left"] = Json(Json::Object{{"text", text}, {"model", text}});
      row["right"] = Json(Json::Object{{"text", text + " right"}, {"model", text + " right"}});
      row["topic"] = text;
      out += row.dump() + "\n";
    }
    return out;
  }
  // The person answers each task with the text that it holds.
  int label_all(const Project& project, const std::function<Json(const std::string&)>& answer_to) {
    const Actor person = test_.person(corpus()[11] + std::to_string(++people_));
    int answered = 0;
    for (auto next = test_.next(person, project); !next.leases.empty();
         next = test_.next(person, project)) {
      const Json shown = test_.org().read(
          [&](store::Connection& db) { return assignment_json(test_.org(), db, next.leases[0]); });
      Submission submission;
      submission.rationale = shown.at("task").at("prompt").as_string();
      submission.answer = answer_to(submission.rationale);
      test_.organisation->write(store::Durability::kDisk, [&](store::Transaction& tx) {
        return submit(test_.org(), tx, person, next.leases[0].public_id, submission);
      });
      ++answered;
    }
    return answered;
  }
  std::string text(const Project& project, ExportFormat format) {
    ExportRequest request;
    request.format = format;
    std::string out;
    export_project(test_.org(), test_.read_project(project), request,
                   [&](std::string_view chunk) { out += chunk; });
    return out;
  }
  std::vector<Json> lines(const Project& project, ExportFormat format) {
    std::vector<Json> list;
    std::istringstream in(text(project, format));
    for (std::string line; std::getline(in, line);) list.push_back(Json::parse(line).value());
    return list;
  }
  Records table(const Project& project) {
    const std::string bytes = text(project, ExportFormat::kCsv);
    EXPECT_TRUE(bytes.ends_with("\r\n"));
    Records records;
    std::vector<std::string> names;
    data::CsvSplitter splitter(1 << 20, [&](data::CsvRecord& record) {
      EXPECT_EQ(record.fault, "");
      if (names.empty()) {
        for (const data::CsvCell& each : record.cells) names.push_back(each.text);
        return;
      }
      ASSERT_EQ(record.cells.size(), names.size());
      auto& cells = records.emplace_back();
      for (size_t i = 0; i < names.size(); ++i) {
        EXPECT_FALSE(data::looks_like_formula(record.cells[i].text)) << record.cells[i].text;
        cells[names[i]] = record.cells[i].text;
      }
    });
    splitter.feed(bytes);
    splitter.finish();
    return records;
  }
  void expect_nothing_ran(int64_t tasks, int64_t annotations) {
    EXPECT_EQ(test_.number("SELECT count(*) FROM task"), tasks);
    EXPECT_EQ(test_.number("SELECT count(*) FROM annotation"), annotations);
    EXPECT_TRUE(verify_chain(test_.org()).intact);
  }

  TestOrganisation test_;
  Actor manager_ = test_.person("manager", Role::kManager);
  int people_ = 0;
};

std::string guarded(const std::string& text) {
  return data::looks_like_formula(text) ? "'" + text : text;
}

std::vector<std::string> sorted(std::vector<std::string> texts) {
  std::sort(texts.begin(), texts.end());
  return texts;
}

// What stands in one field of every row.
std::vector<std::string> field(const std::vector<Json>& rows, const char* name) {
  std::vector<std::string> found;
  for (const Json& row : rows) found.push_back(row.at(name).as_string());
  return sorted(found);
}

// Of a reason given beside an answer, the white space around it goes.
std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == text.npos ? "" : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}
std::vector<std::string> trimmed_corpus() {
  std::vector<std::string> texts = corpus();
  for (std::string& text : texts) text = trimmed(text);
  return sorted(texts);
}

std::vector<std::string> with_end(std::string_view end) {
  std::vector<std::string> texts = corpus();
  for (std::string& text : texts) text += end;
  return sorted(texts);
}

TEST_F(HostileExport, PairsComeOutOfEveryFormatAsTheyWentIn) {
  const Project project = make("pairwise");
  const auto count = static_cast<int64_t>(corpus().size());
  EXPECT_EQ(import(project, rows_of(corpus()), "jsonl").created, count);
  EXPECT_EQ(label_all(project,
                      [](const std::string&) {
                        return Json(Json::Object{{"winner", "tie"}});
                      }),
            count);
  const auto preferences = lines(project, ExportFormat::kPreferences);
  EXPECT_EQ(field(preferences, "prompt"), sorted(corpus()));
  for (const Json& row : preferences) {
    const std::string& prompt = row.at("prompt").as_string();
    std::vector<std::string> pair = {row.at("chosen").as_string(), row.at("rejected").as_string()};
    EXPECT_EQ(sorted(pair), sorted({prompt, prompt + " right"}));
    EXPECT_EQ(row.at("provenance").at("external_id").as_string(), prompt);
  }
  EXPECT_EQ(field(lines(project, ExportFormat::kSft), "prompt"), sorted(corpus()));
  EXPECT_EQ(lines(project, ExportFormat::kUnpaired).size(), 2 * corpus().size());
  const auto annotations = lines(project, ExportFormat::kAnnotations);
  EXPECT_EQ(field(annotations, "rationale"), trimmed_corpus());
  EXPECT_EQ(field(annotations, "external_id"), sorted(corpus()));

  const Json studio = Json::parse(text(project, ExportFormat::kLabelStudio)).value();
  ASSERT_EQ(studio.size(), corpus().size());
  for (const Json& task : studio.as_array()) {
    const std::string& prompt = task.at("data").at("prompt").as_string();
    EXPECT_EQ(task.at("id").as_string(), prompt);
    EXPECT_EQ(task.at("data").at("response2").as_string(), prompt + " right");
    EXPECT_EQ(task.at("data").at("model1").as_string(), prompt);
    EXPECT_EQ(task.at("meta").at("topic").as_string(), prompt);
  }
  expect_nothing_ran(count, count);
}

TEST_F(HostileExport, ATableHoldsEveryTextInItsCellAndNoFormula) {
  const Project project = make("pairwise");
  const auto count = static_cast<int64_t>(corpus().size());
  import(project, rows_of(corpus()), "jsonl");
  label_all(project, [](const std::string&) { return Json(Json::Object{{"winner", "left"}}); });
  const Records records = table(project);
  ASSERT_EQ(records.size(), corpus().size());
  std::map<std::string, std::vector<std::string>> columns;
  size_t with_apostrophe = 0;
  for (const auto& cells : records) {
    for (const auto& [name, cell] : cells) columns[name].push_back(cell);
    with_apostrophe += cells.at("prompt").starts_with("'");
    EXPECT_TRUE(cells.at("answer.winner") == "left" || cells.at("answer.winner") == "right");
    EXPECT_EQ(cells.at("answer_json"), "{\"winner\":\"" + cells.at("answer.winner") + "\"}");
    EXPECT_EQ(cells.at("annotation_id").substr(0, 4), "ann_");
    EXPECT_EQ(cells.at("status"), "valid");
    EXPECT_EQ(cells.at("active_ms"), "0");
  }
  EXPECT_GT(with_apostrophe, 9u);
  std::vector<std::string> plain = corpus(), right = with_end(" right"), why = trimmed_corpus();
  for (auto* texts : {&plain, &right, &why}) {
    for (std::string& each : *texts) each = guarded(each);
  }
  for (const char* name : {"external_id", "prompt", "left", "model_left"}) {
    EXPECT_EQ(sorted(columns[name]), sorted(plain)) << name;
  }
  for (const char* name : {"right", "model_right"}) {
    EXPECT_EQ(sorted(columns[name]), sorted(right)) << name;
  }
  EXPECT_EQ(sorted(columns["rationale"]), sorted(why));
  expect_nothing_ran(count, count);
}

// Words that people type, into and out of CSV.
TEST_F(HostileExport, WhatPeopleWroteIsTextInEveryFormat) {
  const Project project = make("text");
  std::string csv;
  data::append_csv_text("prompt", csv);
  csv += ',';
  data::append_csv_text("response", csv);
  csv += "\r\n";
  for (const std::string& text : corpus()) {
    std::string quoted = text;
    for (size_t at = 0; (at = quoted.find('"', at)) != std::string::npos; at += 2) {
      quoted.insert(at, "\"");
    }
    csv += "\"" + quoted + "\",\"" + quoted + "\"\r\n";
  }
  const auto count = static_cast<int64_t>(corpus().size());
  EXPECT_EQ(import(project, csv, "csv").created, count);
  EXPECT_EQ(label_all(project,
                      [](const std::string& prompt) {
                        return Json(Json::Object{{"correction", prompt}});
                      }),
            count);
  const auto sft = lines(project, ExportFormat::kSft);
  EXPECT_EQ(field(sft, "prompt"), sorted(corpus()));
  EXPECT_EQ(field(sft, "completion"), sorted(corpus()));
  EXPECT_EQ(field(lines(project, ExportFormat::kAnnotations), "rationale"), trimmed_corpus());
  EXPECT_EQ(Json::parse(text(project, ExportFormat::kLabelStudio)).value().size(), corpus().size());
  const Records records = table(project);
  ASSERT_EQ(records.size(), corpus().size());
  for (const auto& cells : records) {
    const Json answer = Json::parse(cells.at("answer_json")).value();
    const std::string& said = answer.at("correction").as_string();
    EXPECT_EQ(cells.at("answer.correction"), guarded(said));
    EXPECT_EQ(cells.at("rationale"), guarded(trimmed(said)));
    EXPECT_EQ(cells.at("prompt"), guarded(said));
    EXPECT_EQ(Json::parse(cells.at("responses")).value().as_array()[0].as_string(), said);
  }
  expect_nothing_ran(count, count);
}

TEST_F(HostileExport, ATableOfPlainPairsIsReadByTheImporterAgain) {
  const Project project = make("pairwise");
  std::string rows;
  for (int i = 0; i < 30; ++i) {
    rows += "{\"prompt\":\"p" + std::to_string(i) +
            "\",\"left\":\"a, \\\"b\\\"\",\"right\":\"c\\nd\"}\n";
  }
  import(project, rows, "jsonl");
  label_all(project, [](const std::string&) { return Json(Json::Object{{"winner", "left"}}); });
  const std::string csv = text(project, ExportFormat::kCsv);
  EXPECT_EQ(
      csv.substr(0, csv.find('\r')),
      R"("annotation_id","task_id","external_id","language","prompt","left","right",)"
      R"("model_left","model_right","worker","status","answer.winner","answer_json","choice",)"
      R"("rationale","shown_order","active_ms","wall_ms","created_at","guideline_version",)"
      R"("schema_version","split","gold","erased")");
  const ImportState again = import(project, csv, "csv");
  EXPECT_EQ(again.duplicates, 30);
  EXPECT_EQ(again.created, 0);
}

// No text is ever held twice: pieces are of about 64 KiB, however many labels there are.
TEST_F(HostileExport, ATableIsStreamed) {
  const Project project = make("pairwise");
  const std::string words(2000, '=');
  std::string rows;
  for (int i = 0; i < 1200; ++i) {
    rows += "{\"prompt\":\"" + std::to_string(i) + words + R"(","left":"a","right":"b",)" +
            R"("winner":"left","worker":"w"})" + "\n";
  }
  import(project, rows, "jsonl");
  size_t pieces = 0, most = 0, bytes = 0;
  ExportRequest request;
  request.format = ExportFormat::kCsv;
  const ExportCounts counts = export_project(test_.org(), test_.read_project(project), request,
                                             [&](std::string_view chunk) {
                                               ++pieces;
                                               bytes += chunk.size();
                                               most = std::max(most, chunk.size());
                                             });
  EXPECT_EQ(counts.rows, 1200u);
  EXPECT_GT(bytes, 2'400'000u);
  EXPECT_GT(pieces, 30u);
  EXPECT_LT(most, size_t{68} << 10);
}

}  // namespace
}  // namespace hone::label
