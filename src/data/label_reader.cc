#include "data/label_reader.h"

#include <algorithm>

#include "base/error.h"

namespace hone::data {
namespace {

enum LabelField : size_t { kTask, kWorker, kLabel, kSeconds, kRationale };
enum TruthField : size_t { kTruthTask, kTruthLabel };

std::vector<FieldSpec> label_specs() {
  return {
      {{"task", "item"}}, {{"worker"}}, {{"label"}}, {{"seconds"}, false}, {{"rationale"}, false}};
}

std::vector<FieldSpec> truth_specs() { return {{{"task", "item"}}, {{"label", "truth"}}}; }

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return names;
}

bool says_nan(std::string_view text) {
  return text.size() == 3 && (text[0] | 0x20) == 'n' && (text[1] | 0x20) == 'a' &&
         (text[2] | 0x20) == 'n';
}

void check_label(std::string_view label, const std::vector<std::string>& declared) {
  if (declared.empty()) {
    if (!says_nan(label)) return;
    throw invalid_input("the label " + quoted_for_message(label) +
                        " is a missing value, not an answer; leave the row out, or declare it "
                        "among --labels");
  }
  if (std::binary_search(declared.begin(), declared.end(), label)) return;
  std::string known;
  for (size_t i = 0; i < declared.size() && i < 12; ++i) {
    known += (i == 0 ? "" : ", ") + declared[i];
  }
  if (declared.size() > 12) known += ", …";
  throw invalid_input("the label " + quoted_for_message(label) +
                      " is not among the declared ones (--labels): " + known);
}

}  // namespace

LabelReader::LabelReader(std::string name, LabelReadOptions options,
                         std::function<void(const LabelRow&)> on_label)
    : declared_(sorted(std::move(options.declared))),
      on_label_(std::move(on_label)),
      fields_(std::move(name), label_specs(), std::move(options.fields),
              [this](const FieldRow& row) { take(row); }) {}

void LabelReader::take(const FieldRow& row) {
  check_label(row.fields[kLabel], declared_);
  LabelRow label{
      row.fields[kTask], row.fields[kWorker], row.fields[kLabel], row.fields[kRationale], -1.0,
      row.line};
  if (!row.fields[kSeconds].empty()) {
    label.seconds = number_of_field("seconds", row.fields[kSeconds]);
    if (label.seconds < 0) {
      throw invalid_input("\"seconds\" is below zero: " + quoted_for_message(row.fields[kSeconds]));
    }
  }
  on_label_(label);
}

bool LabelReader::has_seconds() const { return fields_.has_field(kSeconds); }
bool LabelReader::has_rationales() const { return fields_.has_field(kRationale); }

TruthReader::TruthReader(std::string name, LabelReadOptions options,
                         std::function<void(const TruthRow&)> on_truth)
    : declared_(sorted(std::move(options.declared))),
      on_truth_(std::move(on_truth)),
      fields_(std::move(name), truth_specs(), std::move(options.fields),
              [this](const FieldRow& row) {
                check_label(row.fields[kTruthLabel], declared_);
                on_truth_({row.fields[kTruthTask], row.fields[kTruthLabel], row.line});
              }) {}

}  // namespace hone::data
