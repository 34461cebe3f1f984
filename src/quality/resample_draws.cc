#include "quality/resample_draws.h"

#include <algorithm>

#include "base/check.h"
#include "quality/simd_clones.h"

namespace hone::quality {
namespace {

constexpr size_t kBlock = 256;  // counters at once

// philox4x32_10 of base/rng.h, lane by lane.
HONE_WIDE void block_of_words(uint64_t seed, uint64_t stream, uint64_t first, uint32_t* words) {
  uint32_t c0[kBlock], c1[kBlock], c2[kBlock], c3[kBlock];
  for (size_t i = 0; i < kBlock; ++i) {
    c0[i] = static_cast<uint32_t>(first + i);
    c1[i] = static_cast<uint32_t>((first + i) >> 32);
    c2[i] = static_cast<uint32_t>(stream);
    c3[i] = static_cast<uint32_t>(stream >> 32);
  }
  auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (size_t i = 0; i < kBlock; ++i) {
      const uint64_t product0 = uint64_t{0xD2511F53} * c0[i];
      const uint64_t product1 = uint64_t{0xCD9E8D57} * c2[i];
      c0[i] = static_cast<uint32_t>(product1 >> 32) ^ c1[i] ^ key0;
      c1[i] = static_cast<uint32_t>(product1);
      c2[i] = static_cast<uint32_t>(product0 >> 32) ^ c3[i] ^ key1;
      c3[i] = static_cast<uint32_t>(product0);
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  for (size_t i = 0; i < kBlock; ++i) {
    words[4 * i] = c0[i];
    words[4 * i + 1] = c1[i];
    words[4 * i + 2] = c2[i];
    words[4 * i + 3] = c3[i];
  }
}

}  // namespace

void philox_words(uint64_t seed, uint64_t stream, uint64_t first, std::span<uint32_t> words) {
  HONE_CHECK(words.size() % 4 == 0);
  uint32_t block[4 * kBlock];
  for (size_t begin = 0; begin < words.size(); begin += 4 * kBlock) {
    block_of_words(seed, stream, first + begin / 4, block);
    const size_t count = std::min(words.size() - begin, 4 * kBlock);
    std::copy(block, block + count, words.begin() + static_cast<std::ptrdiff_t>(begin));
  }
}

void count_draws(uint64_t seed, uint64_t stream, std::span<const uint32_t> of_unit,
                 std::span<uint32_t> counter) {
  HONE_CHECK(of_unit.size() <= 0xffffffffu);
  const auto bound = static_cast<uint32_t>(of_unit.size());
  if (bound == 0) return;
  const uint32_t reject = (0u - bound) % bound;
  uint32_t words[4 * kBlock];
  uint64_t left = bound;
  for (uint64_t first = 0; left > 0; first += kBlock) {
    block_of_words(seed, stream, first, words);
    for (size_t i = 0; i < 4 * kBlock && left > 0; ++i) {
      const uint64_t product = uint64_t{words[i]} * bound;
      if (static_cast<uint32_t>(product) < reject) continue;
      ++counter[of_unit[product >> 32]];
      --left;
    }
  }
}

}  // namespace hone::quality
