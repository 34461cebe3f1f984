// One adapter in PEFT's form and in GGUF's gives the same bits.
#include <gtest/gtest.h>

#include <cstring>

#include "base/env.h"
#include "base/error.h"
#include "llm/formats/adapter.h"
#include "llm/formats/gguf_config.h"
#include "llm/lora.h"
#include "llm/testing.h"

namespace hone::llm {
namespace {

using testing::random_adapter;
using testing::random_model;
using testing::TemporaryFolder;

class GgufAdapterTest : public ::testing::Test {
 protected:
  GgufAdapterTest() : folder_("gguf_adapter"), model_(random_model({})) {
    save_lora(real_env(), peft(), random_adapter(model_, 4), "base");
  }
  std::string peft() const { return folder_.path() + "/peft"; }
  std::string gguf() const { return folder_.path() + "/adapter.gguf"; }

  // Writes the PEFT adapter as llama.cpp's converter does, by this test's own words: the rows of q
  // and k as reshape(heads, 2, half).swapaxes(1, 2).
  struct Changes {
    std::string type = "adapter", kind = "lora", architecture = "llama";
    std::optional<float> alpha = {};  // nothing: the adapter's
    bool permuted = true, only_a = false;
    tensor::DataType stored = tensor::DataType::kF32;
  };
  void write(const Changes& changes) {
    const Adapter adapter = read_adapter(peft(), model_.config);
    GgufWriter writer(real_env(), gguf());
    writer.add(gguf_string("general.architecture", changes.architecture));
    writer.add(gguf_string("general.type", changes.type));
    writer.add(gguf_string("adapter.type", changes.kind));
    writer.add(
        gguf_f32("adapter.lora.alpha", changes.alpha.value_or(static_cast<float>(adapter.alpha))));
    for (const LoraTensorPair& pair : adapter.pairs) {
      const std::string name = *gguf_name(pair.module + ".weight");
      writer.declare(name + ".lora_a", tensor::DataType::kF32, pair.r, pair.in);
      if (!changes.only_a) {
        writer.declare(name + ".lora_b", tensor::DataType::kF32, pair.out, pair.r);
      }
    }
    for (const LoraTensorPair& pair : adapter.pairs) {
      writer.append(std::as_bytes(std::span<const float>(pair.a)));
      if (changes.only_a) continue;
      const bool is_rotary = pair.module.find("q_proj") != std::string::npos ||
                             pair.module.find("k_proj") != std::string::npos;
      const std::vector<float> stored = is_rotary && changes.permuted ? interleaved(pair) : pair.b;
      writer.append(std::as_bytes(std::span<const float>(stored)));
    }
    writer.finish();
  }
  std::vector<float> interleaved(const LoraTensorPair& pair) const {
    const size_t head_dim = model_.config.layers[0].head_dim, half = head_dim / 2;
    std::vector<float> out;
    for (size_t head = 0; head < pair.out / head_dim; ++head) {
      for (size_t in_half = 0; in_half < half; ++in_half) {
        for (size_t which = 0; which < 2; ++which) {
          const size_t row = head * head_dim + which * half + in_half;
          out.insert(out.end(), pair.b.begin() + static_cast<std::ptrdiff_t>(row * pair.r),
                     pair.b.begin() + static_cast<std::ptrdiff_t>((row + 1) * pair.r));
        }
      }
    }
    return out;
  }
  std::string refusal() {
    try {
      load_lora(model_, gguf());
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  }

  TemporaryFolder folder_;
  Model model_;
};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST_F(GgufAdapterTest, BothFormsOfOneAdapterHaveTheSameBits) {
  write({});
  const Adapter from_peft = read_adapter(peft(), model_.config);
  const Adapter from_gguf = read_adapter(gguf(), model_.config);
  ASSERT_EQ(from_gguf.pairs.size(), from_peft.pairs.size());
  ASSERT_GT(from_gguf.pairs.size(), 6u);
  for (size_t i = 0; i < from_gguf.pairs.size(); ++i) {
    const LoraTensorPair &a = from_peft.pairs[i], &b = from_gguf.pairs[i];
    EXPECT_EQ(a.module, b.module);
    EXPECT_TRUE(same_bits(a.a, b.a)) << a.module;
    EXPECT_TRUE(same_bits(a.b, b.b)) << a.module;
    EXPECT_EQ(a.scale, b.scale);
    EXPECT_EQ(a.alpha, b.alpha);
  }
  EXPECT_EQ(from_gguf.target_modules, from_peft.target_modules);
}

TEST_F(GgufAdapterTest, RowsOfQAndKThatWereNotInterleavedAreAnotherAdapter) {
  write({.permuted = false});
  const Adapter from_peft = read_adapter(peft(), model_.config);
  const Adapter from_gguf = read_adapter(gguf(), model_.config);
  size_t different = 0;
  for (size_t i = 0; i < from_gguf.pairs.size(); ++i) {
    different += same_bits(from_peft.pairs[i].b, from_gguf.pairs[i].b) ? 0 : 1;
  }
  EXPECT_EQ(different, 2 * model_.config.layers.size()) << "q and k of every layer, nothing else";
}

TEST_F(GgufAdapterTest, WhatIsWrittenIsWhatTheConverterOfLlamaCppWrites) {
  write({});
  const std::string by_test = real_env().read_file(gguf(), 1 << 24);
  write_gguf_adapter(real_env(), gguf(), read_adapter(peft(), model_.config), model_.config);
  EXPECT_EQ(real_env().read_file(gguf(), 1 << 24), by_test);
}

TEST_F(GgufAdapterTest, AnAlphaOfZeroIsAScaleOfOne) {
  write({.alpha = 0.0f});
  for (const LoraTensorPair& pair : read_adapter(gguf(), model_.config).pairs) {
    EXPECT_EQ(pair.scale, 1.0f);
  }
}

TEST_F(GgufAdapterTest, OtherFilesAreRefusedInWords) {
  write({.type = "model"});
  EXPECT_NE(refusal().find("is no adapter"), std::string::npos);
  write({.kind = "control_vector"});
  EXPECT_NE(refusal().find("only lora"), std::string::npos);
  write({.architecture = "qwen2"});
  EXPECT_NE(refusal().find("belongs to another model"), std::string::npos);
  write({.alpha = -1.0f});
  EXPECT_NE(refusal().find("alpha"), std::string::npos);
  write({.only_a = true});
  EXPECT_NE(refusal().find("only one of lora_a and lora_b"), std::string::npos);
  write({});
  const Model wide = random_model({.hidden = 40});
  try {
    load_lora(wide, gguf());
    FAIL() << "an adapter of another model was taken";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("belongs to another model"), std::string::npos);
  }
}

TEST_F(GgufAdapterTest, SeveralAlphasAreNotWritten) {
  Adapter adapter = read_adapter(peft(), model_.config);
  adapter.pairs.back().alpha = 99;
  EXPECT_THROW(write_gguf_adapter(real_env(), gguf(), adapter, model_.config), Error);
  EXPECT_FALSE(real_env().exists(gguf()));
}

}  // namespace
}  // namespace hone::llm
