#pragma once
// Which units a bootstrap round draws: as many as there are, each equally likely, with replacement.
// The words are Philox's of (seed, stream "agreement" of the round), all four of each counter, made a
// block at a time so that the loop becomes SIMD; a number below the bound from each (Lemire, "Fast
// random integer generation in an interval", 2019). The same bits for any width and any threads.

#include <cstdint>
#include <span>

namespace hone::quality {

// words[4 i + j] = word j of philox4x32_10 at counter first + i, that of Rng(seed, stream).
// words.size() must be a multiple of 4.
void philox_words(uint64_t seed, uint64_t stream, uint64_t first, std::span<uint32_t> words);

// ++counter[of_unit[u]] for of_unit.size() draws of u.
void count_draws(uint64_t seed, uint64_t stream, std::span<const uint32_t> of_unit,
                 std::span<uint32_t> counter);

}  // namespace hone::quality
