// Splits, snapshots and erasure: what becomes of labels after they were given.

#include "data/dataset.h"

#include <gtest/gtest.h>

#include "data/data_check.h"
#include "label/erasure.h"
#include "label/events.h"
#include "label/import.h"
#include "label/snapshots.h"
#include "label/splits.h"
#include "label/testing.h"

namespace hone::label {
namespace {

class Dataset : public ::testing::Test {
 protected:
  ImportState import(std::string_view bytes) {
    ImportRequest request;
    request.project = project_.public_id;
    request.name = "rows";
    Importer importer(test_.org(), manager_, request);
    importer.feed(bytes);
    return importer.finish();
  }
  // Prompts from..to, two models' answers each, everybody for the left.
  void add(int from, int to) {
    std::string text;
    for (int i = from; i < to; ++i) {
      for (const char* other : {"two", "three"}) {
        text += R"({"prompt":"Prompt )" + std::to_string(i) + R"(","left":"one","right":")" +
                other + R"(","winner":"left","worker":"w1"})" + "\n";
      }
    }
    EXPECT_EQ(import(text).errors, 0);
  }
  SplitCounts freeze(double fraction = 0.25) {
    return freeze_splits(test_.org(), manager_, project_.public_id, fraction, "seed");
  }
  Snapshot snapshot(ExportFormat format = ExportFormat::kPreferences) {
    SnapshotRequest request;
    request.name = "first";
    request.program_version = "1.2.3";
    request.filter.format = format;
    return create_snapshot(test_.org(), manager_, project_.public_id, request);
  }
  std::string file(const Snapshot& snapshot, const char* name) {
    return real_env().read_file(snapshot_file(test_.org(), snapshot.public_id, name), 1 << 24);
  }

  TestOrganisation test_;
  Actor manager_ = test_.person("manager", Role::kManager);
  Project project_ = test_.pairwise();
};

TEST_F(Dataset, AFrozenSplitKeepsEveryPromptOnOneSideAlsoForLaterImports) {
  add(0, 200);
  const SplitCounts first = freeze();
  EXPECT_EQ(first.train + first.heldout, 400);
  EXPECT_GT(first.heldout, 50);
  EXPECT_LT(first.heldout, 160);
  EXPECT_EQ(error_from([&] { freeze(); }).code(), ErrorCode::kConflict);
  add(100, 300);  // half of the prompts are known, with the same texts: duplicates
  import(R"({"prompt":"prompt  1","left":"x","right":"y"})");  // a known prompt in other letters
  EXPECT_EQ(test_.number("SELECT count(*) FROM task WHERE split = ''"), 0);
  EXPECT_EQ(test_.number("SELECT count(*) FROM (SELECT group_digest FROM task GROUP BY group_digest"
                         " HAVING count(DISTINCT split) > 1)"),
            0);
  EXPECT_NO_THROW(check_splits(test_.org(), test_.read_project(project_)));
  EXPECT_EQ(error_from([&] {
              freeze_splits(test_.org(), manager_, test_.pairwise().public_id, 0.7);
            }).code(),
            ErrorCode::kInvalidInput);
}

TEST_F(Dataset, AFreezeThatWasCutShortIsFinished) {
  add(0, 50);
  test_.write([](store::Transaction& tx) {
    tx.execute(
        "UPDATE project SET split_state = 'frozen', split_seed = 's', heldout_fraction = 0.5");
  });
  EXPECT_EQ(test_.number("SELECT count(*) FROM task WHERE split = ''"), 100);
  finish_splits(test_.org(), project_.id);
  EXPECT_EQ(test_.number("SELECT count(*) FROM task WHERE split = ''"), 0);
}

TEST_F(Dataset, APromptOnBothSidesIsFoundByItsTextAndRefused) {
  add(0, 40);
  freeze();
  test_.write([](store::Transaction& tx) {
    tx.execute(
        "UPDATE task SET split = CASE WHEN split = 'train' THEN 'heldout' ELSE 'train' END"
        " WHERE id = 1");
  });
  const Error found = error_from([&] { check_splits(test_.org(), test_.read_project(project_)); });
  EXPECT_EQ(found.code(), ErrorCode::kConflict);
  EXPECT_NE(found.message().find("prompt 0"), std::string::npos) << found.message();
  EXPECT_EQ(error_from([&] { snapshot(); }).code(), ErrorCode::kConflict);
  EXPECT_EQ(test_.number("SELECT count(*) FROM snapshot WHERE state = 'failed'"), 1);
  EXPECT_EQ(real_env().list_directory(test_.folder + "/snapshots").size(), 0u);
}

