#include "quality/aggregate_layout.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/error.h"
#include "quality/math.h"
#include "quality/simd_clones.h"

namespace hone::quality {
namespace {

// All that follows walks blocks of at most this many rows through arrays on the stack.
constexpr size_t kRows = kTaskBlock;
constexpr size_t kProduct = 8;  // normalisers multiplied before one logarithm is taken

// Rows of two: e = exp(-|a - b|) decides everything.
HONE_WIDE void softmax_pairs(double* rows, size_t count, double* greatest, double* normaliser) {
  double small[kRows];
  for (size_t i = 0; i < count; ++i) {
    const double a = rows[2 * i], b = rows[2 * i + 1];
    greatest[i] = a > b ? a : b;
    small[i] = math::exp(a > b ? b - a : a - b);
  }
  for (size_t i = 0; i < count; ++i) {
    const double a = rows[2 * i], b = rows[2 * i + 1];
    normaliser[i] = 1.0 + small[i];
    const double high = 1.0 / normaliser[i];
    const double low = small[i] * high;
    rows[2 * i] = a > b ? high : (a < b ? low : 0.5);
    rows[2 * i + 1] = a > b ? low : (a < b ? high : 0.5);
  }
}

HONE_WIDE void exp_in_place(double* values, size_t count) {
  for (size_t i = 0; i < count; ++i) values[i] = math::exp(values[i]);
}

template <size_t K>
void add_labels(const Layout& layout, const double* logs, const double* log_prior, size_t begin,
                size_t end, double* rows) {
  for (size_t task = begin; task < end; ++task) {
    std::array<double, K> sum;
    for (size_t k = 0; k < K; ++k) sum[k] = log_prior[k];
    for (uint32_t i = layout.task_begin[task]; i < layout.task_begin[task + 1]; ++i) {
      const double* column = logs + size_t{layout.label_column[i]} * K;
      for (size_t k = 0; k < K; ++k) sum[k] += column[k];
    }
    double* row = rows + (task - begin) * K;
    for (size_t k = 0; k < K; ++k) row[k] = sum[k];
  }
}

void add_labels_any(const Layout& layout, const double* logs, const double* log_prior, size_t begin,
                    size_t end, double* rows) {
  const size_t classes = layout.classes;
  for (size_t task = begin; task < end; ++task) {
    double* row = rows + (task - begin) * classes;
    std::copy(log_prior, log_prior + classes, row);
    for (uint32_t i = layout.task_begin[task]; i < layout.task_begin[task + 1]; ++i) {
      const double* column = logs + layout.label_column[i] * classes;
      for (size_t k = 0; k < classes; ++k) row[k] += column[k];
    }
  }
}

// Four chains a sum, so that the processor need not wait for each addition; then (0+1)+(2+3).
template <size_t K>
void sum_column(const uint32_t* tasks, size_t count, const double* posterior, double* out) {
  std::array<std::array<double, K>, 4> chain{};
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (size_t c = 0; c < 4; ++c) {
      const double* row = posterior + size_t{tasks[i + c]} * K;
      for (size_t k = 0; k < K; ++k) chain[c][k] += row[k];
    }
  }
  for (size_t c = 0; i < count; ++i, ++c) {
    const double* row = posterior + size_t{tasks[i]} * K;
    for (size_t k = 0; k < K; ++k) chain[c][k] += row[k];
  }
  for (size_t k = 0; k < K; ++k) {
    out[k] = (chain[0][k] + chain[1][k]) + (chain[2][k] + chain[3][k]);
  }
}

void sum_column_any(const uint32_t* tasks, size_t count, const double* posterior, size_t classes,
                    double* out) {
  std::fill(out, out + classes, 0.0);
  for (size_t i = 0; i < count; ++i) {
    const double* row = posterior + tasks[i] * classes;
    for (size_t k = 0; k < classes; ++k) out[k] += row[k];
  }
}

}  // namespace

