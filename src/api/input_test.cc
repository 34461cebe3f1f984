// Wrong, hostile and broken input: one clear sentence, the field named, nothing broken behind it.
#include "api/page.h"
#include "api/rate_limit.h"
#include "api/testing.h"
#include "api/walk_for_test.h"

namespace hone::api {
namespace {

using label::Role;

class InputTest : public ApiTest {
 protected:
  InputTest() { acme_ = make_place("Acme", true); }  // an operator, who may ask everything
  Place acme_;
};

// None where there is no JSON body, several where a word in it says which one it is.
std::vector<const Json*> json_schemas_of(const Walk& walk, const Walk::Operation& operation) {
  const Json* request = operation.body->find("requestBody");
  if (request == nullptr) return {};
  const Json* json = request->at("content").find("application/json");
  if (json == nullptr) return {};
  const Json& schema = walk.resolve(json->at("schema").at("$ref"));
  const Json* several = schema.find("oneOf");
  if (several == nullptr) return {&schema};
  std::vector<const Json*> schemas;
  for (const Json& each : several->as_array()) schemas.push_back(&walk.resolve(each.at("$ref")));
  return schemas;
}

TEST_F(InputTest, EveryFieldOfEveryBodyRefusesAnotherKindAndUnknownNeighbours) {
  const Walk walk(*acme_.owner);
  int fields = 0;
  for (const Walk::Operation& operation : walk.operations()) {
    if (operation.path == "/session") continue;
    if (operation.path == "/organisations") continue;  // operators only: refused before its body
    const std::string target = Walk::filled(operation.path, {});
    for (const Json* schema : json_schemas_of(walk, operation)) {
      const Json good = walk.sample(*schema, "text", {});
      for (const auto& [name, property] : schema->at("properties").as_object()) {
        if (property.find("type") == nullptr && property.find("anyOf") == nullptr &&
            property.find("enum") == nullptr) {
          continue;  // any JSON
        }
        Json bad = good;
        bad[name] = Json::parse(R"([[{"wrong":"kind"}]])").value();
        const Got got = acme_.owner->ask(operation.method, target, bad.dump());
        ++fields;
        EXPECT_EQ(got.status, 400) << operation.method << operation.path << name << got.text;
        const Json* field = got.body.find("field");
        ASSERT_NE(field, nullptr) << got.text;
        EXPECT_EQ(field->as_string().substr(0, name.size() + 1), "/" + name) << got.text;
      }
      Json unknown = good;
      unknown["no_such_field"] = 1;
      const Got got = acme_.owner->ask(operation.method, target, unknown.dump());
      EXPECT_EQ(got.status, 400) << operation.path;
      EXPECT_NE(got.text.find("no_such_field"), std::string::npos) << got.text;
    }
  }
  EXPECT_GT(fields, 60);
}

TEST_F(InputTest, BodiesThatAreNoJsonTooDeepTooLargeOrNoUtf8AreRefused) {
  Visitor& owner = *acme_.owner;
  std::string deep = R"({"schema":)";
  for (int i = 0; i < 5000; ++i) deep += "[";
  const struct {
    std::string body;
    int status;
  } kBad[] = {
      {"{", 400},
      {"null", 400},
      {"[]", 400},
      {"\"text\"", 400},
      {R"({"name":"a","name":"b","task_type":"pairwise"})", 400},
      {"{\"name\":\"\xff\xfe\",\"task_type\":\"pairwise\"}", 400},
      {"{\"name\":\"\xed\xa0\x80\",\"task_type\":\"pairwise\"}", 400},
      {R"({"name":"zero\u0000byte","task_type":"pairwise"})", 400},
      {R"({"name":"line\nbreak","task_type":"pairwise"})", 400},
      {R"({"name":"   ","task_type":"pairwise"})", 400},
      {R"({"name":"a","task_type":"pairwise","overlap":1e400})", 400},
      {R"({"name":"a","task_type":"pairwise","overlap":1.5})", 400},
      {R"({"name":"a","task_type":"spans"})", 400},
      {deep, 400},
      {"{\"name\":\"" + std::string(3 << 20, 'a') + "\"}", 413},
  };
  for (const auto& bad : kBad) {
    Visitor fresh = visitor();
    fresh.cookie = owner.cookie;
    fresh.csrf = owner.csrf;
    const Got got = fresh.post("/projects", bad.body);
    EXPECT_EQ(got.status, bad.status) << bad.body.substr(0, 80) << got.text;
    EXPECT_EQ(got.headers.get("Content-Type"), "application/problem+json");
  }
  EXPECT_EQ(owner.get("/projects").body.at("items").size(), 0u);
}

TEST_F(InputTest, ParametersAreCheckedByName) {
  Visitor& owner = *acme_.owner;
  EXPECT_EQ(owner.get("/projects?limit=0").status, 400);
  EXPECT_EQ(owner.get("/projects?limit=201").status, 400);
  EXPECT_EQ(owner.get("/projects?limit=x").status, 400);
  EXPECT_EQ(owner.get("/projects?after=zzz").status, 400);
  EXPECT_EQ(owner.get("/projects?state=odd").status, 400);
  const Got unknown = owner.get("/projects?stat=open");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(unknown.body.at("field").as_string(), "stat");
}

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST_F(InputTest, BoundsAreOfCharactersAndNotOfBytesAsTheDocumentSays) {
  Visitor& owner = *acme_.owner;
  const std::string project =
      "/projects/" +
      owner.post("/projects", R"({"name":"p","task_type":"pairwise"})").body.at("id").as_string();
  EXPECT_EQ(owner.get(project + "/tasks?q=" + repeated("%F0%9F%98%80", 300)).status, 200);
  EXPECT_EQ(owner.get(project + "/tasks?q=" + repeated("x", 301)).status, 400);
  const auto guideline = [&](int characters) {
    return owner.post(project + "/guideline", R"({"body":")" + repeated("ä", characters) + "\"}")
        .status;
  };
  EXPECT_EQ(guideline(500'000), 201);
  EXPECT_EQ(guideline(500'001), 400);
  const auto token = [&](int characters) {
    return owner.post("/tokens", R"({"name":"t","models":[")" + repeated("ä", characters) + "\"]}")
        .status;
  };
  EXPECT_EQ(token(200), 201);
  EXPECT_EQ(token(201), 400);
}

TEST_F(InputTest, HostileTextsComeBackAsTheyWereAndAreTextOnly) {
  Visitor& owner = *acme_.owner;
  const std::string hostile[] = {
      "'; DROP TABLE project; --",
      "\" OR \"1\"=\"1",
      "<script>alert(1)</script><img src=x onerror=alert(1)>",
      "[x](javascript:alert(1)) ![y](data:text/html,<b>)",
      "=HYPERLINK(\"http://evil\",\"x\")",
      "@SUM(1+1)*cmd|' /C calc'!A0",
      "{{constructor.constructor('alert(1)')()}} ${7*7}",
      "%00%0d%0aSet-Cookie: a=b",
      "\xe2\x80\xae txt.exe",
  };
  for (const std::string& text : hostile) {
    Json body = Json::object();
    body["name"] = text;
    body["task_type"] = "pairwise";
    body["description"] = text;
    body["guideline"] = text;
    body["skills"].push_back(text.substr(0, 50));
    const Got made = owner.post("/projects", body.dump());
    ASSERT_EQ(made.status, 201) << made.text;
    EXPECT_EQ(made.headers.get("Content-Type"), "application/json");
    EXPECT_EQ(made.headers.get("X-Content-Type-Options"), "nosniff");
    const std::string path = "/projects/" + made.body.at("id").as_string();
    const Got read = owner.get(path);
    EXPECT_EQ(read.body.at("name").as_string(), text);
    EXPECT_EQ(read.body.at("description").as_string(), text);
    EXPECT_EQ(owner.get(path + "/guideline").body.at("body").as_string(), text);

    Json person = Json::object();
    person["name"] = text;
    person["role"] = "annotator";
    const Got added = owner.post("/people", person.dump());
    ASSERT_EQ(added.status, 201) << added.text;
    EXPECT_EQ(added.body.at("person").at("name").as_string(), text);
    // Searching for it is a search, whatever it holds.
    std::string encoded;
    for (const char c : text) {
      char hex[4];
      std::snprintf(hex, sizeof hex, "%%%02X", static_cast<unsigned char>(c));
      encoded += hex;
    }
    EXPECT_EQ(owner.get("/people?q=" + encoded).status, 200);

    // Through an import and an answer, and out again by the export.
    Json row = Json::object();
    row["prompt"] = text;
    row["left"] = text + " left";
    row["right"] = text + " right";
    EXPECT_EQ(owner
                  .ask("POST", path + "/import", row.dump() + "\n",
                       {{"Content-Type", "application/octet-stream"}})
                  .body.at("created")
                  .as_int(),
              1);
    // Whoever made the project has not the skill; without it everybody may label.
    ASSERT_EQ(owner.ask("PATCH", path, R"({"skills":[]})").status, 200);
    const Got next = owner.post(path + "/next");
    ASSERT_EQ(next.status, 200) << next.text;
    EXPECT_EQ(next.body.at("task").at("prompt").as_string(), text);
    Json answer = Json::object();
    answer["answer"]["winner"] = "left";
    answer["rationale"] = text;
    EXPECT_EQ(
        owner
            .ask("PUT", "/assignments/" + next.body.at("assignment_id").as_string() + "/annotation",
                 answer.dump())
            .status,
        201);
    const Got exported = owner.get(path + "/export?format=annotations");
    ASSERT_EQ(exported.status, 200);
    EXPECT_TRUE(Json::parse(exported.text.substr(0, exported.text.find('\n'))).has_value());
    const Got table = owner.get(path + "/export?format=csv");
    ASSERT_EQ(table.status, 200) << table.text;
    EXPECT_EQ(table.headers.get("Content-Type"), "text/csv; charset=utf-8; header=present");
    EXPECT_EQ(table.headers.get("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(table.headers.get("Content-Disposition"),
              "attachment; filename=\"" + path.substr(path.rfind('/') + 1) + "-annotations.csv\"");
    for (const char* run : {",=", ",@", ",\"=", ",\"@", "\n=", "\n@"}) {
      EXPECT_EQ(table.text.find(run), std::string::npos) << table.text;
    }
    EXPECT_EQ(owner.get(path + "/tasks?q=" + encoded).status, 200);
    EXPECT_EQ(owner.get("/audit?kind=" + encoded).status < 500, true);
  }
  EXPECT_EQ(owner.get("/audit/verify").body.at("intact").as_bool(), true);
}

TEST_F(InputTest, AFormOfAForeignPageIsRefused) {
  Visitor& owner = *acme_.owner;
  const std::string body = R"({"name":"x","task_type":"pairwise"})";
  EXPECT_EQ(owner.ask("POST", "/projects", body, {{"Content-Type", "text/plain"}}).status, 400);
  EXPECT_EQ(owner.ask("POST", "/projects", body, {{"Origin", "http://evil.example"}}).status, 403);
  EXPECT_EQ(owner.ask("GET", "/projects", "", {{"Host", "evil.example"}}).status, 421);
}

TEST_F(InputTest, PeopleComeFromAFileAndBadLinesAreNamed) {
  Visitor& owner = *acme_.owner;
  const std::string csv =
      "name,email,role,skills,languages\n"
      "Ann,ann@example.org,annotator,chemistry; law,en;de\n"
      ",nobody@example.org,annotator,,\n"
      "Bob,not an address,annotator,,\n"
      "Cid,,king,,\n"
      "Dan,,reviewer,,\n";
  const Got got = owner.ask("POST", "/people/import", csv, {{"Content-Type", "text/csv"}});
  ASSERT_EQ(got.status, 200) << got.text;
  EXPECT_EQ(got.body.at("created").as_int(), 2);
  EXPECT_EQ(got.body.at("errors").size(), 3u);
  const Json& ann = got.body.at("people").as_array()[0].at("person");
  EXPECT_EQ(ann.at("skills").size(), 2u);
  EXPECT_EQ(ann.at("languages").as_array()[1].as_string(), "de");
  const Got lines =
      owner.ask("POST", "/people/import", "{\"name\":\"Eva\",\"role\":\"viewer\"}\n{\"name\":3}\n",
                {{"Content-Type", "application/x-ndjson"}});
  EXPECT_EQ(lines.body.at("created").as_int(), 1);
  EXPECT_EQ(lines.body.at("errors").size(), 1u);
}

TEST_F(InputTest, TooManyRequestsAreToldWhenToComeBack) {
  RateLimiter limiter({.per_second = 2, .burst = 3});
  EXPECT_EQ(limiter.take("a", 0), 0);
  EXPECT_EQ(limiter.take("a", 0), 0);
  EXPECT_EQ(limiter.take("a", 0), 0);
  EXPECT_GT(limiter.take("a", 0), 0);
  EXPECT_EQ(limiter.take("b", 0), 0);  // another's bucket
  EXPECT_EQ(limiter.take("a", 1), 0);
  EXPECT_GT(limiter.take("a", 0.5), 0 - 1);  // a clock that was set back breaks nothing
  for (int i = 0; i < 50'000; ++i) limiter.take("x" + std::to_string(i), 2);
  EXPECT_LE(limiter.buckets(), RateLimiter::kBucketsMax);
}

TEST(Cursor, ReadsBackAndRefusesWhatIsNone) {
  const std::vector<int64_t> keys = {0, -5, INT64_MAX};
  EXPECT_EQ(read_cursor(write_cursor(keys)), keys);
  for (const char* bad : {"", "c1", "c1.", "c2.5", "c1.5x", "5", "c1.99999999999999999999"}) {
    EXPECT_EQ(read_cursor(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace hone::api
