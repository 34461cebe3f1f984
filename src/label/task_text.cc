#include "label/task_text.h"

#include "base/json.h"

namespace hone::label {
namespace {

constexpr size_t kChars = 200;

// Text or a list of {role, content}: the last message of a user, else the last.
std::string words_of(const Json& prompt) {
  if (prompt.is_string()) return prompt.as_string();
  if (!prompt.is_array()) return {};
  std::string words;
  for (const Json& message : prompt.as_array()) {
    const Json* role = message.find("role");
    const Json* content = message.find("content");
    if (content == nullptr || !content->is_string()) continue;
    if (words.empty() || (role != nullptr && role->is_string() && role->as_string() == "user")) {
      words = content->as_string();
    }
  }
  return words;
}

std::string one_line(const std::string& text) {
  std::string line;
  size_t chars = 0;
  for (const char c : text) {
    if ((c & 0xc0) != 0x80 && ++chars > kChars) return line + "…";
    const bool white = c == '\n' || c == '\r' || c == '\t' || c == ' ';
    if (!white)
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  return line;
}

}  // namespace

std::string prompt_start(std::string_view body) {
  const auto json = Json::parse(body);
  if (!json) return {};
  for (const char* field : {"prompt", "messages"}) {
    const Json* value = json->find(field);
    if (value == nullptr) continue;
    std::string words = words_of(*value);
    if (!words.empty()) return one_line(words);
  }
  return {};
}

}  // namespace hone::label
