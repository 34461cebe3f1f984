#pragma once
// How the tasks of a project follow a changed overlap: kOverlapPiece of them in a transaction, so that
// people who label beside it wait for one piece at most, however many tasks there are.
//
// How far it is stands in project.overlap_reached_task: what a crash broke off goes on at the next
// start. Until a task is reached it keeps the number of answers that it wanted before; tasks that are
// imported meanwhile have the new one.

#include <cstdint>

#include "label/projects.h"

namespace hone::label {

inline constexpr int64_t kOverlapPiece = 2000;

// Inside a write. From the first task on, in place of a change that is under way; does the first piece.
void begin_overlap_change(Organisation& organisation, store::Transaction& tx,
                          const Project& project);
// One piece of what is under way. True while more is left.
bool follow_overlap(Organisation& organisation, store::Transaction& tx, int64_t project);
// All that is left of one project, or of all of them, in writes of its own. Not from a write.
void finish_overlap_change(Organisation& organisation, int64_t project);
void finish_overlap_changes(Organisation& organisation);

}  // namespace hone::label
