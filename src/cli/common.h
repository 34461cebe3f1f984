#pragma once
// What most commands share: options, a loaded model with its words and digests, memory, interrupts.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/memory.h"
#include "cli/options.h"
#include "llm/generator.h"
#include "llm/lora.h"
#include "llm/memory_plan.h"
#include "llm/model.h"
#include "llm/text_codec.h"
#include "tensor/compute.h"

namespace hone::cli {

struct CommonOptions {
  bool json = false, quiet = false;
  size_t threads = 0;  // 0 = all that the process may use
  uint64_t seed = 42;
  std::string memory_limit;  // "" = 90 % of what is available (cli/memory.h)

  void add_to(Options& options);
};

struct ModelOptions {
  std::string model, adapter;
  void add_to(Options& options);
};

// A model is opened first (config, words, adapter, sizes): rows can be read and the peak memory be
// said. Then its weights are loaded.
struct LoadedModel {
  std::string path;
  llm::Model model;  // after opening: only its config
  std::optional<llm::TextCodec> codec;
  std::optional<llm::LoraAdapter> adapter;
  std::vector<int32_t> end_of_generation;
  llm::WeightMemory memory;

  const llm::LoraAdapter* adapter_or_null() const { return adapter ? &*adapter : nullptr; }
  const llm::TextCodec* codec_or_null() const { return codec ? &*codec : nullptr; }
  // Known as soon as it is opened.
  bool has_score_head() const {
    return model.config.score_head || (adapter && adapter->score.rows() > 0);
  }
  size_t lora_rank() const { return adapter ? adapter->max_rank() : 0; }
  const llm::TextCodec& text() const;  // throws when the model has no tokenizer
};
LoadedModel open_model(const ModelOptions& options);
void load_weights(tensor::Compute& compute, LoadedModel& opened,
                  llm::HeadNeed need = llm::HeadNeed::kLanguage);
// Both, for work whose size the model alone tells.
LoadedModel load(tensor::Compute& compute, const ModelOptions& options);
// SHA-256 of a model file, or of a directory (docs/formats/digest.md).
std::string model_digest(const std::string& path);

// The ids of a prompt row: {"prompt": text or messages} or {"prompt_ids"}.
std::vector<int32_t> prompt_ids(const LoadedModel& loaded, const Json& row,
                                const std::string& where);

struct SamplingFlags {
  llm::SamplingOptions sampling;
  size_t max_tokens = 256;
  std::vector<std::string> stop;
  void add_to(Options& options);
};

// A file read line by line as JSON; errors name file:line.
std::vector<Json> read_json_lines(const std::string& path);

// True once Ctrl-C or SIGTERM came; the handlers are set by the first call.
const std::atomic<bool>& interrupted();
// Thrown by work that stops because of them; main.cc prints the sentence and exits with 130.
struct Interrupted {
  std::string what_now;  // what was kept, and how to go on
};
void stop_if_interrupted(const char* what_now);

// For sources.json: where a run's files were, whatever folder somebody asks from later.
std::string absolute_path(const std::string& path);

std::string program_version();  // "0.1.0"
std::string program_commit();

}  // namespace hone::cli
