#include "data/comparison_reader.h"

#include "base/error.h"

namespace hone::data {
namespace {

enum ComparisonField : size_t { kLeft, kRight, kWinner, kWorker, kTask, kWeight, kStyle };

std::vector<FieldSpec> comparison_specs(const std::vector<std::string>& style) {
  std::vector<FieldSpec> specs = {
      {{"left"}},         {{"right"}}, {{"winner"}}, {{"worker"}, false}, {{"task", "item"}, false},
      {{"weight"}, false}};
  for (const std::string& name : style) {
    specs.push_back({{name}, false});
    specs.push_back({{name + "_left"}, false});
    specs.push_back({{name + "_right"}, false});
  }
  return specs;
}

ComparisonWinner winner_of(std::string_view word, std::string_view left, std::string_view right) {
  if (word == "left") return ComparisonWinner::kLeft;
  if (word == "right") return ComparisonWinner::kRight;
  if (word == "tie") return ComparisonWinner::kTie;
  if (word == "both_bad") return ComparisonWinner::kBothBad;
  throw invalid_input(
      "the winner " + quoted_for_message(word) + " is none of left, right, tie, both_bad" +
      (word == left || word == right ? " (say the side it was shown on, not its name)" : ""));
}

double style_value(const std::string& name, std::string_view whole, std::string_view left,
                   std::string_view right) {
  if (!whole.empty()) {
    if (left.empty() && right.empty()) return number_of_field(name, whole);
    throw invalid_input("\"" + name + "\" stands beside \"" + name + "_left\" and \"" + name +
                        "_right\": give the difference or the two amounts, not both");
  }
  if (left.empty() || right.empty()) {
    throw invalid_input("--style " + name + " needs columns \"" + name + "_left\" and \"" + name +
                        "_right\", or \"" + name + "\" with their difference; a value is missing");
  }
  const double l = number_of_field(name + "_left", left);
  const double r = number_of_field(name + "_right", right);
  if (l < 0 || r < 0) {
    throw invalid_input("\"" + name + "_left\" and \"" + name +
                        "_right\" are amounts of 0 or more");
  }
  // Halved before the sum, so that two huge amounts do not overflow.
  return (l / 2 - r / 2) / (l / 2 + r / 2 + 0.5);
}

}  // namespace

ComparisonReader::ComparisonReader(std::string name, ComparisonReadOptions options,
                                   std::function<void(const ComparisonRow&)> on_comparison)
    : style_names_(options.style),
      style_(style_names_.size()),
      on_comparison_(std::move(on_comparison)),
      fields_(std::move(name), comparison_specs(style_names_), std::move(options.fields),
              [this](const FieldRow& row) { take(row); }) {}

void ComparisonReader::take(const FieldRow& row) {
  ComparisonRow out{row.fields[kLeft],
                    row.fields[kRight],
                    winner_of(row.fields[kWinner], row.fields[kLeft], row.fields[kRight]),
                    row.fields[kWorker],
                    row.fields[kTask],
                    1.0,
                    style_,
                    row.line};
  if (out.left == out.right) {
    throw invalid_input(quoted_for_message(out.left) + " is compared with itself");
  }
  if (!row.fields[kWeight].empty()) {
    out.weight = number_of_field("weight", row.fields[kWeight]);
    if (out.weight <= 0) {
      throw invalid_input("\"weight\" must be above zero, found " +
                          quoted_for_message(row.fields[kWeight]));
    }
  }
  for (size_t i = 0; i < style_names_.size(); ++i) {
    const auto at = row.fields.subspan(kStyle + 3 * i, 3);
    style_[i] = style_value(style_names_[i], at[0], at[1], at[2]);
  }
  on_comparison_(out);
}

}  // namespace hone::data
