// hone quality: aggregate | agreement | rank | simulate. Each has a file of its own.

#include <cstdio>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/quality_commands.h"

namespace hone::cli {

namespace {

struct Verb {
  const char* name;
  const char* what;
  int (*run)(const Arguments&);
};

constexpr Verb kVerbs[] = {
    {"aggregate", "from many labels to one, with its certainty, and what each worker is worth",
     run_quality_aggregate},
    {"agreement", "how far people agree beyond chance, with an interval", run_quality_agreement},
    {"rank", "a ranking from comparisons, with intervals that can be trusted", run_quality_rank},
    {"simulate", "what fewer labels would have cost in accuracy, on finished data",
     run_quality_simulate},
};

}  // namespace

int run_quality(const Arguments& arguments) {
  if (!arguments.empty() && (arguments[0] == "--help" || arguments[0] == "-h")) {
    std::puts("hone quality: judge the labels\n");
    for (const Verb& verb : kVerbs) std::printf("  %-11s %s\n", verb.name, verb.what);
    std::puts("\nhone quality aggregate --help shows options and examples; so do the others.");
    return 0;
  }
  std::vector<std::string> names;
  for (const Verb& verb : kVerbs) {
    if (!arguments.empty() && arguments[0] == verb.name) {
      return verb.run({arguments.begin() + 1, arguments.end()});
    }
    names.emplace_back(verb.name);
  }
  if (arguments.empty()) {
    throw invalid_input("hone quality needs what to do: aggregate, agreement, rank or simulate");
  }
  const std::string close = nearest(arguments[0], names);
  throw invalid_input("\"" + arguments[0] + "\" is not a command of hone quality" +
                      (close.empty() ? "" : "; did you mean " + close + "?") +
                      " (hone quality --help lists them)");
}

}  // namespace hone::cli
