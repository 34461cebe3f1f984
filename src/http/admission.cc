#include "http/admission.h"

#include <algorithm>

#include "http/target.h"

namespace hone::http {
namespace {

ErrorInfo refused(int status, std::string_view code, std::string message) {
  return {status, std::string(code), std::move(message), {}};
}

bool host_is_ours(const ServerCore& core, std::string_view authority) {
  if (core.any_host) return true;
  const std::string host = host_of_authority(authority);
  return std::find(core.hosts.begin(), core.hosts.end(), host) != core.hosts.end();
}

// Absolute-form targets win over the Host header (RFC 9112 section 3.2.2); both must be ours.
std::optional<ErrorInfo> check_host(const ServerCore& core, const Target& target,
                                    const Headers& headers) {
  const auto host = headers.find("Host");
  if ((host && !host_is_ours(core, *host)) ||
      (!target.authority.empty() && !host_is_ours(core, target.authority))) {
    return refused(421, "misdirected_request",
                   "this server does not answer under that host name; use the address that it "
                   "printed, or add the name to its allowed hosts");
  }
  return std::nullopt;
}

std::string_view without_default_port(std::string_view authority) {
  if (authority.ends_with(":80")) authority.remove_suffix(3);
  if (authority.ends_with(":443")) authority.remove_suffix(4);
  return authority;
}

// A page of another site must not drive this server with the browser's cookies or loopback access.
std::optional<ErrorInfo> check_origin(const ServerCore& core, const Target& target,
                                      const Headers& headers) {
  const auto origin = headers.find("Origin");
  if (!origin) return std::nullopt;
  const auto& allowed = core.options.allowed_origins;
  if (std::find(allowed.begin(), allowed.end(), *origin) != allowed.end()) return std::nullopt;
  const std::string_view ours =
      target.authority.empty() ? headers.get("Host") : std::string_view(target.authority);
  const size_t scheme = origin->find("://");
  if (scheme != std::string_view::npos && !ours.empty() &&
      equals_ignoring_case(without_default_port(origin->substr(scheme + 3)),
                           without_default_port(ours))) {
    return std::nullopt;
  }
  return refused(403, "forbidden", "requests from pages of another origin are not answered here");
}

std::optional<ErrorInfo> check_expect(const Request& request, bool& expects_continue) {
  const auto expect = request.headers.find("Expect");
  if (!expect || request.version_minor == 0) return std::nullopt;
  if (!equals_ignoring_case(*expect, "100-continue")) {
    return refused(417, "invalid_input", "the only expectation understood is '100-continue'");
  }
  expects_continue = true;
  return std::nullopt;
}

void find_route(const ServerCore& core, Request& request, Admission& admission) {
  if (request.target == "*" && request.method == "OPTIONS") {
    admission.only_options = true;
    admission.allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    return;
  }
  Router::Match match = core.router.match(request.method, request.segments);
  admission.route = match.route;
  admission.allow = std::move(match.allow);
  request.path_parameters = std::move(match.path_parameters);
  if (match.route != nullptr) {
    request.route_name = match.route->options.name;
  } else if (admission.allow.empty()) {
    admission.refusal = refused(404, "not_found", "there is nothing at this address");
  } else if (request.method == "OPTIONS") {
    admission.only_options = true;
  } else {
    admission.refusal =
        refused(405, "method_not_allowed", "this address takes " + admission.allow + " only");
  }
}

std::optional<ErrorInfo> check_body(const Route& route, const MessageHead& head) {
  const uint64_t most = route.options.max_body_bytes;
  if (head.content_length.value_or(0) > most || (head.chunked && most == 0)) {
    return body_too_large(most);
  }
  return std::nullopt;
}

}  // namespace

ErrorInfo body_too_large(uint64_t max_body_bytes) {
  return refused(413, "too_large",
                 max_body_bytes == 0
                     ? "this address takes no body"
                     : "the body is larger than the " + std::to_string(max_body_bytes) +
                           " bytes that this address takes");
}

Admission admit(const ServerCore& core, MessageHead& head, Request& request) {
  Admission admission;
  request.method = std::move(head.method);
  request.target = std::move(head.target);
  request.headers = std::move(head.headers);
  request.version_minor = head.version_minor;

  Result<Target> target = parse_target(request.target);
  if (!target) {
    admission.refusal = refused(400, "invalid_input", target.error().message());
    return admission;
  }
  request.segments = std::move(target->segments);
  request.query = std::move(target->query);
  admission.refusal = check_host(core, *target, request.headers);
  if (!admission.refusal) admission.refusal = check_origin(core, *target, request.headers);
  if (!admission.refusal) find_route(core, request, admission);
  if (!admission.refusal) {
    admission.refusal = check_expect(request, admission.expects_continue);
  }
  if (!admission.refusal && admission.route != nullptr) {
    admission.refusal = check_body(*admission.route, head);
  }
  if (!admission.refusal) request.cookies = parse_cookies(request.headers);
  return admission;
}

}  // namespace hone::http
