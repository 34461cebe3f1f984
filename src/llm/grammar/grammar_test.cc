#include "llm/grammar/grammar.h"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"
#include "llm/grammar/gbnf.h"
#include "llm/grammar/matcher.h"

namespace hone::llm::grammar {
namespace {

std::shared_ptr<const Grammar> compiled(std::string_view text) {
  return Grammar::compile(parse_gbnf(text).value()).value();
}

std::string error_of(std::string_view text) {
  const auto syntax = parse_gbnf(text);
  if (!syntax) return syntax.error().message();
  const auto grammar = Grammar::compile(*syntax);
  return grammar ? "accepted" : grammar.error().message();
}

void expect_texts(std::string_view grammar, const std::vector<std::string>& accepted,
                  const std::vector<std::string>& refused) {
  const auto g = compiled(grammar);
  for (const std::string& text : accepted) EXPECT_TRUE(matches(g, text)) << grammar << ": " << text;
  for (const std::string& text : refused) EXPECT_FALSE(matches(g, text)) << grammar << ": " << text;
}

TEST(Gbnf, TextsClassesGroupsAndRepetitionsMeanWhatTheySay) {
  expect_texts("root ::= \"yes\" | \"no\"", {"yes", "no"}, {"", "y", "yesno", "yess"});
  expect_texts("root ::= [a-c]+ [^x-z]?", {"a", "abcabc", "abd", "ab-"}, {"", "d", "abx", "abdd"});
  expect_texts("root ::= (\"ab\" | \"cd\")* \"!\"", {"!", "ab!", "cdab!"}, {"abc!", "ab"});
  expect_texts("root ::= \"a\"{2} \"b\"{1,} \"c\"{,2} \"d\"{1,3}", {"aabd", "aabbbccddd", "aabcd"},
               {"abd", "aad", "aabcccd", "aabdddd"});
  expect_texts("root ::= .", {"a", "é", "€", "😀", "\n"},
               {"", "ab", "\xC3", "\xFF", "\xED\xA0\x80"});
  expect_texts("root ::= \"\\x41\\u00e9\\U0001F600\\n\\t\\\"\\\\\"", {"Aé😀\n\t\"\\"}, {"A"});
  expect_texts("root ::= [\\]\\-a]+", {"]-a"}, {"b", "\\"});
  expect_texts("root ::= \"\"", {""}, {"a"});
  expect_texts("root ::= (\"a\"?)* \"b\"", {"b", "ab", "aaab"}, {"a", "ba"});
  expect_texts("root ::= ((\"a\"*)*)+", {"", "aaaa"}, {"b"});
  expect_texts("root ::= ws{0,3} \"x\"\nws ::= \" \"?", {"x", "   x"}, {"    x"});
}

TEST(Gbnf, RulesGoOnOverLineEndsAndComments) {
  expect_texts(
      "# yes\nroot ::= # what\n  a |\n  b\n  | ( c\n  a )\na ::= \"1\"\nb ::= \"2\"\r\nc ::= \"3\"",
      {"1", "2", "31"}, {"3", "12"});
  expect_texts("root ::= pair-of_things\n\n\npair-of_things ::= \"x\" \"y\"   # end", {"xy"},
               {"x"});
}

TEST(Gbnf, RecursionInTheMiddleAndOnTheRightWorks) {
  expect_texts("root ::= \"(\" root \")\" | \"x\"", {"x", "((x))"}, {"(x", "(x))", "()"});
  expect_texts("root ::= \"a\" root | \"b\"", {"b", "aaab"}, {"a", "ba"});
  expect_texts("root ::= s\ns ::= \"a\" s \"b\" s | \"\"", {"", "ab", "aabb", "abab"},
               {"ba", "aab"});
}

TEST(Gbnf, MistakesAreNamedWithLineAndColumn) {
  EXPECT_EQ(error_of("a ::= \"x\""),
            "grammar: there is no rule named `root`; it says what an answer must be");
  EXPECT_EQ(error_of("root ::= \"a\n"),
            "grammar, line 1, column 12: a text in quotes ends on its own line; write \\n");
  EXPECT_EQ(error_of("root ::= é"), "grammar, line 1, column 10: '\xC3' was not expected here");
  EXPECT_EQ(error_of("root ::= a\n  \nb ::= \"\""),
            "grammar, line 1, column 10: the rule `a` is used but not defined");
  EXPECT_EQ(error_of("root ::= \"a\"\nroot ::= \"b\""),
            "grammar, line 2, column 1: the rule `root` is defined twice");
  EXPECT_EQ(error_of("root = \"a\""),
            "grammar, line 1, column 6: `::=` was expected behind the name of a rule");
  EXPECT_EQ(error_of("root ::= (\"a\""), "grammar, line 1, column 14: `)` was expected");
  EXPECT_EQ(error_of("root ::= * \"a\""),
            "grammar, line 1, column 10: `*` has nothing in front of it to repeat");
  EXPECT_EQ(error_of("root ::= \"a\"{3,2}"),
            "grammar, line 1, column 18: a repetition ends below where it begins");
  EXPECT_EQ(error_of("root ::= \"a\"{1000001}"),
            "grammar, line 1, column 21: more than 1,000,000 repetitions");
  EXPECT_EQ(error_of("root ::= [z-a]"),
            "grammar, line 1, column 14: a range of characters ends below where it begins");
  EXPECT_EQ(error_of("root ::= [a"),
            "grammar, line 1, column 12: the text ends inside quotes or a class");
  EXPECT_EQ(error_of("root ::= \"\\q\""),
            "grammar, line 1, column 12: an unknown escape; known are n r t x u U \\ \" [ ] - ^");
  EXPECT_EQ(error_of("root ::= \"\\uD800\""),
            "grammar, line 1, column 17: an escape that is no character of Unicode");
  EXPECT_EQ(error_of("root ::= <think>"),
            "grammar, line 1, column 10: token terminals (<...>) are not supported; write the text "
            "itself");
  EXPECT_EQ(error_of("root ::= \"\xC3\""), "grammar: byte 10 is not UTF-8");
}

TEST(Grammar, LeftRecursionIsRefusedByName) {
  const auto left = [](const std::string& rule) {
    return "grammar: the rule `" + rule +
           "` can begin with itself (left recursion); write it as a repetition";
  };
  EXPECT_EQ(error_of("root ::= root \"a\" | \"a\""), left("root"));
  EXPECT_EQ(error_of("root ::= \"x\" e\ne ::= t \"+\" e | t\nt ::= \"\" e"), left("e"));
  EXPECT_EQ(error_of("root ::= \"x\" e\ne ::= \"a\"? \"b\"* e"), left("e"));
  EXPECT_EQ(error_of("root ::= (\"a\"? root)?"), left("root"));
  EXPECT_EQ(error_of("root ::= \"a\" root | \"\""), "accepted");
}

TEST(Grammar, WhatCanNeverEndIsRefusedOrLeftOut) {
  EXPECT_EQ(error_of("root ::= \"a\" root"),
            "grammar: the rule `root` matches no text that could be written to its end");
  EXPECT_EQ(error_of("root ::= \"a\" []"),
            "grammar: the rule `root` matches no text that could be written to its end");
  const auto g = compiled("root ::= \"a\" loop | \"ab\"\nloop ::= \"b\" loop");
  Matcher matcher(g);
  EXPECT_TRUE(matcher.step("ab"));
  EXPECT_TRUE(matcher.finished());
}

TEST(Grammar, ARepetitionOfWhatMayBeEmptyHasALimit) {
  EXPECT_EQ(error_of("root ::= (\"a\"?){0,1000}"),
            "grammar: the rule `root` repeats something that may be empty more than 256 times; let "
            "it be never empty, or repeat without a limit");
  EXPECT_EQ(error_of("root ::= (\"a\"?){0,256}"), "accepted");
}

TEST(Grammar, ARepetitionCostsOneElementHoweverOften) {
  const auto g = compiled("root ::= [a-z]{1000000}");
  EXPECT_LT(g->element_count(), 10u);
  Matcher matcher(g);
  for (int i = 0; i < 999'999; ++i) ASSERT_TRUE(matcher.step('k'));
  EXPECT_FALSE(matcher.complete());
  EXPECT_TRUE(matcher.step('k'));
  EXPECT_TRUE(matcher.finished());
  EXPECT_FALSE(matcher.step('k'));
}

TEST(Grammar, RecursionOnTheRightDoesNotGrowTheStack) {
  Matcher matcher(compiled("root ::= \"a\" root | \"b\""));
  for (int i = 0; i < 200'000; ++i) ASSERT_TRUE(matcher.step('a'));
  EXPECT_EQ(matcher.failure(), "");
  EXPECT_LT(matcher.stacks().size(), 10'000u);
}

TEST(Grammar, NestingBeyondTheBoundIsSaid) {
  Matcher matcher(compiled("root ::= \"(\" root \")\" | \"x\""));
  int depth = 0;
  while (matcher.step('(')) ++depth;
  EXPECT_GT(depth, 60'000);
  EXPECT_EQ(matcher.failure(), "the answer is nested more than 65,536 deep");
}

TEST(Grammar, AmbiguityBeyondTheBoundIsSaid) {
  // Each letter can be of either rule, and the stack remembers which.
  Matcher matcher(
      compiled("root ::= one | two | \"b\"\none ::= \"a\" root \"x\"\ntwo ::= \"a\" "
               "root \"y\""));
  int length = 0;
  while (length < 1000 && matcher.step('a')) ++length;
  EXPECT_LE(length, 13);
  EXPECT_EQ(matcher.failure(),
            "the grammar can go on in more than 4,096 ways at once here; make it less ambiguous");
}

TEST(Grammar, TenThousandAlternativesAreABranchEach) {
  std::string text = "root ::= \"word0\"";
  for (int i = 1; i < 10'000; ++i) text += " | \"word" + std::to_string(i) + "\"";
  const auto g = compiled(text);
  Matcher matcher(g);
  ASSERT_TRUE(matcher.step("wor"));
  EXPECT_LE(matcher.set().size(), 10u);
  EXPECT_TRUE(matches(g, "word9999"));
  EXPECT_TRUE(matches(g, "word7"));
  EXPECT_FALSE(matches(g, "word10000"));
}

TEST(Grammar, PrefixesOfOneAnotherAreABranchEach) {
  std::string text = "root ::= \"a\"", word = "a";
  for (int i = 1; i < 1000; ++i) text += " | \"" + (word += "a") + "\"";
  const auto g = compiled(text);
  EXPECT_LT(g->element_count(), 5000u);
  EXPECT_TRUE(matches(g, std::string(1000, 'a')));
  EXPECT_FALSE(matches(g, std::string(1001, 'a')));
}

TEST(Grammar, RestrictedToBytesItHasNoDeadEnds) {
  ByteSet bytes;
  for (const char c : std::string("abx")) bytes.set(static_cast<uint8_t>(c));
  const auto g = compiled("root ::= \"a\" (\"b\" | \"bc\" | \"xé\")")->restricted(bytes).value();
  EXPECT_TRUE(matches(g, "ab"));
  Matcher matcher(g);
  EXPECT_TRUE(matcher.step('a'));
  EXPECT_FALSE(matcher.step('x'));
  const auto none = compiled("root ::= \"é\"")->restricted(bytes);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message(),
            "grammar: the rule `root` matches no text that could be written to its end");
}

TEST(Gbnf, BoundsEndInASentence) {
  EXPECT_EQ(error_of(std::string(2u << 20, ' ')), "grammar: its text is longer than 1 MiB");
  EXPECT_EQ(error_of("root ::= " + std::string(100'000, '(')),
            "grammar, line 1, column 211: groups are nested more than 200 deep");
  EXPECT_EQ(error_of("root ::= \"a\"" + std::string(100'000, '*')),
            "grammar, line 1, column 21: more than 8 repetitions of one another");
  std::string many = "root ::= \"a\"\n";
  for (int i = 0; i < 70'000; ++i) many += "r" + std::to_string(i) + "::=\"\"\n";
  EXPECT_EQ(error_of(many).substr(0, 13), "grammar, line");
  // Every rule uses many others: a fixed point with much to look at, still bounded.
  std::string tangled = "root ::= r0\n";
  for (int i = 0; i < 1000; ++i) {
    tangled += "r" + std::to_string(i) + " ::= \"x\"";
    for (int j = 0; j < 60; ++j) tangled += " | \"y\" r" + std::to_string((i * 7 + j * 31) % 1000);
    tangled += "\n";
  }
  EXPECT_EQ(error_of(tangled), "accepted");
}

// ---- against brute force ------------------------------------------------------------------------

using Language = std::set<std::string>;
constexpr size_t kLength = 6;

Language joined(const Language& a, const Language& b) {
  Language out;
  for (const std::string& x : a) {
    for (const std::string& y : b) {
      if (x.size() + y.size() <= kLength) out.insert(x + y);
    }
  }
  return out;
}

Language language_of(const Expression& e, const std::vector<Language>& rules) {
  using Kind = Expression::Kind;
  switch (e.kind) {
    case Kind::kLiteral: return {e.text};
    case Kind::kCharacters: {
      Language out;
      for (const char c : {'a', 'b', 'c'}) {
        for (const CodePointRange& range : e.characters) {
          const auto value = static_cast<uint32_t>(c);
          if (value >= range.first && value <= range.last) out.insert(std::string(1, c));
        }
      }
      return out;
    }
    case Kind::kRule: return rules[e.rule];
    case Kind::kSequence: {
      Language out = {""};
      for (const Expression& part : e.parts) out = joined(out, language_of(part, rules));
      return out;
    }
    case Kind::kChoice: {
      Language out;
      for (const Expression& part : e.parts) out.merge(language_of(part, rules));
      return out;
    }
    case Kind::kRepeat: {
      const Language body = language_of(e.parts[0], rules);
      Language out, power = {""};
      for (uint32_t i = 0; i <= e.max && i <= e.min + 2 * kLength; ++i) {
        if (i >= e.min) out.insert(power.begin(), power.end());
        power = joined(power, body);
      }
      return out;
    }
    case Kind::kSpecialToken: return {};
  }
  return {};
}

Language brute_force(const Syntax& syntax) {
  std::vector<Language> rules(syntax.rules.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t r = 0; r < rules.size(); ++r) {
      Language next = language_of(syntax.rules[r].body, rules);
      changed = changed || next != rules[r];
      rules[r] = std::move(next);
    }
  }
  return rules[syntax.root];
}

// False when the grammar was too ambiguous on the way.
bool collect(const Matcher& matcher, std::string& text, Language& out) {
  if (matcher.complete()) out.insert(text);
  if (text.size() == kLength) return true;
  for (const char c : {'a', 'b', 'c'}) {
    Matcher next = matcher;
    if (!next.step(static_cast<uint8_t>(c))) {
      if (!next.failure().empty()) return false;
      continue;
    }
    text.push_back(c);
    const bool followed = collect(next, text, out);
    text.pop_back();
    if (!followed) return false;
  }
  return true;
}

Expression random_expression(Rng& rng, uint32_t rules, int depth) {
  const uint64_t kind = rng.below(depth > 0 ? 7 : 3);
  const auto part = [&] { return random_expression(rng, rules, depth - 1); };
  switch (kind) {
    case 0: {
      std::string text;
      for (uint64_t i = rng.below(3); i > 0; --i) text += static_cast<char>('a' + rng.below(3));
      return literal(text);
    }
    case 1: {
      const auto first = static_cast<uint32_t>('a' + rng.below(3));
      return characters({{first, first + static_cast<uint32_t>(rng.below(2))}});
    }
    case 2: return rule(static_cast<uint32_t>(rng.below(rules)));
    case 3: return sequence({part(), part()});
    case 4: return choice({part(), part(), part()});
    case 5: return sequence({part(), part(), part()});
    default: {
      const auto min = static_cast<uint32_t>(rng.below(3));
      const uint64_t more = rng.below(4);
      return repeat(part(), min, more == 3 ? kNoLimit : min + static_cast<uint32_t>(more));
    }
  }
}

TEST(Grammar, AcceptsExactlyTheTextsThatBruteForceGenerates) {
  int compared = 0, refused = 0, ambiguous = 0;
  for (uint64_t seed = 0; compared < 400; ++seed) {
    Rng rng(seed, rng_stream("random-grammar"));
    Syntax syntax;
    const auto rules = static_cast<uint32_t>(1 + rng.below(4));
    for (uint32_t r = 0; r < rules; ++r) {
      syntax.add("r" + std::to_string(r), random_expression(rng, rules, 3));
    }
    const Language expected = brute_force(syntax);
    const auto g = Grammar::compile(syntax);
    if (!g) {
      const std::string& why = g.error().message();
      if (why.find("matches no text") != std::string::npos) {
        EXPECT_TRUE(expected.empty()) << seed;
      } else {
        EXPECT_NE(why.find("left recursion"), std::string::npos) << why;
      }
      ++refused;
      continue;
    }
    Language found;
    std::string text;
    if (!collect(Matcher(*g), text, found)) {
      ++ambiguous;
      continue;
    }
    ++compared;
    ASSERT_EQ(found, expected) << "seed " << seed;
  }
  EXPECT_LT(ambiguous, 20);
  printf("compared %d random grammars; %d refused, %d too ambiguous\n", compared, refused,
         ambiguous);
}

}  // namespace
}  // namespace hone::llm::grammar
