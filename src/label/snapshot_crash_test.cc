// Snapshots that are broken off: by the end of the process at any moment, by a disk that forgets what
// was not synced, by a disk that refuses.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "base/fault_env.h"
#include "label/events.h"
#include "label/import.h"
#include "label/snapshots.h"
#include "label/splits.h"
#include "label/testing.h"

namespace hone::label {
namespace {

// Calls `at_step` before everything that is asked of the world while a snapshot is made.
class SteppedEnv : public TestEnv {
 public:
  using TestEnv::TestEnv;
  std::function<void()> at_step = [] {};

  std::unique_ptr<WritableFile> create_file(const std::string& path) override {
    at_step();
    return std::make_unique<File>(*this, TestEnv::create_file(path));
  }
  std::vector<std::string> list_directory(const std::string& path) override {
    at_step();
    return TestEnv::list_directory(path);
  }
  void create_directories(const std::string& path) override {
    at_step();
    TestEnv::create_directories(path);
  }
  void rename(const std::string& from, const std::string& to) override {
    at_step();
    TestEnv::rename(from, to);
  }
  void remove_all(const std::string& path) override {
    at_step();
    TestEnv::remove_all(path);
  }
  void sync_directory(const std::string& path) override {
    at_step();
    TestEnv::sync_directory(path);
  }
  int64_t now_ms() override {
    at_step();
    return TestEnv::now_ms();
  }

 private:
  class File : public WritableFile {
   public:
    File(SteppedEnv& env, std::unique_ptr<WritableFile> file) : env_(env), file_(std::move(file)) {}
    void append(std::string_view bytes) override {
      env_.at_step();
      file_->append(bytes);
    }
    void sync() override {
      env_.at_step();
      file_->sync();
    }
    void close() override {
      env_.at_step();
      file_->close();
    }

   private:
    SteppedEnv& env_;
    std::unique_ptr<WritableFile> file_;
  };
};

OrganisationOptions quiet() {
  OrganisationOptions options;
  options.background = false;
  return options;
}

class SnapshotCrash : public ::testing::Test {
 protected:
  SnapshotCrash() {
    ImportRequest request;
    request.project = project_.public_id;
    request.name = "rows";
    Importer importer(test_.org(), manager_, request);
    for (int i = 0; i < 20; ++i) {
      importer.feed(R"({"prompt":"Prompt )" + std::to_string(i) +
                    R"(","left":"one","right":"two","winner":"left","worker":"w1"})" + "\n");
    }
    EXPECT_EQ(importer.finish().errors, 0);
    freeze_splits(test_.org(), manager_, project_.public_id, 0.25, "seed");
  }

  Snapshot make(Organisation& organisation) {
    SnapshotRequest request;
    request.name = "broken off";
    request.program_version = "1.2.3";
    return create_snapshot(organisation, manager_, project_.public_id, request);
  }

