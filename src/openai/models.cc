#include "openai/models.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "llm/sampler.h"
#include "openai/errors.h"
#include "registry/aliases.h"
#include "seal/digest.h"

namespace hone::openai {
namespace {

constexpr size_t kDigestPrefixMin = 8;
constexpr size_t kDigestSize = 64;

bool may_use(const ServedModel& model, std::string_view organisation) {
  return model.owner.empty() || model.owner == organisation;
}

}  // namespace

std::string variant_digest(const Variant& variant) {
  Json json = Json::object();
  json["version"] = 1;
  json["base"] = variant.base_digest;
  json["adapters"] = Json::array();
  if (!variant.adapter_digest.empty()) json["adapters"].push_back(variant.adapter_digest);
  json["tokenizer"] = variant.tokenizer_digest;
  json["chat_template"] = variant.template_digest;
  json["system_prompt"] = "";  // this server adds none
  // What a request that says nothing about drawing gets.
  Json defaults = Json::object();
  const llm::SamplingOptions sampling;
  defaults["temperature"] = sampling.temperature;
  defaults["top_p"] = sampling.top_p;
  defaults["top_k"] = uint64_t{sampling.top_k};
  defaults["min_p"] = sampling.min_p;
  defaults["repetition_penalty"] = sampling.repetition_penalty;
  json["decoding"] = std::move(defaults);
  json["recipe"] = variant.recipe;
  return seal::sha256_hex(json.dump_canonical());
}

std::string tokenizer_digest(const llm::Tokenizer& tokenizer) {
  const llm::TokenizerData& data = tokenizer.data();
  seal::Sha256 hash;
  std::string line;
  const auto add = [&](std::string text) {
    line = std::move(text);
    line += '\n';
    hash.update(line);
  };
  add(std::to_string(data.pieces.size()));
  for (size_t i = 0; i < data.pieces.size(); ++i) {
    add(std::to_string(static_cast<int>(data.types[i])) + " " +
        std::to_string(data.pieces[i].size()) + " " + data.pieces[i]);
  }
  for (const auto& merge : data.merges) {
    add(std::to_string(merge.left) + " " + std::to_string(merge.right) + " " +
        std::to_string(merge.result));
  }
  for (const auto& step : data.normalizer) {
    add("normalize " + std::to_string(static_cast<int>(step.kind)) + " " + step.pattern + " " +
        step.content);
  }
  for (const auto& step : data.pre_steps) {
    add("prepare " + std::to_string(static_cast<int>(step.kind)) + " " + step.pattern + " " +
        step.content);
  }
  for (const auto& step : data.splits) {
    add("split " + std::to_string(static_cast<int>(step.behavior)) + " " + step.regex);
  }
  add("ends");
  for (const int32_t id : tokenizer.end_of_generation()) add(std::to_string(id));
  add(std::string("bos ") + (tokenizer.adds_bos() ? "added" : "not added"));
  return hash.hex();
}

ServedModelPointer Models::find_locked(std::string_view name, std::string_view organisation) const {
  const size_t at = name.rfind('@');
  const std::string_view plain = name.substr(0, at);
  const std::string_view digest = at == name.npos ? std::string_view() : name.substr(at + 1);
  const auto fits = [&](const ServedModel& model) {
    if (model.name == name) return true;  // a file's name may hold an @ itself
    if (at == name.npos) return name.size() == kDigestSize && model.digest == name;
    return model.name == plain && digest.size() >= kDigestPrefixMin &&
           model.digest.starts_with(digest);
  };
  if (fits(*base_)) return base_;
  ServedModelPointer everybodys;
  for (const auto* entries : {&adapters_, &registered_}) {
    for (const auto& [key, model] : *entries) {
      if (!may_use(*model, organisation) || !fits(*model)) continue;
      if (!model->owner.empty()) return model;
      if (everybodys == nullptr) everybodys = model;
    }
  }
  return everybodys;
}

ServedModelPointer Models::find(std::string_view name, std::string_view organisation,
                                std::string_view split_key) const {
  {
    const std::lock_guard lock(mutex_);
    if (ServedModelPointer found = find_locked(name, organisation)) return found;
    const auto alias = aliases_.find(Key{std::string(organisation), std::string(name)});
    if (alias != aliases_.end()) {
      return alias->second.targets[registry::pick(alias->second.weights, split_key)];
    }
  }
  throw RequestError(
      ErrorCode::kNotFound,
      "the model '" + shown(name) + "' does not exist here; GET /v1/models lists those that do",
      "model", "model_not_found");
}

std::vector<ServedModelPointer> Models::list(std::string_view organisation) const {
  std::vector<ServedModelPointer> out = {base_};
  const std::lock_guard lock(mutex_);
  const auto by_name = [&](size_t begin) {
    std::sort(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(),
              [](const auto& a, const auto& b) { return a->name < b->name; });
  };
  for (const auto* entries : {&adapters_, &registered_}) {
    for (const auto& [key, model] : *entries) {
      if (may_use(*model, organisation) && find_locked(model->name, organisation) == model) {
        out.push_back(model);
      }
    }
  }
  by_name(1);
  const size_t aliases = out.size();
  for (const auto& [key, alias] : aliases_) {
    if (alias.owner != organisation || find_locked(alias.name, organisation) != nullptr) continue;
    ServedModel row = *alias.targets[0];
    row.alias_of = row.name;
    row.name = alias.name;
    row.owner = alias.owner;
    out.push_back(std::make_shared<const ServedModel>(std::move(row)));
  }
  by_name(aliases);
  return out;
}

void Models::set_registry(std::vector<ServedModelPointer> models, std::vector<ModelAlias> aliases) {
  std::map<Key, ServedModelPointer> registered;
  for (ServedModelPointer& model : models) {
    Key key{model->owner, model->name};
    registered.emplace(std::move(key), std::move(model));
  }
  std::map<Key, ModelAlias> named;
  for (ModelAlias& alias : aliases) {
    HONE_CHECK(!alias.targets.empty() && alias.targets.size() == alias.weights.size());
    Key key{alias.owner, alias.name};
    named.emplace(std::move(key), std::move(alias));
  }
  const std::lock_guard lock(mutex_);
  registered_.swap(registered);  // what nobody answers with any more ends behind the lock
  aliases_.swap(named);
}

uint64_t Models::adapter_bytes() const {
  const std::lock_guard lock(mutex_);
  std::set<const llm::LoraAdapter*> seen;
  uint64_t sum = 0;
  for (const auto* models : {&adapters_, &registered_}) {
    for (const auto& [key, model] : *models) {
      if (model->adapter && seen.insert(model->adapter.get()).second) {
        sum += model->adapter->bytes();
      }
    }
  }
  return sum;
}

std::vector<ServedModelPointer> Models::registered() const {
  std::vector<ServedModelPointer> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, model] : registered_) all.push_back(model);
  return all;
}

