#include "label/report_words.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "label/organisation.h"

namespace hone::label {

std::string percent(double share) {
  return std::to_string(static_cast<int>(std::lround(100.0 * share))) + " %";
}

std::string two_places(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", number);
  return text;
}

std::string many(int64_t number, const std::string& one, const std::string& more) {
  return std::to_string(number) + " " + (number == 1 ? one : more);
}

Json interval_json(const quality::Interval& interval) {
  Json json = Json::array();
  json.push_back(interval.low);
  json.push_back(interval.high);
  return json;
}

std::map<int64_t, PersonName> person_names(Organisation& organisation,
                                           const std::vector<int64_t>& members, bool show_names) {
  return organisation.read([&](store::Connection& db) {
    std::map<int64_t, PersonName> names;
    for (const int64_t member : members) {
      db.query_one("SELECT person_id, name, pseudonym FROM member WHERE id = $1", {member},
                   [&](const store::Row& row) {
                     names[member] = show_names ? PersonName{row.string(0), row.string(1)}
                                                : PersonName{"", row.string(2)};
                     return true;
                   });
    }
    return names;
  });
}

bool has_sides(const ProjectQuality& quality) {
  return quality.schema->main().kind == QuestionKind::kComparison &&
         std::any_of(quality.answers.begin(), quality.answers.end(),
                     [](const AnswerRow& answer) { return answer.value < 2; });
}

quality::ComparisonTable side_table(const ProjectQuality& quality) {
  quality::ComparisonTableBuilder builder;
  const auto classes = main_classes(*quality.schema);
  for (const AnswerRow& answer : quality.answers) {
    quality::Winner winner = quality::Winner::kTie;
    if (answer.value < 2) {
      const bool left = (answer.value == 0) != answer.swapped;
      winner = left ? quality::Winner::kLeft : quality::Winner::kRight;
    } else if (classes[answer.value] == "both_bad") {
      winner = quality::Winner::kBothBad;
    }
    builder.add(answer.swapped ? "second" : "first", answer.swapped ? "first" : "second", winner,
                std::to_string(answer.member), std::to_string(answer.task));
  }
  return std::move(builder).build();
}

}  // namespace hone::label
