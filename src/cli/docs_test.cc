// docs/cli.md says what the program has: every command, every option, nothing else.

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"

namespace hone::cli {
namespace {

constexpr uint64_t kMaxBytes = 1 << 22;

std::set<std::string> options_in(const std::string& text, const std::regex& pattern) {
  std::set<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
    found.insert((*it)[1]);
  }
  return found;
}

std::string help_of(const Command& command, const std::string& object) {
  Arguments arguments;
  if (!object.empty()) arguments.push_back(object);
  arguments.emplace_back("--help");
  testing::internal::CaptureStdout();
  const int code = command.run(arguments);
  std::string text = testing::internal::GetCapturedStdout();
  EXPECT_EQ(code, 0) << command.name << " " << object;
  return text;
}

// Every --help of a command, one for each object, put together.
std::string helps_of(const Command& command) {
  std::istringstream objects(command.objects);
  std::string object, text;
  while (objects >> object) text += help_of(command, object);
  return text.empty() ? help_of(command, "") : text;
}

// In --help an option begins its line.
std::set<std::string> options_of(const Command& command) {
  return options_in(helps_of(command), std::regex("\n  --([a-z0-9-]+)"));
}

// The page's sections "## hone NAME ...", by NAME; the text before them under "".
std::map<std::string, std::string> sections_of_docs() {
  std::istringstream page(real_env().read_file("docs/cli.md", kMaxBytes));
  std::map<std::string, std::string> sections;
  std::string line, name;
  while (std::getline(page, line)) {
    if (line.compare(0, 8, "## hone ") == 0) {
      name = line.substr(8, line.find(' ', 8) - 8);
    } else if (line.compare(0, 3, "## ") == 0) {
      name.clear();
    }
    sections[name] += line + "\n";
  }
  return sections;
}

const std::regex kNamedInDocs("--([a-z][a-z0-9-]*)");

TEST(DocsTest, EveryCommandHasItsSectionAndNoOther) {
  const auto sections = sections_of_docs();
  std::set<std::string> names;
  for (const Command& command : commands()) {
    if (command.name == nullptr) continue;
    names.insert(command.name);
    EXPECT_TRUE(sections.contains(command.name)) << "docs/cli.md: no ## hone " << command.name;
  }
  for (const auto& [name, text] : sections) {
    EXPECT_TRUE(name.empty() || names.contains(name)) << "docs/cli.md tells of hone " << name;
  }
}

TEST(DocsTest, EveryOptionIsInItsSectionOrAmongTheCommonOnes) {
  const auto sections = sections_of_docs();
  const std::set<std::string> common = options_in(sections.at(""), kNamedInDocs);
  for (const Command& command : commands()) {
    if (command.name == nullptr || !sections.contains(command.name)) continue;
    const std::string& section = sections.at(command.name);
    std::set<std::string> named = options_in(section, kNamedInDocs);
    if (section.find("ampling options as for generate") != std::string::npos) {
      named.merge(options_in(sections.at("generate"), kNamedInDocs));
    }
    for (const std::string& option : options_of(command)) {
      EXPECT_TRUE(named.contains(option) || common.contains(option))
          << "docs/cli.md, hone " << command.name << ": --" << option << " is missing";
    }
  }
}

TEST(DocsTest, NoSectionTellsOfAnOptionThatIsNotThere) {
  const auto sections = sections_of_docs();
  for (const Command& command : commands()) {
    if (command.name == nullptr || !sections.contains(command.name)) continue;
    std::set<std::string> known = options_of(command);
    known.insert("help");
    if (command.run == run_plan) {  // takes those of what it plans
      for (const Command& other : commands()) {
        if (other.run == run_train || other.run == run_serve) known.merge(options_of(other));
      }
    }
    for (const std::string& option : options_in(sections.at(command.name), kNamedInDocs)) {
      EXPECT_TRUE(known.contains(option))
          << "docs/cli.md, hone " << command.name << ": there is no --" << option;
    }
  }
}

TEST(DocsTest, EveryHelpHasASentenceExamplesAndTheCommonOptions) {
  for (const Command& command : commands()) {
    if (command.name == nullptr) continue;
    const std::string text = helps_of(command);
    EXPECT_NE(text.find("\nUsage: hone " + std::string(command.name)), std::string::npos) << text;
    EXPECT_NE(text.find("\nExamples:\n  # "), std::string::npos) << command.name;
    const std::set<std::string> options = options_of(command);
    for (const char* option : {"json", "quiet", "threads", "seed", "memory-limit", "config"}) {
      EXPECT_TRUE(options.contains(option)) << command.name << " has no --" << option;
    }
  }
}

TEST(DocsTest, AnUnknownWordNamesTheNearest) {
  for (const Command& command : commands()) {
    if (command.name == nullptr || *command.objects == '\0') continue;
    const std::string object = std::string(command.objects).substr(0, 4);
    try {
      command.run({object.substr(0, 2) + "x" + object.substr(2)});
      ADD_FAILURE() << command.name;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(command.name), std::string::npos) << error.message();
    }
    EXPECT_THROW(command.run({}), Error) << command.name;
  }
}

TEST(DocsTest, TheOverviewNamesEveryCommandInLinesThatFitATerminal) {
  const std::string text = overview();
  for (const Command& command : commands()) {
    EXPECT_NE(text.find(command.name == nullptr ? command.what
                                                : "\n  " + std::string(command.name) + " "),
              std::string::npos);
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

}  // namespace
}  // namespace hone::cli
