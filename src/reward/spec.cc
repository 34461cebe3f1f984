#include "reward/spec.h"

#include <charconv>
#include <cmath>

namespace hone::reward {

namespace {
constexpr size_t kMaxSpecBytes = 64 << 10;

bool reaches_the_end(std::string_view key) {
  return key == "pattern" || key == "command" || key == "schema";
}
}  // namespace

void Spec::refuse(const std::string& why) const {
  throw invalid_input("--reward \"" + text_ + "\": " + why);
}

Spec Spec::parse(std::string_view text) {
  Spec spec;
  spec.text_ = text.substr(0, kMaxSpecBytes);
  if (text.size() > kMaxSpecBytes) spec.refuse("it is too long");
  const size_t colon = text.find(':');
  spec.kind_ = text.substr(0, colon);
  if (spec.kind_.empty()) spec.refuse("a name is expected first, such as exact");
  if (colon == std::string_view::npos) return spec;
  std::string_view rest = text.substr(colon + 1);
  while (!rest.empty()) {
    const size_t equals = rest.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      spec.refuse("\"" + std::string(rest) + "\" is not key=value");
    }
    const std::string key(rest.substr(0, equals));
    rest.remove_prefix(equals + 1);
    const size_t end = reaches_the_end(key) ? rest.size() : std::min(rest.find(','), rest.size());
    if (!spec.values_.emplace(key, rest.substr(0, end)).second) {
      spec.refuse(key + " is there twice");
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return spec;
}

std::string Spec::name() const {
  const auto found = values_.find("as");
  return found == values_.end() || found->second.empty() ? kind_ : found->second;
}

std::string Spec::text_of(const std::string& key, const std::string& fallback) {
  known_[key] = true;
  const auto found = values_.find(key);
  return found == values_.end() ? fallback : found->second;
}

std::string Spec::needed(const std::string& key) {
  std::string value = text_of(key, "");
  if (value.empty()) refuse("it needs " + key + "=...");
  return value;
}

double Spec::number_of(const std::string& key, double fallback) {
  const std::string value = text_of(key, "");
  if (value.empty()) return fallback;
  double number = 0;
  const char* end = value.data() + value.size();
  const auto [stop, status] = std::from_chars(value.data(), end, number);
  if (status != std::errc() || stop != end || !std::isfinite(number)) {
    refuse(key + "=" + value + " is not a number");
  }
  return number;
}

std::string Spec::one_of(const std::string& key, std::initializer_list<const char*> allowed) {
  const std::string value = text_of(key, *allowed.begin());
  std::string list;
  for (const char* each : allowed) {
    if (value == each) return value;
    list += (list.empty() ? "" : ", ") + std::string(each);
  }
  refuse(key + "=" + value + " is not known: it can be " + list);
}

void Spec::done() const {
  for (const auto& [key, value] : values_) {
    if (known_.contains(key)) continue;
    std::string list;
    for (const auto& [name, unused] : known_) list += (list.empty() ? "" : ", ") + name;
    refuse("\"" + key + "\" is not known: " + kind_ + " takes " + list);
  }
}

}  // namespace hone::reward
