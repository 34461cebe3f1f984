#pragma once
// Training rows that stand in a promotion gate's test sets: looked for before a run may start, since a
// model that has seen the test can never pass it (registry/gate.h).
//
// Errors: conflict with a sentence that names the training data, the set and how many prompts they
// share; conflict too when a set cannot be read or is no longer the file that the gate names, since
// then nobody can say. Files are read on the caller's thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/platform.h"
#include "base/env.h"
#include "base/json.h"
#include "data/dataset.h"
#include "label/organisation.h"

namespace hone::api {

struct GateSet {
  std::string alias;
  bool is_floor = false;  // the second set
  std::string name;       // of the snapshot, or the file
  std::string path;       // empty: it is gone
  std::string digest;     // SHA-256 of the file

  // "the held-out set of the gate of assistant (Week 40)"
  std::string words() const;
  Json to_json() const;
  static GateSet from_json(const Json& json);
};
// Of every alias of the organisation that has a gate; alias: of that one only.
std::vector<GateSet> gate_sets(Platform& platform, label::Organisation& organisation,
                               int64_t organisation_key, std::string_view alias = {});

struct GateOverlap {
  GateSet set;
  uint64_t prompts = 0;
  uint64_t first_line = 0;  // in the training file
  std::string words(const std::string& training) const;
};
// Those with something in common; `training` is the rows' name in a message.
std::vector<GateOverlap> find_gate_overlaps(Env& env, const data::Dataset& rows,
                                            const std::vector<GateSet>& sets);
void refuse_gate_overlap(Env& env, const data::Dataset& rows, const std::string& training,
                         const std::vector<GateSet>& sets);

}  // namespace hone::api
