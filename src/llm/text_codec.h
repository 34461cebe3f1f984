#pragma once
// A model's words: its tokenizer and its chat template together.
//
// Text of the template is trusted: special tokens in it are read. Text of a user is not: whatever
// it says, it stays characters. Immutable; any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "llm/chat_template.h"
#include "llm/tokenizer/tokenizer.h"

namespace hone::llm {

class GgufFile;

struct ChatTokens {
  std::string text;  // as the template rendered it
  std::vector<int32_t> ids;
  std::vector<uint8_t> assistant;  // per token: 1 where the assistant speaks
};

class TextCodec {
 public:
  TextCodec(Tokenizer tokenizer, std::optional<ChatTemplate> chat_template)
      : tokenizer_(std::move(tokenizer)), chat_template_(std::move(chat_template)) {}

  const Tokenizer& tokenizer() const { return tokenizer_; }
  bool has_chat_template() const { return chat_template_.has_value(); }
  // The template's text; empty when there is none.
  std::string template_source() const { return chat_template_ ? chat_template_->source() : ""; }

  // A string as it is, with the vocabulary's BOS; special tokens in it are read, as TRL does.
  std::vector<int32_t> encode_text(std::string_view text) const;
  // Text that follows other text: no BOS.
  std::vector<int32_t> encode_continuation(std::string_view text) const;

  // Messages through the chat template, as a prompt; invalid_input when the model has none.
  struct ChatPrompt {
    std::string text;
    std::vector<int32_t> ids;
  };
  ChatPrompt encode_chat_prompt(const Json& messages, const RenderOptions& options) const;
  // The same with what the assistant said marked, for training.
  ChatTokens encode_chat(const Json& messages, bool add_generation_prompt) const;
  // Only what lies behind the first `offset` bytes, tokenised by itself.
  std::vector<int32_t> encode_chat_continuation(const Json& messages, size_t offset) const;

 private:
  RenderedChat render(const Json& messages, const RenderOptions& options) const;
  RenderedChat render(const Json& messages, bool add_generation_prompt) const;

  Tokenizer tokenizer_;
  std::optional<ChatTemplate> chat_template_;
};

// The tokenizer and template of a .gguf file or a Hugging Face directory; nothing when it has no
// tokenizer. A GGUF that holds only a vocabulary is enough.
std::optional<TextCodec> load_text_codec(const std::string& path);
// The same of a GGUF that is open.
std::optional<TextCodec> text_codec_from_gguf(const GgufFile& file);

}  // namespace hone::llm
