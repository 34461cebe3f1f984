#pragma once
// Adaptive overlap: how sure the labels of one task are, the moment an answer arrives.
//
// What quality/incremental.h does for a stream of labels, over a database: the workers' chances and
// the classes' prior stand still between refits, and the posterior of a task is their product over its
// valid annotations, read by index (at most overlap_max rows). So nothing has to be undone in memory
// when a transaction fails or an answer is withdrawn. A worker that the last refit did not know is
// right four times as often as each wrong.
//
// Refits run on a thread of their own at growing intervals: after 20 answers, then whenever a quarter
// more have come; until the first is there the prior of unknown workers counts. All functions may be
// called from any thread; refit_now() reads the database and must not run on the writer thread.

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>
#include <vector>

#include "label/task_schema.h"
#include "store/database.h"

namespace hone::label {

class Organisation;

class LiveQuality {
 public:
  LiveQuality(Organisation& organisation, bool background);
  ~LiveQuality();
  LiveQuality(const LiveQuality&) = delete;
  LiveQuality& operator=(const LiveQuality&) = delete;

  // parts x classes of main_classes(schema); empty for text or a task without valid annotations.
  std::vector<std::vector<double>> posterior(store::Connection& db, int64_t project,
                                             const TaskSchema& schema, int64_t task);
  // Least over the parts of the largest posterior; 0 when there is none.
  static double certainty(const std::vector<std::vector<double>>& posterior);

  void note_answers(int64_t project, uint64_t count = 1);
  void refit_now(int64_t project);
  // Refits all projects that wait for it; how many. What the thread does when there is one.
  size_t refit_waiting();

 private:
  struct Fit {
    std::vector<std::string> classes;
    std::vector<int64_t> prior;                                 // 2^-36 nats
    std::unordered_map<int64_t, std::vector<int64_t>> chances;  // member -> [truth][said]
  };
  struct Entry {
    std::shared_ptr<const Fit> fit;
    uint64_t answers = 0, answers_at_refit = 0;
  };

  std::shared_ptr<const Fit> fit_of(int64_t project);
  std::optional<int64_t> take_waiting();  // mutex_ is held
  void run();

  Organisation& organisation_;
  const bool background_;

  std::mutex mutex_;
  std::condition_variable wanted_;
  std::unordered_map<int64_t, Entry> entries_;  // guarded by mutex_
  std::set<int64_t> waiting_;                   // guarded by mutex_
  bool closing_ = false;                        // guarded by mutex_
  std::thread thread_;                          // last: it uses all above
};

}  // namespace hone::label
