// hone export-run: a run or a config file, for another trainer on a GPU cluster.

#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/export_run.h"

namespace hone::cli {

namespace {

constexpr size_t kMostGpus = 4096;

struct Target {
  const char* name;
  Export (*make)(const ExportSource&, const ExportRows&, const ExportOptions&);
};
constexpr Target kTargets[] = {{"trl", export_trl}, {"openrlhf", export_openrlhf}};

// Under another name until it is whole.
void write_folder(const std::string& folder, const Export& what) {
  Env& env = real_env();
  const std::string part = folder + ".part";
  if (env.exists(part)) {
    throw Error(ErrorCode::kConflict, part +
                                          " is in the way (of an export that was cut off?): "
                                          "look at it and remove it, or name another --output");
  }
  try {
    for (const auto& [name, content] : what.files) {
      const size_t slash = name.find('/');
      env.create_directories(slash == std::string::npos ? part
                                                        : part + "/" + name.substr(0, slash));
      write_file_atomically(env, part + "/" + name, content);
    }
    env.rename(part, folder);
  } catch (const Error&) {
    env.remove_all(part);
    throw;
  }
}

void say(const std::string& output, const Export& what, const CommonOptions& common) {
  if (common.json) {
    Json json = Json::object();
    json["output"] = output;
    json["target"] = what.target;
    Json files = Json::array(), lost = Json::array(), notes = Json::array();
    for (const auto& [name, content] : what.files) files.push_back(name);
    for (const NotCarried& one : what.lost) {
      Json row = Json::object();
      row["setting"] = one.ours;
      row["value"] = one.value;
      row["consequence"] = one.consequence;
      lost.push_back(std::move(row));
    }
    for (const std::string& note : what.notes) notes.push_back(note);
    json["files"] = std::move(files);
    json["not_carried"] = std::move(lost);
    json["notes"] = std::move(notes);
    std::printf("%s\n", json.dump().c_str());
    return;
  }
  if (common.quiet) return;
  for (const NotCarried& one : what.lost) {
    std::fprintf(stderr, "not carried over: %s = %s: %s\n", one.ours.c_str(), one.value.c_str(),
                 one.consequence.c_str());
  }
  for (const std::string& note : what.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  std::fprintf(stderr, "done: %s for %s (%s/README.txt says how to run it)\n", output.c_str(),
               what.target.c_str(), output.c_str());
}

}  // namespace

int run_export_run(const Arguments& arguments) {
  CommonOptions common;
  ExportOptions more;
  std::string to, output, method, data, eval_data, precision = "bfloat16", on_bad_row = "fail";
  Options options("export-run", "a run, or a training config, for a GPU cluster.",
                  "RUN|CONFIG.yaml --to trl|openrlhf --output DIR");
  options.example("hone export-run runs/first --to trl --output cluster --model org/model",
                  "rows, config and launch script of a run, for TRL");
  options.example("hone export-run dpo.yaml --method dpo --to trl --output cluster --gpus 8",
                  "the same from the file that hone train dpo --config would read");
  options.example("hone export-run runs/rl --to openrlhf --output cluster --gpus 8",
                  "for OpenRLHF: a launch script with its flags");
  options.choice("to", &to, {"trl", "openrlhf"}, "the program that trains on the cluster");
  options.text("output", &output, "DIR", "the new folder");
  options.text("method", &method, "METHOD", "of a config file: sft, dpo, ...");
  options.text("model", &more.model, "NAME",
               "as the cluster knows it: a Hugging Face id or a folder; empty = model/ in the "
               "folder, which README.txt says how to write");
  options.text("ref-model", &more.ref_model, "NAME", "likewise, where the run has one");
  options.text("teacher", &more.teacher, "NAME", "likewise, of distillation");
  options.text("reward-model", &more.reward_model, "NAME", "likewise, of --reward model");
  options.text("value-model", &more.value_model, "NAME", "likewise, of ppo with --value-model");
  options.text("data", &data, "FILE", "training rows; empty = where the run says they were");
  options.text("eval-data", &eval_data, "FILE", "held-out rows, likewise");
  options.choice("on-bad-row", &on_bad_row, {"fail", "skip"}, "a line that cannot be read");
  options.count("gpus", &more.gpus, "of the cluster: a step's batch is divided among them");
  options.choice("precision", &precision, {"bfloat16", "float32"}, "of products on the GPU");
  common.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return 0;
  if (words.size() != 1) {
    throw invalid_input(
        "hone export-run: name one run directory or one config file (hone "
        "export-run --help shows examples)");
  }
  options.require("to", to);
  options.require("output", output);
  if (more.gpus == 0 || more.gpus > kMostGpus) {
    throw invalid_input("--gpus " + std::to_string(more.gpus) + " cannot be: from 1 to " +
                        std::to_string(kMostGpus));
  }
  more.bf16 = precision == "bfloat16";
  if (real_env().exists(output)) {
    throw Error(ErrorCode::kConflict,
                output + " exists already, and nothing is written over: name another --output");
  }
  ExportSource source = read_export_source(words[0], method);
  if (!data.empty()) source.paths["data"] = data;
  if (!eval_data.empty()) source.paths["eval_data"] = eval_data;
  const ExportRows rows = read_export_rows(source, on_bad_row == "skip");
  for (const Target& target : kTargets) {
    if (to != target.name) continue;
    Export what = target.make(source, rows, more);
    what.files["README.txt"] = readme_text(source, rows, what);
    write_folder(output, what);
    say(output, what, common);
  }
  return 0;
}

}  // namespace hone::cli
