#include "serve/engine.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "llm/batch_check.h"
#include "llm/kv_cache.h"
#include "serve/fair_queue.h"

namespace hone::serve {

namespace {

// Of a thread: a tile of the head's logits, unpacked weights, a sampler's copy of a row.
constexpr uint64_t kScratchBytes = 4 << 20;
constexpr size_t kKeptShare = 4;           // of the pages stay when nobody uses them
constexpr double kLookEverySeconds = 0.1;  // for those whose time is over

Error stopping() {
  return {ErrorCode::kUnavailable, "this server is stopping: send the request again in a moment"};
}

llm::BatcherOptions batcher_options(const llm::ModelConfig& config, const EngineOptions& options) {
  llm::BatcherOptions out;
  out.max_samples = std::max<size_t>(1, options.max_running);
  size_t tokens = options.context_tokens;
  if (tokens == 0) tokens = std::clamp<size_t>(config.context_length, 4096, 16384);
  out.page_count = llm::KvCache::pages_for(tokens);
  const size_t kept = options.kept_tokens == 0 ? tokens / kKeptShare : options.kept_tokens;
  out.kept_pages = std::clamp<size_t>(kept / llm::kPagePositions, 1, out.page_count);
  out.rows_per_pass = std::max(options.rows_per_pass, out.max_samples);
  out.prompt_rows_beside_writing = out.rows_per_pass;
  out.max_lora_rank = options.max_lora_rank;
  return out;
}

uint64_t cost_of(const llm::BatchRequest& request) {
  const uint64_t answer = std::min<uint64_t>(request.max_tokens, 1 << 20);
  return request.prompt.size() + request.n * answer;
}

// Stands between the batcher and the caller's listener: gives the end the reason that the engine
// has for it, and keeps what a listener throws away from the others.
class Relay : public llm::BatchListener {
 public:
  explicit Relay(std::shared_ptr<llm::BatchListener> to) : to_(std::move(to)) {}

  void on_prompt(size_t cached, std::span<const llm::PromptTokenScore> scores) override {
    call([&] { to_->on_prompt(cached, scores); });
  }
  void on_pooled(std::span<const float> vector) override {
    call([&] { to_->on_pooled(vector); });
  }
  void on_token(const llm::TokenEvent& event) override {
    call([&] { to_->on_token(event); });
  }
  void on_end(const llm::EndEvent& event) override {
    ++ended_;
    call([&] { to_->on_end(event); });
  }
  void on_done(const Error* error) override {
    if (done_) return;
    done_ = true;
    if (reason && error == nullptr) error = &*reason;
    call([&] { to_->on_done(error); });
  }

  std::optional<Error> reason;  // why it ends before its end
  bool done() const { return done_; }
  bool failed() const { return failed_; }
  size_t ended() const { return ended_; }  // samples

 private:
  template <typename Call>
  void call(const Call& what) {
    if (failed_) return;
    try {
      what();
    } catch (...) {
      failed_ = true;
    }
  }

  std::shared_ptr<llm::BatchListener> to_;
  bool done_ = false, failed_ = false;
  size_t ended_ = 0;
};

struct Job {
  Submission submission;
  std::unique_ptr<Relay> relay;
  double deadline = 0;                 // steady seconds
  std::optional<llm::Batcher::Id> id;  // once it is in the batcher
  size_t samples = 1;
};

}  // namespace

class Engine::Impl {
 public:
  Impl(Env& env, const llm::Model& model, const llm::TextCodec& codec,
       const EngineOptions& options);
  ~Impl() { stop(0); }

  Ticket submit(Submission submission);
  void cancel(Ticket ticket);
  void stop(int64_t deadline_ms);
  int retry_after_seconds() const;
  EngineMetrics metrics() const;
  void drop_cached(std::string_view scope);

 private:
  void loop(std::promise<void>& started);
  void make_batcher();
  bool take_orders();
  void admit();
  void end_late(double now);
  void finish_job(Ticket ticket, Job& job, std::optional<Error> reason);
  void forget_ended();
  void fail_all(const Error& error);
  void publish(double seconds);
  Error full(const std::string& what) const;

  Env& env_;
  const llm::Model& model_;
  const llm::TextCodec& codec_;
  EngineOptions options_;
  llm::BatcherOptions batcher_options_;

  // The engine's thread only.
  std::unique_ptr<tensor::Compute> compute_;
  std::unique_ptr<llm::Batcher> batcher_;
  std::map<Ticket, Job> running_;
  double last_look_ = 0;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_, ended_;
  FairQueue queue_;
  std::map<Ticket, Job> waiting_;
  std::vector<Ticket> cancels_;
  std::vector<std::string> drops_;
  Ticket last_ticket_ = 0;
  bool stopping_ = false, kill_ = false, idle_ = true;
  EngineMetrics metrics_;
  double tokens_per_second_ = 0;  // lately

