#pragma once
// The rule by which an alias may move to a candidate. Pure: what was measured comes in, one word and
// one sentence come out.
//
// In this order:
//   the evidence is not about this candidate, this champion or these data        -> refused (throws)
//   rows of the candidate's training data stand in either set                     -> kept
//   main set (frozen held-out): the verdict of quality/verdict.h on the paired test of candidate
//   against champion: too few -> too_few; worse -> worse; no difference shown     -> kept
//   second set: the candidate's mean below the floor, or, with no_worse, a verdict of worse -> kept
//   otherwise                                                                     -> promoted
// An alias that points nowhere has no champion: overlap and floor decide alone.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "quality/verdict.h"

namespace hone::registry {

struct GateSettings {
  std::string heldout_digest;  // SHA-256 of the frozen held-out file
  std::string heldout_source;  // where that file is found: a snapshot's id, or the operator's path
  std::string metric;          // empty = the reports' primary one
  std::string floor_digest;    // of the second set; empty = none
  std::string floor_source;
  std::string floor_metric;
  double floor = 0;        // the least mean of the second set's metric
  bool no_worse = false;   // the second set must not say worse either
  uint64_t items_min = 0;  // fewer in the main set: too_few

  Json to_json() const;
  static GateSettings from_json(const Json& json);  // throws invalid_input that names the key
};
// Throws invalid_input for a floor that no model reaches: of an accuracy by name it is 0 to 1.
void check_floor(const GateSettings& gate);

// Of one set: candidate against champion.
struct GateComparison {
  std::string data_digest, metric;
  std::string candidate_digest, champion_digest;  // of what was measured; champion may be empty
  uint64_t n = 0, gained = 0, lost = 0;
  double candidate_mean = 0, champion_mean = 0, difference = 0;
  double p_value = 1, smallest_detectable = 0;
  quality::Interval interval;
  quality::Verdict verdict = quality::Verdict::kTooFew;
  std::string report_digest;  // of the candidate's report

  Json to_json() const;
};

struct GateEvidence {
  GateComparison main;
  std::optional<GateComparison> second;
  uint64_t overlap_main = 0, overlap_second = 0;  // prompts that stand in the training data too
  std::string training_digest;  // of the data that was looked through; empty = none

  Json to_json() const;
  // What to_json wrote, as a process that measured hands it on. Throws corrupt_data for anything else.
  static GateEvidence from_json(const Json& json);
};

enum class GateOutcome { kPromoted, kKept, kWorse, kTooFew };
std::string_view gate_outcome_name(GateOutcome outcome);  // "promoted", "kept", "worse", "too_few"

struct GateDecision {
  GateOutcome outcome = GateOutcome::kKept;
  std::string reason;  // one sentence
};

// candidate_digest, champion_digest: of the models that the alias is about; champion empty = none.
GateDecision decide(const GateSettings& gate, const GateEvidence& evidence,
                    std::string_view candidate_digest, std::string_view champion_digest);

}  // namespace hone::registry
