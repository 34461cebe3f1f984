// The registry over HTTP: who may, what moves, what a gate asks for, what is on record.
#include "api/testing.h"
#include "label/events.h"
#include "label/public_id.h"
#include "registry/aliases.h"
#include "seal/digest.h"

namespace hone::api {
namespace {

using label::Role;

class RegistryApiTest : public ApiTest {
 protected:
  RegistryApiTest() : place_(make_place("Acme")), owner_(*place_.owner) {
    add("base", registry::ModelKind::kBase);
    add("polite", registry::ModelKind::kAdapter);
    add("brief", registry::ModelKind::kAdapter);
  }

  std::string add(const std::string& name, registry::ModelKind kind) {
    registry::NewModel wanted;
    wanted.id = label::make_public_id(real_env(), "mdl");
    wanted.name = name;
    wanted.kind = kind;
    if (kind == registry::ModelKind::kAdapter) wanted.parent = "base";
    wanted.path = (folder_ / name).string();
    wanted.digest = seal::sha256_hex(name);
    return platform_->control()
        .write(store::Durability::kDisk,
               [&](store::Transaction& tx) {
                 return registry::add_model(tx, place_.organisation.key, wanted, "operator", 1);
               })
        .id;
  }

  // Labels, a frozen split and a snapshot with held-out rows.
  std::string make_snapshot() {
    const std::string project =
        "/projects/" + owner_.post("/projects", R"({"name":"p","task_type":"pairwise"})")
                           .body.at("id")
                           .as_string();
    std::string rows;
    for (int i = 0; i < 12; ++i) {
      const std::string n = std::to_string(i);
      rows += R"({"prompt":"q)" + n + R"(","left":"a)" + n + R"(","right":"b)" + n + "\"}\n";
    }
    owner_.ask("POST", project + "/import", rows, {{"Content-Type", "application/octet-stream"}});
    owner_.post(project + "/splits", R"({"heldout_fraction":0.5,"seed":1})");
    for (int i = 0; i < 12; ++i) {
      const Got next = owner_.post(project + "/next");
      if (next.status != 200) break;
      owner_.ask("PUT", "/assignments/" + next.body.at("assignment_id").as_string() + "/annotation",
                 R"({"answer":{"winner":"left"}})");
    }
    const Got made = owner_.post(project + "/snapshots", R"({"name":"first"})");
    EXPECT_EQ(made.status, 201) << made.text;
    return made.body.at("id").as_string();
  }
  Got promote(const std::string& model, const std::string& more = "") {
    return owner_.post("/aliases/assistant/promote", R"({"model":")" + model + "\"" + more + "}");
  }
  std::string answers() {
    const Got got = owner_.get("/aliases/assistant");
    std::string names;
    for (const Json& target : got.body.at("targets").as_array()) {
      names += (names.empty() ? "" : "+") + target.at("model").as_string();
    }
    return names;
  }

  Place place_;
  Visitor& owner_;
};

TEST_F(RegistryApiTest, ModelsSayWhereTheyCameFromAndWhyTheyDoNotAnswer) {
  std::filesystem::create_directories(folder_ / "polite");
  write_file_atomically(real_env(), (folder_ / "polite" / "a").string(), "12345");
  const Got got = owner_.get("/models");
  ASSERT_EQ(got.status, 200) << got.text;
  const Json::Array& items = got.body.at("items").as_array();
  ASSERT_EQ(items.size(), 3u);
  const Json& polite = items[2];
  EXPECT_EQ(polite.at("name").as_string(), "polite");
  EXPECT_EQ(polite.at("parent").as_string(), "base");
  EXPECT_EQ(polite.at("bytes").as_int(), 5);
  EXPECT_TRUE(items[0].at("bytes").is_null()) << "its file is gone";
  EXPECT_FALSE(polite.at("served").as_bool());
  EXPECT_NE(polite.at("note").as_string(), "");
  EXPECT_EQ(got.text.find(folder_.string()), std::string::npos) << "paths are the operator's";
  EXPECT_EQ(owner_.get("/models?limit=2").body.at("items").size(), 2u);
  const std::string next = owner_.get("/models?limit=2").body.at("next").as_string();
  EXPECT_EQ(owner_.get("/models?limit=2&after=" + next).body.at("items").size(), 1u);
  EXPECT_EQ(owner_.get("/models/" + polite.at("id").as_string()).body.at("name").as_string(),
            "polite");
  EXPECT_EQ(owner_.get("/models/mdl_none").status, 404);
}

