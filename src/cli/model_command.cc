// hone model info | export | quantize | merge | prune: model files in and out, without running the model.
// Its other words are about names in a data folder (admin_models.cc).

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/value_input.h"
#include "data/jsonl_writer.h"
#include "llm/formats/adapter.h"
#include "llm/formats/layer_choice.h"
#include "llm/formats/model_writer.h"
#include "llm/kv_cache.h"
#include "llm/tokenizer/tokenizer_gguf_writer.h"
#include "llm/tokenizer/tokenizer_json_writer.h"
#include "tensor/quantize.h"

namespace hone::cli {

namespace {

using tensor::DataType;

constexpr uint64_t kMaxTokenizerBytes = uint64_t{256} << 20;
// Words that are read, written and read again: pieces, merges and the tables over them, and for a
// folder tokenizer.json as a value (measured with 49,152 words: 430 and 750).
constexpr uint64_t kGgufBytesPerToken = 600, kFolderBytesPerToken = 900;

bool is_gguf_name(const std::string& path) {
  return path.size() > 5 && path.compare(path.size() - 5, 5, ".gguf") == 0;
}

std::unique_ptr<llm::ModelFile> open_file(const std::string& path) {
  Env& env = real_env();
  if (!env.exists(path)) throw not_found(path + ": there is no such file or folder");
  if (env.is_directory(path) && !env.exists(path + "/config.json") &&
      env.exists(path + "/adapter_config.json")) {
    throw invalid_input(path + " is an adapter, not a model: hone model merge BASE --adapter " +
                        path + " makes a model of it");
  }
  return llm::ModelFile::open(path);
}

// info

struct StoredTypes {
  std::map<DataType, std::pair<size_t, uint64_t>> by_type;  // tensors, bytes
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

int info(const Arguments& arguments) {
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
  const Json description = info_json(model, *open_file(model));
  if (common.json) {
    std::printf("%s\n", description.dump().c_str());
  } else {
    print_info(description);
  }
  return 0;
}

// export, quantize, merge

struct OutputFlags {
  CommonOptions common;
  std::string model, adapter, output, type;
  bool overwrite = false;

  void add_to(Options& options, bool with_adapter, const char* types) {
    options.text("model", &model, "MODEL", "the same as the word M");
    if (with_adapter) options.text("adapter", &adapter, "DIR", "a PEFT LoRA directory");
    options.text("output", &output, "PATH", "FILE.gguf, or a folder in Hugging Face's form");
    options.text("type", &type, "TYPE", types);
    options.flag("overwrite", &overwrite, "replace --output when it exists");
    common.add_to(options);
  }

