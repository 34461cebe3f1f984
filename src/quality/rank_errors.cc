#include "quality/rank_errors.h"

#include <algorithm>

#include "base/check.h"
#include "base/thread_pool.h"
#include "quality/linear_algebra.h"

namespace hone::quality {
namespace {

PairOutcomes one_comparison(const Comparison& comparison) {
  PairOutcomes outcomes;
  (comparison.winner == Winner::kLeft    ? outcomes.a
   : comparison.winner == Winner::kRight ? outcomes.b
                                         : outcomes.tie) = comparison.weight;
  return outcomes;
}

// A cluster's score as a sparse vector: which parameters it touches, and a dense scratch.
struct ClusterScore {
  explicit ClusterScore(size_t parameters) : values(parameters, 0.0), touched(parameters, false) {}

  void add(size_t parameter, double value) {
    if (!touched[parameter]) {
      touched[parameter] = true;
      places.push_back(static_cast<uint32_t>(parameter));
    }
    values[parameter] += value;
  }
  void clear() {
    for (const uint32_t place : places) {
      values[place] = 0.0;
      touched[place] = false;
    }
    places.clear();
  }

  std::vector<double> values;
  std::vector<bool> touched;
  std::vector<uint32_t> places;
};

}  // namespace

Scores comparison_scores(const ComparisonModel& model, const RankData& data,
                         std::span<const double> parameters) {
  const std::vector<Comparison>& rows = data.table.comparisons;
  const bool ties = model.spec().tie_count() > 0, single = !model.spec().covariates.empty();
  const double tie = ties ? parameters[model.tie_index()] : 0.0;
  Scores scores;
  scores.by_d.resize(rows.size());
  if (ties) scores.by_tie.resize(rows.size());
  PairTerms unit;  // of the comparison before, per unit of weight: equal within a range of equals
  for (size_t i = 0; i < rows.size(); ++i) {
    const Comparison& row = rows[i];
    const bool same = i > 0 && !single && rows[i - 1].left == row.left &&
                      rows[i - 1].right == row.right && rows[i - 1].winner == row.winner;
    if (!same) {
      Comparison one = row;
      one.weight = 1.0;
      unit = model.terms(model.predictor(row.left, row.right, i, parameters), tie,
                         one_comparison(one));
    }
    scores.by_d[i] = unit.by_d * row.weight;
    if (ties) scores.by_tie[i] = unit.by_tie * row.weight;
  }
  return scores;
}

double project_score(const ComparisonModel& model, const Scores& scores, const RankData& data,
                     std::span<const std::vector<double>> covariates,
                     std::span<const double> vector, size_t i) {
  const Comparison& row = data.table.comparisons[i];
  const ModelSpec& spec = model.spec();
  double along = vector[row.left] - vector[row.right];
  if (spec.left) along += vector[model.left_index()];
  for (size_t c = 0; c < spec.covariates.size(); ++c) {
    along += vector[model.style_index() + c] * covariates[spec.covariates[c]][i];
  }
  double sum = scores.by_d[i] * along;
  if (spec.tie_count() > 0) sum += scores.by_tie[i] * vector[model.tie_index()];
  return sum;
}

std::vector<double> sandwich_covariance(const ComparisonModel& model, const Scores& scores,
                                        const RankData& data,
                                        std::span<const std::vector<double>> covariates,
                                        const Clusters& clusters, ThreadPool* pool) {
  const size_t m = model.size();
  const ModelSpec& spec = model.spec();
  // Fixed by the data alone, so that threads do not change the sums; few, as each holds a matrix.
  const size_t blocks = std::min<size_t>(m <= 512 ? 8 : 1, clusters.count);
  std::vector<std::vector<double>> middles(blocks);
  const auto block = [&](size_t task) {
    std::vector<double>& middle = middles[task];
    middle.assign(m * m, 0.0);
    ClusterScore score(m);
    const size_t from = clusters.count * task / blocks;
    const size_t to = clusters.count * (task + 1) / blocks;
    for (size_t cluster = from; cluster < to; ++cluster) {
      for (uint32_t k = clusters.begin[cluster]; k < clusters.begin[cluster + 1]; ++k) {
        const uint32_t i = clusters.members[k];
        const Comparison& row = data.table.comparisons[i];
        score.add(row.left, scores.by_d[i]);
        score.add(row.right, -scores.by_d[i]);
        if (spec.tie_count() > 0) score.add(model.tie_index(), scores.by_tie[i]);
        if (spec.left) score.add(model.left_index(), scores.by_d[i]);
        for (size_t c = 0; c < spec.covariates.size(); ++c) {
          score.add(model.style_index() + c, scores.by_d[i] * covariates[spec.covariates[c]][i]);
        }
      }
      std::sort(score.places.begin(), score.places.end());
      for (size_t x = 0; x < score.places.size(); ++x) {
        const double value = score.values[score.places[x]];
        double* row = middle.data() + score.places[x] * m;
        for (size_t y = x; y < score.places.size(); ++y) {
          row[score.places[y]] += value * score.values[score.places[y]];
        }
      }
      score.clear();
    }
  };
  if (pool != nullptr && blocks > 1) {
    pool->run(blocks, [&](size_t task, size_t) { block(task); });
  } else {
    for (size_t task = 0; task < blocks; ++task) block(task);
  }
  std::vector<double>& middle = middles[0];
  for (size_t task = 1; task < blocks; ++task) {
    for (size_t i = 0; i < m * m; ++i) middle[i] += middles[task][i];
  }
  for (size_t i = 0; i < m; ++i) {
    middle[i * m + i] += i < model.things() ? model.prior() : model.extras_prior();
  }

  std::vector<double> inverse(m * m), covariance(m * m);
  cholesky_inverse(model.factored(), m, inverse, pool);
  sandwich_product(inverse, middle, m, covariance, pool);
  return covariance;
}

double sandwich_variance(const ComparisonModel& model, const Scores& scores, const RankData& data,
                         std::span<const std::vector<double>> covariates, const Clusters& clusters,
                         size_t parameter) {
  const size_t m = model.size();
  HONE_CHECK(parameter < m);
  std::vector<double> row(m, 0.0);
  row[parameter] = 1.0;
  cholesky_solve(model.factored(), m, row);
  double sum = 0.0;
  for (size_t cluster = 0; cluster < clusters.count; ++cluster) {
    double score = 0.0;
    for (uint32_t k = clusters.begin[cluster]; k < clusters.begin[cluster + 1]; ++k) {
      score += project_score(model, scores, data, covariates, row, clusters.members[k]);
    }
    sum += score * score;
  }
  for (size_t i = 0; i < m; ++i) {
    sum += (i < model.things() ? model.prior() : model.extras_prior()) * row[i] * row[i];
  }
  return sum;
}

}  // namespace hone::quality
