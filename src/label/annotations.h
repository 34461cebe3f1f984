#pragma once
// What people said. An answer is never refused because it is late and never silently counted: it is
// `valid` when its lease still stands or a place of its task is free, else `surplus` (kept, credited,
// outside the quota). A task never has more valid annotations than it wants.
//
// submit() and undo() are called inside a write of Durability::kDisk and acknowledged after it; drafts,
// skips and flags may be kProcess. Errors: not_found (another's assignment too), FieldError with the
// question's name for an empty or incomplete answer, conflict for an answer that stands already.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "label/queue.h"

namespace hone::label {

inline constexpr int64_t kUndoMs = 24 * 3600 * 1000;
inline constexpr int64_t kUndoLast = 50;
inline constexpr size_t kDraftBytesMax = size_t{512} * 1024;
inline constexpr size_t kReasonChars = 300, kCommentChars = 2000;
inline constexpr int64_t kFlagsOfOneMax = 5;  // open ones of one member on one task

struct Submission {
  Json answer;
  std::string rationale;
  int64_t active_ms = 0;
  std::string receipt;  // of the assignment, when the browser has it (receipt.h)
};
// {answer, rationale?, active_ms?, receipt?}; unknown fields are refused by name.
Submission submission_from_json(const Json& body);

struct ExamResult {
  bool correct = false;
  std::string explanation;
};
struct Submitted {
  std::string annotation_id, status;
  int64_t done_by_me = 0;
  bool repeated = false;  // the same answer was there already
  std::optional<ExamResult> exam;
  int64_t project = 0;
};
Submitted submit(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                 std::string_view assignment, const Submission& submission);

// Takes one's own answer (or skip) back: the last 50, for 24 hours, while the project runs. The
// assignment is leased again; an answer that was surplus gets a lease only when a place is free.
void undo(Organisation& organisation, store::Transaction& tx, const Actor& actor,
          std::string_view assignment);

void skip(Organisation& organisation, store::Transaction& tx, const Actor& actor,
          std::string_view assignment, std::string_view reason, std::string_view comment);
// Returns the flag's public id.
std::string flag(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                 std::string_view assignment, std::string_view reason, std::string_view comment);
void save_draft(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                std::string_view assignment, const Json& draft);

struct MyAnnotation {
  std::string assignment_id, task_id, prompt, status;
  Json answer;
  int64_t created_at_ms = 0;
  bool can_undo = false;
};
struct MyWork {
  int64_t done = 0, done_today = 0, active_ms_today = 0;
  int64_t available = 0;             // at most so many tasks are left for this person
  std::vector<MyAnnotation> recent;  // newest first, at most 50
  int64_t guideline_version = 0;
};
MyWork my_work(Organisation& organisation, store::Connection& db, const Actor& actor,
               const Project& project, size_t recent = 20);
// {done, available} of a list of projects.
struct MyCounts {
  int64_t done = 0, available = 0;
};
MyCounts my_counts(store::Connection& db, int64_t member, const Project& project);

}  // namespace hone::label
