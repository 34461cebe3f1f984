#include "tensor/distillation_head.h"

#include <algorithm>
#include <cmath>

#include "gtest/gtest.h"
#include "tensor/divergence_rows.h"
#include "tensor/targets_for_test.h"
#include "tensor/test_numbers.h"

namespace hone::tensor {
namespace {

PanelMatrix random_head(size_t vocabulary, size_t hidden, uint64_t salt) {
  PanelMatrix head = PanelMatrix::zeros(vocabulary, hidden);
  const std::vector<float> values = test_numbers(vocabulary * hidden, salt);
  for (size_t n = 0; n < vocabulary; ++n) head.write_row(n, values.data() + n * hidden);
  return head;
}

constexpr float kBetas[] = {0.0f, 0.5f, 0.1f, 1.0f};

TEST(Distillation, RowsHaveTheBitsOfTheReference) {
  for_each_instruction_set([] {
    for (const float beta : kBetas) {
      for (const size_t n : {1, 3, 15, 16, 17, 100, 1000, 1024}) {
        std::vector<float> student = test_numbers(n, n), teacher = test_numbers(n, n + 1);
        for (float& v : student) v *= 30.0f;
        for (float& v : teacher) v *= 30.0f;
        DivergenceRow row{beta, 31.0f, 29.5f, 0.75f, -0.3f};
        const DivergenceSum a = divergence_sum(student.data(), teacher.data(), n, row);
        const DivergenceSum b = divergence_sum_reference(student.data(), teacher.data(), n, row);
        EXPECT_EQ(a.teacher, b.teacher) << beta << " " << n;
        EXPECT_EQ(a.student, b.student) << beta << " " << n;
        std::vector<float> expected = student;
        divergence_gradient(student.data(), teacher.data(), n, row);
        divergence_gradient_reference(expected.data(), teacher.data(), n, row);
        EXPECT_EQ(count_different(student, expected), 0u) << beta << " " << n;
      }
    }
  });
}

struct Problem {
  size_t vocabulary, hidden, teacher_hidden, rows;
  PanelMatrix head = random_head(vocabulary, hidden, 1);
  PanelMatrix teacher_head = random_head(vocabulary, teacher_hidden, 2);
  std::vector<float> x = test_numbers(rows * hidden, 3);
  std::vector<float> teacher_x = test_numbers(rows * teacher_hidden, 4);
  std::vector<HeadTarget> targets = {};
  std::vector<TokenGroup> groups = {};

  Problem(size_t v, size_t h, size_t t, size_t r)
      : vocabulary(v), hidden(h), teacher_hidden(t), rows(r) {
    for (uint32_t i = 0; i < rows; ++i) {
      if (i % 4 == 3) continue;
      targets.push_back({i, static_cast<int32_t>(i * 37 % vocabulary), 0.5f});
      if (i % 3 == 0) targets.push_back({i, 0, -0.125f});
    }
    for (size_t i = 0; i < rows; i += 200) groups.push_back({i, std::min(rows, i + 200)});
  }
  DistillationTask task(float beta) const {
    DistillationTask task;
    task.hidden = {x.data(), rows, hidden};
    task.weights = &head;
    task.teacher = {{teacher_x.data(), rows, teacher_hidden}, &teacher_head};
    task.beta = beta;
    task.targets = targets;
    task.groups = groups;
    return task;
  }
};

struct Outcome {
  std::vector<float> log_probs, divergences, dhidden;
  std::vector<HeadRowResult> rows;
  std::vector<int64_t> dw;
  DistillationResult result;