ServedModelPointer Models::add(ServedModel model) {
  auto made = std::make_shared<const ServedModel>(std::move(model));
  const std::lock_guard lock(mutex_);
  const bool is_taken = made->name == base_->name ||
                        adapters_.contains({made->owner, made->name}) ||
                        adapters_.contains({"", made->name});
  if (is_taken) {
    throw RequestError(ErrorCode::kConflict,
                       "a model of the name '" + made->name +
                           "' is loaded already; unload it first, or choose another name",
                       "lora_name");
  }
  if (adapters_.size() >= kAdaptersMax) {
    throw RequestError(
        ErrorCode::kTooLarge,
        "there are " + std::to_string(kAdaptersMax) + " adapters already; unload one first",
        "lora_name");
  }
  adapters_.emplace(Key{made->owner, made->name}, made);
  return made;
}

void Models::remove(std::string_view name, std::string_view owner) {
  const std::lock_guard lock(mutex_);
  const auto found = adapters_.find(Key{std::string(owner), std::string(name)});
  if (found == adapters_.end()) {
    throw RequestError(ErrorCode::kNotFound,
                       "there is no adapter '" + shown(name) + "' of yours to unload", "lora_name",
                       "model_not_found");
  }
  adapters_.erase(found);
}

Json model_json(const ServedModel& model, const ServedModel& base, size_t context_tokens) {
  Json json = Json::object();
  json["id"] = model.name;
  json["object"] = "model";
  json["created"] = model.created_s;
  json["owned_by"] = model.owner.empty() ? "hone" : model.owner;
  json["root"] = base.name;
  json["parent"] = model.parent.empty() ? Json() : Json(model.parent);
  if (!model.alias_of.empty()) json["alias_of"] = model.alias_of;
  json["digest"] = model.digest;
  json["fingerprint"] = model.fingerprint;
  json["max_model_len"] = uint64_t{context_tokens};
  return json;
}

}  // namespace hone::openai
