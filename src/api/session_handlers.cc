// Signing in and out, and invitations as the invited see them.
#include "api/handlers.h"
#include "label/members.h"
#include "seal/secret_box.h"

namespace hone::api {
namespace {

Json session_body(Call& call, const label::Principal& principal) {
  label::Identity& identity = call.platform.identity();
  Json body = Json::object();
  Json& person = body["person"];
  person["id"] = principal.person_id;
  person["name"] = principal.person_name;
  person["locale"] = principal.locale;
  const bool belongs = principal.organisation_key != 0;
  Json organisation;
  if (belongs) {
    organisation["id"] = principal.organisation_id;
    organisation["name"] = principal.organisation_name;
  }
  body["organisation"] = std::move(organisation);
  body["role"] = belongs ? Json(label::role_name(principal.role)) : Json();
  Json permissions = Json::array();
  for (const label::Permission each : label::all_permissions()) {
    if (belongs && label::can(principal.role, each)) {
      permissions.push_back(label::permission_name(each));
    }
  }
  body["permissions"] = std::move(permissions);
  body["csrf_token"] = principal.csrf_token;
  Json organisations = Json::array();
  const auto memberships = identity.read(
      [&](store::Connection& db) { return identity.memberships(db, principal.person_key); });
  for (const label::MembershipRecord& each : memberships) {
    if (principal.is_bound && each.organisation.key != principal.organisation_key) continue;
    Json entry;
    entry["id"] = each.organisation.id;
    entry["name"] = each.organisation.name;
    entry["role"] = label::role_name(each.role);
    organisations.push_back(std::move(entry));
  }
  body["organisations"] = std::move(organisations);
  body["version"] = call.platform.options().version;
  body["has_password"] = principal.has_password;
  body["is_operator"] = principal.is_operator;
  const auto demo = call.platform.demo_project(principal.organisation_id);
  body["demo_project"] = demo ? Json(*demo) : Json();
  return body;
}

http::Cookie session_cookie(const Call& call, std::string value, int64_t max_age_seconds) {
  return {.name = std::string(kSessionCookie),
          .value = std::move(value),
          .path = "/",
          .max_age_seconds = max_age_seconds,
          .http_only = true,
          .secure = call.request.tls,
          .same_site = "Strict"};
}

// The answer to every way of signing in.
http::Response opened_response(Call& call, const label::OpenedSession& opened) {
  const auto principal = call.platform.identity().principal_of_session(opened.cookie);
  if (principal == nullptr) {
    throw Error(ErrorCode::kUnauthenticated,
                "you belong to no organisation any more; ask for an invitation");
  }
  http::Response response = json_response(200, session_body(call, *principal));
  response.headers.add("Set-Cookie", http::set_cookie(session_cookie(
                                         call, opened.cookie, label::kSessionLifeMs / 1000)));
  return response;
}

// A session of this browser that the new one takes the place of.
int64_t replaced_session(const Call& call) {
  return call.principal == nullptr ? 0 : call.principal->session_key;
}

std::string_view user_agent(const Call& call) { return call.request.headers.get("User-Agent"); }

}  // namespace

std::string page_link(const http::Request& request, std::string_view page, std::string_view token) {
  const std::string_view host = request.headers.get("Host");
  std::string link;
  if (!host.empty()) link = (request.tls ? "https://" : "http://") + std::string(host);
  return link + "/" + std::string(page) + "#token=" + std::string(token);
}

http::Response read_session(Call& call) {
  return json_response(200, session_body(call, call.who()));
}

http::Response sign_in(Call& call) {
  label::Identity& identity = call.platform.identity();
  return opened_response(call,
                         identity.sign_in_with_password(call.text("email"), call.text("password"),
                                                        call.request.peer_address, user_agent(call),
                                                        replaced_session(call)));
}

http::Response sign_in_by_link(Call& call) {
  label::Identity& identity = call.platform.identity();
  return opened_response(call,
                         identity.sign_in_with_link(call.text("token"), call.request.peer_address,
                                                    user_agent(call), replaced_session(call)));
}

http::Response choose_organisation(Call& call) {
  const label::Principal& who = call.who();
  if (who.is_token()) {
    throw Error(ErrorCode::kForbidden, "a token belongs to one organisation; make one there");
  }
  label::Identity& identity = call.platform.identity();
  const label::OpenedSession opened = identity.write([&](store::Transaction& tx) {
    return identity.switch_organisation(tx, who, call.text("organisation_id"), user_agent(call));
  });
  return opened_response(call, opened);
}

http::Response change_password(Call& call) {
  if (call.who().is_token()) {
    throw Error(ErrorCode::kForbidden,
                "a password is changed by its person, signed in, not by a token");
  }
  call.platform.identity().set_password(call.who(), call.maybe_text("current"), call.text("new"),
                                        call.request.peer_address);
  return no_content();
}

http::Response sign_out(Call& call) {
  const label::Principal& who = call.who();
  if (who.is_token()) {
    throw Error(ErrorCode::kForbidden, "a token does not sign out; delete it with DELETE /tokens");
  }
  label::Identity& identity = call.platform.identity();
  identity.write([&](store::Transaction& tx) { identity.close_session(tx, who.session_key); });
  http::Response response = no_content();
  response.headers.add("Set-Cookie", http::set_cookie(session_cookie(call, "", 0)));
  return response;
}

http::Response preview_invitation(Call& call) {
  label::Identity& identity = call.platform.identity();
  const label::InvitationRecord invitation = identity.read(
      [&](store::Connection& db) { return identity.open_invitation(db, call.text("token")); });
  Json body = Json::object();
  body["organisation"]["name"] = invitation.organisation_name;
  body["role"] = label::role_name(invitation.role);
  body["name"] = invitation.name;
  return json_response(200, body);
}

namespace {

std::vector<std::string> texts_of(const std::string& json) {
  std::vector<std::string> texts;
  const Json list = Json::parse(json).value();
  for (const Json& each : list.as_array()) texts.push_back(each.as_string());
  return texts;
}

// Somebody signed in who is not here yet joins as who they are; anybody else becomes a new person.
bool joins_as_themselves(const Call& call, const label::InvitationRecord& invitation) {
  if (call.principal == nullptr || call.principal->is_token() || call.principal->is_bound) {
    return false;
  }
  label::Identity& identity = call.platform.identity();
  const auto memberships = identity.read(
      [&](store::Connection& db) { return identity.memberships(db, call.principal->person_key); });
  for (const label::MembershipRecord& each : memberships) {
    if (each.organisation.key == invitation.organisation_key) return false;
  }
  return true;
}

}  // namespace

http::Response accept_invitation(Call& call) {
  label::Identity& identity = call.platform.identity();
  const label::InvitationRecord invitation = identity.read(
      [&](store::Connection& db) { return identity.open_invitation(db, call.text("token")); });
  const auto password = call.maybe_text("password");
  std::string hash;
  if (password) {
    label::Identity::check_password(*password);
    hash = identity.hash_password(*password);
  }
  const bool joins = joins_as_themselves(call, invitation);
  const std::string person_id = joins ? call.principal->person_id : identity.new_person_id();
  const std::string name = joins ? call.principal->person_name : call.text("name");
  // The organisation first, control.db second (decisions 2.7).
  label::Organisation& organisation = call.platform.organisation(invitation.organisation_id);
  organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
    label::ensure_member(organisation, tx, label::system_actor(),
                         {.person_id = person_id,
                          .name = name,
                          .skills = texts_of(invitation.skills),
                          .languages = texts_of(invitation.languages)});
  });
  const label::OpenedSession opened = identity.write([&](store::Transaction& tx) {
    identity.use_invitation(tx, invitation.key);
    int64_t person = 0;
    if (joins) {
      person = call.principal->person_key;
      identity.add_membership(tx, invitation.organisation_key, person, invitation.role);
    } else {
      person = identity
                   .add_person(tx, invitation.organisation_key,
                               {.id = person_id,
                                .name = name,
                                .email = invitation.email,
                                .role = invitation.role})
                   .key;
      if (!hash.empty()) identity.store_password(tx, person, hash);
    }
    if (const int64_t old = replaced_session(call); old != 0) identity.close_session(tx, old);
    return identity.open_session(tx, person, invitation.organisation_key, false, user_agent(call));
  });
  return opened_response(call, opened);
}

}  // namespace hone::api
