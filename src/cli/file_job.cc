#include "cli/file_job.h"

#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "data/jsonl_writer.h"

namespace hone::cli {

void FileJob::add_to(Options& options, const Texts& texts) {
  input_name_ = texts.input;
  model.add_to(options);
  options.text(texts.input, &input, "FILE", texts.input_help);
  options.text("output", &output, texts.output_metavar, texts.output_help);
  if (texts.rows_can_be_bad) {
    options.choice("on-bad-row", &on_bad_row, {"fail", "skip"}, "a line that cannot be read");
  }
  options.flag("overwrite", &overwrite, "replace --output when it exists");
  options.flag("dry-run", &dry_run, "say what will happen and how much memory it takes, then stop");
}

bool FileJob::parse(Options& options, const Arguments& arguments) {
  const std::vector<std::string> words = options.parse(arguments);
  if (options.show_help()) return false;
  if (!words.empty()) {
    throw invalid_input("\"" + words[0] + "\" is not an option: did you mean --" + input_name_ +
                        " " + words[0] + "?");
  }
  options.require("model", model.model);
  options.require(input_name_, input);
  if (!output.empty()) data::refuse_existing(real_env(), output, overwrite);
  return true;
}

data::Dataset FileJob::load_rows(std::vector<data::RowKind> accepted) const {
  data::ReadOptions read;
  read.accepted = std::move(accepted);
  read.on_bad_row = on_bad_row == "skip" ? data::OnBadRow::kSkip : data::OnBadRow::kFail;
  return data::load_dataset(real_env(), input, read);
}

bool FileJob::planned_only(const MemoryPlan& plan, const std::string& command, Json counts,
                           const std::string& how_to_lower) const {
  check_memory(common, plan, command, how_to_lower);
  if (!dry_run) return false;
  counts["memory"] = plan.to_json();
  std::printf("%s\n", counts.dump_pretty().c_str());
  return true;
}

}  // namespace hone::cli
