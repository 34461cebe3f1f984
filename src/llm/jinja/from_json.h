#pragma once
// JSON to values of a template: objects to dicts, arrays to lists, integers stay integers. Every
// text gets the given origin. Fails on an integer beyond 64 bits signed, or on nesting too deep.

#include "llm/jinja/value.h"

namespace hone {
class Json;
}
namespace hone::llm::jinja {

Value from_json(const Json& json, Origin origin, Budget& budget);

}  // namespace hone::llm::jinja
