#pragma once
// What a finished run proves, in the words of docs/api.md: read from the reports that it left.

#include <string>

#include "base/json.h"

namespace hone {
class Env;
}

namespace hone::cli {

// {verdict, before: {accuracy, interval}, after: {…}, difference, interval, p_value,
// smallest_detectable, pairs, pairs_more, steps, settings}
Json run_result(Env& env, const std::string& run_folder);

}  // namespace hone::cli
