#include "api/etag.h"

#include "api/error_response.h"

namespace hone::api {

std::string etag_of(int64_t version) { return "\"v" + std::to_string(version) + "\""; }

void check_if_match(const http::Request& request, int64_t version, bool is_required) {
  if (!request.headers.contains("If-Match")) {
    if (is_required) {
      throw bad_field("If-Match", "send If-Match with the ETag of what you read, or \"*\"");
    }
    return;
  }
  const std::string tag = etag_of(version);
  if (request.headers.has_token("If-Match", tag) || request.headers.has_token("If-Match", "*")) {
    return;
  }
  throw precondition_failed("this changed since you read it: read it again, then change it");
}

}  // namespace hone::api
