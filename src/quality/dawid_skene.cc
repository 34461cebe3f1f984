// Dawid & Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm",
// Applied Statistics 28, 1979. E: T_ik ~ p_k prod_w pi^w[k, l_iw]; M: p_k = mean T_ik, pi^w[k, l] =
// sum of T_ik where w said l / sum of T_ik where w spoke.

#include <algorithm>

#include "quality/aggregate_layout.h"
#include "quality/math.h"

namespace hone::quality {
namespace {

constexpr double kFloor = 1e-10;  // under the expected counts: no answer is impossible

std::vector<double> log_of(std::vector<double> values) {
  for (double& value : values) value = math::log(std::max(value, 1e-300));
  return values;
}

// logs[column][k] = log pi^w[k, class of column], from the posterior.
void m_step(const Layout& layout, std::span<const double> posterior, std::span<double> logs,
            ThreadPool* pool) {
  const size_t classes = layout.classes;
  for_blocks(layout.worth(pool), layout.worker_block_count(), [&](size_t block) {
    sum_columns(layout, block, posterior, logs);
    const uint32_t first = layout.worker_blocks[block], last = layout.worker_blocks[block + 1];
    const size_t begin = layout.worker_columns[first], end = layout.worker_columns[last];
    std::vector<double> totals((last - first) * classes);
    for (uint32_t worker = first; worker < last; ++worker) {
      double* total = totals.data() + (worker - first) * classes;
      const uint32_t from = layout.worker_columns[worker], to = layout.worker_columns[worker + 1];
      const double unsaid = static_cast<double>(classes - (to - from)) * kFloor;
      std::fill(total, total + classes, unsaid);
      for (uint32_t column = from; column < to; ++column) {
        for (size_t k = 0; k < classes; ++k) {
          double& count = logs[column * classes + k];
          count = count > kFloor ? count : kFloor;
          total[k] += count;
        }
      }
      for (size_t k = 0; k < classes; ++k) total[k] = total[k] > 0.0 ? total[k] : 1.0;
    }
    log_in_place(totals.data(), totals.size());
    log_in_place(logs.data() + begin * classes, (end - begin) * classes);
    for (uint32_t worker = first; worker < last; ++worker) {
      const double* total = totals.data() + (worker - first) * classes;
      for (uint32_t column = layout.worker_columns[worker];
           column < layout.worker_columns[worker + 1]; ++column) {
        for (size_t k = 0; k < classes; ++k) logs[column * classes + k] -= total[k];
      }
    }
  });
}

// The start of VLDB'17: every worker right with probability 0.7, the classes equally likely.
void authors_start(const Layout& layout, std::span<double> logs) {
  const size_t classes = layout.classes;
  const double right = math::log(0.7), wrong = math::log(0.3 / static_cast<double>(classes - 1));
  for (size_t column = 0; column < layout.columns; ++column) {
    for (size_t k = 0; k < classes; ++k) {
      logs[column * classes + k] = layout.column_value[column] == k ? right : wrong;
    }
  }
}

}  // namespace

void fit_dawid_skene(const Layout& whole, const AggregateOptions& options, ThreadPool* pool,
                     Aggregate& result) {
  const Layout layout(whole, Layout::EqualTasksOnce{});
  const size_t classes = layout.classes;
  const bool authors = options.authors_schedule;
  const double tolerance = authors ? 0.0 : options.tolerance > 0.0 ? options.tolerance : 1e-12;
  const uint32_t most = options.max_iterations > 0 ? options.max_iterations : authors ? 20 : 2000;
  std::vector<double> logs(layout.columns * classes);
  std::vector<double> posterior(layout.tasks * classes), counts(posterior.size());
  EStep step;
  if (authors) {
    authors_start(layout, logs);
    result.prior.assign(classes, 1.0 / static_cast<double>(classes));
  } else {
    majority_shares(layout, posterior, pool);
    for (size_t i = 0; i < counts.size(); ++i) {
      counts[i] = posterior[i] * layout.weight[i / classes];
    }
    m_step(layout, counts, logs, pool);
    result.prior = class_shares(layout, posterior);
  }
  double before = -math::kInfinity;
  result.converged = authors;
  for (result.iterations = 1;; ++result.iterations) {
    e_step(layout, logs, log_of(result.prior), posterior, step, pool, false, counts);
    if (!authors && has_converged(step.log_likelihood, before, tolerance)) result.converged = true;
    if ((!authors && result.converged) || result.iterations >= most) break;
    before = step.log_likelihood;
    m_step(layout, counts, logs, pool);
    for (size_t k = 0; k < classes; ++k) {
      result.prior[k] = step.class_sum[k] / static_cast<double>(whole.tasks);
    }
  }
  result.log_likelihood = result.objective = step.log_likelihood;
  for (size_t task = 0; task < whole.tasks; ++task) {
    const double* row = posterior.data() + size_t{layout.merged_into[task]} * classes;
    std::copy(row, row + classes, result.posterior.data() + task * classes);
  }
}

}  // namespace hone::quality
