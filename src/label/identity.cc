#include "label/identity.h"

#include <algorithm>

#include "base/check.h"
#include "label/public_id.h"

namespace hone::label {
namespace {

constexpr size_t kCacheMax = 10'000;
constexpr int64_t kCacheLifeMs = kMinuteMs;
constexpr int64_t kSeenEveryMs = kMinuteMs;

struct ScopeWord {
  std::string_view word;
  Scope scope;
};
constexpr ScopeWord kScopeWords[] = {
    {"all", Scope::kAll},       {"read", Scope::kRead},     {"label", Scope::kLabel},
    {"import", Scope::kImport}, {"export", Scope::kExport}, {"train", Scope::kTrain},
    {"serve", Scope::kServe},   {"infer", Scope::kInfer},
};

constexpr std::string_view kSessionPrincipal = R"(
SELECT s.id, s.csrf_token, s.is_bound, s.last_seen_at_ms, s.expires_at_ms,
       p.id, p.public_id, p.name, p.locale, p.password_hash IS NOT NULL, p.is_operator,
       s.organisation_id
  FROM session s JOIN person p ON p.id = s.person_id
 WHERE s.token_digest = $1 AND p.disabled_at_ms IS NULL)";

// The session's own organisation first, else the oldest membership.
constexpr std::string_view kBestMembership = R"(
SELECT o.id, o.public_id, o.name, m.role
  FROM membership m JOIN organisation o ON o.id = m.organisation_id
 WHERE m.person_id = $1 AND m.ended_at_ms IS NULL AND o.closed_at_ms IS NULL
   AND ($3 = 0 OR o.id = $2)
 ORDER BY o.id = $2 DESC, m.created_at_ms, o.id LIMIT 1)";

constexpr std::string_view kTokenPrincipal = R"(
SELECT t.public_id, t.scope, t.last_used_at_ms, t.expires_at_ms,
       p.id, p.public_id, p.name, p.locale, p.password_hash IS NOT NULL,
       o.id, o.public_id, o.name, m.role
  FROM access_token t
  JOIN person p ON p.id = t.person_id
  JOIN organisation o ON o.id = t.organisation_id
  JOIN membership m ON m.person_id = t.person_id AND m.organisation_id = t.organisation_id
 WHERE t.token_digest = $1 AND t.revoked_at_ms IS NULL AND p.disabled_at_ms IS NULL
   AND m.ended_at_ms IS NULL AND o.closed_at_ms IS NULL)";

Role role_of(std::string_view name) {
  const auto role = role_from_name(name);
  HONE_CHECK(role.has_value());  // the column has a CHECK
  return *role;
}

}  // namespace

Scopes Scopes::parse(std::string_view words) {
  uint32_t bits = 0;
  while (!words.empty()) {
    const size_t space = words.find(' ');
    const std::string_view each = words.substr(0, space);
    words = space == std::string_view::npos ? std::string_view() : words.substr(space + 1);
    if (each.empty()) continue;
    const auto* found = std::find_if(std::begin(kScopeWords), std::end(kScopeWords),
                                     [&](const ScopeWord& known) { return known.word == each; });
    if (found == std::end(kScopeWords)) {
      throw invalid_input("unknown scope '" + std::string(each.substr(0, 40)) +
                          "'; known: all, read, label, import, export, train, serve, infer");
    }
    bits |= static_cast<uint32_t>(found->scope);
  }
  if (bits == 0) throw invalid_input("a token needs a scope; say all, or read");
  return Scopes(bits);
}

std::string Scopes::words() const {
  if (bits_ == static_cast<uint32_t>(Scope::kAll)) return "all";
  std::string text;
  for (const ScopeWord& each : kScopeWords) {
    if (each.scope == Scope::kAll || !contains(each.scope)) continue;
    if (!text.empty()) text += ' ';
    text += each.word;
  }
  return text;
}

Identity::Identity(Env& env, store::Database& control, const seal::SecretBox& box)
    : env_(env), control_(control), box_(box) {}

PrincipalPointer Identity::principal_of_session(std::string_view cookie) {
  if (cookie.empty() || cookie.size() > 200) return nullptr;
  return cached(seal::token_digest(cookie), false);
}

PrincipalPointer Identity::principal_of_token(std::string_view secret) {
  if (secret.substr(0, 5) != "hone_" || secret.size() > 200) return nullptr;
  return cached(seal::token_digest(secret), true);
}

void Identity::forget_principals() {
  const std::lock_guard lock(cache_mutex_);
  cache_.clear();
  ++generation_;
}