  std::thread thread_;
};

Engine::Impl::Impl(Env& env, const llm::Model& model, const llm::TextCodec& codec,
                   const EngineOptions& options)
    : env_(env),
      model_(model),
      codec_(codec),
      options_(options),
      batcher_options_(batcher_options(model.config, options)) {
  std::promise<void> started;
  std::future<void> ready = started.get_future();
  thread_ = std::thread([this, &started] { loop(started); });
  try {
    ready.get();
  } catch (...) {
    thread_.join();
    throw;
  }
}

void Engine::Impl::make_batcher() {
  batcher_.reset();
  batcher_ =
      std::make_unique<llm::Batcher>(*compute_, model_, &codec_.tokenizer(),
                                     codec_.tokenizer().end_of_generation(), batcher_options_);
}

Error Engine::Impl::full(const std::string& what) const {
  return {ErrorCode::kBusy,
          what + ": come back in " + std::to_string(retry_after_seconds()) + " seconds"};
}

Engine::Ticket Engine::Impl::submit(Submission submission) {
  submission.request.adapter = submission.adapter.get();
  llm::check_request(model_.config, true, batcher_options_, submission.request);
  HONE_CHECK(submission.listener != nullptr);
  std::unique_lock lock(mutex_);
  if (stopping_) throw stopping();
  if (queue_.size() >= options_.max_waiting ||
      queue_.size_of(submission.key) >= options_.max_waiting_per_key) {
    const bool all = queue_.size() >= options_.max_waiting;
    const size_t count = all ? queue_.size() : options_.max_waiting_per_key;
    ++metrics_.refused;
    lock.unlock();
    throw full(std::to_string(count) +
               (all ? " requests wait already" : " requests of this key wait already"));
  }
  const Ticket ticket = ++last_ticket_;
  Job job;
  job.deadline = env_.steady_seconds() + static_cast<double>(options_.time_limit_ms) / 1000;
  job.relay = std::make_unique<Relay>(submission.listener);
  job.samples = submission.request.pooling == llm::Pooling::kNone ? submission.request.n : 1;
  queue_.push(submission.key, submission.weight, submission.priority, cost_of(submission.request),
              ticket);
  job.submission = std::move(submission);
  waiting_.emplace(ticket, std::move(job));
  ++metrics_.requests;
  changed_.notify_one();
  return ticket;
}

void Engine::Impl::cancel(Ticket ticket) {
  const std::lock_guard lock(mutex_);
  cancels_.push_back(ticket);
  changed_.notify_one();
}

void Engine::Impl::drop_cached(std::string_view scope) {
  const std::lock_guard lock(mutex_);
  drops_.emplace_back(scope);
  changed_.notify_one();
}

void Engine::Impl::stop(int64_t deadline_ms) {
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
    ended_.wait_for(lock, std::chrono::milliseconds(std::max<int64_t>(0, deadline_ms)),
                    [&] { return idle_ && waiting_.empty(); });
    kill_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

int Engine::Impl::retry_after_seconds() const {
  const std::lock_guard lock(mutex_);
  const double rate = std::max(tokens_per_second_, 1.0);
  const double seconds = static_cast<double>(queue_.waiting_tokens()) / rate;
  return static_cast<int>(std::clamp(std::ceil(seconds), 1.0, 60.0));
}

EngineMetrics Engine::Impl::metrics() const {
  const std::lock_guard lock(mutex_);
  EngineMetrics out = metrics_;
  out.waiting = queue_.size();
  return out;
}

// The engine's thread from here.

void Engine::Impl::loop(std::promise<void>& started) {
  try {
    compute_ = std::make_unique<tensor::Compute>(options_.threads);
    make_batcher();
  } catch (...) {
    started.set_exception(std::current_exception());
    return;
  }
  started.set_value();
  while (take_orders()) {
    admit();
    const double begin = env_.steady_seconds();
    if (begin - last_look_ >= kLookEverySeconds) end_late(begin);
    try {
      batcher_->step();
    } catch (const Error& error) {
      fail_all(error);
    } catch (const std::exception& error) {
      fail_all(Error(ErrorCode::kInternal, "the engine failed and started anew: send it again",
                     error.what()));
    }
    forget_ended();
    publish(env_.steady_seconds() - begin);
  }
  fail_all(stopping());
  batcher_.reset();
  publish(0);
}

// Waits for something to do. False when it is time to end.
bool Engine::Impl::take_orders() {
  std::vector<Ticket> cancels;
  std::vector<std::string> drops;
  std::vector<std::pair<Ticket, Job>> gone;
  {
    std::unique_lock lock(mutex_);
    if (running_.empty() && waiting_.empty()) {
      idle_ = true;
      ended_.notify_all();
      changed_.wait(
          lock, [&] { return kill_ || !waiting_.empty() || !cancels_.empty() || !drops_.empty(); });
    }
    if (kill_) return false;
    idle_ = false;
    cancels.swap(cancels_);
    drops.swap(drops_);
    for (Ticket ticket : cancels) {
      if (!queue_.remove(ticket)) continue;
      gone.emplace_back(ticket, std::move(waiting_.at(ticket)));
      waiting_.erase(ticket);
      ++metrics_.cancelled;
    }
  }
  for (auto& [ticket, job] : gone) job.relay->on_done(nullptr);
  for (Ticket ticket : cancels) {
    const auto found = running_.find(ticket);
    if (found == running_.end()) continue;
    finish_job(ticket, found->second, std::nullopt);
    const std::lock_guard lock(mutex_);
    ++metrics_.cancelled;
  }
  for (const std::string& scope : drops) batcher_->drop_cached(scope);
  return true;
}

// Hands over as many as there are places: the batcher's own queue knows no turns.
void Engine::Impl::admit() {
  size_t samples = 0;
  for (const auto& [ticket, job] : running_) samples += job.samples - job.relay->ended();
  while (samples < batcher_options_.max_samples) {
    Job job;
    Ticket ticket = 0;
    {
      const std::lock_guard lock(mutex_);
      const std::optional<Ticket> next = queue_.pop();
      if (!next) return;
      ticket = *next;
      job = std::move(waiting_.at(ticket));
      waiting_.erase(ticket);
    }
    samples += job.samples;
    try {
      job.id = batcher_->add(std::move(job.submission.request), *job.relay);
    } catch (const Error& error) {
      job.relay->on_done(&error);
      continue;
    }
    running_.emplace(ticket, std::move(job));
  }
}

void Engine::Impl::finish_job(Ticket, Job& job, std::optional<Error> reason) {
  job.relay->reason = std::move(reason);
  if (job.id) batcher_->cancel(*job.id);
}

void Engine::Impl::end_late(double now) {
  last_look_ = now;
  const Error late(ErrorCode::kBusy,
                   "the request was not done after " +
                       std::to_string(options_.time_limit_ms / 1000) +
                       " seconds, its time limit: send it again later, or ask for less");
  uint64_t count = 0;
  for (auto& [ticket, job] : running_) {
    if (job.deadline > now || job.relay->done()) continue;
    finish_job(ticket, job, late);
    ++count;
  }
  std::vector<Job> gone;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      if (at->second.deadline > now) {
        ++at;
        continue;
      }
      queue_.remove(at->first);
      gone.push_back(std::move(at->second));
      at = waiting_.erase(at);
    }
    metrics_.timed_out += count + gone.size();
  }
  for (Job& job : gone) job.relay->on_done(&late);
}

