#include "tensor/attention_backward.h"

#include <cmath>

#include "gtest/gtest.h"
#include "tensor/attention_layout.h"
#include "tensor/targets_for_test.h"
#include "tensor/test_numbers.h"

namespace hone::tensor {
namespace {

// A trunk and branches that share its blocks; every run's rows follow one another in q.
struct Tree {
  AttentionShape shape;
  size_t rows = 0, piece;
  std::vector<float> q, k, v, dout;
  Buffer memory;
  std::vector<std::vector<float*>> blocks;
  std::vector<std::vector<size_t>> block_numbers;
  std::vector<AttentionRun> runs;

  Tree(AttentionShape s, size_t trunk, std::vector<size_t> branches) : shape(s) {
    piece = s.kv_head_count * kv_block_floats(s.head_dim);
    const size_t shared = trunk / kKvBlock;
    size_t count = 0;
    const auto add_run = [&](size_t begin, size_t length) {
      std::vector<size_t> numbers;
      for (size_t b = 0; b * kKvBlock < begin + length; ++b) {
        numbers.push_back(b < shared && !block_numbers.empty() ? b : count++);
      }
      block_numbers.push_back(numbers);
      runs.push_back({rows, length, begin, nullptr});
      rows += length;
    };
    add_run(0, trunk);
    for (const size_t length : branches) add_run(shared * kKvBlock, length);
    memory = Buffer(count * piece * sizeof(float));
    for (const auto& numbers : block_numbers) {
      blocks.emplace_back();
      for (const size_t n : numbers) blocks.back().push_back(memory.as<float>() + n * piece);
    }
    for (size_t i = 0; i < runs.size(); ++i) runs[i].blocks = blocks[i].data();
    q = test_numbers(rows * s.head_count * s.head_dim, 1);
    dout = test_numbers(q.size(), 2);
    k = test_numbers(rows * s.kv_head_count * s.head_dim, 3);
    v = test_numbers(k.size(), 4);
  }
  View<float> heads(std::vector<float>& x) { return {x.data(), rows, x.size() / rows}; }
};

struct Gradients {
  std::vector<float> out, lse, dq, dk, dv;
};

Gradients run_backward(Tree& t, size_t threads, bool reference) {
  Compute compute(threads);
  Gradients g;
  g.out.resize(t.q.size());
  g.dq.resize(t.q.size());
  g.lse.resize(t.rows * t.shape.head_count);
  g.dk.resize(t.k.size());
  g.dv.resize(t.k.size());
  store_kv(compute, t.shape, t.heads(t.k), t.heads(t.v), t.runs);
  attention(compute, t.shape, t.heads(t.q), t.runs, t.heads(g.out), t.heads(g.lse));
  Buffer grads(t.memory.bytes());
  std::vector<std::vector<float*>> lists;
  std::vector<float* const*> pointers;
  for (const auto& numbers : t.block_numbers) {
    lists.emplace_back();
    for (const size_t n : numbers) lists.back().push_back(grads.as<float>() + n * t.piece);
  }
  for (const auto& list : lists) pointers.push_back(list.data());
  if (reference) {
    attention_backward_reference(t.shape, t.heads(t.q), t.heads(g.out), t.heads(g.lse),
                                 t.heads(t.dout), t.runs, pointers, t.heads(g.dq));
  } else {
    attention_backward(compute, t.shape, t.heads(t.q), t.heads(g.out), t.heads(g.lse),
                       t.heads(t.dout), t.runs, pointers, t.heads(g.dq));
  }
  load_kv_grad(compute, t.shape, t.runs, pointers, t.heads(g.dk), t.heads(g.dv));
  return g;
}

TEST(AttentionBackward, EqualsReferenceToTheBitForTreesWindowsAndThreads) {
  for_each_instruction_set([] {
    for (const size_t group : {1, 3, 8}) {
      for (const size_t head_dim : {8, 64, 80}) {
        for (const size_t window : {0, 50}) {
          const AttentionShape shape{2 * group, 2, head_dim, 0.3f, window};
          Tree t(shape, 130, {70, 3, 25});
          const Gradients expected = run_backward(t, 1, true);
          for (const size_t threads : {1, 3}) {
            const Gradients got = run_backward(t, threads, false);
            EXPECT_EQ(count_different(got.dq, expected.dq), 0u) << group << " " << head_dim;
            EXPECT_EQ(count_different(got.dk, expected.dk), 0u) << group << " " << head_dim;
            EXPECT_EQ(count_different(got.dv, expected.dv), 0u) << group << " " << head_dim;
          }
        }
      }
    }
  });
}

double naive_loss(const Tree& t, const std::vector<double>& q, const std::vector<double>& k,
                  const std::vector<double>& v) {
  const AttentionShape& s = t.shape;
  const size_t n = s.head_dim;
  const size_t q_cols = s.head_count * n, kv_cols = s.kv_head_count * n;
  double loss = 0.0;
  for (size_t row = 0; row < t.rows; ++row) {
    for (size_t h = 0; h < s.head_count; ++h) {
      const size_t kv = h / (s.head_count / s.kv_head_count) * n;
      double sum = 0.0, part = 0.0;
      for (size_t j = 0; j <= row; ++j) {
        double dot = 0.0, value = 0.0;
        for (size_t d = 0; d < n; ++d) {
          dot += q[row * q_cols + h * n + d] * k[j * kv_cols + kv + d];
          value += v[j * kv_cols + kv + d] * static_cast<double>(t.dout[row * q_cols + h * n + d]);
        }
        const double weight = std::exp(dot * static_cast<double>(s.scale));
        sum += weight;
        part += weight * value;
      }
      loss += part / sum;
    }
  }
  return loss;
}

TEST(AttentionBackward, AgreesWithFiniteDifferencesOfPlainAttention) {
  Tree t({4, 2, 8, 0.5f, 0}, 9, {});
  const Gradients got = run_backward(t, 2, false);
  std::vector<double> values[3] = {
      {t.q.begin(), t.q.end()}, {t.k.begin(), t.k.end()}, {t.v.begin(), t.v.end()}};
  const std::vector<float>* gradients[3] = {&got.dq, &got.dk, &got.dv};
  for (size_t which = 0; which < 3; ++which) {
    for (size_t i = 0; i < values[which].size(); ++i) {
      const double at = values[which][i];
      values[which][i] = at + 1e-5;
      const double up = naive_loss(t, values[0], values[1], values[2]);
      values[which][i] = at - 1e-5;
      const double down = naive_loss(t, values[0], values[1], values[2]);
      values[which][i] = at;
      EXPECT_NEAR(static_cast<double>((*gradients[which])[i]), (up - down) / 2e-5, 2e-5);
    }
  }
}

}  // namespace
}  // namespace hone::tensor
