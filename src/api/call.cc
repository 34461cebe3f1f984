#include "api/call.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

namespace hone::api {

const label::Principal& Call::who() const {
  if (principal == nullptr) {
    throw Error(ErrorCode::kUnauthenticated, "sign in, or send Authorization: Bearer hone_…");
  }
  return *principal;
}

label::Organisation& Call::organisation() {
  if (who().organisation_key == 0) {
    throw Error(ErrorCode::kForbidden, "you belong to no organisation yet; ask for an invitation");
  }
  return platform.organisation(who().organisation_id);
}

label::Actor Call::actor() {
  organisation();
  return platform.actor(who());
}

bool Call::can(label::Permission permission) const {
  return principal != nullptr && label::can(principal->role, permission);
}

bool Call::has(std::string_view name) const {
  const Json* member = body.find(name);
  return member != nullptr && !member->is_null();
}

std::string Call::text(std::string_view name, std::string_view fallback) const {
  return has(name) ? body.at(name).as_string() : std::string(fallback);
}

std::optional<std::string> Call::maybe_text(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  return body.at(name).as_string();
}

std::optional<int64_t> Call::maybe_int(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  return body.at(name).as_int();
}

std::optional<double> Call::maybe_number(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  return body.at(name).as_double();
}

std::optional<bool> Call::maybe_bool(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  return body.at(name).as_bool();
}

std::optional<std::vector<std::string>> Call::maybe_texts(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  std::vector<std::string> texts;
  for (const Json& each : body.at(name).as_array()) texts.push_back(each.as_string());
  return texts;
}

std::string_view Call::query(std::string_view name, std::string_view fallback) const {
  return request.query.get(name, fallback);
}

std::optional<double> Call::query_number(std::string_view name) const {
  const auto text = request.query.find(name);
  if (!text) return std::nullopt;
  double value = 0;
  std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

std::optional<int64_t> Call::query_int(std::string_view name) const {
  const auto text = request.query.find(name);
  if (!text) return std::nullopt;
  int64_t value = 0;
  std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

http::Response json_response(int status, const Json& body) {
  http::Response response = http::Response::json(status, body.dump());
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

http::Response no_content() { return http::Response::no_content(); }

http::Response to_response(const Answer& answer) {
  http::Response response = answer.body.is_null() ? http::Response{.status = answer.status}
                                                  : json_response(answer.status, answer.body);
  if (!answer.etag.empty()) response.headers.set("ETag", answer.etag);
  return response;
}

std::string time_text(int64_t at_ms) {
  // Years 0 to 9999, whatever a row says.
  constexpr int64_t kFirstMs = -62'167'219'200'000;
  constexpr int64_t kLastMs = 253'402'300'799'999;
  at_ms = std::min(std::max(at_ms, kFirstMs), kLastMs);
  std::time_t seconds = at_ms / 1000;
  int64_t millis = at_ms % 1000;
  if (millis < 0) {
    millis += 1000;
    --seconds;
  }
  std::tm parts = {};
  gmtime_r(&seconds, &parts);
  std::array<char, 80> text = {};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                parts.tm_sec, static_cast<int>(millis));
  return text.data();
}

Json time_json(const std::optional<int64_t>& at_ms) {
  return at_ms ? Json(time_text(*at_ms)) : Json();
}

Json texts_json(const std::vector<std::string>& texts) {
  Json list = Json::array();
  for (const std::string& each : texts) list.push_back(each);
  return list;
}

}  // namespace hone::api
