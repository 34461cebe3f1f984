// THE table: every route of /api/v1, who may ask, what it takes, what it gives. docs/api.md says the
// same for people; a test holds the two together.
#include "api/handlers.h"
#include "api/route.h"

namespace hone::api {
namespace {

using P = label::Permission;
using S = label::Scope;

constexpr uint64_t kBigBody = 1 << 20;  // guidelines, schemas, answers

Gives gives(std::string_view shape, int status = 200) { return {.status = status, .shape = shape}; }
Gives list_of(std::string_view shape) { return {.shape = shape, .is_list = true}; }
Gives nothing(int status = 204) { return {.status = status}; }
Takes body(std::string_view shape, uint64_t max_bytes = 64 * 1024) {
  return {.body = shape, .max_bytes = max_bytes};
}
Takes query(std::vector<Field> fields) { return {.query = std::move(fields)}; }

std::vector<ApiRoute> session_routes() {
  return {
      {"GET",
       "/session",
       "session.read",
       kSignedIn,
       S::kRead,
       read_session,
       "Who is asking and what they may",
       {},
       gives("Session")},
      {"POST", "/session", "session.sign_in", kAnyone, S::kAll, sign_in,
       "Sign in with address and password", body("SignIn"), gives("Session")},
      {"POST", "/session/link", "session.link", kAnyone, S::kAll, sign_in_by_link,
       "Sign in with a link that works once", body("LinkToken"), gives("Session")},
      {"POST", "/session/organisation", "session.organisation", kSignedIn, S::kAll,
       choose_organisation, "Go to another of one's organisations", body("ChooseOrganisation"),
       gives("Session")},
      {"POST", "/session/password", "session.password", kSignedIn, S::kAll, change_password,
       "Choose a password", body("NewPassword"), nothing()},
      {"DELETE",
       "/session",
       "session.sign_out",
       kSignedIn,
       S::kAll,
       sign_out,
       "Sign out",
       {},
       nothing()},
      {"POST", "/invitations/preview", "invitation.preview", kAnyone, S::kAll, preview_invitation,
       "What an invitation is to", body("LinkToken"), gives("InvitationPreview")},
      {"POST", "/invitations/accept", "invitation.accept", kAnyone, S::kAll, accept_invitation,
       "Join an organisation", body("AcceptInvitation"), gives("Session")},
  };
}

std::vector<ApiRoute> people_routes() {
  return {
      {"GET", "/people", "people.list", may(P::kPeopleView), S::kRead, list_people,
       "The people of the organisation", query({line("q", 0, 254)}), list_of("Person")},
      {"POST", "/people", "people.add", may(P::kPeopleManage), S::kAll, add_person, "Add a person",
       body("NewPerson"), gives("MadePerson", 201)},
      {"POST",
       "/people/import",
       "people.import",
       may(P::kPeopleManage),
       S::kAll,
       import_people,
       "Add many people from CSV or JSONL",
       {.media = "text/csv", .max_bytes = 4 * kBigBody},
       gives("PeopleImported")},
      {"PATCH", "/people/{person_id}", "people.change", may(P::kPeopleManage), S::kAll,
       change_person, "Change a person", body("PersonChange"), gives("Person")},
      {"DELETE",
       "/people/{person_id}",
       "people.remove",
       may(P::kPeopleManage),
       S::kAll,
       remove_person,
       "End a membership; what they said stays",
       {},
       nothing()},
      {"POST",
       "/people/{person_id}/link",
       "people.link",
       may(P::kPeopleManage),
       S::kAll,
       make_person_link,
       "A sign-in link for a person",
       {},
       gives("SignInLink")},
      {"GET",
       "/invitations",
       "invitations.list",
       may(P::kPeopleManage),
       S::kRead,
       list_invitations,
       "Invitations, newest first",
       {},
       list_of("Invitation")},
      {"POST", "/invitations", "invitations.make", may(P::kPeopleManage), S::kAll, make_invitation,
       "Invite somebody", body("NewInvitation"), gives("MadeInvitation", 201)},
      {"DELETE",
       "/invitations/{invitation_id}",
       "invitations.withdraw",
       may(P::kPeopleManage),
       S::kAll,
       withdraw_invitation,
       "Withdraw an invitation",
       {},
       nothing()},
      {"GET",
       "/organisation",
       "organisation.read",
       kSignedIn,
       S::kRead,
       read_organisation,
       "The organisation",
       {},
       gives("Organisation")},
      {"PATCH", "/organisation", "organisation.change", may(P::kOrganisationManage), S::kAll,
       change_organisation, "Rename the organisation", body("OrganisationChange"),
       gives("Organisation")},
      {"GET",
       "/organisations",
       "organisations.list",
       kOperators,
       S::kAll,
       list_organisations,
       "Every organisation of this installation",
       {},
       list_of("OrganisationRow")},
      {"POST", "/organisations", "organisations.make", kOperators, S::kAll, make_organisation,
       "Make an organisation with its first owner", body("NewOrganisation"),
       gives("MadeOrganisation", 201)},
  };
}

std::vector<ApiRoute> service_routes() {
  return {
      {"GET",
       "/tokens",
       "tokens.list",
       may(P::kTokenCreate),
       S::kRead,
       list_tokens,
       "Access tokens: one's own, or everybody's",
       {},
       list_of("Token")},
      {"POST", "/tokens", "tokens.make", may(P::kTokenCreate), S::kAll, make_token,
       "Make an access token; its secret is shown once", body("NewToken"), gives("MadeToken", 201)},
      {"DELETE",
       "/tokens/{token_id}",
       "tokens.revoke",
       may(P::kTokenCreate),
       S::kAll,
       revoke_token,
       "End a token",
       {},
       nothing()},
      {"GET", "/audit", "audit.list", may(P::kAuditView), S::kRead, list_audit,
       "What happened, newest first",
       query({line("object", 0, 60), line("kind", 0, 60), line("actor", 0, 60)}), list_of("Event")},
      {"GET",
       "/audit/verify",
       "audit.verify",
       may(P::kAuditView),
       S::kRead,
       verify_audit,
       "Whether the chain of events is whole",
       {},
       gives("ChainState")},
      {"GET",
       "/events",
       "events",
       may(P::kProjectView),
       S::kRead,
       listen_to_events,
       "Server-sent events of this organisation",
       {},
       {.media = "text/event-stream"}},
      {"GET",
       "/openapi.json",
       "openapi",
       kAnyone,
       S::kRead,
       read_openapi,
       "This document",
       {},
       gives("AnyObject")},
  };
}

std::vector<ApiRoute> all_routes() {
  std::vector<ApiRoute> routes;
  for (auto& part : {session_routes(), people_routes(), service_routes()}) {
    routes.insert(routes.end(), part.begin(), part.end());
  }
  return routes;
}

}  // namespace

std::span<const ApiRoute> api_routes() {
  static const std::vector<ApiRoute> kRoutes = all_routes();
  return kRoutes;
}

}  // namespace hone::api
