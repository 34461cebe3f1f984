// GLAD (Whitehill, Ruvolo, Wu, Bergsma, Movellan, "Whose vote should count more", NIPS 2009): a label
// is right with probability sigmoid(ability of the worker x e^easiness of the task), errors fall on
// the other classes alike, classes equally likely, priors N(1, 1) on ability and easiness.
//
// Generalised EM. With T from the E-step, c = T at the label's class and x = alpha e^beta, the expected
// log-likelihood of a label is c x + log sigmoid(-x). Each M-step makes one Newton step for every
// easiness, then, with these, for every ability (curvature sigma (1 - sigma), never positive, so both
// are ascent directions); should the objective ever fall, steps are halved from there on.

#include <algorithm>
#include <array>

#include "quality/aggregate_layout.h"
#include "quality/math.h"
#include "quality/simd_clones.h"

namespace hone::quality {
namespace {

constexpr double kMean = 1.0;      // of both priors
constexpr double kMostStep = 1.0;  // of one Newton step
constexpr size_t kChunk = 512;     // labels worked on at once

// right[i] = sigmoid(x[i]), log_wrong[i] = log sigmoid(-x[i]).
HONE_WIDE void chances(const double* x, size_t count, double* right, double* log_wrong) {
  for (size_t i = 0; i < count; ++i) {
    const double size = x[i] > 0.0 ? x[i] : -x[i];
    const double e = math::exp(-size);
    const double high = 1.0 / (1.0 + e);
    right[i] = x[i] > 0.0 ? high : e * high;
    log_wrong[i] = (x[i] > 0.0 ? -x[i] : 0.0) - math::log_positive(1.0 + e);
  }
}

HONE_WIDE void sigmoids(const double* x, size_t count, double* right) {
  for (size_t i = 0; i < count; ++i) right[i] = math::sigmoid(x[i]);
}

HONE_WIDE void exps(const double* in, size_t count, double* out) {
  for (size_t i = 0; i < count; ++i) out[i] = math::exp(in[i]);
}

double limited(double step) { return std::clamp(step, -kMostStep, kMostStep); }

class Glad {
 public:
  Glad(const Layout& layout, ThreadPool* pool)
      : layout_(layout),
        pool_(pool),
        ability(layout.workers, kMean),
        easiness(layout.tasks, kMean),
        next_easiness_(layout.tasks),
        scale_(layout.tasks, math::exp(kMean)),
        log_others_(math::log(static_cast<double>(layout.classes - 1))),
        block_numbers_(layout.task_blocks()) {}

  // The posterior, the objective (first) and the likelihood (second) of the parameters as they are,
  // and the next easiness of each task.
  std::array<double, 2> e_step(std::span<double> posterior, double damping) {
    for_blocks(layout_.worth(pool_), layout_.task_blocks(),
               [&](size_t block) { block_numbers_[block] = e_block(block, posterior, damping); });
    double likelihood =
        -static_cast<double>(layout_.tasks) * math::log(static_cast<double>(layout_.classes));
    double squares = 0.0;
    for (const auto& [log_likelihood, square] : block_numbers_) {
      likelihood += log_likelihood;
      squares += square;
    }
    for (const double alpha : ability) squares += (alpha - kMean) * (alpha - kMean);
    return {likelihood - 0.5 * squares, likelihood};
  }

  void m_step(std::span<const double> posterior, double damping) {
    easiness.swap(next_easiness_);
    for_blocks(layout_.worth(pool_), layout_.task_blocks(), [&](size_t block) {
      const size_t begin = block * kTaskBlock, end = std::min(begin + kTaskBlock, layout_.tasks);
      exps(easiness.data() + begin, end - begin, scale_.data() + begin);
    });
    for_blocks(layout_.worth(pool_), layout_.worker_block_count(), [&](size_t block) {
      for (uint32_t worker = layout_.worker_blocks[block];
           worker < layout_.worker_blocks[block + 1]; ++worker) {
        move_ability(worker, posterior, damping);
      }
    });
  }

