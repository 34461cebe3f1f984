// hone quality rank: from comparisons to a ranking, how sure each place is, and what led people
// astray (the side, the style, single votes).

#include <algorithm>
#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "cli/quality_commands.h"
#include "cli/quality_input.h"
#include "cli/quality_outputs.h"
#include "cli/quality_plot.h"
#include "cli/quality_text.h"
#include "data/jsonl_writer.h"
#include "quality/next_label.h"
#include "quality/rank.h"
#include "quality/trust.h"

namespace hone::cli {

namespace {

constexpr size_t kMostRowsShown = 40, kMostPairs = 20;
constexpr double kBiased = 0.05;  // false discoveries among the workers named as side-biased

struct RankReport {
  ComparisonInput input;
  quality::RankOptions options;
  quality::Ranking ranking;
  quality::PositionBias sides;
  std::vector<quality::NextPair> next;

  const std::string& name(uint32_t index) const { return input.table.names[index]; }
};

const char* method_words(quality::RankMethod method) {
  using enum quality::RankMethod;
  switch (method) {
    case kBradleyTerry: return "strengths that explain who beats whom; a tie is half a win each";
    case kDavidson: return "the same, with the chance of a tie fitted";
    case kRaoKupper: return "the same, with a threshold below which people see no difference";
    case kCrowdBt: return "strengths, and how far each worker can be trusted; ties left out";
    case kElo: return "ratings that move with every vote in file order: for comparison only";
    case kNewman: return "strengths and ties by Newman's iteration: for comparison only";
  }
  return "";
}

std::string places_text(const quality::RankRow& row) {
  if (row.rank_low == row.rank_high) return std::to_string(row.rank_low);
  return std::to_string(row.rank_low) + " to " + std::to_string(row.rank_high);
}

std::string ranking_text(const RankReport& report) {
  const quality::Ranking& ranking = report.ranking;
  std::vector<std::vector<std::string>> rows = {
      {"", "", "score", "", "place", "votes", "won", "tied", "lost"}};
  if (!ranking.has_intervals) rows[0][4] = "";
  for (size_t i = 0; i < ranking.rows.size() && i < kMostRowsShown; ++i) {
    const quality::RankRow& row = ranking.rows[i];
    rows.push_back({std::to_string(row.rank), shown_name(row.name), fixed_text(row.score, 0),
                    ranking.has_intervals ? interval_text(row.interval, 0) : "",
                    ranking.has_intervals ? places_text(row) : "", fixed_text(row.votes, 0),
                    fixed_text(row.wins, 0), fixed_text(row.ties, 0), fixed_text(row.losses, 0)});
  }
  std::string text =
      "\nRanking (100 points more: preferred " + percent_text(0.6401, 0) +
      " of the time; the mean is 1000" +
      (ranking.has_intervals
           ? "; in brackets: where the score may lie; place: the places it may deserve)"
           : ")") +
      "\n";
  text = paragraph(text.substr(1));
  text = "\n" + text + table_text(rows);
  if (ranking.rows.size() > kMostRowsShown) {
    text += "  and " + grouped(ranking.rows.size() - kMostRowsShown) +
            " more (--output FILE.csv writes all)\n";
  }
  return text;
}

std::string bullet(const std::string& text) { return paragraph("  - " + text, "    "); }

std::string first_place_text(const RankReport& report) {
  const quality::Ranking& ranking = report.ranking;
  if (!ranking.has_intervals || ranking.rows.empty()) return {};
  const quality::RankRow& best = ranking.rows.front();
  std::vector<std::string> rivals;
  for (const quality::RankRow& row : ranking.rows) {
    if (&row != &best && row.rank_low == 1) rivals.push_back(row.name);
  }
  std::string text =
      bullet(rivals.empty() ? shown_name(best.name) + " is first, and no other can be."
                            : shown_name(best.name) + " leads, but " + listed_names(rivals) +
                                  " may be as good: the intervals overlap.");
  if (ranking.fragility) {
    const quality::Fragility& fragile = *ranking.fragility;
    text += bullet(fragile.found
                       ? "Leaving out " + counted(fragile.votes, "vote", "votes") + " of " +
                             grouped(fragile.of) + " puts " +
                             shown_name(report.name(fragile.challenger)) + " first."
                       : "No set of votes up to half of them was found that changes the first "
                         "place.");
  }
  return text;
}

std::string side_text(const RankReport& report) {
  std::string text;
  if (report.ranking.left && report.ranking.left->identified) {
    const quality::Effect& left = *report.ranking.left;
    const bool real = left.interval.low > 0 || left.interval.high < 0;
    text += bullet(
        "Of the decided votes " + percent_text(report.sides.left_share) + " went to the left. " +
        (real ? std::string("Beyond chance: being shown on the ") +
                    (left.value > 0 ? "left" : "right") + " alone is worth " +
                    fixed_text(173.71779276130073 * std::max(left.value, -left.value), 0) +
                    " points (p " + p_text(left.wald_p) + "). " +
                    (report.options.adjust_left ? "The scores take it out."
                                                : "--side-effect takes it out of the scores.")
              : "No sign that the side matters (p " + p_text(left.wald_p) + ")."));
  }
  std::vector<std::string> biased;
  for (const quality::SideRow& row : report.sides.workers) {
    if (row.q <= kBiased) {
      biased.push_back(report.input.table.workers[row.worker] + " (" +
                       percent_text(row.left_share, 0) + " left of " +
                       grouped(row.left + row.right) + ")");
    }
  }
  if (!biased.empty()) {
    text += bullet(counted(biased.size(), "worker", "workers") + " of " +
                   grouped(report.sides.workers.size()) +
                   (biased.size() == 1 ? " chooses" : " choose") +
                   " by the side: " + listed_names(biased, 6) + ".");
  }
  return text;
}

std::string style_text(const RankReport& report) {
  std::string text;
  for (const quality::Effect& effect : report.ranking.style) {
    if (!effect.identified) {
      text += bullet("Style \"" + shown_name(effect.name) + "\" cannot be told from the things.");
      continue;
    }
    text += bullet(
        "Style \"" + shown_name(effect.name) + "\": " +
        (effect.interval.low > 0 || effect.interval.high < 0
             ? std::string("people prefer ") + (effect.value > 0 ? "more" : "less") + " of it"
             : "no sign that it matters") +
        " (" + fixed_text(effect.value, 3) + " " + interval_text(effect.interval, 3) + ", p " +
        p_text(effect.wald_p) + ").");
  }
  return text;
}

std::string crowd_text(const RankReport& report) {
  if (report.ranking.workers.empty()) return {};
  std::vector<const quality::WorkerReliability*> rows;
  for (const auto& row : report.ranking.workers) rows.push_back(&row);
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto* a, const auto* b) { return a->eta < b->eta; });
  std::vector<std::vector<std::string>> table = {{"worker", "votes", "trust"}};
  for (size_t i = 0; i < rows.size() && i < 8; ++i) {
    table.push_back({rows[i]->worker.empty() ? "(no name)" : shown_name(rows[i]->worker),
                     fixed_text(rows[i]->votes, 0), percent_text(rows[i]->eta, 0)});
  }
  return "\nWorkers trusted least (50 % = answers at random, below = mostly the wrong way "
         "round)\n" +
         table_text(table);
}

