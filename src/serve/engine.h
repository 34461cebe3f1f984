#pragma once
// One model at work for many callers: a thread of its own runs llm::Batcher; requests come from any
// thread, wait their turn by key, and answer through their listener.
//
// Fairness. Each key (an API key, a person, a job) has a queue. Among keys of the highest priority
// that wait, turns go by weight over tokens (serve/fair_queue.h: the prompt's, and of each sample the
// answer's limit). Whoever sends a thousand requests delays a second key by a turn, not by a thousand
// requests.
//
// Bounds. At most max_waiting requests wait (max_waiting_per_key of one key): more throw kBusy with
// the seconds after which to come again. A request that waited or ran longer than its time limit ends
// with kBusy.
//
// Adapters live as long as a request uses them (shared_ptr); mixed in one batch.
//
// Thread rule: every call from any thread. Listeners are called on the engine's thread: push and
// return; cancel() is the one call that a listener may make. What a listener throws is a bug of its
// own: it is not called again, and the request ends.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/env.h"
#include "llm/batcher.h"
#include "llm/text_codec.h"

namespace hone::serve {

struct EngineOptions {
  size_t threads = 0;       // 0 = the cores that the process may use
  size_t max_running = 32;  // samples in the batch
  // Positions that the cache holds, all requests together; 0 = the model's context, at least 4,096
  // and at most 16,384.
  size_t context_tokens = 0;
  // Of these, what stays in memory when nobody uses it (found again by their content); 0 = a quarter.
  size_t kept_tokens = 0;
  size_t rows_per_pass = 256;
  size_t max_lora_rank = 64;
  size_t max_waiting = 256, max_waiting_per_key = 128;
  int64_t time_limit_ms = 600'000;  // of one request, waiting included
};

struct Submission {
  llm::BatchRequest request;
  std::shared_ptr<const llm::LoraAdapter> adapter;  // request.adapter is set from it
  std::string key;                                  // whose turn it takes
  double weight = 1;
  int priority = 0;                              // higher goes first
  std::shared_ptr<llm::BatchListener> listener;  // kept until on_done
};

struct EngineMetrics {
  llm::BatcherMetrics batch;
  uint64_t requests = 0, refused = 0, cancelled = 0, timed_out = 0;
  size_t waiting = 0, running = 0;
  double busy_seconds = 0;
};

class Engine {
 public:
  using Ticket = uint64_t;

  // The model and codec must outlive the engine.
  Engine(Env& env, const llm::Model& model, const llm::TextCodec& codec,
         const EngineOptions& options);
  ~Engine();  // ends what runs with kUnavailable

  // Bytes beside the weights and the adapters, before anything is made.
  static llm::Batcher::Memory planned_memory(const llm::ModelConfig& config,
                                             const EngineOptions& options);

  // Throws what Batcher::check throws; kBusy when the queues are full; kUnavailable when stopping.
  // Then the listener is never called; else it gets exactly one on_done, perhaps before this returns.
  Ticket submit(Submission submission);
  // Soon: on_done(nullptr) follows. Unknown or ended: nothing.
  void cancel(Ticket ticket);
  // Takes nothing new, lets what was taken finish for at most so long, then ends it with
  // kUnavailable. Returns when all have ended.
  void stop(int64_t deadline_ms);

  // What kBusy should say in Retry-After.
  int retry_after_seconds() const;
  EngineMetrics metrics() const;
  void drop_cached(std::string_view scope);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone::serve
