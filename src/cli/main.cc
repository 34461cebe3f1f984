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
#include "cli/ranks.h"
#include "tensor/compute.h"
#include "tensor/recipe.h"

namespace {

using hone::cli::Arguments;

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
    if (words.size() == 2 && words[0] == "help") return run({words[1], "--help"});
    std::fputs(hone::cli::overview().c_str(), words.empty() ? stderr : stdout);
    return words.empty() ? 2 : 0;
  }
  if (words[0] == "--version") {
    std::printf("hone %s (%s), recipe %s, %s\n", hone::cli::program_version().c_str(),
                hone::cli::program_commit().c_str(), hone::tensor::kRecipe,
                hone::tensor::instruction_set());
    return 0;
  }
  std::vector<std::string> names;
  for (const hone::cli::Command& command : hone::cli::commands()) {
    if (command.name == nullptr) continue;
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

// The exit code; `said` gets what is to be said of it on stderr.
int run_to_the_end(const Arguments& words, std::string& said) {
  try {
    hone::cli::join_ranks(words.empty() ? "" : words[0]);
    return delivered(run(words));
  } catch (const hone::Error& error) {
    said = "hone: " + error.message();
    return exit_code(error);
  } catch (const hone::cli::Interrupted& stopped) {
    said = "stopped: " + stopped.what_now;
    return 130;
  } catch (const std::bad_alloc&) {
    said = "hone: out of memory: close other programs or use a smaller batch";
    return 1;
  } catch (const std::exception& error) {
    said = std::string("hone: ") + error.what() + "\nThis is a bug of Hone's: please report it.";
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string said;
  const int code = run_to_the_end({argv + 1, argv + argc}, said);
  return hone::cli::leave_ranks(code, said);
}
