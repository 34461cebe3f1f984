#include "llm/grammar/token_masks.h"

#include <algorithm>
#include <map>

namespace hone::llm::grammar {
namespace {

using Kind = Element::Kind;

constexpr size_t kMaskBytes = 8u << 20;
constexpr size_t kStatesKept = 4096, kMaxStates = 16384, kStacksKept = 200'000;
constexpr uint64_t kMaxSteps = 100'000'000;
constexpr uint64_t kStepsPerStack = 16;  // a stack looked at costs about so many nodes of a walk
constexpr int32_t kDead = -1, kUnknown = -2;

void set_bit(std::span<uint64_t> bits, int32_t token) {
  const auto t = static_cast<size_t>(token);
  bits[t / 64] |= uint64_t{1} << (t % 64);
}

}  // namespace

size_t TokenMasks::Mask::bytes() const {
  return sizeof(Mask) + 8 * words.size() + 4 * (tokens.size() + leaves.size());
}

size_t TokenMasks::SetHash::operator()(const StackSet& set) const {
  uint64_t h = 0xCBF29CE484222325u;
  for (const StackId stack : set) h = (h ^ stack) * 0x100000001B3u;
  return h ^ (h >> 31);
}

TokenMasks::TokenMasks(std::shared_ptr<const Grammar> grammar,
                       std::shared_ptr<const VocabularyTrie> trie)
    : grammar_(std::move(grammar)),
      trie_(std::move(trie)),
      local_(*grammar_),
      path_(trie_->longest_token() + 1) {}

void TokenMasks::forget_all() {
  local_ = Stacks(*grammar_);
  states_.clear();
  may_leave_.clear();
  table_.clear();
  state_numbers_.clear();
  kept_.clear();
  kept_of_.clear();
  kept_bytes_ = 0;
}

int32_t TokenMasks::state_of(StackSet set) {
  if (set.empty()) return kDead;
  const auto known = state_numbers_.find(set);
  if (known != state_numbers_.end()) return known->second;
  if (states_.size() >= kMaxStates) {
    cut_short_ = true;
    return kDead;
  }
  const auto state = static_cast<int32_t>(states_.size());
  may_leave_.push_back(set.front() == kEmptyStack);
  states_.push_back(set);
  table_.resize(table_.size() + grammar_->class_count(), kUnknown);
  state_numbers_.emplace(std::move(set), state);
  return state;
}

int32_t TokenMasks::next_state(int32_t state, uint8_t byte_class) {
  const size_t place = static_cast<size_t>(state) * grammar_->class_count() + byte_class;
  if (table_[place] != kUnknown) return table_[place];
  const uint64_t before = local_.work();
  const int32_t next = state_of(
      local_.step(states_[static_cast<size_t>(state)], grammar_->byte_of_class(byte_class)));
  steps_ += (local_.work() - before) * kStepsPerStack;
  table_[place] = next;
  return next;
}

// Every node below `node` that the state lives to see: take(node), and into `leaves` when the unit
// may be done there and the trie goes on.
template <typename Take>
void TokenMasks::walk(uint32_t node, int32_t state, std::vector<uint32_t>& leaves, Take take) {
  const std::vector<VocabularyTrie::Node>& nodes = trie_->nodes();
  const uint32_t end = nodes[node].end;
  const size_t depth = nodes[node].depth;
  const size_t classes = grammar_->class_count();
  path_[0] = state;
  uint64_t steps = 0;
  for (uint32_t at = node + 1; at < end;) {
    const VocabularyTrie::Node& here = nodes[at];
    const int32_t from = path_[here.depth - depth - 1];
    const uint8_t byte_class = grammar_->class_of(here.byte);
    int32_t to = table_[static_cast<size_t>(from) * classes + byte_class];
    if (to == kUnknown) {
      if (steps_ > kMaxSteps) cut_short_ = true;
      to = cut_short_ ? kDead : next_state(from, byte_class);
    }
    ++steps;
    if (to == kDead) {
      at = here.end;
      continue;
    }
    path_[here.depth - depth] = to;
    take(at);
    if (may_leave_[static_cast<size_t>(to)] && here.end > at + 1) leaves.push_back(at);
    ++at;
  }
  steps_ += steps;
}

const TokenMasks::Mask& TokenMasks::mask_of(int32_t state) {
  const auto known = kept_of_.find(state);
  if (known != kept_of_.end()) {
    ++counts_.masks_found;
    kept_.splice(kept_.begin(), kept_, known->second);
    return kept_.front().second;
  }
  ++counts_.masks_made;
  Mask mask;
  walk(0, state, mask.leaves, [&](uint32_t node) {
    const auto tokens = trie_->tokens_at(node);
    mask.tokens.insert(mask.tokens.end(), tokens.begin(), tokens.end());
  });
  const size_t words = (trie_->vocabulary() + 63) / 64;
  if (mask.tokens.size() > 2 * words) {
    mask.words.resize(words);
    for (const int32_t token : mask.tokens) set_bit(mask.words, token);
    mask.tokens = {};
  }
  mask.tokens.shrink_to_fit();
  mask.leaves.shrink_to_fit();
  kept_bytes_ += mask.bytes();
  kept_.emplace_front(state, std::move(mask));
  kept_of_[state] = kept_.begin();
  while (kept_bytes_ > kMaskBytes && kept_.size() > 1) {
    kept_bytes_ -= kept_.back().second.bytes();
    kept_of_.erase(kept_.back().first);
    kept_.pop_back();
  }
  return kept_.front().second;
}

// A repetition's count matters only near its limits: as near as a token is long.
uint32_t TokenMasks::near_count(const Frame& frame) const {
  const Element& element = grammar_->element(frame.position);
  if (element.kind != Kind::kRepeat) return frame.count;
  const auto reach = static_cast<uint32_t>(trie_->longest_token() + 1);
  if (frame.count < element.min) {
    return element.min - frame.count > reach ? element.min - reach : frame.count;
  }
  return element.max - frame.count > reach ? element.min : frame.count;
}

// The part of the stack that belongs to its topmost unit, in local_; `rest` is what is below.
StackId TokenMasks::local_copy(const Stacks& stacks, StackId stack, StackId& rest) {
  std::vector<Frame> frames;
  for (rest = stack; rest != kEmptyStack;) {
    frames.push_back(stacks.top(rest));
    rest = stacks.below(rest);
    if (frames.back().is_unit) break;
  }
  StackId copy = kEmptyStack;
  for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
    copy = local_.make({frame->position, near_count(*frame), frame->is_unit}, copy);
  }
  return copy;
}

