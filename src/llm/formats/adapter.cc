#include "llm/formats/adapter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "llm/formats/model_file.h"
#include "llm/formats/quote.h"
#include "llm/formats/safetensors.h"
#include "tensor/quantize.h"

namespace hone::llm {
namespace {

constexpr uint64_t kMostConfigBytes = 16u << 20;
constexpr size_t kMostRank = 65536;
constexpr std::string_view kPrefix = "base_model.model.";
constexpr std::string_view kScore = "base_model.model.score.weight";
constexpr std::string_view kA = ".lora_A.weight";
constexpr std::string_view kB = ".lora_B.weight";
constexpr std::string_view kMagnitude = ".lora_magnitude_vector";

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// Off for these purposes: absent, null, false, 0, empty.
bool is_off(const Json* value) {
  if (value == nullptr || value->is_null() || *value == Json(false) || *value == Json(""))
    return true;
  if (value->is_number()) return value->as_double() == 0.0;
  return (value->is_array() || value->is_object()) && value->size() == 0;
}

class ConfigReader {
 public:
  ConfigReader(const Json& json, const std::string& path) : json_(json), path_(path) {}

  [[noreturn]] void refuse(std::string_view key, const std::string& what) const {
    throw invalid_input(path_ + ": " + quote(key) + " " + what);
  }
  void refuse_unsupported() const {
    const Json* type = json_.find("peft_type");
    if (type == nullptr || *type != Json("LORA")) refuse("peft_type", "must be \"LORA\"");
    constexpr std::array<std::string_view, 12> kOff = {"lora_bias",
                                                       "layer_replication",
                                                       "megatron_config",
                                                       "fan_in_fan_out",
                                                       "use_qalora",
                                                       "eva_config",
                                                       "corda_config",
                                                       "target_parameters",
                                                       "trainable_token_indices",
                                                       "alora_invocation_tokens",
                                                       "arrow_config",
                                                       "use_bdlora"};
    for (std::string_view key : kOff) {
      if (!is_off(json_.find(key))) refuse(key, "is set, which is not supported");
    }
    const Json* saved = json_.find("modules_to_save");
    if (!is_off(saved)) {
      for (const Json& module : saved->as_array()) {
        // PEFT adds "classifier" beside "score" for every model that classifies.
        if (module != Json("score") && module != Json("classifier")) {
          refuse("modules_to_save", "holds a module other than \"score\", which is not supported");
        }
      }
    }
    const Json* bias = json_.find("bias");
    if (bias != nullptr && !bias->is_null() && *bias != Json("none")) {
      refuse("bias", "must be \"none\"; trained biases are not supported");
    }
  }
  double positive(std::string_view key, double otherwise, double most) const {
    const Json* value = json_.find(key);
    if (value == nullptr || value->is_null()) return otherwise;
    return checked(key, *value, most);
  }
  double checked(std::string_view key, const Json& value, double most) const {
    if (!value.is_number() || !(value.as_double() > 0) || value.as_double() > most) {
      refuse(key, "must be a number above 0, at most " + number_to_string(most));
    }
    return value.as_double();
  }
  size_t rank(std::string_view key, const Json& value) const {
    const double number = checked(key, value, static_cast<double>(kMostRank));
    if (number != std::floor(number)) refuse(key, "must be an integer");
    return static_cast<size_t>(number);
  }
  // PEFT matches keys as regular expressions against the end of a module's name, at a dot. Real
  // keys are names, whole ("^" in front) or from the end; others are refused rather than guessed.
  std::vector<std::pair<std::string, Json>> pattern(std::string_view key) const {
    std::vector<std::pair<std::string, Json>> out;
    const Json* value = json_.find(key);
    if (value == nullptr || value->is_null()) return out;
    if (!value->is_object()) refuse(key, "must be an object");
    for (const auto& [name, number] : value->as_object()) {
      std::string plain;
      for (size_t i = 0; i < name.size(); ++i) {
        if (name[i] == '\\' && i + 1 < name.size() && name[i + 1] == '.') continue;
        plain += name[i];
      }
      if (plain.find_first_of("*+?[](){}|\\$") != std::string::npos) {
        refuse(key, "has the regular expression " + quote(name) +
                        "; only names of modules are supported");
      }
      out.emplace_back(plain, number);
    }
    return out;
  }
  std::string text(std::string_view key) const {
    const Json* value = json_.find(key);
    return value != nullptr && value->is_string() ? value->as_string() : std::string();
  }
  std::vector<std::string> target_modules() const {
    std::vector<std::string> out;
    const Json* value = json_.find("target_modules");
    if (value == nullptr || !value->is_array()) return out;  // a regex or "all-linear"
    for (const Json& name : value->as_array()) out.push_back(name.as_string());
    std::sort(out.begin(), out.end());
    return out;
  }
  bool flag(std::string_view key) const {
    const Json* value = json_.find(key);
    if (value == nullptr || value->is_null()) return false;
    if (!value->is_bool()) refuse(key, "must be true or false");
    return value->as_bool();
  }

