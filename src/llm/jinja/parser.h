#pragma once
// Template text to tree, by Jinja2's grammar (template designer documentation) with the loop
// controls and transformers' `generation` block. Inheritance and inclusion are refused by name.
// Throws TemplateError with a line.

#include <string_view>

#include "llm/jinja/ast.h"

namespace hone::llm::jinja {

Block parse_template(std::string_view source);

}  // namespace hone::llm::jinja
