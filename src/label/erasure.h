#pragma once
// Texts that must go: of a task, or of a person. Rows stay with a tombstone in the place of the text;
// events hold ids and salted digests only, so the chain verifies as before. Snapshots never change:
// those that hold something of it are named, for somebody to decide on.
//
// What goes from a task: its texts, models and meta, its external id and digests, its gold explanation,
// and every text that people wrote about it (answers in words, rationales, drafts, comments). What was
// chosen stays. An open task is cancelled. What goes from a person: the name here (the pseudonym
// stays) and every text they wrote. What control.db knows of them is the caller's.
//
// Both run in writes of their own, a page each; broken off, they are called again. Errors: not_found.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "label/organisation.h"
#include "label/permissions.h"

namespace hone::label {

struct Erased {
  int64_t annotations = 0;             // whose texts are gone
  std::vector<std::string> snapshots;  // snp_… that hold something of it
};
Erased erase_task(Organisation& organisation, const Actor& actor, std::string_view task_id);
Erased erase_person(Organisation& organisation, const Actor& actor, std::string_view person_id);

}  // namespace hone::label
