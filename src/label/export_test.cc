#include "label/export.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "data/data_check.h"
#include "data/dataset.h"
#include "data/row_reader.h"
#include "label/export_rows.h"
#include "label/import.h"
#include "label/testing.h"

namespace hone::label {
namespace {

class Export : public ::testing::Test {
 protected:
  Project make(const std::string& type, int64_t overlap = 1) {
    NewProject wanted;
    wanted.name = type;
    wanted.task_type = type;
    wanted.overlap = overlap;
    return test_.project(wanted);
  }
  ImportState import(const Project& project, std::string_view bytes) {
    ImportRequest request;
    request.project = project.public_id;
    request.name = "rows";
    Importer importer(test_.org(), manager_, request);
    importer.feed(bytes);
    ImportState state = importer.finish();
    EXPECT_EQ(state.errors, 0) << state.first_errors.front().reason;
    return state;
  }
  std::string text(const Project& project, const ExportRequest& request) {
    std::string out;
    counts_ = export_project(test_.org(), test_.read_project(project), request,
                             [&](std::string_view chunk) { out += chunk; });
    return out;
  }
  std::vector<Json> rows(const Project& project, const ExportRequest& request) {
    std::vector<Json> list;
    std::istringstream in(text(project, request));
    for (std::string line; std::getline(in, line);) list.push_back(Json::parse(line).value());
    return list;
  }
  std::vector<Json> rows(const Project& project, ExportFormat format) {
    ExportRequest request;
    request.format = format;
    return rows(project, request);
  }
  // The person answers every task that is left for them; answer_of(assignment) is the answer.
  void label_all(const Actor& person, const Project& project,
                 const std::function<std::string(const Json&)>& answer_of) {
    for (auto next = test_.next(person, project); !next.leases.empty();
         next = test_.next(person, project)) {
      const Json shown = test_.org().read(
          [&](store::Connection& db) { return assignment_json(test_.org(), db, next.leases[0]); });
      test_.answer(person, next.leases[0].public_id, answer_of(shown));
    }
  }

  TestOrganisation test_;
  Actor manager_ = test_.person("manager", Role::kManager);
  ExportCounts counts_;
};

std::string voted(const std::string& prompt, const std::string& winner,
                  const std::string& workers) {
  std::string out;
  for (const char worker : workers) {
    out += R"({"prompt":")" + prompt + R"(","left":{"text":"one )" + prompt +
           R"(","model":"m1"},"right":{"text":"two )" + prompt + R"(","model":"m2"},"winner":")" +
           winner + R"(","worker":"w)" + worker + "\"}\n";
  }
  return out;
}

// Planted: one response of each pair is good, on either side, and every person picks it however the
// two are shown.
TEST_F(Export, SidesAreThoseOfTheImportWhateverOrderWasShown) {
  const Project project = make("pairwise", 3);
  std::string tasks;
  for (int i = 0; i < 40; ++i) {
    const std::string n = std::to_string(i);
    const bool left = i % 3 == 0;
    tasks += "{\"prompt\":\"p" + n + "\",\"left\":\"" + (left ? "good" : "bad") + n +
             "\",\"right\":\"" + (left ? "bad" : "good") + n + "\"}\n";
  }
  import(project, tasks);
  int by_side = 0, by_left = 0;
  for (const char* name : {"ann", "ben", "eve"}) {
    label_all(test_.person(name), project, [&](const Json& shown) {
      const Json::Array& responses = shown.at("task").at("responses").as_array();
      const bool left = responses[0].at("text").as_string().starts_with("good");
      by_left += left;
      if (by_side++ % 2 == 0)
        return std::string(left ? R"({"winner":"left"})" : R"({"winner":"right"})");
      return "{\"winner\":\"" + responses[left ? 0 : 1].at("response_id").as_string() + "\"}";
    });
  }
  EXPECT_GT(by_left, 30);
  EXPECT_LT(by_left, 90);  // shown either way round
  const auto preferences = rows(project, ExportFormat::kPreferences);
  ASSERT_EQ(preferences.size(), 40u);
  for (const Json& row : preferences) {
    EXPECT_TRUE(row.at("chosen").as_string().starts_with("good")) << row.dump();
    EXPECT_EQ(row.at("labels").size(), 3u);
    EXPECT_GT(row.at("probability").as_double(), 0.9);
  }
  const auto annotations = rows(project, ExportFormat::kAnnotations);
  ASSERT_EQ(annotations.size(), 120u);
  size_t lefts = 0;
  for (const Json& row : annotations) {
    EXPECT_EQ(row.at("status").as_string(), "valid");
    const bool left = row.at("answer").at("winner").as_string() == "left";
    EXPECT_EQ(row.at("choice").as_string(), left ? "first" : "second");
    lefts += left;
    EXPECT_NE(row.at("worker").as_string().substr(0, 4), "usr_");
  }
  EXPECT_EQ(lefts, 3u * 14u);
}

