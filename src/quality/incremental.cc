#include "quality/incremental.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "quality/aggregate_layout.h"
#include "quality/math.h"

namespace hone::quality {
namespace {

constexpr double kUnit = 0x1p36;  // of a fixed-point number: 1.5e-11 nats, sums up to 1.3e8 nats
constexpr double kLeast = 1e-300;

int64_t fixed(double value) { return static_cast<int64_t>(std::floor(value * kUnit + 0.5)); }
int64_t fixed_log(double probability) { return fixed(math::log(std::max(probability, kLeast))); }

bool is_share(Method method) { return method == Method::kMajority || method == Method::kWawa; }
bool has_chances(Method method) { return !is_share(method) && method != Method::kGlad; }

// Right four times as often as each wrong: ibcc's prior.
std::vector<int64_t> prior_chances(size_t classes) {
  const double total = static_cast<double>(classes) + 3.0;
  std::vector<int64_t> chances(classes * classes);
  for (size_t k = 0; k < classes; ++k) {
    for (size_t l = 0; l < classes; ++l) {
      chances[k * classes + l] = fixed_log((k == l ? 4.0 : 1.0) / total);
    }
  }
  return chances;
}

uint32_t number_in(const std::map<std::string_view, uint32_t>& numbers, std::string_view name) {
  const auto found = numbers.find(name);
  return found == numbers.end() ? kNoTruth : found->second;
}

}  // namespace

IncrementalAggregate::IncrementalAggregate(std::vector<std::string> classes,
                                           AggregateOptions options)
    : classes_(std::move(classes)), options_(std::move(options)) {
  if (classes_.size() < 2) {
    throw invalid_input("name at least two classes that a label can be");
  }
  if (classes_.size() > 1000) throw invalid_input("at most 1,000 classes can be kept up to date");
  for (size_t i = 0; i < classes_.size(); ++i) {
    if (std::find(classes_.begin(), classes_.begin() + static_cast<ptrdiff_t>(i), classes_[i]) !=
        classes_.begin() + static_cast<ptrdiff_t>(i)) {
      throw invalid_input("the class \"" + classes_[i] +
                          "\" is declared twice; name each class once");
    }
  }
  if (!options_.gold.empty()) {
    throw invalid_input("gold answers are given with set_gold, by the name of the task");
  }
  const size_t count = classes_.size();
  new_worker_ = prior_chances(count);
  now_.method = options_.method == Method::kAuto ? Method::kIbcc : options_.method;
  now_.prior.assign(count, fixed_log(1.0 / static_cast<double>(count)));
  now_.scores = SteadyRows<int64_t>(count);
  now_.chances = SteadyRows<int64_t>(count * count);
}

uint32_t IncrementalAggregate::class_number(std::string_view label) const {
  const auto found = std::find(classes_.begin(), classes_.end(), label);
  if (found == classes_.end()) {
    throw invalid_input("the label \"" + std::string(label) +
                        "\" is none of the declared classes; correct it or declare it");
  }
  return static_cast<uint32_t>(found - classes_.begin());
}

uint32_t IncrementalAggregate::task_number(std::string_view name) {
  if (const uint32_t known = number_in(task_numbers_, name); known != kNoTruth) return known;
  const auto number = static_cast<uint32_t>(tasks_.size());
  std::string* kept = tasks_.add();
  *kept = name;
  task_numbers_.emplace(*kept, number);
  return number;
}

uint32_t IncrementalAggregate::worker_number(std::string_view name) {
  if (const uint32_t known = number_in(worker_numbers_, name); known != kNoTruth) return known;
  const auto number = static_cast<uint32_t>(workers_.size());
  std::string* kept = workers_.add();
  *kept = name;
  worker_numbers_.emplace(*kept, number);
  return number;
}

void IncrementalAggregate::extend() {
  const size_t classes = classes_.size();
  while (now_.scores.size() < tasks_.size()) {
    int64_t* row = now_.scores.add();
    for (size_t k = 0; k < classes; ++k) row[k] = is_share(now_.method) ? 0 : now_.prior[k];
    *now_.scale.add() = math::exp(1.0);
  }
  while (now_.ability.size() < workers_.size()) {
    *now_.ability.add() = 1.0;
    if (!has_chances(now_.method)) continue;
    std::copy(new_worker_.begin(), new_worker_.end(), now_.chances.add());
  }
}

void IncrementalAggregate::apply(const uint32_t* label) {
  const size_t classes = classes_.size();
  const uint32_t task = label[0], worker = label[1], value = label[2];
  int64_t* row = now_.scores[task];
  if (is_share(now_.method)) {
    row[value] += fixed(*now_.ability[worker]);
  } else if (now_.method == Method::kGlad) {
    const double x = *now_.ability[worker] * *now_.scale[task];
    const double others = math::log(static_cast<double>(classes - 1));
    const int64_t right = fixed(std::max(math::log_sigmoid(x), -690.0));
    const int64_t wrong = fixed(std::max(math::log_sigmoid(-x), -690.0) - others);
    for (size_t k = 0; k < classes; ++k) row[k] += k == value ? right : wrong;
  } else {
    const int64_t* chances = now_.chances[worker];
    for (size_t k = 0; k < classes; ++k) row[k] += chances[k * classes + value];
  }
}

std::vector<double> IncrementalAggregate::posterior_of(uint32_t task) const {
  const size_t classes = classes_.size();
  std::vector<double> posterior(classes, 0.0);
  if (const auto known = gold_.find(task); known != gold_.end()) {
    posterior[known->second] = 1.0;
    return posterior;
  }
  const bool ready = task < now_.scores.size();
  const int64_t* row = ready ? now_.scores[task] : now_.prior.data();
  if (ready && is_share(now_.method)) {
    double total = 0.0;
    for (size_t k = 0; k < classes; ++k) total += static_cast<double>(row[k]);
    for (size_t k = 0; k < classes; ++k) {
      posterior[k] =
          total > 0.0 ? static_cast<double>(row[k]) / total : 1.0 / static_cast<double>(classes);
    }
    return posterior;
  }
  const int64_t most = *std::max_element(row, row + classes);
  double total = 0.0;
  for (size_t k = 0; k < classes; ++k) {
    posterior[k] = math::exp(static_cast<double>(row[k] - most) / kUnit);
    total += posterior[k];
  }
  for (double& p : posterior) p /= total;
  return posterior;
}

IncrementalAggregate::Update IncrementalAggregate::add(std::string_view task,
                                                       std::string_view worker,
                                                       std::string_view label) {
  const uint32_t value = class_number(label);
  if (labels_.size() >= (size_t{1} << 31)) {
    throw invalid_input("at most 2^31 labels can be kept up to date");
  }
  const uint32_t row[3] = {task_number(task), worker_number(worker), value};
  extend();
  Update update;
  update.is_new = seen_.emplace(row[0], row[1], row[2]).second;
  if (update.is_new) {
    std::copy(row, row + 3, labels_.add());
    apply(row);
  }
  update.posterior = posterior_of(row[0]);
  for (const double p : update.posterior) {
    if (p > 0.0) update.entropy -= p * math::log(p);
  }
  update.entropy = std::max(0.0, update.entropy);
  return update;
}

void IncrementalAggregate::set_gold(std::string_view task, std::string_view label) {
  const uint32_t value = class_number(label);
  gold_[task_number(task)] = value;
  extend();
}

std::vector<double> IncrementalAggregate::posterior(std::string_view task) const {
  return posterior_of(number_in(task_numbers_, task));
}

IncrementalAggregate::Input IncrementalAggregate::snapshot() const {
  Input input;
  input.classes = classes_;
  input.options = options_;
  input.tasks = tasks_;
  input.workers = workers_;
  input.labels = labels_;
  for (const auto& [task, value] : gold_) input.gold.push_back({task, value});
  return input;
}

IncrementalAggregate::Refit IncrementalAggregate::refit(const Input& input, ThreadPool* pool) {
  LabelTableBuilder builder(input.classes);
  for (size_t i = 0; i < input.labels.size(); ++i) {
    const uint32_t* row = input.labels[i];
    builder.add(*input.tasks[row[0]], *input.workers[row[1]], input.classes[row[2]]);
  }
  Refit refit{std::move(builder).build(), {}, {}};
  const LabelTable& table = refit.table;
  const auto place_in = [](std::span<const std::string> names, const std::string& name) {
    const auto found = std::lower_bound(names.begin(), names.end(), name);
    return found == names.end() || *found != name ? kNoTruth
                                                  : static_cast<uint32_t>(found - names.begin());
  };
  AggregateOptions options = input.options;
  for (const GoldTask& known : input.gold) {
    const uint32_t place = place_in(table.tasks(), *input.tasks[known.task]);
    if (place != kNoTruth) options.gold.push_back({place, known.value});
  }
  refit.aggregate = quality::aggregate(table, options, pool);

  const Aggregate& fit = refit.aggregate;
  const size_t classes = input.classes.size();
  Parameters& parameters = refit.parameters;
  parameters.method = fit.method;
  parameters.labels = input.labels.size();
  for (const double p : fit.prior) parameters.prior.push_back(fixed_log(p));
  parameters.scores = SteadyRows<int64_t>(classes);
  parameters.chances = SteadyRows<int64_t>(classes * classes);
  const bool weighted = fit.method == Method::kGlad || fit.method == Method::kWawa;

  const Layout layout(table, options.gold);
  const std::vector<int64_t> new_worker = prior_chances(classes);
  std::vector<double> chance;
  for (size_t i = 0; i < input.workers.size(); ++i) {
    const uint32_t worker = place_in(table.workers(), *input.workers[i]);
    const bool known = worker != kNoTruth;
    *parameters.ability.add() = known && weighted ? fit.skill[worker] : 1.0;
    if (!has_chances(fit.method)) continue;
    int64_t* row = parameters.chances.add();
    std::copy(new_worker.begin(), new_worker.end(), row);
    if (!known) continue;
    worker_chances(layout, fit, worker, 0.0, chance);
    for (size_t cell = 0; cell < chance.size(); ++cell) row[cell] = fixed_log(chance[cell]);
  }
  for (size_t i = 0; i < input.tasks.size(); ++i) {
    const uint32_t task = place_in(table.tasks(), *input.tasks[i]);
    int64_t* row = parameters.scores.add();
    *parameters.scale.add() = fit.method == Method::kGlad && task != kNoTruth
                                  ? math::exp(fit.easiness[task])
                                  : math::exp(1.0);
    for (size_t k = 0; k < classes; ++k) {
      const bool share = is_share(fit.method);
      row[k] = share              ? 0
               : task == kNoTruth ? parameters.prior[k]
                                  : fixed_log(fit.posterior[task * classes + k]);
    }
    if (!is_share(fit.method) || task == kNoTruth) continue;
    for (const Label& label : table.labels_of_task(task)) {
      row[label.value] += fixed(weighted ? fit.skill[label.worker] : 1.0);
    }
  }
  return refit;
}

void IncrementalAggregate::accept(Parameters parameters) {
  if (parameters.labels > labels_.size() || parameters.scores.size() > tasks_.size() ||
      parameters.prior.size() != classes_.size()) {
    throw invalid_input("these parameters are of other labels; refit a snapshot of these");
  }
  now_ = std::move(parameters);
  extend();
  for (size_t i = now_.labels; i < labels_.size(); ++i) apply(labels_[i]);
}

// State, docs/formats/label_state.md.

namespace {

template <typename T>
Json rows_to_json(const SteadyRows<T>& rows) {
  Json::Array array;
  array.reserve(rows.size() * rows.width());
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t c = 0; c < rows.width(); ++c) array.emplace_back(rows[i][c]);
  }
  return Json(std::move(array));
}

