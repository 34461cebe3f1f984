#include "llm/grammar/compiler.h"

#include <algorithm>
#include <deque>

#include "llm/grammar/utf8_sets.h"

namespace hone::llm::grammar {
namespace {

using Kind = Element::Kind;

constexpr size_t kMaxRules = 300'000, kMaxElements = 2'000'000;
constexpr size_t kMaxScans = 200'000'000;  // elements looked at for one fixed point
constexpr uint32_t kMaxEmptyRepeats = 256;
constexpr uint32_t kUnitBytes = 32;  // rules with longer texts than this are units
constexpr uint32_t kEndless = kUnitBytes + 1;

Error too_large(const std::string& what) {
  return {ErrorCode::kTooLarge, "grammar: " + what + "; use a smaller one"};
}

}  // namespace

std::string special_bytes(std::string_view piece) {
  return kSpecialBegin + std::string(piece) + kSpecialEnd;
}

uint32_t Compiler::add_draft(const std::string& owner) {
  if (drafts_.size() >= kMaxRules) throw too_large("it has more than 300,000 rules");
  drafts_.push_back({owner, false, {}});
  return static_cast<uint32_t>(drafts_.size() - 1);
}

uint32_t Compiler::set_index(const ByteSet& set, bool free) {
  const auto [place, added] = set_of_[free].emplace(set, static_cast<uint32_t>(sets_.size()));
  if (added) {
    sets_.push_back(set);
    free_sets_.push_back(free);
  }
  return place->second;
}

void Compiler::push(Alternative& out, Element element) {
  if (++element_count_ > kMaxElements) throw too_large("it has more than 2,000,000 elements");
  out.push_back(element);
}

void Compiler::lower_into(uint32_t draft, const Expression& expression) {
  const std::string owner = drafts_[draft].name;
  if (expression.kind == Expression::Kind::kChoice) {
    for (const Expression& part : expression.parts) lower_into(draft, part);
    return;
  }
  Alternative alternative;
  append(expression, owner, alternative);
  drafts_[draft].alternatives.push_back(std::move(alternative));
}

void Compiler::append(const Expression& expression, const std::string& owner, Alternative& out) {
  const auto append_bytes = [&](const std::string& bytes, bool free) {
    for (const char c : bytes) {
      ByteSet set;
      set.set(static_cast<uint8_t>(c));
      push(out, {Kind::kBytes, set_index(set, free), 0, 0});
    }
  };
  switch (expression.kind) {
    case Expression::Kind::kLiteral: append_bytes(expression.text, false); return;
    case Expression::Kind::kSpecialToken:
      append_bytes(special_bytes(expression.text), true);
      return;
    case Expression::Kind::kCharacters:
      append_characters(expression.characters, owner, out);
      return;
    case Expression::Kind::kRule: push(out, {Kind::kRule, expression.rule, 0, 0}); return;
    case Expression::Kind::kSequence:
      for (const Expression& part : expression.parts) append(part, owner, out);
      return;
    case Expression::Kind::kChoice: {
      if (expression.parts.size() == 1) return append(expression.parts[0], owner, out);
      const uint32_t draft = add_draft(owner);
      lower_into(draft, expression);
      push(out, {Kind::kRule, draft, 0, 0});
      return;
    }
    case Expression::Kind::kRepeat: append_repeat(expression, owner, out); return;
  }
}

void Compiler::append_characters(const CodePoints& set, const std::string& owner,
                                 Alternative& out) {
  const auto append_sequence = [this](const ByteSequence& bytes, Alternative& to) {
    for (size_t i = 0; i < bytes.length; ++i) {
      push(to, {Kind::kBytes, set_index(bytes.sets[i], false), 0, 0});
    }
  };
  const auto known = class_rules_.find(set);
  if (known != class_rules_.end()) {
    push(out, {Kind::kRule, known->second, 0, 0});
    return;
  }
  const std::vector<ByteSequence> sequences = utf8_sequences(set);
  if (sequences.size() == 1) return append_sequence(sequences[0], out);
  const uint32_t draft = add_draft(owner);  // of no alternatives when the set is empty
  class_rules_.emplace(set, draft);
  for (const ByteSequence& bytes : sequences) {
    drafts_[draft].alternatives.emplace_back();
    append_sequence(bytes, drafts_[draft].alternatives.back());
  }
  push(out, {Kind::kRule, draft, 0, 0});
}

void Compiler::append_repeat(const Expression& expression, const std::string& owner,
                             Alternative& out) {
  const Expression& part = expression.parts[0];
  if (expression.max == 0) return;
  if (expression.min == 1 && expression.max == 1) return append(part, owner, out);
  uint32_t body = part.rule;
  if (part.kind != Expression::Kind::kRule) {
    body = add_draft(owner);
    lower_into(body, part);
  }
  push(out, {Kind::kRepeat, body, expression.min, expression.max});
}

void Compiler::find_users() {
  users_.assign(drafts_.size(), {});
  for (uint32_t r = 0; r < drafts_.size(); ++r) {
    for (const Alternative& alternative : drafts_[r].alternatives) {
      for (const Element& element : alternative) {
        if (element.kind == Kind::kBytes) continue;
        auto& users = users_[element.argument];
        if (users.empty() || users.back() != r) users.push_back(r);
      }
    }
  }
}

// Calls change(rule) for every rule, and again for the users of each rule for which it said true.
template <typename Change>
void Compiler::settle(Change change) {
  std::vector<uint32_t> queue(drafts_.size());
  for (uint32_t i = 0; i < queue.size(); ++i) {
    queue[i] = static_cast<uint32_t>(queue.size() - 1) - i;  // what rules are made of comes later
  }
  std::vector<uint8_t> queued(drafts_.size(), 1);
  size_t scans = 0;
  for (size_t at = 0; at < queue.size(); ++at) {
    const uint32_t r = queue[at];
    queued[r] = 0;
    for (const Alternative& alternative : drafts_[r].alternatives) scans += alternative.size() + 1;
    if (scans > kMaxScans) throw too_large("its rules use one another too much");
    if (!change(r)) continue;
    for (const uint32_t user : users_[r]) {
      if (!queued[user]) {
        queued[user] = 1;
        queue.push_back(user);
      }
    }
  }
}

void Compiler::find_empty() {
  may_be_empty_.assign(drafts_.size(), 0);
  const auto element_empty = [this](const Element& element) {
    if (element.kind == Kind::kBytes) return false;
    return (element.kind == Kind::kRepeat && element.min == 0) ||
           may_be_empty_[element.argument] != 0;
  };
  settle([&](uint32_t r) {
    if (may_be_empty_[r]) return false;
    for (const Alternative& alternative : drafts_[r].alternatives) {
      if (std::all_of(alternative.begin(), alternative.end(), element_empty)) {
        may_be_empty_[r] = 1;
        return true;
      }
    }
    return false;
  });
}

// Follows what a rule can begin with; a way back to a rule that is open is left recursion.
void Compiler::refuse_left_recursion() {
  const auto beginnings = [this](uint32_t r) {
    std::vector<uint32_t> out;
    for (const Alternative& alternative : drafts_[r].alternatives) {
      for (const Element& element : alternative) {
        if (element.kind == Kind::kBytes) break;
        out.push_back(element.argument);
        const bool may_pass = (element.kind == Kind::kRepeat && element.min == 0) ||
                              may_be_empty_[element.argument] != 0;
        if (!may_pass) break;
      }
    }
    return out;
  };
  struct Open {
    uint32_t rule;
    std::vector<uint32_t> next;
  };
  std::vector<uint8_t> color(drafts_.size(), 0);  // 1: open, 2: done
  for (uint32_t start = 0; start < drafts_.size(); ++start) {
    if (color[start] != 0) continue;
    std::vector<Open> path;
    path.push_back({start, beginnings(start)});
    color[start] = 1;
    while (!path.empty()) {
      if (path.back().next.empty()) {
        color[path.back().rule] = 2;
        path.pop_back();
        continue;
      }
      const uint32_t to = path.back().next.back();
      path.back().next.pop_back();
      if (color[to] == 1) {
        throw invalid_input("grammar: the rule `" + drafts_[to].name +
                            "` can begin with itself (left recursion); write it as a repetition");
      }
      if (color[to] == 0) {
        color[to] = 1;
        path.push_back({to, beginnings(to)});
      }
    }
  }
}

// Takes away alternatives that no text ever ends.
void Compiler::drop_endless() {
  std::vector<uint8_t> ends(drafts_.size(), 0);
  const auto element_ends = [&](const Element& element) {
    if (element.kind == Kind::kBytes) return sets_[element.argument].any();
    return (element.kind == Kind::kRepeat && element.min == 0) || ends[element.argument] != 0;
  };
  settle([&](uint32_t r) {
    if (ends[r]) return false;
    for (const Alternative& alternative : drafts_[r].alternatives) {
      if (std::all_of(alternative.begin(), alternative.end(), element_ends)) {
        ends[r] = 1;
        return true;
      }
    }
    return false;
  });
  for (Draft& draft : drafts_) {
    std::erase_if(draft.alternatives, [&](const Alternative& alternative) {
      return !std::all_of(alternative.begin(), alternative.end(), element_ends);
    });
    for (Alternative& alternative : draft.alternatives) {
      std::erase_if(alternative, [&](const Element& element) {
        return element.kind == Kind::kRepeat && ends[element.argument] == 0;
      });
    }
  }
}

// Alternatives that begin alike become one that branches where they differ. Sorted once; each new
// rule is a range of the sorted alternatives behind an offset.
void Compiler::factor(uint32_t draft) {
  if (drafts_[draft].alternatives.size() < 2) return;
  std::vector<Alternative> sorted = std::move(drafts_[draft].alternatives);
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  struct Part {
    uint32_t draft;
    size_t begin, end, offset;
  };
  const std::string owner = drafts_[draft].name;
  std::deque<Part> parts = {{draft, 0, sorted.size(), 0}};
  for (; !parts.empty(); parts.pop_front()) {
    const Part part = parts.front();
    std::vector<Alternative> made;
    for (size_t i = part.begin; i < part.end;) {
      const Alternative& first = sorted[i];
      const auto rest = first.begin() + static_cast<std::ptrdiff_t>(part.offset);
      size_t j = i + 1;
      while (first.size() > part.offset && j < part.end && sorted[j].size() > part.offset &&
             sorted[j][part.offset] == first[part.offset]) {
        ++j;
      }
      if (j - i == 1) {
        made.emplace_back(rest, first.end());
      } else {
        const Alternative& last = sorted[j - 1];
        size_t same = part.offset;
        while (same < first.size() && same < last.size() && first[same] == last[same]) ++same;
        made.emplace_back(rest, first.begin() + static_cast<std::ptrdiff_t>(same));
        const uint32_t branch = add_draft(owner);
        push(made.back(), {Kind::kRule, branch, 0, 0});
        parts.push_back({branch, i, j, same});
      }
      i = j;
    }
    drafts_[part.draft].alternatives = std::move(made);
  }
}

void Compiler::check_repeats() {
  for (Draft& draft : drafts_) {
    for (Alternative& alternative : draft.alternatives) {
      for (Element& element : alternative) {
        if (element.kind != Kind::kRepeat || !may_be_empty_[element.argument]) continue;
        element.min = 0;
        if (element.max != kNoLimit && element.max > kMaxEmptyRepeats) {
          throw invalid_input("grammar: the rule `" + draft.name +
                              "` repeats something that may be empty more than 256 times; let it "
                              "be never empty, or repeat without a limit");
        }
      }
    }
  }
}

// Per rule the bytes of its longest text, or kEndless.
std::vector<uint32_t> Compiler::longest_bytes() {
  std::vector<uint32_t> longest(drafts_.size(), 0);
  settle([&](uint32_t r) {
    uint64_t most = 0;
    for (const Alternative& alternative : drafts_[r].alternatives) {
      uint64_t sum = 0;
      for (const Element& element : alternative) {
        if (element.kind == Kind::kBytes) {
          ++sum;
        } else {
          const uint64_t times = element.kind == Kind::kRepeat ? element.max : 1;
          sum += times * longest[element.argument];
        }
        sum = std::min<uint64_t>(sum, kEndless);
      }
      most = std::max(most, sum);
    }
    if (most <= longest[r]) return false;
    longest[r] = static_cast<uint32_t>(most);
    return true;
  });
  return longest;
}

std::shared_ptr<const Grammar> Compiler::compile(const Syntax& syntax) {
  if (syntax.rules.size() > kMaxRules) throw too_large("it has more than 300,000 rules");
  for (const Rule& rule : syntax.rules) drafts_.push_back({rule.name, true, {}});
  for (uint32_t r = 0; r < syntax.rules.size(); ++r) lower_into(r, syntax.rules[r].body);
  root_ = syntax.root;
  find_users();
  find_empty();
  refuse_left_recursion();
  drop_endless();
  for (uint32_t r = 0; r < drafts_.size(); ++r) factor(r);
  return finish();
}

std::shared_ptr<const Grammar> Compiler::restrict(const Grammar& grammar, const ByteSet& bytes) {
  sets_ = grammar.sets_;
  free_sets_ = grammar.free_sets_;
  for (size_t i = 0; i < sets_.size(); ++i) {
    if (!free_sets_[i]) sets_[i] &= bytes;
  }
  for (uint32_t r = 0; r < grammar.rule_count(); ++r) {
    Draft draft = {grammar.names_[r], grammar.named_[r] != 0, {}};
    for (const uint32_t* at = grammar.first_alternative(r); at != grammar.last_alternative(r);
         ++at) {
      draft.alternatives.emplace_back();
      for (uint32_t p = *at; grammar.element(p).kind != Kind::kEnd; ++p) {
        push(draft.alternatives.back(), grammar.element(p));
      }
    }
    drafts_.push_back(std::move(draft));
  }
  find_users();
  drop_endless();
  return finish();
}

std::shared_ptr<Grammar> Compiler::finish() {
  if (drafts_[root_].alternatives.empty()) {
    throw invalid_input("grammar: the rule `" + drafts_[root_].name +
                        "` matches no text that could be written to its end");
  }
  find_users();
  find_empty();
  check_repeats();
  const std::vector<uint32_t> longest = longest_bytes();

  auto out = std::make_shared<Grammar>();
  std::vector<uint32_t> order = {root_}, number(drafts_.size(), UINT32_MAX);
  number[root_] = 0;
  for (size_t at = 0; at < order.size(); ++at) {
    const Draft& draft = drafts_[order[at]];
    out->first_alternative_.push_back(static_cast<uint32_t>(out->alternatives_.size()));
    out->is_unit_.push_back(draft.named && longest[order[at]] > kUnitBytes);
    out->named_.push_back(draft.named);
    out->names_.push_back(draft.name);
    for (const Alternative& alternative : draft.alternatives) {
      out->alternatives_.push_back(static_cast<uint32_t>(out->elements_.size()));
      for (Element element : alternative) {
        if (element.kind != Kind::kBytes) {
          uint32_t& to = number[element.argument];
          if (to == UINT32_MAX) {
            to = static_cast<uint32_t>(order.size());
            order.push_back(element.argument);
          }
          element.argument = to;
        }
        out->elements_.push_back(element);
      }
      out->elements_.emplace_back();
    }
  }
  out->first_alternative_.push_back(static_cast<uint32_t>(out->alternatives_.size()));
  out->sets_ = std::move(sets_);
  out->free_sets_ = std::move(free_sets_);

  std::array<uint16_t, 256> group = {};
  int groups = 1;
  for (const ByteSet& set : out->sets_) {
    if (groups == 256) break;
    std::array<int, 512> renamed;
    renamed.fill(-1);
    groups = 0;
    for (size_t b = 0; b < 256; ++b) {
      int& to = renamed[size_t{group[b]} * 2 + set.test(b)];
      if (to < 0) to = groups++;
      group[b] = static_cast<uint16_t>(to);
    }
  }
  out->class_bytes_.assign(static_cast<size_t>(groups), 0);
  for (size_t b = 0; b < 256; ++b) {
    out->class_of_[b] = static_cast<uint8_t>(group[b]);
    out->class_bytes_[group[b]] = static_cast<uint8_t>(b);
  }
  return out;
}

Result<std::shared_ptr<const Grammar>> Grammar::compile(const Syntax& syntax) {
  try {
    return Compiler().compile(syntax);
  } catch (const Error& error) {
    return error;
  }
}

Result<std::shared_ptr<const Grammar>> Grammar::restricted(const ByteSet& bytes) const {
  try {
    return Compiler().restrict(*this, bytes);
  } catch (const Error& error) {
    return error;
  }
}

size_t Grammar::bytes() const {
  return elements_.size() * sizeof(Element) + sets_.size() * sizeof(ByteSet) +
         4 * (alternatives_.size() + first_alternative_.size()) + names_.size() * sizeof(names_[0]);
}

}  // namespace hone::llm::grammar
