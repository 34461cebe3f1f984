// The OpenAPI 3.1 document, made from the routes table and the shapes: what it says is what the
// server does.
#include <set>
#include <string>

#include "api/handlers.h"
#include "api/routes.h"

namespace hone::api {
namespace {

Json text_of(std::string_view text) { return Json(text); }

Json reference(std::string_view shape) {
  Json schema;
  schema["$ref"] = "#/components/schemas/" + std::string(shape);
  return schema;
}

Json content(std::string_view media, Json schema) {
  Json body;
  body[media]["schema"] = std::move(schema);
  return body;
}

Json bytes_schema() {
  Json schema;
  schema["type"] = "string";
  return schema;
}

// {"items": […], "next": cursor | null}
Json list_schema(std::string_view shape) {
  Json schema;
  schema["type"] = "object";
  Json& properties = schema["properties"];
  properties["items"]["type"] = "array";
  properties["items"]["items"] = reference(shape);
  Json& next = properties["next"];
  next["type"].push_back("string");
  next["type"].push_back("null");
  schema["required"].push_back("items");
  schema["required"].push_back("next");
  return schema;
}

Json parameter(std::string_view place, std::string_view name, Json schema, bool is_required) {
  Json body;
  body["name"] = name;
  body["in"] = place;
  body["required"] = is_required;
  body["schema"] = std::move(schema);
  return body;
}

// What stands in the path of a model or an alias: a name, an id or a digest (registry::check_name). Not
// dots alone, which no address can hold.
constexpr std::string_view kModelName = "^[A-Za-z0-9._:/-]*[A-Za-z0-9_:/-][A-Za-z0-9._:/-]*$";
constexpr int kModelNameMax = 100;

// {project_id} is "prj_" and 26 letters or digits; what is none is not found. Every parameter of a path
// says what it may be: an address with a control character is refused before anything is looked for.
Json path_parameter(std::string_view name) {
  struct Prefix {
    std::string_view name, prefix;
  };
  constexpr Prefix kPrefixes[] = {
      {"project_id", "prj"},  {"task_id", "tsk"},       {"assignment_id", "asn"},
      {"person_id", "usr"},   {"invitation_id", "inv"}, {"import_id", "imp"},
      {"snapshot_id", "snp"}, {"run_id", "run"},        {"job_id", "job"},
      {"token_id", "key"},    {"flag_id", "flg"},       {"feedback_id", "fbk"},
      {"rule_id", "rul"},
  };
  Json schema;
  schema["type"] = "string";
  for (const Prefix& each : kPrefixes) {
    if (each.name == name) schema["pattern"] = "^" + std::string(each.prefix) + "_[a-z2-7]{26}$";
  }
  if (name == "model_id" || name == "alias") {
    schema["pattern"] = kModelName;
    schema["minLength"] = 1;
    schema["maxLength"] = kModelNameMax;
  }
  if (name == "file") {
    for (const char* file : {"train.jsonl", "heldout.jsonl", "manifest.json"}) {
      schema["enum"].push_back(file);
    }
  }
  return parameter("path", name, std::move(schema), true);
}

Json parameters_of(const ApiRoute& route) {
  Json parameters = Json::array();
  std::string_view rest = route.path;
  for (size_t open = rest.find('{'); open != std::string_view::npos; open = rest.find('{')) {
    const size_t close = rest.find('}', open);
    parameters.push_back(path_parameter(rest.substr(open + 1, close - open - 1)));
    rest = rest.substr(close + 1);
  }
  for (const Field& field : route.takes.query) {
    Json schema = schema_of(field.type);
    // A list with more in it than a list: its cursor says how much of a growing file was read, too.
    if (field.name == "after") schema["pattern"] = "^c1\\.[0-9]{1,18}\\.[0-9]{1,18}$";
    parameters.push_back(parameter("query", field.name, std::move(schema), field.is_required));
  }
  if (route.gives.is_list) {
    parameters.push_back(
        parameter("query", "limit", schema_of(integer("limit", 1, kPageMax).type), false));
    Json cursor = schema_of(line("after", 1, 200).type);
    // The room label writes the cursors of tasks; all others hold one number.
    if (route.name != "tasks.list") cursor["pattern"] = "^c1\\.[0-9]{1,18}$";
    parameters.push_back(parameter("query", "after", std::move(cursor), false));
  }
  if (route.method != "GET" && route.who.kind != Who::Kind::kOpen) {
    Json key;
    key["type"] = "string";
    key["minLength"] = 1;
    key["maxLength"] = 200;
    key["pattern"] = "^[!-~]+$";
    parameters.push_back(parameter("header", "Idempotency-Key", std::move(key), false));
  }
  return parameters;
}

Json body_of(const ApiRoute& route) {
  Json body;
  if (!route.takes.body.empty()) {
    body["required"] = !route.takes.body_is_optional;
    body["content"] = content("application/json", reference(route.takes.body));
  } else if (!route.takes.media.empty()) {
    body["required"] = true;
    body["content"] = content(route.takes.media, bytes_schema());
  }
  return body;
}

Json error_response_of(std::string_view what) {
  Json response;
  response["description"] = what;
  response["content"] = content("application/problem+json", reference("Problem"));
  return response;
}

Json responses_of(const ApiRoute& route) {
  Json responses = Json::object();
  Json good;
  good["description"] = "Done";
  const Gives& gives = route.gives;
  if (gives.is_list) {
    good["content"] = content("application/json", list_schema(gives.shape));
  } else if (!gives.shape.empty()) {
    good["content"] = content("application/json", reference(gives.shape));
  } else if (!gives.media.empty()) {
    good["content"] = content(gives.media, bytes_schema());
    for (const std::string_view media : gives.also_media) {
      // JSON has no schema: a list or an object, by what was asked for.
      good["content"][media] = media == "application/json" ? Json(Json::object()) : bytes_schema();
    }
  }
  responses[std::to_string(gives.status)] = std::move(good);
  if (gives.also_status != 0) {
    Json other;
    other["description"] = "Started; a job goes on with it";
    other["content"] = content("application/json", reference(gives.also_shape));
    responses[std::to_string(gives.also_status)] = std::move(other);
  }
  if (gives.may_be_none) responses["204"]["description"] = "There is none; X-Hone-Reason says why";
  struct Failure {
    const char* status;
    const char* what;
  };
  constexpr Failure kFailures[] = {
      {"400", "The request cannot be used; field says where"},
      {"401", "Nobody is known to be asking"},
      {"403", "Whoever asks may not"},
      {"404", "There is no such thing in this organisation"},
      {"409", "It exists, or changed meanwhile"},
      {"412", "If-Match is old"},
      {"413", "The body is too large"},
      {"414", "The address is too long"},
      {"422", "The Idempotency-Key was used for another request"},
      {"429", "Too many requests; Retry-After says when to ask again"},
      {"431", "The head is too large"},
      {"503", "Not now; Retry-After says when to ask again"},
  };
  for (const Failure& each : kFailures) responses[each.status] = error_response_of(each.what);
  if (route.name == "feedback.give") {
    responses["410"] = error_response_of("The answer was here and is gone");
  }
  return responses;
}

Json security_of(const ApiRoute& route) {
  Json security = Json::array();
  if (route.who.kind == Who::Kind::kOpen) return security;
  Json token, cookie;
  token["token"] = Json::array();
  cookie["cookie"] = Json::array();
  if (route.method != "GET") cookie["csrf"] = Json::array();
  security.push_back(std::move(token));
  security.push_back(std::move(cookie));
  return security;
}

std::string who_words(const ApiRoute& route) {
  switch (route.who.kind) {
    case Who::Kind::kOpen: return "anyone";
    case Who::Kind::kSignedIn: return "anyone signed in";
    case Who::Kind::kOperator: return "operators of the installation";
    case Who::Kind::kMember: break;
  }
  return "permission " + std::string(label::permission_name(route.who.permission));
}

Json operation(const ApiRoute& route) {
  Json body;
  body["operationId"] = route.name;
  body["summary"] = route.summary;
  body["tags"].push_back(text_of(route.path.substr(1, route.path.find('/', 1) - 1)));
  std::string words = "Who: " + who_words(route) + ".";
  if (route.who.kind != Who::Kind::kOpen) {
    words += route.scope == label::Scope::kAll
                 ? " Tokens: scope all."
                 : " Tokens: scope " + label::Scopes::only(route.scope).words() +
                       (route.is_labelling ? " or label." : ".");
  }
  body["description"] = words;
  Json parameters = parameters_of(route);
  if (parameters.size() > 0) body["parameters"] = std::move(parameters);
  Json request = body_of(route);
  if (!request.is_null()) body["requestBody"] = std::move(request);
  body["responses"] = responses_of(route);
  body["security"] = security_of(route);
  return body;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

void add_body(std::string_view name, std::set<std::string_view>& bodies);

void add_shapes_of(const Type& type, std::set<std::string_view>& bodies) {
  if (type.kind == Kind::kRef) add_body(type.shape, bodies);
  for (const Type& each : type.element) add_shapes_of(each, bodies);
}

void add_body(std::string_view name, std::set<std::string_view>& bodies) {
  if (!bodies.insert(name).second) return;
  const Shape& shape = find_shape(name, api_shapes());
  for (const Field& field : shape.fields) add_shapes_of(field.type, bodies);
  for (const Choice& choice : shape.choices) add_body(choice.shape, bodies);
}

// The shapes that requests bring, those inside of others too.
std::set<std::string_view> body_shapes() {
  std::set<std::string_view> bodies;
  for (const ApiRoute& route : api_routes()) {
    if (!route.takes.body.empty()) add_body(route.takes.body, bodies);
  }
  return bodies;
}

Json problem_schema() {
  return schema_of(
      Shape{"Problem",
            {required(text("type")), required(text("title")), required(integer("status")),
             required(text("detail")), required(text("code")), text("field")}},
      false);
}

Json components() {
  Json body;
  Json& schemas = body["schemas"];
  schemas["Problem"] = problem_schema();
  const std::set<std::string_view> bodies = body_shapes();
  for (const Shape& shape : api_shapes()) {
    // Members that a body does not know are refused; an answer may grow.
    schemas[shape.name] = schema_of(shape, bodies.contains(shape.name));
  }
  Json& schemes = body["securitySchemes"];
  schemes["token"]["type"] = "http";
  schemes["token"]["scheme"] = "bearer";
  schemes["cookie"]["type"] = "apiKey";
  schemes["cookie"]["in"] = "cookie";
  schemes["cookie"]["name"] = kSessionCookie;
  schemes["csrf"]["type"] = "apiKey";
  schemes["csrf"]["in"] = "header";
  schemes["csrf"]["name"] = "X-CSRF-Token";
  return body;
}

}  // namespace

std::string openapi_document(const std::string& version) {
  Json document;
  document["openapi"] = "3.1.0";
  Json& info = document["info"];
  info["title"] = "Hone";
  info["version"] = version;
  info["description"] = "The labelling platform. docs/api.md explains it for people.";
  info["license"]["name"] = "Apache-2.0";
  info["license"]["identifier"] = "Apache-2.0";
  document["servers"].push_back([] {
    Json server;
    server["url"] = kApiPrefix;
    return server;
  }());
  Json& paths = document["paths"];
  for (const ApiRoute& route : api_routes()) {
    paths[route.path][lower(route.method)] = operation(route);
  }
  document["components"] = components();
  return document.dump();
}

}  // namespace hone::api
