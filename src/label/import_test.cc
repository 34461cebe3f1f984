#include "label/import.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "data/row_reader.h"
#include "label/events.h"
#include "label/export.h"
#include "label/live_quality.h"
#include "label/testing.h"

namespace hone::label {
namespace {

class Import : public ::testing::Test {
 protected:
  ImportRequest request(const std::string& format = "") {
    ImportRequest request;
    request.project = project_.public_id;
    request.name = "file";
    request.format = format;
    return request;
  }
  static void feed(Importer& importer, std::string_view bytes, size_t piece = 1 << 16) {
    for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at)) {
      importer.feed(bytes.substr(at, piece));
    }
  }
  ImportState import(std::string_view bytes, ImportRequest request, size_t piece = 1 << 16) {
    Importer importer(test_.org(), manager_, std::move(request));
    feed(importer, bytes, piece);
    return importer.finish();
  }
  ImportState import(std::string_view bytes, size_t piece = 1 << 16) {
    return import(bytes, request(), piece);
  }
  ImportState stored(const ImportState& state) {
    return test_.org().read([&](store::Connection& db) { return get_import(db, state.public_id); });
  }
  int64_t count(const std::string& sql) { return test_.number("SELECT count(*) FROM " + sql); }
  void expect_sound() {
    EXPECT_EQ(test_.recount(project_), std::vector<std::string>{});
    EXPECT_TRUE(verify_chain(test_.org()).intact);
  }

  TestOrganisation test_;
  Actor manager_ = test_.person("manager", Role::kManager);
  Project project_ = test_.pairwise(2);
};

std::string pairs(int from, int to) {
  std::string text;
  for (int i = from; i < to; ++i) {
    const std::string n = std::to_string(i);
    text += R"({"id":)" + n + R"(,"prompt":"prompt )" + n + R"(","left":"a )" + n +
            R"(","right":"b )" + n + "\"}\n";
  }
  return text;
}

TEST_F(Import, JsonLinesBecomeTasksWhateverThePieces) {
  const ImportState state = import(pairs(0, 50), 7);
  EXPECT_EQ(state.state, "done");
  EXPECT_EQ(state.format, "jsonl");
  EXPECT_EQ(state.rows, 50);
  EXPECT_EQ(state.created, 50);
  EXPECT_EQ(state.bytes_done, pairs(0, 50).size());
  EXPECT_EQ(count("task WHERE state = 'open' AND slots = 2"), 50);
  EXPECT_EQ(test_.text("SELECT external_id FROM task ORDER BY id LIMIT 1"), "0");
  EXPECT_EQ(stored(state).to_json().dump(), state.to_json().dump());
  expect_sound();
}

TEST_F(Import, TheSameRowsAgainAreCountedAsDuplicates) {
  import(pairs(0, 10));
  const ImportState again = import(pairs(5, 15));
  EXPECT_EQ(again.created, 5);
  EXPECT_EQ(again.duplicates, 5);
  EXPECT_EQ(again.errors, 0);
  expect_sound();
}

TEST_F(Import, BadRowsAreNamedAndTheRestComesIn) {
  const ImportState state =
      import(pairs(0, 1) + "{\"prompt\":\"p\"}\nnot json\n" + pairs(1, 2) + "[1]\n");
  EXPECT_EQ(state.created, 2);
  EXPECT_EQ(state.errors, 3);
  ASSERT_EQ(state.first_errors.size(), 3u);
  EXPECT_EQ(state.first_errors[0].line, 2u);
  EXPECT_EQ(state.first_errors[0].reason, "a pairwise task needs 2 responses, the row has 0");
  EXPECT_EQ(state.first_errors[1].line, 3u);
  EXPECT_EQ(state.first_errors[2].line, 5u);
  EXPECT_EQ(stored(state).first_errors.size(), 3u);
}

TEST_F(Import, OnlyTheFirstHundredErrorsAreKeptAndAllAreCounted) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "x\n";
  const ImportState state = import(text, request("jsonl"));
  EXPECT_EQ(state.errors, 5000);
  EXPECT_EQ(stored(state).errors, 5000);
  EXPECT_EQ(stored(state).first_errors.size(), ImportState::kMostErrors);
}

