#pragma once
// What a template can call: global functions, methods bound to a value, macros, loop objects.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "llm/jinja/value.h"

namespace hone::llm::jinja {

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  // Lays the arguments into the parameters of that name, in that order; a parameter that was not
  // given is undefined here and false in `given`. Fails on one too many, unknown or given twice.
  struct Bound {
    std::vector<Value> values;
    std::vector<bool> given;
    const Value& operator[](size_t i) const { return values[i]; }
    bool has(size_t i) const { return given[i]; }
  };
  Bound bind(std::string_view function, std::initializer_list<std::string_view> parameters,
             size_t required = 0) const;
};

class Interpreter;

struct Callable : Object {
  std::string name;
  std::function<Value(Interpreter&, const Arguments&)> call;
};

struct Loop : Object {
  const std::vector<Value>* items = nullptr;  // of the `for` that is running; null afterwards
  size_t index = 0;
  int level = 1;
  bool has_changed_value = false;
  std::vector<Value> changed_value;
  std::function<Value(Interpreter&, const Value&)> recurse;  // empty unless `recursive`
};

}  // namespace hone::llm::jinja
