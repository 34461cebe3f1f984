// What a run's page reads: the log of completions, the labels that it saw, and the gates that a run
// must keep out of.
#include <map>

#include "api/completions_log.h"
#include "api/gate_overlap.h"
#include "api/job_runner.h"
#include "api/testing.h"
#include "label/organisation.h"
#include "label/runs.h"
#include "label/snapshots.h"
#include "registry/aliases.h"
#include "seal/digest.h"

namespace hone::api {
namespace {

using label::Role;

class RunApiTest : public ApiTest {
 protected:
  explicit RunApiTest(PlatformOptions options = {})
      : ApiTest(std::move(options)), place_(make_place("Acme")), owner_(*place_.owner) {}

  label::Organisation& organisation() { return platform_->organisation(place_.organisation.id); }

  // A project of these prompts, half of them held out by that seed, labelled by its owner.
  std::string make_snapshot(const std::string& name, int seed) {
    const std::string project =
        "/projects/" + owner_.post("/projects", R"({"name":"p","task_type":"pairwise"})")
                           .body.at("id")
                           .as_string();
    std::string rows;
    for (int i = 0; i < 12; ++i) {
      const std::string n = std::to_string(i);
      rows += R"({"prompt":"q)" + n + R"(","left":"a)" + n + R"(","right":"b)" + n + "\"}\n";
    }
    owner_.ask("POST", project + "/import", rows, {{"Content-Type", "application/octet-stream"}});
    owner_.post(project + "/splits",
                R"({"heldout_fraction":0.5,"seed":)" + std::to_string(seed) + "}");
    for (int i = 0; i < 12; ++i) {
      const Got next = owner_.post(project + "/next");
      if (next.status != 200) break;
      owner_.ask("PUT", "/assignments/" + next.body.at("assignment_id").as_string() + "/annotation",
                 R"({"answer":{"winner":"left"}})");
    }
    const Got made = owner_.post(project + "/snapshots", R"({"name":")" + name + "\"}");
    EXPECT_EQ(made.status, 201) << made.text;
    projects_[made.body.at("id").as_string()] = project;
    return made.body.at("id").as_string();
  }
  std::string make_run(const std::string& snapshot) {
    return organisation()
        .write(store::Durability::kDisk,
               [&](store::Transaction& tx) {
                 return label::create_run(organisation(), tx, label::system_actor(), snapshot,
                                          {"by hand", "grpo", "tiny", Json::object()});
               })
        .public_id;
  }
  void log(const std::string& run, const std::string& text) {
    const std::string folder = label::run_folder(organisation(), run);
    real_env().create_directories(folder);
    write_file_atomically(real_env(), folder + "/completions.jsonl", text);
  }

  Place place_;
  Visitor& owner_;
  std::map<std::string, std::string> projects_;  // by snapshot: the route of its project
};

std::string line(int step, const std::string& text, double exact, const std::string& length) {
  return R"({"step":)" + std::to_string(step) + R"(,"id":"p","prompt":"q","completion":")" + text +
         R"(","rewards":{"exact":)" + number_to_string(exact) + R"(,"length":)" + length +
         R"(},"advantage":)" + number_to_string(exact - 0.5) + R"(,"tokens":3,"ended":true})" +
         "\n";
}

