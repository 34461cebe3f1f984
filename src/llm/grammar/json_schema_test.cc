#include "llm/grammar/json_schema.h"

#include <gtest/gtest.h>

#include "llm/grammar/grammar.h"
#include "llm/grammar/matcher.h"

namespace hone::llm::grammar {
namespace {

std::string error_of(const std::string& schema) {
  const auto syntax = parse_json_schema(Json::parse(schema).value());
  if (!syntax) return syntax.error().message();
  const auto grammar = Grammar::compile(*syntax);
  return grammar ? "accepted" : grammar.error().message();
}

std::shared_ptr<const Grammar> compiled(const std::string& schema) {
  return Grammar::compile(parse_json_schema(Json::parse(schema).value()).value()).value();
}

void expect_texts(const std::string& schema, const std::vector<std::string>& accepted,
                  const std::vector<std::string>& refused) {
  const auto g = compiled(schema);
  for (const std::string& text : accepted) {
    EXPECT_TRUE(matches(g, text)) << schema << ": " << text;
    EXPECT_TRUE(Json::parse(text)) << text;
  }
  for (const std::string& text : refused) EXPECT_FALSE(matches(g, text)) << schema << ": " << text;
}

TEST(JsonSchema, TypesAreKept) {
  expect_texts(R"({"type":"string"})", {R"("")", R"("aé😀\n\u00e9\ud83d\ude00\/")"},
               {"a", R"("\ud83d")", R"("\ude00")", "\"\n\"", R"("\x")", "\"\xFF\"", "1", " \"\""});
  expect_texts(R"({"type":"integer"})", {"0", "-7", "123456789012345678"},
               {"01", "1.0", "+1", "1e3", "", "-", "1234567890123456789"});
  expect_texts(R"({"type":"number"})", {"0", "-1.50", "2e10", "1.5E-7"}, {".5", "1.", "1e", "NaN"});
  expect_texts(R"({"type":"boolean"})", {"true", "false"}, {"True", "null"});
  expect_texts(R"({"type":"null"})", {"null"}, {"nul", "nulls"});
  expect_texts(R"({"type":["integer","null"]})", {"3", "null"}, {"\"3\"", "true"});
  expect_texts(R"({"type":"object"})", {"{}", R"({"a":{"b":[1,null]}})", "{\n  \"a\": 1\n}"},
               {"[]", R"({"a"})", R"({"a":1,})", "{  }"});
  expect_texts(R"({"type":"array"})", {"[]", R"([1,"a",{}])"}, {"{}", "[1,]", "[,]"});
  expect_texts("{}", {"1", "null", R"({"a":[]})", R"("x")"}, {"", "x"});
  expect_texts("true", {"1", "[]"}, {"x"});
}

TEST(JsonSchema, ObjectsHaveTheirPropertiesInOrder) {
  const std::string schema =
      R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"boolean"},)"
      R"("c":{"type":"null"}},"required":["b"]})";
  expect_texts(schema,
               {R"({"b":true})", R"({"a":1,"b":false})", R"({"a": 1, "b": true, "c": null})",
                "{\n  \"b\": true,\n  \"c\": null\n}", R"({ "b":true })"},
               {"{}", R"({"a":1})", R"({"b":true,"a":1})", R"({"b":true,"d":1})", R"({"b":1})",
                R"({"b":true,})", R"({"b":true,"b":true})", R"({"b":  true})", R"({"b":true} )"});
  // Names are written as Json::dump does.
  expect_texts(R"({"properties":{"q\"é\n":{"type":"null"}}})", {R"({"q\"é\n":null})", "{}"},
               {R"({"q\u0022é\n":null})"});
}

TEST(JsonSchema, FurtherPropertiesNeedToBeAllowed) {
  const std::string open =
      R"({"properties":{"a":{"type":"integer"},"ab":{"type":"integer"}},"required":["a"],)"
      R"("additionalProperties":{"type":"string"}})";
  expect_texts(open,
               {R"({"a":1})", R"({"a":1,"b":"x"})", R"({"a":1,"ab":2,"abc":"x","":"y"})",
                R"({"a":1,"é":"x"})", R"({"a":1,"\"":"x"})"},
               {R"({"a":1,"b":2})", R"({"a":1,"a":"x"})", R"({"a":1,"ab":"x"})", R"({"b":"x"})",
                R"({"a":1,"\u0061":"x"})", R"({"a":1,"\u0061b":"x"})"});
  expect_texts(R"({"type":"object","additionalProperties":{"type":"integer"}})",
               {"{}", R"({"x":1,"y":2})"}, {R"({"x":"1"})"});
  expect_texts(R"({"type":"object","additionalProperties":false})", {"{}", "{ }"}, {R"({"a":1})"});
  expect_texts(R"({"properties":{"no":false,"a":true},"additionalProperties":true})",
               {R"({"a":1})", R"({"b":1})"}, {R"({"no":1})"});
  expect_texts(R"({"type":"object","required":["k"]})", {R"({"k":[],"z":1})"},
               {"{}", R"({"z":1})"});
}

