#include "llm/tokenizer/tokenizer_gguf.h"

#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "llm/tokenizer/pre_tokenizers.h"

namespace hone::llm {
namespace {

constexpr const char* kSpacePiece = "\xE2\x96\x81";  // U+2581

void read_tokens(const GgufTokenizerFields& fields, TokenizerData& data) {
  if (fields.tokens.empty()) {
    throw corrupt_data("tokenizer.ggml.tokens: missing or empty; the GGUF file has no vocabulary");
  }
  if (!fields.token_types.empty() && fields.token_types.size() != fields.tokens.size()) {
    throw corrupt_data("tokenizer.ggml.token_type: " + std::to_string(fields.token_types.size()) +
                       " entries for " + std::to_string(fields.tokens.size()) + " tokens");
  }
  data.pieces = fields.tokens;
  data.types.assign(fields.tokens.size(), TokenType::kNormal);
  for (size_t i = 0; i < fields.token_types.size(); ++i) {
    const int32_t type = fields.token_types[i];
    // 0 is "undefined" in old files; what is not known is a token that text does not become.
    data.types[i] = type >= 1 && type <= 6 ? static_cast<TokenType>(type) : TokenType::kUnused;
  }
  data.scores = fields.scores;
  for (size_t i = 0; i < data.pieces.size(); ++i) {
    const TokenType type = data.types[i];
    const bool special = type == TokenType::kControl || type == TokenType::kUnknown;
    if ((!special && type != TokenType::kUserDefined) || data.pieces[i].empty()) continue;
    data.added_tokens.push_back(
        {.id = static_cast<int32_t>(i), .text = data.pieces[i], .special = special});
  }
}

std::optional<int32_t> read_id(std::optional<int64_t> id, size_t size, const char* key) {
  if (!id) return std::nullopt;
  if (*id < 0 || static_cast<uint64_t>(*id) >= size) {
    throw corrupt_data("tokenizer.ggml." + std::string(key) + ": " + std::to_string(*id) +
                       " is not in the vocabulary of " + std::to_string(size) + " tokens");
  }
  return static_cast<int32_t>(*id);
}

void read_ids(const GgufTokenizerFields& fields, bool add_bos, TokenizerData& data) {
  const size_t size = data.pieces.size();
  data.bos = read_id(fields.bos, size, "bos_token_id");
  data.eos = read_id(fields.eos, size, "eos_token_id");
  data.unk = read_id(fields.unk, size, "unknown_token_id");
  data.pad = read_id(fields.pad, size, "padding_token_id");
  if (const auto eot = read_id(fields.eot, size, "eot_token_id")) {
    data.end_of_generation.push_back(*eot);
  }
  if (const auto eom = read_id(fields.eom, size, "eom_token_id")) {
    data.end_of_generation.push_back(*eom);
  }
  if (fields.add_bos.value_or(add_bos)) {
    if (!data.bos) {
      throw corrupt_data(
          "tokenizer.ggml.add_bos_token asks for a BOS token, and "
          "tokenizer.ggml.bos_token_id does not say which; convert the model again");
    }
    data.prefix.push_back(*data.bos);
  }
  if (fields.add_eos.value_or(false)) {
    if (!data.eos) {
      throw corrupt_data(
          "tokenizer.ggml.add_eos_token asks for an EOS token, and "
          "tokenizer.ggml.eos_token_id does not say which; convert the model again");
    }
    data.suffix.push_back(*data.eos);
  }
  complete_end_of_generation(data);
}

void read_merges(const GgufTokenizerFields& fields, TokenizerData& data) {
  std::unordered_map<std::string_view, int32_t> ids;
  for (size_t i = 0; i < data.pieces.size(); ++i) ids[data.pieces[i]] = static_cast<int32_t>(i);
  const auto id_of = [&](std::string_view piece, size_t merge) {
    const auto found = ids.find(piece);
    if (found != ids.end()) return found->second;
    throw corrupt_data("tokenizer.ggml.merges[" + std::to_string(merge) + "] \"" +
                       fields.merges[merge] + "\": \"" + std::string(piece) +
                       "\" is not in the vocabulary; convert the model again");
  };
  data.merges.reserve(fields.merges.size());
  for (size_t i = 0; i < fields.merges.size(); ++i) {
    const std::string& merge = fields.merges[i];
    const size_t space = merge.find(' ', 1);
    if (space == std::string::npos || space + 1 == merge.size()) {
      throw corrupt_data("tokenizer.ggml.merges[" + std::to_string(i) + "] \"" + merge +
                         "\" is not two pieces with a space between them");
    }
    const std::string left = merge.substr(0, space), right = merge.substr(space + 1);
    data.merges.push_back({id_of(left, i), id_of(right, i), id_of(left + right, i)});
  }
}

TokenizerData read_byte_level(const GgufTokenizerFields& fields) {
  const std::string pre = fields.pre.value_or("default");
  const std::optional<PreTokenizer> known = find_pre_tokenizer(pre);
  if (!known) {
    throw invalid_input("tokenizer.ggml.pre \"" + pre +
                        "\" is not a pre-tokenizer that Hone knows: " + known_pre_tokenizers() +
                        ". A wrong one would cut words in the wrong places; use a model directory "
                        "with tokenizer.json, or convert the model again");
  }
  TokenizerData data;
  data.model = TokenizerModel::kByteLevelBpe;
  read_tokens(fields, data);
  data.scores.clear();
  if (fields.merges.empty()) {
    throw corrupt_data("tokenizer.ggml.merges: missing or empty; byte-level BPE needs them");
  }
  read_merges(fields, data);
  data.normalizer = known->normalizer;
  data.splits = known->splits;
  data.ignore_merges = known->ignore_merges;
  read_ids(fields, known->add_bos, data);
  return data;
}

TokenizerData read_sentence_piece(const GgufTokenizerFields& fields) {
  TokenizerData data;
  data.model = TokenizerModel::kSentencePieceBpe;
  read_tokens(fields, data);
  if (fields.scores.size() != fields.tokens.size()) {
    throw corrupt_data("tokenizer.ggml.scores: " + std::to_string(fields.scores.size()) +
                       " entries for " + std::to_string(fields.tokens.size()) +
                       " tokens; the model \"llama\" needs one each");
  }
  const bool space_prefix = fields.add_space_prefix.value_or(true);
  if (space_prefix) data.pre_steps.push_back({TextStep::Kind::kPrepend, {}, " "});
  data.pre_steps.push_back({TextStep::Kind::kReplace, " ", kSpacePiece});
  data.strip_leading_space = space_prefix;
  data.byte_fallback = true;
  data.emit_unk = true;
  data.fuse_unk = true;
  GgufTokenizerFields with_defaults;
  with_defaults.bos = fields.bos.value_or(1);
  with_defaults.eos = fields.eos.value_or(2);
  with_defaults.unk = fields.unk.value_or(0);
  with_defaults.pad = fields.pad;
  with_defaults.eot = fields.eot;
  with_defaults.eom = fields.eom;
  with_defaults.add_bos = fields.add_bos;
  with_defaults.add_eos = fields.add_eos;
  read_ids(with_defaults, true, data);
  return data;
}

}  // namespace

TokenizerData tokenizer_from_gguf(const GgufTokenizerFields& fields) {
  if (fields.model == "gpt2") return read_byte_level(fields);
  if (fields.model == "llama") return read_sentence_piece(fields);
  throw invalid_input("tokenizer.ggml.model \"" + fields.model +
                      "\" is not a tokenizer that Hone knows: gpt2 (byte-level BPE), "
                      "llama (SentencePiece BPE)");
}

}  // namespace hone::llm
