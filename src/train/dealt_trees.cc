#include "train/dealt_trees.h"

#include "base/check.h"

namespace hone::train {

using llm::TreeExample;
using llm::TreeResult;

std::vector<size_t> deal_trees(std::span<const TreeExample> batch, size_t ranks) {
  std::vector<llm::TokenTree> trees;
  for (const TreeExample& example : batch) trees.push_back(example.tree);
  std::vector<size_t> group_begin, group_rows;
  for (size_t first = 0; first < trees.size();) {
    const size_t count = llm::trees_in_group(trees, first);
    group_begin.push_back(first);
    group_rows.push_back(0);
    for (size_t t = first; t < first + count; ++t) group_rows.back() += trees[t].row_count();
    first += count;
  }
  group_begin.push_back(trees.size());
  std::vector<size_t> begin = deal(group_rows, ranks);
  for (size_t& at : begin) at = group_begin[at];
  return begin;
}

DealtTrees::DealtTrees(Communicator& ranks, std::span<const TreeExample> batch)
    : ranks_(ranks), batch_(batch), begin_(deal_trees(batch, ranks.size())) {}

std::span<const TreeExample> DealtTrees::own() const {
  return batch_.subspan(first(), begin_[ranks_.rank() + 1] - first());
}

void DealtTrees::add(const TreeResult& result) {
  mine_.list(result.log_probs);
  mine_.list(result.rows);
  mine_.list(result.mean_logits);
  mine_.list(result.divergences);
}

std::vector<std::string> DealtTrees::exchange(const std::string& note) {
  RankWriter message;
  message.text(note);
  message.text(mine_.take());
  std::vector<std::string> notes;
  for (const std::string& bytes : ranks_.gather(message.take())) {
    RankReader reader(bytes);
    notes.push_back(reader.text());
    all_.push_back(reader.text());
  }
  return notes;
}

void DealtTrees::for_each(const See& see, bool without_own) const {
  for (size_t r = 0; r < ranks_.size(); ++r) {
    if (without_own && r == ranks_.rank()) continue;
    RankReader reader(all_[r]);
    for (size_t i = begin_[r]; i < begin_[r + 1]; ++i) {
      const auto log_probs = reader.list<float>();
      const auto rows = reader.list<tensor::HeadRowResult>();
      const auto mean_logits = reader.list<float>();
      const auto divergences = reader.list<float>();
      HONE_CHECK(log_probs.size() == batch_[i].targets.size());
      see(i, {log_probs, rows, mean_logits, divergences});
    }
    HONE_CHECK(reader.done());
  }
}

void score_trees(Communicator& ranks, llm::TrainingPass& pass, std::span<const TreeExample> batch,
                 const DealtTrees::See& result) {
  if (ranks.size() == 1) {
    llm::score_trees(pass, batch, result);
    return;
  }
  DealtTrees dealt(ranks, batch);
  llm::score_trees(pass, dealt.own(),
                   [&](size_t, const TreeResult& of_tree) { dealt.add(of_tree); });
  dealt.exchange();
  dealt.for_each(result, false);
}

}  // namespace hone::train
