#include "reward/reward.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/cpu_limits.h"
#include "base/env.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "reward/arithmetic.h"
#include "reward/builtin.h"
#include "reward/match.h"

namespace hone::reward {
namespace {

// What the reward says of one answer to a row with these columns.
std::optional<double> value(const std::string& spec, const std::string& answer,
                            const Json& row = Json::object(), size_t tokens = 3,
                            bool ended = true) {
  const std::vector<int32_t> ids(tokens, 1);
  const Sample sample{"prompt", answer, {}, ids, ended, &row, "p.jsonl:4"};
  return make_reward(real_env(), spec)->score({&sample, 1}).at(0);
}

Json row(Json answer) {
  Json json = Json::object();
  json["answer"] = std::move(answer);
  return json;
}

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

void expect_refused(const std::string& spec, const std::string& part) {
  const std::string said = refusal([&] { make_reward(real_env(), spec); });
  EXPECT_NE(said.find(part), std::string::npos) << spec << ": " << said;
}

TEST(Reward, ExactIsEqualButForWhiteSpaceAround) {
  EXPECT_EQ(value("exact", " Paris\n", row("Paris")), 1);
  EXPECT_EQ(value("exact", "paris", row("Paris")), 0);
  EXPECT_EQ(value("exact:case=ignore", "paris", row("Paris")), 1);
  EXPECT_EQ(value("exact", "Paris is it", row("Paris")), 0);
  EXPECT_EQ(value("exact", "42", row(42)), 1);
  Json other = Json::object();
  other["capital"] = "Paris";
  EXPECT_EQ(value("exact:column=capital", "Paris", other), 1);
}

TEST(Reward, APosteriorIsWhatTheLabelModelBelievesOfTheAnswer) {
  Json by_label = Json::object(), columns = Json::object();
  by_label["yes"] = 0.75;
  by_label["no"] = 0.25;
  columns["posterior"] = by_label;
  EXPECT_EQ(value("posterior", " yes\n", columns), 0.75);
  EXPECT_EQ(value("posterior", "no", columns), 0.25);
  EXPECT_EQ(value("posterior", "Yes", columns), 0);
  EXPECT_EQ(value("posterior:case=ignore", "Yes", columns), 0.75);
  EXPECT_EQ(value("posterior:other=none", "maybe", columns), std::nullopt);
  Json entry = Json::object(), list = Json::array();
  entry["label"] = "left";
  entry["probability"] = 0.9;
  list.push_back(entry);
  columns["posterior"] = list;
  EXPECT_EQ(value("posterior", "left", columns), 0.9);
  Json one = row("Paris");
  one["p"] = 0.8;
  EXPECT_EQ(value("posterior:column=p", "Paris", one), 0.8);
  EXPECT_EQ(value("posterior:column=p", "Rome", one), 0);
}

TEST(Reward, APosteriorThatIsNoneIsNamedWithItsRow) {
  const auto said = [](Json posterior) {
    Json columns = row("x");
    columns["posterior"] = std::move(posterior);
    return refusal([&] { value("posterior", "x", columns); });
  };
  EXPECT_NE(said(1.5).find("p.jsonl:4: reward posterior: the column \"posterior\" holds 1.5"),
            std::string::npos);
  EXPECT_NE(said("much").find("probability from 0 to 1"), std::string::npos);
  EXPECT_NE(said(Json(Json::Array{Json(0.5)})).find("\"label\""), std::string::npos);
  EXPECT_NE(refusal([] { value("posterior", "x"); }).find("needs the column"), std::string::npos);
  EXPECT_NE(refusal([] {
              Json columns = Json::object();
              columns["posterior"] = 0.5;
              value("posterior", "x", columns);
            }).find("needs the column \"answer\""),
            std::string::npos);
  expect_refused("posterior:other=one", "it can be zero, none");
}

TEST(Reward, NumericTakesTheLastNumber) {
  EXPECT_EQ(value("numeric", "12 + 30 = 42.", row("#### 42")), 1);
  EXPECT_EQ(value("numeric", "42, no: 43", row("42")), 0);
  EXPECT_EQ(value("numeric:take=first", "42, no: 43", row("42")), 1);
  EXPECT_EQ(value("numeric:take=only", "42, no: 43", row("43")), 0);
  EXPECT_EQ(value("numeric", "-1,234.50", row(-1234.5)), 1);
  EXPECT_EQ(value("numeric", "none", row(3)), 0);
  EXPECT_EQ(value("numeric", "3", row("none")), std::nullopt);
  EXPECT_EQ(value("numeric:tolerance=0.01", "3.14", row(3.1415)), 1);
  EXPECT_EQ(value("numeric", "3.14", row(3.1415)), 0);
}

TEST(Reward, NumbersAreReadAsPeopleWriteThem) {
  EXPECT_EQ(numbers_of("5-3 and 5 - 3, -7, a-9"), (std::vector<double>{5, 3, 5, 3, -7, 9}));
  EXPECT_EQ(numbers_of("1,000,000 and 1,2 and .5 and 7."),
            (std::vector<double>{1000000, 1, 2, 0.5, 7}));
  EXPECT_EQ(numbers_of("1.2.3"), (std::vector<double>{1.2, 0.3}));
  EXPECT_TRUE(numbers_of("none, - or ,").empty());
  EXPECT_EQ(numbers_of(std::string(100, '1') + " 2", 1).size(), 1u);
}

TEST(Reward, RegexSearchesOrMatchesTheWhole) {
  EXPECT_EQ(value("regex:pattern=\\d{2,3}", "it is 42"), 1);
  EXPECT_EQ(value("regex:match=full,pattern=\\d{2,3}", "it is 42"), 0);
  EXPECT_EQ(value("regex:match=full,pattern=\\d{2,3}", "42"), 1);
  EXPECT_EQ(value("regex:case=ignore,pattern=^yes", "YES"), 1);
  EXPECT_EQ(value("regex:pattern=a.b", "a\nb"), 1);
  // Exponential for an engine that tries: linear here.
  EXPECT_EQ(value("regex:match=full,pattern=(a*)*b", std::string(100000, 'a')), 0);
  expect_refused("regex:pattern=(", "cannot be read");
  expect_refused("regex:pattern=(?=a)b", "no look-around");
  expect_refused("regex", "it needs pattern=");
}

TEST(Reward, OfFormAndLength) {
  EXPECT_EQ(value("length:target=4", "x", {}, 4), 1);
  EXPECT_EQ(value("length:target=4", "x", {}, 3), 0.75);
  EXPECT_EQ(value("length:target=4,scale=2", "x", {}, 7), 0);
  EXPECT_EQ(value("length:target=2,unit=words", " two  words "), 1);
  EXPECT_EQ(value("length:target=2,unit=characters", "äö"), 1);
  EXPECT_EQ(value("overlong:max=100,cache=20", "x", {}, 80), 0);
  EXPECT_EQ(value("overlong:max=100,cache=20", "x", {}, 90), -0.5);
  EXPECT_EQ(value("overlong:max=100,cache=20", "x", {}, 101), -1);
  EXPECT_EQ(value("ended", "x", {}, 3, false), 0);
  EXPECT_EQ(value("ended", "x"), 1);
  EXPECT_EQ(value("format", "<think>a</think>b"), 1);
  EXPECT_EQ(value("format", "<think>a<think></think>b"), 0);
  EXPECT_EQ(value("format", " <think>a</think>b"), 0);
  EXPECT_EQ(value("format:open=(,close=)", "(a)"), 1);
  EXPECT_EQ(value("prefix", "abXX", row("abcd")), 0.5);
  EXPECT_EQ(value("prefix", "abcd", row("")), std::nullopt);
}

TEST(Reward, AnExpressionIsEvaluatedWithinBounds) {
  EXPECT_EQ(evaluate("1 + 2 * 3")->value, 7);
  EXPECT_EQ(evaluate("(1+2)*-3 - 4/8")->value, -9.5);
  EXPECT_EQ(evaluate("2 x 3 \xC3\x97 4 \xC3\xB7 6")->value, 4);
  EXPECT_EQ(evaluate("8 - 3 - 2")->value, 3);
  EXPECT_EQ(evaluate("1.5+.5")->numbers, (std::vector<double>{1.5, 0.5}));
  for (const char* wrong : {"", "1 +", "(1", "1)", "1/0", "2/(1-1)", "1 2", "one", "1..2", "--"}) {
    EXPECT_FALSE(evaluate(wrong)) << wrong;
  }
  EXPECT_TRUE(evaluate(std::string(60, '(') + "1" + std::string(60, ')')));
  EXPECT_FALSE(evaluate(std::string(100, '(') + "1" + std::string(100, ')')));
  EXPECT_FALSE(evaluate(std::string(1 << 20, '-') + "1"));
}

TEST(Reward, ArithmeticHoldsAnExpressionAgainstTheRow) {
  Json columns = row(24);
  columns["numbers"] = Json(Json::Array{Json(4), Json(6), Json(1)});
  EXPECT_EQ(value("arithmetic", "4 * 6 = 25, or so", columns), 1);
  EXPECT_EQ(value("arithmetic", "4 * 7", columns), 0);
  EXPECT_EQ(value("arithmetic", "\n 4*6\nbecause", columns), 1);
  EXPECT_EQ(value("arithmetic:numbers=numbers", "4 * 6 * 1", columns), 1);
  EXPECT_EQ(value("arithmetic:numbers=numbers", "4 * 6", columns), 0);
  EXPECT_EQ(value("arithmetic:numbers=numbers", "24", columns), 0);
}

TEST(Reward, JsonIsADocumentAndOneOfTheSchema) {
  EXPECT_EQ(value("json", " {\"a\": [1]}\n"), 1);
  EXPECT_EQ(value("json", "{\"a\": [1]} and more"), 0);
  EXPECT_EQ(value("json", ""), 0);
  const std::string schema =
      "json:schema={\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}},"
      "\"required\":[\"a\"],\"additionalProperties\":false}";
  EXPECT_EQ(value(schema, "{\"a\":1}"), 1);
  EXPECT_EQ(value(schema, "{\"a\":\"1\"}"), 0);
  EXPECT_EQ(value(schema, "{\"b\":1}"), 0);
  expect_refused("json:schema={\"not\":{}}", "the schema cannot be used");
  expect_refused("json:schema={", "the schema cannot be used");
}

TEST(Reward, ASlipInASpecIsNamed) {
  expect_refused("exakt", "there is no reward exakt");
  expect_refused("exact:colum=a", "\"colum\" is not known: exact takes as, case, column");
  expect_refused("exact:column", "is not key=value");
  expect_refused("exact:case=odd", "it can be exact, ignore");
  expect_refused("numeric:tolerance=x", "is not a number");
  expect_refused("numeric:tolerance=1,tolerance=2", "is there twice");
  expect_refused("length", "target=N");
  expect_refused("overlong:max=5,cache=9", "between 0 and max");
  expect_refused("", "a name is expected");
  expect_refused("exact:as=" + std::string(1 << 17, 'x'), "too long");
}

TEST(Reward, ARowWithoutItsColumnIsNamed) {
  EXPECT_NE(refusal([] { value("exact", "x"); }).find("p.jsonl:4: reward exact needs the column"),
            std::string::npos);
  EXPECT_NE(refusal([] { value("exact", "x", row(Json::array())); }).find("found array"),
            std::string::npos);
}

// A function that says what it is told to.
class Says : public RewardFunction {
 public:
  Says(std::string name, std::vector<std::optional<double>> values)
      : name_(std::move(name)), values_(std::move(values)) {}
  const std::string& name() const override { return name_; }
  std::vector<std::optional<double>> score(std::span<const Sample>) override { return values_; }

