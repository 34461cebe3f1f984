#include "cli/gate_evidence.h"

#include "base/error.h"
#include "data/data_check.h"
#include "eval/compare.h"
#include "seal/digest.h"

namespace hone::cli {

namespace {

constexpr size_t kShownDigest = 12;

std::string digest_in(const eval::Report& report, const char* name) {
  const auto at = report.digests.find(name);
  return at == report.digests.end() ? std::string() : at->second;
}

}  // namespace

std::string subject_of(const eval::Report& report) {
  const std::string adapter = digest_in(report, "adapter");
  return adapter.empty() ? digest_in(report, "model") : adapter;
}

registry::GateComparison compare_for_gate(Env& env, const std::string& candidate_path,
                                          const std::string& champion_path,
                                          std::string_view metric) {
  const eval::Report candidate = eval::read_report(env, candidate_path);
  registry::GateComparison set;
  set.report_digest = seal::sha256_file(candidate_path);
  set.candidate_digest = subject_of(candidate);
  set.data_digest = digest_in(candidate, "data");
  set.metric = metric.empty() ? candidate.primary : metric;
  for (const eval::MetricSum& sum : candidate.sums()) {
    if (set.metric.empty()) set.metric = sum.name;
    if (sum.name != set.metric) continue;
    set.n = sum.n;
    set.candidate_mean = sum.mean;
  }
  if (set.n == 0) throw invalid_input(candidate_path + " has no metric \"" + set.metric + "\"");
  if (champion_path.empty()) return set;
  const eval::Report champion = eval::read_report(env, champion_path);
  set.champion_digest = subject_of(champion);
  if (digest_in(champion, "data") != set.data_digest) {
    throw invalid_input("the two reports are about different data: measure both on one file");
  }
  for (const eval::MetricComparison& m : eval::compare_reports(champion, candidate).metrics) {
    if (m.name != set.metric) continue;
    set.champion_mean = m.first_mean;
    set.difference = m.difference;
    set.interval = m.interval;
    set.gained = m.gained;
    set.lost = m.lost;
    set.p_value = m.test.p;
    set.smallest_detectable = m.smallest_detectable_effect;
    if (!m.judgement) {
      throw invalid_input(set.metric + " has no better and no worse: name another with the gate");
    }
    set.verdict = m.judgement->verdict;
  }
  return set;
}

uint64_t prompts_in_common(Env& env, const data::Dataset& training, const std::string& path,
                           std::string_view digest, const std::string& what) {
  const data::Dataset set = data::load_dataset(env, path);
  if (set.digest != digest) {
    throw invalid_input(what + " is not the file that the gate names: its digest is " +
                        set.digest.substr(0, kShownDigest));
  }
  return data::check_data(training, &set, {}).shared_prompts.count;
}

}  // namespace hone::cli
