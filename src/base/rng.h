#pragma once
// A random number here is a pure function of (seed, stream, counter), so that the order in which
// threads, batches or machines draw cannot change what they get. Philox4x32-10 (Salmon et al.,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//
// A stream is named by what it is for (rng_stream("data-order", epoch)), never by where it runs.

#include <cstdint>
#include <string_view>

namespace hone {

// A stream's number from a name and up to two indices (FNV-1a and a mixing step; fixed for ever).
uint64_t rng_stream(std::string_view name, uint64_t index = 0, uint64_t sub_index = 0);

class Rng {
 public:
  Rng(uint64_t seed, uint64_t stream, uint64_t counter = 0)
      : seed_(seed), stream_(stream), counter_(counter) {}

  uint64_t next_u64();                    // each call moves the counter by one
  double uniform();                       // [0, 1), 53 bits
  uint64_t below(uint64_t bound);         // [0, bound), unbiased; bound > 0
  double normal();                        // mean 0, variance 1, same bits everywhere

  uint64_t counter() const { return counter_; }

 private:
  uint64_t seed_, stream_, counter_;
};

}  // namespace hone