TEST_F(RunApiTest, CompletionsAreSortedFilteredAndPagedWhileTheLogGrows) {
  const std::string run = make_run(make_snapshot("first", 1));
  const std::string path = "/runs/" + run + "/completions";
  const Got none = owner_.get(path);
  EXPECT_EQ(none.status, 200) << none.text;
  EXPECT_EQ(none.body.at("all").as_int(), 0);
  EXPECT_TRUE(none.body.at("next").is_null());

  const std::string whole = line(1, "a", 1, "0.5") + line(1, "b", 0, "null") + "not json\n" +
                            line(2, "c", 0.5, "0.25") + line(3, "d", 1, "0.75");
  log(run, whole + R"({"step":4,"completion":"half)");
  const auto texts = [&](const std::string& query) {
    const Got got = owner_.get(path + "?" + query);
    EXPECT_EQ(got.status, 200) << got.text;
    std::string all;
    for (const Json& item : got.body.at("items").as_array())
      all += item.at("completion").as_string();
    return all;
  };
  EXPECT_EQ(texts("limit=200"), "abcd");
  EXPECT_EQ(texts("order=desc"), "dcba");
  EXPECT_EQ(texts("sort=reward&reward=exact&order=desc"), "adcb");  // equal ones in the log's order
  EXPECT_EQ(texts("sort=reward&reward=length"), "cadb");            // b has no such value: last
  EXPECT_EQ(texts("sort=reward&reward=length&order=desc"), "dacb");
  EXPECT_EQ(texts("sort=advantage"), "bcad");
  EXPECT_EQ(texts("reward=length&reward_min=0.5"), "ad");
  EXPECT_EQ(texts("reward=length&reward_max=0.5"), "ac");
  EXPECT_EQ(texts("step_from=2&step_to=2"), "c");
  const Got head = owner_.get(path + "?limit=1&sort=reward&order=desc");
  EXPECT_EQ(head.body.at("found").as_int(), 4);
  EXPECT_EQ(head.body.at("last_step").as_int(), 3);
  EXPECT_EQ(head.body.at("rewards").dump(), R"(["exact","length"])");
  EXPECT_EQ(head.body.at("items").as_array()[0].at("completion").as_string(), "d");
  EXPECT_EQ(head.body.at("items").as_array()[0].at("place").as_int(), 4);
  // A better one that comes meanwhile moves nothing of the pages that follow.
  log(run, whole + line(9, "z", 9, "9"));
  std::string rest;
  for (Json next = head.body.at("next"); !next.is_null();) {
    const Got page = owner_.get(path + "?limit=1&sort=reward&order=desc&after=" + next.as_string());
    ASSERT_EQ(page.body.at("items").size(), 1u) << page.text;
    rest += page.body.at("items").as_array()[0].at("completion").as_string();
    next = page.body.at("next");
  }
  EXPECT_EQ(rest, "acb");
  EXPECT_EQ(texts("sort=reward&order=desc&limit=1"), "z");
  for (const char* wrong : {"limit=0", "limit=201", "sort=beauty", "reward_min=x", "after=none"}) {
    EXPECT_EQ(owner_.get(path + "?" + wrong).status, 400) << wrong;
  }
  EXPECT_EQ(owner_.get("/runs/run_none/completions").status, 404);
}

TEST_F(RunApiTest, ARunSaysWhichLabelsItSawAndWhoseByPseudonym) {
  const std::string run = make_run(make_snapshot("first", 1));
  const std::string path = "/runs/" + run;
  const Got first = owner_.get(path + "/labels?limit=5");
  ASSERT_EQ(first.body.at("items").size(), 5u) << first.text;
  std::vector<Json> all;
  std::string after;
  do {
    const Got page =
        owner_.get(path + "/labels?limit=5" + (after.empty() ? "" : "&after=" + after));
    for (const Json& item : page.body.at("items").as_array()) all.push_back(item);
    after = page.body.at("next").is_null() ? "" : page.body.at("next").as_string();
  } while (!after.empty());
  EXPECT_EQ(all.size(), 12u);
  size_t held_out = 0;
  for (const Json& item : all) {
    EXPECT_TRUE(item.at("id").as_string().starts_with("ann_"));
    EXPECT_TRUE(item.at("task_id").as_string().starts_with("tsk_"));
    held_out += item.at("use").as_string() == "heldout" ? 1 : 0;
  }
  EXPECT_GT(held_out, 0u);
  EXPECT_LT(held_out, 12u);
  const Got people = owner_.get(path + "/people");
  ASSERT_EQ(people.body.at("items").size(), 1u) << people.text;
  const Json& person = people.body.at("items").as_array()[0];
  EXPECT_EQ(person.at("heldout").as_int(), static_cast<int64_t>(held_out));
  EXPECT_EQ(person.at("train").as_int(), static_cast<int64_t>(12 - held_out));
  // Also for who may see names: what a model saw is told without them.
  EXPECT_EQ(first.text.find("Acme Owner"), std::string::npos);
  EXPECT_EQ(people.text.find("Acme Owner"), std::string::npos);
  EXPECT_EQ(person.at("person").as_string(), all[0].at("person").as_string());
}

