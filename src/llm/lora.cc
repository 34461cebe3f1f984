#include "llm/lora.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace hone::llm {

namespace {

std::string short_name(LinearKind kind) {
  const std::string_view module = linear_module(kind);
  return std::string(module.substr(module.find('.') + 1));
}

void check_targets(const LoraOptions& options) {
  for (const std::string& target : options.target_modules) {
    bool known = target == "all-linear";
    std::string names;
    for (size_t k = 0; k < kLinearKinds; ++k) {
      const std::string name = short_name(static_cast<LinearKind>(k));
      known = known || name == target;
      names += (names.empty() ? "" : ", ") + name;
    }
    if (!known) {
      throw invalid_input("--lora-target-modules " + target + " is not a linear layer: choose of " +
                          names + ", or all-linear");
    }
  }
}

bool is_target(const LoraOptions& options, LinearKind kind) {
  const auto& targets = options.target_modules;
  const auto has = [&](const std::string& name) {
    return std::find(targets.begin(), targets.end(), name) != targets.end();
  };
  return targets.empty() || has("all-linear") || has(short_name(kind));
}

}  // namespace

size_t LoraAdapter::max_rank() const {
  size_t rank = 0;
  for (const LoraLayer& layer : layers) {
    for (const LoraPair& pair : layer.pair) rank = std::max(rank, pair.rank());
  }
  return rank;
}

LoraAdapter make_lora(const Model& model, const LoraOptions& options, uint64_t seed) {
  check_targets(options);
  if (options.r == 0 || options.r > 4096) {
    throw invalid_input("--lora-r " + std::to_string(options.r) + " cannot be: choose 1 to 4096");
  }
  const double r = static_cast<double>(options.r);
  const double alpha = options.alpha == 0 ? 2 * r : options.alpha;
  LoraAdapter adapter;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    LoraLayer layer;
    for (size_t k = 0; k < kLinearKinds; ++k) {
      const auto kind = static_cast<LinearKind>(k);
      if (!is_target(options, kind)) continue;
      const tensor::PanelMatrix& weight = model.layers[i][kind].weight;
      LoraPair& pair = layer.pair[k];
      pair.a = tensor::PanelMatrix::zeros(options.r, weight.cols());
      pair.b = tensor::PanelMatrix::zeros(weight.rows(), options.r);
      pair.scale = static_cast<float>(options.use_rslora ? alpha / std::sqrt(r) : alpha / r);
      Rng rng(seed, rng_stream("lora-init", i, k));
      const double bound = 1 / std::sqrt(static_cast<double>(weight.cols()));
      std::vector<float> row(weight.cols());
      for (size_t n = 0; n < options.r; ++n) {
        for (float& value : row) value = static_cast<float>((2 * rng.uniform() - 1) * bound);
        pair.a.write_row(n, row.data());
      }
    }
    adapter.layers.push_back(std::move(layer));
  }
  return adapter;
}

}  // namespace hone::llm
