#include "quality/rank.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "quality/bootstrap.h"
#include "quality/crowd_bt.h"
#include "quality/elo.h"
#include "quality/fragility.h"
#include "quality/math.h"
#include "quality/newman.h"
#include "quality/rank_bootstrap.h"
#include "quality/rank_data.h"
#include "quality/rank_effects.h"
#include "quality/rank_errors.h"
#include "quality/rank_fit.h"
#include "quality/style.h"

namespace hone::quality {
namespace {

constexpr double kPointsPerStrength = 400.0 / 2.302585092994045684;  // 400 / ln 10
constexpr size_t kNamesInWarning = 5;

struct MethodName {
  RankMethod method;
  std::string_view word;
};
constexpr std::array<MethodName, 6> kMethods{{{RankMethod::kBradleyTerry, "bradley-terry"},
                                              {RankMethod::kDavidson, "davidson"},
                                              {RankMethod::kRaoKupper, "rao-kupper"},
                                              {RankMethod::kCrowdBt, "crowd-bt"},
                                              {RankMethod::kElo, "elo"},
                                              {RankMethod::kNewman, "newman"}}};

struct ClusterName {
  ClusterBy cluster;
  std::string_view word;
};
constexpr std::array<ClusterName, 4> kClusterNames{{{ClusterBy::kAuto, "auto"},
                                                    {ClusterBy::kNone, "none"},
                                                    {ClusterBy::kWorker, "worker"},
                                                    {ClusterBy::kTask, "task"}}};

// "a, b, c" of the words of a table of names.
template <typename Names>
std::string list_words(const Names& names) {
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + std::string(name.word);
  return list;
}

bool is_newton(RankMethod method) {
  return method == RankMethod::kBradleyTerry || method == RankMethod::kDavidson ||
         method == RankMethod::kRaoKupper;
}

void check(const ComparisonTable& table, const RankOptions& options) {
  const auto refuse = [](const std::string& what) { throw invalid_input("ranking: " + what); };
  if (table.comparisons.empty()) refuse("there is no comparison; give at least one row");
  if (table.names.size() < 2) refuse("needs at least 2 things that were compared");
  if (table.names.size() > kRankThingsMax) {
    refuse(std::to_string(table.names.size()) + " things are compared, at most " +
           std::to_string(kRankThingsMax) + " can be ranked at once; split the file");
  }
  if (table.order.size() != table.comparisons.size()) {
    refuse("the table lacks its order; build it with ComparisonTableBuilder");
  }
  for (const uint32_t index : table.order) {
    if (index >= table.comparisons.size()) {
      refuse("the table's order names nothing; build it with ComparisonTableBuilder");
    }
  }
  for (const Comparison& row : table.comparisons) {
    if (!(row.weight > 0.0) || !std::isfinite(row.weight)) {
      refuse("the weight of a comparison must be a positive number");
    }
  }
  if (!(options.confidence > 0.0 && options.confidence < 1.0)) {
    refuse("the confidence must lie between 0 and 1");
  }
  if (options.bootstrap_rounds > 100000) refuse("at most 100000 bootstrap rounds");
  if (options.iterations_max < 1 || options.iterations_max > 100000) {
    refuse("the bound on iterations must lie between 1 and 100000");
  }
  if (!(options.style_l2 >= 0.0) || !std::isfinite(options.style_l2)) {
    refuse("the style penalty must be a number from 0 up");
  }
  if (!(options.elo_k > 0.0) || !std::isfinite(options.elo_k)) refuse("Elo's K must be above 0");
  if (!(options.crowd_bt_lambda > 0.0) || !std::isfinite(options.crowd_bt_lambda)) {
    refuse("CrowdBT's lambda must be above 0");
  }
  if (!(options.crowd_bt_alpha > 1.0) || !std::isfinite(options.crowd_bt_alpha) ||
      !(options.crowd_bt_beta > 1.0) || !std::isfinite(options.crowd_bt_beta)) {
    refuse("both numbers of CrowdBT's beta prior must be above 1");
  }
  if (options.style && table.covariate_names.empty()) {
    refuse("style control needs covariates (columns that say how the two differ in style)");
  }
  const std::string method(rank_method_name(options.method));
  if (!is_newton(options.method)) {
    const std::string others = "; use bradley-terry, davidson or rao-kupper";
    if (options.style) refuse(method + " cannot control for style" + others);
    if (options.adjust_left) refuse(method + " cannot take the left side into its scores" + others);
  }
}

// Names of the things that `says` picks, at most kNamesInWarning of them.
template <typename Says>
std::string list_names(const ComparisonTable& table, const Says& says) {
  std::string list;
  size_t count = 0;
  for (size_t i = 0; i < table.names.size(); ++i) {
    if (!says(i)) continue;
    if (++count <= kNamesInWarning) list += (count > 1 ? ", " : "") + table.names[i];
  }
  if (count > kNamesInWarning) list += " and " + std::to_string(count - kNamesInWarning) + " more";
  return list;
}

class Ranker {
 public:
  Ranker(const ComparisonTable& table, const RankOptions& options, ThreadPool* pool)
      : table_(table), options_(options), pool_(pool), data_(table) {
    ranking_.method = options.method;
    tally();
    clusters_ = make_clusters(table, options.cluster, ranking_.warnings);
    ranking_.cluster = clusters_.by;
    ranking_.clusters = clusters_.count;
    warn_of_components();
  }

