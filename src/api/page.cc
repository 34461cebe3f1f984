#include "api/page.h"

#include <algorithm>
#include <charconv>

#include "api/error_response.h"

namespace hone::api {
namespace {

constexpr std::string_view kVersion = "c1";
constexpr size_t kMaxCursorBytes = 200;

}  // namespace

// "c1" then each key as "." and its decimal: short, URL-safe as it is.
std::string write_cursor(const std::vector<int64_t>& keys) {
  std::string text(kVersion);
  for (const int64_t key : keys) {
    text += '.';
    text += std::to_string(key);
  }
  return text;
}

std::optional<std::vector<int64_t>> read_cursor(std::string_view cursor) {
  if (cursor.size() > kMaxCursorBytes || cursor.substr(0, kVersion.size()) != kVersion) {
    return std::nullopt;
  }
  std::string_view rest = cursor.substr(kVersion.size());
  if (rest.empty()) return std::nullopt;
  std::vector<int64_t> keys;
  while (!rest.empty()) {
    if (rest.front() != '.') return std::nullopt;
    rest.remove_prefix(1);
    int64_t key = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), key);
    if (error != std::errc()) return std::nullopt;
    keys.push_back(key);
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
  }
  return keys;
}

PageRequest read_page(const http::Parameters& query, size_t keys) {
  PageRequest page;
  page.limit = static_cast<int>(query.get_int("limit", kPageDefault, 1, kPageMax));
  const auto after = query.find("after");
  if (!after) return page;
  const auto read = read_cursor(*after);
  if (!read || read->size() != keys) {
    throw bad_field("after",
                    "after is not a cursor of this list: take it from \"next\", or leave "
                    "it out to begin at the start");
  }
  page.after = *read;
  return page;
}

Json page_body(Json::Array items, const std::optional<std::string>& next) {
  Json body = Json::object();
  body["items"] = Json(std::move(items));
  body["next"] = next ? Json(*next) : Json();
  return body;
}

Json page_of(const Json::Array& all, const PageRequest& page) {
  const auto from =
      static_cast<size_t>(page.after.empty() ? 0 : std::max<int64_t>(0, page.after[0]));
  Json::Array items;
  for (size_t i = from; i < all.size() && items.size() < static_cast<size_t>(page.limit); ++i) {
    items.push_back(all[i]);
  }
  std::optional<std::string> next;
  if (from + items.size() < all.size()) {
    next = write_cursor({static_cast<int64_t>(from + items.size())});
  }
  return page_body(std::move(items), next);
}

}  // namespace hone::api
