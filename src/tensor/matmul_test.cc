#include "tensor/matmul.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tensor/matmul_kernels.h"
#include "tensor/quantize.h"

namespace hone::tensor {
namespace {

// Runs a test body under every instruction set that this CPU has and Hone is compiled for.
template <typename Body>
void for_each_target(const Body& body) {
  const int64_t all = hwy::SupportedTargets();
  size_t ran = 0;
  for (int64_t rest = all; rest != 0; rest &= rest - 1) {
    hwy::SetSupportedTargetsForTest(rest & -rest);
    if (matmul_kernels() == nullptr ||
        std::string(instruction_set()) != hwy::TargetName(rest & -rest)) {
      continue;
    }
    SCOPED_TRACE(instruction_set());
    body();
    ++ran;
  }
  hwy::SetSupportedTargetsForTest(0);
  EXPECT_GT(ran, 0u);
}

Tensor random_tensor(size_t rows, size_t cols, std::string_view name) {
  Tensor tensor(rows, cols);
  Rng rng(7, rng_stream(name, rows, cols));
  for (size_t i = 0; i < tensor.size(); ++i) {
    tensor.data()[i] = static_cast<float>(rng.uniform() * 2.0 - 1.0);
  }
  return tensor;
}

// Random bytes with sane scales; types without a writer are made of raw blocks.
std::vector<std::byte> random_source(DataType type, size_t n, size_t k) {
  std::vector<std::byte> bytes(n * storage_bytes(type, k));
  Rng rng(11, rng_stream(info(type).name, n, k));
  const DataTypeInfo& block = info(type);
  for (std::byte& b : bytes) b = static_cast<std::byte>(rng.below(256));
  const auto put_half = [&](std::byte* at) {
    const uint16_t half = f32_to_f16(static_cast<float>(rng.uniform() - 0.5) * 0.1f);
    std::memcpy(at, &half, 2);
  };
  for (size_t i = 0; i < bytes.size(); i += block.block_bytes) {
    std::byte* at = bytes.data() + i;
    switch (type) {
      case DataType::kF32: {
        const auto value = static_cast<float>(rng.uniform() - 0.5);
        std::memcpy(at, &value, 4);
        break;
      }
      case DataType::kBF16: {
        const uint16_t value = f32_to_bf16(static_cast<float>(rng.uniform() - 0.5));
        std::memcpy(at, &value, 2);
        break;
      }
      case DataType::kQ6_K: put_half(at + block.block_bytes - 2); break;
      case DataType::kQ4_1:
      case DataType::kQ5_1:
      case DataType::kQ4_K:
      case DataType::kQ5_K:
        put_half(at);
        put_half(at + 2);
        break;
      case DataType::kF16:
      case DataType::kQ8_0:
      case DataType::kQ4_0:
      case DataType::kQ5_0:
      case DataType::kIQ4_NL: put_half(at); break;
    }
  }
  return bytes;
}

constexpr DataType kAllTypes[] = {DataType::kF32,  DataType::kF16,  DataType::kBF16,
                                  DataType::kQ8_0, DataType::kQ4_0, DataType::kQ4_1,
                                  DataType::kQ5_0, DataType::kQ5_1, DataType::kIQ4_NL,
                                  DataType::kQ4_K, DataType::kQ5_K, DataType::kQ6_K};

std::string difference(const Tensor& got, const Tensor& expected) {
  for (size_t r = 0; r < got.rows(); ++r) {
    for (size_t c = 0; c < got.cols(); ++c) {
      const float a = got.view().row(r)[c], b = expected.view().row(r)[c];
      if (std::memcmp(&a, &b, 4) != 0) {
        return "[" + std::to_string(r) + "][" + std::to_string(c) + "]: " + std::to_string(a) +
               " instead of " + std::to_string(b);
      }
    }
  }
  return "";
}

struct Shape {
  size_t n, k;
};

// K as the type allows it.
std::vector<Shape> shapes_of(DataType type) {
  const size_t block = info(type).block_size;
  if (block == 1) {
    return {{1, 1}, {17, 7}, {48, 33}, {100, 255}, {16, 256}, {33, 257}, {130, 576}};
  }
  if (block == 32) return {{1, 32}, {17, 96}, {48, 256}, {100, 288}, {225, 576}};
  return {{1, 256}, {17, 512}, {100, 768}};
}

TEST(panels, rows_read_back_as_the_file_s_numbers_for_every_type) {
  Compute compute(2);
  for (DataType type : kAllTypes) {
    for (const Shape& s : shapes_of(type)) {
      SCOPED_TRACE(info(type).name);
      const auto source = random_source(type, s.n, s.k);
      const PanelMatrix w = PanelMatrix::pack(compute, type, s.n, s.k, source.data());
      const PanelMatrix f32 = w.to_f32(compute);
      const PanelMatrix copy = w.clone();
      std::vector<float> row(s.k), expected(s.k), converted(s.k), copied(s.k);
      for (size_t n = 0; n < s.n; ++n) {
        w.read_row(n, row.data());
        f32.read_row(n, converted.data());
        copy.read_row(n, copied.data());
        dequantize_row(type, source.data() + n * storage_bytes(type, s.k), s.k, expected.data());
        ASSERT_EQ(row, expected);  // by value: a zero may have the other sign
        ASSERT_EQ(std::memcmp(row.data(), converted.data(), s.k * 4), 0);
        ASSERT_EQ(std::memcmp(row.data(), copied.data(), s.k * 4), 0);
      }
    }
  }
}

TEST(panels, written_rows_lie_where_the_header_says) {
  PanelMatrix w = PanelMatrix::zeros(20, 3);
  ASSERT_EQ(w.f32_size(), 96u);
  const float row[3] = {1, 2, 3};
  w.write_row(17, row);
  for (size_t k = 0; k < 3; ++k) EXPECT_EQ(w.f32()[((17 / 16) * 3 + k) * 16 + 1], row[k]);
  float back[3];
  w.read_row(17, back);
  EXPECT_EQ(back[2], 3.0f);
}

TEST(panels, interleaved_heads_come_back_as_halves) {
  Compute compute(1);
  // Two heads of 4 rows; the file holds pairs (0, 2), (1, 3) side by side.
  std::vector<float> source = {0, 2, 1, 3, 4, 6, 5, 7};
  const PanelMatrix w = PanelMatrix::pack(compute, DataType::kF32, 8, 1,
                                          reinterpret_cast<const std::byte*>(source.data()), {2});
  for (size_t n = 0; n < 8; ++n) {
    float value;
    w.read_row(n, &value);
    EXPECT_EQ(value, static_cast<float>(n));
  }
}

TEST(matmul, every_type_shape_row_count_and_target_equals_the_reference_to_the_bit) {
  for (DataType type : kAllTypes) {
    for (const Shape& s : shapes_of(type)) {
      Compute setup(2);
      const auto source = random_source(type, s.n, s.k);
      const PanelMatrix w = PanelMatrix::pack(setup, type, s.n, s.k, source.data());
      for (size_t m : {1, 2, 3, 7, 13, 15, 31, 32, 33, 130}) {
        const Tensor x = random_tensor(m, s.k, "x");
        Tensor expected(m, s.n);
        const MatmulPart reference{x.view(), &w, expected.view()};
        matmul_reference({&reference, 1});
        for_each_target([&] {
          for (size_t threads : {1, 2, 3}) {
            Compute compute(threads);
            Tensor got(m, s.n);
            const MatmulPart part{x.view(), &w, got.view()};
            matmul(compute, {&part, 1});
            EXPECT_EQ(difference(got, expected), "")
                << info(type).name << " N=" << s.n << " K=" << s.k << " M=" << m << " threads "
                << threads;
          }
        });
      }
    }
  }
}

TEST(matmul, parts_of_different_shapes_types_bias_and_accumulation_share_one_call) {
  Compute compute(2);
  const auto q8 = random_source(DataType::kQ8_0, 70, 96);
  const auto f32 = random_source(DataType::kF32, 33, 300);
  const PanelMatrix a = PanelMatrix::pack(compute, DataType::kQ8_0, 70, 96, q8.data());
  const PanelMatrix b = PanelMatrix::pack(compute, DataType::kF32, 33, 300, f32.data());
  const Tensor bias = random_tensor(1, 70, "bias");
  for (size_t m : {1, 5, 40}) {
    const Tensor x = random_tensor(m, 96, "x"), z = random_tensor(m + 2, 300, "z");
    const Tensor start = random_tensor(m + 2, 40, "start");
    Tensor ya(m, 70), yb = start.clone(), ra(m, 70), rb = start.clone();
    const MatmulPart expected[] = {
        {x.view(), &a, ra.view(), bias.data()},
        {z.view(), &b, rb.view().slice_cols(5, 33), nullptr, true, 0.37f}};
    matmul_reference(expected);
    for_each_target([&] {
      yb = start.clone();
      const MatmulPart parts[] = {
          {x.view(), &a, ya.view(), bias.data()},
          {z.view(), &b, yb.view().slice_cols(5, 33), nullptr, true, 0.37f}};
      matmul(compute, parts);
      EXPECT_EQ(difference(ya, ra), "") << m;
      EXPECT_EQ(difference(yb, rb), "") << m;  // columns outside the slice stay as they were
    });
  }
}

TEST(matmul, a_product_that_follows_another_gives_the_bits_of_two_calls) {
  Compute compute(3);
  const size_t n = 203, k = 300;
  for (const DataType type : {DataType::kQ4_1, DataType::kF32}) {
    const size_t rounded = type == DataType::kF32 ? k : 288;
    const auto source = random_source(type, n, rounded);
    const PanelMatrix w = PanelMatrix::pack(compute, type, n, rounded, source.data());
    for (const size_t rank : {1, 16, 260}) {
      const auto up_source = random_source(DataType::kF32, n, rank);
      const PanelMatrix up = PanelMatrix::pack(compute, DataType::kF32, n, rank, up_source.data());
      const Tensor bias = random_tensor(1, n, "bias");
      for (const size_t m : {1, 5, 40, 131, 600}) {
        const Tensor x = random_tensor(m, rounded, "x"), h = random_tensor(m, rank, "h");
        const Tensor start = random_tensor(m, n, "start");
        for (const bool adds : {false, true}) {
          const auto parts_into = [&](Tensor& y, const MatmulPart* then) {
            y = start.clone();
            return MatmulPart{x.view(), &w,   y.view(), adds ? nullptr : bias.data(),
                              adds,     1.0f, then};
          };
          Tensor apart, expected, together;
          const MatmulPart first = parts_into(apart, nullptr);
          const MatmulPart second = {h.view(), &up, apart.view(), nullptr, true, 0.37f};
          matmul(compute, {&first, 1});
          matmul(compute, {&second, 1});
          if (m == 5) {
            MatmulPart then = second;
            const MatmulPart both = parts_into(expected, &then);
            then.y = expected.view();
            matmul_reference({&both, 1});
            EXPECT_EQ(difference(apart, expected), "");
          }
          for_each_target([&] {
            MatmulPart then = second;
            const MatmulPart both = parts_into(together, &then);
            then.y = together.view();
            matmul(compute, {&both, 1});
            EXPECT_EQ(difference(apart, together), "") << m << " " << rank << " " << adds;
          });
        }
      }
    }
  }
}

TEST(matmul, no_rows_and_no_parts_do_nothing) {
  Compute compute(2);
  const PanelMatrix w = PanelMatrix::zeros(16, 8);
  Tensor x(0, 8), y(0, 16);
  const MatmulPart part{x.view(), &w, y.view()};
  matmul(compute, {&part, 1});
  matmul(compute, {});
}

TEST(matmul_backward_input, equals_the_reference_to_the_bit_for_every_type_and_target) {
  for (DataType type : kAllTypes) {
    for (const Shape& s : shapes_of(type)) {
      Compute setup(2);
      const auto source = random_source(type, s.n, s.k);
      const PanelMatrix w = PanelMatrix::pack(setup, type, s.n, s.k, source.data());
      for (size_t m : {1, 6, 33, 130}) {
        const Tensor dy = random_tensor(m, s.n, "dy");
        const MatmulInputTerm term{dy.view(), &w};
        Tensor expected(m, s.k);
        matmul_backward_input_reference({&term, 1}, expected.view(), false);
        for_each_target([&] {
          for (size_t threads : {1, 2, 3}) {
            Compute compute(threads);
            Tensor got(m, s.k);
            matmul_backward_input(compute, {&term, 1}, got.view(), false);
            EXPECT_EQ(difference(got, expected), "")
                << info(type).name << " N=" << s.n << " K=" << s.k << " M=" << m;
          }
        });
      }
    }
  }
}

TEST(matmul_backward_input, terms_are_complete_sums_added_in_order) {
  Compute compute(2);
  const auto wide = random_source(DataType::kF32, 900, 100);
  const auto narrow = random_source(DataType::kF32, 16, 100);
  const PanelMatrix a = PanelMatrix::pack(compute, DataType::kF32, 900, 100, wide.data());
  const PanelMatrix b = PanelMatrix::pack(compute, DataType::kF32, 16, 100, narrow.data());
  const Tensor da = random_tensor(41, 900, "da"), db = random_tensor(41, 16, "db");
  const MatmulInputTerm terms[] = {{da.view(), &a, 0.7f}, {db.view(), &b, 2.1f}};
  for (bool accumulate : {false, true}) {
    Tensor expected = random_tensor(41, 100, "start");
    matmul_backward_input_reference(terms, expected.view(), accumulate);
    for_each_target([&] {
      Tensor got = random_tensor(41, 100, "start");
      matmul_backward_input(compute, terms, got.view(), accumulate);
      EXPECT_EQ(difference(got, expected), "");
    });
  }
}

size_t padded(size_t n, size_t k) { return divide_up(n, kPanel) * kPanel * k; }

TEST(matmul_backward_weight, equals_the_reference_for_odd_sizes_and_short_groups) {
  const TokenGroup groups[] = {{0, 1}, {1, 8}, {8, 8}, {8, 264}, {270, 400}};
  for (const Shape& s : {Shape{1, 1},
                         {17, 7},
                         {48, 33},
                         {100, 255},
                         {16, 576},
                         {130, 257},
                         {96, 100},
                         {336, 16},
                         {80, 64}}) {
    const Tensor dy = random_tensor(400, s.n, "dy"), x = random_tensor(400, s.k, "x");
    for (int exponent : {12, 40}) {
      std::vector<int64_t> expected(padded(s.n, s.k), 5);
      const FixedStatistics reference = matmul_backward_weight_reference(
          dy.view(), x.view(), groups, {expected.data(), exponent});
      EXPECT_FALSE(reference.overflow);
      for_each_target([&] {
        for (size_t threads : {1, 2, 3}) {
          Compute compute(threads);
          std::vector<int64_t> got(padded(s.n, s.k), 5);
          const FixedStatistics statistics =
              matmul_backward_weight(compute, dy.view(), x.view(), groups, {got.data(), exponent});
          EXPECT_EQ(got, expected) << s.n << " x " << s.k;
          EXPECT_EQ(statistics.flushed_to_zero, reference.flushed_to_zero);
          EXPECT_FALSE(statistics.overflow);
        }
      });
    }
  }
}

TEST(matmul_backward_weights, give_each_dy_of_one_x_the_gradient_that_it_has_alone) {
  std::vector<TokenGroup> groups;  // more tokens than are packed at a time
  for (size_t begin = 0; begin < 1400; begin += 250) {
    groups.push_back({begin, std::min<size_t>(1400, begin + 250)});
  }
  constexpr size_t kWidth = 45;
  const Tensor x = random_tensor(1400, kWidth, "x");
  const size_t widths[] = {17, 16, 130};
  const int exponents[] = {40, 12, 30};
  std::vector<Tensor> dy;
  std::vector<std::vector<int64_t>> expected;
  uint64_t flushed = 0;
  for (size_t i = 0; i < std::size(widths); ++i) {
    dy.push_back(random_tensor(1400, widths[i], "dy"));
    expected.emplace_back(padded(widths[i], kWidth), 5);
    flushed += matmul_backward_weight_reference(dy[i].view(), x.view(), groups,
                                                {expected[i].data(), exponents[i]})
                   .flushed_to_zero;
  }
  for_each_target([&] {
    for (size_t threads : {1, 3}) {
      Compute compute(threads);
      std::vector<std::vector<int64_t>> got;
      std::vector<WeightPart> parts;
      for (size_t i = 0; i < dy.size(); ++i) {
        got.emplace_back(expected[i].size(), 5);
        parts.push_back({dy[i].view(), {got[i].data(), exponents[i]}});
      }
      FixedStatistics statistics = matmul_backward_weights(compute, parts, x.view(), groups);
      EXPECT_EQ(got, expected);
      EXPECT_EQ(statistics.flushed_to_zero, flushed);
      EXPECT_FALSE(statistics.overflow);
      parts[1].gradient.exponent = 50;  // one part's overflow is the call's
      statistics = matmul_backward_weights(compute, parts, x.view(), groups);
      EXPECT_TRUE(statistics.overflow);
    }
  });
}

TEST(matmul_backward_weight, counts_what_rounds_to_zero_and_says_when_it_overflows) {
  Compute compute(2);
  Tensor dy(2, 3), x(2, 2);
  const TokenGroup groups[] = {{0, 1}, {1, 2}};
  dy.data()[0] = 0.5f;  // times 2^-1: half a step rounds to the even 0
  dy.data()[1] = 1.5f;  // 0.75 steps: 1
  x.data()[0] = 1.0f;
  for_each_target([&] {
    std::vector<int64_t> values(padded(3, 2));
    FixedStatistics s =
        matmul_backward_weight(compute, dy.view(), x.view(), groups, {values.data(), 0});
    EXPECT_EQ(s.flushed_to_zero, 1u);
    EXPECT_EQ(values[0], 0);
    EXPECT_EQ(values[1], 2);
    s = matmul_backward_weight(compute, dy.view(), x.view(), groups, {values.data(), 49});
    EXPECT_FALSE(s.overflow);
    s = matmul_backward_weight(compute, dy.view(), x.view(), groups, {values.data(), 50});
    EXPECT_TRUE(s.overflow);
  });
  dy.data()[2] = NAN;
  for_each_target([&] {
    std::vector<int64_t> values(padded(3, 2));
    EXPECT_TRUE(
        matmul_backward_weight(compute, dy.view(), x.view(), groups, {values.data(), 0}).overflow);
  });
}

}  // namespace
}  // namespace hone::tensor