 private:
  std::string name_;
  std::vector<std::optional<double>> values_;
};

TEST(Reward, WhatAFunctionGivesIsChecked) {
  const std::vector<Sample> samples(2);
  const auto said = [&](std::vector<std::optional<double>> values) {
    Functions functions;
    functions.push_back(std::make_unique<Says>("odd", std::move(values)));
    return refusal([&] { score_all(functions, samples); });
  };
  EXPECT_EQ(said({1.0, std::nullopt}), "accepted");
  EXPECT_NE(said({1.0}).find("reward odd gave 1 values for 2 answers"), std::string::npos);
  EXPECT_NE(said({1.0, std::numeric_limits<double>::quiet_NaN()}).find("not a finite number"),
            std::string::npos);
  EXPECT_NE(said({std::numeric_limits<double>::infinity(), 0.0}).find("not a finite number"),
            std::string::npos);
}

// What a program answers to two samples.
std::vector<std::optional<double>> said_by(const std::string& options, const std::string& command) {
  const Json columns = row("x");
  std::vector<Sample> samples(2);
  for (Sample& sample : samples) {
    sample.completion = "a \"quoted\"\nanswer";
    sample.row = &columns;
  }
  return make_reward(real_env(), "program:" + options + "command=" + command)->score(samples);
}

TEST(Reward, AProgramGetsALineAndGivesOne) {
  const auto values = said_by("",
                              "read line; case \"$line\" in *'\"row\":{\"answer\":\"x\"}'*) "
                              "echo '{\"rewards\":[0.5,null]}';; esac");
  EXPECT_EQ(values, (std::vector<std::optional<double>>{0.5, std::nullopt}));
  // It has all cores of this process, though a pool keeps its caller on one.
  ThreadPool pool(allowed_cores().size());
  pool.run(2, [](size_t, size_t) {});
  const auto cores = said_by("",
                             "read line; echo \"{\\\"rewards\\\":[$(env -u OMP_NUM_THREADS -u "
                             "OMP_THREAD_LIMIT nproc),0]}\"")
                         .at(0);
  EXPECT_EQ(cores, static_cast<double>(allowed_cores().size()));
  // One process for all batches.
  const auto counter = make_reward(
      real_env(),
      "program:command=n=0; while read line; do n=$((n+1)); echo \"{\\\"rewards\\\":[$n]}\"; done");
  const std::vector<Sample> one(1);
  EXPECT_EQ(counter->score(one).at(0), 1);
  EXPECT_EQ(counter->score(one).at(0), 2);
}

TEST(Reward, ALargeBatchGoesBothWaysAtOnce) {
  const std::string text(1 << 20, 'y');
  std::vector<Sample> samples(4);
  for (Sample& sample : samples) sample.completion = text;
  const auto echo =
      make_reward(real_env(), "program:command=head -c 3000000 | tr y z; echo; cat > /dev/null");
  EXPECT_NE(refusal([&] { echo->score(samples); }).find("expected one line"), std::string::npos);
  // One that answers and ends without reading is believed too.
  const auto hasty = make_reward(real_env(), "program:command=echo '{\"rewards\":[1,2]}'");
  EXPECT_EQ(hasty->score(std::span(samples).first(2)),
            (std::vector<std::optional<double>>{1.0, 2.0}));
}

TEST(Reward, AProgramThatFailsIsNamed) {
  const auto said = [](const std::string& options, const std::string& command) {
    return refusal([&] { said_by(options, command); });
  };
  EXPECT_NE(said("timeout=0.2,", "sleep 30").find("gave no answer in time"), std::string::npos);
  EXPECT_NE(said("", "exit 3").find("\"exit 3\" ended with code 3"), std::string::npos);
  EXPECT_NE(said("", "kill -9 $$").find("signal 9"), std::string::npos);
  EXPECT_NE(said("", "echo hello").find("wrote \"hello\""), std::string::npos);
  EXPECT_NE(said("", "echo '{\"rewards\":[\"x\",1]}'").find("a reward is a string"),
            std::string::npos);
  EXPECT_NE(said("", "echo '[]'").find("no list"), std::string::npos);
  expect_refused("program", "it needs command=");
  expect_refused("program:timeout=0,command=x", "above 0");
}

TEST(Reward, SeveralAreSummedWithWeightsAndNonesLeftOut) {
  const std::vector<std::optional<double>> values = {2.0, std::nullopt, 3.0};
  EXPECT_EQ(weighted_sum(values, {}), 5.0);
  const std::vector<double> weights = {1, 10, -2};
  EXPECT_EQ(weighted_sum(values, weights), -4.0);
  const std::vector<std::optional<double>> none = {std::nullopt};
  EXPECT_EQ(weighted_sum(none, {}), std::nullopt);
}

TEST(Reward, TwoOfOneNameAndWrongWeightsAreRefused) {
  Functions functions;
  functions.push_back(make_reward(real_env(), "exact"));
  functions.push_back(make_reward(real_env(), "exact:column=other"));
  EXPECT_NE(refusal([&] { check_functions(functions, {}); }).find("as=NAME"), std::string::npos);
  functions.pop_back();
  functions.push_back(make_reward(real_env(), "exact:column=other,as=second"));
  EXPECT_EQ(refusal([&] { check_functions(functions, {}); }), "accepted");
  const std::vector<double> one = {1};
  EXPECT_NE(refusal([&] { check_functions(functions, one); }).find("1 numbers for 2 rewards"),
            std::string::npos);
  EXPECT_NE(refusal([] { check_functions({}, {}); }).find("there is no reward"), std::string::npos);
}

}  // namespace
}  // namespace hone::reward
