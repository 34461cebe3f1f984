// hone feedback list | export | rules | rule, as an operator calls them on a data folder.

#include <gtest/gtest.h>

#include "api/setup.h"
#include "cli/testing.h"
#include "label/feedback.h"
#include "label/members.h"
#include "label/projects.h"

namespace hone::cli {
namespace {

class FeedbackCommandTest : public FolderTest {
 protected:
  void SetUp() override {
    api::PlatformOptions options;
    options.data_dir = path("data");
    options.version = "test";
    const auto platform = api::Platform::open(real_env(), std::move(options));
    const auto made =
        api::add_organisation(*platform, {.name = "Acme", .owner_name = "Ada"}, "system");
    label::Organisation& organisation = platform->organisation(made.organisation.id);
    const label::Member ada = *organisation.read(
        [&](store::Connection& db) { return label::find_member(db, made.owner.id); });
    organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
      label::NewProject wanted;
      wanted.name = "Bad answers";
      wanted.task_type = "text";
      project_ = label::create_project(organisation, tx, label::system_actor(), wanted).public_id;
      label::NewFeedback said;
      said.kind = label::FeedbackKind::kEdit;
      said.verdict = "edited";
      said.edited = "Tea is a drink.";
      said.consent = true;
      said.answers.resize(1);
      said.answers[0].head.id = "chatcmpl-1";
      said.answers[0].head.settings = Json::object();
      said.answers[0].head.messages =
          Json::parse(R"([{"role":"user","content":"What is tea?"}])").value();
      said.answers[0].choice.text = "A drnk.";
      label::give_feedback(organisation, tx, {ada.person_id, ada.id, label::Role::kOwner}, said);
    });
  }

  std::string call(const Arguments& words) const {
    const Answer answer = cli::call(run_feedback, with(words, "", {"--data-dir", path("data")}));
    return answer.error.empty() ? answer.out : "refused: " + answer.error;
  }

  std::string project_;
};

TEST_F(FeedbackCommandTest, ListsAndExportsWhatWasSaid) {
  EXPECT_NE(call({"list"}).find("edit edited  Ada  What is tea?"), std::string::npos)
      << call({"list"});
  EXPECT_EQ(call({"list", "--kind", "report"}), "");
  EXPECT_NE(call({"list", "--json"}).find("\"text\":\"Tea is a drink.\""), std::string::npos);
  const std::string file = path("rows.jsonl");
  EXPECT_EQ(call({"export", "--format", "sft", "--output", file}), "1 rows in " + file + "\n");
  EXPECT_NE(real_env().read_file(file, 1 << 20).find("Tea is a drink."), std::string::npos);
  EXPECT_NE(call({"export", "--output", file}).find("refused"), std::string::npos);
}

TEST_F(FeedbackCommandTest, ARuleIsMadeChangedAndSwitchedOff) {
  EXPECT_NE(call({"rule", "bad"}).find("needs --source and --project"), std::string::npos);
  EXPECT_NE(call({"rule", "bad", "--source", "sometimes", "--project", project_}).find("refused"),
            std::string::npos);
  const std::string made =
      call({"rule", "bad", "--source", "thumbs_down", "--project", project_, "--share", "0.5"});
  EXPECT_NE(made.find("on   50 % of thumbs_down to " + project_), std::string::npos) << made;
  EXPECT_NE(call({"rule", "bad", "--daily-cap", "7", "--off"}).find("off  50 %"),
            std::string::npos);
  const std::string rules = call({"rules", "--json"});
  EXPECT_NE(rules.find("\"daily_cap\":7"), std::string::npos) << rules;
  EXPECT_NE(rules.find("\"on\":false"), std::string::npos);
}

}  // namespace
}  // namespace hone::cli
