// People: their addresses, roles and memberships.
#include <algorithm>

#include "label/identity.h"

namespace hone::label {
namespace {

constexpr std::string_view kPersonColumns = R"(
SELECT p.id, p.public_id, p.name, p.email_sealed, m.role, p.password_hash IS NOT NULL,
       m.created_at_ms,
       (SELECT max(s.last_seen_at_ms) FROM session s WHERE s.person_id = p.id AND s.organisation_id = m.organisation_id)
  FROM membership m JOIN person p ON p.id = m.person_id
 WHERE m.organisation_id = $1 AND m.ended_at_ms IS NULL )";

struct PersonRow {
  PersonRecord record;
  std::string sealed;
};

PersonRow read_person(const store::Row& row) {
  PersonRow person;
  person.record = {.key = row.int64(0),
                   .id = row.string(1),
                   .name = row.string(2),
                   .email = {},
                   .role = role_from_name(row.text(4)).value_or(Role::kViewer),
                   .has_password = row.boolean(5),
                   .created_at_ms = row.int64(6),
                   .last_seen_at_ms = row.optional_int64(7)};
  if (!row.is_null(3)) person.sealed = std::string(row.bytes(3));
  return person;
}

// A pattern for LIKE … ESCAPE '\' that finds the text anywhere.
std::string like_pattern(std::string_view text) {
  std::string pattern = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + "%";
}

void require_owner_for_owners(Role actor, Role from, Role to) {
  if ((from == Role::kOwner || to == Role::kOwner) && actor != Role::kOwner) {
    throw Error(ErrorCode::kForbidden,
                "only an owner makes or unmakes owners; ask an owner of this organisation");
  }
}

}  // namespace