TEST(JsonSchema, ArraysHaveTheirItemsAndCounts) {
  expect_texts(R"({"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3})",
               {"[1]", "[1,2,3]", "[1, 2]"}, {"[]", "[1,2,3,4]", "[true]"});
  expect_texts(R"({"type":"array","items":{"type":"integer"},"maxItems":0})", {"[]"}, {"[1]"});
  expect_texts(R"({"items":{"type":"null"},"minItems":2})", {"[null,null]", "[null,null,null]"},
               {"[null]"});
  const std::string pair = R"({"prefixItems":[{"type":"integer"},{"type":"string"}])";
  expect_texts(pair + "}", {"[]", "[1]", R"([1,"a"])"}, {R"(["a"])", R"([1,"a",2])"});
  expect_texts(pair + R"(,"minItems":2})", {R"([1,"a"])"}, {"[1]"});
  expect_texts(pair + R"(,"items":{"type":"null"},"minItems":3})", {R"([1,"a",null])"},
               {R"([1,"a"])", R"([1,"a",1])"});
  expect_texts(pair + R"(,"items":false,"maxItems":1})", {"[]", "[1]"}, {R"([1,"a"])"});
  expect_texts(pair + R"(,"minItems":3})", {R"([1,"a",{}])"}, {R"([1,"a"])"});
}

TEST(JsonSchema, EnumAndConstAreExact) {
  expect_texts(R"({"enum":["a","b\"",1,null,{"x":[1]}]})",
               {R"("a")", R"("b\"")", "1", "null", R"({"x":[1]})"}, {"\"c\"", "1.0", "2"});
  expect_texts(R"({"const":"x"})", {R"("x")"}, {R"("y")"});
  expect_texts(R"({"type":"integer","enum":[1,"1",2.5,7],"maximum":6})", {"1"}, {"\"1\"", "7"});
  EXPECT_EQ(error_of(R"({"type":"string","enum":[1]})"),
            "the JSON schema at $: no value of its `enum` fits its other keywords");
}

TEST(JsonSchema, IntegersKeepTheirLimitsExactly) {
  const std::pair<int, int> ranges[] = {{0, 0},     {1, 9},    {-5, 5},    {10, 99},   {7, 123},
                                        {-120, -7}, {99, 101}, {-1000, 2}, {18, 1000}, {-1, -1}};
  for (const auto& [low, high] : ranges) {
    const auto g = compiled(R"({"type":"integer","minimum":)" + std::to_string(low) +
                            R"(,"maximum":)" + std::to_string(high) + "}");
    for (int i = -1300; i <= 1300; ++i) {
      ASSERT_EQ(matches(g, std::to_string(i)), i >= low && i <= high)
          << low << " " << high << " " << i;
    }
    EXPECT_FALSE(matches(g, "-0"));
  }
  expect_texts(R"({"type":"integer","exclusiveMinimum":2,"exclusiveMaximum":4.5})", {"3", "4"},
               {"2", "5"});
  expect_texts(R"({"type":"integer","minimum":2.5})", {"3", "999999999999999999"}, {"2", "-3"});
  expect_texts(R"({"type":"integer","maximum":-2.5})", {"-3"}, {"-2", "0"});
  expect_texts(R"({"type":"integer","minimum":9223372036854775806})",
               {"9223372036854775806", "9223372036854775807"}, {"9223372036854775808", "7"});
  EXPECT_EQ(error_of(R"({"type":"integer","minimum":3,"maximum":2})"),
            "the JSON schema at $: no number that can be written lies within its limits");
  EXPECT_EQ(error_of(R"({"type":"integer","minimum":1e30})"),
            "the JSON schema at $: no number that can be written lies within its limits");
}