  Ranking run() {
    switch (options_.method) {
      case RankMethod::kBradleyTerry:
      case RankMethod::kDavidson:
      case RankMethod::kRaoKupper: rank_by_model(); break;
      case RankMethod::kCrowdBt: rank_by_crowd_bt(); break;
      case RankMethod::kElo: rank_by_elo(); break;
      case RankMethod::kNewman: rank_by_newman(); break;
    }
    order_rows();
    return std::move(ranking_);
  }

 private:
  void tally() {
    ranking_.rows.resize(table_.names.size());
    for (uint32_t i = 0; i < ranking_.rows.size(); ++i) {
      ranking_.rows[i].name = table_.names[i];
      ranking_.rows[i].index = i;
    }
    for (const Comparison& c : table_.comparisons) {
      RankRow &left = ranking_.rows[c.left], &right = ranking_.rows[c.right];
      left.votes += c.weight;
      right.votes += c.weight;
      switch (c.winner) {
        case Winner::kLeft:
          ranking_.votes_left += c.weight;
          left.wins += c.weight;
          right.losses += c.weight;
          break;
        case Winner::kRight:
          ranking_.votes_right += c.weight;
          right.wins += c.weight;
          left.losses += c.weight;
          break;
        case Winner::kTie:
        case Winner::kBothBad:
          (c.winner == Winner::kTie ? ranking_.votes_tie : ranking_.votes_both_bad) += c.weight;
          left.ties += c.weight;
          right.ties += c.weight;
          break;
      }
    }
  }

  double ties() const { return ranking_.votes_tie + ranking_.votes_both_bad; }

  void warn_of_components() {
    const std::vector<uint32_t> group = connected_components(data_, ranking_.components);
    for (size_t i = 0; i < group.size(); ++i) ranking_.rows[i].component = group[i];
    if (ranking_.components < 2) return;
    ranking_.warnings.push_back(
        "the comparisons fall into " + std::to_string(ranking_.components) +
        " groups that never met (the first: " +
        list_names(table_, [&](size_t i) { return group[i] == 0; }) +
        "): scores of different groups do not compare; ask for comparisons between them");
  }

  // What the prior of a model was needed for.
  void warn_of_prior(double precision, double extras_precision) {
    ranking_.prior_precision = precision;
    if (precision == 0.0) return;
    const std::vector<RankRow>& rows = ranking_.rows;
    const std::string best =
        list_names(table_, [&](size_t i) { return rows[i].losses == 0.0 && rows[i].ties == 0.0; });
    const std::string worst =
        list_names(table_, [&](size_t i) { return rows[i].wins == 0.0 && rows[i].ties == 0.0; });
    std::string why;
    if (!best.empty()) why += "; never lost: " + best;
    if (!worst.empty()) why += "; never won: " + worst;
    if (why.empty() && ranking_.components < 2) why = "; some things only ever beat the others";
    ranking_.warnings.push_back("the comparisons alone set no limit to some strengths" + why +
                                ". A normal prior (mean 0, standard deviation 3, which is 521 "
                                "points) holds every strength" +
                                (extras_precision > 0.0 ? " and the other coefficients" : "") +
                                "; more comparisons of these things would settle them");
  }

  void set_scores(std::span<const double> strengths) {
    for (size_t i = 0; i < ranking_.rows.size(); ++i) {
      RankRow& row = ranking_.rows[i];
      row.strength = strengths[i];
      row.score = 1000.0 + kPointsPerStrength * strengths[i];
      row.interval = row.bootstrap_interval = {row.score, row.score};
    }
  }

