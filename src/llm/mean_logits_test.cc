#include "llm/mean_logits.h"

#include <gtest/gtest.h>

#include <bit>

#include "llm/testing.h"

namespace hone::llm {
namespace {

TEST(MeanLogits, AreTheMeanOfAllLogitsForAnyNumberOfThreads) {
  Rng rng(1, rng_stream("mean-logits"));
  const size_t vocab = 2500, hidden = 33;  // three blocks, a last panel with padding
  const tensor::PanelMatrix head = testing::random_matrix(rng, vocab, hidden, 0.7);
  const std::vector<float> h = testing::random_vector(rng, hidden, 0.1, 1);
  std::vector<double> sums(hidden);
  std::vector<float> row(hidden);
  double mean = 0;
  for (size_t n = 0; n < vocab; ++n) {
    head.read_row(n, row.data());
    for (size_t k = 0; k < hidden; ++k) {
      mean += static_cast<double>(row[k]) * static_cast<double>(h[k]) / vocab;
    }
  }
  tensor::Compute one(1);
  const std::vector<double> first = mean_head_row(one, head);
  EXPECT_NEAR(static_cast<double>(mean_logit(h.data(), first)), mean, 1e-7);
  for (size_t threads : {2u, 3u}) {
    tensor::Compute compute(threads);
    EXPECT_TRUE(mean_head_row(compute, head) == first) << threads;
  }
}

// The same weights, stored and unpacked: dequantised first, so the same numbers.
TEST(MeanLogits, OfAStoredHeadAreThoseOfItsNumbers) {
  Rng rng(2, rng_stream("mean-logits"));
  tensor::Compute compute(2);
  std::vector<uint16_t> halves(96 * 64);
  for (uint16_t& half : halves) {
    half = static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(rng.normal())) >> 16);
  }
  const tensor::PanelMatrix head = tensor::PanelMatrix::pack(
      compute, tensor::DataType::kBF16, 96, 64, reinterpret_cast<const std::byte*>(halves.data()));
  EXPECT_TRUE(mean_head_row(compute, head) == mean_head_row(compute, head.to_f32(compute)));
}

}  // namespace
}  // namespace hone::llm
