#pragma once
// Rewards that hold an answer against a column of its row, or against a pattern.
//
//   exact    1 when the answer without white space around it is the column's text, else 0.
//            column=answer, case=exact|ignore
//   numeric  1 when the answer's number is the column's, else 0; none where the column has none.
//            column=answer, take=last|first|only, tolerance=0 (absolute)
//   regex    1 when the pattern is found, else 0. RE2: linear in the answer's length.
//            pattern=..., match=search|full, case=exact|ignore
//   prefix   the share of the column's text that the answer begins with, 0 to 1: a reward with steps
//            for short answers. column=answer
// A number: digits, with a sign, a fraction and commas between thousands: "-1,234.50".

#include <memory>
#include <optional>
#include <string_view>

#include "reward/reward.h"
#include "reward/spec.h"

namespace hone::reward {

std::unique_ptr<RewardFunction> make_exact(Spec spec);
std::unique_ptr<RewardFunction> make_numeric(Spec spec);
std::unique_ptr<RewardFunction> make_regex(Spec spec);
std::unique_ptr<RewardFunction> make_prefix(Spec spec);

// Without the white space around it.
std::string_view trimmed(std::string_view text);
// ASCII letters only; others stay as they are.
std::string lower(std::string_view text);

// Numbers of a text, in order; at most `most` of them.
std::vector<double> numbers_of(std::string_view text, size_t most = 1 << 16);

// The column as text: a string as it is, a number in its shortest form. Throws invalid_input that
// names row and column when it is missing or something else.
std::string column_text(const Sample& sample, const std::string& column, const std::string& reward);

}  // namespace hone::reward
