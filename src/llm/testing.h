#pragma once
// What the tests of llm and train share: tiny models from tests/golden/torch, and random ones with
// any shape. Tests run in the root of the source tree.

#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/error.h"
#include "base/json.h"
#include "base/rng.h"
#include "llm/formats/model_file.h"
#include "llm/forward.h"
#include "llm/lora.h"
#include "llm/model.h"
#include "llm/scoring.h"
#include "llm/trainable.h"
#include "llm/training_pass.h"
#include "llm/tree_scoring.h"
#include "tensor/log_softmax.h"
#include "tensor/matmul.h"

namespace hone::llm::testing {

inline const std::string kGolden = "tests/golden/torch/";
inline const std::vector<std::string> kGoldenModels = {"llama_tied", "llama_untied", "llama3",
                                                       "mistral",    "qwen2",        "qwen3"};

inline Json read_json(const std::string& path) {
  return Json::parse(real_env().read_file(path, 1u << 30)).value();
}

inline std::vector<int32_t> ints_of(const Json& array) {
  std::vector<int32_t> out;
  for (const Json& value : array.as_array()) out.push_back(static_cast<int32_t>(value.as_int()));
  return out;
}

inline std::vector<double> doubles_of(const Json& array) {
  std::vector<double> out;
  for (const Json& value : array.as_array()) out.push_back(value.as_double());
  return out;
}

// The message that act() throws, or "accepted".
inline std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

inline Model load(tensor::Compute& compute, const std::string& path) {
  return load_model(compute, *ModelFile::open(path));
}

inline Model load_golden(tensor::Compute& compute, const std::string& name) {
  return load(compute, kGolden + name);
}

// A folder of this test's own, empty at first and gone at the end.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name)
      : path_((std::filesystem::temp_directory_path() / ("hone_test_" + name)).string()) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct TinyShape {
  size_t vocab = 96, hidden = 32, layers = 2, heads = 4, kv_heads = 2, head_dim = 8;
  size_t intermediate = 56, window = 0, context = 512;
  bool tied = true, bias = false, qk_norm = false;
};

inline tensor::PanelMatrix random_matrix(Rng& rng, size_t rows, size_t cols, double size) {
  tensor::PanelMatrix matrix = tensor::PanelMatrix::zeros(rows, cols);
  std::vector<float> row(cols);
  for (size_t n = 0; n < rows; ++n) {
    for (float& value : row) value = static_cast<float>(size * rng.normal());
    matrix.write_row(n, row.data());
  }
  return matrix;
}

inline std::vector<float> random_vector(Rng& rng, size_t n, double mean, double size) {
  std::vector<float> out(n);
  for (float& value : out) value = static_cast<float>(mean + size * rng.normal());
  return out;
}

inline Model random_model(const TinyShape& shape, uint64_t seed = 7) {
  Model model;
  ModelConfig& config = model.config;
  config.architecture = shape.qk_norm ? "qwen3" : shape.bias ? "qwen2" : "llama";
  config.vocab_size = shape.vocab;
  config.hidden_size = shape.hidden;
  config.context_length = shape.context;
  config.rms_norm_eps = 1e-5f;
  config.rope_theta = 10000;
  config.rope_dim = shape.head_dim;
  config.tie_word_embeddings = shape.tied;
  Rng rng(seed, rng_stream("tiny-model"));
  model.embedding = random_matrix(rng, shape.vocab, shape.hidden, 0.5);
  if (!shape.tied) model.lm_head = random_matrix(rng, shape.vocab, shape.hidden, 0.5);
  model.final_norm = random_vector(rng, shape.hidden, 1, 0.2);
  for (size_t i = 0; i < shape.layers; ++i) {
    LayerConfig layer;
    layer.head_count = shape.heads;
    layer.kv_head_count = shape.kv_heads;
    layer.head_dim = shape.head_dim;
    layer.sliding_window = shape.window;
    layer.qkv_bias = shape.bias;
    layer.qk_norm = shape.qk_norm;
    layer.intermediate_size = shape.intermediate;
    config.layers.push_back(layer);
    const size_t h = shape.hidden, q = shape.heads * shape.head_dim;
    const size_t kv = shape.kv_heads * shape.head_dim, f = shape.intermediate;
    const std::pair<size_t, size_t> sizes[] = {{q, h}, {kv, h}, {kv, h}, {h, q},
                                               {f, h}, {f, h},  {h, f}};
    Layer weights;
    weights.attention_norm = random_vector(rng, h, 1, 0.2);
    weights.mlp_norm = random_vector(rng, h, 1, 0.2);
    if (shape.qk_norm) {
      weights.q_norm = random_vector(rng, shape.head_dim, 1, 0.2);
      weights.k_norm = random_vector(rng, shape.head_dim, 1, 0.2);
    }
    for (size_t k = 0; k < kLinearKinds; ++k) {
      const auto [out, in] = sizes[k];
      weights.linear[k].weight =
          random_matrix(rng, out, in, 1.2 / std::sqrt(static_cast<double>(in)));
      if (shape.bias && k < 3) weights.linear[k].bias = random_vector(rng, out, 0, 0.3);
    }
    model.layers.push_back(std::move(weights));
  }
  model.rope = tensor::RopeTable(config.rope_dim, config.rope_theta, tensor::RopeScaling{},
                                 config.rope_factors, config.context_length);
  model.rope.reserve(config.context_length);
  return model;
}

// An adapter on all seven maps whose B is not zero.
inline LoraAdapter random_adapter(const Model& model, size_t r, uint64_t seed = 3) {
  LoraOptions options;
  options.r = r;
  LoraAdapter adapter = make_lora(model, options, seed);
  Rng rng(seed, rng_stream("tiny-adapter"));
  for (LoraLayer& layer : adapter.layers) {
    for (LoraPair& pair : layer.pair) {
      if (!pair.empty()) pair.b = random_matrix(rng, pair.b.rows(), pair.b.cols(), 0.2);
    }
  }
  return adapter;
}

inline std::vector<int32_t> random_tokens(Rng& rng, size_t count, size_t vocab) {
  std::vector<int32_t> tokens(count);
  for (int32_t& token : tokens) token = static_cast<int32_t>(rng.below(vocab));
  return tokens;
}

inline std::vector<float> log_probs_of(tensor::Compute& compute, const Model& model,
                                       const LoraAdapter* adapter,
                                       const std::vector<int32_t>& tokens,
                                       const ScoreOptions& options = {}) {
  std::vector<float> out;
  score_rows(compute, model, adapter, {&tokens, 1}, options,
             [&](size_t, const ScoredTokens& scored) { out = scored.log_probs; });
  return out;
}

// Logits of every position, one vector each.
inline std::vector<std::vector<float>> logits_of(tensor::Compute& compute, const Model& model,
                                                 const LoraAdapter* adapter,
                                                 const std::vector<int32_t>& tokens) {
  KvCache cache(model.config, KvCache::pages_for(tokens.size()));
  Workspace workspace(model, adapter, tokens.size());
  const KvCache::SequenceId sequence = cache.create();
  if (!cache.extend(sequence, tokens.size())) throw invalid_input("no page");
  Rows rows;
  rows.append(sequence, 0, tokens);
  const auto hidden = forward(compute, model, adapter, rows, cache, workspace);
  tensor::Tensor logits(tokens.size(), model.config.vocab_size);
  const tensor::MatmulPart head = {hidden, &model.head(), logits.view(), nullptr, false, 1.0f};
  tensor::matmul(compute, {&head, 1});
  std::vector<std::vector<float>> out;
  for (size_t r = 0; r < tokens.size(); ++r) {
    out.emplace_back(logits.view().row(r), logits.view().row(r) + logits.cols());
  }
  return out;
}

// Every token of the tree but those that nothing predicts.
inline TreeExample all_targets(TokenTree tree) {
  TreeExample example{std::move(tree), {}};
  for (uint32_t n = 0; n < example.tree.nodes.size(); ++n) {
    size_t before = 0;
    for (int32_t p = example.tree.nodes[n].parent; p >= 0;
         p = example.tree.nodes[static_cast<size_t>(p)].parent) {
      before += example.tree.nodes[static_cast<size_t>(p)].tokens.size();
    }
    const size_t count = example.tree.nodes[n].tokens.size();
    for (uint32_t i = before == 0 ? 1 : 0; i < count; ++i) example.targets.push_back({n, i});
  }
  return example;
}

// Gradients of one batch: coefficients per target, exponents as they stand in `trainable`.
struct BatchGradient {
  std::vector<std::vector<float>> log_probs;  // per tree
  bool overflow = false;
  size_t passes = 0;
};
using Coefficient = std::function<float(size_t tree, size_t target)>;
inline BatchGradient run_batch(tensor::Compute& compute, const Model& model,
                               const LoraAdapter* adapter, Trainable& trainable,
                               const std::vector<TreeExample>& batch, size_t max_rows,
                               bool recompute, const Coefficient& coefficient, bool known = false) {
  TrainingPass pass(compute, model, adapter, std::max(max_rows, least_pass_rows(batch)),
                    PassOptions{recompute, false, known});
  BatchGradient out;
  out.log_probs.resize(batch.size());
  for_each_pass(batch, pass.max_rows(), [&](const PlannedPass& planned) {
    std::vector<float> before;
    for (size_t t = 0; known && t < planned.count; ++t) {
      const size_t targets = planned.target_begin[t + 1] - planned.target_begin[t];
      for (size_t i = 0; i < targets; ++i) before.push_back(coefficient(planned.first + t, i));
    }
    const auto loss = [&](const PassResult& result, std::span<float> coefficients) {
      for (size_t t = 0; t < planned.count; ++t) {
        const auto here = planned.result_of(t, result).log_probs;
        out.log_probs[planned.first + t].assign(here.begin(), here.end());
        for (size_t i = 0; i < here.size(); ++i) {
          coefficients[planned.target_begin[t] + i] = coefficient(planned.first + t, i);
        }
      }
    };
    ++out.passes;
    out.overflow =
        pass.run(planned.rows, planned.targets, loss, trainable, nullptr, before).overflow ||
        out.overflow;
    return true;
  });
  return out;
}

inline void set_exponents(Trainable& trainable, int exponent) {
  for (Parameter& p : trainable.parameters) p.exponent = exponent;
}

// Place of entry (row, col) in a parameter's values and gradient (tensor/panels.h).
inline size_t place_of(const Parameter& p, size_t row, size_t col) {
  return p.panels ? ((row / 16) * p.cols + col) * 16 + row % 16 : row;
}

inline double gradient_at(const Parameter& p, size_t row, size_t col) {
  return static_cast<double>(p.factor) * static_cast<double>(p.fixed()[place_of(p, row, col)]) *
         std::ldexp(1.0, -p.exponent);
}

inline double gradient_norm(const Parameter& p) {
  double squares = 0;
  for (size_t r = 0; r < p.rows; ++r) {
    for (size_t c = 0; c < p.cols; ++c) squares += std::pow(gradient_at(p, r, c), 2);
  }
  return std::sqrt(squares);
}

inline double value_norm(const Parameter& p) {
  double squares = 0;
  for (size_t i = 0; i < p.size; ++i) squares += std::pow(static_cast<double>(p.values[i]), 2);
  return std::sqrt(squares);
}

inline std::vector<std::vector<int64_t>> integers_of(const Trainable& trainable) {
  std::vector<std::vector<int64_t>> out;
  for (const Parameter& p : trainable.parameters) {
    out.emplace_back(p.fixed(), p.fixed() + p.size);
  }
  return out;
}

inline std::vector<std::vector<float>> values_of(const Trainable& trainable) {
  std::vector<std::vector<float>> out;
  for (const Parameter& p : trainable.parameters) out.emplace_back(p.values, p.values + p.size);
  return out;
}

}  // namespace hone::llm::testing
