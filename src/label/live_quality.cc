#include "label/live_quality.h"

#include <algorithm>
#include <cmath>

#include "label/organisation.h"
#include "label/project_quality.h"
#include "label/projects.h"
#include "label/task_answer.h"
#include "quality/incremental.h"
#include "quality/math.h"

namespace hone::label {
namespace {

constexpr double kUnit = 0x1p36;  // as in quality/incremental.cc
constexpr uint64_t kFirstRefit = 20;

int64_t fixed_log(double probability) {
  return static_cast<int64_t>(std::floor(quality::math::log(probability) * kUnit + 0.5));
}

// Right four times as often as each wrong.
int64_t unknown_worker(bool right, size_t classes) {
  return fixed_log((right ? 4.0 : 1.0) / (static_cast<double>(classes) + 3.0));
}

size_t class_of(const std::vector<std::string>& classes, std::string_view said) {
  return static_cast<size_t>(std::find(classes.begin(), classes.end(), said) - classes.begin());
}

std::vector<double> normalised(const std::vector<int64_t>& scores) {
  const int64_t most = *std::max_element(scores.begin(), scores.end());
  std::vector<double> row;
  double total = 0.0;
  for (const int64_t score : scores) {
    row.push_back(quality::math::exp(static_cast<double>(score - most) / kUnit));
    total += row.back();
  }
  for (double& p : row) p /= total;
  return row;
}

// The rows of quality's own input, filled from the database.
struct InputBuilder {
  quality::IncrementalAggregate::Input input;
  std::map<std::string, uint32_t> tasks, workers;

  static uint32_t number(std::map<std::string, uint32_t>& numbers,
                         quality::SteadyRows<std::string>& rows, std::string name) {
    const auto [at, is_new] = numbers.emplace(name, static_cast<uint32_t>(rows.size()));
    if (is_new) *rows.add() = std::move(name);
    return at->second;
  }
  void add(const LabelRow& row) {
    uint32_t part = 0;
    for (const std::string_view said : split_choice(row.choice)) {
      const size_t value = class_of(input.classes, said);
      if (value < input.classes.size()) {
        uint32_t* label = input.labels.add();
        label[0] =
            number(tasks, input.tasks, std::to_string(row.task) + ":" + std::to_string(part));
        label[1] = number(workers, input.workers, std::to_string(row.member));
        label[2] = static_cast<uint32_t>(value);
      }
      ++part;
    }
  }
};

}  // namespace

LiveQuality::LiveQuality(Organisation& organisation, bool background)
    : organisation_(organisation), background_(background) {}

LiveQuality::~LiveQuality() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wanted_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const LiveQuality::Fit> LiveQuality::fit_of(int64_t project) {
  const std::lock_guard lock(mutex_);
  return entries_[project].fit;
}

std::vector<std::vector<double>> LiveQuality::posterior(store::Connection& db, int64_t project,
                                                        const TaskSchema& schema, int64_t task) {
  const std::vector<std::string> classes = main_classes(schema);
  if (classes.empty()) return {};
  std::shared_ptr<const Fit> fit = fit_of(project);
  if (fit && fit->classes != classes) fit = nullptr;  // of an older schema
  std::vector<int64_t> prior(classes.size(), fixed_log(1.0 / static_cast<double>(classes.size())));
  if (fit) prior = fit->prior;
  std::vector<std::vector<int64_t>> scores;
  for (const store::Row& row :
       db.query("SELECT member_id, choice FROM annotation WHERE task_id = $1 AND status = 'valid'",
                {task})) {
    const std::vector<int64_t>* chances = nullptr;
    if (fit) {
      const auto known = fit->chances.find(row.int64(0));
      if (known != fit->chances.end()) chances = &known->second;
    }
    size_t part = 0;
    for (const std::string_view said : split_choice(row.text(1))) {
      if (scores.size() <= part) scores.push_back(prior);
      const size_t value = class_of(classes, said);
      for (size_t k = 0; k < classes.size() && value < classes.size(); ++k) {
        scores[part][k] += chances ? (*chances)[k * classes.size() + value]
                                   : unknown_worker(k == value, classes.size());
      }
      ++part;
    }
  }
  std::vector<std::vector<double>> posterior;
  for (const auto& row : scores) posterior.push_back(normalised(row));
  return posterior;
}

double LiveQuality::certainty(const std::vector<std::vector<double>>& posterior) {
  double least = posterior.empty() ? 0.0 : 1.0;
  for (const auto& row : posterior) {
    least = std::min(least, *std::max_element(row.begin(), row.end()));
  }
  return least;
}

void LiveQuality::note_answers(int64_t project, uint64_t count) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[project];
  const bool first = entry.answers == 0;
  entry.answers += count;
  // After a start nothing is known yet: what the database has is fitted with the first answer.
  const uint64_t more = std::max(kFirstRefit, entry.answers_at_refit / 4);
  if (!first && entry.answers < entry.answers_at_refit + more) return;
  entry.answers_at_refit = entry.answers;
  if (closing_) return;
  waiting_.insert(project);
  if (!background_) return;
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  wanted_.notify_one();
}

std::optional<int64_t> LiveQuality::take_waiting() {
  if (closing_ || waiting_.empty()) return std::nullopt;
  const int64_t project = *waiting_.begin();
  waiting_.erase(waiting_.begin());
  return project;
}

size_t LiveQuality::refit_waiting() {
  for (size_t refits = 0;; ++refits) {
    std::optional<int64_t> project;
    {
      const std::lock_guard lock(mutex_);
      project = take_waiting();
    }
    if (!project) return refits;
    refit_now(*project);
  }
}

void LiveQuality::run() {
  for (;;) {
    std::optional<int64_t> project;
    {
      std::unique_lock lock(mutex_);
      wanted_.wait(lock, [&] { return closing_ || !waiting_.empty(); });
      project = take_waiting();
    }
    if (!project) return;
    try {
      refit_now(*project);
    } catch (const std::exception&) {
      // The next answers ask again; until then the last fit counts.
    }
  }
}

void LiveQuality::refit_now(int64_t project_id) {
  InputBuilder builder;
  const auto schema = organisation_.read([&](store::Connection& db) {
    return get_schema(db, project_id, get_project(db, project_id).schema_version);
  });
  builder.input.classes = main_classes(*schema);
  builder.input.options.method = quality::Method::kIbcc;
  if (builder.input.classes.size() < 2) return;
  for_each_label(organisation_, project_id, [&](const LabelRow& row) { builder.add(row); });
  if (builder.input.labels.size() == 0) return;
  const auto refit = quality::IncrementalAggregate::refit(builder.input);
  auto fit = std::make_shared<Fit>();
  fit->classes = builder.input.classes;
  fit->prior = refit.parameters.prior;
  const size_t cells = fit->classes.size() * fit->classes.size();
  for (size_t i = 0; i < builder.input.workers.size(); ++i) {
    const int64_t* row = refit.parameters.chances[i];
    fit->chances[std::stoll(*builder.input.workers[i])] = {row, row + cells};
  }
  const std::lock_guard lock(mutex_);
  entries_[project_id].fit = std::move(fit);
}

}  // namespace hone::label
