#include "usage/report.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace hone::usage {

std::vector<UsageRow> usage_rows(store::Connection& db, const UsageFilter& filter) {
  return db.query_all(
      "SELECT day, key, model, requests, prompt_tokens, cached_tokens, completion_tokens "
      "FROM usage_day WHERE organisation = $1 AND day BETWEEN $2 AND $3 "
      "AND ($4 = '' OR key = $4) AND ($5 = '' OR key = $5 OR key IN (SELECT t.public_id FROM "
      "access_token t JOIN person p ON p.id = t.person_id WHERE p.public_id = $5)) "
      "ORDER BY day DESC, key, model LIMIT $6",
      {filter.organisation, filter.first_day, filter.last_day, filter.key, filter.person,
       static_cast<int64_t>(filter.limit)},
      [](const store::Row& row) {
        return UsageRow{row.int64(0), row.string(1), row.string(2), row.int64(3),
                        row.int64(4), row.int64(5),  row.int64(6)};
      });
}

std::string day_text(int64_t day) {
  const std::time_t seconds = static_cast<std::time_t>(day) * 86'400;
  std::tm parts = {};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> text = {};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02d", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday);
  return text.data();
}

}  // namespace hone::usage
