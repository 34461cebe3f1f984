// What is served beside /api/v1: the embedded web page, /health and /metrics.
#include <algorithm>
#include <map>
#include <memory>
#include <span>

#include "api/handlers.h"
#include "api/metrics_text.h"
#include "api/routes.h"
#include "base/embedded_file.h"

namespace hone::embedded {
std::span<const EmbeddedFile> web_files();
std::span<const EmbeddedFile> web_files_gzip();
}  // namespace hone::embedded

namespace hone::api {
namespace {

std::string_view content_type(std::string_view name) {
  struct Known {
    std::string_view ending, type;
  };
  constexpr Known kKnown[] = {
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".json", "application/json"},
      {".webmanifest", "application/manifest+json"},
      {".map", "application/json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".woff2", "font/woff2"},
      {".txt", "text/plain; charset=utf-8"},
  };
  for (const Known& each : kKnown) {
    if (name.ends_with(each.ending)) return each.type;
  }
  return "application/octet-stream";
}

// Nothing of another origin runs, shows or frames this page (decisions 4.3).
void add_security_headers(http::Headers& headers) {
  headers.set("Content-Security-Policy",
              "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
              "object-src 'none'; img-src 'self' data:; style-src 'self' 'unsafe-inline'");
  headers.set("X-Content-Type-Options", "nosniff");
  headers.set("X-Frame-Options", "DENY");
  headers.set("Referrer-Policy", "no-referrer");
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Permissions-Policy", "camera=(), microphone=(), geolocation=()");
}

using Files = std::map<std::string, std::shared_ptr<const http::StaticFile>, std::less<>>;

Files web_page() {
  Files files;
  const auto packed = embedded::web_files_gzip();
  for (const EmbeddedFile& each : embedded::web_files()) {
    auto file = std::make_shared<http::StaticFile>();
    file->bytes = each.bytes;
    const auto gzip = std::find_if(packed.begin(), packed.end(), [&](const EmbeddedFile& other) {
      return other.name == each.name && other.is_gzip;
    });
    if (gzip != packed.end()) file->gzip = gzip->bytes;
    file->content_type = content_type(each.name);
    file->etag = "\"" + std::string(each.sha256.substr(0, 20)) + "\"";
    // Vite puts a digest into the names below assets/: such a file never changes.
    const bool never_changes = each.name.starts_with("assets/");
    file->cache_control = never_changes ? "public, max-age=31536000, immutable" : "no-cache";
    files.emplace(each.name, std::move(file));
  }
  return files;
}

http::Response web_file(const Files& files, const http::Request& request) {
  std::string name;
  for (const std::string& segment : request.segments) {
    if (!name.empty()) name += '/';
    name += segment;
  }
  auto found = files.find(name);
  if (found == files.end()) {
    // A screen of the page has an address of its own; a file that is missing is missing.
    const bool is_file =
        request.segments.size() > 0 && (request.segments[0] == "assets" ||
                                        (!request.segments.back().empty() &&
                                         request.segments.back().find('.') != std::string::npos));
    if (is_file) throw not_found("there is no such file");
    found = files.find("index.html");
    if (found == files.end()) throw not_found("there is no web page in this program");
  }
  http::Response response = http::Response::static_file(found->second);
  add_security_headers(response.headers);
  return response;
}

// Errors of routes that are no part of the table end here too.
http::Handler ended(http::Handler handler) {
  return [handler = std::move(handler)](http::Request& request) {
    try {
      return handler(request);
    } catch (const Error& error) {
      return error_response(error);
    }
  };
}

http::Response health(bool well, std::string_view word) {
  Json body;
  body["status"] = word;
  return json_response(well ? 200 : 503, body);
}

bool is_ready(Platform& platform) {
  if (platform.stopping()) return false;
  try {
    return platform.control()
        .read([](store::Connection& db) { return db.query_int64("SELECT 1"); })
        .has_value();
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

void add_plain_routes(Platform& platform, http::Router& router) {
  const auto ready = [&platform](http::Request&) {
    const bool well = is_ready(platform);
    return health(well, well ? "ok" : platform.stopping() ? "stopping" : "not ready");
  };
  router.add("GET", "/health", {.name = "health", .max_body_bytes = 0}, ready);
  router.add("GET", "/health/ready", {.name = "health.ready", .max_body_bytes = 0}, ready);
  router.add("GET", "/health/live", {.name = "health.live", .max_body_bytes = 0},
             [](http::Request&) { return health(true, "alive"); });
  router.add("GET", "/metrics", {.name = "metrics", .max_body_bytes = 0},
             ended([&platform](http::Request&) {
               return http::Response::bytes(200, "text/plain; version=0.0.4; charset=utf-8",
                                            metrics_text(platform));
             }));
  // Unknown addresses below /api are no screens of the page; those below /v1 are the roof's.
  const auto unknown = ended([](http::Request&) -> http::Response {
    throw not_found("there is no such address; /api/v1/openapi.json lists them");
  });
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    router.add(method, "/api/{path...}", {.name = "unknown", .max_body_bytes = 64 * 1024}, unknown);
  }
  auto files = std::make_shared<const Files>(web_page());  // shared by the two routes below
  router.add("GET", "/{path...}", {.name = "web", .max_body_bytes = 0},
             ended([files](http::Request& request) { return web_file(*files, request); }));
}

bool has_web_page() {
  const auto files = embedded::web_files();
  return std::any_of(files.begin(), files.end(),
                     [](const EmbeddedFile& file) { return file.name.starts_with("assets/"); });
}

}  // namespace hone::api