std::string Identity::normalised_email(std::string_view email) {
  const size_t first = email.find_first_not_of(" \t");
  const size_t last = email.find_last_not_of(" \t");
  if (first == std::string_view::npos) throw invalid_input("the e-mail address is empty");
  email = email.substr(first, last - first + 1);
  const size_t at = email.rfind('@');
  const bool plausible = at != std::string_view::npos && at > 0 && at + 1 < email.size() &&
                         email.size() <= 254 &&
                         std::none_of(email.begin(), email.end(), [](char c) {
                           return static_cast<unsigned char>(c) <= ' ' || c == 0x7f || c == '<' ||
                                  c == '>' || c == ',' || c == ';' || c == '"';
                         });
  if (!plausible) {
    throw invalid_input("'" + std::string(email.substr(0, 100)) +
                        "' is not an e-mail address (name@host)");
  }
  std::string text(email);
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

PersonRecord Identity::add_person(store::Transaction& tx, int64_t organisation,
                                  const NewPerson& person) {
  const int64_t now_ms = env_.now_ms();
  std::optional<std::string> digest;
  std::string sealed;
  std::string email;
  if (!person.email.empty()) {
    email = normalised_email(person.email);
    digest = email_digest(email);
    sealed = box_.seal(env_, email, "email:" + person.id);
    const auto holder = tx.query_int64("SELECT id FROM person WHERE email_digest = $1", {*digest});
    if (holder) {
      require_free_email(tx, organisation, email);
      // Somebody who belongs nowhere any more signs in nowhere: the address is free.
      const int64_t freed = tx.execute(
          "UPDATE person SET email_digest = NULL WHERE id = $1 AND is_operator = 0 AND NOT EXISTS "
          "(SELECT 1 FROM membership WHERE person_id = $1 AND ended_at_ms IS NULL)",
          {*holder});
      if (freed == 0) digest.reset();
    }
  }
  tx.execute(
      "INSERT INTO person (public_id, name, email_digest, email_sealed, is_operator, "
      "created_at_ms) VALUES ($1, $2, $3, $4, $5, $6)",
      {person.id, person.name, digest,
       sealed.empty() ? store::Value() : store::Value(store::Bytes{sealed}), person.is_operator,
       now_ms});
  const int64_t key = tx.last_insert_id();
  add_membership(tx, organisation, key, person.role);
  return {.key = key,
          .id = person.id,
          .name = person.name,
          .email = email,
          .role = person.role,
          .created_at_ms = now_ms};
}

void Identity::require_free_email(store::Connection& db, int64_t organisation,
                                  std::string_view email) {
  const auto is_here = db.query_int64(
      "SELECT 1 FROM membership m JOIN person p ON p.id = m.person_id "
      "WHERE p.email_digest = $1 AND m.organisation_id = $2 AND m.ended_at_ms IS NULL",
      {email_digest(normalised_email(email)), organisation});
  if (is_here) {
    throw Error(ErrorCode::kConflict, "a member of this organisation has this address already");
  }
}

void Identity::add_membership(store::Transaction& tx, int64_t organisation, int64_t person,
                              Role role) {
  tx.execute(
      "INSERT INTO membership (person_id, organisation_id, role, created_at_ms) "
      "VALUES ($1, $2, $3, $4) ON CONFLICT (person_id, organisation_id) DO UPDATE "
      "SET role = excluded.role, created_at_ms = excluded.created_at_ms, ended_at_ms = NULL "
      "WHERE membership.ended_at_ms IS NOT NULL",
      {person, organisation, role_name(role), env_.now_ms()});
}

PersonRecord Identity::person(store::Connection& db, int64_t organisation,
                              std::string_view person_id) {
  auto found = db.query_one(std::string(kPersonColumns) + "AND p.public_id = $2",
                            {organisation, person_id}, read_person);
  if (!found) throw not_found("there is no such person in this organisation");
  found->record.email = unsealed_email(found->sealed, found->record.id);
  return std::move(found->record);
}

std::vector<PersonRecord> Identity::people(store::Connection& db, int64_t organisation,
                                           std::string_view q, int64_t after_key, int limit) {
  const std::string pattern = like_pattern(q);
  // A whole address finds its person although it is kept sealed.
  const std::string digest =
      q.find('@') == std::string_view::npos ? std::string() : email_digest([&] {
        std::string lower(q);
        for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        return lower;
      }());
  const auto rows =
      db.query_all(std::string(kPersonColumns) +
                       "AND p.id > $2 AND (p.name LIKE $3 ESCAPE '\\' OR p.email_digest = $4) "
                       "ORDER BY p.id LIMIT $5",
                   {organisation, after_key, pattern, digest, limit}, read_person);
  std::vector<PersonRecord> people;
  people.reserve(rows.size());
  for (const PersonRow& row : rows) {
    people.push_back(row.record);
    people.back().email = unsealed_email(row.sealed, row.record.id);
  }
  return people;
}

void Identity::require_not_last_owner(store::Connection& db, int64_t organisation) {
  const auto owners = db.query_int64(
      "SELECT count(*) FROM membership m JOIN person p ON p.id = m.person_id "
      "WHERE m.organisation_id = $1 AND m.role = 'owner' AND m.ended_at_ms IS NULL "
      "AND p.disabled_at_ms IS NULL",
      {organisation});
  if (owners.value_or(0) <= 1) {
    throw Error(ErrorCode::kConflict,
                "this is the last owner of the organisation; make somebody else an owner first");
  }
}

void Identity::check_role_change(store::Connection& db, Role actor, int64_t organisation,
                                 std::string_view person_id, Role role) {
  const PersonRecord now = person(db, organisation, person_id);
  if (now.role == role) return;
  require_owner_for_owners(actor, now.role, role);
  if (now.role == Role::kOwner) require_not_last_owner(db, organisation);
}

void Identity::set_role(store::Transaction& tx, Role actor, int64_t organisation,
                        std::string_view person_id, Role role) {
  check_role_change(tx, actor, organisation, person_id, role);
  tx.execute(
      "UPDATE membership SET role = $3 WHERE organisation_id = $2 "
      "AND person_id = (SELECT id FROM person WHERE public_id = $1)",
      {person_id, organisation, role_name(role)});
}

void Identity::end_membership(store::Transaction& tx, Role actor, int64_t organisation,
                              std::string_view person_id) {
  const PersonRecord now = person(tx, organisation, person_id);
  require_owner_for_owners(actor, now.role, now.role);
  if (now.role == Role::kOwner) require_not_last_owner(tx, organisation);
  tx.execute("UPDATE membership SET ended_at_ms = $3 WHERE person_id = $1 AND organisation_id = $2",
             {now.key, organisation, env_.now_ms()});
  end_access(tx, organisation, now.key);
}

void Identity::end_access(store::Transaction& tx, int64_t organisation, int64_t person) {
  tx.execute("DELETE FROM session WHERE person_id = $1 AND organisation_id = $2",
             {person, organisation});
  tx.execute(
      "UPDATE access_token SET revoked_at_ms = $3 "
      "WHERE person_id = $1 AND organisation_id = $2 AND revoked_at_ms IS NULL",
      {person, organisation, env_.now_ms()});
  tx.execute("DELETE FROM sign_in_link WHERE person_id = $1 AND organisation_id = $2",
             {person, organisation});
}

void Identity::rename_person(store::Transaction& tx, int64_t organisation,
                             std::string_view person_id, std::string_view name) {
  const PersonRecord now = person(tx, organisation, person_id);
  tx.execute(
      "UPDATE person SET name = $2 WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM membership "
      "WHERE person_id = $1 AND organisation_id <> $3 AND ended_at_ms IS NULL)",
      {now.key, name, organisation});
}

}  // namespace hone::label