std::string next_text(const RankReport& report) {
  if (report.next.empty()) return {};
  std::string pairs;
  for (size_t i = 0; i < report.next.size() && i < 3; ++i) {
    pairs += (i == 0 ? "" : "; ") + shown_name(report.name(report.next[i].first)) + " with " +
             shown_name(report.name(report.next[i].second));
  }
  return "\nWhat to do next\n" + bullet("One more comparison tells most about: " + pairs + ".");
}

std::string text_of(const RankReport& report) {
  const quality::ComparisonTable& table = report.input.table;
  const quality::Ranking& ranking = report.ranking;
  const double votes =
      ranking.votes_left + ranking.votes_right + ranking.votes_tie + ranking.votes_both_bad;
  const auto share = [&](double count) { return percent_text(votes > 0 ? count / votes : 0.0, 0); };
  std::string text = report.input.path + ": " +
                     counted(table.comparisons.size(), "comparison", "comparisons") + " of " +
                     counted(table.names.size(), "thing", "things");
  if (!table.workers.empty()) {
    text += " by " + counted(table.workers.size(), "worker", "workers");
  }
  text += "\nleft " + share(ranking.votes_left) + ", right " + share(ranking.votes_right) +
          ", tie " + share(ranking.votes_tie);
  if (ranking.votes_both_bad > 0) text += ", both bad " + share(ranking.votes_both_bad);
  text += "\n" + paragraph("Method: " + std::string(quality::rank_method_name(ranking.method)) +
                           " (" + method_words(ranking.method) + ")");
  if (ranking.has_intervals) {
    text += paragraph(
        ranking.cluster == quality::ClusterBy::kNone
            ? "Intervals take every vote as independent (--cluster worker or task when they are "
              "not)."
            : "Intervals allow for votes of one " +
                  std::string(quality::cluster_by_name(ranking.cluster)) +
                  " going wrong together (" + grouped(ranking.clusters) + " groups).");
  }
  text += ranking_text(report) + "\nWhat is sure\n" + first_place_text(report) + side_text(report) +
          style_text(report) + crowd_text(report) + next_text(report);
  return text;
}

