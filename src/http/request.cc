#include "http/request.h"

#include <utility>

#include "base/error.h"

namespace hone::http {

void Client::set_gone() {
  std::function<void()> callback;
  {
    const std::lock_guard lock(mutex_);
    gone_.store(true, std::memory_order_release);
    callback.swap(on_gone_);
  }
  if (callback) callback();
}

void Client::on_gone(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!gone()) {
      on_gone_ = std::move(callback);
      return;
    }
  }
  if (callback) callback();
}

BodyReader& Request::body_reader() {
  if (body_stream == nullptr) {
    throw Error(ErrorCode::kInternal, "the body of this request was read already",
                "route '" + std::string(route_name) + "' does not stream its body");
  }
  return *body_stream;
}

}  // namespace hone::http
