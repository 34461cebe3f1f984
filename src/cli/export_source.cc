// What hone export-run reads: a run's manifest, or a config file of hone train METHOD.

#include <algorithm>
#include <list>

#include "base/env.h"
#include "base/error.h"
#include "cli/common.h"
#include "cli/export_run.h"
#include "cli/options.h"
#include "llm/tokenized_rows.h"
#include "llm/unpaired_rows.h"
#include "tensor/recipe.h"
#include "train/compat.h"
#include "train/cpo.h"
#include "train/distill.h"
#include "train/dpo.h"
#include "train/grpo.h"
#include "train/kto.h"
#include "train/online_dpo.h"
#include "train/orpo.h"
#include "train/ppo.h"
#include "train/reward.h"
#include "train/rloo.h"
#include "train/sft.h"

namespace hone::cli {

namespace {

constexpr uint64_t kMaxConfigBytes = uint64_t{1} << 20;

template <typename Config>
Json defaults_of() {
  return Config().to_json();
}

// With the switches of --compat, where the method has it.
template <auto kRead>
Json checked(const Json& settings, train::Compat compat) {
  auto config = kRead(settings);
  if constexpr (requires { train::set_compat(compat, config); }) {
    train::set_compat(compat, config);
  } else if (compat != train::Compat::kTrl) {
    throw invalid_input("compat: this method has the formulas of TRL alone; leave it out");
  }
  return config.to_json();
}

struct Method {
  const char* name;
  Json (*defaults)();
  Json (*check)(const Json&, train::Compat);  // throws what hone train would
  std::vector<data::RowKind> (*kinds)();
};

constexpr Method kMethods[] = {
    {"sft", defaults_of<train::SftConfig>, checked<train::sft_config_from_json>,
     llm::sft_row_kinds},
    {"dpo", defaults_of<train::DpoConfig>, checked<train::dpo_config_from_json>,
     llm::preference_row_kinds},
    {"reward", defaults_of<train::RewardConfig>, checked<train::reward_config_from_json>,
     llm::preference_row_kinds},
    {"kto", defaults_of<train::KtoConfig>, checked<train::kto_config_from_json>,
     llm::unpaired_row_kinds},
    {"orpo", defaults_of<train::OrpoConfig>, checked<train::orpo_config_from_json>,
     llm::preference_row_kinds},
    {"cpo", defaults_of<train::CpoConfig>, checked<train::cpo_config_from_json>,
     llm::preference_row_kinds},
    {"grpo", defaults_of<train::GrpoConfig>, checked<train::grpo_config_from_json>,
     llm::prompt_row_kinds},
    {"rloo", defaults_of<train::RlooConfig>, checked<train::rloo_config_from_json>,
     llm::prompt_row_kinds},
    {"ppo", defaults_of<train::PpoConfig>, checked<train::ppo_config_from_json>,
     llm::prompt_row_kinds},
    {"online_dpo", defaults_of<train::OnlineDpoConfig>, checked<train::online_dpo_config_from_json>,
     llm::prompt_row_kinds},
    {"distill", defaults_of<train::DistillConfig>, checked<train::distill_config_from_json>,
     llm::sft_row_kinds},
};

const Method& method_of(const std::string& name, const std::string& where) {
  std::vector<std::string> names;
  for (const Method& method : kMethods) {
    if (name == method.name) return method;
    names.emplace_back(method.name);
  }
  const std::string close = nearest(name, names);
  throw invalid_input(where + ": \"" + name + "\" is no method that can be exported" +
                      (close.empty() ? "" : "; did you mean " + close + "?") +
                      " (hone train --help lists them)");
}

// Options that decide no bit: no manifest has them, a config file may.
Json beside_a_manifest(bool online) {
  const train::OnlineConfig config;
  Json json = Json::object();
  json["logging_steps"] = uint64_t{config.logging_steps};
  json["eval_steps"] = uint64_t{config.eval_steps};
  json["save_steps"] = uint64_t{config.save_steps};
  json["save_total_limit"] = uint64_t{config.save_total_limit};
  json["report_to"] = "none";
  json["recompute"] = config.recompute;
  json["max_tokens_per_pass"] = uint64_t{config.max_tokens_per_pass};
  json["log_gradient_norms"] = config.log_gradient_norms;
  if (online) {
    json["num_generations_eval"] = uint64_t{config.num_generations_eval};
    json["rollout_batch_size"] = uint64_t{config.rollout_batch_size};
    json["log_completions"] = config.log_completions;
  }
  return json;
}

void append(Json& to, const Json& from) {
  for (const auto& [key, value] : from.as_object()) to[key] = value;
}

ExportSource from_run(const std::string& folder, const std::string& method) {
  Env& env = real_env();
  const data::RunManifest manifest = train::RunDirectory::read_manifest(env, folder);
  ExportSource source;
  source.from = "a run directory";
  source.is_run = true;
  source.method = manifest.method;
  if (!method.empty() && method != manifest.method) {
    throw invalid_input(folder + " is a run of " + manifest.method + ": leave --method out");
  }
  method_of(manifest.method, folder);
  source.settings = manifest.settings;
  append(source.settings, beside_a_manifest(source.is_online()));
  const auto seed = manifest.seeds.find("seed");
  if (seed != manifest.seeds.end()) source.seed = seed->second;
  source.digests = manifest.digests;
  source.paths = train::RunDirectory::read_sources(env, folder);
  source.program = manifest.program_version + " (" + manifest.program_commit + ")";
  source.recipe = manifest.recipe;
  return source;
}

// A config file's keys are options of hone train; most are settings by the same name.
struct Alias {
  const char* method;  // null: every one
  const char* option;
  const char* setting;
};
constexpr Alias kAliases[] = {
    {"ppo", "response_length", "max_completion_length"},
    {"ppo", "num_ppo_epochs", "num_iterations"},
    {"ppo", "kl_coef", "beta"},
    {nullptr, "reward", "rewards"},
};

std::string option_of(const std::string& method, const std::string& setting) {
  std::string name = setting;
  for (const Alias& alias : kAliases) {
    if (setting == alias.setting && (alias.method == nullptr || method == alias.method)) {
      name = alias.option;
    }
  }
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

// The settings of a method as options, whatever they are: each a text until it is read.
class ConfigReader {
 public:
  ConfigReader(const std::string& method, const std::string& path, const Json& defaults)
      : path_(path), options_("train " + method, "", "") {
    for (const auto& [key, value] : defaults.as_object()) {
      Field& field = fields_.emplace_back(Field{key, option_of(method, key), value, {}, {}});
      if (key == "rewards") {  // a spec may hold commas
        options_.texts(field.option, &field.list, "", "");
      } else if (value.is_array()) {
        options_.list(field.option, &field.list, "", "");
      } else {
        options_.text(field.option, &field.text, "", "");
      }
    }
    for (const char* name : {"model", "data", "eval-data", "ref-model", "teacher", "value-model"}) {
      options_.text(name, &files_[name], "", "");
    }
    options_.text("seed", &seed_, "", "");
    options_.choice("compat", &compat_, train::compat_names(), "");
    options_.text("no-prefix-sharing", &no_prefix_sharing_, "", "");
    // Of the command, not of the training.
    for (const char* name :
         {"output", "resume", "overwrite", "dry-run", "on-bad-row", "threads", "memory-limit",
          "json", "quiet", "accept-recipe", "precompute-ref-log-probs"}) {
      options_.text(name, &ignored_, "", "");
    }
  }

  // The defaults with what the file says in their place.
  Json read(const std::string& text) {
    options_.read_config(text, path_);
    Json settings = Json::object();
    for (const Field& field : fields_) settings[field.key] = value_of(field);
    if (options_.was_given("no-prefix-sharing")) {
      settings["prefix_sharing"] = no_prefix_sharing_ != "true";
    }
    return settings;
  }

  uint64_t seed() const {
    if (seed_.empty()) return 42;
    const int64_t seed = parsed("seed", seed_).as_int();
    if (seed < 0) throw invalid_input(path_ + ": seed: a number of 0 or more is expected");
    return static_cast<uint64_t>(seed);
  }
  const std::map<std::string, std::string>& files() const { return files_; }
  train::Compat compat() const { return *train::compat_from_name(compat_); }

 private:
  struct Field {
    std::string key, option;
    Json value;
    std::string text;
    std::vector<std::string> list;
  };

  Json parsed(const std::string& key, const std::string& text) const {
    Result<Json> value = Json::parse(text);
    // YAML's numbers may be written 1.0e-5 as JSON's, or with a plus sign, which JSON has not.
    if (value && (value.value().is_number() || value.value().is_bool())) return value.value();
    throw invalid_input(path_ + ": " + key + ": \"" + text + "\" is not a number, true or false");
  }

  Json value_of(const Field& field) const {
    if (!options_.was_given(field.option)) return field.value;
    if (field.value.is_array()) {
      Json list = Json::array();
      const bool numbers = field.key == "loss_weights" || field.key == "reward_weights" ||
                           field.key == "reward_clip_range";
      for (const std::string& text : field.list) {
        list.push_back(numbers ? parsed(field.key, text) : Json(text));
      }
      return list;
    }
    if (field.value.is_string()) return field.text;
    if (field.text.empty()) return field.value;  // "key:" alone
    return parsed(field.key, field.text);
  }

  std::string path_;
  Options options_;
  std::list<Field> fields_;  // the options point into them
  std::map<std::string, std::string> files_;
  std::string seed_, no_prefix_sharing_, ignored_, compat_ = "trl";
};

ExportSource from_config(const std::string& path, const std::string& name) {
  if (name.empty()) {
    throw invalid_input(path +
                        " is a config file: say what it trains with --method (sft, dpo, ...)");
  }
  const Method& method = method_of(name, "--method");
  ExportSource source;
  source.from = "a config file of hone train " + name;
  source.method = name;
  Json defaults = method.defaults();
  const Json beside = beside_a_manifest(defaults.find("num_generations") != nullptr);
  Json all = defaults;
  append(all, beside);
  if (name == "ppo") all["value_learning_rate"] = Json();
  ConfigReader reader(name, path, all);
  const Json read = reader.read(real_env().read_file(path, kMaxConfigBytes));
  Json settings = Json::object();
  for (const auto& [key, value] : defaults.as_object()) settings[key] = read.at(key);
  if (name == "ppo") {
    settings["steps_per_generation"] = settings.at("gradient_accumulation_steps").as_int() *
                                       settings.at("num_mini_batches").as_int();
    const Json& rate = read.at("value_learning_rate");
    if (!reader.files().at("value-model").empty()) {
      settings["value_model"] = true;
      settings["value_learning_rate"] = rate;
    } else if (!rate.is_null()) {
      throw invalid_input(path +
                          ": value_learning_rate is the value model's: name one with "
                          "value_model, or leave it out");
    }
  }
  source.settings = method.check(settings, reader.compat());
  for (const auto& [key, value] : beside.as_object()) source.settings[key] = read.at(key);
  source.seed = reader.seed();
  for (const auto& [option, file] : reader.files()) {
    std::string key = option;
    std::replace(key.begin(), key.end(), '-', '_');
    if (!file.empty()) source.paths[key] = file;
  }
  source.program = program_version() + " (" + program_commit() + ")";
  source.recipe = tensor::kRecipe;
  return source;
}

void check_digest(const ExportSource& source, const char* name, const data::Dataset& rows) {
  const auto expected = source.digests.find(name);
  if (expected == source.digests.end() || expected->second == rows.digest) return;
  throw invalid_input(rows.path + " is not what the run used as " + name + ": its digest is " +
                      rows.digest.substr(0, 16) + "..., the manifest says " +
                      expected->second.substr(0, 16) + "...");
}

std::string shape_of(const data::Row& row) {
  std::string shape(data::row_kind_name(row.kind));
  if (row.kind == data::RowKind::kMessages || row.kind == data::RowKind::kText) return shape;
  shape += row.conversational() ? " of messages" : " of strings";
  if (row.kind == data::RowKind::kPreference && row.prompt.is_null()) shape += " without a prompt";
  return shape;
}

void check_rows(const data::Dataset& rows, const data::Row& first) {
  for (const data::Row& row : rows.rows) {
    if (!row.input_ids.empty() || !row.prompt_ids.empty()) {
      throw invalid_input(row.file + ":" + std::to_string(row.line) +
                          ": the row is tokenised already, and the other trainer tokenises by "
                          "itself: export the rows as text or messages");
    }
    if (shape_of(row) != shape_of(first)) {
      throw invalid_input(row.file + ":" + std::to_string(row.line) + ": the row is " +
                          shape_of(row) + ", the first one is " + shape_of(first) +
                          ": other trainers read files of one kind, so split the file");
    }
  }
}

}  // namespace

ExportSource read_export_source(const std::string& folder, const std::string& method) {
  Env& env = real_env();
  if (!env.exists(folder)) {
    throw not_found(folder + ": there is no such run directory or config file");
  }
  return env.is_directory(folder) ? from_run(folder, method) : from_config(folder, method);
}

ExportRows read_export_rows(ExportSource& source, bool skip_bad_rows) {
  const auto load = [&](const char* name, const char* option) {
    const auto path = source.paths.find(name);
    if (path == source.paths.end()) {
      throw invalid_input("nothing says where the " + std::string(name) + " lies: give it as " +
                          option);
    }
    if (!real_env().exists(path->second)) {
      throw not_found("the " + std::string(name) + " was " + path->second +
                      ", which is not there: give it as " + option);
    }
    data::ReadOptions read;
    read.on_bad_row = skip_bad_rows ? data::OnBadRow::kSkip : data::OnBadRow::kFail;
    read.accepted = method_of(source.method, "the method").kinds();
    data::Dataset rows = data::load_dataset(real_env(), path->second, read);
    check_digest(source, name, rows);
    source.digests[name] = rows.digest;
    return rows;
  };
  ExportRows rows;
  rows.train = load("data", "--data FILE");
  if (source.has_file("eval_data")) rows.held_out = load("eval_data", "--eval-data FILE");
  const data::Row first = rows.train.rows.front();
  check_rows(rows.train, first);
  if (rows.held_out) check_rows(*rows.held_out, first);
  rows.kind = first.kind;
  rows.conversational = first.kind == data::RowKind::kMessages || first.conversational();
  for (const data::Row& row : rows.train.rows) rows.margins |= row.margin != 0;
  return rows;
}

}  // namespace hone::cli
