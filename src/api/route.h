#pragma once
// One line of the routes table (routes_*.cc): what is asked, by whom, with what, for what. From it come
// the http::Router (dispatch.cc), the OpenAPI document (openapi.cc) and the tests that walk every
// route with every role.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "api/shape.h"
#include "http/response.h"
#include "label/identity.h"
#include "label/permissions.h"

namespace hone::api {

struct Call;
// Throws hone::Error for a failure.
using ApiHandler = http::Response (*)(Call& call);

// Who may ask.
struct Who {
  enum class Kind { kOpen, kSignedIn, kOperator, kMember };
  Kind kind = Kind::kSignedIn;
  label::Permission permission = label::Permission::kProjectView;  // of kMember
};
inline constexpr Who kAnyone = {.kind = Who::Kind::kOpen};
inline constexpr Who kSignedIn = {.kind = Who::Kind::kSignedIn};
inline constexpr Who kOperators = {.kind = Who::Kind::kOperator};
constexpr Who may(label::Permission permission) {
  return {.kind = Who::Kind::kMember, .permission = permission};
}

// What the request brings.
struct Takes {
  std::string_view body = {};     // name of a shape; empty = no JSON body
  bool body_is_optional = false;  // absent = {}
  std::string_view media = {};    // bytes of this kind instead of JSON
  bool streaming = false;         // read by the handler as they come
  uint64_t max_bytes = size_t{64} * 1024;
  std::vector<Field> query = {};  // a line of each parameter; the paging ones are added by is_list
};

// What comes back when it goes well.
struct Gives {
  int status = 200;
  std::string_view shape = {};  // name of a shape; empty = no JSON
  bool is_list = false;         // {"items": [shape], "next"}
  std::string_view media = {};  // another kind than JSON
  bool may_be_none = false;     // 204 too
  int also_status = 0;          // another good answer: 202 with a job
  std::string_view also_shape = {};
  std::vector<std::string_view> also_media = {};  // beside media, of the same status
};

struct ApiRoute {
  std::string_view method;
  std::string_view path;  // below /api/v1
  std::string_view name;  // in metrics, logs and as operationId
  Who who;
  label::Scope scope = label::Scope::kRead;  // of a token; kAll fits every one
  ApiHandler handler = nullptr;
  std::string_view summary = {};
  Takes takes = {};
  Gives gives = {};
  bool is_labelling = false;  // a rate of its own; a token of scope label may too
};

// The table. Immutable; any thread.
std::span<const ApiRoute> api_routes();
// Every shape that a route names (shapes.cc).
std::span<const Shape> api_shapes();

inline constexpr std::string_view kApiPrefix = "/api/v1";

}  // namespace hone::api
