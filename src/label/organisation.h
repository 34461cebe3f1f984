#pragma once
// One organisation: its database (org.db in its folder) and what memory keeps of it. All of memory is
// a cache: it can be dropped at any moment and is read again from the database.
//
// Writes. f(store::Transaction&) runs on the writer thread (store/database.h), where the caches of
// assigning live too, so that they need no lock. When a job fails, what it touched of them is dropped;
// when its group cannot be committed, or a job is run again, all are: nothing that was not committed
// is ever remembered. Functions of this room that write take (Organisation&, store::Transaction&, …) and
// are called inside write(); so a caller can put more into the same transaction.
//
// Reads run on the caller's thread over a snapshot.
//
// An Organisation may be used from any thread; it must outlive every write that waits.

#include <atomic>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/env.h"
#include "store/database.h"

namespace hone::label {

class Queue;
class LiveQuality;
class ReportCache;

struct OrganisationOptions {
  std::string public_id;   // of a new database; empty: one is made
  std::string vfs;         // SQLite's name of a file layer; the operating system's when empty
  bool background = true;  // false: refits happen only when asked for (tests)
  // Counters of projects up to this many tasks are recounted at the start; a difference is repaired
  // and stands in the events.
  int64_t recount_tasks_max = 5000;
};

class Organisation {
 public:
  // Opens or makes folder/org.db, brings it to this program's version and ends what the last process
  // left half done. One process at a time: whoever opens it holds the data folder.
  static std::unique_ptr<Organisation> open(Env& env, const std::string& folder,
                                            const OrganisationOptions& options = {});
  ~Organisation();  // finishes the writes that wait
  Organisation(const Organisation&) = delete;
  Organisation& operator=(const Organisation&) = delete;

  store::Database& database() { return *database_; }
  Env& env() { return env_; }
  const std::string& folder() const { return folder_; }
  const std::string& public_id() const { return public_id_; }

  // A digest that says nothing to those without the database: what events hold in place of texts.
  // `context` makes digests of equal texts in two places differ ("answer:ann_…").
  std::string salted_digest(std::string_view context, std::string_view text) const;

  template <class F>
  auto write(store::Durability durability, F&& f) -> std::invoke_result_t<F&, store::Transaction&> {
    return write_async(durability, std::forward<F>(f)).get();
  }
  // Throws busy at once when too much is waiting.
  template <class F>
  auto write_async(store::Durability durability, F&& f)
      -> std::future<std::invoke_result_t<F&, store::Transaction&>>;
  // done(std::exception_ptr error, value*) on the writer thread, which waits for it: it only hands on.
  template <class F, class Done>
  void submit(store::Durability durability, F&& f, Done&& done);

  template <class F>
  auto read(F&& f) {
    return database_->read(std::forward<F>(f));
  }

  Queue& queue() { return *queue_; }      // writer thread only
  LiveQuality& live() { return *live_; }  // says itself
  ReportCache& reports() { return *reports_; }

 private:
  struct JobState {
    std::exception_ptr error;
    bool ran = false;
  };

  Organisation(Env& env, std::string folder);
  void initialise(const OrganisationOptions& options);
  void recount(int64_t tasks_max);
  void begin_job();        // writer thread: the caches note what this job touches
  void drop_touched();     // the job failed
  void drop_all_caches();  // its group was not committed

  template <class F>
  auto run_job(JobState& state, F& f, store::Transaction& tx);

  Env& env_;
  const std::string folder_;
  std::string public_id_;    // constant after open
  std::string digest_salt_;  // constant after open
  std::unique_ptr<Queue> queue_;
  std::unique_ptr<ReportCache> reports_;
  std::unique_ptr<store::Database> database_;  // its writer uses queue_
  std::unique_ptr<LiveQuality> live_;          // its thread uses database_
};

template <class F>
auto Organisation::run_job(JobState& state, F& f, store::Transaction& tx) {
  if (state.ran) drop_all_caches();
  begin_job();
  state.ran = true;
  state.error = nullptr;
  try {
    return f(tx);
  } catch (...) {
    state.error = std::current_exception();
    drop_touched();
    throw;
  }
}

template <class F, class Done>
void Organisation::submit(store::Durability durability, F&& f, Done&& done) {
  using R = std::invoke_result_t<F&, store::Transaction&>;
  auto state = std::make_shared<JobState>();
  database_->submit(
      durability,
      [this, state, f = std::forward<F>(f)](store::Transaction& tx) mutable -> R {
        return run_job(*state, f, tx);
      },
      [this, state, done = std::forward<Done>(done)](Result<store::ValueOf<R>> result) mutable {
        if (result) {
          done(std::exception_ptr(), &*result);
          return;
        }
        // The job went well and its commit did not: the other jobs of the group are undone too.
        if (!state->error) drop_all_caches();
        done(state->error ? state->error : std::make_exception_ptr(result.error()), nullptr);
      });
}

template <class F>
auto Organisation::write_async(store::Durability durability, F&& f)
    -> std::future<std::invoke_result_t<F&, store::Transaction&>> {
  using R = std::invoke_result_t<F&, store::Transaction&>;
  auto promise = std::make_shared<std::promise<R>>();
  auto future = promise->get_future();
  submit(durability, std::forward<F>(f),
         [promise](std::exception_ptr error, store::ValueOf<R>* value) {
           if (error) {
             promise->set_exception(error);
           } else if constexpr (std::is_void_v<R>) {
             promise->set_value();
           } else {
             promise->set_value(std::move(*value));
           }
         });
  return future;
}

}  // namespace hone::label
