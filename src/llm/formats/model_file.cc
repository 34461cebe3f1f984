#include "llm/formats/model_file.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "llm/formats/config_json.h"
#include "llm/formats/gguf_config.h"
#include "llm/formats/quote.h"
#include "tensor/quantize.h"

namespace hone::llm {
namespace {

constexpr uint64_t kMostConfigBytes = 16u << 20;
constexpr uint64_t kMostIndexBytes = 64u << 20;
constexpr size_t kMostShards = 1000;

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// Where row n of Hugging Face's order (halves) lies in interleaved storage (neighbours).
size_t stored_row(const StoredTensor& tensor, size_t n) {
  const size_t heads = tensor.row_order.interleaved_heads;
  if (heads == 0) return n;
  const size_t head_dim = tensor.rows / heads;
  const size_t in_head = n % head_dim, half = head_dim / 2;
  return n - in_head + in_head % half * 2 + in_head / half;
}

Json read_json(const std::string& path, uint64_t most) {
  Result<Json> json = Json::parse(real_env().read_file(path, most));
  if (!json) throw corrupt_data(path + ": is not JSON: " + json.error().message());
  return std::move(json).value();
}

std::string shape_text(size_t rows, size_t cols) {
  if (cols == 1) return "[" + std::to_string(rows) + "]";
  return "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
}

void add_eos(const Json& json, ModelExtras* extras) {
  const Json* value = json.find("eos_token_id");
  if (value == nullptr) return;
  const auto add = [&](const Json& id) {
    if (id.is_integer()) extras->eos_token_ids.push_back(id.as_int());
  };
  if (value->is_array()) {
    for (const Json& id : value->as_array()) add(id);
  } else {
    add(*value);
  }
}

void add_templates(const Json& tokenizer_config, ModelExtras* extras) {
  const Json* value = tokenizer_config.find("chat_template");
  if (value == nullptr) return;
  if (value->is_string()) extras->chat_template = value->as_string();
  if (!value->is_array()) return;
  for (const Json& entry : value->as_array()) {
    const std::string name = entry.at("name").as_string();
    const std::string text = entry.at("template").as_string();
    if (name == "default") extras->chat_template = text;
    extras->named_chat_templates.emplace_back(name, text);
  }
}

void sort_unique(std::vector<int64_t>* ids) {
  std::sort(ids->begin(), ids->end());
  ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
}

// Left over in older files, without a meaning for the forward.
bool is_harmless(std::string_view name) {
  return ends_with(name, "rotary_emb.inv_freq") || ends_with(name, ".attn_rot_embd") ||
         name == "rope_freqs.weight" || ends_with(name, "self_attn.masked_bias");
}

}  // namespace

class ModelFileOpener {
 public:
  explicit ModelFileOpener(std::string path) : file_(new ModelFile) {
    file_->path_ = std::move(path);
  }

  std::unique_ptr<ModelFile> open_gguf(std::unique_ptr<GgufFile> gguf) {
    file_->config_ = config_from_gguf(*gguf);
    for (const GgufTensor& tensor : gguf->tensors()) {
      const std::optional<std::string> name = huggingface_name(tensor.name);
      if (name) {
        add({*name, tensor.type, tensor.rows, tensor.cols, tensor.bytes, {}}, tensor.dimensions);
      } else if (!is_harmless(tensor.name)) {
        refuse_extra(tensor.name);
      }
    }
    read_gguf_extras(*gguf);
    file_->gguf_ = std::move(gguf);
    return finish();
  }

  std::unique_ptr<ModelFile> open_directory() {
    const std::string config = file_->path_ + "/config.json";
    if (!real_env().exists(config)) {
      throw not_found(file_->path_ +
                      ": is no model: it has no config.json. Give a .gguf file or a "
                      "Hugging Face directory.");
    }
    const Json json = read_json(config, kMostConfigBytes);
    file_->config_ = config_from_json(json, config);
    open_shards();
    read_directory_extras(json);
    return finish();
  }

