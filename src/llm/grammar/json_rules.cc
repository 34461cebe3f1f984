#include "llm/grammar/json_rules.h"

#include <algorithm>

#include "llm/jinja/unicode.h"

namespace hone::llm::grammar {
namespace {

Expression one_of(std::string_view bytes) {
  CodePoints set;
  for (const char c : bytes) set.push_back({static_cast<uint8_t>(c), static_cast<uint8_t>(c)});
  return characters(std::move(set));
}

Expression digits(uint32_t min, uint32_t max) { return repeat(characters({{'0', '9'}}), min, max); }

const CodePoints& plain_characters() {
  static const CodePoints kPlain = complement({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}});
  return kPlain;
}

Expression escape() {
  const Expression hex = characters({{'0', '9'}, {'a', 'f'}, {'A', 'F'}});
  const Expression d = one_of("dD");
  std::vector<Expression> kinds = {
      one_of("\"\\/bfnrt"),
      sequence({literal("u"),
                characters({{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}}), hex, hex,
                hex}),
      sequence({literal("u"), d, characters({{'0', '7'}}), hex, hex}),
      sequence({literal("u"), d, one_of("89abAB"), hex, hex, literal("\\u"), d, one_of("cdefCDEF"),
                hex, hex}),
  };
  return sequence({literal("\\"), choice(std::move(kinds))});
}

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

}  // namespace

// A rule by its name, made at its first use.
template <typename Make>
Expression JsonRules::once(const std::string& name, Make make) {
  const auto known = made_.find(name);
  if (known != made_.end()) return rule(known->second);
  const uint32_t index = syntax_->add(name);
  made_[name] = index;
  Expression body = make();
  syntax_->rules[index].body = std::move(body);
  return rule(index);
}

Expression JsonRules::white() {
  return once("white space", [] {
    return choice(
        {sequence({}), literal(" "), sequence({literal("\n"), repeat(one_of(" \t"), 0, 32)})});
  });
}

Expression JsonRules::colon() { return sequence({literal(":"), optional(literal(" "))}); }

Expression JsonRules::comma() { return sequence({literal(","), white()}); }

Expression JsonRules::string_of(Expression content) {
  return sequence({literal("\""), std::move(content), literal("\"")});
}

Expression JsonRules::string_of_length(uint32_t min, uint32_t max) {
  Expression character = once("character", [] {
    return choice({characters(plain_characters()), escape()});
  });
  return string_of(repeat(std::move(character), min, max));
}

Expression JsonRules::any_string() {
  return once("string", [this] { return string_of_length(0, kNoLimit); });
}

Expression JsonRules::spelled(const CodePoints& set) {
  const auto known = spelled_.find(set);
  if (known != spelled_.end()) return rule(known->second);
  std::vector<Expression> kinds = {characters(intersection(set, plain_characters()))};
  const CodePoints escaped = intersection(set, complement(plain_characters()));
  for (const CodePointRange& range : escaped) {
    for (uint32_t c = range.first; c <= range.last; ++c) {
      std::string text;
      jinja::encode(text, c);
      const std::string quoted = json_text(text);
      kinds.push_back(literal(std::string_view(quoted).substr(1, quoted.size() - 2)));
    }
  }
  if (kinds[0].characters.empty()) kinds.erase(kinds.begin());
  if (kinds.size() == 1) return std::move(kinds[0]);
  const uint32_t index = syntax_->add("characters", choice(std::move(kinds)));
  spelled_[set] = index;
  return rule(index);
}

// A tree of the texts' characters; wherever a text leaves the tree, anything may follow.
Expression JsonRules::string_other_than(const std::vector<std::string>& texts) {
  struct Node {
    std::map<uint32_t, size_t> next;
    bool is_text = false;
  };
  std::vector<Node> nodes(1);
  for (const std::string& text : texts) {
    size_t at = 0;
    for (size_t i = 0; i < text.size();) {
      const auto [value, size] = jinja::decode(text, i);
      i += size;
      const auto [place, added] = nodes[at].next.emplace(value, nodes.size());
      at = place->second;
      if (added) nodes.emplace_back();
    }
    nodes[at].is_text = true;
  }
  const CodePoints all = complement({});
  const Expression anything =
      once("any text, spelled", [&] { return repeat(spelled(all), 0, kNoLimit); });
  std::vector<uint32_t> rules;
  for (size_t i = 0; i < nodes.size(); ++i) rules.push_back(syntax_->add("other name"));
  for (size_t i = 0; i < nodes.size(); ++i) {
    std::vector<Expression> ways;
    CodePoints taken;
    for (const auto& [value, to] : nodes[i].next) {
      taken.push_back({value, value});
      ways.push_back(sequence({spelled({{value, value}}), rule(rules[to])}));
    }
    ways.push_back(sequence({spelled(complement(taken)), anything}));
    if (!nodes[i].is_text) ways.push_back(sequence({}));
    syntax_->rules[rules[i]].body = choice(std::move(ways));
  }
  return string_of(rule(rules[0]));
}

Expression JsonRules::any_integer() {
  return once("integer", [] {
    return sequence({optional(literal("-")),
                     choice({literal("0"), sequence({characters({{'1', '9'}}), digits(0, 17)})})});
  });
}

Expression JsonRules::any_number() {
  return once("number", [this] {
    return sequence({any_integer(), optional(sequence({literal("."), digits(1, 18)})),
                     optional(sequence({one_of("eE"), optional(one_of("+-")), digits(1, 2)}))});
  });
}

Expression JsonRules::any_value(size_t depth) {
  return once("value, " + std::to_string(depth) + " deep", [&] {
    std::vector<Expression> kinds = {any_string(), any_number(), literal("true"), literal("false"),
                                     literal("null")};
    if (depth > 0) {
      kinds.push_back(any_object(depth));
      kinds.push_back(any_array(depth));
    }
    return choice(std::move(kinds));
  });
}

Expression JsonRules::any_object(size_t depth) {
  return once("object, " + std::to_string(depth) + " deep", [&] {
    const Expression member = sequence({any_string(), colon(), any_value(depth - 1)});
    return sequence(
        {literal("{"), white(),
         optional(sequence({member, repeat(sequence({comma(), member}), 0, kNoLimit), white()})),
         literal("}")});
  });
}

Expression JsonRules::any_array(size_t depth) {
  return once("array, " + std::to_string(depth) + " deep", [&] {
    const Expression item = any_value(depth - 1);
    return sequence(
        {literal("["), white(),
         optional(sequence({item, repeat(sequence({comma(), item}), 0, kNoLimit), white()})),
         literal("]")});
  });
}

Expression JsonRules::constant(const Json& value) { return literal(value.dump()); }

}  // namespace hone::llm::grammar
