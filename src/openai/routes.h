#pragma once
// The routes of this room and what each request goes through before its handler: who asks, the body;
// an Error ends here as OpenAI's error object.

#include "http/router.h"
#include "openai/service.h"

namespace hone::openai {

// The service must outlive the router.
void add_routes(http::Router& router, Service& service);
// For a server without a model: the same addresses say so (503).
void add_absent_routes(http::Router& router);

}  // namespace hone::openai
