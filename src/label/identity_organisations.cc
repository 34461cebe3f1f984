// Organisations and who belongs to them.
#include "label/identity.h"

namespace hone::label {
namespace {

OrganisationRecord read_organisation(const store::Row& row) {
  return {.key = row.int64(0),
          .id = row.string(1),
          .name = row.string(2),
          .created_at_ms = row.int64(3)};
}

constexpr std::string_view kMemberships = R"(
SELECT o.id, o.public_id, o.name, o.created_at_ms, m.role
  FROM membership m JOIN organisation o ON o.id = m.organisation_id
 WHERE m.person_id = $1 AND m.ended_at_ms IS NULL AND o.closed_at_ms IS NULL
 ORDER BY m.created_at_ms, o.id LIMIT 1000)";

constexpr std::string_view kEverybody = R"(
SELECT p.id, p.public_id, p.name, m.role, p.created_at_ms
  FROM membership m JOIN person p ON p.id = m.person_id
 WHERE m.organisation_id = $1 ORDER BY p.id)";

}  // namespace

OrganisationRecord Identity::add_organisation(store::Transaction& tx, const std::string& id,
                                              const std::string& name) {
  const int64_t now_ms = env_.now_ms();
  tx.execute("INSERT INTO organisation (public_id, name, created_at_ms) VALUES ($1, $2, $3)",
             {id, name, now_ms});
  return {.key = tx.last_insert_id(), .id = id, .name = name, .created_at_ms = now_ms};
}

OrganisationRecord Identity::organisation(store::Connection& db, std::string_view id) {
  auto found = db.query_one(
      "SELECT id, public_id, name, created_at_ms FROM organisation "
      "WHERE public_id = $1 AND closed_at_ms IS NULL",
      {id}, read_organisation);
  if (!found) throw not_found("there is no such organisation");
  return std::move(*found);
}

std::vector<OrganisationRecord> Identity::organisations(store::Connection& db, int64_t after_key,
                                                        int limit) {
  return db.query_all(
      "SELECT id, public_id, name, created_at_ms FROM organisation "
      "WHERE id > $1 AND closed_at_ms IS NULL ORDER BY id LIMIT $2",
      {after_key, limit}, read_organisation);
}

void Identity::rename_organisation(store::Transaction& tx, int64_t organisation,
                                   std::string_view name) {
  tx.execute("UPDATE organisation SET name = $2 WHERE id = $1", {organisation, name});
}

std::vector<MembershipRecord> Identity::memberships(store::Connection& db, int64_t person) {
  return db.query_all(kMemberships, {person}, [](const store::Row& row) {
    return MembershipRecord{.organisation = read_organisation(row),
                            .role = role_from_name(row.text(4)).value_or(Role::kViewer)};
  });
}

int64_t Identity::count_people(store::Connection& db, int64_t organisation) {
  return db
      .query_int64(
          "SELECT count(*) FROM membership WHERE organisation_id = $1 AND ended_at_ms IS NULL",
          {organisation})
      .value_or(0);
}

std::vector<PersonRecord> Identity::everybody(store::Connection& db, int64_t organisation) {
  return db.query_all(kEverybody, {organisation}, [](const store::Row& row) {
    return PersonRecord{.key = row.int64(0),
                        .id = row.string(1),
                        .name = row.string(2),
                        .role = role_from_name(row.text(3)).value_or(Role::kViewer),
                        .created_at_ms = row.int64(4)};
  });
}

}  // namespace hone::label
