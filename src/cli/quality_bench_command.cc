// hone bench labels: how long label statistics take on this machine, reading apart from fitting.

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>

#include "base/env.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/thread_pool.h"
#include "cli/progress.h"
#include "cli/quality_commands.h"
#include "cli/quality_input.h"
#include "cli/quality_text.h"
#include "quality/aggregate.h"
#include "quality/agreement.h"
#include "quality/incremental.h"
#include "quality/rank.h"

namespace hone::cli {

namespace {

struct Fitted {
  uint64_t iterations = 0;  // 0 = none to speak of
  std::optional<double> log_likelihood = {};
};

struct Work {
  std::string name;
  uint64_t rows = 0;  // labels or votes of one run
  std::function<Fitted()> run;
  Fitted fitted = {};
  std::vector<double> seconds = {};
};

// What a label costs on arrival: its task's posterior is asked for at once, one call after another.
struct Arrival {
  uint64_t labels = 0;                                      // in the table when the calls begin
  double median_us = 0.0, slow_us = 0.0, slowest_us = 0.0;  // slow: 99 % are faster
};

struct Source {
  std::string name;  // the file, or what was invented
  uint64_t rows = 0;
  double read_seconds = 0.0;  // 0: invented
};

double best(const std::vector<double>& seconds) {
  return *std::min_element(seconds.begin(), seconds.end());
}

double median(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const size_t n = seconds.size();
  return n % 2 == 1 ? seconds[n / 2] : (seconds[n / 2 - 1] + seconds[n / 2]) / 2;
}

// Five labels a task by workers who are right in 50 to 95 % of the cases.
quality::LabelTable invented_labels(uint64_t count, uint64_t seed) {
  constexpr uint64_t kOverlap = 5, kClasses = 4;
  const uint64_t workers = std::max<uint64_t>(10, count / 500);
  quality::LabelTableBuilder builder;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t task = i / kOverlap;
    Rng of_task(seed, rng_stream("bench-task", task));
    const uint64_t truth = of_task.below(kClasses);
    Rng rng(seed, rng_stream("bench-label", i));
    const uint64_t worker = (task * 7919 + (i % kOverlap) * 104729) % workers;
    const double skill = 0.5 + 0.45 * Rng(seed, rng_stream("bench-worker", worker)).uniform();
    const uint64_t said = rng.uniform() < skill ? truth : rng.below(kClasses);
    builder.add("t" + std::to_string(task), "w" + std::to_string(worker), std::to_string(said));
  }
  return std::move(builder).build();
}

quality::ComparisonTable invented_votes(uint64_t count, uint64_t things, uint64_t seed) {
  quality::ComparisonTableBuilder builder;
  for (uint64_t i = 0; i < count; ++i) {
    Rng rng(seed, rng_stream("bench-vote", i));
    const uint64_t left = rng.below(things), right = (left + 1 + rng.below(things - 1)) % things;
    // Strengths spread evenly over three units of logit; the chance as a straight line is enough.
    const double d = 3.0 * (static_cast<double>(left) - static_cast<double>(right)) /
                     static_cast<double>(things);
    const double u = rng.uniform(), chance = std::clamp(0.5 + 0.2 * d, 0.05, 0.95);
    const auto winner = u < 0.15                   ? quality::Winner::kTie
                        : u < 0.15 + 0.85 * chance ? quality::Winner::kLeft
                                                   : quality::Winner::kRight;
    builder.add("m" + std::to_string(left), "m" + std::to_string(right), winner,
                "w" + std::to_string(i % 5000), "p" + std::to_string(i % 2000));
  }
  return std::move(builder).build();
}

struct BenchFlags {
  CommonOptions common;
  LabelOptions labels;
  std::string data, comparisons, only;
  std::vector<std::string> methods = {"majority", "wawa", "dawid-skene", "one-coin", "zencrowd",
                                      "ibcc",     "mace", "mace-vb",     "glad"};
  size_t repeats = 5, rounds = 1000, restarts = 10, bootstrap_rounds = 100;
  size_t invented_labels = 100000, invented_votes = 1000000;
  size_t max_iterations = 0, arrivals = 10000;
};

void add_label_works(const BenchFlags& flags, const quality::LabelTable& table, ThreadPool& pool,
                     std::vector<Work>& works) {
  for (const std::string& name : flags.methods) {
    const auto method = quality::method_from_name(name);
    if (!method) throw invalid_input("--methods \"" + name + "\" is no method of aggregate");
    quality::AggregateOptions options;
    options.method = *method;
    options.restarts = static_cast<uint32_t>(flags.restarts);
    options.max_iterations = static_cast<uint32_t>(flags.max_iterations);
    options.seed = flags.common.seed;
    works.push_back({name, table.label_count(), [&table, &pool, options] {
                       const auto fit = quality::aggregate(table, options, &pool);
                       return Fitted{fit.iterations, fit.log_likelihood};
                     }});
  }
  quality::AgreementOptions agreement;
  agreement.rounds = flags.rounds;
  agreement.seed = flags.common.seed;
  works.push_back({"alpha, " + std::to_string(flags.rounds) + " rounds", table.label_count(),
                   [&table, &pool, agreement] {
                     quality::agreement(table, agreement, &pool);
                     return Fitted{};
                   }});
}

void add_vote_works(const BenchFlags& flags, const quality::ComparisonTable& table,
                    ThreadPool& pool, std::vector<Work>& works) {
  for (const auto method : {quality::RankMethod::kBradleyTerry, quality::RankMethod::kDavidson}) {
    quality::RankOptions options;
    options.method = method;
    options.bootstrap_rounds = flags.bootstrap_rounds;
    options.seed = flags.common.seed;
    works.push_back({std::string(quality::rank_method_name(method)) + ", " +
                         std::to_string(flags.bootstrap_rounds) + " bootstraps",
                     table.comparisons.size(), [&table, &pool, options] {
                       return Fitted{quality::rank(table, options, &pool).iterations};
                     }});
  }
}

// As many labels as the table holds are there first; then `count` more come, one at a time.
Arrival arrival_after(uint64_t labels, uint64_t count, uint64_t seed, ThreadPool& pool) {
  quality::AggregateOptions options;
  options.method = quality::Method::kIbcc;
  quality::IncrementalAggregate live({"0", "1", "2", "3"}, options);
  const uint64_t tasks = std::max<uint64_t>(1, labels / 4), workers = 10 + labels / 500;
  const auto add = [&](uint64_t i) {
    Rng rng(seed, rng_stream("bench-arrival", i));
    const std::string task = "t" + std::to_string(rng.below(tasks));
    const std::string worker = "w" + std::to_string(rng.below(workers));
    const std::string said = std::to_string(rng.below(4));
    const double begin = real_env().steady_seconds();
    live.add(task, worker, said);
    return real_env().steady_seconds() - begin;
  };
  for (uint64_t i = 0; i < labels; ++i) add(i);
  live.accept(quality::IncrementalAggregate::refit(live.snapshot(), &pool).parameters);
  Arrival arrival{live.label_count()};
  std::vector<double> us(count);
  for (uint64_t i = 0; i < count; ++i) us[i] = 1e6 * add(labels + i);
  std::sort(us.begin(), us.end());
  arrival.median_us = us[us.size() / 2];
  arrival.slow_us = us[us.size() * 99 / 100];
  arrival.slowest_us = us.back();
  return arrival;
}

void measure(std::vector<Work>& works, const BenchFlags& flags) {
  Progress progress("bench", "runs", flags.repeats * works.size(),
                    flags.common.quiet || flags.common.json);
  size_t done = 0;
  for (size_t r = 0; r < flags.repeats; ++r) {
    for (Work& work : works) {
      const double begin = real_env().steady_seconds();
      work.fitted = work.run();
      work.seconds.push_back(real_env().steady_seconds() - begin);
      progress.update(++done);
      if (interrupted()) throw Error(ErrorCode::kUnavailable, "stopped before the end");
    }
  }
  progress.finish();
}

std::string text_of(const std::vector<Source>& sources, const std::vector<Work>& works,
                    const std::vector<Arrival>& arrivals, const BenchFlags& flags, size_t threads) {
  std::string text = counted(threads, "thread", "threads") + "; " +
                     counted(flags.repeats, "run", "runs") + " of each in turn\n";
  for (const Source& source : sources) {
    text += source.name + ": " + grouped(source.rows) + " rows";
    if (source.read_seconds > 0) {
      text += ", read and sorted in " + fixed_text(1000 * source.read_seconds, 1) + " ms";
    }
    text += "\n";
  }
  std::vector<std::vector<std::string>> rows = {
      {"fit alone", "best ms", "median ms", "rows a second", "iterations"}};
  for (const Work& work : works) {
    const double seconds = median(work.seconds);
    rows.push_back({work.name, fixed_text(1000 * best(work.seconds), 2),
                    fixed_text(1000 * seconds, 2),
                    grouped(static_cast<uint64_t>(static_cast<double>(work.rows) / seconds)),
                    work.fitted.iterations > 0 ? grouped(work.fitted.iterations) : ""});
  }
  if (!works.empty()) text += "\n" + table_text(rows);
  rows = {{"one label added to", "median us", "99 % within us", "slowest us"}};
  for (const Arrival& arrival : arrivals) {
    rows.push_back({grouped(arrival.labels) + " labels", fixed_text(arrival.median_us, 2),
                    fixed_text(arrival.slow_us, 2), fixed_text(arrival.slowest_us, 1)});
  }
  if (!arrivals.empty()) text += "\n" + table_text(rows);
  return text;
}

Json json_of(const std::vector<Source>& sources, const std::vector<Work>& works,
             const std::vector<Arrival>& arrivals, const BenchFlags& flags, size_t threads) {
  Json json = Json::object();
  json["schema"] = "hone.bench.labels/1";
  json["threads"] = uint64_t{threads};
  json["repeats"] = uint64_t{flags.repeats};
  Json& from = json["sources"] = Json::array();
  for (const Source& source : sources) {
    Json row = Json::object();
    row["name"] = source.name;
    row["rows"] = source.rows;
    row["read_seconds"] = source.read_seconds > 0 ? Json(source.read_seconds) : Json();
    from.push_back(std::move(row));
  }
  Json& rows = json["rows"] = Json::array();
  for (const Work& work : works) {
    Json row = Json::object();
    row["name"] = work.name;
    row["rows"] = work.rows;
    row["best_seconds"] = best(work.seconds);
    row["median_seconds"] = median(work.seconds);
    row["iterations"] = work.fitted.iterations;
    row["log_likelihood"] = work.fitted.log_likelihood ? Json(*work.fitted.log_likelihood) : Json();
    rows.push_back(std::move(row));
  }
  Json& added = json["one_label"] = Json::array();
  for (const Arrival& arrival : arrivals) {
    Json row = Json::object();
    row["labels"] = arrival.labels;
    row["median_us"] = arrival.median_us;
    row["percentile_99_us"] = arrival.slow_us;
    row["slowest_us"] = arrival.slowest_us;
    added.push_back(std::move(row));
  }
  return json;
}

}  // namespace