 private:
  [[noreturn]] void refuse_extra(std::string_view name) const {
    throw invalid_input(file_->path_ + ": tensor " + quote(name) + " is no part of a " +
                        file_->config_.architecture +
                        " model; ignoring it could change the answers");
  }

  void add(StoredTensor tensor, size_t dimensions) {
    if (dimensions > 2) {
      throw invalid_input(file_->path_ + ": tensor " + quote(tensor.name) + " has " +
                          std::to_string(dimensions) + " dimensions; at most 2 are expected");
    }
    if (dimensions == 1 && tensor.rows == 1) std::swap(tensor.rows, tensor.cols);
    file_->tensors_.push_back(std::move(tensor));
  }

  void add_shard(std::unique_ptr<SafetensorsFile> shard) {
    for (const SafetensorsTensor& tensor : shard->tensors()) {
      if (is_harmless(tensor.name)) continue;
      const size_t rows = tensor.shape.empty() ? 1 : tensor.shape[0];
      const size_t cols = tensor.shape.size() < 2 ? 1 : tensor.shape[1];
      // A vector is kept as [n, 1]; add() turns only GGUF's [1, n].
      add({tensor.name, tensor.type, rows, cols, tensor.bytes, {}},
          tensor.shape.size() == 1 ? 2 : tensor.shape.size());
    }
    file_->shards_.push_back(std::move(shard));
  }

  void open_shards() {
    const std::string single = file_->path_ + "/model.safetensors";
    const std::string index = single + ".index.json";
    if (real_env().exists(single)) {
      add_shard(SafetensorsFile::open(single));
      return;
    }
    if (!real_env().exists(index)) {
      throw not_found(file_->path_ +
                      ": has neither model.safetensors nor model.safetensors.index.json");
    }
    std::set<std::string> names;
    const Json json = read_json(index, kMostIndexBytes);
    const Json* map = json.find("weight_map");
    if (map == nullptr || !map->is_object()) {
      throw invalid_input(index + ": \"weight_map\" must be an object; get the file again");
    }
    for (const auto& [tensor, shard] : map->as_object()) {
      if (!shard.is_string()) {
        throw invalid_input(index + ": the shard of " + quote(tensor) +
                            " is no file name; get the file again");
      }
      names.insert(shard.as_string());
    }
    if (names.size() > kMostShards) {
      throw invalid_input(index + ": names more than " + std::to_string(kMostShards) + " shards");
    }
    for (const std::string& name : names) {
      if (name.empty() || name[0] == '.' || name.find('/') != std::string::npos) {
        throw invalid_input(index + ": " + quote(name) + " is no file name of a shard");
      }
      add_shard(SafetensorsFile::open(file_->path_ + "/" + name));
    }
  }

  void read_gguf_extras(const GgufFile& gguf) {
    for (const char* key : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
      const GgufValue* value = gguf.find(std::string("tokenizer.ggml.") + key);
      if (value != nullptr) file_->extras_.eos_token_ids.push_back(value->as_int());
    }
    constexpr std::string_view kTemplate = "tokenizer.chat_template";
    for (const GgufValue& value : gguf.metadata()) {
      if (value.key == kTemplate) {
        file_->extras_.chat_template = std::string(value.as_string());
      } else if (value.key.substr(0, kTemplate.size() + 1) == "tokenizer.chat_template.") {
        file_->extras_.named_chat_templates.emplace_back(value.key.substr(kTemplate.size() + 1),
                                                         value.as_string());
      }
    }
  }

  void read_directory_extras(const Json& config) {
    const std::string generation = file_->path_ + "/generation_config.json";
    const std::string tokenizer = file_->path_ + "/tokenizer_config.json";
    const std::string jinja = file_->path_ + "/chat_template.jinja";
    add_eos(config, &file_->extras_);
    if (real_env().exists(generation)) {
      add_eos(read_json(generation, kMostConfigBytes), &file_->extras_);
    }
    if (real_env().exists(tokenizer)) {
      add_templates(read_json(tokenizer, kMostConfigBytes), &file_->extras_);
    }
    if (real_env().exists(jinja)) {
      file_->extras_.chat_template = real_env().read_file(jinja, kMostConfigBytes);
    }
  }

