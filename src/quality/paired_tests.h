#pragma once
// Exact tests for two systems on the same items, and the interval of one rate.
//
// McNemar: only items on which the two differ say anything. first_only and second_only count them;
// under "no difference" each falls on either side with probability 1/2. exact p = min(1, 2 P(K <=
// min)), mid_p = 2 (P(K < min) + P(K = min) / 2) with K binomial(first_only + second_only, 1/2)
// (McNemar 1947; Fagerland, Lydersen, Laake, BMC Med. Res. Methodol. 13:91, 2013).
// The sign test is the same with the signs of the differences; zeros are left out.
//
// Pure functions; sums and products only, so the same bits everywhere. Time grows with the smaller
// count. Arguments outside their domain throw invalid_input.

#include <cstdint>
#include <span>

namespace hone::quality {

struct Interval {
  double low = 0.0;
  double high = 0.0;
};

struct PairedTest {
  double p = 1.0;      // two-sided, exact; never below the promised error rate
  double mid_p = 1.0;  // two-sided, mid-p; less conservative
};

PairedTest mcnemar(uint64_t first_only, uint64_t second_only);

struct SignTest {
  uint64_t positive = 0, negative = 0, zero = 0;
  PairedTest test;
};
SignTest sign_test(std::span<const double> differences);

// Wilson's score interval (1927) for successes out of n; halves are allowed (ties count half).
// n = 0 gives [0, 1]. confidence in (0, 1).
Interval wilson_interval(double successes, double n, double confidence = 0.95);

}  // namespace hone::quality
