#pragma once
// People as one organisation knows them: the row behind a role, with what matters for work. Roles and
// sign-in are control.db's (identity.h).
//
// Errors: not_found, FieldError. Writing functions are called inside Organisation::write.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "label/permissions.h"
#include "store/database.h"

namespace hone::label {

class Organisation;

struct Member {
  int64_t id = 0;
  std::string person_id;  // usr_…
  std::string name;
  std::string pseudonym;  // "Amber Heron 7K": what viewers and exports see
  std::vector<std::string> skills;
  std::vector<std::string> languages;  // BCP 47; empty = any
  bool paused = false;
  int64_t created_at_ms = 0;
};

struct NewMember {
  std::string person_id, name;
  std::vector<std::string> skills, languages;
};
// The member of that person; made when there is none (then skills and languages are set).
Member ensure_member(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                     const NewMember& wanted);

struct MemberPatch {
  std::optional<std::string> name;
  std::optional<std::vector<std::string>> skills, languages;
  std::optional<bool> paused;
};
Member patch_member(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                    std::string_view person_id, const MemberPatch& patch);

std::optional<Member> find_member(store::Connection& db, std::string_view person_id);
std::optional<Member> find_member(store::Connection& db, int64_t id);
// By id ascending behind `after`; at most 200.
std::vector<Member> list_members(store::Connection& db, int64_t after, size_t limit);
int64_t count_annotations_of(store::Connection& db, int64_t member_id);

// Whether a member with these languages may have a task in this one: "" fits everybody, "en" fits a
// member of "en-GB" and the other way round.
bool language_fits(const std::vector<std::string>& of_member, std::string_view of_task);

}  // namespace hone::label
