#include "base/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "base/rng.h"

namespace hone {
namespace {

std::string refusal(std::string_view text, const JsonLimits& limits = {}) {
  Result<Json> result = Json::parse(text, limits);
  return result ? "accepted" : result.error().message();
}

TEST(Json, KeepsTheOrderOfMembersAndTheBitsOfNumbers) {
  std::string text = R"({"b":[1,-2,18446744073709551615,0.1,1e-7],"a":{"x":null,"y":true}})";
  EXPECT_EQ(Json::parse(text).value().dump(), text);
}

TEST(Json, ReadsIntegersExactlyAndLargerOnesAsTheNearestDouble) {
  EXPECT_EQ(Json::parse("-9223372036854775808").value().as_int(), INT64_MIN);
  EXPECT_EQ(Json::parse("9223372036854775807").value().as_int(), INT64_MAX);
  EXPECT_THROW(Json::parse("9223372036854775808").value().as_int(), Error);
  Json large = Json::parse("1000000000000000019884624838656").value();
  EXPECT_EQ(large.as_double(), 1e30);
  EXPECT_EQ(large.dump(), "1e+30");
  EXPECT_EQ(Json::parse("2.0").value().as_int(), 2);
  EXPECT_THROW(Json::parse("2.5").value().as_int(), Error);
}

TEST(Json, ReadsDoublesCorrectlyRounded) {
  EXPECT_EQ(Json::parse("0.1").value().as_double(), 0.1);
  EXPECT_EQ(Json::parse("2.2250738585072011e-308").value().as_double(), 2.2250738585072011e-308);
  EXPECT_EQ(Json::parse("4.9e-324").value().as_double(), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(Json::parse("1.7976931348623157e308").value().as_double(),
            std::numeric_limits<double>::max());
  EXPECT_EQ(Json::parse("9007199254740993.0").value().as_double(), 9007199254740992.0);
  EXPECT_EQ(Json::parse("1e-999").value().as_double(), 0.0);
  EXPECT_TRUE(std::signbit(Json::parse("-0").value().as_double()));
}

TEST(Json, RefusesNumbersBeyondTheRangeOfADouble) {
  EXPECT_NE(refusal("[1e400]").find("beyond the range"), std::string::npos);
  EXPECT_NE(refusal("1" + std::string(400, '0')).find("beyond the range"), std::string::npos);
}

TEST(Json, SaysAtWhichByteTheTextIsWrong) {
  EXPECT_NE(refusal("[1, x]").find("at byte 4"), std::string::npos) << refusal("[1, x]");
  EXPECT_NE(refusal("[1] 2").find("at byte 4"), std::string::npos) << refusal("[1] 2");
  EXPECT_NE(refusal("[1, 2").find("ends too early"), std::string::npos) << refusal("[1, 2");
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const char* text :
       {"", " ", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "01", "+1", ".5", "1.", "NaN", "Infinity",
        "// c\n1", "\"\t\"", "\"\\x\"", "\"\\ud800\"", "[1]]", "tru"}) {
    EXPECT_FALSE(Json::parse(text).has_value()) << text;
  }
}

TEST(Json, RefusesInvalidUtf8) {
  for (const char* text :
       {"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\""}) {
    EXPECT_FALSE(Json::parse(text).has_value());
  }
  EXPECT_EQ(Json::parse("\"\\ud83d\\ude00\"").value().as_string(), "\xF0\x9F\x98\x80");
}

TEST(Json, RefusesARepeatedKeyInSmallAndLargeObjects) {
  EXPECT_NE(refusal(R"({"a":1,"b":2,"a":3})").find("\"a\" stands twice"), std::string::npos);
  std::string large = "{";
  for (int i = 0; i < 100; ++i) large += "\"k" + std::to_string(i) + "\":0,";
  EXPECT_TRUE(Json::parse(large + "\"z\":0}").has_value());
  EXPECT_NE(refusal(large + "\"k7\":0}").find("\"k7\" stands twice"), std::string::npos);
}

TEST(Json, HoldsToItsBoundsOfDepthAndSize) {
  auto nested = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_TRUE(Json::parse(nested(200)).has_value());
  EXPECT_NE(refusal(nested(201)).find("deeper than 200"), std::string::npos)
      << refusal(nested(201));
  JsonLimits limits;
  limits.max_bytes = 4;
  EXPECT_TRUE(Json::parse("1234", limits).has_value());
  EXPECT_EQ(Json::parse("12345", limits).error().code(), ErrorCode::kTooLarge);
}

TEST(Json, SaysWhatItExpectedAndWhatItFound) {
  try {
    Json(1.5).as_string();
    FAIL() << "a number was taken for a string";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "expected a string, found a number");
  }
  EXPECT_THROW(Json::object().at("missing"), Error);
  EXPECT_EQ(Json(3).find("a"), nullptr);
}

TEST(Json, BuildsValuesByKeyAndByElement) {
  Json value;
  value["list"].push_back(1);
  value["list"].push_back("two");
  value["empty"] = Json::object();
  EXPECT_EQ(value.dump(), R"({"list":[1,"two"],"empty":{}})");
  EXPECT_EQ(value.dump_pretty(), "{\n  \"list\": [\n    1,\n    \"two\"\n  ],\n  \"empty\": {}\n}");
  EXPECT_EQ(Json::parse(value.dump_pretty()).value(), value);
}

TEST(Json, EqualNumbersCompareEqualWhateverTheirSign) {
  EXPECT_EQ(Json(7), Json(uint64_t{7}));
  EXPECT_EQ(Json::parse("7").value(), Json(7u));
}

TEST(Json, EscapesWhatMustBeEscapedAndNothingElse) {
  std::string out;
  append_json_string(out, std::string_view("a\"\\\b\f\n\r\t\0\x1f\x7f\xC3\xA4/", 14));
  EXPECT_EQ(out, "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\xC3\xA4/\"");
}

// RFC 8785, appendix B.
TEST(Json, PrintsNumbersAsEcmascriptDoes) {
  struct Sample {
    uint64_t bits;
    const char* text;
  };
  for (Sample sample : {Sample{0x0000000000000001, "5e-324"},
                        {0x8000000000000001, "-5e-324"},
                        {0x7fefffffffffffff, "1.7976931348623157e+308"},
                        {0x4340000000000000, "9007199254740992"},
                        {0x4430000000000000, "295147905179352830000"},
                        {0x44b52d02c7e14af5, "9.999999999999997e+22"},
                        {0x44b52d02c7e14af6, "1e+23"},
                        {0x444b1ae4d6e2ef4e, "999999999999999700000"},
                        {0x444b1ae4d6e2ef50, "1e+21"},
                        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
                        {0x3eb0c6f7a0b5ed8d, "0.000001"},
                        {0x41b3de4355555553, "333333333.3333332"},
                        {0xbecbf647612f3696, "-0.0000033333333333333333"}}) {
    EXPECT_EQ(number_to_string(std::bit_cast<double>(sample.bits)), sample.text);
  }
  EXPECT_EQ(number_to_string(0.1f), "0.1");
  EXPECT_EQ(number_to_string(16777216.0f), "16777216");
  EXPECT_EQ(number_to_string(-0.0), "-0");
}

TEST(Json, EveryFloatReadsBackToItsBits) {
  Rng rng(1, rng_stream("json-test"));
  for (int i = 0; i < 20000; ++i) {
    auto value = std::bit_cast<double>(rng.next_u64());
    if (!std::isfinite(value)) continue;
    EXPECT_EQ(Json::parse(number_to_string(value)).value().as_double(), value);
    auto narrow = std::bit_cast<float>(static_cast<uint32_t>(rng.next_u64()));
    if (!std::isfinite(narrow)) continue;
    EXPECT_EQ(static_cast<float>(Json::parse(number_to_string(narrow)).value().as_double()),
              narrow);
  }
}

TEST(Json, RefusesToWriteNanAndInfinity) {
  EXPECT_THROW(Json(std::nan("")).dump(), Error);
  EXPECT_THROW(Json(std::numeric_limits<float>::infinity()).dump(), Error);
}

// RFC 8785, section 3.2.3.
TEST(Json, CanonicalFormSortsByUtf16CodeUnits) {
  Json value = Json::parse(R"({"\u20ac":"Euro Sign","\r":"Carriage Return",
    "\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face",
    "\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"})")
                   .value();
  EXPECT_EQ(value.dump_canonical(),
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\","
            "\"\xC3\xB6\":\"Latin Small Letter O With Diaeresis\",\"\xE2\x82\xAC\":\"Euro Sign\","
            "\"\xF0\x9F\x98\x80\":\"Emoji: Grinning Face\","
            "\"\xEF\xAC\xB3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

TEST(Json, CanonicalFormWritesNumbersThatEveryReaderReadsAlike) {
  EXPECT_EQ(Json(-0.0).dump_canonical(), "0");
  EXPECT_EQ(Json(int64_t{1} << 53).dump_canonical(), "9007199254740992");
  EXPECT_THROW(Json((int64_t{1} << 53) + 1).dump_canonical(), Error);
  EXPECT_THROW(Json(-(int64_t{1} << 53) - 1).dump_canonical(), Error);
  // What a double prints is read back as an integer: it must stay writable, and no other number.
  for (const double value : {1e19, 0x1p63, -0x1p62, 0x1p53 + 2, 1e17, 1.8446744073709e19}) {
    const std::string written = Json(value).dump_canonical();
    EXPECT_EQ(Json::parse(written)->dump_canonical(), written);
  }
  EXPECT_THROW(Json(uint64_t{1} << 63).dump_canonical(), Error);  // a double prints ...6000
}

// With work that grows by the square of the members this would not end today.
TEST(Json, ReadsAVocabularyOfMegabytes) {
  std::string text = "{";
  for (int i = 0; i < 400000; ++i) {
    text += (i ? ",\"token" : "\"token") + std::to_string(i) + "\": " + std::to_string(i);
  }
  text += "}";
  Json vocabulary = Json::parse(text).value();
  EXPECT_EQ(vocabulary.size(), 400000u);
}

}  // namespace
}  // namespace hone
