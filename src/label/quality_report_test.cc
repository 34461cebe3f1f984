#include "label/quality_report.h"

#include "label/testing.h"

namespace hone::label {
namespace {

// Three people on 60 pairs: two careful, one who mostly presses "left".
struct Labelled {
  TestOrganisation test;
  Project project;
  Labelled() {
    project = test.pairwise(3);
    test.add_tasks(project, 60);
    Rng rng(5, rng_stream("answers"));
    for (const std::string name : {"ann", "ben", "lea"}) {
      const Actor actor = test.person(name);
      for (int i = 0; i < 60; ++i) {
        const Lease lease = test.next(actor, project).leases.at(0);
        const bool first = lease.task % 2 == 0;
        std::string said = (first == (lease.shown_order == "0,1")) ? "left" : "right";
        if (name == "lea" && rng.below(10) < 9) said = "left";
        if (name != "lea" && rng.below(10) == 0) said = said == "left" ? "right" : "left";
        Submission submission;
        submission.answer = Json::parse(R"({"winner":")" + said + "\"}").value();
        submission.active_ms = name == "lea" ? 500 : 9000;
        test.write([&](store::Transaction& tx) {
          return submit(test.org(), tx, actor, lease.public_id, submission);
        });
      }
    }
    project = test.read_project(project);
  }
};

TEST(QualityReport, SaysHowFarPeopleAgreeAndThatTheyLeanLeft) {
  Labelled labelled;
  const Json report = quality_overview(labelled.test.org(), labelled.project);
  EXPECT_EQ(report.at("labels").as_int(), 180);
  EXPECT_EQ(report.at("people").as_int(), 3);
  EXPECT_EQ(report.at("tasks_labelled").as_int(), 60);
  const double alpha = report.at("agreement").at("alpha").as_double();
  EXPECT_GT(alpha, 0.0);
  EXPECT_LT(alpha, 0.667);
  EXPECT_FALSE(report.at("agreement").at("words").as_string().empty());
  EXPECT_GT(report.at("sides").at("share_left").as_double(), 0.55);
  EXPECT_LT(report.at("sides").at("p_value").as_double(), 0.01);
  EXPECT_EQ(report.at("certainty").size(), 10u);
  EXPECT_EQ(report.at("answers").size(), 4u);
  double share = 0.0;
  for (const Json& answer : report.at("answers").as_array()) {
    share += answer.at("expected_share").as_double();
  }
  EXPECT_NEAR(share, 1.0, 1e-9);
  EXPECT_EQ(report.at("over_time").size(), 12u);
  bool says_side = false;
  for (const Json& entry : report.at("to_do").as_array()) {
    says_side = says_side || entry.at("text").as_string().find("one side") != std::string::npos;
  }
  EXPECT_TRUE(says_side);
}

TEST(QualityReport, NamesThePersonWhoPressesLeftInOneSentence) {
  Labelled labelled;
  const Json people = quality_people(labelled.test.org(), labelled.project, true);
  ASSERT_EQ(people.at("items").size(), 3u);
  const Json& worst = people.at("items").as_array()[0];
  EXPECT_EQ(worst.at("person").at("name").as_string(), "lea");
  EXPECT_TRUE(worst.at("side_biased").as_bool());
  EXPECT_EQ(worst.at("median_active_ms").as_int(), 500);
  EXPECT_EQ(worst.at("words").as_string().rfind("lea ", 0), 0u) << worst.at("words").as_string();
  EXPECT_GE(worst.at("evidence").size(), 2u);
  for (size_t i = 1; i < 3; ++i) {
    const Json& person = people.at("items").as_array()[i];
    EXPECT_GT(person.at("reliability").as_double(), 0.75);
    EXPECT_NE(person.at("words").as_string().find("nothing stands out"), std::string::npos)
        << person.at("words").as_string();
  }
  const Json hidden = quality_people(labelled.test.org(), labelled.project, false);
  EXPECT_EQ(hidden.dump().find("lea"), std::string::npos);
  EXPECT_EQ(hidden.dump().find("usr_"), std::string::npos);
}

TEST(QualityReport, RanksTheModelsThatRowsName) {
  Labelled labelled;
  const Json ranking = quality_ranking(labelled.test.org(), labelled.project);
  ASSERT_EQ(ranking.at("items").size(), 2u);
  EXPECT_EQ(ranking.at("items").as_array()[0].at("battles").as_int(), 180);
  EXPECT_FALSE(ranking.at("words").as_string().empty());
}

TEST(QualityReport, SaysWhichTasksAreWorthOneMoreAnswer) {
  Labelled labelled;
  const Json next = quality_next(labelled.test.org(), labelled.project, 5);
  EXPECT_LE(next.at("items").size(), 5u);
  ASSERT_GE(next.at("items").size(), 1u);
  EXPECT_EQ(next.at("items").as_array()[0].at("task_id").as_string().substr(0, 4), "tsk_");
  EXPECT_GT(next.at("simple").at("more_labels").as_int(), 0);
}

TEST(QualityReport, AnEmptyProjectHasEveryFieldAndPlainWords) {
  TestOrganisation test;
  const Project project = test.pairwise();
  const Json report = quality_overview(test.org(), project);
  EXPECT_EQ(report.at("agreement").at("words").as_string(), "Nothing is labelled yet.");
  EXPECT_TRUE(report.at("sides").is_null());
  EXPECT_EQ(quality_people(test.org(), project, true).at("items").size(), 0u);
  EXPECT_EQ(quality_ranking(test.org(), project).at("items").size(), 0u);
  EXPECT_EQ(quality_next(test.org(), project).at("items").size(), 0u);
}

TEST(QualityReport, IsMadeAnewWhenAnAnswerCame) {
  TestOrganisation test;
  const Project project = test.pairwise(2);
  test.add_tasks(project, 2);
  const Actor ann = test.person("ann");
  test.answer(ann, test.next(ann, project).leases.at(0).public_id, R"({"winner":"left"})");
  const auto first = project_quality(test.org(), project);
  EXPECT_EQ(project_quality(test.org(), project), first);
  test.answer(ann, test.next(ann, project).leases.at(0).public_id, R"({"winner":"left"})");
  EXPECT_EQ(project_quality(test.org(), project)->annotations, 2);
}

TEST(QualityReport, ARatingOfTwoResponsesIsTwoItems) {
  TestOrganisation test;
  NewProject wanted;
  wanted.name = "ratings";
  wanted.task_type = "rating";
  const Project project = test.project(wanted);
  test.add_tasks(project, 1);
  const Actor ann = test.person("ann");
  test.answer(ann, test.next(ann, project).leases.at(0).public_id,
              R"({"helpfulness":{"rsp_a1":5,"rsp_b1":2},"accuracy":{"rsp_a1":5,"rsp_b1":2},
                  "clarity":{"rsp_a1":5,"rsp_b1":2}})");
  const auto quality = project_quality(test.org(), project);
  ASSERT_EQ(quality->items.size(), 2u);
  EXPECT_EQ(quality->best(quality->items[0].task)->choice, "5,2");
}

}  // namespace
}  // namespace hone::label