  // In a process of its own, which ends at the given step without another word. True when it was
  // done before.
  bool make_and_die_at(int step) {
    test_.organisation.reset();
    const pid_t child = fork();
    if (child == 0) {
      SteppedEnv env(static_cast<uint64_t>(step) + 100);
      const auto organisation = Organisation::open(env, test_.folder, quiet());
      int steps = 0;
      env.at_step = [&] {
        if (++steps == step) _exit(9);
      };
      make(*organisation);
      _exit(0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status) == 0;
  }

  std::vector<std::string> folders() {
    const std::string path = test_.folder + "/snapshots";
    if (!real_env().is_directory(path)) return {};
    return real_env().list_directory(path);
  }
  // Every snapshot is ready and whole, or failed and without files and links.
  void expect_no_halves() {
    EXPECT_EQ(test_.number("SELECT count(*) FROM snapshot WHERE state = 'making'"), 0);
    EXPECT_EQ(test_.number("SELECT count(*) FROM snapshot_annotation l JOIN snapshot s"
                           " ON s.id = l.snapshot_id WHERE s.state <> 'ready'"),
              0);
    for (const std::string& name : folders()) {
      EXPECT_EQ(test_.text("SELECT state FROM snapshot WHERE public_id = '" + name + "'"), "ready")
          << name;
      EXPECT_EQ(verify_snapshot(test_.org(), name), "");
    }
    EXPECT_EQ(test_.number("SELECT count(*) FROM snapshot WHERE state = 'ready'"),
              static_cast<int64_t>(folders().size()));
  }

  TestOrganisation test_;
  Actor manager_ = test_.person("manager", Role::kManager);
  Project project_ = test_.pairwise();
};

TEST_F(SnapshotCrash, AProcessThatEndsAtAnyStepLeavesNoHalfOfASnapshot) {
  int step = 1;
  bool is_done = false, was_making = false;
  for (; step < 200 && !is_done; ++step) {
    is_done = make_and_die_at(step);
    was_making = was_making || !folders().empty();
    test_.open();
    SCOPED_TRACE("died at step " + std::to_string(step));
    expect_no_halves();
    if (HasFailure()) return;
  }
  EXPECT_TRUE(is_done);
  EXPECT_TRUE(was_making);
  EXPECT_GT(step, 15);  // files, folders and times
  const int64_t failed = test_.number("SELECT count(*) FROM snapshot WHERE state = 'failed'");
  EXPECT_GT(failed, 10);
  EXPECT_EQ(test_.number("SELECT count(*) FROM event WHERE kind = 'snapshot.state_changed'"
                         " AND from_state = 'making' AND to_state = 'failed'"),
            failed);
  EXPECT_TRUE(verify_chain(test_.org()).intact);
  EXPECT_EQ(make(test_.org()).state, "ready");
}

TEST_F(SnapshotCrash, WhatIsReadyAndWhatNobodyHereMadeStaysAtTheStart) {
  const Snapshot ready = make(test_.org());
  // As after a backup of an older day was put back: a folder that the database does not know.
  real_env().create_directories(test_.folder + "/snapshots/snp_unknown");
  real_env().create_directories(test_.folder + "/snapshots/" + ready.public_id + ".part");
  test_.open();
  EXPECT_EQ(folders(), (std::vector<std::string>{ready.public_id, "snp_unknown"}));
  EXPECT_EQ(verify_snapshot(test_.org(), ready.public_id), "");
}

TEST_F(SnapshotCrash, ADiskThatRefusesAtAnyStepLeavesNoHalfOfASnapshot) {
  test_.organisation.reset();
  SteppedEnv env(7);
  auto organisation = Organisation::open(env, test_.folder, quiet());
  bool is_done = false;
  int step = 1;
  for (; step < 200 && !is_done; ++step) {
    int steps = 0;
    env.at_step = [&] {
      if (++steps == step) throw Error(ErrorCode::kUnavailable, "the disk refuses");
    };
    try {
      make(*organisation);
      is_done = true;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable) << error.message();
    }
    env.at_step = [] {};
    SCOPED_TRACE("refused at step " + std::to_string(step));
    EXPECT_EQ(organisation->read([](store::Connection& db) {
      return db.query_int64("SELECT count(*) FROM snapshot WHERE state = 'making'").value_or(-1);
    }),
              0);
    EXPECT_EQ(folders().size(), is_done ? 1u : 0u);
    if (HasFailure()) return;
  }
  EXPECT_TRUE(is_done);
  organisation.reset();
  test_.open();
  expect_no_halves();
}

// The folder `snapshots` and all in it on a disk that forgets what was not synced; the rest is real.
class ForgetfulEnv : public TestEnv {
 public:
  ForgetfulEnv(uint64_t seed, std::string folder) : TestEnv(seed), folder_(std::move(folder)) {
    disk.create_directories(folder_);
    for (size_t slash = folder_.find('/', 1); slash != std::string::npos;
         slash = folder_.find('/', slash + 1)) {
      disk.sync_directory(folder_.substr(0, slash));
    }
    disk.sync_directory("/");
  }
  FaultEnv disk;

  std::unique_ptr<WritableFile> create_file(const std::string& path) override {
    return of(path).create_file(path);
  }
  bool is_directory(const std::string& path) override { return of(path).is_directory(path); }
  std::vector<std::string> list_directory(const std::string& path) override {
    return of(path).list_directory(path);
  }
  void create_directories(const std::string& path) override { of(path).create_directories(path); }
  void rename(const std::string& from, const std::string& to) override { of(to).rename(from, to); }
  void remove_all(const std::string& path) override { of(path).remove_all(path); }
  void sync_directory(const std::string& path) override {
    of(path).sync_directory(path);
    if (path == folder_) disk.sync_directory(path);
  }

 private:
  Env& of(const std::string& path) {
    return path.rfind(folder_ + "/snapshots", 0) == 0 ? static_cast<Env&>(disk) : real_env();
  }
  const std::string folder_;
};

TEST_F(SnapshotCrash, AReadySnapshotOutlivesACutOfPower) {
  test_.organisation.reset();
  ForgetfulEnv env(8, test_.folder);
  auto organisation = Organisation::open(env, test_.folder, quiet());
  const Snapshot made = make(*organisation);
  env.disk.crash();
  organisation.reset();
  organisation = Organisation::open(env, test_.folder, quiet());
  const std::string folder = snapshot_folder(*organisation, made.public_id);
  ASSERT_TRUE(env.disk.is_directory(folder));
  EXPECT_EQ(env.disk.list_directory(folder).size(), std::size(kSnapshotFiles));
  const std::string manifest = env.disk.read_file(folder + "/manifest.json", 1 << 20);
  const Json files = Json::parse(manifest).value().at("files");
  for (const char* name : {"train.jsonl", "heldout.jsonl"}) {
    EXPECT_EQ(static_cast<int64_t>(env.disk.file_size(folder + "/" + name)),
              files.at(name).at("bytes").as_int());
  }
}

}  // namespace
}  // namespace hone::label
