// hone quality: aggregate | agreement | rank | simulate. Each has a file of its own.

#include "cli/commands.h"
#include "cli/quality_commands.h"

namespace hone::cli {

namespace {

constexpr Object kObjects[] = {
    {"aggregate", "from many labels to one, with its certainty, and what each worker is worth",
     run_quality_aggregate},
    {"agreement", "how far people agree beyond chance, with an interval", run_quality_agreement},
    {"rank", "a ranking from comparisons, with intervals that can be trusted", run_quality_rank},
    {"simulate", "what fewer labels would have cost in accuracy, on finished data",
     run_quality_simulate},
};

}  // namespace

int run_quality(const Arguments& arguments) {
  return run_object("quality", "judge the labels", kObjects, arguments);
}

}  // namespace hone::cli