template <typename T, typename Read>
void rows_from_json(const Json& json, SteadyRows<T>& rows, const Read& read) {
  const Json::Array& array = json.as_array();
  if (array.size() % rows.width() != 0) throw corrupt_data("a row is cut short");
  for (size_t i = 0; i < array.size(); i += rows.width()) {
    T* row = rows.add();
    for (size_t c = 0; c < rows.width(); ++c) row[c] = read(array[i + c]);
  }
}

uint32_t number_below(const Json& json, size_t bound, const char* what) {
  const int64_t number = json.as_int();
  if (number < 0 || static_cast<uint64_t>(number) >= bound) {
    throw corrupt_data(std::string("there is no ") + what + " " + std::to_string(number));
  }
  return static_cast<uint32_t>(number);
}

// Sums of fewer than 2^31 labels of at most 2^46 each cannot overflow after this much.
int64_t score_in(const Json& json) {
  const int64_t score = json.as_int();
  if (score > (int64_t{1} << 62) || score < -(int64_t{1} << 62)) {
    throw corrupt_data("a score is out of range");
  }
  return score;
}

int64_t chance_in(const Json& json) {
  const int64_t chance = json.as_int();
  if (chance > 0 || chance < fixed(-700.0)) throw corrupt_data("a chance is out of range");
  return chance;
}

