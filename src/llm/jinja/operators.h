#pragma once
// Python's operators on values. Integers are 64 bits: what does not fit is an error, never a wrap.
// Thread-safe; errors are TemplateError.

#include <string_view>

#include "llm/jinja/value.h"

namespace hone::llm::jinja {

Value unary(std::string_view op, const Value& a);
Value binary(std::string_view op, const Value& a, const Value& b, Budget& budget);
bool compare(std::string_view op, const Value& a, const Value& b, Budget& budget);

// object[start:stop:step]; a bound that is undefined counts as absent only in C++ (pass none()).
// Undefined when the object or a bound is of the wrong type, as Jinja2 gives.
Value slice(const Value& object, const Value& start, const Value& stop, const Value& step,
            Budget& budget);

}  // namespace hone::llm::jinja
