#include "http/headers.h"

#include <charconv>

#include "base/error.h"

namespace hone::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool is_token(std::string_view text) {  // RFC 9110 section 5.6.2
  for (const char c : text) {
    const bool letter_or_digit =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter_or_digit && std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return !text.empty();
}

bool is_field_value(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7f) return false;
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

Headers::Headers(std::initializer_list<Field> fields) {
  for (const auto& [name, value] : fields) add(name, value);
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (equals_ignoring_case(field, name)) return value;
  }
  return std::nullopt;
}

std::string_view Headers::get(std::string_view name, std::string_view fallback) const {
  return find(name).value_or(fallback);
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [field, value] : fields_) {
    if (equals_ignoring_case(field, name)) values.emplace_back(value);
  }
  return values;
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
  for (const auto& [field, value] : fields_) {
    if (!equals_ignoring_case(field, name)) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      if (equals_ignoring_case(trimmed(rest.substr(0, comma)), token)) return true;
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
  }
  return false;
}

void Headers::add(std::string_view name, std::string_view value) {
  if (!is_token(name) || !is_field_value(value)) {
    throw Error(ErrorCode::kInternal, "a response header could not be written",
                "header '" + std::string(name) + "' holds a character that may not be in a header");
  }
  fields_.emplace_back(name, value);
}

void Headers::set(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_,
                [&](const Field& field) { return equals_ignoring_case(field.first, name); });
}

std::optional<std::string_view> Parameters::find(std::string_view name) const {
  for (const auto& [parameter, value] : values_) {
    if (parameter == name) return value;
  }
  return std::nullopt;
}

std::string_view Parameters::get(std::string_view name, std::string_view fallback) const {
  return find(name).value_or(fallback);
}

std::vector<std::string_view> Parameters::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [parameter, value] : values_) {
    if (parameter == name) values.emplace_back(value);
  }
  return values;
}

const std::string& Parameters::at(std::string_view name) const {
  for (const auto& [parameter, value] : values_) {
    if (parameter == name) return value;
  }
  throw invalid_input("the parameter '" + std::string(name) + "' is missing");
}

int64_t Parameters::get_int(std::string_view name, int64_t fallback, int64_t min,
                            int64_t max) const {
  const auto text = find(name);
  if (!text) return fallback;
  int64_t number = 0;
  const char* end = text->data() + text->size();
  const auto [stop, failure] = std::from_chars(text->data(), end, number);
  if (failure != std::errc() || stop != end || number < min || number > max) {
    throw invalid_input("the parameter '" + std::string(name) + "' must be a whole number from " +
                        std::to_string(min) + " to " + std::to_string(max));
  }
  return number;
}

void Parameters::add(std::string name, std::string value) {
  values_.emplace_back(std::move(name), std::move(value));
}

}  // namespace hone::http
