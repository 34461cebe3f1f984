#include "label/live.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "label/export.h"
#include "label/testing.h"

namespace hone::label {
namespace {

feedback::Answer said(const std::string& text, const std::string& model) {
  feedback::Answer answer;
  answer.head.id = "chatcmpl-" + model;
  answer.head.model = model;
  answer.head.model_digest = std::string(64, 'd');
  answer.head.settings = Json::object();
  answer.head.messages = Json::array();
  answer.choice.text = text;
  answer.choice.token_ids = {7};
  answer.choice.log_probs = {-1.5f};
  return answer;
}

class LiveTest : public ::testing::Test {
 protected:
  LiveTest() {
    project_ = place_.pairwise(1);
    settings_.sides[0].model = "first-model";
    settings_.sides[1].model = "second-model";
  }
  void switch_on() {
    place_.write([&](store::Transaction& tx) {
      set_live(place_.org(), tx, manager_, project_.public_id, &settings_);
    });
  }
  LiveRound begin(const Actor& actor) {
    return place_.write([&](store::Transaction& tx) {
      return begin_live_round(place_.org(), tx, actor, project_.public_id);
    });
  }
  // Each model says its own name's text.
  Lease finish(const Actor& actor, const LiveRound& round, const std::string& prompt) {
    const auto answer = [&](size_t place) {
      const std::string& model = round.shown(place).model;
      return said(model == "first-model" ? "alpha" : "beta", model);
    };
    return place_.write([&](store::Transaction& tx) {
      return finish_live_round(place_.org(), tx, actor, round, prompt, {answer(0), answer(1)});
    });
  }

