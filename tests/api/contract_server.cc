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
#include "label/public_id.h"
#include "registry/models.h"
#include "seal/digest.h"

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

// A base that the operator put there: nothing is registered over HTTP without files of models.
std::string add_base(hone::api::Platform& platform, int64_t organisation, const std::string& name) {
  hone::registry::NewModel wanted;
  wanted.id = hone::label::make_public_id(platform.env(), "mdl");
  wanted.name = name;
  wanted.path = "/" + name + ".gguf";
  wanted.digest = hone::seal::sha256_hex(name);
  return platform.control()
      .write(hone::store::Durability::kDisk,
             [&](hone::store::Transaction& tx) {
               return hone::registry::add_model(tx, organisation, wanted, "operator",
                                                platform.env().now_ms());
             })
      .id;
}

// An answer as a served model leaves it, to be judged.
void keep_answer(hone::api::Platform& platform, const std::string& organisation,
                 const std::string& id) {
  hone::feedback::KeptCompletion made;
  made.head.id = id;
  made.head.organisation = organisation;
  made.head.model = made.head.asked = "contract-base";
  made.head.model_digest = made.head.fingerprint = hone::seal::sha256_hex("contract-base");
  made.head.settings = Json::object();
  made.head.messages = Json::parse(R"([{"role":"user","content":"What is tea?"}])").value();
  made.head.created_at_ms = platform.env().now_ms();
  made.choices.resize(1);
  made.choices[0].text = "A drink.";
  platform.kept().keep(std::move(made));
}

// One of everything that an id in a path can name, but what needs jobs: runs and themselves.
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
  program.ask("POST", "/aliases/assistant/promote", R"({"model":"contract-base"})");
  program.ask("PUT", "/aliases/assistant/gate",
              R"({"heldout":")" + ids.at("snapshot_id").as_string() + "\"}");
  ids["alias"] = Json("assistant");
  ids["person_id"] =
      program.ask("POST", "/people", R"({"name":"Ann","role":"annotator"})").at("person").at("id");
  ids["invitation_id"] = program.ask("POST", "/invitations", R"({"role":"viewer","name":"Vic"})")
                             .at("invitation")
                             .at("id");
  ids["token_id"] = program.ask("POST", "/tokens", R"({"name":"another"})").at("token").at("id");
  ids["rule_id"] = program
                       .ask("POST", "/sampling-rules",
                            R"({"name":"r","source":"judged","project_id":")" + project + "\"}")
                       .at("id");
  ids["feedback_id"] =
      program
          .ask("POST", "/feedback",
               R"({"kind":"thumbs","completion":"chatcmpl-contract","value":1,"consent":true})")
          .at("id");
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
    keep_answer(*platform, made.organisation.id, "chatcmpl-contract");
    const std::string model = add_base(*platform, made.organisation.key, "contract-base");
    Json line = fill(program);
    line["model_id"] = model;
    // Which choices an answer has no schema can say: what asks for this one from now on is told 410.
    platform->kept().forget(made.organisation.id, "chatcmpl-contract");
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
