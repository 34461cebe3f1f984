#include "label/key_limits.h"

#include "base/error.h"
#include "base/utf8.h"
#include "label/json_lists.h"

namespace hone::label {
namespace {

constexpr int64_t kQuotaMax = 1'000'000'000'000;
constexpr size_t kNameMax = 200;

constexpr std::string_view kColumns =
    "SELECT public_id, models, requests_per_day, tokens_per_day, weight, priority "
    "FROM access_token ";

KeyLimits read_limits(const store::Row& row) {
  return {.models = text_list(row.text(1)),
          .requests_per_day = row.optional_int64(2),
          .tokens_per_day = row.optional_int64(3),
          .weight = row.real(4),
          .priority = static_cast<int>(row.int64(5))};
}

store::Value quota_value(const std::optional<int64_t>& quota) {
  return quota ? store::Value(*quota) : store::Value();
}

}  // namespace

void check_limits(const KeyLimits& limits) {
  if (limits.models.size() > kKeyModelsMax) {
    throw invalid_input("a key names at most " + std::to_string(kKeyModelsMax) + " models");
  }
  for (const std::string& name : limits.models) {
    if (name.empty() || count_characters(name) > kNameMax) {
      throw invalid_input("the name of a model of a key has 1 to 200 characters");
    }
  }
  for (const auto& quota : {limits.requests_per_day, limits.tokens_per_day}) {
    if (quota && (*quota < 0 || *quota > kQuotaMax)) {
      throw invalid_input("a quota of a day must be from 0 to 1e12");
    }
  }
  if (!(limits.weight >= 0.01) || !(limits.weight <= 100)) {
    throw invalid_input("the weight of a key must be from 0.01 to 100; 1 is everybody's");
  }
  if (limits.priority < -10 || limits.priority > 10) {
    throw invalid_input("the priority of a key must be from -10 to 10; 0 is everybody's");
  }
}

KeyLimits limits_of_token(store::Connection& db, std::string_view token_id) {
  return db.query_one(std::string(kColumns) + "WHERE public_id = $1", {token_id}, read_limits)
      .value_or(KeyLimits{});
}

std::map<std::string, KeyLimits> limits_of_tokens(store::Connection& db, int64_t organisation) {
  std::map<std::string, KeyLimits> all;
  db.query_all(std::string(kColumns) + "WHERE organisation_id = $1 AND revoked_at_ms IS NULL",
               {organisation}, [&](const store::Row& row) {
                 all[row.string(0)] = read_limits(row);
                 return true;
               });
  return all;
}

void set_limits(store::Transaction& tx, int64_t organisation, std::string_view token_id,
                const KeyLimits& limits) {
  check_limits(limits);
  const int64_t changed = tx.execute(
      "UPDATE access_token SET models = $3, requests_per_day = $4, tokens_per_day = $5, "
      "weight = $6, priority = $7 WHERE public_id = $2 AND organisation_id = $1 AND "
      "revoked_at_ms IS NULL",
      {organisation, token_id, text_list_json(limits.models), quota_value(limits.requests_per_day),
       quota_value(limits.tokens_per_day), limits.weight, int64_t{limits.priority}});
  if (changed == 0) throw not_found("there is no such token");
}

}  // namespace hone::label
