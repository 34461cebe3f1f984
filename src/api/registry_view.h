#pragma once
// How the registry's models, aliases and decisions are shown, and what their handlers share.

#include <string>
#include <string_view>

#include "api/call.h"
#include "registry/aliases.h"

namespace hone::api {

// Both databases are read: names of people lie in the organisation's.
Json model_json(Call& call, store::Connection& organisation_db, const registry::Model& model);
// job_id: of the measuring that goes on; empty = none.
Json alias_json(store::Connection& organisation_db, const registry::Alias& alias,
                const std::string& job_id);
Json version_json(Call& call, store::Connection& organisation_db,
                  const registry::AliasVersion& version);
Json decision_json(Call& call, store::Connection& organisation_db,
                   const registry::Promotion& promotion);

// The alias of the path; not_found.
registry::Alias alias_of_path(Call& call);

// Who decides, with the reason and the expected version of the body.
registry::Decision new_decision(Call& call, const label::Actor& actor);

// An event of the organisation's chain; ids and numbers only.
void record_registry_event(Call& call, const label::Actor& actor, std::string_view kind,
                           std::string_view object, Json data);
// What answers follows the registry, and open pages hear of it. kind: "model" or "alias".
void tell_registry(Call& call, std::string_view kind, const std::string& id);

}  // namespace hone::api
