#pragma once
// From many disagreeing labels to one label a task with its certainty, and to what each worker is
// worth. docs/quality.md says when to use which method; docs/papers.md names the papers.
//
//   majority     shares of the votes
//   wawa         majority, then votes weighted by each worker's agreement with it
//   dawid-skene  EM over a confusion matrix a worker, from the majority's shares (Dawid & Skene 1979)
//   one-coin     the same with one parameter a worker, errors uniform over the other classes
//   zencrowd     one-coin with a uniform class prior, started at quality 0.8 (Demartini 2012)
//   ibcc         Dawid-Skene with Dirichlet priors, variational (Kim & Ghahramani 2012)
//   mace         a worker knows, or guesses by a habit of his own; EM with random restarts (Hovy 2013)
//   mace-vb      the same with Beta and Dirichlet priors, variational
//   glad         a worker's skill times a task's easiness (Whitehill 2009), normal priors N(1, 1)
//   auto         fits several, takes the one that predicts held-out labels best, and says why
//
// Own stops (tolerance 0, max_iterations 0):
//   dawid-skene one-coin zencrowd  relative change of the log-likelihood below 1e-12, 2,000
//   ibcc                           greatest change of a posterior below 1e-3, 2,000
//   mace mace-vb                   50 iterations each restart, the best objective wins
//   glad                           relative change of the objective below 1e-9, 1,000
// authors_schedule (dawid-skene, zencrowd): start at worker quality 0.7 and 0.8 with a uniform prior
// and stop after 20 iterations, as the code of Zheng et al. (VLDB 2017) does.
//
// Determinism: the same bits for any number of threads and any order of the rows of the input; no
// value is ever NaN: what cannot be known becomes a uniform posterior and a warning in plain words.
// Memory above the table: at most 100 bytes a label and 24 bytes x tasks x classes as long as there
// are at most 12 classes; beyond, 16 bytes x classes for each different (worker, class) that occurs.
// Threads: pool may be null (the caller's thread alone); the functions are pure and may run at once
// on different pools. Errors: invalid_input for options outside their domain or gold that names
// unknown tasks or classes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quality/label_table.h"
#include "quality/paired_tests.h"  // Interval

namespace hone {
class ThreadPool;
}

namespace hone::quality {

enum class Method {
  kMajority,
  kWawa,
  kDawidSkene,
  kOneCoin,
  kZenCrowd,
  kIbcc,
  kMace,
  kMaceVb,
  kGlad,
  kAuto,
};
std::string_view method_name(Method method);  // "dawid-skene"
std::optional<Method> method_from_name(std::string_view name);
std::span<const Method> all_methods();  // in the order above, auto last

// A task whose answer is known. Its posterior is fixed at that answer in every method, so workers
// are measured by it; it does not speak for the class prior's data but counts in it like any task.
struct GoldTask {
  uint32_t task;   // index into tasks()
  uint32_t value;  // index into classes()
};

struct AggregateOptions {
  Method method = Method::kAuto;
  double tolerance = 0.0;         // 0 = the method's own
  uint32_t max_iterations = 0;    // 0 = the method's own; at most 1,000,000
  bool authors_schedule = false;  // dawid-skene, zencrowd: see above
  uint32_t restarts = 10;         // mace, mace-vb; 1 to 1,000
  uint64_t seed = 42;             // mace, mace-vb
  uint32_t folds = 5;             // auto; 2 to 20
  std::vector<GoldTask> gold;
};

// What auto measured of one method.
struct AutoCandidate {
  Method method;
  double held_out = 0.0;        // mean log-likelihood of a held-out label, nats
  double standard_error = 0.0;  // of the difference from the best, over tasks
};

struct Aggregate {
  Method method = Method::kMajority;  // the one that was fitted; under auto the chosen
  size_t task_count = 0, worker_count = 0, class_count = 0;

  std::vector<double> posterior;  // task_count x class_count, each row sums to 1
  std::vector<double> entropy;    // of each row, nats: 0 = sure
  std::vector<double> prior;      // of the classes, as fitted (uniform where the method has none)

  // The most probable classes of each task; more than one is a tie (equal to 1e-9).
  std::vector<uint32_t> winner_begin;  // task_count + 1
  std::vector<uint32_t> winner_classes;
  std::span<const uint32_t> winners(size_t task) const;

  std::vector<uint32_t> worker_labels;  // how many labels each worker gave
  // Probability that a label of this worker is right: the mean posterior of his own labels.
  std::vector<double> reliability;
  // The method's own parameter of a worker, empty when it has none, and what it means:
  // "agreement" (wawa), "quality" (one-coin, zencrowd), "competence" (mace, mace-vb: probability
  // of knowing), "ability" (glad: above 0 helps, 0 is guessing, below 0 misleads).
  std::vector<double> skill;
  std::string skill_name;
  // mace, mace-vb: worker_count x class_count, how he guesses. glad: easiness of each task.
  std::vector<double> guesses;
  std::vector<double> easiness;

  uint32_t iterations = 0;
  bool converged = true;
  // What the method maximised: log-likelihood (EM), lower bound of the evidence (ibcc, mace-vb),
  // log-likelihood and log priors (glad). Absent for majority and wawa.
  std::optional<double> objective;
  // log P(labels) with the fitted parameters. Absent for majority and wawa.
  std::optional<double> log_likelihood;
  std::vector<std::string> warnings;

  std::vector<AutoCandidate> candidates;  // auto only, best first
  std::string grounds;                    // auto only: one or two sentences
};

Aggregate aggregate(const LabelTable& table, const AggregateOptions& options = {},
                    ThreadPool* pool = nullptr);

// What one worker does, computed when asked: expected counts of (truth, said) under the posterior
// with pseudo-counts, and credible intervals that also carry the doubt about the truth (a Beta with
// the mean and the variance of count and truth together). Time: his labels x classes.
struct WorkerQuality {
  uint32_t labels = 0;
  double reliability = 0.0;
  Interval reliability_interval;
  std::vector<double> confusion;  // class x class: row = truth, column = said; rows sum to 1
  std::vector<Interval> confusion_interval;
  std::vector<double> truth_count;  // expected number of his tasks whose truth is this class
};
WorkerQuality worker_quality(const Aggregate& aggregate, const LabelTable& table, size_t worker,
                             double confidence = 0.95);

// Against known answers, ties split: a task with two winners of which one is right counts one half.
struct Accuracy {
  size_t tasks = 0;       // with truth
  double accuracy = 0.0;  // a fraction; 0 when no task has truth
  // Two classes only: precision, recall and F1 of the second class (the "1" of 0/1).
  std::optional<double> precision, recall, f1;
};
// truth[task] = class, or kNoTruth.
inline constexpr uint32_t kNoTruth = 0xffffffffu;
Accuracy accuracy_against(const Aggregate& aggregate, std::span<const uint32_t> truth);

}  // namespace hone::quality