HONE_WIDE void log_in_place(double* values, size_t count) {
  for (size_t i = 0; i < count; ++i) values[i] = math::log_positive(values[i]);
}

Layout::Layout(const LabelTable& label_table, std::span<const GoldTask> gold_tasks,
               std::span<const uint8_t> excluded)
    : table(label_table),
      tasks(table.task_count()),
      workers(table.worker_count()),
      classes(table.class_count()),
      labels(table.label_count()),
      rows(table.labels()) {
  std::vector<uint32_t> new_place;  // of the labels that are kept
  if (!excluded.empty()) {
    HONE_CHECK(excluded.size() == labels);
    new_place.resize(labels);
    for (size_t i = 0; i < excluded.size(); ++i) {
      new_place[i] = static_cast<uint32_t>(kept_.size());
      if (!excluded[i]) kept_.push_back(rows[i]);
    }
    rows = kept_;
    labels = kept_.size();
  }
  task_begin.assign(tasks + 1, 0);
  for (const Label& label : rows) ++task_begin[label.task + 1];
  for (size_t i = 0; i < tasks; ++i) task_begin[i + 1] += task_begin[i];

  label_column.resize(labels);
  column_tasks.resize(labels);
  worker_columns.reserve(workers + 1);
  worker_blocks = {0};
  std::vector<uint32_t> count(classes), column_of(classes);
  uint32_t done = 0, in_block = 0;
  for (uint32_t worker = 0; worker < workers; ++worker) {
    worker_columns.push_back(static_cast<uint32_t>(column_value.size()));
    const auto places = table.labels_of_worker(worker);
    std::fill(count.begin(), count.end(), 0u);
    uint32_t given = 0;
    for (const uint32_t place : places) {
      if (!excluded.empty() && excluded[place]) continue;
      ++count[table.labels()[place].value];
      ++given;
    }
    std::vector<uint32_t>& next = count;  // becomes the place of the column's next label
    for (uint32_t value = 0; value < classes; ++value) {
      if (count[value] == 0) continue;
      column_of[value] = static_cast<uint32_t>(column_value.size());
      column_value.push_back(value);
      column_begin.push_back(done);
      const uint32_t size = count[value];
      next[value] = done;
      done += size;
    }
    for (const uint32_t place : places) {
      if (!excluded.empty() && excluded[place]) continue;
      const Label& label = table.labels()[place];
      label_column[excluded.empty() ? place : new_place[place]] = column_of[label.value];
      column_tasks[next[label.value]++] = label.task;
    }
    in_block += given;
    if (in_block >= kLabelsPerWorkerBlock && worker + 1 < workers) {
      worker_blocks.push_back(worker + 1);
      in_block = 0;
    }
  }
  columns = column_value.size();
  worker_columns.push_back(static_cast<uint32_t>(columns));
  column_begin.push_back(done);
  worker_blocks.push_back(static_cast<uint32_t>(workers));

  if (gold_tasks.empty()) return;
  gold.assign(tasks, kNoTruth);
  for (const GoldTask& known : gold_tasks) {
    if (known.task >= tasks || known.value >= classes) {
      throw invalid_input(
          "a gold answer names a task or a class that no label names; correct the gold file");
    }
    if (gold[known.task] != kNoTruth && gold[known.task] != known.value) {
      throw invalid_input("the gold file gives the task \"" + table.tasks()[known.task] +
                          "\" two different answers; keep one");
    }
    gold[known.task] = known.value;
  }
}