void Engine::Impl::forget_ended() {
  for (auto& [ticket, job] : running_) {
    if (job.relay->failed() && !job.relay->done()) finish_job(ticket, job, std::nullopt);
  }
  std::erase_if(running_, [](const auto& entry) { return entry.second.relay->done(); });
}

// Everybody's end, whatever the reason; the batcher is made anew when it may go on.
void Engine::Impl::fail_all(const Error& error) {
  std::map<Ticket, Job> gone;
  bool goes_on = true;
  {
    const std::lock_guard lock(mutex_);
    goes_on = !kill_;
    if (kill_) {
      gone.swap(waiting_);
      for (const auto& entry : gone) queue_.remove(entry.first);
    }
  }
  if (goes_on) make_batcher();
  for (auto& [ticket, job] : running_) job.relay->on_done(&error);
  running_.clear();
  for (auto& [ticket, job] : gone) job.relay->on_done(&error);
}

void Engine::Impl::publish(double seconds) {
  const llm::BatcherMetrics now = batcher_ != nullptr ? batcher_->metrics() : llm::BatcherMetrics{};
  const std::lock_guard lock(mutex_);
  if (batcher_ != nullptr) {
    if (seconds > 0 && now.rows > metrics_.batch.rows) {
      const double rate = static_cast<double>(now.rows - metrics_.batch.rows) / seconds;
      tokens_per_second_ = tokens_per_second_ == 0 ? rate : 0.95 * tokens_per_second_ + 0.05 * rate;
    }
    metrics_.batch = now;
  }
  metrics_.running = running_.size();
  metrics_.busy_seconds += seconds;
}

Engine::Engine(Env& env, const llm::Model& model, const llm::TextCodec& codec,
               const EngineOptions& options)
    : impl_(std::make_unique<Impl>(env, model, codec, options)) {}
Engine::~Engine() = default;

llm::Batcher::Memory Engine::planned_memory(const llm::ModelConfig& config,
                                            const EngineOptions& options) {
  const uint64_t threads = options.threads == 0 ? usable_cores() : options.threads;
  llm::Batcher::Memory memory =
      llm::Batcher::planned_memory(config, batcher_options(config, options));
  memory.passes += threads * kScratchBytes;
  return memory;
}

Engine::Ticket Engine::submit(Submission submission) {
  return impl_->submit(std::move(submission));
}
void Engine::cancel(Ticket ticket) { impl_->cancel(ticket); }
void Engine::stop(int64_t deadline_ms) { impl_->stop(deadline_ms); }
int Engine::retry_after_seconds() const { return impl_->retry_after_seconds(); }
EngineMetrics Engine::metrics() const { return impl_->metrics(); }
void Engine::drop_cached(std::string_view scope) { impl_->drop_cached(scope); }

}  // namespace hone::serve
