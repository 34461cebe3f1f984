#include "label/project_quality.h"

#include <algorithm>
#include <charconv>

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
  key.gold = db.query_int64("SELECT count(*) FROM task WHERE project_id = $1 AND is_gold = 1",
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

void read_labels(Organisation& organisation, const std::vector<std::string>& classes,
                 ProjectQuality& quality) {
  quality::LabelTableBuilder builder(classes);
  size_t labels = 0;
  for_each_label(organisation, quality.project.id, [&](const LabelRow& row) {
    ++quality.annotations;
    uint32_t part = 0;
    for (const std::string_view said : split_choice(row.choice)) {
      if (std::find(classes.begin(), classes.end(), said) != classes.end()) {
        builder.add(item_name({row.task, part}), std::to_string(row.member), said);
        ++labels;
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
    quality.members.push_back(std::stoll(name));
  }
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
  auto quality = std::make_shared<ProjectQuality>();
  quality->project = project;
  quality->made_at_ms = organisation.env().now_ms();
  quality->schema = organisation.read(
      [&](store::Connection& db) { return get_schema(db, project.id, project.schema_version); });
  const auto classes = main_classes(*quality->schema);
  if (classes.size() < 2) return quality;
  read_gold(organisation, classes, *quality);
  read_labels(organisation, classes, *quality);
  if (quality->table) fit(*quality);
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
  if (auto known = cache.find(project.id, now.second)) return known;
  const std::lock_guard lock(cache.building());
  if (auto known = cache.find(project.id, now.second)) return known;
  auto made = build(organisation, now.first);
  cache.keep(project.id, now.second, made);
  return made;
}

std::shared_ptr<const ProjectQuality> ReportCache::find(int64_t project, const Key& key) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(project);
  if (found == entries_.end() || !(found->second.key == key)) return nullptr;
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
