// MACE (Hovy, Berg-Kirkpatrick, Vaswani, Hovy, "Learning whom to trust with MACE", NAACL 2013): a
// worker knows the answer with probability theta, otherwise he says l with probability xi(l):
// P(l | z) = theta [l = z] + (1 - theta) xi(l), the classes equally likely.
//
// EM adds 0.01 / K to the expected counts; the variational form has Beta(1/2, 1/2) on theta and
// Dirichlet(10) on xi. Restarts start at theta, xi about equal with noise of one half, each from a
// random stream of its own; the one with the best objective is kept (the first of equals).

#include <algorithm>
#include <string>

#include "base/rng.h"
#include "quality/aggregate_layout.h"
#include "quality/math.h"

namespace hone::quality {
namespace {

constexpr double kKnowPrior = 0.5, kGuessPrior = 10.0, kNoise = 0.5;

struct Parameters {
  std::vector<double> know, spam;  // per worker; of the variational form: exp of the expected log
  std::vector<double> guess;       // per column
};

Parameters random_start(const Layout& layout, uint64_t seed, uint32_t restart) {
  Rng rng(seed, rng_stream("mace", restart));
  Parameters start;
  start.know.resize(layout.workers);
  start.spam.resize(layout.workers);
  start.guess.resize(layout.columns);
  for (uint32_t worker = 0; worker < layout.workers; ++worker) {
    const double know = 1.0 + kNoise * rng.uniform(), spam = 1.0 + kNoise * rng.uniform();
    start.know[worker] = know / (know + spam);
    start.spam[worker] = spam / (know + spam);
    double total = 0.0;
    uint32_t column = layout.worker_columns[worker];
    for (uint32_t value = 0; value < layout.classes; ++value) {
      const double guess = 1.0 + kNoise * rng.uniform();
      total += guess;
      if (column < layout.worker_columns[worker + 1] && layout.column_value[column] == value) {
        start.guess[column++] = guess;
      }
    }
    for (column = layout.worker_columns[worker]; column < layout.worker_columns[worker + 1];
         ++column) {
      start.guess[column] /= total;
    }
  }
  return start;
}

class Mace {
 public:
  Mace(const Layout& layout, bool variational, ThreadPool* pool)
      : layout_(layout),
        variational_(variational),
        pool_(pool),
        logs_(layout.columns * layout.classes),
        log_prior_(layout.classes, -math::log(static_cast<double>(layout.classes))),
        own_(layout.columns),
        ratio_(layout.columns),
        divergence_(layout.workers) {}

  // The posterior under the parameters; returns the objective.
  double e_step(const Parameters& parameters, std::span<double> posterior) {
    set_logs(parameters);
    quality::e_step(layout_, logs_, log_prior_, posterior, step_, pool_);
    double objective = step_.log_likelihood;
    if (variational_) {
      for (const double worker : divergence_) objective -= worker;
    }
    return objective;
  }

  // The parameters from the posterior, with the responsibilities of the last e_step's parameters.
  void m_step(std::span<const double> posterior, Parameters& parameters) {
    for_blocks(layout_.worth(pool_), layout_.worker_block_count(), [&](size_t block) {
      sum_own_class(layout_, block, posterior, own_);
      for (uint32_t worker = layout_.worker_blocks[block];
           worker < layout_.worker_blocks[block + 1]; ++worker) {
        update(worker, parameters);
      }
    });
  }

  // Point estimates: means of theta and xi (dense) after the counts of the last m_step.
  void report(std::span<const double> posterior, Aggregate& result) {
    const size_t classes = layout_.classes;
    const double smooth = smoothing();
    result.skill.assign(layout_.workers, 0.0);
    result.guesses.assign(layout_.workers * classes, 0.0);
    for (size_t block = 0; block < layout_.worker_block_count(); ++block) {
      sum_own_class(layout_, block, posterior, own_);
    }
    for (uint32_t worker = 0; worker < layout_.workers; ++worker) {
      double know = 0.0, spam = 0.0;
      double* guess = result.guesses.data() + worker * classes;
      std::fill(guess, guess + classes, variational_ ? kGuessPrior : smooth);
      for (uint32_t column = layout_.worker_columns[worker];
           column < layout_.worker_columns[worker + 1]; ++column) {
        const double known = own_[column] * ratio_[column];
        const double guessed = count_of(column) - known;
        know += known;
        spam += guessed;
        guess[layout_.column_value[column]] += guessed;
      }
      const double prior = variational_ ? kKnowPrior : smooth;
      result.skill[worker] = (know + prior) / (know + spam + 2.0 * prior);
      double total = 0.0;
      for (size_t k = 0; k < classes; ++k) total += guess[k];
      for (size_t k = 0; k < classes; ++k) guess[k] /= total;
    }
  }

  double log_likelihood(const Aggregate& result) {
    Parameters mean;
    mean.know = result.skill;
    mean.spam.resize(layout_.workers);
    mean.guess.resize(layout_.columns);
    for (uint32_t worker = 0; worker < layout_.workers; ++worker) {
      mean.spam[worker] = 1.0 - mean.know[worker];
      for (uint32_t column = layout_.worker_columns[worker];
           column < layout_.worker_columns[worker + 1]; ++column) {
        mean.guess[column] =
            result.guesses[worker * layout_.classes + layout_.column_value[column]];
      }
    }
    std::vector<double> rows(result.posterior.size());
    set_logs(mean);
    quality::e_step(layout_, logs_, log_prior_, rows, step_, pool_);
    return step_.log_likelihood;
  }

