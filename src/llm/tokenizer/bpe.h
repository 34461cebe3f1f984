#pragma once
// The merging at the heart of byte-pair encoding (Sennrich et al. 2016): of all neighbours that
// form a known pair, the pair with the lowest priority number is merged first, the leftmost of
// equals first, until no pair is left.
//
// Short words are searched in full at each step; long ones use a heap, so that a word of n symbols
// costs O(n log n). Both give the same result; a test compares them.

#include <algorithm>
#include <cstdint>
#include <queue>
#include <vector>

namespace hone::llm {

struct Symbol {
  int32_t id = -1;     // -1: no token of the vocabulary (it can still be part of one)
  uint32_t begin = 0;  // bytes of the text
  uint32_t end = 0;
  bool operator==(const Symbol&) const = default;
};

struct PairMerge {
  static constexpr uint32_t kNone = UINT32_MAX;
  uint32_t priority = kNone;  // lowest first; kNone: the two do not merge
  int32_t id = -1;            // of the merged token
};

// (left id, right id) -> rank and result, in open addressing.
class MergeTable {
 public:
  explicit MergeTable(size_t merges = 0) {
    size_t slots = 16;
    while (slots < merges * 2) slots *= 2;
    slots_.resize(slots);
  }
  // At most as many as the constructor was told. Of a repeated pair the first stays.
  void add(int32_t left, int32_t right, PairMerge merge) {
    const uint64_t key = key_of(left, right);
    for (size_t i = start(key);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].key == key) return;
      if (slots_[i].key == kEmpty) {
        slots_[i] = {key, merge};
        return;
      }
    }
  }
  PairMerge find(int32_t left, int32_t right) const {
    const uint64_t key = key_of(left, right);
    for (size_t i = start(key);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].key == key) return slots_[i].merge;
      if (slots_[i].key == kEmpty) return {};
    }
  }

 private:
  static constexpr uint64_t kEmpty = UINT64_MAX;  // both ids -1: never a key
  struct Slot {
    uint64_t key = kEmpty;
    PairMerge merge;
  };
  static uint64_t key_of(int32_t left, int32_t right) {
    return (uint64_t{static_cast<uint32_t>(left)} << 32) | static_cast<uint32_t>(right);
  }
  size_t start(uint64_t key) const {
    return static_cast<size_t>((key * 0x9E3779B97F4A7C15ull) >> 32) & (slots_.size() - 1);
  }
  std::vector<Slot> slots_;
};

// Find: PairMerge(const Symbol& left, const Symbol& right).
template <typename Find>
void merge_by_search(std::vector<Symbol>& symbols, const Find& find) {
  if (symbols.size() < 2) return;
  std::vector<PairMerge> pairs(symbols.size() - 1);
  for (size_t i = 0; i + 1 < symbols.size(); ++i) pairs[i] = find(symbols[i], symbols[i + 1]);
  while (!pairs.empty()) {
    size_t best = 0;
    for (size_t i = 1; i < pairs.size(); ++i) {
      if (pairs[i].priority < pairs[best].priority) best = i;
    }
    if (pairs[best].priority == PairMerge::kNone) return;
    symbols[best].id = pairs[best].id;
    symbols[best].end = symbols[best + 1].end;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    pairs.erase(pairs.begin() + static_cast<std::ptrdiff_t>(best));
    if (best < pairs.size()) pairs[best] = find(symbols[best], symbols[best + 1]);
    if (best > 0) pairs[best - 1] = find(symbols[best - 1], symbols[best]);
  }
}

template <typename Find>
void merge_by_heap(std::vector<Symbol>& symbols, const Find& find) {
  constexpr uint32_t kEnd = UINT32_MAX;
  struct Candidate {
    uint32_t priority, left, middle, end;  // middle, end: bytes, to see whether it is outdated
    int32_t id;
    bool operator<(const Candidate& other) const {  // the heap's top is the greatest
      return priority != other.priority ? priority > other.priority : left > other.left;
    }
  };
  const auto size = static_cast<uint32_t>(symbols.size());
  std::vector<uint32_t> next(size), previous(size);
  for (uint32_t i = 0; i < size; ++i) {
    next[i] = i + 1 < size ? i + 1 : kEnd;
    previous[i] = i > 0 ? i - 1 : kEnd;
  }
  std::vector<Candidate> storage;
  storage.reserve(size);
  const auto look = [&](uint32_t left) -> Candidate {
    if (left == kEnd || next[left] == kEnd) return {PairMerge::kNone, 0, 0, 0, -1};
    const Symbol& right = symbols[next[left]];
    const PairMerge merge = find(symbols[left], right);
    return {merge.priority, left, symbols[left].end, right.end, merge.id};
  };
  for (uint32_t i = 0; i < size; ++i) {
    const Candidate candidate = look(i);
    if (candidate.priority != PairMerge::kNone) storage.push_back(candidate);
  }
  std::priority_queue<Candidate> heap(std::less<Candidate>(), std::move(storage));
  std::vector<bool> gone(size, false);
  while (!heap.empty()) {
    const Candidate top = heap.top();
    heap.pop();
    if (gone[top.left] || symbols[top.left].end != top.middle) continue;
    const uint32_t right = next[top.left];
    if (right == kEnd || symbols[right].end != top.end) continue;
    symbols[top.left].id = top.id;
    symbols[top.left].end = top.end;
    gone[right] = true;
    next[top.left] = next[right];
    if (next[right] != kEnd) previous[next[right]] = top.left;
    for (const uint32_t left : {previous[top.left], top.left}) {
      const Candidate candidate = look(left);
      if (candidate.priority != PairMerge::kNone) heap.push(candidate);
    }
  }
  size_t kept = 0;
  for (uint32_t i = 0; i < size; ++i) {
    if (!gone[i]) symbols[kept++] = symbols[i];
  }
  symbols.resize(kept);
}

template <typename Find>
void merge_symbols(std::vector<Symbol>& symbols, const Find& find) {
  // Symbols. With SmolLM2's merges the search was faster up to 48 in every timing; where the heap
  // overtakes it varied from 64 to beyond 192 with the letters and the run. Any value is correct.
  constexpr size_t kSearchMax = 96;
  if (symbols.size() <= kSearchMax) {
    merge_by_search(symbols, find);
  } else {
    merge_by_heap(symbols, find);
  }
}

}  // namespace hone::llm
