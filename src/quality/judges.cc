#include "quality/judges.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "quality/math.h"
#include "quality/normal.h"
#include "quality/trust_counts.h"

namespace hone::quality {
namespace {

double share(uint64_t part, uint64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}
Interval wilson(uint64_t part, uint64_t whole) {
  return wilson_interval(static_cast<double>(part), static_cast<double>(whole));
}
double two_sided(double z) { return std::min(1.0, 2.0 * normal_cdf(-std::fabs(z))); }

// ---- Logistic regression on (1, z) -------------------------------------------------------------

struct Point {
  double z, y;  // y in [0, 1]
};

struct Fit {
  bool converged = false;
  std::array<double, 2> beta{};
  std::array<double, 4> inverse{};  // of the Hessian, row-major
};

std::array<double, 2> residual(const Fit& fit, const Point& point) {
  const double r = point.y - math::sigmoid(fit.beta[0] + fit.beta[1] * point.z);
  return {r, r * point.z};
}
// What the point adds to beta: inverse Hessian times its score.
std::array<double, 2> influence(const Fit& fit, const Point& point) {
  const auto score = residual(fit, point);
  return {fit.inverse[0] * score[0] + fit.inverse[1] * score[1],
          fit.inverse[2] * score[0] + fit.inverse[3] * score[1]};
}

double log_likelihood(std::span<const Point> points, const std::array<double, 2>& beta) {
  double sum = 0.0;
  for (const Point& point : points) {
    const double eta = beta[0] + beta[1] * point.z;
    sum += point.y * math::log_sigmoid(eta) + (1.0 - point.y) * math::log_sigmoid(-eta);
  }
  return sum;
}

// Newton's method, halving a step that loses. Separable points have no maximum: the coefficients
// run away and `converged` stays false.
Fit logistic(std::span<const Point> points) {
  constexpr int kMostSteps = 60;
  constexpr double kRunaway = 25.0;
  Fit fit;
  double value = log_likelihood(points, fit.beta);
  const double rounding = 1e-13 * static_cast<double>(points.size());
  for (int step = 0; step < kMostSteps; ++step) {
    double h00 = 0.0, h01 = 0.0, h11 = 0.0, g0 = 0.0, g1 = 0.0;
    for (const Point& point : points) {
      const double p = math::sigmoid(fit.beta[0] + fit.beta[1] * point.z);
      const double w = p * (1.0 - p);
      h00 += w;
      h01 += w * point.z;
      h11 += w * point.z * point.z;
      g0 += point.y - p;
      g1 += (point.y - p) * point.z;
    }
    const double determinant = h00 * h11 - h01 * h01;
    if (!(determinant > 1e-12 * h00 * h11)) return fit;
    fit.inverse = {h11 / determinant, -h01 / determinant, -h01 / determinant, h00 / determinant};
    const std::array<double, 2> move = {fit.inverse[0] * g0 + fit.inverse[1] * g1,
                                        fit.inverse[2] * g0 + fit.inverse[3] * g1};
    double scale = 1.0;
    std::array<double, 2> next{};
    double next_value = 0.0;
    for (int halving = 0; halving < 30; ++halving, scale *= 0.5) {
      next = {fit.beta[0] + scale * move[0], fit.beta[1] + scale * move[1]};
      next_value = log_likelihood(points, next);
      if (next_value >= value - rounding) break;
    }
    const bool still = std::fabs(move[0]) + std::fabs(move[1]) < 1e-10;
    if (!still && next_value < value - rounding) return fit;
    if (!still) {
      fit.beta = next;
      value = next_value;
    }
    if (std::fabs(fit.beta[0]) + std::fabs(fit.beta[1]) > kRunaway) return fit;
    if (still) {
      fit.converged = true;
      return fit;
    }
  }
  return fit;
}

SlopeFit describe(const Fit& fit, std::span<const Point> points) {
  SlopeFit result;
  result.defined = fit.converged;
  if (!fit.converged) return result;
  double side = 0.0, slope = 0.0;
  for (const Point& point : points) {
    const auto moved = influence(fit, point);
    side += moved[0] * moved[0];
    slope += moved[1] * moved[1];
  }
  result.side = fit.beta[0];
  result.side_error = std::sqrt(side);
  result.slope = fit.beta[1];
  result.slope_error = std::sqrt(slope);
  const double reach = normal_quantile(0.975) * result.slope_error;
  result.slope_interval = {result.slope - reach, result.slope + reach};
  result.p = result.slope_error > 0.0 ? two_sided(result.slope / result.slope_error) : 1.0;
  return result;
}

// ---- Prediction-powered means ------------------------------------------------------------------

double mean_of(std::span<const double> values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

void check_finite(std::span<const double> values) {
  for (const double value : values) {
    if (!std::isfinite(value)) throw invalid_input("judge's mean: a value is not finite");
  }
}

PredictionPowered powered(std::span<const double> people, std::span<const double> judge,
                          std::span<const double> elsewhere, double lambda, double z) {
  const double n = static_cast<double>(people.size());
  const double m = static_cast<double>(elsewhere.size());
  const double judged = mean_of(elsewhere);
  double rectifier = 0.0, rectifier_squares = 0.0, squares = 0.0;
  for (size_t i = 0; i < people.size(); ++i) rectifier += (people[i] - lambda * judge[i]) / n;
  for (size_t i = 0; i < people.size(); ++i) {
    const double away = people[i] - lambda * judge[i] - rectifier;
    rectifier_squares += away * away / n;
  }
  for (const double value : elsewhere) {
    squares += lambda * lambda * (value - judged) * (value - judged) / m;
  }
  PredictionPowered result;
  result.lambda = lambda;
  result.value = lambda * judged + rectifier;
  result.standard_error = std::sqrt(rectifier_squares / n + squares / m);
  result.interval = {result.value - z * result.standard_error,
                     result.value + z * result.standard_error};
  return result;
}

void add(JudgeScore& score, int64_t majority, int64_t answer, int64_t tie) {
  ++score.compared;
  score.agreed += majority == answer;
  if (tie >= 0 && (majority == tie || answer == tie)) return;
  ++score.decided;
  score.decided_agreed += majority == answer;
}

void finish(JudgeScore& score, uint64_t ties, uint64_t answers) {
  score.share = share(score.agreed, score.compared);
  score.decided_share = share(score.decided_agreed, score.decided);
  score.tie_share = share(ties, answers);
}

}  // namespace

BothOrders both_orders(std::span<const OrderPair> items) {
  BothOrders result;
  result.items = items.size();
  std::vector<uint32_t> straight, swapped;  // about things: 0 = a, 1 = b, 2 = tie
  uint64_t first = 0, decided = 0;
  for (const OrderPair& item : items) {
    const uint32_t one = static_cast<uint32_t>(item.straight);
    const uint32_t shown = static_cast<uint32_t>(item.swapped);
    const uint32_t two = shown == 2 ? 2 : 1 - shown;
    straight.push_back(one);
    swapped.push_back(two);
    result.same += one == two;
    result.first_both += one == 0 && shown == 0;
    result.second_both += one == 1 && shown == 1;
    first += (one == 0) + (shown == 0);
    decided += (one != 2) + (shown != 2);
    if (item.gold < 0) continue;
    const uint32_t gold = static_cast<uint32_t>(item.gold);
    ++result.gold_items;
    result.right_straight += one == gold;
    result.right_swapped += two == gold;
    result.right_both += one == gold && two == gold;
  }
  result.same_share = share(result.same, result.items);
  result.same_interval = wilson(result.same, result.items);
  result.kappa = cohen_kappa(straight, swapped, 3);
  result.first_share = decided > 0 ? share(first, decided) : 0.5;
  result.accuracy_straight = share(result.right_straight, result.gold_items);
  result.accuracy_swapped = share(result.right_swapped, result.gold_items);
  result.accuracy_both = share(result.right_both, result.gold_items);
  return result;
}

LengthSlope length_slope(std::span<const LengthVerdict> items) {
  LengthSlope result;
  result.items = items.size();
  double squares = 0.0;
  for (const LengthVerdict& item : items) {
    const double gap = item.left_length - item.right_length;
    if (!std::isfinite(gap) || !(item.judge >= 0.0 && item.judge <= 1.0) || !(item.people <= 1.0)) {
      throw invalid_input("length slope: lengths must be finite, verdicts lie between 0 and 1");
    }
    squares += gap * gap;
  }
  if (!(squares > 0.0)) {
    result.warnings.push_back("All answers are of one length: there is no slope.");
    return result;
  }
  result.scale = std::sqrt(squares / static_cast<double>(items.size()));
  std::vector<Point> judge, judge_common, people;
  for (const LengthVerdict& item : items) {
    const double z = (item.left_length - item.right_length) / result.scale;
    judge.push_back({z, item.judge});
    if (item.people < 0.0) continue;
    judge_common.push_back({z, item.judge});
    people.push_back({z, item.people});
  }
  result.judge = describe(logistic(judge), judge);
  if (!result.judge.defined) {
    result.warnings.push_back(
        "The judge's verdicts follow length (or one side) without exception: "
        "the slope has no finite estimate.");
  }
  if (people.empty()) return result;
  const Fit fit_judge = logistic(judge_common), fit_people = logistic(people);
  result.people = describe(fit_people, people);
  if (!fit_judge.converged || !fit_people.converged) {
    result.warnings.push_back("Too few verdicts of people to compare the slopes.");
    return result;
  }
  double variance = 0.0;
  for (size_t i = 0; i < people.size(); ++i) {
    const double gap =
        influence(fit_judge, judge_common[i])[1] - influence(fit_people, people[i])[1];
    variance += gap * gap;
  }
  result.excess = fit_judge.beta[1] - fit_people.beta[1];
  result.excess_error = std::sqrt(variance);
  result.excess_p = variance > 0.0 ? two_sided(result.excess / result.excess_error) : 1.0;
  return result;
}

JudgeMean judge_mean(std::span<const double> people, std::span<const double> judge,
                     std::span<const double> judge_unlabelled, double confidence) {
  if (people.size() != judge.size() || people.size() < 2 || judge_unlabelled.empty()) {
    throw invalid_input(
        "judge's mean: needs at least 2 items that both people and judge answered "
        "and 1 that only the judge did");
  }
  if (!(confidence > 0.0 && confidence < 1.0)) {
    throw invalid_input("judge's mean: the confidence must lie between 0 and 1");
  }
  check_finite(people);
  check_finite(judge);
  check_finite(judge_unlabelled);
  const double n = static_cast<double>(people.size());
  const double m = static_cast<double>(judge_unlabelled.size());
  const double z = normal_quantile(0.5 + confidence / 2.0);
  const double mean_people = mean_of(people), mean_judge = mean_of(judge);
  JudgeMean result;
  result.labelled = people.size();
  result.unlabelled = judge_unlabelled.size();
  result.judge_mean = (mean_judge * n + mean_of(judge_unlabelled) * m) / (n + m);
  double covariance = 0.0, variance = 0.0;
  for (size_t i = 0; i < people.size(); ++i) {
    covariance += (people[i] - mean_people) * (judge[i] - mean_judge) / n;
    variance += (judge[i] - result.judge_mean) * (judge[i] - result.judge_mean);
  }
  for (const double value : judge_unlabelled) {
    variance += (value - result.judge_mean) * (value - result.judge_mean);
  }
  variance /= n + m - 1.0;
  const double lambda =
      variance > 0.0 ? std::clamp(covariance / ((1.0 + n / m) * variance), 0.0, 1.0) : 0.0;
  result.people_only = powered(people, judge, judge_unlabelled, 0.0, z);
  result.ppi = powered(people, judge, judge_unlabelled, 1.0, z);
  result.ppi_plus_plus = powered(people, judge, judge_unlabelled, lambda, z);
  const double tuned = result.ppi_plus_plus.standard_error;
  const double alone = result.people_only.standard_error;
  result.effective_labels = tuned > 0.0 ? n * (alone * alone) / (tuned * tuned) : n;
  return result;
}

AgainstPeople judges_against_people(const LabelTable& people,
                                    std::span<const std::vector<int64_t>> verdicts,
                                    int64_t tie_class) {
  AgainstPeople result;
  result.judges.resize(verdicts.size());
  for (const auto& verdict : verdicts) {
    if (verdict.size() != people.task_count()) {
      throw invalid_input("judges: " + std::to_string(verdict.size()) + " verdicts for " +
                          std::to_string(people.task_count()) + " tasks");
    }
  }
  const TaskCounts counts(people);
  uint64_t ties = 0;
  for (const Label& label : people.labels()) {
    ties += static_cast<int64_t>(label.value) == tie_class;
    const int64_t majority = majority_without(people, counts, label.task, label.worker);
    if (majority < 0) continue;
    add(result.people, majority, label.value, tie_class);
    for (size_t j = 0; j < verdicts.size(); ++j) {
      if (verdicts[j][label.task] >= 0) {
        add(result.judges[j], majority, verdicts[j][label.task], tie_class);
      }
    }
  }
  finish(result.people, ties, people.label_count());
  for (size_t j = 0; j < verdicts.size(); ++j) {
    uint64_t said = 0, tied = 0;
    for (const int64_t verdict : verdicts[j]) {
      said += verdict >= 0;
      tied += verdict >= 0 && verdict == tie_class;
    }
    finish(result.judges[j], tied, said);
  }
  return result;
}

Classification classification(std::span<const uint32_t> truth, std::span<const uint32_t> verdicts,
                              size_t classes) {
  Classification result;
  result.kappa = cohen_kappa(truth, verdicts, classes);  // checks sizes and classes
  result.items = truth.size();
  result.classes.resize(classes);
  for (size_t i = 0; i < truth.size(); ++i) {
    ++result.classes[truth[i]].truth;
    ++result.classes[verdicts[i]].verdicts;
    if (truth[i] != verdicts[i]) continue;
    ++result.right;
    ++result.classes[truth[i]].right;
  }
  result.accuracy = share(result.right, result.items);
  result.accuracy_interval = wilson(result.right, result.items);
  double present = 0.0;
  for (auto& row : result.classes) {
    row.precision = share(row.right, row.verdicts);
    row.recall = share(row.right, row.truth);
    row.f1 = share(2 * row.right, row.truth + row.verdicts);
    if (row.truth + row.verdicts == 0) continue;
    present += 1.0;
    result.macro_precision += row.precision;
    result.macro_recall += row.recall;
    result.macro_f1 += row.f1;
  }
  if (present > 0.0) {
    result.macro_precision /= present;
    result.macro_recall /= present;
    result.macro_f1 /= present;
  }
  return result;
}

}  // namespace hone::quality
