#pragma once
// What generate, score and eval preferences begin and end with: a model, a file of rows, and a place
// for what comes out; refused before anything long when one of them cannot be.

#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/common.h"
#include "data/dataset.h"

namespace hone::cli {

struct FileJob {
  CommonOptions common;
  ModelOptions model;
  std::string input, output, on_bad_row = "fail";
  bool overwrite = false, dry_run = false;

  struct Texts {
    const char* input = "data";  // the option's name
    const char* input_help = "";
    const char* output_metavar = "FILE.jsonl";
    const char* output_help = "";
    bool rows_can_be_bad = true;  // --on-bad-row
  };
  // The options of model and files; the command's own and the common ones follow.
  void add_to(Options& options, const Texts& texts);
  // Reads the arguments and checks the files' names. False when help was printed instead.
  bool parse(Options& options, const Arguments& arguments);

  // The rows of --data.
  data::Dataset load_rows(std::vector<data::RowKind> accepted = {}) const;

  // Refuses above --memory-limit; true when --dry-run wanted to know only what would happen, which
  // then stands on stdout: counts, and the peak memory with its parts.
  bool planned_only(const MemoryPlan& plan, const std::string& command, Json counts,
                    const std::string& how_to_lower) const;

 private:
  std::string input_name_ = "data";
};

}  // namespace hone::cli
