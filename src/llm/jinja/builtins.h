#pragma once
// The filters, tests, functions and methods of Jinja2 and of transformers' environment, by name.
// Thread-safe. Each fails where Jinja2 or Python would.

#include <span>
#include <string_view>

#include "llm/jinja/ast.h"
#include "llm/jinja/callable.h"
#include "llm/jinja/value.h"

namespace hone::llm::jinja {

FilterFunction find_filter(std::string_view name);  // null: there is none
TestFunction find_test(std::string_view name);

// The global function of that name, or undefined.
Value find_global(std::string_view name);

// The method `name` of a text, list, tuple or dict bound to it, or undefined.
Value find_method(const Value& self, std::string_view name);

// Parts shared by the files that hold them.
struct FilterEntry {
  std::string_view name;
  FilterFunction filter;
};
std::span<const FilterEntry> text_filters();
std::span<const FilterEntry> sequence_filters();
Text format_percent(const Text& format, const Value& arguments, Budget& budget);
std::string to_json(const Value& value, bool ensure_ascii, const Value& indent,
                    const Value& separators, bool sort_keys, Origin& origin, Budget& budget);
Value text_method(Interpreter& interpreter, std::string_view name, const Value& self,
                  const Arguments& arguments);
bool is_text_method(std::string_view name);
Text strip_text(const Text& text, const Value& characters, bool left, bool right);
Text replace_text(const Text& text, const Text& from, const Text& to, int64_t count,
                  Budget& budget);
Text map_case(const Text& text, std::string_view how);
Text escape_html(const Text& text);
int64_t parse_int(std::string_view text, int base, bool& ok);
double parse_float(std::string_view text, bool& ok);

}  // namespace hone::llm::jinja
