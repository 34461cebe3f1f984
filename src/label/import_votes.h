#pragma once
// What somebody said of a pair elsewhere, as an annotation here: the judge is a member of the
// organisation (known by the name in the file, paused, with no way to sign in), the vote a valid
// annotation with an assignment of its own, in the project's present schema and guideline.
//
// A task wants at least as many annotations as were imported, so that it never has more valid ones
// than it wants; one that has what it wants is done. A second vote of the same judge on the same task
// is left out and counted: one person, one task, one annotation.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "label/import_columns.h"
#include "label/organisation.h"
#include "label/permissions.h"
#include "label/task_rows.h"

namespace hone::label {

struct TaskVotes {
  size_t task = 0;  // index into the batch
  std::vector<Vote> votes;
};
struct InsertedVotes {
  int64_t annotations = 0;
  int64_t repeated = 0;  // the judge had said something of the task before
};

// Inside the write that inserted the batch. Votes of a row that was a duplicate go to the task that
// is there; when that has the two responses the other way round, so do the votes.
InsertedVotes insert_votes(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                           int64_t project, const TaskSchema& schema,
                           std::span<const NewTask> tasks, const InsertedTasks& inserted,
                           std::span<const TaskVotes> votes, int64_t now_ms);

}  // namespace hone::label
