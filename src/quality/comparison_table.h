#pragma once
// Who beat whom: the one input of every ranking.
//
// Canonical like LabelTable: names ascend bytewise, comparisons ascend by all their fields, so a
// ranking has the same bits whatever the order of the rows; Elo, whose definition is the order,
// reads `order`. Read from any thread.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hone::quality {

enum class Winner : uint8_t { kLeft, kRight, kTie, kBothBad };  // as shown

inline constexpr uint32_t kNobody = 0xffffffffu;  // a comparison without worker or task

struct Comparison {
  uint32_t left;  // index into names(): what was shown on the left
  uint32_t right;
  Winner winner;
  uint32_t worker = kNobody;
  uint32_t task = kNobody;
  double weight = 1.0;
};

struct ComparisonTable {
  std::vector<std::string> names;
  std::vector<std::string> workers;
  std::vector<std::string> tasks;
  std::vector<Comparison> comparisons;  // canonical order
  std::vector<uint32_t> order;          // place in the input -> index into comparisons
  // Style covariates (length, headers, lists, bold, ...): covariates[c][i] = the difference
  // left - right of comparison i, as given; the model standardises. Empty when there are none.
  std::vector<std::string> covariate_names;
  std::vector<std::vector<double>> covariates;
};

class ComparisonTableBuilder {
 public:
  explicit ComparisonTableBuilder(std::vector<std::string> covariate_names = {});
  ~ComparisonTableBuilder();
  ComparisonTableBuilder(ComparisonTableBuilder&&) noexcept;

  // Empty worker or task: none. A thing against itself, a weight that is not finite and positive,
  // a covariate that is not finite: invalid_input.
  void add(std::string_view left, std::string_view right, Winner winner,
           std::string_view worker = {}, std::string_view task = {}, double weight = 1.0,
           std::span<const double> covariates = {});
  ComparisonTable build() &&;  // throws invalid_input when there is no comparison

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hone::quality
