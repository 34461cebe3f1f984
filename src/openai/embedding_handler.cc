// /v1/embeddings: the final norm's rows, pooled and of length one.
#include <bit>
#include <cstring>

#include "openai/batch_plan.h"
#include "openai/errors.h"
#include "openai/exchange.h"
#include "openai/handlers.h"

namespace hone::openai {
namespace {

std::string base64_of(std::span<const float> vector) {
  static_assert(std::endian::native == std::endian::little);  // as OpenAI's
  std::string bytes(vector.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), vector.data(), bytes.size());
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = std::min<size_t>(3, bytes.size() - i);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (k < left ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += k <= left ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

std::string list_of(std::span<const float> vector) {
  std::string out = "[";
  for (size_t i = 0; i < vector.size(); ++i) {
    if (i > 0) out += ',';
    out += number_to_string(vector[i]);
  }
  return out + "]";
}

class EmbeddingExchange : public Exchange {
 public:
  EmbeddingExchange(Service& service, Caller caller, ServedModelPointer model, size_t count,
                    bool is_base64)
      : Exchange(service, std::move(caller), std::move(model)),
        is_base64_(is_base64),
        vectors_(count) {}

 private:
  void on_prompt(size_t, size_t, std::span<const llm::PromptTokenScore>) override {}
  void on_token(size_t, const llm::TokenEvent&) override {}
  void on_end(size_t, const llm::EndEvent&) override {}
  void on_pooled(size_t prompt, std::span<const float> vector) override {
    vectors_[prompt].assign(vector.begin(), vector.end());
  }
  bool finish_is_slow() const override { return true; }
  std::string finish() override {
    std::string out = "{\"object\":\"list\",\"data\":[";
    for (size_t i = 0; i < vectors_.size(); ++i) {
      if (i > 0) out += ',';
      out += "{\"object\":\"embedding\",\"index\":" + std::to_string(i) + ",\"embedding\":";
      out += is_base64_ ? "\"" + base64_of(vectors_[i]) + "\"" : list_of(vectors_[i]);
      out += '}';
    }
    const std::string tokens = std::to_string(prompt_tokens());
    return out + "],\"model\":" + json_text(model().name) + ",\"system_fingerprint\":\"" +
           model().fingerprint + "\",\"usage\":{\"prompt_tokens\":" + tokens +
           ",\"total_tokens\":" + tokens + "}}";
  }

  const bool is_base64_;
  std::vector<std::vector<float>> vectors_;
};

}  // namespace

http::Response create_embeddings(Call& call) {
  Service& service = call.service;
  Fields fields(call.body);
  fields.require("model");
  const ServedModelPointer model =
      service.find_model(call.caller, *fields.text("model", kNameBytesMax));
  const std::vector<PromptText> input = read_prompts(fields, "input");
  const std::string format = fields.word("encoding_format", {"float", "base64"}).value_or("float");
  const std::string pooling = fields.word("pooling", {"mean", "last"}).value_or("mean");
  const bool add_special = fields.flag("add_special_tokens").value_or(true);
  const size_t width = service.model().config.hidden_size;
  const auto dimensions = fields.integer("dimensions", 1, kTokensMax);
  if (dimensions && static_cast<size_t>(*dimensions) != width) {
    throw bad_field("dimensions", "dimensions can only be " + std::to_string(width) +
                                      ", the width of this model");
  }
  fields.ignore({"user"});
  fields.finish();
  std::vector<llm::BatchRequest> batch;
  for (const PromptText& each : input) {
    GenerationRequest plain;
    plain.max_tokens = 0;
    std::vector<int32_t> ids = prompt_tokens(service, each, add_special, "input");
    answer_tokens(service, plain, ids.size(), 1, "input");
    llm::BatchRequest request =
        batch_request(service, call.caller, *model, plain, std::move(ids), 1, 0);
    request.use_prefix_cache = false;  // every row of the prompt is needed
    request.want_text = false;
    request.pooling = pooling == "mean" ? llm::Pooling::kMean : llm::Pooling::kLast;
    batch.push_back(std::move(request));
  }
  const auto exchange = std::make_shared<EmbeddingExchange>(service, call.caller, model,
                                                            batch.size(), format == "base64");
  return exchange->submit(call.request, std::move(batch), false);
}

}  // namespace hone::openai