TEST_F(Export, TheProbabilityCarriesTheDoubtAndTheWeightWhetherThereIsAnythingToLearn) {
  const Project project = make("pairwise");
  std::string votes;
  for (int i = 0; i < 30; ++i) votes += voted("sure" + std::to_string(i), "left", "abc");
  for (int i = 0; i < 10; ++i) votes += voted("right" + std::to_string(i), "right", "abc");
  for (int i = 0; i < 10; ++i) votes += voted("tied" + std::to_string(i), "tie", "abc");
  for (int i = 0; i < 10; ++i) votes += voted("bad" + std::to_string(i), "both_bad", "abc");
  import(project, votes + voted("split", "left", "a") + voted("split", "right", "b"));
  std::map<std::string, const Json*> by_prompt;
  const auto list = rows(project, ExportFormat::kPreferences);
  for (const Json& row : list) by_prompt[row.at("prompt").as_string()] = &row;
  EXPECT_EQ(list.size(), 51u);
  EXPECT_EQ(counts_.both_bad, 10u);
  EXPECT_EQ(counts_.tasks, 61u);
  const Json& sure = *by_prompt.at("sure3");
  EXPECT_EQ(sure.at("chosen").as_string(), "one sure3");
  EXPECT_EQ(sure.at("models").dump(), R"(["m1","m2"])");
  EXPECT_GT(sure.at("probability").as_double(), 0.95);
  EXPECT_GT(sure.at("weight").as_double(), 0.95);
  EXPECT_EQ(sure.at("provenance").at("method").as_string(), "ibcc");
  const Json& right = *by_prompt.at("right3");
  EXPECT_EQ(right.at("chosen").as_string(), "two right3");
  EXPECT_EQ(right.at("models").dump(), R"(["m2","m1"])");
  const Json& tied = *by_prompt.at("tied3");
  EXPECT_LT(tied.at("probability").as_double(), 0.6);
  const Json& split = *by_prompt.at("split");
  EXPECT_LT(split.at("probability").as_double(), sure.at("probability").as_double());
  EXPECT_GE(split.at("probability").as_double(), 0.5);
  EXPECT_EQ(by_prompt.count("bad3"), 0u);

  ExportRequest request;
  request.min_probability = 0.9;
  EXPECT_EQ(rows(project, request).size(), 40u);
  request.min_annotations = 4;
  EXPECT_EQ(rows(project, request).size(), 0u);
  EXPECT_EQ(counts_.unlabelled, 61u);
  // The same labels give the same bytes.
  EXPECT_EQ(text(project, ExportRequest()), text(project, ExportRequest()));
}

TEST_F(Export, TasksThatNobodyLabelledAreNotLookedAtUnlessTheyAreAskedForAndCounted) {
  const Project project = make("pairwise");
  std::string votes = voted("labelled", "left", "a");
  for (int i = 0; i < 40; ++i) {
    votes += R"({"prompt":"open )" + std::to_string(i) +
             R"(","left":"a","right":"b"})"
             "\n";
  }
  votes += R"({"prompt":"g","left":"a","right":"b","gold":"left"})"
           "\n";
  import(project, votes);
  ExportRequest request;
  request.format = ExportFormat::kAnnotations;
  EXPECT_EQ(rows(project, request).size(), 1u);
  EXPECT_EQ(counts_.tasks, 1u);
  ExportCounts all = counts_;
  count_unlabelled(test_.org(), project, request, all);
  EXPECT_EQ(all.tasks, 42u);
  EXPECT_EQ(all.unlabelled, 41u);
  request.format = ExportFormat::kPreferences;
  EXPECT_EQ(rows(project, request).size(), 1u);
  count_unlabelled(test_.org(), project, request, counts_);
  EXPECT_EQ(counts_.tasks, 42u);
  EXPECT_EQ(counts_.unlabelled, 40u);
  EXPECT_EQ(counts_.unusable, 1u);  // gold is in no training row
  request.format = ExportFormat::kLabelStudio;
  request.min_annotations = 0;
  text(project, request);
  EXPECT_EQ(counts_.rows, 42u);
  EXPECT_EQ(counts_.tasks, 42u);
}

