// Masks against the plain way, and random walks under them over a real vocabulary: that of HONE_MODEL
// where it names a model, and always a small one of our own.

#include "llm/grammar/token_masks.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>

#include "base/rng.h"
#include "llm/grammar/constraint.h"
#include "llm/grammar/gbnf.h"
#include "llm/grammar/json_schema.h"
#include "llm/jinja/unicode.h"
#include "llm/text_codec.h"
#include "llm/tokenizer/byte_alphabet.h"
#include "llm/tokenizer/tokenizer_gguf.h"

namespace hone::llm::grammar {
namespace {

// Bytes, words and pieces of JSON, some across its borders; two control tokens.
Tokenizer small_tokenizer() {
  GgufTokenizerFields fields;
  fields.model = "gpt2";
  fields.pre = "smollm";
  for (int b = 0; b < 256; ++b) {
    if (b == 0x1D) continue;  // as SmolLM2 has none
    fields.tokens.push_back(piece_of_bytes(std::string(1, static_cast<char>(b))));
  }
  for (const char* text :
       {"true",   "false",    "null",         "\": ",     "\", \"",   "\"}",     "{\"",
        "\":",    "[]",       "{}",           "}}",       "\"]}",     "\\u",     "\\\"",
        "\\n",    " ",        "  ",           "    ",     "\n  ",     "12",      "2024",
        "-0",     "0.",       "1e",           "the",      "name",     "é",       "\xC3",
        "\xA9\"", "日本",     "\xE6\x97",     "\xF0\x9F", "😀",        "kind",    "value",
        "aa",     "aaaaaaaa", "</tool_call>", "<tool",    "_call>\n", "{\"name", "\"a\"",
        "\",\"b", "]]",       "[[",           ",",        "}],"}) {
    fields.tokens.push_back(piece_of_bytes(text));
  }
  fields.merges = {"a a"};
  fields.token_types.assign(fields.tokens.size(), 1);
  for (const char* control : {"<|im_start|>", "<|im_end|>"}) {
    fields.tokens.push_back(control);
    fields.token_types.push_back(3);
  }
  fields.eos = static_cast<int32_t>(fields.tokens.size() - 1);
  return Tokenizer(tokenizer_from_gguf(fields));
}

struct Vocabulary {
  std::string name;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const VocabularyTrie> trie;
};

Vocabulary vocabulary(const char* name, Tokenizer tokenizer) {
  auto shared = std::make_shared<const Tokenizer>(std::move(tokenizer));
  return {name, shared, std::make_shared<const VocabularyTrie>(*shared)};
}

Vocabulary small_vocabulary() { return vocabulary("small", small_tokenizer()); }

std::vector<Vocabulary> vocabularies() {
  std::vector<Vocabulary> out = {small_vocabulary()};
  const char* path = std::getenv("HONE_MODEL");
  if (path == nullptr) {
    printf("the model's vocabulary is skipped: HONE_MODEL does not name a model file\n");
  } else if (auto codec = load_text_codec(path)) {
    out.push_back(vocabulary("model", Tokenizer(codec->tokenizer().data())));
  }
  return out;
}

std::vector<uint64_t> zero_bits(const VocabularyTrie& trie) {
  return std::vector<uint64_t>((trie.vocabulary() + 63) / 64);
}

std::vector<int32_t> tokens_of(const std::vector<uint64_t>& bits) {
  std::vector<int32_t> out;
  for (size_t w = 0; w < bits.size(); ++w) {
    for (uint64_t left = bits[w]; left != 0; left &= left - 1) {
      out.push_back(static_cast<int32_t>(w * 64) + __builtin_ctzll(left));
    }
  }
  return out;
}

// The plain way: each token by itself.
std::vector<uint64_t> plain_mask(const Matcher& matcher, const VocabularyTrie& trie) {
  std::vector<uint64_t> bits = zero_bits(trie);
  for (size_t t = 0; t < trie.vocabulary(); ++t) {
    const std::string_view bytes = trie.bytes_of(static_cast<int32_t>(t));
    if (bytes.empty()) continue;
    Matcher next = matcher;
    if (next.step(bytes)) bits[t / 64] |= uint64_t{1} << (t % 64);
  }
  return bits;
}

// ---- a validator of our own, for what the schemas below use -------------------------------------

const Json& deref(const Json& schema, const Json& root) {
  const Json* reference = schema.find("$ref");
  if (reference == nullptr) return schema;
  if (reference->as_string() == "#") return root;
  const std::string name = reference->as_string().substr(std::string("#/$defs/").size());
  return root.at("$defs").at(name);
}

bool valid(const Json& value, const Json& given, const Json& root);

bool valid_type(const Json& value, const Json& type) {
  if (type.is_array()) {
    for (const Json& one : type.as_array()) {
      if (valid_type(value, one)) return true;
    }
    return false;
  }
  if (type.as_string() == "integer") {
    return value.is_number() && value.as_double() == std::floor(value.as_double());
  }
  return value.kind_name() == type.as_string();
}

bool valid_object(const Json& value, const Json& schema, const Json& root) {
  const Json* properties = schema.find("properties");
  const Json* further = schema.find("additionalProperties");
  for (const auto& [name, member] : value.as_object()) {
    const Json* own = properties == nullptr ? nullptr : properties->find(name);
    if (own != nullptr ? !valid(member, *own, root)
                       : further != nullptr && !valid(member, *further, root)) {
      return false;
    }
  }
  if (const Json* required = schema.find("required")) {
    for (const Json& name : required->as_array()) {
      if (value.find(name.as_string()) == nullptr) return false;
    }
  }
  return true;
}

bool valid_array(const Json& value, const Json& schema, const Json& root) {
  const Json* prefix = schema.find("prefixItems");
  const Json* items = schema.find("items");
  for (size_t i = 0; i < value.size(); ++i) {
    const Json* own = prefix != nullptr && i < prefix->size() ? &prefix->as_array()[i] : items;
    if (own != nullptr && !valid(value.as_array()[i], *own, root)) return false;
  }
  const auto size = static_cast<int64_t>(value.size());
  return (!schema.find("minItems") || size >= schema.at("minItems").as_int()) &&
         (!schema.find("maxItems") || size <= schema.at("maxItems").as_int());
}

bool valid(const Json& value, const Json& given, const Json& root) {
  if (given.is_bool()) return given.as_bool();
  const Json& schema = deref(given, root);
  if (const Json* type = schema.find("type")) {
    if (!valid_type(value, *type)) return false;
  }
  if (const Json* list = schema.find("enum")) {
    bool found = false;
    for (const Json& entry : list->as_array()) found = found || entry == value;
    if (!found) return false;
  }
  if (schema.find("const") != nullptr && !(schema.at("const") == value)) return false;
  for (const char* name : {"anyOf", "oneOf", "allOf"}) {
    const Json* list = schema.find(name);
    if (list == nullptr) continue;
    size_t holds = 0;
    for (const Json& branch : list->as_array()) holds += valid(value, branch, root);
    const std::string_view kind = name;
    if (kind == "anyOf" ? holds == 0 : kind == "oneOf" ? holds != 1 : holds != list->size()) {
      return false;
    }
  }
  if (value.is_number()) {
    const double x = value.as_double();
    if (schema.find("minimum") && x < schema.at("minimum").as_double()) return false;
    if (schema.find("maximum") && x > schema.at("maximum").as_double()) return false;
    if (schema.find("exclusiveMinimum") && x <= schema.at("exclusiveMinimum").as_double())
      return false;
    if (schema.find("exclusiveMaximum") && x >= schema.at("exclusiveMaximum").as_double())
      return false;
  }
  if (value.is_string()) {
    const auto length = static_cast<int64_t>(jinja::length(value.as_string()));
    if (schema.find("minLength") && length < schema.at("minLength").as_int()) return false;
    if (schema.find("maxLength") && length > schema.at("maxLength").as_int()) return false;
  }
  if (value.is_object()) return valid_object(value, schema, root);
  return !value.is_array() || valid_array(value, schema, root);
}

const char* const kSchemas[] = {
    R"({"type":"object"})",
    R"({"type":"string","minLength":3,"maxLength":9})",
    R"({"type":"array","items":{"type":"integer","minimum":-12,"maximum":345},"minItems":2,"maxItems":5})",
    R"({"type":"number","minimum":-1.25,"exclusiveMaximum":2.5})",
    R"({"enum":["name","value","日本","a\"b",17,null,[1,{"k":"v"}]]})",
    R"({"type":["integer","string","null"]})",
    R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},"tags":{"type":"array","items":{"enum":["a","b","c"]},"maxItems":3},"ok":{"type":"boolean"}},"required":["name","age"],"additionalProperties":false})",
    R"({"type":"object","properties":{"a":{"type":"integer"},"aa":{"type":"null"}},"additionalProperties":{"type":"boolean"}})",
    R"({"oneOf":[{"type":"object","properties":{"kind":{"const":"circle"},"r":{"type":"number"}},"required":["kind","r"],"additionalProperties":false},{"type":"object","properties":{"kind":{"const":"box"},"w":{"type":"integer"},"h":{"type":"integer"}},"required":["kind","w","h"],"additionalProperties":false}]})",
    R"({"allOf":[{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]},{"properties":{"x":{"maximum":9},"y":{"type":"string","maxLength":2}},"required":["y"]}]})",
    R"({"type":"object","properties":{"v":{"type":"integer","maximum":99},"left":{"anyOf":[{"$ref":"#"},{"type":"null"}]},"right":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["v","left","right"]})",
    R"({"$defs":{"p":{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":{"type":"boolean"},"minItems":2,"maxItems":4}},"type":"array","items":{"$ref":"#/$defs/p"},"maxItems":2})",
    R"({})",
};

