#pragma once
// Options of a command: one table that reads the command line and the YAML file of --config, and
// prints --help. The same word everywhere: --learning-rate, learning_rate in YAML.
//
// The command line wins over the file. Lists are comma-separated (or YAML lists). An unknown option
// or key is an error that names the nearest known one. Errors are invalid_input.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hone::cli {

class Options {
 public:
  // command: "train dpo"; summary: one sentence; usage: what follows the command's name.
  Options(std::string command, std::string summary, std::string usage);

  // Help lines say what the value is and what the default means. `value` is the default.
  void text(std::string name, std::string* value, std::string metavar, std::string help);
  void flag(std::string name, bool* value, std::string help);
  void count(std::string name, size_t* value, std::string help);
  void number64(std::string name, uint64_t* value, std::string help);
  void real(std::string name, double* value, std::string help);
  void list(std::string name, std::vector<std::string>* value, std::string metavar,
            std::string help);
  // May be given several times, each time one value; a YAML list is as many.
  void texts(std::string name, std::vector<std::string>* values, std::string metavar,
             std::string help);
  void reals(std::string name, std::vector<double>* value, std::string help);
  void choice(std::string name, std::string* value, std::vector<std::string> allowed,
              std::string help);
  // A heading above the options that follow, in --help.
  void section(std::string title);
  void example(std::string line, std::string what_it_does);

  // Reads the arguments. Returns the words that are not options. Throws on the rest.
  // wants_help() is true afterwards when --help was among them; nothing else was checked then.
  std::vector<std::string> parse(const std::vector<std::string>& arguments);
  bool wants_help() const { return wants_help_; }
  // The text of a --config file: a map from option names to values or lists. What parse() was given
  // already stays. `path` stands in messages.
  void read_config(const std::string& text, const std::string& path);
  // Prints the help on stdout when it was asked for, and says so: the command is done then.
  bool show_help() const;
  bool was_given(std::string_view name) const;
  std::string help() const;

  // Words after the command: checks their number and names the missing one.
  void require(std::string_view name, const std::string& value) const;

 private:
  struct Option {
    std::string name, metavar, help, default_text;
    bool is_flag = false;
    bool given = false;
    bool repeats = false;
    bool is_section = false;
    std::function<void(const std::string&)> set;
  };
  Option& add(std::string name, std::string metavar, std::string help, std::string default_text);
  Option& find(const std::string& name, const char* where);
  void set_from_config(const std::string& key,
                       const std::optional<std::vector<std::string>>& values,
                       const std::string& path);

  std::string command_, summary_, usage_;
  std::vector<Option> options_;
  std::vector<std::pair<std::string, std::string>> examples_;
  std::string config_;
  bool wants_help_ = false;
};

// The known word with the fewest edits to `word`, or nothing when all are far.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace hone::cli
