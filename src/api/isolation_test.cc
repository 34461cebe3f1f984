// Nobody of one organisation gets a byte of another, whatever they ask and whoever they are: every
// operation of the OpenAPI document, with the other's ids, by every role.
#include <map>
#include <regex>

#include "api/testing.h"
#include "api/walk_for_test.h"
#include "label/public_id.h"
#include "registry/models.h"
#include "seal/digest.h"

namespace hone::api {
namespace {

using label::Role;

constexpr const char* kCanary = "CANARYBIRD";
constexpr Role kRoles[] = {Role::kOwner, Role::kManager, Role::kReviewer, Role::kAnnotator,
                           Role::kViewer};

class IsolationTest : public ApiTest {
 protected:
  IsolationTest() {
    acme_ = make_place(std::string(kCanary) + " Acme");
    fill();
    other_ = make_place("Other");
  }

  std::string id_of(const Got& got, const char* name = "id") {
    EXPECT_LT(got.status, 300) << got.text;
    const Json* id = got.body.find(name);
    return id == nullptr ? "" : id->as_string();
  }

  // One of everything that has an id, with the canary in every text.
  void fill() {
    Visitor& owner = *acme_.owner;
    const std::string bird = kCanary;
    ids_["project_id"] =
        id_of(owner.post("/projects", R"({"name":")" + bird + R"(","task_type":"pairwise",
          "description":")" + bird + R"(","guideline":")" +
                                          bird + R"("})"));
    const std::string project = "/projects/" + ids_["project_id"];
    std::string rows;
    for (int i = 0; i < 6; ++i) {
      const std::string n = bird + std::to_string(i);
      rows += R"({"prompt":")" + n + R"(","left":"a)" + n + R"(","right":"b)" + n + "\"}\n";
    }
    const Got imported = owner.ask("POST", project + "/import?name=" + bird, rows,
                                   {{"Content-Type", "application/octet-stream"}});
    ids_["import_id"] = id_of(imported, "import_id");
    EXPECT_EQ(owner.post(project + "/splits", R"({"heldout_fraction":0.3,"seed":1})").status, 201);
    for (int i = 0; i < 6; ++i) {
      const Got next = owner.post(project + "/next");
      if (next.status != 200) break;
      ids_["assignment_id"] = next.body.at("assignment_id").as_string();
      ids_["task_id"] = next.body.at("task_id").as_string();
      const std::string path = "/assignments/" + ids_["assignment_id"];
      if (i == 5) {
        owner.post(path + "/flag", R"({"reason":"Other","comment":")" + bird + "\"}");
        break;
      }
      EXPECT_EQ(owner
                    .ask("PUT", path + "/annotation",
                         R"({"answer":{"winner":"left"},"rationale":")" + bird + "\"}")
                    .status,
                201);
    }
    const Json task = owner.get("/tasks/" + ids_["task_id"]).body;
    ids_["flag_id"] = task.at("flags").as_array().at(0).at("id").as_string();
    ids_["snapshot_id"] = id_of(owner.post(project + "/snapshots", R"({"name":")" + bird + "\"}"));
    ids_["person_id"] = owner.post("/people", R"({"name":")" + bird + R"(","role":"annotator"})")
                            .body.at("person")
                            .at("id")
                            .as_string();
    ids_["invitation_id"] =
        owner.post("/invitations", R"({"name":")" + bird + R"(","role":"annotator"})")
            .body.at("invitation")
            .at("id")
            .as_string();
    add_feedback(owner);
    ids_["model_id"] = add_base(bird + "-base");
    add_base(bird + "-other");
    ids_["alias"] = "theirs";  // a path is said back: no canary in it
    const std::string alias = "/aliases/" + ids_["alias"];
    EXPECT_EQ(owner.post(alias + "/promote", R"({"model":")" + bird + R"(-base"})").status, 200);
    EXPECT_EQ(owner
                  .post(alias + "/promote",
                        R"({"model":")" + bird + R"(-other","reason":")" + bird + "\"}")
                  .status,
              200);
    EXPECT_EQ(
        owner.ask("PUT", alias + "/gate", R"({"heldout":")" + ids_["snapshot_id"] + "\"}").status,
        200);
    ids_["token_id"] =
        owner.post("/tokens", R"({"name":")" + bird + "\"}").body.at("token").at("id").as_string();
  }

  void add_feedback(Visitor& owner) {
    const std::string bird = kCanary;
    feedback::KeptCompletion completion;
    completion.head.id = "chatcmpl-bird";
    completion.head.organisation = acme_.organisation.id;
    completion.head.model = bird;
    completion.head.settings = Json::object();
    completion.head.messages =
        Json::parse(R"([{"role":"user","content":")" + bird + R"("}])").value();
    completion.head.created_at_ms = real_env().now_ms();
    completion.choices.resize(1);
    completion.choices[0].text = bird;
    platform_->kept().keep(std::move(completion));
    ids_["rule_id"] = id_of(owner.post(
        "/sampling-rules", R"({"name":")" + bird + R"(","source":"judged","project_id":")" +
                               ids_["project_id"] + "\"}"));
    ids_["feedback_id"] = id_of(
        owner.post("/feedback", R"({"kind":"edit","completion":"chatcmpl-bird","text":"not )" +
                                    bird + R"(","consent":true})"));
  }

  std::string add_base(const std::string& name) {
    registry::NewModel wanted;
    wanted.id = label::make_public_id(real_env(), "mdl");
    wanted.name = name;
    wanted.path = "/" + name;
    wanted.digest = seal::sha256_hex(name);
    wanted.origin["file"] = name;
    return platform_->control()
        .write(store::Durability::kDisk,
               [&](store::Transaction& tx) {
                 return registry::add_model(tx, acme_.organisation.key, wanted, "operator", 1);
               })
        .id;
  }

  // Everything of Acme that another could have changed.
  std::string state_of_acme() {
    std::string all;
    for (const char* target :
         {"/projects", "/people", "/invitations", "/tokens", "/organisation", "/models", "/aliases",
          "/heldout-sets", "/feedback", "/sampling-rules"}) {
      all += acme_.owner->get(target).text;
    }
    const std::string project = "/projects/" + ids_["project_id"];
    for (const std::string& target :
         {project + "/tasks", project + "/snapshots", project + "/imports", project + "/guideline",
          project + "/schema", project + "/people", "/tasks/" + ids_["task_id"],
          "/aliases/" + ids_["alias"] + "/decisions"}) {
      all += acme_.owner->get(target).text;
    }
    // When somebody was last seen moves by itself.
    return std::regex_replace(all, std::regex("\"last_(seen|used)_at\":[^,}]*"), "");
  }

  Place acme_, other_;
  std::map<std::string, std::string> ids_;
};

