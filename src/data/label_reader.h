#pragma once
// Labels and truth out of files (docs/formats/labels.md): who said what of which task, and what was
// right. Streaming; label_fields.h says how bytes become rows, what a bad line is, and the bounds.
//
// Columns: task (or item), worker, label; truth: task (or item), label (or truth). Ids and labels
// are any text that is not empty; a label "nan" is a missing value and refused, unless it is
// declared. Optional beside a label: seconds (time on the task), rationale.
// Used by one thread at a time.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/label_fields.h"

namespace hone::data {

struct LabelRow {
  std::string_view task, worker, label;  // valid during the call
  std::string_view rationale;            // empty: none
  double seconds = -1.0;                 // negative: not said
  uint64_t line = 0;
};

struct LabelReadOptions {
  FieldOptions fields;
  // --labels a,b,c: any other label is a bad line that names its nearest. Empty: any label.
  std::vector<std::string> declared = {};
};

class LabelReader {
 public:
  LabelReader(std::string name, LabelReadOptions options,
              std::function<void(const LabelRow&)> on_label);
  void feed(std::string_view bytes) { fields_.feed(bytes); }
  void finish() { fields_.finish(); }
  const ReadCounts& counts() const { return fields_.counts(); }
  bool has_seconds() const;
  bool has_rationales() const;

 private:
  void take(const FieldRow& row);

  std::vector<std::string> declared_;  // ascending
  std::function<void(const LabelRow&)> on_label_;
  FieldReader fields_;
};

struct TruthRow {
  std::string_view task, label;  // valid during the call
  uint64_t line = 0;
};

class TruthReader {
 public:
  TruthReader(std::string name, LabelReadOptions options,
              std::function<void(const TruthRow&)> on_truth);
  void feed(std::string_view bytes) { fields_.feed(bytes); }
  void finish() { fields_.finish(); }
  const ReadCounts& counts() const { return fields_.counts(); }

 private:
  std::vector<std::string> declared_;
  std::function<void(const TruthRow&)> on_truth_;
  FieldReader fields_;
};

}  // namespace hone::data
