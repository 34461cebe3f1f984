#pragma once
// What a request's "model" may name: the base model and its adapters, by name and by digest.
//
// An entry belongs to everybody or to one organisation; nobody learns of another's entries. Entries
// are immutable and shared: whoever answers with one keeps it, also when it is unloaded meanwhile.
//
// Thread rule: every call from any thread.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "llm/lora.h"
#include "llm/text_codec.h"

namespace hone::openai {

struct ServedModel {
  std::string name;
  std::string digest;       // of the files (docs/formats/digest.md)
  std::string fingerprint;  // the variant's digest: system_fingerprint
  std::string parent;       // the base's name, of an adapter
  std::string alias_of;     // of a row of list() that is an alias: what it answers with
  std::string owner;        // an organisation's id; empty = everybody's
  int64_t created_s = 0;
  std::shared_ptr<const llm::LoraAdapter> adapter;  // null: the base model
};
using ServedModelPointer = std::shared_ptr<const ServedModel>;

inline constexpr size_t kAdaptersMax = 256;

// What decides an answer beside the request: base, adapter, words, template, recipe.
struct Variant {
  std::string base_digest;
  std::string adapter_digest;  // empty = none
  std::string tokenizer_digest;
  std::string template_digest;
  std::string recipe;
};
// docs/formats/digest.md, "Variant".
std::string variant_digest(const Variant& variant);
// Of the pieces with their kinds, the merges, how text is prepared and split, the ends of generation.
std::string tokenizer_digest(const llm::Tokenizer& tokenizer);

// A name that means another model for now (registry/aliases.h).
struct ModelAlias {
  std::string name;
  std::string owner;  // an organisation's id
  std::vector<ServedModelPointer> targets;
  std::vector<double> weights;  // one per target, each above 0
};

class Models {
 public:
  explicit Models(ServedModel base) : base_(std::make_shared<const ServedModel>(std::move(base))) {}

  const ServedModelPointer& base() const { return base_; }
  // "name", "name@digest" (at least eight characters of it), a whole digest, or an alias: then the
  // target that split_key falls to. Throws RequestError 404 model_not_found.
  ServedModelPointer find(std::string_view name, std::string_view organisation,
                          std::string_view split_key = {}) const;
  // The base first, then adapters by name, then aliases as models of the same digest.
  std::vector<ServedModelPointer> list(std::string_view organisation) const;
  // What a registry says, in place of what it said before, at once: a request meets all of the old
  // or all of the new. A name that is loaded already hides the registry's.
  void set_registry(std::vector<ServedModelPointer> models, std::vector<ModelAlias> aliases);
  // Memory of all adapters that are loaded, each once.
  uint64_t adapter_bytes() const;
  // Those of the last set_registry.
  std::vector<ServedModelPointer> registered() const;
  // Throws conflict when the name is taken, too_large beyond kAdaptersMax.
  ServedModelPointer add(ServedModel model);
  // The owner's own alone; throws not_found for others.
  void remove(std::string_view name, std::string_view owner);

 private:
  using Key = std::pair<std::string, std::string>;  // owner, name
  ServedModelPointer find_locked(std::string_view name, std::string_view organisation) const;

  const ServedModelPointer base_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::map<Key, ServedModelPointer> adapters_;
  std::map<Key, ServedModelPointer> registered_;
  std::map<Key, ModelAlias> aliases_;
};

// A row of /v1/models.
Json model_json(const ServedModel& model, const ServedModel& base, size_t context_tokens);

}  // namespace hone::openai
