#include "cli/options.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/env.h"
#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"

namespace hone::cli {

namespace {

constexpr uint64_t kMaxConfigBytes = 1 << 20;

template <typename T>
T parse_integer(const std::string& name, const std::string& value) {
  T number{};
  const char* end = value.data() + value.size();
  const auto [stop, status] = std::from_chars(value.data(), end, number);
  if (status != std::errc() || stop != end || value.empty()) {
    throw invalid_input("--" + name + " \"" + value + "\" is not a whole number of 0 or more");
  }
  return number;
}

double parse_real(const std::string& name, const std::string& value) {
  double number = 0;
  const char* end = value.data() + value.size();
  const auto [stop, status] = std::from_chars(value.data(), end, number);
  if (status != std::errc() || stop != end || !std::isfinite(number)) {
    throw invalid_input("--" + name + " \"" + value + "\" is not a number");
  }
  return number;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (begin <= text.size() && !text.empty()) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return parts;
}

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ",") + part;
  return text;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

// What a key of the configuration says; nothing for null.
std::optional<std::vector<std::string>> values_of(const std::string& path, const std::string& key,
                                                  const YAML::Node& node) {
  if (node.IsNull()) return std::nullopt;
  if (node.IsScalar()) return std::vector<std::string>{node.Scalar()};
  bool plain = node.IsSequence();
  std::vector<std::string> parts;
  for (const auto& element : node) {
    plain = plain && element.IsScalar();
    parts.push_back(plain ? element.Scalar() : "");
  }
  if (!plain) throw invalid_input(path + ": " + key + " must be a single value or a list of such");
  return parts;
}

std::string wrapped(const std::string& text, size_t indent, size_t width) {
  std::string out, line;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t space = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, space - begin);
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      out += line + "\n" + std::string(indent, ' ');
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    begin = space + 1;
  }
  return out + line;
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

Options::Options(std::string command, std::string summary, std::string usage)
    : command_(std::move(command)), summary_(std::move(summary)), usage_(std::move(usage)) {}

Options::Option& Options::add(std::string name, std::string metavar, std::string help,
                              std::string default_text) {
  Option option;
  option.name = std::move(name);
  option.metavar = std::move(metavar);
  option.help = std::move(help);
  option.default_text = std::move(default_text);
  options_.push_back(std::move(option));
  return options_.back();
}

void Options::text(std::string name, std::string* value, std::string metavar, std::string help) {
  add(std::move(name), std::move(metavar), std::move(help), *value).set =
      [value](const std::string& given) { *value = given; };
}

void Options::flag(std::string name, bool* value, std::string help) {
  Option& option = add(name, "", std::move(help), "");
  option.is_flag = true;
  option.set = [value, name = std::move(name)](const std::string& given) {
    if (given != "true" && given != "false") {
      throw invalid_input("--" + name + " is true or false, not \"" + given + "\"");
    }
    *value = given == "true";
  };
}

void Options::count(std::string name, size_t* value, std::string help) {
  Option& option = add(name, "N", std::move(help), std::to_string(*value));
  option.set = [value, name = std::move(name)](const std::string& given) {
    *value = parse_integer<size_t>(name, given);
  };
}

void Options::number64(std::string name, uint64_t* value, std::string help) {
  Option& option = add(name, "N", std::move(help), std::to_string(*value));
  option.set = [value, name = std::move(name)](const std::string& given) {
    *value = parse_integer<uint64_t>(name, given);
  };
}

void Options::real(std::string name, double* value, std::string help) {
  Option& option = add(name, "X", std::move(help), number_to_string(*value));
  option.set = [value, name = std::move(name)](const std::string& given) {
    *value = parse_real(name, given);
  };
}

void Options::list(std::string name, std::vector<std::string>* value, std::string metavar,
                   std::string help) {
  add(std::move(name), std::move(metavar), std::move(help), join(*value)).set =
      [value](const std::string& given) { *value = split(given); };
}

void Options::texts(std::string name, std::vector<std::string>* values, std::string metavar,
                    std::string help) {
  Option& option = add(std::move(name), std::move(metavar), std::move(help), "");
  option.repeats = true;
  option.set = [values](const std::string& given) { values->push_back(given); };
}

void Options::reals(std::string name, std::vector<double>* value, std::string help) {
  Option& option = add(name, "X,..", std::move(help), "");
  option.set = [value, name = std::move(name)](const std::string& given) {
    value->clear();
    for (const std::string& part : split(given)) value->push_back(parse_real(name, part));
  };
}

void Options::choice(std::string name, std::string* value, std::vector<std::string> allowed,
                     std::string help) {
  Option& option = add(name, "{" + join(allowed) + "}", std::move(help), *value);
  option.set = [value, name = std::move(name),
                allowed = std::move(allowed)](const std::string& given) {
    if (std::find(allowed.begin(), allowed.end(), given) == allowed.end()) {
      throw invalid_input("--" + name + " \"" + given + "\" is not known: choose one of " +
                          join(allowed));
    }
    *value = given;
  };
}

