#include "cli/common.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/env.h"
#include "base/error.h"
#include "cli/ranks.h"
#include "llm/dora.h"
#include "llm/formats/model_file.h"
#include "seal/digest.h"

#ifndef HONE_VERSION
#define HONE_VERSION "unknown"
#endif
#ifndef HONE_COMMIT
#define HONE_COMMIT "unknown"
#endif

namespace hone::cli {

namespace {

constexpr uint64_t kMaxInputBytes = uint64_t{4} << 30;

std::atomic<bool> interrupted_flag{false};

void on_signal(int signal) {
  interrupted_flag.store(true);
  std::signal(signal, SIG_DFL);  // a second Ctrl-C ends the program at once
}

std::string digest_of(const std::string& path) {
  if (!std::filesystem::is_directory(path)) return seal::sha256_file(path);
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (!entry.is_regular_file()) continue;
    files.emplace_back(entry.path().filename().string(), seal::sha256_file(entry.path().string()));
  }
  return seal::artefact_digest(std::move(files));
}

}  // namespace

std::string program_version() { return HONE_VERSION; }
std::string program_commit() { return HONE_COMMIT; }

std::string absolute_path(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

const std::atomic<bool>& interrupted() {
  static const bool installed = [] {
    std::signal(SIGINT, on_signal);
    // mpirun ends its ranks by SIGTERM and leaves them no time (cli/ranks.h).
    std::signal(ranks().size() > 1 ? SIGUSR1 : SIGTERM, on_signal);
    return true;
  }();
  (void)installed;
  return interrupted_flag;
}

void stop_if_interrupted(const char* what_now) {
  if (interrupted()) throw Interrupted{what_now};
}

void CommonOptions::add_to(Options& options) {
  options.section("Everywhere");
  options.flag("json", &json, "one JSON document (or JSONL) on stdout and nothing else there");
  options.flag("quiet", &quiet, "no progress and no notes on stderr");
  options.count("threads", &threads, "threads; 0 = all cores that the process may use");
  options.number64("seed", &seed, "what every random choice comes from");
  options.text("memory-limit", &memory_limit, "SIZE",
               "refuse to start above this (8G, 500M); empty = 90 % of what is available");
}

void ModelOptions::add_to(Options& options) {
  options.text("model", &model, "MODEL", "a .gguf file or a Hugging Face directory");
  options.text("adapter", &adapter, "DIR", "a PEFT LoRA directory on top of it");
}

const llm::TextCodec& LoadedModel::text() const {
  if (codec) return *codec;
  throw invalid_input(
      "this model has no tokenizer: use rows that are tokenised already, or a model that has one");
}

LoadedModel open_model(const ModelOptions& options) {
  if (!real_env().exists(options.model)) {
    throw not_found("--model " + options.model + ": there is no such file or folder");
  }
  LoadedModel loaded;
  loaded.path = options.model;
  {
    const std::unique_ptr<llm::ModelFile> file = llm::ModelFile::open(options.model);
    loaded.model.config = file->config();
    loaded.memory = llm::weight_memory(*file);
  }
  loaded.codec = llm::load_text_codec(options.model);
  if (loaded.codec) {
    loaded.end_of_generation = loaded.codec->tokenizer().end_of_generation();
    if (loaded.codec->tokenizer().vocab_size() > loaded.model.config.vocab_size) {
      throw corrupt_data(options.model + ": the tokenizer has " +
                         std::to_string(loaded.codec->tokenizer().vocab_size()) +
                         " tokens but the embedding only " +
                         std::to_string(loaded.model.config.vocab_size) +
                         " rows: tokenizer and weights are of different models");
    }
  }
  if (!options.adapter.empty()) loaded.adapter = llm::load_lora(loaded.model, options.adapter);
  return loaded;
}

void load_weights(tensor::Compute& compute, LoadedModel& opened, llm::HeadNeed need) {
  llm::Model model = llm::load_model(compute, *llm::ModelFile::open(opened.path), need);
  if (!(model.config == opened.model.config)) {
    throw corrupt_data(opened.path + " was replaced while it was read: start again");
  }
  opened.model = std::move(model);
  if (opened.adapter) llm::refresh_dora(compute, opened.model, *opened.adapter);
}

LoadedModel load(tensor::Compute& compute, const ModelOptions& options) {
  LoadedModel loaded = open_model(options);
  load_weights(compute, loaded);
  return loaded;
}

std::string model_digest(const std::string& path) { return digest_of(path); }

std::vector<int32_t> prompt_ids(const LoadedModel& loaded, const Json& row,
                                const std::string& where) {
  const auto explain = [&](const std::string& what) { return invalid_input(where + ": " + what); };
  if (!row.is_object()) throw explain("a row must be a JSON object");
  if (const Json* ids = row.find("prompt_ids")) {
    std::vector<int32_t> out;
    if (!ids->is_array()) throw explain("prompt_ids must be a list of token ids");
    for (const Json& id : ids->as_array()) {
      if (!id.is_integer() || id.as_double() < 0 || id.as_double() > INT32_MAX) {
        throw explain("prompt_ids holds something that is not a token id");
      }
      out.push_back(static_cast<int32_t>(id.as_int()));
    }
    return out;
  }
  const Json* prompt = row.find("prompt");
  if (prompt == nullptr) prompt = row.find("messages");
  if (prompt == nullptr) throw explain("a row needs prompt (text or messages) or prompt_ids");
  try {
    if (prompt->is_string()) return loaded.text().encode_text(prompt->as_string());
    if (prompt->is_array()) return loaded.text().encode_chat(*prompt, true).ids;
  } catch (const Error& error) {
    throw explain(error.message());
  }
  throw explain("prompt must be a string or a list of messages");
}

void SamplingFlags::add_to(Options& options) {
  options.section("Sampling");
  options.count("max-tokens", &max_tokens, "tokens of an answer at most");
  options.real("temperature", &sampling.temperature, "0 = the most likely token (greedy)");
  options.real("top-p", &sampling.top_p, "keep the most likely tokens up to this mass; 1 = off");
  options.count("top-k", &sampling.top_k, "keep this many tokens; 0 = off");
  options.real("min-p", &sampling.min_p, "keep tokens of at least this share of the best; 0 = off");
  options.real("repetition-penalty", &sampling.repetition_penalty, "1 = off");
  options.real("presence-penalty", &sampling.presence_penalty, "0 = off");
  options.real("frequency-penalty", &sampling.frequency_penalty, "0 = off");
  options.list("stop", &stop, "TEXT,..", "texts that end an answer; they are cut off");
}

std::vector<Json> read_json_lines(const std::string& path) {
  const std::string text = real_env().read_file(path, kMaxInputBytes);
  std::vector<Json> rows;
  size_t begin = 0, number = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    ++number;
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    Result<Json> json = Json::parse(line);
    if (!json) {
      throw invalid_input(path + ":" + std::to_string(number) + ": " + json.error().message());
    }
    rows.push_back(std::move(json).value());
  }
  if (rows.empty()) throw invalid_input(path + " has no rows: give it one JSON object a line");
  return rows;
}

}  // namespace hone::cli
