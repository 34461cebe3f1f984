// POST /feedback and what lies behind it, over HTTP.
#include "api/call.h"
#include "api/testing.h"

namespace hone::api {
namespace {

using label::Role;

class FeedbackApiTest : public ApiTest {
 protected:
  explicit FeedbackApiTest(PlatformOptions options = {}) : ApiTest(std::move(options)) {
    acme_ = make_place("Acme");
  }

  feedback::KeptCompletion completion(const std::string& id, const std::string& text,
                                      size_t choices = 1) {
    feedback::KeptCompletion made;
    made.head.id = id;
    made.head.organisation = acme_.organisation.id;
    made.head.model = made.head.asked = "tiny";
    made.head.model_digest = std::string(64, 'd');
    made.head.fingerprint = std::string(64, 'f');
    made.head.settings = Json::parse(R"({"temperature":0.7})").value();
    made.head.messages = Json::parse(R"([{"role":"user","content":"What is tea?"}])").value();
    made.head.created_at_ms = real_env().now_ms();
    for (size_t i = 0; i < choices; ++i) {
      feedback::Choice choice;
      choice.text = i == 0 ? text : text + std::to_string(i);
      choice.finish_reason = "stop";
      choice.token_ids = {1};
      choice.log_probs = {-0.5f};
      made.choices.push_back(std::move(choice));
    }
    return made;
  }
  void keep(const std::string& id, const std::string& text, size_t choices = 1) {
    platform_->kept().keep(completion(id, text, choices));
  }
  static std::string field_of(const Got& got) {
    const Json* field = got.body.find("field");
    return field == nullptr ? "" : field->as_string();
  }

