// Models and adapters of the registry: listed, put in from a run or from what the operator offers,
// taken out. Files are named by the operator and by runs only (decisions 4.2).
#include <algorithm>

#include "api/handlers.h"
#include "api/registry_view.h"
#include "data/run_manifest.h"
#include "label/public_id.h"
#include "label/runs.h"

namespace hone::api {
namespace {

using registry::Model;
using registry::ModelKind;
using registry::NewModel;

constexpr size_t kModelsMax = 10'000;
constexpr size_t kShortDigest = 8;

std::vector<Model> models_of(Call& call) {
  return call.platform.control().read([&](store::Connection& db) {
    return registry::list_models(db, call.who().organisation_key, kModelsMax);
  });
}

Model written(Call& call, const label::Actor& actor, const NewModel& wanted) {
  return call.platform.control().write(store::Durability::kDisk, [&](store::Transaction& tx) {
    return registry::add_model(tx, call.who().organisation_key, wanted, actor.id, call.now_ms());
  });
}

const Model* find_digest(const std::vector<Model>& models, const std::string& digest) {
  for (const Model& model : models) {
    if (model.digest == digest) return &model;
  }
  return nullptr;
}

NewModel new_base(Call& call, const OfferedModel& offered, std::string name, std::string digest) {
  NewModel wanted;
  wanted.id = label::make_public_id(call.platform.env(), "mdl");
  wanted.name = std::move(name);
  wanted.path = offered.path;
  wanted.digest = std::move(digest);
  wanted.origin["file"] = offered.file;
  return wanted;
}

// The base that a run's adapter stands on: in the registry already, or put there now.
Model base_of_run(Call& call, const label::Actor& actor, const std::vector<Model>& known,
                  const label::Run& run, const std::string& digest) {
  if (const Model* base = find_digest(known, digest)) return *base;
  const std::vector<OfferedModel>& offered = call.platform.options().models;
  const auto found = std::find_if(offered.begin(), offered.end(),
                                  [&](const OfferedModel& each) { return each.name == run.model; });
  if (found == offered.end() || call.platform.model_host().digest_of(found->path) != digest) {
    throw Error(ErrorCode::kConflict,
                "the base of this run, " + run.model +
                    ", is neither in the registry nor offered by this server as it was: the "
                    "operator adds it with hone model add");
  }
  const bool is_taken = std::any_of(known.begin(), known.end(),
                                    [&](const Model& each) { return each.name == found->name; });
  const std::string name =
      is_taken ? found->name + "-" + digest.substr(0, kShortDigest) : found->name;
  return written(call, actor, new_base(call, *found, name, digest));
}

Model add_run(Call& call, const label::Actor& actor, const std::string& run_id) {
  Env& env = call.platform.env();
  const label::Run run =
      call.organisation().read([&](store::Connection& db) { return label::get_run(db, run_id); });
  if (run.state != "done") {
    throw Error(ErrorCode::kConflict, "this run is not done, so there is nothing to add yet");
  }
  const std::string folder = label::run_folder(call.organisation(), run.public_id);
  const data::RunManifest manifest = data::read_run_manifest(env, folder + "/manifest.json");
  const auto digest = [&](const char* name) {
    const auto found = manifest.digests.find(name);
    return found == manifest.digests.end() ? std::string() : found->second;
  };
  NewModel wanted;
  wanted.id = label::make_public_id(env, "mdl");
  wanted.name = call.text("name");
  wanted.kind = ModelKind::kAdapter;
  wanted.path = folder + "/final";
  wanted.digest = call.platform.model_host().digest_of(wanted.path);
  const std::vector<Model> known = models_of(call);
  if (const Model* same = find_digest(known, wanted.digest)) {
    throw Error(ErrorCode::kConflict, "this adapter is in the registry already, as " + same->name);
  }
  registry::check_name(wanted.name);
  wanted.parent = base_of_run(call, actor, known, run, digest("model")).id;
  wanted.origin["run"] = run.public_id;
  wanted.origin["project"] = run.project_id;
  wanted.origin["snapshot"] = run.snapshot_id;
  wanted.origin["method"] = run.method;
  wanted.origin["data"] = digest("data");
  return written(call, actor, wanted);
}

Model add_base(Call& call, const label::Actor& actor, const std::string& name) {
  const OfferedModel& offered = call.platform.model(name);
  const std::string digest = call.platform.model_host().digest_of(offered.path);
  if (const Model* same = find_digest(models_of(call), digest)) {
    throw Error(ErrorCode::kConflict, "this model is in the registry already, as " + same->name);
  }
  return written(call, actor, new_base(call, offered, call.text("name"), digest));
}

Json shown(Call& call, const Model& model) {
  return call.organisation().read(
      [&](store::Connection& db) { return model_json(call, db, model); });
}

}  // namespace

http::Response list_models(Call& call) {
  const PageRequest page = read_page(call.request.query);
  const std::vector<Model> models = models_of(call);
  return call.organisation().read([&](store::Connection& db) {
    // Only what is shown is looked up: sizes come from the disk.
    const size_t from = page.after.empty() ? 0 : static_cast<size_t>(page.after[0]);
    const size_t limit = static_cast<size_t>(page.limit);
    Json::Array items;
    for (size_t i = from; i < models.size() && items.size() < limit; ++i) {
      items.push_back(model_json(call, db, models[i]));
    }
    std::optional<std::string> next;
    if (from + items.size() < models.size() && !items.empty()) {
      next = write_cursor({static_cast<int64_t>(from + items.size())});
    }
    return json_response(200, page_body(std::move(items), next));
  });
}

http::Response read_model(Call& call) {
  const Model model = call.platform.control().read([&](store::Connection& db) {
    return registry::find_model(db, call.who().organisation_key, call.id("model_id"));
  });
  return json_response(200, shown(call, model));
}

http::Response add_model(Call& call) {
  const label::Actor actor = call.actor();
  if (call.has("run_id") == call.has("base")) {
    throw bad_field("/run_id",
                    "say which: run_id, a run that is done, or base, one that is "
                    "offered; not both");
  }
  return once_over_both(call, [&]() -> Answer {
    const Model model = call.has("run_id") ? add_run(call, actor, call.text("run_id"))
                                           : add_base(call, actor, call.text("base"));
    Json data = Json::object();
    data["digest"] = model.digest;
    record_registry_event(call, actor, "model.added", model.id, std::move(data));
    tell_registry(call, "model", model.id);
    return {.status = 201, .body = shown(call, model)};
  });
}

http::Response remove_model(Call& call) {
  const label::Actor actor = call.actor();
  return once_over_both(call, [&]() -> Answer {
    const Model model =
        call.platform.control().write(store::Durability::kDisk, [&](store::Transaction& tx) {
          const int64_t organisation = call.who().organisation_key;
          Model found = registry::find_model(tx, organisation, call.id("model_id"));
          registry::retire_model(tx, organisation, found.id, call.now_ms());
          return found;
        });
    record_registry_event(call, actor, "model.removed", model.id, Json::object());
    tell_registry(call, "model", model.id);
    return {.status = 204};
  });
}

}  // namespace hone::api
