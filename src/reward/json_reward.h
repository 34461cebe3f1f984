#pragma once
// json: 1 when the answer (without white space around it) is one JSON document, else 0. With
// schema=..., JSON Schema as text or the name of a file that holds it: 1 when the document is one of
// the schema's grammar (llm/grammar/json_schema.h), the one that constrained answers obey: properties
// in the schema's order, none that it does not name.

#include <memory>

#include "reward/reward.h"
#include "reward/spec.h"

namespace hone {
class Env;
}

namespace hone::reward {

std::unique_ptr<RewardFunction> make_json(Env& env, Spec spec);

}  // namespace hone::reward
