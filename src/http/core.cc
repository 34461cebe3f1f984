#include "http/core.h"

#include <algorithm>

namespace hone::http {
namespace {

Response plain_error(const ErrorInfo& error) {
  return Response::text(error.status, error.code + ": " + error.message + "\n");
}

}  // namespace

ServerCore::ServerCore(Env& the_env, ServerOptions the_options, Router the_router)
    : env(the_env),
      options(std::move(the_options)),
      router(std::move(the_router)),
      limits{options.max_head_bytes, options.max_headers, options.max_target_bytes},
      workers(options.worker_threads, options.max_queue),
      streams(options.max_stream_threads, 2 * options.max_stream_threads) {
  for (const Route* route : router.routes()) routes[route] = std::make_unique<RouteCounters>();
}

Response ServerCore::render(const ErrorInfo& error, const Request* request) const {
  Response response;
  try {
    response = options.render_error ? options.render_error(error, request) : plain_error(error);
  } catch (const std::exception& failure) {
    response = plain_error(error);
    response.log_detail = std::string("the error renderer failed: ") + failure.what();
  }
  response.stream = nullptr;
  response.events = nullptr;
  response.later = nullptr;
  if (response.log_detail.empty()) {
    response.log_detail = error.message;
    if (!error.detail.empty()) response.log_detail += " (" + error.detail + ")";
  }
  if (error.status == 503 && !response.headers.contains("Retry-After")) {
    response.headers.add("Retry-After", "1");
  }
  return response;
}

ErrorInfo ServerCore::current_exception_info() {
  try {
    throw;
  } catch (const Error& error) {
    return {status_of(error.code()), std::string(error_code_name(error.code())), error.message(),
            error.detail()};
  } catch (const std::exception& failure) {
    return {500, "internal", "the server could not answer; its log says why", failure.what()};
  } catch (...) {
    return {500, "internal", "the server could not answer; its log says why", "unknown exception"};
  }
}

void ServerCore::count_handler(const Route& route, int64_t duration_us) const {
  const auto found = routes.find(&route);
  if (found == routes.end()) return;
  RouteCounters& counted = *found->second;
  const auto bucket =
      std::lower_bound(std::begin(kLatencyBoundsUs), std::end(kLatencyBoundsUs), duration_us) -
      std::begin(kLatencyBoundsUs);
  counted.requests.fetch_add(1, std::memory_order_relaxed);
  counted.sum_us.fetch_add(static_cast<uint64_t>(std::max<int64_t>(duration_us, 0)),
                           std::memory_order_relaxed);
  counted.buckets[bucket].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace hone::http
