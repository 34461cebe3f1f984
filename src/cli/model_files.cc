#include "cli/model_files.h"

#include <algorithm>
#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/memory.h"
#include "data/jsonl_writer.h"
#include "llm/tokenizer/tokenizer_gguf_writer.h"
#include "llm/tokenizer/tokenizer_json_writer.h"
#include "tensor/quantize.h"

namespace hone::cli {

using tensor::DataType;

bool is_gguf_name(const std::string& path) {
  return path.size() > 5 && path.compare(path.size() - 5, 5, ".gguf") == 0;
}

std::unique_ptr<llm::ModelFile> open_model_file(const std::string& path) {
  Env& env = real_env();
  if (!env.exists(path)) throw not_found(path + ": there is no such file or folder");
  if (env.is_directory(path) && !env.exists(path + "/config.json") &&
      env.exists(path + "/adapter_config.json")) {
    throw invalid_input(path + " is an adapter, not a model: hone model merge BASE --adapter " +
                        path + " makes a model of it");
  }
  return llm::ModelFile::open(path);
}

void OutputFlags::add_to(Options& options, bool with_adapter, const char* types) {
  options.text("model", &model, "MODEL", "the same as the word M");
  if (with_adapter) options.text("adapter", &adapter, "DIR", "a PEFT LoRA directory");
  options.text("output", &output, "PATH", "FILE.gguf, or a folder in Hugging Face's form");
  options.text("type", &type, "TYPE", types);
  options.flag("overwrite", &overwrite, "replace --output when it exists");
  common.add_to(options);
}

bool OutputFlags::parse(Options& options, const Arguments& arguments, const char* command) {
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

namespace {

constexpr uint64_t kMaxTokenizerBytes = uint64_t{256} << 20;
// Words that are read, written and read again: pieces, merges and the tables over them, and for a
// folder tokenizer.json as a value (measured with 49,152 words: 430 and 750).
constexpr uint64_t kGgufBytesPerToken = 600, kFolderBytesPerToken = 900;

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

}  // namespace

int write_model(const OutputFlags& flags, const llm::ModelFile& file, const llm::RowReader& rows,
                const llm::ModelConfig* changed) {
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

}  // namespace hone::cli
