#include "quality/near_duplicates.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/thread_pool.h"

namespace hone::quality {
namespace {

constexpr size_t kMostShingles = 4096;

uint64_t mix(uint64_t x) {  // the finisher of SplitMix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

bool is_word(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c > 127;
}

// The hashes of the runs of words, ascending, each once: 64 bits stand for the run itself.
std::vector<uint64_t> shingles(std::string_view text, const NearDuplicateOptions& options,
                               size_t& words) {
  std::vector<uint64_t> hashes;
  for (size_t i = 0; i < text.size() && hashes.size() < kMostShingles + options.shingle;) {
    if (!is_word(static_cast<unsigned char>(text[i]))) {
      ++i;
      continue;
    }
    uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
    for (; i < text.size() && is_word(static_cast<unsigned char>(text[i])); ++i) {
      const unsigned char c = static_cast<unsigned char>(text[i]);
      hash = (hash ^ (c >= 'A' && c <= 'Z' ? c + 32u : c)) * 0x100000001b3u;
    }
    hashes.push_back(mix(hash));
  }
  words = hashes.size();
  const size_t run = std::min(options.shingle, words);
  std::vector<uint64_t> set;
  for (size_t i = 0; run > 0 && i + run <= words && set.size() < kMostShingles; ++i) {
    uint64_t hash = run;
    for (size_t j = 0; j < run; ++j) hash = mix(hash * 0x9e3779b97f4a7c15u + hashes[i + j]);
    set.push_back(hash);
  }
  std::sort(set.begin(), set.end());
  set.erase(std::unique(set.begin(), set.end()), set.end());
  return set;
}

std::vector<uint64_t> band_keys(std::span<const uint64_t> set,
                                const NearDuplicateOptions& options) {
  std::vector<uint64_t> keys(options.bands);
  for (size_t band = 0; band < options.bands; ++band) {
    uint64_t key = band;
    for (size_t row = 0; row < options.rows; ++row) {
      const uint64_t salt = mix((band * options.rows + row + 1) * 0x9e3779b97f4a7c15u);
      uint64_t least = ~uint64_t{0};
      for (const uint64_t element : set) least = std::min(least, mix(element ^ salt));
      key = mix(key * 0x9e3779b97f4a7c15u + least);
    }
    keys[band] = key;
  }
  return keys;
}

double jaccard(std::span<const uint64_t> a, std::span<const uint64_t> b) {
  size_t i = 0, j = 0, both = 0;
  while (i < a.size() && j < b.size()) {
    if (a[i] == b[j]) {
      ++both;
      ++i;
      ++j;
    } else if (a[i] < b[j]) {
      ++i;
    } else {
      ++j;
    }
  }
  return static_cast<double>(both) / static_cast<double>(a.size() + b.size() - both);
}

void check(std::span<const std::string_view> texts, const NearDuplicateOptions& options) {
  const auto between = [](size_t value, size_t low, size_t high, const char* name) {
    if (value >= low && value <= high) return;
    throw invalid_input("near duplicates: " + std::string(name) + " must lie between " +
                        std::to_string(low) + " and " + std::to_string(high) + ", got " +
                        std::to_string(value));
  };
  between(options.shingle, 1, 16, "shingle");
  between(options.bands, 1, 256, "bands");
  between(options.rows, 1, 16, "rows");
  between(options.bucket, 1, 1000000, "bucket");
  if (!(options.threshold > 0.0 && options.threshold <= 1.0)) {
    throw invalid_input("near duplicates: the threshold must lie above 0 and be at most 1");
  }
  if (texts.size() >= 0xffffffffu) {
    throw Error(ErrorCode::kTooLarge, "near duplicates: more than 4294967294 texts");
  }
}

}  // namespace

NearDuplicates near_duplicates(std::span<const std::string_view> texts,
                               const NearDuplicateOptions& options, ThreadPool* pool) {
  check(texts, options);
  NearDuplicates result;
  std::vector<std::vector<uint64_t>> sets(texts.size()), keys(texts.size());
  const auto sign = [&](size_t i, size_t) {
    size_t words = 0;
    sets[i] = shingles(texts[i], options, words);
    if (words < std::max<size_t>(options.min_words, 1)) sets[i].clear();
    if (!sets[i].empty()) keys[i] = band_keys(sets[i], options);
  };
  if (pool == nullptr) {
    for (size_t i = 0; i < texts.size(); ++i) sign(i, 0);
  } else {
    pool->run(texts.size(), sign);
  }

  const auto add = [&](uint32_t a, uint32_t b, double similarity) {
    if (result.pairs.size() == options.max_pairs) {
      result.truncated = true;
    } else {
      result.pairs.push_back({std::min(a, b), std::max(a, b), similarity});
    }
  };
  // Copies pair with the first of their kind, which alone goes on.
  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < texts.size(); ++i) {
    if (sets[i].empty()) {
      ++result.texts_left_out;
    } else {
      order.push_back(i);
    }
  }
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return sets[a] != sets[b] ? sets[a] < sets[b] : a < b; });
  std::vector<uint32_t> kinds;
  for (const uint32_t text : order) {
    if (!kinds.empty() && sets[kinds.back()] == sets[text]) {
      add(kinds.back(), text, 1.0);
    } else {
      kinds.push_back(text);
    }
  }
  std::sort(kinds.begin(), kinds.end());
  for (size_t band = 0; band < options.bands && !result.truncated; ++band) {
    order = kinds;
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      return keys[a][band] != keys[b][band] ? keys[a][band] < keys[b][band] : a < b;
    });
    for (size_t from = 0; from < order.size() && !result.truncated;) {
      size_t to = from;
      while (to < order.size() && keys[order[to]][band] == keys[order[from]][band]) ++to;
      for (size_t i = from + 1; i < to && !result.truncated; ++i) {
        const size_t partners = std::min(i - from, options.bucket);
        result.candidates_cut += i - from - partners;
        for (size_t j = from; j < from + partners; ++j) {
          const uint32_t a = order[j], b = order[i];
          bool met = false;  // in an earlier band
          for (size_t earlier = 0; earlier < band && !met; ++earlier) {
            met = keys[a][earlier] == keys[b][earlier];
          }
          if (met) continue;
          const double similarity = jaccard(sets[a], sets[b]);
          if (similarity >= options.threshold) add(a, b, similarity);
        }
      }
      from = to;
    }
  }
  std::sort(result.pairs.begin(), result.pairs.end(),
            [](const NearDuplicate& a, const NearDuplicate& b) {
              return a.first != b.first ? a.first < b.first : a.second < b.second;
            });
  return result;
}

}  // namespace hone::quality
