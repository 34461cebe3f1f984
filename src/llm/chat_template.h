#pragma once
// Chat templates as transformers renders them (apply_chat_template): messages in, text out, and for
// every byte of the text whether the template or the data wrote it.
//
// The environment is that of transformers: Jinja2's immutable sandbox with trim_blocks,
// lstrip_blocks, loop controls, `generation` blocks, tojson without HTML escaping, raise_exception,
// strftime_now. `tools` and `documents` are None when absent. Beyond it: the filter from_json, which
// other engines have. Refused by name: include, import, from, extends, block, autoescape, lipsum,
// random, pprint, xmlattr, urlize, striptags, wordwrap, filesizeformat, str.format.
//
// Bounds of one rendering: 1e6 steps (64 bytes of text built are one), macros 200 deep, 4 MiB of
// text, one second. Errors: one sentence that names the line of the template. Times: a UTC time
// given by the caller. render() is const and may run on many threads at once.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace hone::llm {

// A run of bytes [begin, end) of the rendered text. Spans cover the text in order, without gaps.
struct Span {
  size_t begin = 0, end = 0;
  bool trusted = true;      // the template's own text or literal, bos_token or eos_token
  int message = -1;         // of data: the index of its message, when it comes from one alone
  bool assistant = false;   // of data: that message's role is "assistant"
  bool role_field = false;  // of data: it is the message's role, not what was said
  bool generated = false;   // inside a `generation` block
};

struct ByteRange {
  size_t begin = 0, end = 0;
  bool operator==(const ByteRange&) const = default;
};

struct RenderedChat {
  std::string text;
  std::vector<Span> spans;
};

struct ChatTemplateOptions {
  std::string bos_token;
  std::string eos_token;
};

struct RenderOptions {
  bool add_generation_prompt = false;
  // Leaves the last message open: the text ends where its content ends. Not with
  // add_generation_prompt.
  bool continue_final_message = false;
  const Json* tools = nullptr;      // null: None
  const Json* documents = nullptr;  // null: None
  const Json* variables = nullptr;  // an object of further variables, or null
  int64_t now_s = 0;                // seconds since 1970, UTC, for strftime_now
};

class ChatTemplate {
 public:
  static Result<ChatTemplate> parse(std::string source, ChatTemplateOptions options = {});

  // Throws invalid_input: "chat template, line 3: ...".
  RenderedChat render(const Json& messages, const RenderOptions& options = {}) const;

  // The bytes that a model would have had to write: what a loss on the assistant's turns is about.
  // Where the template has `generation` blocks that rendered, exactly these. Otherwise, for each
  // assistant message, one range that
  // - begins at the first byte of its data (its role aside), or already where the generation
  //   prompt ends when the trusted text before that byte holds it: so "<tool_call>" and an opening
  //   "<think>" that the template writes for the model count;
  // - includes trusted text between its data ("</think>", "</tool_call>"), but nothing of another
  //   message;
  // - goes on through the trusted text behind it to the end of the first eos_token there; without
  //   one, to where the generation prompt's first word stands again (the next turn) or to the first
  //   line end, whichever is earlier. The line end itself is not included.
  // An assistant message that left no data in the text has no range.
  std::vector<ByteRange> assistant_ranges(const RenderedChat& chat, const Json& messages,
                                          const RenderOptions& options = {}) const;

  const std::string& source() const;

 private:
  struct Parsed;
  explicit ChatTemplate(std::shared_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}
  RenderedChat render_messages(const Json& messages, const RenderOptions& options) const;
  std::string generation_prompt(const Json& messages, const RenderOptions& options) const;
  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace hone::llm
