#include "reward/builtin.h"

#include "base/error.h"
#include "reward/arithmetic.h"
#include "reward/json_reward.h"
#include "reward/length.h"
#include "reward/match.h"
#include "reward/posterior.h"
#include "reward/program.h"
#include "reward/spec.h"

namespace hone::reward {

namespace {

struct Builtin {
  const char* name;
  std::unique_ptr<RewardFunction> (*make)(Env& env, Spec spec);
};

// Those that need nothing of the world.
template <std::unique_ptr<RewardFunction> (*make)(Spec)>
std::unique_ptr<RewardFunction> alone(Env&, Spec spec) {
  return make(std::move(spec));
}

constexpr Builtin kBuiltins[] = {
    {"exact", alone<make_exact>},           {"numeric", alone<make_numeric>},
    {"arithmetic", alone<make_arithmetic>}, {"prefix", alone<make_prefix>},
    {"regex", alone<make_regex>},           {"json", make_json},
    {"length", alone<make_length>},         {"overlong", alone<make_overlong>},
    {"ended", alone<make_ended>},           {"format", alone<make_format>},
    {"posterior", alone<make_posterior>},   {"program", alone<make_program>},
};

}  // namespace

std::vector<std::string> builtin_names() {
  std::vector<std::string> names;
  for (const Builtin& builtin : kBuiltins) names.emplace_back(builtin.name);
  return names;
}

bool runs_a_program(const std::string& spec) { return Spec::parse(spec).kind() == "program"; }

std::unique_ptr<RewardFunction> make_reward(Env& env, const std::string& text) {
  Spec spec = Spec::parse(text);
  for (const Builtin& builtin : kBuiltins) {
    if (spec.kind() == builtin.name) return builtin.make(env, std::move(spec));
  }
  std::string list;
  for (const std::string& name : builtin_names()) list += (list.empty() ? "" : ", ") + name;
  throw invalid_input("--reward \"" + text + "\": there is no reward " + spec.kind() +
                      "; there are " + list);
}

}  // namespace hone::reward
