#pragma once
// A reward function: a name, and a value or none for each answer of a batch.
//
// None leaves the answer out of this function's sum and statistics; an answer for which no function
// has a value is left out of its group and learns nothing (TRL's rule). A function is used by one
// thread at a time and may keep state (an external program, a model).

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hone::reward {

struct Sample {
  std::string_view prompt, completion;                  // texts; the end token has none
  std::span<const int32_t> prompt_ids, completion_ids;  // the end token included
  bool ended = false;         // false: cut at the longest answer that was allowed
  const Json* row = nullptr;  // the prompt's other columns, an object
  std::string_view row_name;  // for messages: "prompts.jsonl:3"
};

class RewardFunction {
 public:
  virtual ~RewardFunction() = default;
  // As metrics have it: rewards/<name>/mean.
  virtual const std::string& name() const = 0;
  // One for each sample, in their order. Throws invalid_input that names the row for one that it
  // cannot judge for lack of a column, unavailable when it cannot work at all.
  virtual std::vector<std::optional<double>> score(std::span<const Sample> samples) = 0;
  // A value depends on its sample alone: a run on several machines asks on each about the answers that
  // were drawn there. False: one of them asks about all answers, in order.
  virtual bool judges_alone() const { return true; }
};

using Functions = std::vector<std::unique_ptr<RewardFunction>>;

// One for each sample. Throws internal that names the function (and the row) when one gives
// another number of values than there are samples, or a value that is not a finite number.
std::vector<std::optional<double>> score_one(RewardFunction& function,
                                             std::span<const Sample> samples);
// Values [sample][function].
std::vector<std::vector<std::optional<double>>> score_all(const Functions& functions,
                                                          std::span<const Sample> samples);

// sum of weight * value over the functions that have one; none when no function has.
std::optional<double> weighted_sum(std::span<const std::optional<double>> values,
                                   std::span<const double> weights);

// Throws invalid_input when two have one name (as=NAME gives another) or weights do not fit.
void check_functions(const Functions& functions, std::span<const double> weights);

}  // namespace hone::reward
