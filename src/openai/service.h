#pragma once
// What every route works on: the engine with its model and words, the names that a request may say,
// who may ask, and what is counted.
//
//   openai::Service service(env, model, codec, std::move(base), options);
//   openai::add_routes(router, service);
//
// Ownership: owns the engine; env, model and codec must outlive it, and it must outlive the server.
// Thread rule: every call from any thread.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "feedback/kept_completions.h"
#include "http/request.h"
#include "http/worker_pool.h"
#include "llm/grammar/vocabulary_trie.h"
#include "llm/model.h"
#include "llm/text_codec.h"
#include "openai/metrics.h"
#include "openai/models.h"
#include "serve/engine.h"
#include "usage/ledger.h"

namespace hone::openai {

// Who asks.
struct Caller {
  std::string key;                       // whose turn a request takes, and what is counted
  std::string organisation;              // whose models are seen and whose cached pages are used
  double weight = 1;                     // of the turn
  int priority = 0;                      // higher goes first
  bool may_manage = false;               // load and unload adapters
  std::vector<std::string> models = {};  // names that it may ask; empty = all
  std::optional<int64_t> requests_per_day = {}, tokens_per_day = {};

  // By the name that it says, or the model's own.
  bool may_ask(std::string_view said, std::string_view name) const;
};

struct ServiceOptions {
  serve::EngineOptions engine;
  // Throws unauthenticated or forbidden.
  std::function<Caller(const http::Request&)> authorise;
  // Where /v1/load_lora_adapter finds its folders, by name; empty = nowhere (decisions 4.2).
  std::string adapter_folder;
  // Memory that all adapters together may have; one that does not fit is refused.
  uint64_t adapter_bytes_max = UINT64_MAX;
  Variant variant;  // of the base: adapters add their digest
  // Where answers go so that they can be judged; must outlive the service. Null = nowhere.
  feedback::KeptCompletions* kept = nullptr;
  usage::Ledger* ledger = nullptr;  // null: nothing is counted, no quota holds
};

class Service {
 public:
  Service(Env& env, const llm::Model& model, const llm::TextCodec& codec, ServedModel base,
          ServiceOptions options);

  Env& env() { return env_; }
  const ServiceOptions& options() const { return options_; }
  const llm::Model& model() const { return model_; }
  const llm::TextCodec& codec() const { return codec_; }
  const llm::Tokenizer& tokenizer() const { return codec_.tokenizer(); }
  Models& models() { return models_; }
  feedback::KeptCompletions* kept() const { return options_.kept; }
  // What the caller means by a name. Throws RequestError: 404 model_not_found, 403 model_not_allowed.
  ServedModelPointer find_model(const Caller& caller, std::string_view name,
                                std::string_view split_key = {}) const;
  // Room for a request in its key's quota; nothing without a ledger. Throws RequestError 429
  // insufficient_quota.
  usage::Reservation reserve(const Caller& caller, const ServedModel& model, int64_t most_tokens);
  serve::Engine& engine() { return *engine_; }
  Metrics& metrics() { return metrics_; }

  // Positions that one sequence may have.
  size_t context_tokens() const;
  // Pages of the engine's cache.
  size_t pages() const;
  // For constraints; made when the first is asked for.
  std::shared_ptr<const llm::grammar::VocabularyTrie> vocabulary();
  // A new number each time: the lot of a request that names no user.
  uint64_t next_split_key() { return split_keys_.fetch_add(1, std::memory_order_relaxed); }
  // Work that would hold up the engine's thread; done at once when there is too much of it.
  void later(std::function<void()> task);

  // Reads an adapter's folder, or GGUF file, and names it; throws what load_lora throws, and conflict
  // when there is no memory for it.
  ServedModel load_adapter(const std::string& name, const std::string& directory,
                           const std::string& owner) const;

  std::string metrics_text();
  // Ends what runs when it has not ended by then. Before the server is destroyed.
  void stop(int64_t deadline_ms) { engine_->stop(deadline_ms); }

 private:
  Env& env_;
  const llm::Model& model_;
  const llm::TextCodec& codec_;
  const ServiceOptions options_;
  Models models_;
  Metrics metrics_;
  std::atomic<uint64_t> split_keys_{0};
  std::once_flag vocabulary_made_;
  std::shared_ptr<const llm::grammar::VocabularyTrie> vocabulary_;
  http::WorkerPool finisher_;
  std::unique_ptr<serve::Engine> engine_;  // last: its thread uses the rest
};

}  // namespace hone::openai
