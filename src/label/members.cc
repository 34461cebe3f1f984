#include "label/members.h"

#include <algorithm>
#include <cctype>

#include "base/utf8.h"
#include "label/events.h"
#include "label/json_lists.h"
#include "label/organisation.h"
#include "label/queue.h"
#include "label/task_schema.h"

namespace hone::label {
namespace {

constexpr std::string_view kColours[] = {"Amber",  "Azure", "Coral",  "Crimson", "Golden", "Green",
                                         "Indigo", "Ivory", "Jade",   "Lilac",   "Ochre",  "Olive",
                                         "Pearl",  "Ruby",  "Silver", "Violet"};
constexpr std::string_view kBirds[] = {"Crane", "Curlew", "Falcon", "Finch", "Heron",  "Kestrel",
                                       "Lark",  "Martin", "Osprey", "Owl",   "Plover", "Raven",
                                       "Robin", "Stork",  "Swift",  "Wren"};

std::string new_pseudonym(Env& env) {
  constexpr std::string_view kSigns = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
  unsigned char random[5];
  env.random_bytes(random, sizeof random);
  std::string name(kColours[random[0] % 16]);
  name += ' ';
  name += kBirds[random[1] % 16];
  name += ' ';
  for (int i = 2; i < 5; ++i) name += kSigns[random[i] % 32];
  return name;
}

void check_name(std::string_view name) {
  if (name.find_first_not_of(" \t\r\n") == std::string_view::npos || name.size() > 800 ||
      find_invalid_utf8(name) || name.find('\0') != std::string_view::npos) {
    throw FieldError("/name", "a name has 1 to 200 characters");
  }
}

void check_list(const std::vector<std::string>& list, const char* field) {
  if (list.size() > 50) throw FieldError(std::string("/") + field, "at most 50 entries");
  for (const std::string& entry : list) {
    if (entry.empty() || entry.size() > 240 || find_invalid_utf8(entry) ||
        entry.find('\0') != std::string::npos) {
      throw FieldError(std::string("/") + field, "an entry has 1 to 60 characters");
    }
  }
}

void set_skills(store::Transaction& tx, int64_t member, const std::vector<std::string>& skills) {
  check_list(skills, "skills");
  tx.execute("DELETE FROM member_skill WHERE member_id = $1", {member});
  for (const std::string& skill : skills) {
    tx.execute("INSERT INTO member_skill (member_id, skill) VALUES ($1, $2) ON CONFLICT DO NOTHING",
               {member, skill});
  }
}

constexpr std::string_view kColumns =
    "SELECT id, person_id, name, pseudonym, languages, is_paused, created_at_ms FROM member ";

Member read_member(const store::Row& row) {
  Member member;
  member.id = row.int64(0);
  member.person_id = row.string(1);
  member.name = row.string(2);
  member.pseudonym = row.string(3);
  member.languages = text_list(row.text(4));
  member.paused = row.boolean(5);
  member.created_at_ms = row.int64(6);
  return member;
}

void add_skills(store::Connection& db, Member& member) {
  member.skills = db.query_all("SELECT skill FROM member_skill WHERE member_id = $1 ORDER BY skill",
                               {member.id}, [](const store::Row& row) { return row.string(0); });
}

std::string_view primary(std::string_view tag) { return tag.substr(0, tag.find_first_of("-_")); }

bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

}  // namespace

Member ensure_member(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                     const NewMember& wanted) {
  if (auto known = find_member(tx, wanted.person_id)) return *std::move(known);
  check_name(wanted.name);
  check_list(wanted.languages, "languages");
  const int64_t now_ms = organisation.env().now_ms();
  for (int attempt = 0;; ++attempt) {
    if (attempt == 20) throw Error(ErrorCode::kInternal, "no pseudonym is free");
    if (tx.execute("INSERT INTO member (person_id, name, pseudonym, languages, created_at_ms)"
                   " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (pseudonym) DO NOTHING",
                   {wanted.person_id, wanted.name, new_pseudonym(organisation.env()),
                    text_list_json(wanted.languages), now_ms}) == 1) {
      break;
    }
  }
  const int64_t id = tx.last_insert_id();
  set_skills(tx, id, wanted.skills);
  record_event(tx, now_ms, actor, {.kind = "member.added", .object = wanted.person_id});
  return *find_member(tx, id);
}

Member patch_member(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                    std::string_view person_id, const MemberPatch& patch) {
  const auto before = find_member(tx, person_id);
  if (!before) throw not_found("there is no such person");
  Json changed = Json::array();
  if (patch.name) {
    check_name(*patch.name);
    tx.execute("UPDATE member SET name = $2 WHERE id = $1", {before->id, *patch.name});
    changed.push_back("name");
  }
  if (patch.languages) {
    check_list(*patch.languages, "languages");
    tx.execute("UPDATE member SET languages = $2 WHERE id = $1",
               {before->id, text_list_json(*patch.languages)});
    changed.push_back("languages");
  }
  if (patch.skills) {
    set_skills(tx, before->id, *patch.skills);
    changed.push_back("skills");
  }
  if (patch.paused) {
    tx.execute("UPDATE member SET is_paused = $2 WHERE id = $1", {before->id, *patch.paused});
    changed.push_back("paused");
  }
  if (changed.size() == 0) return *before;
  const bool paused = patch.paused.value_or(before->paused);
  Json data = Json::object();
  data["changed"] = std::move(changed);
  record_event(tx, organisation.env().now_ms(), actor,
               {.kind = "member.changed",
                .object = before->person_id,
                .from = before->paused ? "paused" : "active",
                .to = paused ? "paused" : "active",
                .data = std::move(data)});
  organisation.queue().drop_member(before->id);
  return *find_member(tx, before->id);
}

std::optional<Member> find_member(store::Connection& db, std::string_view person_id) {
  auto member =
      db.query_one(std::string(kColumns) + "WHERE person_id = $1", {person_id}, read_member);
  if (member) add_skills(db, *member);
  return member;
}

std::optional<Member> find_member(store::Connection& db, int64_t id) {
  auto member = db.query_one(std::string(kColumns) + "WHERE id = $1", {id}, read_member);
  if (member) add_skills(db, *member);
  return member;
}

std::vector<Member> list_members(store::Connection& db, int64_t after, size_t limit) {
  auto members = db.query_all(std::string(kColumns) + "WHERE id > $1 ORDER BY id LIMIT $2",
                              {after, std::min<size_t>(limit, 200)}, read_member);
  for (Member& member : members) add_skills(db, member);
  return members;
}

int64_t count_annotations_of(store::Connection& db, int64_t member_id) {
  return db
      .query_int64(
          "SELECT count(*) FROM annotation WHERE member_id = $1 AND status IN"
          " ('valid', 'surplus')",
          {member_id})
      .value_or(0);
}

bool language_fits(const std::vector<std::string>& of_member, std::string_view of_task) {
  if (of_task.empty() || of_member.empty()) return true;
  return std::any_of(of_member.begin(), of_member.end(), [&](const std::string& tag) {
    return same_letters(primary(tag), primary(of_task));
  });
}

}  // namespace hone::label
