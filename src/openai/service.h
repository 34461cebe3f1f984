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
#include <string>

#include "base/env.h"
#include "http/request.h"
#include "http/worker_pool.h"
#include "llm/grammar/vocabulary_trie.h"
#include "llm/model.h"
#include "llm/text_codec.h"
#include "openai/metrics.h"
#include "openai/models.h"
#include "serve/engine.h"

namespace hone::openai {

// Who asks.
struct Caller {
  std::string key;           // whose turn a request takes
  std::string organisation;  // whose models are seen and whose cached pages are used
  double weight = 1;         // of the turn
  bool may_manage = false;   // load and unload adapters
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

  // Reads an adapter's folder and names it; throws what load_lora throws, and conflict when there is
  // no memory for it.
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
