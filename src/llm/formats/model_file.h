#pragma once
// One face for the two ways in which models lie on disk: a .gguf file, or a Hugging Face directory
// (config.json, safetensors, perhaps shards). Opening checks that every tensor the config demands is
// there in the right shape, that no tensor is left over that would change the answers, and copies
// no weights.
//
// Names are Hugging Face's ("model.layers.0.self_attn.q_proj.weight"). Shapes are [out, in] as there.
//
// Errors: not_found, invalid_input, corrupt_data; the message names the file, the tensor and what
// was expected.
// Ownership: owns the mappings; tensors are views that die with it. Keep it only while loading.
// Thread rule: const after opening, any thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/env.h"
#include "llm/formats/gguf.h"
#include "llm/formats/safetensors.h"
#include "llm/model_config.h"
#include "tensor/panels.h"

namespace hone::llm {

struct StoredTensor {
  std::string name;
  tensor::DataType type = tensor::DataType::kF32;
  size_t rows = 0;  // outputs; of a vector, its length
  size_t cols = 0;  // inputs; 1 for a vector (bias, norm)
  std::span<const std::byte> bytes;
  tensor::RowOrder row_order;  // order of the stored rows (and of a q or k bias)

  bool is_vector() const { return cols == 1; }
};

// Row n in Hugging Face's order as f32; a vector has one "row", 0, that holds all of it.
void read_row(const StoredTensor& tensor, size_t n, float* out);
std::vector<float> read_vector(const StoredTensor& tensor);

// Throws corrupt_data with tensor, row and column of the first NaN or infinity; `where` (the file)
// stands in front.
void check_finite(const StoredTensor& tensor, const std::string& where);

// What a model says about ending and framing a conversation.
struct ModelExtras {
  std::vector<int64_t> eos_token_ids;  // sorted, no repeats; may be empty
  std::optional<std::string> chat_template;
  std::vector<std::pair<std::string, std::string>> named_chat_templates;  // "tool_use", ...
};

class ModelFile {
 public:
  static std::unique_ptr<ModelFile> open(const std::string& path);
  // The bytes must outlive the result.
  static std::unique_ptr<ModelFile> from_gguf(std::unique_ptr<GgufFile> gguf);

  const std::string& path() const { return path_; }
  const ModelConfig& config() const { return config_; }
  const ModelExtras& extras() const { return extras_; }
  const StoredTensor* find(std::string_view huggingface_name) const;
  const StoredTensor& at(std::string_view huggingface_name) const;       // throws not_found
  const std::vector<StoredTensor>& tensors() const { return tensors_; }  // sorted by name
  // The tensor's bytes need not stay in memory (they are read again when asked for).
  void forget(const StoredTensor& tensor) const;
  // For the tokenizer: the GGUF behind this model, or nullptr for a directory.
  const GgufFile* gguf() const { return gguf_.get(); }

 private:
  friend class ModelFileOpener;
  ModelFile() = default;

  std::string path_;
  ModelConfig config_;
  ModelExtras extras_;
  std::unique_ptr<GgufFile> gguf_;
  std::vector<std::unique_ptr<SafetensorsFile>> shards_;
  std::vector<StoredTensor> tensors_;
};

// The tensors that a config demands, in the order of the forward, with their shapes (cols 1: vector).
struct TensorShape {
  std::string name;
  size_t rows = 0, cols = 0;
};
std::vector<TensorShape> tensor_shapes(const ModelConfig& config);

}  // namespace hone::llm
