#include "llm/formats/model_writer.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/error.h"
#include "llm/formats/config_json.h"
#include "llm/formats/gguf_config.h"
#include "llm/formats/quote.h"
#include "tensor/quantize.h"

namespace hone::llm {
namespace {

using tensor::DataType;

// One row read, checked and encoded; buffers are kept from row to row.
class RowEncoder {
 public:
  explicit RowEncoder(const RowReader& rows) : rows_(rows) {}

  const std::vector<float>& read(const TensorShape& shape, size_t row) {
    values_.resize(shape.cols == 1 ? shape.rows : shape.cols);
    rows_(shape.name, row, values_.data());
    for (float value : values_) {
      if (!std::isfinite(value)) {
        throw corrupt_data("tensor " + quote(shape.name) + ": row " + std::to_string(row) +
                           " has a NaN or infinite value; nothing was written");
      }
    }
    return values_;
  }
  std::span<const std::byte> encode(DataType type, const std::vector<float>& values) {
    bytes_.resize(tensor::storage_bytes(type, values.size()));
    tensor::quantize_row(type, values.data(), values.size(), bytes_.data());
    return bytes_;
  }

 private:
  const RowReader& rows_;
  std::vector<float> values_;
  std::vector<std::byte> bytes_;
};

// Number of heads whose rows GGUF interleaves in this tensor; 0: none.
size_t interleaved_heads(const ModelConfig& config, const TensorShape& shape) {
  if (!gguf_interleaves(config)) return 0;
  if (shape.name.find("self_attn.q_proj.") == std::string::npos &&
      shape.name.find("self_attn.k_proj.") == std::string::npos) {
    return 0;
  }
  return shape.rows / config.layers[0].head_dim;
}

// The row of Hugging Face's order (halves) that GGUF stores as row n (neighbours).
size_t source_row(size_t n, size_t rows, size_t heads) {
  if (heads == 0) return n;
  const size_t head_dim = rows / heads;
  const size_t in_head = n % head_dim;
  return n - in_head + in_head % 2 * (head_dim / 2) + in_head / 2;
}

DataType gguf_tensor_type(const TensorShape& shape, DataType type) {
  if (shape.cols == 1 || shape.name == "score.weight") return DataType::kF32;
  const bool vocabulary =
      shape.name == "model.embed_tokens.weight" || shape.name == "lm_head.weight";
  if (vocabulary && (type == DataType::kQ4_0 || type == DataType::kQ4_1)) type = DataType::kQ8_0;
  return shape.cols % tensor::info(type).block_size == 0 ? type : DataType::kF16;
}

uint32_t gguf_file_type(DataType type) {
  switch (type) {
    case DataType::kF16: return 1;
    case DataType::kQ4_0: return 2;
    case DataType::kQ4_1: return 3;
    case DataType::kQ8_0: return 7;
    case DataType::kBF16: return 32;
    default: return 0;
  }
}

void write_gguf_tensor(GgufWriter* writer, RowEncoder* rows, const TensorShape& shape,
                       DataType type, size_t heads) {
  if (shape.cols == 1) {
    const std::vector<float> values = rows->read(shape, 0);
    std::vector<float> stored(values.size());
    for (size_t i = 0; i < stored.size(); ++i) stored[i] = values[source_row(i, shape.rows, heads)];
    writer->append(rows->encode(type, stored));
    return;
  }
  for (size_t n = 0; n < shape.rows; ++n) {
    writer->append(rows->encode(type, rows->read(shape, source_row(n, shape.rows, heads))));
  }
}

Json eos_json(const std::vector<int64_t>& ids) {
  if (ids.size() == 1) return ids[0];
  Json out = Json::array();
  for (int64_t id : ids) out.push_back(id);
  return out;
}

std::string torch_name(DataType type) {
  if (type == DataType::kF16) return "float16";
  return type == DataType::kBF16 ? "bfloat16" : "float32";
}

}  // namespace

RowReader rows_of(const ModelFile& file) {
  return [&file, last = static_cast<const StoredTensor*>(nullptr)](std::string_view name,
                                                                   size_t row, float* out) mutable {
    const StoredTensor& tensor = file.at(name);
    if (last != nullptr && last != &tensor) file.forget(*last);
    last = &tensor;
    read_row(tensor, row, out);
  };
}

void write_huggingface_directory(Env& env, const std::string& directory, const ModelConfig& config,
                                 DataType type, const RowReader& rows,
                                 const std::vector<int64_t>& eos_token_ids,
                                 const std::vector<NamedFile>& files) {
  HONE_CHECK(tensor::info(type).block_size == 1);
  Json json = config_to_json(config);
  json["torch_dtype"] = torch_name(type);
  if (!eos_token_ids.empty()) json["eos_token_id"] = eos_json(eos_token_ids);
  env.create_directories(directory);
  const std::vector<TensorShape> shapes = tensor_shapes(config);
  SafetensorsWriter writer(env, directory + "/model.safetensors");
  for (const TensorShape& shape : shapes) {
    writer.declare(shape.name, type,
                   shape.cols == 1 ? std::vector<size_t>{shape.rows}
                                   : std::vector<size_t>{shape.rows, shape.cols});
  }
  RowEncoder encoder(rows);
  for (const TensorShape& shape : shapes) {
    for (size_t n = 0; n < (shape.cols == 1 ? 1 : shape.rows); ++n) {
      writer.append(encoder.encode(type, encoder.read(shape, n)));
    }
  }
  writer.finish();
  if (!eos_token_ids.empty()) {
    Json generation = Json::object();
    generation["eos_token_id"] = eos_json(eos_token_ids);
    write_file_atomically(env, directory + "/generation_config.json",
                          generation.dump_pretty() + "\n");
  }
  for (const NamedFile& file : files) {
    write_file_atomically(env, directory + "/" + file.first, file.second);
  }
  write_file_atomically(env, directory + "/config.json", json.dump_pretty() + "\n");
}

void write_gguf(Env& env, const std::string& path, const ModelConfig& config, DataType type,
                const RowReader& rows, const std::vector<GgufEntry>& tokenizer) {
  GgufWriter writer(env, path);
  for (const GgufEntry& entry : config_to_gguf(config)) writer.add(entry);
  writer.add(gguf_string("general.type", "model"));
  writer.add(gguf_u32("general.file_type", gguf_file_type(type)));
  writer.add(gguf_u32("general.quantization_version", 2));
  for (const GgufEntry& entry : tokenizer) writer.add(entry);
  const std::vector<TensorShape> shapes = tensor_shapes(config);
  const TensorShape factors = {"rope_freqs.weight", config.rope_factors.size(), 1};
  const bool has_factors =
      !config.rope_factors.empty() && config.rope_scaling.kind != RopeScalingKind::kLinear;
  if (has_factors) writer.declare(factors.name, DataType::kF32, 0, factors.rows);
  for (const TensorShape& shape : shapes) {
    const bool vector = shape.cols == 1;
    writer.declare(gguf_name(shape.name).value(), gguf_tensor_type(shape, type),
                   vector ? 0 : shape.rows, vector ? shape.rows : shape.cols);
  }
  if (has_factors) writer.append(std::as_bytes(std::span<const float>(config.rope_factors)));
  RowEncoder encoder(rows);
  for (const TensorShape& shape : shapes) {
    write_gguf_tensor(&writer, &encoder, shape, gguf_tensor_type(shape, type),
                      interleaved_heads(config, shape));
  }
  writer.finish();
}

std::vector<GgufEntry> tokenizer_entries(const GgufFile& file) {
  std::vector<GgufEntry> out;
  for (const GgufValue& value : file.metadata()) {
    if (value.key.substr(0, 10) == "tokenizer.") out.push_back(gguf_copy(value));
  }
  return out;
}

std::vector<GgufEntry> tokenizer_entries(const GgufTokenizerFields& fields,
                                         const ModelExtras& extras) {
  std::vector<GgufEntry> out;
  const auto key = [](const char* name) { return std::string("tokenizer.ggml.") + name; };
  out.push_back(gguf_string(key("model"), fields.model));
  if (fields.pre) out.push_back(gguf_string(key("pre"), *fields.pre));
  out.push_back(gguf_strings(key("tokens"), fields.tokens));
  if (!fields.scores.empty()) out.push_back(gguf_f32s(key("scores"), fields.scores));
  out.push_back(gguf_i32s(key("token_type"), fields.token_types));
  if (!fields.merges.empty()) out.push_back(gguf_strings(key("merges"), fields.merges));
  const std::pair<const char*, std::optional<int64_t>> ids[] = {
      {"bos_token_id", fields.bos},     {"eos_token_id", fields.eos},
      {"eot_token_id", fields.eot},     {"eom_token_id", fields.eom},
      {"unknown_token_id", fields.unk}, {"padding_token_id", fields.pad}};
  for (const auto& [name, id] : ids) {
    if (id) out.push_back(gguf_u32(key(name), static_cast<uint32_t>(*id)));
  }
  const std::pair<const char*, std::optional<bool>> flags[] = {
      {"add_bos_token", fields.add_bos},
      {"add_eos_token", fields.add_eos},
      {"add_space_prefix", fields.add_space_prefix}};
  for (const auto& [name, flag] : flags) {
    if (flag) out.push_back(gguf_bool(key(name), *flag));
  }
  if (extras.chat_template) {
    out.push_back(gguf_string("tokenizer.chat_template", *extras.chat_template));
  }
  std::vector<std::string> names;
  for (const auto& [name, text] : extras.named_chat_templates) {
    if (name == "default") continue;
    names.push_back(name);
    out.push_back(gguf_string("tokenizer.chat_template." + name, text));
  }
  if (!names.empty()) out.push_back(gguf_strings("tokenizer.chat_templates", names));
  return out;
}

}  // namespace hone::llm
