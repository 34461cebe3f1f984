#include "label/splits.h"

#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "data/data_check.h"
#include "data/label_fields.h"
#include "label/events.h"
#include "label/organisation.h"
#include "label/public_id.h"
#include "label/task_rows.h"
#include "seal/digest.h"

namespace hone::label {
namespace {

constexpr size_t kPageTasks = 5000;
constexpr size_t kMostExamples = 5;

std::string digest16(std::string_view text) { return seal::sha256_bytes(text).substr(0, 16); }

// A page of tasks without a side gets it; returns the last id looked at, 0 at the end.
int64_t fill_page(store::Transaction& tx, const TaskDefaults& defaults, int64_t after) {
  const auto page = tx.query_all(
      "SELECT id, group_digest, split FROM task WHERE project_id = $1 AND id > $2"
      " ORDER BY id LIMIT $3",
      {defaults.project, after, kPageTasks}, [](const store::Row& row) {
        return std::tuple(row.int64(0), std::string(row.bytes(1)), row.text(2).empty());
      });
  for (const auto& [id, group, is_open] : page) {
    if (!is_open) continue;
    tx.execute("UPDATE task SET split = $2 WHERE id = $1",
               {id, split_of_group(defaults.split_seed, defaults.heldout_fraction, group)});
  }
  return page.size() < kPageTasks ? 0 : std::get<0>(page.back());
}

}  // namespace

std::string_view split_of_group(std::string_view seed, double heldout_fraction,
                                std::string_view group_digest) {
  std::string keyed(seed);
  keyed += '\0';
  keyed += group_digest;
  const std::string digest = seal::sha256_bytes(keyed);
  uint64_t place = 0;
  for (size_t i = 0; i < 8; ++i) place = place << 8 | static_cast<unsigned char>(digest[i]);
  // 53 bits: exact in a double, the same on every machine.
  const double fraction = static_cast<double>(place >> 11) * 0x1p-53;
  return fraction < heldout_fraction ? kHeldout : kTrain;
}

SplitCounts split_counts(store::Connection& db, int64_t project) {
  SplitCounts counts;
  for (const store::Row& row : db.query(
           "SELECT split, count(*) FROM task WHERE project_id = $1 GROUP BY split", {project})) {
    (row.text(0) == kTrain     ? counts.train
     : row.text(0) == kHeldout ? counts.heldout
                               : counts.none) = row.int64(1);
  }
  return counts;
}

void finish_splits(Organisation& organisation, int64_t project) {
  const TaskDefaults defaults =
      organisation.read([&](store::Connection& db) { return task_defaults(db, project); });
  if (defaults.split_seed.empty()) return;
  for (int64_t after = 0;;) {
    after = organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
      return fill_page(tx, defaults, after);
    });
    if (after == 0) return;
  }
}

SplitCounts freeze_splits(Organisation& organisation, const Actor& actor, std::string_view project,
                          double heldout_fraction, std::optional<std::string> seed,
                          std::optional<int64_t> if_version) {
  if (!(heldout_fraction >= 0.0 && heldout_fraction <= 0.5)) {
    throw invalid_input("heldout_fraction must be a number from 0 to 0.5");
  }
  if (seed && (seed->size() > 100 || find_invalid_utf8(*seed) || seed->find('\0') != seed->npos)) {
    throw invalid_input("seed must be a text of at most 100 bytes");
  }
  if (!seed || seed->empty()) seed = make_public_id(organisation.env(), "split");
  const int64_t id = organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
    const Project before = get_project(tx, project);
    if (if_version && *if_version != before.version) {
      throw Error(ErrorCode::kConflict,
                  "the project was changed meanwhile; load it again and repeat the change");
    }
    if (before.split_state == "frozen") {
      throw Error(ErrorCode::kConflict,
                  "the project's splits are frozen and stay as they are; a new split needs a new "
                  "project");
    }
    tx.execute(
        "UPDATE project SET split_state = 'frozen', split_seed = $2, heldout_fraction = $3,"
        " version = version + 1 WHERE id = $1",
        {before.id, *seed, heldout_fraction});
    Json data = Json::object();
    data["heldout_fraction"] = heldout_fraction;
    data["seed"] = organisation.salted_digest("seed:" + before.public_id, *seed);
    record_event(tx, organisation.env().now_ms(), actor,
                 {.kind = "project.split_frozen",
                  .object = before.public_id,
                  .project_id = before.id,
                  .from = "none",
                  .to = "frozen",
                  .data = std::move(data)});
    return before.id;
  });
  finish_splits(organisation, id);
  return organisation.read([&](store::Connection& db) { return split_counts(db, id); });
}

// ---- overlap ----

struct PromptOverlap::Seen {
  struct Hash {
    size_t operator()(const std::pair<uint64_t, uint64_t>& key) const { return key.first; }
  };
  std::unordered_map<std::pair<uint64_t, uint64_t>, char, Hash>
      sides;  // 1 train, 2 held-out, 3 both
};

PromptOverlap::PromptOverlap() : seen_(std::make_unique<Seen>()) {}
PromptOverlap::~PromptOverlap() = default;

void PromptOverlap::add(const Json& prompt, std::string_view split) {
  if (split.empty()) return;
  const bool single = prompt.is_array() && prompt.size() == 1;
  const std::string text =
      data::normalised_text(single ? prompt.as_array()[0].at("content") : prompt);
  const std::string digest = digest16(text);
  std::pair<uint64_t, uint64_t> key{0, 0};
  for (size_t i = 0; i < 8; ++i) {
    key.first = key.first << 8 | static_cast<unsigned char>(digest[i]);
    key.second = key.second << 8 | static_cast<unsigned char>(digest[i + 8]);
  }
  char& sides = seen_->sides[key];
  const char before = sides;
  sides = static_cast<char>(sides | (split == kTrain ? 1 : 2));
  if (sides != 3 || before == 3) return;
  ++count_;
  if (examples_.size() < kMostExamples) examples_.push_back(data::quoted_for_message(text));
}

void check_splits(Organisation& organisation, const Project& project) {
  PromptOverlap overlap;
  for (int64_t after = 0;;) {
    const size_t rows = organisation.read([&](store::Connection& db) {
      size_t count = 0;
      for (const store::Row& row :
           db.query("SELECT t.id, t.split, b.body FROM task t JOIN task_body b ON b.task_id = t.id"
                    " WHERE t.project_id = $1 AND t.id > $2 AND b.erased_at_ms IS NULL"
                    " ORDER BY t.id LIMIT 500",
                    {project.id, after})) {
        after = row.int64(0);
        ++count;
        const Json body = Json::parse(row.text(2)).value();
        const Json* prompt = body.find("prompt");
        if (prompt != nullptr) overlap.add(*prompt, row.text(1));
      }
      return count;
    });
    if (rows == 0) break;
  }
  if (overlap.count() == 0) return;
  throw Error(ErrorCode::kConflict, std::to_string(overlap.count()) +
                                        " prompts stand in train and in held-out, the first: " +
                                        overlap.examples()[0] + "; cancel those tasks on one side");
}

}  // namespace hone::label
