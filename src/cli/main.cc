#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/options.h"
#include "tensor/compute.h"
#include "tensor/recipe.h"

namespace {

using hone::cli::Arguments;

struct Command {
  const char* name;
  const char* what;
  int (*run)(const Arguments&);
};

constexpr Command kCommands[] = {
    {"quickstart", "the whole loop on the shipped example: preferences in, a better model out",
     hone::cli::run_quickstart},
    {"train", "train sft | dpo", hone::cli::run_train},
    {"eval", "eval preferences: does the model prefer what people preferred", hone::cli::run_eval},
    {"compare", "two reports on the same items: better, worse, or too few", hone::cli::run_compare},
    {"quality", "judge the labels: aggregate, agreement, rank, simulate", hone::cli::run_quality},
    {"chat", "a conversation in the terminal, with one model or two", hone::cli::run_chat},
    {"generate", "answers to a file of prompts, batched", hone::cli::run_generate},
    {"score", "the log-probability of every token of every row", hone::cli::run_score},
    {"tokenize", "text to token ids and pieces", hone::cli::run_tokenize},
    {"selfcheck", "batches, threads and cuts change no bit: one hash", hone::cli::run_selfcheck},
    {"data", "check a file of rows before training", hone::cli::run_data},
    {"model", "info, export, quantize, merge: model files in and out", hone::cli::run_model},
    {"runs", "list, show, diff: what runs there are", hone::cli::run_runs},
    {"replay", "compute steps of a run again and compare to the bit", hone::cli::run_replay},
    {"bench", "what this machine does, beside what it can do at most", hone::cli::run_bench},
    {"template", "render a chat template as transformers does", hone::cli::run_template},
};

std::string help() {
  std::string text =
      "hone turns human judgement into a better open language model.\n\n"
      "Usage: hone COMMAND [options]        hone COMMAND --help shows examples\n\n";
  for (const Command& command : kCommands) {
    std::string name = command.name;
    name.resize(12, ' ');
    text += "  " + name + command.what + "\n";
  }
  return text + "\n  --version   version, commit, numerics recipe, instruction set\n";
}

int exit_code(const hone::Error& error) {
  switch (error.code()) {
    case hone::ErrorCode::kInvalidInput:
    case hone::ErrorCode::kNotFound:
    case hone::ErrorCode::kConflict:
    case hone::ErrorCode::kCorruptData:
    case hone::ErrorCode::kTooLarge: return 2;
    default: return 1;
  }
}

int run(const Arguments& words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    std::fputs(help().c_str(), stdout);
    return words.empty() ? 2 : 0;
  }
  if (words[0] == "--version") {
    std::printf("hone %s (%s), recipe %s, %s\n", hone::cli::program_version().c_str(),
                hone::cli::program_commit().c_str(), hone::tensor::kRecipe,
                hone::tensor::instruction_set());
    return 0;
  }
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (words[0] == command.name) return command.run({words.begin() + 1, words.end()});
    names.emplace_back(command.name);
  }
  const std::string close = hone::cli::nearest(words[0], names);
  throw hone::invalid_input("\"" + words[0] + "\" is not a command of hone" +
                            (close.empty() ? "" : "; did you mean " + close + "?") +
                            " (hone --help lists them)");
}

// What was printed has arrived, or the command has failed: a full disk behind a ">" is no success.
int delivered(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  throw hone::Error(hone::ErrorCode::kUnavailable,
                    std::string("cannot write to the standard output: ") + std::strerror(errno) +
                        "; make room where it goes and run it again");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return delivered(run({argv + 1, argv + argc}));
  } catch (const hone::Error& error) {
    std::fprintf(stderr, "hone: %s\n", error.message().c_str());
    return exit_code(error);
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "hone: out of memory: close other programs or use a smaller batch\n");
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hone: %s\nThis is a bug of Hone's: please report it.\n", error.what());
    return 1;
  }
}
