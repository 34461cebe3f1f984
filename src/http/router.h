#pragma once
// The one visible table of routes.
//
//   Router router;
//   router.add("POST", "/api/v1/projects/{project_id}/import",
//              {.name = "import", .streaming = true, .max_body_bytes = 1 << 30}, import_tasks);
//   router.add("GET", "/{path...}", {.name = "web"}, web_file);
//
// A pattern is segments: fixed text, "{name}" for one segment, "{name...}" as the last for the rest,
// also for nothing. Fixed text wins over a parameter, a parameter over the rest; when the better
// branch ends nowhere the other is tried. A GET route answers HEAD. OPTIONS and 405 list the
// methods of the path in Allow.
//
// Filled before the server starts, by one thread; read by many afterwards. A malformed or repeated
// pattern is our bug (HONE_CHECK).

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/request.h"
#include "http/response.h"

namespace hone::http {

// Runs on a worker thread and may block. Throws hone::Error for a failure: the server's
// ErrorRenderer makes the body. Filters are functions that take a Handler and return one.
using Handler = std::function<Response(Request&)>;

struct RouteOptions {
  std::string name = {};   // in metrics and logs; empty = method and pattern
  bool streaming = false;  // the handler reads Request::body_reader() instead of Request::body
  uint64_t max_body_bytes = size_t{64} * 1024;  // 0 = the route takes no body
};

struct Route {
  std::string method;
  std::string pattern;
  RouteOptions options;
  Handler handler;
};

class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  void add(std::string_view method, std::string_view pattern, RouteOptions options,
           Handler handler);

  struct Match {
    const Route* route = nullptr;  // null: not found, or the method is not allowed
    std::string allow;             // "GET, HEAD, OPTIONS" when the path exists; else empty
    Parameters path_parameters;
  };
  Match match(std::string_view method, const std::vector<std::string>& segments) const;

  // In the order of add(); stable addresses.
  std::vector<const Route*> routes() const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
  std::vector<std::unique_ptr<Route>> routes_;
};

}  // namespace hone::http
