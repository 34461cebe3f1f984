#pragma once
// The bootstrap of a ranking: each round draws as many clusters as there are, with replacement,
// and fits the model again from the full fit (Newton, so two or three steps).
//
// Round r draws from stream ("rank-bootstrap", r) of the seed: neither threads nor the order of
// rounds matter. Memory: rounds x things, and one set of sums per thread.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quality/crowd_bt.h"
#include "quality/rank_data.h"
#include "quality/rank_fit.h"

namespace hone::quality {

// times[c] = how often cluster c was drawn in this round; size clusters.
void draw_clusters(uint64_t seed, size_t round, std::span<uint32_t> times);

struct BootstrapStrengths {
  size_t rounds = 0;
  std::vector<double> strengths;  // rounds x things
  size_t regularised = 0;         // rounds that needed the prior
  size_t not_converged = 0;
};

BootstrapStrengths bootstrap_strengths(const ModelSpec& spec, const RankData& data,
                                       std::span<const std::vector<double>> covariates,
                                       const Clusters& clusters, const ModelFit& fit, size_t rounds,
                                       uint64_t seed, ThreadPool* pool);

// CrowdBT: workers' reliabilities are fitted again in each round.
BootstrapStrengths bootstrap_crowd_bt(const CrowdBt& model, const Clusters& clusters,
                                      const CrowdBtFit& fit, size_t rounds, uint64_t seed,
                                      ThreadPool* pool);

}  // namespace hone::quality
