#pragma once
// What people say of served answers: a thumb, which of two is better, a correction, a report
// (docs/api.md, "Feedback"). Without consent a row holds who, the verdict, the ids and what was typed;
// with consent the conversation, the answers, their digest and settings too (decisions 4.5).
//
// One person says one thing of one kind about one answer: saying it anew replaces what was said, and
// the texts of the replaced row go. The same once more changes nothing.
//
// Functions on a Connection, or a Transaction inside Organisation::write (Durability::kDisk). Errors: not_found,
// forbidden, FieldError.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "feedback/answer.h"
#include "label/permissions.h"
#include "store/database.h"

namespace hone::label {

class Organisation;

inline constexpr size_t kFeedbackCommentChars = 4000;
inline constexpr size_t kFeedbackEditChars = size_t{512} << 10;

enum class FeedbackKind { kThumbs, kComparison, kEdit, kReport };
std::string_view feedback_kind_name(FeedbackKind kind);  // "thumbs", …
FeedbackKind feedback_kind_from_name(std::string_view name);

struct NewFeedback {
  FeedbackKind kind = FeedbackKind::kThumbs;
  // up, down; left, right, tie, both_bad; edited; reported
  std::string verdict;
  std::string reason;   // a word
  std::string comment;  // free text
  std::string edited;   // of an edit
  bool consent = false;
  std::vector<feedback::Answer> answers;  // what it is about: one, of a comparison left and right
};

struct Feedback {
  int64_t id = 0;
  std::string public_id;  // fbk_…
  FeedbackKind kind = FeedbackKind::kThumbs;
  std::string completion, other, verdict, reason;
  int64_t choice = 0, other_choice = 0;
  std::string person_id, name, pseudonym;
  bool consent = false;
  std::string state;  // given, replaced, withdrawn
  int64_t created_at_ms = 0;
  // Of the body; empty when it is erased.
  std::string comment, edited, excerpt;
  std::vector<std::string> models;
  bool erased = false;
};

struct GivenFeedback {
  std::string public_id;
  bool repeated = false;  // the same was said already
  // Consent that this takes back: tasks that stand on nobody else's. The caller erases them
  // (erasure.h), after this is committed.
  std::vector<std::string> orphans;
};
GivenFeedback give_feedback(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                            const NewFeedback& said);

struct FeedbackFilter {
  std::string kind, verdict, completion;  // empty = any
  std::string model;                      // of an answer, by name: finds what was said with consent
  std::optional<bool> consent;
  std::optional<int64_t> from_ms, before_ms;  // when it was said: from <= time < before
  std::string state = "given";
  std::optional<int64_t> before_id;  // keyset, newest first
  size_t limit = 50;
};
std::vector<Feedback> list_feedback(store::Connection& db, const FeedbackFilter& filter);
Feedback get_feedback(store::Connection& db, std::string_view id);
// What was said on a day (UTC) of a model; model is empty where there was no consent, since then its
// name is not kept. A vote counts for both its models: won and lost, or undecided, which is a tie, both
// bad, or a winner where the models are one and the same or not known.
struct FeedbackDay {
  int64_t day_ms = 0;  // its beginning
  std::string model;
  int64_t up = 0, down = 0, won = 0, lost = 0, undecided = 0, edited = 0, reported = 0;
};
inline constexpr int64_t kFeedbackDaysMax = 366;
// Ascending by day, then model.
std::vector<FeedbackDay> feedback_by_day(store::Connection& db, int64_t from_ms);

// What it is about; empty without consent.
std::vector<feedback::Answer> feedback_answers(store::Connection& db, int64_t feedback);

// Takes it back: one's own, or anybody's with feedback.manage. Its texts go. Returns the ids of tasks
// that rules made of its answers and that nobody else's consent stands behind, to be erased likewise.
std::vector<std::string> withdraw_feedback(Organisation& organisation, store::Transaction& tx,
                                           const Actor& actor, std::string_view id);

// All that a person said, at most `most` of it: their texts go too. Whether there was any.
struct WithdrawnFeedback {
  bool any = false;
  std::vector<std::string> orphans;
};
WithdrawnFeedback withdraw_feedback_of(Organisation& organisation, store::Transaction& tx,
                                       const Actor& actor, int64_t member, size_t most);

// ---- Rows for training, of what was said with consent.
enum class FeedbackFormat { kPreferences, kSft, kUnpaired };
FeedbackFormat feedback_format_from_name(std::string_view name);
// A comparison with a winner and an edit are preferences; an edit is SFT; a thumb is unpaired; null
// where it is nothing of that kind.
Json feedback_row(const Feedback& said, std::span<const feedback::Answer> answers,
                  FeedbackFormat format);
// In pages, each a snapshot of its own, oldest first: a slow reader holds up nobody.
void export_feedback(Organisation& organisation, FeedbackFormat format,
                     const std::function<void(std::string_view)>& out);

// ---- Answers that were stored with the request's consent.
void store_completion(store::Transaction& tx, const feedback::KeptCompletion& completion);
std::optional<feedback::Answer> stored_answer(store::Connection& db, std::string_view id,
                                              int64_t choice, int64_t not_before_ms);
// At most `most` of those that are older; returns how many went.
int64_t drop_completions(store::Transaction& tx, int64_t before_ms, int64_t most);

}  // namespace hone::label
