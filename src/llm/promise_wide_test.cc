// The promise on random models of every family: head sizes, groups, vocabularies and widths that
// fill no vector, panel, tile or block. Others will run models that we have not seen.
//
// HONE_PROMISE_CASES=N tries N models instead of the usual 30.

#include <gtest/gtest.h>

#include <cstdlib>

#include "llm/testing_promise.h"
#include "tensor/quantize.h"

namespace hone::llm {
namespace {

using tensor::DataType;
using testing::expect_promise;

struct Case {
  testing::TinyShape shape;
  RopeScaling scaling;
  DataType type = DataType::kF32;
  size_t length = 0;

  std::string text() const {
    const auto word = [](const char* name, size_t value) {
      return " " + std::string(name) + " " + std::to_string(value);
    };
    return std::string(tensor::info(type).name) + word("vocab", shape.vocab) +
           word("hidden", shape.hidden) + word("layers", shape.layers) +
           word("heads", shape.heads) + word("kv", shape.kv_heads) + word("dim", shape.head_dim) +
           word("ff", shape.intermediate) + word("window", shape.window) +
           (shape.tied ? " tied" : "") + (shape.bias ? " bias" : "") +
           (shape.qk_norm ? " norm" : "") + word("rope", static_cast<size_t>(scaling.kind)) +
           word("length", length);
  }
};

template <typename T, size_t N>
T pick(Rng& rng, const T (&values)[N]) {
  return values[rng.below(N)];
}

// Families of the list in model_config.h, with widths that the type can store.
Case random_case(size_t number) {
  Rng rng(31, rng_stream("promise-case", number));
  Case c;
  testing::TinyShape& s = c.shape;
  const size_t family = number % 5;  // llama, llama 3, mistral, qwen2, qwen3
  s.layers = 1 + rng.below(3);
  s.head_dim = pick<size_t>(rng, {2, 6, 8, 20, 40, 64, 80, 96, 100, 128});
  s.kv_heads = 1 + rng.below(3);
  s.heads = s.kv_heads * pick<size_t>(rng, {1, 2, 3, 7});
  c.type = pick(rng, {DataType::kF32, DataType::kF32, DataType::kF16, DataType::kBF16,
                      DataType::kQ8_0, DataType::kQ4_0, DataType::kQ4_1});
  const bool blocks = tensor::info(c.type).block_size > 1;
  // A type of blocks of 32 asks for inputs that divide: hidden, feed-forward and q's width.
  s.hidden = blocks ? pick<size_t>(rng, {32, 96, 288}) : pick<size_t>(rng, {1, 17, 40, 100, 257});
  s.intermediate =
      blocks ? pick<size_t>(rng, {32, 160, 288}) : pick<size_t>(rng, {1, 15, 56, 130, 300});
  if (blocks) s.head_dim = pick<size_t>(rng, {32, 64, 96, 128});
  s.vocab = pick<size_t>(rng, {5, 61, 97, 1000, 1025, 2049});
  s.tied = rng.below(2) == 0;
  s.context = 512;
  c.length = 20 + rng.below(130);
  if (number % 12 == 11) {
    s.vocab = 99991 + rng.below(40);
    s.layers = 1;
    c.length = 12;
  }
  if (family == 1) {
    c.scaling.kind = RopeScalingKind::kLlama3;
    c.scaling.factor = 8;
    c.scaling.original_context_length = 64;
  }
  if (family == 2) s.window = 1 + rng.below(100);
  s.bias = family == 3;
  s.qk_norm = family == 4;
  return c;
}

tensor::PanelMatrix stored_as(tensor::Compute& compute, const tensor::PanelMatrix& matrix,
                              DataType type) {
  const size_t row_bytes = tensor::storage_bytes(type, matrix.cols());
  std::vector<std::byte> bytes(matrix.rows() * row_bytes);
  std::vector<float> row(matrix.cols());
  for (size_t n = 0; n < matrix.rows(); ++n) {
    matrix.read_row(n, row.data());
    tensor::quantize_row(type, row.data(), row.size(), bytes.data() + n * row_bytes);
  }
  return tensor::PanelMatrix::pack(compute, type, matrix.rows(), matrix.cols(), bytes.data());
}

Model model_of(const Case& c, uint64_t seed) {
  Model model = testing::random_model(c.shape, seed);
  model.config.rope_scaling = c.scaling;
  model.config.rope_factors =
      rope_factors_of(c.scaling, model.config.rope_theta, model.config.rope_dim);
  validate(model.config, "random model");
  model.rope =
      tensor::RopeTable(model.config.rope_dim, model.config.rope_theta, tensor::RopeScaling{},
                        model.config.rope_factors, model.config.context_length);
  model.rope.reserve(model.config.context_length);
  if (c.type == DataType::kF32) return model;
  tensor::Compute compute(1);
  model.embedding = stored_as(compute, model.embedding, c.type);
  if (!c.shape.tied) model.lm_head = stored_as(compute, model.lm_head, c.type);
  for (Layer& layer : model.layers) {
    for (Linear& linear : layer.linear) linear.weight = stored_as(compute, linear.weight, c.type);
  }
  return model;
}

size_t case_count() {
  const char* given = std::getenv("HONE_PROMISE_CASES");
  return given == nullptr ? 30 : static_cast<size_t>(std::strtoull(given, nullptr, 10));
}

TEST(WidePromise, HoldsForRandomModelsOfEveryFamily) {
  for (size_t i = 0; i < case_count(); ++i) {
    const Case c = random_case(i);
    SCOPED_TRACE("case " + std::to_string(i) + ": " + c.text());
    const Model model = model_of(c, 100 + i);
    expect_promise(model, nullptr, c.length, c.text());
    if (i % 3 != 0) continue;
    const LoraAdapter adapter = testing::random_adapter(model, 1 + i % 7);
    expect_promise(model, &adapter, c.length / 2 + 3, c.text() + " with adapter");
  }
}

// Trees with shared prompts and plain sequences, some longer than a gradient group.
std::vector<TreeExample> random_batch(Rng& rng, size_t vocab, bool long_ones) {
  std::vector<TreeExample> batch;
  for (size_t i = 0; i < 5; ++i) {
    const size_t length = 2 + rng.below(40);
    if (i % 2 == 0) {
      const size_t all = length + (i == 2 && long_ones ? 300 : 0);
      batch.push_back(testing::all_targets(make_sequence(testing::random_tokens(rng, all, vocab))));
    } else {
      batch.push_back(testing::all_targets(
          make_group(testing::random_tokens(rng, length, vocab),
                     {testing::random_tokens(rng, 1 + rng.below(9), vocab),
                      testing::random_tokens(rng, 1 + rng.below(70), vocab)})));
    }
  }
  return batch;
}

TEST(WidePromise, GradientsOfRandomModelsAreTheSameHoweverTheyAreCut) {
  for (size_t i = 0; i < case_count() / 2; ++i) {
    Case c = random_case(i);
    const bool lora = c.type != DataType::kF32 || i % 2 == 0;
    if (c.shape.vocab > 5000) continue;
    SCOPED_TRACE("case " + std::to_string(i) + ": " + c.text() + (lora ? " lora" : " full"));
    Model model = model_of(c, 200 + i);
    LoraAdapter adapter;
    if (lora) adapter = testing::random_adapter(model, 1 + i % 5);
    Rng rng(5, rng_stream("promise-batch", i));
    const std::vector<TreeExample> batch = random_batch(rng, c.shape.vocab, i % 4 == 1);
    const auto gradients = [&](size_t threads, size_t max_rows, bool recompute) {
      tensor::Compute compute(threads);
      Trainable trainable = lora ? lora_parameters(model, adapter) : full_parameters(model);
      testing::set_exponents(trainable, 30);
      const testing::BatchGradient done = testing::run_batch(
          compute, model, lora ? &adapter : nullptr, trainable, batch, max_rows, recompute,
          [](size_t tree, size_t target) {
            return 0.01f * static_cast<float>((tree * 7 + target * 3) % 11) - 0.04f;
          });
      EXPECT_FALSE(done.overflow);
      return testing::integers_of(trainable);
    };
    const auto expected = gradients(1, 4096, false);
    EXPECT_EQ(gradients(3, 4096, false), expected);
    EXPECT_EQ(gradients(2, 1, false), expected);
    EXPECT_EQ(gradients(2, 300, true), expected);
  }
}

}  // namespace
}  // namespace hone::llm
