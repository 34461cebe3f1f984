#pragma once
// Organisations and their first people, for the api and for the command line (hone up, hone user add).
// Organisation first, control second (decisions 2.7).

#include <string>

#include "api/platform.h"
#include "label/identity.h"

namespace hone::api {

struct NewOrganisation {
  std::string name;
  std::string owner_name;
  std::string owner_email = {};    // empty = none
  bool owner_is_operator = false;  // of the installation: the first one, by hone up
};
struct MadeOrganisation {
  label::OrganisationRecord organisation;
  label::PersonRecord owner;
  std::string link_token;  // signs the owner in, once, within 15 minutes
};
// made_by: usr_… or "system". Throws what the databases throw.
MadeOrganisation add_organisation(Platform& platform, const NewOrganisation& wanted,
                                  const std::string& made_by);

struct MadePerson {
  label::PersonRecord person;
  int64_t member_id = 0;
};
// For the operator at the command line and for the demo; handlers ask permissions first.
MadePerson add_person_to(Platform& platform, const label::OrganisationRecord& organisation,
                         const label::NewPerson& person, const std::string& made_by);

// A link that signs this person in without bounds: made by the operator.
std::string make_operator_link(Platform& platform, const label::OrganisationRecord& organisation,
                               int64_t person);

}  // namespace hone::api
