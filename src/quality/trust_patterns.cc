// Constant, repeating and alternating answers, by permutation (trust.h).

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>

#include "base/error.h"
#include "base/rng.h"
#include "quality/math.h"
#include "quality/multiple_testing.h"
#include "quality/trust.h"

namespace hone::quality {
namespace {

constexpr uint32_t kMostLag = 6;
constexpr size_t kMostAnswers = 2000;  // of one worker; the last ones
constexpr uint64_t kEnough = 20;       // Besag, Clifford (1991): stop at so many exceedances

uint64_t longest_run(std::span<const uint32_t> answers) {
  uint64_t longest = 0, run = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    run = i > 0 && answers[i] == answers[i - 1] ? run + 1 : 1;
    longest = std::max(longest, run);
  }
  return longest;
}

struct Period {
  uint32_t lag = 0;
  double share = 0.0, z = 0.0;
};
// chance: that two of the answers, drawn without replacement, are equal.
Period best_period(std::span<const uint32_t> answers, double chance) {
  Period best;
  for (uint32_t lag = 1; lag <= kMostLag && lag < answers.size(); ++lag) {
    uint64_t same = 0;
    for (size_t i = lag; i < answers.size(); ++i) same += answers[i] == answers[i - lag];
    const double n = static_cast<double>(answers.size() - lag);
    const double spread = std::sqrt(n * chance * (1.0 - chance));
    const double z = spread > 0.0 ? (static_cast<double>(same) - n * chance) / spread : 0.0;
    if (best.lag == 0 || z > best.z) best = {lag, static_cast<double>(same) / n, z};
  }
  return best;
}

double entropy(std::span<const double> counts) {
  double sum = 0.0, bits = 0.0;
  for (const double count : counts) sum += count;
  for (const double count : counts) {
    if (count > 0.0) bits -= count / sum * math::log(count / sum);
  }
  return std::max(0.0, bits / (math::kLn2High + math::kLn2Low));
}

// A Monte Carlo p-value that stops early: k-th exceedance at draw l gives k / l, else (1 + seen) /
// (1 + rounds). Valid either way.
class SequentialP {
 public:
  void add(bool exceeds) {
    if (seen_ == kEnough) return;
    ++draws_;
    seen_ += exceeds;
  }
  bool done() const { return seen_ == kEnough; }
  double p() const {
    return done() ? static_cast<double>(kEnough) / static_cast<double>(draws_)
                  : static_cast<double>(seen_ + 1) / static_cast<double>(draws_ + 1);
  }

 private:
  uint64_t seen_ = 0, draws_ = 0;
};

}  // namespace

std::vector<PatternRow> answer_patterns(std::span<const Answer> answers, size_t classes,
                                        const PatternOptions& options) {
  if (options.rounds < 99 || options.rounds > 100000) {
    throw invalid_input("answer patterns: rounds must lie between 99 and 100000, got " +
                        std::to_string(options.rounds));
  }
  std::map<uint32_t, std::vector<uint32_t>> by_worker;
  std::vector<double> all(classes, 0.0);
  for (const Answer& answer : answers) {
    if (answer.value >= classes) {
      throw invalid_input("answer patterns: answer " + std::to_string(answer.value) + " with " +
                          std::to_string(classes) + " classes");
    }
    by_worker[answer.worker].push_back(answer.value);
    all[answer.value] += 1.0;
  }
  const double crowd_entropy = entropy(all);
  std::vector<PatternRow> rows;
  for (const auto& [worker, whole] : by_worker) {
    if (whole.size() < std::max<uint64_t>(options.min_answers, 2)) continue;
    std::span<const uint32_t> own(whole);
    if (own.size() > kMostAnswers) own = own.last(kMostAnswers);
    const double n = static_cast<double>(own.size());
    std::vector<double> counts(classes, 0.0), others = all;
    for (const uint32_t value : own) counts[value] += 1.0;
    for (const uint32_t value : whole) others[value] -= 1.0;
    double chance = 0.0, left = 0.0;
    for (const double count : counts) chance += count * (count - 1.0) / (n * (n - 1.0));
    for (const double count : others) left += count;
    if (left == 0.0) others = counts;  // nobody else: no surprise

    PatternRow row;
    row.worker = worker;
    row.answers = whole.size();
    row.entropy = entropy(counts);
    row.crowd_entropy = crowd_entropy;
    row.longest_run = longest_run(own);
    const Period period = best_period(own, chance);
    row.period = period.lag;
    row.period_share = period.share;

    std::vector<double> below(classes);  // running sums of the others' answers
    double sum = 0.0;
    for (size_t k = 0; k < classes; ++k) below[k] = sum += others[k];
    SequentialP run_p, period_p, constant_p;
    std::vector<uint32_t> shuffled(own.begin(), own.end());
    std::vector<double> drawn(classes);
    Rng rng(options.seed, rng_stream("answer-patterns", worker));
    for (size_t round = 0; round < options.rounds; ++round) {
      if (run_p.done() && period_p.done() && constant_p.done()) break;
      if (!run_p.done() || !period_p.done()) {
        for (size_t i = shuffled.size(); i > 1; --i)
          std::swap(shuffled[i - 1], shuffled[rng.below(i)]);
        run_p.add(longest_run(shuffled) >= row.longest_run);
        period_p.add(best_period(shuffled, chance).z >= period.z);
      }
      if (!constant_p.done()) {
        std::fill(drawn.begin(), drawn.end(), 0.0);
        for (size_t i = 0; i < own.size(); ++i) {
          const auto at = std::upper_bound(below.begin(), below.end(), rng.uniform() * sum);
          drawn[static_cast<size_t>(std::min(at, below.end() - 1) - below.begin())] += 1.0;
        }
        constant_p.add(entropy(drawn) <= row.entropy);
      }
    }
    row.run_p = run_p.p();
    row.period_p = period_p.p();
    row.constant_p = constant_p.p();
    rows.push_back(row);
  }
  std::vector<double> p;
  for (const PatternRow& row : rows) {
    p.push_back(std::min(1.0, 3.0 * std::min({row.run_p, row.period_p, row.constant_p})));
  }
  const std::vector<double> q = benjamini_hochberg(p);
  for (size_t i = 0; i < rows.size(); ++i) rows[i].q = q[i];
  return rows;
}

}  // namespace hone::quality