  // From ranking_.covariance.
  void set_intervals() {
    const size_t n = ranking_.rows.size();
    const double reach = interval_reach(clusters_, options_.confidence);
    for (size_t i = 0; i < n; ++i) {
      RankRow& row = ranking_.rows[i];
      const double variance = std::max(0.0, ranking_.covariance[i * n + i]);
      row.standard_error = kPointsPerStrength * std::sqrt(variance);
      row.interval = {row.score - reach * row.standard_error,
                      row.score + reach * row.standard_error};
      row.bootstrap_interval = row.interval;
    }
    ranking_.has_intervals = true;
  }

  void set_bootstrap(const BootstrapStrengths& bootstrap) {
    const size_t n = ranking_.rows.size();
    ranking_.bootstrap_rounds = bootstrap.rounds;
    std::vector<double> values(bootstrap.rounds);
    const double rim = (1.0 - options_.confidence) / 2.0;
    for (size_t i = 0; i < n; ++i) {
      for (size_t round = 0; round < bootstrap.rounds; ++round) {
        values[round] = 1000.0 + kPointsPerStrength * bootstrap.strengths[round * n + i];
      }
      std::sort(values.begin(), values.end());
      ranking_.rows[i].bootstrap_interval = {sorted_quantile(values, rim),
                                             sorted_quantile(values, 1.0 - rim)};
    }
    if (bootstrap.regularised > 0 && ranking_.prior_precision == 0.0) {
      ranking_.warnings.push_back(std::to_string(bootstrap.regularised) + " of " +
                                  std::to_string(bootstrap.rounds) +
                                  " bootstrap rounds had too few comparisons of something and "
                                  "used a normal prior (standard deviation 3)");
    }
    if (bootstrap.not_converged > 0) {
      ranking_.warnings.push_back(std::to_string(bootstrap.not_converged) + " of " +
                                  std::to_string(bootstrap.rounds) +
                                  " bootstrap rounds did not converge");
    }
  }

  ModelSpec base_spec() const {
    ModelSpec spec;
    if (ties() > 0.0 && options_.method == RankMethod::kDavidson) spec.tie = TieModel::kDavidson;
    if (ties() > 0.0 && options_.method == RankMethod::kNewman) spec.tie = TieModel::kDavidson;
    if (ties() > 0.0 && options_.method == RankMethod::kRaoKupper) spec.tie = TieModel::kRaoKupper;
    spec.left = options_.adjust_left;
    if (options_.style) {
      spec.covariates.resize(table_.covariate_names.size());
      std::iota(spec.covariates.begin(), spec.covariates.end(), 0u);
      spec.style_l2 = options_.style_l2;
    }
    return spec;
  }

  void add_effects(const ModelSpec& base) {
    const EffectContext context{
        data_, style_, clusters_, options_.confidence, options_.iterations_max, pool_};
    ranking_.left = left_effect(base, context);
    if (!ranking_.left->identified) {
      ranking_.warnings.push_back(
          "the effect of the left side cannot be told from the strengths: things do not change "
          "sides often enough; show them in random order");
    }
    if (!is_newton(options_.method) || style_.scales.empty()) return;
    const StyleEffects effects = style_effects(base, options_.style_l2, context);
    ranking_.style = effects.effects;
    ranking_.style_likelihood_ratio = effects.likelihood_ratio;
    ranking_.style_likelihood_ratio_p = effects.likelihood_ratio_p;
    for (const Effect& effect : effects.effects) {
      if (effect.identified) continue;
      ranking_.warnings.push_back("the covariate \"" + effect.name +
                                  "\" has no spread of its own and was left out");
    }
  }

  void rank_by_model() {
    style_ = scale_covariates(table_);
    const ModelSpec asked = base_spec();
    const FittedModel fitted = fit_identified(asked, data_, style_, options_.iterations_max, pool_);
    const ComparisonModel& model = *fitted.model;
    const ModelFit& fit = fitted.fit;
    const size_t n = data_.things;
    ranking_.log_likelihood = fit.log_likelihood;
    ranking_.objective = -fit.log_likelihood;
    ranking_.iterations = fit.iterations;
    ranking_.converged = fit.converged;
    if (!fit.converged) {
      ranking_.warnings.push_back("the fit did not converge in " + std::to_string(fit.iterations) +
                                  " steps; allow more iterations");
    }
    warn_of_prior(fit.prior, fit.extras_prior);
    set_scores(std::span(fit.parameters).first(n));

    const Scores scores = comparison_scores(model, data_, fit.parameters);
    const std::vector<double> covariance =
        sandwich_covariance(model, scores, data_, style_.columns, clusters_, pool_);
    ranking_.covariance.resize(n * n);
    for (size_t i = 0; i < n; ++i) {
      std::copy_n(covariance.begin() + static_cast<long>(i * model.size()), n,
                  ranking_.covariance.begin() + static_cast<long>(i * n));
    }
    set_intervals();
    if (options_.method != RankMethod::kBradleyTerry) {
      ranking_.tie_parameter = options_.method == RankMethod::kDavidson ? 0.0 : 1.0;
      if (model.spec().tie_count() > 0) {
        const size_t t = model.tie_index();
        ranking_.tie_parameter = math::exp(fit.parameters[t]);
        ranking_.tie_parameter_standard_error =
            *ranking_.tie_parameter * std::sqrt(std::max(0.0, covariance[t * model.size() + t]));
      }
    }
    if (options_.bootstrap_rounds > 0) {
      set_bootstrap(bootstrap_strengths(model.spec(), data_, style_.columns, clusters_, fit,
                                        options_.bootstrap_rounds, options_.seed, pool_));
    }
    if (options_.fragility) {
      ranking_.fragility = find_fragility(model, fit, data_, style_.columns, scores);
    }
    add_effects(asked);
  }