struct Walk {
  std::string text;
  bool finished = false;
  size_t tokens = 0;
};

// Random tokens under the mask. The longer it gets, the more the end is preferred: first an
// end-of-generation token, then a closing bracket or quote, so that the walk comes to its end.
Walk random_walk(TokenConstraint& constraint, const Vocabulary& v, Rng& rng, size_t patience) {
  Walk walk;
  std::vector<uint64_t> bits = zero_bits(*v.trie);
  for (; walk.tokens < patience + 20'000; ++walk.tokens) {
    std::fill(bits.begin(), bits.end(), 0);
    constraint.allowed(bits);
    std::vector<int32_t> tokens = tokens_of(bits);
    if (tokens.empty()) return walk;
    int32_t token = tokens[rng.below(tokens.size())];
    if (walk.tokens > patience) {
      for (const int32_t t : tokens) {
        const std::string_view bytes = v.trie->bytes_of(t);
        const bool closes = bytes == "\"" || bytes == "]" || bytes == "}" || bytes == "null" ||
                            v.trie->is_end_of_generation(t);
        if (closes && rng.below(3) > 0) {
          token = t;
          break;
        }
      }
    }
    constraint.accept(token);
    if (v.trie->is_end_of_generation(token) || constraint.finished()) {
      walk.text += v.trie->bytes_of(token);
      walk.finished = true;
      return walk;
    }
    walk.text += v.trie->bytes_of(token);
  }
  return walk;
}