 private:
  const Json& json_;
  const std::string& path_;
};

using Pattern = std::vector<std::pair<std::string, Json>>;

// The first key that matches decides, as in PEFT.
const Json* match(const Pattern& pattern, std::string_view module) {
  for (const auto& [key, value] : pattern) {
    if (!key.empty() && key[0] == '^') {
      if (module == std::string_view(key).substr(1)) return &value;
    } else if (module == key || ends_with(module, "." + key)) {
      return &value;
    }
  }
  return nullptr;
}

// A, B and the magnitude of a module; null where the file has none.
using Halves = std::map<std::string, std::array<const SafetensorsTensor*, 3>>;

Halves collect(const SafetensorsFile& file, const SafetensorsTensor** score) {
  Halves halves;
  for (const SafetensorsTensor& tensor : file.tensors()) {
    std::string_view name = tensor.name;
    if (name == kScore) {
      *score = &tensor;
      continue;
    }
    const bool is_a = ends_with(name, kA), is_b = ends_with(name, kB);
    if (name.starts_with(kPrefix) && ends_with(name, kMagnitude) && tensor.shape.size() == 1) {
      name.remove_prefix(kPrefix.size());
      name.remove_suffix(kMagnitude.size());
      halves[std::string(name)][2] = &tensor;
      continue;
    }
    if (name.substr(0, kPrefix.size()) != kPrefix || (!is_a && !is_b) || tensor.shape.size() != 2) {
      throw invalid_input(file.name() + ": tensor " + quote(name) +
                          " is no LoRA matrix that is supported (base_model.model.<module>.lora_A "
                          "or lora_B with two dimensions)");
    }
    name.remove_prefix(kPrefix.size());
    name.remove_suffix(kA.size());
    halves[std::string(name)][is_a ? 0 : 1] = &tensor;
  }
  return halves;
}

std::vector<float> to_f32(const SafetensorsTensor& tensor) {
  std::vector<float> out(tensor.shape[0] * (tensor.shape.size() > 1 ? tensor.shape[1] : 1));
  tensor::dequantize_row(tensor.type, tensor.bytes.data(), out.size(), out.data());
  for (float value : out) {
    if (!std::isfinite(value)) {
      throw corrupt_data("tensor " + quote(tensor.name) +
                         " has a NaN or infinite value; the adapter "
                         "is damaged");
    }
  }
  return out;
}

void check_fit(const std::string& directory, const LoraTensorPair& pair, const SafetensorsTensor& a,
               const SafetensorsTensor& b,
               const std::map<std::string, std::pair<size_t, size_t>>& layers) {
  const auto layer = layers.find(pair.module);
  if (layer == layers.end()) {
    throw invalid_input(directory + ": the adapter changes " + quote(pair.module) +
                        ", which this model does not have; it belongs to another model");
  }
  if (a.shape[1] != layer->second.second || b.shape[0] != layer->second.first) {
    throw invalid_input(directory + ": the adapter's " + quote(pair.module) + " maps " +
                        std::to_string(a.shape[1]) + " to " + std::to_string(b.shape[0]) +
                        ", the model's " + std::to_string(layer->second.second) + " to " +
                        std::to_string(layer->second.first) + "; it belongs to another model");
  }
  if (a.shape[0] != pair.r || b.shape[1] != pair.r) {
    throw invalid_input(directory + ": " + quote(pair.module) + " has rank " +
                        std::to_string(a.shape[0]) + " in lora_A and " +
                        std::to_string(b.shape[1]) + " in lora_B, adapter_config.json says " +
                        std::to_string(pair.r));
  }
}

// With use_dora every module has a magnitude, without it none.
void read_magnitude(const std::string& directory, bool use_dora, const SafetensorsTensor* tensor,
                    LoraTensorPair& pair) {
  if (use_dora != (tensor != nullptr)) {
    throw invalid_input(directory + ": " + quote(pair.module) +
                        (use_dora
                             ? " has no lora_magnitude_vector, but adapter_config.json says "
                               "use_dora; the adapter is damaged"
                             : " has a lora_magnitude_vector, but adapter_config.json does not "
                               "say use_dora; the adapter is damaged"));
  }
  if (tensor == nullptr) return;
  if (tensor->shape[0] != pair.out) {
    throw invalid_input(directory + ": the magnitude of " + quote(pair.module) + " has " +
                        std::to_string(tensor->shape[0]) + " values for " +
                        std::to_string(pair.out) + " outputs; it belongs to another model");
  }
  pair.magnitude = to_f32(*tensor);
}

std::string suffix_of(const std::string& module) {
  const size_t dot = module.rfind('.');
  return dot == std::string::npos ? module : module.substr(dot + 1);
}

Json config_json(const Adapter& adapter) {
  Json out = Json::object();
  out["peft_type"] = "LORA";
  out["task_type"] = adapter.score.empty() ? "CAUSAL_LM" : "SEQ_CLS";
  out["base_model_name_or_path"] = adapter.base_model;
  out["r"] = static_cast<uint64_t>(adapter.r);
  out["lora_alpha"] = adapter.alpha;
  out["lora_dropout"] = adapter.dropout;
  out["use_rslora"] = adapter.use_rslora;
  out["use_dora"] = adapter.use_dora;
  out["bias"] = "none";
  out["fan_in_fan_out"] = false;
  out["inference_mode"] = true;
  out["init_lora_weights"] = true;
  out["modules_to_save"] = adapter.score.empty() ? Json() : Json(Json::Array{Json("score")});
  out["rank_pattern"] = Json::object();
  out["alpha_pattern"] = Json::object();
  std::vector<std::string> targets;
  for (const LoraTensorPair& pair : adapter.pairs) {
    targets.push_back(suffix_of(pair.module));
    if (pair.r != adapter.r) out["rank_pattern"]["^" + pair.module] = static_cast<uint64_t>(pair.r);
    if (pair.alpha != adapter.alpha) out["alpha_pattern"]["^" + pair.module] = pair.alpha;
  }
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  out["target_modules"] = Json::array();
  for (const std::string& target : targets) out["target_modules"].push_back(target);
  return out;
}

}  // namespace

std::map<std::string, std::pair<size_t, size_t>> linear_layers(const ModelConfig& model) {
  constexpr std::string_view kWeight = ".weight";
  std::map<std::string, std::pair<size_t, size_t>> out;
  for (const TensorShape& shape : tensor_shapes(model)) {
    if (shape.cols == 1 || shape.name == "model.embed_tokens.weight" ||
        shape.name == "score.weight") {
      continue;
    }
    out[shape.name.substr(0, shape.name.size() - kWeight.size())] = {shape.rows, shape.cols};
  }
  return out;
}

float lora_scale(double alpha, size_t r, bool use_rslora) {
  const auto rank = static_cast<double>(r);
  return static_cast<float>(alpha / (use_rslora ? std::sqrt(rank) : rank));
}

Adapter read_adapter(const std::string& directory, const ModelConfig& model) {
  if (real_env().is_file(directory)) {
    return parse_gguf_adapter(*GgufFile::open(directory), model);
  }
  const std::string path = directory + "/adapter_config.json";
  if (!real_env().exists(path)) {
    throw not_found(directory + ": is no adapter: it has no adapter_config.json");
  }
  const auto file = SafetensorsFile::open(directory + "/adapter_model.safetensors");
  return parse_adapter(directory, real_env().read_file(path, kMostConfigBytes), *file, model);
}

Adapter parse_adapter(const std::string& directory, std::string_view config_text,
                      const SafetensorsFile& file, const ModelConfig& model) {
  const std::string path = directory + "/adapter_config.json";
  Result<Json> json = Json::parse(config_text);
  if (!json) throw corrupt_data(path + ": is not JSON: " + json.error().message());
  const ConfigReader config(*json, path);
  config.refuse_unsupported();
  Adapter adapter;
  adapter.base_model = config.text("base_model_name_or_path");
  if (const Json* r = json->find("r"); r != nullptr) adapter.r = config.rank("r", *r);
  adapter.alpha = config.positive("lora_alpha", 8.0, 1e6);
  adapter.use_rslora = config.flag("use_rslora");
  adapter.use_dora = config.flag("use_dora");
  adapter.target_modules = config.target_modules();
  if (const Json* dropout = json->find("lora_dropout"); !is_off(dropout)) {
    adapter.dropout = config.checked("lora_dropout", *dropout, 1.0);
  }
  const Pattern ranks = config.pattern("rank_pattern");
  const Pattern alphas = config.pattern("alpha_pattern");

  const auto layers = linear_layers(model);
  const SafetensorsTensor* score = nullptr;
  for (const auto& [module, halves] : collect(file, &score)) {
    if (halves[0] == nullptr || halves[1] == nullptr) {
      throw corrupt_data(file.name() + ": " + quote(module) + " has only one of lora_A and lora_B");
    }
    LoraTensorPair pair;
    pair.module = module;
    const Json* rank = match(ranks, module);
    const Json* alpha = match(alphas, module);
    pair.r = rank == nullptr ? adapter.r : config.rank("rank_pattern", *rank);
    pair.alpha = alpha == nullptr ? adapter.alpha : config.checked("alpha_pattern", *alpha, 1e6);
    pair.scale = lora_scale(pair.alpha, pair.r, adapter.use_rslora);
    check_fit(directory, pair, *halves[0], *halves[1], layers);
    pair.in = halves[0]->shape[1];
    pair.out = halves[1]->shape[0];
    pair.a = to_f32(*halves[0]);
    pair.b = to_f32(*halves[1]);
    read_magnitude(directory, adapter.use_dora, halves[2], pair);
    adapter.pairs.push_back(std::move(pair));
  }
  if (adapter.pairs.empty()) throw invalid_input(file.name() + ": the adapter has no tensors");
  if (score != nullptr) {
    if (score->shape != std::vector<size_t>{1, model.hidden_size}) {
      throw invalid_input(file.name() +
                          ": the score head is not one row of the model's hidden size (" +
                          std::to_string(model.hidden_size) +
                          "): it belongs to another model, or has several classes");
    }
    adapter.score = to_f32(*score);
  }
  return adapter;
}

void write_adapter(Env& env, const std::string& directory, const Adapter& adapter) {
  env.create_directories(directory);
  SafetensorsWriter writer(env, directory + "/adapter_model.safetensors");
  for (const LoraTensorPair& pair : adapter.pairs) {
    const std::string name = std::string(kPrefix) + pair.module;
    writer.declare(name + std::string(kA), tensor::DataType::kF32, {pair.r, pair.in});
    writer.declare(name + std::string(kB), tensor::DataType::kF32, {pair.out, pair.r});
    if (adapter.use_dora) {
      writer.declare(name + std::string(kMagnitude), tensor::DataType::kF32, {pair.out});
    }
  }
  if (!adapter.score.empty()) {
    writer.declare(std::string(kScore), tensor::DataType::kF32, {1, adapter.score.size()});
  }
  for (const LoraTensorPair& pair : adapter.pairs) {
    writer.append(std::as_bytes(std::span<const float>(pair.a)));
    writer.append(std::as_bytes(std::span<const float>(pair.b)));
    if (adapter.use_dora) {
      writer.append(std::as_bytes(std::span<const float>(pair.magnitude)));
    }
  }
  if (!adapter.score.empty()) {
    writer.append(std::as_bytes(std::span<const float>(adapter.score)));
  }
  writer.finish();
  write_file_atomically(env, directory + "/adapter_config.json",
                        config_json(adapter).dump_pretty() + "\n");
}

}  // namespace hone::llm
