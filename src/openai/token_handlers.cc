// /tokenize, /detokenize, /tokenizer_info, /apply-template, with llama.cpp's field names and vLLM's.
#include "openai/batch_plan.h"
#include "openai/errors.h"
#include "openai/fields.h"
#include "openai/handlers.h"
#include "openai/token_text.h"

namespace hone::openai {
namespace {

constexpr size_t kTextBytesMax = size_t{16} << 20;

http::Response json_of(const Json& body) { return http::Response::json(200, body.dump()); }

// A name that was sent must be one that is served; the words are the same for all.
void check_model(Call& call, Fields& fields) {
  if (const auto name = fields.text("model", kNameBytesMax)) {
    call.service.models().find(*name, call.caller.organisation);
  }
}

Json piece_of(const llm::Tokenizer& tokenizer, int32_t id) {
  const std::string text = token_text(tokenizer, id);
  const std::string_view bytes = token_bytes(tokenizer, id);
  if (text == bytes) return text;
  Json list = Json::array();  // not UTF-8 by itself: its bytes, as llama.cpp has it
  for (const char byte : bytes) list.push_back(static_cast<int>(static_cast<unsigned char>(byte)));
  return list;
}

Json id_json(std::optional<int32_t> id) { return id ? Json(int64_t{*id}) : Json(); }

Json text_json(const llm::Tokenizer& tokenizer, std::optional<int32_t> id) {
  return id ? Json(token_text(tokenizer, *id)) : Json();
}

// The text or the messages of /tokenize, as tokens.
std::vector<int32_t> read_tokens(Call& call, Fields& fields) {
  Service& service = call.service;
  const auto content = fields.text("content", kTextBytesMax);  // llama.cpp
  const auto prompt = fields.text("prompt", kTextBytesMax);    // vLLM
  const auto add_special = fields.flag("add_special");
  const auto add_special_tokens = fields.flag("add_special_tokens");
  const auto parse_special = fields.flag("parse_special");
  if (content && prompt) throw bad_field("prompt", "send content or prompt, not both");
  if (!content && !prompt) {
    const Conversation conversation = read_conversation(fields);
    return render_chat(service, conversation, *tool_use(service, conversation)).ids;
  }
  const bool wants_special =
      add_special ? *add_special : add_special_tokens.value_or(prompt.has_value());
  return service.tokenizer().encode(
      content ? *content : *prompt,
      {.add_special = wants_special, .parse_special = parse_special.value_or(true)});
}

}  // namespace

http::Response tokenize(Call& call) {
  Fields fields(call.body);
  check_model(call, fields);
  const std::vector<int32_t> ids = read_tokens(call, fields);
  const bool with_pieces = fields.flag("with_pieces").value_or(false);
  const bool with_texts = fields.flag("return_token_strs").value_or(false);
  fields.finish();
  const llm::Tokenizer& tokenizer = call.service.tokenizer();
  Json body = Json::object();
  body["count"] = uint64_t{ids.size()};
  body["max_model_len"] = uint64_t{call.service.context_tokens()};
  Json tokens = Json::array();
  Json texts = Json::array();
  for (const int32_t id : ids) {
    if (with_pieces) {
      Json entry = Json::object();
      entry["id"] = id;
      entry["piece"] = piece_of(tokenizer, id);
      tokens.push_back(std::move(entry));
    } else {
      tokens.push_back(id);
    }
    if (with_texts) texts.push_back(tokenizer.piece(id));
  }
  body["tokens"] = std::move(tokens);
  body["token_strs"] = with_texts ? std::move(texts) : Json();
  return json_of(body);
}

http::Response detokenize(Call& call) {
  Fields fields(call.body);
  check_model(call, fields);
  fields.require("tokens");
  const std::vector<int32_t> ids = fields.token_ids("tokens", size_t{4} << 20);
  fields.finish();
  const llm::Tokenizer& tokenizer = call.service.tokenizer();
  for (const int32_t id : ids) {
    if (static_cast<size_t>(id) < tokenizer.vocab_size()) continue;
    throw bad_field("tokens", "tokens holds " + std::to_string(id) + "; the vocabulary has 0 to " +
                                  std::to_string(tokenizer.vocab_size() - 1));
  }
  const std::string text =
      tokenizer.decode(ids, {.skip_special = false, .strip_leading_space = true});
  Json body = Json::object();
  body["content"] = text;  // llama.cpp
  body["prompt"] = text;   // vLLM
  return json_of(body);
}

http::Response tokenizer_info(Call& call) {
  const llm::TextCodec& codec = call.service.codec();
  const llm::Tokenizer& tokenizer = codec.tokenizer();
  Json body = Json::object();
  body["bos_token"] = text_json(tokenizer, tokenizer.bos());
  body["eos_token"] = text_json(tokenizer, tokenizer.eos());
  body["pad_token"] = text_json(tokenizer, tokenizer.pad());
  body["unk_token"] = text_json(tokenizer, tokenizer.unk());
  body["bos_token_id"] = id_json(tokenizer.bos());
  body["eos_token_id"] = id_json(tokenizer.eos());
  body["pad_token_id"] = id_json(tokenizer.pad());
  Json ends = Json::array();
  for (const int32_t id : tokenizer.end_of_generation()) ends.push_back(id);
  body["end_of_generation_ids"] = std::move(ends);
  body["add_bos_token"] = tokenizer.adds_bos();
  body["add_eos_token"] = tokenizer.adds_eos();
  body["chat_template"] = codec.has_chat_template() ? Json(codec.template_source()) : Json();
  body["vocab_size"] = uint64_t{tokenizer.vocab_size()};
  body["model_max_length"] = uint64_t{call.service.context_tokens()};
  return json_of(body);
}

http::Response apply_template(Call& call) {
  Fields fields(call.body);
  check_model(call, fields);
  const Conversation conversation = read_conversation(fields);
  fields.finish();
  Json body = Json::object();
  body["prompt"] =
      render_chat(call.service, conversation, *tool_use(call.service, conversation)).text;
  return json_of(body);
}

}  // namespace hone::openai
