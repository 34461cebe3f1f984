#include "openai/token_text.h"

#include <algorithm>
#include <vector>

#include "base/utf8.h"

namespace hone::openai {
namespace {

void append_bytes(std::string& out, std::string_view bytes) {
  out += '[';
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(static_cast<unsigned char>(bytes[i]));
  }
  out += ']';
}

void append_one(std::string& out, const llm::Tokenizer& tokenizer, int32_t id, float log_prob) {
  out += "{\"token\":";
  append_json_string(out, token_text(tokenizer, id));
  out += ",\"logprob\":" + number_to_string(log_prob) + ",\"bytes\":";
  append_bytes(out, token_bytes(tokenizer, id));
}

}  // namespace

std::string_view token_bytes(const llm::Tokenizer& tokenizer, int32_t id) {
  if (id < 0 || static_cast<size_t>(id) >= tokenizer.vocab_size()) return {};
  return tokenizer.bytes(id);
}

std::string token_text(const llm::Tokenizer& tokenizer, int32_t id) {
  const std::string_view bytes = token_bytes(tokenizer, id);
  if (!find_invalid_utf8(bytes)) return std::string(bytes);
  constexpr char kHex[] = "0123456789abcdef";
  std::string text = "bytes:";
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += "\\x";
    text += kHex[value / 16];
    text += kHex[value % 16];
  }
  return text;
}

void append_chat_log_prob(std::string& out, const llm::Tokenizer& tokenizer, int32_t id,
                          float log_prob, std::span<const llm::TokenLogProb> top) {
  append_one(out, tokenizer, id, log_prob);
  out += ",\"top_logprobs\":[";
  for (size_t i = 0; i < top.size(); ++i) {
    if (i > 0) out += ',';
    append_one(out, tokenizer, top[i].id, top[i].log_prob);
    out += '}';
  }
  out += "]}";
}

void append_top_map(std::string& out, const llm::Tokenizer& tokenizer, llm::TokenLogProb token,
                    std::span<const llm::TokenLogProb> top) {
  std::vector<std::string> names;
  const auto add = [&](const llm::TokenLogProb& entry) {
    std::string name = token_text(tokenizer, entry.id);
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      name = "token_id:" + std::to_string(entry.id);
    }
    if (!names.empty()) out += ',';
    append_json_string(out, name);
    out += ':' + number_to_string(entry.log_prob);
    names.push_back(std::move(name));
  };
  out += '{';
  bool is_there = false;
  for (const llm::TokenLogProb& entry : top) {
    add(entry);
    is_there = is_there || entry.id == token.id;
  }
  if (!is_there) add(token);
  out += '}';
}

void CharacterCounter::add(std::string_view bytes) {
  for (const char each : bytes) {
    const auto byte = static_cast<unsigned char>(each);
    if (missing_ > 0 && (byte & 0xC0) == 0x80) {
      --missing_;
    } else {
      ++started_;
      missing_ = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : byte >= 0xC0 ? 1 : 0;
    }
    inside_ = missing_ > 0;
  }
}

}  // namespace hone::openai
