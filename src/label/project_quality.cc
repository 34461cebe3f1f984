#include "label/project_quality.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "label/organisation.h"
#include "label/task_answer.h"

namespace hone::label {
namespace {

ReportCache::Key key_of(store::Connection& db, const Project& project) {
  ReportCache::Key key;
  key.annotations = project.counts.annotations;
  key.last_annotation =
      db.query_int64("SELECT max(id) FROM annotation WHERE project_id = $1", {project.id})
          .value_or(0);
  key.schema_version = project.schema_version;
  key.gold = db.query_int64(
                   "SELECT count(*) FROM task INDEXED BY task_gold WHERE project_id = $1"
                   " AND is_gold = 1",
                   {project.id})
                 .value_or(0);
  return key;
}

// "task:part"; numbers of the room quality's tables are names.
std::string item_name(ItemKey item) {
  return std::to_string(item.task) + ":" + std::to_string(item.part);
}

ItemKey item_from_name(const std::string& name) {
  ItemKey item;
  const char* end = name.data() + name.size();
  const auto [colon, error] = std::from_chars(name.data(), end, item.task);
  std::from_chars(colon + 1, end, item.part);
  return item;
}

void read_gold(Organisation& organisation, const std::vector<std::string>& classes,
               ProjectQuality& quality) {
  const auto rows = organisation.read([&](store::Connection& db) {
    return db.query_all(
        "SELECT g.task_id, g.answer, b.body FROM gold g JOIN task t ON t.id = g.task_id"
        " JOIN task_body b ON b.task_id = t.id"
        " WHERE t.project_id = $1 AND t.is_gold = 1 ORDER BY t.id LIMIT 10000",
        {quality.project.id}, [](const store::Row& row) {
          return std::tuple(row.int64(0), row.string(1), row.string(2));
        });
  });
  for (const auto& [task, answer, body] : rows) {
    std::string choice;
    try {
      choice = validate_gold_answer(*quality.schema, task_parts(Json::parse(body).value()),
                                    Json::parse(answer).value())
                   .choice;
    } catch (const Error&) {
      continue;  // a key that this version of the schema does not know says nothing
    }
    uint32_t part = 0;
    for (const std::string_view said : split_choice(choice)) {
      const auto found = std::find(classes.begin(), classes.end(), said);
      if (found != classes.end()) {
        quality.gold[{task, part}] = static_cast<uint32_t>(found - classes.begin());
      }
      ++part;
    }
  }
}

void keep_answer(ProjectQuality& quality, const LabelRow& row, uint32_t member, uint16_t value) {
  if (quality.answers.size() == kAnswersKept) quality.answers.pop_front();
  AnswerRow answer{row.task, row.created_at_ms,        member,
                   value,    row.shown_order == "1,0", row.is_gold};
  if (row.active_ms > 0) answer.seconds = static_cast<float>(row.active_ms) / 1000.0f;
  quality.answers.push_back(answer);
}

void read_labels(Organisation& organisation, const std::vector<std::string>& classes,
                 ProjectQuality& quality) {
  quality::LabelTableBuilder builder(classes);
  std::vector<int64_t> members;  // of the answers, by their own numbers
  std::unordered_map<int64_t, uint32_t> member_numbers;
  size_t labels = 0;
  for_each_label(organisation, quality.project.id, [&](const LabelRow& row) {
    ++quality.annotations;
    uint32_t part = 0;
    for (const std::string_view said : split_choice(row.choice)) {
      const auto found = std::find(classes.begin(), classes.end(), said);
      if (found != classes.end()) {
        builder.add(item_name({row.task, part}), std::to_string(row.member), said);
        ++labels;
        const auto value = static_cast<uint16_t>(found - classes.begin());
        const auto [at, is_new] =
            member_numbers.emplace(row.member, static_cast<uint32_t>(members.size()));
        if (is_new) members.push_back(row.member);
        if (part == 0) keep_answer(quality, row, at->second, value);
      }
      ++part;
    }
  });
  if (labels == 0) return;
  quality.table = std::move(builder).build();
  for (const std::string& name : quality.table->tasks()) {
    quality.item_of[item_from_name(name)] = static_cast<uint32_t>(quality.items.size());
    quality.items.push_back(item_from_name(name));
  }
  for (const std::string& name : quality.table->workers()) {
    member_numbers[std::stoll(name)] = static_cast<uint32_t>(quality.members.size());
    quality.members.push_back(std::stoll(name));
  }
  for (AnswerRow& answer : quality.answers) answer.member = member_numbers[members[answer.member]];
}

// Orders for lists of tasks: by the least certain part, and by the entropy of what was said.
void sort_tasks(ProjectQuality& quality) {
  struct Sorted {
    double certainty = 1.0, entropy = 0.0;
  };
  std::map<int64_t, Sorted> tasks;
  const size_t classes = quality.fit.class_count;
  for (size_t i = 0; i < quality.items.size(); ++i) {
    if (quality.gold.count(quality.items[i])) continue;
    Sorted& task = tasks[quality.items[i].task];
    const double* row = quality.fit.posterior.data() + i * classes;
    task.certainty = std::min(task.certainty, *std::max_element(row, row + classes));
    std::vector<double> counts(classes, 0.0);
    const auto labels = quality.table->labels_of_task(i);
    for (const quality::Label& label : labels) counts[label.value] += 1.0;
    for (const double count : counts) {
      const double share = count / static_cast<double>(labels.size());
      if (share > 0.0) task.entropy -= share * std::log(share);
    }
  }
  for (const auto& [task, sorted] : tasks) quality.by_certainty.push_back(task);
  quality.by_disagreement = quality.by_certainty;
  std::stable_sort(quality.by_certainty.begin(), quality.by_certainty.end(),
                   [&](int64_t a, int64_t b) { return tasks[a].certainty < tasks[b].certainty; });
  std::stable_sort(quality.by_disagreement.begin(), quality.by_disagreement.end(),
                   [&](int64_t a, int64_t b) { return tasks[a].entropy > tasks[b].entropy; });
}

// ibcc: the Bayesian form is right with few labels a worker and never worse than it says; the method
// that `hone quality aggregate --method auto` would choose costs several fits.
void fit(ProjectQuality& quality) {
  quality::AggregateOptions options;
  options.method = quality::Method::kIbcc;
  for (const auto& [item, value] : quality.gold) {
    const auto found = quality.item_of.find(item);
    if (found != quality.item_of.end()) options.gold.push_back({found->second, value});
  }
  quality.fit = quality::aggregate(*quality.table, options);
}

std::shared_ptr<const ProjectQuality> build(Organisation& organisation, const Project& project) {
  const double begin = organisation.env().steady_seconds();
  auto quality = std::make_shared<ProjectQuality>();
  quality->project = project;
  quality->made_at_ms = organisation.env().now_ms();
  quality->schema = organisation.read(
      [&](store::Connection& db) { return get_schema(db, project.id, project.schema_version); });
  const auto classes = main_classes(*quality->schema);
  if (classes.size() < 2) return quality;
  read_gold(organisation, classes, *quality);
  read_labels(organisation, classes, *quality);
  if (quality->table) {
    fit(*quality);
    sort_tasks(*quality);
  }
  quality->took_seconds = organisation.env().steady_seconds() - begin;
  return quality;
}

}  // namespace

std::vector<LabelRow> label_page(Organisation& organisation, int64_t project, int64_t after,
                                 size_t limit) {
  return organisation.read([&](store::Connection& db) {
    return db.query_all(
        "SELECT a.id, a.task_id, a.member_id, a.choice, a.shown_order, a.active_ms,"
        " a.created_at_ms, t.is_gold FROM annotation a JOIN task t ON t.id = a.task_id"
        " WHERE a.project_id = $1 AND a.id > $2 AND a.status = 'valid' AND a.choice <> ''"
        " ORDER BY a.id LIMIT $3",
        {project, after, limit}, [](const store::Row& row) {
          return LabelRow{row.int64(0),  row.int64(1), row.int64(2), row.string(3),
                          row.string(4), row.int64(5), row.int64(6), row.boolean(7)};
        });
  });
}

std::optional<ProjectQuality::Best> ProjectQuality::best(int64_t task) const {
  Best best{{}, 1.0};
  for (uint32_t part = 0;; ++part) {
    const auto found = item_of.find({task, part});
    if (found == item_of.end()) break;
    const size_t classes = fit.class_count;
    const double* row = fit.posterior.data() + found->second * classes;
    const double* most = std::max_element(row, row + classes);
    best.choice += (part == 0 ? "" : ",") + table->classes()[static_cast<size_t>(most - row)];
    best.probability = std::min(best.probability, *most);
  }
  if (best.choice.empty()) return std::nullopt;
  return best;
}

std::vector<double> ProjectQuality::posterior(ItemKey item) const {
  const auto found = item_of.find(item);
  if (found == item_of.end()) return {};
  const auto row = fit.posterior.begin() + static_cast<ptrdiff_t>(found->second * fit.class_count);
  return {row, row + static_cast<ptrdiff_t>(fit.class_count)};
}

std::optional<double> ProjectQuality::reliability(int64_t member) const {
  const auto found = std::find(members.begin(), members.end(), member);
  if (found == members.end()) return std::nullopt;
  return fit.reliability[static_cast<size_t>(found - members.begin())];
}

std::shared_ptr<const ProjectQuality> project_quality(Organisation& organisation,
                                                      const Project& project) {
  ReportCache& cache = organisation.reports();
  const auto now = organisation.read([&](store::Connection& db) {
    Project fresh = get_project(db, project.id);
    return std::pair(fresh, key_of(db, fresh));
  });
  const int64_t now_ms = organisation.env().now_ms();
  if (auto known = cache.find(project.id, now.second, now_ms)) return known;
  const std::lock_guard lock(cache.building());
  if (auto known = cache.find(project.id, now.second, now_ms)) return known;
  auto made = build(organisation, now.first);
  cache.keep(project.id, now.second, made);
  return made;
}

std::shared_ptr<const ProjectQuality> ReportCache::find(int64_t project, const Key& key,
                                                        int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(project);
  if (found == entries_.end()) return nullptr;
  const ProjectQuality& kept = *found->second.quality;
  const double age_seconds = static_cast<double>(now_ms - kept.made_at_ms) / 1000.0;
  const bool is_fresh =
      age_seconds >= 0.0 && age_seconds < std::min(60.0, 10.0 * kept.took_seconds) &&
      found->second.key.schema_version == key.schema_version && found->second.key.gold == key.gold;
  if (!(found->second.key == key) && !is_fresh) return nullptr;
  found->second.used = ++clock_;
  return found->second.quality;
}

void ReportCache::keep(int64_t project, const Key& key,
                       std::shared_ptr<const ProjectQuality> quality) {
  const std::lock_guard lock(mutex_);
  entries_[project] = {key, std::move(quality), ++clock_};
  if (entries_.size() <= kProjectsMax) return;
  entries_.erase(
      std::min_element(entries_.begin(), entries_.end(),
                       [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
}

}  // namespace hone::label