  Place acme_;
};

constexpr const char* kUp =
    R"({"kind":"thumbs","completion":"chatcmpl-a","value":1,"consent":true})";

TEST_F(FeedbackApiTest, EveryKindIsTakenAndListedNewestFirst) {
  keep("chatcmpl-a", "A drink.");
  keep("chatcmpl-b", "A leaf.");
  for (
      const char* body :
      {kUp,
       R"({"kind":"comparison","completions":["chatcmpl-a","chatcmpl-b"],"winner":"right","consent":true})",
       R"({"kind":"edit","completion":"chatcmpl-a","text":"Tea is a drink.","consent":true})",
       R"({"kind":"report","completion":"chatcmpl-a","reason":"wrong","comment":"not so","consent":false})"}) {
    const Got got = acme_.owner->post("/feedback", body);
    EXPECT_EQ(got.status, 201) << got.text;
    EXPECT_TRUE(got.body.at("id").as_string().starts_with("fbk_"));
  }
  const Got list = acme_.owner->get("/feedback?limit=3");
  ASSERT_EQ(list.status, 200) << list.text;
  const Json::Array& items = list.body.at("items").as_array();
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[0].at("kind").as_string(), "report");
  EXPECT_EQ(items[0].at("excerpt").as_string(), "");  // without consent
  EXPECT_EQ(items[0].at("comment").as_string(), "not so");
  EXPECT_EQ(items[2].at("verdict").as_string(), "right");
  EXPECT_EQ(items[2].at("excerpt").as_string(), "What is tea?");
  const Got rest = acme_.owner->get("/feedback?limit=3&after=" + list.body.at("next").as_string());
  ASSERT_EQ(rest.body.at("items").size(), 1u);
  EXPECT_EQ(acme_.owner->get("/feedback?kind=edit").body.at("items").size(), 1u);
  const Got one = acme_.owner->get("/feedback/" + items[2].at("id").as_string());
  ASSERT_EQ(one.body.at("answers").size(), 2u) << one.text;
  EXPECT_EQ(one.body.at("answers").as_array()[1].at("text").as_string(), "A leaf.");
  const Got rows = acme_.owner->get("/feedback/export?format=preferences");
  EXPECT_EQ(rows.status, 200);
  EXPECT_NE(rows.text.find(R"("chosen":[{"role":"assistant","content":"A leaf."}])"),
            std::string::npos)
      << rows.text;
  EXPECT_EQ(acme_.owner->get("/audit?kind=feedback.given").body.at("items").size(), 4u);
}

TEST_F(FeedbackApiTest, ARepeatUnderOneKeyHasOneEffect) {
  keep("chatcmpl-a", "A drink.");
  const http::Headers key = {{"Idempotency-Key", "k1"}};
  const Got first = acme_.owner->ask("POST", "/feedback", kUp, key);
  const Got again = acme_.owner->ask("POST", "/feedback", kUp, key);
  EXPECT_EQ(first.text, again.text);
  EXPECT_EQ(again.headers.get("Idempotency-Replayed"), "true");
  EXPECT_EQ(
      acme_.owner
          ->ask("POST", "/feedback",
                R"({"kind":"thumbs","completion":"chatcmpl-a","value":-1,"consent":true})", key)
          .status,
      422);
  EXPECT_EQ(acme_.owner->get("/feedback").body.at("items").size(), 1u);
}

TEST_F(FeedbackApiTest, AnUnknownAnswerIs404AndOneThatIsGone410) {
  const Got unknown = acme_.owner->post("/feedback", kUp);
  EXPECT_EQ(unknown.status, 404) << unknown.text;
  keep("chatcmpl-a", "A drink.");
  platform_->kept().forget(acme_.organisation.id, "chatcmpl-a");
  const Got gone = acme_.owner->post("/feedback", kUp);
  EXPECT_EQ(gone.status, 410) << gone.text;
  EXPECT_NE(gone.text.find("24 hours"), std::string::npos);
  // Of another organisation it never was.
  keep("chatcmpl-c", "Theirs.");
  const Place other = make_place("Other");
  const Got theirs = other.owner->post(
      "/feedback", R"({"kind":"thumbs","completion":"chatcmpl-c","value":1,"consent":true})");
  EXPECT_EQ(theirs.status, 404);
  EXPECT_EQ(theirs.text.find("Theirs"), std::string::npos);
}

TEST_F(FeedbackApiTest, AWrongBodyIsRefusedByTheNameOfItsField) {
  keep("chatcmpl-a", "A drink.", 2);
  keep("chatcmpl-b", "A leaf.");
  const struct {
    const char *body, *field;
  } kWrong[] = {
      {R"({"kind":"thumbs","completion":"chatcmpl-a","value":0,"consent":true})", "/value"},
      {R"({"kind":"thumbs","completion":"chatcmpl-a","consent":true})", "/value"},
      {R"({"kind":"thumbs","value":1,"consent":true})", "/completion"},
      {R"({"completion":"chatcmpl-a","value":1,"consent":true})", "/kind"},
      {R"({"kind":"thumb","completion":"chatcmpl-a","value":1,"consent":true})", "/kind"},
      {R"({"kind":7,"completion":"chatcmpl-a","value":1,"consent":true})", "/kind"},
      {R"({"kind":"thumbs","completion":"chatcmpl-a","value":1})", "/consent"},
      {R"({"kind":"thumbs","completion":"chatcmpl-a","value":1,"text":"x","consent":true})",
       "/text"},
      {R"({"kind":"thumbs","completion":"chatcmpl-a","choice":2,"value":1,"consent":true})",
       "choice"},
      {R"({"kind":"edit","completion":"chatcmpl-a","text":"A drink.","consent":true})", "/text"},
      {R"({"kind":"edit","completion":"chatcmpl-a","consent":true})", "/text"},
      {R"({"kind":"edit","completion":"chatcmpl-a","text":" \n","consent":true})", "/text"},
      {R"({"kind":"comparison","completions":["chatcmpl-a","chatcmpl-b"],"consent":true})",
       "/winner"},
      {R"({"kind":"comparison","winner":"left","consent":true})", "/completions"},
      {R"({"kind":"comparison","completions":["chatcmpl-a","chatcmpl-a"],"winner":"left","consent":true})",
       "/completions"},
  };
  for (const auto& each : kWrong) {
    const Got got = acme_.owner->post("/feedback", each.body);
    EXPECT_EQ(got.status, 400) << each.body << got.text;
    EXPECT_EQ(field_of(got), each.field) << each.body << got.text;
  }
  // Two choices of one completion may be compared.
  const Got pair = acme_.owner->post(
      "/feedback",
      R"({"kind":"comparison","completions":["chatcmpl-a","chatcmpl-a"],"choices":[1,0],"winner":"left","consent":false})");
  EXPECT_EQ(pair.status, 201) << pair.text;
}

TEST_F(FeedbackApiTest, AnnotatorsAndViewersGiveAndTakeBackTheirOwnAndSeeNobodyElses) {
  keep("chatcmpl-a", "A drink.");
  const auto ann = add_visitor(acme_, Role::kAnnotator, "Ann");
  const auto viewer = add_visitor(acme_, Role::kViewer, "Vic");
  const Got given = ann->post("/feedback", kUp);
  ASSERT_EQ(given.status, 201) << given.text;
  EXPECT_EQ(viewer->post("/feedback", kUp).status, 201);
  EXPECT_EQ(ann->get("/feedback").status, 403);
  EXPECT_EQ(ann->get("/feedback/export").status, 403);
  const std::string path = "/feedback/" + given.body.at("id").as_string();
  EXPECT_EQ(viewer->ask("DELETE", path).status, 404);
  EXPECT_EQ(ann->ask("DELETE", path).status, 204);
  EXPECT_EQ(acme_.owner->get("/feedback").body.at("items").size(), 1u);
}

TEST_F(FeedbackApiTest, AKeyThatMayAskModelsMayJudgeThem) {
  keep("chatcmpl-a", "A drink.");
  const auto with_scope = [&](const std::string& scope) {
    const Got made = acme_.owner->post("/tokens", R"({"name":"t","scope":[")" + scope + R"("]})");
    Visitor program = visitor();
    program.token = made.body.at("secret").as_string();
    return program.post("/feedback", kUp).status;
  };
  EXPECT_EQ(with_scope("infer"), 201);
  EXPECT_EQ(with_scope("read"), 403);
}

TEST_F(FeedbackApiTest, ARuleTurnsReportsIntoTasksAndWithdrawingErasesThem) {
  const Got project = acme_.owner->post("/projects", R"({"name":"Reports","task_type":"text"})");
  const std::string project_id = project.body.at("id").as_string();
  const Got rule = acme_.owner->post(
      "/sampling-rules",
      R"({"name":"all reports","source":"reported","project_id":")" + project_id + "\"}");
  ASSERT_EQ(rule.status, 201) << rule.text;
  EXPECT_EQ(rule.body.at("daily_cap").as_int(), 100);
  keep("chatcmpl-a", "A drink.");
  const Got given = acme_.owner->post(
      "/feedback",
      R"({"kind":"report","completion":"chatcmpl-a","reason":"wrong","consent":true})");
  ASSERT_EQ(given.body.at("tasks").size(), 1u) << given.text;
  const std::string task = "/tasks/" + given.body.at("tasks").as_array()[0].as_string();
  EXPECT_NE(acme_.owner->get(task).text.find("log_probs"), std::string::npos);
  EXPECT_EQ(acme_.owner->get("/sampling-rules").body.at("items").as_array()[0].at("taken").as_int(),
            1);
  const std::string id = rule.body.at("id").as_string();
  EXPECT_EQ(acme_.owner->ask("PATCH", "/sampling-rules/" + id, R"({"on":false})").status, 200);
  EXPECT_EQ(acme_.owner->ask("DELETE", "/feedback/" + given.body.at("id").as_string()).status, 204);
  EXPECT_EQ(acme_.owner->get(task).text.find("A drink"), std::string::npos);
  const Got pairs = acme_.owner->post("/projects", R"({"name":"P","task_type":"pairwise"})");
  const Got refused =
      acme_.owner->post("/sampling-rules", R"({"name":"x","source":"reported","project_id":")" +
                                               pairs.body.at("id").as_string() + "\"}");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(field_of(refused), "/source");
}

