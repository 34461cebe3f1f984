#include "cli/quality_outputs.h"

#include <algorithm>
#include <numeric>

#include "base/env.h"
#include "base/error.h"
#include "cli/quality_text.h"
#include "data/jsonl_writer.h"

namespace hone::cli {

namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

// Classes of one task, the likeliest first, equal ones in their order.
void by_probability(std::span<const double> row, std::vector<uint32_t>& order) {
  order.resize(row.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return row[a] > row[b]; });
}

std::span<const double> posterior_of(const quality::Aggregate& fit, size_t task) {
  return std::span(fit.posterior).subspan(task * fit.class_count, fit.class_count);
}

}  // namespace

void write_in_pieces(
    Env& env, const std::string& path, bool overwrite,
    const std::function<void(const std::function<void(std::string_view)>&)>& write) {
  data::refuse_existing(env, path, overwrite);
  if (env.is_directory(path)) throw invalid_input(path + " is a folder; name a file");
  const std::string part = path + ".part";
  try {
    const auto file = env.create_file(part);
    std::string buffer;
    write([&](std::string_view piece) {
      buffer += piece;
      if (buffer.size() < kBufferBytes) return;
      file->append(buffer);
      buffer.clear();
    });
    file->append(buffer);
    file->sync();
    file->close();
  } catch (const Error&) {
    env.remove_all(part);
    throw;
  }
  env.rename(part, path);
}

void write_posterior(Env& env, const std::string& path, bool overwrite,
                     const quality::LabelTable& table, const quality::Aggregate& fit) {
  write_in_pieces(env, path, overwrite, [&](const auto& put) {
    put("task,label,probability\n");
    std::vector<uint32_t> order;
    std::string line;
    for (size_t task = 0; task < table.task_count(); ++task) {
      const auto row = posterior_of(fit, task);
      by_probability(row, order);
      for (const uint32_t k : order) {
        if (row[k] <= 0.0) break;
        line.clear();
        append_csv_cell(line, table.tasks()[task]);
        line += ',';
        append_csv_cell(line, table.classes()[k]);
        put(line + "," + number_to_string(row[k]) + "\n");
      }
    }
  });
}

std::string_view task_state_word(quality::TaskState state) {
  switch (state) {
    case quality::TaskState::kAsk: return "ask";
    case quality::TaskState::kDone: return "sure";
    case quality::TaskState::kUndecided: return "undecided";
  }
  return "";
}

void write_answers(Env& env, const std::string& path, bool overwrite,
                   const quality::LabelTable& table, const quality::Aggregate& fit,
                   const quality::StopRule& rule) {
  write_in_pieces(env, path, overwrite, [&](const auto& put) {
    put("task,label,probability,labels,state\n");
    std::string line;
    for (size_t task = 0; task < table.task_count(); ++task) {
      const auto row = posterior_of(fit, task);
      const uint32_t best = fit.winners(task).front();
      const auto labels = static_cast<uint32_t>(table.labels_of_task(task).size());
      line.clear();
      append_csv_cell(line, table.tasks()[task]);
      line += ',';
      append_csv_cell(line, table.classes()[best]);
      put(line + "," + number_to_string(row[best]) + "," + std::to_string(labels) + "," +
          std::string(task_state_word(quality::task_state(row, labels, rule))) + "\n");
    }
  });
}

void write_confusion(Env& env, const std::string& path, bool overwrite,
                     const quality::LabelTable& table, const quality::Aggregate& fit) {
  const size_t classes = table.class_count();
  write_in_pieces(env, path, overwrite, [&](const auto& put) {
    put("worker,truth,said,share,low,high\n");
    std::string line;
    for (size_t worker = 0; worker < table.worker_count(); ++worker) {
      const quality::WorkerQuality quality = quality::worker_quality(fit, table, worker);
      for (size_t i = 0; i < classes * classes; ++i) {
        line.clear();
        append_csv_cell(line, table.workers()[worker]);
        line += ',';
        append_csv_cell(line, table.classes()[i / classes]);
        line += ',';
        append_csv_cell(line, table.classes()[i % classes]);
        put(line + "," + number_to_string(quality.confusion[i]) + "," +
            number_to_string(quality.confusion_interval[i].low) + "," +
            number_to_string(quality.confusion_interval[i].high) + "\n");
      }
    }
  });
}

}  // namespace hone::cli
