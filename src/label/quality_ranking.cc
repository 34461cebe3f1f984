// Which model wins, when rows name models; and which task to ask about next.

#include <algorithm>

#include "label/organisation.h"
#include "label/quality_report.h"
#include "label/report_words.h"
#include "label/task_text.h"
#include "quality/next_label.h"
#include "quality/rank.h"

namespace hone::label {
namespace {

constexpr size_t kBattlesMax = 100000;  // the newest

struct Models {
  std::string first, second;
  bool named() const { return !first.empty() && !second.empty() && first != second; }
};

Models models_of(store::Connection& db, int64_t task) {
  Models models;
  const auto body = db.query_text("SELECT body FROM task_body WHERE task_id = $1", {task});
  if (!body) return models;
  const auto json = Json::parse(*body);
  const Json* responses = json ? json->find("responses") : nullptr;
  if (responses == nullptr || responses->size() != 2) return models;
  const auto name = [&](size_t i) {
    const Json* model = responses->as_array()[i].find("model");
    return model != nullptr && model->is_string() ? model->as_string() : std::string();
  };
  return {name(0), name(1)};
}

std::optional<quality::ComparisonTable> battles(Organisation& organisation,
                                                const ProjectQuality& quality) {
  const auto classes = main_classes(*quality.schema);
  const size_t skip = quality.answers.size() - std::min(quality.answers.size(), kBattlesMax);
  quality::ComparisonTableBuilder builder;
  size_t count = 0;
  organisation.read([&](store::Connection& db) {
    std::map<int64_t, Models> of_task;
    for (size_t i = skip; i < quality.answers.size(); ++i) {
      const AnswerRow& answer = quality.answers[i];
      if (answer.is_gold) continue;
      auto found = of_task.find(answer.task);
      if (found == of_task.end()) {
        found = of_task.emplace(answer.task, models_of(db, answer.task)).first;
      }
      const Models& models = found->second;
      if (!models.named()) continue;
      quality::Winner winner = quality::Winner::kTie;
      if (answer.value < 2) {
        winner = ((answer.value == 0) != answer.swapped) ? quality::Winner::kLeft
                                                         : quality::Winner::kRight;
      } else if (classes[answer.value] == "both_bad") {
        winner = quality::Winner::kBothBad;
      }
      builder.add(answer.swapped ? models.second : models.first,
                  answer.swapped ? models.first : models.second, winner,
                  std::to_string(answer.member), std::to_string(answer.task));
      ++count;
    }
    return true;
  });
  if (count == 0) return std::nullopt;
  return std::move(builder).build();
}

std::string ranking_words(const quality::Ranking& ranking) {
  const quality::RankRow& first = ranking.rows[0];
  const quality::RankRow& second = ranking.rows[1];
  if (first.rank_high > 1) {
    return first.name + " leads, but " + second.name +
           " is too near to tell them apart; more comparisons of the two would.";
  }
  std::string words = first.name + " is ahead of all others beyond chance";
  if (ranking.fragility && ranking.fragility->found) {
    words += "; " + many(static_cast<int64_t>(ranking.fragility->votes), "answer", "answers") +
             " fewer of " + std::to_string(ranking.fragility->of) + " would change that";
  }
  return words + ".";
}

Json ranking_json(const quality::Ranking& ranking) {
  Json json = Json::object();
  Json items = Json::array();
  for (const quality::RankRow& row : ranking.rows) {
    Json item = Json::object();
    item["name"] = row.name;
    item["score"] = row.score;
    item["interval"] = interval_json(row.interval);
    item["rank_low"] = row.rank_low;
    item["rank_high"] = row.rank_high;
    item["battles"] = static_cast<int64_t>(row.votes);
    items.push_back(std::move(item));
  }
  json["items"] = std::move(items);
  json["side_effect"] = nullptr;
  if (ranking.left && ranking.left->identified) {
    Json& side = json["side_effect"];
    side["value"] = ranking.left->value;
    side["interval"] = interval_json(ranking.left->interval);
    side["p_value"] = ranking.left->wald_p;
  }
  json["fragility"] = nullptr;
  if (ranking.fragility && ranking.fragility->found) {
    json["fragility"]["votes"] = ranking.fragility->votes;
    json["fragility"]["of"] = ranking.fragility->of;
  }
  json["words"] = ranking_words(ranking);
  return json;
}

Json no_ranking(const std::string& words) {
  Json json = Json::object();
  json["items"] = Json::array();
  json["side_effect"] = nullptr;
  json["fragility"] = nullptr;
  json["words"] = words;
  return json;
}

Json make_ranking(Organisation& organisation, const ProjectQuality& quality) {
  if (!has_sides(quality)) {
    return no_ranking("There are no decided comparisons yet.");
  }
  const auto table = battles(organisation, quality);
  if (!table) {
    return no_ranking(
        "The rows name no models; import them with a column of model names to rank "
        "models here.");
  }
  if (table->names.size() > quality::kRankThingsMax) {
    return no_ranking("More than 2,048 models are named; a ranking needs fewer.");
  }
  quality::RankOptions options;
  options.bootstrap_rounds = 0;  // the sandwich interval is shown
  options.fragility = table->comparisons.size() <= 20000;
  return ranking_json(quality::rank(*table, options));
}

Json make_next(Organisation& organisation, const ProjectQuality& quality, size_t limit) {
  Json json = Json::object();
  Json items = Json::array();
  const Project& project = quality.project;
  int64_t tasks = 0, more = 0;
  if (quality.table) {
    std::vector<uint32_t> labels;
    double accuracy = 0.0;
    for (size_t i = 0; i < quality.items.size(); ++i) {
      labels.push_back(static_cast<uint32_t>(quality.table->labels_of_task(i).size()));
    }
    for (const double reliability : quality.fit.reliability) accuracy += reliability;
    accuracy /= static_cast<double>(std::max<size_t>(1, quality.fit.reliability.size()));
    const double chance = 1.0 / static_cast<double>(quality.table->class_count());
    quality::StopRule rule;
    rule.threshold = project.stop_probability;
    rule.min_labels = static_cast<uint32_t>(project.overlap);
    rule.max_labels = static_cast<uint32_t>(std::max<int64_t>(project.overlap_max, 10));
    const auto next = quality::next_tasks(quality.fit.posterior, quality.table->class_count(),
                                          labels, std::max(accuracy, chance), rule, 1000);
    tasks = static_cast<int64_t>(labels.size() - next.done - next.undecided);
    for (size_t i = 0; i < labels.size(); ++i) {
      more += std::max<int64_t>(0, project.overlap - static_cast<int64_t>(labels[i]));
    }
    more = std::max(more, tasks);
    organisation.read([&](store::Connection& db) {
      for (const quality::NextTask& task : next.ask) {
        if (items.size() >= limit) break;
        const ItemKey item = quality.items[task.task];
        if (quality.gold.count(item)) continue;
        db.query_one(
            "SELECT t.public_id, b.body, t.valid FROM task t JOIN task_body b ON b.task_id = t.id"
            " WHERE t.id = $1",
            {item.task}, [&](const store::Row& row) {
              Json entry = Json::object();
              entry["task_id"] = row.string(0);
              entry["prompt"] = prompt_start(row.text(1));
              entry["information"] = task.information;
              entry["probability"] = task.confidence;
              entry["annotations"] = row.int64(2);
              items.push_back(std::move(entry));
              return true;
            });
      }
      return true;
    });
  }
  json["items"] = std::move(items);
  json["simple"]["more_labels"] = more;
  json["simple"]["tasks"] = tasks;
  return json;
}

}  // namespace

Json quality_ranking(Organisation& organisation, const Project& project) {
  const auto quality = project_quality(organisation, project);
  return once(*quality, "ranking", [&] { return make_ranking(organisation, *quality); });
}

Json quality_next(Organisation& organisation, const Project& project, size_t limit) {
  const auto quality = project_quality(organisation, project);
  limit = std::min<size_t>(limit, 200);
  return once(*quality, "next " + std::to_string(limit),
              [&] { return make_next(organisation, *quality, limit); });
}

}  // namespace hone::label
