#pragma once
// From comparisons to a ranking with honest intervals.
//
// Methods (strengths b, d = b_left - b_right; pages: docs/quality.md):
//   bradley-terry  P(left) = 1/(1 + e^-d), a tie is half a win each (Bradley & Terry 1952; Zermelo)
//   davidson       ties of their own: P(tie) ~ nu, P(left) ~ e^(d/2), P(right) ~ e^(-d/2)
//                  (Davidson 1970)
//   rao-kupper     P(left) = 1/(1 + theta e^-d), theta >= 1; the rest of the mass is ties
//                  (Rao & Kupper 1967)
//   crowd-bt       P(w says left) = eta_w s(d) + (1 - eta_w) s(-d), ties left out (Chen et al.,
//                  WSDM 2013): who answers at random or backwards counts less
//   elo            sequential ratings in file order: for comparison only, no intervals
//   newman         Newman's iteration (JMLR 2023) for the Davidson model: for comparison only
// "Both bad" counts as a tie and is counted apart.
//
// The left-side effect delta (d + delta) is always fitted beside the ranking and reported; the
// scores carry it only when asked. Intervals are sandwich intervals, clustered by worker or task
// (no small-sample factor on the error; Student's quantile with clusters - 1 degrees of freedom),
// and percentile intervals of a bootstrap over the same clusters.
//
// Where the likelihood has no largest point (things that never met, one that won or lost all of
// its comparisons), a normal prior on every strength makes the answer finite and a warning says so.
//
// The same bits for any number of threads and any order of the input rows (Elo apart). No NaN and
// no infinity comes out. One call uses the pool from its caller's thread; the table is only read.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quality/comparison_table.h"
#include "quality/paired_tests.h"

namespace hone {
class ThreadPool;
}

