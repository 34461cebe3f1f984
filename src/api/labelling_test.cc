// The path of one label over real connections, as scripts rely on it (docs/api.md).
#include <set>
#include <thread>

#include "api/testing.h"
#include "label/projects.h"
#include "label/public_id.h"
#include "label/task_rows.h"

namespace hone::api {
namespace {

using label::Role;

class LabellingTest : public ApiTest {
 protected:
  // Tasks without the import, whose tests are its own.
  void add_pairs(const Place& place, const std::string& project_id, int count) {
    label::Organisation& organisation = platform_->organisation(place.organisation.id);
    label::PublicIds ids(real_env());
    std::vector<label::NewTask> tasks;
    for (int i = 0; i < count; ++i) {
      const std::string n = std::to_string(i);
      const Json row = Json::parse(R"({"prompt":"Question )" + n + R"(?","left":"L)" + n +
                                   R"(","right":"R)" + n + R"(","models":["secret-a","secret-b"]})")
                           .value();
      tasks.push_back(label::row_to_task("pairwise", row, ids).value());
    }
    organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
      const label::Project project = label::get_project(tx, project_id);
      label::insert_tasks(tx, label::task_defaults(tx, project.id), tasks, std::nullopt, "system",
                          real_env().now_ms());
    });
  }
  std::string make_project(const Place& place, const std::string& more = "") {
    const Got made = place.owner->post(
        "/projects", R"({"name":"Pairs","task_type":"pairwise","overlap":1)" + more + "}");
    EXPECT_EQ(made.status, 201) << made.text;
    return made.body.at("id").as_string();
  }
};

TEST_F(LabellingTest, OneLabelGoesItsWholeWay) {
  Place acme = make_place("Acme");
  const std::string project = make_project(acme);
  add_pairs(acme, project, 3);
  auto ann = add_visitor(acme, Role::kAnnotator, "Ann");

  const Got next = ann->post("/projects/" + project + "/next", "{}");
  ASSERT_EQ(next.status, 200) << next.text;
  const std::string assignment = next.body.at("assignment_id").as_string();
  EXPECT_EQ(next.text.find("secret-"), std::string::npos);  // no model is named
  const Json::Array& shown = next.body.at("task").at("responses").as_array();
  ASSERT_EQ(shown.size(), 2u);
  // The same lease first when asked again.
  EXPECT_EQ(ann->post("/projects/" + project + "/next").body.at("assignment_id").as_string(),
            assignment);
  const Got list = ann->post("/projects/" + project + "/next", R"({"count":3})");
  EXPECT_EQ(list.body.size(), 3u);

  const Got empty =
      ann->ask("PUT", "/assignments/" + assignment + "/annotation", R"({"answer":{}})");
  EXPECT_EQ(empty.status, 400);
  EXPECT_EQ(empty.code(), "invalid_input");
  EXPECT_NE(empty.body.find("field"), nullptr);
  const std::string answer = R"({"answer":{"winner":")" + shown[0].at("response_id").as_string() +
                             R"("},"rationale":"clearer","active_ms":1200})";
  const Got done = ann->ask("PUT", "/assignments/" + assignment + "/annotation", answer);
  ASSERT_EQ(done.status, 201) << done.text;
  EXPECT_EQ(done.body.at("status").as_string(), "valid");
  EXPECT_EQ(done.body.at("done_by_me").as_int(), 1);

  const Got mine = ann->get("/projects/" + project + "/mine");
  EXPECT_EQ(mine.body.at("done").as_int(), 1);
  const Got undone = ann->post("/assignments/" + assignment + "/undo", "{}");
  ASSERT_EQ(undone.status, 200) << undone.text;
  EXPECT_EQ(undone.body.at("assignment_id").as_string(), assignment);
  EXPECT_EQ(ann->ask("PUT", "/assignments/" + assignment + "/annotation", answer).status, 201);
}

TEST_F(LabellingTest, NothingIsLeftAndTheHeaderSaysWhy) {
  Place acme = make_place("Acme");
  const std::string project = make_project(acme);
  const Got none = acme.owner->post("/projects/" + project + "/next");
  EXPECT_EQ(none.status, 204);
  EXPECT_FALSE(none.headers.get("X-Hone-Reason").empty());
}

TEST_F(LabellingTest, DraftHeartbeatSkipFlagAndRelease) {
  Place acme = make_place("Acme");
  const std::string project = make_project(acme);
  add_pairs(acme, project, 3);
  auto ann = add_visitor(acme, Role::kAnnotator, "Ann");
  const auto lease = [&] {
    return "/assignments/" +
           ann->post("/projects/" + project + "/next").body.at("assignment_id").as_string();
  };
  const std::string first = lease();
  EXPECT_EQ(ann->ask("PUT", first + "/draft", R"({"draft":{"winner":"left"}})").status, 204);
  EXPECT_EQ(ann->get(first).body.at("draft").at("winner").as_string(), "left");
  EXPECT_NE(ann->post(first + "/heartbeat").body.find("lease_expires_at"), nullptr);
  EXPECT_EQ(ann->post(first + "/flag", R"({"reason":"Other","comment":"odd"})").status, 204);
  EXPECT_EQ(ann->post(first + "/skip", R"({"reason":"Other"})").status, 204);
  const std::string second = lease();
  EXPECT_NE(second, first);
  EXPECT_EQ(ann->post(second + "/release").status, 204);
  // Another's assignment is not found.
  const std::string third = lease();
  EXPECT_EQ(acme.owner->get(third).status, 404);
}

