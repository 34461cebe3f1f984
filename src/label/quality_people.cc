// Who can be trusted: numbers, evidence and one sentence a person.

#include <algorithm>

#include "label/gold.h"
#include "label/organisation.h"
#include "label/quality_report.h"
#include "label/report_words.h"
#include "quality/aggregate.h"
#include "quality/trust.h"

namespace hone::label {
namespace {

// Nobody reads two answers in less.
constexpr double kFloorSeconds = 2.0;
constexpr double kStrong = 0.01;  // q of evidence worth a sentence

struct Evidence {
  std::string kind, text;
  double q = 1.0;
};

struct PersonReport {
  std::string name;
  uint32_t labels = 0;
  double reliability = 0.0;
  quality::Interval interval;
  std::optional<quality::SideRow> side;
  std::optional<double> median_seconds;
  GoldScore gold;
  std::vector<Evidence> evidence;
};

using Reports = std::vector<PersonReport>;  // by the table's worker

void add_sides(const ProjectQuality& quality, Reports& reports) {
  if (!has_sides(quality)) return;
  const auto table = side_table(quality);
  for (const quality::SideRow& row : quality::position_bias(table).workers) {
    PersonReport& person = reports[std::stoul(table.workers[row.worker])];
    person.side = row;
    const bool left = row.left_share > 0.5;
    const double share = left ? row.left_share : 1.0 - row.left_share;
    person.evidence.push_back({"side",
                               person.name + " answers " + (left ? "left " : "right ") +
                                   percent(share) + " of the time; by chance it would be 50 %",
                               row.q});
  }
}

void add_gold(Organisation& organisation, const ProjectQuality& quality, Reports& reports) {
  const auto scores =
      organisation.read([&](store::Connection& db) { return gold_scores(db, quality.project); });
  for (const GoldScore& score : scores) {
    const auto found = std::find(quality.members.begin(), quality.members.end(), score.member);
    if (found == quality.members.end()) continue;
    PersonReport& person = reports[static_cast<size_t>(found - quality.members.begin())];
    person.gold = score;
    std::vector<quality::GoldAnswer> answers;
    for (int64_t i = 0; i < score.of; ++i) answers.push_back({0, i < score.right});
    const auto evidence = quality::gold_evidence(answers);
    if (evidence.workers.empty()) continue;
    // One p-value a person, of the whole count: the order of right and wrong is not used.
    const auto interval = quality::wilson_interval(static_cast<double>(score.right),
                                                   static_cast<double>(score.of), 0.99);
    const bool low = interval.high < quality::SprtOptions().good;
    person.evidence.push_back({"gold",
                               person.name + " has " + std::to_string(score.right) + " of " +
                                   std::to_string(score.of) + " tasks with a known answer right",
                               low ? 0.005 : 1.0});
  }
}

std::vector<quality::Answer> timed_answers(const ProjectQuality& quality) {
  std::vector<quality::Answer> answers;
  std::map<int64_t, uint32_t> tasks;
  for (const AnswerRow& row : quality.answers) {
    const auto task = tasks.emplace(row.task, static_cast<uint32_t>(tasks.size())).first->second;
    answers.push_back({row.member, task, row.value, static_cast<double>(row.seconds)});
  }
  return answers;
}

void add_time(const ProjectQuality& quality, Reports& reports) {
  std::vector<std::vector<float>> seconds(reports.size());
  for (const AnswerRow& row : quality.answers) {
    if (row.seconds >= 0.0f) seconds[row.member].push_back(row.seconds);
  }
  for (size_t i = 0; i < reports.size(); ++i) {
    if (seconds[i].empty()) continue;
    auto middle = seconds[i].begin() + static_cast<ptrdiff_t>(seconds[i].size() / 2);
    std::nth_element(seconds[i].begin(), middle, seconds[i].end());
    reports[i].median_seconds = static_cast<double>(*middle);
  }
  const auto answers = timed_answers(quality);
  for (const quality::TimeRow& row : quality::time_evidence(answers, kFloorSeconds)) {
    PersonReport& person = reports[row.worker];
    person.evidence.push_back({"speed",
                               person.name + " gives " + percent(row.share) +
                                   " of the answers in under 2 seconds; the others " +
                                   percent(row.crowd_share),
                               row.q});
  }
  quality::PatternOptions options;
  options.rounds = 199;
  for (const quality::PatternRow& row :
       quality::answer_patterns(answers, quality.table->class_count(), options)) {
    PersonReport& person = reports[row.worker];
    std::string text = person.name + "'s answers come in a pattern: up to " +
                       std::to_string(row.longest_run) + " equal ones in a row";
    person.evidence.push_back({"pattern", text, row.q});
  }
}

void add_crowd(const ProjectQuality& quality, Reports& reports) {
  for (const quality::CrowdRow& row : quality::crowd_evidence(*quality.table).workers) {
    PersonReport& person = reports[row.worker];
    person.evidence.push_back(
        {"unlike the others",
         person.name + " answers as if without looking at the tasks, compared with the others",
         row.q});
  }
}

std::string words_of(const PersonReport& person) {
  const Evidence* strongest = nullptr;
  for (const Evidence& evidence : person.evidence) {
    if (evidence.q < kStrong && (strongest == nullptr || evidence.q < strongest->q)) {
      strongest = &evidence;
    }
  }
  if (strongest != nullptr) return strongest->text + ": look at these answers.";
  if (person.labels < 10) {
    return person.name + " has given " + many(person.labels, "answer", "answers") +
           ", too few to say anything.";
  }
  const std::string right =
      person.name + "'s answers are right about " + percent(person.reliability) + " of the time";
  if (person.interval.high < 0.6) {
    return right + ", by what the others say: read some of them together.";
  }
  return right + " (between " + percent(person.interval.low) + " and " +
         percent(person.interval.high) + "); nothing stands out.";
}

Json confusion_json(const ProjectQuality& quality, const quality::WorkerQuality& worker) {
  const size_t classes = quality.table->class_count();
  Json json = Json::object();
  Json& names = json["classes"];
  names = Json::array();
  for (const std::string& name : quality.table->classes()) names.push_back(name);
  Json& rows = json["counts"];
  rows = Json::array();
  for (size_t truth = 0; truth < classes; ++truth) {
    Json row = Json::array();
    for (size_t said = 0; said < classes; ++said) {
      row.push_back(worker.truth_count[truth] * worker.confusion[truth * classes + said]);
    }
    rows.push_back(std::move(row));
  }
  return json;
}

Json person_json(const PersonReport& person, const PersonName& name, Json confusion) {
  Json json = Json::object();
  json["person"]["id"] = name.person_id;
  json["person"]["name"] = name.name;
  json["labels"] = person.labels;
  json["reliability"] = person.reliability;
  json["interval"] = interval_json(person.interval);
  json["left_share"] = person.side ? Json(person.side->left_share) : Json();
  json["left_p"] = person.side ? Json(person.side->p) : Json();
  json["side_biased"] = person.side && person.side->q < 0.05;
  json["median_active_ms"] =
      person.median_seconds ? Json(static_cast<int64_t>(*person.median_seconds * 1000.0)) : Json();
  json["gold"]["right"] = person.gold.right;
  json["gold"]["of"] = person.gold.of;
  json["confusion"] = std::move(confusion);
  Json list = Json::array();
  for (const Evidence& evidence : person.evidence) {
    if (evidence.q >= 0.05) continue;
    Json entry = Json::object();
    entry["kind"] = evidence.kind;
    entry["text"] = evidence.text + ".";
    entry["strength"] = 1.0 - evidence.q;
    list.push_back(std::move(entry));
  }
  json["evidence"] = std::move(list);
  json["words"] = words_of(person);
  return json;
}

Json make_people(Organisation& organisation, const ProjectQuality& quality, bool show_names) {
  Json json = Json::object();
  json["items"] = Json::array();
  if (!quality.table) return json;
  const auto names = person_names(organisation, quality.members, show_names);
  Reports reports(quality.members.size());
  std::vector<quality::WorkerQuality> workers;
  for (size_t i = 0; i < reports.size(); ++i) {
    workers.push_back(quality::worker_quality(quality.fit, *quality.table, i));
    reports[i].name = names.at(quality.members[i]).name;
    reports[i].labels = workers[i].labels;
    reports[i].reliability = workers[i].reliability;
    reports[i].interval = workers[i].reliability_interval;
  }
  add_sides(quality, reports);
  add_gold(organisation, quality, reports);
  add_time(quality, reports);
  add_crowd(quality, reports);
  std::vector<size_t> order(reports.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return reports[a].reliability < reports[b].reliability;
  });
  for (const size_t i : order) {
    json["items"].push_back(
        person_json(reports[i], names.at(quality.members[i]), confusion_json(quality, workers[i])));
  }
  return json;
}

}  // namespace

Json quality_people(Organisation& organisation, const Project& project, bool show_names) {
  const auto quality = project_quality(organisation, project);
  return once(*quality, show_names ? "people by name" : "people by pseudonym",
              [&] { return make_people(organisation, *quality, show_names); });
}

}  // namespace hone::label