  std::unique_ptr<ModelFile> finish() {
    sort_unique(&file_->extras_.eos_token_ids);
    sort_tensors();
    check_shapes();
    return std::move(file_);
  }

  void sort_tensors() {
    auto& tensors = file_->tensors_;
    std::sort(tensors.begin(), tensors.end(),
              [](const StoredTensor& a, const StoredTensor& b) { return a.name < b.name; });
    for (size_t i = 1; i < tensors.size(); ++i) {
      if (tensors[i - 1].name == tensors[i].name) {
        throw corrupt_data(file_->path_ + ": tensor " + quote(tensors[i].name) + " appears twice");
      }
    }
  }

  // A classifier of one class is a reward model; its file may have no language head.
  void find_heads() {
    file_->config_.score_head = file_->find("score.weight") != nullptr;
    file_->config_.language_head = !file_->config_.score_head ||
                                   file_->config_.tie_word_embeddings ||
                                   file_->find("lm_head.weight") != nullptr;
  }

  // A tied model may still store its head; Hugging Face ignores that copy.
  void drop_tied_head() {
    if (!file_->config_.tie_word_embeddings) return;
    std::erase_if(file_->tensors_,
                  [](const StoredTensor& t) { return t.name == "lm_head.weight"; });
  }

  void check_shapes() {
    find_heads();
    drop_tied_head();
    std::vector<TensorShape> wanted = tensor_shapes(file_->config_);
    for (const TensorShape& shape : wanted) check_shape(shape);
    if (file_->tensors_.size() == wanted.size()) return;
    std::set<std::string> names;
    for (const TensorShape& shape : wanted) names.insert(shape.name);
    for (const StoredTensor& tensor : file_->tensors_) {
      if (names.count(tensor.name) == 0) refuse_extra(tensor.name);
    }
  }

  void check_shape(const TensorShape& shape) {
    auto* tensor = const_cast<StoredTensor*>(file_->find(shape.name));
    if (tensor == nullptr) {
      throw invalid_input(file_->path_ + ": tensor " + quote(shape.name) +
                          " is missing; the file is incomplete, get it again");
    }
    if (tensor->rows != shape.rows || tensor->cols != shape.cols) {
      throw invalid_input(file_->path_ + ": tensor " + quote(shape.name) + " has the shape " +
                          shape_text(tensor->rows, tensor->cols) + ", the config asks for " +
                          shape_text(shape.rows, shape.cols));
    }
    if (file_->shards_.empty() && gguf_interleaves(file_->config_)) set_row_order(tensor);
  }

  void set_row_order(StoredTensor* tensor) const {
    const bool q = tensor->name.find("self_attn.q_proj.") != std::string::npos;
    const bool k = tensor->name.find("self_attn.k_proj.") != std::string::npos;
    if (!q && !k) return;
    const size_t head_dim = file_->config_.layers[0].head_dim;  // one for all layers in GGUF
    tensor->row_order.interleaved_heads = tensor->rows / head_dim;
  }

  std::unique_ptr<ModelFile> file_;
};

std::unique_ptr<ModelFile> ModelFile::open(const std::string& path) {
  if (real_env().is_directory(path)) return ModelFileOpener(path).open_directory();
  return from_gguf(GgufFile::open(path));
}

std::unique_ptr<ModelFile> ModelFile::from_gguf(std::unique_ptr<GgufFile> gguf) {
  std::string name = gguf->name();
  return ModelFileOpener(std::move(name)).open_gguf(std::move(gguf));
}

const StoredTensor* ModelFile::find(std::string_view name) const {
  const auto at = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](const StoredTensor& tensor, std::string_view wanted) { return tensor.name < wanted; });
  return at == tensors_.end() || at->name != name ? nullptr : &*at;
}

