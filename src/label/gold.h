#pragma once
// Gold: tasks whose answer is known. They are given out by gold_share apart from the queue, count for
// no quota and never reach an export; nothing in an assignment tells one. docs/data_model.md.
//
// A known answer is kept in import order with response ids and answers at least the main question.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "label/annotations.h"
#include "label/task_answer.h"
#include "label/task_moves.h"

namespace hone::label {

// Makes the task gold, or changes its known answer. Inside a write.
void mark_gold(Organisation& organisation, store::Transaction& tx, const Actor& actor,
               std::string_view task, const Json& answer, std::string_view explanation);
// A task of the queue again: valid annotations beyond what is wanted become surplus.
void unmark_gold(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                 std::string_view task);

// Whether an answer is what the key says, in every question that the key answers; text and strength
// are not compared.
bool agrees_with_gold(const TaskSchema& schema, const Json& key, const Json& answer);

// What the person is told after a gold answer: nothing unless the project says so, and nothing for
// an ordinary task.
std::optional<ExamResult> exam_result(store::Connection& db, const Project& project,
                                      const TaskSchema& schema, const TaskParts& parts,
                                      const TaskRow& task, const Json& answer);

struct GoldScore {
  int64_t member = 0;
  int64_t right = 0, of = 0;
};
// Per member, of valid annotations on gold tasks; by member.
std::vector<GoldScore> gold_scores(store::Connection& db, const Project& project);

}  // namespace hone::label