 private:
  double smoothing() const { return 0.01 / static_cast<double>(layout_.classes); }
  double count_of(uint32_t column) const {
    return layout_.column_begin[column + 1] - layout_.column_begin[column];
  }

  void set_logs(const Parameters& parameters) {
    const size_t classes = layout_.classes;
    for_blocks(layout_.worth(pool_), layout_.worker_block_count(), [&](size_t block) {
      const uint32_t first = layout_.worker_blocks[block], last = layout_.worker_blocks[block + 1];
      const size_t begin = layout_.worker_columns[first], end = layout_.worker_columns[last];
      std::vector<double> wrong(end - begin), right(end - begin);
      for (uint32_t worker = first; worker < last; ++worker) {
        for (uint32_t column = layout_.worker_columns[worker];
             column < layout_.worker_columns[worker + 1]; ++column) {
          const double guess = std::max(parameters.spam[worker] * parameters.guess[column], 1e-300);
          wrong[column - begin] = guess;
          right[column - begin] = parameters.know[worker] + guess;
          ratio_[column] = parameters.know[worker] / right[column - begin];
        }
      }
      log_in_place(wrong.data(), wrong.size());
      log_in_place(right.data(), right.size());
      for (size_t column = begin; column < end; ++column) {
        double* row = logs_.data() + column * classes;
        for (size_t k = 0; k < classes; ++k) row[k] = wrong[column - begin];
        row[layout_.column_value[column]] = right[column - begin];
      }
    });
  }

  void update(uint32_t worker, Parameters& parameters) {
    const uint32_t from = layout_.worker_columns[worker], to = layout_.worker_columns[worker + 1];
    const auto classes = static_cast<double>(layout_.classes);
    double know = 0.0, spam = 0.0;
    for (uint32_t column = from; column < to; ++column) {
      const double known = own_[column] * ratio_[column];
      own_[column] = count_of(column) - known;  // from here on: the guesses of this class
      know += known;
      spam += own_[column];
    }
    if (!variational_) {
      const double smooth = smoothing();
      const double total = know + spam + 2.0 * smooth;
      parameters.know[worker] = (know + smooth) / total;
      parameters.spam[worker] = (spam + smooth) / total;
      for (uint32_t column = from; column < to; ++column) {
        parameters.guess[column] = (own_[column] + smooth) / (spam + smooth * classes);
      }
      return;
    }
    const double total = math::digamma(know + spam + 2.0 * kKnowPrior);
    const double log_know = math::digamma(know + kKnowPrior) - total;
    const double log_spam = math::digamma(spam + kKnowPrior) - total;
    const double guess_total = math::digamma(spam + kGuessPrior * classes);
    parameters.know[worker] = math::exp(log_know);
    parameters.spam[worker] = math::exp(log_spam);
    // KL of Beta and Dirichlet from their priors, as in ibcc.cc.
    double divergence = 2.0 * math::lgamma(kKnowPrior) - math::lgamma(2.0 * kKnowPrior) -
                        math::lgamma(know + kKnowPrior) - math::lgamma(spam + kKnowPrior) +
                        math::lgamma(know + spam + 2.0 * kKnowPrior) + know * log_know +
                        spam * log_spam;
    divergence += math::lgamma(spam + kGuessPrior * classes) - math::lgamma(kGuessPrior * classes);
    for (uint32_t column = from; column < to; ++column) {
      const double log_guess = math::digamma(own_[column] + kGuessPrior) - guess_total;
      parameters.guess[column] = math::exp(log_guess);
      divergence += math::lgamma(kGuessPrior) - math::lgamma(own_[column] + kGuessPrior) +
                    own_[column] * log_guess;
    }
    divergence_[worker] = divergence;
  }

  const Layout& layout_;
  const bool variational_;
  ThreadPool* const pool_;
  std::vector<double> logs_, log_prior_, own_, ratio_, divergence_;
  EStep step_;
};

}  // namespace

void fit_mace(const Layout& layout, const AggregateOptions& options, ThreadPool* pool,
              Aggregate& result) {
  const uint32_t iterations = options.max_iterations > 0 ? options.max_iterations : 50;
  Mace mace(layout, result.method == Method::kMaceVb, pool);
  Parameters best;
  double best_objective = -math::kInfinity;
  for (uint32_t restart = 0; restart < options.restarts; ++restart) {
    Parameters now = random_start(layout, options.seed, restart);
    double objective = mace.e_step(now, result.posterior), before = -math::kInfinity;
    uint32_t done = 0;
    while (done < iterations) {
      if (options.tolerance > 0.0 && has_converged(objective, before, options.tolerance)) break;
      before = objective;
      mace.m_step(result.posterior, now);
      objective = mace.e_step(now, result.posterior);
      ++done;
    }
    result.iterations += done;
    if (objective > best_objective) {
      best_objective = objective;
      best = std::move(now);
    }
  }
  mace.e_step(best, result.posterior);
  result.objective = best_objective;
  result.prior.assign(layout.classes, 1.0 / static_cast<double>(layout.classes));
  result.skill_name = "competence";
  mace.report(result.posterior, result);
  result.log_likelihood = mace.log_likelihood(result);
  result.converged = true;  // its schedule is a number of iterations
}

}  // namespace hone::quality