TEST(TokenMasks, EveryRandomWalkEndsInJsonThatTheSchemaAccepts) {
  for (const Vocabulary& v : vocabularies()) {
    size_t walks = 0, tokens = 0, repeated_names = 0;
    for (const char* text : kSchemas) {
      const Json schema = Json::parse(text).value();
      const auto made = constraint_from_schema(schema, v.trie);
      ASSERT_TRUE(made) << text << ": " << made.error().message();
      const uint64_t seeds = v.name == "small" ? 60 : 12;
      for (uint64_t seed = 0; seed < seeds; ++seed) {
        Rng rng(seed, rng_stream("walk"));
        const auto constraint = (*made)->clone();
        const Walk walk = random_walk(*constraint, v, rng, 5 + seed * 4);
        ASSERT_TRUE(walk.finished) << text << " seed " << seed << ": " << constraint->why_none()
                                   << " after " << walk.text.substr(0, 2000);
        const auto value = Json::parse(walk.text);
        if (!value && value.error().message().find("twice") != std::string::npos) {
          ++repeated_names;  // free names may repeat (json_schema.h)
          continue;
        }
        ASSERT_TRUE(value) << text << ": " << walk.text << ": " << value.error().message();
        ASSERT_TRUE(valid(*value, schema, schema)) << text << ": " << walk.text;
        ++walks;
        tokens += walk.tokens;
      }
    }
    printf("%s vocabulary: %zu walks, %zu tokens, all valid; %zu more repeated a free name\n",
           v.name.c_str(), walks, tokens, repeated_names);
  }
}