TEST_F(Export, GoldSurplusAndWithdrawnLabelsAreInNoTrainingRow) {
  const Project project = make("pairwise", 2);
  import(project, R"({"prompt":"g","left":"a","right":"b","gold":"left"})"
                  "\n"
                  R"({"prompt":"p","left":"a","right":"b"})"
                  "\n");
  const Actor ann = test_.person("ann"), ben = test_.person("ben");
  for (const Actor& person : {ann, ben}) {
    label_all(person, project, [](const Json&) { return R"({"winner":"tie"})"; });
  }
  test_.write([](store::Transaction& tx) {
    tx.execute(
        "UPDATE annotation SET status = 'surplus' WHERE id = (SELECT min(id) FROM annotation)");
  });
  const auto preferences = rows(project, ExportFormat::kPreferences);
  ASSERT_EQ(preferences.size(), 1u);
  EXPECT_EQ(preferences[0].at("prompt").as_string(), "p");
  EXPECT_EQ(preferences[0].at("labels").size(), 1u);
  count_unlabelled(test_.org(), project, {}, counts_);
  EXPECT_EQ(counts_.unusable, 1u);
  const auto annotations = rows(project, ExportFormat::kAnnotations);
  ASSERT_EQ(annotations.size(), 2u);
  EXPECT_EQ(annotations[0].at("status").as_string(), "surplus");
}

TEST_F(Export, TrainingRowsAreReadByTheTrainerAndPassItsCheck) {
  const Project project = make("pairwise");
  std::string votes = voted("line\\nbreak", "left", "ab") + voted("=1+1", "right", "ab");
  votes +=
      R"({"prompt":[{"role":"user","content":"hi"}],"left":"a","right":"b","winner":"left","worker":"wa"})";
  import(project, votes + "\n");
  for (const ExportFormat format :
       {ExportFormat::kPreferences, ExportFormat::kSft, ExportFormat::kUnpaired}) {
    ExportRequest request;
    request.format = format;
    data::Dataset dataset;
    data::RowReader reader("export", data::RowFormat::kJsonl, {},
                           [&](data::Row&& row) { dataset.rows.push_back(std::move(row)); });
    reader.feed(text(project, request));
    reader.finish();
    ASSERT_EQ(dataset.rows.size(), format == ExportFormat::kUnpaired ? 6u : 3u);
    EXPECT_EQ(dataset.rows[0].kind,
              format == ExportFormat::kPreferences ? data::RowKind::kPreference
              : format == ExportFormat::kSft       ? data::RowKind::kPromptCompletion
                                                   : data::RowKind::kUnpaired);
    EXPECT_FALSE(dataset.rows[0].id.empty());
    EXPECT_TRUE(dataset.rows[format == ExportFormat::kUnpaired ? 4 : 2].conversational());
    if (format == ExportFormat::kPreferences) {
      EXPECT_EQ(dataset.rows[0].labels.size(), 2u);
    }
    const data::DataReport report = data::check_data(dataset, nullptr, {});
    EXPECT_EQ(report.duplicates.count + report.equal_pairs.count + report.contradictions.count +
                  report.empty_fields.count + report.zero_weight.count,
              0u);
  }
}

TEST_F(Export, EqualTextsTeachNothing) {
  const Project project = make("pairwise");
  import(project, R"({"prompt":"p","left":"same","right":"same","winner":"left","worker":"w"})");
  EXPECT_EQ(rows(project, ExportFormat::kPreferences).size(), 0u);
  EXPECT_EQ(counts_.equal, 1u);
}

TEST_F(Export, WhatPeopleWroteBecomesCompletions) {
  const Project project = make("text", 2);
  import(project, R"({"prompt":"p","response":"helo"})");
  for (const char* name : {"ann", "ben"}) {
    label_all(test_.person(name), project, [&](const Json&) {
      return std::string(R"({"correction":"hello from )") + name + "\"}";
    });
  }
  const auto list = rows(project, ExportFormat::kSft);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].at("completion").as_string(), "hello from ann");
  EXPECT_EQ(list[0].at("weight").as_double(), 0.5);
  const Error refused = error_from([&] { rows(project, ExportFormat::kPreferences); });
  EXPECT_EQ(refused.code(), ErrorCode::kInvalidInput);
  EXPECT_NE(refused.message().find("annotations"), std::string::npos);
}

