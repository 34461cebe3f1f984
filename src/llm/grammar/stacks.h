#pragma once
// The stacks of a pushdown automaton, kept so that equal stacks are one number: a stack is its top
// frame and the number of the stack below.
//
// A frame says where in the grammar it stands; the top one at bytes that may come next, the others
// where they go on once what is above them is done. A call that is the last thing its caller does
// leaves no frame behind, so lists that recur to the right do not grow the stack.
//
// Bounds: kMaxStacks alive at once, kMaxDepth frames deep. For one thread.

#include <cstdint>
#include <vector>

#include "llm/grammar/grammar.h"

namespace hone::llm::grammar {

constexpr size_t kMaxStacks = 4096;
constexpr uint32_t kMaxDepth = 65536;

using StackId = uint32_t;
constexpr StackId kEmptyStack = 0;
using StackSet = std::vector<StackId>;  // ascending; kEmptyStack in it: all is done

struct Frame {
  uint32_t position = 0;
  uint32_t count = 0;    // of a kRepeat: how many times it has been done, as far as that matters
  bool is_unit = false;  // the lowest frame of a rule that is a unit (Grammar::is_unit)
};

enum class StackTrouble : uint8_t { kNone, kTooMany, kTooDeep };

class Stacks {
 public:
  explicit Stacks(const Grammar& grammar);

  // The stack that is `frame` on top of `below`.
  StackId make(const Frame& frame, StackId below);
  const Frame& top(StackId stack) const { return nodes_[stack].frame; }
  StackId below(StackId stack) const { return nodes_[stack].below; }

  // All ways to go on from the rule with nothing below.
  StackSet start(uint32_t rule);
  // All ways to go on with this stack, whose top may stand at any element or at an end.
  StackSet expand(StackId stack);
  // All ways to go on after the byte; empty when it cannot come here.
  StackSet step(const StackSet& stacks, uint8_t byte);

  size_t size() const { return nodes_.size(); }  // stacks ever made
  uint64_t work() const { return work_; }        // stacks looked at, for limits
  // Why a set lacks stacks, since the last clear_trouble().
  StackTrouble trouble() const { return trouble_; }
  void clear_trouble() { trouble_ = StackTrouble::kNone; }

  // Forgets all stacks but those of the set, whose numbers become new ones.
  void keep_only(StackSet& stacks);

 private:
  struct Node {
    Frame frame;
    StackId below = 0;
    uint32_t depth = 0;
    uint32_t mark = 0;
  };
  static uint64_t hash(const Frame& frame, StackId below);
  void grow();
  void begin();
  void enqueue(const Frame& frame, StackId below);
  void enqueue_rule(uint32_t rule, bool unit, StackId below);
  void run();  // from queue_ to found_
  void look_at(StackId stack);

  const Grammar* grammar_;
  std::vector<Node> nodes_;
  std::vector<StackId> table_;  // open addressing
  std::vector<StackId> queue_;
  StackSet found_;
  uint32_t mark_ = 0;
  uint64_t work_ = 0;
  StackTrouble trouble_ = StackTrouble::kNone;
};

}  // namespace hone::llm::grammar
