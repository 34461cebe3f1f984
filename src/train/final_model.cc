#include "train/final_model.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "llm/formats/model_writer.h"
#include "llm/tokenizer/tokenizer_json_writer.h"

namespace hone::train {

namespace {

constexpr uint64_t kMaxTokenizerBytes = uint64_t{256} << 20;

// The tokenizer's files as they stand beside a Hugging Face model.
std::vector<llm::NamedFile> tokenizer_files(Env& env, const std::string& directory) {
  std::vector<llm::NamedFile> files;
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                           "chat_template.jinja"}) {
    const std::string path = directory + "/" + name;
    if (env.exists(path)) files.emplace_back(name, env.read_file(path, kMaxTokenizerBytes));
  }
  return files;
}

}  // namespace

std::function<void(std::string_view, size_t, float*)> model_rows(const llm::Model& model) {
  using Matrix = const tensor::PanelMatrix*;
  using Vector = const std::vector<float>*;
  std::map<std::string, Matrix, std::less<>> matrices;
  std::map<std::string, Vector, std::less<>> vectors;
  matrices["model.embed_tokens.weight"] = &model.embedding;
  if (!model.config.tie_word_embeddings) matrices["lm_head.weight"] = &model.lm_head;
  if (model.score.rows() > 0) matrices["score.weight"] = &model.score;
  vectors["model.norm.weight"] = &model.final_norm;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const llm::Layer& layer = model.layers[i];
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    vectors[prefix + "input_layernorm.weight"] = &layer.attention_norm;
    vectors[prefix + "post_attention_layernorm.weight"] = &layer.mlp_norm;
    vectors[prefix + "self_attn.q_norm.weight"] = &layer.q_norm;
    vectors[prefix + "self_attn.k_norm.weight"] = &layer.k_norm;
    for (size_t k = 0; k < llm::kLinearKinds; ++k) {
      const std::string module =
          prefix + std::string(llm::linear_module(static_cast<llm::LinearKind>(k)));
      matrices[module + ".weight"] = &layer.linear[k].weight;
      vectors[module + ".bias"] = &layer.linear[k].bias;
    }
  }
  return [matrices = std::move(matrices), vectors = std::move(vectors)](std::string_view name,
                                                                        size_t row, float* out) {
    if (const auto matrix = matrices.find(name); matrix != matrices.end()) {
      matrix->second->read_row(row, out);
      return;
    }
    const std::vector<float>& values = *vectors.at(std::string(name));
    std::copy(values.begin(), values.end(), out);
  };
}

void save_final(const TrainJob& job, const TrainResult& result, const FinalSources& sources) {
  const std::string directory = job.output + "/final";
  if (result.adapter) {
    llm::save_lora(job.env, directory, *result.adapter, sources.model_path);
    return;
  }
  std::vector<int64_t> eos(sources.end_of_generation.begin(), sources.end_of_generation.end());
  std::vector<llm::NamedFile> files;
  if (job.env.is_directory(sources.model_path)) {
    files = tokenizer_files(job.env, sources.model_path);
  } else if (sources.codec != nullptr) {
    llm::HuggingFaceTokenizer written = llm::huggingface_tokenizer(
        sources.codec->tokenizer().data(), sources.codec->template_source());
    files.emplace_back("tokenizer.json", std::move(written.tokenizer_json));
    files.emplace_back("tokenizer_config.json", std::move(written.tokenizer_config_json));
  }
  llm::write_huggingface_directory(job.env, directory, job.model.config, tensor::DataType::kF32,
                                   model_rows(job.model), eos, files);
}

}  // namespace hone::train