// Would end the visitor's own session or never end.
bool is_apart(const Walk::Operation& operation) {
  return operation.path == "/session" || operation.path == "/session/link" ||
         operation.path == "/session/password" || operation.path == "/events";
}

TEST_F(IsolationTest, NoOperationGivesAByteOfAnotherOrganisation) {
  Visitor anyone = visitor();
  const Walk walk(anyone);
  ASSERT_GT(walk.operations().size(), 50u);
  const std::string before = state_of_acme();
  ASSERT_NE(before.find(kCanary), std::string::npos);
  std::map<std::string, Json> theirs = {
      {"snapshot_id", Json(ids_["snapshot_id"])},
      {"organisation_id", Json(acme_.organisation.id)},
      {"completion", Json("chatcmpl-bird")},
      {"project_id", Json(ids_["project_id"])},
      {"people", Json::parse("[\"" + ids_["person_id"] + "\"]").value()}};
  int asked = 0;
  for (const Role role : kRoles) {
    const auto stranger =
        add_visitor(other_, role, "Stranger " + std::string(label::role_name(role)));
    for (const Walk::Operation& operation : walk.operations()) {
      if (is_apart(operation)) continue;
      const std::string body = walk.body_of(operation, "text", theirs);
      const Got got = stranger->ask(operation.method, Walk::filled(operation.path, ids_), body);
      ++asked;
      const std::string what = std::string(label::role_name(role)) + " " + operation.method + " " +
                               operation.path + " -> " + std::to_string(got.status) + " " +
                               got.text.substr(0, 300);
      EXPECT_EQ(got.text.find(kCanary), std::string::npos) << what;
      for (const auto& [name, value] : got.headers) {
        EXPECT_EQ(value.find(kCanary), std::string::npos) << what;
      }
      EXPECT_LT(got.status, 500) << what;
      if (operation.path.find('{') != std::string::npos) {
        EXPECT_GE(got.status, 400) << what;  // what is another's is not there
      }
    }
  }
  EXPECT_GT(asked, 300);
  EXPECT_EQ(state_of_acme(), before);
}

