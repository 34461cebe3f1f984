#pragma once
// For tests of this room and of those above it: an organisation in a folder that is gone afterwards,
// a clock that stands until it is set, entropy from a seed, and projects with tasks in them.

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/forwarding_env.h"
#include "base/rng.h"
#include "label/annotations.h"
#include "label/members.h"
#include "label/organisation.h"
#include "label/projects.h"
#include "label/queue.h"

namespace hone::label {

// The real files, a clock and entropy of the test's own.
class TestEnv : public ForwardingEnv {
 public:
  explicit TestEnv(uint64_t seed) : ForwardingEnv(real_env()), rng_(seed, rng_stream("test")) {}

  int64_t now_ms() override { return now_ms_; }
  double steady_seconds() override { return static_cast<double>(now_ms_) / 1000.0; }
  void random_bytes(void* out, size_t n) override {
    const std::lock_guard lock(mutex_);
    auto* bytes = static_cast<unsigned char*>(out);
    for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<unsigned char>(rng_.next_u64());
  }

  void set_now_ms(int64_t now_ms) { now_ms_ = now_ms; }
  void advance_ms(int64_t ms) { now_ms_ += ms; }

 private:
  std::atomic<int64_t> now_ms_ = 1'800'000'000'000;
  std::mutex mutex_;
  Rng rng_;  // guarded by mutex_
};

class TestOrganisation {
 public:
  explicit TestOrganisation(uint64_t seed = 1) : env(seed) {
    uint64_t unique = 0;
    real_env().random_bytes(&unique, sizeof unique);
    folder = (std::filesystem::temp_directory_path() / ("hone_label_" + std::to_string(unique)))
                 .string();
    open();
  }
  ~TestOrganisation() {
    organisation.reset();
    real_env().remove_all(folder);
  }
  TestOrganisation(const TestOrganisation&) = delete;
  TestOrganisation& operator=(const TestOrganisation&) = delete;

  // Closes what was open and opens it again, as after the end of the process.
  void open() {
    organisation.reset();
    OrganisationOptions options;
    options.background = false;
    organisation = Organisation::open(env, folder, options);
  }
  Organisation& org() { return *organisation; }

  // The files as they are now, and back to them: what a cut of power leaves when nothing that was
  // written since had reached the disk. Between the two only kProcess writes may happen, since a
  // kDisk one would have.
  void save_files() {
    for (const char* name : {"/org.db", "/org.db-wal"}) {
      std::filesystem::copy_file(folder + name, folder + name + ".saved",
                                 std::filesystem::copy_options::overwrite_existing);
    }
  }
  void lose_power() {
    organisation.reset();
    real_env().remove_all(folder + "/org.db-shm");
    for (const char* name : {"/org.db", "/org.db-wal"}) {
      std::filesystem::rename(folder + name + ".saved", folder + name);
    }
    open();
  }

  template <class F>
  auto write(F&& f) {
    return organisation->write(store::Durability::kProcess, std::forward<F>(f));
  }

  Actor person(const std::string& name, Role role = Role::kAnnotator,
               std::vector<std::string> skills = {}, std::vector<std::string> languages = {}) {
    const Member member = write([&](store::Transaction& tx) {
      return ensure_member(org(), tx, system_actor(), {"usr_" + name, name, skills, languages});
    });
    return {member.person_id, member.id, role};
  }

  Project project(const NewProject& wanted) {
    return write(
        [&](store::Transaction& tx) { return create_project(org(), tx, system_actor(), wanted); });
  }
  Project pairwise(int64_t overlap = 1) {
    NewProject wanted;
    wanted.name = "pairs";
    wanted.task_type = "pairwise";
    wanted.overlap = overlap;
    return project(wanted);
  }
  Project read_project(const Project& project) {
    return org().read([&](store::Connection& db) { return get_project(db, project.id); });
  }

  // Rows of pairs straight into the tables, named by number; returns their public ids.
  std::vector<std::string> add_tasks(const Project& project, int64_t count, int64_t priority = 0,
                                     const std::string& language = "") {
    const int64_t wanted = read_project(project).overlap;
    return write([&](store::Transaction& tx) {
      std::vector<std::string> ids;
      for (int64_t i = 0; i < count; ++i) {
        const std::string number = std::to_string(++tasks_made_);
        ids.push_back("tsk_" + number);
        tx.execute(
            "INSERT INTO task (public_id, project_id, content_digest, group_digest, language,"
            " priority, state, slots, wanted, created_at_ms)"
            " VALUES ($1, $2, $3, $3, $4, $5, 'open', $6, $6, $7)",
            {ids.back(), project.id, store::Bytes{number}, language, priority, wanted,
             env.now_ms()});
        tx.execute("INSERT INTO task_body (task_id, body) VALUES ($1, $2)",
                   {tx.last_insert_id(),
                    R"({"prompt":"question )" + number + R"(","responses":[{"response_id":"rsp_a)" +
                        number + R"(","text":"one )" + number +
                        R"(","model":"m1"},{"response_id":"rsp_b)" + number + R"(","text":"two )" +
                        number + R"(","model":"m2"}]})"});
      }
      tx.execute("UPDATE project SET tasks = tasks + $2 WHERE id = $1", {project.id, count});
      return ids;
    });
  }

  NextResult next(const Actor& actor, const Project& project, size_t count = 1) {
    return lease_next(org(), actor, project.public_id, count);
  }
  Submitted answer(const Actor& actor, const std::string& assignment, const std::string& json,
                   const std::string& receipt = "") {
    Submission submission;
    submission.answer = Json::parse(json).value();
    submission.receipt = receipt;
    return organisation->write(store::Durability::kDisk, [&](store::Transaction& tx) {
      return submit(org(), tx, actor, assignment, submission);
    });
  }
  std::vector<std::string> recount(const Project& project) {
    return org().read([&](store::Connection& db) { return verify_counters(db, project.id); });
  }
  int64_t number(const std::string& sql) {
    return org().read([&](store::Connection& db) { return db.query_int64(sql).value_or(-1); });
  }
  std::string text(const std::string& sql) {
    return org().read([&](store::Connection& db) { return db.query_text(sql).value_or(""); });
  }

  TestEnv env;
  std::string folder;
  std::unique_ptr<Organisation> organisation;

 private:
  int64_t tasks_made_ = 0;
};

inline Error error_from(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return {ErrorCode::kInternal, "no error was thrown"};
}

}  // namespace hone::label
