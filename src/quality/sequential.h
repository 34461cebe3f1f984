#pragma once
// Tests that may be looked at after every answer.
//
// Sprt: Wald (1945). Right or wrong answers, "accuracy is at most `bad`" against "at least `good`".
// The log likelihood ratio of bad against good is compared with two bounds. kStrict (default):
// log(1 / alpha) and log(beta): by Ville's inequality a good worker is ever accused with
// probability at most alpha and a bad one ever cleared with at most beta. kWald: log((1 - beta) /
// alpha) and log(beta / (1 - alpha)): earlier decisions, alpha + beta bounded in sum only.
//
// BettingTest: "the mean of what comes is at least `floor`", values in [0, 1], any distribution,
// any dependence as long as each value's mean given the past is at least the floor. Wealth = mean
// over a fixed grid of stakes of prod(1 + stake (floor - x)) (Waudby-Smith, Ramdas 2024, with a
// mixture in place of a tuned stake): a test supermartingale, so P(wealth ever >= 1 / alpha) <=
// alpha however often one looks. wealth() is an e-value; 1 / max wealth is a p-value for all times.
//
// A step is 16 logarithms. Not thread-safe; copies are independent.

#include <array>
#include <cstddef>
#include <cstdint>

namespace hone::quality {

enum class SprtBounds { kStrict, kWald };
enum class SprtDecision { kContinue, kBad, kGood };

struct SprtOptions {
  double good = 0.85;   // an accuracy that must not be accused
  double bad = 0.60;    // one that must be found; 0 < bad < good < 1
  double alpha = 0.01;  // false accusation
  double beta = 0.05;   // false clearance
  SprtBounds bounds = SprtBounds::kStrict;
};

class Sprt {
 public:
  explicit Sprt(const SprtOptions& options = {});
  // Answers after the decision are counted in right() and wrong() and change nothing else.
  SprtDecision add(bool right);

  SprtDecision decision() const { return decision_; }
  double log_ratio() const { return log_ratio_; }  // at the decision, or now
  double accuse_at() const { return accuse_at_; }
  double clear_at() const { return clear_at_; }
  uint64_t right() const { return right_; }
  uint64_t wrong() const { return wrong_; }
  uint64_t decided_after() const { return decided_after_; }  // answers; 0 = not yet

 private:
  double step_right_, step_wrong_, accuse_at_, clear_at_;
  double log_ratio_ = 0.0;
  uint64_t right_ = 0, wrong_ = 0, decided_after_ = 0;
  SprtDecision decision_ = SprtDecision::kContinue;
};

class BettingTest {
 public:
  static constexpr size_t kStakes = 16;
  explicit BettingTest(double floor);  // in (0, 1)
  void add(double value);              // in [0, 1]

  double floor() const { return floor_; }
  uint64_t count() const { return count_; }
  double wealth() const;                             // now; at most 1e300
  double max_wealth() const { return max_wealth_; }  // over all looks so far
  double anytime_p() const;                          // 1 / max wealth, at most 1

 private:
  double floor_;
  std::array<double, kStakes> stake_{}, log_wealth_{};
  uint64_t count_ = 0;
  double max_wealth_ = 1.0;
};

}  // namespace hone::quality