const StoredTensor& ModelFile::at(std::string_view name) const {
  const StoredTensor* tensor = find(name);
  if (tensor == nullptr) throw not_found(path_ + ": there is no tensor " + quote(name));
  return *tensor;
}

void ModelFile::forget(const StoredTensor& tensor) const {
  if (gguf_ != nullptr) gguf_->forget(tensor.bytes);
  for (const auto& shard : shards_) shard->forget(tensor.bytes);
}

void read_row(const StoredTensor& tensor, size_t n, float* out) {
  if (tensor.is_vector()) {
    const std::vector<float> values = read_vector(tensor);
    std::copy(values.begin(), values.end(), out);
    return;
  }
  const size_t row_bytes = tensor::storage_bytes(tensor.type, tensor.cols);
  tensor::dequantize_row(tensor.type, tensor.bytes.data() + stored_row(tensor, n) * row_bytes,
                         tensor.cols, out);
}

std::vector<float> read_vector(const StoredTensor& tensor) {
  std::vector<float> stored(tensor.rows * tensor.cols);
  tensor::dequantize_row(tensor.type, tensor.bytes.data(), stored.size(), stored.data());
  std::vector<float> out(stored.size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = stored[stored_row(tensor, i)];
  return out;
}

void check_finite(const StoredTensor& tensor, const std::string& where) {
  const size_t rows = tensor.is_vector() ? 1 : tensor.rows;
  const size_t cols = tensor.is_vector() ? tensor.rows : tensor.cols;
  std::vector<float> row(cols);
  for (size_t r = 0; r < rows; ++r) {
    read_row(tensor, r, row.data());
    for (size_t c = 0; c < cols; ++c) {
      if (std::isfinite(row[c])) continue;
      throw corrupt_data(where + ": tensor " + quote(tensor.name) + ": row " + std::to_string(r) +
                         ", column " + std::to_string(c) +
                         (std::isnan(row[c]) ? " is NaN" : " is infinite") +
                         "; the model is damaged, get it again");
    }
  }
}

std::vector<TensorShape> tensor_shapes(const ModelConfig& config) {
  const size_t hidden = config.hidden_size;
  std::vector<TensorShape> out = {{"model.embed_tokens.weight", config.vocab_size, hidden}};
  for (size_t i = 0; i < config.layers.size(); ++i) {
    const LayerConfig& layer = config.layers[i];
    const size_t q = layer.head_count * layer.head_dim;
    const size_t kv = layer.kv_head_count * layer.head_dim;
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    const auto add = [&](const char* name, size_t rows, size_t cols) {
      out.push_back({prefix + name, rows, cols});
    };
    add("input_layernorm.weight", hidden, 1);
    add("self_attn.q_proj.weight", q, hidden);
    add("self_attn.k_proj.weight", kv, hidden);
    add("self_attn.v_proj.weight", kv, hidden);
    if (layer.qkv_bias) {
      add("self_attn.q_proj.bias", q, 1);
      add("self_attn.k_proj.bias", kv, 1);
      add("self_attn.v_proj.bias", kv, 1);
    }
    if (layer.qk_norm) {
      add("self_attn.q_norm.weight", layer.head_dim, 1);
      add("self_attn.k_norm.weight", layer.head_dim, 1);
    }
    add("self_attn.o_proj.weight", hidden, q);
    add("post_attention_layernorm.weight", hidden, 1);
    add("mlp.gate_proj.weight", layer.intermediate_size, hidden);
    add("mlp.up_proj.weight", layer.intermediate_size, hidden);
    add("mlp.down_proj.weight", hidden, layer.intermediate_size);
  }
  out.push_back({"model.norm.weight", hidden, 1});
  if (!config.tie_word_embeddings && config.language_head) {
    out.push_back({"lm_head.weight", config.vocab_size, hidden});
  }
  if (config.score_head) out.push_back({"score.weight", 1, hidden});
  return out;
}

}  // namespace hone::llm
