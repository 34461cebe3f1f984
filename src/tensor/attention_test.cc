#include "tensor/attention.h"

#include <cmath>

#include "gtest/gtest.h"
#include "tensor/attention_layout.h"
#include "tensor/targets_for_test.h"
#include "tensor/test_numbers.h"

namespace hone::tensor {
namespace {

struct Sequence {
  AttentionShape shape;
  size_t length;
  std::vector<float> q, k, v;
  Buffer memory;
  std::vector<float*> blocks;

  Sequence(AttentionShape s, size_t n, uint64_t seed)
      : shape(s),
        length(n),
        q(test_numbers(n * s.head_count * s.head_dim, seed)),
        k(test_numbers(n * s.kv_head_count * s.head_dim, seed + 1)),
        v(test_numbers(n * s.kv_head_count * s.head_dim, seed + 2)) {
    for (float& value : q) value *= 4.0f;
    const size_t piece = s.kv_head_count * kv_block_floats(s.head_dim);
    const size_t count = (n + kKvBlock - 1) / kKvBlock;
    memory = Buffer(count * piece * sizeof(float));
    for (size_t b = 0; b < count; ++b) blocks.push_back(memory.as<float>() + b * piece);
  }
  size_t q_cols() const { return shape.head_count * shape.head_dim; }
  size_t kv_cols() const { return shape.kv_head_count * shape.head_dim; }
  View<const float> queries(size_t begin, size_t count) const {
    return View<const float>(q.data(), length, q_cols()).slice_rows(begin, count);
  }
  void store(Compute& compute, size_t begin, size_t count) {
    const AttentionRun run{0, count, begin, blocks.data()};
    store_kv(compute, shape,
             View<const float>(k.data(), length, kv_cols()).slice_rows(begin, count),
             View<const float>(v.data(), length, kv_cols()).slice_rows(begin, count), {&run, 1});
  }
  // Writes and attends to pieces of these lengths, over and over until the end.
  std::vector<float> attend(Compute& compute, const std::vector<size_t>& pieces,
                            std::vector<float>& lse) {
    std::vector<float> out(q.size());
    lse.assign(length * shape.head_count, 0.0f);
    size_t at = 0;
    for (size_t i = 0; at < length; ++i) {
      const size_t count = std::min(pieces[i % pieces.size()], length - at);
      store(compute, at, count);
      const AttentionRun run{0, count, at, blocks.data()};
      attention(compute, shape, queries(at, count), {&run, 1},
                {out.data() + at * q_cols(), count, q_cols()},
                {lse.data() + at * shape.head_count, count, shape.head_count});
      at += count;
    }
    return out;
  }
};

AttentionShape make_shape(size_t group, size_t head_dim, size_t window) {
  return {2 * group, 2, head_dim, 1.0f / std::sqrt(static_cast<float>(head_dim)), window};
}

TEST(Attention, IsTheSameToTheBitForPrefillDecodeChunksThreadsAndReference) {
  for_each_instruction_set([] {
    for (const size_t group : {1, 3, 4, 8}) {
      for (const size_t head_dim : {64, 80, 128, 8}) {
        for (const size_t window : {0, 70}) {
          const size_t length = head_dim == 64 ? 203 : 135;
          Sequence s(make_shape(group, head_dim, window), length, 11);
          Compute one(1), two(2), five(5);
          std::vector<float> lse, other_lse;
          const std::vector<float> prefill = s.attend(one, {length}, lse);
          std::vector<float> expected(prefill.size()), expected_lse(lse.size());
          const AttentionRun run{0, length, 0, s.blocks.data()};
          attention_reference(s.shape, s.queries(0, length), {&run, 1},
                              {expected.data(), length, s.q_cols()},
                              {expected_lse.data(), length, s.shape.head_count});
          EXPECT_EQ(count_different(prefill, expected), 0u) << group << " " << head_dim;
          EXPECT_EQ(count_different(lse, expected_lse), 0u);
          EXPECT_EQ(count_different(prefill, s.attend(two, {1}, other_lse)), 0u);
          EXPECT_EQ(count_different(lse, other_lse), 0u);
          EXPECT_EQ(count_different(prefill, s.attend(five, {17, 1, 64, 5}, other_lse)), 0u);
          EXPECT_EQ(count_different(lse, other_lse), 0u);
        }
      }
    }
  });
}

TEST(Attention, SharedBlocksAndManyRunsGiveTheBitsOfSingleSequences) {
  Compute two(2), one(1);
  Sequence trunk(make_shape(3, 64, 0), 128, 21);
  std::vector<float> lse;
  trunk.attend(one, {128}, lse);
  constexpr size_t kBranches = 9, kRows = 5;
  std::vector<Sequence> branches;
  std::vector<AttentionRun> runs;
  std::vector<float> q;
  for (size_t i = 0; i < kBranches; ++i) {
    branches.emplace_back(trunk.shape, 3 * kKvBlock, 100 + i);
    branches[i].blocks[0] = trunk.blocks[0];
    branches[i].blocks[1] = trunk.blocks[1];
    branches[i].store(one, 128, kRows);
    const float* rows = branches[i].queries(128, kRows).data;
    q.insert(q.end(), rows, rows + kRows * trunk.q_cols());
  }
  for (size_t i = 0; i < kBranches; ++i) {
    runs.push_back({i * kRows, kRows, 128, branches[i].blocks.data()});
  }
  std::vector<float> together(q.size()), alone(q.size());
  attention(two, trunk.shape, {q.data(), kBranches * kRows, trunk.q_cols()}, runs,
            {together.data(), kBranches * kRows, trunk.q_cols()}, {});
  for (const AttentionRun& run : runs) {
    attention(one, trunk.shape, {q.data(), kBranches * kRows, trunk.q_cols()}, {&run, 1},
              {alone.data(), kBranches * kRows, trunk.q_cols()}, {});
  }
  EXPECT_EQ(count_different(together, alone), 0u);
}

TEST(Attention, AgreesWithSoftmaxInDoublePrecision) {
  constexpr size_t kLength = 150;
  Sequence s(make_shape(2, 16, 90), kLength, 31);
  Compute compute(2);
  std::vector<float> lse;
  const std::vector<float> out = s.attend(compute, {kLength}, lse);
  for (size_t row = 0; row < kLength; ++row) {
    for (size_t h = 0; h < 4; ++h) {
      std::vector<double> weight(row + 1), expected(16);
      double sum = 0.0;
      for (size_t j = row < 90 ? 0 : row - 89; j <= row; ++j) {
        double dot = 0.0;
        for (size_t d = 0; d < 16; ++d) {
          dot += static_cast<double>(s.q[row * 64 + h * 16 + d]) *
                 static_cast<double>(s.k[j * 32 + h / 2 * 16 + d]);
        }
        weight[j] = std::exp(dot * 0.25);
        sum += weight[j];
        for (size_t d = 0; d < 16; ++d) {
          expected[d] += weight[j] * static_cast<double>(s.v[j * 32 + h / 2 * 16 + d]);
        }
      }
      EXPECT_NEAR(static_cast<double>(lse[row * 4 + h]), std::log(sum), 2e-6);
      for (size_t d = 0; d < 16; ++d) {
        EXPECT_NEAR(static_cast<double>(out[row * 64 + h * 16 + d]), expected[d] / sum, 2e-6);
      }
    }
  }
}

}  // namespace
}  // namespace hone::tensor