namespace hone::quality {

enum class RankMethod { kBradleyTerry, kDavidson, kRaoKupper, kCrowdBt, kElo, kNewman };

// "bradley-terry", "davidson", "rao-kupper", "crowd-bt", "elo", "newman"; another word throws
// invalid_input with the list.
RankMethod parse_rank_method(std::string_view word);
std::string_view rank_method_name(RankMethod method);

// What hangs together: votes of one cluster may err together. kAuto: workers when there are at
// least 30 of them, else tasks when there are at least 30, else none. A vote without a worker (or
// task) is a cluster of its own.
enum class ClusterBy { kAuto, kNone, kWorker, kTask };
ClusterBy parse_cluster_by(std::string_view word);  // "auto", "none", "worker", "task"
std::string_view cluster_by_name(ClusterBy cluster);

struct RankOptions {
  RankMethod method = RankMethod::kBradleyTerry;
  ClusterBy cluster = ClusterBy::kAuto;
  double confidence = 0.95;       // of every interval; in (0, 1)
  bool adjust_left = false;       // true: the scores are those of the model with the side effect
  bool style = false;             // true: the scores are those of the model with all covariates
  double style_l2 = 0.0;          // penalty style_l2 / 2 * sum of gamma^2; 0 = none
  size_t bootstrap_rounds = 100;  // 0 = no bootstrap; at most 100,000
  uint64_t seed = 42;             // of the bootstrap
  bool fragility = false;         // how few votes decide the first place (refits)
  double elo_k = 4.0;             // Elo: points per comparison; start 1000, scale 400
  double crowd_bt_lambda = 0.5;   // CrowdBT: weight of the virtual thing of strength 0; > 0
  double crowd_bt_alpha = 8.0;    // CrowdBT: Beta(alpha, beta) prior on eta; both > 1
  double crowd_bt_beta = 2.0;
  size_t iterations_max = 100;  // Newton steps; Newman: x 100
};

struct RankRow {
  std::string name;
  uint32_t index = 0;           // into ComparisonTable::names and covariance
  double strength = 0.0;        // natural logarithm of pi; mean 0
  double score = 0.0;           // 1000 + 400 / ln 10 * strength
  double standard_error = 0.0;  // of the score
  Interval interval;            // of the score, sandwich
  Interval bootstrap_interval;  // of the score; = interval when there is no bootstrap
  uint32_t rank = 0;            // 1 = first; equal scores share the better rank
  uint32_t rank_low = 0;        // 1 + how many have their interval wholly above mine
  uint32_t rank_high = 0;       // how many do not have it wholly below mine (I am one of them)
  uint32_t component = 0;       // see Ranking::components
  double votes = 0.0;           // weighted: comparisons it took part in
  double wins = 0.0, losses = 0.0, ties = 0.0;  // both bad is among the ties
};

// A fitted coefficient with both of its tests.
struct Effect {
  std::string name;             // "left", or the covariate
  double value = 0.0;           // left: natural log-odds; covariate: per standard deviation
  double scale = 1.0;           // covariate: its standard deviation; value / scale is per unit
  double standard_error = 0.0;  // sandwich, same clusters
  Interval interval;
  double wald_p = 1.0;            // two-sided, from the clustered standard error: the one to trust
  double likelihood_ratio = 0.0;  // 2 (LL with - LL without), other terms equal
  double likelihood_ratio_p = 1.0;  // chi-square, 1 df; takes all votes as independent
  bool identified = true;           // false: cannot be told from the strengths; the rest is 0
};

struct WorkerReliability {  // crowd-bt
  std::string worker;       // "" = votes that name nobody
  double eta = 0.0;         // posterior mode of P(agrees with the better one's odds)
  double votes = 0.0;       // decided votes, weighted
};

struct Fragility {
  bool found = false;             // false: no set up to the bound (half of the votes) was found
  size_t votes = 0;               // comparisons whose removal changes the first place
  size_t of = 0;                  // comparisons there are
  uint32_t challenger = 0;        // who is first then: index into names
  std::vector<uint32_t> removed;  // indices into comparisons, ascending; verified by a refit
};

struct Ranking {
  RankMethod method = RankMethod::kBradleyTerry;
  std::vector<RankRow> rows;       // by score, best first; equal scores by name
  std::vector<double> covariance;  // of the strengths, sandwich; names x names, row-major, by index
  double log_likelihood = 0.0;     // of the model of the rows, without any prior
  double objective = 0.0;          // crowd-bt: negative log-posterior that was minimised; else -LL
  size_t iterations = 0;
  bool converged = false;
  bool has_intervals = false;  // false for elo and newman: standard errors 0, interval = score
  std::optional<double> tie_parameter;  // nu (davidson, newman) or theta (rao-kupper)
  double tie_parameter_standard_error = 0.0;
  // Of this model; crowd-bt and elo: Bradley-Terry's, newman: Davidson's.
  std::optional<Effect> left;
  std::vector<Effect> style;            // in order of covariate_names; empty when there are none
  double style_likelihood_ratio = 0.0;  // all covariates at once
  double style_likelihood_ratio_p = 1.0;
  std::vector<WorkerReliability> workers;  // crowd-bt; by worker name
  std::optional<Fragility> fragility;
  ClusterBy cluster = ClusterBy::kNone;  // what was used; never kAuto
  size_t clusters = 0;
  size_t bootstrap_rounds = 0;
  double prior_precision = 0.0;  // of the normal prior on each strength; 0 = none was needed
  uint32_t components = 1;       // groups that never met; scores of two groups do not compare
  double votes_left = 0.0, votes_right = 0.0, votes_tie = 0.0, votes_both_bad = 0.0;  // weighted
  std::vector<std::string> warnings;
};

// Throws invalid_input on an empty table, fewer than 2 or more than kRankThingsMax things, options
// outside their domain, style without covariates. pool: nullptr = the caller alone.
inline constexpr size_t kRankThingsMax = 2048;  // the covariance is names x names
Ranking rank(const ComparisonTable& table, const RankOptions& options = {},
             ThreadPool* pool = nullptr);

}  // namespace hone::quality