TEST_F(Dataset, ASnapshotHasItsRowsADigestAndItsLabels) {
  add(0, 60);
  freeze();
  const Snapshot made = snapshot();
  EXPECT_EQ(made.state, "ready");
  EXPECT_EQ(made.rows_train + made.rows_heldout, 120);
  EXPECT_GT(made.rows_heldout, 0);
  EXPECT_EQ(made.annotations, 120);
  EXPECT_EQ(test_.number("SELECT count(*) FROM snapshot_annotation"), 120);
  const data::Dataset train =
      data::load_dataset(real_env(), snapshot_file(test_.org(), made.public_id, "train.jsonl"));
  const data::Dataset heldout =
      data::load_dataset(real_env(), snapshot_file(test_.org(), made.public_id, "heldout.jsonl"));
  EXPECT_EQ(static_cast<int64_t>(train.rows.size()), made.rows_train);
  const data::DataReport report = data::check_data(train, &heldout, {});
  EXPECT_EQ(report.shared_prompts.count + report.shared_rows.count + report.duplicates.count, 0u);
  const Json manifest = Json::parse(file(made, "manifest.json")).value();
  EXPECT_EQ(manifest.dump_canonical(), file(made, "manifest.json"));
  EXPECT_EQ(manifest.at("program_version").as_string(), "1.2.3");
  EXPECT_EQ(manifest.at("files").at("train.jsonl").at("sha256").as_string(), train.digest);
  EXPECT_EQ(verify_snapshot(test_.org(), made.public_id), "");
  EXPECT_EQ(error_from([&] { snapshot_file(test_.org(), made.public_id, "../org.db"); }).code(),
            ErrorCode::kNotFound);
  EXPECT_EQ(test_.org()
                .read([&](store::Connection& db) {
                  return list_snapshots(db, project_.id, std::nullopt, 10);
                })
                .size(),
            1u);
}

TEST_F(Dataset, TheSameLabelsGiveTheSameBytesAndAChangedByteIsFound) {
  add(0, 30);
  freeze();
  const Snapshot one = snapshot();
  test_.env.advance_ms(1000);
  test_.open();
  const Snapshot two = snapshot();
  EXPECT_NE(one.public_id, two.public_id);
  EXPECT_EQ(one.digest, two.digest);
  for (const std::string_view name : kSnapshotFiles) {
    EXPECT_EQ(file(one, std::string(name).c_str()), file(two, std::string(name).c_str()));
  }
  add(30, 31);
  EXPECT_NE(snapshot().digest, one.digest);
  EXPECT_EQ(verify_snapshot(test_.org(), one.public_id), "");
  const std::string path = snapshot_file(test_.org(), two.public_id, "train.jsonl");
  std::string bytes = real_env().read_file(path, 1 << 24);
  bytes[10] = static_cast<char>(bytes[10] ^ 1);
  write_file_atomically(real_env(), path, bytes);
  EXPECT_NE(verify_snapshot(test_.org(), two.public_id).find("changed"), std::string::npos);
}

TEST_F(Dataset, AProjectWithoutLabelsHasNoSnapshot) {
  import(R"({"prompt":"p","left":"a","right":"b"})");
  const Error refused = error_from([&] { snapshot(); });
  EXPECT_EQ(refused.code(), ErrorCode::kConflict);
  EXPECT_NE(refused.message().find("1 have too few labels"), std::string::npos)
      << refused.message();
  EXPECT_EQ(error_from([&] { snapshot(ExportFormat::kLabelStudio); }).code(),
            ErrorCode::kInvalidInput);
}

