// The organisation itself, its invitations, and, for operators, the other organisations.
#include "api/handlers.h"
#include "api/setup.h"
#include "label/events.h"
#include "label/members.h"
#include "label/projects.h"

namespace hone::api {
namespace {

Json invitation_json(const label::InvitationRecord& invitation) {
  Json body = Json::object();
  body["id"] = invitation.id;
  body["role"] = label::role_name(invitation.role);
  body["name"] = invitation.name;
  body["email"] = invitation.email.empty() ? Json() : Json(invitation.email);
  body["created_at"] = time_text(invitation.created_at_ms);
  body["expires_at"] = time_text(invitation.expires_at_ms);
  body["state"] = invitation.state;
  return body;
}

std::string texts_text(const std::optional<std::vector<std::string>>& texts) {
  return texts_json(texts.value_or(std::vector<std::string>())).dump();
}

void record_here(Call& call, const label::Actor& actor, std::string_view kind,
                 std::string_view object, std::string_view from, std::string_view to) {
  call.organisation().write(store::Durability::kDisk, [&](store::Transaction& tx) {
    label::record_event(
        tx, call.now_ms(), actor,
        {.kind = kind, .object = object, .project_id = std::nullopt, .from = from, .to = to});
  });
}

}  // namespace

http::Response list_invitations(Call& call) {
  label::Identity& identity = call.platform.identity();
  const PageRequest page = read_page(call.request.query);
  const auto invitations = identity.read([&](store::Connection& db) {
    return identity.invitations(db, call.who().organisation_key,
                                page.after.empty() ? 0 : page.after[0], page.limit + 1);
  });
  Json::Array items;
  std::optional<std::string> next;
  for (const label::InvitationRecord& each : invitations) {
    if (items.size() == static_cast<size_t>(page.limit)) {
      next = write_cursor({invitations[items.size() - 1].key});
      break;
    }
    items.push_back(invitation_json(each));
  }
  return json_response(200, page_body(std::move(items), next));
}

http::Response make_invitation(Call& call) {
  label::Identity& identity = call.platform.identity();
  const label::Actor actor = call.actor();
  return once_over_both(call, [&]() -> Answer {
    const label::NewInvitation wanted = {.role = *label::role_from_name(call.text("role")),
                                         .name = call.text("name"),
                                         .email = call.text("email"),
                                         .skills = texts_text(call.maybe_texts("skills")),
                                         .languages = texts_text(call.maybe_texts("languages"))};
    const auto made = identity.write(
        [&](store::Transaction& tx) { return identity.add_invitation(tx, call.who(), wanted); });
    record_here(call, actor, "invitation.made", made.invitation.id, "",
                label::role_name(made.invitation.role));
    Json body = Json::object();
    body["invitation"] = invitation_json(made.invitation);
    body["link"] = page_link(call.request, "invitation", made.token);
    return {.status = 201, .body = std::move(body), .has_secret = true};
  });
}

http::Response withdraw_invitation(Call& call) {
  label::Identity& identity = call.platform.identity();
  const label::Actor actor = call.actor();
  return once_over_both(call, [&]() -> Answer {
    identity.write([&](store::Transaction& tx) {
      identity.revoke_invitation(tx, call.who().organisation_key, call.id("invitation_id"));
    });
    record_here(call, actor, "invitation.withdrawn", call.id("invitation_id"), "open", "revoked");
    return {.status = 204};
  });
}

namespace {

Json organisation_json(Call& call) {
  label::Identity& identity = call.platform.identity();
  const label::Principal& who = call.who();
  Json body = Json::object();
  identity.read([&](store::Connection& db) {
    const label::OrganisationRecord record = identity.organisation(db, who.organisation_id);
    body["id"] = record.id;
    body["name"] = record.name;
    body["created_at"] = time_text(record.created_at_ms);
    body["people"] = identity.count_people(db, record.key);
  });
  body["projects"] = call.organisation().read([](store::Connection& db) {
    return db.query_int64("SELECT count(*) FROM project").value_or(0);
  });
  return body;
}

Json organisation_row_json(const label::OrganisationRecord& record) {
  Json body = Json::object();
  body["id"] = record.id;
  body["name"] = record.name;
  body["created_at"] = time_text(record.created_at_ms);
  return body;
}

}  // namespace

http::Response read_organisation(Call& call) { return json_response(200, organisation_json(call)); }

http::Response change_organisation(Call& call) {
  label::Identity& identity = call.platform.identity();
  const label::Actor actor = call.actor();
  return once_over_both(call, [&]() -> Answer {
    record_here(call, actor, "organisation.renamed", call.who().organisation_id, "", "");
    identity.write([&](store::Transaction& tx) {
      identity.rename_organisation(tx, call.who().organisation_key, call.text("name"));
    });
    return {.status = 200, .body = organisation_json(call)};
  });
}

http::Response list_organisations(Call& call) {
  label::Identity& identity = call.platform.identity();
  const PageRequest page = read_page(call.request.query);
  const auto records = identity.read([&](store::Connection& db) {
    return identity.organisations(db, page.after.empty() ? 0 : page.after[0], page.limit + 1);
  });
  Json::Array items;
  std::optional<std::string> next;
  for (const label::OrganisationRecord& each : records) {
    if (items.size() == static_cast<size_t>(page.limit)) {
      next = write_cursor({records[items.size() - 1].key});
      break;
    }
    items.push_back(organisation_row_json(each));
  }
  return json_response(200, page_body(std::move(items), next));
}

http::Response make_organisation(Call& call) {
  return once_over_both(call, [&]() -> Answer {
    const Json& owner = call.body.at("owner");
    const Json* email = owner.find("email");
    const NewOrganisation wanted = {
        .name = call.text("name"),
        .owner_name = owner.at("name").as_string(),
        .owner_email = email == nullptr || email->is_null() ? "" : email->as_string()};
    const MadeOrganisation made = add_organisation(call.platform, wanted, call.who().person_id);
    Json body = Json::object();
    body["organisation"] = organisation_row_json(made.organisation);
    body["sign_in_link"] = page_link(call.request, "sign-in", made.link_token);
    return {.status = 201, .body = std::move(body), .has_secret = true};
  });
}

}  // namespace hone::api
