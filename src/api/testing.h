#pragma once
// For tests of this room and of the roof: a platform over a folder of its own behind a real server on
// 127.0.0.1, and people who speak to it over real connections.

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "api/platform.h"
#include "api/routes.h"
#include "api/setup.h"
#include "base/env.h"
#include "base/json.h"
#include "http/client.h"
#include "http/server.h"
#include "seal/secret_box.h"

namespace hone::api {

// One answer, read.
struct Got {
  int status = 0;
  http::Headers headers;
  std::string text;
  Json body;  // null when it is no JSON

  // "not_found", …; empty when there is none.
  std::string code() const {
    const Json* found = body.find("code");
    return found == nullptr ? "" : found->as_string();
  }
};

// One browser or program.
class Visitor {
 public:
  explicit Visitor(uint16_t port) : client_({.port = port}) {}

  std::string token;   // "hone_…": a program
  std::string cookie;  // a browser
  std::string csrf;

  Got ask(std::string_view method, std::string_view target, std::string_view body = {},
          const http::Headers& more = {}) {
    http::ClientRequest request;
    request.method = method;
    request.target = target.substr(0, 1) == "/" && target.substr(0, 5) != "/api/" && !plain
                         ? "/api/v1" + std::string(target)
                         : std::string(target);
    if (!token.empty()) request.headers.set("Authorization", "Bearer " + token);
    if (!cookie.empty()) request.headers.set("Cookie", "hone_session=" + cookie);
    if (!csrf.empty()) request.headers.set("X-CSRF-Token", csrf);
    if (!body.empty()) request.headers.set("Content-Type", "application/json");
    for (const auto& [name, value] : more) request.headers.set(name, value);
    request.body = body;
    http::ClientResponse response = client_.request(request);
    Got got{.status = response.status,
            .headers = std::move(response.headers),
            .text = std::move(response.body),
            .body = {}};
    if (got.headers.get("Content-Type").find("json") != std::string_view::npos) {
      if (auto parsed = Json::parse(got.text)) got.body = std::move(*parsed);
    }
    return got;
  }
  Got get(std::string_view target) { return ask("GET", target); }
  Got post(std::string_view target, std::string_view body = {}) {
    return ask("POST", target, body);
  }

  // Takes the cookie and the page's token of an answer that signs in.
  void keep_session(const Got& got) {
    const std::string_view set = got.headers.get("Set-Cookie");
    const size_t from = set.find('=') + 1;
    cookie = std::string(set.substr(from, set.find(';') - from));
    csrf = got.body.at("csrf_token").as_string();
  }
  // With a link as handlers give it ("http://…#token=…") or with its token alone.
  Got sign_in_with(std::string_view link) {
    const size_t mark = link.find("token=");
    if (mark != std::string_view::npos) link = link.substr(mark + 6);
    Got got = post("/session/link", "{\"token\":\"" + std::string(link) + "\"}");
    if (got.status == 200) keep_session(got);
    return got;
  }

  bool plain = false;  // targets as they are: /health, the web page

 private:
  http::HttpClient client_;
};

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() : ApiTest(PlatformOptions{}) {}
  explicit ApiTest(PlatformOptions options, Env& env = real_env()) {
    folder_ = std::filesystem::temp_directory_path() / ("hone_api_" + seal::new_token(real_env()));
    options.data_dir = (folder_ / "data").string();
    options.version = "test";
    std::filesystem::create_directories(folder_);
    platform_ = Platform::open(env, std::move(options));
    server_ = std::make_unique<http::Server>(env, server_options({.worker_threads = 16}),
                                             build_router(*platform_));
    server_->start();
  }
  ~ApiTest() override {
    server_->stop(1'000);
    server_.reset();
    platform_.reset();
    std::filesystem::remove_all(folder_);
  }

  Visitor visitor() { return Visitor(server_->port()); }

  // An organisation with its owner signed in.
  struct Place {
    label::OrganisationRecord organisation;
    std::unique_ptr<Visitor> owner;
  };
  Place make_place(const std::string& name, bool is_operator = false) {
    const MadeOrganisation made = add_organisation(
        *platform_, {.name = name, .owner_name = name + " Owner", .owner_is_operator = is_operator},
        "system");
    Place place{.organisation = made.organisation,
                .owner = std::make_unique<Visitor>(server_->port())};
    EXPECT_EQ(place.owner->sign_in_with(made.link_token).status, 200);
    return place;
  }
  // A person of that role, signed in.
  std::unique_ptr<Visitor> add_visitor(const Place& place, label::Role role,
                                       const std::string& name) {
    const MadePerson made = add_person_to(*platform_, place.organisation,
                                          {.id = {}, .name = name, .role = role}, "system");
    auto visitor = std::make_unique<Visitor>(server_->port());
    EXPECT_EQ(
        visitor->sign_in_with(make_operator_link(*platform_, place.organisation, made.person.key))
            .status,
        200);
    return visitor;
  }

  std::filesystem::path folder_;
  std::unique_ptr<Platform> platform_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace hone::api