TEST_F(Export, ARankingGivesAPairForEveryTwoResponses) {
  const Project project = make("ranking");
  import(project, R"({"prompt":"p","responses":["worst","best","middle"]})");
  label_all(test_.person("ann"), project, [](const Json& shown) {
    std::map<std::string, std::string> ids;
    for (const Json& response : shown.at("task").at("responses").as_array()) {
      ids[response.at("text").as_string()] = response.at("response_id").as_string();
    }
    return R"({"order":[[")" + ids["best"] + R"("],[")" + ids["middle"] + R"("],[")" +
           ids["worst"] + R"("]]})";
  });
  const auto list = rows(project, ExportFormat::kPreferences);
  ASSERT_EQ(list.size(), 3u);
  std::vector<std::string> said;
  for (const Json& row : list) {
    said.push_back(row.at("chosen").as_string() + ">" + row.at("rejected").as_string());
  }
  EXPECT_EQ(said, (std::vector<std::string>{"best>worst", "middle>worst", "best>middle"}));
  const auto sft = rows(project, ExportFormat::kSft);
  ASSERT_EQ(sft.size(), 1u);
  EXPECT_EQ(sft[0].at("completion").as_string(), "best");
  EXPECT_EQ(rows(project, ExportFormat::kAnnotations)[0].at("answer").at("order").dump(),
            "[[1],[2],[0]]");
}

TEST_F(Export, ARatingSaysWhetherAResponseIsGood) {
  const Project project = make("rating");
  import(project, R"({"prompt":"p","responses":["fine","awful"]})");
  label_all(test_.person("ann"), project, [](const Json& shown) {
    std::string of;
    for (const Json& response : shown.at("task").at("responses").as_array()) {
      of += (of.empty() ? "\"" : ",\"") + response.at("response_id").as_string() +
            "\":" + (response.at("text").as_string() == "fine" ? "5" : "1");
    }
    return "{\"helpfulness\":{" + of + "},\"accuracy\":{" + of + "},\"clarity\":{" + of + "}}";
  });
  ExportRequest request;
  request.format = ExportFormat::kUnpaired;
  const auto list = rows(project, request);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].at("completion").as_string(), "fine");
  EXPECT_TRUE(list[0].at("label").as_bool());
  EXPECT_FALSE(list[1].at("label").as_bool());
}

TEST_F(Export, LabelStudioJsonComesBackIn) {
  const Project project = make("pairwise", 2);
  import(project, voted("p", "left", "ab") + voted("q", "both_bad", "a") +
                      R"({"id":"x7","prompt":"r","left":"a","right":"b","topic":"t"})");
  ExportRequest request;
  request.format = ExportFormat::kLabelStudio;
  request.min_annotations = 0;
  const std::string json = text(project, request);
  EXPECT_EQ(Json::parse(json).value().size(), 3u);
  const Project copy = make("pairwise", 2);
  const ImportState state = import(copy, json);
  EXPECT_EQ(state.format, "label-studio");
  EXPECT_EQ(state.created, 3);
  EXPECT_EQ(state.annotations, 3);
  EXPECT_EQ(test_.number("SELECT count(*) FROM task WHERE external_id = 'x7'"), 2);
  const auto winners = [&](const Project& of) {
    std::vector<std::string> list;
    for (const Json& row : rows(of, ExportFormat::kAnnotations)) {
      list.push_back(row.at("answer").dump());
    }
    return list;
  };
  EXPECT_EQ(winners(copy), winners(project));
  EXPECT_EQ(text(make("pairwise"), request), "[]\n");
}

TEST_F(Export, ARequestIsReadStrictly) {
  const auto read = [](const char* json) {
    return ExportRequest::from_json(Json::parse(json).value());
  };
  EXPECT_EQ(read(R"({"format":"sft","min_probability":0.7})").format, ExportFormat::kSft);
  for (const char* wrong :
       {R"({"format":"xml"})", R"({"split":"test"})", R"({"min_probability":2})",
        R"({"min_annotations":-1})", R"({"colour":1})", "[]"}) {
    EXPECT_EQ(error_from([&] { read(wrong); }).code(), ErrorCode::kInvalidInput) << wrong;
  }
}

}  // namespace
}  // namespace hone::label
