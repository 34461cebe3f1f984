// Access tokens of programs: scoped, hashed, shown once.
#include "label/identity.h"
#include "label/json_lists.h"
#include "label/key_limits_row.h"
#include "label/public_id.h"

namespace hone::label {
namespace {

constexpr int64_t kQuotaMax = 1'000'000'000'000;

TokenRecord read_token(const store::Row& row) {
  return {.key = row.int64(0),
          .id = row.string(1),
          .name = row.string(2),
          .scope = row.string(3),
          .person_id = row.string(4),
          .created_at_ms = row.int64(5),
          .last_used_at_ms = row.optional_int64(6),
          .expires_at_ms = row.optional_int64(7),
          .limits = read_limits(row, 8)};
}

constexpr std::string_view kTokens = R"(
SELECT t.id, t.public_id, t.name, t.scope, p.public_id, t.created_at_ms, t.last_used_at_ms,
       t.expires_at_ms, t.models, t.requests_per_day, t.tokens_per_day, t.weight, t.priority
  FROM access_token t JOIN person p ON p.id = t.person_id
 WHERE t.organisation_id = $1 AND t.revoked_at_ms IS NULL AND ($2 = 0 OR t.person_id = $2)
   AND (t.expires_at_ms IS NULL OR t.expires_at_ms > $5) AND t.id > $3
   AND ($6 = '' OR t.public_id = $6)
 ORDER BY t.id LIMIT $4)";

void check_limits(const KeyLimits& limits) {
  if (limits.models.size() > kKeyModelsMax) {
    throw invalid_input("a key names at most " + std::to_string(kKeyModelsMax) + " models");
  }
  for (const std::string& name : limits.models) {
    if (name.empty() || name.size() > 200) {
      throw invalid_input("the name of a model of a key has 1 to 200 bytes");
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

store::Value quota_value(const std::optional<int64_t>& quota) {
  return quota ? store::Value(*quota) : store::Value();
}

}  // namespace

Identity::NewToken Identity::add_token(store::Transaction& tx, const Principal& principal,
                                       std::string_view name, Scopes scopes,
                                       std::optional<int64_t> life_ms, const KeyLimits& limits) {
  // A token made with a token must not reach further than that one.
  if (principal.is_token() && !principal.scopes.contains(Scope::kAll)) {
    throw Error(ErrorCode::kForbidden, "only a token of scope all makes other tokens");
  }
  if (limits.is_raised()) {
    require({.id = principal.actor_id(), .member_id = 0, .role = principal.role},
            Permission::kTokenManage);
  }
  return add_token(tx, principal.organisation_key, principal.person_key, name, scopes, life_ms,
                   limits);
}

Identity::NewToken Identity::add_token(store::Transaction& tx, int64_t organisation, int64_t person,
                                       std::string_view name, Scopes scopes,
                                       std::optional<int64_t> life_ms, const KeyLimits& limits) {
  check_limits(limits);
  const int64_t now_ms = env_.now_ms();
  const auto living = tx.query_int64(
      "SELECT count(*) FROM access_token WHERE organisation_id = $1 AND person_id = $2 "
      "AND revoked_at_ms IS NULL AND (expires_at_ms IS NULL OR expires_at_ms > $3)",
      {organisation, person, now_ms});
  if (living.value_or(0) >= kTokensOfPersonMax) {
    throw Error(ErrorCode::kConflict, "there are " + std::to_string(kTokensOfPersonMax) +
                                          " tokens of yours already; delete one first");
  }
  NewToken made;
  made.secret = "hone_" + seal::new_token(env_);
  made.token.id = make_public_id(env_, "key");
  made.token.name = name;
  made.token.scope = scopes.words();
  made.token.created_at_ms = now_ms;
  if (life_ms) made.token.expires_at_ms = now_ms + *life_ms;
  tx.execute(
      "INSERT INTO access_token (public_id, token_digest, name, person_id, organisation_id, scope, "
      "created_at_ms, expires_at_ms, models, requests_per_day, tokens_per_day, weight, priority) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
      {made.token.id, seal::token_digest(made.secret), name, person, organisation, made.token.scope,
       now_ms, made.token.expires_at_ms, text_list_json(limits.models),
       quota_value(limits.requests_per_day), quota_value(limits.tokens_per_day), limits.weight,
       int64_t{limits.priority}});
  made.token.limits = limits;
  made.token.key = tx.last_insert_id();
  made.token.person_id =
      tx.query_text("SELECT public_id FROM person WHERE id = $1", {person}).value_or("");
  return made;
}

std::vector<TokenRecord> Identity::tokens(store::Connection& db, int64_t organisation,
                                          int64_t person, int64_t after_key, int limit) {
  return db.query_all(kTokens, {organisation, person, after_key, limit, env_.now_ms(), ""},
                      read_token);
}

TokenRecord Identity::set_limits(store::Transaction& tx, int64_t organisation,
                                 std::string_view token_id, const KeyLimits& limits) {
  check_limits(limits);
  const int64_t changed = tx.execute(
      "UPDATE access_token SET models = $3, requests_per_day = $4, tokens_per_day = $5, "
      "weight = $6, priority = $7 WHERE public_id = $2 AND organisation_id = $1 AND "
      "revoked_at_ms IS NULL",
      {organisation, token_id, text_list_json(limits.models), quota_value(limits.requests_per_day),
       quota_value(limits.tokens_per_day), limits.weight, int64_t{limits.priority}});
  const auto found =
      tx.query_all(kTokens, {organisation, 0, 0, 1, env_.now_ms(), token_id}, read_token);
  if (changed == 0 || found.empty()) throw not_found("there is no such token");
  return found[0];
}

void Identity::revoke_token(store::Transaction& tx, int64_t organisation, int64_t person,
                            std::string_view token_id) {
  const int64_t changed = tx.execute(
      "UPDATE access_token SET revoked_at_ms = $4 WHERE public_id = $3 AND organisation_id = $1 "
      "AND ($2 = 0 OR person_id = $2) AND revoked_at_ms IS NULL",
      {organisation, person, token_id, env_.now_ms()});
  if (changed == 0) throw not_found("there is no such token");
}

}  // namespace hone::label
