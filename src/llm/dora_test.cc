// DoRA against PEFT in float64 (tests/golden/torch/README.md), its norms, its files and mixed rows.
#include "llm/dora.h"

#include <gtest/gtest.h>

#include <cmath>

#include "llm/formats/adapter.h"
#include "llm/testing.h"

namespace hone::llm {
namespace {

using testing::doubles_of;
using testing::ints_of;
using testing::kGolden;
using testing::random_tokens;
using testing::read_json;
using testing::refusal;

// Magnitudes that are not the norms, so that no gain is 1.
LoraAdapter random_dora(tensor::Compute& compute, const Model& model, size_t r, uint64_t seed = 3) {
  LoraAdapter adapter = testing::random_adapter(model, r, seed);
  start_dora(compute, model, adapter);
  Rng rng(seed, rng_stream("magnitudes"));
  for (LoraLayer& layer : adapter.layers) {
    for (LoraPair& pair : layer.pair) {
      for (float& m : pair.magnitude) m *= static_cast<float>(1 + 0.3 * rng.normal());
    }
  }
  refresh_dora(compute, model, adapter);
  return adapter;
}

LoraOptions rank(size_t r) {
  LoraOptions options;
  options.r = r;
  return options;
}

TEST(Dora, LogProbabilitiesAreThoseOfPeft) {
  tensor::Compute compute(2);
  for (const std::string& name : std::vector<std::string>{"llama_tied", "qwen2"}) {
    const Json golden = read_json(kGolden + "dora_" + name + ".json");
    const Model model = testing::load_golden(compute, name);
    const LoraAdapter adapter = load_lora(model, kGolden + "adapter_dora_" + name);
    EXPECT_TRUE(adapter.use_dora);
    EXPECT_EQ(adapter.use_rslora, golden.at("use_rslora").as_bool());
    const Json& forward = golden.at("forward");
    const std::vector<double> wanted = doubles_of(forward.at("logprobs"));
    const std::vector<float> ours =
        testing::log_probs_of(compute, model, &adapter, ints_of(forward.at("input_ids")));
    ASSERT_EQ(ours.size(), wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_NEAR(static_cast<double>(ours[i]), wanted[i], 2e-5 * (1 + std::abs(wanted[i])))
          << name << " " << i;
    }
  }
}

TEST(Dora, NormsAreThoseOfTheSumWrittenOut) {
  tensor::Compute compute(2);
  const Model model = testing::random_model({});
  LoraAdapter adapter = random_dora(compute, model, 5);
  for (size_t k = 0; k < kLinearKinds; ++k) {
    const tensor::PanelMatrix& weight = model.layers[1].linear[k].weight;
    const LoraPair& pair = adapter.layers[1].pair[k];
    std::vector<float> row(weight.cols()), a(weight.cols()), b(5);
    for (size_t n = 0; n < weight.rows(); ++n) {
      weight.read_row(n, row.data());
      pair.b.read_row(n, b.data());
      std::vector<double> sum(row.begin(), row.end());
      for (size_t r = 0; r < 5; ++r) {
        pair.a.read_row(r, a.data());
        for (size_t i = 0; i < a.size(); ++i) {
          sum[i] += static_cast<double>(pair.scale) * static_cast<double>(b[r]) *
                    static_cast<double>(a[i]);
        }
      }
      double squares = 0;
      for (double x : sum) squares += x * x;
      EXPECT_NEAR(static_cast<double>(pair.inverse_norm[n]) * std::sqrt(squares), 1, 1e-6);
      EXPECT_NEAR(static_cast<double>(pair.gain[n]) * std::sqrt(squares),
                  static_cast<double>(pair.magnitude[n]),
                  1e-6 * static_cast<double>(pair.magnitude[n]) + 1e-7);
    }
  }
}

TEST(Dora, ANewAdapterChangesNoBitOfTheBase) {
  tensor::Compute compute(2);
  for (const bool bias : {false, true}) {
    const Model model = testing::random_model({.bias = bias});
    LoraAdapter adapter = make_lora(model, rank(4), 1);
    start_dora(compute, model, adapter);
    for (const LoraLayer& layer : adapter.layers) {
      for (const LoraPair& pair : layer.pair) {
        for (float gain : pair.gain) ASSERT_EQ(gain, 1.0f);
      }
    }
    Rng rng(1, rng_stream("dora"));
    const std::vector<int32_t> tokens = random_tokens(rng, 30, 96);
    const auto with = testing::logits_of(compute, model, &adapter, tokens);
    const auto without = testing::logits_of(compute, model, nullptr, tokens);
    for (size_t r = 0; r < with.size(); ++r) {
      for (size_t v = 0; v < with[r].size(); ++v) {
        // A bias is added behind the gain and not inside the product: the same sum.
        EXPECT_EQ(with[r][v], without[r][v]);
      }
    }
  }
}

TEST(Dora, ARowOfZerosHasNoDirectionAndStaysZero) {
  tensor::Compute compute(1);
  Model model = testing::random_model({});
  tensor::PanelMatrix& weight = model.layers[0][LinearKind::kGate].weight;
  weight.write_row(3, std::vector<float>(weight.cols()).data());
  LoraAdapter adapter = make_lora(model, rank(2), 1);
  start_dora(compute, model, adapter);
  const LoraPair& pair = adapter.layers[0][LinearKind::kGate];
  EXPECT_EQ(pair.gain[3], 0);
  EXPECT_EQ(pair.inverse_norm[3], 0);
  Rng rng(1, rng_stream("dora"));
  for (float p : testing::log_probs_of(compute, model, &adapter, random_tokens(rng, 9, 96))) {
    EXPECT_TRUE(std::isfinite(p));
  }
}

// Rows of a DoRA adapter, of a LoRA adapter and of the base in one pass.
TEST(Dora, RowsInAMixedPassHaveTheBitsTheyHaveAlone) {
  tensor::Compute compute(2);
  for (const bool bias : {false, true}) {
    const Model model = testing::random_model({.bias = bias});
    const LoraAdapter dora = random_dora(compute, model, 3),
                      lora = testing::random_adapter(model, 4);
    Rng rng(9, rng_stream("mixed"));
    const std::vector<std::pair<const LoraAdapter*, std::vector<int32_t>>> texts = {
        {nullptr, random_tokens(rng, 11, 96)},
        {&dora, random_tokens(rng, 7, 96)},
        {&lora, random_tokens(rng, 5, 96)},
        {&dora, random_tokens(rng, 20, 96)},
        {nullptr, random_tokens(rng, 3, 96)}};
    KvCache cache(model.config, 5 * KvCache::pages_for(20));
    Workspace workspace(model.config, 4, 64);
    Rows rows;
    for (const auto& [adapter, tokens] : texts) {
      const KvCache::SequenceId sequence = cache.create();
      ASSERT_TRUE(cache.extend(sequence, tokens.size()));
      rows.append(sequence, 0, tokens, adapter);
    }
    const auto hidden = forward(compute, model, rows, cache, workspace);
    tensor::Tensor logits(rows.size(), 96);
    const tensor::MatmulPart head = {hidden, &model.head(), logits.view(), nullptr, false, 1.0f};
    tensor::matmul(compute, {&head, 1});
    size_t row = 0;
    for (const auto& [adapter, tokens] : texts) {
      for (const std::vector<float>& wanted : testing::logits_of(compute, model, adapter, tokens)) {
        const float* ours = logits.view().row(row++);
        EXPECT_EQ(std::vector<float>(ours, ours + 96), wanted) << "row " << row - 1;
      }
    }
  }
}

TEST(Dora, TrainingSeesTheLogProbabilitiesOfServing) {
  tensor::Compute compute(2);
  const Model model = testing::random_model({});
  const LoraAdapter adapter = random_dora(compute, model, 3);
  Rng rng(4, rng_stream("dora"));
  const std::vector<int32_t> tokens = random_tokens(rng, 40, 96);
  const TreeExample tree = testing::all_targets(make_sequence(tokens));
  TrainingPass pass(compute, model, &adapter, 64, {});
  std::vector<float> ours;
  score_trees(pass, {&tree, 1}, [&](size_t, const TreeResult& result) {
    ours.assign(result.log_probs.begin(), result.log_probs.end());
  });
  std::vector<float> served = testing::log_probs_of(compute, model, &adapter, tokens);
  ASSERT_GE(served.size(), ours.size());
  served.erase(served.begin(), served.end() - static_cast<std::ptrdiff_t>(ours.size()));
  EXPECT_EQ(ours, served);
}

TEST(Dora, AnAdapterComesBackFromItsFilesWithTheSameBits) {
  tensor::Compute compute(2);
  const Model model = testing::random_model({});
  LoraAdapter adapter = random_dora(compute, model, 3);
  adapter.use_rslora = true;
  testing::TemporaryFolder folder("dora_files");
  save_lora(real_env(), folder.path() + "/a", adapter, "base");
  Rng rng(4, rng_stream("dora"));
  const std::vector<int32_t> tokens = random_tokens(rng, 12, 96);
  LoraAdapter copy = load_lora(model, folder.path() + "/a");
  EXPECT_TRUE(copy.use_dora && copy.use_rslora);
  for (LoraLayer& layer : adapter.layers) {
    for (LoraPair& pair : layer.pair) {
      pair.scale = static_cast<float>(pair.alpha / std::sqrt(3.0));
    }
  }
  refresh_dora(compute, model, adapter);
  EXPECT_EQ(testing::logits_of(compute, model, &adapter, tokens),
            testing::logits_of(compute, model, &copy, tokens));
}

class DoraFiles : public ::testing::Test {
 protected:
  DoraFiles() : folder_("dora_refused"), model_(testing::random_model({})) {
    tensor::Compute compute(1);
    const LoraAdapter adapter = random_dora(compute, model_, 2);
    save_lora(real_env(), folder_.path() + "/a", adapter, "base");
    file_ = read_adapter(folder_.path() + "/a", model_.config);
  }
  std::string why(const Adapter& adapter, bool says_dora) {
    write_adapter(real_env(), folder_.path() + "/b", adapter);
    const std::string path = folder_.path() + "/b/adapter_config.json";
    std::string text = real_env().read_file(path, 1 << 20);
    const std::string from = adapter.use_dora ? "\"use_dora\": true" : "\"use_dora\": false";
    text.replace(text.find(from), from.size(),
                 says_dora ? "\"use_dora\": true" : "\"use_dora\": false");
    write_file_atomically(real_env(), path, text);
    return refusal([&] { read_adapter(folder_.path() + "/b", model_.config); });
  }
  testing::TemporaryFolder folder_;
  Model model_;
  Adapter file_;
};

TEST_F(DoraFiles, AConfigThatDoesNotFitTheTensorsIsRefused) {
  EXPECT_EQ(why(file_, true), "accepted");
  EXPECT_NE(why(file_, false).find("does not say use_dora"), std::string::npos);
  Adapter plain = file_;
  plain.use_dora = false;
  EXPECT_EQ(why(plain, false), "accepted");
  EXPECT_NE(why(plain, true).find("has no lora_magnitude_vector"), std::string::npos);
}

TEST_F(DoraFiles, AMagnitudeThatIsNotANumberIsRefused) {
  file_.pairs[0].magnitude[1] = NAN;
  EXPECT_NE(why(file_, true).find("NaN"), std::string::npos);
}

TEST_F(DoraFiles, GgufHasNoWordsForIt) {
  const std::string path = folder_.path() + "/a.gguf";
  EXPECT_EQ(refusal([&] { write_gguf_adapter(real_env(), path, file_, model_.config); }),
            "GGUF has no words for DoRA's magnitudes: write the adapter into the model with hone "
            "model merge, or keep it as PEFT");
  EXPECT_FALSE(real_env().exists(path));
}

}  // namespace
}  // namespace hone::llm
