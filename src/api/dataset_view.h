#pragma once
// Pieces that several handler files share: lists by key, jobs, snapshots.

#include <optional>
#include <string>
#include <utility>

#include "api/call.h"
#include "label/snapshots.h"

namespace hone::api {

// A page of rows that were read one more than asked for: `key` of the last one shown is the cursor.
template <class Rows, class ToJson, class Key>
http::Response list_response(const Rows& rows, int limit, ToJson&& to_json, Key&& key) {
  Json::Array items;
  std::optional<std::string> next;
  for (const auto& row : rows) {
    if (items.size() == static_cast<size_t>(limit)) {
      next = write_cursor({key(rows[items.size() - 1])});
      break;
    }
    items.push_back(to_json(row));
  }
  return json_response(200, page_body(std::move(items), next));
}

// The id of a job that is durable in the queue; the runner is awake. Throws unavailable when this
// server runs no jobs, busy when too many wait.
std::string enqueue(Call& call, const std::string& kind, Json payload,
                    std::optional<std::string> unique_key);

label::Snapshot make_snapshot_of(Call& call, const label::Actor& actor, const std::string& project,
                                 const std::string& name, const std::string& format,
                                 double min_probability, int64_t min_annotations);

}  // namespace hone::api
