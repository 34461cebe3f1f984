// The document, the table and the page for people say the same.
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "api/testing.h"
#include "api/walk_for_test.h"

namespace hone::api {
namespace {

std::string page_for_people() {
  std::ifstream file("docs/api.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// "{project_id}" and "{file}" are the same place.
std::string shape_of(std::string path) {
  return std::regex_replace(path, std::regex("\\{[^}]*\\}"), "{}");
}

TEST(OpenApi, EveryRouteIsInTheDocumentOnce) {
  const Json document = Json::parse(openapi_document("test")).value();
  EXPECT_EQ(document.at("openapi").as_string(), "3.1.0");
  std::set<std::string> names;
  size_t count = 0;
  for (const ApiRoute& route : api_routes()) {
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(c - 'A' + 'a');
    const Json& operation = document.at("paths").at(route.path).at(method);
    EXPECT_EQ(operation.at("operationId").as_string(), route.name);
    EXPECT_TRUE(names.insert(std::string(route.name)).second) << route.name;
    ++count;
  }
  size_t documented = 0;
  for (const auto& [path, methods] : document.at("paths").as_object()) documented += methods.size();
  EXPECT_EQ(documented, count);
}

TEST(OpenApi, EveryReferenceLeadsSomewhere) {
  const std::string text = openapi_document("test");
  const Json document = Json::parse(text).value();
  const std::regex reference("#/components/schemas/([A-Za-z]+)");
  for (std::sregex_iterator it(text.begin(), text.end(), reference), end; it != end; ++it) {
    EXPECT_NE(document.at("components").at("schemas").find((*it)[1].str()), nullptr)
        << (*it)[1].str();
  }
}

// An address with a control character, or '.' or '..' in it, is refused before anything is looked for, so a
// parameter of a path that may be any text would be a promise that the server does not keep.
TEST(OpenApi, EveryParameterOfAPathSaysWhatItMayBe) {
  const Json document = Json::parse(openapi_document("test")).value();
  int parameters = 0;
  for (const auto& [path, methods] : document.at("paths").as_object()) {
    for (const auto& [method, operation] : methods.as_object()) {
      const Json* all = operation.find("parameters");
      if (all == nullptr) continue;
      for (const Json& parameter : all->as_array()) {
        if (parameter.at("in").as_string() != "path") continue;
        ++parameters;
        const Json& schema = parameter.at("schema");
        if (schema.find("enum") != nullptr) continue;
        const std::string& name = parameter.at("name").as_string();
        ASSERT_NE(schema.find("pattern"), nullptr) << method << " " << path << " " << name;
        const std::regex pattern(schema.at("pattern").as_string());
        EXPECT_TRUE(std::regex_match(Walk::nobodys(name), pattern)) << path << " " << name;
        for (const char* no : {"", ".", "..", "a\x01", "a\nb", "\x7f", " "}) {
          EXPECT_FALSE(std::regex_match(no, pattern)) << path << " " << name << " '" << no << "'";
        }
      }
    }
  }
  EXPECT_GT(parameters, 70);
}

// Whether any of the objects in it, also inside of others, would take members that nobody knows.
void expect_closed(const Json& document, const Json& schema, std::set<std::string>& seen) {
  if (const Json* name = schema.find("$ref")) {
    const std::string shape = name->as_string().substr(name->as_string().rfind('/') + 1);
    if (!seen.insert(shape).second) return;
    const Json& found = document.at("components").at("schemas").at(shape);
    if (found.find("oneOf") == nullptr) {
      const Json* more = found.find("additionalProperties");
      EXPECT_TRUE(more != nullptr && more->is_bool() && !more->as_bool()) << shape;
    }
    return expect_closed(document, found, seen);
  }
  for (const char* several : {"anyOf", "oneOf"}) {
    if (const Json* parts = schema.find(several)) {
      for (const Json& each : parts->as_array()) expect_closed(document, each, seen);
    }
  }
  if (const Json* items = schema.find("items")) expect_closed(document, *items, seen);
  if (const Json* properties = schema.find("properties")) {
    for (const auto& [name, property] : properties->as_object()) {
      expect_closed(document, property, seen);
    }
  }
}

TEST(OpenApi, NoObjectThatARequestBringsTakesUnknownMembers) {
  const Json document = Json::parse(openapi_document("test")).value();
  std::set<std::string> seen;
  for (const auto& [path, methods] : document.at("paths").as_object()) {
    for (const auto& [method, operation] : methods.as_object()) {
      const Json* body = operation.find("requestBody");
      if (body == nullptr) continue;
      if (const Json* json = body->at("content").find("application/json")) {
        expect_closed(document, json->at("schema"), seen);
      }
    }
  }
  for (const char* inner : {"SignedAnswer", "SplitPart", "LiveSide", "FirstOwner", "NewThumb"}) {
    EXPECT_TRUE(seen.contains(inner)) << inner;
  }
}

TEST(OpenApi, WhatFeedbackNeedsDependsOnItsKind) {
  const Json document = Json::parse(openapi_document("test")).value();
  const Json& schemas = document.at("components").at("schemas");
  const Json& body = schemas.at("NewFeedback");
  EXPECT_EQ(body.at("discriminator").at("propertyName").as_string(), "kind");
  EXPECT_EQ(body.at("oneOf").size(), 4u);
  EXPECT_EQ(body.at("discriminator").at("mapping").at("edit").as_string(),
            "#/components/schemas/NewEdit");
  const std::string needed = schemas.at("NewThumb").at("required").dump();
  EXPECT_NE(needed.find("completion"), std::string::npos) << needed;
  EXPECT_NE(needed.find("value"), std::string::npos) << needed;
  EXPECT_EQ(schemas.at("NewThumb").at("properties").at("value").at("enum").dump(), "[1,-1]");
  EXPECT_EQ(schemas.at("NewThumb").at("properties").find("winner"), nullptr);
  EXPECT_TRUE(schemas.at("NewSamplingRule").at("properties").at("share").find("minimum") ==
              nullptr);
  EXPECT_EQ(
      schemas.at("NewSamplingRule").at("properties").at("share").at("exclusiveMinimum").as_int(),
      0);
}

// In docs/api.md a path is whole, or "…/tail" after one that was whole.
TEST(OpenApi, EveryPathOfThePageForPeopleExists) {
  const std::string page = page_for_people();
  ASSERT_FALSE(page.empty());
  const std::regex mention("`(GET|POST|PUT|PATCH|DELETE) ((?:…)?)(/[^` ?]*)");
  int mentions = 0;
  for (std::sregex_iterator it(page.begin(), page.end(), mention), end; it != end; ++it) {
    const std::string method = (*it)[1].str();
    const bool is_tail = !(*it)[2].str().empty();
    const std::string path = shape_of((*it)[3].str());
    ++mentions;
    bool found = false;
    for (const ApiRoute& route : api_routes()) {
      const std::string known = shape_of(std::string(route.path));
      found =
          found || (route.method == method && (is_tail ? known.ends_with(path) : known == path));
    }
    EXPECT_TRUE(found) << method << " " << (is_tail ? "…" : "") << path;
  }
  EXPECT_GT(mentions, 60);
}

TEST(OpenApi, EveryRouteStandsOnThePageForPeople) {
  const std::string page = shape_of(page_for_people());
  for (const ApiRoute& route : api_routes()) {
    const std::string method(route.method);
    const std::string path = shape_of(std::string(route.path));
    bool found = page.find("`" + method + " " + path) != page.npos;
    for (size_t slash = path.find('/', 1); slash != path.npos && !found;
         slash = path.find('/', slash + 1)) {
      found = page.find("`" + method + " …" + path.substr(slash)) != page.npos;
    }
    found = found || (method == "PATCH" && page.find("`PATCH …`") != page.npos) ||
            (page.find("openapi.json") != page.npos && path == "/openapi.json");
    EXPECT_TRUE(found) << method << " " << path;
  }
}

}  // namespace
}  // namespace hone::api
