// A teacher of whom only some words are known: TRL's divergence and PyTorch's gradient
// (tests/golden/train/sparse_distillation.json), the file, and runs on it.
#include "train/teacher_words.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/fault_env.h"
#include "train/distill.h"
#include "train/sparse_divergence.h"
#include "train/testing.h"

namespace hone::train {
namespace {

using llm::testing::doubles_of;
using llm::testing::ints_of;
using llm::testing::refusal;
using testing::golden_trees;
using testing::small_shape;

TEST(SparseDivergence, SlopesAreTheFiniteDifferencesAndExtremesStayFinite) {
  const std::vector<float> teacher = {-0.5f, -1.75f, -3.0f}, student = {-1.0f, -2.5f, -1.25f};
  double said = 0;
  for (float log_prob : teacher) said += std::exp(static_cast<double>(log_prob));
  for (double beta : {0.0, 0.25, 1.0}) {
    const SparseDivergence at = sparse_divergence(beta, teacher, 1 - said, student);
    EXPECT_GT(at.value, 0);
    for (size_t k = 0; k < 3; ++k) {
      std::vector<float> up = student, down = student;
      up[k] += 0.5e-2f;
      down[k] -= 0.5e-2f;
      const double step = static_cast<double>(up[k]) - static_cast<double>(down[k]);
      const double slope = (sparse_divergence(beta, teacher, 1 - said, up).value -
                            sparse_divergence(beta, teacher, 1 - said, down).value) /
                           step;
      EXPECT_NEAR(at.slopes[k], slope, 2e-5) << beta << " " << k;
    }
    const SparseDivergence same = sparse_divergence(beta, teacher, 1 - said, teacher);
    EXPECT_NEAR(same.value, 0, 1e-12);
    const std::vector<float> sure = {0.0f}, never = {-900.0f};
    for (const auto& [t, s] : {std::pair(sure, never), std::pair(never, sure)}) {
      const SparseDivergence far = sparse_divergence(beta, t, t == sure ? 0 : 1, s);
      EXPECT_TRUE(std::isfinite(far.value) && std::isfinite(far.slopes[0])) << beta;
    }
  }
}

std::vector<TeacherWords> words_of(llm::TrainingPass& pass,
                                   const std::vector<llm::TreeExample>& trees, size_t k) {
  std::vector<TeacherWords> out(trees.size());
  teacher_words(pass, trees, k, [&](size_t i, TeacherWords words) { out[i] = std::move(words); });
  return out;
}

TEST(TeacherWords, LossAndGradientAreThoseOfTrlAndPyTorch) {
  const Json golden = llm::testing::read_json("tests/golden/train/sparse_distillation.json");
  tensor::Compute compute(2);
  const llm::Model teacher = llm::testing::load_golden(compute, golden.at("teacher").as_string());
  llm::Model student = llm::testing::load_golden(compute, golden.at("student").as_string());
  llm::make_trainable(compute, student);
  const auto k = static_cast<size_t>(golden.at("k").as_int());
  std::vector<llm::TreeExample> trees = golden_trees(golden);
  llm::TrainingPass of_teacher(compute, teacher, nullptr, 64, llm::PassOptions{true});
  const std::vector<TeacherWords> words = words_of(of_teacher, trees, k);
  size_t tokens = 0;
  for (size_t i = 0; i < trees.size(); ++i) {
    const Json& row = golden.at("rows").as_array()[i];
    const size_t places = trees[i].targets.size();
    tokens += places;
    ASSERT_EQ(words[i].places(), places);
    for (size_t place = 0; place < places; ++place) {
      const std::vector<int32_t> ids = ints_of(row.at("top_ids").as_array()[place]);
      const std::vector<double> said = doubles_of(row.at("top_logprobs").as_array()[place]);
      for (size_t w = 0; w < k; ++w) {
        EXPECT_EQ(words[i].ids[place * k + w], ids[w]);
        EXPECT_NEAR(static_cast<double>(words[i].log_probs[place * k + w]), said[w], 2e-5);
        llm::TreeTarget target = trees[i].targets[place];
        target.word = ids[w];
        trees[i].targets.push_back(target);
      }
    }
  }
  for (const Json& c : golden.at("cases").as_array()) {
    const double beta = c.at("beta").as_double();
    llm::Trainable trainable = llm::full_parameters(student);
    llm::testing::set_exponents(trainable, 40);
    llm::TrainingPass pass(compute, student, nullptr, 64, {});
    double loss = 0;
    llm::for_each_pass(trees, pass.max_rows(), [&](const llm::PlannedPass& planned) {
      const auto watch = [&](const llm::PassResult& result, std::span<float> coefficients) {
        for (size_t t = 0; t < planned.count; ++t) {
          const size_t begin = planned.target_begin[t], places = words[planned.first + t].places();
          const TeacherWords& of = words[planned.first + t];
          for (size_t place = 0; place < places; ++place) {
            const size_t at = begin + places + place * k;
            const SparseDivergence d =
                sparse_divergence(beta, std::span(of.log_probs).subspan(place * k, k),
                                  of.rest[place], result.log_probs.subspan(at, k));
            loss += d.value;
            for (size_t w = 0; w < k; ++w) coefficients[at + w] = static_cast<float>(d.slopes[w]);
          }
        }
      };
      EXPECT_FALSE(pass.run(planned.rows, planned.targets, watch, trainable).overflow);
      return true;
    });
    const auto n = static_cast<double>(tokens);
    const double wanted_loss = c.at("loss").as_double();
    EXPECT_NEAR(loss / n, wanted_loss, 5e-6 * (1 + wanted_loss)) << beta;
    for (const llm::Parameter& p : trainable.parameters) {
      const Json& wanted = c.at("gradients").at(p.name);
      const double norm = wanted.at("norm").as_double();
      EXPECT_NEAR(llm::testing::gradient_norm(p) / n, norm, 1e-4 * norm) << beta << p.name;
    }
  }
}

std::vector<llm::SftTokens> answered_rows(size_t count) {
  std::vector<llm::SftTokens> rows = testing::sft_rows(count, 32);
  for (llm::SftTokens& row : rows) row.trained[0] = row.trained[1] = 0;
  return rows;
}

DistillConfig config_of(size_t top_k, bool recorded) {
  DistillConfig config;
  config.learning_rate = 1e-2;
  config.max_steps = 4;
  config.per_device_train_batch_size = 4;
  config.logging_steps = config.save_steps = 1;
  config.lmbda = 0;
  config.max_new_tokens = 6;
  config.teacher_top_k = top_k;
  config.recorded_teacher = recorded;
  config.complete();
  return config;
}

// What the teacher of these tests says of the rows, as a file.
std::string file_of(const std::vector<llm::SftTokens>& rows, size_t k) {
  tensor::Compute compute(1);
  const llm::Model teacher = llm::testing::random_model(small_shape(2, 24), 9);
  llm::TrainingPass pass(compute, teacher, nullptr, 64, llm::PassOptions{true});
  std::string text;
  for (size_t i = 0; i < rows.size(); ++i) {
    llm::TreeExample tree{llm::make_sequence(rows[i].tokens), {}};
    for (uint32_t t = 1; t < rows[i].tokens.size(); ++t) tree.targets.push_back({0, t});
    const TeacherWords words = words_of(pass, {tree}, k)[0];
    text +=
        teacher_row(i, rows[i].tokens, words, std::vector<float>(words.places(), -1.0f)).dump() +
        "\n";
  }
  return text;
}

std::vector<TeacherWords> read(const std::string& text, const std::vector<llm::SftTokens>& rows) {
  FaultEnv env;
  write_file_atomically(env, "said.jsonl", text);
  return read_teacher_words(env, "said.jsonl", rows, 32);
}

// steps.jsonl of a run that may be asked to stop and then goes on.
std::string steps_of(const DistillConfig& config, const std::vector<TeacherWords>* recorded,
                     size_t stop_after = 0) {
  FaultEnv env;
  const auto rows = answered_rows(8);
  const llm::Model teacher = llm::testing::random_model(small_shape(2, 24), 9);
  for (const size_t stop_now : {stop_after, size_t{0}}) {
    tensor::Compute compute(1);
    llm::Model student = llm::testing::random_model(small_shape(1, 16));
    testing::StoppedJob job(compute, env, student, "run", env.exists("run"), stop_now);
    train_distill(job, config, rows, recorded == nullptr ? answered_rows(3) : rows,
                  {teacher, nullptr, nullptr, {}, recorded});
    if (stop_after == 0) break;
  }
  return env.read_file("run/steps.jsonl", 1u << 24);
}

TEST(TeacherWords, ARecordedTeacherTeachesAsTheOneAtHandToTheBit) {
  const auto rows = answered_rows(8);
  const std::vector<TeacherWords> recorded = read(file_of(rows, 5), rows);
  for (double beta : {0.0, 0.5, 1.0}) {
    DistillConfig config = config_of(5, false);
    config.beta = beta;
    const std::string live = steps_of(config, nullptr);
    config.teacher_top_k = 0;
    config.recorded_teacher = true;
    EXPECT_EQ(steps_of(config, &recorded), live) << beta;
  }
}

TEST(TeacherWords, AStopAnywhereEndsWithTheSameBitsAndOnPolicyStepsReadWordsToo) {
  const auto rows = answered_rows(8);
  const std::vector<TeacherWords> recorded = read(file_of(rows, 4), rows);
  const DistillConfig off = config_of(0, true);
  const std::string whole = steps_of(off, &recorded);
  DistillConfig on = config_of(4, false);
  on.lmbda = 0.5;
  const std::string drawn = steps_of(on, nullptr);
  EXPECT_NE(drawn, whole);
  for (size_t stop = 1; stop < 4; ++stop) {
    EXPECT_EQ(steps_of(off, &recorded, stop), whole) << stop;
    EXPECT_EQ(steps_of(on, nullptr, stop), drawn) << stop;
  }
}

TEST(TeacherWords, WithAllWordsTheyAreTheWholeDistribution) {
  DistillConfig config = config_of(0, false);
  const std::string whole = steps_of(config, nullptr);
  config.teacher_top_k = 32;
  config.complete();
  const std::string words = steps_of(config, nullptr);
  const double a = Json::parse(whole.substr(0, whole.find('\n'))).value().at("loss").as_double();
  const double b = Json::parse(words.substr(0, words.find('\n'))).value().at("loss").as_double();
  EXPECT_NEAR(a, b, 1e-5);
}

TEST(TeacherWords, WhatIsWrongWithAFileIsSaid) {
  const auto rows = answered_rows(3);
  const std::string good = file_of(rows, 3);
  EXPECT_EQ(read(good, rows).size(), 3u);
  const auto said = [&](const auto& change) {
    std::vector<Json> lines;
    for (size_t begin = 0, end; (end = good.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      lines.push_back(Json::parse(good.substr(begin, end - begin)).value());
    }
    change(lines);
    std::string text;
    for (const Json& line : lines) text += line.dump() + "\n";
    return refusal([&] { read(text, rows); });
  };
  using Lines = std::vector<Json>;
  const auto place = [](Json& line, const char* key) -> Json& {
    return line[key].as_array()[line[key].size() - 1];
  };
  EXPECT_NE(said([](Lines& l) { l.pop_back(); }).find("has 2 rows and there are 3"),
            std::string::npos);
  EXPECT_NE(said([](Lines& l) { l.push_back(l[0]); }).find("said.jsonl:4: there are only 3"),
            std::string::npos);
  EXPECT_NE(said([](Lines& l) {
              l[1]["token_ids"].as_array()[0] = 31;
            }).find("said.jsonl:2: its token_ids are not those of training row row"),
            std::string::npos);
  EXPECT_NE(
      said([](Lines& l) { l[2]["rest"].as_array().pop_back(); }).find("\"rest\" is not a list"),
      std::string::npos);
  EXPECT_NE(said([&](Lines& l) {
              place(l[2], "top_ids").as_array()[1] = 32;
            }).find("words are numbers below 32"),
            std::string::npos);
  EXPECT_NE(said([&](Lines& l) {
              place(l[2], "top_ids").as_array()[1] = place(l[2], "top_ids").as_array()[0];
            }).find("none twice"),
            std::string::npos);
  EXPECT_NE(said([&](Lines& l) {
              place(l[2], "top_logprobs").as_array()[0] = 0.5;
            }).find("a log-probability is 0 at most"),
            std::string::npos);
  EXPECT_NE(said([&](Lines& l) {
              place(l[2], "top_logprobs").as_array().pop_back();
            }).find("of 3 words each"),
            std::string::npos);
  EXPECT_NE(said([&](Lines& l) { place(l[2], "rest") = 0.999; }).find("together they must be 1"),
            std::string::npos);
  EXPECT_NE(refusal([&] { read("{]\n", rows); }).find("said.jsonl:1"), std::string::npos);
  FaultEnv env;
  EXPECT_NE(refusal([&] { read_teacher_words(env, "gone.jsonl", rows, 32); }).find("is not there"),
            std::string::npos);
}

TEST(TeacherWords, OptionsThatCannotBeAreRefusedAndSettingsComeBack) {
  const auto said = [](const auto& change) {
    DistillConfig config = config_of(0, true);
    change(config);
    return refusal([&] { validate(config); });
  };
  EXPECT_EQ(said([](DistillConfig&) {}), "accepted");
  EXPECT_NE(said([](DistillConfig& c) { c.lmbda = 0.5; }).find("--lmbda 0"), std::string::npos);
  EXPECT_NE(said([](DistillConfig& c) { c.seq_kd = true; }).find("--seq-kd"), std::string::npos);
  EXPECT_NE(said([](DistillConfig& c) { c.teacher_top_k = 3; }).find("leave it out"),
            std::string::npos);
  EXPECT_NE(said([](DistillConfig& c) { c.teacher_top_k = 1 << 20; }).find("at most 1024"),
            std::string::npos);
  EXPECT_NE(refusal([] { steps_of(config_of(33, false), nullptr); }).find("knows 32 words"),
            std::string::npos);
  for (const DistillConfig& config : {config_of(7, false), config_of(0, true)}) {
    const DistillConfig back = distill_config_from_json(config.to_json());
    EXPECT_EQ(back.to_json().dump(), config.to_json().dump());
    EXPECT_FALSE(back.known_coefficients || back.teacher);
  }
}

}  // namespace
}  // namespace hone::train
