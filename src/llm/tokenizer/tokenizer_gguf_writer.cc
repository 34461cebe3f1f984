#include "llm/tokenizer/tokenizer_gguf_writer.h"

#include <algorithm>
#include <limits>
#include <string>

#include "base/error.h"
#include "llm/tokenizer/pre_tokenizers.h"

namespace hone::llm {
namespace {

using Kind = TextStep::Kind;

constexpr const char* kSpacePiece = "\xE2\x96\x81";  // U+2581

Error not_writable(const std::string& what) {
  return invalid_input("GGUF cannot say this tokenizer: " + what);
}

// Tokens with their types, filled up to the embedding's rows.
void write_tokens(const TokenizerData& data, size_t vocab_size, GgufTokenizerFields& fields) {
  if (data.pieces.size() > vocab_size) {
    throw not_writable("it has " + std::to_string(data.pieces.size()) +
                       " tokens and the model's embedding " + std::to_string(vocab_size) + " rows");
  }
  fields.tokens = data.pieces;
  fields.tokens.resize(vocab_size);
  fields.token_types.assign(vocab_size, static_cast<int32_t>(TokenType::kUnused));
  for (size_t id = 0; id < data.pieces.size(); ++id) {
    fields.token_types[id] = static_cast<int32_t>(data.types[id]);
  }
  for (const AddedToken& token : data.added_tokens) {
    if (token.lstrip || token.rstrip || token.single_word) {
      throw not_writable("the added token \"" + token.text +
                         "\" takes white space with it or stands for a single word only");
    }
    const auto id = static_cast<size_t>(token.id);
    fields.tokens[id] = token.text;
    if (fields.token_types[id] != static_cast<int32_t>(TokenType::kUnknown)) {
      fields.token_types[id] =
          static_cast<int32_t>(token.special ? TokenType::kControl : TokenType::kUserDefined);
    }
  }
  for (size_t id = 0; id < vocab_size; ++id) {
    if (fields.tokens[id].empty()) fields.tokens[id] = "[PAD" + std::to_string(id) + "]";
  }
}

std::vector<int32_t> ends_found_by_text(const TokenizerData& data) {
  TokenizerData copy;
  copy.pieces = data.pieces;
  copy.types = data.types;
  copy.eos = data.eos;
  complete_end_of_generation(copy);
  return copy.end_of_generation;
}

// True for {id}, false for nothing.
bool is_added(const std::vector<int32_t>& around, const std::optional<int32_t>& id,
              const char* what) {
  if (around.empty()) return false;
  if (around.size() == 1 && id && around[0] == *id) return true;
  throw not_writable(std::string("it puts other tokens than ") + what + " around a text");
}

void write_ids(const TokenizerData& data, GgufTokenizerFields& fields) {
  fields.bos = data.bos;
  fields.eos = data.eos;
  fields.unk = data.unk;
  fields.pad = data.pad;
  // Many a tokenizer.json puts tokens around a text that no tokenizer_config.json names.
  if (!fields.bos && data.prefix.size() == 1) fields.bos = data.prefix[0];
  if (!fields.eos && data.suffix.size() == 1) fields.eos = data.suffix[0];
  const auto id = [](const std::optional<int64_t>& given) {
    return given ? std::optional(static_cast<int32_t>(*given)) : std::nullopt;
  };
  fields.add_bos = is_added(data.prefix, id(fields.bos), "BOS");
  fields.add_eos = is_added(data.suffix, id(fields.eos), "EOS");
  const std::vector<int32_t> known = ends_found_by_text(data);
  for (const int32_t end : data.end_of_generation) {
    if (std::find(known.begin(), known.end(), end) != known.end()) continue;
    if (!fields.eot) {
      fields.eot = end;
    } else if (!fields.eom) {
      fields.eom = end;
    } else {
      throw not_writable("more than three tokens end a generation");
    }
  }
}

bool same_steps(const std::vector<TextStep>& a, const std::vector<TextStep>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const TextStep& x, const TextStep& y) {
                      return x.kind == y.kind && x.pattern == y.pattern && x.content == y.content;
                    });
}

bool same_splits(const std::vector<SplitStep>& a, const std::vector<SplitStep>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const SplitStep& x, const SplitStep& y) {
                      return x.regex == y.regex && x.behavior == y.behavior && x.invert == y.invert;
                    });
}

std::string pre_tokenizer_name(const TokenizerData& data) {
  for (const std::string_view name : pre_tokenizer_names()) {
    const PreTokenizer known = find_pre_tokenizer(name).value();
    if (same_steps(known.normalizer, data.normalizer) && same_splits(known.splits, data.splits) &&
        known.ignore_merges == data.ignore_merges && data.pre_steps.empty()) {
      return std::string(name);
    }
  }
  throw not_writable("it cuts text into words in none of the ways that have a name: " +
                     known_pre_tokenizers());
}

