#include "label/feedback.h"

#include <gtest/gtest.h>

#include "label/erasure.h"
#include "label/events.h"
#include "label/export.h"
#include "label/sampling_rules.h"
#include "label/testing.h"

namespace hone::label {
namespace {

feedback::Answer answer_of(const std::string& id, const std::string& text,
                           const std::string& asked = "What is tea?") {
  feedback::Answer answer;
  answer.head.id = id;
  answer.head.model = answer.head.asked = "tiny";
  answer.head.model_digest = std::string(64, 'd');
  answer.head.fingerprint = std::string(64, 'f');
  answer.head.settings = Json::parse(R"({"temperature":0.7,"seed":5})").value();
  Json message = Json::object();
  message["role"] = "user";
  message["content"] = asked;
  answer.head.messages = Json::array();
  answer.head.messages.push_back(std::move(message));
  answer.head.created_at_ms = 1'800'000'000'000;
  answer.choice.text = text;
  answer.choice.finish_reason = "stop";
  answer.choice.token_ids = {4, 5};
  answer.choice.log_probs = {-0.5f, -0.25f};
  return answer;
}

NewFeedback thumb(bool up, bool consent, const std::string& id = "chatcmpl-1") {
  NewFeedback said;
  said.verdict = up ? "up" : "down";
  said.consent = consent;
  said.answers = {answer_of(id, "A drink.")};
  return said;
}
NewFeedback compared(const std::string& verdict) {
  NewFeedback said;
  said.kind = FeedbackKind::kComparison;
  said.verdict = verdict;
  said.consent = true;
  said.answers = {answer_of("chatcmpl-l", "Left."), answer_of("chatcmpl-r", "Right.")};
  return said;
}
NewFeedback edited(const std::string& text) {
  NewFeedback said;
  said.kind = FeedbackKind::kEdit;
  said.verdict = "edited";
  said.edited = text;
  said.consent = true;
  said.answers = {answer_of("chatcmpl-e", "A drnk.")};
  return said;
}

class FeedbackTest : public ::testing::Test {
 protected:
  GivenFeedback give(const Actor& actor, const NewFeedback& said) {
    return place_.write([&](store::Transaction& tx) {
      const GivenFeedback given = give_feedback(place_.org(), tx, actor, said);
      if (said.consent) sample(place_.org(), tx, {said.answers, &said, given.public_id});
      return given;
    });
  }
  std::vector<Feedback> list(const FeedbackFilter& filter = {}) {
    return place_.org().read([&](store::Connection& db) { return list_feedback(db, filter); });
  }
  // Everything that the database has in words.
  std::string dump() {
    return place_.org().read([&](store::Connection& db) {
      std::string all;
      for (const char* sql :
           {"SELECT public_id || verdict || reason || state FROM feedback",
            "SELECT comment || edited || models || excerpt || answers FROM feedback_body",
            "SELECT kind || data FROM event", "SELECT body FROM task_body",
            "SELECT body FROM completion"}) {
        for (const auto& row : db.query(sql, {})) all += row.string(0) + "\n";
      }
      return all;
    });
  }
  std::string exported(FeedbackFormat format) {
    std::string all;
    export_feedback(place_.org(), format, [&](std::string_view line) { all += line; });
    return all;
  }
  SamplingRule rule(const Project& project, SamplingSource source, double share = 1,
                    int64_t cap = 100) {
    SamplingRuleChange wanted;
    wanted.name = "r";
    wanted.source = source;
    wanted.share = share;
    wanted.daily_cap = cap;
    wanted.project_id = project.public_id;
    return place_.write([&](store::Transaction& tx) {
      return make_sampling_rule(place_.org(), tx, manager_, wanted);
    });
  }
  Project project_of(const std::string& type) {
    NewProject wanted;
    wanted.name = type;
    wanted.task_type = type;
    return place_.project(wanted);
  }
  std::vector<Json> bodies(const Project& project) {
    return place_.org().read([&](store::Connection& db) {
      return db.query_all(
          "SELECT b.body FROM task t JOIN task_body b ON b.task_id = t.id WHERE t.project_id = $1"
          " ORDER BY t.id",
          {project.id}, [](const store::Row& row) { return Json::parse(row.text(0)).value(); });
    });
  }

