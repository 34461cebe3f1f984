#pragma once
// Tasks as managers see them: lists by key, search, one task with all that was said of it, changes.
//
// A list page never counts and never reads more than kLookMax tasks: a filter that few tasks pass may
// return a short page with a cursor behind what was looked at. Searching reads texts (no index: an
// index of a million texts would cost more than half of the import): kLookMax tasks a page.
//
// Errors: not_found, FieldError. Reads on the caller's thread, changes inside a write.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "label/projects.h"

namespace hone::label {

inline constexpr size_t kLookMax = 20000;
// Few levels keep the choice of a task cheap (queue.h).
inline constexpr int64_t kPriorityMax = 100;

enum class TaskSort { kNew, kCertainty, kDisagreement };  // newest; least certain; most disputed

struct TaskFilter {
  std::string q;      // in prompt, responses and messages, letter case aside; or a task's whole id
  std::string state;  // open, done, undecided, cancelled
  std::string split;  // train, heldout
  std::optional<bool> flagged;
  TaskSort sort = TaskSort::kNew;
  std::string after;  // a cursor
  size_t limit = 50;  // 1 to 200
};

struct TaskItem {
  std::string public_id, state, split, prompt, external_id;
  int64_t priority = 0, annotations = 0, wanted = 0;
  std::string answer;  // the posterior's best, as a choice; empty without answers
  std::string answer_words;
  std::optional<double> probability;
  bool flagged = false, is_gold = false;
  int64_t created_at_ms = 0;
};
struct TaskPage {
  std::vector<TaskItem> items;
  std::string next;  // empty = the end
};
TaskPage list_tasks(Organisation& organisation, const Project& project, const TaskFilter& filter);

struct TaskAnnotation {
  std::string id, person_id, name, pseudonym, status, choice, rationale;
  Json answer;
  int64_t active_ms = 0, created_at_ms = 0, guideline_version = 0;
};
struct TaskFlag {
  std::string id, person_id, name, pseudonym, reason, comment;
  int64_t created_at_ms = 0;
  std::optional<int64_t> resolved_at_ms;
};
struct TaskDetail {
  int64_t project = 0;
  TaskItem item;
  Json body;  // null when its text was erased
  // Per part of the main question: classes with probabilities.
  std::vector<std::vector<std::pair<std::string, double>>> posterior;
  std::vector<TaskAnnotation> annotations;
  std::vector<TaskFlag> flags;
  std::optional<Json> gold;
  std::string gold_explanation;
};
TaskDetail get_task(Organisation& organisation, store::Connection& db, std::string_view task);

struct TaskPatch {
  std::optional<int64_t> priority;
  std::optional<std::string> state;  // open, cancelled
};
// Opening a done task asks one more person.
void patch_task(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                std::string_view task, const TaskPatch& patch);

void resolve_flag(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                  std::string_view flag);

}  // namespace hone::label
