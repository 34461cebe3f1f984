#pragma once
// The labels of a project as the room quality wants them, and what it makes of them. A task with
// several parts (a rating of two responses, a checklist) is several items; a gold task's item has its
// known answer.
//
// Read in pages of snapshots, so that a long project holds up nobody; kept until the project has
// other annotations. Any thread; a fit takes as long as it takes (10 million labels: 15 s).

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "label/projects.h"
#include "quality/aggregate.h"
#include "quality/label_table.h"

namespace hone::label {

class Organisation;

// One valid annotation, in the order in which they were given.
struct LabelRow {
  int64_t annotation = 0, task = 0, member = 0;
  std::string choice;  // parts, joined by ','
  std::string shown_order;
  int64_t active_ms = 0, created_at_ms = 0;
  bool is_gold = false;
};
// f(const LabelRow&) for every valid annotation of the project with a choice, gold tasks too.
template <class F>
void for_each_label(Organisation& organisation, int64_t project, F&& f);
std::vector<LabelRow> label_page(Organisation& organisation, int64_t project, int64_t after,
                                 size_t limit);

// What the reports about people and sides need of one label. Only the newest kAnswersKept are kept.
struct AnswerRow {
  int64_t task = 0, at_ms = 0;
  uint32_t member = 0;   // index into ProjectQuality::members
  uint16_t value = 0;    // class of the first part
  bool swapped = false;  // a pair whose second response stood on the left
  bool is_gold = false;
  float seconds = -1.0f;  // hands on the task; negative: unknown
};
inline constexpr size_t kAnswersKept = 500000;

struct ItemKey {
  int64_t task = 0;
  uint32_t part = 0;
  friend auto operator<=>(const ItemKey&, const ItemKey&) = default;
};

struct ProjectQuality {
  Project project;  // as it was
  std::shared_ptr<const TaskSchema> schema;
  int64_t annotations = 0;  // valid ones, gold too
  int64_t made_at_ms = 0;
  double took_seconds = 0.0;

  // Empty (no table) when the main question is text or nothing was said yet.
  std::optional<quality::LabelTable> table;
  quality::Aggregate fit;
  std::vector<ItemKey> items;           // of the table's tasks
  std::vector<int64_t> members;         // of the table's workers
  std::map<ItemKey, uint32_t> gold;     // known answers, as classes
  std::map<ItemKey, uint32_t> item_of;  // the table's task

  std::deque<AnswerRow> answers;  // in the order in which they were given
  // Tasks of the queue with labels: least certain first; most disputed first.
  std::vector<int64_t> by_certainty, by_disagreement;

  // Reports made of it, each once: quality_report.cc.
  struct Reports {
    std::mutex mutex;
    std::map<std::string, Json> made;  // guarded by mutex
  };
  std::shared_ptr<Reports> reports = std::make_shared<Reports>();

  // The best answer of a task, joined like a choice, and its probability (the least over the
  // parts); nothing for a task without valid labels.
  struct Best {
    std::string choice;
    double probability = 0.0;
  };
  std::optional<Best> best(int64_t task) const;
  // Classes with probabilities of one part.
  std::vector<double> posterior(ItemKey item) const;
  std::optional<double> reliability(int64_t member) const;
};

// Of what is in the database now, from the cache when nothing has changed; and for ten times as long
// as it took to make, at most a minute, also when something has: a long project is not counted anew
// for every look.
std::shared_ptr<const ProjectQuality> project_quality(Organisation& organisation,
                                                      const Project& project);

class ReportCache {
 public:
  struct Key {
    int64_t annotations = 0, last_annotation = 0, schema_version = 0, gold = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  std::shared_ptr<const ProjectQuality> find(int64_t project, const Key& key, int64_t now_ms);
  void keep(int64_t project, const Key& key, std::shared_ptr<const ProjectQuality> quality);
  // One at a time builds a project's; the others wait for it.
  std::mutex& building() { return building_; }

 private:
  static constexpr size_t kProjectsMax = 8;
  struct Entry {
    Key key;
    std::shared_ptr<const ProjectQuality> quality;
    uint64_t used = 0;
  };
  std::mutex mutex_, building_;
  std::map<int64_t, Entry> entries_;  // guarded by mutex_
  uint64_t clock_ = 0;                // guarded by mutex_
};

template <class F>
void for_each_label(Organisation& organisation, int64_t project, F&& f) {
  constexpr size_t kPage = 20000;
  int64_t after = 0;
  for (;;) {
    const auto page = label_page(organisation, project, after, kPage);
    for (const LabelRow& row : page) f(row);
    if (page.size() < kPage) return;
    after = page.back().annotation;
  }
}

}  // namespace hone::label
