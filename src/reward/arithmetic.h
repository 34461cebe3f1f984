#pragma once
// arithmetic: 1 when the answer is an expression whose value is the column's number, else 0.
//   column=answer, numbers=COLUMN: it must use those numbers, each as often as they are there, and no
//   other (countdown); tolerance=1e-9
// The answer is read up to its first line's end or "=".

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "reward/reward.h"
#include "reward/spec.h"

namespace hone::reward {

std::unique_ptr<RewardFunction> make_arithmetic(Spec spec);

// Value and numbers of an expression of + - * / x ÷ × ( ) and numbers; nothing when it is none, is
// longer than 4096 bytes, is nested deeper than 64, or divides by 0.
struct Expression {
  double value = 0;
  std::vector<double> numbers;
};
std::optional<Expression> evaluate(std::string_view text);

}  // namespace hone::reward
