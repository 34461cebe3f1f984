#include "api/platform.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <span>

#include "base/embedded_file.h"
#include "label/members.h"
#include "store/migrate.h"
#include "store/sqlite_database.h"

namespace hone::embedded {
std::span<const EmbeddedFile> control_migrations();
}

namespace hone::api {
namespace {

constexpr int kHoldWaitSeconds = 10;
constexpr size_t kHeldMax = 1'000;

std::string joined(const std::string& folder, std::string_view name) {
  return folder + "/" + std::string(name);
}

}  // namespace

std::unique_ptr<Platform> Platform::open(Env& env, PlatformOptions options) {
  create_directories_durably(env, joined(options.data_dir, "orgs"));
  // For the owner alone; an Env whose files are not the system's has nothing to close.
  ::chmod(options.data_dir.c_str(), S_IRWXU);
  const std::string key = joined(options.data_dir, "key");
  // A new key beside old data would hide that nobody's address can be read any more.
  if (env.exists(joined(options.data_dir, "control.db")) && !env.exists(key)) {
    throw Error(ErrorCode::kCorruptData,
                key +
                    " is missing, under which people's e-mail addresses are sealed: put it back "
                    "from a backup (hone restore), or go on without the addresses with a new one "
                    "(openssl rand -hex 32 > " +
                    key + ")");
  }
  seal::SecretBox box = seal::SecretBox::open(env, key);
  std::unique_ptr<Platform> platform(new Platform(env, std::move(options), box));
  store::SqliteOptions control;
  control.path = joined(platform->options_.data_dir, "control.db");
  platform->control_ = store::open_sqlite(control, env);
  store::migrate(*platform->control_, store::migrations_of(embedded::control_migrations()),
                 env.now_ms());
  platform->identity_ = std::make_unique<label::Identity>(env, *platform->control_, platform->box_);
  platform->start_completion_writer();
  return platform;
}

Platform::Platform(Env& env, PlatformOptions options, seal::SecretBox box)
    : env_(env),
      options_(std::move(options)),
      box_(std::move(box)),
      kept_(env, options_.keep, box_.keyed_digest("feedback", "mac of answers")),
      rate_(options_.rate),
      labelling_rate_(options_.labelling_rate),
      stranger_rate_(options_.stranger_rate) {}

Platform::~Platform() = default;

void Platform::start_completion_writer() {
  completion_writer_ = std::make_unique<CompletionWriter>(
      env_, kept_,
      CompletionWriter::Ports{.organisation = [this](const std::string& id)
                                  -> label::Organisation& { return organisation(id); },
                              .open_organisations = [this] { return open_organisations(); }});
  kept_.on_consented([this](feedback::KeptPointer completion) {
    completion_writer_->push(std::move(completion));
  });
}

std::string Platform::organisation_folder(std::string_view organisation_id) const {
  return joined(options_.data_dir, "orgs/") + std::string(organisation_id);
}

Platform::OpenOrganisation& Platform::opened(std::string_view organisation_id) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = organisations_.find(organisation_id);
    if (found != organisations_.end()) return *found->second;
  }
  const label::OrganisationRecord record = identity_->read(
      [&](store::Connection& db) { return identity_->organisation(db, organisation_id); });
  // Opening takes a while and happens once; requests of other organisations that are open already
  // have left above only if they came before, so the lock is short-lived trouble at a start.
  const std::lock_guard lock(mutex_);
  const auto found = organisations_.find(organisation_id);
  if (found != organisations_.end()) return *found->second;
  label::OrganisationOptions options = options_.organisation;
  options.public_id = record.id;
  // Organisations are made before control.db knows them, so this one's labels were there: an empty
  // database in their place would hide that they are gone.
  const std::string folder = organisation_folder(record.id);
  if (!env_.exists(joined(folder, "org.db"))) {
    throw Error(
        ErrorCode::kCorruptData,
        folder + "/org.db is missing: put the data folder back from a backup (hone restore)");
  }
  auto entry = std::make_unique<OpenOrganisation>();
  entry->organisation = label::Organisation::open(env_, folder, options);
  repair_members(*entry, record.key);
  return *organisations_.emplace(record.id, std::move(entry)).first->second;
}

label::Organisation& Platform::organisation(std::string_view organisation_id) {
  return *opened(organisation_id).organisation;
}

std::vector<label::Organisation*> Platform::open_organisations() {
  const std::lock_guard lock(mutex_);
  std::vector<label::Organisation*> all;
  for (const auto& [id, entry] : organisations_) all.push_back(entry->organisation.get());
  return all;
}

