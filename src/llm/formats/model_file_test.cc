#include "llm/formats/model_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.h"
#include "base/fault_env.h"
#include "base/json.h"
#include "llm/formats/adapter.h"
#include "llm/formats/config_json.h"
#include "llm/formats/layer_choice.h"
#include "llm/formats/model_writer.h"

namespace hone::llm {
namespace {

const std::string kGolden = "tests/golden/torch/";

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

std::string read_all(const std::string& path) { return real_env().read_file(path, 1u << 30); }

void write_all(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

class ModelFiles : public testing::Test {
 protected:
  ModelFiles() {
    folder_ = testing::TempDir() + "/hone_formats_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~ModelFiles() override { std::filesystem::remove_all(folder_); }

  std::string copy_model(const std::string& name) const {
    std::filesystem::copy(kGolden + name, folder_ + "/model");
    return folder_ + "/model";
  }
  std::string gguf_of(const std::string& name) const {
    const auto file = ModelFile::open(kGolden + name);
    const std::string path = folder_ + "/" + name + ".gguf";
    write_gguf(real_env(), path, file->config(), tensor::DataType::kF32, rows_of(*file), {});
    return path;
  }
  // The message when config.json says `to` where it said `from`.
  std::string config_refusal(const std::string& name, const std::string& from,
                             const std::string& to) {
    std::string text = read_all(kGolden + name + "/config.json");
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    const Json json = Json::parse(text).value();
    return refusal([&] { config_from_json(json, "config.json"); });
  }
  std::string gguf_refusal(const std::string& bytes) const {
    return refusal([&] {
      ModelFile::from_gguf(GgufFile::parse("x.gguf", std::as_bytes(std::span<const char>(bytes))));
    });
  }

  std::string folder_;
};

#define EXPECT_SAYS(message, words) EXPECT_NE((message).find(words), std::string::npos) << (message)

void expect_same_model(const ModelFile& a, const ModelFile& b) {
  EXPECT_EQ(a.config(), b.config());
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (const StoredTensor& tensor : a.tensors()) {
    const StoredTensor& other = b.at(tensor.name);
    std::vector<float> x(tensor.is_vector() ? tensor.rows : tensor.cols), y(x.size());
    for (size_t row = 0; row < (tensor.is_vector() ? 1 : tensor.rows); ++row) {
      read_row(tensor, row, x.data());
      read_row(other, row, y.data());
      ASSERT_EQ(x, y) << tensor.name << " row " << row;
    }
  }
}

TEST_F(ModelFiles, EveryFamilySurvivesTheWayToGgufAndBackToTheBit) {
  for (const char* name : {"llama_tied", "llama_untied", "llama3", "mistral", "qwen2", "qwen3"}) {
    SCOPED_TRACE(name);
    const auto original = ModelFile::open(kGolden + name);
    const auto gguf = ModelFile::open(gguf_of(name));
    expect_same_model(*original, *gguf);
    const std::string back = folder_ + "/" + name;
    write_huggingface_directory(real_env(), back, gguf->config(), tensor::DataType::kF32,
                                rows_of(*gguf), {2, 5}, {});
    const auto again = ModelFile::open(back);
    expect_same_model(*original, *again);
    EXPECT_EQ(again->extras().eos_token_ids, (std::vector<int64_t>{2, 5}));
  }
}

TEST_F(ModelFiles, GgufStoresTheRowsOfLlamaInterleavedAndThoseOfQwenPlain) {
  const auto llama = ModelFile::open(gguf_of("llama_tied"));
  const StoredTensor& q = llama->at("model.layers.0.self_attn.q_proj.weight");
  EXPECT_EQ(q.row_order.interleaved_heads, 6u);
  EXPECT_EQ(llama->at("model.layers.0.self_attn.k_proj.weight").row_order.interleaved_heads, 2u);
  EXPECT_EQ(llama->at("model.layers.0.self_attn.v_proj.weight").row_order.interleaved_heads, 0u);
  const auto original = ModelFile::open(kGolden + "llama_tied");
  const StoredTensor& plain = original->at("model.layers.0.self_attn.q_proj.weight");
  const size_t row = q.cols * sizeof(float);
  // Head size 8: stored row 1 is the first of the second half.
  EXPECT_EQ(std::memcmp(q.bytes.data() + row, plain.bytes.data() + 4 * row, row), 0);
  const auto qwen = ModelFile::open(gguf_of("qwen2"));
  EXPECT_EQ(qwen->at("model.layers.0.self_attn.q_proj.weight").row_order.interleaved_heads, 0u);
}

TEST_F(ModelFiles, TheOldFormOfConfigJsonMeansTheSameAsTheNew) {
  const auto read = [](const std::string& name) {
    return config_from_json(Json::parse(read_all(kGolden + "llama3/" + name)).value(), name);
  };
  const ModelConfig config = read("config.json");
  EXPECT_EQ(config, read("config.old.json"));
  EXPECT_EQ(config.rope_scaling.kind, RopeScalingKind::kLlama3);
  ASSERT_EQ(config.rope_factors.size(), 8u);
  EXPECT_EQ(config.rope_factors.front(), 1.0f);
  EXPECT_EQ(config.rope_factors.back(), 8.0f);
  EXPECT_EQ(config_from_json(config_to_json(config), "again"), config);
}

TEST_F(ModelFiles, ConfigJsonIsRefusedByTheNameOfWhatIsWrong) {
  const auto said = [&](const char* from, const char* to) {
    return config_refusal("llama3", from, to);
  };
  EXPECT_SAYS(said("\"llama\"", "\"gemma3\""), "\"gemma3\", an architecture that is not supported");
  EXPECT_SAYS(said("\"silu\"", "\"gelu\""), "\"hidden_act\" is \"gelu\"");
  EXPECT_SAYS(said("\"rope_type\": \"llama3\"", "\"rope_type\": \"yarn\""), "\"yarn\"");
  EXPECT_SAYS(said("\"use_cache\": true", "\"num_local_experts\": 8"), "mixture of experts");
  EXPECT_SAYS(said("\"use_cache\": true", "\"kv_lora_rank\": 8"), "latent attention");
  EXPECT_SAYS(said("\"mlp_bias\": false", "\"mlp_bias\": true"), "mlp_bias");
  EXPECT_SAYS(said("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3"), "multiple");
  EXPECT_SAYS(said("\"hidden_size\": 48", "\"hidden_size\": 0"), "the hidden size is 0");
  EXPECT_SAYS(said("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 99999999"), "4096");
  EXPECT_SAYS(said("\"vocab_size\": 128", "\"vocab_size\": -1"), "vocab_size");
  EXPECT_SAYS(said("\"head_dim\": 16", "\"head_dim\": 15"), "even");
  EXPECT_SAYS(said("\"rope_theta\": 10000.0", "\"rope_theta\": \"x\""), "rope_theta");
}

TEST_F(ModelFiles, AGgufCutAnywhereIsRefusedAndNeverCrashes) {
  const std::string whole = read_all(gguf_of("qwen3"));
  EXPECT_EQ(gguf_refusal(whole), "accepted");
  for (size_t size = 0; size < whole.size() - 32; size += size < 4000 ? 7 : 997) {
    EXPECT_NE(gguf_refusal(whole.substr(0, size)), "accepted") << size;
  }
  EXPECT_SAYS(gguf_refusal(whole.substr(0, whole.size() / 2)), "truncated GGUF");
  EXPECT_SAYS(gguf_refusal("GGML"), "is not a GGUF file");
}

TEST_F(ModelFiles, AGgufThatLiesIsRefusedByTheNameOfTheLie) {
  const std::string whole = read_all(gguf_of("llama_tied"));
  const auto with = [&](size_t at, auto value) {
    std::string bytes = whole;
    std::memcpy(bytes.data() + at, &value, sizeof value);
    return gguf_refusal(bytes);
  };
  EXPECT_SAYS(with(4, uint32_t{9}), "GGUF version 9");
  EXPECT_SAYS(with(4, uint32_t{3u << 24}), "big-endian");
  EXPECT_SAYS(with(8, uint64_t{1} << 60), "tensors, more than the file can hold");
  EXPECT_SAYS(with(16, uint64_t{1} << 60), "metadata entries, more than the file can hold");
  EXPECT_SAYS(with(24, ~uint64_t{0}), "truncated GGUF");
  const std::string name = "output_norm.weight";
  const size_t info = whole.find(name) + name.size();  // dimensions, size, type, offset follow
  EXPECT_SAYS(with(info, uint32_t{5}), "5 dimensions");
  EXPECT_SAYS(with(info + 4, uint64_t{1} << 62), "impossible shape");
  EXPECT_SAYS(with(info + 4, uint64_t{40}), "has the shape [40], the config asks for [48]");
  EXPECT_SAYS(with(info + 12, uint32_t{10}), "stored as Q2_K, which Hone does not read");
  EXPECT_SAYS(with(info + 12, uint32_t{77}), "type 77");
  EXPECT_SAYS(with(info + 16, uint64_t{7}), "not aligned to 32");
  EXPECT_SAYS(with(info + 16, uint64_t{0}), "overlaps");
  EXPECT_SAYS(with(info + 16, uint64_t{1} << 40), "outside the file");
  std::string twice = whole;
  twice.replace(twice.find("blk.1.attn_norm.weight"), 22, "blk.0.attn_norm.weight");
  EXPECT_SAYS(gguf_refusal(twice), "\"blk.0.attn_norm.weight\" appears twice");
  std::string renamed = whole;
  renamed.replace(renamed.find("blk.1.attn_norm.weight"), 22, "blk.1.attn_nurm.weight");
  EXPECT_SAYS(gguf_refusal(renamed), "\"blk.1.attn_nurm.weight\" is no part of a llama model");
  std::string other = whole;
  other.replace(other.find("llama"), 5, "gemma");
  EXPECT_SAYS(gguf_refusal(other), "\"gemma\", an architecture that is not supported");
}

TEST_F(ModelFiles, SafetensorsThatLieAreRefusedByTheNameOfTheLie) {
  const auto said = [](const std::string& header, size_t data) {
    const uint64_t length = header.size();
    std::string bytes(reinterpret_cast<const char*>(&length), 8);
    bytes += header + std::string(data, '\0');
    return refusal(
        [&] { SafetensorsFile::parse("x", std::as_bytes(std::span<const char>(bytes))); });
  };
  const auto one = [](const char* type, const char* shape, const char* offsets) {
    return std::string("{\"a\":{\"dtype\":\"") + type + "\",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}}";
  };
  EXPECT_EQ(said(one("F32", "[2,2]", "[0,16]"), 16), "accepted");
  EXPECT_SAYS(said(one("F32", "[2,2]", "[0,16]"), 12), "truncated");
  EXPECT_SAYS(said(one("F32", "[2,2]", "[0,12]"), 12), "its shape and type need 16");
  EXPECT_SAYS(said(one("F32", "[2,2]", "[4,20]"), 20), "hole");
  EXPECT_SAYS(said(one("F32", "[2,2]", "[0,16]"), 20), "belong to none");
  EXPECT_SAYS(said(one("F8_E4M3", "[2]", "[0,2]"), 2), "F8_E4M3");
  EXPECT_SAYS(said(one("F32", "[4611686018427387904,4]", "[0,0]"), 0), "impossible shape");
  EXPECT_SAYS(said(one("F32", "[-1]", "[0,4]"), 4), "non-negative");
  EXPECT_SAYS(said("{\"a\":1}", 0), "needs dtype");
  EXPECT_SAYS(said("[", 0), "not JSON");
  EXPECT_SAYS(said("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                   "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                   4),
              "overlaps tensor");
}

TEST_F(ModelFiles, ADirectoryWithoutATensorOrWithAnotherShapeIsRefused) {
  const std::string model = copy_model("llama_tied");
  std::string config = read_all(model + "/config.json");
  const std::string tie = "\"tie_word_embeddings\": true";
  config.replace(config.find(tie), tie.size(), "\"tie_word_embeddings\": false");
  write_all(model + "/config.json", config);
  EXPECT_SAYS(refusal([&] { ModelFile::open(model); }), "\"lm_head.weight\" is missing");
  std::filesystem::remove(model + "/config.json");
  EXPECT_SAYS(refusal([&] { ModelFile::open(model); }), "no config.json");
  EXPECT_SAYS(refusal([&] { ModelFile::open(folder_ + "/nowhere.gguf"); }), "no such file");
}

TEST_F(ModelFiles, ChatTemplatesAndEndTokensComeFromTheirFiles) {
  const std::string model = copy_model("llama_tied");
  write_all(model + "/generation_config.json", R"({"eos_token_id": [7, 2]})");
  write_all(model + "/tokenizer_config.json",
            R"({"chat_template": [{"name": "default", "template": "A"},
                                  {"name": "tool_use", "template": "B"}]})");
  const auto file = ModelFile::open(model);
  EXPECT_EQ(file->extras().eos_token_ids, (std::vector<int64_t>{2, 7}));
  EXPECT_EQ(file->extras().chat_template, "A");
  EXPECT_EQ(file->extras().named_chat_templates.at(1).second, "B");
  write_all(model + "/chat_template.jinja", "C");
  EXPECT_EQ(ModelFile::open(model)->extras().chat_template, "C");
}

TEST_F(ModelFiles, NaNInWeightsIsFoundWithItsPlace) {
  const std::string model = copy_model("llama_tied");
  std::string bytes = read_all(model + "/model.safetensors");
  const uint32_t nan = 0x7fc00000;
  std::memcpy(bytes.data() + bytes.size() - 4, &nan, 4);
  write_all(model + "/model.safetensors", bytes);
  const auto file = ModelFile::open(model);
  const std::string message = refusal([&] {
    for (const StoredTensor& tensor : file->tensors()) check_finite(tensor, file->path());
  });
  EXPECT_SAYS(message, file->path() + ": tensor ");
  EXPECT_SAYS(message, "is NaN");
  EXPECT_SAYS(message, "column");
}

// Every writer of a model, on a disk with room for ever more bytes.
TEST_F(ModelFiles, OnAFullDiskNoHalfFileHasAName) {
  const auto file = ModelFile::open(kGolden + "llama_tied");
  const Adapter adapter = read_adapter(kGolden + "adapter_dpo_start", file->config());
  const auto gguf = [&](Env& env) {
    write_gguf(env, "out/model", file->config(), tensor::DataType::kQ8_0, rows_of(*file), {});
  };
  const auto directory = [&](Env& env) {
    write_huggingface_directory(env, "out", file->config(), tensor::DataType::kBF16, rows_of(*file),
                                {2}, {{"tokenizer.json", "{}"}});
  };
  const auto peft = [&](Env& env) { write_adapter(env, "out", adapter); };
  for (const std::function<void(Env&)>& write :
       {std::function<void(Env&)>(gguf), std::function<void(Env&)>(directory),
        std::function<void(Env&)>(peft)}) {
    FaultEnv whole;
    whole.create_directories("out");
    write(whole);
    size_t refused = 0;
    for (uint64_t room = 0;; room += room / 2 + 50) {
      FaultEnv env;
      env.create_directories("out");
      env.full_after(room);
      const bool full = refusal([&] { write(env); }) != "accepted";
      for (const std::string& name : env.list_directory("out")) {
        ASSERT_EQ(env.read_file("out/" + name, 1u << 30), whole.read_file("out/" + name, 1u << 30))
            << name << " with room for " << room;
      }
      if (!full) break;
      ++refused;
    }
    EXPECT_GT(refused, 8u);
  }
}

TEST_F(ModelFiles, AnIndexOfShardsThatIsNoneIsRefusedByTheNameOfTheFile) {
  const std::string model = copy_model("llama_tied");
  std::filesystem::remove(model + "/model.safetensors");
  const auto said = [&](const std::string& index) {
    write_all(model + "/model.safetensors.index.json", index);
    return refusal([&] { ModelFile::open(model); });
  };
  EXPECT_SAYS(said("{}"), "index.json: \"weight_map\" must be an object");
  EXPECT_SAYS(said(R"({"weight_map": [1]})"), "index.json: \"weight_map\" must be an object");
  EXPECT_SAYS(said(R"({"weight_map": {"a": 1}})"), "index.json: the shard of \"a\"");
  EXPECT_SAYS(said(R"({"weight_map": {"a": "../b"}})"), "is no file name");
  EXPECT_SAYS(said(R"({"weight_map": {"a": "b"}})"), "no such file");
}

TEST_F(ModelFiles, AnAdapterComesBackAsItWasWrittenAndAnotherModelsIsRefused) {
  const auto file = ModelFile::open(kGolden + "llama_tied");
  Adapter adapter;
  adapter.r = 2;
  adapter.alpha = 4;
  adapter.use_rslora = true;
  adapter.pairs.push_back({"model.layers.0.self_attn.q_proj", 2, 48, 48, 4.0,
                           lora_scale(4, 2, true), std::vector<float>(96, 0.5f),
                           std::vector<float>(96, 0.25f)});
  adapter.pairs.push_back({"model.layers.1.mlp.up_proj", 3, 48, 80, 6.0, lora_scale(6, 3, true),
                           std::vector<float>(144, 1.5f), std::vector<float>(240, 2.0f)});
  const std::string folder = folder_ + "/adapter";
  write_adapter(real_env(), folder, adapter);
  const Adapter back = read_adapter(folder, file->config());
  ASSERT_EQ(back.pairs.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(back.pairs[i].module, adapter.pairs[i].module);
    EXPECT_EQ(back.pairs[i].r, adapter.pairs[i].r);
    EXPECT_EQ(back.pairs[i].scale, adapter.pairs[i].scale);
    EXPECT_EQ(back.pairs[i].a, adapter.pairs[i].a);
    EXPECT_EQ(back.pairs[i].b, adapter.pairs[i].b);
  }
  const auto refused_by = [&](const ModelConfig& model) {
    return refusal([&] { read_adapter(folder, model); });
  };
  ModelConfig other = file->config();
  other.layers.pop_back();
  EXPECT_SAYS(refused_by(other), "belongs to another model");
  other = file->config();
  other.hidden_size = 96;
  EXPECT_SAYS(refused_by(other), "belongs to another model");
  const std::string config = read_all(folder + "/adapter_config.json");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = config;
    text.replace(text.find(from), from.size(), to);
    write_all(folder + "/adapter_config.json", text);
    return refused_by(file->config());
  };
  EXPECT_SAYS(with("\"use_dora\": false", "\"use_dora\": true"), "use_dora");
  EXPECT_SAYS(with("\"bias\": \"none\"", "\"bias\": \"all\""), "\"bias\"");
  EXPECT_SAYS(with("\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]"),
              "modules_to_save");
  EXPECT_SAYS(with("\"r\": 2", "\"r\": 5"), "adapter_config.json says 5");
  EXPECT_SAYS(with("\"r\": 2", "\"r\": 0"), "\"r\"");
}

TEST_F(ModelFiles, AnAdapterOfPeftHasPeftsRanksAndScales) {
  const auto file = ModelFile::open(kGolden + "llama_tied");
  const Json golden = Json::parse(read_all(kGolden + "adapter_rslora.json")).value();
  const Adapter adapter = read_adapter(kGolden + "adapter_rslora", file->config());
  EXPECT_EQ(adapter.pairs.size(), golden.at("scaling").size());
  for (const LoraTensorPair& pair : adapter.pairs) {
    const double want = golden.at("scaling").at("base_model.model." + pair.module).as_double();
    EXPECT_NEAR(static_cast<double>(pair.scale), want, 1e-6 * want) << pair.module;
    EXPECT_EQ(pair.a.size(), pair.r * pair.in);
  }
}

TEST_F(ModelFiles, TheDemoModelOpens) {
  const char* path = std::getenv("HONE_MODEL");
  if (path == nullptr) GTEST_SKIP() << "skipped: HONE_MODEL is not set";
  const auto file = ModelFile::open(path);
  EXPECT_EQ(file->config().layers.size(), 30u);
  EXPECT_EQ(file->config().rope_theta, 100000.0);
  EXPECT_TRUE(file->extras().chat_template.has_value());
  for (const StoredTensor& tensor : file->tensors()) check_finite(tensor, file->path());
}

TEST_F(ModelFiles, LayersCanBeLeftOutAndTheOthersMoveUp) {
  const auto whole = ModelFile::open(kGolden + "llama_untied");  // three layers
  const std::vector<size_t> dropped = {1};
  const LayerChoice choice(whole->config(), dropped);
  const std::string path = folder_ + "/small.gguf";
  write_gguf(real_env(), path, choice.config(), tensor::DataType::kF32,
             choice.rows(rows_of(*whole)), {});
  const auto small = ModelFile::open(path);
  ASSERT_EQ(small->config().layers.size(), 2u);
  EXPECT_TRUE(small->config().layers[1] == whole->config().layers[2]);
  const RowReader of_small = rows_of(*small), of_whole = rows_of(*whole);
  for (const TensorShape& shape : tensor_shapes(small->config())) {
    std::string name = shape.name;
    const size_t at = name.find("layers.1.");
    if (at != std::string::npos) name[at + 7] = '2';
    const bool vector = shape.cols == 1;
    for (size_t row = 0; row < (vector ? 1 : shape.rows); ++row) {
      std::vector<float> got(vector ? shape.rows : shape.cols), wanted(got.size());
      of_small(shape.name, row, got.data());
      of_whole(name, row, wanted.data());
      ASSERT_EQ(got, wanted) << shape.name;
    }
  }
}

TEST_F(ModelFiles, LayersThatCannotBeLeftOutAreNamed) {
  const auto whole = ModelFile::open(kGolden + "llama_untied");
  const auto drop = [&](std::vector<size_t> layers) {
    return refusal([&] { LayerChoice(whole->config(), layers); });
  };
  EXPECT_EQ(drop({0, 2}), "accepted");
  EXPECT_EQ(drop({3}), "layer 3 is not there: the model has 3, counted from 0");
  EXPECT_EQ(drop({1, 1}), "layer 1 is named twice");
  EXPECT_EQ(drop({2, 0, 1}), "no layer would be left");
}

}  // namespace
}  // namespace hone::llm
