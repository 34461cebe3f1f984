// hone quality as a person calls it: on the example of examples/labels, on small files that are
// wrong, and, where the shared data are there, on the published numbers.

#include <gtest/gtest.h>

#include <cstdlib>

#include "cli/quality_plot.h"
#include "cli/quality_text.h"
#include "cli/testing.h"

namespace hone::cli {
namespace {

const std::string kLabels = "examples/labels/labels.csv";
const std::string kTruth = "examples/labels/truth.csv";
const std::string kVotes = "examples/labels/votes.csv";

Answer call(const Arguments& arguments) { return cli::call(run_quality, arguments); }

Json json_of(Arguments arguments) {
  arguments.push_back("--json");
  arguments.push_back("--quiet");
  const Answer answer = call(arguments);
  EXPECT_EQ(answer.code, 0) << answer.error;
  EXPECT_EQ(answer.note, "") << "--quiet and --json leave stderr empty";
  Result<Json> parsed = Json::parse(answer.out);
  EXPECT_TRUE(parsed.has_value()) << answer.out;
  return parsed.has_value() ? *parsed : Json();
}

void expect_says(const std::string& text, std::string_view part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

class QualityCommand : public FolderTest {
 protected:
  void expect_refused(const Arguments& arguments, std::string_view part,
                      ErrorCode code = ErrorCode::kInvalidInput) {
    const Answer answer = call(arguments);
    expect_says(answer.error, part);
    EXPECT_EQ(answer.error_code, code) << answer.error;
    EXPECT_EQ(answer.out, "");
  }
};

// Three people, six tasks. Counted by hand: pairs that agree 1, 1, 1/3, 1, 1/3, 1/3 of their three.
constexpr const char* kSmall =
    "task,worker,label\n"
    "a,x,yes\na,y,yes\na,z,yes\n"
    "b,x,no\nb,y,no\nb,z,no\n"
    "c,x,yes\nc,y,no\nc,z,yes\n"
    "d,x,no\nd,y,no\nd,z,no\n"
    "e,x,yes\ne,y,yes\ne,z,no\n"
    "f,x,no\nf,y,no\nf,z,yes\n";

TEST_F(QualityCommand, AggregatesTheExampleAndNamesThePlantedHabits) {
  const Answer answer = call({"aggregate", kLabels, "--floor-seconds", "5", "--truth", kTruth});
  ASSERT_EQ(answer.code, 0) << answer.error;
  expect_says(answer.out, "546 labels by 7 workers on 120 tasks, 3 different labels");
  expect_says(answer.out, "1 worker answers \"fine\" too often: Gus.");
  expect_says(answer.out, "answer unlike the others: Fay and Gus.");
  expect_says(answer.out, "1 worker is often too fast: Fay.");
  expect_says(answer.out, "one more label; where it tells most: ");
  expect_says(answer.out, "of 80 tasks right");
  expect_says(answer.note, "reading took");
  const Json json = json_of({"aggregate", kLabels, "--method", "dawid-skene", "--truth", kTruth});
  EXPECT_EQ(json.at("method").as_string(), "dawid-skene");
  EXPECT_GT(json.at("iterations").as_int(), 1);
  EXPECT_LT(json.at("log_likelihood").as_double(), 0.0);
  EXPECT_TRUE(json.at("converged").as_bool());
  EXPECT_EQ(json.at("duplicates").as_int(), 0);
  EXPECT_EQ(json.at("conflicts").as_int(), 0);
  EXPECT_EQ(json.at("truth_tasks").as_int(), 80);
  EXPECT_GT(json.at("accuracy").as_double(), 0.85);
  EXPECT_EQ(json.at("worker_table").size(), 7u);
}

TEST_F(QualityCommand, WritesTablesThatAddUp) {
  ASSERT_EQ(call({"aggregate", kLabels, "--method", "ibcc", "--output", path("out")}).code, 0);
  EXPECT_TRUE(text_of("out/posterior.csv").starts_with("task,label,probability\nanswer-001,fine,"));
  EXPECT_TRUE(text_of("out/answers.csv").starts_with("task,label,probability,labels,state\n"));
  EXPECT_TRUE(text_of("out/workers.csv").starts_with("worker,labels,accuracy,"));
  EXPECT_TRUE(text_of("out/confusion.csv").starts_with("worker,truth,said,share,low,high\n"));
  EXPECT_EQ(Json::parse(text_of("out/summary.json")).value().at("tasks").as_int(), 120);
  double sum = 0.0;
  const std::string posterior = text_of("out/posterior.csv");
  for (size_t at = posterior.find('\n') + 1; at < posterior.size();) {
    const size_t end = posterior.find('\n', at);
    sum += std::stod(posterior.substr(posterior.rfind(',', end) + 1));
    at = end + 1;
  }
  EXPECT_NEAR(sum, 120.0, 1e-9);
  // Nothing is replaced unasked, and nothing is computed before that is known.
  expect_refused({"aggregate", kLabels, "--output", path("out")}, "--overwrite",
                 ErrorCode::kConflict);
  EXPECT_EQ(call({"aggregate", kLabels, "--output", path("out"), "--overwrite"}).code, 0);
  ASSERT_EQ(call({"aggregate", kLabels, "--method", "ibcc", "--output", path("p.csv")}).code, 0);
  EXPECT_EQ(text_of("p.csv"), posterior);
}

TEST_F(QualityCommand, GivesTheSameBytesForAnyThreadsAndAnyOrderOfTheRows) {
  std::string text = real_env().read_file(kLabels, kMaxTestBytes);
  std::string turned = text.substr(0, text.find('\n') + 1);
  std::vector<std::string> lines;
  for (size_t at = turned.size(); at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at + 1));
    at = end + 1;
  }
  for (size_t i = lines.size(); i-- > 0;) turned += lines[i];
  file("turned.csv", turned);
  for (const char* method : {"majority", "wawa", "dawid-skene", "one-coin", "zencrowd", "ibcc",
                             "mace", "mace-vb", "glad", "auto"}) {
    const auto posterior = [&](const std::string& from, const std::string& threads) {
      const Answer answer = call({"aggregate", from, "--method", method, "--threads", threads,
                                  "--no-evidence", "--output", path("p.csv"), "--overwrite"});
      EXPECT_EQ(answer.code, 0) << method << answer.error;
      return text_of("p.csv");
    };
    const std::string one = posterior(kLabels, "1");
    EXPECT_EQ(one, posterior(kLabels, "2")) << method;
    EXPECT_EQ(one, posterior(path("turned.csv"), "2")) << method;
  }
}

TEST_F(QualityCommand, GoldIsLearntFromAndTruthIsNot) {
  const std::string labels = file("l.csv", kSmall);
  const std::string truth = file("t.csv", "task,truth\nc,no\n");
  const auto answer_c = [&](const Arguments& more) {
    Arguments words = {"aggregate", labels,        "--method",   "dawid-skene",
                       "--output",  path("p.csv"), "--overwrite"};
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_EQ(call(words).code, 0);
    const std::string text = text_of("p.csv");
    return text.substr(text.find("\nc,") + 3, 2);
  };
  EXPECT_EQ(answer_c({"--truth", truth}), "ye");
  EXPECT_EQ(answer_c({"--gold", truth}), "no");
}

TEST_F(QualityCommand, SaysWhereATruthFileIsWrong) {
  const std::string labels = file("l.csv", kSmall);
  const auto with = [&](const std::string& truth) {
    return call({"aggregate", labels, "--truth", file("t.csv", truth)});
  };
  const Answer some = with("task,label\na,yes\nzz,no\nyy,no\n");
  EXPECT_EQ(some.code, 0);
  expect_says(some.note, "t.csv:3: the task \"zz\" has no label; 2 such rows are left out");
  const Answer unseen = with("task,label\na,yes\nb,maybe\n");
  EXPECT_EQ(unseen.code, 0);
  expect_says(unseen.note,
              "t.csv:3: the truth \"maybe\" is a label that nobody gave; every answer "
              "is wrong on 1 such task");
  expect_says(unseen.out, "50.00 %");
  expect_says(with("task,label\nzz,no\n").error, "names no task of the labels");
  expect_says(with("task,label\na,yes\na,no\n").error,
              "t.csv:3: the task \"a\" had another truth above; keep one");
  expect_says(with("task\na\n").error, "t.csv:1: there is no column \"label\" or \"truth\"");
}

TEST_F(QualityCommand, RefusesWhatItCannotReadInOneSentence) {
  const std::string labels = file("l.csv", kSmall);
  expect_refused({"aggregate", path("none.csv")}, "there is no such file", ErrorCode::kNotFound);
  expect_refused({"aggregate", folder_}, "is a folder");
  expect_refused({"aggregate", labels, "--labels", "yes,maybe"},
                 "l.csv:5: the label \"no\" is not among the declared ones (--labels): maybe, yes");
  expect_refused({"aggregate", labels, "--labels", "yes,no,yes"}, "declared twice");
  expect_refused({"aggregate", labels, "--columns", "task"}, "is not FIELD=NAME");
  expect_refused({"aggregate", labels, "--method", "dawid"}, "choose one of majority,");
  expect_refused({"aggregate"}, "needs one file of labels");
  expect_refused({"aggregate", labels, "--threshold", "2"}, "--threshold must be");
  expect_refused({"aggregate", labels, "--plot", path("x.png")}, "must end in .svg or .html");
  expect_refused({"aggregate", labels, "--memory-limt", "1G"}, "did you mean --memory-limit");
  expect_refused({"agrement", labels}, "did you mean agreement?");
  expect_refused({}, "needs a word first");
  expect_refused({"simulate", labels}, "needs --truth");
  expect_refused({"rank", labels}, "l.csv:1: there is no column \"left\"");
  expect_refused({"aggregate", labels, "--method", "median"},
                 "needs numbers, and a label is \"yes\"");
}

TEST_F(QualityCommand, EveryKindOfHelpHasExamples) {
  expect_says(call({"--help"}).out, "simulate");
  for (const char* verb : {"aggregate", "agreement", "rank", "simulate"}) {
    const Answer answer = call({verb, "--help"});
    EXPECT_EQ(answer.code, 0);
    expect_says(answer.out, "Examples:");
    expect_says(answer.out, std::string("hone quality ") + verb);
  }
}

TEST_F(QualityCommand, CountsRepeatsAndContradictionsAndSettlesThemAsTold) {
  const std::string labels = file("l.csv",
                                  "task,worker,label\na,x,yes\na,x,yes\na,x,no\na,y,no\n"
                                  "b,x,no\nb,y,no\n");
  Json json = json_of({"aggregate", labels, "--method", "majority"});
  EXPECT_EQ(json.at("duplicates").as_int(), 1);
  EXPECT_EQ(json.at("conflicts").as_int(), 1);
  EXPECT_EQ(json.at("labels").as_int(), 5);
  for (const auto& [word, left] : std::vector<std::pair<std::string, int>>{
           {"keep", 5}, {"drop", 3}, {"first", 4}, {"last", 4}}) {
    json = json_of({"aggregate", labels, "--method", "majority", "--on-conflict", word});
    EXPECT_EQ(json.at("labels").as_int(), left) << word;
  }
}

TEST_F(QualityCommand, MeasuresAgreementAsByHand) {
  const std::string labels = file("l.csv", kSmall);
  const Json percent = json_of({"agreement", labels, "--metric", "percent"});
  EXPECT_NEAR(percent.at("value").as_double(), 4.0 / 6.0, 1e-15);
  EXPECT_LT(percent.at("interval").at("low").as_double(), 4.0 / 6.0);
  EXPECT_GT(percent.at("interval").at("high").as_double(), 4.0 / 6.0);
  // 8 yes and 10 no: alpha = 1 - (1 - 2/3) (18 - 1) 18 / (2 * 8 * 10).
  const Json alpha = json_of({"agreement", labels});
  EXPECT_NEAR(alpha.at("value").as_double(), 1.0 - (1.0 / 3.0) * 17.0 * 18.0 / 160.0, 1e-12);
  EXPECT_EQ(alpha.at("metric").as_string(), "alpha");
  EXPECT_TRUE(json_of({"agreement", labels, "--rounds", "0"}).at("interval").is_null());
  const Answer text = call({"agreement", labels});
  expect_says(text.out, "Two people gave the same label in 67 % of the cases.");
  expect_says(text.out, "is shared least");
}

TEST_F(QualityCommand, NothingToAgreeOnIsSaidAndIsNoNumber) {
  const std::string lonely = file("l.csv", "task,worker,label\na,x,yes\nb,y,no\n");
  const Json json = json_of({"agreement", lonely});
  EXPECT_TRUE(json.at("value").is_null());
  EXPECT_GT(json.at("warnings").size(), 0u);
  expect_says(call({"agreement", lonely}).out, "cannot be said");
}

TEST_F(QualityCommand, DegenerateLabelsGiveAnswersAndNoNaN) {
  const std::vector<std::string> files = {
      "task,worker,label\na,x,yes\n",
      "task,worker,label\na,x,yes\nb,x,no\nc,x,yes\n",
      "task,worker,label\na,x,yes\na,y,yes\nb,z,yes\n",
      "task,worker,label\na,x,yes\na,y,no\nb,z,yes\nb,v,no\n",
  };
  for (const std::string& text : files) {
    const std::string labels = file("l.csv", text);
    for (const char* method : {"majority", "wawa", "dawid-skene", "one-coin", "zencrowd", "ibcc",
                               "mace", "mace-vb", "glad", "auto"}) {
      const Answer answer =
          call({"aggregate", labels, "--method", method, "--output", path("o"), "--overwrite"});
      EXPECT_EQ(answer.code, 0) << method << " " << answer.error << text;
      for (const char* name : {"o/posterior.csv", "o/answers.csv", "o/workers.csv"}) {
        EXPECT_EQ(text_of(name).find("nan"), std::string::npos) << method << text;
        EXPECT_EQ(text_of(name).find("inf"), std::string::npos) << method << text;
      }
    }
    EXPECT_EQ(call({"agreement", labels}).code, 0);
  }
}

TEST_F(QualityCommand, AggregatesNumbers) {
  const std::string labels =
      file("l.csv", "task,worker,label\na,x,1\na,y,2\na,z,9\nb,x,4\nb,y,5\nb,z,12\nc,x,2\nc,y,3\n");
  ASSERT_EQ(call({"aggregate", labels, "--method", "median", "--output", path("m.csv")}).code, 0);
  EXPECT_TRUE(text_of("m.csv").starts_with("task,value,standard_error,low,high,labels\na,2,"))
      << text_of("m.csv");
  const Json json = json_of({"aggregate", labels, "--method", "reliability-weighted", "--truth",
                             file("t.csv", "task,label\na,1.5\nb,4.5\n")});
  EXPECT_EQ(json.at("truth_tasks").as_int(), 2);
  EXPECT_EQ(json.at("worker_table").size(), 3u);
  EXPECT_GT(json.at("worker_table").as_array()[2].at("bias").as_double(), 2.0);
}

TEST_F(QualityCommand, RanksTheExample) {
  const Json json = json_of({"rank", kVotes, "--fragility", "--style", "length"});
  const Json::Array& rows = json.at("ranking").as_array();
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[0].at("name").as_string(), "aspen");
  EXPECT_EQ(rows[4].at("name").as_string(), "fir");
  double sum = 0.0;
  for (const Json& row : rows) {
    sum += row.at("score").as_double();
    EXPECT_GT(row.at("standard_error").as_double(), 0.0);
    EXPECT_LT(row.at("interval").at("low").as_double(), row.at("score").as_double());
    EXPECT_LE(row.at("rank_low").as_int(), row.at("rank").as_int());
    EXPECT_GE(row.at("rank_high").as_int(), row.at("rank").as_int());
  }
  EXPECT_NEAR(sum / 5.0, 1000.0, 1e-9);
  EXPECT_EQ(json.at("cluster").as_string(), "worker");
  EXPECT_TRUE(json.at("fragility").at("found").as_bool());
  EXPECT_EQ(json.at("side_effect").at("name").as_string(), "left");
  EXPECT_FALSE(json.at("side_effect_in_scores").as_bool());
  EXPECT_EQ(json.at("style").size(), 1u);
  const Answer text = call({"rank", kVotes});
  expect_says(text.out, "aspen leads, but birch may be as good");
  expect_says(text.out, "1 worker of 35 chooses by the side: Hal (87 % left of 23).");
  expect_says(text.out, "One more comparison tells most about: ");
  for (const char* method : {"davidson", "rao-kupper", "crowd-bt", "elo", "newman"}) {
    const Answer other = call({"rank", kVotes, "--method", method});
    EXPECT_EQ(other.code, 0) << method << other.error;
    expect_says(other.out, "aspen");
  }
}