namespace {

// Four chains a sum, as above.
template <size_t K>
void sum_rows(const double* rows, size_t count, const uint32_t* weight, double* out) {
  std::array<std::array<double, K>, 4> chain{};
  for (size_t i = 0; i < count; ++i) {
    const double times = weight == nullptr ? 1.0 : weight[i];
    for (size_t k = 0; k < K; ++k) chain[i % 4][k] += times * rows[i * K + k];
  }
  for (size_t k = 0; k < K; ++k) {
    out[k] = (chain[0][k] + chain[1][k]) + (chain[2][k] + chain[3][k]);
  }
}

void sum_rows_any(const double* rows, size_t count, size_t classes, const uint32_t* weight,
                  double* out) {
  for (size_t i = 0; i < count; ++i) {
    const double times = weight == nullptr ? 1.0 : weight[i];
    for (size_t k = 0; k < classes; ++k) out[k] += times * rows[i * classes + k];
  }
}

// The weights of a block's tasks, or null when each stands for itself.
const uint32_t* block_weights(const Layout& layout, size_t begin, size_t end) {
  if (layout.weight.empty() || layout.weight[end - 1] == 1) return nullptr;  // ones come first
  return layout.weight.data() + begin;
}

}  // namespace

double softmax_rows(double* rows, size_t count, size_t classes, const uint32_t* weight) {
  HONE_CHECK(count <= kRows);
  double greatest[kRows], normaliser[kRows + kProduct];
  if (classes == 2) {
    softmax_pairs(rows, count, greatest, normaliser);
  } else {
    for (size_t i = 0; i < count; ++i) {
      double* row = rows + i * classes;
      double most = row[0];
      for (size_t k = 1; k < classes; ++k) most = row[k] > most ? row[k] : most;
      for (size_t k = 0; k < classes; ++k) row[k] -= most;
      greatest[i] = most;
    }
    exp_in_place(rows, count * classes);
    for (size_t i = 0; i < count; ++i) {
      double* row = rows + i * classes;
      double sum = 0.0;
      for (size_t k = 0; k < classes; ++k) sum += row[k];
      const double inverse = 1.0 / sum;
      for (size_t k = 0; k < classes; ++k) row[k] *= inverse;
      normaliser[i] = sum;
    }
  }
  if (weight != nullptr) {
    log_in_place(normaliser, count);
    double sum = 0.0;
    for (size_t i = 0; i < count; ++i) sum += weight[i] * (greatest[i] + normaliser[i]);
    return sum;
  }
  // log a + log b + ... = log(a b ...): each is in [1, classes], eight of them are in range.
  for (size_t i = 0; i < kProduct; ++i) normaliser[count + i] = 1.0;
  const size_t products = (count + kProduct - 1) / kProduct;
  for (size_t p = 0; p < products; ++p) {
    double product = 1.0;
    for (size_t i = 0; i < kProduct; ++i) product *= normaliser[p * kProduct + i];
    normaliser[p] = product;
  }
  log_in_place(normaliser, products);
  std::array<double, 4> chain{};
  for (size_t i = 0; i < count; ++i) chain[i % 4] += greatest[i];
  double sum = (chain[0] + chain[1]) + (chain[2] + chain[3]);
  for (size_t p = 0; p < products; ++p) sum += normaliser[p];
  return sum;
}

