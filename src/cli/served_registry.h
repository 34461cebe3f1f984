#pragma once
// Brings what the registry says into what a server answers with: models on the served base, and
// aliases. Called at the start and after every command about models.

#include <string>
#include <vector>

#include "api/platform.h"
#include "openai/service.h"

namespace hone::cli {

// Adapters that are served already are kept, not read again. Returns one sentence for each name that
// cannot be served: another base, files that are gone or are no longer what was added. One thread at
// a time.
std::vector<std::string> serve_registry(Env& env, api::Platform& platform, openai::Service& service,
                                        const std::string& data_folder);

}  // namespace hone::cli
