#pragma once
// A file of people to add: CSV with a header or JSONL, columns name, email, role, skills, languages
// (lists split at ';'; in JSONL lists may be lists). Reads strangers' bytes
// (tests/fuzz/people_file_fuzz.cc); bounded by the route's body and by kPeopleOfFileMax.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "label/permissions.h"

namespace hone::api {

inline constexpr size_t kPeopleOfFileMax = 5'000;

struct PeopleFile {
  struct Row {
    int64_t line = 0;
    std::string name;
    std::string email;  // empty = none
    label::Role role = label::Role::kAnnotator;
    std::vector<std::string> skills;
    std::vector<std::string> languages;
  };
  struct BadLine {
    int64_t line = 0;
    std::string reason;
  };
  std::vector<Row> rows;
  std::vector<BadLine> bad_lines;
};

// A bad line is kept with its reason and the others go on. Throws invalid_input for what is no such
// file at all (not UTF-8, a CSV without the column name), too_large beyond the bound.
PeopleFile read_people_file(std::string_view bytes);

}  // namespace hone::api