TEST(TokenMasks, AreWhatThePlainWayFinds) {
  const Vocabulary v = small_vocabulary();
  size_t compared = 0;
  std::vector<Syntax> syntaxes = {
      parse_gbnf("root ::= \"(\" root \")\" | ([a-z] | \"é\")+ | \"12\" root").value(),
      parse_gbnf("root ::= word (\" \" word){0,3} end\nword ::= [a-zA-Z0-9\\\"{}]{1,60}\nend ::= "
                 "(\"}\" | \"\\\"}\" | \"]\")*")
          .value(),
      parse_gbnf("root ::= (one | two)*\none ::= \"a\" .{40}\ntwo ::= [^b]{40} \"aa\"").value()};
  for (const char* schema : kSchemas) {
    syntaxes.push_back(parse_json_schema(Json::parse(schema).value()).value());
  }
  for (const Syntax& syntax : syntaxes) {
    const auto grammar =
        Grammar::compile(syntax).value()->restricted(v.trie->single_bytes()).value();
    TokenMasks masks(grammar, v.trie);
    for (uint64_t seed = 0; seed < 6; ++seed) {
      Rng rng(seed, rng_stream("masks"));
      Matcher matcher(grammar);
      for (int step = 0; step < 40; ++step) {
        std::vector<uint64_t> bits = zero_bits(*v.trie);
        ASSERT_TRUE(masks.allowed(matcher, bits));
        ASSERT_EQ(bits, plain_mask(matcher, *v.trie));
        ++compared;
        const std::vector<int32_t> tokens = tokens_of(bits);
        if (tokens.empty()) break;
        ASSERT_TRUE(matcher.step(v.trie->bytes_of(tokens[rng.below(tokens.size())])));
      }
      EXPECT_TRUE(!matcher.dead());
    }
  }
  printf("compared %zu masks\n", compared);
}

TEST(Constraint, AnEndMayComeExactlyWhenTheTextIsWhole) {
  const Vocabulary v = small_vocabulary();
  const auto constraint = constraint_from_gbnf("root ::= \"a\" \"b\"?", v.trie).value();
  const int32_t end = v.trie->end_of_generation()[0];
  const int32_t a = v.tokenizer->find("a").value(), b = v.tokenizer->find("b").value();
  const auto allowed = [&](TokenConstraint& c) {
    std::vector<uint64_t> bits = zero_bits(*v.trie);
    c.allowed(bits);
    return tokens_of(bits);
  };
  EXPECT_EQ(allowed(*constraint), std::vector<int32_t>{a});
  constraint->accept(a);
  EXPECT_EQ(allowed(*constraint), (std::vector<int32_t>{b, end}));
  EXPECT_FALSE(constraint->finished());
  const auto other = constraint->clone();
  constraint->accept(b);
  EXPECT_TRUE(constraint->finished());
  EXPECT_EQ(allowed(*constraint), std::vector<int32_t>{end});
  EXPECT_EQ(allowed(*other), (std::vector<int32_t>{b, end}));
  other->accept(end);
  EXPECT_TRUE(other->finished());
  EXPECT_TRUE(allowed(*other).empty());
}

TEST(Constraint, ATokenThatWasNotAllowedEndsEverything) {
  const Vocabulary v = small_vocabulary();
  const auto constraint = constraint_from_gbnf("root ::= \"ab\"", v.trie).value();
  constraint->accept(v.tokenizer->find("b").value());
  std::vector<uint64_t> bits = zero_bits(*v.trie);
  constraint->allowed(bits);
  EXPECT_TRUE(tokens_of(bits).empty());
  EXPECT_FALSE(constraint->finished());
  EXPECT_EQ(constraint->why_none(), "a token was taken that the grammar does not have");
}

TEST(Constraint, WhatTheVocabularyCannotWriteIsRefusedOrLeftOut) {
  const Vocabulary v = small_vocabulary();
  const auto none = constraint_from_gbnf("root ::= \"\\x1D\"", v.trie);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message(),
            "grammar: the rule `root` matches no text that could be written to its end");
  EXPECT_TRUE(constraint_from_gbnf("root ::= \"a\" [\\x1D-\\x20]", v.trie));
}

