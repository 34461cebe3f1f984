// Signing in: links that work once, passwords, and the sessions that both open.
#include "base/utf8.h"
#include "label/identity.h"
#include "seal/password.h"

namespace hone::label {
namespace {

Error bad_link() {
  return {
      ErrorCode::kUnauthenticated,
      "this sign-in link was used, is older than 15 minutes or never was one; ask for a new one"};
}
Error bad_password() {
  return {ErrorCode::kUnauthenticated,
          "no account has this address and password; check both, or ask for a sign-in link"};
}

struct LinkRow {
  int64_t person = 0;
  std::optional<int64_t> organisation;
  bool bound = false;
};

}  // namespace

std::string Identity::make_sign_in_link(store::Transaction& tx, int64_t person,
                                        std::optional<int64_t> organisation, bool bound) {
  const int64_t now_ms = env_.now_ms();
  tx.execute("DELETE FROM sign_in_link WHERE expires_at_ms < $1", {now_ms - kDayMs});
  std::string token = seal::new_token(env_);
  tx.execute(
      "INSERT INTO sign_in_link (token_digest, person_id, organisation_id, expires_at_ms, "
      "is_bound) VALUES ($1, $2, $3, $4, $5)",
      {seal::token_digest(token), person, organisation, now_ms + kLinkLifeMs, bound});
  return token;
}

void Identity::check_link_for_member(store::Connection& db, const Principal& actor,
                                     std::string_view person_id) {
  const PersonRecord now = person(db, actor.organisation_key, person_id);
  if (now.role == Role::kOwner && actor.role != Role::kOwner) {
    throw Error(ErrorCode::kForbidden, "only an owner makes a sign-in link for an owner");
  }
  const auto is_operator =
      db.query_int64("SELECT is_operator FROM person WHERE id = $1", {now.key});
  if (is_operator.value_or(0) != 0 && now.key != actor.person_key) {
    throw Error(ErrorCode::kForbidden,
                "this person runs the installation: the link is made at the command line");
  }
}

std::string Identity::make_link_for_member(store::Transaction& tx, const Principal& actor,
                                           std::string_view person_id) {
  check_link_for_member(tx, actor, person_id);
  return make_sign_in_link(tx, person(tx, actor.organisation_key, person_id).key,
                           actor.organisation_key, true);
}

OpenedSession Identity::sign_in_with_link(std::string_view token, const std::string& peer,
                                          std::string_view user_agent, int64_t replaced_session) {
  count_attempt({}, peer);
  OpenedSession opened = write([&](store::Transaction& tx) {
    const int64_t now_ms = env_.now_ms();
    const auto link = tx.query_one(
        "UPDATE sign_in_link SET used_at_ms = $2 WHERE token_digest = $1 AND used_at_ms IS NULL "
        "AND expires_at_ms > $2 RETURNING person_id, organisation_id, is_bound",
        {seal::token_digest(token), now_ms}, [](const store::Row& row) {
          return LinkRow{.person = row.int64(0),
                         .organisation = row.optional_int64(1),
                         .bound = row.boolean(2)};
        });
    if (!link) throw bad_link();
    if (replaced_session != 0) close_session(tx, replaced_session);
    return open_session(tx, link->person, link->organisation, link->bound, user_agent);
  });
  forgive({}, peer);
  return opened;
}

OpenedSession Identity::sign_in_with_password(std::string_view email, std::string_view password,
                                              const std::string& peer, std::string_view user_agent,
                                              int64_t replaced_session) {
  const std::string digest = email_digest(normalised_email(email));
  count_attempt(digest, peer);
  struct Found {
    int64_t person = 0;
    std::optional<std::string> hash;
  };
  const auto found = read([&](store::Connection& db) {
    return db.query_one(
        "SELECT id, password_hash FROM person WHERE email_digest = $1 AND disabled_at_ms IS NULL",
        {digest}, [](const store::Row& row) {
          return Found{.person = row.int64(0), .hash = row.optional_string(1)};
        });
  });
  if (!password_fits(found ? found->hash : std::nullopt, password)) throw bad_password();
  OpenedSession opened = write([&](store::Transaction& tx) {
    // Whoever belongs nowhere has nothing to sign in to.
    const auto belongs = tx.query_int64(
        "SELECT 1 FROM person p WHERE p.id = $1 AND (p.is_operator = 1 OR EXISTS "
        "(SELECT 1 FROM membership m WHERE m.person_id = p.id AND m.ended_at_ms IS NULL))",
        {found->person});
    if (!belongs) throw bad_password();
    if (replaced_session != 0) close_session(tx, replaced_session);
    return open_session(tx, found->person, std::nullopt, false, user_agent);
  });
  forgive(digest, peer);
  return opened;
}

OpenedSession Identity::open_session(store::Transaction& tx, int64_t person,
                                     std::optional<int64_t> organisation, bool bound,
                                     std::string_view user_agent) {
  const int64_t now_ms = env_.now_ms();
  tx.execute(
      "DELETE FROM session WHERE person_id = $1 AND (expires_at_ms < $2 OR last_seen_at_ms < $3)",
      {person, now_ms, now_ms - kSessionIdleMs});
  tx.execute(
      "DELETE FROM session WHERE person_id = $1 AND id NOT IN "
      "(SELECT id FROM session WHERE person_id = $1 ORDER BY id DESC LIMIT $2)",
      {person, kSessionsOfPersonMax - 1});
  if (!organisation) {
    organisation = tx.query_int64(
        "SELECT organisation_id FROM membership WHERE person_id = $1 AND ended_at_ms IS NULL "
        "ORDER BY created_at_ms, organisation_id LIMIT 1",
        {person});
  }
  OpenedSession opened = {.cookie = seal::new_token(env_),
                          .expires_at_ms = now_ms + kSessionLifeMs};
  tx.execute(
      "INSERT INTO session (token_digest, csrf_token, person_id, organisation_id, created_at_ms, "
      "last_seen_at_ms, expires_at_ms, is_bound, user_agent) "
      "VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8)",
      {seal::token_digest(opened.cookie), seal::new_token(env_), person, organisation, now_ms,
       opened.expires_at_ms, bound, user_agent.substr(0, 200)});
  return opened;
}

void Identity::close_session(store::Transaction& tx, int64_t session) {
  tx.execute("DELETE FROM session WHERE id = $1", {session});
}

OpenedSession Identity::switch_organisation(store::Transaction& tx, const Principal& principal,
                                            std::string_view organisation_id,
                                            std::string_view user_agent) {
  if (principal.is_bound && organisation_id != principal.organisation_id) {
    throw Error(ErrorCode::kForbidden,
                "this session came from a link of one organisation and stays there; sign in with "
                "your password to go elsewhere");
  }
  for (const MembershipRecord& each : memberships(tx, principal.person_key)) {
    if (each.organisation.id != organisation_id) continue;
    close_session(tx, principal.session_key);
    return open_session(tx, principal.person_key, each.organisation.key, principal.is_bound,
                        user_agent);
  }
  throw not_found("you belong to no such organisation");
}

static_assert(4 * kPasswordCharsMax <= seal::kPasswordBytesMax, "a password that fits is hashed");

void Identity::check_password(std::string_view password) {
  const size_t characters = count_characters(password);
  if (characters < kPasswordCharsMin) {
    throw invalid_input("the password needs at least " + std::to_string(kPasswordCharsMin) +
                        " characters");
  }
  if (characters > kPasswordCharsMax) {
    throw invalid_input("the password has " + std::to_string(characters) +
                        " characters; choose one of at most " + std::to_string(kPasswordCharsMax));
  }
}

void Identity::set_password(const Principal& principal, const std::optional<std::string>& current,
                            const std::string& password, const std::string& peer) {
  check_password(password);
  struct Now {
    std::optional<std::string> hash;
    bool elsewhere = false;
  };
  const auto now = read([&](store::Connection& db) {
    return db.query_one(
        "SELECT p.password_hash, p.is_operator = 1 OR EXISTS (SELECT 1 FROM membership m "
        "WHERE m.person_id = p.id AND m.organisation_id <> $2 AND m.ended_at_ms IS NULL) "
        "FROM person p WHERE p.id = $1",
        {principal.person_key, principal.organisation_key}, [](const store::Row& row) {
          return Now{.hash = row.optional_string(0), .elsewhere = row.boolean(1)};
        });
  });
  if (!now) throw Error(ErrorCode::kUnauthenticated, "sign in again");
  if (now->hash) {
    if (!current) {
      throw Error(ErrorCode::kForbidden, "give your current password to choose another");
    }
    const std::string key = "person:" + principal.person_id;
    count_attempt(key, peer);
    if (!password_fits(now->hash, *current)) {
      throw Error(ErrorCode::kForbidden, "the current password is another one");
    }
    forgive(key, peer);
  } else if (principal.is_bound && now->elsewhere) {
    throw Error(ErrorCode::kForbidden,
                "your account reaches beyond this organisation: its first password is set with a "
                "link that the operator makes at the command line");
  }
  const std::string hash = hash_password(password);
  write([&](store::Transaction& tx) {
    store_password(tx, principal.person_key, hash);
    tx.execute("DELETE FROM session WHERE person_id = $1 AND id <> $2",
               {principal.person_key, principal.session_key});
  });
}

void Identity::store_password(store::Transaction& tx, int64_t person, const std::string& hash) {
  tx.execute("UPDATE person SET password_hash = $2 WHERE id = $1", {person, hash});
}

}  // namespace hone::label
