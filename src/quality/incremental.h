#pragma once
// Labels as they come: the posterior of a task follows each label at once, and a refit in the
// background gives, to the bit, what aggregate() gives on all labels.
//
// Between refits the workers' parameters stand still: a new label multiplies its task's posterior by
// the chance of that label under each class. A worker or task that the last refit did not know gets
// the prior (right four times as often as each wrong; glad: ability and easiness 1). Chances are kept
// in units of 2^-36 nats and added as integers, so the order of arrival does not matter to any bit
// and a label costs O(classes + log labels), whatever the table's size: nothing is ever moved or
// rehashed to make room.
//
//   IncrementalAggregate live({"bad", "good"}, options);
//   const auto update = live.add("task 7", "ann", "good");  // update.posterior, update.entropy
//   auto input = live.snapshot();                           // shares the storage, copies nothing
//   auto refit = IncrementalAggregate::refit(input, &pool); // on any thread, as long as it takes
//   live.accept(std::move(refit.parameters));               // labels added meanwhile are kept
//
// After a refit the posterior of a task without newer labels is the refit's to 1e-9.
// Exact repeats are dropped; different labels of one worker for one task are all kept (--on-conflict
// keep). State: to_json / from_json (docs/formats/label_state.md); what is read back gives the same
// bits ever after.
// Threads: refit() runs beside everything; all other members need the caller's lock.
// Errors: invalid_input for a label outside the classes, corrupt_data for a state that is none.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "quality/aggregate.h"
#include "quality/steady_rows.h"

namespace hone {
class Json;
}

namespace hone::quality {

class IncrementalAggregate {
 public:
  // classes: the answers that can be given, at least two. options.gold must be empty: gold tasks are
  // named with set_gold, as tasks are not numbered here.
  explicit IncrementalAggregate(std::vector<std::string> classes, AggregateOptions options = {});
  IncrementalAggregate(IncrementalAggregate&&) = default;
  IncrementalAggregate(const IncrementalAggregate&) = delete;
  IncrementalAggregate& operator=(IncrementalAggregate&&) = default;
  IncrementalAggregate& operator=(const IncrementalAggregate&) = delete;

  struct Update {
    bool is_new = false;  // not an exact repeat
    std::vector<double> posterior;
    double entropy = 0.0;
  };
  Update add(std::string_view task, std::string_view worker, std::string_view label);
  // The task's answer is known from here on; the workers are measured by it from the next refit.
  void set_gold(std::string_view task, std::string_view label);

  // The last prior for a task that nobody has labelled.
  std::vector<double> posterior(std::string_view task) const;
  size_t label_count() const { return labels_.size(); }
  size_t labels_since_refit() const { return labels_.size() - now_.labels; }

  // Everything a refit needs; later labels are not in it. Cheap: storage is shared, not copied.
  struct Input {
    std::vector<std::string> classes;
    AggregateOptions options;
    SteadyRows<std::string> tasks{1}, workers{1};
    SteadyRows<uint32_t> labels{3};  // task, worker, class
    std::vector<GoldTask> gold;      // by live number
  };
  Input snapshot() const;

  // What adding a label needs to know, by live number. Its rows are written by the aggregate that
  // accepts it: give it to one only.
  struct Parameters {
    Method method = Method::kIbcc;  // never auto
    size_t labels = 0;              // that the refit saw
    std::vector<int64_t> prior;     // per class, 2^-36 nats
    SteadyRows<int64_t> scores{1};  // per task, classes: 2^-36 nats, or 2^-36 votes of a share
    // Per worker: log chances [truth][said] of the methods that multiply them, else no rows.
    SteadyRows<int64_t> chances{1};
    SteadyRows<double> ability{1};  // per worker: glad's ability, wawa's weight, else 1
    SteadyRows<double> scale{1};    // per task: glad's e^easiness
  };
  struct Refit {
    LabelTable table;
    Aggregate aggregate;  // aggregate(table, options): bit for bit
    Parameters parameters;
  };
  // Throws invalid_input when there is no label yet.
  static Refit refit(const Input& input, ThreadPool* pool = nullptr);
  void accept(Parameters parameters);

  Json to_json() const;
  static IncrementalAggregate from_json(const Json& state);

 private:
  uint32_t task_number(std::string_view name);
  uint32_t worker_number(std::string_view name);
  void apply(const uint32_t* label);  // task, worker, class
  void extend();                      // parameters for tasks and workers that came later
  std::vector<double> posterior_of(uint32_t task) const;
  uint32_t class_number(std::string_view label) const;

  std::vector<std::string> classes_;
  AggregateOptions options_;
  SteadyRows<std::string> tasks_{1}, workers_{1};
  std::map<std::string_view, uint32_t> task_numbers_, worker_numbers_;  // views into the rows
  SteadyRows<uint32_t> labels_{3};                                      // in order of arrival
  std::set<std::tuple<uint32_t, uint32_t, uint32_t>> seen_;
  std::map<uint32_t, uint32_t> gold_;
  Parameters now_;
  std::vector<int64_t> new_worker_;  // chances of a worker that no refit knows
};

}  // namespace hone::quality
