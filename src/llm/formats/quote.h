#pragma once
// A name out of a file, fit for a message: in quotes, unprintable bytes escaped, long ones cut.

#include <string>
#include <string_view>

namespace hone::llm {

std::string quote(std::string_view name);

}  // namespace hone::llm