TEST(JsonSchema, NumbersKeepTheirLimits) {
  const struct {
    const char* keywords;
    double low, high;
    bool open_low, open_high;
  } cases[] = {{R"("minimum":0,"maximum":1)", 0, 1, false, false},
               {R"("minimum":0.25,"maximum":0.5)", 0.25, 0.5, false, false},
               {R"("exclusiveMinimum":0,"exclusiveMaximum":1)", 0, 1, true, true},
               {R"("minimum":-1.5,"maximum":12.25)", -1.5, 12.25, false, false},
               {R"("exclusiveMinimum":-2.5,"maximum":-0.05)", -2.5, -0.05, true, false},
               {R"("minimum":3.1)", 3.1, 1e18, false, true},
               {R"("exclusiveMaximum":-0.5)", -1e18, -0.5, true, true},
               {R"("minimum":1e-3,"maximum":0.0015)", 0.001, 0.0015, false, false}};
  for (const auto& c : cases) {
    const auto g = compiled(std::string(R"({"type":"number",)") + c.keywords + "}");
    size_t inside = 0;
    for (int i = -4000; i <= 15000; ++i) {
      for (const int scale : {1, 10, 100, 1000, 10000}) {
        const double value = static_cast<double>(i) / scale;
        const std::string text = number_to_string(value);
        if (text.find('e') != std::string::npos || text == "-0") continue;
        const bool expected = (c.open_low ? value > c.low : value >= c.low) &&
                              (c.open_high ? value < c.high : value <= c.high);
        ASSERT_EQ(matches(g, text), expected) << c.keywords << " " << text;
        inside += expected;
      }
    }
    EXPECT_GT(inside, 0u) << c.keywords;
    EXPECT_FALSE(matches(g, "1e0"));
  }
}

TEST(JsonSchema, StringsKeepLengthsPatternsAndFormats) {
  expect_texts(R"({"type":"string","minLength":2,"maxLength":3})",
               {R"("ab")", R"("é😀")", R"("a\n\u0041")", R"("\ud83d\ude00x")"},
               {R"("a")", R"("abcd")", R"("\ud83d\ude00")"});
  expect_texts(R"({"pattern":"^[a-c]+-\\d{2,3}$"})", {R"("a-12")", R"("abc-123")"},
               {R"("-12")", R"("a-1")", R"("a-1234")", R"("xa-12")"});
  expect_texts(R"({"pattern":"b|^c$"})", {R"("b")", R"("abc")", R"("c")", R"("\"b")"},
               {R"("a")", R"("ca")", R"("")"});
  expect_texts(R"({"pattern":"^[^a]\"\\\\.$"})", {R"("x\"\\y")", R"("\"\"\\\t")"},
               {R"("a\"\\y")", R"("x\"\\\n")"});
  expect_texts(R"({"pattern":"^(?:a|b){2}?(?<n>c*)\\u00e9\\x41$"})", {R"("abéA")", R"("bbccéA")"},
               {R"("aéA")"});
  expect_texts(R"({"format":"date"})", {R"("2024-02-29")", R"("2000-02-29")", R"("1999-12-31")"},
               {R"("2023-02-29")", R"("1900-02-29")", R"("2024-13-01")", R"("2024-04-31")",
                R"("2024-1-1")"});
  expect_texts(R"({"format":"time"})", {R"("23:59:59Z")", R"("00:00:00.123+01:30")"},
               {R"("24:00:00Z")", R"("12:00:00")"});
  expect_texts(R"({"format":"date-time"})", {R"("2024-02-29T12:00:00Z")"},
               {R"("2023-02-29T12:00:00Z")", R"("2024-02-29 12:00:00Z")"});
  expect_texts(R"({"format":"uuid"})", {R"("123e4567-e89b-12d3-a456-426614174000")"},
               {R"("123e4567e89b12d3a456426614174000")"});
  expect_texts(R"({"format":"ipv4"})", {R"("0.0.0.0")", R"("255.10.99.1")"},
               {R"("256.1.1.1")", R"("1.1.1")", R"("01.1.1.1")"});
}

