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

namespace {

// The states of a tree's hidden targets, from their values one after the other. Nobody asks for
// another rank's slopes.
std::vector<llm::HiddenState> hidden_of(const TreeExample& tree, std::span<const float> values) {
  size_t wanted = 0;
  for (const llm::TreeTarget& target : tree.targets) wanted += target.hidden ? 1 : 0;
  if (wanted == 0) return {};
  HONE_CHECK(values.size() % wanted == 0);
  const size_t width = values.size() / wanted;
  std::vector<llm::HiddenState> states(tree.targets.size());
  size_t at = 0;
  for (size_t i = 0; i < states.size(); ++i) {
    if (tree.targets[i].hidden) states[i].value = values.subspan(width * at++, width);
  }
  return states;
}

}  // namespace

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
  std::vector<float> hidden;
  for (const llm::HiddenState& state : result.hidden) {
    hidden.insert(hidden.end(), state.value.begin(), state.value.end());
  }
  mine_.list(std::span<const float>(hidden));
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
      const auto hidden = reader.list<float>();
      HONE_CHECK(log_probs.size() == batch_[i].targets.size());
      const std::vector<llm::HiddenState> states = hidden_of(batch_[i], hidden);
      see(i, {log_probs, rows, mean_logits, divergences, states});
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
