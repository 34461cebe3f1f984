#include "tensor/log_softmax.h"

#include <cmath>

#include "gtest/gtest.h"
#include "tensor/log_softmax_rows.h"
#include "tensor/targets_for_test.h"
#include "tensor/test_numbers.h"

namespace hone::tensor {
namespace {

constexpr size_t kHidden = 40, kVocabulary = 2100;

PanelMatrix random_head() {
  PanelMatrix head = PanelMatrix::zeros(kVocabulary, kHidden);
  const std::vector<float> values = test_numbers(kVocabulary * kHidden, 1);
  for (size_t n = 0; n < kVocabulary; ++n) head.write_row(n, values.data() + n * kHidden);
  return head;
}

std::vector<HeadTarget> some_targets(size_t rows) {
  std::vector<HeadTarget> targets;
  for (uint32_t r = 0; r < rows; ++r) {
    if (r % 5 == 4) continue;
    targets.push_back({r, static_cast<int32_t>(r * 131 % kVocabulary), 0.25f});
    if (r % 3 == 0) targets.push_back({r, 2099, -0.5f});
    if (r % 7 == 0) targets.push_back({r, 2099, 0.125f});
  }
  std::swap(targets.front(), targets.back());
  return targets;
}

TEST(LogSoftmax, TileSumsHaveTheBitsOfTheReference) {
  for_each_instruction_set([] {
    for (const size_t n : {1, 5, 16, 17, 52, 1000, 1024}) {
      std::vector<float> x = test_numbers(n, n);
      for (float& v : x) v = std::floor(v * 20.0f);
      const TileSum a = tile_sum(x.data(), n, 2048), b = tile_sum_reference(x.data(), n, 2048);
      EXPECT_EQ(a.max, b.max);
      EXPECT_EQ(a.sum, b.sum);
      EXPECT_EQ(a.weighted, b.weighted);
      EXPECT_EQ(a.argmax, b.argmax) << n;
    }
  });
}

TEST(LogSoftmax, FusedHeadEqualsReferenceAndStoredLogitsToTheBit) {
  const PanelMatrix head = random_head();
  for (const size_t rows : {1, 7, 40, 530}) {
    const std::vector<float> hidden = test_numbers(rows * kHidden, 2);
    const View<const float> in(hidden.data(), rows, kHidden);
    const std::vector<HeadTarget> targets = some_targets(rows);
    std::vector<float> expected(targets.size());
    std::vector<HeadRowResult> expected_rows(rows);
    head_log_probs_reference(in, head, targets, expected.data(), expected_rows.data());
    for (const size_t threads : {1, 3}) {
      Compute compute(threads);
      std::vector<float> got(targets.size());
      std::vector<HeadRowResult> got_rows(rows), stored_rows(rows);
      head_log_probs(compute, in, head, targets, got.data(), got_rows.data());
      EXPECT_EQ(count_different(got, expected), 0u);
      Tensor logits(rows, kVocabulary);
      const MatmulPart part{in, &head, logits.view()};
      matmul(compute, {&part, 1});
      log_softmax_rows(compute, logits.view(), stored_rows.data());
      for (size_t r = 0; r < rows; ++r) {
        EXPECT_EQ(got_rows[r].lse, expected_rows[r].lse);
        EXPECT_EQ(got_rows[r].argmax, expected_rows[r].argmax);
        EXPECT_EQ(got_rows[r].entropy, expected_rows[r].entropy);
        EXPECT_EQ(stored_rows[r].lse, expected_rows[r].lse);
        EXPECT_EQ(stored_rows[r].argmax, expected_rows[r].argmax);
      }
    }
  }
}

TEST(LogSoftmax, AgreesWithDoublePrecision) {
  std::vector<float> logits = test_numbers(3000, 5);
  for (float& v : logits) v *= 10.0f;
  Compute compute(2);
  HeadRowResult row;
  log_softmax_rows(compute, {logits.data(), 1, 3000}, &row);
  double sum = 0.0, weighted = 0.0;
  for (const float v : logits) sum += std::exp(static_cast<double>(v));
  const double lse = std::log(sum);
  for (const float v : logits) {
    weighted -= std::exp(static_cast<double>(v) - lse) * (static_cast<double>(v) - lse);
  }
  EXPECT_NEAR(static_cast<double>(row.lse), lse, 2e-6);
  EXPECT_NEAR(static_cast<double>(row.entropy), weighted, 1e-5);
}

TEST(LogSoftmax, BackwardIsTheGradientOfMatmulForAnyThreads) {
  const PanelMatrix head = random_head();
  for (const size_t rows : {3, 150}) {
    const std::vector<float> hidden = test_numbers(rows * kHidden, 2);
    const View<const float> in(hidden.data(), rows, kHidden);
    const std::vector<HeadTarget> targets = some_targets(rows);
    std::vector<float> log_probs(targets.size());
    std::vector<HeadRowResult> results(rows);
    head_log_probs_reference(in, head, targets, log_probs.data(), results.data());
    std::vector<float> lse;
    for (const HeadRowResult& r : results) lse.push_back(r.lse);

    Tensor dlogits(rows, kVocabulary);
    const MatmulPart part{in, &head, dlogits.view()};
    matmul_reference({&part, 1});
    std::vector<float> coefficients(rows);
    for (const HeadTarget& t : targets) coefficients[t.row] += t.coefficient;
    for (size_t r = 0; r < rows; ++r) {
      tile_gradient(dlogits.view().row(r), kVocabulary, lse[r], coefficients[r]);
    }
    for (const HeadTarget& t : targets) {
      dlogits.view().row(t.row)[static_cast<size_t>(t.token)] += t.coefficient;
    }
    const std::vector<TokenGroup> groups = {{0, rows / 2}, {rows / 2, rows}};
    std::vector<int64_t> expected_dw(head.f32_size());
    Tensor expected(rows, kHidden);
    const MatmulInputTerm term{dlogits.view(), &head};
    matmul_backward_input_reference({&term, 1}, expected.view(), false);
    matmul_backward_weight_reference(dlogits.view(), in, groups, {expected_dw.data(), 40});
    for (const size_t threads : {1, 3}) {
      Compute compute(threads);
      std::vector<float> dhidden(rows * kHidden);
      std::vector<int64_t> dw(head.f32_size());
      const FixedGradient grad{dw.data(), 40};
      const FixedStatistics s = head_backward(compute, in, head, targets, lse.data(),
                                              {dhidden.data(), rows, kHidden}, &grad, groups);
      EXPECT_FALSE(s.overflow);
      EXPECT_EQ(count_different(dhidden.data(), expected.data(), dhidden.size()), 0u);
      EXPECT_EQ(dw, expected_dw);
    }
  }
}

}  // namespace
}  // namespace hone::tensor