Json effect_json(const quality::Effect& effect) {
  Json json = Json::object();
  json["name"] = effect.name;
  json["value"] = effect.value;
  json["standard_error"] = effect.standard_error;
  json["interval"] = interval_json(effect.interval);
  json["p"] = effect.wald_p;
  json["likelihood_ratio"] = effect.likelihood_ratio;
  json["likelihood_ratio_p"] = effect.likelihood_ratio_p;
  json["identified"] = effect.identified;
  return json;
}

Json row_json(const quality::RankRow& row, const quality::Ranking& ranking) {
  Json json = Json::object();
  json["rank"] = row.rank;
  json["name"] = row.name;
  json["score"] = row.score;
  json["standard_error"] = ranking.has_intervals ? Json(row.standard_error) : Json();
  json["interval"] = ranking.has_intervals ? interval_json(row.interval) : Json();
  if (ranking.bootstrap_rounds > 0) {
    json["bootstrap_interval"] = interval_json(row.bootstrap_interval);
  }
  json["rank_low"] = row.rank_low;
  json["rank_high"] = row.rank_high;
  json["strength"] = row.strength;
  json["votes"] = row.votes;
  json["wins"] = row.wins;
  json["losses"] = row.losses;
  json["ties"] = row.ties;
  json["component"] = row.component;
  return json;
}

Json sides_json(const RankReport& report) {
  Json json = Json::object();
  json["left"] = report.sides.left;
  json["right"] = report.sides.right;
  json["tie"] = report.sides.tie;
  json["both_bad"] = report.sides.both_bad;
  json["left_share"] = report.sides.left_share;
  json["z"] = report.sides.z;
  json["p"] = report.sides.p;
  Json& workers = json["workers"] = Json::array();
  for (const quality::SideRow& side : report.sides.workers) {
    Json row = Json::object();
    row["worker"] = report.input.table.workers[side.worker];
    row["left"] = side.left;
    row["right"] = side.right;
    row["p"] = side.p;
    row["q"] = side.q;
    workers.push_back(std::move(row));
  }
  return json;
}

