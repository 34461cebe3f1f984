#pragma once
// From the routes table to a router: what every request goes through before its handler.

#include <string>

#include "api/platform.h"
#include "api/route.h"
#include "http/router.h"

namespace hone::api {

// /api/v1 by the table, /health, /metrics and the web page. The platform must outlive the router.
http::Router build_router(Platform& platform);

// ServerOptions fields that the api gives: the renderer of errors.
http::ServerOptions server_options(http::ServerOptions options);

// /api/v1/openapi.json
std::string openapi_document(const std::string& version);

// False when the program was built without Node: a plain page takes the web page's place.
bool has_web_page();

}  // namespace hone::api
