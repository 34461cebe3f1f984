#pragma once
// A random number here is a pure function of (seed, stream, counter), so that the order in which
// threads, batches or machines draw cannot change what they get. Philox4x32-10 (Salmon et al.,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//
// A stream is named by what it is for (rng_stream("data-order", epoch)), never by where it runs.

#include <array>
#include <cstdint>
#include <string_view>

namespace hone {

// A stream's number from a name and up to two indices (FNV-1a and a mixing step; fixed for ever).
uint64_t rng_stream(std::string_view name, uint64_t index = 0, uint64_t sub_index = 0);

// The generator itself: four words from a counter and a key.
std::array<uint32_t, 4> philox4x32_10(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

class Rng {
 public:
  Rng(uint64_t seed, uint64_t stream, uint64_t counter = 0)
      : seed_(seed), stream_(stream), counter_(counter) {}

  uint64_t next_u64();             // each call moves the counter by one
  double uniform();                // [0, 1), 53 bits
  uint64_t below(uint64_t bound);  // [0, bound), unbiased; bound > 0
  // Mean 0, variance 1, one draw of the counter, same bits everywhere (no libm but sqrt). The
  // quantile by AS 241, relative error below 1e-14; the largest value is 8.21.
  double normal();

  uint64_t counter() const { return counter_; }

 private:
  uint64_t seed_, stream_, counter_;
};

}  // namespace hone
