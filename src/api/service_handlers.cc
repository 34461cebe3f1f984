// The document of this API and the stream of its events.
#include "api/handlers.h"
#include "api/routes.h"

namespace hone::api {

http::Response read_openapi(Call& call) {
  http::Response response =
      http::Response::json(200, openapi_document(call.platform.options().version));
  response.headers.set("Cache-Control", "no-cache");
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

http::Response listen_to_events(Call& call) {
  call.organisation();
  return http::Response::event_stream(
      call.platform.events().subscribe(call.who().organisation_id, call.who().person_id));
}

}  // namespace hone::api
