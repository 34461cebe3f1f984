#pragma once
// hone export-run: a run, or a training config, as a folder that another trainer reads on a GPU
// cluster. Each of our settings is translated by a table of rules, or named as not translated with
// what follows, or refused. What is written depends on the source and the options alone: no time,
// host or path of this machine is in it, but for names that were given.
//
// Errors are invalid_input, not_found and conflict, with the next step. One thread.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "data/dataset.h"

namespace hone::cli {

// What is exported: from a run directory's manifest, or from a config file of hone train METHOD.
struct ExportSource {
  std::string from;  // of README.txt: "run run1", "config dpo.yaml"
  bool is_run = false;
  std::string method;              // "sft", "dpo", ...
  Json settings = Json::object();  // every setting of the method, then those a manifest has not
  uint64_t seed = 42;
  std::map<std::string, std::string> digests;  // of the manifest; with a config only the data's
  std::map<std::string, std::string> paths;    // where "model", "data", ... lie on this machine
  std::string program, recipe;                 // of the run; else this program's

  const Json& setting(const char* key) const { return settings.at(key); }
  double number(const char* key) const { return setting(key).as_double(); }
  int64_t integer(const char* key) const { return setting(key).as_int(); }
  bool flag(const char* key) const { return setting(key).as_bool(); }
  bool has_file(const char* name) const { return paths.contains(name) || digests.contains(name); }
  bool is_online() const { return settings.find("num_generations") != nullptr; }
  // Rows of a whole step: answers, where the method counts answers.
  int64_t batch() const {
    return integer("per_device_train_batch_size") * integer("gradient_accumulation_steps");
  }
};

// folder: a run directory, or a YAML file (then `method` is needed).
ExportSource read_export_source(const std::string& folder, const std::string& method);

// What a person said beside the source.
struct ExportOptions {
  std::string model, ref_model, teacher, reward_model,
      value_model;  // names as the cluster knows them
  size_t gpus = 1;
  bool bf16 = true;
};

// Rows of one kind, as the other program reads them.
struct ExportRows {
  data::Dataset train;
  std::optional<data::Dataset> held_out;
  data::RowKind kind = data::RowKind::kText;
  bool conversational = false;  // message lists, not strings
  bool margins = false;         // some pair has one
};
// Reads and checks: one kind for all rows, not tokenised already; a run's digests.
ExportRows read_export_rows(ExportSource& source, bool skip_bad_rows);

struct Carried {
  std::string ours, value, theirs, remark;  // remark: how it differs, or empty
};
struct NotCarried {
  std::string ours, value, consequence;
};

// The folder before it is written.
struct Export {
  std::vector<std::pair<std::string, Json>> options;  // of the other program, in order
  std::vector<Carried> carried;
  std::vector<NotCarried> lost;
  std::vector<std::string> without_effect;  // settings at a value that asks for nothing
  std::vector<std::string> notes;           // of rows and models
  std::map<std::string, std::string> files;
  std::string target, run_command, models;  // of README.txt

  void set(std::string option, Json value) { options.emplace_back(std::move(option), value); }
  bool has(std::string_view option) const;
};

// One setting of ours. `value` makes theirs of ours; a null answer leaves their default.
struct Rule {
  const char* ours;
  const char* theirs = nullptr;
  Json (*value)(const ExportSource& source, const Json& ours) = nullptr;
  const char* neutral = nullptr;  // JSON of the value that asks for nothing; "*": any does
  const char* remark = nullptr;   // how theirs differs, or what follows when there is none
  const char* refusal = nullptr;  // what is said of any value but the neutral one
  bool says_null = false;         // a null answer is written, not left out
};

// Every setting by the first rule of the lists that names it. A setting that no rule names (of a
// newer method) is named as lost.
void apply_rules(const ExportSource& source, std::initializer_list<std::span<const Rule>> lists,
                 Export& out);

// The rows as JSONL. place_columns: how one row is written, from the checked one.
using WriteRow = Json (*)(const data::Row& row, const ExportRows& rows);
std::string rows_text(const data::Dataset& rows, const ExportRows& all, WriteRow write);
// Names weights, probabilities and dropped columns in the notes.
void note_rows(const ExportSource& source, const ExportRows& rows, const char* target, Export& out);
// TRL's format names, which are ours too.
Json plain_row(const data::Row& row, const ExportRows& rows);
// A pair whose probability is below a half the other way round; a judgement likewise.
data::Row likelier(data::Row row);

// Rewards as Python functions (rewards.py). tokens: whether the caller hands token ids.
struct ExportedRewards {
  std::vector<std::string> functions;  // names in rewards.py, models not among them
  std::vector<double> weights;         // models first, then functions
  size_t models = 0;
  std::string python;
};
ExportedRewards export_rewards(const ExportSource& source, bool tokens);

// The name that the config says, and the line that says which model that is.
std::string model_name(const ExportSource& source, const char* file, const std::string& given,
                       Export& out);

Export export_trl(const ExportSource& source, const ExportRows& rows, const ExportOptions& options);
Export export_openrlhf(const ExportSource& source, const ExportRows& rows,
                       const ExportOptions& options);

std::string readme_text(const ExportSource& source, const ExportRows& rows, const Export& what);

}  // namespace hone::cli