GgufTokenizerFields byte_level(const TokenizerData& data, size_t vocab_size) {
  GgufTokenizerFields fields;
  fields.model = "gpt2";
  fields.pre = pre_tokenizer_name(data);
  write_tokens(data, vocab_size, fields);
  const auto piece = [&](int32_t id) { return data.pieces[static_cast<size_t>(id)]; };
  for (const TokenizerData::Merge& merge : data.merges) {
    if (piece(merge.left).find(' ', 1) != std::string::npos ||
        piece(merge.right).find(' ') != std::string::npos) {
      throw not_writable("the merge of \"" + piece(merge.left) + "\" and \"" + piece(merge.right) +
                         "\" has a space in it");
    }
    fields.merges.push_back(piece(merge.left) + " " + piece(merge.right));
  }
  write_ids(data, fields);
  return fields;
}

// Whether a space is put in front of a text; spaces become U+2581 in any case.
bool has_space_prefix(const TokenizerData& data) {
  std::vector<TextStep> steps = data.normalizer;
  steps.insert(steps.end(), data.pre_steps.begin(), data.pre_steps.end());
  bool prefix = false, replaced = false;
  for (const TextStep& step : steps) {
    const bool prepends = step.kind != Kind::kNfc && step.kind != Kind::kReplace;
    if (step.kind == Kind::kReplace && step.pattern == " " && step.content == kSpacePiece &&
        !replaced) {
      replaced = true;
    } else if (prepends && !prefix &&
               (step.content == kSpacePiece || (step.content == " " && !replaced))) {
      prefix = true;
    } else {
      throw not_writable("it changes text in another way than SentencePiece does");
    }
  }
  if (!replaced) throw not_writable("it does not turn spaces into U+2581");
  for (const SplitStep& split : data.splits) {
    // Cutting in front of every U+2581 keeps no merge apart that the vocabulary allows.
    if (split.behavior != SplitStep::Behavior::kMergedWithNext) {
      throw not_writable("it cuts text into words, which SentencePiece does not");
    }
  }
  return prefix;
}

std::vector<float> scores_of_merges(const TokenizerData& data, size_t vocab_size) {
  // What no merge makes, characters and bytes, comes last.
  const auto unmerged = -static_cast<float>(data.merges.size() + 1);
  std::vector<float> scores(vocab_size, unmerged);
  std::vector<uint8_t> made(data.pieces.size(), 0);
  int32_t last = -1;
  for (size_t rank = 0; rank < data.merges.size(); ++rank) {
    const int32_t result = data.merges[rank].result;
    if (result == last) continue;
    const auto id = static_cast<size_t>(result);
    if (made[id] != 0) {
      throw not_writable("its merges are not in the order of their pieces (\"" + data.pieces[id] +
                         "\" comes twice)");
    }
    made[id] = 1;
    scores[id] = -static_cast<float>(rank);
    last = result;
  }
  return scores;
}

GgufTokenizerFields sentence_piece(const TokenizerData& data, size_t vocab_size) {
  if (!data.byte_fallback) {
    throw not_writable("it is SentencePiece without byte fallback");
  }
  GgufTokenizerFields fields;
  fields.model = "llama";
  fields.pre = "default";
  fields.add_space_prefix = has_space_prefix(data);
  write_tokens(data, vocab_size, fields);
  for (size_t id = 0; id < data.pieces.size(); ++id) {
    const std::string& piece = data.pieces[id];
    const bool byte = piece.size() == 6 && piece.compare(0, 3, "<0x") == 0 && piece[5] == '>';
    if (byte && data.types[id] == TokenType::kNormal) {
      fields.token_types[id] = static_cast<int32_t>(TokenType::kByte);
    }
  }
  if (data.unk) {
    fields.token_types[static_cast<size_t>(*data.unk)] = static_cast<int32_t>(TokenType::kUnknown);
  }
  if (!data.merges.empty()) {
    fields.scores = scores_of_merges(data, vocab_size);
  } else if (!data.scores.empty()) {
    fields.scores = data.scores;
    fields.scores.resize(vocab_size, std::numeric_limits<float>::lowest());
  } else {
    throw not_writable("it has neither merges nor scores");
  }
  write_ids(data, fields);
  return fields;
}

}  // namespace

GgufTokenizerFields gguf_tokenizer(const TokenizerData& data, size_t vocab_size) {
  check_tokenizer_data(data);
  return data.model == TokenizerModel::kByteLevelBpe ? byte_level(data, vocab_size)
                                                     : sentence_piece(data, vocab_size);
}

}  // namespace hone::llm
