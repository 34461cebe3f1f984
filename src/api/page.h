#pragma once
// Lists: `{"items": […], "next": cursor | null}`, `?limit=` and `?after=` (docs/api.md).
//
// A cursor is opaque to clients: the integer keys after which the next page begins, with a version and
// two letters that catch a cursor which was cut or made up. It grants nothing: whoever shows one sees
// only what they may see.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "http/headers.h"

namespace hone::api {

constexpr int kPageDefault = 50;
constexpr int kPageMax = 200;

struct PageRequest {
  int limit = kPageDefault;
  std::vector<int64_t>
      after;  // the keys of the last item of the page before; empty = from the start
};

// Throws invalid_input that names the parameter: a limit out of bounds, a cursor that is none of
// ours or has not `keys` numbers.
PageRequest read_page(const http::Parameters& query, size_t keys = 1);

std::string write_cursor(const std::vector<int64_t>& keys);
std::optional<std::vector<int64_t>> read_cursor(std::string_view cursor);

Json page_body(Json::Array items, const std::optional<std::string>& next);
// The page of a list that is made whole; its cursor is the number of items before it.
Json page_of(const Json::Array& all, const PageRequest& page);

}  // namespace hone::api
