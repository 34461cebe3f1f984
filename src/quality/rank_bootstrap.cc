#include "quality/rank_bootstrap.h"

#include <algorithm>
#include <memory>

#include "base/rng.h"
#include "base/thread_pool.h"

namespace hone::quality {
namespace {

// Newton doubles the digits of a step: after one below 1e-6 the error is near 1e-12.
constexpr double kTolerance = 1e-6;
constexpr size_t kIterationsMax = 50;

template <typename Body>
void for_each_round(ThreadPool* pool, size_t rounds, const Body& body) {
  if (pool != nullptr) {
    pool->run(rounds, body);
  } else {
    for (size_t round = 0; round < rounds; ++round) body(round, 0);
  }
}

}  // namespace

void draw_clusters(uint64_t seed, size_t round, std::span<uint32_t> times) {
  std::fill(times.begin(), times.end(), 0u);
  const uint64_t count = times.size();
  Rng rng(seed, rng_stream("rank-bootstrap", round));
  for (uint64_t draw = 0; draw < count; ++draw) ++times[rng.below(count)];
}

BootstrapStrengths bootstrap_strengths(const ModelSpec& spec, const RankData& data,
                                       std::span<const std::vector<double>> covariates,
                                       const Clusters& clusters, const ModelFit& fit, size_t rounds,
                                       uint64_t seed, ThreadPool* pool) {
  const size_t n = data.things;
  BootstrapStrengths result;
  result.rounds = rounds;
  result.strengths.resize(rounds * n);
  std::vector<uint8_t> regularised(rounds, 0), converged(rounds, 0);

  struct Workspace {  // one per thread
    ComparisonModel model;
    RankRows rows;
    std::vector<uint32_t> times;
  };
  std::vector<std::unique_ptr<Workspace>> workspaces(pool != nullptr ? pool->size() : 1);
  for_each_round(pool, rounds, [&](size_t round, size_t thread) {
    std::unique_ptr<Workspace>& mine = workspaces[thread];
    if (!mine) {
      mine.reset(new Workspace{ComparisonModel(spec, n, covariates), RankRows(data, spec.layout()),
                               std::vector<uint32_t>(clusters.count)});
    }
    draw_clusters(seed, round, mine->times);
    mine->rows.weigh(mine->times, clusters.of);
    const ModelFit again =
        fit_model(mine->model, mine->rows, fit.parameters, kIterationsMax, kTolerance);
    std::copy_n(again.parameters.begin(), n,
                result.strengths.begin() + static_cast<long>(round * n));
    regularised[round] = again.prior > 0.0;
    converged[round] = again.converged;
  });
  for (size_t round = 0; round < rounds; ++round) {
    result.regularised += regularised[round];
    result.not_converged += 1u - converged[round];
  }
  return result;
}

BootstrapStrengths bootstrap_crowd_bt(const CrowdBt& model, const Clusters& clusters,
                                      const CrowdBtFit& fit, size_t rounds, uint64_t seed,
                                      ThreadPool* pool) {
  const size_t n = model.things();
  BootstrapStrengths result;
  result.rounds = rounds;
  result.strengths.resize(rounds * n);
  std::vector<uint8_t> converged(rounds, 0);
  struct Workspace {
    CrowdBt model;
    std::vector<uint32_t> times;
  };
  std::vector<std::unique_ptr<Workspace>> workspaces(pool != nullptr ? pool->size() : 1);
  for_each_round(pool, rounds, [&](size_t round, size_t thread) {
    std::unique_ptr<Workspace>& mine = workspaces[thread];
    if (!mine) mine.reset(new Workspace{model, std::vector<uint32_t>(clusters.count)});
    draw_clusters(seed, round, mine->times);
    mine->model.weigh(mine->times, clusters);
    const CrowdBtFit again = mine->model.fit(fit.strengths, fit.logit_eta, kTolerance);
    const std::span<double> strengths(result.strengths.data() + round * n, n);
    std::copy(again.strengths.begin(), again.strengths.end(), strengths.begin());
    center_strengths(strengths);
    converged[round] = again.converged;
  });
  for (const uint8_t one : converged) result.not_converged += 1u - one;
  return result;
}

}  // namespace hone::quality
