#pragma once
// From the routes table to a router: what every request goes through before its handler.

#include <optional>
#include <string>

#include "api/platform.h"
#include "api/route.h"
#include "http/router.h"
#include "label/key_limits.h"

namespace hone::api {

// /api/v1 by the table, /health, /metrics and the web page. The platform must outlive the router.
http::Router build_router(Platform& platform);

// Who asks for a model's answer (/v1): by a token of scope infer, or by a person's session.
struct ModelCaller {
  std::string key;           // the token or person: whose turn, and what is counted
  std::string organisation;  // org_…; empty for an operator who belongs nowhere
  bool may_manage = false;   // load and unload adapters
  label::KeyLimits limits;   // of a token
};
// Null when nobody is known to be asking: of strangers, unless they are welcome, only so many a second
// (429). Throws forbidden too (scope, page token).
std::optional<ModelCaller> find_model_caller(Platform& platform, const http::Request& request,
                                             bool strangers_are_welcome);

// ServerOptions fields that the api gives: the renderer of errors.
http::ServerOptions server_options(http::ServerOptions options);

// /api/v1/openapi.json
std::string openapi_document(const std::string& version);

// False when the program was built without Node: a plain page takes the web page's place.
bool has_web_page();

}  // namespace hone::api
