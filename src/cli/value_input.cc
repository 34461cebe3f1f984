#include "cli/value_input.h"

#include <algorithm>
#include <filesystem>

#include "base/env.h"
#include "base/error.h"
#include "cli/kept_layers.h"
#include "llm/dora.h"
#include "llm/formats/gguf.h"
#include "train/distill.h"

namespace hone::cli {

namespace {

bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error) && !error;
}

void check_words(const std::string& path, const LoadedModel& policy, const LoadedModel& value) {
  const std::string must = ": --value-model must read the policy's tokens";
  const size_t here = policy.model.config.vocab_size, there = value.model.config.vocab_size;
  if (here != there) {
    throw invalid_input(path + " has a vocabulary of " + std::to_string(there) +
                        " and --model one of " + std::to_string(here) + must);
  }
  if (!policy.codec || !value.codec) return;
  const auto& words = policy.codec->tokenizer();
  const auto& others = value.codec->tokenizer();
  const auto other = train::first_other_word(words, others);
  if (!other) return;
  throw invalid_input(path + " has another tokenizer than --model: word " + std::to_string(*other) +
                      " is \"" + std::string(others.piece(*other)) + "\" and --model's is \"" +
                      std::string(words.piece(*other)) + "\"" + must);
}

}  // namespace

bool names_adapter(const std::string& path) {
  if (real_env().is_directory(path)) return real_env().exists(path + "/adapter_config.json");
  if (!real_env().is_file(path) || !path.ends_with(".gguf")) return false;
  const llm::GgufValue* type = llm::GgufFile::open(path)->find("general.type");
  return type != nullptr && type->type == llm::GgufType::kString && type->as_string() == "adapter";
}

ValueInput open_value_model(const std::string& path, const LoadedModel& policy,
                            const train::TrainConfig& config) {
  if (!real_env().exists(path)) {
    throw not_found("--value-model " + path + ": there is no such file or folder");
  }
  ValueInput value;
  value.path = path;
  const bool is_adapter = names_adapter(path);
  if (is_adapter) {
    try {
      value.adapter = llm::load_lora(policy.model, path);
    } catch (const Error& error) {
      throw Error(error.code(),
                  "--value-model " + path +
                      " is an adapter, and its base must be --model: " + error.message());
    }
  }
  // What is trained needs weights of its own; what is only read does not.
  const bool shares = config.lora_r > 0 && (is_adapter || is_same_file(path, policy.path));
  if (shares) return value;
  value.own = open_model({is_adapter ? policy.path : path, ""});
  check_words(path, policy, *value.own);
  return value;
}

void ValueInput::add_to(MemoryPlan& plan, const LoadedModel& policy,
                        const train::TrainConfig& config, size_t max_rows) const {
  const llm::ModelConfig& model = this->config(policy);
  train::TrainConfig of_value = config;
  of_value.recompute = true;
  if (config.lora_r > 0 && adapter) {
    of_value.lora_r = adapter->max_rank();
    of_value.use_dora = adapter->use_dora;
  }
  if (own) {
    const uint64_t packed = own->memory.packed_bytes;
    const uint64_t f32 = llm::parameter_count(model) * sizeof(float);
    plan.add("weights of the value model", config.lora_r == 0 ? std::max(f32, packed) : packed);
    plan.add_passing(own->memory.loading_bytes);
  }
  plan.add("value model: gradients, moments and activations",
           train::planned_trained_bytes(model, of_value, max_rows));
}

uint64_t ValueInput::more_layers_bytes(const LoadedModel& policy, size_t max_rows,
                                       size_t kept) const {
  const llm::ModelConfig& model = config(policy);
  return cli::more_layers_bytes(model, max_rows,
                                train::kept_value_layers(kept, policy.model.config, model));
}

void ValueInput::load(tensor::Compute& compute, LoadedModel& policy,
                      const train::TrainConfig& config) {
  if (own) {
    load_weights(compute, *own, llm::HeadNeed::kScore);
    if (config.lora_r == 0) llm::make_trainable(compute, own->model);
  }
  if (adapter) llm::refresh_dora(compute, own ? own->model : policy.model, *adapter);
}

train::ValueStart ValueInput::start(LoadedModel& policy) {
  return {own ? own->model : policy.model, std::move(adapter)};
}

}  // namespace hone::cli
