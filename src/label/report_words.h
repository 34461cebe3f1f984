#pragma once
// Numbers and people in sentences. Internal to the quality reports.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "label/project_quality.h"
#include "quality/comparison_table.h"

namespace hone::label {

std::string percent(double share);                                                  // "71 %"
std::string two_places(double number);                                              // "0.42"
std::string many(int64_t number, const std::string& one, const std::string& more);  // "1 task"
Json interval_json(const quality::Interval& interval);

struct PersonName {
  std::string person_id, name;
};
// By members' ids; pseudonyms instead of names when show_names is false.
std::map<int64_t, PersonName> person_names(Organisation& organisation,
                                           const std::vector<int64_t>& members, bool show_names);

// The answers of a comparison as battles of what stood left against what stood right; workers are
// named by their place in ProjectQuality::members.
quality::ComparisonTable side_table(const ProjectQuality& quality);
bool has_sides(const ProjectQuality& quality);  // a comparison with a decided answer

// A report of this state of the labels: made once.
template <class Make>
Json once(const ProjectQuality& quality, const std::string& name, Make&& make) {
  ProjectQuality::Reports& reports = *quality.reports;
  const std::lock_guard lock(reports.mutex);
  const auto found = reports.made.find(name);
  if (found != reports.made.end()) return found->second;
  return reports.made[name] = make();
}

}  // namespace hone::label
