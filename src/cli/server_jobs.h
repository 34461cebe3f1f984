#pragma once
// The long work of a server: a durable queue in control.db and one thread that takes from it.
//
// A training run is a child process (hone job train): when it runs out of memory, labelling goes on.
// A large import runs on the thread itself, because its writes must meet in the organisation's one
// writer (docs/decisions/). A promotion gate measures in a child process too (cli/gate_job.h). One job runs at a time; the machine is theirs only as far as people who
// label leave it.
//
// A server that ends saves its run and stops it; one that is killed takes the child with it
// (cli/child_process.h). Either way the next server finds the job and goes on from the last
// checkpoint, or the last batch of rows.
// Any thread. Must be destroyed before the platform.

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "api/job_runner.h"
#include "api/platform.h"
#include "cli/child_process.h"
#include "label/runs.h"
#include "store/job_queue.h"

namespace hone::cli {

struct ServerJobsOptions {
  size_t threads = 0;        // of a child; 0 = all
  std::string memory_limit;  // of a child; "" = 90 % of what is available
};

class ServerJobs : public api::JobRunner {
 public:
  ServerJobs(Env& env, api::Platform& platform, ServerJobsOptions options);
  ~ServerJobs() override;  // saves and stops what runs

  void wake() override;
  Json plan_run(const api::OfferedModel& model, std::string_view method, const Json& settings,
                const std::string& snapshot_folder) override;

 private:
  void work();
  void run(const store::Job& job);
  void run_import(const store::Job& job);
  void run_training(const store::Job& job);
  void run_gate(const store::Job& job);
  // Reads the child's lines until it ends; false when it was asked to stop by somebody.
  bool follow(const store::Job& job, ChildProcess& child);
  void take_line(const store::Job& job, const Json& line);
  // A heartbeat; true when the job must stop now.
  bool must_stop(const store::Job& job, const store::JobProgress& progress);
  void change_run(const store::Job& job, const label::RunChange& change);
  void tell(const store::Job& job);
  std::vector<std::string> common_arguments() const;

  Env& env_;
  api::Platform& platform_;
  const ServerJobsOptions options_;
  std::string worker_;  // of this process

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  bool woken_ = false;     // guarded by mutex_

  // Of the job that runs; the worker's thread only.
  Json progress_ = Json::object();  // {phase, step, steps, rate, seconds_left}
  Json evidence_;                   // what a gate's child said at its end
  double fraction_ = 0;

  std::mutex plan_mutex_;  // one plan at a time: it loads a model
  std::thread thread_;
};

}  // namespace hone::cli