TEST_F(RegistryApiTest, NoNameIsOfDotsAloneSinceNoAddressCouldHoldIt) {
  for (const char* name : {".", "..", "..."}) EXPECT_THROW(registry::check_name(name), Error);
  EXPECT_NO_THROW(registry::check_name("v1.5..b"));
  EXPECT_EQ(owner_.get("/aliases/%2E%2E").status, 400);
  EXPECT_EQ(owner_.post("/aliases/.../promote", R"({"model":"base"})").status, 400);
}

TEST_F(RegistryApiTest, AnAliasMovesSplitsAndRollsBack) {
  EXPECT_EQ(owner_.get("/aliases/assistant").status, 404);
  EXPECT_EQ(promote("base").body.at("outcome").as_string(), "by_hand");
  const Got moved = promote("polite", R"(,"reason":"nicer","expected_version":1)");
  ASSERT_EQ(moved.status, 200) << moved.text;
  EXPECT_EQ(moved.body.at("to_version").as_int(), 2);
  EXPECT_EQ(answers(), "polite");
  EXPECT_EQ(promote("polite").status, 409) << "it answers already";
  EXPECT_EQ(promote("brief", R"(,"expected_version":1)").status, 409) << "it has moved on";
  EXPECT_EQ(promote("nobody").status, 404);

  const Got split =
      owner_.post("/aliases/assistant/split",
                  R"({"models":[{"model":"polite","weight":9},{"model":"brief","weight":1}]})");
  ASSERT_EQ(split.status, 200) << split.text;
  EXPECT_EQ(answers(), "polite+brief");
  EXPECT_EQ(owner_
                .post("/aliases/assistant/split",
                      R"({"models":[{"model":"polite","weight":9},{"model":"brief","weight":0}]})")
                .status,
            400);
  EXPECT_EQ(owner_.post("/aliases/assistant/rollback").status, 200);
  EXPECT_EQ(answers(), "polite");
  EXPECT_EQ(owner_.post("/aliases/assistant/rollback", R"({"expected_version":3})").status, 409);

  const Json decisions = owner_.get("/aliases/assistant/decisions?limit=2").body;
  EXPECT_EQ(decisions.at("items").as_array()[0].at("outcome").as_string(), "rolled_back");
  EXPECT_EQ(decisions.at("items").as_array()[1].at("outcome").as_string(), "split");
  const Json rest =
      owner_.get("/aliases/assistant/decisions?limit=2&after=" + decisions.at("next").as_string())
          .body;
  EXPECT_EQ(rest.at("items").as_array()[0].at("reason").as_string(), "nicer");
  EXPECT_EQ(rest.at("items").as_array()[0].at("created_by").at("name").as_string(), "Acme Owner");
  EXPECT_TRUE(rest.at("next").is_null());
  const Json versions = owner_.get("/aliases/assistant/versions").body;
  ASSERT_EQ(versions.at("items").size(), 3u);
  EXPECT_EQ(versions.at("items").as_array()[0].at("targets").size(), 2u);
  EXPECT_EQ(versions.at("items").as_array()[2].at("previous").as_int(), 0);
}

TEST_F(RegistryApiTest, ARepeatedPromotionMovesOnce) {
  const auto once = [&] {
    return owner_.ask("POST", "/aliases/assistant/promote", R"({"model":"base"})",
                      {{"Idempotency-Key", "k1"}});
  };
  const Got first = once();
  const Got again = once();
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.text, first.text);
  EXPECT_EQ(again.headers.get("Idempotency-Replayed"), "true");
  EXPECT_EQ(owner_.get("/aliases/assistant/decisions").body.at("items").size(), 1u);
}