int run_bench_labels(const Arguments& arguments) {
  BenchFlags flags;
  Options options("bench labels", "how long label statistics take, reading apart from fitting", "");
  options.example("hone bench labels --data labels.csv", "every method on a file of your own");
  options.example("hone bench labels --comparisons votes.csv --repeats 20 --json", "for programs");
  options.example("hone bench labels", "100,000 invented labels and 1,000,000 invented votes");
  options.text("data", &flags.data, "LABELS", "a file of labels");
  options.text("comparisons", &flags.comparisons, "FILE", "a file of comparisons");
  options.list("methods", &flags.methods, "NAME,..", "methods of aggregate");
  options.text("only", &flags.only, "WORDS", "the rows whose names hold these words; empty = all");
  options.count("repeats", &flags.repeats, "runs of each, in turn");
  options.count("rounds", &flags.rounds, "resamples of alpha's interval");
  options.count("restarts", &flags.restarts, "of mace");
  options.count("bootstrap-rounds", &flags.bootstrap_rounds, "of the rankings");
  options.count("max-iterations", &flags.max_iterations, "of the fits; 0 = the method's own");
  options.count("arrivals", &flags.arrivals,
                "without files: single labels added to tables of 10,000 to 1,000,000; 0 = none");
  options.count("invented-labels", &flags.invented_labels, "without files; 0 = none");
  options.count("invented-votes", &flags.invented_votes, "without files; 0 = none");
  options.section("The file");
  flags.labels.add_to(options);
  flags.common.add_to(options);
  const std::vector<std::string> words = options.parse(arguments);
  if (options.wants_help()) {
    std::fputs(options.help().c_str(), stdout);
    return 0;
  }
  if (!words.empty()) {
    throw invalid_input("hone bench labels takes its file as --data or --comparisons");
  }
  if (flags.repeats < 1 || flags.repeats > 1000) {
    throw invalid_input("--repeats " + std::to_string(flags.repeats) + " cannot be: 1 to 1000");
  }
  if (flags.restarts < 1 || flags.restarts > 1000) {
    throw invalid_input("--restarts must be 1 to 1,000");
  }
  if (flags.max_iterations > 1000000 || flags.arrivals > 1000000) {
    throw invalid_input("--max-iterations and --arrivals are at most 1,000,000");
  }
  constexpr size_t kMostInvented = 100000000;
  if (std::max(flags.invented_labels, flags.invented_votes) > kMostInvented) {
    throw invalid_input("--invented-labels and --invented-votes are at most 100,000,000");
  }
  ThreadPool pool(flags.common.threads);
  std::vector<Source> sources;
  std::vector<Work> works;
  LabelInput labels;
  ComparisonInput votes;
  const bool invent = flags.data.empty() && flags.comparisons.empty();
  if (!flags.data.empty()) {
    labels = read_labels(flags.data, flags.labels, flags.common);
    sources.push_back({flags.data, labels.counts.rows, labels.read_seconds});
  } else if (invent && flags.invented_labels > 0) {
    labels.table = invented_labels(flags.invented_labels, flags.common.seed);
    sources.push_back({"invented labels", labels.table.label_count(), 0.0});
  }
  if (labels.table.label_count() > 0) add_label_works(flags, labels.table, pool, works);
  if (!flags.comparisons.empty()) {
    votes = read_comparisons(flags.comparisons, flags.labels.files, {}, flags.common);
    sources.push_back({flags.comparisons, votes.counts.rows, votes.read_seconds});
  } else if (invent && flags.invented_votes > 0) {
    votes.table = invented_votes(flags.invented_votes, 100, flags.common.seed);
    sources.push_back({"invented votes on 100 things", votes.table.comparisons.size(), 0.0});
  }
  if (!votes.table.comparisons.empty()) add_vote_works(flags, votes.table, pool, works);
  std::erase_if(works,
                [&](const Work& work) { return work.name.find(flags.only) == std::string::npos; });
  const bool arrive = invent && flags.arrivals > 0 &&
                      std::string_view("one label added").find(flags.only) != std::string::npos;
  if (works.empty() && !arrive) {
    throw invalid_input("nothing is left to measure; see --only, --data");
  }
  interrupted();  // sets the handlers
  measure(works, flags);
  std::vector<Arrival> arrivals;
  for (const uint64_t size : {uint64_t{10000}, uint64_t{100000}, uint64_t{1000000}}) {
    if (arrive) arrivals.push_back(arrival_after(size, flags.arrivals, flags.common.seed, pool));
    if (interrupted()) throw Error(ErrorCode::kUnavailable, "stopped before the end");
  }
  if (flags.common.json) {
    std::printf("%s\n", json_of(sources, works, arrivals, flags, pool.size()).dump().c_str());
  } else {
    std::fputs(text_of(sources, works, arrivals, flags, pool.size()).c_str(), stdout);
  }
  return 0;
}

}  // namespace hone::cli
