#include "http/router.h"

#include <map>

#include "base/check.h"

namespace hone::http {

// A tree of segments. Only add() changes it.
struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> fixed;
  std::unique_ptr<Node> parameter;
  std::unique_ptr<Node> rest;  // "{name...}"
  // Of the routes that end here. Methods are few.
  std::vector<const Route*> routes;
};

namespace {

std::vector<std::string> split_pattern(std::string_view pattern) {
  HONE_CHECK(!pattern.empty() && pattern.front() == '/');
  std::vector<std::string> segments;
  std::string_view rest = pattern.substr(1);
  while (!rest.empty()) {
    const size_t slash = rest.find('/');
    segments.emplace_back(rest.substr(0, slash));
    HONE_CHECK(!segments.back().empty());
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  }
  return segments;
}

bool is_parameter(std::string_view segment) { return segment.front() == '{'; }
bool is_rest(std::string_view segment) { return segment.ends_with("...}"); }

std::string parameter_name(std::string_view segment) {
  HONE_CHECK(segment.back() == '}');
  const size_t tail = is_rest(segment) ? 4 : 1;
  HONE_CHECK(segment.size() > tail + 1);
  return std::string(segment.substr(1, segment.size() - 1 - tail));
}

std::string joined(const std::vector<std::string>& segments, size_t from) {
  std::string path;
  for (size_t i = from; i < segments.size(); ++i) {
    if (i > from) path += '/';
    path += segments[i];
  }
  return path;
}

Parameters parameters_of(const Route& route, const std::vector<std::string>& segments) {
  Parameters parameters;
  const std::vector<std::string> pattern = split_pattern(route.pattern);
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (!is_parameter(pattern[i])) continue;
    parameters.add(parameter_name(pattern[i]),
                   is_rest(pattern[i]) ? joined(segments, i) : segments[i]);
  }
  return parameters;
}

const Route* route_for(const std::vector<const Route*>& routes, std::string_view method) {
  for (const Route* route : routes) {
    if (route->method == method) return route;
  }
  return nullptr;
}

const Route* route_or_head(const std::vector<const Route*>& routes, std::string_view method) {
  const Route* route = route_for(routes, method);
  return route == nullptr && method == "HEAD" ? route_for(routes, "GET") : route;
}

std::string allow_of(const std::vector<const Route*>& routes) {
  std::string allow;
  for (const Route* route : routes) {
    allow += route->method + ", ";
    if (route->method == "GET" && route_for(routes, "HEAD") == nullptr) allow += "HEAD, ";
  }
  return allow + "OPTIONS";
}

}  // namespace

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::add(std::string_view method, std::string_view pattern, RouteOptions options,
                 Handler handler) {
  HONE_CHECK(!method.empty() && handler);
  Node* node = root_.get();
  bool ended = false;  // nothing may follow "{name...}"
  for (const std::string& segment : split_pattern(pattern)) {
    HONE_CHECK(!ended);
    std::unique_ptr<Node>* next = nullptr;
    if (!is_parameter(segment)) {
      next = &node->fixed[segment];
    } else {
      HONE_CHECK(!parameter_name(segment).empty());
      ended = is_rest(segment);
      next = ended ? &node->rest : &node->parameter;
    }
    if (*next == nullptr) *next = std::make_unique<Node>();
    node = next->get();
  }
  HONE_CHECK(route_for(node->routes, method) == nullptr);
  auto route = std::make_unique<Route>();
  route->method = std::string(method);
  route->pattern = std::string(pattern);
  route->options = std::move(options);
  if (route->options.name.empty()) route->options.name = route->method + " " + route->pattern;
  route->handler = std::move(handler);
  node->routes.push_back(route.get());
  routes_.push_back(std::move(route));
}

namespace {

// Walks the better branch first. `ends` gets every node where the path ends, best first; patterns
// are some ten segments deep, so there are few.
template <typename Node>
void collect(const Node& node, const std::vector<std::string>& segments, size_t depth,
             std::vector<const Node*>& ends) {
  if (depth == segments.size()) {
    if (!node.routes.empty()) ends.push_back(&node);
  } else {
    const auto fixed = node.fixed.find(segments[depth]);
    if (fixed != node.fixed.end()) collect(*fixed->second, segments, depth + 1, ends);
    if (node.parameter != nullptr && !segments[depth].empty()) {
      collect(*node.parameter, segments, depth + 1, ends);
    }
  }
  if (node.rest != nullptr) ends.push_back(node.rest.get());
}

}  // namespace

Router::Match Router::match(std::string_view method,
                            const std::vector<std::string>& segments) const {
  Match match;
  std::vector<const Node*> ends;
  collect(*root_, segments, 0, ends);
  if (ends.empty()) return match;
  // The best end decides: "/api/tasks" with POST alone is 405 for GET, not the web page's wildcard.
  match.route = route_or_head(ends.front()->routes, method);
  if (match.route == nullptr) {
    match.allow = allow_of(ends.front()->routes);
  } else {
    match.path_parameters = parameters_of(*match.route, segments);
  }
  return match;
}

std::vector<const Route*> Router::routes() const {
  std::vector<const Route*> routes;
  routes.reserve(routes_.size());
  for (const auto& route : routes_) routes.push_back(route.get());
  return routes;
}

}  // namespace hone::http