TEST(JsonSchema, AnyOfOneOfAndAllOf) {
  expect_texts(R"({"anyOf":[{"type":"integer"},{"type":"string","maxLength":1}]})", {"1", R"("a")"},
               {R"("ab")", "null"});
  expect_texts(R"({"type":"object","properties":{"k":{"type":"integer"}},"required":["k"],)"
               R"("anyOf":[{"properties":{"a":{"type":"null"}},"required":["a"]},)"
               R"({"properties":{"k":{"maximum":5}}}]})",
               {R"({"k":9,"a":null})", R"({"k":5})"}, {R"({"k":6})", R"({"a":null})"});
  expect_texts(R"({"oneOf":[{"type":"integer"},{"type":"string"}]})", {"1", R"("a")"}, {"null"});
  const std::string shapes =
      R"({"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"x":{"type":"integer"}},)"
      R"("required":["kind","x"]},{"type":"object","properties":{"kind":{"const":"b"}},)"
      R"("required":["kind"]}]})";
  expect_texts(shapes, {R"({"kind":"a","x":1})", R"({"kind":"b"})"},
               {R"({"kind":"a"})", R"({"kind":"b","x":1})"});
  EXPECT_EQ(error_of(R"({"oneOf":[{"type":"integer"},{"type":"number"}]})"),
            "the JSON schema at $.oneOf[1]: branches 0 and 1 of `oneOf` could both hold; tell them "
            "apart by type, by enum, or by a required property with different constants, or use "
            "anyOf");
  expect_texts(R"({"allOf":[{"properties":{"a":{"type":"integer"}},"required":["a"]},)"
               R"({"properties":{"a":{"minimum":3},"b":{"type":"null"}}}]})",
               {R"({"a":3})", R"({"a":4,"b":null})"}, {R"({"a":2})", "{}"});
  expect_texts(R"({"allOf":[{"enum":[1,2,3]},{"enum":[2,3,4]},{"maximum":2}]})", {"2"}, {"1", "3"});
  EXPECT_EQ(error_of(R"({"allOf":[{"type":"integer"},{"type":"string"}]})"),
            "the JSON schema at $: its parts have no type in common");
  EXPECT_EQ(error_of(R"({"allOf":[{"pattern":"a"},{"pattern":"b"}]})"),
            "the JSON schema at $: two different `pattern` that must both hold are not supported");
  EXPECT_EQ(error_of(R"({"allOf":[{"properties":{"a":true},"additionalProperties":false},)"
                     R"({"required":["b"],"properties":{"b":true}}]})"),
            "the JSON schema at $: `b` is required by one part and forbidden by another");
}

