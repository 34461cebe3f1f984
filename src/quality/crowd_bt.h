#pragma once
// CrowdBT (Chen, Bennett, Collins-Thompson & Horvitz, WSDM 2013): workers of unequal reliability.
//
//   P(worker w says "a over b") = eta_w s(d) + (1 - eta_w) s(-d),  d = s_a - s_b
//
// eta near 1: a careful worker; 1/2: chance; below: backwards. Minimised over strengths s and
// q_w = logit eta_w:
//
//   - sum of weight * log P - sum_w [(alpha - 1) log eta_w + (beta - 1) log(1 - eta_w)]
//   - lambda sum_i [log s(s_i) + log s(-s_i)]
//
// The last sum is a virtual thing of strength 0 that everything beat and lost to lambda times; it
// holds all strengths finite. Ties are left out. Votes that name no worker share one eta.
// With t = s(q + d): log P = log s(q) + log s(d) - log s(q + d), so all derivatives are products
// of s(d), eta and t. Not convex: expectation maximisation first, then Newton with the workers
// eliminated (their block is diagonal), back to a step of EM wherever Newton would go uphill.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quality/rank_data.h"

namespace hone::quality {

struct CrowdBtOptions {
  double lambda = 0.5;
  double alpha = 8.0;
  double beta = 2.0;
  size_t iterations_max = 100;
};

struct CrowdBtFit {
  std::vector<double> strengths;  // as the virtual thing holds them: the mean is not 0
  std::vector<double> logit_eta;  // per worker that has decided votes
  double objective = 0.0;
  double log_likelihood = 0.0;
  size_t iterations = 0;
  bool converged = false;
};

// Owns the decided votes by worker; the objective's parts after evaluate(). One thread each; copies
// are independent.
class CrowdBt {
 public:
  CrowdBt(const RankData& data, const CrowdBtOptions& options);

  size_t things() const { return things_; }
  // Worker of the table behind number w here; kNobody = the votes that name none.
  std::span<const uint32_t> workers() const { return workers_; }
  size_t votes() const { return votes_.size(); }
  double votes_of(size_t worker) const;

  // Comparison i counts times[cluster_of[i]] times; a worker's prior likewise when the clusters are
  // the workers.
  void weigh(std::span<const uint32_t> times, const Clusters& clusters);

  // start: empty = strengths 0, eta at the prior's mean.
  CrowdBtFit fit(std::span<const double> strengths = {}, std::span<const double> logit_eta = {},
                 double tolerance = 1e-9);

  // Sandwich covariance of the strengths (things x things) at the fit.
  std::vector<double> covariance(const CrowdBtFit& fit, const Clusters& clusters, ThreadPool* pool);

  // The objective and its first and second derivatives: by strengths, by logit eta.
  double evaluate(std::span<const double> strengths, std::span<const double> logit_eta);
  std::span<const double> gradient_strengths() const { return by_s_; }
  std::span<const double> gradient_logits() const { return by_q_; }
  std::span<const double> hessian_strengths() const { return by_s_s_; }  // upper triangle
  std::span<const double> hessian_logits() const { return by_q_q_; }     // the diagonal
  double hessian_mixed(size_t thing, size_t worker) const;

 private:
  struct Vote {
    uint32_t winner, loser, comparison;
    double weight;
  };
  struct Mixed {
    uint32_t thing;
    double value;
  };
  bool newton_step(std::span<double> step_s, std::span<double> step_q) const;
  bool expectation_step(CrowdBtFit& fit);
  size_t reduce(std::vector<double>& schur) const;

  CrowdBtOptions options_;
  const RankData* data_;
  size_t things_;
  std::vector<uint32_t> workers_;
  std::vector<uint32_t> begin_;  // votes of worker w: [begin_[w], begin_[w + 1])
  std::vector<Vote> votes_;
  std::vector<double> prior_times_;
  double log_likelihood_ = 0.0;
  std::vector<double> by_s_, by_q_, by_s_s_, by_q_q_;
  std::vector<uint32_t> mixed_begin_;
  std::vector<Mixed> mixed_;  // second derivatives by (strength, logit of w), by worker
  std::vector<double> dense_;
  std::vector<uint8_t> touched_;
};

}  // namespace hone::quality