void e_step(const Layout& layout, std::span<const double> logs, std::span<const double> log_prior,
            std::span<double> posterior, EStep& step, ThreadPool* pool, bool want_change,
            std::span<double> weighted) {
  const size_t classes = layout.classes, blocks = layout.task_blocks();
  const size_t width = classes + 2;  // class sums, log-likelihood, greatest change
  step.block_numbers.assign(blocks * width, 0.0);
  for_blocks(layout.worth(pool), blocks, [&](size_t block) {
    const size_t begin = block * kTaskBlock, end = std::min(begin + kTaskBlock, layout.tasks);
    double* rows = posterior.data() + begin * classes;
    double* numbers = step.block_numbers.data() + block * width;
    std::vector<double> before;
    if (want_change) before.assign(rows, rows + (end - begin) * classes);
    switch (classes) {
      case 2: add_labels<2>(layout, logs.data(), log_prior.data(), begin, end, rows); break;
      case 3: add_labels<3>(layout, logs.data(), log_prior.data(), begin, end, rows); break;
      case 4: add_labels<4>(layout, logs.data(), log_prior.data(), begin, end, rows); break;
      case 5: add_labels<5>(layout, logs.data(), log_prior.data(), begin, end, rows); break;
      default: add_labels_any(layout, logs.data(), log_prior.data(), begin, end, rows);
    }
    if (!layout.gold.empty()) {
      for (size_t task = begin; task < end; ++task) {
        const uint32_t known = layout.gold[task];
        if (known == kNoTruth) continue;
        double* row = rows + (task - begin) * classes;
        for (size_t k = 0; k < classes; ++k) row[k] = k == known ? row[k] : -math::kInfinity;
      }
    }
    const uint32_t* weight = block_weights(layout, begin, end);
    numbers[classes] = softmax_rows(rows, end - begin, classes, weight);
    switch (classes) {
      case 2: sum_rows<2>(rows, end - begin, weight, numbers); break;
      case 3: sum_rows<3>(rows, end - begin, weight, numbers); break;
      case 4: sum_rows<4>(rows, end - begin, weight, numbers); break;
      default: sum_rows_any(rows, end - begin, classes, weight, numbers);
    }
    if (!weighted.empty()) {
      double* out = weighted.data() + begin * classes;
      for (size_t task = 0; task < end - begin; ++task) {
        const double times = weight == nullptr ? 1.0 : weight[task];
        for (size_t k = 0; k < classes; ++k) {
          out[task * classes + k] = times * rows[task * classes + k];
        }
      }
    }
    double change = 0.0;
    for (size_t i = 0; i < before.size(); ++i) {
      const double moved = before[i] > rows[i] ? before[i] - rows[i] : rows[i] - before[i];
      change = moved > change ? moved : change;
    }
    numbers[classes + 1] = change;
  });
  step.class_sum.assign(classes, 0.0);
  step.log_likelihood = 0.0;
  step.greatest_change = 0.0;
  for (size_t block = 0; block < blocks; ++block) {
    const double* numbers = step.block_numbers.data() + block * width;
    for (size_t k = 0; k < classes; ++k) step.class_sum[k] += numbers[k];
    step.log_likelihood += numbers[classes];
    step.greatest_change = std::max(step.greatest_change, numbers[classes + 1]);
  }
}

void sum_columns(const Layout& layout, size_t worker_block, std::span<const double> posterior,
                 std::span<double> sums) {
  const size_t classes = layout.classes;
  const uint32_t begin = layout.worker_columns[layout.worker_blocks[worker_block]];
  const uint32_t end = layout.worker_columns[layout.worker_blocks[worker_block + 1]];
  for (uint32_t column = begin; column < end; ++column) {
    const uint32_t* tasks = layout.column_tasks.data() + layout.column_begin[column];
    const size_t count = layout.column_begin[column + 1] - layout.column_begin[column];
    double* out = sums.data() + column * classes;
    switch (classes) {
      case 2: sum_column<2>(tasks, count, posterior.data(), out); break;
      case 3: sum_column<3>(tasks, count, posterior.data(), out); break;
      case 4: sum_column<4>(tasks, count, posterior.data(), out); break;
      case 5: sum_column<5>(tasks, count, posterior.data(), out); break;
      default: sum_column_any(tasks, count, posterior.data(), classes, out);
    }
  }
}

void sum_own_class(const Layout& layout, size_t worker_block, std::span<const double> posterior,
                   std::span<double> sums) {
  const size_t classes = layout.classes;
  const uint32_t begin = layout.worker_columns[layout.worker_blocks[worker_block]];
  const uint32_t end = layout.worker_columns[layout.worker_blocks[worker_block + 1]];
  for (uint32_t column = begin; column < end; ++column) {
    const uint32_t* tasks = layout.column_tasks.data() + layout.column_begin[column];
    const size_t count = layout.column_begin[column + 1] - layout.column_begin[column];
    const double* own = posterior.data() + layout.column_value[column];
    std::array<double, 4> chain{};
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
      for (size_t c = 0; c < 4; ++c) chain[c] += own[tasks[i + c] * classes];
    }
    for (size_t c = 0; i < count; ++i, ++c) chain[c] += own[tasks[i] * classes];
    sums[column] = (chain[0] + chain[1]) + (chain[2] + chain[3]);
  }
}

