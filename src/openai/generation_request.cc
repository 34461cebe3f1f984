#include "openai/generation_request.h"

#include <cfloat>
#include <charconv>

#include "openai/errors.h"

namespace hone::openai {
namespace {

void read_stop(Fields& fields, GenerationRequest& request) {
  request.stop = fields.texts("stop", kStopsMax, kStopBytesMax);
  size_t bytes = 0;
  for (const std::string& text : request.stop) {
    if (text.empty()) throw bad_field("stop", "stop holds an empty string, which every text has");
    bytes += text.size();
  }
  if (bytes > kStopsBytesMax) {
    throw bad_field("stop", "stop has " + std::to_string(bytes) + " bytes; at most " +
                                std::to_string(kStopsBytesMax) + " are taken");
  }
  request.stop_token_ids = fields.token_ids("stop_token_ids", kStopsMax);
}

void read_bias(Fields& fields, GenerationRequest& request) {
  const Json* bias = fields.take("logit_bias");
  if (bias == nullptr) return;
  if (!bias->is_object()) {
    throw bad_field("logit_bias", "logit_bias must be an object of token ids and numbers");
  }
  if (bias->size() > kBiasesMax) {
    throw bad_field("logit_bias", "logit_bias has " + std::to_string(bias->size()) +
                                      " entries; at most " + std::to_string(kBiasesMax) +
                                      " are taken");
  }
  for (const auto& [key, value] : bias->as_object()) {
    int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0) {
      throw bad_field("logit_bias",
                      "logit_bias must have token ids as its keys, such as \"50256\"");
    }
    if (!value.is_number() || !(value.as_double() >= -100 && value.as_double() <= 100)) {
      throw bad_field("logit_bias", "logit_bias must have numbers from -100 to 100 as its values");
    }
    request.sampling.logit_bias.emplace_back(id, static_cast<float>(value.as_double()));
  }
}

void read_sampling(Fields& fields, llm::SamplingOptions& sampling) {
  sampling.temperature = fields.number("temperature", 0, 2).value_or(1);
  sampling.top_p = fields.number("top_p", 0, 1).value_or(1);
  // 0 keeps the most likely token alone, as the smallest mass above it does.
  if (sampling.top_p == 0) sampling.top_p = DBL_MIN;
  const int64_t top_k = fields.integer("top_k", -1, kTokensMax).value_or(0);
  sampling.top_k = top_k < 0 ? 0 : static_cast<size_t>(top_k);
  sampling.min_p = fields.number("min_p", 0, 1).value_or(0);
  sampling.presence_penalty = fields.number("presence_penalty", -2, 2).value_or(0);
  sampling.frequency_penalty = fields.number("frequency_penalty", -2, 2).value_or(0);
  sampling.repetition_penalty = fields.number("repetition_penalty", 0.01, 10).value_or(1);
}

void read_seed(Fields& fields, GenerationRequest& request, Env& env) {
  const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX);
  if (seed && *seed != -1) {
    request.seed = static_cast<uint64_t>(*seed);
    return;
  }
  // 32 bits: every reader of JSON can say it back.
  uint32_t drawn = 0;
  env.random_bytes(&drawn, sizeof(drawn));
  request.seed = drawn;
}

void read_stream(Fields& fields, GenerationRequest& request) {
  request.stream = fields.flag("stream").value_or(false);
  const Json* options = fields.take("stream_options");
  if (options == nullptr) return;
  if (!request.stream) {
    throw bad_field("stream_options", "stream_options is for stream: true only");
  }
  Fields inner(*options, "stream_options.");
  request.include_usage = inner.flag("include_usage").value_or(false);
  inner.ignore({"include_obfuscation"});
  inner.refuse("continuous_usage_stats", "the usage comes once, in the last chunk");
  inner.finish();
}

