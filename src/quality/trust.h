#pragma once
// Evidence about workers: rows, never a verdict. Each row says what was counted, what an honest
// worker would show, how surprising the count is, and what the number guarantees. A person decides.
//
// Rows come by worker, ascending; q is p after Benjamini-Hochberg over the rows. Pure functions;
// the sums go in a fixed order, so the bits depend on the table alone.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "quality/comparison_table.h"
#include "quality/label_table.h"
#include "quality/paired_tests.h"
#include "quality/sequential.h"

namespace hone::quality {

// ---- Which side --------------------------------------------------------------------------------

struct SideRow {
  uint32_t worker = 0;
  uint64_t left = 0, right = 0;  // decided votes
  double left_share = 0.0;
  Interval interval;  // Wilson, 95 %
  double p = 1.0;     // exact binomial, two-sided, against 1/2: sides must have been shuffled
  double q = 1.0;
};

struct PositionBias {
  uint64_t left = 0, right = 0, tie = 0, both_bad = 0;  // all votes, also those without a worker
  double left_share = 0.0;                              // of the decided; 1/2 when there are none
  double z = 0.0;                                       // (left - right) / sqrt(left + right)
  double p = 1.0;                                       // exact binomial, two-sided
  std::vector<SideRow> workers;                         // with min_decided decided votes or more
  std::vector<std::string> warnings;
};

PositionBias position_bias(const ComparisonTable& table, uint64_t min_decided = 10);

// ---- Against the crowd -------------------------------------------------------------------------
//
// Null: on each task the worker's label is exchangeable with the others' labels there, and tasks
// are independent. Given the bag of a task's n labels (own included) the own label is then any of
// them with equal chance; a step e(label) whose mean over the bag is at most 1 makes the product
// over tasks a test supermartingale: P(ever >= 1/alpha) <= alpha (Ville), however often one looks.
// It is evidence of answering unlike the others, not of bad faith: a worker who is merely worse
// than the rest is, in the long run, found too.
//
//   fixed    e = n / (m n_label), m = classes in the bag: FastChat's 1 / (2 p) for two answers, and
//            valid for more, where theirs is not. Against a worker who answers uniformly.
//   betting  (1 - stake) + stake e, the mean of wealths over stakes 1/16 .. 1, against two
//            alternatives: uniform answers, and answers drawn from the worker's own earlier ones
//            (who answers without looking at the task). Nothing is tuned; no stake can lose all
//            but the share it was given.
//
// Tasks where all agree or nobody else answered say nothing and are passed over.
struct CrowdRow {
  uint32_t worker = 0;
  uint64_t votes = 0;      // that say something
  double fixed = 1.0;      // e-value after the last vote
  double fixed_max = 1.0;  // largest so far; 1 / that is a p-value for all times
  double betting = 1.0;
  double betting_max = 1.0;
  uint64_t crossed_after = 0;  // votes until betting first reached 1 / alpha; 0 = never
  double q = 1.0;              // e-BH over `betting`: any dependence between workers
};

struct CrowdOptions {
  double alpha = 0.05;
  uint64_t min_votes = 5;  // fewer: no row
};

struct CrowdEvidence {
  std::vector<CrowdRow> workers;
  std::vector<std::string> warnings;
};

// order: indices into table.labels() in the order of time; empty: the table's order (by task). The
// last e-value of `fixed` does not depend on it, the maxima and `betting` do.
CrowdEvidence crowd_evidence(const LabelTable& table, const CrowdOptions& options = {},
                             std::span<const uint32_t> order = {});
// Bags are tasks; where a vote has no task, the unordered pair of things, each worker's first vote.
// Answers: first of the pair (by name), second, tie, both bad.
CrowdEvidence crowd_evidence(const ComparisonTable& table, const CrowdOptions& options = {});

// FastChat's rule as it is (fastchat/serve/monitor/elo_analysis.py): per worker two products of
// 1 / (2 p), p = share of all decided votes on the same pair of things that are <= (upper) or >=
// (lower) the worker's; the first 100 votes of workers with 5 or more; flagged when either exceeds
// 1 / alpha. Here ties are passed over (theirs counts a tie against both sides, which no p-value
// does). Guarantee: at most 2 alpha when a worker meets a pair once and pairs are independent.
struct FastchatRow {
  uint32_t worker = 0;
  uint64_t votes = 0;
  double upper = 1.0, lower = 1.0;  // at the flag, or after the last vote
  bool flagged = false;
};
std::vector<FastchatRow> fastchat_evidence(const ComparisonTable& table, double alpha = 0.05);

// ---- Gold tasks --------------------------------------------------------------------------------

struct GoldAnswer {  // in the order in which they were given
  uint32_t worker = 0;
  bool right = false;
};
struct GoldRow {
  uint32_t worker = 0;
  uint64_t right = 0, wrong = 0;
  Interval accuracy;  // Wilson, 95 %
  SprtDecision decision = SprtDecision::kContinue;
  double log_ratio = 0.0;  // against accuse_at and clear_at
  uint64_t decided_after = 0;
  double e_value = 1.0;    // BettingTest against "accuracy at least options.good": now
  double anytime_p = 1.0;  // and its p-value for all times
};
struct GoldEvidence {
  double accuse_at = 0.0, clear_at = 0.0;  // the bounds of the log ratio
  std::vector<GoldRow> workers;
};
GoldEvidence gold_evidence(std::span<const GoldAnswer> answers, const SprtOptions& options = {});
// truth[task] = class, or a negative number for a task without gold; answers by task.
GoldEvidence gold_evidence(const LabelTable& table, std::span<const int64_t> truth,
                           const SprtOptions& options = {});

// ---- Patterns, time ----------------------------------------------------------------------------

struct Answer {  // in the order in which they were given
  uint32_t worker = 0;
  uint32_t task = 0;
  uint32_t value = 0;
  double seconds = -1.0;  // time on task; negative: unknown
};

struct PatternRow {
  uint32_t worker = 0;
  uint64_t answers = 0;
  double entropy = 0.0;        // of the own answers, bits
  double crowd_entropy = 0.0;  // of all answers, bits: what a typical worker shows
  uint64_t longest_run = 0;    // of equal answers
  double run_p = 1.0;          // chance of such a run when the own answers come in random order
  uint32_t period = 0;         // 1 = repeats, 2 = alternates, 3 ...: the lag that matches most
  double period_share = 0.0;   // of answers equal to the one `period` before
  double period_p = 1.0;       // by permutation of the own answers, over all lags 1 .. 6 at once
  double constant_p = 1.0;     // chance that the crowd's shares give so little entropy
  double q = 1.0;              // of 3 min(run_p, period_p, constant_p)
};
struct PatternOptions {
  uint64_t min_answers = 20;
  size_t rounds = 999;  // permutations; p is at least 1 / (rounds + 1)
  uint64_t seed = 42;
};
std::vector<PatternRow> answer_patterns(std::span<const Answer> answers, size_t classes,
                                        const PatternOptions& options = {});

struct TimeRow {
  uint32_t worker = 0;
  uint64_t timed = 0;  // answers with a time
  uint64_t below = 0;  // under the floor
  double share = 0.0;
  double crowd_share = 0.0;                     // of the other workers' answers
  double median = 0.0, fifth_percentile = 0.0;  // seconds
  double p = 1.0;  // binomial: so many or more below when the chance is crowd_share
  double q = 1.0;
};
// floor in seconds. A fair one is what reading aloud takes; never a quantile of the fastest.
std::vector<TimeRow> time_evidence(std::span<const Answer> answers, double floor,
                                   uint64_t min_timed = 10);

// ---- With whom one agrees ----------------------------------------------------------------------

struct LeaveOneOutRow {
  uint32_t worker = 0;
  uint64_t labels = 0;    // all of the worker's
  uint64_t compared = 0;  // where the others have one most frequent label
  uint64_t agreed = 0;
  double agreement = 0.0;  // agreed / compared; 0 when there is none
  Interval interval;       // Wilson, 95 %
};
std::vector<LeaveOneOutRow> leave_one_out_agreement(const LabelTable& table,
                                                    uint64_t min_labels = 1);

// ---- Exams -------------------------------------------------------------------------------------
//
// Classical test theory (Lord, Novick 1968). A good item is solved by those who do well on the
// rest. An item whose key most of the best workers reject is likelier a broken key than a hard task.
struct ItemRow {
  uint32_t task = 0;
  uint32_t key = 0;
  uint64_t answers = 0, right = 0;
  double difficulty = 0.0;         // share of right answers
  double discrimination = 0.0;     // correlation of right with the share right on all other items
  double upper_lower = 0.0;        // share right in the best 27 % of workers minus the worst 27 %
  uint32_t rival = 0;              // most frequent answer other than the key
  double rival_share_upper = 0.0;  // of the best 27 %: who chose the rival
  double key_share_upper = 0.0;    // and who the key
  bool defined = false;  // discrimination: both right and wrong answers, and scores that differ
};
struct ItemAnalysis {
  std::vector<ItemRow> items;  // tasks with a key, ascending
  double reliability = 0.0;    // Cronbach's alpha (KR-20) over workers who answered every item
  bool reliability_defined = false;
  uint64_t complete_workers = 0;
  std::vector<std::string> warnings;
};
ItemAnalysis item_analysis(const LabelTable& table, std::span<const int64_t> key);

}  // namespace hone::quality
