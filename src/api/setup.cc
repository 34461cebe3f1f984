#include "api/setup.h"

#include "label/events.h"
#include "label/members.h"

namespace hone::api {

MadePerson add_person_to(Platform& platform, const label::OrganisationRecord& organisation,
                         const label::NewPerson& person, const std::string& made_by) {
  label::Identity& identity = platform.identity();
  label::NewPerson wanted = person;
  if (wanted.id.empty()) wanted.id = identity.new_person_id();
  if (!wanted.email.empty()) {
    identity.read([&](store::Connection& db) {
      identity.require_free_email(db, organisation.key, wanted.email);
    });
  }
  label::Organisation& place = platform.organisation(organisation.id);
  MadePerson made;
  made.member_id = place.write(store::Durability::kDisk, [&](store::Transaction& tx) {
    const label::Actor actor = {.id = made_by, .member_id = 0, .role = label::Role::kOwner};
    label::record_event(tx, platform.env().now_ms(), actor,
                        {.kind = "person.added",
                         .object = wanted.id,
                         .project_id = std::nullopt,
                         .from = "",
                         .to = label::role_name(wanted.role)});
    return label::ensure_member(
               place, tx, actor,
               {.person_id = wanted.id, .name = wanted.name, .skills = {}, .languages = {}})
        .id;
  });
  made.person = identity.write(
      [&](store::Transaction& tx) { return identity.add_person(tx, organisation.key, wanted); });
  return made;
}

MadeOrganisation add_organisation(Platform& platform, const NewOrganisation& wanted,
                                  const std::string& made_by) {
  label::Identity& identity = platform.identity();
  if (!wanted.owner_email.empty()) label::Identity::normalised_email(wanted.owner_email);
  const std::string id = identity.new_organisation_id();
  platform.make_organisation_database(id);
  MadeOrganisation made;
  made.organisation = identity.write(
      [&](store::Transaction& tx) { return identity.add_organisation(tx, id, wanted.name); });
  made.owner = add_person_to(platform, made.organisation,
                             {.id = {},
                              .name = wanted.owner_name,
                              .email = wanted.owner_email,
                              .role = label::Role::kOwner,
                              .is_operator = wanted.owner_is_operator},
                             made_by)
                   .person;
  made.link_token = identity.write([&](store::Transaction& tx) {
    // A link for an operator is the operator's own; one for another owner stays where it belongs.
    return identity.make_sign_in_link(tx, made.owner.key, made.organisation.key,
                                      !wanted.owner_is_operator);
  });
  return made;
}

std::string make_operator_link(Platform& platform, const label::OrganisationRecord& organisation,
                               int64_t person) {
  label::Identity& identity = platform.identity();
  return identity.write([&](store::Transaction& tx) {
    return identity.make_sign_in_link(tx, person, organisation.key, false);
  });
}

}  // namespace hone::api
