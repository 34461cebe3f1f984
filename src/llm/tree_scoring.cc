#include "llm/tree_scoring.h"

#include <algorithm>

#include "base/check.h"

namespace hone::llm {

namespace {

PlannedPass plan_pass(std::span<const TreeExample> examples, size_t first) {
  std::vector<TokenTree> trees;
  for (const TreeExample& example : examples) trees.push_back(example.tree);
  PlannedPass pass{first, examples.size(), TreeRows(trees), {}, {}};
  for (size_t t = 0; t < examples.size(); ++t) {
    pass.target_begin.push_back(pass.targets.size());
    for (const TreeTarget& target : examples[t].targets) {
      const TreeRows::Node& node = pass.rows.node(t, target.node);
      const auto own = static_cast<int64_t>(node.row_begin + target.position);
      const int64_t row = target.score || target.hidden ? own
                          : target.position > 0         ? own - 1
                                                        : pass.rows.row_before(node);
      HONE_CHECK(row >= 0);
      pass.targets.push_back({static_cast<uint32_t>(row), examples[t].token(target), 0.0f});
    }
  }
  pass.target_begin.push_back(pass.targets.size());
  return pass;
}

}  // namespace

size_t least_pass_rows(std::span<const TreeExample> examples) {
  size_t largest = 0, all = 0;
  for (const TreeExample& e : examples) {
    largest = std::max(largest, e.tree.row_count());
    all += e.tree.row_count();
  }
  return std::max(largest, std::min(all, kGroupRows));
}

TreeResult PlannedPass::result_of(size_t tree, const PassResult& result) const {
  const size_t begin = target_begin[tree], targets_here = target_begin[tree + 1] - begin;
  const auto watched = [&](auto values) {
    return values.empty() ? values : values.subspan(begin, targets_here);
  };
  return {result.log_probs.subspan(begin, targets_here), result.rows.subspan(begin, targets_here),
          watched(result.mean_logits), watched(result.divergences), watched(result.hidden)};
}

void for_each_pass(std::span<const TreeExample> batch, size_t max_rows,
                   const std::function<bool(const PlannedPass&)>& run) {
  std::vector<TokenTree> trees;
  for (const TreeExample& example : batch) trees.push_back(example.tree);
  size_t first = 0;
  while (first < batch.size()) {
    size_t count = 0, rows = 0;
    while (first + count < batch.size()) {
      const size_t group = trees_in_group(trees, first + count);
      size_t group_rows = 0;
      for (size_t t = 0; t < group; ++t) group_rows += trees[first + count + t].row_count();
      if (count > 0 && rows + group_rows > max_rows) break;
      count += group;
      rows += group_rows;
    }
    if (!run(plan_pass(batch.subspan(first, count), first))) return;
    first += count;
  }
}

void score_trees(TrainingPass& pass, std::span<const TreeExample> batch,
                 const std::function<void(size_t, const TreeResult&)>& result) {
  for_each_pass(batch, pass.max_rows(), [&](const PlannedPass& planned) {
    std::vector<float> log_probs(planned.targets.size());
    std::vector<tensor::HeadRowResult> rows(planned.targets.size());
    pass.score(planned.rows, planned.targets, log_probs.data(), rows.data());
    for (size_t t = 0; t < planned.count; ++t) {
      result(planned.first + t, planned.result_of(t, {log_probs, rows, pass.mean_logits(),
                                                      pass.divergences(), pass.hidden_states()}));
    }
    return true;
  });
}

}  // namespace hone::llm