TEST_F(FeedbackApiTest, OnlyWhatTheRequestConsentedToReachesTheDiskAndARule) {
  const Got project = acme_.owner->post("/projects", R"({"name":"All","task_type":"rating"})");
  acme_.owner->post("/sampling-rules", R"({"name":"any","source":"any","project_id":")" +
                                           project.body.at("id").as_string() + "\"}");
  keep("chatcmpl-silent", "SILENTTEXT");
  feedback::KeptCompletion open = completion("chatcmpl-open", "OPENTEXT");
  open.head.consented = true;
  platform_->kept().keep(std::move(open));
  platform_->completion_writer().flush();
  const Got tasks = acme_.owner->get("/projects/" + project.body.at("id").as_string() + "/tasks");
  ASSERT_EQ(tasks.body.at("items").size(), 1u) << tasks.text;
  std::string files;
  const std::string folder = platform_->organisation_folder(acme_.organisation.id);
  for (const char* name : {"/org.db", "/org.db-wal"}) {
    if (real_env().exists(folder + name)) {
      files += real_env().read_file(folder + name, uint64_t{1} << 30);
    }
  }
  EXPECT_NE(files.find("OPENTEXT"), std::string::npos);
  EXPECT_EQ(files.find("SILENTTEXT"), std::string::npos);
  // It can be judged after the memory is gone.
  platform_->kept().forget(acme_.organisation.id, "chatcmpl-open");
  const Got given = acme_.owner->post(
      "/feedback", R"({"kind":"thumbs","completion":"chatcmpl-open","value":1,"consent":false})");
  EXPECT_EQ(given.status, 201) << given.text;
}

