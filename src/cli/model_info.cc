// hone model info: what a model file is.

#include <algorithm>
#include <cstdio>
#include <map>

#include "base/error.h"
#include "cli/model_files.h"
#include "llm/kv_cache.h"

namespace hone::cli {

namespace {

struct StoredTypes {
  std::map<tensor::DataType, std::pair<size_t, uint64_t>> by_type;  // tensors, bytes
  uint64_t bytes = 0;

  explicit StoredTypes(const llm::ModelFile& file) {
    for (const llm::StoredTensor& tensor : file.tensors()) {
      auto& [count, size] = by_type[tensor.type];
      ++count;
      size += tensor.bytes.size();
      bytes += tensor.bytes.size();
    }
  }
};

Json layer_json(const llm::LayerConfig& layer) {
  Json json = Json::object();
  json["head_count"] = uint64_t{layer.head_count};
  json["kv_head_count"] = uint64_t{layer.kv_head_count};
  json["head_dim"] = uint64_t{layer.head_dim};
  json["intermediate_size"] = uint64_t{layer.intermediate_size};
  json["sliding_window"] = uint64_t{layer.sliding_window};
  json["qkv_bias"] = layer.qkv_bias;
  json["qk_norm"] = layer.qk_norm;
  return json;
}

Json tokenizer_json(const std::optional<llm::TextCodec>& codec) {
  if (!codec) return nullptr;
  const llm::Tokenizer& tokenizer = codec->tokenizer();
  const auto piece = [&](std::optional<int32_t> id) {
    return id ? Json(tokenizer.piece(*id)) : Json();
  };
  Json json = Json::object();
  json["kind"] = tokenizer.data().model == llm::TokenizerModel::kByteLevelBpe ? "byte-level BPE"
                                                                              : "SentencePiece BPE";
  json["vocab_size"] = uint64_t{tokenizer.vocab_size()};
  json["bos"] = piece(tokenizer.bos());
  json["eos"] = piece(tokenizer.eos());
  json["adds_bos"] = tokenizer.adds_bos();
  Json ends = Json::array();
  for (int32_t id : tokenizer.end_of_generation()) ends.push_back(tokenizer.piece(id));
  json["end_of_generation"] = std::move(ends);
  json["chat_template"] = codec->has_chat_template();
  return json;
}

Json info_json(const std::string& path, const llm::ModelFile& file) {
  const llm::ModelConfig& config = file.config();
  const StoredTypes types(file);
  Json json = Json::object();
  json["model"] = path;
  json["format"] = file.gguf() != nullptr ? "GGUF" : "Hugging Face directory";
  json["digest"] = model_digest(path);
  json["architecture"] = config.architecture;
  json["parameters"] = uint64_t{llm::parameter_count(config)};
  json["layers"] = uint64_t{config.layers.size()};
  json["hidden_size"] = uint64_t{config.hidden_size};
  json["vocab_size"] = uint64_t{config.vocab_size};
  json["context_length"] = uint64_t{config.context_length};
  json["layer"] = layer_json(config.layers.front());
  json["layers_equal"] =
      std::all_of(config.layers.begin(), config.layers.end(),
                  [&](const llm::LayerConfig& layer) { return layer == config.layers.front(); });
  json["tie_word_embeddings"] = config.tie_word_embeddings;
  json["rope_theta"] = config.rope_theta;
  json["rms_norm_eps"] = config.rms_norm_eps;
  Json tensors = Json::object();
  for (const auto& [type, size] : types.by_type) {
    Json row = Json::object();
    row["tensors"] = uint64_t{size.first};
    row["bytes"] = size.second;
    tensors[tensor::info(type).name] = std::move(row);
  }
  json["tensors"] = std::move(tensors);
  json["tokenizer"] = tokenizer_json(llm::load_text_codec(path));
  Json memory = Json::object();
  memory["weights_bytes"] = types.bytes;
  memory["kv_bytes_per_token"] = uint64_t{llm::KvCache::page_bytes(config) / llm::kPagePositions};
  json["memory"] = std::move(memory);
  return json;
}

std::string count_text(double n) {
  char text[32];
  if (n >= 1e9) {
    std::snprintf(text, sizeof text, "%.2f billion", n / 1e9);
  } else if (n >= 1e6) {
    std::snprintf(text, sizeof text, "%.1f million", n / 1e6);
  } else {
    std::snprintf(text, sizeof text, "%.0f", n);
  }
  return text;
}

void print_line(const char* key, const std::string& value) {
  std::printf("%-16s %s\n", key, value.c_str());
}

std::string number_of(const Json& json, const char* key) {
  return std::to_string(json.at(key).as_int());
}

void print_info(const Json& info) {
  const Json& layer = info.at("layer");
  print_line("model", info.at("model").as_string() + " (" + info.at("format").as_string() + ")");
  print_line("digest", info.at("digest").as_string());
  print_line("architecture", info.at("architecture").as_string());
  print_line(
      "parameters",
      count_text(info.at("parameters").as_double()) +
          (info.at("tie_word_embeddings").as_bool() ? " (embedding and head are one matrix)" : ""));
  print_line("layers", number_of(info, "layers") + ", hidden size " +
                           number_of(info, "hidden_size") + ", feed-forward " +
                           number_of(layer, "intermediate_size") +
                           (info.at("layers_equal").as_bool() ? "" : " (of the first layer)"));
  print_line("attention", number_of(layer, "head_count") + " heads of " +
                              number_of(layer, "head_dim") + ", " +
                              number_of(layer, "kv_head_count") + " for keys and values" +
                              (layer.at("sliding_window").as_int() > 0
                                   ? ", window " + number_of(layer, "sliding_window")
                                   : ""));
  print_line("context", number_of(info, "context_length") + " tokens");
  std::string types;
  for (const auto& [name, size] : info.at("tensors").as_object()) {
    types += (types.empty() ? "" : ", ") + name + " " + number_of(size, "tensors") +
             (size.at("tensors").as_int() == 1 ? " tensor (" : " tensors (") +
             bytes_text(static_cast<uint64_t>(size.at("bytes").as_int())) + ")";
  }
  print_line("types", types);
  const Json& tokenizer = info.at("tokenizer");
  if (tokenizer.is_null()) {
    print_line("tokenizer", "none: rows must be tokenised already");
  } else {
    std::string ends;
    for (const Json& piece : tokenizer.at("end_of_generation").as_array()) {
      ends += " " + piece.as_string();
    }
    print_line("tokenizer", tokenizer.at("kind").as_string() + ", " +
                                number_of(tokenizer, "vocab_size") + " tokens; answers end at" +
                                (ends.empty() ? " nothing" : ends));
    print_line("chat template", tokenizer.at("chat_template").as_bool() ? "yes" : "no");
  }
  const Json& memory = info.at("memory");
  const auto kv = static_cast<uint64_t>(memory.at("kv_bytes_per_token").as_int());
  print_line("memory", bytes_text(static_cast<uint64_t>(memory.at("weights_bytes").as_int())) +
                           " of weights, and " + bytes_text(1024 * kv) +
                           " for every 1024 tokens of a conversation");
}

}  // namespace

int model_info(const Arguments& arguments) {
  CommonOptions common;
  std::string model;
  Options options("model info", "what a model file is: sizes, types, tokenizer, digest, memory.",
                  "M");
  options.example("hone model info m.gguf", "for people");
  options.example("hone model info folder --json", "for programs");
  options.text("model", &model, "MODEL", "the same as the word M");
  common.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return 0;
  if (words.size() == 1 && model.empty()) model = words[0];
  if (model.empty() || words.size() > 1) throw invalid_input("hone model info needs one MODEL");
  const Json description = info_json(model, *open_model_file(model));
  if (common.json) {
    std::printf("%s\n", description.dump().c_str());
  } else {
    print_info(description);
  }
  return 0;
}

}  // namespace hone::cli
