#include "llm/tokenizer/tokenizer_data.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/error.h"

namespace hone::llm {
namespace {

constexpr std::string_view kTurnEnds[] = {
    "<|im_end|>",      "<|eot_id|>",    "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>", "<|end|>",
    "<|end_of_turn|>", "<end_of_turn>", "</s>",       "<EOT>",
};

// Bounds that no honest file comes near: they keep what follows from growing without end.
constexpr size_t kTokensMax = size_t{1} << 24;
constexpr size_t kPieceBytesMax = size_t{1} << 16;
constexpr size_t kAddedTokenBytesMax = 4096;
constexpr size_t kStepsMax = 64;
constexpr size_t kAffixMax = 64;

void check_id(int64_t id, size_t size, const char* what) {
  if (id >= 0 && static_cast<uint64_t>(id) < size) return;
  throw corrupt_data("tokenizer: the " + std::string(what) + " id " + std::to_string(id) +
                     " is not in the vocabulary of " + std::to_string(size) +
                     " tokens; the file is damaged or its parts belong to different models");
}

void check_optional(const std::optional<int32_t>& id, size_t size, const char* what) {
  if (id) check_id(*id, size, what);
}

}  // namespace

void complete_end_of_generation(TokenizerData& data) {
  std::vector<int32_t>& ends = data.end_of_generation;
  for (size_t id = 0; id < data.pieces.size(); ++id) {
    const bool marked =
        data.types[id] == TokenType::kControl || data.types[id] == TokenType::kUserDefined;
    if (marked && std::find(std::begin(kTurnEnds), std::end(kTurnEnds), data.pieces[id]) !=
                      std::end(kTurnEnds)) {
      ends.push_back(static_cast<int32_t>(id));
    }
  }
  if (data.eos) ends.push_back(*data.eos);
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
}

void check_tokenizer_data(const TokenizerData& data) {
  const size_t size = data.pieces.size();
  if (size == 0) throw corrupt_data("tokenizer: the vocabulary is empty");
  if (size > kTokensMax) {
    throw corrupt_data("tokenizer: " + std::to_string(size) + " tokens; at most " +
                       std::to_string(kTokensMax) + " are read");
  }
  if (data.types.size() != size) {
    throw corrupt_data("tokenizer: " + std::to_string(data.types.size()) + " token types for " +
                       std::to_string(size) + " tokens");
  }
  if (!data.scores.empty() && data.scores.size() != size) {
    throw corrupt_data("tokenizer: " + std::to_string(data.scores.size()) + " scores for " +
                       std::to_string(size) + " tokens");
  }
  for (size_t id = 0; id < size; ++id) {
    if (data.pieces[id].size() > kPieceBytesMax) {
      throw corrupt_data("tokenizer: token " + std::to_string(id) + " is longer than " +
                         std::to_string(kPieceBytesMax) + " bytes");
    }
  }
  for (size_t id = 0; id < data.scores.size(); ++id) {
    if (std::isnan(data.scores[id])) {
      throw corrupt_data("tokenizer: the score of token " + std::to_string(id) +
                         " is not a number");
    }
  }
  for (const TokenizerData::Merge& merge : data.merges) {
    check_id(merge.left, size, "merge");
    check_id(merge.right, size, "merge");
    check_id(merge.result, size, "merge");
  }
  for (const AddedToken& added : data.added_tokens) {
    check_id(added.id, size, "added token");
    if (added.text.size() > kAddedTokenBytesMax) {
      throw corrupt_data("tokenizer: added token " + std::to_string(added.id) + " is longer than " +
                         std::to_string(kAddedTokenBytesMax) + " bytes");
    }
  }
  if (data.normalizer.size() + data.pre_steps.size() + data.splits.size() > kStepsMax) {
    throw corrupt_data("tokenizer: more than " + std::to_string(kStepsMax) +
                       " normaliser and pre-tokenizer steps");
  }
  if (data.prefix.size() + data.suffix.size() > kAffixMax) {
    throw corrupt_data("tokenizer: more than " + std::to_string(kAffixMax) +
                       " tokens are put around a text");
  }
  check_optional(data.bos, size, "BOS");
  check_optional(data.eos, size, "EOS");
  check_optional(data.unk, size, "unknown-token");
  check_optional(data.pad, size, "padding");
  for (const int32_t id : data.end_of_generation) check_id(id, size, "end-of-generation");
  for (const int32_t id : data.prefix) check_id(id, size, "prefix");
  for (const int32_t id : data.suffix) check_id(id, size, "suffix");
}

}  // namespace hone::llm
