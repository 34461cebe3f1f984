#include "label/task_rows.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "label/splits.h"
#include "store/database.h"
#include "store/testing.h"

namespace hone::label {
namespace {

Json json(std::string_view text) { return Json::parse(text).value(); }

class TaskRows : public ::testing::Test {
 protected:
  NewTask task(std::string_view type, std::string_view row) {
    return row_to_task(type, json(row), ids_).value();
  }
  std::string reason(std::string_view type, std::string_view row) {
    Result<NewTask> result = row_to_task(type, json(row), ids_);
    return result ? "accepted" : result.error().message();
  }
  PublicIds ids_{real_env()};
};

TEST_F(TaskRows, APairHasItsTextsModelsAndFreshIdsInTheBody) {
  const NewTask made =
      task("pairwise", R"({"prompt":"p","left":"a","right":{"text":"b","model":"m"},
      "id":7,"priority":3,"language":"en","source":"web","meta":{"x":1}})");
  const Json body = json(made.body);
  EXPECT_EQ(body.at("prompt").as_string(), "p");
  ASSERT_EQ(body.at("responses").size(), 2u);
  EXPECT_EQ(body.at("responses").as_array()[0].at("text").as_string(), "a");
  EXPECT_EQ(body.at("responses").as_array()[0].find("model"), nullptr);
  EXPECT_EQ(body.at("responses").as_array()[1].at("model").as_string(), "m");
  EXPECT_EQ(body.at("responses").as_array()[1].at("response_id").as_string(), made.response_ids[1]);
  EXPECT_EQ(body.at("meta").dump(), R"({"source":"web","x":1})");
  EXPECT_EQ(made.external_id, "7");
  EXPECT_EQ(made.priority, 3);
  EXPECT_EQ(made.language, "en");
  EXPECT_FALSE(made.gold.has_value());
  EXPECT_EQ(made.public_id.size(), 4u + 26u);
  EXPECT_NE(made.response_ids[0], made.response_ids[1]);
}

TEST_F(TaskRows, TheThreeWaysToSayTwoResponsesMakeTheSameContent) {
  const std::string digest =
      task("pairwise", R"({"prompt":"p","left":"a","right":"b"})").content_digest;
  EXPECT_EQ(digest.size(), 16u);
  EXPECT_EQ(task("pairwise", R"({"prompt":"p","responses":["a","b"]})").content_digest, digest);
  EXPECT_EQ(task("pairwise", R"({"prompt":"p","responses":[{"text":"a"},"b"],"id":"x","k":1})")
                .content_digest,
            digest);
}

TEST_F(TaskRows, ExchangedSidesAreTheSameContentAndOtherTextsOrModelsAreNot) {
  const auto digest = [&](std::string_view row) { return task("pairwise", row).content_digest; };
  const std::string first = digest(R"({"prompt":"p","left":"a","right":"b"})");
  EXPECT_EQ(digest(R"({"prompt":"p","left":"b","right":"a"})"), first);
  EXPECT_NE(digest(R"({"prompt":"p","left":"b","right":"a "})"), first);
  EXPECT_NE(digest(R"({"prompt":"P","left":"a","right":"b"})"), first);
  const std::string models = digest(R"({"prompt":"p","left":"a","right":"b","models":["m","n"]})");
  EXPECT_NE(models, first);
  EXPECT_EQ(digest(R"({"prompt":"p","left":"b","right":"a","models":["n","m"]})"), models);
  EXPECT_NE(digest(R"({"prompt":"p","left":"b","right":"a","models":["m","n"]})"), models);
  EXPECT_EQ(digest(R"({"prompt":"p","left":"a","right":"b","model_left":"m","model_right":"n"})"),
            models);
}

TEST_F(TaskRows, TheGroupIsThePromptWithoutCaseAndWhiteSpace) {
  const auto group = [&](std::string_view type, std::string_view row) {
    return task(type, row).group_digest;
  };
  const std::string first = group("pairwise", R"({"prompt":"The cat","left":"a","right":"b"})");
  EXPECT_EQ(group("pairwise", R"({"prompt":" the\n CAT ","left":"c","right":"d"})"), first);
  EXPECT_EQ(group("rating", R"({"prompt":[{"role":"user","content":"the cat"}],"response":"c"})"),
            first);
  EXPECT_NE(group("pairwise", R"({"prompt":"The cats","left":"a","right":"b"})"), first);
  EXPECT_NE(group("rating", R"({"prompt":[{"role":"system","content":"the cat"}],"response":"c"})"),
            first);
}

TEST_F(TaskRows, EachTaskTypeAsksForItsResponses) {
  EXPECT_EQ(reason("pairwise", R"({"prompt":"p","responses":["a"]})"),
            "a pairwise task needs 2 responses, the row has 1");
  EXPECT_EQ(reason("ranking", R"({"prompt":"p","responses":["a","b","c"]})"), "accepted");
  EXPECT_EQ(reason("ranking", R"({"prompt":"p","response":"a"})"),
            "a ranking task needs 2 to 10 responses, the row has 1");
  EXPECT_EQ(reason("text", R"({"prompt":"p"})"), "accepted");
  EXPECT_EQ(reason("text", R"({"prompt":"p","responses":["a","b"]})"),
            "a text task needs 0 to 1 response, the row has 2");
  EXPECT_EQ(reason("rubric", R"({"prompt":"p","response":"a"})"), "accepted");
  EXPECT_EQ(reason("conversation", R"({"messages":[{"role":"user","content":"hi"}]})"), "accepted");
  EXPECT_EQ(reason("conversation", R"({"prompt":"p"})"), "the row has no \"messages\"");
}

TEST_F(TaskRows, AWrongRowIsToldWhatIsWrong) {
  const auto pair = [&](std::string_view row) { return reason("pairwise", row); };
  EXPECT_EQ(pair(R"([1])"), "a row must be an object such as {\"prompt\": …}, found an array");
  EXPECT_EQ(pair(R"({"left":"a","right":"b"})"), "the row has no \"prompt\"");
  EXPECT_EQ(pair(R"({"prompt":" \n","left":"a","right":"b"})"), "\"prompt\" is empty");
  EXPECT_EQ(pair(R"({"prompt":5,"left":"a","right":"b"})"),
            "\"prompt\" must be a text, found a number");
  EXPECT_EQ(pair(R"({"prompt":"p","left":"a"})"), "the row has a \"left\" and no \"right\"");
  EXPECT_NE(pair(R"({"prompt":"p","left":"a","right":"b","response":"c"})").find("keep one way"),
            std::string::npos);
  EXPECT_NE(pair(R"({"prompt":"p","left":"a","right":"b","models":["m"]})").find("as many names"),
            std::string::npos);
  EXPECT_NE(pair(R"({"prompt":"p","left":"a","right":"b","priority":1.5})").find("whole number"),
            std::string::npos);
  EXPECT_NE(pair(R"({"prompt":"p","left":"a","right":"b","language":"e n"})").find("language tag"),
            std::string::npos);
  EXPECT_NE(pair(R"({"prompt":"p","left":"a","right":"b","id":[1]})").find("\"id\""),
            std::string::npos);
  EXPECT_NE(pair(R"({"prompt":[],"left":"a","right":"b"})").find("no message"), std::string::npos);
  EXPECT_NE(pair(R"({"prompt":[{"role":"user"}],"left":"a","right":"b"})").find("\"content\""),
            std::string::npos);
  EXPECT_EQ(pair(R"({"prompt":"p","left":"a","right":"b","priority":null,"id":null})"), "accepted");
}

TEST_F(TaskRows, AGoldAnswerNamesResponsesByIdWhateverTheRowCalledThem) {
  const NewTask side = task("pairwise", R"({"prompt":"p","left":"a","right":"b","gold":"right"})");
  EXPECT_EQ(side.gold->at("winner").as_string(), side.response_ids[1]);
  const NewTask number =
      task("pairwise", R"({"prompt":"p","left":"a","right":"b","gold":{"winner":0}})");
  EXPECT_EQ(number.gold->at("winner").as_string(), number.response_ids[0]);
  const NewTask tie = task("pairwise", R"({"prompt":"p","left":"a","right":"b","gold":"tie"})");
  EXPECT_EQ(tie.gold->at("winner").as_string(), "tie");
  const NewTask order =
      task("ranking", R"({"prompt":"p","responses":["a","b","c"],"gold":{"order":[[2,0],1]}})");
  const Json::Array& groups = order.gold->at("order").as_array();
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].size(), 2u);
  EXPECT_EQ(groups[1].as_array()[0].as_string(), order.response_ids[1]);
  const NewTask rating =
      task("rating", R"({"prompt":"p","response":"a","gold":{"helpfulness":{"0":4}}})");
  EXPECT_EQ(rating.gold->at("helpfulness").at(rating.response_ids[0]).as_int(), 4);
  EXPECT_NE(reason("pairwise", R"({"prompt":"p","left":"a","right":"b","gold":{"winner":2}})")
                .find("gold"),
            std::string::npos);
}

