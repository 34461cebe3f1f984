#include "llm/text_codec.h"

#include <algorithm>
#include <filesystem>
#include <functional>

#include "base/env.h"
#include "base/error.h"
#include "llm/formats/gguf.h"
#include "llm/tokenizer/tokenizer_gguf.h"
#include "llm/tokenizer/tokenizer_json.h"

namespace hone::llm {

namespace {

constexpr uint64_t kMaxTokenizerBytes = uint64_t{256} << 20;

std::vector<TextSpan> trust_spans(const RenderedChat& chat, size_t offset) {
  std::vector<TextSpan> spans;
  for (const Span& span : chat.spans) {
    const size_t begin = std::max(span.begin, offset);
    if (begin >= span.end) continue;
    spans.push_back({std::string_view(chat.text).substr(begin, span.end - begin), span.trusted});
  }
  return spans;
}

constexpr EncodeOptions kTemplateWritesItsOwn{.add_special = false, .parse_special = true};

std::string token_text(const Tokenizer& tokenizer, std::optional<int32_t> id) {
  return id ? std::string(tokenizer.bytes(*id)) : std::string();
}

// What read() throws, with the file that it is about.
Tokenizer tokenizer_of(const std::string& path, const std::function<TokenizerData()>& read) {
  try {
    return Tokenizer(read());
  } catch (const Error& error) {
    throw Error(error.code(), path + ": " + error.message());
  }
}

std::optional<ChatTemplate> parse_template(const std::string& path, std::string source,
                                           const Tokenizer& tokenizer) {
  ChatTemplateOptions options{token_text(tokenizer, tokenizer.bos()),
                              token_text(tokenizer, tokenizer.eos())};
  Result<ChatTemplate> parsed = ChatTemplate::parse(std::move(source), std::move(options));
  if (!parsed) throw invalid_input(path + ": " + parsed.error().message());
  return std::move(parsed).value();
}

std::optional<int64_t> optional_int(const GgufFile& file, std::string_view key) {
  const GgufValue* value = file.find(key);
  return value == nullptr ? std::nullopt : std::optional(value->as_int());
}

std::optional<bool> optional_bool(const GgufFile& file, std::string_view key) {
  const GgufValue* value = file.find(key);
  return value == nullptr ? std::nullopt : std::optional(value->as_bool());
}

std::vector<std::string> strings(const GgufFile& file, std::string_view key) {
  std::vector<std::string> out;
  if (const GgufValue* value = file.find(key)) {
    for (std::string_view text : value->as_strings()) out.emplace_back(text);
  }
  return out;
}

std::optional<Json> optional_json(const std::string& path) {
  Env& env = real_env();
  if (!env.exists(path)) return std::nullopt;
  Result<Json> json = Json::parse(env.read_file(path, kMaxTokenizerBytes));
  if (!json) throw corrupt_data(path + ": " + json.error().message());
  return std::move(json).value();
}

// chat_template.jinja, or chat_template of tokenizer_config.json: a string, or a list of named ones
// of which "default" is the one for chats.
std::optional<std::string> template_source(const std::string& directory, const Json* config) {
  Env& env = real_env();
  const std::string file = directory + "/chat_template.jinja";
  if (env.exists(file)) return env.read_file(file, kMaxTokenizerBytes);
  const Json* value = config == nullptr ? nullptr : config->find("chat_template");
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (value->is_string()) return value->as_string();
  for (const Json& entry : value->as_array()) {
    if (entry.at("name").as_string() == "default") return entry.at("template").as_string();
  }
  return std::nullopt;
}

std::optional<TextCodec> from_directory(const std::string& path) {
  const std::optional<Json> json = optional_json(path + "/tokenizer.json");
  if (!json) return std::nullopt;
  const std::optional<Json> config = optional_json(path + "/tokenizer_config.json");
  const std::optional<Json> generation = optional_json(path + "/generation_config.json");
  const Json* config_or_null = config ? &*config : nullptr;
  Tokenizer tokenizer = tokenizer_of(path, [&] {
    return tokenizer_from_json(*json, config_or_null, generation ? &*generation : nullptr);
  });
  std::optional<ChatTemplate> chat_template;
  if (std::optional<std::string> source = template_source(path, config_or_null)) {
    chat_template = parse_template(path, std::move(*source), tokenizer);
  }
  return TextCodec(std::move(tokenizer), std::move(chat_template));
}

}  // namespace

std::vector<int32_t> TextCodec::encode_text(std::string_view text) const {
  EncodeOptions options;
  if (!tokenizer_.adds_eos()) return tokenizer_.encode(text, options);
  // Rows end where the row ends: a trailing EOS is the trainer's to add.
  std::vector<int32_t> ids = tokenizer_.encode(text, options);
  if (!ids.empty() && tokenizer_.eos() && ids.back() == *tokenizer_.eos()) ids.pop_back();
  return ids;
}

std::vector<int32_t> TextCodec::encode_continuation(std::string_view text) const {
  return tokenizer_.encode(text, kTemplateWritesItsOwn);
}

RenderedChat TextCodec::render(const Json& messages, const RenderOptions& options) const {
  if (!chat_template_) {
    throw invalid_input(
        "this model has no chat template, so messages cannot become text: use rows with strings, "
        "or a model that has one");
  }
  return chat_template_->render(messages, options);
}

RenderedChat TextCodec::render(const Json& messages, bool add_generation_prompt) const {
  RenderOptions options;
  options.add_generation_prompt = add_generation_prompt;
  return render(messages, options);
}

TextCodec::ChatPrompt TextCodec::encode_chat_prompt(const Json& messages,
                                                    const RenderOptions& options) const {
  RenderedChat chat = render(messages, options);
  ChatPrompt out;
  out.ids = tokenizer_.encode(trust_spans(chat, 0), kTemplateWritesItsOwn).ids;
  out.text = std::move(chat.text);
  return out;
}

ChatTokens TextCodec::encode_chat(const Json& messages, bool add_generation_prompt) const {
  RenderedChat chat = render(messages, add_generation_prompt);
  const Encoding encoding = tokenizer_.encode(trust_spans(chat, 0), kTemplateWritesItsOwn);
  RenderOptions options;
  options.add_generation_prompt = add_generation_prompt;
  const std::vector<ByteRange> ranges = chat_template_->assistant_ranges(chat, messages, options);
  ChatTokens out;
  out.ids = encoding.ids;
  out.assistant.resize(out.ids.size(), 0);
  for (size_t i = 0; i < out.ids.size(); ++i) {
    for (const ByteRange& range : ranges) {
      if (encoding.begin[i] >= range.begin && encoding.end[i] <= range.end &&
          encoding.begin[i] < encoding.end[i]) {
        out.assistant[i] = 1;
      }
    }
  }
  out.text = std::move(chat.text);
  return out;
}

std::vector<int32_t> TextCodec::encode_chat_continuation(const Json& messages,
                                                         size_t offset) const {
  const RenderedChat chat = render(messages, false);
  return tokenizer_.encode(trust_spans(chat, offset), kTemplateWritesItsOwn).ids;
}

std::optional<TextCodec> text_codec_from_gguf(const GgufFile& file) {
  const GgufValue* model = file.find("tokenizer.ggml.model");
  if (model == nullptr || file.find("tokenizer.ggml.tokens") == nullptr) return std::nullopt;
  GgufTokenizerFields fields;
  fields.model = std::string(model->as_string());
  if (const GgufValue* pre = file.find("tokenizer.ggml.pre")) {
    fields.pre = std::string(pre->as_string());
  }
  fields.tokens = strings(file, "tokenizer.ggml.tokens");
  fields.merges = strings(file, "tokenizer.ggml.merges");
  if (const GgufValue* types = file.find("tokenizer.ggml.token_type")) {
    for (int64_t type : types->as_ints()) fields.token_types.push_back(static_cast<int32_t>(type));
  }
  if (const GgufValue* scores = file.find("tokenizer.ggml.scores")) {
    fields.scores = scores->as_floats();
  }
  fields.bos = optional_int(file, "tokenizer.ggml.bos_token_id");
  fields.eos = optional_int(file, "tokenizer.ggml.eos_token_id");
  fields.eot = optional_int(file, "tokenizer.ggml.eot_token_id");
  fields.eom = optional_int(file, "tokenizer.ggml.eom_token_id");
  fields.unk = optional_int(file, "tokenizer.ggml.unknown_token_id");
  fields.pad = optional_int(file, "tokenizer.ggml.padding_token_id");
  fields.add_bos = optional_bool(file, "tokenizer.ggml.add_bos_token");
  fields.add_eos = optional_bool(file, "tokenizer.ggml.add_eos_token");
  fields.add_space_prefix = optional_bool(file, "tokenizer.ggml.add_space_prefix");
  Tokenizer tokenizer = tokenizer_of(file.name(), [&] { return tokenizer_from_gguf(fields); });
  std::optional<ChatTemplate> chat_template;
  if (const GgufValue* source = file.find("tokenizer.chat_template")) {
    chat_template = parse_template(file.name(), std::string(source->as_string()), tokenizer);
  }
  return TextCodec(std::move(tokenizer), std::move(chat_template));
}

std::optional<TextCodec> load_text_codec(const std::string& path) {
  return std::filesystem::is_directory(path) ? from_directory(path)
                                             : text_codec_from_gguf(*GgufFile::open(path));
}

}  // namespace hone::llm