  TestOrganisation place_;
  Actor ann_ = place_.person("ann"), bob_ = place_.person("bob", Role::kViewer),
        manager_ = place_.person("mia", Role::kManager);
};

TEST_F(FeedbackTest, WithoutConsentOnlyWhoWhatAndWhichIsKept) {
  NewFeedback said = thumb(false, false);
  said.reason = "wrong";
  const GivenFeedback given = give(ann_, said);
  const auto rows = list();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].public_id, given.public_id);
  EXPECT_EQ(rows[0].verdict, "down");
  EXPECT_EQ(rows[0].reason, "wrong");
  EXPECT_EQ(rows[0].completion, "chatcmpl-1");
  EXPECT_EQ(rows[0].person_id, "usr_ann");
  const std::string all = dump();
  for (const char* text : {"tea", "drink", "tiny", "temperature"}) {
    EXPECT_EQ(all.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(exported(FeedbackFormat::kUnpaired), "");
}

TEST_F(FeedbackTest, WithConsentTheConversationIsThereWithDigestsAndSettings) {
  give(ann_, thumb(true, true));
  const auto rows = list();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].excerpt, "What is tea?");
  EXPECT_EQ(rows[0].models, std::vector<std::string>{"tiny"});
  const auto answers =
      place_.org().read([&](store::Connection& db) { return feedback_answers(db, rows[0].id); });
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].to_json().dump(), thumb(true, true).answers[0].to_json().dump());
  // The chain of events has no text.
  const std::string events = place_.org().read([&](store::Connection& db) {
    std::string all;
    for (const EventRow& event : list_events(db, {})) all += event.data.dump();
    return all;
  });
  EXPECT_EQ(events.find("tea"), std::string::npos);
  EXPECT_NE(events.find("chatcmpl-1"), std::string::npos);
  EXPECT_TRUE(verify_chain(place_.org()).intact);
}

TEST_F(FeedbackTest, TheSameOnceMoreChangesNothingAndAnotherVerdictReplacesIt) {
  const std::string first = give(ann_, thumb(true, true)).public_id;
  const GivenFeedback again = give(ann_, thumb(true, true));
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.public_id, first);
  const std::string second = give(ann_, thumb(false, false)).public_id;
  EXPECT_NE(second, first);
  ASSERT_EQ(list().size(), 1u);
  EXPECT_EQ(list()[0].verdict, "down");
  // Consent that is taken back takes the texts along.
  EXPECT_EQ(dump().find("drink"), std::string::npos);
  // Another person's stands beside it; so does another kind of the same person's.
  give(bob_, thumb(true, false));
  NewFeedback report = thumb(false, false);
  report.kind = FeedbackKind::kReport;
  report.verdict = "reported";
  give(ann_, report);
  EXPECT_EQ(list().size(), 3u);
}

TEST_F(FeedbackTest, WhatMakesNoSenseIsRefusedWithTheFieldsName) {
  const auto field_of = [&](const NewFeedback& said) {
    try {
      give(ann_, said);
    } catch (const FieldError& error) {
      return error.field();
    }
    return std::string("taken");
  };
  NewFeedback two = compared("left");
  EXPECT_EQ(field_of(two), "taken");
  two.answers[1] = answer_of("chatcmpl-r2", "Right.", "Another question");
  EXPECT_EQ(field_of(two), "/completions");
  two.answers[1] = two.answers[0];
  EXPECT_EQ(field_of(two), "/completions");
  EXPECT_EQ(field_of(edited("A drnk.")), "/text");
  EXPECT_EQ(field_of(edited(" \n")), "/text");
  NewFeedback long_one = thumb(true, false);
  long_one.comment = std::string(kFeedbackCommentChars + 1, 'x');
  EXPECT_EQ(field_of(long_one), "/comment");
}

