// The ways into and out of attention's blocks, and head sizes that fill no panel.

#include <cmath>

#include "gtest/gtest.h"
#include "tensor/attention.h"
#include "tensor/attention_backward.h"
#include "tensor/memory.h"
#include "tensor/targets_for_test.h"
#include "tensor/test_numbers.h"

namespace hone::tensor {
namespace {

// One sequence of `length` positions with its blocks.
struct Blocks {
  Buffer memory;
  std::vector<float*> list;
  Blocks(const AttentionShape& shape, size_t length) {
    const size_t piece = shape.kv_head_count * kv_block_floats(shape.head_dim);
    const size_t count = (length + kKvBlock - 1) / kKvBlock;
    memory = Buffer(count * piece * sizeof(float));
    for (size_t b = 0; b < count; ++b) list.push_back(memory.as<float>() + b * piece);
  }
  std::vector<float> floats() const {
    return {memory.as<float>(), memory.as<float>() + memory.bytes() / sizeof(float)};
  }
};

TEST(AttentionBlocks, KeysAndValuesLieWhereTheHeaderSaysAndComeBack) {
  for (const size_t head_dim : {2, 6, 8, 20, 64, 80, 100, 250}) {
    for (const size_t begin : {0, 5, 64}) {
      for (const size_t rows : {1, 15, 40, 90}) {
        const AttentionShape shape{6, 3, head_dim, 1.0f, 0};
        const size_t cols = 3 * head_dim;
        const std::vector<float> k = test_numbers(rows * cols, 1), v = test_numbers(rows * cols, 2);
        const View<const float> keys(k.data(), rows, cols), values(v.data(), rows, cols);
        Blocks expected(shape, begin + rows);
        const AttentionRun plain{0, rows, begin, expected.list.data()};
        store_kv_reference(shape, keys, values, {&plain, 1});
        for (const size_t threads : {1, 2, 3}) {
          Compute compute(threads);
          Blocks got(shape, begin + rows);
          const AttentionRun run{0, rows, begin, got.list.data()};
          store_kv(compute, shape, keys, values, {&run, 1});
          EXPECT_EQ(count_different(got.floats(), expected.floats()), 0u) << head_dim;
          std::vector<float> dk(k.size()), dv(k.size()), other_dk(k.size()), other_dv(k.size());
          float* const* list = got.list.data();
          load_kv_grad(compute, shape, {&run, 1}, {&list, 1}, {dk.data(), rows, cols},
                       {dv.data(), rows, cols});
          load_kv_grad_reference(shape, {&run, 1}, {&list, 1}, {other_dk.data(), rows, cols},
                                 {other_dv.data(), rows, cols});
          EXPECT_EQ(count_different(dk, other_dk) + count_different(dv, other_dv), 0u);
          EXPECT_EQ(dk, k);
          EXPECT_EQ(dv, v);
        }
      }
    }
  }
}

TEST(AttentionBlocks, HeadSizesThatFillNoPanelHaveTheBitsOfTheReference) {
  for_each_instruction_set([] {
    for (const size_t head_dim : {2, 4, 6, 20, 36, 100, 250}) {
      for (const size_t group : {1, 3, 7}) {
        for (const size_t window : {0, 41}) {
          const AttentionShape shape{2 * group, 2, head_dim,
                                     1.0f / std::sqrt(static_cast<float>(head_dim)), window};
          const size_t rows = 83, q_cols = shape.head_count * head_dim, kv_cols = 2 * head_dim;
          const std::vector<float> q = test_numbers(rows * q_cols, 1),
                                   dout = test_numbers(rows * q_cols, 2),
                                   k = test_numbers(rows * kv_cols, 3),
                                   v = test_numbers(rows * kv_cols, 4);
          const View<const float> queries(q.data(), rows, q_cols);
          Blocks blocks(shape, rows);
          const AttentionRun run{0, rows, 0, blocks.list.data()};
          store_kv_reference(shape, {k.data(), rows, kv_cols}, {v.data(), rows, kv_cols},
                             {&run, 1});
          Tensor out(rows, q_cols), lse(rows, shape.head_count), dq(rows, q_cols);
          attention_reference(shape, queries, {&run, 1}, out.view(), lse.view());
          Blocks grads(shape, rows);
          float* const* list = grads.list.data();
          attention_backward_reference(shape, queries, out.view(), lse.view(),
                                       {dout.data(), rows, q_cols}, {&run, 1}, {&list, 1},
                                       dq.view());
          for (const size_t threads : {1, 2, 3}) {
            SCOPED_TRACE(testing::Message() << head_dim << " group " << group << " window "
                                            << window << " threads " << threads);
            Compute compute(threads);
            Tensor got(rows, q_cols), got_lse(rows, shape.head_count), got_dq(rows, q_cols);
            attention(compute, shape, queries, {&run, 1}, got.view(), got_lse.view());
            EXPECT_EQ(count_different(got.data(), out.data(), out.size()), 0u);
            EXPECT_EQ(count_different(got_lse.data(), lse.data(), lse.size()), 0u);
            Blocks got_grads(shape, rows);
            float* const* got_list = got_grads.list.data();
            attention_backward(compute, shape, queries, out.view(), lse.view(),
                               {dout.data(), rows, q_cols}, {&run, 1}, {&got_list, 1},
                               got_dq.view());
            EXPECT_EQ(count_different(got_dq.data(), dq.data(), dq.size()), 0u);
            std::vector<float> dk(k.size()), dv(k.size()), want_dk(k.size()), want_dv(k.size());
            load_kv_grad_reference(shape, {&run, 1}, {&got_list, 1}, {dk.data(), rows, kv_cols},
                                   {dv.data(), rows, kv_cols});
            load_kv_grad_reference(shape, {&run, 1}, {&list, 1}, {want_dk.data(), rows, kv_cols},
                                   {want_dv.data(), rows, kv_cols});
            EXPECT_EQ(count_different(dk, want_dk) + count_different(dv, want_dv), 0u);
          }
        }
      }
    }
  });
}

}  // namespace
}  // namespace hone::tensor
