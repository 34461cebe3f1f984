#pragma once
// The demo project of a new data folder: the shipped pairs, three invented people of different care who
// have labelled most of them in the last days, and a fresh queue for whoever opens the page. Every
// label went through the same leases, answers and events as a real one; only the clock and the
// people are made up.

#include <string>

#include "api/platform.h"
#include "cli/shifted_env.h"

namespace hone::cli {

struct DemoProject {
  std::string project_id;
  int64_t tasks = 0, labels = 0;
};

// Inside an organisation that has no project yet. owner: who will own it. The clock of env is moved
// while this runs and stands right afterwards; no request may be served meanwhile.
DemoProject make_demo_project(ShiftedEnv& env, api::Platform& platform,
                              const std::string& organisation_id, const label::Actor& owner);

}  // namespace hone::cli