void majority_shares(const Layout& layout, std::span<double> posterior, ThreadPool* pool) {
  const size_t classes = layout.classes;
  for_blocks(layout.worth(pool), layout.task_blocks(), [&](size_t block) {
    const size_t end = std::min((block + 1) * kTaskBlock, layout.tasks);
    for (size_t task = block * kTaskBlock; task < end; ++task) {
      double* row = posterior.data() + task * classes;
      const uint32_t from = layout.task_begin[task], to = layout.task_begin[task + 1];
      std::fill(row, row + classes, 0.0);
      for (uint32_t i = from; i < to; ++i) row[layout.column_value[layout.label_column[i]]] += 1.0;
      const double votes = to - from;
      for (size_t k = 0; k < classes; ++k) {
        row[k] = to == from ? 1.0 / static_cast<double>(classes) : row[k] / votes;
      }
      if (!layout.gold.empty() && layout.gold[task] != kNoTruth) {
        for (size_t k = 0; k < classes; ++k) row[k] = k == layout.gold[task] ? 1.0 : 0.0;
      }
    }
  });
}

std::vector<double> class_shares(const Layout& layout, std::span<const double> posterior) {
  const size_t classes = layout.classes;
  std::vector<double> shares(classes, 0.0);
  for (size_t begin = 0; begin < layout.tasks; begin += kTaskBlock) {
    const size_t end = std::min(begin + kTaskBlock, layout.tasks);
    std::vector<double> sum(classes, 0.0);
    sum_rows_any(posterior.data() + begin * classes, end - begin, classes,
                 block_weights(layout, begin, end), sum.data());
    for (size_t k = 0; k < classes; ++k) shares[k] += sum[k];
  }
  const size_t tasks = layout.merged_into.empty() ? layout.tasks : layout.merged_into.size();
  for (double& share : shares) share /= static_cast<double>(tasks);
  return shares;
}

void worker_chances(const Layout& layout, const Aggregate& fit, uint32_t worker, double pooled,
                    std::vector<double>& chance) {
  const size_t classes = layout.classes;
  const auto others = static_cast<double>(classes - 1);
  chance.assign(classes * classes, 0.0);
  if (fit.method == Method::kDawidSkene || fit.method == Method::kIbcc) {
    const bool bayes = fit.method == Method::kIbcc;
    for (size_t k = 0; k < classes; ++k) {
      for (size_t l = 0; l < classes; ++l) {
        chance[k * classes + l] =
            bayes ? (k == l ? 4.0 : 1.0) : 1e-10;  // as ibcc.cc, dawid_skene.cc
      }
    }
    for (uint32_t column = layout.worker_columns[worker];
         column < layout.worker_columns[worker + 1]; ++column) {
      for (uint32_t i = layout.column_begin[column]; i < layout.column_begin[column + 1]; ++i) {
        const double* row = fit.posterior.data() + layout.column_tasks[i] * classes;
        for (size_t k = 0; k < classes; ++k) {
          chance[k * classes + layout.column_value[column]] += row[k];
        }
      }
    }
    for (size_t k = 0; k < classes; ++k) {
      double total = 0.0;
      for (size_t l = 0; l < classes; ++l) total += chance[k * classes + l];
      for (size_t l = 0; l < classes; ++l) chance[k * classes + l] /= total;
    }
    return;
  }
  for (size_t k = 0; k < classes; ++k) {
    for (size_t l = 0; l < classes; ++l) {
      double& p = chance[k * classes + l];
      if (fit.method == Method::kMaceVb || fit.method == Method::kMace) {
        const double know = fit.skill[worker];
        p = (k == l ? know : 0.0) + (1.0 - know) * fit.guesses[worker * classes + l];
      } else {
        const double right = fit.method == Method::kMajority ? pooled : fit.skill[worker];
        p = k == l ? right : (1.0 - right) / others;
      }
    }
  }
}

}  // namespace hone::quality
