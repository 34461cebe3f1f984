// What every request of /api/v1 goes through, in this order: who asks (cookie or token), the token of
// a page on writes, whether they may, how often, parameters, body; then its handler. An Error ends
// here, as an answer.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "api/call.h"
#include "api/handlers.h"
#include "api/routes.h"
#include "base/utf8.h"
#include "seal/password.h"

namespace hone::api {
namespace {

constexpr size_t kBodyDepthMax = 40;

bool is_safe(const std::string& method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

label::PrincipalPointer find_principal(Platform& platform, const http::Request& request) {
  const auto authorization = request.headers.find("Authorization");
  if (!authorization) {
    return platform.identity().principal_of_session(request.cookies.get(kSessionCookie));
  }
  constexpr std::string_view kBearer = "Bearer ";
  if (!http::equals_ignoring_case(authorization->substr(0, kBearer.size()), kBearer)) {
    return nullptr;
  }
  return platform.identity().principal_of_token(authorization->substr(kBearer.size()));
}

// A cookie comes along with whatever page sends a request; the header only from our own.
void check_page_token(const label::Principal& principal, const http::Request& request) {
  if (principal.is_token() || is_safe(request.method)) return;
  if (!seal::equal_in_constant_time(request.headers.get("X-CSRF-Token"), principal.csrf_token)) {
    throw Error(ErrorCode::kForbidden,
                "the header X-CSRF-Token is missing or old: send the csrf_token of GET /session");
  }
}

void check_scope(const ApiRoute& route, const label::Principal& principal) {
  if (!principal.is_token() || principal.scopes.contains(route.scope)) return;
  if (route.is_labelling && principal.scopes.contains(label::Scope::kLabel)) return;
  throw Error(ErrorCode::kForbidden, "this token has the scope '" + principal.scopes.words() +
                                         "', which does not reach " + std::string(route.method) +
                                         " " + std::string(route.path));
}

void check_who(const ApiRoute& route, const Call& call) {
  if (route.who.kind == Who::Kind::kOpen) return;
  const label::Principal& principal = call.who();
  check_page_token(principal, call.request);
  check_scope(route, principal);
  if (route.who.kind == Who::Kind::kOperator && !principal.is_operator) {
    throw Error(ErrorCode::kForbidden, "only the operator of this installation may do that");
  }
  if (route.who.kind == Who::Kind::kMember) {
    if (principal.organisation_key == 0) {
      throw Error(ErrorCode::kForbidden,
                  "you belong to no organisation yet; ask for an invitation");
    }
    label::require({.id = principal.actor_id(), .member_id = 0, .role = principal.role},
                   route.who.permission);
  }
}

void check_rate(Platform& platform, const ApiRoute& route, const label::PrincipalPointer& principal,
                const http::Request& request) {
  const double now_s = platform.env().steady_seconds();
  RateLimiter& limiter = principal == nullptr ? platform.stranger_rate()
                         : route.is_labelling ? platform.labelling_rate()
                                              : platform.rate();
  const int wait_s =
      limiter.take(principal == nullptr ? request.peer_address : principal->actor_id(), now_s);
  if (wait_s > 0) throw too_many("too many requests; ask again a little later", wait_s);
}

void check_parameter(const Field& field, std::string_view text) {
  const std::string name(field.name);
  const Type& type = field.type;
  if (type.kind == Kind::kInteger || type.kind == Kind::kNumber) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
      throw bad_field(name, name + " must be a number");
    }
    check_type(Json(value), type, {}, name);
    // 1e3 is a whole number, but nothing that reads it as an integer later would agree.
    if (type.kind == Kind::kInteger &&
        text.find_first_not_of("-0123456789") != std::string_view::npos) {
      throw bad_field(name, name + " must be a whole number in plain digits");
    }
    return;
  }
  if (type.kind == Kind::kBoolean) {
    if (text != "true" && text != "false") throw bad_field(name, name + " must be true or false");
    return;
  }
  check_type(Json(text), type, {}, name);
}

void check_query(const ApiRoute& route, const http::Request& request) {
  for (const auto& parameter : request.query) {
    const std::string &name = parameter.first, &value = parameter.second;
    if (request.query.all(name).size() > 1) {
      throw bad_field(name.substr(0, 100), name.substr(0, 100) + " is given more than once");
    }
    if (route.gives.is_list && (name == "limit" || name == "after")) {
      check_parameter(name == "limit" ? integer("limit", 1, kPageMax) : line("after", 1, 200),
                      value);
      continue;
    }
    const auto& fields = route.takes.query;
    const auto field = std::find_if(fields.begin(), fields.end(),
                                    [&](const Field& each) { return each.name == name; });
    if (field == fields.end()) {
      throw bad_field(name.substr(0, 100),
                      "unknown parameter '" + name.substr(0, 100) + "' of this address");
    }
    check_parameter(*field, value);
  }
}

Json read_body(const Call& call) {
  const Takes& takes = call.route.takes;
  const std::string& text = call.request.body;
  if (takes.body.empty()) {
    if (takes.media.empty() && !text.empty() && text != "{}") {
      throw invalid_input("this request takes no body");
    }
    return Json::object();
  }
  if (text.empty() && takes.body_is_optional) return Json::object();
  // A form of a foreign page cannot send this kind of body; a program with a token may send it as
  // it likes.
  if (call.principal == nullptr || !call.principal->is_token()) {
    std::string_view type = call.request.headers.get("Content-Type");
    type = type.substr(0, type.find(';'));
    while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
    if (!http::equals_ignoring_case(type, "application/json")) {
      throw invalid_input("the body must be JSON: send Content-Type: application/json");
    }
  }
  if (const auto at = find_invalid_utf8(text)) {
    throw invalid_input("the body is not UTF-8: byte " + std::to_string(*at));
  }
  Result<Json> parsed = Json::parse(text, {.max_depth = kBodyDepthMax});
  if (!parsed) throw invalid_input("the body is not JSON: " + parsed.error().message());
  check_shape(*parsed, find_shape(takes.body, api_shapes()), api_shapes());
  return std::move(*parsed);
}

// Checked on every write, also where nothing is kept for a repeat.
void check_repeat_key(const ApiRoute& route, const http::Request& request) {
  const auto key = request.headers.find("Idempotency-Key");
  if (!key || route.method == "GET") return;
  const bool is_plain =
      std::all_of(key->begin(), key->end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (key->empty() || key->size() > 200 || !is_plain) {
    throw bad_field("Idempotency-Key", "Idempotency-Key must be 1 to 200 visible ASCII characters");
  }
}

// 3.0 is a whole number in JSON; readers of whole numbers below want it as one.
void make_whole_numbers(Json& value) {
  if (value.is_array()) {
    for (Json& each : value.as_array()) make_whole_numbers(each);
  } else if (value.is_object()) {
    for (auto& [name, member] : value.as_object()) make_whole_numbers(member);
  } else if (value.is_number() && !value.is_integer()) {
    const double number = value.as_double();
    if (std::floor(number) == number && std::fabs(number) <= 9007199254740992.0) {
      value = Json(static_cast<int64_t>(number));
    }
  }
}

http::Response handle(Platform& platform, const ApiRoute& route, http::Request& request) {
  Call call{.platform = platform,
            .request = request,
            .route = route,
            .principal = find_principal(platform, request),
            .body = {}};
  check_rate(platform, route, call.principal, request);
  check_who(route, call);
  check_query(route, request);
  check_repeat_key(route, request);
  if (!route.takes.streaming) call.body = read_body(call);
  make_whole_numbers(call.body);
  return route.handler(call);
}

http::Handler guarded(Platform& platform, const ApiRoute& route) {
  return [&platform, &route](http::Request& request) {
    try {
      return handle(platform, route, request);
    } catch (const Error& error) {
      return error_response(error);
    } catch (const std::exception& error) {
      return error_response(Error(ErrorCode::kInternal, "the request failed", error.what()));
    }
  };
}

}  // namespace

http::Router build_router(Platform& platform) {
  http::Router router;
  for (const ApiRoute& route : api_routes()) {
    const bool has_body = !route.takes.body.empty() || !route.takes.media.empty();
    router.add(route.method, std::string(kApiPrefix) + std::string(route.path),
               {.name = std::string(route.name),
                .streaming = route.takes.streaming,
                .max_body_bytes = route.takes.streaming   ? platform.options().max_import_bytes
                                  : has_body              ? route.takes.max_bytes
                                  : route.method == "GET" ? 0
                                                          : 1024},
               guarded(platform, route));
  }
  add_plain_routes(platform, router);
  return router;
}

std::optional<ModelCaller> find_model_caller(Platform& platform, const http::Request& request,
                                             bool strangers_are_welcome) {
  const label::PrincipalPointer principal = find_principal(platform, request);
  if (principal == nullptr) {
    if (strangers_are_welcome) return std::nullopt;
    const int wait_s =
        platform.stranger_rate().take(request.peer_address, platform.env().steady_seconds());
    if (wait_s > 0) throw too_many("too many requests; ask again a little later", wait_s);
    return std::nullopt;
  }
  check_page_token(*principal, request);
  if (principal->is_token() && !principal->scopes.contains(label::Scope::kInfer)) {
    throw Error(ErrorCode::kForbidden, "this token has the scope '" + principal->scopes.words() +
                                           "', which does not reach models: it needs infer");
  }
  label::KeyLimits limits;
  if (principal->is_token()) {
    limits = platform.control().read(
        [&](store::Connection& db) { return label::limits_of_token(db, principal->token_id); });
  }
  const bool may_manage = principal->is_token()
                              ? principal->scopes.contains(label::Scope::kServe)
                              : label::can(principal->role, label::Permission::kRunStart);
  return ModelCaller{.key = principal->actor_id(),
                     .organisation = principal->organisation_id,
                     .may_manage = may_manage,
                     .limits = std::move(limits)};
}

http::ServerOptions server_options(http::ServerOptions options) {
  options.render_error = render_server_error;
  return options;
}

}  // namespace hone::api
