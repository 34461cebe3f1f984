#include "train/step.h"

#include <algorithm>

#include "base/error.h"

namespace hone::train {

using llm::PassTarget;
using llm::TokenTree;
using llm::TreeRows;

namespace {

constexpr int kMaxRepeats = 12;  // each makes room for 2^12 times larger sums

struct PassPlan {
  size_t first = 0, count = 0;  // trees
};

std::vector<PassPlan> plan_passes(std::span<const TokenTree> trees, size_t max_rows) {
  std::vector<PassPlan> plans;
  size_t rows = 0;
  for (size_t first = 0; first < trees.size();) {
    const size_t count = llm::trees_in_group(trees, first);
    size_t group_rows = 0;
    for (size_t t = first; t < first + count; ++t) group_rows += trees[t].row_count();
    if (plans.empty() || rows + group_rows > max_rows) {
      plans.push_back({first, 0});
      rows = 0;
    }
    plans.back().count += count;
    rows += group_rows;
    first += count;
  }
  return plans;
}

// The pass's targets, tree after tree; `begin` gets each tree's first index and the end.
std::vector<PassTarget> pass_targets(const TreeRows& rows, std::span<const TreeExample> examples,
                                     std::vector<size_t>* begin) {
  std::vector<PassTarget> targets;
  begin->clear();
  for (size_t t = 0; t < examples.size(); ++t) {
    begin->push_back(targets.size());
    for (const TreeTarget& target : examples[t].targets) {
      const TreeRows::Node& node = rows.node(t, target.node);
      const int64_t row = target.position > 0
                              ? static_cast<int64_t>(node.row_begin + target.position) - 1
                              : rows.row_before(node);
      HONE_CHECK(row >= 0);
      targets.push_back({static_cast<uint32_t>(row),
                         examples[t].tree.nodes[target.node].tokens[target.position], 0.0f});
    }
  }
  begin->push_back(targets.size());
  return targets;
}

std::vector<TokenTree> trees_of(std::span<const TreeExample> batch) {
  std::vector<TokenTree> trees;
  for (const TreeExample& example : batch) trees.push_back(example.tree);
  return trees;
}

TreeResult slice(const llm::PassResult& result, size_t begin, size_t end) {
  return {result.log_probs.subspan(begin, end - begin), result.rows.subspan(begin, end - begin)};
}

}  // namespace

size_t largest_tree(std::span<const TreeExample> examples) {
  size_t largest = 0;
  for (const TreeExample& e : examples) largest = std::max(largest, e.tree.row_count());
  return largest;
}

size_t accumulate_gradients(llm::TrainingPass& pass, Optimizer& optimizer,
                            std::span<const TreeExample> batch, const TreeLoss& loss) {
  const std::vector<TokenTree> trees = trees_of(batch);
  const std::vector<PassPlan> plans = plan_passes(trees, pass.max_rows());
  for (int attempt = 0; attempt < kMaxRepeats; ++attempt) {
    tensor::FixedStatistics statistics;
    size_t run_rows = 0;
    for (const PassPlan& plan : plans) {
      const auto examples = batch.subspan(plan.first, plan.count);
      const TreeRows rows(std::span(trees).subspan(plan.first, plan.count));
      std::vector<size_t> begin;
      const std::vector<PassTarget> targets = pass_targets(rows, examples, &begin);
      const auto pass_loss = [&](const llm::PassResult& result, std::span<float> coefficients) {
        for (size_t t = 0; t < examples.size(); ++t) {
          loss(plan.first + t, slice(result, begin[t], begin[t + 1]),
               coefficients.subspan(begin[t], begin[t + 1] - begin[t]));
        }
      };
      run_rows += rows.size();
      statistics = pass.run(rows, targets, pass_loss, optimizer.trainable());
      if (statistics.overflow) break;
    }
    if (!statistics.overflow) return run_rows;
    optimizer.widen();
  }
  throw Error(ErrorCode::kInternal,
              "the gradient grew beyond what numbers hold: lower --learning-rate, or look for "
              "rows that are not text in the training data");
}

void score_trees(llm::TrainingPass& pass, std::span<const TreeExample> batch,
                 const std::function<void(size_t, const TreeResult&)>& result) {
  const std::vector<TokenTree> trees = trees_of(batch);
  for (const PassPlan& plan : plan_passes(trees, pass.max_rows())) {
    const auto examples = batch.subspan(plan.first, plan.count);
    const TreeRows rows(std::span(trees).subspan(plan.first, plan.count));
    std::vector<size_t> begin;
    const std::vector<PassTarget> targets = pass_targets(rows, examples, &begin);
    std::vector<float> log_probs(targets.size());
    std::vector<tensor::HeadRowResult> row_results(targets.size());
    pass.score(rows, targets, log_probs.data(), row_results.data());
    for (size_t t = 0; t < examples.size(); ++t) {
      result(plan.first + t, slice({log_probs, row_results}, begin[t], begin[t + 1]));
    }
  }
}

}  // namespace hone::train