Json json_of(const RankReport& report) {
  const quality::Ranking& ranking = report.ranking;
  Json json = Json::object();
  json["method"] = std::string(quality::rank_method_name(ranking.method));
  json["comparisons"] = uint64_t{report.input.table.comparisons.size()};
  json["workers_count"] = uint64_t{report.input.table.workers.size()};
  json["skipped_rows"] = report.input.counts.skipped;
  json["log_likelihood"] = ranking.log_likelihood;
  json["objective"] = ranking.objective;
  json["iterations"] = uint64_t{ranking.iterations};
  json["converged"] = ranking.converged;
  json["cluster"] = std::string(quality::cluster_by_name(ranking.cluster));
  json["clusters"] = uint64_t{ranking.clusters};
  json["confidence"] = report.options.confidence;
  json["bootstrap_rounds"] = uint64_t{ranking.bootstrap_rounds};
  json["components"] = ranking.components;
  json["prior_precision"] = ranking.prior_precision;
  Json& rows = json["ranking"] = Json::array();
  for (const quality::RankRow& row : ranking.rows) rows.push_back(row_json(row, ranking));
  if (ranking.tie_parameter) {
    json["tie_parameter"] = *ranking.tie_parameter;
    json["tie_parameter_standard_error"] = ranking.tie_parameter_standard_error;
  }
  json["side_effect"] = ranking.left ? effect_json(*ranking.left) : Json();
  json["side_effect_in_scores"] = report.options.adjust_left;
  if (!ranking.style.empty()) {
    Json& style = json["style"] = Json::array();
    for (const quality::Effect& effect : ranking.style) style.push_back(effect_json(effect));
    json["style_likelihood_ratio"] = ranking.style_likelihood_ratio;
    json["style_likelihood_ratio_p"] = ranking.style_likelihood_ratio_p;
  }
  if (!ranking.workers.empty()) {
    Json& workers = json["worker_reliability"] = Json::array();
    for (const quality::WorkerReliability& worker : ranking.workers) {
      Json row = Json::object();
      row["worker"] = worker.worker;
      row["eta"] = worker.eta;
      row["votes"] = worker.votes;
      workers.push_back(std::move(row));
    }
  }
  if (ranking.fragility) {
    Json& fragility = json["fragility"] = Json::object();
    fragility["found"] = ranking.fragility->found;
    fragility["votes"] = uint64_t{ranking.fragility->votes};
    fragility["of"] = uint64_t{ranking.fragility->of};
    if (ranking.fragility->found) {
      fragility["challenger"] = report.name(ranking.fragility->challenger);
    }
  }
  json["sides"] = sides_json(report);
  Json& next = json["next"] = Json::array();
  for (const quality::NextPair& pair : report.next) {
    Json row = Json::object();
    row["first"] = report.name(pair.first);
    row["second"] = report.name(pair.second);
    row["probability"] = pair.probability;
    row["information_bits"] = pair.information;
    next.push_back(std::move(row));
  }
  json["warnings"] = strings_json(ranking.warnings);
  return json;
}

std::string csv_of(const RankReport& report) {
  std::string out =
      "rank,name,score,standard_error,low,high,rank_low,rank_high,votes,wins,losses,ties\n";
  for (const quality::RankRow& row : report.ranking.rows) {
    out += std::to_string(row.rank) + ",";
    append_csv_cell(out, row.name);
    for (const double value :
         {row.score, row.standard_error, row.interval.low, row.interval.high}) {
      out += "," + number_to_string(value);
    }
    out += "," + std::to_string(row.rank_low) + "," + std::to_string(row.rank_high);
    for (const double value : {row.votes, row.wins, row.losses, row.ties}) {
      out += "," + number_to_string(value);
    }
    out += "\n";
  }
  return out;
}

std::vector<Chart> charts_of(const RankReport& report) {
  constexpr size_t kMostDrawn = 100;
  std::vector<RankedThing> things;
  for (const quality::RankRow& row : report.ranking.rows) {
    if (things.size() >= kMostDrawn) break;
    RankedThing thing{row.name, {}, row.score, {}};
    if (report.ranking.has_intervals) {
      thing.note = places_text(row);
      thing.interval = row.interval;
    }
    things.push_back(std::move(thing));
  }
  std::string caption = "Scores with " + percent_text(report.options.confidence, 0) +
                        " intervals. Where two lines overlap widely, the order of the two is not "
                        "known; the right column says which places each may deserve.";
  if (!report.ranking.has_intervals) caption = "Scores; this method has no intervals.";
  std::vector<Chart> charts = {
      ranking_chart({"Ranking",
                     caption,
                     "score (mean 1000; 100 points: preferred 64 % of the time)",
                     report.ranking.has_intervals ? "place" : "",
                     std::move(things),
                     false,
                     {}})};
  std::vector<RankedThing> sides;
  for (const quality::SideRow& row : report.sides.workers) {
    sides.push_back({report.input.table.workers[row.worker], grouped(row.left + row.right),
                     row.left_share, row.interval, row.q <= kBiased});
  }
  std::stable_sort(sides.begin(), sides.end(),
                   [](const auto& a, const auto& b) { return a.value > b.value; });
  if (sides.size() >= 2 && sides.size() <= kMostDrawn) {
    charts.push_back(ranking_chart(
        {"Who chooses by the side",
         "Share of decided votes that went to the left. Where sides are shuffled, an honest "
         "worker's line meets the dashed one; marked are those whom chance does not explain, "
         "though so many were looked at.",
         "votes for the left", "votes", std::move(sides), true, 0.5}));
  }
  return charts;
}

}  // namespace

