// The first of the quality pages: do people agree, what do they answer, how certain is it, what to do.

#include <algorithm>

#include "label/organisation.h"
#include "label/quality_report.h"
#include "label/report_words.h"
#include "label/times.h"
#include "quality/agreement.h"
#include "quality/trust.h"

namespace hone::label {
namespace {

constexpr double kHighAlpha = 0.8, kFairAlpha = 0.667, kLowAlpha = 0.4;

quality::Agreement agreement_of(const quality::LabelTable& table, quality::AgreementMetric metric,
                                size_t rounds) {
  quality::AgreementOptions options;
  options.metric = metric;
  options.rounds = rounds;
  return quality::agreement(table, options);
}

std::string agreement_words(const quality::Estimate& alpha, const quality::Estimate& ac1,
                            double agreeing) {
  if (!alpha.defined) {
    return "No task has two different people's answers to compare yet; with an overlap of 2 or "
           "more this page can say how far people agree.";
  }
  const std::string number = " (alpha " + two_places(alpha.value) + ")";
  if (alpha.value < kLowAlpha && ac1.defined && ac1.value >= 0.6) {
    return "Two people agree " + percent(agreeing) +
           " of the time, mostly because one answer is much more frequent than the others" +
           number + ": look at the rare answers one by one.";
  }
  if (alpha.value >= kHighAlpha) {
    return "People agree very well" + number + ": the labels can be used as they are.";
  }
  if (alpha.value >= kFairAlpha) {
    return "People agree well enough for most uses" + number +
           "; the most disputed tasks show what the guideline leaves open.";
  }
  if (alpha.value >= kLowAlpha) {
    return "People agree somewhat" + number +
           ": read the most disputed tasks and say in the guideline how to decide them.";
  }
  return "People agree little more than chance would give" + number +
         ": before labelling on, read disputed tasks together and sharpen the guideline.";
}

Json agreement_json(const ProjectQuality& quality) {
  Json json = Json::object();
  using Metric = quality::AgreementMetric;
  const auto agreeing = agreement_of(*quality.table, Metric::kPercent, 0).overall;
  const auto alpha = agreement_of(*quality.table, Metric::kAlpha, 200).overall;
  const auto ac1 = agreement_of(*quality.table, Metric::kAc1, 200).overall;
  json["percent"] = agreeing.defined ? Json(agreeing.value) : Json();
  json["alpha"] = alpha.defined ? Json(alpha.value) : Json();
  json["alpha_interval"] = alpha.defined ? interval_json(alpha.interval) : Json();
  json["ac1"] = ac1.defined ? Json(ac1.value) : Json();
  json["ac1_interval"] = ac1.defined ? interval_json(ac1.interval) : Json();
  json["words"] = agreement_words(alpha, ac1, agreeing.value);
  return json;
}

Json answers_json(const ProjectQuality& quality) {
  const size_t classes = quality.table->class_count();
  std::vector<double> said(classes, 0.0), expected(classes, 0.0);
  for (const quality::Label& label : quality.table->labels()) said[label.value] += 1.0;
  for (size_t i = 0; i < quality.items.size(); ++i) {
    for (size_t k = 0; k < classes; ++k) expected[k] += quality.fit.posterior[i * classes + k];
  }
  Json json = Json::array();
  for (size_t k = 0; k < classes; ++k) {
    Json entry = Json::object();
    entry["answer"] = quality.table->classes()[k];
    entry["share"] = said[k] / static_cast<double>(quality.table->label_count());
    entry["expected_share"] = expected[k] / static_cast<double>(quality.items.size());
    json.push_back(std::move(entry));
  }
  return json;
}

Json certainty_json(const ProjectQuality& quality) {
  constexpr size_t kBins = 10;
  std::vector<int64_t> tasks(kBins, 0);
  for (const int64_t task : quality.by_certainty) {
    const double certainty = quality.best(task)->probability;
    ++tasks[std::min(kBins - 1, static_cast<size_t>(certainty * kBins))];
  }
  Json json = Json::array();
  for (size_t bin = 0; bin < kBins; ++bin) {
    Json entry = Json::object();
    entry["from"] = static_cast<double>(bin) / kBins;
    entry["to"] = static_cast<double>(bin + 1) / kBins;
    entry["tasks"] = tasks[bin];
    json.push_back(std::move(entry));
  }
  return json;
}

Json sides_json(const ProjectQuality& quality) {
  if (!has_sides(quality)) return Json();
  const auto bias = quality::position_bias(side_table(quality));
  const auto left = static_cast<double>(bias.left);
  const auto decided = static_cast<double>(bias.left + bias.right);
  Json json = Json::object();
  json["left"] = bias.left;
  json["right"] = bias.right;
  json["share_left"] = bias.left_share;
  json["interval"] = interval_json(quality::wilson_interval(left, decided));
  json["p_value"] = bias.p;
  std::string words = "The left answer was chosen in " + percent(bias.left_share) +
                      " of the decided comparisons; sides are shuffled, so 50 % is expected";
  json["words"] = words + (bias.p < 0.01 ? ": people lean to a side more than chance explains."
                                         : ", and chance explains the difference.");
  return json;
}

// How the labels grew, and how far people agreed by then.
Json over_time_json(const ProjectQuality& quality) {
  constexpr size_t kPoints = 12, kAlphaLabelsMax = 200000;
  Json json = Json::array();
  const size_t count = quality.answers.size();
  const auto& classes = quality.table->classes();
  const size_t points = std::min(kPoints, count);
  for (size_t point = 1; point <= points; ++point) {
    const size_t until = count * point / points;
    Json entry = Json::object();
    entry["at"] = format_time(quality.answers[until - 1].at_ms);
    entry["labels"] = until;
    entry["alpha"] = nullptr;
    if (until <= kAlphaLabelsMax) {
      quality::LabelTableBuilder builder({classes.begin(), classes.end()});
      for (size_t i = 0; i < until; ++i) {
        const AnswerRow& answer = quality.answers[i];
        builder.add(std::to_string(answer.task), std::to_string(answer.member),
                    classes[answer.value]);
      }
      const auto alpha =
          agreement_of(std::move(builder).build(), quality::AgreementMetric::kAlpha, 0).overall;
      if (alpha.defined) entry["alpha"] = alpha.value;
    }
    json.push_back(std::move(entry));
  }
  return json;
}

void add_to_do(Json& list, const std::string& text, const std::string& link) {
  Json entry = Json::object();
  entry["text"] = text;
  entry["link"] = link;
  list.push_back(std::move(entry));
}

// What a lead can do next, most pressing first; links are places of the web page.
Json to_do_json(Organisation& organisation, const ProjectQuality& quality, const Json& sides) {
  const Project& project = quality.project;
  Json list = Json::array();
  const auto undecided = organisation.read([&](store::Connection& db) {
    return db.query_int64(
        "SELECT count(*) FROM (SELECT 1 FROM task WHERE project_id = $1"
        " AND state = 'undecided' LIMIT 10000)",
        {project.id});
  });
  if (project.counts.flags > 0) {
    add_to_do(
        list,
        many(project.counts.flags, "task is flagged", "flags are open") + "; read and resolve.",
        "tasks?flagged=true");
  }
  if (undecided.value_or(0) > 0) {
    add_to_do(list,
              many(*undecided, "task stays", "tasks stay") +
                  " undecided after the most answers it may get; decide or cancel.",
              "tasks?state=undecided");
  }
  if (!sides.is_null() && sides.at("p_value").as_double() < 0.01) {
    add_to_do(list, "People lean to one side; see who on the page of people.", "quality/people");
  }
  if (quality.table && !quality.by_certainty.empty()) {
    const auto unsure =
        std::count_if(quality.by_certainty.begin(), quality.by_certainty.end(),
                      [&](int64_t task) { return quality.best(task)->probability < 0.7; });
    if (unsure > 0) {
      add_to_do(list,
                many(unsure, "task is", "tasks are") +
                    " less than 70 % certain; one more answer each helps most.",
                "quality/next");
    }
  }
  if (project.overlap == 1 && project.counts.annotations >= 20) {
    add_to_do(list,
              "Every task is answered once, so nobody can be compared; raise the overlap for "
              "a part of the tasks, or add gold tasks.",
              "settings");
  }
  return list;
}

Json make_overview(Organisation& organisation, const ProjectQuality& quality) {
  Json json = Json::object();
  json["labels"] = quality.project.counts.annotations;
  json["people"] = quality.members.size();
  json["tasks_labelled"] = quality.by_certainty.size();
  json["method"] = quality.table ? Json(quality::method_name(quality.fit.method)) : Json();
  Json sides;
  if (quality.table) {
    json["agreement"] = agreement_json(quality);
    json["answers"] = answers_json(quality);
    json["certainty"] = certainty_json(quality);
    sides = sides_json(quality);
    json["sides"] = sides;
    json["to_do"] = to_do_json(organisation, quality, sides);
    json["over_time"] = over_time_json(quality);
  } else {
    Json& agreement = json["agreement"];
    for (const char* name : {"percent", "alpha", "alpha_interval", "ac1", "ac1_interval"}) {
      agreement[name] = nullptr;
    }
    agreement["words"] = quality.schema->main().kind == QuestionKind::kText
                             ? "The main question asks for a text, so there is nothing to count."
                             : "Nothing is labelled yet.";
    json["answers"] = Json::array();
    json["certainty"] = Json::array();
    json["sides"] = nullptr;
    json["to_do"] = to_do_json(organisation, quality, sides);
    json["over_time"] = Json::array();
  }
  json["updated_at"] = format_time(quality.made_at_ms);
  return json;
}

}  // namespace

Json quality_overview(Organisation& organisation, const Project& project) {
  const auto quality = project_quality(organisation, project);
  return once(*quality, "overview", [&] { return make_overview(organisation, *quality); });
}

}  // namespace hone::label
