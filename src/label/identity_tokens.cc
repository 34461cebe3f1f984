// Access tokens of programs: scoped, hashed, shown once.
#include "label/identity.h"
#include "label/public_id.h"

namespace hone::label {
namespace {

TokenRecord read_token(const store::Row& row) {
  return {.key = row.int64(0),
          .id = row.string(1),
          .name = row.string(2),
          .scope = row.string(3),
          .person_id = row.string(4),
          .created_at_ms = row.int64(5),
          .last_used_at_ms = row.optional_int64(6),
          .expires_at_ms = row.optional_int64(7)};
}

constexpr std::string_view kTokens = R"(
SELECT t.id, t.public_id, t.name, t.scope, p.public_id, t.created_at_ms, t.last_used_at_ms,
       t.expires_at_ms
  FROM access_token t JOIN person p ON p.id = t.person_id
 WHERE t.organisation_id = $1 AND t.revoked_at_ms IS NULL AND ($2 = 0 OR t.person_id = $2)
   AND (t.expires_at_ms IS NULL OR t.expires_at_ms > $5) AND t.id > $3
 ORDER BY t.id LIMIT $4)";

}  // namespace

Identity::NewToken Identity::add_token(store::Transaction& tx, const Principal& principal,
                                       std::string_view name, Scopes scopes,
                                       std::optional<int64_t> life_ms) {
  // A token made with a token must not reach further than that one.
  if (principal.is_token() && !principal.scopes.contains(Scope::kAll)) {
    throw Error(ErrorCode::kForbidden, "only a token of scope all makes other tokens");
  }
  return add_token(tx, principal.organisation_key, principal.person_key, name, scopes, life_ms);
}

Identity::NewToken Identity::add_token(store::Transaction& tx, int64_t organisation, int64_t person,
                                       std::string_view name, Scopes scopes,
                                       std::optional<int64_t> life_ms) {
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
      "created_at_ms, expires_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
      {made.token.id, seal::token_digest(made.secret), name, person, organisation, made.token.scope,
       now_ms, made.token.expires_at_ms});
  made.token.key = tx.last_insert_id();
  made.token.person_id =
      tx.query_text("SELECT public_id FROM person WHERE id = $1", {person}).value_or("");
  return made;
}

std::vector<TokenRecord> Identity::tokens(store::Connection& db, int64_t organisation,
                                          int64_t person, int64_t after_key, int limit) {
  return db.query_all(kTokens, {organisation, person, after_key, limit, env_.now_ms()}, read_token);
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
