// Signing in and out, over real connections.
#include "api/testing.h"
#include "label/testing.h"

namespace hone::api {
namespace {

using label::Role;

// A clock that stands: a lock of a second lasts however slow the machine is.
struct StandingClock {
  label::TestEnv clock{11};
};
class GuessingTest : private StandingClock, public ApiTest {
 protected:
  GuessingTest() : ApiTest(PlatformOptions{}, clock) {}

  // Bea is invited and signs in by her link; she has no password yet.
  static void come_in_as_bea(Place& place, Visitor& bea) {
    const Got made = place.owner->post(
        "/people", R"({"name":"Bea","email":"Bea@Example.org","role":"annotator"})");
    ASSERT_EQ(made.status, 201) << made.text;
    ASSERT_EQ(bea.sign_in_with(made.body.at("sign_in_link").as_string()).status, 200);
  }
};

TEST_F(ApiTest, ALinkSignsInOnceAndSaysWhoOneIs) {
  const MadeOrganisation made =
      add_organisation(*platform_, {.name = "Acme", .owner_name = "Ada"}, "system");
  Visitor ada = visitor();
  EXPECT_EQ(ada.get("/session").status, 401);
  const Got in = ada.sign_in_with(made.link_token);
  ASSERT_EQ(in.status, 200) << in.text;
  EXPECT_EQ(in.body.at("person").at("name").as_string(), "Ada");
  EXPECT_EQ(in.body.at("organisation").at("name").as_string(), "Acme");
  EXPECT_EQ(in.body.at("role").as_string(), "owner");
  const std::string_view set = in.headers.get("Set-Cookie");
  EXPECT_NE(set.find("HttpOnly"), set.npos);
  EXPECT_NE(set.find("SameSite=Strict"), set.npos);
  EXPECT_EQ(ada.get("/session").status, 200);
  Visitor other = visitor();
  const Got again = other.sign_in_with(made.link_token);
  EXPECT_EQ(again.status, 401);
  EXPECT_EQ(again.code(), "unauthenticated");
}

TEST_F(ApiTest, AWriteWithTheCookieNeedsThePagesToken) {
  Place acme = make_place("Acme");
  const std::string csrf = acme.owner->csrf;
  for (const char* wrong : {"", "x", "00000000000000000000000000000000000000000000000000000"}) {
    acme.owner->csrf = wrong;
    const Got got = acme.owner->ask("PATCH", "/organisation", R"({"name":"Other"})");
    EXPECT_EQ(got.status, 403) << wrong;
  }
  acme.owner->csrf = csrf;
  EXPECT_EQ(acme.owner->ask("PATCH", "/organisation", R"({"name":"Other"})").status, 200);
  EXPECT_EQ(acme.owner->get("/organisation").body.at("name").as_string(), "Other");
}

TEST_F(ApiTest, SigningOutEndsTheSession) {
  Place acme = make_place("Acme");
  EXPECT_EQ(acme.owner->ask("DELETE", "/session").status, 204);
  EXPECT_EQ(acme.owner->get("/session").status, 401);
}

TEST_F(GuessingTest, APasswordSignsInAndWrongOnesLock) {
  Place acme = make_place("Acme");
  Visitor bea = visitor();
  ASSERT_NO_FATAL_FAILURE(come_in_as_bea(acme, bea));
  EXPECT_EQ(bea.post("/session/password", R"({"new":"short"})").status, 400);
  EXPECT_EQ(bea.post("/session/password", R"({"new":"correct horse"})").status, 204);
  EXPECT_EQ(bea.post("/session/password", R"({"new":"another horse"})").status, 403);

  Visitor again = visitor();
  const Got in =
      again.post("/session", R"({"email":"bea@example.org","password":"correct horse"})");
  ASSERT_EQ(in.status, 200) << in.text;
  EXPECT_TRUE(in.body.at("has_password").as_bool());
  // An unknown address and a wrong password read the same.
  const Got unknown = again.post("/session", R"({"email":"no@example.org","password":"x"})");
  const Got wrong = again.post("/session", R"({"email":"bea@example.org","password":"x"})");
  EXPECT_EQ(unknown.status, 401);
  EXPECT_EQ(unknown.text, wrong.text);
  int locked = 0;
  for (int i = 0; i < 6; ++i) {
    const Got got = again.post("/session", R"({"email":"bea@example.org","password":"x"})");
    if (got.status != 429) continue;
    ++locked;
    EXPECT_FALSE(got.headers.get("Retry-After").empty());
  }
  EXPECT_GT(locked, 0);
  // Locked is locked, with the right password too.
  EXPECT_EQ(
      again.post("/session", R"({"email":"bea@example.org","password":"correct horse"})").status,
      429);
}

// The bound of the document: maxLength counts characters, whatever their bytes.
TEST_F(GuessingTest, APasswordIsBoundedInCharactersAndTheLongestSignsIn) {
  Place acme = make_place("Acme");
  Visitor bea = visitor();
  ASSERT_NO_FATAL_FAILURE(come_in_as_bea(acme, bea));
  const auto of = [](int characters) {
    std::string all;
    for (int i = 0; i < characters; ++i) all += "\xf0\x9f\x90\x8e";  // a horse: one, of four bytes
    return all;
  };
  const auto choose = [&](int characters) {
    return bea.post("/session/password", R"({"new":")" + of(characters) + "\"}");
  };
  EXPECT_EQ(choose(7).status, 400);
  const Got long_one = choose(1001);
  EXPECT_EQ(long_one.status, 400);
  EXPECT_NE(long_one.text.find("1001 characters; at most 1000"), std::string::npos)
      << long_one.text;
  ASSERT_EQ(choose(1000).status, 204);
  const Got in =
      visitor().post("/session", R"({"email":"bea@example.org","password":")" + of(1000) + "\"}");
  EXPECT_EQ(in.status, 200) << in.text;
}