void read_format(Fields& fields, GenerationRequest& request) {
  using Format = GenerationRequest::Format;
  if (auto grammar = fields.text("grammar", kGrammarBytesMax)) request.grammar = *grammar;
  const Json* format = fields.take("response_format");
  if (format == nullptr) return;
  Fields inner(*format, "response_format.");
  inner.require("type");
  const std::string type = *inner.word("type", {"text", "json_object", "json_schema"});
  if (type == "json_object") request.format = Format::kJsonObject;
  if (type == "json_schema") {
    request.format = Format::kJsonSchema;
    Fields schema(inner.require("json_schema"), "response_format.json_schema.");
    schema.text("name", kNameBytesMax);
    schema.text("description", 1 << 16);
    schema.flag("strict");  // every schema is kept to here
    request.schema = schema.require("schema");
    schema.finish();
  } else if (const Json* schema = inner.take("schema")) {
    // llama.cpp's form: {"type": "json_object", "schema": {...}}.
    if (type != "json_object") {
      throw bad_field("response_format.schema", "a schema goes with type json_schema");
    }
    request.format = Format::kJsonSchema;
    request.schema = *schema;
  }
  inner.finish();
  if (!request.grammar.empty() && request.format != Format::kText) {
    throw bad_field("grammar", "grammar and response_format both say what the answer is: send one");
  }
}

void refuse_what_is_not_here(Fields& fields) {
  constexpr std::string_view kNever = "prompts are never cut";
  fields.refuse("truncate_prompt_tokens", kNever);
  fields.refuse("use_beam_search", "answers are drawn token by token");
  fields.refuse("include_stop_str_in_output", "stop texts are cut off");
  fields.refuse("guided_json", "use response_format with type json_schema");
  fields.refuse("guided_regex", "use grammar");
  fields.refuse("guided_choice", "use grammar");
  fields.refuse("guided_grammar", "use grammar");
  fields.refuse("structured_outputs", "use response_format, or grammar");
  fields.refuse("json_schema", "use response_format with type json_schema");
  fields.refuse("prompt_logprobs", "use /v1/completions with echo and logprobs");
  fields.refuse("bad_words", "use logit_bias");
  fields.refuse("allowed_token_ids", "use grammar or logit_bias");
  if (!fields.flag("skip_special_tokens").value_or(true)) {
    throw bad_field("skip_special_tokens",
                    "skip_special_tokens is not supported: texts have no "
                    "special tokens; return_token_ids gives all ids");
  }
  // Harmless: they say who asks or how to bill, and change no answer.
  fields.ignore({"user", "metadata", "service_tier", "safety_identifier", "prompt_cache_key",
                 "prompt_cache_retention", "prediction"});
}

}  // namespace

void read_generation(Fields& fields, GenerationRequest& request, Env& env) {
  fields.require("model");
  request.model = *fields.text("model", kNameBytesMax);
  read_sampling(fields, request.sampling);
  read_bias(fields, request);
  read_seed(fields, request, env);
  request.n =
      static_cast<size_t>(fields.integer("n", 1, static_cast<int64_t>(kChoicesMax)).value_or(1));
  request.min_tokens = static_cast<size_t>(fields.integer("min_tokens", 0, kTokensMax).value_or(0));
  read_stop(fields, request);
  request.ignore_eos = fields.flag("ignore_eos").value_or(false);
  read_stream(fields, request);
  read_format(fields, request);
  request.return_token_ids = fields.flag("return_token_ids").value_or(false);
  request.cache_salt = fields.text("cache_salt", kNameBytesMax).value_or("");
  request.cache_prompt = fields.flag("cache_prompt").value_or(true);
  request.store = fields.flag("store").value_or(false);
  refuse_what_is_not_here(fields);
}

Json settings_json(const GenerationRequest& request, size_t max_tokens) {
  const llm::SamplingOptions& sampling = request.sampling;
  Json json = Json::object();
  json["temperature"] = sampling.temperature;
  json["top_p"] = sampling.top_p;
  json["top_k"] = uint64_t{sampling.top_k};
  json["min_p"] = sampling.min_p;
  json["repetition_penalty"] = sampling.repetition_penalty;
  json["presence_penalty"] = sampling.presence_penalty;
  json["frequency_penalty"] = sampling.frequency_penalty;
  json["seed"] = static_cast<int64_t>(request.seed);
  json["max_tokens"] = uint64_t{max_tokens};
  json["min_tokens"] = uint64_t{request.min_tokens};
  return json;
}

}  // namespace hone::openai