TEST_F(TaskRows, ATaskOverTheBoundIsRefusedWithTheBound) {
  Json row = json(R"({"prompt":"p","left":"a","right":"b"})");
  row["left"] = std::string(NewTask::kMostBodyBytes, 'x');
  Result<NewTask> result = row_to_task("pairwise", row, ids_);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message().find("1048576"), std::string::npos);
}

class InsertTasks : public TaskRows {
 protected:
  InsertTasks() {
    database_->write(store::Durability::kDisk, [](store::Transaction& tx) {
      for (const char* name : {"0001_labels", "0002_narrow_task_indexes"}) {
        tx.run_script(real_env().read_file(
            std::string("migrations/sqlite/organisation/") + name + ".sql", 1 << 20));
      }
      tx.execute(
          "INSERT INTO project (id, public_id, name, task_type, state, schema_version,"
          " guideline_version, overlap, overlap_max, stop_probability, lease_seconds, created_by,"
          " created_at_ms) VALUES (1, 'prj_a', 'n', 'pairwise', 'open', 1, 1, 3, 3, 1, 900, 's', "
          "0)");
    });
  }
  InsertedTasks insert(const std::vector<NewTask>& tasks) {
    return database_->write(store::Durability::kDisk, [&](store::Transaction& tx) {
      return insert_tasks(tx, task_defaults(tx, 1), tasks, std::nullopt, "usr_a", 5);
    });
  }
  int64_t number(std::string_view sql) {
    return database_->read([&](store::Connection& db) { return db.query_int64(sql).value(); });
  }
  NewTask pair(const std::string& prompt, const std::string& rest = "") {
    return task("pairwise",
                "{\"prompt\":\"" + prompt + "\",\"left\":\"a\",\"right\":\"b\"" + rest + "}");
  }

