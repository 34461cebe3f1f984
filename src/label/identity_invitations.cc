// Invitations: a role in an organisation for whoever holds the link, once, within a week.
#include "label/identity.h"
#include "label/public_id.h"

namespace hone::label {
namespace {

constexpr std::string_view kColumns = R"(
SELECT i.id, i.public_id, i.organisation_id, o.public_id, o.name, i.role, i.name, i.email_sealed,
       i.skills, i.languages, i.created_at_ms, i.expires_at_ms, i.accepted_at_ms, i.revoked_at_ms
  FROM invitation i JOIN organisation o ON o.id = i.organisation_id )";

struct InvitationRow {
  InvitationRecord record;
  std::string sealed;
  bool accepted = false;
  bool revoked = false;
};

InvitationRow read_invitation(const store::Row& row) {
  InvitationRow read;
  InvitationRecord& record = read.record;
  record.key = row.int64(0);
  record.id = row.string(1);
  record.organisation_key = row.int64(2);
  record.organisation_id = row.string(3);
  record.organisation_name = row.string(4);
  record.role = role_from_name(row.text(5)).value_or(Role::kViewer);
  record.name = row.string(6);
  if (!row.is_null(7)) read.sealed = std::string(row.bytes(7));
  record.skills = row.string(8);
  record.languages = row.string(9);
  record.created_at_ms = row.int64(10);
  record.expires_at_ms = row.int64(11);
  read.accepted = !row.is_null(12);
  read.revoked = !row.is_null(13);
  return read;
}

std::string state_of(const InvitationRow& row, int64_t now_ms) {
  if (row.accepted) return "accepted";
  if (row.revoked) return "revoked";
  return row.record.expires_at_ms <= now_ms ? "expired" : "open";
}

Error no_invitation() {
  return not_found(
      "this invitation was used, withdrawn, is older than a week or never was one; ask for a new "
      "one");
}

}  // namespace

Identity::MadeInvitation Identity::add_invitation(store::Transaction& tx, const Principal& actor,
                                                  const NewInvitation& invitation) {
  if (invitation.role == Role::kOwner && actor.role != Role::kOwner) {
    throw Error(ErrorCode::kForbidden, "only an owner invites owners");
  }
  const int64_t now_ms = env_.now_ms();
  const auto open = tx.query_int64(
      "SELECT count(*) FROM invitation WHERE organisation_id = $1 AND accepted_at_ms IS NULL "
      "AND revoked_at_ms IS NULL AND expires_at_ms > $2",
      {actor.organisation_key, now_ms});
  if (open.value_or(0) >= kOpenInvitationsMax) {
    throw Error(ErrorCode::kConflict, "there are " + std::to_string(kOpenInvitationsMax) +
                                          " open invitations already; withdraw some first");
  }
  MadeInvitation made;
  InvitationRecord& record = made.invitation;
  made.token = seal::new_token(env_);
  record.id = make_public_id(env_, "inv");
  record.organisation_key = actor.organisation_key;
  record.organisation_id = actor.organisation_id;
  record.organisation_name = actor.organisation_name;
  record.role = invitation.role;
  record.name = invitation.name;
  record.skills = invitation.skills;
  record.languages = invitation.languages;
  record.created_at_ms = now_ms;
  record.expires_at_ms = now_ms + kInvitationLifeMs;
  record.state = "open";
  std::string sealed;
  if (!invitation.email.empty()) {
    record.email = normalised_email(invitation.email);
    sealed = box_.seal(env_, record.email, "email:" + record.id);
  }
  tx.execute(
      "INSERT INTO invitation (public_id, organisation_id, token_digest, role, name, email_sealed, "
      "skills, languages, invited_by, created_at_ms, expires_at_ms) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
      {record.id, actor.organisation_key, seal::token_digest(made.token), role_name(record.role),
       record.name, sealed.empty() ? store::Value() : store::Value(store::Bytes{sealed}),
       record.skills, record.languages, actor.person_key, now_ms, record.expires_at_ms});
  record.key = tx.last_insert_id();
  return made;
}

std::vector<InvitationRecord> Identity::invitations(store::Connection& db, int64_t organisation,
                                                    int64_t before_key, int limit) {
  const auto rows = db.query_all(
      std::string(kColumns) +
          "WHERE i.organisation_id = $1 AND ($2 = 0 OR i.id < $2) ORDER BY i.id DESC LIMIT $3",
      {organisation, before_key, limit}, read_invitation);
  std::vector<InvitationRecord> all;
  for (const InvitationRow& row : rows) {
    all.push_back(row.record);
    all.back().state = state_of(row, env_.now_ms());
    all.back().email = unsealed_email(row.sealed, row.record.id);
  }
  return all;
}

void Identity::revoke_invitation(store::Transaction& tx, int64_t organisation,
                                 std::string_view id) {
  const int64_t changed = tx.execute(
      "UPDATE invitation SET revoked_at_ms = $3 WHERE public_id = $2 AND organisation_id = $1 "
      "AND accepted_at_ms IS NULL AND revoked_at_ms IS NULL",
      {organisation, id, env_.now_ms()});
  if (changed == 0) throw not_found("there is no such open invitation");
}

InvitationRecord Identity::open_invitation(store::Connection& db, std::string_view token) {
  auto row =
      db.query_one(std::string(kColumns) + "WHERE i.token_digest = $1 AND o.closed_at_ms IS NULL",
                   {seal::token_digest(token)}, read_invitation);
  if (!row || state_of(*row, env_.now_ms()) != "open") throw no_invitation();
  row->record.email = unsealed_email(row->sealed, row->record.id);
  row->record.state = "open";
  return std::move(row->record);
}

void Identity::use_invitation(store::Transaction& tx, int64_t invitation) {
  const int64_t now_ms = env_.now_ms();
  const int64_t changed = tx.execute(
      "UPDATE invitation SET accepted_at_ms = $2 WHERE id = $1 AND accepted_at_ms IS NULL "
      "AND revoked_at_ms IS NULL AND expires_at_ms > $2",
      {invitation, now_ms});
  if (changed == 0) throw no_invitation();
}

}  // namespace hone::label
