#include "label/organisation.h"

#include <span>

#include "base/embedded_file.h"
#include "label/events.h"
#include "label/live_quality.h"
#include "label/overlap_change.h"
#include "label/project_quality.h"
#include "label/projects.h"
#include "label/public_id.h"
#include "label/queue.h"
#include "label/snapshots.h"
#include "seal/digest.h"
#include "store/migrate.h"
#include "store/sqlite_database.h"

namespace hone::embedded {
std::span<const EmbeddedFile> organisation_migrations();
}

namespace hone::label {
namespace {

struct Info {
  std::string public_id, digest_salt;
};

std::optional<Info> read_info(store::Connection& db) {
  return db.query_one("SELECT public_id, digest_salt FROM organisation_info WHERE id = 1", {},
                      [](const store::Row& row) {
                        return Info{row.string(0), std::string(row.bytes(1))};
                      });
}

Info make_info(Env& env, store::Transaction& tx, const std::string& public_id) {
  if (auto known = read_info(tx)) return *std::move(known);
  Info info{public_id.empty() ? make_public_id(env, "org") : public_id, std::string(32, '\0')};
  env.random_bytes(info.digest_salt.data(), info.digest_salt.size());
  tx.execute(
      "INSERT INTO organisation_info (id, public_id, digest_salt, created_at_ms)"
      " VALUES (1, $1, $2, $3)",
      {info.public_id, store::Bytes{info.digest_salt}, env.now_ms()});
  record_event(tx, env.now_ms(), system_actor(),
               {.kind = "organisation.created", .object = info.public_id});
  return info;
}

}  // namespace

Organisation::Organisation(Env& env, std::string folder) : env_(env), folder_(std::move(folder)) {}

Organisation::~Organisation() {
  live_.reset();      // its thread reads the database
  database_.reset();  // finishes the writes that wait, which use the caches
}

std::unique_ptr<Organisation> Organisation::open(Env& env, const std::string& folder,
                                                 const OrganisationOptions& options) {
  create_directories_durably(env, folder);
  std::unique_ptr<Organisation> organisation(new Organisation(env, folder));
  organisation->initialise(options);
  return organisation;
}

void Organisation::initialise(const OrganisationOptions& options) {
  store::SqliteOptions sqlite;
  sqlite.path = folder_ + "/org.db";
  sqlite.vfs = options.vfs;
  queue_ = std::make_unique<Queue>();
  reports_ = std::make_unique<ReportCache>();
  database_ = store::open_sqlite(sqlite, env_);
  store::migrate(*database_, store::migrations_of(embedded::organisation_migrations()),
                 env_.now_ms());
  std::optional<Info> info = read([](store::Connection& db) { return read_info(db); });
  if (!info) {
    info = write(store::Durability::kDisk,
                 [&](store::Transaction& tx) { return make_info(env_, tx, options.public_id); });
  }
  public_id_ = info->public_id;
  digest_salt_ = info->digest_salt;
  live_ = std::make_unique<LiveQuality>(*this, options.background);
  finish_overlap_changes(*this);
  recount(options.recount_tasks_max);
  end_broken_snapshots(*this);
}

void Organisation::recount(int64_t tasks_max) {
  const auto projects = read([&](store::Connection& db) {
    return db.query_all("SELECT id FROM project WHERE tasks <= $1 AND state <> 'archived'",
                        {tasks_max}, [](const store::Row& row) { return row.int64(0); });
  });
  int64_t left = tasks_max;  // of all projects together: the start stays quick
  for (const int64_t project : projects) {
    const auto [tasks, wrong] = read([&](store::Connection& db) {
      const int64_t count =
          db.query_int64("SELECT tasks FROM project WHERE id = $1", {project}).value_or(0);
      return std::pair(count,
                       count <= left ? verify_counters(db, project) : std::vector<std::string>());
    });
    left -= tasks;
    if (wrong.empty()) continue;
    write(store::Durability::kDisk,
          [&](store::Transaction& tx) { repair_counters(*this, tx, system_actor(), project); });
  }
}

// Two nested hashes, so that knowing a digest does not let one extend its text.
std::string Organisation::salted_digest(std::string_view context, std::string_view text) const {
  std::string inner = digest_salt_;
  inner += std::to_string(context.size()) + ":";
  inner += context;
  inner += text;
  return seal::sha256_hex(digest_salt_ + seal::sha256_hex(inner));
}

void Organisation::begin_job() { queue_->begin_job(); }
void Organisation::drop_touched() { queue_->drop_touched(); }
void Organisation::drop_all_caches() { queue_->drop_all(); }

}  // namespace hone::label