void Options::section(std::string title) {
  Option& option = add("", "", std::move(title), "");
  option.is_section = true;
}

void Options::example(std::string line, std::string what_it_does) {
  examples_.emplace_back(std::move(line), std::move(what_it_does));
}

Options::Option& Options::find(const std::string& name, const char* where) {
  for (Option& option : options_) {
    if (!option.is_section && option.name == name) return option;
  }
  std::vector<std::string> known;
  for (const Option& option : options_) {
    if (!option.is_section) known.push_back(option.name);
  }
  const std::string close = nearest(name, known);
  throw invalid_input(std::string(where) + name + " is not an option of hone " + command_ +
                      (close.empty() ? "" : "; did you mean --" + close + "?") + " (hone " +
                      command_ + " --help lists them)");
}

void Options::read_config(const std::string& text, const std::string& path) {
  if (const auto bad = find_invalid_utf8(text)) {
    throw invalid_input(path + ": byte " + std::to_string(*bad) +
                        " is not UTF-8: save the file as UTF-8 text");
  }
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsMap()) {
      throw invalid_input(path + ": a map of options is expected, such as \"learning_rate: 1e-5\"");
    }
    for (const auto& entry : root) {
      if (!entry.first.IsScalar()) {
        throw invalid_input(path + ": a name of an option is expected before each colon");
      }
      set_from_config(entry.first.Scalar(), values_of(path, entry.first.Scalar(), entry.second),
                      path);
    }
  } catch (const YAML::Exception& e) {
    const std::string line = e.mark.is_null() ? "" : ":" + std::to_string(e.mark.line + 1);
    throw invalid_input(path + line + ": not YAML: " + e.msg);
  }
}

void Options::set_from_config(const std::string& key,
                              const std::optional<std::vector<std::string>>& values,
                              const std::string& path) {
  std::string name = key;
  std::replace(name.begin(), name.end(), '_', '-');
  Option& option = find(name, (path + ": ").c_str());
  if (option.given) return;  // the command line wins
  if (values) {
    try {
      if (option.repeats) {
        for (const std::string& value : *values) option.set(value);
      } else {
        option.set(join(*values));
      }
    } catch (const Error& error) {
      throw invalid_input(path + ": " + error.message());
    }
  }
  option.given = true;
}

std::vector<std::string> Options::parse(const std::vector<std::string>& arguments) {
  text("config", &config_, "FILE.yaml", "options from a file; the command line wins");
  std::vector<std::string> words;
  bool only_words = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (only_words || argument.size() < 2 || argument.substr(0, 2) != "--") {
      if (argument == "-h") {
        wants_help_ = true;
        return {};
      }
      words.push_back(argument);
      continue;
    }
    if (argument == "--") {
      only_words = true;
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (name == "help") {
      wants_help_ = true;
      return {};
    }
    Option& option = find(name, "--");
    if (equals != std::string::npos) {
      option.set(argument.substr(equals + 1));
    } else if (option.is_flag) {
      option.set("true");
    } else if (i + 1 < arguments.size()) {
      option.set(arguments[++i]);
    } else {
      throw invalid_input("--" + name + " needs a value: --" + name + " " + option.metavar);
    }
    option.given = true;
  }
  if (!config_.empty()) {
    if (!real_env().exists(config_)) {
      throw not_found("--config " + config_ + ": the file cannot be read: check its name");
    }
    read_config(real_env().read_file(config_, kMaxConfigBytes), config_);
  }
  return words;
}

bool Options::was_given(std::string_view name) const {
  return std::any_of(options_.begin(), options_.end(),
                     [&](const Option& option) { return option.name == name && option.given; });
}

void Options::require(std::string_view name, const std::string& value) const {
  if (!value.empty()) return;
  throw invalid_input("hone " + command_ + " needs --" + std::string(name) + " (hone " + command_ +
                      " --help shows examples)");
}

bool Options::show_help() const {
  if (wants_help_) std::fputs(help().c_str(), stdout);
  return wants_help_;
}

std::string Options::help() const {
  std::string out = "hone " + command_ + ": " + summary_ + "\n\nUsage: hone " + command_ +
                    (usage_.empty() ? "" : " " + usage_) + " [options]\n";
  if (!examples_.empty()) out += "\nExamples:\n";
  for (const auto& [line, what] : examples_) out += "  # " + what + "\n  " + line + "\n";
  out += "\nOptions:\n";
  constexpr size_t kColumn = 34, kWidth = 64;
  for (const Option& option : options_) {
    if (option.is_section) {
      out += "\n " + option.help + "\n";
      continue;
    }
    std::string left = "  --" + option.name + (option.metavar.empty() ? "" : " " + option.metavar);
    left += left.size() + 2 > kColumn ? "\n" + std::string(kColumn, ' ')
                                      : std::string(kColumn - left.size(), ' ');
    const std::string tail =
        option.default_text.empty() ? "" : " (default " + option.default_text + ")";
    out += left + wrapped(option.help + tail, kColumn, kWidth) + "\n";
  }
  return out;
}

}  // namespace hone::cli
