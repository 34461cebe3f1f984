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
