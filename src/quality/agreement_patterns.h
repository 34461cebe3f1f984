#pragma once
// The sufficient statistics of agreement: tasks whose labels count alike are one pattern, and every
// metric but Cohen's is a function of how often each pattern occurs. Internal to agreement.cc.

#include <cstdint>
#include <span>
#include <vector>

#include "quality/agreement.h"

namespace hone::quality {

// Weights of partial credit, classes x classes; empty = all or nothing.
std::vector<double> agreement_weight_matrix(const LabelTable& table,
                                            const AgreementOptions& options);

// What one (re)sample of the tasks says. metric and specific have one entry a class, or none.
struct AgreementValues {
  bool defined = false;
  double value = 0.0, observed = 0.0, expected = 0.0;
  std::vector<Estimate> metric, specific;  // only defined and value are filled
};

class AgreementPatterns {
 public:
  // labels: the classes of one unit's labels after another's, unit u at [begin[u], begin[u + 1]).
  AgreementPatterns(std::span<const uint32_t> labels, std::span<const uint32_t> begin,
                    std::span<const double> class_values, const AgreementOptions& options,
                    std::vector<double> weights, bool with_classes);

  size_t pattern_count() const { return labels_of_.size(); }
  std::span<const uint32_t> pattern_of_unit() const { return pattern_of_unit_; }
  std::span<const uint32_t> multiplicity() const { return multiplicity_; }

  // values.metric and values.specific keep their memory from call to call.
  struct Scratch {
    std::vector<double> total, share, agreeing, disagreeing, position;
  };
  void evaluate(std::span<const uint32_t> multiplicity, Scratch& scratch,
                AgreementValues& values) const;

 private:
  struct Entry {  // one class of one pattern
    uint32_t label_class;
    double count;        // n_ik
    double share;        // n_ik / n_i
    double agreeing;     // n_ik (n_ik - 1) / (n_i - 1); 0 when n_i = 1
    double disagreeing;  // n_ik (n_i - n_ik) / (n_i (n_i - 1)); 0 when n_i = 1
  };
  void alpha(std::span<const uint32_t> multiplicity, Scratch& scratch,
             AgreementValues& values) const;
  void classes(const Scratch& scratch, double units, double labels, AgreementValues& values) const;

  AgreementMetric metric_;
  MeasurementLevel level_;
  size_t class_count_;
  bool with_classes_;
  std::vector<double> weights_;       // of agreement (ac2)
  std::vector<double> distance_;      // classes x classes, squared (alpha at the ratio level)
  std::vector<double> class_values_;  // centred (alpha at the interval level)
  double weight_sum_ = 0.0;           // of ac2's matrix
  std::vector<uint32_t> pattern_of_unit_, multiplicity_;
  std::vector<uint32_t> entry_begin_;
  std::vector<Entry> entries_;
  std::vector<double> labels_of_;    // n_i of a pattern
  std::vector<double> observed_of_;  // P_i; for alpha the summed squared distances / (n_i - 1)
};

}  // namespace hone::quality
