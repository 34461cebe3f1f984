#pragma once
// Pages of texts that were read, found again by their content.
//
// A page's key is a hash of (scope, adapter, all tokens up to its end): a chain, each page's key made
// of the one before. 128 bits of SHA-256; and a hit is believed only when the page's own tokens, and its
// parent's, are the ones asked for, so that a collision costs a miss and never a wrong answer.
//
// Beside keys and values a page keeps the final hidden row of its last position (what follows the
// page comes from it, so a text that ends with a page needs no pass), and, where they were computed,
// the log-probability and the most likely token of each of its positions.
//
// The last page of a text, which is not full, is kept as well: it and full pages serve texts that
// begin as they do and then go on otherwise, which copy the part that is the same (find_beginning).
//
// A page in the cache is held by it (KvCache::hold); sequences that use it hold it too. Only pages
// that nobody else holds can go, the longest unused first, children before parents: a sequence
// always holds a whole chain, and a chain is used as a whole.
//
// Not thread-safe: the batcher's thread.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "llm/kv_cache.h"

namespace hone::llm {

// Of one token in its place: its log-probability, and the most likely token there.
struct TokenScore {
  float log_prob = 0;
  int32_t best = 0;
  float best_log_prob = 0;
};

class PrefixCache {
 public:
  struct Page {
    uint32_t index = 0;              // KvCache's
    std::vector<int32_t> tokens;     // kPagePositions of them; of a text's last page fewer
    std::vector<float> last_hidden;  // the final norm's row of the last position, of full pages
    std::vector<TokenScore> scores;  // one per token, or empty: nobody asked yet
  };
  using Key = std::array<uint64_t, 2>;
  // The place of a text in the tree: after so many of its pages. Made by root(), find() and insert().
  struct Place {
    Key key{};
    uint64_t page = 0;  // the page's number, never used twice; 0: the root
    Key scope{};
  };

  explicit PrefixCache(KvCache& cache) : cache_(cache) {}
  ~PrefixCache() { drop(std::nullopt); }
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  // The adapter's address is part of the key too, lest a scope that forgot it gave wrong answers.
  Place root(std::string_view scope, const void* adapter);
  // The page that follows `place` with those tokens, which moves on; null when there is none, or
  // none with scores when they are wanted. Valid until the next call that changes the cache.
  const Page* find(Place& place, std::span<const int32_t> tokens, bool with_scores);
  // Of the pages that follow `place`, also those that are not full, the one that begins like `tokens`
  // for the longest, and for how many; null when none begins so. Valid likewise.
  struct Beginning {
    const Page* page = nullptr;
    size_t count = 0;
  };
  Beginning find_beginning(const Place& place, std::span<const int32_t> tokens, bool with_scores);
  // Marks the chain that ends at `place` as used now.
  void touch(const Place& place);
  // Keeps a page that the caller's sequence holds, behind `place`, which moves on. When the same page
  // is there already the older one stays (and takes the scores): its index is returned, and the
  // caller shares it (KvCache::share_page). Nothing when it cannot be kept: `place` was dropped
  // meanwhile, or another text has the key.
  std::optional<uint32_t> insert(Place& place, Page page);
  // Keeps the last page of a text, which is not full, unless a page begins with all of it.
  void insert_last(const Place& place, Page page);

  // Frees the page that was unused the longest. False when all are in use.
  bool evict_one();
  size_t evictable() const;
  size_t size() const { return entries_.size(); }
  // Forgets the pages of a scope, or all. Those in use live on with their sequences.
  void drop(std::optional<std::string_view> scope);

 private:
  struct Entry {
    Page page;
    Key key{};
    uint64_t number = 0, parent = 0;
    Key parent_key{};
    uint64_t used = 0;
    size_t depth = 0;
    Key scope{};
  };
  struct KeyHash {
    size_t operator()(const Key& key) const { return static_cast<size_t>(key[0]); }
  };
  using Entries = std::unordered_map<Key, std::unique_ptr<Entry>, KeyHash>;

  Entry* entry_of(const Place& place);
  Entry& add(const Place& place, const Key& key, Page page);
  Entries::iterator remove(Entries::iterator at);
  bool goes_before(const Entry& a, const Entry& b) const;

  KvCache& cache_;
  Entries entries_;
  std::unordered_map<Key, std::vector<Entry*>, KeyHash> followers_;  // by the parent's key
  uint64_t last_number_ = 0, clock_ = 0;
};

}  // namespace hone::llm
