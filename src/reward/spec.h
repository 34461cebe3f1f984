#pragma once
// What --reward says: NAME or NAME:key=value,key=value. The value of `pattern`, `command` and
// `schema` goes to the end of the text, commas and all. as=NAME is the name in metrics.

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"

namespace hone::reward {

class Spec {
 public:
  // Throws invalid_input that quotes the text.
  static Spec parse(std::string_view text);

  const std::string& text() const { return text_; }
  const std::string& kind() const { return kind_; }
  std::string name() const;  // as=, else the kind

  // Each marks the key as known; done() refuses the others by name.
  std::string text_of(const std::string& key, const std::string& fallback);
  std::string needed(const std::string& key);
  double number_of(const std::string& key, double fallback);
  std::string one_of(const std::string& key, std::initializer_list<const char*> allowed);
  void done() const;

 private:
  [[noreturn]] void refuse(const std::string& why) const;

  std::string text_, kind_;
  std::map<std::string, std::string> values_;
  std::map<std::string, bool> known_ = {{"as", true}};
};

}  // namespace hone::reward
