// Any bytes: parse() refuses them or gives a value that survives being written and read. A number
// may change its kind on the way (1.0 is written as 1), never its text.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "base/json.h"

namespace {

std::string canonical(const hone::Json& value) {
  try {
    return value.dump_canonical();
  } catch (const hone::Error&) {
    return "";  // an integer beyond 2^53
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const hone::Result<hone::Json> value = hone::Json::parse(text);
  if (!value.has_value()) {
    HONE_CHECK(!value.error().message().empty());
    return 0;
  }

  const std::string written = value->dump();
  const hone::Result<hone::Json> again = hone::Json::parse(written);
  HONE_CHECK(again.has_value());
  HONE_CHECK(again->dump() == written);

  const hone::Result<hone::Json> once_more = hone::Json::parse(again->dump());
  HONE_CHECK(*once_more == *again);

  const hone::Result<hone::Json> from_pretty = hone::Json::parse(value->dump_pretty());
  HONE_CHECK(from_pretty.has_value() && *from_pretty == *again);

  const std::string sorted = canonical(*value);
  if (!sorted.empty()) HONE_CHECK(canonical(*hone::Json::parse(sorted)) == sorted);
  return 0;
}
