#pragma once
// Comparisons out of files (docs/formats/labels.md): two things were shown side by side, and who
// won. Streaming; label_fields.h says how bytes become rows, what a bad line is, and the bounds.
//
// Columns: left, right, winner (left, right, tie, both_bad: the side as shown, not a name), and
// optionally worker, task (or item), weight, and style measures: for --style length either the
// columns length_left and length_right (amounts of 0 or more), or one column length (left minus
// right, as given). Two amounts become (left - right) / (left + right + 1), which does not let one
// very long answer decide.
// Used by one thread at a time.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/label_fields.h"

namespace hone::data {

enum class ComparisonWinner : uint8_t { kLeft, kRight, kTie, kBothBad };

struct ComparisonRow {
  std::string_view left, right;  // valid during the call
  ComparisonWinner winner = ComparisonWinner::kTie;
  std::string_view worker, task;  // empty: not said
  double weight = 1.0;
  std::span<const double> style;  // one a name of ComparisonReadOptions::style
  uint64_t line = 0;
};

struct ComparisonReadOptions {
  FieldOptions fields;
  std::vector<std::string> style = {};
};

class ComparisonReader {
 public:
  ComparisonReader(std::string name, ComparisonReadOptions options,
                   std::function<void(const ComparisonRow&)> on_comparison);
  void feed(std::string_view bytes) { fields_.feed(bytes); }
  void finish() { fields_.finish(); }
  const ReadCounts& counts() const { return fields_.counts(); }

 private:
  void take(const FieldRow& row);

  std::vector<std::string> style_names_;
  std::vector<double> style_;
  std::function<void(const ComparisonRow&)> on_comparison_;
  FieldReader fields_;
};

}  // namespace hone::data
