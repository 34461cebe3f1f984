// A run's folder from a stranger: manifest.json, the lines of its logs and the newest checkpoint,
// with a line of "====" between them. Each reader of a run refuses it in words or gives what can be
// written again.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "base/fault_env.h"
#include "llm/testing.h"
#include "train/config.h"
#include "train/online.h"
#include "train/run_directory.h"

namespace {

using hone::train::ReportTo;
using hone::train::RunDirectory;

constexpr RunDirectory::Opening kResume = {.resume = true};
constexpr std::string_view kBetween = "\n====\n";

// One tiny model with an adapter, whose optimiser a checkpoint is read into.
struct Trained {
  hone::tensor::Compute compute{1};
  hone::llm::Model model;
  hone::llm::LoraAdapter adapter;
  hone::llm::Trainable trainable;
  hone::train::TrainConfig config;
  std::unique_ptr<hone::train::Optimizer> optimizer;

  Trained() {
    hone::llm::testing::TinyShape shape;
    shape.vocab = 8;
    shape.layers = 1;
    shape.hidden = 4;
    shape.heads = 1;
    shape.kv_heads = 1;
    shape.head_dim = 4;
    shape.intermediate = 4;
    shape.context = 16;
    model = hone::llm::testing::random_model(shape);
    hone::llm::LoraOptions lora;
    lora.r = 1;
    lora.target_modules = {"q_proj"};
    adapter = hone::llm::make_lora(model, lora, 3);
    trainable = hone::llm::lora_parameters(model, adapter);
    optimizer = std::make_unique<hone::train::Optimizer>(compute, trainable, config);
  }
};

void put(hone::Env& env, const std::string& path, std::string_view bytes) {
  hone::write_file_atomically(env, path, bytes);
}

template <typename Read>
void refused_or_read(Read read) {
  try {
    read();
  } catch (const hone::Error& error) {
    HONE_CHECK(!error.message().empty());
  }
}

void read_settings(const hone::Json& settings) {
  refused_or_read([&] {
    const auto config = hone::train::sft_config_from_json(settings);
    HONE_CHECK(config.to_json().dump_canonical() == settings.dump_canonical());
  });
  refused_or_read([&] {
    const auto config = hone::train::dpo_config_from_json(settings);
    HONE_CHECK(config.to_json().dump_canonical() == settings.dump_canonical());
  });
  refused_or_read([&] {
    const auto config = hone::train::grpo_config_from_json(settings);
    HONE_CHECK(config.to_json().dump_canonical() == settings.dump_canonical());
  });
  refused_or_read([&] {
    const auto config = hone::train::rloo_config_from_json(settings);
    HONE_CHECK(config.to_json().dump_canonical() == settings.dump_canonical());
  });
  // The rollouts that a checkpoint of grpo keeps are JSON from the same folder.
  refused_or_read([&] {
    const auto groups = hone::train::groups_from_json(settings, 4);
    HONE_CHECK(hone::train::groups_to_json(groups) ==
               hone::train::groups_to_json(
                   hone::train::groups_from_json(hone::train::groups_to_json(groups), 4)));
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Trained trained;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t first = std::min(bytes.find(kBetween), size);
  const size_t second = std::min(bytes.find(kBetween, first + 1), size);
  const auto behind = [&](size_t at) { return bytes.substr(std::min(size, at + kBetween.size())); };

  hone::FaultEnv env;
  const std::string state = "run/checkpoints/step-000002/state.safetensors";
  env.create_directories("run/checkpoints/step-000002");
  put(env, "run/manifest.json", bytes.substr(0, first));
  put(env, "run/sources.json", bytes.substr(0, first));
  const std::string_view lines =
      behind(first).substr(0, second - std::min(second, first + kBetween.size()));
  put(env, "run/steps.jsonl", lines);
  put(env, "run/metrics.jsonl", lines);
  put(env, state, behind(second));

  refused_or_read([&] { RunDirectory::read_sources(env, "run"); });
  refused_or_read([&] { RunDirectory::read_steps(env, "run"); });
  hone::data::RunManifest manifest;
  refused_or_read([&] {
    manifest = RunDirectory::read_manifest(env, "run");
    HONE_CHECK(hone::data::RunManifest::from_json(manifest.to_json()) == manifest);
    read_settings(manifest.settings);
  });
  refused_or_read([&] {
    RunDirectory run = RunDirectory::open(env, "run", manifest, kResume);
    const size_t step = run.restore(*trained.optimizer, 2, ReportTo::kTensorboard);
    run.save_checkpoint(*trained.optimizer, step, 1);
    HONE_CHECK(RunDirectory::open(env, "run", manifest, kResume).restore(*trained.optimizer, 1) ==
               step);
  });
  return 0;
}