TEST_F(FeedbackApiTest, TheListIsNarrowedByModelConsentAndDay) {
  keep("chatcmpl-a", "A drink.");
  keep("chatcmpl-b", "A leaf.");
  feedback::KeptCompletion other = completion("chatcmpl-c", "A plant.");
  other.head.model = "big \"one\"";
  platform_->kept().keep(std::move(other));
  const auto thumb = [&](const char* id, int value, bool consent) {
    Json body = Json::parse(kUp).value();
    body["completion"] = id;
    body["value"] = value;
    body["consent"] = consent;
    EXPECT_EQ(acme_.owner->post("/feedback", body.dump()).status, 201);
  };
  thumb("chatcmpl-a", 1, true);
  thumb("chatcmpl-b", -1, false);
  thumb("chatcmpl-c", -1, true);
  EXPECT_EQ(
      acme_.owner
          ->post("/feedback", R"({"kind":"comparison","completions":["chatcmpl-a","chatcmpl-c"],)"
                              R"("winner":"right","consent":true})")
          .status,
      201);
  const auto found = [&](const std::string& query) {
    const Got got = acme_.owner->get("/feedback?" + query);
    EXPECT_EQ(got.status, 200) << got.text;
    return got.body.at("items").size();
  };
  EXPECT_EQ(found("model=tiny"), 2u);
  EXPECT_EQ(found("model=big%20%22one%22"), 2u);
  EXPECT_EQ(found("model=tin"), 0u);  // a whole name
  EXPECT_EQ(found("consent=false"), 1u);
  EXPECT_EQ(found("consent=true&kind=thumbs&verdict=down"), 1u);
  const std::string today = time_text(real_env().now_ms()).substr(0, 10);
  EXPECT_EQ(found("from=" + today + "&to=" + today), 4u);
  EXPECT_EQ(found("to=2020-01-31"), 0u);
  EXPECT_EQ(found("from=2020-01-31&model=tiny"), 2u);
  EXPECT_EQ(found("from=2024-02-29"), 4u);
  for (const char* day : {"2026-13-01", "yesterday", "2026-1-1", "2026-02-29", ""}) {
    const Got got = acme_.owner->get("/feedback?from=" + std::string(day));
    EXPECT_EQ(got.status, 400) << day;
    EXPECT_EQ(field_of(got), "from");
  }

  const Got days = acme_.owner->get("/feedback/days?days=7");
  ASSERT_EQ(days.body.at("items").size(), 3u) << days.text;
  const Json::Array& models = days.body.at("items").as_array();
  EXPECT_EQ(models[0].at("model").as_string(), "");  // no name is kept without consent
  EXPECT_EQ(models[0].at("down").as_int(), 1);
  EXPECT_EQ(models[1].at("model").as_string(), "big \"one\"");
  EXPECT_EQ(models[1].at("down").as_int(), 1);
  EXPECT_EQ(models[1].at("won").as_int(), 1);
  EXPECT_EQ(models[2].at("up").as_int(), 1);
  EXPECT_EQ(models[2].at("lost").as_int(), 1);
  EXPECT_EQ(models[2].at("day").as_string(), today);
  EXPECT_EQ(acme_.owner->get("/feedback/days?days=367").status, 400);
  const auto ann = add_visitor(acme_, Role::kAnnotator, "Ann");
  EXPECT_EQ(ann->get("/feedback/days").status, 403);
}