TEST_F(QualityCommand, WritesARankingAsATable) {
  ASSERT_EQ(call({"rank", kVotes, "--output", path("r.csv")}).code, 0);
  EXPECT_TRUE(text_of("r.csv").starts_with("rank,name,score,standard_error,low,high,"))
      << path("r");
  expect_refused({"rank", kVotes, "--output", path("r.csv")}, "--overwrite", ErrorCode::kConflict);
}

TEST_F(QualityCommand, SimulatesFewerLabels) {
  const Json json = json_of({"simulate", kLabels, "--truth", kTruth, "--runs", "2"});
  EXPECT_EQ(json.at("runs").size(), 2u);
  EXPECT_GT(json.at("full_accuracy").as_double(), 0.8);
  EXPECT_LT(json.at("share").as_double(), 1.0);
  const Json::Array& points = json.at("runs").as_array()[0].at("points").as_array();
  EXPECT_EQ(points[0].at("labels").as_int(), 360);
  expect_says(call({"simulate", kLabels, "--truth", kTruth}).out, "All labels give ");
}

TEST_F(QualityCommand, DrawsChartsThatCarryNoCode) {
  const std::string labels = file("l.csv",
                                  "task,worker,label\na,<script>alert(1)</script>,yes\n"
                                  "a,\"x & y\",no\nb,\"x & y\",no\n");
  for (const char* name : {"p.svg", "p.html"}) {
    ASSERT_EQ(call({"aggregate", labels, "--method", "majority", "--plot", path(name)}).code, 0);
    const std::string text = text_of(name);
    EXPECT_EQ(text.find("<script"), std::string::npos);
    expect_says(text, "x &amp; y");
    expect_says(text, "prefers-color-scheme: dark");
    EXPECT_TRUE(text.ends_with(std::string(name) == "p.svg" ? "</svg>\n" : "</html>\n"));
    EXPECT_EQ(text.find("nan"), std::string::npos);
  }
  for (const Arguments& words :
       std::vector<Arguments>{{"aggregate", kLabels, "--method", "ibcc", "--plot", path("a.svg")},
                              {"agreement", kLabels, "--plot", path("b.svg")},
                              {"rank", kVotes, "--plot", path("c.svg")},
                              {"simulate", kLabels, "--truth", kTruth, "--plot", path("d.svg")}}) {
    ASSERT_EQ(call(words).code, 0);
    const std::string text = text_of(words.back().substr(folder_.size() + 1));
    EXPECT_TRUE(text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
    EXPECT_EQ(text.find("nan"), std::string::npos) << words.back();
    expect_refused(words, "--overwrite", ErrorCode::kConflict);
  }
}

TEST(QualityPlot, AxesHaveTheDigitsOfTheirStepAndTitlesTheEndOfThePath) {
  LineSpec spec;
  spec.series.push_back({"a", true, {{0.0, 0.80, {}}, {1.0, 0.92, {}}}});
  const std::string lines = line_chart(spec).body;
  expect_says(lines, ">82.5 %<");  // steps of 2.5 %
  EXPECT_EQ(lines.find(">82 %<"), std::string::npos);
  EXPECT_EQ(lines.find(">83 %<"), std::string::npos);
  RankingSpec ranking{"t", "c", "right", "labels", {}, true, 0.5};
  ranking.things.push_back({"ann", "10", 0.9, quality::Interval{0.8, 1.0}, true});
  const std::string one = ranking_chart(ranking).body;
  expect_says(one, ">90 %<");
  expect_says(one, "class=\"second\"");
  expect_says(one, "class=\"level\"");
  EXPECT_EQ(plot_title("Answers", "/a/very/long/way/set/labels.csv"), "Answers: set/labels.csv");
  EXPECT_EQ(plot_title("Answers", "labels.csv"), "Answers: labels.csv");
  EXPECT_EQ(plot_title("Answers", "/labels.csv"), "Answers: labels.csv");
}

TEST(QualityText, SetsNumbersRightAndNamesLeft) {
  EXPECT_EQ(table_text({{"worker", "labels"}, {"x", "1,000"}, {"longer", "7"}}),
            "  worker  labels\n  x        1,000\n  longer       7\n");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(fixed_text(-0.001, 2), "0.00");
  EXPECT_EQ(shown_name("a\nb\x1b[31m", 10), "a b [31m");
  EXPECT_EQ(shown_name("t\xC3\xA9l\xC3\xA9phone", 6), "t\xC3\xA9l\xC3\xA9p\xE2\x80\xA6");
  EXPECT_EQ(listed_names({"a", "b", "c", "d", "e"}), "a, b, c and 2 more");
  EXPECT_EQ(listed_names({"a", "b", "c", "d"}), "a, b, c and d");
}

// ---- Published numbers through the command (labelling data that are not part of the project) ----

class PublishedNumbers : public testing::Test {
 protected:
  void SetUp() override {
    const char* from = std::getenv("HONE_SHARED_DATA");
    if (from == nullptr || !real_env().exists(std::string(from) + "/truthinf/rte/label.csv")) {
      GTEST_SKIP() << "HONE_SHARED_DATA does not lead to the public data: the published numbers "
                      "are NOT checked through the command here";
    }
    data_ = from;
  }
  std::string data_;
};

TEST_F(PublishedNumbers, AccuraciesToTheLastPrintedDigit) {
  struct Case {
    const char *set, *method;
    double percent;
  };
  for (const Case& c : {Case{"rte", "majority", 89.69}, Case{"rte", "dawid-skene", 92.75},
                        Case{"rte", "one-coin", 92.50}, Case{"rte", "ibcc", 92.75},
                        Case{"duck", "dawid-skene", 89.81}, Case{"duck", "majority", 75.93},
                        Case{"sp_amt", "dawid-skene", 94.40}, Case{"d_possent", "ibcc", 96.00},
                        Case{"cf", "majority", 88.22}, Case{"cf", "ibcc", 88.33},
                        Case{"d_product", "dawid-skene", 93.93}}) {
    const std::string folder = data_ + "/truthinf/" + c.set;
    const Json json = json_of({"aggregate", folder + "/label.csv", "--truth", folder + "/truth.csv",
                               "--method", c.method, "--no-evidence"});
    EXPECT_NEAR(100 * json.at("accuracy").as_double(), c.percent, 0.005001) << c.set << c.method;
  }
}

TEST_F(PublishedNumbers, Agreement) {
  const auto value = [&](const std::string& set, const std::string& metric) {
    return json_of({"agreement", data_ + "/truthinf/" + set + "/label.csv", "--metric", metric,
                    "--rounds", "0"})
        .at("value")
        .as_double();
  };
  EXPECT_NEAR(value("duck", "alpha"), 0.1255, 0.00005001);
  EXPECT_NEAR(value("duck", "ac1"), 0.2218, 0.00005001);
  EXPECT_NEAR(value("s_adult", "alpha"), 0.3156, 0.00005001);
  EXPECT_NEAR(value("s_adult", "ac1"), 0.7113, 0.00005001);
}

TEST_F(PublishedNumbers, RankingOfLlmfao) {
  const std::string votes = data_ + "/llmfao/crowd-comparisons.csv";
  // The pair is named "id" there.
  const Json json = json_of({"rank", votes, "--columns", "task=id", "--cluster", "worker"});
  EXPECT_NEAR(json.at("log_likelihood").as_double(), -5743.3817, 0.00005001);
  const Json& first = json.at("ranking").as_array()[0];
  EXPECT_EQ(first.at("name").as_string(), "GPT 4");
  EXPECT_NEAR(first.at("score").as_double(), 1172.13, 0.005001);
  EXPECT_NEAR(first.at("standard_error").as_double(), 35.14, 0.005001);
  EXPECT_EQ(json.at("ranking").as_array()[1].at("name").as_string(), "Platypus-2 Instruct (70B)");
  const Json alone = json_of({"rank", votes, "--cluster", "none", "--bootstrap-rounds", "0"});
  EXPECT_NEAR(alone.at("ranking").as_array()[0].at("standard_error").as_double(), 27.86, 0.005001);
  const Json davidson = json_of({"rank", votes, "--method", "davidson"});
  EXPECT_NEAR(davidson.at("log_likelihood").as_double(), -8995.8397, 0.00005001);
  EXPECT_NEAR(davidson.at("tie_parameter").as_double(), 1.4797, 0.00005001);
  EXPECT_NEAR(davidson.at("side_effect").at("value").as_double(), 0.1597, 0.00005001);
  EXPECT_NEAR(davidson.at("side_effect").at("likelihood_ratio").as_double(), 28.5, 0.05001);
  const Json rao = json_of({"rank", votes, "--method", "rao-kupper"});
  EXPECT_NEAR(rao.at("log_likelihood").as_double(), -8977.5204, 0.00005001);
  EXPECT_NEAR(rao.at("tie_parameter").as_double(), 2.5660, 0.00005001);
  uint64_t biased = 0;
  for (const Json& row : json.at("sides").at("workers").as_array()) {
    biased += row.at("q").as_double() <= 0.05 ? 1 : 0;
  }
  EXPECT_EQ(biased, 5u);
  EXPECT_EQ(json.at("sides").at("workers").size(), 84u);
}

}  // namespace
}  // namespace hone::cli