TEST_F(FeedbackTest, RowsForTrainingAreThoseThatItsKindCanTeach) {
  give(ann_, compared("right"));
  give(bob_, compared("tie"));
  give(ann_, edited("A drink."));
  give(ann_, thumb(false, true));
  NewFeedback silent = edited("A warm drink.");
  silent.consent = false;
  give(bob_, silent);
  const auto rows = [&](FeedbackFormat format) {
    std::vector<Json> list;
    std::istringstream lines(exported(format));
    for (std::string line; std::getline(lines, line);) list.push_back(Json::parse(line).value());
    return list;
  };
  const auto preferences = rows(FeedbackFormat::kPreferences);
  ASSERT_EQ(preferences.size(), 2u);
  EXPECT_EQ(preferences[0].at("chosen").dump(), R"([{"role":"assistant","content":"Right."}])");
  EXPECT_EQ(preferences[0].at("rejected").dump(), R"([{"role":"assistant","content":"Left."}])");
  EXPECT_EQ(preferences[0].at("prompt").dump(), R"([{"role":"user","content":"What is tea?"}])");
  EXPECT_EQ(preferences[1].at("chosen").dump(), R"([{"role":"assistant","content":"A drink."}])");
  EXPECT_EQ(preferences[1].at("rejected").dump(), R"([{"role":"assistant","content":"A drnk."}])");
  const auto sft = rows(FeedbackFormat::kSft);
  ASSERT_EQ(sft.size(), 1u);
  EXPECT_EQ(sft[0].at("completion").dump(), R"([{"role":"assistant","content":"A drink."}])");
  const auto unpaired = rows(FeedbackFormat::kUnpaired);
  ASSERT_EQ(unpaired.size(), 1u);
  EXPECT_FALSE(unpaired[0].at("label").as_bool());
  EXPECT_EQ(unpaired[0].at("completions").dump(), R"(["chatcmpl-1"])");
}

TEST_F(FeedbackTest, WithdrawnByItsPersonOrAManagerAndByNobodyElse) {
  const std::string mine = give(ann_, thumb(true, true)).public_id;
  const auto withdraw = [&](const Actor& actor, const std::string& id) {
    return place_.write(
        [&](store::Transaction& tx) { return withdraw_feedback(place_.org(), tx, actor, id); });
  };
  EXPECT_THROW(withdraw(bob_, mine), Error);
  EXPECT_EQ(list().size(), 1u);
  withdraw(ann_, mine);
  EXPECT_EQ(list().size(), 0u);
  EXPECT_EQ(dump().find("drink"), std::string::npos);
  const std::string theirs = give(ann_, thumb(true, true)).public_id;
  withdraw(manager_, theirs);
  EXPECT_EQ(list().size(), 0u);
  EXPECT_TRUE(verify_chain(place_.org()).intact);
}

TEST_F(FeedbackTest, ErasingAPersonErasesWhatTheyWroteAboutAnswers) {
  NewFeedback said = thumb(true, true);
  said.comment = "my own words";
  give(ann_, said);
  erase_person(place_.org(), manager_, "usr_ann");
  const std::string all = dump();
  EXPECT_EQ(all.find("my own words"), std::string::npos);
  EXPECT_EQ(all.find("drink"), std::string::npos);
}

TEST_F(FeedbackTest, AStoredCompletionIsThereUntilItIsOld) {
  feedback::KeptCompletion completion;
  const feedback::Answer answer = answer_of("chatcmpl-s", "Stored.");
  completion.head = answer.head;
  completion.choices = {answer.choice};
  place_.write([&](store::Transaction& tx) { store_completion(tx, completion); });
  const int64_t at_ms = answer.head.created_at_ms;
  const auto found = [&](int64_t choice, int64_t not_before_ms) {
    return place_.org().read([&](store::Connection& db) {
      return stored_answer(db, "chatcmpl-s", choice, not_before_ms).has_value();
    });
  };
  EXPECT_TRUE(found(0, at_ms));
  EXPECT_FALSE(found(1, at_ms));
  EXPECT_FALSE(found(0, at_ms + 1));
  const auto drop = [&](int64_t before_ms) {
    return place_.write(
        [&](store::Transaction& tx) { return drop_completions(tx, before_ms, 10); });
  };
  EXPECT_EQ(drop(at_ms), 0);
  EXPECT_EQ(drop(at_ms + 1), 1);
  EXPECT_FALSE(found(0, 0));
}

// ---- Sampling rules