TEST_F(Dataset, AnErasedTaskLeavesATombstoneAndTheChainAndNamesItsSnapshots) {
  import(
      R"({"id":"secret-id","prompt":"secret","left":"a","right":"b","winner":"left","worker":"w"})"
      "\n"
      R"({"prompt":"other","left":"a","right":"b","winner":"left","worker":"w"})"
      "\n"
      R"({"prompt":"open","left":"a","right":"b"})");
  const Snapshot before = snapshot();
  const Erased erased =
      erase_task(test_.org(), manager_, test_.text("SELECT public_id FROM task WHERE id = 1"));
  EXPECT_EQ(erased.annotations, 1);
  EXPECT_EQ(erased.snapshots, std::vector<std::string>{before.public_id});
  EXPECT_EQ(test_.text("SELECT body FROM task_body WHERE task_id = 1"), R"({"erased":true})");
  EXPECT_EQ(test_.number("SELECT count(*) FROM task WHERE external_id IS NOT NULL"), 0);
  EXPECT_EQ(test_.text("SELECT choice FROM annotation WHERE task_id = 1"), "first");
  EXPECT_TRUE(verify_chain(test_.org()).intact);
  EXPECT_EQ(test_.recount(project_), std::vector<std::string>{});
  const Snapshot after = snapshot();
  EXPECT_EQ(after.rows_train, 1);
  EXPECT_EQ(file(after, "train.jsonl").find("secret"), std::string::npos);
  for (const ExportFormat format : {ExportFormat::kAnnotations, ExportFormat::kLabelStudio}) {
    std::string text;
    ExportRequest request;
    request.format = format;
    request.min_annotations = 0;
    export_project(test_.org(), test_.read_project(project_), request,
                   [&](std::string_view chunk) { text += chunk; });
    EXPECT_EQ(text.find("secret"), std::string::npos);
  }
  // An open task cannot be labelled any more; what is gone may come in anew.
  erase_task(test_.org(), manager_, test_.text("SELECT public_id FROM task WHERE id = 3"));
  EXPECT_EQ(test_.text("SELECT state FROM task WHERE id = 3"), "cancelled");
  EXPECT_EQ(test_.recount(project_), std::vector<std::string>{});
  EXPECT_EQ(import(R"({"prompt":"open","left":"a","right":"b"})").created, 1);
  EXPECT_EQ(error_from([&] { erase_task(test_.org(), manager_, "tsk_none"); }).code(),
            ErrorCode::kNotFound);
}

TEST_F(Dataset, AnErasedPersonKeepsChoicesAndLosesWords) {
  NewProject wanted;
  wanted.name = "texts";
  wanted.task_type = "text";
  const Project texts = test_.project(wanted);
  ImportRequest request;
  request.project = texts.public_id;
  Importer importer(test_.org(), manager_, request);
  importer.feed(R"({"prompt":"p","response":"helo"})");
  importer.finish();
  const Actor ann = test_.person("ann");
  const auto next = test_.next(ann, texts);
  test_.answer(ann, next.leases[0].public_id, R"({"correction":"my own words"})");
  test_.write([](store::Transaction& tx) {
    tx.execute("UPDATE annotation_body SET rationale = 'because I say so'");
  });
  SnapshotRequest made;
  made.name = "texts";
  made.filter.format = ExportFormat::kSft;
  const Snapshot before = create_snapshot(test_.org(), manager_, texts.public_id, made);
  const Erased erased = erase_person(test_.org(), manager_, ann.id);
  EXPECT_EQ(erased.annotations, 1);
  EXPECT_EQ(erased.snapshots, std::vector<std::string>{before.public_id});
  EXPECT_EQ(test_.number("SELECT count(*) FROM annotation_body WHERE answer LIKE '%words%' OR"
                         " rationale <> ''"),
            0);
  EXPECT_EQ(test_.number("SELECT count(*) FROM member WHERE name = 'ann'"), 0);
  EXPECT_TRUE(verify_chain(test_.org()).intact);
  EXPECT_EQ(
      error_from([&] { create_snapshot(test_.org(), manager_, texts.public_id, made); }).code(),
      ErrorCode::kConflict);
  EXPECT_EQ(error_from([&] { erase_person(test_.org(), manager_, "usr_none"); }).code(),
            ErrorCode::kNotFound);
}

}  // namespace
}  // namespace hone::label
