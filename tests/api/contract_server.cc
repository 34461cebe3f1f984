// api_contract_server FOLDER: a platform over that folder on a free port of 127.0.0.1 with one
// organisation that has a little of everything. Prints {"url", "token", and ids} as one line, then
// serves until its standard input ends. For scripts/contract_api.sh.
#include <cstdio>
#include <string>

#include "api/platform.h"
#include "api/routes.h"
#include "api/setup.h"
#include "http/client.h"
#include "http/server.h"

namespace {

using hone::Json;

struct Program {
  hone::http::HttpClient client;
  std::string token;

  Json ask(const std::string& method, const std::string& path, const std::string& body = {}) {
    hone::http::ClientRequest request;
    request.method = method;
    request.target = "/api/v1" + path;
    request.headers.set("Authorization", "Bearer " + token);
    request.body = body;
    const hone::http::ClientResponse response = client.request(request);
    if (response.status >= 300) {
      std::fprintf(stderr, "%s %s: %d %s\n", method.c_str(), path.c_str(), response.status,
                   response.body.c_str());
    }
    hone::Result<Json> parsed = Json::parse(response.body);
    return parsed ? std::move(*parsed) : Json();
  }
};

// One of everything that an id in a path can name.
Json fill(Program& program) {
  Json ids = Json::object();
  const Json made =
      program.ask("POST", "/projects", R"({"name":"Contract","task_type":"pairwise","overlap":3})");
  const std::string project = made.at("id").as_string();
  ids["project_id"] = project;
  std::string rows;
  for (int i = 0; i < 50; ++i) {
    const std::string n = std::to_string(i);
    rows += R"({"prompt":"question )" + n + R"(","left":"left )" + n + R"(","right":"right )" + n +
            "\"}\n";
  }
  ids["import_id"] = program.ask("POST", "/projects/" + project + "/import", rows).at("import_id");
  for (int i = 0; i < 20; ++i) {
    const Json next = program.ask("POST", "/projects/" + project + "/next", "{}");
    if (next.find("assignment_id") == nullptr) break;
    ids["assignment_id"] = next.at("assignment_id");
    ids["task_id"] = next.at("task_id");
    program.ask("PUT", "/assignments/" + next.at("assignment_id").as_string() + "/annotation",
                R"({"answer":{"winner":"left"}})");
  }
  program.ask("POST", "/projects/" + project + "/splits", R"({"heldout_fraction":0.3})");
  ids["snapshot_id"] =
      program.ask("POST", "/projects/" + project + "/snapshots", R"({"name":"s"})").at("id");
  // No model is registered over HTTP without files of models; an alias may have a gate before that.
  program.ask("PUT", "/aliases/assistant/gate",
              R"({"heldout":")" + ids.at("snapshot_id").as_string() + "\"}");
  ids["alias"] = Json("assistant");
  ids["person_id"] =
      program.ask("POST", "/people", R"({"name":"Ann","role":"annotator"})").at("person").at("id");
  return ids;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "api_contract_server FOLDER\n");
    return 2;
  }
  try {
    hone::Env& env = hone::real_env();
    hone::api::PlatformOptions options;
    options.data_dir = argv[1];
    options.version = "contract";
    options.rate = {.per_second = 0, .burst = 0};
    options.stranger_rate = {.per_second = 0, .burst = 0};
    const auto platform = hone::api::Platform::open(env, std::move(options));
    hone::http::Server server(env, hone::api::server_options({}),
                              hone::api::build_router(*platform));
    server.start();
    const auto made = hone::api::add_organisation(
        *platform,
        {.name = "Contract", .owner_name = "Owner", .owner_email = {}, .owner_is_operator = true},
        "system");
    hone::label::Identity& identity = platform->identity();
    const auto token = identity.write([&](hone::store::Transaction& tx) {
      return identity.add_token(tx, made.organisation.key, made.owner.key, "contract",
                                hone::label::Scopes::all(), std::nullopt);
    });
    hone::http::ClientOptions to_itself;
    to_itself.port = server.port();
    Program program{hone::http::HttpClient(to_itself), token.secret};
    Json line = fill(program);
    line["url"] = server.url();
    line["token"] = token.secret;
    std::printf("%s\n", line.dump().c_str());
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    server.stop(1'000);
    return 0;
  } catch (const hone::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
