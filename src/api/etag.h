#pragma once
// Versions of what can be changed: the ETag that a read gave, and the If-Match that a change needs.

#include <cstdint>
#include <string>

#include "http/request.h"

namespace hone::api {

std::string etag_of(int64_t version);  // "\"v7\""

// Throws 412 when the request has If-Match and none of its tags is etag_of(version); "*" fits all.
// required: invalid_input (428 has no code of ours) when the header is absent.
void check_if_match(const http::Request& request, int64_t version, bool is_required);

}  // namespace hone::api