  explicit Outcome(const Problem& p)
      : log_probs(p.targets.size()),
        divergences(p.rows),
        dhidden(p.rows * p.hidden),
        rows(p.rows),
        dw((p.vocabulary + 15) / 16 * 16 * p.hidden, 5) {
    result = {log_probs.data(), rows.data(), divergences.data(),
              View<float>(dhidden.data(), p.rows, p.hidden)};
  }
};

TEST(Distillation, TheHeadHasTheBitsOfTheReferenceWhateverTheThreads) {
  for (const auto& [v, h, t, r] : {std::tuple<size_t, size_t, size_t, size_t>{2100, 20, 33, 9},
                                   {1025, 33, 16, 300},
                                   {17, 5, 9, 530},
                                   {1, 3, 2, 4}}) {
    const Problem problem(v, h, t, r);
    for (const float beta : kBetas) {
      SCOPED_TRACE(::testing::Message() << v << " words, rows " << r << ", beta " << beta);
      DistillationTask task = problem.task(beta);
      Outcome expected(problem);
      const FixedGradient expected_grad{expected.dw.data(), 33};
      task.dw = &expected_grad;
      distillation_head_reference(task, expected.result);
      for_each_instruction_set([&] {
        for (const size_t threads : {1, 3}) {
          Compute compute(threads);
          Outcome got(problem);
          const FixedGradient grad{got.dw.data(), 33};
          task.dw = &grad;
          Buffer memory;
          distillation_head(compute, task, got.result, memory);
          EXPECT_LE(memory.bytes(), distillation_bytes(r, h, v));
          EXPECT_EQ(count_different(got.log_probs, expected.log_probs), 0u);
          EXPECT_EQ(count_different(got.divergences, expected.divergences), 0u);
          EXPECT_EQ(count_different(got.dhidden, expected.dhidden), 0u);
          EXPECT_EQ(got.dw, expected.dw);
          EXPECT_EQ(got.result.statistics.flushed_to_zero,
                    expected.result.statistics.flushed_to_zero);
          std::vector<float> alone(got.divergences.size());
          std::swap(alone, got.divergences);
          got.result.divergences = got.divergences.data();
          got.result.dhidden = {};
          distillation_head(compute, task, got.result, memory);
          EXPECT_EQ(count_different(got.divergences, alone), 0u);
        }
      });
    }
  }
}

TEST(Distillation, ATeacherThatIsTheStudentIsNowhereFarAndPullsNowhere) {
  Problem problem(700, 12, 12, 20);
  problem.teacher_head = random_head(700, 12, 1);
  problem.teacher_x = problem.x;
  for (const float beta : kBetas) {
    Outcome got(problem);
    Compute compute(2);
    Buffer memory;
    distillation_head(compute, problem.task(beta), got.result, memory);
    for (const float d : got.divergences) EXPECT_EQ(d, 0.0f);
    for (const float d : got.dhidden) EXPECT_EQ(d, 0.0f);
  }
}

// The sum of coefficient times divergence in f64.
double exact_loss(const Problem& p, float beta32, const std::vector<double>& x) {
  const double beta = static_cast<double>(beta32);
  const auto log_probs = [&](const PanelMatrix& head, size_t hidden, auto value) {
    std::vector<double> logits(p.vocabulary);
    std::vector<float> row(hidden);
    double sum = 0;
    for (size_t n = 0; n < p.vocabulary; ++n) {
      head.read_row(n, row.data());
      for (size_t k = 0; k < hidden; ++k) logits[n] += static_cast<double>(row[k]) * value(k);
      sum += std::exp(logits[n]);
    }
    for (double& logit : logits) logit -= std::log(sum);
    return logits;
  };
  double total = 0;
  for (size_t r = 0; r < p.rows; ++r) {
    double coefficient = 0;
    for (const HeadTarget& t : p.targets) {
      if (t.row == r) coefficient += static_cast<double>(t.coefficient);
    }
    const auto a = log_probs(p.head, p.hidden, [&](size_t k) { return x[r * p.hidden + k]; });
    const auto c = log_probs(p.teacher_head, p.teacher_hidden, [&](size_t k) {
      return static_cast<double>(p.teacher_x[r * p.teacher_hidden + k]);
    });
    double divergence = 0;
    for (size_t n = 0; n < p.vocabulary; ++n) {
      const double s = std::exp(a[n]), t = std::exp(c[n]);
      const double m = std::log((1 - beta) * s + beta * t);
      divergence += beta == 0   ? t * (c[n] - a[n])
                    : beta == 1 ? s * (a[n] - c[n])
                                : beta * t * (c[n] - m) + (1 - beta) * s * (a[n] - m);
    }
    total += coefficient * divergence;
  }
  return total;
}

TEST(Distillation, AgreesWithDoublePrecisionAndFiniteDifferences) {
  const Problem problem(37, 9, 6, 4);
  for (const float beta : kBetas) {
    Outcome got(problem);
    Compute compute(2);
    Buffer memory;
    distillation_head(compute, problem.task(beta), got.result, memory);
    const std::vector<double> x(problem.x.begin(), problem.x.end());
    double loss = 0;
    for (const HeadTarget& t : problem.targets) {
      loss += static_cast<double>(t.coefficient) * static_cast<double>(got.divergences[t.row]);
    }
    EXPECT_NEAR(loss, exact_loss(problem, beta, x), 2e-6) << beta;
    for (size_t i = 0; i < x.size(); ++i) {
      std::vector<double> up = x, down = x;
      up[i] += 1e-6;
      down[i] -= 1e-6;
      EXPECT_NEAR(static_cast<double>(got.dhidden[i]),
                  (exact_loss(problem, beta, up) - exact_loss(problem, beta, down)) / 2e-6, 2e-6)
          << beta << " " << i;
    }
  }
}

}  // namespace
}  // namespace hone::tensor
