// The forward pass against transformers in float64 (tests/golden/torch/README.md).
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "llm/formats/model_writer.h"
#include "llm/testing.h"

namespace hone::llm {
namespace {

using testing::doubles_of;
using testing::ints_of;
using testing::kGolden;
using testing::kGoldenModels;
using testing::load;
using testing::load_golden;
using testing::read_json;

// Largest differences between what the model computes and the golden forward.
struct Off {
  double log_prob = 0, logit = 0, entropy = 0;
  size_t wrong_argmax = 0;
};

Off compare(tensor::Compute& compute, const Model& model, const LoraAdapter* adapter,
            const Json& forward) {
  const std::vector<int32_t> tokens = ints_of(forward.at("input_ids"));
  const std::vector<double> wanted = doubles_of(forward.at("logprobs"));
  const std::vector<double> entropy = doubles_of(forward.at("entropy"));
  const std::vector<int32_t> argmax = ints_of(forward.at("argmax"));
  Off off;
  const std::vector<float> log_probs = testing::log_probs_of(compute, model, adapter, tokens);
  EXPECT_EQ(log_probs.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    off.log_prob = std::max(off.log_prob, std::abs(static_cast<double>(log_probs[i]) - wanted[i]));
  }
  const auto logits = testing::logits_of(compute, model, adapter, tokens);
  const std::vector<int32_t> positions = ints_of(forward.at("logit_positions"));
  for (size_t i = 0; i < positions.size(); ++i) {
    const std::vector<double> row = doubles_of(forward.at("logits").as_array()[i]);
    const std::vector<float>& ours = logits[static_cast<size_t>(positions[i])];
    EXPECT_EQ(ours.size(), row.size());
    for (size_t v = 0; v < row.size(); ++v) {
      off.logit = std::max(off.logit, std::abs(static_cast<double>(ours[v]) - row[v]));
    }
  }
  TrainingPass pass(compute, model, adapter, tokens.size(), {});
  const TreeExample tree = testing::all_targets(make_sequence(tokens));
  score_trees(pass, {&tree, 1}, [&](size_t, const TreeResult& result) {
    for (size_t i = 0; i < result.rows.size(); ++i) {
      off.entropy =
          std::max(off.entropy, std::abs(static_cast<double>(result.rows[i].entropy) - entropy[i]));
      off.wrong_argmax += result.rows[i].argmax == argmax[i] ? 0 : 1;
    }
  });
  return off;
}

void expect_close(const Off& off, double f32_error, const std::string& name) {
  EXPECT_LT(off.logit, 4 * f32_error + 1e-6) << name;
  EXPECT_LT(off.log_prob, 4 * f32_error + 1e-6) << name;
  EXPECT_LT(off.entropy, 4 * f32_error + 1e-6) << name;
  EXPECT_EQ(off.wrong_argmax, 0u) << name;
}

TEST(GoldenForward, EveryFamilyGivesTransformersLogits) {
  tensor::Compute compute(2);
  for (const std::string& name : kGoldenModels) {
    const Json golden = read_json(kGolden + name + ".json");
    const Model model = load_golden(compute, name);
    expect_close(compare(compute, model, nullptr, golden.at("forward")),
                 golden.at("transformers_f32_logits_off_by").as_double(), name);
  }
}

TEST(GoldenForward, AGgufOfTheModelGivesTheSameBits) {
  tensor::Compute compute(2);
  testing::TemporaryFolder folder("gguf_forward");
  for (const std::string& name : kGoldenModels) {
    const auto file = ModelFile::open(kGolden + name);
    const std::string path = folder.path() + "/" + name + ".gguf";
    write_gguf(real_env(), path, file->config(), tensor::DataType::kF32, rows_of(*file), {});
    const auto tokens = ints_of(read_json(kGolden + name + ".json").at("forward").at("input_ids"));
    const Model ours = load_model(compute, *file), copy = load(compute, path);
    EXPECT_EQ(testing::logits_of(compute, ours, nullptr, tokens),
              testing::logits_of(compute, copy, nullptr, tokens))
        << name;
  }
}

TEST(GoldenForward, TheOldFormOfTheConfigGivesTheSameBits) {
  tensor::Compute compute(2);
  testing::TemporaryFolder folder("old_config");
  std::filesystem::copy(kGolden + "llama3", folder.path() + "/model");
  std::filesystem::copy_file(kGolden + "llama3/config.old.json",
                             folder.path() + "/model/config.json",
                             std::filesystem::copy_options::overwrite_existing);
  const auto tokens = ints_of(read_json(kGolden + "llama3.json").at("forward").at("input_ids"));
  EXPECT_EQ(testing::logits_of(compute, load_golden(compute, "llama3"), nullptr, tokens),
            testing::logits_of(compute, load(compute, folder.path() + "/model"), nullptr, tokens));
}

TEST(GoldenForward, ARankStabilisedAdapterWithPatternsGivesPeftsLogits) {
  tensor::Compute compute(2);
  const Model model = load_golden(compute, "llama_tied");
  const LoraAdapter adapter = load_lora(model, kGolden + "adapter_rslora");
  const Json golden = read_json(kGolden + "adapter_rslora.json");
  // The adapter's own products add to the rounding of the base: its logits reach 8 and more.
  expect_close(compare(compute, model, &adapter, golden.at("forward")), 1e-5, "adapter_rslora");
  testing::TemporaryFolder folder("rslora_copy");
  save_lora(real_env(), folder.path() + "/copy", adapter, "base");
  const LoraAdapter copy = load_lora(model, folder.path() + "/copy");
  const auto tokens = ints_of(golden.at("forward").at("input_ids"));
  EXPECT_EQ(testing::logits_of(compute, model, &adapter, tokens),
            testing::logits_of(compute, model, &copy, tokens));
}

}  // namespace
}  // namespace hone::llm
