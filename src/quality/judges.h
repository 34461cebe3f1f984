#pragma once
// A judge (a model, or one person) against people: is it consistent, is it led by side or length,
// does it agree with people as people agree with each other, and what would people have said on
// average, given many verdicts of the judge and a few of theirs.
//
// Pure functions; verdicts are class indices. Intervals are 95 % unless an option says otherwise.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "quality/agreement.h"
#include "quality/label_table.h"
#include "quality/paired_tests.h"

namespace hone::quality {

// ---- Both orders -------------------------------------------------------------------------------

enum class Verdict3 : uint8_t { kFirst, kSecond, kTie };  // of the shown order: left, right, tie

struct OrderPair {
  Verdict3 straight;  // shown as (a, b): kFirst = a
  Verdict3 swapped;   // shown as (b, a): kFirst = b
  int8_t gold = -1;   // 0 = a, 1 = b, 2 = tie; -1 = not known
};

struct BothOrders {
  uint64_t items = 0, same = 0;
  double same_share = 0.0;                   // the same thing preferred in both orders
  Interval same_interval;                    // Wilson
  Estimate kappa;                            // between the two orders' verdicts, about things
  uint64_t first_both = 0, second_both = 0;  // always the first shown, always the second shown
  double first_share = 0.0;                  // of decided verdicts, over both orders
  uint64_t gold_items = 0, right_straight = 0, right_swapped = 0, right_both = 0;
  double accuracy_straight = 0.0, accuracy_swapped = 0.0, accuracy_both = 0.0;
};
BothOrders both_orders(std::span<const OrderPair> items);

// ---- Length ------------------------------------------------------------------------------------
//
// logit P(judge prefers left) = side + slope z, z = difference of lengths (left - right) over its
// root mean square. Ties count half. Sandwich errors (HC0). With people's shares the same model is
// fitted to them: a judge that likes length no more than people do has no bias to correct.
struct LengthVerdict {
  double left_length = 0.0, right_length = 0.0;  // any unit; differences count
  double judge = 0.5;                            // 1 = left, 0 = right, 1/2 = tie
  double people = -1.0;  // share of people for left (ties half); negative: not known
};
struct SlopeFit {
  bool defined = false;
  double slope = 0.0, slope_error = 0.0;  // log odds per root mean square of the difference
  Interval slope_interval;
  double side = 0.0, side_error = 0.0;
  double p = 1.0;  // slope = 0, Wald
};
struct LengthSlope {
  uint64_t items = 0;
  double scale = 0.0;  // root mean square difference of lengths
  SlopeFit judge, people;
  double excess = 0.0, excess_error = 0.0;  // judge's slope minus people's on the common items
  double excess_p = 1.0;
  std::vector<std::string> warnings;
};
LengthSlope length_slope(std::span<const LengthVerdict> items);

// ---- People's mean from many verdicts and few labels -------------------------------------------
//
// Prediction-powered inference (Angelopoulos et al., Science 2023) and PPI++ (Angelopoulos, Duchi,
// Zrnic 2023): lambda mean(judge on unlabelled) + mean(people - lambda judge on labelled). lambda =
// 1 is PPI, lambda = 0 the people alone; PPI++ takes the lambda of least variance, so that it is
// never (asymptotically) wider than the people alone. Normal intervals; valid whatever the judge.
struct PredictionPowered {
  double value = 0.0, standard_error = 0.0;
  Interval interval;
  double lambda = 1.0;
};
struct JudgeMean {
  uint64_t labelled = 0, unlabelled = 0;
  double judge_mean = 0.0;  // over all: what one would have reported without people
  PredictionPowered people_only, ppi, ppi_plus_plus;
  double effective_labels = 0.0;  // labels that people alone would need for the PPI++ interval
};
// people[i] and judge[i] on the same labelled items (2 or more), judge_unlabelled elsewhere (1 or
// more). All finite. Throws invalid_input else.
JudgeMean judge_mean(std::span<const double> people, std::span<const double> judge,
                     std::span<const double> judge_unlabelled, double confidence = 0.95);

// ---- Agreement with people ---------------------------------------------------------------------

// For each label of the table: the most frequent label of all *other* people on its task, where
// there is one alone. People are scored by the label itself, judges by their verdict on that task:
// the same question for both, so a judge is as good as a person when the shares are equal.
struct JudgeScore {
  uint64_t compared = 0;  // labels whose leave-one-out majority is unique and whose judge answered
  uint64_t agreed = 0;
  double share = 0.0;
  uint64_t decided = 0;  // those where neither majority nor answer is the tie class
  uint64_t decided_agreed = 0;
  double decided_share = 0.0;
  double tie_share = 0.0;  // how often the judge (person) says tie, over its own answers
};
struct AgainstPeople {
  JudgeScore people;
  std::vector<JudgeScore> judges;
};
// verdicts[j][task] = class, or negative: judge j did not answer. tie_class: index of "tie", or
// negative when there is none.
AgainstPeople judges_against_people(const LabelTable& people,
                                    std::span<const std::vector<int64_t>> verdicts,
                                    int64_t tie_class = -1);

// Verdicts against one truth: accuracy and macro means over the classes that occur in either
// (scikit-learn's, zero_division = 0).
struct Classification {
  uint64_t items = 0, right = 0;
  double accuracy = 0.0;
  Interval accuracy_interval;  // Wilson
  double macro_precision = 0.0, macro_recall = 0.0, macro_f1 = 0.0;
  Estimate kappa;
  struct PerClass {
    uint64_t truth = 0, verdicts = 0, right = 0;
    double precision = 0.0, recall = 0.0, f1 = 0.0;
  };
  std::vector<PerClass> classes;
};
Classification classification(std::span<const uint32_t> truth, std::span<const uint32_t> verdicts,
                              size_t classes);

}  // namespace hone::quality
