#include "cli/commands.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "cli/options.h"

namespace hone::cli {

namespace {

constexpr Command kCommands[] = {
    {nullptr, "The loop", "", nullptr},
    {"quickstart", "the whole loop on the shipped example: preferences in, a better model out", "",
     run_quickstart},
    {"train", "from rows to an adapter or a model, by twelve methods",
     "sft dpo reward kto orpo cpo distill jepa ppo grpo rloo online_dpo", run_train},
    {"eval", "preferences, reward, rewards: what a model prefers, and what its answers earn",
     "preferences reward rewards", run_eval},
    {"compare", "two reports on the same items: better, worse, or too few", "", run_compare},
    {"quality", "judge the labels: aggregate, agreement, rank, simulate",
     "aggregate agreement rank simulate", run_quality},
    {nullptr, "Label together", "", nullptr},
    {"up", "the labelling page with everything it needs, on this machine", "", run_up},
    {"serve", "the same with explicit choices: address, TLS, data folder", "", run_serve},
    {"project", "list, create, import, export: labelling projects", "list create import export",
     run_project},
    {"feedback", "list, export, rules, rule: what people say of served answers",
     "list export rules rule", run_feedback},
    {"user", "add, list, link: people and how they sign in", "add list link", run_user},
    {"token", "create, list, limit, revoke, usage: keys for programs",
     "create list limit revoke usage", run_token},
    {"backup", "a copy of the data folder, also while the server runs", "", run_backup},
    {"restore", "a data folder out of a backup that is whole", "", run_restore},
    {nullptr, "Ask a model", "", nullptr},
    {"chat", "a conversation in the terminal, with one model or two", "", run_chat},
    {"generate", "answers to a file of prompts, batched", "", run_generate},
    {"score", "the log-probability of every token of every row", "", run_score},
    {nullptr, "Look at files", "", nullptr},
    {"data", "check: what is in a file of rows, before training", "check", run_data},
    {"model", "files in and out; models by name, promoted and rolled back",
     "info export quantize merge prune add list remove promote split rollback gate history",
     run_model},
    {"runs", "list, show, diff: what runs there are", "", run_runs},
    {"plan", "train, serve: memory, time and cost before it starts", "train serve", run_plan},
    {"export-run", "a run, or a training config, for TRL or OpenRLHF on a GPU cluster", "",
     run_export_run},
    {"tokenize", "text to token ids and pieces", "", run_tokenize},
    {"template", "render a chat template as transformers does", "", run_template},
    {"job", "what a server runs as a child process: train, plan, gate", "train plan gate", run_job},
    {nullptr, "Trust", "", nullptr},
    {"selfcheck", "batches, threads and cuts change no bit: one hash", "", run_selfcheck},
    {"replay", "compute steps of a run again and compare to the bit", "", run_replay},
    {"bench", "what this machine does, beside what it can do at most", "decode labels platform",
     run_bench},
};

std::string line_of(const char* name, const char* what) {
  std::string padded = name;
  padded.resize(std::max<size_t>(padded.size() + 1, 12), ' ');
  return "  " + padded + what + "\n";
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

std::string overview() {
  std::string text =
      "hone turns human judgement into a better open language model, on ordinary CPUs.\n\n"
      "Usage: hone COMMAND [options]\n\n"
      "Begin with:\n"
      "  hone quickstart --model m.gguf    # learn from the shipped preferences, and prove it\n"
      "  hone chat --model m.gguf          # talk to a model\n";
  for (const Command& command : kCommands) {
    text += command.name == nullptr ? "\n" + std::string(command.what) + "\n"
                                    : line_of(command.name, command.what);
  }
  return text +
         "\nhone COMMAND --help shows options and examples; hone --version the version, commit,\n"
         "numerics recipe and instruction set. Results go to stdout, messages to stderr. Exit "
         "codes:\n"
         "0 done, 1 the work failed, 2 wrong usage or input, 3 answered with no, 130 "
         "interrupted.\n";
}

int run_object(const char* command, const char* what, std::span<const Object> objects,
               const Arguments& arguments) {
  const std::string word = arguments.empty() ? "" : arguments[0];
  std::vector<std::string> names;
  std::string list;
  for (const Object& object : objects) {
    if (word == object.name) return object.run({arguments.begin() + 1, arguments.end()});
    list += (names.empty() ? "" : ", ") + std::string(object.name);
    names.emplace_back(object.name);
  }
  const std::string hone = "hone " + std::string(command);
  if (word == "--help" || word == "-h") {
    std::string text = hone + ": " + what + "\n\n";
    for (const Object& object : objects) text += line_of(object.name, object.what);
    std::printf("%s\n%s %s --help shows its options and examples\n", text.c_str(), hone.c_str(),
                objects.front().name);
    return 0;
  }
  if (word.empty() || word[0] == '-') {
    throw invalid_input(hone + " needs a word first: " + list + " (" + hone + " " +
                        objects.front().name + " --help shows examples)");
  }
  const std::string close = nearest(word, names);
  throw invalid_input(hone + " " + word + " does not exist" +
                      (close.empty() ? "" : "; did you mean " + close + "?") +
                      " There is: " + list);
}

}  // namespace hone::cli