TEST(Constraint, SpecialTokensComeOnlyWhereTheGrammarNamesThem) {
  const Vocabulary v = small_vocabulary();
  Syntax syntax;
  syntax.root = syntax.add("root", sequence({special_token("<|im_start|>"),
                                             repeat(characters(complement({})), 0, kNoLimit)}));
  const auto constraint = make_constraint(Grammar::compile(syntax).value(), v.trie).value();
  std::vector<uint64_t> bits = zero_bits(*v.trie);
  constraint->allowed(bits);
  const int32_t start = v.tokenizer->find("<|im_start|>").value();
  EXPECT_EQ(tokens_of(bits), std::vector<int32_t>{start});
  constraint->accept(start);
  std::fill(bits.begin(), bits.end(), 0);
  constraint->allowed(bits);
  EXPECT_GT(tokens_of(bits).size(), 200u);
  EXPECT_EQ(bits[static_cast<size_t>(start) / 64] >> (start % 64) & 1, 0u);
}

TEST(TokenMasks, StringsOfASchemaShareTheirMasks) {
  const Vocabulary v = small_vocabulary();
  std::string schema = R"({"type":"object","properties":{)";
  for (int i = 0; i < 50; ++i) {
    schema += (i > 0 ? "," : "") + ("\"p" + std::to_string(i)) + R"(":{"type":"string"})";
  }
  const Json required = Json::parse(schema + "}}").value();
  const auto syntax = parse_json_schema(required).value();
  const auto grammar = Grammar::compile(syntax).value()->restricted(v.trie->single_bytes()).value();
  TokenMasks masks(grammar, v.trie);
  Matcher matcher(grammar);
  uint64_t first = 0;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(matcher.step((i == 0 ? "{\"p" : ",\"p") + std::to_string(i) + "\":\"x"));
    std::vector<uint64_t> bits = zero_bits(*v.trie);
    masks.allowed(matcher, bits);
    if (i == 0) first = masks.counts().masks_made;
    ASSERT_TRUE(matcher.step('"'));
  }
  EXPECT_EQ(masks.counts().masks_made, first);
  EXPECT_EQ(masks.counts().masks_found, 49u);
}

TEST(TokenMasks, SayHowLongTheyTake) {
  for (const Vocabulary& v : vocabularies()) {
    for (const char* text : {kSchemas[0], kSchemas[1], kSchemas[6], kSchemas[10]}) {
      const auto made = constraint_from_schema(Json::parse(text).value(), v.trie).value();
      double total = 0, worst = 0;
      size_t steps = 0, slow = 0;
      for (uint64_t seed = 0; seed < 10; ++seed) {
        Rng rng(seed, rng_stream("time"));
        const auto constraint = made->clone();
        std::vector<uint64_t> bits = zero_bits(*v.trie);
        for (int i = 0; i < 100; ++i) {
          std::fill(bits.begin(), bits.end(), 0);
          const auto begin = std::chrono::steady_clock::now();
          constraint->allowed(bits);
          const auto middle = std::chrono::steady_clock::now();
          const std::vector<int32_t> tokens = tokens_of(bits);
          if (tokens.empty()) break;
          const int32_t token = tokens[rng.below(tokens.size())];
          const auto after = std::chrono::steady_clock::now();
          constraint->accept(token);
          const auto end = std::chrono::steady_clock::now();
          const double us =
              std::chrono::duration<double, std::micro>(middle - begin + (end - after)).count();
          total += us;
          if (us > 1000) ++slow;
          worst = std::max(worst, us);
          ++steps;
          if (constraint->finished()) break;
        }
      }
      printf(
          "%s vocabulary of %zu: %zu steps, mean %.0f us, %zu above 1 ms, worst %.0f us  %.60s\n",
          v.name.c_str(), v.trie->vocabulary(), steps, total / static_cast<double>(steps), slow,
          worst, text);
    }
    printf("%s trie: %zu nodes, %zu bytes\n", v.name.c_str(), v.trie->nodes().size(),
           v.trie->bytes());
  }
}

}  // namespace
}  // namespace hone::llm::grammar