TEST_F(Import, CsvColumnsAreGuessedByTheirNames) {
  const ImportState state = import(
      "idx,Instruction,Input,Response 1,Response 2,source\r\n"
      "1,Say hi,,hi,\"hello, you\",web\r\n"
      "2,Add,1+1,2,3,\r\n");
  EXPECT_EQ(state.format, "csv");
  ASSERT_EQ(state.created, 2) << (state.errors ? state.first_errors[0].reason : "");
  EXPECT_EQ(state.columns.dump(),
            R"({"idx":"id","Instruction":"prompt","Input":"prompt","Response 1":"left",)"
            R"("Response 2":"right","source":"meta"})");
  const Json second =
      Json::parse(test_.text("SELECT body FROM task_body WHERE task_id = 2")).value();
  EXPECT_EQ(second.at("prompt").as_string(), "Add\n\n1+1");
  const Json first =
      Json::parse(test_.text("SELECT body FROM task_body WHERE task_id = 1")).value();
  EXPECT_EQ(first.at("prompt").as_string(), "Say hi");
  EXPECT_EQ(first.at("meta").dump(), R"({"source":"web"})");
}

TEST_F(Import, ConfirmedColumnsWinOverGuesses) {
  ImportRequest confirmed = request();
  confirmed.columns =
      Json::parse(R"({"q":"prompt","x":"left","y":"right","prompt":"ignore","note":"meta"})")
          .value();
  const ImportState state = import("q,x,y,prompt,note\np,a,b,secret,n\n", confirmed);
  ASSERT_EQ(state.created, 1);
  const std::string body = test_.text("SELECT body FROM task_body");
  EXPECT_EQ(body.find("secret"), std::string::npos);
  EXPECT_NE(body.find("\"note\":\"n\""), std::string::npos);
  confirmed.columns = Json::parse(R"({"q":"colour"})").value();
  EXPECT_EQ(error_from([&] { import("q\n1\n", confirmed); }).code(), ErrorCode::kInvalidInput);
  confirmed.columns = Json::parse(R"({"q":"left","p":"left"})").value();
  EXPECT_EQ(error_from([&] { import("q\n1\n", confirmed); }).code(), ErrorCode::kInvalidInput);
}

TEST_F(Import, GoldIsCheckedAgainstTheSchema) {
  const ImportState state =
      import(R"({"prompt":"p","left":"a","right":"b","gold":{"winner":"left"}})"
             "\n"
             R"({"prompt":"q","left":"a","right":"b","gold":{"winner":"up"}})"
             "\n"
             R"({"prompt":"r","left":"a","right":"b","gold":"right"})"
             "\n");
  EXPECT_EQ(state.created, 2);
  ASSERT_EQ(state.errors, 1);
  EXPECT_NE(state.first_errors[0].reason.find("\"gold\""), std::string::npos);
  EXPECT_EQ(count("gold"), 2);
  const Json body = Json::parse(test_.text("SELECT body FROM task_body WHERE task_id = 2")).value();
  EXPECT_NE(test_.text("SELECT answer FROM gold WHERE task_id = 2")
                .find(body.at("responses").as_array()[1].at("response_id").as_string()),
            std::string::npos);
  expect_sound();
}

TEST_F(Import, VotesBecomeAnnotationsOfMembersAndFinishTheirTasks) {
  const ImportState state =
      import(R"({"prompt":"p","left":"a","right":"b","winner":"left","worker":"w1"})"
             "\n"
             R"({"prompt":"p","left":"b","right":"a","winner":"left","worker":"w2"})"
             "\n"
             R"({"prompt":"p","left":"a","right":"b","winner":"tie","worker":"w1"})"
             "\n"
             R"({"prompt":"q","left":"a","right":"b","winner":"both_bad","worker":"w1"})"
             "\n");
  EXPECT_EQ(state.created, 2);
  EXPECT_EQ(state.duplicates, 2);
  EXPECT_EQ(state.annotations, 3);
  // w2 had the sides exchanged: left was b, the second response of the task.
  EXPECT_EQ(test_.text("SELECT group_concat(choice) FROM (SELECT a.choice FROM annotation a"
                       " JOIN member m ON m.id = a.member_id WHERE a.task_id = 1 ORDER BY m.name)"),
            "first,second");
  EXPECT_EQ(count("task WHERE state = 'done' AND valid = 2"), 1);
  EXPECT_EQ(count("task WHERE state = 'open' AND valid = 1 AND slots = 1"), 1);
  EXPECT_EQ(count("member WHERE is_paused = 1"), 2);
  expect_sound();
  // The same file again: nothing is said twice.
  EXPECT_EQ(
      import(R"({"prompt":"q","left":"a","right":"b","winner":"left","worker":"w1"})").annotations,
      0);
  expect_sound();
}