int run_quality_rank(const Arguments& arguments) {
  CommonOptions common;
  QualityFileOptions files;
  RankReport report;
  quality::RankOptions& rank = report.options;
  std::string method = "bradley-terry", cluster = "auto", output, plot;
  std::vector<std::string> style;
  bool overwrite = false;
  Options options("quality rank", "a ranking from comparisons, with intervals", "COMPARISONS");
  options.example("hone quality rank votes.csv",
                  "scores, how sure each place is, and whether the side mattered");
  options.example("hone quality rank votes.csv --method davidson --side-effect --plot ranking.svg",
                  "ties of their own, the left-right effect taken out, as a chart");
  options.example("hone quality rank votes.csv --style length --fragility --json",
                  "what length alone is worth, and how few votes decide the first place");
  options.choice("method", &method,
                 {"bradley-terry", "davidson", "rao-kupper", "crowd-bt", "elo", "newman"},
                 "how strengths are found (docs/quality.md)");
  options.choice("cluster", &cluster, {"auto", "worker", "task", "none"},
                 "votes that may go wrong together; auto = workers, or tasks, when there are 30");
  options.flag("side-effect", &rank.adjust_left, "take the left-right effect out of the scores");
  options.list("style", &style, "NAME,..",
               "take style out of the scores: columns NAME_left and NAME_right, or NAME with their "
               "difference");
  options.real("style-l2", &rank.style_l2, "penalty on style; 0 = none");
  options.real("confidence", &rank.confidence, "of the intervals");
  options.count("bootstrap-rounds", &rank.bootstrap_rounds, "resamples of the clusters; 0 = none");
  options.flag("fragility", &rank.fragility, "how few votes decide the first place");
  options.text("output", &output, "FILE.csv", "the ranking as a table");
  options.text("plot", &plot, "FILE", "charts as .svg or .html");
  options.flag("overwrite", &overwrite, "replace outputs that exist");
  options.section("Of single methods");
  options.real("elo-k", &rank.elo_k, "elo: points a vote");
  options.real("crowd-bt-lambda", &rank.crowd_bt_lambda, "crowd-bt: weight of the virtual thing");
  options.real("crowd-bt-alpha", &rank.crowd_bt_alpha,
               "crowd-bt: prior of trust, Beta(alpha, beta)");
  options.real("crowd-bt-beta", &rank.crowd_bt_beta, "crowd-bt: see alpha");
  options.count("max-iterations", &rank.iterations_max,
                "Newton steps; newman: a hundred times that");
  options.section("The file");
  files.add_to(options);
  common.add_to(options);
  const std::vector<std::string> words = options.parse(arguments);
  if (options.wants_help()) {
    std::fputs(options.help().c_str(), stdout);
    return 0;
  }
  if (words.size() != 1) {
    throw invalid_input("hone quality rank needs one file of comparisons: COMPARISONS");
  }
  if (!output.empty()) data::refuse_existing(real_env(), output, overwrite);
  if (!plot.empty()) check_plot_path(real_env(), plot, overwrite);
  rank.method = quality::parse_rank_method(method);
  rank.cluster = quality::parse_cluster_by(cluster);
  rank.style = !style.empty();
  rank.seed = common.seed;
  report.input = read_comparisons(words[0], files, style, common);
  ThreadPool pool(common.threads);
  const double begin = real_env().steady_seconds();
  report.ranking = quality::rank(report.input.table, rank, &pool);
  tell_seconds(report.input.read_seconds, "ranking", real_env().steady_seconds() - begin, common);
  report.sides = quality::position_bias(report.input.table);
  if (report.ranking.has_intervals) {
    std::vector<double> strengths(report.input.table.names.size());
    for (const quality::RankRow& row : report.ranking.rows) strengths[row.index] = row.strength;
    report.next = quality::next_pairs(strengths, report.ranking.covariance, kMostPairs);
  }
  tell_warnings(report.ranking.warnings, common);
  if (!output.empty()) {
    const std::string text = csv_of(report);
    write_in_pieces(real_env(), output, overwrite, [&](const auto& put) { put(text); });
  }
  if (!plot.empty()) {
    write_plot(real_env(), plot, plot_title("Ranking", report.input.path), charts_of(report));
  }
  if (common.json) {
    std::printf("%s\n", json_of(report).dump().c_str());
  } else {
    std::fputs(text_of(report).c_str(), stdout);
  }
  return 0;
}

}  // namespace hone::cli