// The roof, as far as the api asks it: jobs wait in the queue, a plan lacks nothing.
class WaitingRunner : public JobRunner {
 public:
  void wake() override {}
  Json plan_run(const OfferedModel&, std::string_view, const Json&, const std::string&) override {
    Json plan = Json::object();
    plan["missing"] = Json::array();
    return plan;
  }
};

class OfferingRunApiTest : public RunApiTest {
 protected:
  OfferingRunApiTest() : RunApiTest(offering()) { platform_->set_job_runner(&runner_); }
  static PlatformOptions offering() {
    PlatformOptions options;
    options.models.push_back({"tiny", "/nowhere/tiny.gguf", "tiny.gguf", 1000, "fits"});
    return options;
  }
  WaitingRunner runner_;
};

TEST_F(OfferingRunApiTest, ARunOnAGatesTestIsRefusedAndItsPlanSaysSoBefore) {
  const std::string first = make_snapshot("first", 1), second = make_snapshot("second", 2);
  const auto runs_of = [&](const std::string& snapshot) {
    return projects_.at(snapshot) + "/runs";
  };
  const auto wish = [](const std::string& snapshot) {
    return R"({"method":"dpo","snapshot_id":")" + snapshot + "\"}";
  };
  EXPECT_TRUE(owner_.post(runs_of(second) + "/plan", wish(second)).body.at("ready").as_bool());
  ASSERT_EQ(owner_.ask("PUT", "/aliases/assistant/gate", R"({"heldout":")" + first + "\"}").status,
            200);
  const Got plan = owner_.post(runs_of(second) + "/plan", wish(second));
  EXPECT_FALSE(plan.body.at("ready").as_bool()) << plan.text;
  EXPECT_NE(plan.text.find("the held-out set of the gate of assistant (first)"), std::string::npos);
  const Got refused = owner_.post(runs_of(second), wish(second));
  EXPECT_EQ(refused.status, 409) << refused.text;
  EXPECT_NE(refused.text.find("the training rows of second and the held-out set of the gate of"),
            std::string::npos)
      << refused.text;
  EXPECT_EQ(owner_.get(runs_of(second)).body.at("items").size(), 0u);
  EXPECT_EQ(owner_.post(runs_of(first), wish(first)).status, 202);
  EXPECT_EQ(owner_.ask("DELETE", "/aliases/assistant/gate").status, 204);
  EXPECT_EQ(owner_.post(runs_of(second), wish(second)).status, 202);
}

TEST_F(RunApiTest, RowsThatStandInAnyGatesSetsAreFoundWithTheirCount) {
  const std::string first = make_snapshot("first", 1), second = make_snapshot("second", 2);
  const auto gate = [&](const std::string& body) {
    const Got got = owner_.ask("PUT", "/aliases/assistant/gate", body);
    EXPECT_EQ(got.status, 200) << got.text;
  };
  const auto overlaps = [&](const std::string& snapshot) {
    const auto sets = gate_sets(*platform_, organisation(), place_.organisation.key);
    const auto rows = data::load_dataset(
        real_env(), label::snapshot_file(organisation(), snapshot, "train.jsonl"));
    return find_gate_overlaps(real_env(), rows, sets);
  };
  EXPECT_TRUE(overlaps(first).empty());  // no gate, nothing to keep out of
  gate(R"({"heldout":")" + first + "\"}");
  EXPECT_TRUE(overlaps(first).empty());
  ASSERT_EQ(overlaps(second).size(), 1u);
  gate(R"({"heldout":")" + second + R"(","second":")" + first + "\"}");
  ASSERT_EQ(overlaps(second).size(), 1u);
  const GateOverlap found = overlaps(second).front();
  EXPECT_TRUE(found.set.is_floor);
  const std::string words = found.words("the training rows of second");
  EXPECT_NE(words.find("the floor set of the gate of assistant (first)"), std::string::npos);
  EXPECT_NE(words.find(std::to_string(found.prompts) + " prompt"), std::string::npos) << words;
  // Another organisation's gates are not this one's.
  const Place other = make_place("Other");
  EXPECT_TRUE(
      gate_sets(*platform_, platform_->organisation(other.organisation.id), other.organisation.key)
          .empty());
  // A set that is gone leaves nobody who could say.
  real_env().remove_all(label::snapshot_folder(organisation(), first) + "/heldout.jsonl");
  EXPECT_THROW(overlaps(second), Error);
}

}  // namespace
}  // namespace hone::api