TEST_F(Import, WithoutVotesTheWinnerIsLeftOut) {
  ImportRequest plain = request();
  plain.votes = false;
  const ImportState state =
      import(R"({"prompt":"p","left":"a","right":"b","winner":"left","worker":"w"})", plain);
  EXPECT_EQ(state.created, 1);
  EXPECT_EQ(count("annotation"), 0);
}

TEST_F(Import, ATaskWithMoreVotesThanItsOverlapWantsThemAll) {
  std::string text = "prompt,left,right,annotator1,annotator2,annotator3\np,a,b,1,2,0\n";
  const ImportState state = import(text);
  ASSERT_EQ(state.annotations, 3);
  EXPECT_EQ(count("task WHERE state = 'done' AND valid = 3 AND wanted = 3 AND slots = 0"), 1);
  expect_sound();
}

TEST_F(Import, LabelStudioTasksComeWithTheirChoices) {
  const ImportState state = import(
      R"([{"id":11,"data":{"prompt":"p","answer1":"a","answer2":"b"},"annotations":[
            {"completed_by":{"email":"ann@example.org"},"result":[{"type":"pairwise","value":{"selected":"left"}}]},
            {"completed_by":7,"result":[{"type":"choices","value":{"choices":["right"]}}]},
            {"completed_by":8,"was_cancelled":true,"result":[]},
            {"completed_by":9,"result":[{"type":"textarea","value":{"text":["hm"]}}]}]},
          {"id":12,"annotations":[]},
          {"id":13,"data":{"prompt":"q","answer1":"a","answer2":"b"}}])",
      5);
  EXPECT_EQ(state.format, "label-studio");
  EXPECT_EQ(state.created, 2);
  ASSERT_EQ(state.errors, 1);
  EXPECT_EQ(state.first_errors[0].line, 6u);
  EXPECT_EQ(state.annotations, 2);
  EXPECT_EQ(test_.text("SELECT external_id FROM task WHERE id = 1"), "11");
  EXPECT_NE(test_.text("SELECT body FROM task_body WHERE task_id = 1").find("textarea"),
            std::string::npos);
  EXPECT_EQ(count("member WHERE name IN ('ann@example.org', 'user 7')"), 2);
  expect_sound();
}

TEST_F(Import, ArenaBattlesComeWithModelsAndTheJudgesVote) {
  const ImportState state = import(
      R"arena([{"question_id":"q1","model_a":"m1","model_b":"m2","winner":"model_b","judge":"arena_user_1",
           "conversation_a":[{"role":"user","content":"hi"},{"role":"assistant","content":"A"}],
           "conversation_b":[{"role":"user","content":"hi"},{"role":"assistant","content":"B"}],
           "language":"English"},
          {"question_id":"q2","model_a":"m1","model_b":"m2","winner":"tie (bothbad)","judge":"arena_user_2",
           "conversation_a":[{"role":"user","content":"x"},{"role":"assistant","content":"A"},
             {"role":"user","content":"more"},{"role":"assistant","content":"A2"}],
           "conversation_b":[{"role":"user","content":"x"},{"role":"assistant","content":"B"}]},
          {"question_id":"q3","winner":"model_a","conversation_a":[],"conversation_b":[]}])arena");
  EXPECT_EQ(state.format, "arena");
  EXPECT_EQ(state.created, 2);
  EXPECT_EQ(state.errors, 1);
  EXPECT_EQ(state.annotations, 2);
  const Json one = Json::parse(test_.text("SELECT body FROM task_body WHERE task_id = 1")).value();
  EXPECT_EQ(one.at("prompt").as_string(), "hi");
  EXPECT_EQ(one.at("responses").as_array()[1].at("model").as_string(), "m2");
  EXPECT_EQ(test_.text("SELECT language FROM task WHERE id = 1"), "en");
  EXPECT_EQ(test_.text("SELECT choice FROM annotation WHERE task_id = 1"), "second");
  EXPECT_EQ(test_.text("SELECT choice FROM annotation WHERE task_id = 2"), "both_bad");
  const Json two = Json::parse(test_.text("SELECT body FROM task_body WHERE task_id = 2")).value();
  EXPECT_EQ(two.at("responses").as_array()[0].at("text").as_string(),
            "A\n\nUser: more\n\nAssistant: A2");
  expect_sound();
}

