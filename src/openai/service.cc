#include "openai/service.h"

#include <utility>
#include <vector>

#include "llm/kv_cache.h"
#include "llm/lora.h"
#include "seal/digest.h"

namespace hone::openai {
namespace {

constexpr size_t kFinishersWaitingMax = 256;
constexpr size_t kAdapterFilesMax = 1000;

// Files whose names are the artefact's (docs/formats/digest.md).
std::string folder_digest(Env& env, const std::string& directory) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const std::string& name : env.list_directory(directory)) {
    const std::string path = directory + "/" + name;
    if (!env.is_file(path)) continue;
    if (files.size() == kAdapterFilesMax) {
      throw Error(ErrorCode::kTooLarge,
                  directory + " holds more than 1,000 files: it is no adapter");
    }
    files.emplace_back(name, seal::sha256_file(path));
  }
  return seal::artefact_digest(std::move(files));
}

}  // namespace

Service::Service(Env& env, const llm::Model& model, const llm::TextCodec& codec, ServedModel base,
                 ServiceOptions options)
    : env_(env),
      model_(model),
      codec_(codec),
      options_(std::move(options)),
      models_(std::move(base)),
      finisher_(1, kFinishersWaitingMax),
      engine_(std::make_unique<serve::Engine>(env, model, codec, options_.engine)) {}

size_t Service::context_tokens() const { return model_.config.context_length; }

size_t Service::pages() const { return llm::KvCache::pages_for(options_.engine.context_tokens); }

std::shared_ptr<const llm::grammar::VocabularyTrie> Service::vocabulary() {
  std::call_once(vocabulary_made_, [&] {
    vocabulary_ = std::make_shared<const llm::grammar::VocabularyTrie>(tokenizer());
  });
  return vocabulary_;
}

void Service::later(std::function<void()> task) {
  auto shared = std::make_shared<std::function<void()>>(std::move(task));
  if (!finisher_.try_post([shared] { (*shared)(); })) (*shared)();
}

ServedModel Service::load_adapter(const std::string& name, const std::string& directory,
                                  const std::string& owner) const {
  ServedModel served;
  served.name = name;
  served.owner = owner;
  served.parent = models_.base()->name;
  served.created_s = env_.now_ms() / 1000;
  const uint64_t held = models_.adapter_bytes();
  const uint64_t bytes = llm::planned_lora_bytes(env_, directory);
  if (held + bytes > options_.adapter_bytes_max) {
    const auto mb = [](uint64_t count) {
      return std::to_string((count + 999'999) / 1'000'000) + " MB";
    };
    throw Error(ErrorCode::kConflict,
                "the adapter takes " + mb(bytes) + " of memory, and of " +
                    mb(options_.adapter_bytes_max) + " for adapters " + mb(held) +
                    " are taken: unload another, or start with a higher --memory-limit");
  }
  served.digest = folder_digest(env_, directory);
  auto adapter = std::make_shared<const llm::LoraAdapter>(llm::load_lora(model_, directory));
  if (adapter->max_rank() > options_.engine.max_lora_rank) {
    throw Error(ErrorCode::kTooLarge, "the adapter has rank " +
                                          std::to_string(adapter->max_rank()) +
                                          "; this server was started for ranks up to " +
                                          std::to_string(options_.engine.max_lora_rank));
  }
  served.adapter = std::move(adapter);
  Variant variant = options_.variant;
  variant.adapter_digest = served.digest;
  served.fingerprint = variant_digest(variant);
  return served;
}

std::string Service::metrics_text() {
  return openai::metrics_text(metrics_, engine_->metrics(), models_.list({}).size() - 1);
}

}  // namespace hone::openai
