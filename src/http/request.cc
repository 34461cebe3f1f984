#include "http/request.h"

#include "base/error.h"

namespace hone::http {

BodyReader& Request::body_reader() {
  if (body_stream == nullptr) {
    throw Error(ErrorCode::kInternal, "the body of this request was read already",
                "route '" + std::string(route_name) + "' does not stream its body");
  }
  return *body_stream;
}

}  // namespace hone::http
