#include "quality/comparison_table.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "base/error.h"
#include "quality/name_index.h"

namespace hone::quality {

struct ComparisonTableBuilder::State {
  NameIndex names, workers, tasks;
  std::vector<std::string> covariate_names;
  std::vector<Comparison> rows;    // in the order they came
  std::vector<double> covariates;  // row after row
};

ComparisonTableBuilder::ComparisonTableBuilder(std::vector<std::string> covariate_names)
    : state_(std::make_unique<State>()) {
  for (size_t i = 0; i < covariate_names.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (covariate_names[i] == covariate_names[j]) {
        throw invalid_input("the covariate \"" + covariate_names[i] +
                            "\" is named twice; name each once");
      }
    }
  }
  state_->covariate_names = std::move(covariate_names);
}
ComparisonTableBuilder::~ComparisonTableBuilder() = default;
ComparisonTableBuilder::ComparisonTableBuilder(ComparisonTableBuilder&&) noexcept = default;

void ComparisonTableBuilder::add(std::string_view left, std::string_view right, Winner winner,
                                 std::string_view worker, std::string_view task, double weight,
                                 std::span<const double> covariates) {
  HONE_CHECK(state_ != nullptr);
  if (left == right) {
    throw invalid_input("\"" + std::string(left) +
                        "\" is compared with itself; left and right must differ");
  }
  if (!std::isfinite(weight) || weight <= 0.0) {
    throw invalid_input("the weight of a comparison must be a positive number");
  }
  if (covariates.size() != state_->covariate_names.size()) {
    throw invalid_input("a comparison has " + std::to_string(covariates.size()) +
                        " covariates where " + std::to_string(state_->covariate_names.size()) +
                        " are named");
  }
  for (size_t i = 0; i < covariates.size(); ++i) {
    if (!std::isfinite(covariates[i])) {
      throw invalid_input("the covariate \"" + state_->covariate_names[i] +
                          "\" of a comparison is no finite number");
    }
  }
  if (state_->rows.size() >= (size_t{1} << 31)) {
    throw invalid_input("a table holds at most 2^31 comparisons; split the file");
  }
  Comparison row;
  row.left = state_->names.number_of(left);
  row.right = state_->names.number_of(right);
  row.winner = winner;
  if (!worker.empty()) row.worker = state_->workers.number_of(worker);
  if (!task.empty()) row.task = state_->tasks.number_of(task);
  row.weight = weight;
  state_->rows.push_back(row);
  state_->covariates.insert(state_->covariates.end(), covariates.begin(), covariates.end());
}

ComparisonTable ComparisonTableBuilder::build() && {
  HONE_CHECK(state_ != nullptr);
  const std::unique_ptr<State> state = std::move(state_);
  if (state->rows.empty()) {
    throw invalid_input("there is no comparison; give at least one row of left, right and winner");
  }
  ComparisonTable table;
  const std::vector<uint32_t> new_name = state->names.sort_into(table.names);
  const std::vector<uint32_t> new_worker = state->workers.sort_into(table.workers);
  const std::vector<uint32_t> new_task = state->tasks.sort_into(table.tasks);
  for (Comparison& row : state->rows) {
    row.left = new_name[row.left];
    row.right = new_name[row.right];
    if (row.worker != kNobody) row.worker = new_worker[row.worker];
    if (row.task != kNobody) row.task = new_task[row.task];
  }

  const size_t width = state->covariate_names.size();
  const std::vector<Comparison>& rows = state->rows;
  const double* covariates = state->covariates.data();
  std::vector<uint32_t> places(rows.size());
  std::iota(places.begin(), places.end(), 0u);
  std::sort(places.begin(), places.end(), [&](uint32_t i, uint32_t j) {
    const Comparison &a = rows[i], &b = rows[j];
    if (a.left != b.left) return a.left < b.left;
    if (a.right != b.right) return a.right < b.right;
    if (a.winner != b.winner) return a.winner < b.winner;
    if (a.worker != b.worker) return a.worker < b.worker;
    if (a.task != b.task) return a.task < b.task;
    if (a.weight != b.weight) return a.weight < b.weight;
    for (size_t c = 0; c < width; ++c) {
      const double x = covariates[i * width + c], y = covariates[j * width + c];
      if (x != y) return x < y;
    }
    return i < j;  // equal in everything: either may come first
  });

  table.comparisons.resize(rows.size());
  table.order.resize(rows.size());
  table.covariate_names = std::move(state->covariate_names);
  table.covariates.assign(width, std::vector<double>(rows.size()));
  for (uint32_t to = 0; to < places.size(); ++to) {
    const uint32_t from = places[to];
    table.comparisons[to] = rows[from];
    table.order[from] = to;
    for (size_t c = 0; c < width; ++c) table.covariates[c][to] = covariates[from * width + c];
  }
  return table;
}

}  // namespace hone::quality
