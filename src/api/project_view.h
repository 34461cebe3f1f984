#pragma once
// What several handler files say about projects: who sees one, and how it is shown to whom.

#include <optional>
#include <string>
#include <string_view>

#include "api/call.h"
#include "label/projects.h"

namespace hone::api {

// Annotators see the projects that they may label, and of those no results (docs/roles.md).
bool sees_results(const Call& call);

// The project of the path. Throws not_found, for an annotator also for one they may not label.
label::Project visible_project(Call& call, store::Connection& db, const label::Actor& actor);

// actor: whose share `mine` is, when it is an annotator's view.
Json project_json(Call& call, store::Connection& db, const label::Project& project,
                  const label::Actor& actor);

// {id, name} of a person, token or the system; viewers get the pseudonym.
Json named_actor(const Call& call, store::Connection& db, const std::string& actor_id);

}  // namespace hone::api