TEST_F(LabellingTest, ARepeatedAnswerHasOneEffectAlsoWhenRepeatsMeet) {
  Place acme = make_place("Acme");
  const std::string project = make_project(acme);
  add_pairs(acme, project, 2);
  auto ann = add_visitor(acme, Role::kAnnotator, "Ann");
  const std::string path =
      "/assignments/" +
      ann->post("/projects/" + project + "/next").body.at("assignment_id").as_string() +
      "/annotation";
  const std::string answer = R"({"answer":{"winner":"tie"}})";
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::set<std::string> answers;
  int replayed = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      Visitor same = visitor();
      same.cookie = ann->cookie;
      same.csrf = ann->csrf;
      const Got got = same.ask("PUT", path, answer, {{"Idempotency-Key", "k1"}});
      const std::lock_guard lock(mutex);
      EXPECT_EQ(got.status, 201) << got.text;
      answers.insert(got.text);
      replayed += got.headers.get("Idempotency-Replayed") == "true";
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(answers.size(), 1u);
  EXPECT_EQ(replayed, 7);
  const Got other =
      ann->ask("PUT", path, R"({"answer":{"winner":"left"}})", {{"Idempotency-Key", "k1"}});
  EXPECT_EQ(other.status, 422) << other.text;
  EXPECT_EQ(acme.owner->get("/projects/" + project).body.at("counts").at("annotations").as_int(),
            1);
}

TEST_F(LabellingTest, AChangeNeedsTheNewestVersionWhenItNamesOne) {
  Place acme = make_place("Acme");
  const std::string project = make_project(acme);
  const Got read = acme.owner->get("/projects/" + project);
  const std::string tag(read.headers.get("ETag"));
  ASSERT_FALSE(tag.empty());
  const Got first =
      acme.owner->ask("PATCH", "/projects/" + project, R"({"name":"New"})", {{"If-Match", tag}});
  EXPECT_EQ(first.status, 200) << first.text;
  const Got second =
      acme.owner->ask("PATCH", "/projects/" + project, R"({"name":"Old"})", {{"If-Match", tag}});
  EXPECT_EQ(second.status, 412);
  EXPECT_EQ(second.code(), "conflict");
  EXPECT_EQ(acme.owner->get("/projects/" + project).body.at("name").as_string(), "New");
}

TEST_F(LabellingTest, AnAnnotatorSeesOwnProjectsWithoutResults) {
  Place acme = make_place("Acme");
  const std::string open = make_project(acme);
  const std::string closed = make_project(acme, R"(,"skills":["chemistry"])");
  auto ann = add_visitor(acme, Role::kAnnotator, "Ann");
  const Got list = ann->get("/projects");
  ASSERT_EQ(list.body.at("items").size(), 1u);
  EXPECT_EQ(list.body.at("items").as_array()[0].at("id").as_string(), open);
  EXPECT_EQ(list.text.find("gold_share"), std::string::npos);
  EXPECT_EQ(list.text.find("counts"), std::string::npos);
  EXPECT_NE(list.text.find("mine"), std::string::npos);
  EXPECT_EQ(ann->get("/projects/" + closed).status, 404);
  EXPECT_EQ(ann->get("/projects/" + closed + "/guideline").status, 404);
  EXPECT_EQ(ann->get("/projects/" + open + "/guideline").status, 200);
  EXPECT_EQ(ann->ask("PATCH", "/projects/" + open, R"({"name":"x"})").status, 403);
}

TEST_F(LabellingTest, AnImportTellsWhenItWasAndWhatCame) {
  Place acme = make_place("Acme");
  const std::string path = "/projects/" + make_project(acme);
  const Got made =
      acme.owner->ask("POST", path + "/import?name=two.jsonl",
                      "{\"prompt\":\"p\",\"left\":\"l\",\"right\":\"r\"}\n{\"prompt\":1}\n",
                      {{"Content-Type", "application/octet-stream"}});
  ASSERT_EQ(made.status, 200) << made.text;
  EXPECT_EQ(made.body.at("created").as_int(), 1);
  EXPECT_EQ(made.body.at("errors").as_int(), 1);
  const Got list = acme.owner->get(path + "/imports");
  const Json& import = list.body.at("items").as_array().at(0);
  EXPECT_EQ(import.at("state").as_string(), "done");
  EXPECT_EQ(import.at("created_at").as_string().back(), 'Z');
  EXPECT_EQ(import.at("finished_at").as_string().back(), 'Z');
  const Got one = acme.owner->get("/imports/" + import.at("id").as_string());
  EXPECT_EQ(one.body, import);
}

TEST_F(LabellingTest, GuidelineAndSchemaHaveVersions) {
  Place acme = make_place("Acme");
  const std::string path = "/projects/" + make_project(acme);
  EXPECT_EQ(acme.owner->post(path + "/guideline", R"({"body":"# Be fair"})").status, 201);
  const Got guideline = acme.owner->get(path + "/guideline");
  EXPECT_EQ(guideline.body.at("body").as_string(), "# Be fair");
  EXPECT_GE(guideline.body.at("versions").size(), 2u);
  const Got schema = acme.owner->get(path + "/schema");
  EXPECT_EQ(schema.body.at("version").as_int(), 1);
  const Got bad = acme.owner->post("/schemas/validate", R"({"schema":{"version":1}})");
  EXPECT_EQ(bad.status, 400);
  EXPECT_NE(bad.body.find("field"), nullptr);
  EXPECT_EQ(acme.owner->get("/schemas").body.at("items").size(), 7u);
}

}  // namespace
}  // namespace hone::api