TEST_F(IsolationTest, ATokenOfAnotherOrganisationReachesNothingEither) {
  const Got made = other_.owner->post("/tokens", R"({"name":"t"})");
  Visitor program = visitor();
  program.token = made.body.at("secret").as_string();
  const Walk walk(program);
  for (const Walk::Operation& operation : walk.operations()) {
    if (is_apart(operation) || operation.path.find('{') == std::string::npos) continue;
    const Got got = program.ask(operation.method, Walk::filled(operation.path, ids_),
                                walk.body_of(operation, "text", {}));
    EXPECT_GE(got.status, 400) << operation.method << " " << operation.path;
    EXPECT_EQ(got.text.find(kCanary), std::string::npos) << operation.path;
  }
}

TEST_F(IsolationTest, WithoutASessionEveryOperationButTheOpenOnesIs401) {
  Visitor anyone = visitor();
  const Walk walk(anyone);
  int open = 0;
  for (const Walk::Operation& operation : walk.operations()) {
    const bool is_open = operation.body->at("security").size() == 0;
    open += is_open;
    if (is_open || operation.path == "/events") continue;
    const Got got = anyone.ask(operation.method, Walk::filled(operation.path, ids_),
                               walk.body_of(operation, "text", {}));
    EXPECT_EQ(got.status, 401) << operation.method << " " << operation.path << got.text;
  }
  EXPECT_EQ(open, 5);  // sign in twice, an invitation twice, this document
}

// docs/roles.md over HTTP, every cell: refused exactly when the table says so.
TEST_F(IsolationTest, EveryRouteAnswers403ExactlyToTheRolesWithoutItsPermission) {
  const std::map<std::string, std::string> nobodys;
  Visitor anyone = visitor();
  const Walk walk(anyone);
  for (const Role role : kRoles) {
    const auto person = add_visitor(acme_, role, "P " + std::string(label::role_name(role)));
    for (const ApiRoute& route : api_routes()) {
      if (route.who.kind != Who::Kind::kMember || route.path == "/events") continue;
      std::string body;
      for (const Walk::Operation& operation : walk.operations()) {
        if (operation.method == route.method && operation.path == route.path) {
          // A key that asks for more than its share is for those who manage keys.
          body = walk.body_of(operation, "text",
                              {{"role", Json("viewer")},
                               {"email", Json()},
                               {"weight", Json(1)},
                               {"priority", Json(0)}});
        }
      }
      const Got got = person->ask(route.method, Walk::filled(route.path, nobodys), body);
      const bool may = label::can(role, route.who.permission);
      EXPECT_EQ(got.status == 403, !may) << label::role_name(role) << " " << route.method << " "
                                         << route.path << " -> " << got.status << " " << got.text;
    }
  }
}

TEST_F(IsolationTest, OperatorsAloneSeeThatThereAreOtherOrganisations) {
  EXPECT_EQ(other_.owner->get("/organisations").status, 403);
  Place first = make_place("First", true);
  EXPECT_EQ(first.owner->get("/organisations").status, 200);
  // An owner's link for an operator would be a way up: it is refused.
  const std::string operator_id =
      first.owner->get("/session").body.at("person").at("id").as_string();
  auto second = add_visitor(first, Role::kOwner, "Second owner");
  EXPECT_EQ(second->post("/people/" + operator_id + "/link").status, 403);
  EXPECT_EQ(second->get("/organisations").status, 403);
}

TEST_F(IsolationTest, AnAddressThatIsKnownElsewhereSaysNothingHere) {
  const std::string body = R"({"name":"Eve","email":"eve@example.org","role":"annotator"})";
  ASSERT_EQ(acme_.owner->post("/people", body).status, 201);
  const Got here = other_.owner->post("/people", body);
  ASSERT_EQ(here.status, 201) << here.text;
  EXPECT_EQ(here.body.at("person").at("email").as_string(), "eve@example.org");
  EXPECT_EQ(acme_.owner->post("/people", body).status, 409);
  // The link that Other made opens Other, and nothing of Acme.
  Visitor eve = visitor();
  const Got in = eve.sign_in_with(here.body.at("sign_in_link").as_string());
  ASSERT_EQ(in.status, 200);
  EXPECT_EQ(in.text.find(kCanary), std::string::npos);
  EXPECT_EQ(
      eve.post("/session/organisation", R"({"organisation_id":")" + acme_.organisation.id + "\"}")
          .status,
      403);
}

}  // namespace
}  // namespace hone::api
