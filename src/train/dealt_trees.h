#pragma once
// A batch of trees on several ranks: who runs which, and how all learn what each has seen.
//
// Ranks take whole weight-gradient groups, as passes do (llm/tree_rows.h), consecutive and about
// equal in rows: a function of the batch and the number of ranks alone. Which rank runs a tree
// changes none of its bits, and what a loss sees of it is told to every rank.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "llm/tree_scoring.h"
#include "train/communicator.h"
#include "train/rank_bytes.h"

namespace hone::train {

// Rank r runs the trees [begin[r], begin[r + 1]).
std::vector<size_t> deal_trees(std::span<const llm::TreeExample> batch, size_t ranks);

// One batch, on one rank of several.
class DealtTrees {
 public:
  // Both must outlive it.
  DealtTrees(Communicator& ranks, std::span<const llm::TreeExample> batch);

  size_t first() const { return begin_[ranks_.rank()]; }  // of this rank's own
  std::span<const llm::TreeExample> own() const;

  using See = std::function<void(size_t index, const llm::TreeResult& result)>;
  // Of each own tree, in order.
  void add(const llm::TreeResult& result);
  // Once all own ones are added, on every rank: tells and is told. `note` goes along; the answer has
  // those of all ranks in their order.
  std::vector<std::string> exchange(const std::string& note = {});
  // After it: calls `see` for every tree in order; without_own leaves out this rank's.
  void for_each(const See& see, bool without_own) const;

 private:
  Communicator& ranks_;
  std::span<const llm::TreeExample> batch_;
  std::vector<size_t> begin_;
  RankWriter mine_;
  std::vector<std::string> all_;
};

// llm::score_trees with the batch dealt out: every rank sees every tree, in order.
void score_trees(Communicator& ranks, llm::TrainingPass& pass,
                 std::span<const llm::TreeExample> batch, const DealtTrees::See& result);

}  // namespace hone::train
