// Who may ask a model (/v1): the openai room is handed what find_model_caller says.
#include "api/error_response.h"
#include "api/testing.h"

namespace hone::api {
namespace {

http::Request request_with(const std::string& name, const std::string& value) {
  http::Request request;
  request.method = "POST";
  request.peer_address = "127.0.0.1";
  if (!name.empty()) request.headers.set(name, value);
  return request;
}

TEST_F(ApiTest, AModelIsAskedWithATokenOfScopeInfer) {
  Place acme = make_place("Acme");
  const auto token = [&](const std::string& scope) {
    const Got made = acme.owner->post("/tokens", "{\"name\":\"t\",\"scope\":[" + scope + "]}");
    EXPECT_EQ(made.status, 201) << made.text;
    return "Bearer " + made.body.at("secret").as_string();
  };
  const auto infer =
      find_model_caller(*platform_, request_with("Authorization", token("\"infer\"")), false);
  ASSERT_TRUE(infer);
  EXPECT_EQ(infer->organisation, acme.organisation.id);
  EXPECT_EQ(infer->key.substr(0, 4), "key_");
  EXPECT_FALSE(infer->may_manage);
  const auto both = find_model_caller(
      *platform_, request_with("Authorization", token("\"infer\",\"serve\"")), false);
  EXPECT_TRUE(both->may_manage);
  EXPECT_TRUE(find_model_caller(*platform_, request_with("Authorization", token("\"all\"")), false)
                  ->may_manage);
  try {
    find_model_caller(*platform_, request_with("Authorization", token("\"read\"")), true);
    ADD_FAILURE() << "a token of another scope was let through";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kForbidden);
  }
}

TEST_F(ApiTest, ASessionAsksAModelWithThePagesTokenOnly) {
  Place acme = make_place("Acme");
  const auto annotator = add_visitor(acme, label::Role::kAnnotator, "Ann");
  http::Request request = request_with("X-CSRF-Token", annotator->csrf);
  request.cookies.add("hone_session", annotator->cookie);
  const auto caller = find_model_caller(*platform_, request, false);
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->organisation, acme.organisation.id);
  EXPECT_FALSE(caller->may_manage);
  request.headers.remove("X-CSRF-Token");
  EXPECT_THROW(find_model_caller(*platform_, request, false), Error);
}

TEST_F(ApiTest, AStrangerIsNobodyAndIsHeldBackUnlessWelcome) {
  EXPECT_FALSE(find_model_caller(*platform_, request_with("", ""), false));
  EXPECT_FALSE(
      find_model_caller(*platform_, request_with("Authorization", "Bearer hone_x"), false));
  bool held_back = false;
  for (int i = 0; i < 2000 && !held_back; ++i) {
    try {
      find_model_caller(*platform_, request_with("Authorization", "Bearer hone_x"), false);
    } catch (const ApiError& error) {
      EXPECT_EQ(error.status(), 429);
      held_back = true;
    }
  }
  EXPECT_TRUE(held_back);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(find_model_caller(*platform_, request_with("", ""), true));
  }
}

}  // namespace
}  // namespace hone::api