TEST_F(RegistryApiTest, AGateNamesSnapshotsAndThenOnlyMeasuringMoves) {
  promote("base");
  const std::string snapshot = make_snapshot();
  const Json sets = owner_.get("/heldout-sets").body;
  ASSERT_EQ(sets.at("items").size(), 1u);
  EXPECT_EQ(sets.at("items").as_array()[0].at("snapshot_id").as_string(), snapshot);
  const auto put = [&](const std::string& body) {
    return owner_.ask("PUT", "/aliases/assistant/gate", body);
  };
  EXPECT_EQ(put(R"({"heldout":"snp_none"})").status, 404);
  EXPECT_EQ(put(R"({"heldout":")" + snapshot + R"(","floor":0.5})").status, 400)
      << "a floor is about a second set";
  EXPECT_EQ(put(R"({"heldout":")" + snapshot + R"(","metric":"beauty"})").status, 400);
  const Got high = put(R"({"heldout":")" + snapshot + R"(","second":")" + snapshot +
                       R"(","second_metric":"likelihood_accuracy","floor":60})");
  EXPECT_EQ(high.status, 400);
  EXPECT_NE(high.text.find("a share from 0 to 1 (0.6 is 60 %)"), std::string::npos) << high.text;
  const Got set = put(R"({"heldout":")" + snapshot + R"(","items_min":5,"second":")" + snapshot +
                      R"(","floor":0.5,"no_worse":true})");
  ASSERT_EQ(set.status, 200) << set.text;
  const Json& gate = set.body.at("gate");
  EXPECT_EQ(gate.at("heldout").at("snapshot_id").as_string(), snapshot);
  EXPECT_EQ(gate.at("heldout").at("name").as_string(), "first");
  EXPECT_EQ(gate.at("heldout").at("digest").as_string().size(), 64u);
  EXPECT_EQ(gate.at("items_min").as_int(), 5);
  EXPECT_EQ(gate.at("second").at("snapshot_id").as_string(), snapshot);
  EXPECT_TRUE(gate.at("no_worse").as_bool());

  // Nothing says what `polite` was trained on, so nothing can be measured fairly.
  const Got blind = promote("polite");
  EXPECT_EQ(blind.status, 409) << blind.text;
  EXPECT_NE(blind.text.find("trained on"), std::string::npos);
  EXPECT_EQ(answers(), "base");
  EXPECT_EQ(promote("polite", R"(,"force":true)").status, 400) << "past the gate needs a reason";
  EXPECT_EQ(promote("polite", R"(,"force":true,"reason":"an incident")").status, 200);
  EXPECT_EQ(answers(), "polite");
  // A base may be measured; this server runs no jobs, and says so.
  const Got measured = promote("base");
  EXPECT_EQ(measured.status, 409) << measured.text;
  EXPECT_NE(measured.text.find("hone up"), std::string::npos) << measured.text;

  EXPECT_EQ(owner_.ask("DELETE", "/aliases/assistant/gate").status, 204);
  EXPECT_TRUE(owner_.get("/aliases/assistant").body.at("gate").is_null());
  EXPECT_EQ(promote("base").status, 200);
}

TEST_F(RegistryApiTest, WhatAnswersIsNotRemovedAndWhatIsRemovedIsGone) {
  promote("polite");
  const auto remove = [&](const std::string& name) {
    return owner_.ask("DELETE", "/models/" + name).status;
  };
  EXPECT_EQ(remove("polite"), 409);
  EXPECT_EQ(remove("base"), 409) << "adapters stand on it";
  EXPECT_EQ(remove("brief"), 204);
  EXPECT_EQ(remove("brief"), 404);
  EXPECT_EQ(owner_.get("/models").body.at("items").size(), 2u);
}

TEST_F(RegistryApiTest, TokensNeedTheScopeServeToChangeAndReadToSee) {
  const auto secret = [&](const std::string& scope) {
    return owner_.post("/tokens", R"({"name":"t","scope":[")" + scope + "\"]}")
        .body.at("secret")
        .as_string();
  };
  Visitor reader = visitor(), server = visitor();
  reader.token = secret("read");
  server.token = secret("serve");
  EXPECT_EQ(reader.get("/models").status, 200);
  EXPECT_EQ(reader.post("/aliases/assistant/promote", R"({"model":"base"})").status, 403);
  EXPECT_EQ(server.post("/aliases/assistant/promote", R"({"model":"base"})").status, 200);
  EXPECT_EQ(server.get("/models").status, 403) << "serve alone does not read";
}

TEST_F(RegistryApiTest, EveryChangeStandsInTheChainOfEvents) {
  promote("base");
  promote("polite");
  owner_.post("/aliases/assistant/rollback");
  const Json events = owner_.get("/audit?kind=alias.decided").body;
  EXPECT_EQ(events.at("items").size(), 3u);
  EXPECT_EQ(events.dump().find("assistant"), std::string::npos) << "names are texts of people";
  EXPECT_TRUE(owner_.get("/audit/verify").body.at("intact").as_bool());
}

TEST_F(RegistryApiTest, ModelsComeFromRunsAndOffersOnly) {
  EXPECT_EQ(owner_.post("/models", R"({"name":"x"})").status, 400);
  EXPECT_EQ(owner_.post("/models", R"({"name":"x","run_id":"run_x","base":"b"})").status, 400);
  EXPECT_EQ(owner_.post("/models", R"({"name":"x","path":"/etc/passwd"})").status, 400);
  EXPECT_EQ(owner_.post("/models", R"({"name":"x","base":"none"})").status, 404);
  EXPECT_EQ(owner_.post("/models", R"({"name":"x","run_id":"run_none"})").status, 404);
}

}  // namespace
}  // namespace hone::api
