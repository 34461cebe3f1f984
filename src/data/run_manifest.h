#pragma once
// What a run was: everything needed to do it again, as canonical JSON (docs/formats/run.md).
// Equal runs have equal manifests, byte by byte: no time, host or thread count is in it.
//
// from_json throws invalid_input that names the key; a schema of another version is refused by
// name.

#include <map>
#include <string>
#include <vector>

#include "base/json.h"

namespace hone {
class Env;
}

namespace hone::data {

struct RunManifest {
  static constexpr const char* kSchema = "hone.run/1";

  std::string method;                          // "sft", "dpo", ...
  Json settings = Json::object();              // every option by its YAML name, defaults included
  std::map<std::string, uint64_t> seeds;       // "seed": what all streams come from
  std::map<std::string, std::string> digests;  // "data", "eval_data", "model", "ref_model", ...
  std::string program_version;
  std::string program_commit;
  std::string recipe;  // numerics recipe, "exact-f32/1"
  // What the run was computed by before --accept-recipe changed it, oldest first; mostly empty.
  struct EarlierRecipe {
    std::string recipe;
    uint64_t last_step = 0;
    bool operator==(const EarlierRecipe&) const = default;
  };
  std::vector<EarlierRecipe> earlier_recipes;

  Json to_json() const;
  static RunManifest from_json(const Json& json);
  bool operator==(const RunManifest&) const = default;
};

void write_run_manifest(Env& env, const std::string& path, const RunManifest& manifest);
RunManifest read_run_manifest(Env& env, const std::string& path);

}  // namespace hone::data
