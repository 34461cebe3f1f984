#include "llm/grammar/stacks.h"

#include <algorithm>

namespace hone::llm::grammar {

using Kind = Element::Kind;

Stacks::Stacks(const Grammar& grammar) : grammar_(&grammar), nodes_(1), table_(64, kEmptyStack) {}

uint64_t Stacks::hash(const Frame& frame, StackId below) {
  uint64_t h = (uint64_t{frame.position} << 32 | below) * 0x9E3779B97F4A7C15u;
  h ^= (uint64_t{frame.count} << 1 | static_cast<uint64_t>(frame.is_unit)) * 0xC2B2AE3D27D4EB4Fu;
  return h ^ (h >> 29);
}

void Stacks::grow() {
  table_.assign(table_.size() * 2, kEmptyStack);
  for (StackId id = 1; id < nodes_.size(); ++id) {
    size_t at = hash(nodes_[id].frame, nodes_[id].below) & (table_.size() - 1);
    while (table_[at] != kEmptyStack) at = (at + 1) & (table_.size() - 1);
    table_[at] = id;
  }
}

StackId Stacks::make(const Frame& frame, StackId below) {
  size_t at = hash(frame, below) & (table_.size() - 1);
  for (; table_[at] != kEmptyStack; at = (at + 1) & (table_.size() - 1)) {
    const Node& node = nodes_[table_[at]];
    if (node.below == below && node.frame.position == frame.position &&
        node.frame.count == frame.count && node.frame.is_unit == frame.is_unit) {
      return table_[at];
    }
  }
  const auto id = static_cast<StackId>(nodes_.size());
  nodes_.push_back({frame, below, nodes_[below].depth + 1, 0});
  table_[at] = id;
  if (nodes_.size() * 2 > table_.size()) grow();
  return id;
}

void Stacks::begin() {
  queue_.clear();
  found_.clear();
  if (++mark_ == 0) {
    for (Node& node : nodes_) node.mark = 0;
    mark_ = 1;
  }
}

// The frame on top of the stack, or only the stack when the frame has nothing left to do.
void Stacks::enqueue(const Frame& frame, StackId below) {
  const bool done = grammar_->element(frame.position).kind == Kind::kEnd;
  const StackId stack = done ? below : make(frame, below);
  Node& node = nodes_[stack];
  if (node.mark == mark_) return;
  node.mark = mark_;
  if (node.depth > kMaxDepth) {
    trouble_ = StackTrouble::kTooDeep;
    return;
  }
  queue_.push_back(stack);
}

void Stacks::enqueue_rule(uint32_t rule, bool unit, StackId below) {
  const uint32_t* last = grammar_->last_alternative(rule);
  for (const uint32_t* at = grammar_->first_alternative(rule); at != last; ++at) {
    enqueue({*at, 0, unit}, below);
  }
}

void Stacks::look_at(StackId stack) {
  ++work_;
  if (stack == kEmptyStack) {
    found_.push_back(stack);
    return;
  }
  const Frame frame = nodes_[stack].frame;
  const StackId below = nodes_[stack].below;
  const Element& element = grammar_->element(frame.position);
  const Frame next = {frame.position + 1, 0, frame.is_unit};
  switch (element.kind) {
    case Kind::kBytes:
      if (found_.size() >= kMaxStacks) {
        trouble_ = StackTrouble::kTooMany;
      } else {
        found_.push_back(stack);
      }
      return;
    case Kind::kEnd:  // a frame that waited below: only expand() of a caller's stack
      enqueue({frame.position, 0, false}, below);
      return;
    case Kind::kRule: {
      const bool last = grammar_->element(next.position).kind == Kind::kEnd;
      const bool unit = grammar_->is_unit(element.argument) || (last && frame.is_unit);
      enqueue_rule(element.argument, unit, last ? below : make(next, below));
      return;
    }
    case Kind::kRepeat: {
      if (frame.count >= element.min) enqueue(next, below);
      if (frame.count >= element.max) return;
      // Without an upper limit counts beyond the lower one are all alike.
      const uint32_t count =
          element.max == kNoLimit ? std::min(frame.count + 1, element.min) : frame.count + 1;
      const StackId after = make({frame.position, count, frame.is_unit}, below);
      enqueue_rule(element.argument, grammar_->is_unit(element.argument), after);
      return;
    }
  }
}

void Stacks::run() {
  for (size_t at = 0; at < queue_.size(); ++at) look_at(queue_[at]);
  std::sort(found_.begin(), found_.end());
}

StackSet Stacks::start(uint32_t rule) {
  begin();
  enqueue_rule(rule, grammar_->is_unit(rule), kEmptyStack);
  run();
  return found_;
}

StackSet Stacks::expand(StackId stack) {
  begin();
  nodes_[stack].mark = mark_;
  queue_.push_back(stack);
  run();
  return found_;
}

StackSet Stacks::step(const StackSet& stacks, uint8_t byte) {
  begin();
  for (const StackId stack : stacks) {
    ++work_;
    if (stack == kEmptyStack) continue;
    const Frame frame = nodes_[stack].frame;
    if (!grammar_->set(grammar_->element(frame.position).argument).test(byte)) continue;
    enqueue({frame.position + 1, 0, frame.is_unit}, nodes_[stack].below);
  }
  run();
  return found_;
}

void Stacks::keep_only(StackSet& stacks) {
  Stacks kept(*grammar_);
  kept.work_ = work_;
  kept.trouble_ = trouble_;
  std::vector<StackId> renamed(nodes_.size(), kEmptyStack);
  std::vector<StackId> path;
  for (StackId& stack : stacks) {
    path.clear();
    StackId at = stack;
    while (at != kEmptyStack && renamed[at] == kEmptyStack) {
      path.push_back(at);
      at = nodes_[at].below;
    }
    while (!path.empty()) {
      const StackId old = path.back();
      path.pop_back();
      renamed[old] = kept.make(nodes_[old].frame, renamed[nodes_[old].below]);
    }
    stack = renamed[stack];
  }
  std::sort(stacks.begin(), stacks.end());
  *this = std::move(kept);
}

}  // namespace hone::llm::grammar
