#include "train/model_reward.h"

#include <algorithm>

#include "base/check.h"
#include "base/env.h"
#include "base/error.h"
#include "llm/dora.h"
#include "llm/formats/model_file.h"
#include "llm/score_head.h"

namespace hone::train {

namespace {

constexpr size_t kTokensPerPass = 512;

Json message(const char* role, const char* content) {
  Json json = Json::object();
  json["role"] = role;
  json["content"] = content;
  return json;
}

struct ChatEnds {
  std::vector<int32_t> prompt;  // what the template writes behind a question that awaits an answer
  std::vector<int32_t> answer;  // and behind an assistant's last word
};

ChatEnds chat_ends(const llm::TextCodec& codec) {
  constexpr const char *kQuestion = "question", *kAnswer = "answer";
  Json messages(Json::Array{message("user", kQuestion)});
  ChatEnds ends;
  const std::vector<int32_t> asked = codec.encode_chat(messages, true).ids;
  const std::vector<int32_t> plain = codec.encode_chat(messages, false).ids;
  if (asked.size() > plain.size()) {
    ends.prompt.assign(asked.begin() + static_cast<std::ptrdiff_t>(plain.size()), asked.end());
  }
  messages.push_back(message("assistant", kAnswer));
  const std::string text = codec.encode_chat(messages, false).text;
  const size_t at = text.rfind(kAnswer);
  if (at != std::string::npos) {
    ends.answer = codec.encode_chat_continuation(messages, at + std::string(kAnswer).size());
  }
  return ends;
}

bool ends_in(std::span<const int32_t> ids, const std::vector<int32_t>& end) {
  return !end.empty() && ids.size() >= end.size() &&
         std::equal(end.begin(), end.end(), ids.end() - static_cast<std::ptrdiff_t>(end.size()));
}

}  // namespace

ModelReward::ModelReward(std::string name, const std::string& model, const std::string& adapter)
    : name_(std::move(name)), path_(model) {
  if (!real_env().exists(model)) {
    throw not_found("reward " + name_ + ": there is no model " + model);
  }
  const std::unique_ptr<llm::ModelFile> file = llm::ModelFile::open(model);
  model_.config = file->config();
  memory_ = llm::weight_memory(*file);
  if (!adapter.empty()) adapter_ = llm::load_lora(model_, adapter);
  if (!model_.config.score_head && !(adapter_ && adapter_->score.rows() > 0)) {
    throw invalid_input("reward " + name_ + ": " + model +
                        (adapter.empty() ? "" : " with " + adapter) +
                        " has no score head: train one with hone train reward");
  }
  codec_ = llm::load_text_codec(model);
  if (!codec_) {
    throw invalid_input("reward " + name_ + ": " + model +
                        " has no tokenizer, so how its answers end is not known");
  }
  if (const auto eos = codec_->tokenizer().eos()) text_end_ = {*eos};
  if (codec_->has_chat_template()) {
    ChatEnds ends = chat_ends(*codec_);
    prompt_end_ = std::move(ends.prompt);
    chat_end_ = std::move(ends.answer);
  }
}

void ModelReward::check_vocabulary(const llm::ModelConfig& policy) const {
  if (policy.vocab_size == model_.config.vocab_size) return;
  throw invalid_input("reward " + name_ + ": " + path_ + " reads " +
                      std::to_string(model_.config.vocab_size) + " tokens and the policy writes " +
                      std::to_string(policy.vocab_size) +
                      ": a reward model must have the policy's vocabulary");
}

void ModelReward::load(tensor::Compute& compute) {
  compute_ = &compute;
  model_ = llm::load_model(compute, *llm::ModelFile::open(path_), llm::HeadNeed::kScore);
  if (adapter_) llm::refresh_dora(compute, model_, *adapter_);
}

std::vector<int32_t> ModelReward::closed(const reward::Sample& sample) const {
  std::vector<int32_t> ids(sample.prompt_ids.begin(), sample.prompt_ids.end());
  const size_t said = sample.completion_ids.size() - (sample.ended ? 1 : 0);
  ids.insert(ids.end(), sample.completion_ids.begin(),
             sample.completion_ids.begin() + static_cast<std::ptrdiff_t>(said));
  const std::vector<int32_t>& end = ends_in(sample.prompt_ids, prompt_end_) ? chat_end_ : text_end_;
  ids.insert(ids.end(), end.begin(), end.end());
  if (ids.size() > model_.config.context_length) {
    throw invalid_input("reward " + name_ + ": an answer to " + std::string(sample.row_name) +
                        " has " + std::to_string(ids.size()) +
                        " tokens with its prompt, more than the reward model can read (" +
                        std::to_string(model_.config.context_length) +
                        "): lower --max-completion-length");
  }
  return ids;
}

std::vector<std::optional<double>> ModelReward::score(std::span<const reward::Sample> samples) {
  HONE_CHECK(compute_ != nullptr);
  std::vector<std::vector<int32_t>> rows;
  for (const reward::Sample& sample : samples) rows.push_back(closed(sample));
  std::vector<std::optional<double>> scores(samples.size());
  llm::score_answers(*compute_, model_, adapter_ ? &*adapter_ : nullptr, rows, kTokensPerPass,
                     [&](size_t i, float score) { scores[i] = static_cast<double>(score); });
  return scores;
}

}  // namespace hone::train