  void rank_by_crowd_bt() {
    CrowdBt model(data_, {options_.crowd_bt_lambda, options_.crowd_bt_alpha, options_.crowd_bt_beta,
                          options_.iterations_max});
    const CrowdBtFit fit = model.fit();
    const size_t n = data_.things;
    ranking_.log_likelihood = fit.log_likelihood;
    ranking_.objective = fit.objective;
    ranking_.iterations = fit.iterations;
    ranking_.converged = fit.converged;
    if (ties() > 0.0) {
      ranking_.warnings.push_back(
          "CrowdBT leaves ties out: " + std::to_string(table_.comparisons.size() - model.votes()) +
          " of " + std::to_string(table_.comparisons.size()) + " comparisons do not count");
    }
    if (!fit.converged) {
      ranking_.warnings.push_back("the fit did not converge in " + std::to_string(fit.iterations) +
                                  " steps; allow more iterations");
    }
    for (size_t w = 0; w < model.workers().size(); ++w) {
      const uint32_t worker = model.workers()[w];
      ranking_.workers.push_back({worker == kNobody ? std::string() : table_.workers[worker],
                                  math::sigmoid(fit.logit_eta[w]), model.votes_of(w)});
    }
    std::vector<double> strengths = fit.strengths;
    center_strengths(strengths);
    set_scores(strengths);
    ranking_.covariance = model.covariance(fit, clusters_, pool_);
    if (ranking_.covariance.empty()) {
      ranking_.warnings.push_back(
          "CrowdBT stopped where the objective is not convex: there are "
          "no intervals");
      ranking_.covariance.assign(n * n, 0.0);
    } else {
      center_covariance();
      set_intervals();
      if (options_.bootstrap_rounds > 0) {
        set_bootstrap(bootstrap_crowd_bt(model, clusters_, fit, options_.bootstrap_rounds,
                                         options_.seed, pool_));
      }
    }
    warn_no_fragility();
    add_effects(base_spec());
  }