 private:
  std::array<double, 2> e_block(size_t block, std::span<double> posterior, double damping) {
    const size_t classes = layout_.classes;
    const size_t begin = block * kTaskBlock, end = std::min(begin + kTaskBlock, layout_.tasks);
    const std::span<const Label> labels = layout_.rows;
    const uint32_t first = layout_.task_begin[begin];
    const size_t count = layout_.task_begin[end] - first;
    std::vector<double> x(count), right(count), log_wrong(count);
    for (size_t i = 0; i < count; ++i) {
      const Label& label = labels[first + i];
      x[i] = ability[label.worker] * scale_[label.task];
    }
    chances(x.data(), count, right.data(), log_wrong.data());
    double* rows = posterior.data() + begin * classes;
    double base = 0.0, squares = 0.0;
    for (size_t task = begin; task < end; ++task) {
      double* row = rows + (task - begin) * classes;
      std::fill(row, row + classes, 0.0);
      for (size_t i = layout_.task_begin[task] - first; i < layout_.task_begin[task + 1] - first;
           ++i) {
        row[labels[first + i].value] += x[i] + log_others_;
        base += log_wrong[i] - log_others_;
      }
      if (!layout_.gold.empty() && layout_.gold[task] != kNoTruth) {
        for (size_t k = 0; k < classes; ++k) {
          if (k != layout_.gold[task]) row[k] = -math::kInfinity;
        }
      }
    }
    base += softmax_rows(rows, end - begin, classes);
    for (size_t task = begin; task < end; ++task) {
      const double* row = rows + (task - begin) * classes;
      double slope = kMean - easiness[task], curvature = 1.0;
      squares += slope * slope;
      for (size_t i = layout_.task_begin[task] - first; i < layout_.task_begin[task + 1] - first;
           ++i) {
        slope += (row[labels[first + i].value] - right[i]) * x[i];
        curvature += right[i] * (1.0 - right[i]) * x[i] * x[i];
      }
      next_easiness_[task] = easiness[task] + limited(damping * slope / curvature);
    }
    return {base, squares};
  }

  void move_ability(uint32_t worker, std::span<const double> posterior, double damping) {
    const size_t classes = layout_.classes;
    double x[kChunk], right[kChunk];
    double slope = kMean - ability[worker], curvature = 1.0;
    for (uint32_t column = layout_.worker_columns[worker];
         column < layout_.worker_columns[worker + 1]; ++column) {
      const double* own = posterior.data() + layout_.column_value[column];
      const uint32_t end = layout_.column_begin[column + 1];
      for (uint32_t begin = layout_.column_begin[column]; begin < end; begin += kChunk) {
        const size_t count = std::min<size_t>(kChunk, end - begin);
        const uint32_t* tasks = layout_.column_tasks.data() + begin;
        for (size_t i = 0; i < count; ++i) x[i] = ability[worker] * scale_[tasks[i]];
        sigmoids(x, count, right);
        for (size_t i = 0; i < count; ++i) {
          const double scale = scale_[tasks[i]];
          slope += (own[tasks[i] * classes] - right[i]) * scale;
          curvature += right[i] * (1.0 - right[i]) * scale * scale;
        }
      }
    }
    ability[worker] += limited(damping * slope / curvature);
  }

  const Layout& layout_;
  ThreadPool* const pool_;

 public:
  std::vector<double> ability, easiness;

 private:
  std::vector<double> next_easiness_, scale_;  // scale = e^easiness
  const double log_others_;
  std::vector<std::array<double, 2>> block_numbers_;
};

}  // namespace

void fit_glad(const Layout& layout, const AggregateOptions& options, ThreadPool* pool,
              Aggregate& result) {
  const double tolerance = options.tolerance > 0.0 ? options.tolerance : 1e-9;
  const uint32_t most = options.max_iterations > 0 ? options.max_iterations : 1000;
  Glad glad(layout, pool);
  double before = -math::kInfinity, damping = 1.0;
  result.converged = false;
  for (result.iterations = 1;; ++result.iterations) {
    const auto [objective, likelihood] = glad.e_step(result.posterior, damping);
    result.objective = objective;
    result.log_likelihood = likelihood;
    result.converged = has_converged(objective, before, tolerance);
    if (result.converged || result.iterations >= most) break;
    if (objective < before) damping = std::max(1.0 / 64.0, 0.5 * damping);
    before = objective;
    glad.m_step(result.posterior, damping);
  }
  result.prior.assign(layout.classes, 1.0 / static_cast<double>(layout.classes));
  result.skill = std::move(glad.ability);
  result.skill_name = "ability";
  result.easiness = std::move(glad.easiness);
}

}  // namespace hone::quality
