#pragma once
// What a person said, checked against the questions of the schema: complete, nothing unknown, every
// response by its id. The outside is not trusted (tests/fuzz/task_schema_fuzz.cc).
//
// Sides (decisions 3.1): a task keeps its responses in import order; each assignment shows them in an
// order of its own, `shown_order` = import indices as shown. An answer names response ids, and for a
// comparison also left and right, which mean that order. What is kept and exported is import order.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "label/task_schema.h"

namespace hone::label {

// What of a task's body an answer can refer to.
struct TaskParts {
  std::vector<std::string> response_ids;  // import order
  std::vector<std::string> roles;         // of messages, in order
};
TaskParts task_parts(const Json& body);

using ShownOrder = std::vector<uint32_t>;
std::string format_shown_order(const ShownOrder& order);  // "1,0"
// Throws corrupt_data when it is no permutation of `count` numbers.
ShownOrder parse_shown_order(std::string_view text, size_t count);

struct Answer {
  Json answer;         // by question name in the schema's order, response ids, nothing left out
  std::string choice;  // the main question's parts (main_classes), joined by ','; "" for text
};

// Throws FieldError (the field is /answer/<question>/…) with a sentence that names the question.
Answer validate_answer(const TaskSchema& schema, const TaskParts& parts, const ShownOrder& shown,
                       const Json& answer);

// The same for a known answer, which is in import order: `left` and `right` are the first and the second
// response, and a whole number or its text ("0") stands for a response id. Only the main question has
// to be answered.
Answer validate_gold_answer(const TaskSchema& schema, const TaskParts& parts, const Json& answer);

// Throws FieldError on /rationale when the schema wants one and it is blank, has none, or it is
// longer than kRationaleChars; returns it without white space at its ends.
inline constexpr size_t kRationaleChars = 20000;
std::string check_rationale(const TaskSchema& schema, std::string_view rationale);

// Whether two annotations say the same: equal after normalisation.
bool same_answer(const Json& a, const Json& b);

// "A is better", "B is better", "tie", "both bad", "4", …: a choice in words of import order.
std::string choice_in_words(const TaskSchema& schema, std::string_view choice);

std::vector<std::string_view> split_choice(std::string_view choice);

}  // namespace hone::label