TEST_F(Import, AnImportThatBrokeOffGoesOnWhereItStopped) {
  const std::string text = "prompt,left,right\n" + [] {
    std::string rows;
    for (int i = 0; i < 5000; ++i) {
      rows += i % 1000 == 7 ? "bad row\n"
                            : "p" + std::to_string(i) + "," + std::string(40, 'a') + ",b\n";
    }
    return rows;
  }();
  std::string id;
  {
    Importer importer(test_.org(), manager_, request());
    feed(importer, std::string_view(text).substr(0, text.size() * 3 / 4), 1000);
    id = importer.state().public_id;
  }
  ImportState broken;
  test_.org().read([&](store::Connection& db) { broken = get_import(db, id); });
  EXPECT_EQ(broken.state, "failed");
  EXPECT_GT(broken.created, 0);
  EXPECT_LT(broken.created, 4995);
  EXPECT_EQ(count("task"), broken.created);
  test_.open();

  const auto resume = [&](std::string_view bytes) {
    auto importer = Importer::resume(test_.org(), manager_, id, {});
    feed(*importer, bytes, 777);
    return importer->finish();
  };
  std::string other = text;
  other[100] = other[100] == 'x' ? 'y' : 'x';
  EXPECT_EQ(error_from([&] { resume(other); }).code(), ErrorCode::kConflict);
  EXPECT_EQ(error_from([&] { resume(text.substr(0, 50)); }).code(), ErrorCode::kConflict);
  EXPECT_EQ(count("task"), broken.created);

  const ImportState done = resume(text);
  EXPECT_EQ(done.rows, 5000);
  EXPECT_EQ(done.created, 4995);
  EXPECT_EQ(done.duplicates, 0);
  EXPECT_EQ(done.errors, 5);
  EXPECT_EQ(done.first_errors.back().line, 4009u);
  EXPECT_EQ(count("task"), 4995);
  EXPECT_EQ(error_from([&] { resume(text); }).code(), ErrorCode::kConflict);
  expect_sound();
}

TEST_F(Import, OfTwoThatGoOnWithTheSameImportOneIsToldSo) {
  const std::string text = pairs(0, 6000);
  std::string id;
  {
    Importer importer(test_.org(), manager_, request());
    feed(importer, std::string_view(text).substr(0, text.size() / 2));
    id = importer.state().public_id;
  }
  auto one = Importer::resume(test_.org(), manager_, id, {});
  auto two = Importer::resume(test_.org(), manager_, id, {});
  feed(*one, text);
  EXPECT_EQ(one->finish().created, 6000);
  const Error refused = error_from([&] {
    feed(*two, text);
    two->finish();
  });
  EXPECT_EQ(refused.code(), ErrorCode::kConflict);
  EXPECT_NE(refused.message().find("elsewhere"), std::string::npos);
  EXPECT_EQ(test_.text("SELECT state FROM import"), "done");
  EXPECT_EQ(count("task"), 6000);
  expect_sound();
}

