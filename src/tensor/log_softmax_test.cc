#include "tensor/log_softmax.h"

#include <algorithm>
#include <cmath>

#include "gtest/gtest.h"
#include "tensor/entropy_gradient.h"
#include "tensor/log_softmax_rows.h"
#include "tensor/targets_for_test.h"
#include "tensor/test_numbers.h"

namespace hone::tensor {
namespace {

struct HeadCase {
  size_t vocabulary, hidden, most_rows;
};
// Vocabularies that fill no panel or no tile, hidden sizes that fill no block of 256.
constexpr HeadCase kHeadCases[] = {{2100, 40, 530}, {1024, 16, 40},  {1025, 33, 150}, {1, 7, 40},
                                   {15, 1, 7},      {3000, 300, 37}, {100003, 5, 3}};

PanelMatrix random_head(const HeadCase& c) {
  PanelMatrix head = PanelMatrix::zeros(c.vocabulary, c.hidden);
  const std::vector<float> values = test_numbers(c.vocabulary * c.hidden, 1);
  for (size_t n = 0; n < c.vocabulary; ++n) head.write_row(n, values.data() + n * c.hidden);
  return head;
}

// No target, one or several a row, the same token twice, the last token, rows out of order.
std::vector<HeadTarget> some_targets(const HeadCase& c, size_t rows) {
  const auto last = static_cast<int32_t>(c.vocabulary - 1);
  std::vector<HeadTarget> targets;
  for (uint32_t r = 0; r < rows; ++r) {
    if (r % 5 == 4) continue;
    targets.push_back({r, static_cast<int32_t>(r * 131 % c.vocabulary), 0.25f});
    if (r % 3 == 0) targets.push_back({r, last, -0.5f});
    if (r % 7 == 0) targets.push_back({r, last, 0.125f});
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

TEST(LogSoftmax, TileGradientHasTheBitsOfTheReference) {
  for_each_instruction_set([] {
    for (const size_t n : {1, 3, 16, 17, 31, 1000, 1024}) {
      std::vector<float> a = test_numbers(n, n), b;
      for (float& v : a) v *= 30.0f;
      b = a;
      tile_gradient(a.data(), n, 3.7f, 0.37f);
      tile_gradient_reference(b.data(), n, 3.7f, 0.37f);
      EXPECT_EQ(count_different(a, b), 0u) << n;
    }
  });
}

void expect_equal_rows(const std::vector<HeadRowResult>& got,
                       const std::vector<HeadRowResult>& expected) {
  for (size_t r = 0; r < expected.size(); ++r) {
    EXPECT_EQ(got[r].lse, expected[r].lse) << r;
    EXPECT_EQ(got[r].argmax, expected[r].argmax) << r;
    EXPECT_EQ(got[r].max_logit, expected[r].max_logit) << r;
    EXPECT_EQ(got[r].entropy, expected[r].entropy) << r;
  }
}

TEST(LogSoftmax, FusedHeadEqualsReferenceAndStoredLogitsToTheBit) {
  for (const HeadCase& c : kHeadCases) {
    const PanelMatrix head = random_head(c);
    for (const size_t rows : {1, 7, 40, 530}) {
      if (rows > c.most_rows) continue;
      SCOPED_TRACE(testing::Message() << c.vocabulary << " x " << c.hidden << ", rows " << rows);
      const std::vector<float> hidden = test_numbers(rows * c.hidden, 2);
      const View<const float> in(hidden.data(), rows, c.hidden);
      const std::vector<HeadTarget> targets = some_targets(c, rows);
      std::vector<float> expected(targets.size());
      std::vector<HeadRowResult> expected_rows(rows), stored_reference(rows);
      head_log_probs_reference(in, head, targets, expected.data(), expected_rows.data());
      Tensor logits(rows, c.vocabulary);
      const MatmulPart part{in, &head, logits.view()};
      matmul_reference({&part, 1});
      log_softmax_rows_reference(logits.view(), stored_reference.data());
      expect_equal_rows(stored_reference, expected_rows);
      for_each_instruction_set([&] {
        for (const size_t threads : {1, 2, 3}) {
          Compute compute(threads);
          std::vector<float> got(targets.size());
          std::vector<HeadRowResult> got_rows(rows), stored_rows(rows);
          head_log_probs(compute, in, head, targets, got.data(), got_rows.data());
          EXPECT_EQ(count_different(got, expected), 0u);
          expect_equal_rows(got_rows, expected_rows);
          matmul(compute, {&part, 1});
          log_softmax_rows(compute, logits.view(), stored_rows.data());
          expect_equal_rows(stored_rows, expected_rows);
        }
      });
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

TEST(LogSoftmax, BackwardEqualsReferenceToTheBit) {
  for (const HeadCase& c : kHeadCases) {
    const PanelMatrix head = random_head(c);
    for (const size_t rows : {1, 3, 37, 150, 300}) {
      if (rows > c.most_rows) continue;
      SCOPED_TRACE(testing::Message() << c.vocabulary << " x " << c.hidden << ", rows " << rows);
      const std::vector<float> hidden = test_numbers(rows * c.hidden, 2);
      const View<const float> in(hidden.data(), rows, c.hidden);
      const std::vector<HeadTarget> targets = some_targets(c, rows);
      std::vector<float> log_probs(targets.size());
      std::vector<HeadRowResult> results(rows);
      head_log_probs_reference(in, head, targets, log_probs.data(), results.data());
      std::vector<float> lse;
      for (const HeadRowResult& r : results) lse.push_back(r.lse);
      const std::vector<TokenGroup> groups = {{0, rows / 2},
                                              {rows / 2, std::min(rows, rows / 2 + 140)}};
      std::vector<int64_t> expected_dw((c.vocabulary + 15) / 16 * 16 * c.hidden, 3);
      Tensor expected(rows, c.hidden);
      const FixedGradient expected_grad{expected_dw.data(), 33};
      const FixedStatistics want = head_backward_reference(in, head, targets, lse.data(),
                                                           expected.view(), &expected_grad, groups);
      EXPECT_FALSE(want.overflow);
      for_each_instruction_set([&] {
        for (const size_t threads : {1, 2, 3}) {
          Compute compute(threads);
          std::vector<float> dhidden(rows * c.hidden), alone(dhidden);
          std::vector<int64_t> dw(expected_dw.size(), 3);
          const FixedGradient grad{dw.data(), 33};
          Buffer memory;
          const FixedStatistics got =
              head_backward(compute, in, head, targets, lse.data(),
                            {dhidden.data(), rows, c.hidden}, &grad, groups, memory);
          EXPECT_LE(memory.bytes(), head_gradient_bytes(rows, c.hidden, c.vocabulary, false));
          EXPECT_EQ(count_different(dhidden.data(), expected.data(), dhidden.size()), 0u);
          EXPECT_EQ(dw, expected_dw);
          EXPECT_FALSE(got.overflow);
          EXPECT_EQ(got.flushed_to_zero, want.flushed_to_zero);
          head_backward(compute, in, head, targets, lse.data(), {alone.data(), rows, c.hidden},
                        nullptr, groups, memory);
          EXPECT_EQ(count_different(alone, dhidden), 0u);
        }
      });
    }
  }
}

// 100,003 words: 163 rows are kept at a time, and a group of 200 cannot be.
TEST(LogSoftmax, ForwardAndBackwardAtOnceHaveTheBitsOfBoth) {
  struct Case {
    HeadCase head;
    size_t rows;
    std::vector<TokenGroup> groups;
  };
  const std::vector<Case> cases = {{{2100, 40, 530}, 300, {{0, 150}, {150, 290}}},
                                   {{1025, 33, 150}, 1, {{0, 1}}},
                                   {{1, 7, 40}, 40, {{0, 40}}},
                                   {{15, 1, 7}, 7, {}},
                                   {{100003, 3, 420}, 420, {{0, 90}, {90, 160}, {170, 330}}},
                                   {{100003, 3, 210}, 210, {{5, 205}}}};
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << c.head.vocabulary << " words, rows " << c.rows);
    const PanelMatrix head = random_head(c.head);
    const std::vector<float> hidden = test_numbers(c.rows * c.head.hidden, 2);
    const View<const float> in(hidden.data(), c.rows, c.head.hidden);
    const std::vector<HeadTarget> targets = some_targets(c.head, c.rows);
    const size_t weights = (c.head.vocabulary + 15) / 16 * 16 * c.head.hidden;
    for_each_instruction_set([&] {
      for (const size_t threads : {1, 2, 3}) {
        Compute compute(threads);
        std::vector<float> expected(targets.size()), got(targets.size()), lse;
        std::vector<HeadRowResult> expected_rows(c.rows), got_rows(c.rows);
        head_log_probs(compute, in, head, targets, expected.data(), expected_rows.data());
        for (const HeadRowResult& r : expected_rows) lse.push_back(r.lse);
        for (const bool weighted : {true, false}) {
          std::vector<int64_t> expected_dw(weights, 3), dw(weights, 3);
          const FixedGradient expected_grad{expected_dw.data(), 33}, grad{dw.data(), 33};
          Tensor expected_dhidden(c.rows, c.head.hidden), dhidden(c.rows, c.head.hidden);
          Buffer memory;
          const FixedStatistics want =
              head_backward(compute, in, head, targets, lse.data(), expected_dhidden.view(),
                            weighted ? &expected_grad : nullptr, c.groups, memory);
          memory = Buffer();
          const FixedStatistics statistics =
              head_at_once(compute, in, head, targets, got.data(), got_rows.data(), dhidden.view(),
                           weighted ? &grad : nullptr, c.groups, memory);
          EXPECT_LE(memory.bytes(),
                    head_gradient_bytes(c.rows, c.head.hidden, c.head.vocabulary, true));
          EXPECT_EQ(count_different(got, expected), 0u);
          expect_equal_rows(got_rows, expected_rows);
          EXPECT_EQ(count_different(dhidden.data(), expected_dhidden.data(), dhidden.size()), 0u);
          EXPECT_EQ(dw, expected_dw);
          EXPECT_EQ(statistics.overflow, want.overflow);
          EXPECT_EQ(statistics.flushed_to_zero, want.flushed_to_zero);
        }
      }
    });
  }
}

// Half of the rows' entropies count, some rows have no target.
TEST(EntropyGradient, EqualsReferenceToTheBitAndIsTheHeadsWhereNoEntropyCounts) {
  for (const HeadCase& c : kHeadCases) {
    const size_t rows = std::min<size_t>(37, c.most_rows);
    SCOPED_TRACE(testing::Message() << c.vocabulary << " x " << c.hidden);
    const PanelMatrix head = random_head(c);
    const std::vector<float> hidden = test_numbers(rows * c.hidden, 2);
    const View<const float> in(hidden.data(), rows, c.hidden);
    const std::vector<HeadTarget> targets = some_targets(c, rows);
    std::vector<float> log_probs(targets.size()), by_entropy = test_numbers(rows, 5), lse;
    for (size_t r = 0; r < rows; r += 2) by_entropy[r] = 0;
    std::vector<HeadRowResult> results(rows);
    head_log_probs_reference(in, head, targets, log_probs.data(), results.data());
    for (const HeadRowResult& r : results) lse.push_back(r.lse);
    const std::vector<TokenGroup> groups = {{0, rows}};
    const size_t weights = (c.vocabulary + 15) / 16 * 16 * c.hidden;
    std::vector<int64_t> expected_dw(weights, 3);
    Tensor expected(rows, c.hidden), plain(rows, c.hidden);
    const FixedGradient expected_grad{expected_dw.data(), 33};
    head_backward_with_entropy_reference(in, head, targets, results, by_entropy, expected.view(),
                                         &expected_grad, groups);
    for_each_instruction_set([&] {
      for (const size_t threads : {1, 3}) {
        Compute compute(threads);
        Tensor dhidden(rows, c.hidden);
        std::vector<int64_t> dw(weights, 3);
        const FixedGradient grad{dw.data(), 33};
        Buffer memory;
        head_backward_with_entropy(compute, in, head, targets, results, by_entropy, dhidden.view(),
                                   &grad, groups, memory);
        EXPECT_EQ(count_different(dhidden.data(), expected.data(), dhidden.size()), 0u);
        EXPECT_EQ(dw, expected_dw);
        EXPECT_LE(memory.bytes(), head_gradient_bytes(rows, c.hidden, c.vocabulary, false));
        const std::vector<float> none(rows, 0.0f);
        head_backward(compute, in, head, targets, lse.data(), plain.view(), nullptr, {}, memory);
        head_backward_with_entropy(compute, in, head, targets, results, none, dhidden.view(),
                                   nullptr, {}, memory);
        for (size_t i = 0; i < dhidden.size(); ++i) ASSERT_EQ(dhidden.data()[i], plain.data()[i]);
      }
    });
  }
}

TEST(EntropyGradient, AgreesWithFiniteDifferences) {
  const HeadCase c{37, 9, 2};
  const PanelMatrix head = random_head(c);
  const std::vector<float> hidden = test_numbers(2 * c.hidden, 2), by_entropy = {0.75f, -1.5f};
  const std::vector<HeadTarget> targets = {{0, 36, 0.5f}};
  const auto loss = [&](const std::vector<double>& x) {
    double total = 0.0;
    for (size_t r = 0; r < 2; ++r) {
      std::vector<float> row(c.hidden);
      std::vector<double> logits;
      double sum = 0.0, entropy = 0.0;
      for (size_t n = 0; n < c.vocabulary; ++n) {
        head.read_row(n, row.data());
        double logit = 0.0;
        for (size_t k = 0; k < c.hidden; ++k) {
          logit += static_cast<double>(row[k]) * x[r * c.hidden + k];
        }
        logits.push_back(logit);
        sum += std::exp(logit);
      }
      for (const double logit : logits) {
        entropy -= std::exp(logit) / sum * (logit - std::log(sum));
      }
      total += static_cast<double>(by_entropy[r]) * entropy;
      if (r == 0) total += 0.5 * (logits[36] - std::log(sum));
    }
    return total;
  };
  Compute compute(2);
  std::vector<float> log_probs(1);
  std::vector<HeadRowResult> results(2);
  const View<const float> in(hidden.data(), 2, c.hidden);
  head_log_probs(compute, in, head, targets, log_probs.data(), results.data());
  Tensor got(2, c.hidden);
  Buffer memory;
  head_backward_with_entropy(compute, in, head, targets, results, by_entropy, got.view(), nullptr,
                             {}, memory);
  for (size_t i = 0; i < hidden.size(); ++i) {
    std::vector<double> up(hidden.begin(), hidden.end()), down(up);
    up[i] += 1e-6;
    down[i] -= 1e-6;
    EXPECT_NEAR(static_cast<double>(got.data()[i]), (loss(up) - loss(down)) / 2e-6, 3e-6);
  }
}

TEST(LogSoftmax, BackwardAgreesWithFiniteDifferences) {
  const HeadCase c{37, 9, 3};
  const PanelMatrix head = random_head(c);
  const std::vector<float> hidden = test_numbers(3 * c.hidden, 2);
  const std::vector<HeadTarget> targets = {{0, 36, 0.5f}, {0, 2, -1.25f}, {2, 7, 2.0f}};
  const auto loss = [&](const std::vector<double>& x) {
    std::vector<float> row(c.hidden);
    double total = 0.0;
    for (const HeadTarget& t : targets) {
      double sum = 0.0, wanted = 0.0;
      for (size_t n = 0; n < c.vocabulary; ++n) {
        head.read_row(n, row.data());
        double logit = 0.0;
        for (size_t k = 0; k < c.hidden; ++k) {
          logit += static_cast<double>(row[k]) * x[t.row * c.hidden + k];
        }
        sum += std::exp(logit);
        if (n == static_cast<size_t>(t.token)) wanted = logit;
      }
      total += static_cast<double>(t.coefficient) * (wanted - std::log(sum));
    }
    return total;
  };
  Compute compute(2);
  std::vector<float> log_probs(targets.size());
  std::vector<HeadRowResult> results(3);
  const View<const float> in(hidden.data(), 3, c.hidden);
  head_log_probs(compute, in, head, targets, log_probs.data(), results.data());
  const float lse[] = {results[0].lse, results[1].lse, results[2].lse};
  Tensor got(3, c.hidden);
  Buffer memory;
  head_backward(compute, in, head, targets, lse, got.view(), nullptr, {}, memory);
  for (size_t i = 0; i < hidden.size(); ++i) {
    std::vector<double> up(hidden.begin(), hidden.end()), down(up);
    up[i] += 1e-6;
    down[i] -= 1e-6;
    EXPECT_NEAR(static_cast<double>(got.data()[i]), (loss(up) - loss(down)) / 2e-6, 2e-6);
  }
}

}  // namespace
}  // namespace hone::tensor