PrincipalPointer Identity::cached(const std::string& digest, bool is_token) {
  const int64_t now_ms = env_.now_ms();
  uint64_t generation = 0;
  {
    std::unique_lock lock(cache_mutex_);
    generation = generation_;
    const auto found = cache_.find(digest);
    // A clock that was set back makes an entry look young: then it is read again.
    if (found != cache_.end() && now_ms >= found->second.loaded_at_ms &&
        now_ms - found->second.loaded_at_ms < kCacheLifeMs) {
      Cached& entry = found->second;
      if (now_ms >= entry.ends_at_ms) return nullptr;
      const bool seen_is_old = now_ms - entry.seen_at_ms >= kSeenEveryMs;
      if (seen_is_old) entry.seen_at_ms = now_ms;
      const Cached copy = entry;
      lock.unlock();
      if (seen_is_old) write_seen(copy);
      return copy.principal;
    }
  }
  std::optional<Cached> loaded = is_token ? load_token(digest) : load_session(digest);
  if (!loaded || now_ms >= loaded->ends_at_ms) return nullptr;
  loaded->loaded_at_ms = now_ms;
  const bool seen_is_old = now_ms - loaded->seen_at_ms >= kSeenEveryMs;
  if (seen_is_old) loaded->seen_at_ms = now_ms;
  {
    const std::lock_guard lock(cache_mutex_);
    // What was read before a change must not outlive it.
    if (generation == generation_) {
      if (cache_.size() >= kCacheMax) cache_.clear();
      cache_[digest] = *loaded;
    }
  }
  if (seen_is_old) write_seen(*loaded);
  return loaded->principal;
}

std::optional<Identity::Cached> Identity::load_session(const std::string& digest) {
  return read([&](store::Connection& db) -> std::optional<Cached> {
    Cached entry;
    auto principal = std::make_shared<Principal>();
    int64_t organisation = 0;
    const auto found = db.query_one(kSessionPrincipal, {digest}, [&](const store::Row& row) {
      principal->session_key = row.int64(0);
      principal->csrf_token = row.string(1);
      principal->is_bound = row.boolean(2);
      entry.seen_at_ms = row.int64(3);
      entry.ends_at_ms = std::min(row.int64(4), row.int64(3) + kSessionIdleMs);
      principal->person_key = row.int64(5);
      principal->person_id = row.string(6);
      principal->person_name = row.string(7);
      principal->locale = row.string(8);
      principal->has_password = row.boolean(9);
      principal->is_operator = row.boolean(10) && !principal->is_bound;
      organisation = row.optional_int64(11).value_or(0);
      return true;
    });
    if (!found) return std::nullopt;
    const auto member =
        db.query_one(kBestMembership, {principal->person_key, organisation, principal->is_bound},
                     [&](const store::Row& row) {
                       principal->organisation_key = row.int64(0);
                       principal->organisation_id = row.string(1);
                       principal->organisation_name = row.string(2);
                       principal->role = role_of(row.text(3));
                       return true;
                     });
    if (!member && !principal->is_operator) return std::nullopt;
    entry.principal = std::move(principal);
    return entry;
  });
}

std::optional<Identity::Cached> Identity::load_token(const std::string& digest) {
  return read([&](store::Connection& db) {
    return db.query_one(kTokenPrincipal, {digest}, [&](const store::Row& row) {
      auto principal = std::make_shared<Principal>();
      principal->token_id = row.string(0);
      principal->scopes = Scopes::parse(row.text(1));
      principal->person_key = row.int64(4);
      principal->person_id = row.string(5);
      principal->person_name = row.string(6);
      principal->locale = row.string(7);
      principal->has_password = row.boolean(8);
      principal->organisation_key = row.int64(9);
      principal->organisation_id = row.string(10);
      principal->organisation_name = row.string(11);
      principal->role = role_of(row.text(12));
      principal->is_bound = true;
      Cached entry;
      entry.seen_at_ms = row.optional_int64(2).value_or(0);
      entry.ends_at_ms = row.optional_int64(3).value_or(INT64_MAX);
      entry.principal = std::move(principal);
      return entry;
    });
  });
}

void Identity::write_seen(const Cached& entry) {
  const std::string token_id = entry.principal->token_id;
  const int64_t session = entry.principal->session_key;
  const int64_t now_ms = entry.seen_at_ms;
  try {
    control_.submit(
        store::Durability::kProcess,
        [=](store::Transaction& tx) {
          if (token_id.empty()) {
            tx.execute("UPDATE session SET last_seen_at_ms = $2 WHERE id = $1", {session, now_ms});
          } else {
            tx.execute("UPDATE access_token SET last_used_at_ms = $2 WHERE public_id = $1",
                       {token_id, now_ms});
          }
        },
        [](const auto&) {});
  } catch (const Error&) {
    // The queue is full: when somebody was last seen is not worth a request.
  }
}

std::string Identity::new_organisation_id() { return make_public_id(env_, "org"); }
std::string Identity::new_person_id() { return make_public_id(env_, "usr"); }

std::string Identity::email_digest(const std::string& email) const {
  return box_.keyed_digest(email, "email");
}

std::string Identity::unsealed_email(std::string_view sealed, std::string_view person_id) const {
  return box_.unseal(sealed, "email:" + std::string(person_id)).value_or("");
}

}  // namespace hone::label
