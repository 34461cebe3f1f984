#pragma once
// The labelling platform as one object: what every handler needs, opened over one data folder
// (decisions 2.6, 2.7). The roof makes one, builds a router from it (routes.h) and serves that.
//
//   auto platform = Platform::open(env, {.data_dir = dir, .version = "0.1.0"});
//   http::ServerOptions options;  // render_error = render_server_error
//   http::Server server(env, options, build_router(*platform));
//
// Any thread. The Platform must outlive the server.

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/completion_writer.h"
#include "api/event_hub.h"
#include "api/job_runner.h"
#include "api/model_answers.h"
#include "api/model_host.h"
#include "api/rate_limit.h"
#include "base/env.h"
#include "feedback/kept_completions.h"
#include "http/server.h"
#include "http/worker_pool.h"
#include "label/identity.h"
#include "label/organisation.h"
#include "seal/secret_box.h"
#include "store/database.h"

namespace hone::api {

struct PlatformOptions {
  std::string data_dir;
  std::string version;
  uint64_t max_import_bytes = 20ull << 30;
  // Of one principal (person or token); of one address where nobody is known.
  RateLimit rate = {.per_second = 200, .burst = 400};
  // Next, answer, draft and their like have a bucket of their own.
  RateLimit labelling_rate = {.per_second = 5'000, .burst = 10'000};
  RateLimit stranger_rate = {.per_second = 50, .burst = 200};
  std::vector<OfferedModel> models;
  feedback::KeepOptions keep;  // completions, so that they can be judged
  // Handed to every organisation that is opened.
  label::OrganisationOptions organisation;
};

class Platform {
 public:
  // Makes the folder, the key file and control.db when they are absent. Throws hone::Error.
  static std::unique_ptr<Platform> open(Env& env, PlatformOptions options);
  ~Platform();
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  Env& env() { return env_; }
  const PlatformOptions& options() const { return options_; }
  store::Database& control() { return *control_; }
  label::Identity& identity() { return *identity_; }
  const seal::SecretBox& box() const { return box_; }
  EventHub& events() { return events_; }
  feedback::KeptCompletions& kept() { return kept_; }
  CompletionWriter& completion_writer() { return *completion_writer_; }

  // Opened at first use and kept; a membership without its member row is repaired then. Throws
  // not_found for an id that control.db does not know.
  label::Organisation& organisation(std::string_view organisation_id);
  std::vector<label::Organisation*> open_organisations();
  // Makes the folder and database of a new organisation: before control.db knows it (setup.h).
  label::Organisation& make_organisation_database(const std::string& id);
  std::string organisation_folder(std::string_view organisation_id) const;

  // The principal as an actor of their organisation, with the member row.
  label::Actor actor(const label::Principal& principal);

  // Set by the roof before the server starts; both may stay absent.
  void set_job_runner(JobRunner* runner) { job_runner_ = runner; }
  void set_model_answers(ModelAnswers* answers) { model_answers_ = answers; }
  // Throws conflict when this server answers from no model: asking again later would not help.
  ModelAnswers& model_answers();
  // Work that others' threads must not wait for.
  http::WorkerPool& background() { return background_; }
  void set_model_host(ModelHost* host) { model_host_ = host; }
  void set_server_metrics(std::function<http::ServerMetrics()> read) {
    server_metrics_ = std::move(read);
  }
  // Further lines of /metrics; it names no tenant either.
  void set_more_metrics(std::function<std::string()> write) { more_metrics_ = std::move(write); }
  const std::function<std::string()>& more_metrics() const { return more_metrics_; }
  // Both throw conflict when this server has none.
  JobRunner& job_runner();
  ModelHost& model_host();
  bool has_model_host() const { return model_host_ != nullptr; }
  bool has_job_runner() const { return job_runner_ != nullptr; }
  const std::function<http::ServerMetrics()>& server_metrics() const { return server_metrics_; }
  // Throws not_found with the names that there are.
  const OfferedModel& model(std::string_view name) const;

  // Shown to who may see it as `demo_project` of the session.
  void set_demo_project(std::string organisation_id, std::string project_id);
  std::optional<std::string> demo_project(std::string_view organisation_id) const;

  // /health/ready says 503 from now on, event streams end.
  void set_stopping();
  bool stopping() const { return stopping_.load(); }

  RateLimiter& rate() { return rate_; }
  RateLimiter& labelling_rate() { return labelling_rate_; }
  RateLimiter& stranger_rate() { return stranger_rate_; }

  // Holds back a second request with the same key while the first runs (writes that span both
  // databases): at most ten seconds, then busy.
  class KeyHold {
   public:
    KeyHold(Platform& platform, std::string key);
    ~KeyHold();
    KeyHold(const KeyHold&) = delete;
    KeyHold& operator=(const KeyHold&) = delete;

   private:
    Platform& platform_;
    const std::string key_;
  };

 private:
  Platform(Env& env, PlatformOptions options, seal::SecretBox box);
  struct OpenOrganisation {
    std::unique_ptr<label::Organisation> organisation;
    std::map<std::string, int64_t, std::less<>> members;  // person id -> member row
  };
  void start_completion_writer();
  OpenOrganisation& opened(std::string_view organisation_id);
  void repair_members(OpenOrganisation& entry, int64_t organisation_key);

  Env& env_;
  const PlatformOptions options_;
  const seal::SecretBox box_;
  std::unique_ptr<store::Database> control_;
  std::unique_ptr<label::Identity> identity_;
  EventHub events_;
  feedback::KeptCompletions kept_;
  RateLimiter rate_;
  RateLimiter labelling_rate_;
  RateLimiter stranger_rate_;
  JobRunner* job_runner_ = nullptr;
  ModelAnswers* model_answers_ = nullptr;
  ModelHost* model_host_ = nullptr;
  std::function<http::ServerMetrics()> server_metrics_;
  std::function<std::string()> more_metrics_;
  std::atomic<bool> stopping_{false};

  mutable std::mutex mutex_;
  // Guarded by mutex_; an entry stays where it is once it is there.
  std::map<std::string, std::unique_ptr<OpenOrganisation>, std::less<>> organisations_;
  std::map<std::string, std::string, std::less<>> demo_projects_;

  std::mutex hold_mutex_;
  std::condition_variable hold_changed_;
  std::vector<std::string> held_;  // guarded by hold_mutex_

  // Last: their threads use the rest.
  std::unique_ptr<CompletionWriter> completion_writer_;
  http::WorkerPool background_{2, 256};
};

}  // namespace hone::api
