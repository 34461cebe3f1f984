// Bounds of keys over HTTP, and what is shown of their use.
#include "api/testing.h"
#include "usage/ledger.h"

namespace hone::api {
namespace {

using label::Role;

class KeyLimitsTest : public ApiTest {
 protected:
  KeyLimitsTest() : place_(make_place("Acme")), owner_(*place_.owner) {}

  std::string make(const std::string& more) {
    const Got got = owner_.post("/tokens", R"({"name":"t")" + more + "}");
    EXPECT_EQ(got.status, 201) << got.text;
    return got.status == 201 ? got.body.at("token").at("id").as_string() : "";
  }
  void use(const std::string& organisation, const std::string& key, int64_t tokens) {
    usage::Ledger ledger(real_env(), platform_->control(), {.flush_ms = 0});
    ledger.reserve({.organisation = organisation, .id = key}, "m", tokens)
        .settle({.prompt = tokens, .cached = 0, .completion = 0});
  }

  Place place_;
  Visitor& owner_;
};

TEST_F(KeyLimitsTest, LimitsAreKeptShownChangedAndTakenAway) {
  const std::string id = make(
      R"(,"scope":["infer"],"models":["assistant"],"requests_per_day":5,"tokens_per_day":1000,"weight":0.5,"priority":-1)");
  Json token = owner_.get("/tokens").body.at("items").as_array()[0];
  EXPECT_EQ(token.at("models").dump(), R"(["assistant"])");
  EXPECT_EQ(token.at("requests_per_day").as_int(), 5);
  EXPECT_EQ(token.at("tokens_per_day").as_int(), 1000);
  EXPECT_EQ(token.at("weight").as_double(), 0.5);
  EXPECT_EQ(token.at("priority").as_int(), -1);
  const Got changed = owner_.ask("PATCH", "/tokens/" + id, R"({"requests_per_day":7})");
  ASSERT_EQ(changed.status, 200) << changed.text;
  EXPECT_EQ(changed.body.at("requests_per_day").as_int(), 7);
  EXPECT_TRUE(changed.body.at("tokens_per_day").is_null()) << "what is not said is not bounded";
  EXPECT_EQ(owner_.get("/tokens").body.at("items").as_array()[0].at("models").size(), 0u);
  EXPECT_EQ(owner_.get("/audit?kind=token.changed").body.at("items").size(), 1u);
  EXPECT_EQ(owner_.ask("PATCH", "/tokens/key_none", "{}").status, 404);
}

TEST_F(KeyLimitsTest, TheFrontOfV1HearsOfThem) {
  const Got made = owner_.post(
      "/tokens", R"({"name":"t","scope":["infer"],"models":["a"],"tokens_per_day":9,"weight":2})");
  http::Request request;
  request.headers.set("Authorization", "Bearer " + made.body.at("secret").as_string());
  const auto caller = find_model_caller(*platform_, request, false);
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->limits.models, std::vector<std::string>{"a"});
  EXPECT_EQ(caller->limits.tokens_per_day, 9);
  EXPECT_FALSE(caller->limits.requests_per_day);
  EXPECT_EQ(caller->limits.weight, 2);
  // At once, not when a cache forgets.
  const std::string id = made.body.at("token").at("id").as_string();
  owner_.ask("PATCH", "/tokens/" + id, R"({"tokens_per_day":3})");
  EXPECT_EQ(find_model_caller(*platform_, request, false)->limits.tokens_per_day, 3);
}

TEST_F(KeyLimitsTest, LimitsOutOfBoundsAreRefused) {
  for (const char* more :
       {R"(,"requests_per_day":-1)", R"(,"tokens_per_day":1.5)", R"(,"weight":0)",
        R"(,"weight":101)", R"(,"priority":11)", R"(,"models":[""])"}) {
    EXPECT_EQ(owner_.post("/tokens", R"({"name":"t")" + std::string(more) + "}").status, 400)
        << more;
  }
}

TEST_F(KeyLimitsTest, NobodyGivesThemselvesMoreThanOthersHave) {
  const auto annotator = add_visitor(place_, Role::kAnnotator, "Ann");
  EXPECT_EQ(annotator->post("/tokens", R"({"name":"t","scope":["infer"],"weight":2})").status, 403);
  EXPECT_EQ(annotator->post("/tokens", R"({"name":"t","scope":["infer"],"priority":1})").status,
            403);
  const Got less = annotator->post(
      "/tokens", R"({"name":"t","scope":["infer"],"weight":0.5,"requests_per_day":3})");
  ASSERT_EQ(less.status, 201) << less.text;
  const std::string id = less.body.at("token").at("id").as_string();
  EXPECT_EQ(annotator->ask("PATCH", "/tokens/" + id, "{}").status, 403)
      << "a bound that somebody set is not taken away by the one it binds";
}

TEST_F(KeyLimitsTest, AKeyWithBoundsMakesNoKeyWithoutThem) {
  const Got made = owner_.post("/tokens", R"({"name":"t","scope":["all"],"tokens_per_day":5})");
  Visitor program = visitor();
  program.token = made.body.at("secret").as_string();
  EXPECT_EQ(program.post("/tokens", R"({"name":"free"})").status, 403);
  const std::string id = made.body.at("token").at("id").as_string();
  EXPECT_EQ(program.ask("PATCH", "/tokens/" + id, R"({"weight":1})").status, 403);
  Visitor free = visitor();
  free.token =
      owner_.post("/tokens", R"({"name":"t","scope":["all"]})").body.at("secret").as_string();
  EXPECT_EQ(free.post("/tokens", R"({"name":"another"})").status, 201);
}

TEST_F(KeyLimitsTest, UsageIsOnesOwnOrEverybodysAndNeverAnothersOrganisation) {
  const auto annotator = add_visitor(place_, Role::kAnnotator, "Ann");
  const Got made = annotator->post("/tokens", R"({"name":"t","scope":["infer"]})");
  const std::string theirs = made.body.at("token").at("id").as_string();
  const std::string mine = make("");
  use(place_.organisation.id, theirs, 10);
  use(place_.organisation.id, mine, 20);
  use("org_other", "key_other", 30);
  const Json all = owner_.get("/usage").body;
  ASSERT_EQ(all.at("items").size(), 2u);
  const Json own = annotator->get("/usage").body;
  ASSERT_EQ(own.at("items").size(), 1u);
  EXPECT_EQ(own.at("items").as_array()[0].at("key_id").as_string(), theirs);
  EXPECT_EQ(own.at("items").as_array()[0].at("prompt_tokens").as_int(), 10);
  EXPECT_EQ(owner_.get("/usage?key=" + mine).body.at("items").size(), 1u);
  EXPECT_EQ(owner_.get("/usage?days=0").status, 400);
}

}  // namespace
}  // namespace hone::api