double finite_in(const Json& json) {
  const double number = json.as_double();
  if (!std::isfinite(number) || std::fabs(number) > 1e6) {
    throw corrupt_data("a worker's or task's parameter is out of range");
  }
  return number;
}

}  // namespace

Json IncrementalAggregate::to_json() const {
  Json state = Json::object();
  state["format"] = "hone label state";
  state["version"] = 1;
  for (const std::string& name : classes_) state["classes"].push_back(name);
  Json options = Json::object();
  options["method"] = method_name(options_.method);
  options["tolerance"] = options_.tolerance;
  options["max_iterations"] = options_.max_iterations;
  options["authors_schedule"] = options_.authors_schedule;
  options["restarts"] = options_.restarts;
  options["seed"] = options_.seed;
  options["folds"] = options_.folds;
  state["options"] = std::move(options);
  state["tasks"] = rows_to_json(tasks_);
  state["workers"] = rows_to_json(workers_);
  state["labels"] = rows_to_json(labels_);
  state["gold"] = Json::array();
  for (const auto& [task, value] : gold_) {
    state["gold"].push_back(task);
    state["gold"].push_back(value);
  }
  Json parameters = Json::object();
  parameters["method"] = method_name(now_.method);
  parameters["labels"] = uint64_t{now_.labels};
  parameters["prior"] = Json::array();
  for (const int64_t p : now_.prior) parameters["prior"].push_back(p);
  parameters["scores"] = rows_to_json(now_.scores);
  parameters["chances"] = rows_to_json(now_.chances);
  parameters["ability"] = rows_to_json(now_.ability);
  parameters["scale"] = rows_to_json(now_.scale);
  state["parameters"] = std::move(parameters);
  return state;
}

