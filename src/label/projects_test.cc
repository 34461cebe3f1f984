#include "label/projects.h"

#include "label/events.h"
#include "label/testing.h"

namespace hone::label {
namespace {

Json json(const std::string& text) { return Json::parse(text).value(); }

Project patched(TestOrganisation& test, const Project& project, const std::string& patch,
                std::optional<int64_t> version = std::nullopt) {
  return test.write([&](store::Transaction& tx) {
    return patch_project(test.org(), tx, system_actor(), project.public_id,
                         project_patch_from_json(json(patch)), version);
  });
}

TEST(Projects, AreMadeWithTheSchemaOfTheirTypeAndReadBack) {
  TestOrganisation test;
  const Project project = test.project(new_project_from_json(
      json(R"({"name":"Answers","task_type":"pairwise","overlap":3,"guideline":"# Read first"})")));
  EXPECT_EQ(project.public_id.substr(0, 4), "prj_");
  EXPECT_EQ(project.overlap_max, 3);
  EXPECT_EQ(project.state, "open");
  EXPECT_EQ(project.lease_seconds, 900);
  test.org().read([&](store::Connection& db) {
    EXPECT_EQ(get_guideline(db, project).body, "# Read first");
    EXPECT_EQ(get_schema(db, project.id, 1)->main().name, "winner");
    EXPECT_EQ(list_projects(db, {}).size(), 1u);
    return true;
  });
}

TEST(Projects, SettingsOutOfBoundsAreRefusedByName) {
  TestOrganisation test;
  const auto field = [&](const std::string& body) {
    try {
      test.project(new_project_from_json(json(body)));
    } catch (const FieldError& error) {
      return error.field();
    }
    return std::string("nothing was refused");
  };
  EXPECT_EQ(field(R"({"task_type":"pairwise"})"), "/name");
  EXPECT_EQ(field(R"({"name":"x"})"), "/task_type");
  EXPECT_EQ(field(R"({"name":"x","task_type":"spans"})"), "/task_type");
  EXPECT_EQ(field(R"({"name":"x","task_type":"pairwise","overlap":0})"), "/overlap");
  EXPECT_EQ(field(R"({"name":"x","task_type":"pairwise","overlap":51})"), "/overlap");
  EXPECT_EQ(field(R"({"name":"x","task_type":"pairwise","overlap":3,"overlap_max":2})"),
            "/overlap_max");
  EXPECT_EQ(field(R"({"name":"x","task_type":"pairwise","lease_seconds":9})"), "/lease_seconds");
  EXPECT_EQ(field(R"({"name":"x","task_type":"pairwise","gold_share":0.6})"), "/gold_share");
  EXPECT_EQ(field(R"({"name":"x","task_type":"pairwise","colour":1})"), "/colour");
  EXPECT_EQ(field(R"({"name":7,"task_type":"pairwise"})"), "/name");
  EXPECT_EQ(test.number("SELECT count(*) FROM project"), 0);
}

TEST(Projects, AnOldVersionIsAConflict) {
  TestOrganisation test;
  const Project project = test.pairwise();
  EXPECT_EQ(patched(test, project, R"({"name":"other"})", project.version).version,
            project.version + 1);
  EXPECT_EQ(
      error_from([&] { patched(test, project, R"({"name":"third"})", project.version); }).code(),
      ErrorCode::kConflict);
}

TEST(Projects, ALowerOverlapClosesWhatHasEnoughAndAHigherOneOpensIt) {
  TestOrganisation test;
  const Project project = test.pairwise(3);
  test.add_tasks(project, 2);
  const Actor ann = test.person("ann"), ben = test.person("ben");
  for (const Actor& actor : {ann, ben}) {
    test.answer(actor, test.next(actor, project).leases.at(0).public_id, R"({"winner":"tie"})");
  }
  EXPECT_EQ(patched(test, project, R"({"overlap":1})").counts.done, 1);
  EXPECT_TRUE(test.recount(project).empty()) << test.recount(project)[0];
  EXPECT_EQ(test.number("SELECT count(*) FROM task WHERE valid > wanted"), 0);
  EXPECT_EQ(patched(test, project, R"({"overlap":4})").counts.done, 0);
  EXPECT_TRUE(test.recount(project).empty()) << test.recount(project)[0];
  EXPECT_EQ(test.number("SELECT slots FROM task ORDER BY id LIMIT 1"), 2);
}

TEST(Projects, ASchemaThatOldAnswersDoNotFitIsRefused) {
  TestOrganisation test;
  const Project project = test.pairwise();
  test.add_tasks(project, 2);
  Json schema = built_in_schema("pairwise").normalised();
  const auto add = [&] {
    return test.write([&](store::Transaction& tx) {
      return add_schema(test.org(), tx, system_actor(), project.public_id, schema);
    });
  };
  schema["questions"].as_array()[0]["tie"] = false;
  EXPECT_EQ(add(), 2) << "nobody has answered yet";
  schema["questions"].as_array()[0]["tie"] = true;
  EXPECT_EQ(add(), 3);
  const Actor ann = test.person("ann");
  test.answer(ann, test.next(ann, project).leases.at(0).public_id, R"({"winner":"tie"})");
  EXPECT_EQ(test.number("SELECT schema_version FROM annotation"), 3);
  schema["questions"].as_array()[0]["tie"] = false;
  EXPECT_EQ(error_from(add).code(), ErrorCode::kConflict);
  schema["questions"].as_array()[0]["tie"] = true;
  schema["questions"].as_array()[0]["title"] = "Which one?";
  EXPECT_EQ(add(), 4);
}

TEST(Projects, AnswersAreStampedWithTheGuidelineTheyWereGivenUnder) {
  TestOrganisation test;
  const Project project = test.pairwise();
  test.add_tasks(project, 2);
  const Actor ann = test.person("ann");
  test.answer(ann, test.next(ann, project).leases.at(0).public_id, R"({"winner":"left"})");
  test.write([&](store::Transaction& tx) {
    return add_guideline(test.org(), tx, system_actor(), project.public_id, "second words");
  });
  test.answer(ann, test.next(ann, project).leases.at(0).public_id, R"({"winner":"left"})");
  EXPECT_EQ(test.text("SELECT group_concat(guideline_version) FROM annotation"), "1,2");
  test.org().read([&](store::Connection& db) {
    const Guideline guideline = get_guideline(db, test.read_project(project));
    EXPECT_EQ(guideline.body, "second words");
    EXPECT_EQ(guideline.versions.size(), 2u);
    EXPECT_EQ(get_guideline(db, project, 1).body, "");
    return true;
  });
}

TEST(Counters, ThatAreWrongAreFoundAndRepairedAtTheStart) {
  TestOrganisation test;
  const Project project = test.pairwise();
  test.add_tasks(project, 3);
  test.write([&](store::Transaction& tx) {
    tx.execute("UPDATE task SET valid = 1, slots = 0 WHERE id = 1");
    tx.execute("UPDATE project SET annotations = 5");
  });
  EXPECT_EQ(test.recount(project).size(), 2u);
  test.open();
  EXPECT_TRUE(test.recount(project).empty());
  EXPECT_EQ(test.number("SELECT count(*) FROM event WHERE kind = 'counters.repaired'"), 1);
}

TEST(Events, HoldNoTextAndAChangedRowBreaksTheChain) {
  TestOrganisation test;
  const Project project = test.pairwise();
  test.add_tasks(project, 3);
  const Actor ann = test.person("ann");
  Submission submission;
  submission.answer = json(R"({"winner":"left"})");
  submission.rationale = "an unmistakable reason";
  const Lease lease = test.next(ann, project).leases.at(0);
  test.write([&](store::Transaction& tx) {
    return submit(test.org(), tx, ann, lease.public_id, submission);
  });
  EXPECT_EQ(test.number("SELECT count(*) FROM event WHERE data LIKE '%unmistakable%'"
                        " OR data LIKE '%rsp_%' OR data LIKE '%pairs%'"),
            0);
  const ChainCheck check = verify_chain(test.org());
  EXPECT_TRUE(check.intact);
  EXPECT_GT(check.events, 4);
  error_from([&] {  // the database itself refuses
    test.write([&](store::Transaction& tx) {
      tx.execute("UPDATE event SET actor = 'usr_other' WHERE id = 3");
    });
  });
  EXPECT_TRUE(verify_chain(test.org()).intact);
  // Somebody with the file and no manners.
  test.write([&](store::Transaction& tx) {
    tx.run_script("DROP TRIGGER event_is_append_only");
    tx.execute("UPDATE event SET actor = 'usr_other' WHERE id = 3");
  });
  EXPECT_FALSE(verify_chain(test.org()).intact);
  EXPECT_EQ(verify_chain(test.org()).first_broken, 3);
}

TEST(Events, AreListedNewestFirstByWhatIsAsked) {
  TestOrganisation test;
  const Project project = test.pairwise();
  test.add_tasks(project, 3);
  const Actor ann = test.person("ann");
  test.answer(ann, test.next(ann, project).leases.at(0).public_id, R"({"winner":"left"})");
  test.org().read([&](store::Connection& db) {
    EventFilter filter;
    filter.actor = "usr_ann";
    const auto events = list_events(db, filter);
    EXPECT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].kind, "annotation.submitted");
    EXPECT_EQ(events[0].from, "leased");
    EXPECT_EQ(events[0].to, "valid");
    filter.kind = "assignment.";
    EXPECT_EQ(list_events(db, filter).size(), 1u);
    filter.kind = "annotation";
    EXPECT_TRUE(list_events(db, filter).empty());
    filter = {};
    filter.before_id = events[0].id;
    filter.limit = 1;
    EXPECT_LT(list_events(db, filter).at(0).id, events[0].id);
    return true;
  });
}

}  // namespace
}  // namespace hone::label
