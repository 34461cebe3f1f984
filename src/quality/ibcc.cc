// Dawid-Skene with Dirichlet priors by variational Bayes (Kim & Ghahramani, "Bayesian classifier
// combination", AISTATS 2012): E[ln p_k] = psi(sum_i T_ik + 1) - psi(of the sum), E[ln pi^w_kl] =
// psi(N^w_kl + a_kl) - psi(of the row's sum), a = 4 on the diagonal and 1 off it. Start at the
// majority's shares, stop when no posterior moves by 1e-3: the defaults of the literature's code.

#include <algorithm>
#include <cmath>

#include "quality/aggregate_layout.h"
#include "quality/math.h"

namespace hone::quality {
namespace {

constexpr double kDiagonal = 4.0, kOff = 1.0, kClass = 1.0;

// logs[column][k] from the posterior. divergence, unless empty: of each worker's confusion from its
// prior (Kullback-Leibler), what the bound of the evidence pays for it.
void m_step(const Layout& layout, std::span<const double> posterior, std::span<double> counts,
            std::span<double> logs, std::span<double> divergence, ThreadPool* pool) {
  const size_t classes = layout.classes;
  const double prior_total = kDiagonal + kOff * static_cast<double>(classes - 1);
  const double prior_gamma = math::lgamma(prior_total);
  const double gamma_diagonal = math::lgamma(kDiagonal), gamma_off = math::lgamma(kOff);
  for_blocks(layout.worth(pool), layout.worker_block_count(), [&](size_t block) {
    sum_columns(layout, block, posterior, counts);
    std::vector<double> total(classes), psi_total(classes);
    for (uint32_t worker = layout.worker_blocks[block]; worker < layout.worker_blocks[block + 1];
         ++worker) {
      const uint32_t from = layout.worker_columns[worker], to = layout.worker_columns[worker + 1];
      std::fill(total.begin(), total.end(), prior_total);
      for (uint32_t column = from; column < to; ++column) {
        for (size_t k = 0; k < classes; ++k) total[k] += counts[column * classes + k];
      }
      for (size_t k = 0; k < classes; ++k) psi_total[k] = math::digamma(total[k]);
      double sum = 0.0;
      for (uint32_t column = from; column < to; ++column) {
        for (size_t k = 0; k < classes; ++k) {
          const size_t at = column * classes + k;
          const bool diagonal = layout.column_value[column] == k;
          const double before = diagonal ? kDiagonal : kOff;
          logs[at] = math::digamma(counts[at] + before) - psi_total[k];
          if (divergence.empty()) continue;
          sum += (diagonal ? gamma_diagonal : gamma_off) - math::lgamma(counts[at] + before) +
                 counts[at] * logs[at];
        }
      }
      if (divergence.empty()) continue;
      for (size_t k = 0; k < classes; ++k) sum += math::lgamma(total[k]) - prior_gamma;
      divergence[worker] = sum;
    }
  });
}

}  // namespace

void fit_ibcc(const Layout& layout, const AggregateOptions& options, ThreadPool* pool,
              Aggregate& result) {
  const size_t classes = layout.classes;
  const double tolerance = options.tolerance > 0.0 ? options.tolerance : 1e-3;
  const uint32_t most = options.max_iterations > 0 ? options.max_iterations : 2000;
  std::vector<double> counts(layout.columns * classes), logs(layout.columns * classes);
  std::vector<double> log_prior(classes), class_sum(classes), divergence;
  const auto set_prior = [&] {
    double total = 0.0;
    for (size_t k = 0; k < classes; ++k) total += class_sum[k] + kClass;
    for (size_t k = 0; k < classes; ++k) {
      log_prior[k] = math::digamma(class_sum[k] + kClass) - math::digamma(total);
      result.prior[k] = (class_sum[k] + kClass) / total;
    }
  };
  majority_shares(layout, result.posterior, pool);
  class_sum = class_shares(layout, result.posterior);
  for (double& share : class_sum) share *= static_cast<double>(layout.tasks);
  result.prior.resize(classes);

  EStep step;
  result.converged = false;
  for (result.iterations = 1;; ++result.iterations) {
    m_step(layout, result.posterior, counts, logs, {}, pool);
    set_prior();
    e_step(layout, logs, log_prior, result.posterior, step, pool, true);
    class_sum = step.class_sum;
    result.converged = step.greatest_change < tolerance;
    if (result.converged || result.iterations >= most) break;
  }

  // The bound: sum of log normalisers of the E-step minus the divergences of the parameters.
  divergence.assign(layout.workers, 0.0);
  m_step(layout, result.posterior, counts, logs, divergence, pool);
  set_prior();
  double bound = 0.0, total = 0.0;
  for (size_t k = 0; k < classes; ++k) {
    total += class_sum[k] + kClass;
    bound +=
        math::lgamma(class_sum[k] + kClass) - math::lgamma(kClass) - class_sum[k] * log_prior[k];
  }
  bound += math::lgamma(kClass * static_cast<double>(classes)) - math::lgamma(total);
  for (const double worker : divergence) bound -= worker;
  std::vector<double> last = result.posterior;
  e_step(layout, logs, log_prior, last, step, pool);
  result.objective = bound + step.log_likelihood;

  // The likelihood at the posterior means.
  const double prior_total = kDiagonal + kOff * static_cast<double>(classes - 1);
  for (uint32_t worker = 0; worker < layout.workers; ++worker) {
    std::vector<double> row(classes, prior_total);
    const uint32_t from = layout.worker_columns[worker], to = layout.worker_columns[worker + 1];
    for (uint32_t column = from; column < to; ++column) {
      for (size_t k = 0; k < classes; ++k) row[k] += counts[column * classes + k];
    }
    for (uint32_t column = from; column < to; ++column) {
      for (size_t k = 0; k < classes; ++k) {
        const double before = layout.column_value[column] == k ? kDiagonal : kOff;
        logs[column * classes + k] =
            math::log_positive((counts[column * classes + k] + before) / row[k]);
      }
    }
  }
  for (size_t k = 0; k < classes; ++k) log_prior[k] = math::log_positive(result.prior[k]);
  e_step(layout, logs, log_prior, last, step, pool);
  result.log_likelihood = step.log_likelihood;
}

}  // namespace hone::quality