TEST_F(Import, ProgressComesWithEveryBatchAndOneEventABatch) {
  std::vector<int64_t> seen;
  ImportRequest watched = request();
  watched.on_progress = [&](const ImportState& state) { seen.push_back(state.created); };
  import(pairs(0, 4500), watched);
  EXPECT_EQ(seen, (std::vector<int64_t>{2000, 4000, 4500}));
  EXPECT_EQ(count("event WHERE kind = 'import.batch'"), 3);
  EXPECT_EQ(count("event WHERE kind LIKE 'task%'"), 0);
}

TEST_F(Import, BatchesGrowWhileNobodyElseWrites) {
  std::vector<int64_t> seen;
  ImportRequest watched = request();
  watched.on_progress = [&](const ImportState& state) { seen.push_back(state.created); };
  import(pairs(0, 25000), watched);
  EXPECT_EQ(seen, (std::vector<int64_t>{2000, 4000, 8000, 16000, 24000, 25000}));
}

TEST_F(Import, BatchesStaySmallWhileOthersWriteBesideThem) {
  std::vector<int64_t> seen;
  ImportRequest watched = request();
  watched.on_progress = [&](const ImportState& state) {
    seen.push_back(state.created);
    test_.person("person " + std::to_string(seen.size()));
  };
  import(pairs(0, 9000), watched);
  // The second was begun before anybody wrote.
  EXPECT_EQ(seen, (std::vector<int64_t>{2000, 4000, 8000, 9000}));
}

TEST_F(Import, TheJudgesOfImportedVotesAreKnownToAdaptiveOverlapAtOnce) {
  NewProject wanted;
  wanted.name = "adaptive";
  wanted.task_type = "pairwise";
  wanted.overlap = 2;
  wanted.overlap_max = 5;
  project_ = test_.project(wanted);
  // Ann and Ben agree, the third says the opposite of both.
  std::string votes;
  for (int i = 0; i < 60; ++i) {
    const std::string n = std::to_string(i);
    const bool left = i % 2 == 0;
    for (const char* judge : {"ann", "ben", "contrary"}) {
      const bool says_left = (std::string(judge) == "contrary") != left;
      votes += R"({"prompt":"p)" + n + R"(","left":"a )" + n + R"(","right":"b )" + n +
               R"(","winner":")" + (says_left ? "left" : "right") + R"(","worker":")" + judge +
               "\"}\n";
    }
  }
  const ImportState state = import(votes);
  EXPECT_EQ(state.annotations, 180);
  EXPECT_EQ(test_.org().live().refit_waiting(), 1u);
  // One that only the contrary judge saw: whoever asks live quality knows what his word is worth.
  import(R"({"prompt":"q","left":"a","right":"b","winner":"left","worker":"contrary"})"
         "\n");
  const int64_t task = test_.number("SELECT max(id) FROM task");
  const auto posterior = test_.org().read([&](store::Connection& db) {
    const auto schema = get_schema(db, project_.id, 1);
    return test_.org().live().posterior(db, project_.id, *schema, task);
  });
  ASSERT_EQ(posterior.size(), 1u);
  EXPECT_LT(posterior[0][0], posterior[0][1]);
}

TEST_F(Import, AFileOverTheBoundKeepsWhatCameBeforeIt) {
  ImportRequest small = request();
  small.max_bytes = 1000;
  EXPECT_EQ(error_from([&] { import(pairs(0, 100), small, 100); }).code(), ErrorCode::kTooLarge);
  EXPECT_EQ(error_from([&] {
              ImportRequest nameless = request();
              nameless.name = "\xFF";
              import("", nameless);
            }).code(),
            ErrorCode::kInvalidInput);
}

TEST_F(Import, UnknownAndEndedProjectsTakeNothing) {
  ImportRequest unknown = request();
  unknown.project = "prj_nobody";
  EXPECT_EQ(error_from([&] { import(pairs(0, 1), unknown); }).code(), ErrorCode::kNotFound);
  EXPECT_EQ(error_from([&] { import(pairs(0, 1), request("xml")); }).code(),
            ErrorCode::kInvalidInput);
  ProjectPatch patch;
  patch.state = "archived";
  test_.write([&](store::Transaction& tx) {
    patch_project(test_.org(), tx, manager_, project_.public_id, patch);
  });
  EXPECT_EQ(error_from([&] { import(pairs(0, 1)); }).code(), ErrorCode::kConflict);
}