  store::TestFolder folder_;
  std::unique_ptr<store::Database> database_ = store::open_test_database(folder_);
};

TEST_F(InsertTasks, NewOnesAreOpenWithEverySlotAndKnownOnesAreCounted) {
  const InsertedTasks first = insert({pair("p"), pair("q"), pair("p")});
  EXPECT_EQ(first.created, 2);
  EXPECT_EQ(first.duplicates, 1);
  EXPECT_EQ(first.task_ids, (std::vector<int64_t>{1, 2, 0}));
  EXPECT_EQ(insert({pair("q"), pair("r")}).created, 1);
  EXPECT_EQ(number("SELECT count(*) FROM task WHERE state = 'open' AND slots = 3 AND wanted = 3"),
            3);
  EXPECT_EQ(number("SELECT count(*) FROM task_body"), 3);
  EXPECT_EQ(number("SELECT tasks FROM project"), 3);
}

TEST_F(InsertTasks, AGoldTaskLiesOutsideTheQueueAndItsCounter) {
  insert({pair("p", R"(,"gold":"left")"), pair("q")});
  EXPECT_EQ(number("SELECT count(*) FROM task WHERE is_gold = 1"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM gold WHERE created_by = 'usr_a'"), 1);
  EXPECT_EQ(number("SELECT tasks FROM project"), 1);
}

TEST_F(InsertTasks, AFrozenProjectGivesNewTasksTheSideOfTheirGroup) {
  insert({pair("p")});
  EXPECT_EQ(number("SELECT count(*) FROM task WHERE split = ''"), 1);
  database_->write(store::Durability::kDisk, [](store::Transaction& tx) {
    tx.execute(
        "UPDATE project SET split_state = 'frozen', split_seed = 's', heldout_fraction = 0.5");
  });
  std::vector<NewTask> tasks;
  for (int i = 0; i < 200; ++i)
    tasks.push_back(pair("prompt " + std::to_string(i % 100),
                         ",\"models\":[\"m" + std::to_string(i) + "\",\"n\"]"));
  EXPECT_EQ(insert(tasks).created, 200);
  const int64_t heldout = number("SELECT count(*) FROM task WHERE split = 'heldout'");
  EXPECT_GT(heldout, 40);
  EXPECT_EQ(heldout + number("SELECT count(*) FROM task WHERE split = 'train'"), 200);
  EXPECT_EQ(number("SELECT count(*) FROM (SELECT group_digest FROM task WHERE split <> ''"
                   " GROUP BY group_digest HAVING count(DISTINCT split) > 1)"),
            0);
}

TEST_F(InsertTasks, AnUnknownProjectIsNotFound) {
  const auto ask = [&] {
    database_->read([&](store::Connection& db) { return task_defaults(db, 2).overlap; });
  };
  EXPECT_EQ(store::code_from(ask), ErrorCode::kNotFound);
}

TEST(PublicIds, AreDifferentAndOfLowerCaseLettersAndDigits) {
  PublicIds ids(real_env());
  std::set<std::string> seen;
  for (int i = 0; i < 2000; ++i) {
    const std::string id = ids.make("tsk");
    EXPECT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567", 4), std::string::npos);
    EXPECT_EQ(id.size(), 30u);
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 2000u);
  EXPECT_EQ(make_public_id(real_env(), "asn").substr(0, 4), "asn_");
}

TEST(Splits, TheShareOfGroupsIsTheFractionAndAGroupStaysWhereItIs) {
  int heldout = 0;
  for (int i = 0; i < 10000; ++i) {
    const std::string group = "group " + std::to_string(i);
    const std::string_view split = split_of_group("seed", 0.2, group);
    EXPECT_EQ(split_of_group("seed", 0.2, group), split);
    heldout += split == kHeldout;
  }
  EXPECT_NEAR(heldout, 2000, 5 * 40);  // five standard deviations
  EXPECT_EQ(split_of_group("seed", 0.0, "g"), kTrain);
  EXPECT_EQ(split_of_group("seed", 1.0, "g"), kHeldout);
}

}  // namespace
}  // namespace hone::label