  // False when help was printed instead.
  bool parse(Options& options, const Arguments& arguments, const char* command) {
    const auto words = options.parse(arguments);
    if (options.show_help()) return false;
    if (words.size() == 1 && model.empty()) {
      model = words[0];
    } else if (!words.empty()) {
      throw invalid_input(std::string(command) + " needs one MODEL");
    }
    options.require("model", model);
    options.require("output", output);
    return true;
  }
};

// What keeps the numbers: the matrices' own type where both formats can write it, else F32.
DataType type_of_source(const llm::ModelFile& file) {
  const llm::StoredTensor* embedding = file.find("model.embed_tokens.weight");
  for (const llm::StoredTensor& tensor : file.tensors()) {
    if (!tensor.is_vector() && &tensor != embedding) {
      const bool plain = tensor::info(tensor.type).block_size == 1;
      return plain ? tensor.type : DataType::kF32;
    }
  }
  return DataType::kF32;
}

DataType wanted_type(const OutputFlags& flags, const llm::ModelFile& file) {
  const bool gguf = is_gguf_name(flags.output);
  if (flags.type.empty()) return type_of_source(file);
  const auto type = tensor::data_type_from_name(flags.type);
  if (!type || !tensor::can_quantize(*type)) {
    throw invalid_input("--type " + flags.type +
                        " cannot be written: choose one of F32, F16, BF16, Q8_0, Q4_0, Q4_1");
  }
  if (!gguf && tensor::info(*type).block_size != 1) {
    throw invalid_input("--type " + flags.type +
                        " needs a GGUF file: name --output FILE.gguf, or "
                        "choose F32, F16 or BF16 for a folder");
  }
  return *type;
}

std::vector<llm::NamedFile> tokenizer_files(const std::string& directory) {
  Env& env = real_env();
  std::vector<llm::NamedFile> files;
  for (const char* name :
       {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "tokenizer.model", "vocab.json", "merges.txt", "chat_template.jinja"}) {
    const std::string path = directory + "/" + name;
    if (env.exists(path)) files.emplace_back(name, env.read_file(path, kMaxTokenizerBytes));
  }
  return files;
}

std::vector<llm::NamedFile> tokenizer_files_of_gguf(const std::string& path,
                                                    const llm::ModelFile& file) {
  const std::optional<llm::TextCodec> codec = llm::load_text_codec(path);
  if (!codec) return {};
  llm::HuggingFaceTokenizer written = llm::huggingface_tokenizer(
      codec->tokenizer().data(), file.extras().chat_template.value_or(""));
  return {{"tokenizer.json", std::move(written.tokenizer_json)},
          {"tokenizer_config.json", std::move(written.tokenizer_config_json)}};
}

// The tokenizer.* entries of a GGUF file. A folder's tokenizer that GGUF cannot say is left out and
// why_not tells why: the weights are worth having without it.
std::vector<llm::GgufEntry> gguf_tokenizer_entries(const std::string& path,
                                                   const llm::ModelFile& file,
                                                   std::string* why_not) {
  if (file.gguf() != nullptr) return llm::tokenizer_entries(*file.gguf());
  try {
    const std::optional<llm::TextCodec> codec = llm::load_text_codec(path);
    if (!codec) {
      *why_not = "there is no tokenizer.json in " + path;
      return {};
    }
    return llm::tokenizer_entries(
        llm::gguf_tokenizer(codec->tokenizer().data(), file.config().vocab_size), file.extras());
  } catch (const Error& error) {
    *why_not = error.message();
    return {};
  }
}

// Refuses what is there; with --overwrite, a folder is replaced only when it is a model's.
void make_way(const OutputFlags& flags) {
  Env& env = real_env();
  if (!env.exists(flags.output)) return;
  if (!env.is_directory(flags.output)) {
    data::refuse_existing(env, flags.output, flags.overwrite);
    return;
  }
  if (is_gguf_name(flags.output)) {
    throw Error(ErrorCode::kConflict, flags.output + " is a folder: name a file");
  }
  if (env.list_directory(flags.output).empty()) return;
  const bool is_model = env.exists(flags.output + "/config.json");
  if (flags.overwrite && is_model) return;
  throw Error(ErrorCode::kConflict,
              flags.output + (is_model ? " exists: --overwrite replaces it"
                                       : " exists and is not a model: name a new folder"));
}

// Writes into a folder beside it, which then takes its name: whole or not at all.
void write_directory(const OutputFlags& flags, const llm::ModelFile& file,
                     const llm::ModelConfig& config, DataType type, const llm::RowReader& rows) {
  Env& env = real_env();
  const std::string partial = flags.output + ".part";
  env.remove_all(partial);
  try {
    std::vector<llm::NamedFile> files;
    if (file.gguf() == nullptr) {
      files = tokenizer_files(flags.model);
    } else {
      files = tokenizer_files_of_gguf(flags.model, file);
    }
    llm::write_huggingface_directory(env, partial, config, type, rows, file.extras().eos_token_ids,
                                     files);
    env.remove_all(flags.output);
    env.rename(partial, flags.output);
  } catch (...) {
    env.remove_all(partial);
    throw;
  }
}

// Rows are read, changed and written one by one: of the model only the tensor at hand is in memory.
void check_file_memory(const OutputFlags& flags, const llm::ModelFile& file) {
  MemoryPlan plan;
  // The words are read, written and read back: of both kinds when a folder becomes a GGUF file.
  const bool reads_folder = file.gguf() == nullptr, writes_folder = !is_gguf_name(flags.output);
  const uint64_t word_bytes = (reads_folder || writes_folder ? kFolderBytesPerToken : 0) +
                              (writes_folder ? 0 : kGgufBytesPerToken);
  plan.add("one tensor, then the words", std::max<uint64_t>(llm::weight_memory(file).largest_bytes,
                                                            file.config().vocab_size * word_bytes));
  check_memory(flags.common, plan, "hone model", "close other programs");
}

// config: of what is written, when it is not the file's own.
int write_model(const OutputFlags& flags, const llm::ModelFile& file, const llm::RowReader& rows,
                const llm::ModelConfig* changed = nullptr) {
  const llm::ModelConfig& config = changed == nullptr ? file.config() : *changed;
  const DataType type = wanted_type(flags, file);
  check_file_memory(flags, file);
  make_way(flags);
  const bool gguf = is_gguf_name(flags.output);
  std::string why_not = "as the model that it came from";
  if (gguf) {
    llm::write_gguf(real_env(), flags.output, config, type, rows,
                    gguf_tokenizer_entries(flags.model, file, &why_not));
  } else {
    write_directory(flags, file, config, type, rows);
  }
  const bool has_tokenizer = llm::load_text_codec(flags.output).has_value();
  const std::string digest = model_digest(flags.output);
  if (flags.common.json) {
    Json json = Json::object();
    json["output"] = flags.output;
    json["type"] = tensor::info(type).name;
    json["digest"] = digest;
    json["tokenizer"] = has_tokenizer;
    std::printf("%s\n", json.dump().c_str());
  } else {
    std::printf("%s: %s, sha256 %s\n", flags.output.c_str(),
                std::string(tensor::info(type).name).c_str(), digest.c_str());
  }
  if (!has_tokenizer && !flags.common.quiet) {
    std::fprintf(stderr, "note: %s has no tokenizer: %s\n", flags.output.c_str(), why_not.c_str());
  }
  return 0;
}

// An adapter from PEFT's form to GGUF's, or back: the same numbers.
int export_adapter(const OutputFlags& flags, const std::string& base) {
  if (base.empty()) {
    throw invalid_input(flags.model +
                        " is an adapter: name the model that it stands on with --base");
  }
  if (!flags.type.empty())
    throw invalid_input("--type is about models: adapters are written as F32");
  const llm::ModelConfig config = llm::ModelFile::open(base)->config();
  llm::Adapter adapter = llm::read_adapter(flags.model, config);
  if (adapter.base_model.empty()) adapter.base_model = base;
  if (is_gguf_name(flags.output)) {
    llm::write_gguf_adapter(real_env(), flags.output, adapter, config);
  } else {
    llm::write_adapter(real_env(), flags.output, adapter);
  }
  const std::string digest = model_digest(flags.output);
  if (flags.common.json) {
    Json json = Json::object();
    json["output"] = flags.output;
    json["maps"] = uint64_t{adapter.pairs.size()};
    json["digest"] = digest;
    std::printf("%s\n", json.dump().c_str());
  } else {
    std::printf("%s: %zu maps, sha256 %s\n", flags.output.c_str(), adapter.pairs.size(),
                digest.c_str());
  }
  return 0;
}

int export_model(const Arguments& arguments) {
  OutputFlags flags;
  std::string base;
  Options options("model export", "a model in another format: GGUF or a Hugging Face folder.",
                  "M --output DIR|FILE.gguf");
  options.example("hone model export m.gguf --output folder --type BF16",
                  "what transformers and other trainers read");
  options.example("hone model export folder --output m.gguf --type F16", "what llama.cpp reads");
  options.example("hone model export run/final --base m.gguf --output adapter.gguf",
                  "an adapter as llama.cpp reads it; a folder as --output: as PEFT does");
  options.text("base", &base, "M", "the model that an adapter stands on");
  flags.add_to(options, false,
               "F32, F16, BF16, and in GGUF Q8_0, Q4_0, Q4_1; empty = the source's, F32 when it is "
               "quantised");
  if (!flags.parse(options, arguments, "hone model export")) return 0;
  if (names_adapter(flags.model)) return export_adapter(flags, base);
  if (!base.empty())
    throw invalid_input("--base is about adapters, and " + flags.model + " is none");
  const auto file = open_file(flags.model);
  return write_model(flags, *file, llm::rows_of(*file));
}

int quantize(const Arguments& arguments) {
  OutputFlags flags;
  Options options("model quantize", "a smaller GGUF file of a model.",
                  "M --type Q8_0 --output FILE.gguf");
  options.example("hone model quantize folder --type Q8_0 --output m.gguf",
                  "8 bits a weight: hardly a loss");
  options.example("hone model quantize m-f16.gguf --type Q4_1 --output m-q4.gguf",
                  "5 bits a weight: smallest");
  flags.add_to(options, false, "F16, BF16, Q8_0, Q4_0 or Q4_1");
  if (!flags.parse(options, arguments, "hone model quantize")) return 0;
  options.require("type", flags.type);
  if (!is_gguf_name(flags.output)) {
    throw invalid_input("--output " + flags.output +
                        ": quantised models are GGUF files; name it "
                        "FILE.gguf");
  }
  const auto file = open_file(flags.model);
  return write_model(flags, *file, llm::rows_of(*file));
}

int prune(const Arguments& arguments) {
  OutputFlags flags;
  std::vector<std::string> layers;
  Options options("model prune",
                  "a model without some of its layers, to be taught by the whole one.",
                  "M --drop-layers 24,25 --output FILE.gguf");
  options.example("hone model prune m.gguf --drop-layers 21,22,23,24,25,26 --output small.gguf",
                  "a student for hone train distill --teacher m.gguf");
  flags.add_to(options, false,
               "F32, F16, BF16, and in GGUF Q8_0, Q4_0, Q4_1; empty = the source's, F32 when it is "
               "quantised");
  options.list("drop-layers", &layers, "N,..", "layers to leave out, counted from 0");
  if (!flags.parse(options, arguments, "hone model prune")) return 0;
  if (layers.empty()) throw invalid_input("--drop-layers names no layer");
  std::vector<size_t> dropped;
  for (const std::string& layer : layers) {
    size_t number = 0;
    const char* end = layer.data() + layer.size();
    const auto [stop, status] = std::from_chars(layer.data(), end, number);
    if (status != std::errc() || stop != end) {
      throw invalid_input("--drop-layers: \"" + layer + "\" is not a layer's number");
    }
    dropped.push_back(number);
  }
  const auto file = open_file(flags.model);
  const llm::LayerChoice choice(file->config(), dropped);
  return write_model(flags, *file, choice.rows(llm::rows_of(*file)), &choice.config());
}

// Rows of W + scale * B A, with DoRA scaled to their magnitude; all is summed in f64 and rounded once.
llm::RowReader merged_rows(const llm::ModelFile& file, const llm::Adapter& adapter) {
  std::map<std::string, const llm::LoraTensorPair*, std::less<>> pairs;
  for (const llm::LoraTensorPair& pair : adapter.pairs) pairs[pair.module + ".weight"] = &pair;
  return [read = llm::rows_of(file), pairs = std::move(pairs)](std::string_view name, size_t row,
                                                               float* out) {
    read(name, row, out);
    const auto found = pairs.find(name);
    if (found == pairs.end()) return;
    const llm::LoraTensorPair& pair = *found->second;
    std::vector<double> change(pair.in, 0.0);
    for (size_t r = 0; r < pair.r; ++r) {
      const double b = static_cast<double>(pair.b[row * pair.r + r]);
      for (size_t k = 0; k < pair.in; ++k) {
        change[k] += b * static_cast<double>(pair.a[r * pair.in + k]);
      }
    }
    double squares = 0;
    for (size_t k = 0; k < pair.in; ++k) {
      change[k] = static_cast<double>(out[k]) + static_cast<double>(pair.scale) * change[k];
      squares += change[k] * change[k];
    }
    const bool dora = !pair.magnitude.empty() && squares > 0;
    const double gain = dora ? static_cast<double>(pair.magnitude[row]) / std::sqrt(squares) : 1;
    for (size_t k = 0; k < pair.in; ++k) out[k] = static_cast<float>(gain * change[k]);
  };
}

int merge(const Arguments& arguments) {
  OutputFlags flags;
  Options options("model merge", "a model with an adapter's changes written into its weights.",
                  "M --adapter A --output DIR|FILE.gguf");
  options.example("hone model merge m.gguf --adapter run/final --output merged.gguf --type Q8_0",
                  "one file for any GGUF server");
  options.example("hone model merge folder --adapter run/final --output merged",
                  "a Hugging Face folder");
  flags.add_to(options, true,
               "F32, F16, BF16, and in GGUF Q8_0, Q4_0, Q4_1; empty = the source's, F32 when it is "
               "quantised");
  if (!flags.parse(options, arguments, "hone model merge")) return 0;
  options.require("adapter", flags.adapter);
  const auto file = open_file(flags.model);
  const llm::Adapter adapter = llm::read_adapter(flags.adapter, file->config());
  const int code = write_model(flags, *file, merged_rows(*file, adapter));
  if (!flags.common.quiet) {
    std::fprintf(stderr,
                 "note: a merged model rounds otherwise than base and adapter computed apart, so "
                 "its answers can differ in their last bits\n");
  }
  return code;
}

}  // namespace

constexpr char kAdd[] = "add", kList[] = "list", kRemove[] = "remove", kPromote[] = "promote",
               kSplit[] = "split", kRollback[] = "rollback", kGate[] = "gate",
               kHistory[] = "history";

template <const char* kObject>
int in_registry(const Arguments& arguments) {
  return run_registry(kObject, arguments);
}

int run_model(const Arguments& arguments) {
  constexpr Object kObjects[] = {
      {"info", "sizes, types, tokenizer, digest, memory", info},
      {"export", "another format: GGUF, or a Hugging Face folder", export_model},
      {"quantize", "a smaller GGUF file", quantize},
      {"merge", "an adapter written into the weights", merge},
      {"prune", "a smaller model: some layers left out", prune},
      {"add", "a model or adapter under a name, for serving", in_registry<kAdd>},
      {"list", "names, digests, and what each alias answers with", in_registry<kList>},
      {"remove", "a name given up; the files stay", in_registry<kRemove>},
      {"promote", "an alias moved to a model, through its gate", in_registry<kPromote>},
      {"split", "an alias shared between models by weight", in_registry<kSplit>},
      {"rollback", "an alias moved back", in_registry<kRollback>},
      {"gate", "the rule by which an alias may move", in_registry<kGate>},
      {"history", "every decision about an alias", in_registry<kHistory>},
  };
  return run_object("model", "model files in and out, and models by name.", kObjects, arguments);
}

}  // namespace hone::cli
