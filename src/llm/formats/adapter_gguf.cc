// LoRA adapters in llama.cpp's GGUF form: general.type "adapter", adapter.type "lora",
// adapter.lora.alpha, and for each changed map NAME two tensors, NAME.lora_a [r, in] and NAME.lora_b
// [out, r], with the names of the base's tensors. The rows of q and k, and so of their lora_b, are
// interleaved for rope where the base's are (gguf_config.h).

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <span>

#include "base/error.h"
#include "llm/formats/adapter.h"
#include "llm/formats/gguf_config.h"
#include "llm/formats/quote.h"
#include "tensor/quantize.h"

namespace hone::llm {
namespace {

constexpr std::string_view kA = ".lora_a", kB = ".lora_b", kWeight = ".weight";
constexpr size_t kMostRank = 65536;

// What GGUF calls the architecture of a base of this model.
std::string architecture_of(const ModelConfig& model) {
  return model.architecture == "mistral" ? "llama" : model.architecture;
}

// Heads whose rows are interleaved in this module's outputs; 0 = none.
size_t interleaved_heads(const ModelConfig& model, const std::string& module, size_t rows) {
  if (!gguf_interleaves(model)) return 0;
  if (!module.ends_with("self_attn.q_proj") && !module.ends_with("self_attn.k_proj")) return 0;
  constexpr size_t kPrefix = sizeof("model.layers.") - 1;
  const size_t layer = std::stoul(module.substr(kPrefix, module.find('.', kPrefix) - kPrefix));
  return rows / model.layers.at(layer).head_dim;
}

// Where row n of Hugging Face's order (halves) lies in interleaved storage (neighbours).
size_t stored_row(size_t n, size_t rows, size_t heads) {
  if (heads == 0) return n;
  const size_t head_dim = rows / heads, in_head = n % head_dim, half = head_dim / 2;
  return n - in_head + in_head % half * 2 + in_head / half;
}

// "model.layers.0.self_attn.q_proj" of "blk.0.attn_q.weight".
std::string module_of(const GgufFile& file, std::string_view base_name) {
  const auto name = huggingface_name(base_name);
  if (!name || !name->ends_with(kWeight)) {
    throw invalid_input(file.name() + ": the adapter changes " + quote(base_name) +
                        ", which is no linear map of a model that is supported");
  }
  return name->substr(0, name->size() - kWeight.size());
}

using Halves = std::map<std::string, std::array<const GgufTensor*, 2>>;

Halves collect(const GgufFile& file) {
  Halves halves;
  for (const GgufTensor& tensor : file.tensors()) {
    const bool is_a = tensor.name.ends_with(kA), is_b = tensor.name.ends_with(kB);
    if ((!is_a && !is_b) || tensor.dimensions > 2) {
      throw invalid_input(file.name() + ": tensor " + quote(tensor.name) +
                          " is no LoRA matrix (NAME.lora_a or NAME.lora_b with two dimensions)");
    }
    const std::string_view base = tensor.name.substr(0, tensor.name.size() - kA.size());
    halves[module_of(file, base)][is_a ? 0 : 1] = &tensor;
  }
  return halves;
}

std::vector<float> to_f32(const GgufFile& file, const GgufTensor& tensor, size_t heads) {
  std::vector<float> out(tensor.rows * tensor.cols);
  const size_t row_bytes = tensor::storage_bytes(tensor.type, tensor.cols);
  for (size_t n = 0; n < tensor.rows; ++n) {
    tensor::dequantize_row(tensor.type,
                           tensor.bytes.data() + stored_row(n, tensor.rows, heads) * row_bytes,
                           tensor.cols, out.data() + n * tensor.cols);
  }
  if (!std::all_of(out.begin(), out.end(), [](float value) { return std::isfinite(value); })) {
    throw corrupt_data(file.name() + ": tensor " + quote(tensor.name) +
                       " has a NaN or infinite value; the adapter is damaged");
  }
  return out;
}

double alpha_of(const GgufFile& file) {
  const GgufValue* value = file.find("adapter.lora.alpha");
  const double alpha = value == nullptr ? 0 : value->as_double();
  if (!(alpha >= 0) || alpha > 1e6) {
    throw invalid_input(file.name() + ": adapter.lora.alpha must be from 0 to 1,000,000");
  }
  return alpha;
}

void check_kind(const GgufFile& file, const ModelConfig& model) {
  const auto text = [&](const char* key) {
    const GgufValue* value = file.find(key);
    return value == nullptr ? std::string() : std::string(value->as_string());
  };
  if (text("general.type") != "adapter") {
    throw invalid_input(file.name() +
                        ": is no adapter: general.type is not \"adapter\" (a model? give it with "
                        "--model)");
  }
  if (text("adapter.type") != "lora") {
    throw invalid_input(file.name() + ": adapter.type is " + quote(text("adapter.type")) +
                        "; only lora is supported");
  }
  if (text("general.architecture") != architecture_of(model)) {
    throw invalid_input(file.name() + ": the adapter is for the architecture " +
                        quote(text("general.architecture")) + ", the model is " +
                        architecture_of(model) + "; it belongs to another model");
  }
}

LoraTensorPair read_pair(const GgufFile& file, const ModelConfig& model, const std::string& module,
                         const GgufTensor& a, const GgufTensor& b, double alpha,
                         const std::map<std::string, std::pair<size_t, size_t>>& layers) {
  const auto layer = layers.find(module);
  if (layer == layers.end()) {
    throw invalid_input(file.name() + ": the adapter changes " + quote(module) +
                        ", which this model does not have; it belongs to another model");
  }
  LoraTensorPair pair;
  pair.module = module;
  pair.r = a.rows;
  pair.in = a.cols;
  pair.out = b.rows;
  if (pair.in != layer->second.second || pair.out != layer->second.first) {
    throw invalid_input(file.name() + ": the adapter's " + quote(module) + " maps " +
                        std::to_string(pair.in) + " to " + std::to_string(pair.out) +
                        ", the model's " + std::to_string(layer->second.second) + " to " +
                        std::to_string(layer->second.first) + "; it belongs to another model");
  }
  if (pair.r == 0 || pair.r > kMostRank || b.cols != pair.r) {
    throw invalid_input(file.name() + ": " + quote(module) + " has rank " + std::to_string(a.rows) +
                        " in lora_a and " + std::to_string(b.cols) + " in lora_b");
  }
  pair.alpha = alpha == 0 ? static_cast<double>(pair.r) : alpha;  // none said: a scale of 1
  pair.scale = lora_scale(pair.alpha, pair.r, false);
  pair.a = to_f32(file, a, 0);
  pair.b = to_f32(file, b, interleaved_heads(model, module, pair.out));
  return pair;
}

// The alpha that gives every pair its scale.
double common_alpha(const Adapter& adapter) {
  const auto alpha = [&](const LoraTensorPair& pair) {
    return adapter.use_rslora ? pair.alpha * std::sqrt(static_cast<double>(pair.r)) : pair.alpha;
  };
  for (const LoraTensorPair& pair : adapter.pairs) {
    if (alpha(pair) == alpha(adapter.pairs[0])) continue;
    throw invalid_input("GGUF has one alpha for a whole adapter, and this one has several (" +
                        adapter.pairs[0].module + " and " + pair.module + "); keep it as PEFT");
  }
  return alpha(adapter.pairs[0]);
}

}  // namespace

Adapter parse_gguf_adapter(const GgufFile& file, const ModelConfig& model) {
  check_kind(file, model);
  const double alpha = alpha_of(file);
  const auto layers = linear_layers(model);
  Adapter adapter;
  for (const auto& [module, halves] : collect(file)) {
    if (halves[0] == nullptr || halves[1] == nullptr) {
      throw corrupt_data(file.name() + ": " + quote(module) + " has only one of lora_a and lora_b");
    }
    adapter.pairs.push_back(read_pair(file, model, module, *halves[0], *halves[1], alpha, layers));
  }
  if (adapter.pairs.empty()) throw invalid_input(file.name() + ": the adapter has no tensors");
  adapter.r = adapter.pairs[0].r;
  adapter.alpha = adapter.pairs[0].alpha;
  for (const LoraTensorPair& pair : adapter.pairs) {
    const std::string name = pair.module.substr(pair.module.rfind('.') + 1);
    auto& targets = adapter.target_modules;
    if (std::find(targets.begin(), targets.end(), name) == targets.end()) targets.push_back(name);
  }
  std::sort(adapter.target_modules.begin(), adapter.target_modules.end());
  return adapter;
}

void write_gguf_adapter(Env& env, const std::string& path, const Adapter& adapter,
                        const ModelConfig& model) {
  if (adapter.pairs.empty()) throw invalid_input("the adapter changes nothing: there is no file");
  if (adapter.use_dora) {
    throw invalid_input(
        "GGUF has no words for DoRA's magnitudes: write the adapter into the model with hone model "
        "merge, or keep it as PEFT");
  }
  if (!adapter.score.empty()) {
    throw invalid_input("GGUF has no words for the score head of a reward model; keep it as PEFT");
  }
  GgufWriter writer(env, path);
  writer.add(gguf_string("general.architecture", architecture_of(model)));
  writer.add(gguf_string("general.type", "adapter"));
  writer.add(gguf_string("adapter.type", "lora"));
  writer.add(gguf_f32("adapter.lora.alpha", static_cast<float>(common_alpha(adapter))));
  for (const LoraTensorPair& pair : adapter.pairs) {
    const auto name = gguf_name(pair.module + std::string(kWeight));
    if (!name) throw invalid_input("GGUF has no name for " + pair.module);
    writer.declare(*name + std::string(kA), tensor::DataType::kF32, pair.r, pair.in);
    writer.declare(*name + std::string(kB), tensor::DataType::kF32, pair.out, pair.r);
  }
  for (const LoraTensorPair& pair : adapter.pairs) {
    writer.append(std::as_bytes(std::span<const float>(pair.a)));
    const size_t heads = interleaved_heads(model, pair.module, pair.out);
    std::vector<float> stored(pair.b.size());
    for (size_t n = 0; n < pair.out; ++n) {
      std::copy_n(
          pair.b.begin() + static_cast<std::ptrdiff_t>(n * pair.r), pair.r,
          stored.begin() + static_cast<std::ptrdiff_t>(stored_row(n, pair.out, heads) * pair.r));
    }
    writer.append(std::as_bytes(std::span<const float>(stored)));
  }
  writer.finish();
}

}  // namespace hone::llm