TEST(JsonSchema, ReferencesAlsoToThemselves) {
  expect_texts(R"({"$defs":{"n":{"type":"integer"}},"type":"array","items":{"$ref":"#/$defs/n"}})",
               {"[]", "[1,2]"}, {R"(["a"])"});
  const std::string tree =
      R"({"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#"},)"
      R"({"type":"null"}]}},"required":["v","next"]})";
  expect_texts(tree, {R"({"v":1,"next":{"v":2,"next":null}})"}, {R"({"v":1,"next":{}})"});
  expect_texts(R"({"$defs":{"a/b~c":{"type":"null"}},"$ref":"#/$defs/a~1b~0c"})", {"null"}, {"1"});
  expect_texts(R"({"definitions":{"n":{"type":"integer"}},"$ref":"#/definitions/n","minimum":3})",
               {"3"}, {"2"});
  EXPECT_EQ(
      error_of(R"({"$ref":"#"})"),
      "grammar: the rule `$` can begin with itself (left recursion); write it as a repetition");
  EXPECT_EQ(error_of(R"({"$ref":"#/$defs/x"})"),
            "the JSON schema at $: the reference #/$defs/x leads nowhere");
  EXPECT_EQ(
      error_of(R"({"$ref":"other.json"})"),
      "the JSON schema at $: the reference other.json leads outside; only #/... is supported, "
      "with everything in $defs");
  EXPECT_NE(error_of(R"({"allOf":[{"$ref":"#"}]})").find("references or allOf lead in a circle"),
            std::string::npos);
}

TEST(JsonSchema, WhatIsNotSupportedIsRefusedWithItsPlace) {
  const auto refused = [](const std::string& schema, const std::string& where,
                          const std::string& what) {
    EXPECT_EQ(error_of(schema), "the JSON schema at " + where + ": " + what);
  };
  refused(R"({"properties":{"x":{"not":{}}}})", "$.properties.x", "`not` is not supported");
  refused(R"({"type":"object","patternProperties":{}})", "$",
          "`patternProperties` is not supported");
  refused(R"({"if":{},"then":{}})", "$", "`if` is not supported");
  refused(R"({"items":{"uniqueItems":true}})", "$.items", "`uniqueItems` is not supported");
  refused(R"({"type":"integer","multipleOf":3})", "$", "`multipleOf` is not supported");
  refused(R"({"properties":{"a":{"type":"text"}}})", "$.properties.a.type",
          "it must be one of object, array, string, number, integer, boolean, null, or a list of "
          "them");
  refused(R"({"format":"email"})", "$.format",
          "\"email\" is not supported (date, time, date-time, uuid and ipv4 are); leave it out or "
          "write a pattern");
  refused(R"({"minLength":"3"})", "$.minLength",
          "it must be an integer of at least 0, found string");
  refused(R"#({"pattern":"(?=a)"})#", "$.pattern",
          "pattern, character 3: look-ahead is not supported");
  refused(R"({"pattern":"(a)\\1"})", "$.pattern",
          "pattern, character 6: references to groups are not supported");
  refused(
      R"({"pattern":"a","minLength":1})", "$",
      "only one of `pattern`, `format` and the lengths is supported on a string; put the length "
      "into the pattern");
  refused(R"({"enum":[{}],"properties":{}})", "$",
          "`enum` or `const` beside such keywords is not supported");
  refused(R"({"properties":{"a":{}},"required":["b"],"additionalProperties":false})", "$.required",
          "`b` is required, but not among the `properties`");
  refused("false", "$", "`false` accepts nothing");
  refused("3", "$", "a schema is an object, true or false");
  refused(R"({"anyOf":[]})", "$.anyOf", "an empty list accepts nothing");
}

TEST(JsonSchema, WhatOnlyDescribesIsPassedOver) {
  expect_texts(R"({"$schema":"x","$id":"y","title":"t","description":"d","default":3,)"
               R"("examples":[1],"type":"null"})",
               {"null"}, {"3"});
}

TEST(JsonSchema, LargeAndTangledSchemasEndInTime) {
  std::string words = R"({"enum":["w0")";
  for (int i = 1; i < 10'000; ++i) words += ",\"w" + std::to_string(i) + "\"";
  EXPECT_TRUE(matches(compiled(words + "]}"), "\"w9999\""));

  std::string wide = R"({"type":"object","properties":{)";
  for (int i = 0; i < 1000; ++i) {
    wide += (i > 0 ? "," : "") + ("\"p" + std::to_string(i)) + R"(":{"type":"integer"})";
  }
  const auto g = compiled(wide + "}}");
  EXPECT_TRUE(matches(g, R"({"p3":1,"p999":2})"));
  EXPECT_FALSE(matches(g, R"({"p999":1,"p3":2})"));

  std::string deep, end;
  for (int i = 0; i < 60; ++i) {
    deep += R"({"properties":{"a":)";
    end += "}}";
  }
  EXPECT_EQ(error_of(deep + "true" + end), "accepted");

  // Alternatives multiplied out: 2^30.
  std::string product = R"({"allOf":[)";
  for (int i = 0; i < 30; ++i) {
    product += (i > 0 ? "," : "") + std::string(R"({"anyOf":[{"minimum":1},{"maximum":5}]})");
  }
  EXPECT_EQ(error_of(product + "]}"), "accepted");
  std::string nested = R"({"type":"integer"})";
  for (int i = 0; i < 30; ++i) {
    nested = R"({"minimum":)" + std::to_string(i) + R"(,"anyOf":[)" + nested + "," + nested + "]}";
    if (nested.size() > 200'000) break;
  }
  const std::string answer = error_of(nested);
  EXPECT_TRUE(answer == "accepted" || answer.find("use a smaller one") != std::string::npos)
      << answer;

  EXPECT_EQ(error_of(R"({"pattern":"^(((a{1,9999}){1,9999}){1,9999}){1,9999}$"})"), "accepted");
  EXPECT_EQ(error_of(R"({"pattern":"^(a?){9999}$"})").substr(0, 26), "grammar: the rule `$` repe");
  EXPECT_EQ(error_of(R"({"pattern":"^(a*)*(a|a)*(a|aa)*$"})"), "accepted");
  EXPECT_EQ(error_of(R"({"pattern":")" + std::string(20'000, '.') + "\"}"),
            "the JSON schema at $.pattern: pattern: it is longer than 16 KiB");
  EXPECT_EQ(error_of(R"({"pattern":")" + std::string(10'000, '(') + "\"}"),
            "the JSON schema at $.pattern: pattern, character 102: groups are nested more than 100 "
            "deep");
}

TEST(JsonObject, IsAnyObjectAndNothingElse) {
  const auto g = Grammar::compile(json_object_syntax()).value();
  EXPECT_TRUE(matches(g, R"({"a":[1,{"b":null}],"c":"x"})"));
  EXPECT_FALSE(matches(g, "[]"));
  EXPECT_FALSE(matches(g, "{} "));
  EXPECT_FALSE(matches(g, ""));
}

}  // namespace
}  // namespace hone::llm::grammar