TEST_F(FeedbackTest, ADownThumbBecomesATaskWithAllThatDecidedTheAnswer) {
  const Project project = project_of("text");
  const SamplingRule made = rule(project, SamplingSource::kThumbsDown);
  give(ann_, thumb(true, true, "chatcmpl-up"));
  give(ann_, thumb(false, false, "chatcmpl-silent"));
  NewFeedback down = thumb(false, true);
  down.reason = "wrong";
  give(ann_, down);
  give(bob_, down);  // an answer is taken once
  const auto tasks = bodies(project);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].at("prompt").dump(), R"([{"role":"user","content":"What is tea?"}])");
  const Json& response = tasks[0].at("responses").as_array()[0];
  EXPECT_EQ(response.at("text").as_string(), "A drink.");
  EXPECT_EQ(response.at("model").as_string(), "tiny");
  const Json& meta = tasks[0].at("meta");
  EXPECT_EQ(meta.at("rule").as_string(), made.public_id);
  EXPECT_EQ(meta.at("verdict").as_string(), "down");
  EXPECT_EQ(meta.at("reason").as_string(), "wrong");
  const Json& one = meta.at("answers").as_array()[0];
  EXPECT_EQ(one.at("completion").as_string(), "chatcmpl-1");
  EXPECT_EQ(one.at("model_digest").as_string(), std::string(64, 'd'));
  EXPECT_EQ(one.at("system_fingerprint").as_string(), std::string(64, 'f'));
  EXPECT_EQ(one.at("settings").dump(), R"({"temperature":0.7,"seed":5})");
  EXPECT_EQ(one.at("log_probs").dump(), "[-0.5,-0.25]");
  EXPECT_EQ(one.at("token_ids").dump(), "[4,5]");
  // It is given out like any other, and what decided the answer is not shown.
  const NextResult next = lease_next(place_.org(), ann_, project.public_id, 1);
  ASSERT_EQ(next.leases.size(), 1u);
  const std::string shown = place_.org().read([&](store::Connection& db) {
    return assignment_json(place_.org(), db, next.leases[0]).dump();
  });
  EXPECT_EQ(shown.find("tiny"), std::string::npos) << shown;
  EXPECT_EQ(shown.find("chatcmpl"), std::string::npos) << shown;
}

TEST_F(FeedbackTest, WhatWasComparedOrCorrectedBecomesAPair) {
  const Project project = project_of("pairwise");
  rule(project, SamplingSource::kJudged);
  give(ann_, compared("left"));
  give(ann_, edited("A drink."));
  give(ann_, thumb(true, true));  // one answer is no pair
  const auto tasks = bodies(project);
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].at("responses").as_array()[1].at("text").as_string(), "Right.");
  EXPECT_EQ(tasks[0].at("meta").at("answers").size(), 2u);
  EXPECT_EQ(tasks[1].at("responses").as_array()[1].at("text").as_string(), "A drink.");
  EXPECT_EQ(tasks[1].at("responses").as_array()[1].at("model").as_string(), "corrected");
  EXPECT_THROW(rule(project, SamplingSource::kThumbsDown), FieldError);
  EXPECT_THROW(rule(project, SamplingSource::kAny), FieldError);
}

