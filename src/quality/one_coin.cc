// Dawid-Skene with one coin a worker: P(l | z) = s_w when l = z and (1 - s_w) / (K - 1) otherwise;
// s_w = mean posterior of his own labels. ZenCrowd (Demartini, Difallah, Cudre-Mauroux, WWW 2012) is
// the same with the classes equally likely, started at s = 0.8.

#include <algorithm>

#include "quality/aggregate_layout.h"
#include "quality/math.h"

namespace hone::quality {
namespace {

constexpr double kEdge = 1e-10;  // a quality stays this far from 0 and 1: no answer is impossible

// The logs of one worker's columns from his quality.
void set_logs(const Layout& layout, uint32_t worker, double quality, std::span<double> logs) {
  const size_t classes = layout.classes;
  const double s = std::clamp(quality, kEdge, 1.0 - kEdge);
  const double right = math::log_positive(s);
  const double wrong = math::log_positive((1.0 - s) / static_cast<double>(classes - 1));
  for (uint32_t column = layout.worker_columns[worker]; column < layout.worker_columns[worker + 1];
       ++column) {
    double* row = logs.data() + column * classes;
    for (size_t k = 0; k < classes; ++k) row[k] = wrong;
    row[layout.column_value[column]] = right;
  }
}

void m_step(const Layout& layout, std::span<const double> posterior, std::span<double> own,
            std::span<double> quality, std::span<double> logs, ThreadPool* pool) {
  for_blocks(layout.worth(pool), layout.worker_block_count(), [&](size_t block) {
    sum_own_class(layout, block, posterior, own);
    for (uint32_t worker = layout.worker_blocks[block]; worker < layout.worker_blocks[block + 1];
         ++worker) {
      const uint32_t labels = layout.labels_of(worker);
      if (labels == 0) continue;
      double sum = 0.0;
      for (uint32_t column = layout.worker_columns[worker];
           column < layout.worker_columns[worker + 1]; ++column) {
        sum += own[column];
      }
      quality[worker] = sum / labels;
      set_logs(layout, worker, quality[worker], logs);
    }
  });
}

}  // namespace

void fit_one_coin(const Layout& layout, const AggregateOptions& options, ThreadPool* pool,
                  Aggregate& result) {
  const size_t classes = layout.classes;
  const bool zencrowd = result.method == Method::kZenCrowd;
  const bool authors = zencrowd && options.authors_schedule;
  const double tolerance = options.tolerance > 0.0 ? options.tolerance : 1e-12;
  const uint32_t most = options.max_iterations > 0 ? options.max_iterations : authors ? 20 : 2000;
  std::vector<double> logs(layout.columns * classes), own(layout.columns), log_prior(classes);
  result.skill.assign(layout.workers, 0.8);
  result.skill_name = "quality";
  result.prior.assign(classes, 1.0 / static_cast<double>(classes));
  if (zencrowd) {
    for (uint32_t worker = 0; worker < layout.workers; ++worker) {
      set_logs(layout, worker, 0.8, logs);
    }
  } else {
    majority_shares(layout, result.posterior, pool);
    m_step(layout, result.posterior, own, result.skill, logs, pool);
    result.prior = class_shares(layout, result.posterior);
  }
  EStep step;
  double before = -math::kInfinity;
  result.converged = authors;
  for (result.iterations = 1;; ++result.iterations) {
    for (size_t k = 0; k < classes; ++k) {
      log_prior[k] = math::log(std::max(result.prior[k], 1e-300));
    }
    e_step(layout, logs, log_prior, result.posterior, step, pool);
    if (!authors && has_converged(step.log_likelihood, before, tolerance)) result.converged = true;
    if ((!authors && result.converged) || result.iterations >= most) break;
    before = step.log_likelihood;
    m_step(layout, result.posterior, own, result.skill, logs, pool);
    if (zencrowd) continue;
    for (size_t k = 0; k < classes; ++k) {
      result.prior[k] = step.class_sum[k] / static_cast<double>(layout.tasks);
    }
  }
  result.log_likelihood = result.objective = step.log_likelihood;
}

}  // namespace hone::quality
