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

class Models {
 public:
  explicit Models(ServedModel base) : base_(std::make_shared<const ServedModel>(std::move(base))) {}

  const ServedModelPointer& base() const { return base_; }
  // "name", "name@digest" (at least eight characters of it) or a whole digest. Throws RequestError
  // 404 model_not_found.
  ServedModelPointer find(std::string_view name, std::string_view organisation) const;
  // The base first, then adapters by name.
  std::vector<ServedModelPointer> list(std::string_view organisation) const;
  // Throws conflict when the name is taken, too_large beyond kAdaptersMax.
  ServedModelPointer add(ServedModel model);
  // The owner's own alone; throws not_found for others.
  void remove(std::string_view name, std::string_view owner);

 private:
  using Key = std::pair<std::string, std::string>;  // owner, name
  ServedModelPointer find_locked(std::string_view name, std::string_view organisation) const;

  const ServedModelPointer base_;
  mutable std::mutex mutex_;
  std::map<Key, ServedModelPointer> adapters_;  // guarded by mutex_
};

// A row of /v1/models.
Json model_json(const ServedModel& model, const ServedModel& base, size_t context_tokens);

}  // namespace hone::openai