struct TokenMasks::Visit {
  Stacks& stacks;
  std::span<uint64_t> bits;
  std::set<std::pair<StackId, uint32_t>> seen = {};  // (rest, node)
};

// All stacks of the set, from the root of the trie (nodes null) or from below each of the nodes.
void TokenMasks::visit(Visit& visit, const StackSet& set, const std::vector<uint32_t>* nodes) {
  std::map<StackId, StackSet> groups;  // by what is below the unit
  for (const StackId stack : set) {
    if (stack == kEmptyStack) continue;
    StackId rest = kEmptyStack;
    const StackId local = local_copy(visit.stacks, stack, rest);
    groups[rest].push_back(local);
  }
  steps_ += set.size() * kStepsPerStack;
  for (auto& [rest, local] : groups) {
    if (steps_ > kMaxSteps) cut_short_ = true;
    if (cut_short_) return;
    std::sort(local.begin(), local.end());
    local.erase(std::unique(local.begin(), local.end()), local.end());
    const int32_t state = state_of(std::move(local));
    if (state == kDead) return;
    std::vector<uint32_t> leaves;
    if (nodes == nullptr) {
      const Mask& mask = mask_of(state);
      for (size_t w = 0; w < mask.words.size(); ++w) visit.bits[w] |= mask.words[w];
      for (const int32_t token : mask.tokens) set_bit(visit.bits, token);
      leaves = mask.leaves;
    } else {
      for (const uint32_t node : *nodes) {
        walk(node, state, leaves, [&](uint32_t at) {
          for (const int32_t token : trie_->tokens_at(at)) set_bit(visit.bits, token);
        });
      }
    }
    if (rest == kEmptyStack) continue;
    const StackId below = rest;
    std::erase_if(leaves, [&](uint32_t node) { return !visit.seen.emplace(below, node).second; });
    if (!leaves.empty()) this->visit(visit, visit.stacks.expand(below), &leaves);
  }
}

bool TokenMasks::allowed(Matcher& matcher, std::span<uint64_t> bits) {
  const std::lock_guard lock(mutex_);
  if (states_.size() > kStatesKept || local_.size() > kStacksKept) forget_all();
  steps_ = 0;
  cut_short_ = false;
  Visit all = {matcher.stacks(), bits};
  visit(all, matcher.set(), nullptr);
  counts_.steps += steps_;
  if (!cut_short_) return true;
  // Masks and tables may lack something only because of what came before it.
  forget_all();
  return false;
}

TokenMasks::Counts TokenMasks::counts() {
  const std::lock_guard lock(mutex_);
  counts_.states = states_.size();
  counts_.bytes = kept_bytes_ + table_.size() * sizeof(int32_t);
  return counts_;
}

}  // namespace hone::llm::grammar
