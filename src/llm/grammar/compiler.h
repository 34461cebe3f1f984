#pragma once
// From rules as they are written to Grammar's arrays. Internal to compiler.cc.

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "llm/grammar/grammar.h"

namespace hone::llm::grammar {

class Compiler {
 public:
  using Alternative = std::vector<Element>;

  std::shared_ptr<const Grammar> compile(const Syntax& syntax);
  std::shared_ptr<const Grammar> restrict(const Grammar& grammar, const ByteSet& bytes);

 private:
  struct Draft {
    std::string name;
    bool named = false;
    std::vector<Alternative> alternatives;
  };

  // Rules as drafts.
  uint32_t add_draft(const std::string& owner);
  uint32_t set_index(const ByteSet& set, bool free);
  void lower_into(uint32_t draft, const Expression& expression);
  void append(const Expression& expression, const std::string& owner, Alternative& out);
  void append_characters(const CodePoints& set, const std::string& owner, Alternative& out);
  void append_repeat(const Expression& expression, const std::string& owner, Alternative& out);
  void push(Alternative& out, Element element);

  // What is true of rules. Each is a fixed point over the rules that use one another.
  template <typename Change>
  void settle(Change change);
  void find_users();
  void find_empty();
  void refuse_left_recursion();
  void drop_endless();
  void factor(uint32_t draft);
  void check_repeats();
  std::vector<uint32_t> longest_bytes();
  std::shared_ptr<Grammar> finish();

  std::vector<Draft> drafts_;
  uint32_t root_ = 0;
  std::vector<ByteSet> sets_;
  std::vector<uint8_t> free_sets_;
  std::unordered_map<ByteSet, uint32_t> set_of_[2];
  std::map<CodePoints, uint32_t> class_rules_;
  size_t element_count_ = 0;

  std::vector<std::vector<uint32_t>> users_;
  std::vector<uint8_t> may_be_empty_;
};

}  // namespace hone::llm::grammar
