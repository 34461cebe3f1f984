#include "cli/served_registry.h"

#include <map>

#include "base/error.h"
#include "cli/digest_cache.h"
#include "registry/aliases.h"

namespace hone::cli {
namespace {

constexpr int kOrganisationsMax = 1000;
constexpr size_t kModelsMax = 10'000;

// What one refresh gathers.
class Gathering {
 public:
  Gathering(Env& env, openai::Service& service, const std::string& data_folder)
      : env_(env), service_(service), data_folder_(data_folder) {
    for (openai::ServedModelPointer& model : service.models().registered()) {
      kept_[{model->owner, model->name, model->digest}] = std::move(model);
    }
  }

  void add(const std::string& owner, const std::vector<registry::Model>& models,
           const std::vector<registry::Alias>& aliases) {
    std::map<std::string, openai::ServedModelPointer> by_id;
    std::map<std::string, std::string> digests;  // of the bases, by id
    for (const registry::Model& model : models) digests[model.id] = model.digest;
    for (const registry::Model& model : models) {
      const bool is_base = model.kind == registry::ModelKind::kBase;
      const std::string& base = is_base ? model.digest : digests[model.parent_id];
      if (base != service_.models().base()->digest) {
        refuse(model, " stands on another base than the one that answers here");
        continue;
      }
      try {
        by_id[model.id] = served(model.shared ? "" : owner, model);
      } catch (const Error& error) {
        refuse(model, " cannot be served: " + error.message());
      }
    }
    for (const registry::Alias& alias : aliases) add_alias(owner, alias, by_id);
    for (auto& [id, model] : by_id) models_.push_back(std::move(model));
  }

  Unserved finish() {
    service_.models().set_registry(std::move(models_), std::move(aliases_));
    return std::move(unserved_);
  }

 private:
  void refuse(const registry::Model& model, const std::string& why) {
    unserved_.notes.push_back(model.name + why);
    unserved_.models[model.id] = model.name + why;
  }

  openai::ServedModelPointer served(const std::string& owner, const registry::Model& model) {
    const auto kept = kept_.find({owner, model.name, model.digest});
    if (kept != kept_.end()) return kept->second;
    openai::ServedModel made;
    if (model.kind == registry::ModelKind::kBase) {
      made = *service_.models().base();
      made.parent = made.name;
    } else {
      if (cached_digest(env_, data_folder_, model.path) != model.digest) {
        throw Error(ErrorCode::kConflict,
                    model.path + " is no longer what was added: put it back, or add it anew");
      }
      made = service_.load_adapter(model.name, model.path, owner);
    }
    made.name = model.name;
    made.owner = owner;
    return std::make_shared<const openai::ServedModel>(std::move(made));
  }

  void add_alias(const std::string& owner, const registry::Alias& alias,
                 const std::map<std::string, openai::ServedModelPointer>& by_id) {
    if (alias.targets.empty()) return;
    openai::ModelAlias made{alias.name, owner, {}, {}};
    for (const registry::Target& target : alias.targets) {
      const auto found = by_id.find(target.model.id);
      if (found == by_id.end()) {
        unserved_.notes.push_back("the alias " + alias.name + " needs " + target.model.name +
                                  ", which is not served");
        return;
      }
      made.targets.push_back(found->second);
      made.weights.push_back(target.weight);
    }
    aliases_.push_back(std::move(made));
  }

  Env& env_;
  openai::Service& service_;
  const std::string data_folder_;
  std::map<std::tuple<std::string, std::string, std::string>, openai::ServedModelPointer> kept_;
  std::vector<openai::ServedModelPointer> models_;
  std::vector<openai::ModelAlias> aliases_;
  Unserved unserved_;
};

}  // namespace

Unserved serve_registry(Env& env, api::Platform& platform, openai::Service& service,
                        const std::string& data_folder) {
  label::Identity& identity = platform.identity();
  const auto organisations = identity.read(
      [&](store::Connection& db) { return identity.organisations(db, 0, kOrganisationsMax); });
  Gathering gathering(env, service, data_folder);
  for (const label::OrganisationRecord& organisation : organisations) {
    const auto [models, aliases] = platform.control().read([&](store::Connection& db) {
      return std::pair(registry::list_models(db, organisation.key, kModelsMax),
                       registry::list_aliases(db, organisation.key));
    });
    gathering.add(organisation.id, models, aliases);
  }
  return gathering.finish();
}

ServedRegistry::ServedRegistry(Env& env, api::Platform& platform, openai::Service* service,
                               std::string data_folder)
    : env_(env), platform_(platform), service_(service), data_folder_(std::move(data_folder)) {}

std::string ServedRegistry::digest_of(const std::string& path) {
  const std::lock_guard one_at_a_time(refresh_mutex_);
  return cached_digest(env_, data_folder_, path);
}

std::vector<std::string> ServedRegistry::refreshed() {
  if (service_ == nullptr) return {};
  const std::lock_guard one_at_a_time(refresh_mutex_);
  Unserved found = serve_registry(env_, platform_, *service_, data_folder_);
  const std::lock_guard lock(mutex_);
  unserved_ = std::move(found);
  return unserved_.notes;
}

std::string ServedRegistry::why_not_served(std::string_view, std::string_view model_id) {
  if (service_ == nullptr) return "this server answers from no model";
  const std::lock_guard lock(mutex_);
  const auto found = unserved_.models.find(model_id);
  return found == unserved_.models.end() ? "" : found->second;
}

}  // namespace hone::cli
