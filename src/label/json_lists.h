#pragma once
// Lists of texts as they lie in a column: a JSON array. Internal to this room.

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hone::label {

inline std::vector<std::string> text_list(std::string_view json) {
  std::vector<std::string> list;
  if (json == "[]") return list;
  const Json array = Json::parse(json).value();
  for (const Json& entry : array.as_array()) list.push_back(entry.as_string());
  return list;
}

inline std::string text_list_json(const std::vector<std::string>& list) {
  Json json = Json::array();
  for (const std::string& entry : list) json.push_back(entry);
  return json.dump();
}

}  // namespace hone::label
