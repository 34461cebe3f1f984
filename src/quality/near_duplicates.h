#pragma once
// Texts (rationales) that are nearly the same: MinHash with banding (Broder 1997; Leskovec,
// Rajaraman, Ullman, Mining of Massive Datasets, ch. 3).
//
// A text is the set of its runs of `shingle` words (lower-cased ASCII, other bytes as they are;
// anything but letters, digits and bytes above 127 separates words; fewer words than that: the
// whole). Texts that share a band of hashes are compared exactly; a pair comes out when the Jaccard
// similarity of their sets is at least `threshold`. With 32 bands of 4 a pair of similarity 0.8 is
// found with probability over 0.9999999, one of 0.6 with 0.99.
//
// Bounded: a text's shingles after the first 4,096 are left out; in a band's bucket each text is
// compared with the first `bucket` texts only (copies of one text all pair with the first), and
// the list ends at `max_pairs`; both are counted. Time: texts x hashes, then the candidates.
// Deterministic; the pool changes no bit.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace hone {
class ThreadPool;
}

namespace hone::quality {

struct NearDuplicateOptions {
  size_t shingle = 3;      // words, 1 to 16
  size_t bands = 32;       // 1 to 256
  size_t rows = 4;         // hashes a band, 1 to 16
  double threshold = 0.8;  // in (0, 1]
  size_t min_words = 5;    // shorter texts ("same as above") are left out
  size_t bucket = 32;      // most partners of a text in one bucket
  size_t max_pairs = 100000;
};

struct NearDuplicate {
  uint32_t first = 0, second = 0;  // indices into texts, first < second
  double similarity = 0.0;         // Jaccard of the two sets, exact
};

struct NearDuplicates {
  std::vector<NearDuplicate> pairs;  // by (first, second)
  uint64_t texts_left_out = 0;       // under min_words
  uint64_t candidates_cut = 0;       // not compared because of `bucket`
  bool truncated = false;            // max_pairs reached
};

NearDuplicates near_duplicates(std::span<const std::string_view> texts,
                               const NearDuplicateOptions& options = {},
                               ThreadPool* pool = nullptr);

}  // namespace hone::quality
