#pragma once
// What was used, by day, key and model: rows of usage_day. Functions on a Connection of control.db.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/database.h"

namespace hone::usage {

struct UsageRow {
  int64_t day = 0;  // days since 1970-01-01
  std::string key, model;
  int64_t requests = 0, prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;

  int64_t tokens() const { return prompt_tokens + completion_tokens; }
};

struct UsageFilter {
  std::string organisation;             // org_…
  int64_t first_day = 0, last_day = 0;  // both counted
  std::string key;                      // empty = every one
  // Keys of this person and what they asked as themselves; empty = everybody's.
  std::string person;
  size_t limit = 10'000;
};
// The newest day first; within a day by key and model.
std::vector<UsageRow> usage_rows(store::Connection& db, const UsageFilter& filter);

// "2026-11-28"
std::string day_text(int64_t day);

}  // namespace hone::usage