TEST_F(ApiTest, AnInvitationIsAcceptedOnce) {
  Place acme = make_place("Acme");
  const Got made = acme.owner->post("/invitations", R"({"role":"reviewer","name":"Cy"})");
  ASSERT_EQ(made.status, 201) << made.text;
  const std::string link = made.body.at("link").as_string();
  const std::string token = link.substr(link.find("token=") + 6);
  Visitor cy = visitor();
  const Got preview = cy.post("/invitations/preview", R"({"token":")" + token + "\"}");
  ASSERT_EQ(preview.status, 200) << preview.text;
  EXPECT_EQ(preview.body.at("organisation").at("name").as_string(), "Acme");
  const Got in = cy.post("/invitations/accept", R"({"token":")" + token + R"(","name":"Cy"})");
  ASSERT_EQ(in.status, 200) << in.text;
  cy.keep_session(in);
  EXPECT_EQ(cy.get("/session").body.at("role").as_string(), "reviewer");
  EXPECT_EQ(cy.post("/invitations/accept", R"({"token":")" + token + R"(","name":"D"})").status,
            404);
}

TEST_F(ApiTest, TheLastOwnerStays) {
  Place acme = make_place("Acme");
  const std::string me = acme.owner->get("/session").body.at("person").at("id").as_string();
  EXPECT_EQ(acme.owner->ask("PATCH", "/people/" + me, R"({"role":"viewer"})").status, 409);
  EXPECT_EQ(acme.owner->ask("DELETE", "/people/" + me).status, 409);
  auto manager = add_visitor(acme, Role::kManager, "Max");
  EXPECT_EQ(manager->post("/people", R"({"name":"X","role":"owner"})").status, 403);
  EXPECT_EQ(manager->ask("PATCH", "/people/" + me, R"({"role":"viewer"})").status, 403);
  EXPECT_EQ(manager->post("/people/" + me + "/link").status, 403);
}

TEST_F(ApiTest, ThePageIsServedWithHeadersThatKeepOthersOut) {
  Visitor anyone = visitor();
  anyone.plain = true;
  for (const char* target : {"/", "/index.html", "/projects/prj_x/label"}) {
    const Got got = anyone.get(target);
    EXPECT_EQ(got.status, 200) << target;
    EXPECT_NE(got.headers.get("Content-Security-Policy").find("default-src 'self'"),
              std::string_view::npos);
    EXPECT_NE(got.headers.get("Content-Security-Policy").find("frame-ancestors 'none'"),
              std::string_view::npos);
    EXPECT_EQ(got.headers.get("X-Content-Type-Options"), "nosniff");
  }
  EXPECT_EQ(anyone.get("/assets/none.js").status, 404);
  EXPECT_EQ(anyone.get("/health/live").status, 200);
  EXPECT_EQ(anyone.get("/health").status, 200);
  EXPECT_EQ(anyone.get("/api/v1/none").status, 404);
  EXPECT_EQ(anyone.get("/api/v1/none").code(), "not_found");
  platform_->set_stopping();
  EXPECT_EQ(anyone.get("/health/ready").status, 503);
}

}  // namespace
}  // namespace hone::api