  // Var of b - mean(b) from Var of b.
  void center_covariance() {
    const size_t n = data_.things;
    std::vector<double>& v = ranking_.covariance;
    std::vector<double> mean(n, 0.0);
    double all = 0.0;
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) mean[i] += v[i * n + j] / static_cast<double>(n);
      all += mean[i] / static_cast<double>(n);
    }
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) v[i * n + j] -= (mean[i] + mean[j]) - all;
    }
  }

  void rank_by_elo() {
    const std::vector<double> ratings = elo_ratings(table_, options_.elo_k);
    const std::vector<double> reversed = elo_ratings(table_, options_.elo_k, true);
    double largest = 0.0;
    for (size_t i = 0; i < ratings.size(); ++i) {
      RankRow& row = ranking_.rows[i];
      row.score = ratings[i];
      row.strength = (ratings[i] - 1000.0) / kPointsPerStrength;
      row.interval = row.bootstrap_interval = {row.score, row.score};
      largest = std::max(largest, std::abs(ratings[i] - reversed[i]));
    }
    ranking_.covariance.assign(ratings.size() * ratings.size(), 0.0);
    ranking_.converged = true;
    const double tau = kendall_tau(ratings, reversed);
    const long hundredths = static_cast<long>(tau * 100.0 + (tau < 0.0 ? -0.5 : 0.5));
    ranking_.warnings.push_back(
        "Elo depends on the order of the rows: read backwards, the same votes move a score by up "
        "to " +
        std::to_string(static_cast<long>(largest + 0.5)) +
        " points (Kendall's tau of the two rankings " + (hundredths < 0 ? "-" : "") +
        std::to_string(std::abs(hundredths) / 100) + "." +
        (std::abs(hundredths) % 100 < 10 ? "0" : "") + std::to_string(std::abs(hundredths) % 100) +
        "); it has no intervals. Use bradley-terry to decide anything");
    warn_no_fragility();
    add_effects(base_spec());
  }

  void rank_by_newman() {
    const RankRows rows(data_, RowLayout::kFolded);
    if (!rows.strongly_connected()) {
      ranking_.warnings.push_back(
          "Newman's iteration has no limit on these comparisons: this is "
          "the Davidson model by Newton's method");
      const ModelSpec spec = base_spec();
      const FittedModel fitted =
          fit_identified(spec, data_, style_, options_.iterations_max, pool_);
      warn_of_prior(fitted.fit.prior, fitted.fit.extras_prior);
      set_scores(std::span(fitted.fit.parameters).first(data_.things));
      ranking_.log_likelihood = fitted.fit.log_likelihood;
      ranking_.iterations = fitted.fit.iterations;
      ranking_.converged = fitted.fit.converged;
      ranking_.tie_parameter = 0.0;
      if (fitted.model->spec().tie_count() > 0) {
        ranking_.tie_parameter = math::exp(fitted.fit.parameters[fitted.model->tie_index()]);
      }
    } else {
      const NewmanFit fit = fit_newman(rows, data_.things, 100 * options_.iterations_max);
      set_scores(fit.strengths);
      ranking_.tie_parameter = fit.nu;
      ranking_.iterations = fit.iterations;
      ranking_.converged = fit.converged;
      if (!fit.converged) {
        ranking_.warnings.push_back("Newman's iteration did not converge in " +
                                    std::to_string(fit.iterations) + " rounds");
      }
      ModelSpec spec = base_spec();
      ComparisonModel model(spec, data_.things, {});
      std::vector<double> parameters = fit.strengths;
      if (spec.tie_count() > 0) parameters.push_back(math::log(fit.nu));
      ranking_.log_likelihood = model.evaluate(rows, parameters, pool_);
    }
    ranking_.objective = -ranking_.log_likelihood;
    ranking_.covariance.assign(data_.things * data_.things, 0.0);
    warn_no_fragility();
    add_effects(base_spec());
  }

  void warn_no_fragility() {
    if (!options_.fragility) return;
    ranking_.warnings.push_back(
        "fragility is known for bradley-terry, davidson and rao-kupper only");
  }

  void order_rows() {
    std::vector<RankRow>& rows = ranking_.rows;
    std::stable_sort(rows.begin(), rows.end(),
                     [](const RankRow& x, const RankRow& y) { return x.score > y.score; });
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i].rank = i > 0 && rows[i].score == rows[i - 1].score ? rows[i - 1].rank
                                                                 : static_cast<uint32_t>(i + 1);
      uint32_t above = 0, below = 0;
      for (const RankRow& other : rows) {
        if (other.interval.low > rows[i].interval.high) ++above;
        if (other.interval.high < rows[i].interval.low) ++below;
      }
      rows[i].rank_low = 1 + above;
      rows[i].rank_high = static_cast<uint32_t>(rows.size()) - below;
    }
  }

  const ComparisonTable& table_;
  const RankOptions& options_;
  ThreadPool* pool_;
  RankData data_;
  Clusters clusters_;
  StyleCovariates style_;
  Ranking ranking_;
};

}  // namespace

RankMethod parse_rank_method(std::string_view word) {
  for (const MethodName& name : kMethods) {
    if (name.word == word) return name.method;
  }
  throw invalid_input("\"" + std::string(word) + "\" is no ranking method; choose one of " +
                      list_words(kMethods));
}

std::string_view rank_method_name(RankMethod method) {
  for (const MethodName& name : kMethods) {
    if (name.method == method) return name.word;
  }
  throw invalid_input("ranking: unknown method number");
}

ClusterBy parse_cluster_by(std::string_view word) {
  for (const ClusterName& name : kClusterNames) {
    if (name.word == word) return name.cluster;
  }
  throw invalid_input("\"" + std::string(word) + "\" is no kind of cluster; choose one of " +
                      list_words(kClusterNames));
}

std::string_view cluster_by_name(ClusterBy cluster) {
  for (const ClusterName& name : kClusterNames) {
    if (name.cluster == cluster) return name.word;
  }
  throw invalid_input("ranking: unknown cluster number");
}

Ranking rank(const ComparisonTable& table, const RankOptions& options, ThreadPool* pool) {
  check(table, options);
  return Ranker(table, options, pool).run();
}

}  // namespace hone::quality