  TestOrganisation place_;
  Actor ann_ = place_.person("ann"), bob_ = place_.person("bob"),
        manager_ = place_.person("mia", Role::kManager);
  Project project_;
  LiveSettings settings_;
};

TEST_F(LiveTest, AnAnswerIsJudgedByWhoAskedAndCountsForTheModelThatGaveIt) {
  switch_on();
  std::map<std::string, int> orders;
  for (int i = 0; i < 30; ++i) {
    const LiveRound round = begin(ann_);
    const Lease lease = finish(ann_, round, "question " + std::to_string(i));
    ++orders[lease.shown_order];
    const Json shown = place_.org().read(
        [&](store::Connection& db) { return assignment_json(place_.org(), db, lease); });
    const Json::Array& responses = shown.at("task").at("responses").as_array();
    // What was streamed in a place stands in that place.
    EXPECT_EQ(responses[0].at("text").as_string(),
              round.shown(0).model == "first-model" ? "alpha" : "beta");
    for (const char* hidden : {"first-model", "second-model", "chatcmpl", "dddd"}) {
      EXPECT_EQ(shown.dump().find(hidden), std::string::npos) << shown.dump();
    }
    // The first model always wins, on whichever side it stands.
    const bool left = responses[0].at("text").as_string() == "alpha";
    place_.write([&](store::Transaction& tx) {
      Submission submission;
      submission.answer = Json::object();
      submission.answer["winner"] = left ? "left" : "right";
      return submit(place_.org(), tx, ann_, lease.public_id, submission);
    });
  }
  EXPECT_EQ(orders.size(), 2u);  // both orders come
  EXPECT_GT(orders["0,1"], 5);
  EXPECT_GT(orders["1,0"], 5);
  std::string rows;
  export_project(place_.org(), place_.read_project(project_), {},
                 [&](std::string_view piece) { rows += piece; });
  std::istringstream lines(rows);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const Json row = Json::parse(line).value();
    EXPECT_NE(row.at("chosen").dump().find("alpha"), std::string::npos) << line;
  }
  EXPECT_EQ(count, 30);
  EXPECT_TRUE(place_.org()
                  .read([&](store::Connection& db) { return verify_counters(db, project_.id); })
                  .empty());
}

TEST_F(LiveTest, TheTaskHasWhatDecidedItsAnswersInImportOrder) {
  switch_on();
  finish(ann_, begin(ann_), "What is tea?");
  const Json body = place_.org().read([&](store::Connection& db) {
    return Json::parse(db.query_text("SELECT body FROM task_body", {}).value()).value();
  });
  const Json::Array& responses = body.at("responses").as_array();
  EXPECT_EQ(responses[0].at("model").as_string(), "first-model");
  EXPECT_EQ(responses[0].at("text").as_string(), "alpha");
  EXPECT_EQ(responses[1].at("model").as_string(), "second-model");
  const Json::Array& answers = body.at("meta").at("answers").as_array();
  EXPECT_EQ(answers[0].at("model").as_string(), "first-model");
  EXPECT_EQ(answers[1].at("log_probs").dump(), "[-1.5]");
  EXPECT_EQ(body.at("prompt").dump(), R"([{"role":"user","content":"What is tea?"}])");
}

TEST_F(LiveTest, WhoLeavesGivesThePlaceToTheNextAndOverlapGivesItToOthersToo) {
  switch_on();
  const Lease mine = finish(ann_, begin(ann_), "q");
  EXPECT_EQ(lease_next(place_.org(), bob_, project_.public_id, 1).leases.size(), 0u);
  // One's own comes first again, as it was shown.
  const NextResult again = lease_next(place_.org(), ann_, project_.public_id, 1);
  ASSERT_EQ(again.leases.size(), 1u);
  EXPECT_EQ(again.leases[0].public_id, mine.public_id);
  EXPECT_EQ(again.leases[0].shown_order, mine.shown_order);
  place_.env.advance_ms(project_.lease_seconds * 1000 + 1);
  EXPECT_EQ(lease_next(place_.org(), bob_, project_.public_id, 1).leases.size(), 1u);
}

TEST_F(LiveTest, NobodyAsksWhereItIsOffOrMayNotLabelOrHoldsThreeAlready) {
  EXPECT_THROW(begin(ann_), Error);
  switch_on();
  EXPECT_THROW(begin(place_.person("vic", Role::kViewer)), Error);
  for (int i = 0; i < 3; ++i) finish(ann_, begin(ann_), "q" + std::to_string(i));
  EXPECT_THROW(begin(ann_), Error);
  finish(bob_, begin(bob_), "another");
  place_.write([&](store::Transaction& tx) {
    set_live(place_.org(), tx, manager_, project_.public_id, nullptr);
  });
  EXPECT_THROW(begin(bob_), Error);
}

TEST_F(LiveTest, TheSameAnswersToTheSameQuestionAreOneTask) {
  switch_on();
  finish(ann_, begin(ann_), "q");
  const LiveRound round = begin(ann_);
  EXPECT_THROW(finish(ann_, round, "q"), Error);
  EXPECT_TRUE(place_.org()
                  .read([&](store::Connection& db) { return verify_counters(db, project_.id); })
                  .empty());
}

TEST_F(LiveTest, SettingsOutOfRangeAreNamed) {
  const auto field_of = [](const char* json) {
    try {
      LiveSettings::from_json(Json::parse(json).value());
    } catch (const FieldError& error) {
      return error.field();
    }
    return std::string("taken");
  };
  EXPECT_EQ(field_of(R"({"sides":[{"model":"a"},{"model":"b","temperature":1.5}]})"), "taken");
  EXPECT_EQ(field_of(R"({"sides":[{"model":"a"},{"model":"a","temperature":1.5}]})"), "taken");
  EXPECT_EQ(field_of(R"({"sides":[{"model":"a"}]})"), "/sides");
  EXPECT_EQ(field_of(R"({"sides":[{"model":"a"},{"model":""}]})"), "/sides/1/model");
  EXPECT_EQ(field_of(R"({"sides":[{"model":"a"},{"model":"b","temperature":3}]})"),
            "/sides/1/temperature");
  EXPECT_EQ(field_of(R"({"sides":[{"model":"a","max_tokens":0},{"model":"b"}]})"),
            "/sides/0/max_tokens");
  EXPECT_EQ(field_of(R"({"sides":[{"model":"a","temperature":0},{"model":"a","temperature":0}]})"),
            "/sides");
  NewProject rating;
  rating.name = "r";
  rating.task_type = "rating";
  const Project other = place_.project(rating);
  EXPECT_THROW(place_.write([&](store::Transaction& tx) {
    set_live(place_.org(), tx, manager_, other.public_id, &settings_);
  }),
               FieldError);
}

}  // namespace
}  // namespace hone::label
