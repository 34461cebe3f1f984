#include "data/run_manifest.h"

#include <algorithm>
#include <array>

#include "base/env.h"
#include "base/error.h"

namespace hone::data {
namespace {

constexpr uint64_t kMaxManifestBytes = uint64_t{16} << 20;

const Json& member(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  if (value == nullptr) throw invalid_input("run manifest: missing \"" + std::string(key) + "\"");
  return *value;
}

const Json::Object& object_member(const Json& json, std::string_view key) {
  const Json& value = member(json, key);
  if (!value.is_object()) {
    throw invalid_input("run manifest: \"" + std::string(key) + "\" must be an object, found a " +
                        std::string(value.kind_name()));
  }
  return value.as_object();
}

std::string string_member(const Json& json, std::string_view key) {
  const Json& value = member(json, key);
  if (!value.is_string()) {
    throw invalid_input("run manifest: \"" + std::string(key) + "\" must be a string, found a " +
                        std::string(value.kind_name()));
  }
  return value.as_string();
}

// Seeds use all 64 bits, more than a JSON reader elsewhere keeps: they are written as text.
uint64_t parse_seed(const std::string& text, const std::string& name) {
  const bool digits =
      !text.empty() && text.size() <= 20 &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  uint64_t seed = 0;
  bool fits = digits;
  for (const char c : digits ? text : std::string()) {
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    fits = fits && seed <= (UINT64_MAX - digit) / 10;
    seed = seed * 10 + digit;
  }
  if (!fits) throw invalid_input("run manifest: seed \"" + name + "\" is not a 64-bit number");
  return seed;
}

}  // namespace

Json RunManifest::to_json() const {
  Json json = Json::object();
  json["schema"] = kSchema;
  json["method"] = method;
  json["settings"] = settings;
  json["seeds"] = Json::object();
  for (const auto& [name, seed] : seeds) json["seeds"][name] = std::to_string(seed);
  json["digests"] = Json::object();
  for (const auto& [name, digest] : digests) json["digests"][name] = digest;
  json["program"] = Json::object();
  json["program"]["version"] = program_version;
  json["program"]["commit"] = program_commit;
  json["recipe"] = recipe;
  if (!earlier_recipes.empty()) json["earlier_recipes"] = Json::array();
  for (const EarlierRecipe& earlier : earlier_recipes) {
    Json entry = Json::object();
    entry["recipe"] = earlier.recipe;
    entry["last_step"] = earlier.last_step;
    json["earlier_recipes"].push_back(std::move(entry));
  }
  return json;
}

RunManifest RunManifest::from_json(const Json& json) {
  if (!json.is_object()) {
    throw invalid_input("run manifest: expected an object, found a " +
                        std::string(json.kind_name()));
  }
  if (const std::string schema = string_member(json, "schema"); schema != kSchema) {
    throw invalid_input("run manifest: schema \"" + schema + "\" is not " + kSchema +
                        "; use the program version that wrote it");
  }
  RunManifest manifest;
  manifest.method = string_member(json, "method");
  manifest.settings = Json(object_member(json, "settings"));
  for (const auto& [name, value] : object_member(json, "seeds")) {
    manifest.seeds[name] = parse_seed(value.as_string(), name);
  }
  for (const auto& [name, value] : object_member(json, "digests")) {
    manifest.digests[name] = value.as_string();
  }
  object_member(json, "program");
  manifest.program_version = string_member(json.at("program"), "version");
  manifest.program_commit = string_member(json.at("program"), "commit");
  manifest.recipe = string_member(json, "recipe");
  if (const Json* earlier = json.find("earlier_recipes")) {
    for (const Json& entry : earlier->as_array()) {
      const int64_t last = member(entry, "last_step").as_int();
      if (last < 0) throw invalid_input("run manifest: \"last_step\" must be 0 or more");
      manifest.earlier_recipes.push_back(
          {string_member(entry, "recipe"), static_cast<uint64_t>(last)});
    }
  }
  return manifest;
}

void write_run_manifest(Env& env, const std::string& path, const RunManifest& manifest) {
  write_file_atomically(env, path, manifest.to_json().dump_canonical() + "\n");
}

RunManifest read_run_manifest(Env& env, const std::string& path) {
  const Result<Json> json = Json::parse(env.read_file(path, kMaxManifestBytes));
  if (!json) throw corrupt_data(path + ": " + json.error().message());
  try {
    return RunManifest::from_json(*json);
  } catch (const Error& error) {
    throw invalid_input(path + ": " + error.message());
  }
}

}  // namespace hone::data
