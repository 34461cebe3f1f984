#include "llm/tokenizer/tokenizer_json_writer.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "llm/tokenizer/pre_tokenizers.h"
#include "llm/tokenizer/text_map.h"

namespace hone::llm {
namespace {

using Ids = std::unordered_map<std::string_view, int32_t>;
using Kind = TextStep::Kind;
using Behavior = SplitStep::Behavior;

// SentencePiece pieces have 16 characters; trying every cut costs the square of the length.
constexpr size_t kScoredPieceBytesMax = 1024;
constexpr std::string_view kSpacePiece = "\xE2\x96\x81";  // U+2581

Error not_writable(const std::string& what) {
  return invalid_input("tokenizer.json cannot say this tokenizer: " + what +
                       "; write the model as GGUF, which keeps the tokenizer of its file");
}

const std::string& text_of(const TokenizerData& data, int32_t id, const char* role) {
  const std::string& text = data.pieces[static_cast<size_t>(id)];
  if (text.empty()) {
    throw not_writable("its " + std::string(role) + " token " + std::to_string(id) +
                       " has no text");
  }
  return text;
}

void require_utf8(std::string_view text, const std::string& what) {
  if (const auto at = find_invalid_utf8(text)) {
    throw not_writable(what + " is not valid UTF-8 at byte " + std::to_string(*at));
  }
}

// Text -> the id that this text becomes.
Ids ids_by_text(const TokenizerData& data) {
  Ids ids;
  ids.reserve(data.pieces.size());
  for (size_t id = 0; id < data.pieces.size(); ++id) {
    if (data.pieces[id].empty()) continue;
    require_utf8(data.pieces[id], "token " + std::to_string(id));
    ids[data.pieces[id]] = static_cast<int32_t>(id);
  }
  for (const AddedToken& token : data.added_tokens) {
    require_utf8(token.text, "added token " + std::to_string(token.id));
    ids[token.text] = token.id;
  }
  return ids;
}

Json vocabulary(const TokenizerData& data, const Ids& ids) {
  std::vector<std::pair<int32_t, std::string_view>> by_id;
  by_id.reserve(ids.size());
  for (const auto& [text, id] : ids) by_id.emplace_back(id, text);
  std::sort(by_id.begin(), by_id.end());
  Json::Object members;
  members.reserve(by_id.size());
  for (const auto& [id, text] : by_id) members.emplace_back(text, Json(id));
  if (members.empty())
    throw not_writable("no token of " + std::to_string(data.pieces.size()) + " has a text");
  return members;
}

Json merges_as_json(const TokenizerData& data) {
  const bool by_score = data.merges.empty() && !data.scores.empty();
  const std::vector<TokenizerData::Merge> generated =
      by_score ? generate_merges(data) : std::vector<TokenizerData::Merge>();
  const std::vector<TokenizerData::Merge>& merges = by_score ? generated : data.merges;
  Json::Array pairs;
  pairs.reserve(merges.size());
  for (const TokenizerData::Merge& merge : merges) {
    pairs.push_back(Json::Array{Json(text_of(data, merge.left, "merged")),
                                Json(text_of(data, merge.right, "merged"))});
  }
  return pairs;
}

Json model_as_json(const TokenizerData& data, const Ids& ids) {
  const bool has_unk = data.emit_unk && data.unk;
  return Json::Object{
      {"type", "BPE"},
      {"dropout", nullptr},
      {"unk_token", has_unk ? Json(text_of(data, *data.unk, "unknown")) : Json()},
      {"continuing_subword_prefix", nullptr},
      {"end_of_word_suffix", nullptr},
      {"fuse_unk", data.fuse_unk},
      {"byte_fallback", data.byte_fallback},
      {"ignore_merges", data.ignore_merges},
      {"vocab", vocabulary(data, ids)},
      {"merges", merges_as_json(data)},
  };
}

// One step alone, several as a Sequence under `list_key`, none as null.
Json sequence(Json::Array steps, const char* list_key) {
  if (steps.empty()) return {};
  if (steps.size() == 1) return std::move(steps.front());
  return Json::Object{{"type", "Sequence"}, {list_key, std::move(steps)}};
}

Json normalizer_step(const TextStep& step) {
  switch (step.kind) {
    case Kind::kNfc: return Json::Object{{"type", "NFC"}};
    case Kind::kPrepend: return Json::Object{{"type", "Prepend"}, {"prepend", step.content}};
    case Kind::kReplace:
      return Json::Object{{"type", "Replace"},
                          {"pattern", Json::Object{{"String", step.pattern}}},
                          {"content", step.content}};
    case Kind::kPrependIfMissing:
    case Kind::kPrependIfMissingAtStart: break;
  }
  throw not_writable("a normaliser that puts text in front only where it is missing");
}

bool is_one_character(std::string_view text) {
  size_t end = 0;
  if (!text.empty()) next_code_point(text, end);
  return !text.empty() && end == text.size();
}

// Replace of spaces, and perhaps the same text put in front: Metaspace without its split.
bool is_metaspace(const std::vector<TextStep>& steps) {
  if (steps.empty() || steps.size() > 2) return false;
  const TextStep& replace = steps[0];
  if (replace.kind != Kind::kReplace || replace.pattern != " ") return false;
  if (!is_one_character(replace.content)) return false;
  if (steps.size() == 1) return true;
  const bool conditional =
      steps[1].kind == Kind::kPrependIfMissing || steps[1].kind == Kind::kPrependIfMissingAtStart;
  return conditional && steps[1].content == replace.content;
}

Json metaspace(const std::vector<TextStep>& steps) {
  const char* scheme = "never";
  if (steps.size() == 2) {
    scheme = steps[1].kind == Kind::kPrependIfMissing ? "always" : "first";
  }
  return Json::Object{{"type", "Metaspace"},
                      {"replacement", steps[0].content},
                      {"prepend_scheme", scheme},
                      {"split", false}};
}

Json byte_level(bool add_prefix_space, bool use_regex) {
  return Json::Object{{"type", "ByteLevel"},
                      {"add_prefix_space", add_prefix_space},
                      {"trim_offsets", true},
                      {"use_regex", use_regex}};
}

const char* name_of(Behavior behavior) {
  switch (behavior) {
    case Behavior::kIsolated: return "Isolated";
    case Behavior::kRemoved: return "Removed";
    case Behavior::kMergedWithPrevious: return "MergedWithPrevious";
    case Behavior::kMergedWithNext: break;
  }
  return "MergedWithNext";
}

bool isolates(const SplitStep& step, const char* regex) {
  return step.behavior == Behavior::kIsolated && !step.invert && step.regex == regex;
}

Json split_step(const SplitStep& step) {
  for (const bool individual : {true, false}) {
    if (isolates(step, individual ? kDigitRegex : kDigitsRegex)) {
      return Json::Object{{"type", "Digits"}, {"individual_digits", individual}};
    }
  }
  return Json::Object{{"type", "Split"},
                      {"pattern", Json::Object{{"Regex", step.regex}}},
                      {"behavior", name_of(step.behavior)},
                      {"invert", step.invert}};
}

// What stands between the added tokens and the model: which component says the pre_steps.
struct Front {
  bool steps_are_normalizer = false;
  bool adds_prefix_space = false;
  Json normalizer;
  Json pre_tokenizer;
};

Front front_of(const TokenizerData& data) {
  Front front;
  Json::Array normalizers, pre_tokenizers;
  for (const TextStep& step : data.normalizer) normalizers.push_back(normalizer_step(step));
  const std::vector<TextStep>& steps = data.pre_steps;
  const bool is_byte_level = data.model == TokenizerModel::kByteLevelBpe;
  std::vector<SplitStep> splits = data.splits;
  const bool ends_with_gpt2 =
      is_byte_level && !splits.empty() && isolates(splits.back(), kGpt2Regex);
  if (ends_with_gpt2) splits.pop_back();

  if (is_byte_level && splits.empty() && steps.size() == 1 &&
      steps[0].kind == Kind::kPrependIfMissing && steps[0].content == " ") {
    front.adds_prefix_space = true;
  } else if (is_metaspace(steps)) {
    pre_tokenizers.push_back(metaspace(steps));
  } else if (!steps.empty()) {
    front.steps_are_normalizer = true;
    for (const TextStep& step : steps) normalizers.push_back(normalizer_step(step));
  }
  for (const SplitStep& split : splits) pre_tokenizers.push_back(split_step(split));
  if (is_byte_level) {
    pre_tokenizers.push_back(byte_level(front.adds_prefix_space, ends_with_gpt2));
  }
  front.normalizer = sequence(std::move(normalizers), "normalizers");
  front.pre_tokenizer = sequence(std::move(pre_tokenizers), "pretokenizers");
  return front;
}

Json added_tokens(const TokenizerData& data, const Ids& ids, bool steps_are_normalizer) {
  Json::Array tokens;
  for (const AddedToken& token : data.added_tokens) {
    if (ids.at(token.text) != token.id) continue;  // another token has the same text
    bool normalized = token.normalized;
    if (steps_are_normalizer && normalized) {
      // Such a token was looked for before these steps; in a normaliser they would come first.
      if (!data.normalizer.empty()) {
        throw not_writable("added token \"" + token.text +
                           "\" is looked for between two changes of the text");
      }
      normalized = false;
    }
    tokens.push_back(Json::Object{{"id", token.id},
                                  {"content", token.text},
                                  {"single_word", token.single_word},
                                  {"lstrip", token.lstrip},
                                  {"rstrip", token.rstrip},
                                  {"normalized", normalized},
                                  {"special", token.special}});
  }
  std::stable_sort(tokens.begin(), tokens.end(), [](const Json& a, const Json& b) {
    return a.at("id").as_int() < b.at("id").as_int();
  });
  return tokens;
}

Json decoder_of(const TokenizerData& data) {
  Json::Array steps;
  if (data.model == TokenizerModel::kByteLevelBpe) {
    steps.push_back(byte_level(true, true));
  } else {
    steps.push_back(Json::Object{
        {"type", "Replace"}, {"pattern", Json::Object{{"String", kSpacePiece}}}, {"content", " "}});
    if (data.byte_fallback) steps.push_back(Json::Object{{"type", "ByteFallback"}});
    steps.push_back(Json::Object{{"type", "Fuse"}});
  }
  if (data.strip_leading_space) {
    steps.push_back(Json::Object{{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  return sequence(std::move(steps), "decoders");
}

Json sequence_part(const char* name, int type_id) {
  return Json::Object{{"Sequence", Json::Object{{"id", name}, {"type_id", type_id}}}};
}

// What add_special puts around a text. Of a pair of texts each is treated so.
Json post_processor(const TokenizerData& data) {
  if (data.prefix.empty() && data.suffix.empty()) return {};
  Json::Array single, pair;
  Json specials = Json::object();
  const auto append = [&](Json::Array& parts, const std::vector<int32_t>& ids, int type_id) {
    for (const int32_t id : ids) {
      const std::string& text = text_of(data, id, "BOS or EOS");
      parts.push_back(
          Json::Object{{"SpecialToken", Json::Object{{"id", text}, {"type_id", type_id}}}});
      specials[text] = Json::Object{
          {"id", text}, {"ids", Json::Array{Json(id)}}, {"tokens", Json::Array{Json(text)}}};
    }
  };
  append(single, data.prefix, 0);
  single.push_back(sequence_part("A", 0));
  append(single, data.suffix, 0);
  for (const int type_id : {0, 1}) {
    append(pair, data.prefix, type_id);
    pair.push_back(sequence_part(type_id == 0 ? "A" : "B", type_id));
    append(pair, data.suffix, type_id);
  }
  return Json::Object{{"type", "TemplateProcessing"},
                      {"single", std::move(single)},
                      {"pair", std::move(pair)},
                      {"special_tokens", std::move(specials)}};
}

// add_bos_token and add_eos_token replace what the post_processor says, so they are written only
// where they say the same.
void set_added(Json& config, const char* key, const std::vector<int32_t>& put,
               const std::optional<int32_t>& token) {
  const bool is_token = put.size() == 1 && token && put.front() == *token;
  if (put.empty() || is_token) config[key] = is_token;
}

Json config_of(const TokenizerData& data, const std::string& chat_template) {
  Json config = Json::object();
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  config["clean_up_tokenization_spaces"] = false;
  set_added(config, "add_bos_token", data.prefix, data.bos);
  set_added(config, "add_eos_token", data.suffix, data.eos);
  if (data.bos) config["bos_token"] = text_of(data, *data.bos, "BOS");
  if (data.eos) config["eos_token"] = text_of(data, *data.eos, "EOS");
  if (data.unk) config["unk_token"] = text_of(data, *data.unk, "unknown");
  if (data.pad) config["pad_token"] = text_of(data, *data.pad, "padding");
  if (!chat_template.empty()) {
    require_utf8(chat_template, "the chat template");
    config["chat_template"] = chat_template;
  }
  return config;
}

}  // namespace

std::vector<TokenizerData::Merge> generate_merges(const TokenizerData& data) {
  const auto is_text = [&](size_t id) {
    const TokenType type = data.types[id];
    return !data.pieces[id].empty() && type != TokenType::kControl && type != TokenType::kUnknown &&
           type != TokenType::kByte;
  };
  Ids ids;
  std::vector<int32_t> order;
  for (size_t id = 0; id < data.pieces.size(); ++id) {
    if (is_text(id)) ids[data.pieces[id]] = static_cast<int32_t>(id);
  }
  for (const auto& [text, id] : ids) order.push_back(id);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    const float score_a = data.scores[static_cast<size_t>(a)];
    const float score_b = data.scores[static_cast<size_t>(b)];
    return score_a != score_b ? score_a > score_b : a < b;
  });
  std::vector<TokenizerData::Merge> merges;
  for (const int32_t result : order) {
    const std::string_view piece = data.pieces[static_cast<size_t>(result)];
    if (piece.size() > kScoredPieceBytesMax) {
      throw not_writable("token " + std::to_string(result) + " is longer than " +
                         std::to_string(kScoredPieceBytesMax) + " bytes");
    }
    const auto first = static_cast<std::ptrdiff_t>(merges.size());
    for (size_t cut = 1; cut < piece.size(); ++cut) {
      const auto left = ids.find(piece.substr(0, cut));
      if (left == ids.end()) continue;
      const auto right = ids.find(piece.substr(cut));
      if (right != ids.end()) merges.push_back({left->second, right->second, result});
    }
    std::sort(merges.begin() + first, merges.end(), [](const auto& a, const auto& b) {
      return std::pair(a.left, a.right) < std::pair(b.left, b.right);
    });
  }
  return merges;
}

HuggingFaceTokenizer huggingface_tokenizer(const TokenizerData& data,
                                           const std::string& chat_template) {
  check_tokenizer_data(data);
  const Ids ids = ids_by_text(data);
  Front front = front_of(data);
  const Json tokenizer = Json::Object{
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added_tokens(data, ids, front.steps_are_normalizer)},
      {"normalizer", std::move(front.normalizer)},
      {"pre_tokenizer", std::move(front.pre_tokenizer)},
      {"post_processor", post_processor(data)},
      {"decoder", decoder_of(data)},
      {"model", model_as_json(data, ids)},
  };
  return {tokenizer.dump() + "\n", config_of(data, chat_template).dump_pretty() + "\n"};
}

}  // namespace hone::llm
