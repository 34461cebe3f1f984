#include "llm/lora.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "llm/dora.h"
#include "llm/formats/adapter.h"
#include "llm/formats/gguf.h"
#include "llm/formats/safetensors.h"
#include "tensor/memory.h"
#include "tensor/panel_bytes.h"

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

uint64_t LoraAdapter::bytes() const {
  uint64_t sum = 0;
  for (const LoraLayer& layer : layers) {
    for (const LoraPair& pair : layer.pair) {
      sum += tensor::mapped_bytes(pair.a.bytes()) + tensor::mapped_bytes(pair.b.bytes());
    }
  }
  return sum;
}

uint64_t planned_lora_bytes(Env& env, const std::string& directory) {
  uint64_t sum = 0;
  if (env.is_file(directory)) {
    const auto file = GgufFile::open(directory);
    for (const GgufTensor& tensor : file->tensors()) {
      if (tensor.dimensions != 2) continue;
      sum += tensor::mapped_bytes(
          tensor::packed_bytes(tensor::DataType::kF32, tensor.rows, tensor.cols));
    }
    return sum;
  }
  for (const SafetensorsEntry& tensor :
       read_safetensors_layout(env, directory + "/adapter_model.safetensors")) {
    if (tensor.shape.size() != 2) continue;
    sum += tensor::mapped_bytes(
        tensor::packed_bytes(tensor::DataType::kF32, tensor.shape[0], tensor.shape[1]));
  }
  return sum;
}

LoraAdapter make_lora(const Model& model, const LoraOptions& options, uint64_t seed) {
  check_targets(options);
  if (options.r == 0 || options.r > 4096) {
    throw invalid_input("--lora-r " + std::to_string(options.r) + " cannot be: choose 1 to 4096");
  }
  const double alpha = options.alpha == 0 ? 2 * static_cast<double>(options.r) : options.alpha;
  LoraAdapter adapter;
  adapter.use_rslora = options.use_rslora;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    LoraLayer layer;
    for (size_t k = 0; k < kLinearKinds; ++k) {
      const auto kind = static_cast<LinearKind>(k);
      if (!is_target(options, kind)) continue;
      const tensor::PanelMatrix& weight = model.layers[i][kind].weight;
      LoraPair& pair = layer.pair[k];
      pair.a = tensor::PanelMatrix::zeros(options.r, weight.cols());
      pair.b = tensor::PanelMatrix::zeros(weight.rows(), options.r);
      pair.alpha = alpha;
      pair.scale = lora_scale(alpha, options.r, options.use_rslora);
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

namespace {

// "model.layers.3.self_attn.q_proj" -> the layer and the map; read_adapter has refused the rest.
LoraPair& pair_of(LoraAdapter& adapter, const std::string& module) {
  constexpr std::string_view kLayers = "model.layers.";
  constexpr size_t kPrefix = kLayers.size();
  const bool is_of_a_layer = module.starts_with(kLayers);
  const size_t dot = is_of_a_layer ? module.find('.', kPrefix) : 0;
  const size_t layer = is_of_a_layer ? std::stoul(module.substr(kPrefix, dot - kPrefix)) : 0;
  for (size_t k = 0; is_of_a_layer && k < kLinearKinds; ++k) {
    if (module.substr(dot + 1) == linear_module(static_cast<LinearKind>(k))) {
      return adapter.layers.at(layer).pair[k];
    }
  }
  throw invalid_input("the adapter changes " + module + ", which is not a linear layer of Hone's");
}

}  // namespace

LoraAdapter load_lora(const Model& model, const std::string& directory) {
  const Adapter file = read_adapter(directory, model.config);
  LoraAdapter adapter;
  adapter.use_rslora = file.use_rslora;
  adapter.use_dora = file.use_dora;
  adapter.layers.resize(model.config.layers.size());
  for (const LoraTensorPair& from : file.pairs) {
    LoraPair& to = pair_of(adapter, from.module);
    to.a = tensor::PanelMatrix::zeros(from.r, from.in);
    to.b = tensor::PanelMatrix::zeros(from.out, from.r);
    for (size_t n = 0; n < from.r; ++n) to.a.write_row(n, from.a.data() + n * from.in);
    for (size_t n = 0; n < from.out; ++n) to.b.write_row(n, from.b.data() + n * from.r);
    to.scale = from.scale;
    to.alpha = from.alpha;
    to.magnitude = from.magnitude;
  }
  if (!file.score.empty()) {
    adapter.score = tensor::PanelMatrix::zeros(1, file.score.size());
    adapter.score.write_row(0, file.score.data());
  }
  if (adapter.use_dora && !model.layers.empty()) {
    tensor::Compute compute(1);
    refresh_dora(compute, model, adapter);
  }
  return adapter;
}

void save_lora(Env& env, const std::string& directory, const LoraAdapter& adapter,
               const std::string& base_model) {
  Adapter file;
  file.base_model = base_model;
  file.use_rslora = adapter.use_rslora;
  file.use_dora = adapter.use_dora;
  for (size_t i = 0; i < adapter.layers.size(); ++i) {
    for (size_t k = 0; k < kLinearKinds; ++k) {
      const auto kind = static_cast<LinearKind>(k);
      const LoraPair& from = adapter.layers[i].pair[k];
      if (from.empty()) continue;
      LoraTensorPair to;
      to.module = "model.layers." + std::to_string(i) + "." + std::string(linear_module(kind));
      to.r = from.rank();
      to.in = from.a.cols();
      to.out = from.b.rows();
      to.alpha = from.alpha;
      to.scale = from.scale;
      to.magnitude = from.magnitude;
      to.a.resize(to.r * to.in);
      to.b.resize(to.out * to.r);
      for (size_t n = 0; n < to.r; ++n) from.a.read_row(n, to.a.data() + n * to.in);
      for (size_t n = 0; n < to.out; ++n) from.b.read_row(n, to.b.data() + n * to.r);
      const std::string name = short_name(kind);
      if (std::find(file.target_modules.begin(), file.target_modules.end(), name) ==
          file.target_modules.end()) {
        file.target_modules.push_back(name);
      }
      file.r = to.r;
      file.alpha = to.alpha;
      file.pairs.push_back(std::move(to));
    }
  }
  if (adapter.score.rows() > 0) {
    file.score.resize(adapter.score.cols());
    adapter.score.read_row(0, file.score.data());
  }
  std::sort(file.pairs.begin(), file.pairs.end(),
            [](const auto& a, const auto& b) { return a.module < b.module; });
  std::sort(file.target_modules.begin(), file.target_modules.end());
  write_adapter(env, directory, file);
}

}  // namespace hone::llm
