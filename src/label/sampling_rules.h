#pragma once
// Which served answers become tasks of which project (docs/serving.md, "From use to labels").
//
// A rule looks at answers that their people consented to being looked at: with "store": true in the
// request, or with the consent of a thumb, vote, correction or report. It takes a share of them, at most
// daily_cap a day (UTC). Whether an answer is in the share is a digest of rule, completion and choice, so
// that it can be computed again: drawn(). An answer is taken once a rule.
//
// The task is a row of an import like any other (task_rows.h): the conversation as its prompt, the
// answer as its response (a pairwise or ranking project gets two: the compared ones, or the answer and its
// correction), and what decided it in its meta: completion, digests, settings, token ids with
// log-probabilities, the rule, what was said. Labellers do not see the meta.
//
// Functions on a Connection, or a Transaction inside Organisation::write. Errors: not_found, FieldError.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "feedback/answer.h"
#include "label/feedback.h"
#include "label/permissions.h"
#include "store/database.h"

namespace hone::label {

class Organisation;

inline constexpr int64_t kDailyCapMax = 100'000;
inline constexpr size_t kRulesMax = 100;

// any: stored or judged; judged: whatever was said; the rest: that.
enum class SamplingSource { kAny, kJudged, kThumbsUp, kThumbsDown, kCompared, kEdited, kReported };
std::string_view sampling_source_name(SamplingSource source);  // "thumbs_down"
SamplingSource sampling_source_from_name(std::string_view name);

struct SamplingRule {
  int64_t id = 0, project = 0;
  std::string public_id;  // rul_…
  std::string name;
  std::string model;  // of the answer: a name, a digest or a fingerprint; empty = any
  SamplingSource source = SamplingSource::kAny;
  double share = 1;
  int64_t daily_cap = 100;
  std::string project_id;  // prj_…
  bool on = true;
  std::string created_by;
  int64_t created_at_ms = 0;
  int64_t taken = 0, taken_today = 0;  // tasks
};

struct SamplingRuleChange {
  std::optional<std::string> name, model, project_id;
  std::optional<SamplingSource> source;
  std::optional<double> share;
  std::optional<int64_t> daily_cap;
  std::optional<bool> on;
};
SamplingRule make_sampling_rule(Organisation& organisation, store::Transaction& tx,
                                const Actor& actor, const SamplingRuleChange& wanted);
SamplingRule change_sampling_rule(Organisation& organisation, store::Transaction& tx,
                                  const Actor& actor, std::string_view id,
                                  const SamplingRuleChange& change);
// It takes nothing more and is in no list; what it took stays, and says which rule took it.
void remove_sampling_rule(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                          std::string_view id);
SamplingRule get_sampling_rule(store::Connection& db, std::string_view id, int64_t now_ms);
std::vector<SamplingRule> list_sampling_rules(store::Connection& db, int64_t now_ms);

// Whether the answer is in the rule's share. Pure.
bool drawn(std::string_view rule_id, std::string_view completion, int64_t choice, double share);

// What happened to some answers: they were stored with consent, or, with `said`, judged with consent.
struct Occasion {
  std::vector<feedback::Answer> answers;
  const NewFeedback* said = nullptr;
  std::string feedback_id;  // fbk_…, of said
};
struct SampledTask {
  std::string rule_id, task_id;
};
// What cannot become a task of that project is noted as unfit and never an error of the occasion.
std::vector<SampledTask> sample(Organisation& organisation, store::Transaction& tx,
                                const Occasion& occasion);

}  // namespace hone::label