TEST_F(FeedbackTest, TheShareIsADigestSoThatItCanBeComputedAgain) {
  size_t hits = 0;
  for (int i = 0; i < 10'000; ++i) hits += drawn("rul_a", "c" + std::to_string(i), 0, 0.25);
  EXPECT_NEAR(static_cast<double>(hits), 2500, 4 * 43.3);
  EXPECT_TRUE(drawn("rul_a", "c", 0, 1));
  EXPECT_FALSE(drawn("rul_a", "c", 0, 0));
  const Project project = project_of("rating");
  const SamplingRule made = rule(project, SamplingSource::kAny, 0.5, 1000);
  size_t wanted = 0;
  place_.write([&](store::Transaction& tx) {
    for (int i = 0; i < 60; ++i) {
      const std::string id = "chatcmpl-" + std::to_string(i);
      wanted += drawn(made.public_id, id, 0, 0.5);
      sample(place_.org(), tx, {{answer_of(id, "text " + std::to_string(i))}, nullptr, {}});
    }
  });
  EXPECT_GT(wanted, 10u);
  EXPECT_EQ(bodies(project).size(), wanted);
}

TEST_F(FeedbackTest, ADayHasItsCapAndRulesThatAreOffTakeNothing) {
  const Project project = project_of("text");
  const SamplingRule made = rule(project, SamplingSource::kAny, 1, 3);
  int number = 0;
  const auto five_more = [&] {
    place_.write([&](store::Transaction& tx) {
      for (int i = 0; i < 5; ++i, ++number) {
        const std::string n = std::to_string(number);
        sample(place_.org(), tx, {{answer_of("c" + n, "text " + n)}, nullptr, {}});
      }
    });
    return bodies(project).size();
  };
  EXPECT_EQ(five_more(), 3u);
  EXPECT_EQ(five_more(), 3u);
  place_.env.advance_ms(24 * 3600 * 1000);
  EXPECT_EQ(five_more(), 6u);
  SamplingRuleChange off;
  off.on = false;
  place_.write([&](store::Transaction& tx) {
    change_sampling_rule(place_.org(), tx, manager_, made.public_id, off);
  });
  place_.env.advance_ms(24 * 3600 * 1000);
  EXPECT_EQ(five_more(), 6u);
  const auto rules = place_.org().read(
      [&](store::Connection& db) { return list_sampling_rules(db, place_.env.now_ms()); });
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0].taken, 6);
  EXPECT_EQ(rules[0].taken_today, 0);
}

TEST_F(FeedbackTest, ARuleTakesTheModelThatItNamesByNameAliasOrDigest) {
  const Project project = project_of("text");
  for (const std::string& model : {std::string("assistant"), std::string("other")}) {
    SamplingRuleChange wanted;
    wanted.name = model;
    wanted.model = model;
    wanted.source = SamplingSource::kAny;
    wanted.project_id = project.public_id;
    place_.write(
        [&](store::Transaction& tx) { make_sampling_rule(place_.org(), tx, manager_, wanted); });
  }
  feedback::Answer answer = answer_of("c", "said");
  answer.head.asked = "assistant";
  const auto taken = place_.write([&](store::Transaction& tx) {
    return sample(place_.org(), tx, {{answer}, nullptr, {}});
  });
  EXPECT_EQ(taken.size(), 1u);
}

TEST_F(FeedbackTest, ConsentThatIsTakenBackTellsWhichTasksGo) {
  rule(project_of("text"), SamplingSource::kJudged);
  EXPECT_TRUE(give(ann_, thumb(false, true)).orphans.empty());
  const GivenFeedback silent = give(ann_, thumb(false, false));
  ASSERT_EQ(silent.orphans.size(), 1u);
  erase_task(place_.org(), manager_, silent.orphans[0]);
  EXPECT_EQ(dump().find("drink"), std::string::npos);
}

TEST_F(FeedbackTest, ErasingAPersonErasesTheTasksThatStandOnTheirConsent) {
  rule(project_of("text"), SamplingSource::kJudged);
  give(ann_, thumb(false, true));
  ASSERT_NE(dump().find("drink"), std::string::npos);
  erase_person(place_.org(), manager_, "usr_ann");
  EXPECT_EQ(dump().find("drink"), std::string::npos);
  EXPECT_EQ(list().size(), 0u);
}

TEST_F(FeedbackTest, WithdrawingTellsWhichTasksGo) {
  const Project project = project_of("text");
  rule(project, SamplingSource::kJudged);
  const std::string mine = give(ann_, thumb(false, true)).public_id;
  const std::string theirs = give(bob_, thumb(false, true)).public_id;
  const auto withdraw = [&](const Actor& actor, const std::string& id) {
    return place_.write(
        [&](store::Transaction& tx) { return withdraw_feedback(place_.org(), tx, actor, id); });
  };
  EXPECT_TRUE(withdraw(ann_, mine).empty());  // another's consent stands
  const auto tasks = withdraw(bob_, theirs);
  ASSERT_EQ(tasks.size(), 1u);
  erase_task(place_.org(), manager_, tasks[0]);
  EXPECT_EQ(dump().find("drink"), std::string::npos);
}

}  // namespace
}  // namespace hone::label
