// Live labelling over HTTP, with models that say what the test tells them.
#include <thread>

#include "api/model_answers.h"
#include "api/testing.h"

namespace hone::api {
namespace {

using label::Role;

// Answers "MODEL said: PROMPT" letter by letter on a thread of its own.
class ScriptedModels : public ModelAnswers {
 public:
  ~ScriptedModels() override {
    for (std::thread& each : threads_) each.join();
  }
  std::function<void()> ask(const ModelQuestion& question,
                            std::shared_ptr<AnswerListener> listener) override {
    check_model(question.organisation, question.model);
    asked.push_back(question);
    const std::string text = question.model == "one" ? "alpha beta" : "gamma delta";
    const bool fails = fail_ == question.model;
    threads_.emplace_back([text, listener, question, fails] {
      for (const char c : text) listener->on_text(std::string_view(&c, 1));
      if (fails) {
        const Error error(ErrorCode::kInternal, "the model " + question.model + " broke");
        listener->on_failed(&error);
        return;
      }
      feedback::Answer answer;
      answer.head.id = "chatcmpl-" + question.model;
      answer.head.model = question.model;
      answer.head.settings = Json::object();
      answer.head.messages = question.messages;
      answer.choice.text = text;
      listener->on_answer(std::move(answer));
    });
    return [] {};
  }
  void check_model(const std::string&, const std::string& model) override {
    if (model != "one" && model != "two") throw not_found("there is no model " + model);
  }

  std::vector<ModelQuestion> asked;
  std::string fail_;

 private:
  std::vector<std::thread> threads_;
};

class LiveApiTest : public ApiTest {
 protected:
  LiveApiTest() {
    platform_->set_model_answers(&models_);
    acme_ = make_place("Acme");
    project_ = acme_.owner->post("/projects", R"({"name":"Live","task_type":"pairwise"})")
                   .body.at("id")
                   .as_string();
    ann_ = add_visitor(acme_, Role::kAnnotator, "Ann");
  }
  Got change(const std::string& body) {
    return acme_.owner->ask("PUT", "/projects/" + project_ + "/live", body);
  }
  void switch_on() {
    const Got got = change(R"({"sides":[{"model":"one","temperature":0.2},{"model":"two"}]})");
    ASSERT_EQ(got.status, 200) << got.text;
  }
  Got ask(Visitor& visitor, const std::string& prompt) {
    Json body = Json::object();
    body["prompt"] = prompt;
    return visitor.post("/projects/" + project_ + "/live/answers", body.dump());
  }
  static std::vector<Json> events(const Got& got) {
    std::vector<Json> list;
    std::istringstream lines(got.text);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("data: ")) list.push_back(Json::parse(line.substr(6)).value());
    }
    return list;
  }

  ScriptedModels models_;
  Place acme_;
  std::string project_;
  std::unique_ptr<Visitor> ann_;
};

TEST_F(LiveApiTest, TwoAnswersStreamBlindAndBecomeATaskToJudge) {
  switch_on();
  EXPECT_TRUE(ann_->get("/projects/" + project_).body.at("live").as_bool());
  const Got got = ask(*ann_, "What is tea?");
  ASSERT_EQ(got.status, 200) << got.text;
  EXPECT_EQ(got.headers.get("Content-Type"), "text/event-stream");
  std::string texts[2];
  Json assignment;
  for (const Json& event : events(got)) {
    if (const Json* text = event.find("text")) {
      texts[event.at("place").as_int()] += text->as_string();
    }
    if (const Json* found = event.find("assignment")) assignment = *found;
  }
  ASSERT_TRUE(assignment.is_object()) << got.text;
  const Json::Array& responses = assignment.at("task").at("responses").as_array();
  EXPECT_EQ(responses[0].at("text").as_string(), texts[0]);
  EXPECT_EQ(responses[1].at("text").as_string(), texts[1]);
  for (const char* hidden : {"\"one\"", "\"two\"", "chatcmpl", "model", "temperature"}) {
    EXPECT_EQ(got.text.find(hidden), std::string::npos) << hidden << got.text;
  }
  const std::string id = assignment.at("assignment_id").as_string();
  const bool one_is_left = texts[0].starts_with("alpha");
  const Got judged = ann_->ask(
      "PUT", "/assignments/" + id + "/annotation",
      std::string(R"({"answer":{"winner":")") + (one_is_left ? "left" : "right") + "\"}}");
  EXPECT_EQ(judged.status, 201) << judged.text;
  EXPECT_EQ(judged.body.at("status").as_string(), "valid");
  const Got task = acme_.owner->get("/tasks/" + assignment.at("task_id").as_string());
  const Json& body = task.body.at("body");
  EXPECT_EQ(body.at("responses").as_array()[0].at("model").as_string(), "one");
  EXPECT_EQ(body.at("responses").as_array()[0].at("text").as_string(), "alpha beta");
  const Got rows = acme_.owner->get("/projects/" + project_ + "/export?format=preferences");
  EXPECT_NE(rows.text.find(R"("chosen":[{"role":"assistant","content":"alpha beta"}])"),
            std::string::npos)
      << rows.text;
  ASSERT_EQ(models_.asked.size(), 2u);
  for (const ModelQuestion& question : models_.asked) {
    EXPECT_EQ(question.temperature, question.model == "one" ? 0.2 : 0.7);
    EXPECT_EQ(question.organisation, acme_.organisation.id);
  }
}

TEST_F(LiveApiTest, WhoLabelsDoesNotSeeWhichModelsAnswer) {
  switch_on();
  const std::string path = "/projects/" + project_ + "/live";
  EXPECT_EQ(ann_->get(path).status, 403);
  EXPECT_EQ(acme_.owner->get(path).body.at("sides").as_array()[1].at("model").as_string(), "two");
  EXPECT_EQ(ann_->get("/projects/" + project_).text.find("\"two\""), std::string::npos);
}

TEST_F(LiveApiTest, AModelThatFailsEndsItWithoutItsName) {
  switch_on();
  models_.fail_ = "two";
  const Got got = ask(*ann_, "What is tea?");
  const auto all = events(got);
  ASSERT_FALSE(all.empty());
  EXPECT_NE(all.back().find("error"), nullptr) << got.text;
  EXPECT_EQ(got.text.find("broke"), std::string::npos) << got.text;
  EXPECT_EQ(got.text.find("\"two\""), std::string::npos);
  EXPECT_EQ(ann_->post("/projects/" + project_ + "/next").status, 204);
}

TEST_F(LiveApiTest, WrongSettingsAndQuestionsAreRefusedInWords) {
  EXPECT_EQ(ask(*ann_, "Not on yet").status, 409);
  const Got unknown = change(R"({"sides":[{"model":"one"},{"model":"three"}]})");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(unknown.body.at("field").as_string(), "/sides/1/model");
  EXPECT_EQ(change(R"({"sides":[{"model":"one"}]})").status, 400);
  switch_on();
  EXPECT_EQ(ask(*ann_, "  \n").status, 400);
  EXPECT_EQ(change(R"({"sides":null})").status, 200);
  EXPECT_EQ(ask(*ann_, "Off again").status, 409);
  platform_->set_model_answers(nullptr);
  // Asking again later would not help: no 503.
  const Got no_model = change(R"({"sides":[{"model":"one"},{"model":"two"}]})");
  EXPECT_EQ(no_model.status, 409);
  EXPECT_NE(no_model.text.find("--model FILE"), std::string::npos) << no_model.text;
}

}  // namespace
}  // namespace hone::api