IncrementalAggregate IncrementalAggregate::from_json(const Json& state) try {
  if (state.at("format").as_string() != "hone label state" || state.at("version").as_int() != 1) {
    throw corrupt_data("not a label state of version 1");
  }
  const auto method_in = [](const Json& json) {
    const auto method = method_from_name(json.as_string());
    if (!method) throw corrupt_data("the method \"" + json.as_string() + "\" does not exist");
    return *method;
  };
  std::vector<std::string> classes;
  for (const Json& name : state.at("classes").as_array()) classes.push_back(name.as_string());
  const Json& stated = state.at("options");
  AggregateOptions options;
  options.method = method_in(stated.at("method"));
  options.tolerance = stated.at("tolerance").as_double();
  options.max_iterations = number_below(stated.at("max_iterations"), 1000001, "bound");
  options.authors_schedule = stated.at("authors_schedule").as_bool();
  options.restarts = number_below(stated.at("restarts"), 1001, "number of restarts");
  options.seed = std::stoull(stated.at("seed").dump());
  options.folds = number_below(stated.at("folds"), 21, "number of folds");
  IncrementalAggregate live(std::move(classes), std::move(options));

  for (const Json& name : state.at("tasks").as_array()) {
    const size_t number = live.tasks_.size();
    if (live.task_number(name.as_string()) != number) throw corrupt_data("a task comes twice");
  }
  for (const Json& name : state.at("workers").as_array()) {
    const size_t number = live.workers_.size();
    if (live.worker_number(name.as_string()) != number) throw corrupt_data("a worker comes twice");
  }
  const size_t bounds[3] = {live.tasks_.size(), live.workers_.size(), live.classes_.size()};
  const char* const names[3] = {"task", "worker", "class"};
  size_t field = 0;
  rows_from_json(state.at("labels"), live.labels_, [&](const Json& json) {
    const size_t which = field++ % 3;
    return number_below(json, bounds[which], names[which]);
  });
  for (size_t i = 0; i < live.labels_.size(); ++i) {
    const uint32_t* row = live.labels_[i];
    if (!live.seen_.emplace(row[0], row[1], row[2]).second) {
      throw corrupt_data("a label comes twice");
    }
  }
  const Json::Array& gold = state.at("gold").as_array();
  if (gold.size() % 2 != 0) throw corrupt_data("a gold answer is cut short");
  for (size_t i = 0; i < gold.size(); i += 2) {
    live.gold_[number_below(gold[i], bounds[0], "task")] =
        number_below(gold[i + 1], bounds[2], "class");
  }

  const Json& parameters = state.at("parameters");
  live.now_.method = method_in(parameters.at("method"));
  if (live.now_.method == Method::kAuto) throw corrupt_data("the fitted method is not named");
  live.now_.labels = number_below(parameters.at("labels"), live.labels_.size() + 1, "label");
  live.now_.prior.clear();
  for (const Json& p : parameters.at("prior").as_array()) {
    live.now_.prior.push_back(chance_in(p));
  }
  rows_from_json(parameters.at("scores"), live.now_.scores, score_in);
  rows_from_json(parameters.at("chances"), live.now_.chances, chance_in);
  rows_from_json(parameters.at("ability"), live.now_.ability, finite_in);
  rows_from_json(parameters.at("scale"), live.now_.scale, finite_in);
  if (live.now_.prior.size() != live.classes_.size() ||
      live.now_.scores.size() != live.tasks_.size() ||
      live.now_.scale.size() != live.tasks_.size() ||
      live.now_.ability.size() != live.workers_.size() ||
      live.now_.chances.size() != (has_chances(live.now_.method) ? live.workers_.size() : 0)) {
    throw corrupt_data("the parameters are not those of the tasks and workers");
  }
  return live;
} catch (const Error& error) {
  throw corrupt_data("the label state cannot be read: " + error.message() +
                     "; build it again from the labels");
}

}  // namespace hone::quality
