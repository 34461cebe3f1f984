#include "reward/builtin.h"

#include "base/error.h"
#include "reward/length.h"
#include "reward/match.h"
#include "reward/program.h"
#include "reward/spec.h"

namespace hone::reward {

namespace {

struct Builtin {
  const char* name;
  std::unique_ptr<RewardFunction> (*make)(Spec spec);
};

constexpr Builtin kBuiltins[] = {
    {"exact", make_exact},   {"numeric", make_numeric}, {"regex", make_regex},
    {"prefix", make_prefix}, {"length", make_length},   {"overlong", make_overlong},
    {"ended", make_ended},   {"format", make_format},   {"program", make_program},
};

}  // namespace

std::vector<std::string> builtin_names() {
  std::vector<std::string> names;
  for (const Builtin& builtin : kBuiltins) names.emplace_back(builtin.name);
  return names;
}

bool runs_a_program(const std::string& spec) { return Spec::parse(spec).kind() == "program"; }

std::unique_ptr<RewardFunction> make_reward(Env&, const std::string& text) {
  Spec spec = Spec::parse(text);
  for (const Builtin& builtin : kBuiltins) {
    if (spec.kind() == builtin.name) return builtin.make(std::move(spec));
  }
  std::string list;
  for (const std::string& name : builtin_names()) list += (list.empty() ? "" : ", ") + name;
  throw invalid_input("--reward \"" + text + "\": there is no reward " + spec.kind() +
                      "; there are " + list);
}

}  // namespace hone::reward
