#include "quality/crowd_bt.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "base/thread_pool.h"
#include "quality/linear_algebra.h"
#include "quality/math.h"

namespace hone::quality {
namespace {

constexpr size_t kExpectationSteps = 10;  // before Newton may try
constexpr double kLargestStep = 4.0;      // of a strength or a logit

}  // namespace

CrowdBt::CrowdBt(const RankData& data, const CrowdBtOptions& options)
    : options_(options), data_(&data), things_(data.things) {
  const std::vector<Comparison>& rows = data.table.comparisons;
  const size_t named = data.table.workers.size();
  std::vector<uint32_t> count(named + 1, 0);  // the last: nobody
  const auto decided = [](const Comparison& row) {
    return row.winner == Winner::kLeft || row.winner == Winner::kRight;
  };
  for (const Comparison& row : rows) {
    if (decided(row)) ++count[std::min<size_t>(row.worker, named)];
  }
  std::vector<uint32_t> place(named + 1, 0);
  begin_.push_back(0);
  for (size_t w = 0; w <= named; ++w) {
    place[w] = begin_.back();
    if (count[w] == 0) continue;
    workers_.push_back(w == named ? kNobody : static_cast<uint32_t>(w));
    begin_.push_back(begin_.back() + count[w]);
  }
  votes_.resize(begin_.back());
  for (uint32_t i = 0; i < rows.size(); ++i) {
    const Comparison& row = rows[i];
    if (!decided(row)) continue;
    const bool left = row.winner == Winner::kLeft;
    votes_[place[std::min<size_t>(row.worker, named)]++] = {
        left ? row.left : row.right, left ? row.right : row.left, i, row.weight};
  }
  prior_times_.assign(workers_.size(), 1.0);
  by_s_.resize(things_);
  by_s_s_.resize(things_ * things_);
  by_q_.resize(workers_.size());
  by_q_q_.resize(workers_.size());
  dense_.assign(things_, 0.0);
  touched_.assign(things_, 0);
}

double CrowdBt::votes_of(size_t worker) const {
  double sum = 0.0;
  for (uint32_t v = begin_[worker]; v < begin_[worker + 1]; ++v) sum += votes_[v].weight;
  return sum;
}

void CrowdBt::weigh(std::span<const uint32_t> times, const Clusters& clusters) {
  const std::vector<Comparison>& rows = data_->table.comparisons;
  for (Vote& vote : votes_) {
    vote.weight = rows[vote.comparison].weight * times[clusters.of[vote.comparison]];
  }
  if (clusters.by != ClusterBy::kWorker) return;
  for (size_t w = 0; w < workers_.size(); ++w) {
    prior_times_[w] = workers_[w] == kNobody ? 1.0 : times[workers_[w]];
  }
}

double CrowdBt::evaluate(std::span<const double> strengths, std::span<const double> logit_eta) {
  HONE_CHECK(strengths.size() == things_ && logit_eta.size() == workers_.size());
  std::fill(by_s_.begin(), by_s_.end(), 0.0);
  std::fill(by_s_s_.begin(), by_s_s_.end(), 0.0);
  mixed_.clear();
  mixed_begin_.assign(1, 0);
  log_likelihood_ = 0.0;
  double prior = 0.0;
  std::vector<uint32_t> places;
  for (size_t w = 0; w < workers_.size(); ++w) {
    const double q = logit_eta[w], eta = math::sigmoid(q), log_eta = math::log_sigmoid(q);
    const double spread = eta * (1.0 - eta);
    const double heads = prior_times_[w] * (options_.alpha - 1.0);
    const double tails = prior_times_[w] * (options_.beta - 1.0);
    prior -= heads * log_eta + tails * (log_eta - q);  // log(1 - eta) = log eta - q
    double first = -(heads * (1.0 - eta) - tails * eta);
    double second = (heads + tails) * spread;
    for (uint32_t v = begin_[w]; v < begin_[w + 1]; ++v) {
      const Vote& vote = votes_[v];
      const double d = strengths[vote.winner] - strengths[vote.loser];
      const double p = math::sigmoid(d), t = math::sigmoid(q + d), mixed = t * (1.0 - t);
      log_likelihood_ +=
          vote.weight * ((log_eta + math::log_sigmoid(d)) - math::log_sigmoid(q + d));
      const double by_d = vote.weight * (t - p);
      const double curve = vote.weight * (p * (1.0 - p) - mixed);
      by_s_[vote.winner] -= by_d;
      by_s_[vote.loser] += by_d;
      by_s_s_[vote.winner * things_ + vote.winner] += curve;
      by_s_s_[vote.loser * things_ + vote.loser] += curve;
      by_s_s_[std::min(vote.winner, vote.loser) * things_ + std::max(vote.winner, vote.loser)] -=
          curve;
      first -= vote.weight * (t - eta);
      second += vote.weight * (spread - mixed);
      for (const uint32_t thing : {vote.winner, vote.loser}) {
        if (touched_[thing] == 0) {
          touched_[thing] = 1;
          places.push_back(thing);
        }
      }
      dense_[vote.winner] -= vote.weight * mixed;
      dense_[vote.loser] += vote.weight * mixed;
    }
    by_q_[w] = first;
    by_q_q_[w] = second;
    std::sort(places.begin(), places.end());
    for (const uint32_t thing : places) {
      mixed_.push_back({thing, dense_[thing]});
      dense_[thing] = 0.0;
      touched_[thing] = 0;
    }
    places.clear();
    mixed_begin_.push_back(static_cast<uint32_t>(mixed_.size()));
  }
  for (size_t i = 0; i < things_; ++i) {
    const double p = math::sigmoid(strengths[i]);
    const double log_p = math::log_sigmoid(strengths[i]);
    prior -= options_.lambda * (2.0 * log_p - strengths[i]);
    by_s_[i] -= options_.lambda * (1.0 - 2.0 * p);
    by_s_s_[i * things_ + i] += 2.0 * options_.lambda * p * (1.0 - p);
  }
  return prior - log_likelihood_;
}

double CrowdBt::hessian_mixed(size_t thing, size_t worker) const {
  for (uint32_t k = mixed_begin_[worker]; k < mixed_begin_[worker + 1]; ++k) {
    if (mixed_[k].thing == thing) return mixed_[k].value;
  }
  return 0.0;
}

// The Schur complement of the workers, factored; or the first thing at which it is not positive.
size_t CrowdBt::reduce(std::vector<double>& schur) const {
  schur = by_s_s_;
  for (size_t w = 0; w < workers_.size(); ++w) {
    if (!(by_q_q_[w] > 1e-12)) {
      if (prior_times_[w] == 0.0) continue;  // not drawn in this round: nothing there
      return 0;
    }
    for (uint32_t x = mixed_begin_[w]; x < mixed_begin_[w + 1]; ++x) {
      const double share = mixed_[x].value / by_q_q_[w];
      double* row = schur.data() + mixed_[x].thing * things_;
      for (uint32_t y = x; y < mixed_begin_[w + 1]; ++y) {
        row[mixed_[y].thing] -= share * mixed_[y].value;
      }
    }
  }
  return cholesky(schur, things_);
}

// From the last evaluate().
bool CrowdBt::newton_step(std::span<double> step_s, std::span<double> step_q) const {
  std::vector<double> schur;
  if (reduce(schur) != kPositiveDefinite) return false;
  for (size_t i = 0; i < things_; ++i) step_s[i] = -by_s_[i];
  for (size_t w = 0; w < workers_.size(); ++w) {
    if (!(by_q_q_[w] > 1e-12)) continue;
    for (uint32_t k = mixed_begin_[w]; k < mixed_begin_[w + 1]; ++k) {
      step_s[mixed_[k].thing] += mixed_[k].value * (by_q_[w] / by_q_q_[w]);
    }
  }
  cholesky_solve(schur, things_, step_s);
  for (size_t w = 0; w < workers_.size(); ++w) {
    double sum = by_q_[w];
    for (uint32_t k = mixed_begin_[w]; k < mixed_begin_[w + 1]; ++k) {
      sum += mixed_[k].value * step_s[mixed_[k].thing];
    }
    step_q[w] = by_q_q_[w] > 1e-12 ? -sum / by_q_q_[w] : 0.0;
  }
  return true;
}

// One generalised EM step: eta in closed form, the strengths by one Newton step on the expected
// (concave) objective, halved until the objective falls. False when it cannot.
bool CrowdBt::expectation_step(CrowdBtFit& fit) {
  std::vector<double> gradient(things_, 0.0), curve(things_ * things_, 0.0);
  std::vector<double> logit(fit.logit_eta);
  for (size_t w = 0; w < workers_.size(); ++w) {
    double agreed = prior_times_[w] * (options_.alpha - 1.0);
    double not_agreed = prior_times_[w] * (options_.beta - 1.0);
    for (uint32_t v = begin_[w]; v < begin_[w + 1]; ++v) {
      const Vote& vote = votes_[v];
      const double d = fit.strengths[vote.winner] - fit.strengths[vote.loser];
      const double t = math::sigmoid(fit.logit_eta[w] + d), p = math::sigmoid(d);
      agreed += vote.weight * t;
      not_agreed += vote.weight * (1.0 - t);
      const double by_d = vote.weight * (t - p), by_d_d = vote.weight * (p * (1.0 - p));
      gradient[vote.winner] += by_d;
      gradient[vote.loser] -= by_d;
      curve[vote.winner * things_ + vote.winner] += by_d_d;
      curve[vote.loser * things_ + vote.loser] += by_d_d;
      curve[std::min(vote.winner, vote.loser) * things_ + std::max(vote.winner, vote.loser)] -=
          by_d_d;
    }
    if (agreed > 0.0 && not_agreed > 0.0) logit[w] = math::log(agreed / not_agreed);
  }
  for (size_t i = 0; i < things_; ++i) {
    const double p = math::sigmoid(fit.strengths[i]);
    gradient[i] += options_.lambda * (1.0 - 2.0 * p);
    curve[i * things_ + i] += 2.0 * options_.lambda * p * (1.0 - p);
  }
  if (cholesky(curve, things_) != kPositiveDefinite) return false;
  cholesky_solve(curve, things_, gradient);
  std::vector<double> trial(things_);
  for (double share = 1.0; share > 1e-6; share *= 0.5) {
    for (size_t i = 0; i < things_; ++i) trial[i] = fit.strengths[i] + share * gradient[i];
    const double value = evaluate(trial, logit);
    if (value > fit.objective) continue;
    fit.strengths = trial;
    fit.logit_eta = logit;
    fit.objective = value;
    return true;
  }
  return false;
}

CrowdBtFit CrowdBt::fit(std::span<const double> strengths, std::span<const double> logit_eta,
                        double tolerance) {
  CrowdBtFit fit;
  fit.strengths.assign(things_, 0.0);
  fit.logit_eta.assign(workers_.size(), math::log(options_.alpha / options_.beta));
  const bool warm = strengths.size() == things_ && logit_eta.size() == workers_.size();
  if (warm) {
    fit.strengths.assign(strengths.begin(), strengths.end());
    fit.logit_eta.assign(logit_eta.begin(), logit_eta.end());
  }
  fit.objective = evaluate(fit.strengths, fit.logit_eta);
  std::vector<double> step_s(things_), step_q(workers_.size());
  std::vector<double> trial_s(things_), trial_q(workers_.size());
  while (fit.iterations < options_.iterations_max && !fit.converged) {
    ++fit.iterations;
    bool moved = false;
    if ((warm || fit.iterations > kExpectationSteps) && newton_step(step_s, step_q)) {
      double largest = 0.0;
      for (const double change : step_s) largest = std::max(largest, std::abs(change));
      for (const double change : step_q) largest = std::max(largest, std::abs(change));
      double share = largest > kLargestStep ? kLargestStep / largest : 1.0;
      for (size_t tries = 0; tries < 6 && !moved; ++tries, share *= 0.5) {
        for (size_t i = 0; i < things_; ++i) trial_s[i] = fit.strengths[i] + share * step_s[i];
        for (size_t w = 0; w < workers_.size(); ++w) {
          trial_q[w] = fit.logit_eta[w] + share * step_q[w];
        }
        const double value = evaluate(trial_s, trial_q);
        if (value > fit.objective + 1e-12 * (1.0 + std::abs(fit.objective))) continue;
        fit.strengths = trial_s;
        fit.logit_eta = trial_q;
        fit.objective = value;
        moved = true;
      }
      fit.converged = largest < tolerance;
    }
    if (!moved && !fit.converged) {
      fit.objective = evaluate(fit.strengths, fit.logit_eta);
      if (!expectation_step(fit)) break;
    }
  }
  fit.objective = evaluate(fit.strengths, fit.logit_eta);
  fit.log_likelihood = log_likelihood_;
  return fit;
}

std::vector<double> CrowdBt::covariance(const CrowdBtFit& fit, const Clusters& clusters,
                                        ThreadPool* pool) {
  evaluate(fit.strengths, fit.logit_eta);
  std::vector<double> schur;
  const size_t n = things_;
  if (reduce(schur) != kPositiveDefinite) return {};
  // Per comparison: which vote it is. A worker's own cluster needs no correction for its eta: the
  // sum of its derivatives by the logit, prior included, is 0 at the optimum.
  const bool own = clusters.by == ClusterBy::kWorker;
  std::vector<uint32_t> vote_of(data_->table.comparisons.size(), kNobody);
  std::vector<uint32_t> worker_of(votes_.size());
  for (size_t w = 0; w < workers_.size(); ++w) {
    for (uint32_t v = begin_[w]; v < begin_[w + 1]; ++v) {
      vote_of[votes_[v].comparison] = v;
      worker_of[v] = static_cast<uint32_t>(w);
    }
  }
  std::vector<double> middle(n * n, 0.0), score(n, 0.0);
  std::vector<uint32_t> places;
  const auto add = [&](uint32_t thing, double value) {
    if (touched_[thing] == 0) {
      touched_[thing] = 1;
      places.push_back(thing);
    }
    score[thing] += value;
  };
  for (size_t cluster = 0; cluster < clusters.count; ++cluster) {
    for (uint32_t k = clusters.begin[cluster]; k < clusters.begin[cluster + 1]; ++k) {
      const uint32_t v = vote_of[clusters.members[k]];
      if (v == kNobody) continue;
      const Vote& vote = votes_[v];
      const uint32_t w = worker_of[v];
      const double d = fit.strengths[vote.winner] - fit.strengths[vote.loser];
      const double q = fit.logit_eta[w], t = math::sigmoid(q + d);
      const double by_d = vote.weight * (t - math::sigmoid(d));
      add(vote.winner, by_d);
      add(vote.loser, -by_d);
      if (own && workers_[w] != kNobody) continue;
      const double by_q = vote.weight * (t - math::sigmoid(q)) / by_q_q_[w];
      for (uint32_t x = mixed_begin_[w]; x < mixed_begin_[w + 1]; ++x) {
        add(mixed_[x].thing, -mixed_[x].value * by_q);
      }
    }
    std::sort(places.begin(), places.end());
    for (size_t x = 0; x < places.size(); ++x) {
      for (size_t y = x; y < places.size(); ++y) {
        middle[places[x] * n + places[y]] += score[places[x]] * score[places[y]];
      }
    }
    for (const uint32_t place : places) {
      score[place] = 0.0;
      touched_[place] = 0;
    }
    places.clear();
  }
  for (size_t i = 0; i < n; ++i) {  // the virtual thing's comparisons, at their expected spread
    const double p = math::sigmoid(fit.strengths[i]);
    middle[i * n + i] += 2.0 * options_.lambda * p * (1.0 - p);
  }
  std::vector<double> inverse(n * n), covariance(n * n);
  cholesky_inverse(schur, n, inverse, pool);
  sandwich_product(inverse, middle, n, covariance, pool);
  return covariance;
}

}  // namespace hone::quality