TEST_F(Import, HostileBytesEndInErrorsOrRowsAndNothingElse) {
  EXPECT_EQ(import("").created, 0);
  EXPECT_EQ(import("\xEF\xBB\xBF").created, 0);
  EXPECT_EQ(import(std::string("\0\0\0\0", 4), request("jsonl")).errors, 1);
  EXPECT_EQ(import("{\"prompt\":\"p\",\"left\":\"a\\u0000\",\"right\":\"b\"}\r\n").created, 1);
  EXPECT_EQ(import("{\"prompt\":\"\xC3\x28\",\"left\":\"a\",\"right\":\"b\"}\n").errors, 1);
  EXPECT_EQ(import("{\"a\":" + std::string(1'000'000, '[')).errors, 1);
  EXPECT_EQ(import("[" + std::string(1'000'000, '[')).errors, 1);
  EXPECT_EQ(import("{\"prompt\":\"p\",\"id\":\"a\\u0000b\",\"left\":\"1\",\"right\":\"2\"}").errors,
            1);
  ImportRequest small = request();
  small.max_row_bytes = 1 << 16;
  EXPECT_EQ(
      import("{\"prompt\":\"" + std::string(1 << 20, 'x') + "\n" + pairs(900, 901), small).created,
      1);
  std::string wide = "{\"prompt\":\"p\"";
  for (int i = 0; i < 100'000; ++i) wide += ",\"k" + std::to_string(i) + "\":1";
  EXPECT_EQ(import(wide + "}").errors, 1);
  std::string columns = "prompt";
  for (int i = 0; i < 1'000'000; ++i) columns += ",c";
  EXPECT_EQ(error_from([&] { import(columns + "\n1\n"); }).code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_from([&] { import("prompt,prompt\n1,2\n"); }).code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(count("import WHERE state = 'running'"), 0);
  expect_sound();
}

TEST_F(Import, APreviewSaysFormatColumnsRowsAndProblemsAndWritesNothing) {
  const TaskSchema schema = built_in_schema("pairwise");
  const Json preview =
      preview_import(schema, "question,response_a,response_b,note\np,a,b,\nq,c\n", true).to_json();
  EXPECT_EQ(preview.at("format").as_string(), "csv");
  ASSERT_EQ(preview.at("columns").size(), 4u);
  EXPECT_EQ(preview.at("columns").as_array()[1].dump(),
            R"({"name":"response_a","role":"left","guessed_from":"likeness","samples":["a"]})");
  EXPECT_EQ(preview.at("rows").dump(),
            R"([{"prompt":"p","responses":[{"text":"a"},{"text":"b"}]}])");
  EXPECT_EQ(preview.at("problems").as_array()[0].at("line").as_int(), 3);
  EXPECT_NE(preview.at("message").as_string().find("1 row can be imported; 1 cannot"),
            std::string::npos)
      << preview.at("message").as_string();
  EXPECT_NE(preview_import(schema, "", true).message.find("no rows"), std::string::npos);
  EXPECT_NE(preview_import(schema, "[1,", true).message.find("No row"), std::string::npos);
  EXPECT_EQ(preview_import(schema, std::string(3 << 20, 'x'), false).rows.size(), 0u);
  EXPECT_EQ(count("task"), 0);
}

// ---- public data ----

std::string shared(const std::string& file) {
  const char* folder = std::getenv("HONE_SHARED_DATA");
  if (folder == nullptr) return {};
  std::ifstream in(std::string(folder) + "/" + file, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

// The crowd's comparisons joined with the prompts and the models' answers, as Arena battles.
std::string llmfao_battles() {
  std::map<std::string, std::string> prompts, results;
  const auto lines = [](const std::string& text, auto&& f) {
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) f(line);
  };
  lines(shared("llmfao/prompts.jsonl"), [&](const std::string& line) {
    const Json row = Json::parse(line).value();
    prompts[row.at("id").dump()] = row.at("text").as_string();
  });
  lines(shared("llmfao/results.jsonl"), [&](const std::string& line) {
    const Json row = Json::parse(line).value();
    results[row.at("prompt").dump() + "/" + row.at("model").dump()] = row.at("result").as_string();
  });
  std::string out;
  data::ObjectStream csv(data::ObjectFormat::kCsv, {}, [&](data::ObjectRow&& row) {
    const auto cell = [&](const char* name) { return row.object.at(name).as_string(); };
    const auto turns = [&](const char* model) {
      Json list = Json::array();
      list.push_back(Json(Json::Object{{"role", "user"}, {"content", prompts.at(cell("prompt"))}}));
      list.push_back(Json(Json::Object{
          {"role", "assistant"}, {"content", results.at(cell("prompt") + "/" + cell(model))}}));
      return list;
    };
    Json battle = Json::object();
    battle["question_id"] = cell("id");
    battle["model_a"] = cell("left");
    battle["model_b"] = cell("right");
    const std::string winner = cell("winner");
    battle["winner"] = winner == "left" ? "model_a" : winner == "right" ? "model_b" : "tie";
    battle["judge"] = cell("worker");
    battle["conversation_a"] = turns("model_x");
    battle["conversation_b"] = turns("model_y");
    out += battle.dump() + "\n";
  });
  csv.feed(shared("llmfao/crowd-comparisons.csv"));
  csv.finish();
  return out;
}

TEST_F(Import, TheLlmfaoCrowdComesInWhole) {
  if (shared("llmfao/crowd-comparisons.csv").empty()) {
    GTEST_SKIP() << "HONE_SHARED_DATA does not lead to the public data";
  }
  const ImportState state = import(llmfao_battles());
  EXPECT_EQ(state.format, "arena");
  EXPECT_EQ(state.errors, 0) << state.first_errors[0].reason;
  EXPECT_EQ(state.rows, 8931);
  EXPECT_EQ(state.created, 2139);
  EXPECT_EQ(state.annotations, 8931);
  EXPECT_EQ(count("member WHERE is_paused = 1"), 124);
  expect_sound();

  // And out again: every pair but those with equal answers, in the form that the trainer reads.
  std::string text;
  const ExportCounts counts = export_project(test_.org(), test_.read_project(project_), {},
                                             [&](std::string_view chunk) { text += chunk; });
  EXPECT_EQ(counts.rows + counts.equal + counts.both_bad + counts.uncertain, 2139u);
  EXPECT_GT(counts.rows, 2000u);
  double probability = 0;
  size_t labels = 0;
  data::RowReader reader("export", data::RowFormat::kJsonl, {}, [&](data::Row&& row) {
    EXPECT_EQ(row.kind, data::RowKind::kPreference);
    EXPECT_GE(row.probability, 0.5);
    probability += row.probability;
    labels += row.labels.size();
  });
  reader.feed(text);
  reader.finish();
  EXPECT_EQ(reader.counts().rows, counts.rows);
  EXPECT_LE(labels, 8931u);
  // The crowd is often of two minds: neither all sure nor all in doubt.
  const double mean = probability / static_cast<double>(counts.rows);
  EXPECT_GT(mean, 0.6);
  EXPECT_LT(mean, 0.98);
}

TEST_F(Import, ThePandaLmTestSetComesInWithItsThreeAnnotators) {
  const std::string text = shared("pandalm/testset-v1.json");
  if (text.empty()) GTEST_SKIP() << "HONE_SHARED_DATA does not lead to the public data";
  const ImportState state = import(text);
  EXPECT_EQ(state.format, "jsonl");
  EXPECT_EQ(state.errors, 0) << state.first_errors[0].reason;
  EXPECT_EQ(state.rows, 999);
  EXPECT_EQ(state.columns.at("instruction").as_string(), "prompt");
  EXPECT_EQ(state.columns.at("annotator2").as_string(), "winner");
  EXPECT_EQ(state.created + state.duplicates, 999);
  EXPECT_EQ(count("member WHERE is_paused = 1"), 3);
  expect_sound();
}

}  // namespace
}  // namespace hone::label