TEST_F(FeedbackApiTest, ARuleThatIsRemovedTakesNothingMoreAndWhatItTookStays) {
  const Got project = acme_.owner->post("/projects", R"({"name":"Reports","task_type":"text"})");
  const std::string rule =
      acme_.owner
          ->post("/sampling-rules", R"({"name":"r","source":"reported","project_id":")" +
                                        project.body.at("id").as_string() + "\"}")
          .body.at("id")
          .as_string();
  const auto report = [&](const std::string& id) {
    keep(id, "A drink.");
    return acme_.owner
        ->post("/feedback",
               R"({"kind":"report","completion":")" + id + R"(","reason":"wrong","consent":true})")
        .body.at("tasks")
        .as_array();
  };
  const Json::Array taken = report("chatcmpl-a");
  ASSERT_EQ(taken.size(), 1u);
  const auto reviewer = add_visitor(acme_, Role::kReviewer, "Rae");
  EXPECT_EQ(reviewer->ask("DELETE", "/sampling-rules/" + rule).status, 403);
  EXPECT_EQ(acme_.owner->ask("DELETE", "/sampling-rules/" + rule).status, 204);
  EXPECT_EQ(acme_.owner->ask("DELETE", "/sampling-rules/" + rule).status, 404);
  EXPECT_EQ(acme_.owner->ask("PATCH", "/sampling-rules/" + rule, R"({"on":true})").status, 404);
  EXPECT_EQ(acme_.owner->get("/sampling-rules").body.at("items").size(), 0u);
  EXPECT_TRUE(report("chatcmpl-b").empty());
  EXPECT_NE(acme_.owner->get("/tasks/" + taken[0].as_string()).text.find(rule), std::string::npos);
  EXPECT_EQ(acme_.owner->get("/audit?kind=sampling_rule.removed").body.at("items").size(), 1u);
}

class SignedFeedbackApiTest : public FeedbackApiTest {
 protected:
  SignedFeedbackApiTest() : FeedbackApiTest(options()) {}
  static PlatformOptions options() {
    PlatformOptions made;
    made.keep.keep_ms = 0;
    return made;
  }
};

TEST_F(SignedFeedbackApiTest, WhereNothingIsKeptTheClientSendsTheAnswerBackUnderItsMac) {
  const feedback::KeptCompletion said = completion("chatcmpl-a", "A drink.");
  const std::string mac = platform_->kept().mac(said.head, 0, "", "A drink.");
  const auto body = [&](const std::string& text, bool with_answers) {
    Json json = Json::parse(kUp).value();
    if (with_answers) {
      Json answer = Json::object();
      answer["completion"] = "chatcmpl-a";
      answer["model"] = "tiny";
      answer["system_fingerprint"] = std::string(64, 'f');
      answer["settings"] = said.head.settings;
      answer["messages"] = said.head.messages;
      answer["text"] = text;
      answer["feedback_mac"] = mac;
      json["answers"] = Json::array();
      json["answers"].push_back(std::move(answer));
    }
    return json.dump();
  };
  EXPECT_EQ(field_of(acme_.owner->post("/feedback", body("", false))), "answers");
  EXPECT_EQ(field_of(acme_.owner->post("/feedback", body("A forged drink.", true))), "answers");
  const Got given = acme_.owner->post("/feedback", body("A drink.", true));
  EXPECT_EQ(given.status, 201) << given.text;
  EXPECT_EQ(acme_.owner->get("/feedback").body.at("items").as_array()[0].at("excerpt").as_string(),
            "What is tea?");
}

}  // namespace
}  // namespace hone::api
