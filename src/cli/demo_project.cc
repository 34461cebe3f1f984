#include "cli/demo_project.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "base/embedded_file.h"
#include "base/error.h"
#include "base/rng.h"
#include "label/annotations.h"
#include "label/import.h"
#include "label/members.h"
#include "label/projects.h"
#include "label/queue.h"

namespace hone::embedded {
std::span<const EmbeddedFile> demo_pairs();  // examples/quickstart
}

namespace hone::cli {

namespace {

constexpr uint64_t kSeed = 20261128;
constexpr int64_t kHourMs = 3'600'000, kDayMs = 24 * kHourMs;
constexpr size_t kFresh = 30;  // tasks that nobody has labelled
constexpr size_t kGold = 8;
constexpr size_t kMostRows = 10'000;

constexpr const char* kGuideline =
    "# Which answer is better?\n\n"
    "We are teaching a small assistant to **answer first**.\n\n"
    "A good answer has\n\n"
    "1. one bold sentence that answers the question,\n"
    "2. then exactly three short bullets that help.\n\n"
    "Prefer the answer that has this form, as long as what it says is right. If both have it, or "
    "neither, choose the one you would rather get; **tie** is fine when you cannot say, and **both "
    "bad** when neither should ever be sent.\n\n"
    "> Do not look things up for more than a minute. If you do not know the subject, skip.\n";

// One of the three.
struct DemoPerson {
  const char* name;
  double accuracy;    // how often the better answer is found
  double tie;         // how often "tie" is said
  double left;        // of the wrong answers: how often the left side
  double seconds;     // typical time on a task
  int64_t days_back;  // when the work began
};
constexpr DemoPerson kPeople[] = {
    {"Ada Quist", 0.96, 0.02, 0.5, 11, 4},
    {"Ben Otto", 0.58, 0.01, 0.92, 3, 3},
    {"Chen Li", 0.88, 0.05, 0.5, 8, 2},
};

std::vector<Json> shipped_pairs() {
  std::vector<Json> pairs;
  for (const EmbeddedFile& file : embedded::demo_pairs()) {
    std::istringstream lines{std::string(file.bytes)};
    for (std::string line; std::getline(lines, line) && pairs.size() < kMostRows;) {
      if (!line.empty()) pairs.push_back(Json::parse(line).value());
    }
  }
  return pairs;
}

const std::string& text_of(const Json& messages) {
  return messages.as_array().back().at("content").as_string();
}

// A row of the import; which side the better answer stands on is a coin's.
Json task_row(const Json& pair, bool chosen_is_left, bool is_gold) {
  const auto response = [&](const char* key, const char* model) {
    Json json = Json::object();
    json["text"] = text_of(pair.at(key));
    json["model"] = model;
    return json;
  };
  Json good = response("chosen", "answer-first"), bad = response("rejected", "plain-prose");
  Json row = Json::object();
  row["id"] = pair.at("id");
  row["prompt"] = pair.at("prompt");
  row["left"] = chosen_is_left ? good : bad;
  row["right"] = chosen_is_left ? std::move(bad) : std::move(good);
  if (is_gold) row["gold"]["winner"] = chosen_is_left ? "left" : "right";
  return row;
}

// Which response of an assignment a careful person would choose: the one in the form.
bool has_form(const std::string& text) {
  size_t bullets = 0;
  for (size_t at = text.find("\n- "); at != std::string::npos; at = text.find("\n- ", at + 1)) {
    ++bullets;
  }
  return text.rfind("**", 0) == 0 && bullets == 3;
}

Json answer_of(const DemoPerson& person, const Json& assignment, Rng& rng) {
  const Json::Array& responses = assignment.at("task").at("responses").as_array();
  const bool left_is_good = has_form(responses[0].at("text").as_string());
  const double luck = rng.uniform();
  Json answer = Json::object();
  if (luck < person.tie) {
    answer["winner"] = "tie";
    return answer;
  }
  bool left = left_is_good;
  if (rng.uniform() > person.accuracy) left = rng.uniform() < person.left;
  answer["winner"] = responses[left ? 0 : 1].at("response_id");
  return answer;
}

// Labels `count` tasks in the name of a person, at their hours of the last days.
int64_t label_as(ShiftedEnv& env, label::Organisation& organisation, const DemoPerson& person,
                 const label::Actor& actor, const std::string& project, size_t count) {
  Rng rng(kSeed, rng_stream("demo-person", static_cast<uint64_t>(person.days_back)));
  int64_t shift_ms = -person.days_back * kDayMs;
  int64_t labels = 0;
  const size_t a_day = (count + 1) / 2;
  for (size_t i = 0; i < count; ++i) {
    if (i == a_day) shift_ms += 20 * kHourMs;
    env.set_shift_ms(shift_ms);
    const label::NextResult next = label::lease_next(organisation, actor, project, 1);
    if (next.leases.empty()) break;
    const Json assignment = organisation.read([&](store::Connection& db) {
      return label::assignment_json(organisation, db, next.leases[0]);
    });
    const double spread = std::exp(0.45 * rng.normal());
    const auto active_ms = static_cast<int64_t>(1000 * person.seconds * spread) + 400;
    shift_ms += active_ms;
    env.set_shift_ms(shift_ms);
    label::Submission submission;
    submission.answer = answer_of(person, assignment, rng);
    submission.active_ms = active_ms;
    organisation.write(store::Durability::kProcess, [&](store::Transaction& tx) {
      return label::submit(organisation, tx, actor, next.leases[0].public_id, submission);
    });
    shift_ms += static_cast<int64_t>(rng.below(4000));
    ++labels;
  }
  return labels;
}

}  // namespace

DemoProject make_demo_project(ShiftedEnv& env, api::Platform& platform,
                              const std::string& organisation_id, const label::Actor& owner) {
  label::Organisation& organisation = platform.organisation(organisation_id);
  env.set_shift_ms(-5 * kDayMs);
  std::vector<label::Actor> people;
  for (const DemoPerson& person : kPeople) {
    const std::string person_id = platform.identity().new_person_id();
    const label::Member member =
        organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
          return label::ensure_member(organisation, tx, owner, {person_id, person.name, {}, {}});
        });
    platform.identity().write([&](store::Transaction& tx) {
      label::NewPerson wanted;
      wanted.id = person_id;
      wanted.name = person.name;
      wanted.role = label::Role::kAnnotator;
      const int64_t key = platform.identity().organisation(tx, organisation_id).key;
      return platform.identity().add_person(tx, key, wanted);
    });
    people.push_back({person_id, member.id, label::Role::kAnnotator});
  }

  label::NewProject wanted;
  wanted.name = "Answer first";
  wanted.task_type = "pairwise";
  wanted.overlap = 3;
  wanted.gold_share = 0.05;
  wanted.description =
      "The demo: which answer says it first and then gives three points? Three invented people "
      "have labelled most of it.";
  wanted.guideline = kGuideline;
  const label::Project project =
      organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
        return label::create_project(organisation, tx, owner, wanted);
      });

  const std::vector<Json> pairs = shipped_pairs();
  Rng sides(kSeed, rng_stream("demo-sides"));
  label::ImportRequest request;
  request.project = project.public_id;
  request.name = "shipped-pairs.jsonl";
  request.format = "jsonl";
  label::Importer importer(organisation, owner, request);
  for (size_t i = 0; i < pairs.size(); ++i) {
    importer.feed(task_row(pairs[i], sides.below(2) == 0, i < kGold).dump() + "\n");
  }
  DemoProject demo;
  demo.project_id = project.public_id;
  demo.tasks = importer.finish().created;

  const size_t count = pairs.size() > kFresh + kGold ? pairs.size() - kFresh - kGold : 0;
  for (size_t i = 0; i < people.size(); ++i) {
    demo.labels += label_as(env, organisation, kPeople[i], people[i], project.public_id, count);
  }
  env.set_shift_ms(0);
  return demo;
}

}  // namespace hone::cli