label::Organisation& Platform::make_organisation_database(const std::string& id) {
  label::OrganisationOptions options = options_.organisation;
  options.public_id = id;
  auto entry = std::make_unique<OpenOrganisation>();
  entry->organisation = label::Organisation::open(env_, organisation_folder(id), options);
  const std::lock_guard lock(mutex_);
  return *organisations_.emplace(id, std::move(entry)).first->second->organisation;
}

void Platform::repair_members(OpenOrganisation& entry, int64_t organisation_key) {
  const auto everybody = identity_->read(
      [&](store::Connection& db) { return identity_->everybody(db, organisation_key); });
  label::Organisation& organisation = *entry.organisation;
  std::vector<const label::PersonRecord*> missing;
  organisation.read([&](store::Connection& db) {
    for (const label::PersonRecord& person : everybody) {
      const auto member = label::find_member(db, person.id);
      if (member) {
        entry.members[person.id] = member->id;
      } else {
        missing.push_back(&person);
      }
    }
  });
  if (missing.empty()) return;
  const auto made = organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
    std::vector<label::Member> members;
    for (const label::PersonRecord* person : missing) {
      members.push_back(label::ensure_member(
          organisation, tx, label::system_actor(),
          {.person_id = person->id, .name = person->name, .skills = {}, .languages = {}}));
    }
    return members;
  });
  for (const label::Member& member : made) entry.members[member.person_id] = member.id;
}

label::Actor Platform::actor(const label::Principal& principal) {
  label::Actor actor;
  actor.id = principal.actor_id();
  actor.role = principal.role;
  OpenOrganisation& entry = opened(principal.organisation_id);
  {
    const std::lock_guard lock(mutex_);
    const auto found = entry.members.find(principal.person_id);
    if (found != entry.members.end()) {
      actor.member_id = found->second;
      return actor;
    }
  }
  label::Organisation& organisation = *entry.organisation;
  const label::Member member =
      organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
        return label::ensure_member(organisation, tx, label::system_actor(),
                                    {.person_id = principal.person_id,
                                     .name = principal.person_name,
                                     .skills = {},
                                     .languages = {}});
      });
  const std::lock_guard lock(mutex_);
  entry.members[principal.person_id] = member.id;
  actor.member_id = member.id;
  return actor;
}

JobRunner& Platform::job_runner() {
  if (job_runner_ == nullptr) {
    throw Error(ErrorCode::kConflict,
                "this server runs no background jobs; start it with hone up or hone serve");
  }
  return *job_runner_;
}

ModelAnswers& Platform::model_answers() {
  if (model_answers_ == nullptr) {
    throw Error(ErrorCode::kConflict,
                "this server answers from no model; start it with --model FILE");
  }
  return *model_answers_;
}

ModelHost& Platform::model_host() {
  if (model_host_ == nullptr) {
    throw Error(ErrorCode::kConflict,
                "this server keeps no model files; start it with hone up or hone serve");
  }
  return *model_host_;
}

const OfferedModel& Platform::model(std::string_view name) const {
  std::string known;
  for (const OfferedModel& each : options_.models) {
    if (each.name == name) return each;
    if (!known.empty()) known += ", ";
    known += each.name;
  }
  throw not_found("there is no model of that name; this server offers " +
                  (known.empty() ? "none: start it with --model" : known));
}

void Platform::set_demo_project(std::string organisation_id, std::string project_id) {
  const std::lock_guard lock(mutex_);
  demo_projects_[std::move(organisation_id)] = std::move(project_id);
}

std::optional<std::string> Platform::demo_project(std::string_view organisation_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = demo_projects_.find(organisation_id);
  if (found == demo_projects_.end()) return std::nullopt;
  return found->second;
}

void Platform::set_stopping() {
  stopping_.store(true);
  events_.close_all();
}

Platform::KeyHold::KeyHold(Platform& platform, std::string key)
    : platform_(platform), key_(std::move(key)) {
  std::unique_lock lock(platform_.hold_mutex_);
  const auto is_free = [&] {
    return platform_.held_.size() < kHeldMax &&
           std::find(platform_.held_.begin(), platform_.held_.end(), key_) == platform_.held_.end();
  };
  if (!platform_.hold_changed_.wait_for(lock, std::chrono::seconds(kHoldWaitSeconds), is_free)) {
    throw Error(ErrorCode::kBusy, "the same request is still being worked on; ask again");
  }
  platform_.held_.push_back(key_);
}

Platform::KeyHold::~KeyHold() {
  {
    const std::lock_guard lock(platform_.hold_mutex_);
    std::erase(platform_.held_, key_);
  }
  platform_.hold_changed_.notify_all();
}

}  // namespace hone::api
