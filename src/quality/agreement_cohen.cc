#include "quality/agreement_cohen.h"

namespace hone::quality {

CohenPairs::CohenPairs(std::vector<CohenCell> cells, std::vector<uint64_t> begin, size_t classes,
                       std::vector<double> weights)
    : cells_(std::move(cells)),
      begin_(std::move(begin)),
      class_count_(classes),
      weights_(std::move(weights)) {}

void CohenPairs::evaluate(std::span<const uint32_t> multiplicity, Scratch& scratch,
                          AgreementValues& values) const {
  scratch.row.assign(class_count_, 0.0);
  scratch.column.assign(class_count_, 0.0);
  double count = 0.0, seen = 0.0, chance = 0.0;
  for (size_t pair = 0; pair + 1 < begin_.size(); ++pair) {
    double n = 0.0, agree = 0.0;
    scratch.touched.clear();
    const auto touch = [&](uint32_t k) {
      if (scratch.row[k] == 0.0 && scratch.column[k] == 0.0) scratch.touched.push_back(k);
    };
    for (uint64_t c = begin_[pair]; c < begin_[pair + 1]; ++c) {
      const CohenCell& cell = cells_[c];
      if (multiplicity[cell.unit] == 0) continue;
      const double times = static_cast<double>(multiplicity[cell.unit]);
      n += times;
      touch(cell.first);
      scratch.row[cell.first] += times;
      touch(cell.second);
      scratch.column[cell.second] += times;
      if (!weights_.empty()) {
        agree += times * weights_[cell.first * class_count_ + cell.second];
      } else if (cell.first == cell.second) {
        agree += times;
      }
    }
    if (n == 0.0) continue;
    double expected = 0.0;
    for (const uint32_t a : scratch.touched) {
      if (weights_.empty()) {
        expected += scratch.row[a] * scratch.column[a];
      } else {
        for (const uint32_t b : scratch.touched) {
          expected += scratch.row[a] * scratch.column[b] * weights_[a * class_count_ + b];
        }
      }
    }
    count += n;
    seen += agree;
    chance += expected / n;
    for (const uint32_t k : scratch.touched) scratch.row[k] = scratch.column[k] = 0.0;
  }
  values.defined = count > chance;
  values.value = values.defined ? (seen - chance) / (count - chance) : 0.0;
  values.observed = count > 0.0 ? seen / count : 0.0;
  values.expected = count > 0.0 ? chance / count : 0.0;
}

CohenCrowd::CohenCrowd(const LabelTable& table, std::vector<double> weights, bool with_classes)
    : begin_({0}),
      worker_count_(table.worker_count()),
      class_count_(table.class_count()),
      weights_(std::move(weights)),
      with_classes_(with_classes) {
  for (size_t task = 0; task < table.task_count(); ++task) {
    for (const Label& label : table.labels_of_task(task)) {  // workers ascend
      if (cells_.size() > begin_.back() && cells_.back().worker == label.worker) continue;
      cells_.push_back({label.worker, label.value});
    }
    if (cells_.size() == begin_.back() + 1) cells_.pop_back();
    begin_.push_back(static_cast<uint32_t>(cells_.size()));
  }
}

double CohenCrowd::work() const {
  const double classes = static_cast<double>(class_count_);
  const double of_weights =
      weights_.empty() ? 0.0 : static_cast<double>(worker_count_) * classes * classes;
  return static_cast<double>(cells_.size()) * classes + of_weights;
}

void CohenCrowd::evaluate(std::span<const uint32_t> multiplicity, Scratch& scratch,
                          AgreementValues& values) const {
  const size_t k_count = class_count_;
  const size_t reported = with_classes_ ? k_count : 0;
  scratch.shares.assign(worker_count_ * k_count, 0.0);
  scratch.labels_of.assign(worker_count_, 0.0);
  for (auto* sums : {&scratch.numerator, &scratch.denominator, &scratch.said, &scratch.agreed}) {
    sums->assign(reported, 0.0);
  }
  for (size_t task = 0; task + 1 < begin_.size(); ++task) {
    if (multiplicity[task] == 0) continue;
    for (size_t c = begin_[task]; c < begin_[task + 1]; ++c) {
      scratch.shares[cells_[c].worker * k_count + cells_[c].label_class] += multiplicity[task];
      scratch.labels_of[cells_[c].worker] += multiplicity[task];
    }
  }
  for (size_t worker = 0; worker < worker_count_; ++worker) {
    if (scratch.labels_of[worker] == 0.0) continue;
    for (size_t k = 0; k < k_count; ++k) {
      scratch.shares[worker * k_count + k] /= scratch.labels_of[worker];
    }
  }
  if (!weights_.empty()) {
    scratch.weighted.assign(worker_count_ * k_count, 0.0);
    for (size_t worker = 0; worker < worker_count_; ++worker) {
      for (size_t l = 0; l < k_count; ++l) {
        const double share = scratch.shares[worker * k_count + l];
        if (share == 0.0) continue;
        for (size_t k = 0; k < k_count; ++k) {
          scratch.weighted[worker * k_count + k] += share * weights_[l * k_count + k];
        }
      }
    }
  }
  const std::vector<double>& weighted = weights_.empty() ? scratch.shares : scratch.weighted;
  double pairs = 0.0, seen = 0.0, chance = 0.0;
  for (size_t task = 0; task + 1 < begin_.size(); ++task) {
    const size_t from = begin_[task], to = begin_[task + 1];
    if (multiplicity[task] == 0 || from == to) continue;
    const double times = static_cast<double>(multiplicity[task]);
    const double n = static_cast<double>(to - from);
    scratch.sum.assign(k_count, 0.0);
    scratch.weighted_sum.assign(k_count, 0.0);
    scratch.squares.assign(k_count, 0.0);
    scratch.count.assign(k_count, 0.0);
    double own_chance = 0.0;  // of each label with itself
    for (size_t c = from; c < to; ++c) {
      const double* p = scratch.shares.data() + cells_[c].worker * k_count;
      const double* q = weighted.data() + cells_[c].worker * k_count;
      for (size_t k = 0; k < k_count; ++k) {
        scratch.sum[k] += p[k];
        scratch.weighted_sum[k] += q[k];
        scratch.squares[k] += p[k] * p[k];
        own_chance += p[k] * q[k];
      }
      scratch.count[cells_[c].label_class] += 1.0;
    }
    double all_chance = 0.0, credit = 0.0;  // over ordered pairs, itself included
    for (size_t k = 0; k < k_count; ++k) {
      all_chance += scratch.sum[k] * scratch.weighted_sum[k];
      if (weights_.empty() || scratch.count[k] == 0.0) {
        credit += scratch.count[k] * scratch.count[k];
      } else {
        for (size_t l = 0; l < k_count; ++l) {
          credit += scratch.count[k] * scratch.count[l] * weights_[k * k_count + l];
        }
      }
    }
    // n (n - 1) ordered pairs, each pair of workers twice.
    pairs += times * n * (n - 1.0);
    seen += times * (credit - n);
    chance += times * (all_chance - own_chance);
    for (size_t k = 0; k < reported; ++k) {
      const double count = scratch.count[k], sum = scratch.sum[k], squares = scratch.squares[k];
      const double observed = count * (count - 1.0) + (n - count) * (n - count - 1.0);
      const double expected =
          sum * sum - squares + (n - sum) * (n - sum) - (n - 2.0 * sum + squares);
      scratch.numerator[k] += times * (observed - expected);
      scratch.denominator[k] += times * (n * (n - 1.0) - expected);
      scratch.said[k] += times * count * (n - 1.0);
      scratch.agreed[k] += times * count * (count - 1.0);
    }
  }
  // Sums of a million terms: what is left of 1 - 1 is not a denominator.
  const double nothing = 1e-12 * pairs;
  values.defined = pairs - chance > nothing;
  values.value = values.defined ? (seen - chance) / (pairs - chance) : 0.0;
  values.observed = pairs > 0.0 ? seen / pairs : 0.0;
  values.expected = pairs > 0.0 ? chance / pairs : 0.0;
  values.metric.assign(reported, {});
  values.specific.assign(reported, {});
  for (size_t k = 0; k < reported; ++k) {
    if (scratch.denominator[k] > nothing) {
      values.metric[k] = {true, scratch.numerator[k] / scratch.denominator[k], 0.0, {}};
    }
    if (scratch.said[k] > 0.0) {
      values.specific[k] = {true, scratch.agreed[k] / scratch.said[k], 0.0, {}};
    }
  }
}

}  // namespace hone::quality
