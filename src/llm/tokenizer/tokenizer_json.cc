#include "llm/tokenizer/tokenizer_json.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "llm/tokenizer/tokenizer_json_steps.h"

namespace hone::llm {
namespace {

constexpr int64_t kIdMax = (int64_t{1} << 24) - 1;
constexpr int64_t kIdGapMax = int64_t{1} << 20;  // ids beyond the number of tokens

using Ids = std::unordered_map<std::string_view, int32_t>;

int32_t id_of(const Json& value, const char* where) {
  const int64_t id = value.as_int();
  if (id < 0 || id > kIdMax) {
    throw corrupt_data("tokenizer.json: " + std::string(where) + ": token id " +
                       std::to_string(id) + " is out of range");
  }
  return static_cast<int32_t>(id);
}

void read_pieces(const Json& vocabulary, const Json::Array& added, TokenizerData& data) {
  const Json::Object& members = vocabulary.as_object();
  int64_t largest = -1;
  for (const Json::Member& member : members) {
    largest = std::max<int64_t>(largest, id_of(member.second, "model.vocab"));
  }
  for (const Json& token : added) {
    largest = std::max<int64_t>(largest, id_of(token.at("id"), "added_tokens"));
  }
  const auto count = static_cast<int64_t>(members.size() + added.size());
  if (largest >= count + kIdGapMax) {
    throw corrupt_data("tokenizer.json: token id " + std::to_string(largest) + " in a file of " +
                       std::to_string(count) + " tokens");
  }
  data.pieces.resize(static_cast<size_t>(largest + 1));
  data.types.assign(data.pieces.size(), TokenType::kUnused);
  for (const Json::Member& member : members) {
    const auto id = static_cast<size_t>(id_of(member.second, "model.vocab"));
    if (data.types[id] != TokenType::kUnused) {
      throw corrupt_data("tokenizer.json: model.vocab gives the id " + std::to_string(id) +
                         " to two tokens");
    }
    data.pieces[id] = member.first;
    data.types[id] = TokenType::kNormal;
  }
}

void read_added_tokens(const Json::Array& added, TokenizerData& data) {
  for (const Json& entry : added) {
    AddedToken token;
    token.id = id_of(entry.at("id"), "added_tokens");
    token.text = entry.at("content").as_string();
    token.special = flag_of(entry, "special", false);
    token.lstrip = flag_of(entry, "lstrip", false);
    token.rstrip = flag_of(entry, "rstrip", false);
    token.normalized = flag_of(entry, "normalized", !token.special);
    token.single_word = flag_of(entry, "single_word", false);
    const auto id = static_cast<size_t>(token.id);
    data.pieces[id] = token.text;
    data.types[id] = token.special ? TokenType::kControl : TokenType::kUserDefined;
    if (!token.text.empty()) data.added_tokens.push_back(std::move(token));
  }
}

void read_merges(const Json& merges, const Ids& ids, TokenizerData& data) {
  std::string left, right;
  const auto id = [&](const std::string& piece) {
    const auto found = ids.find(piece);
    if (found != ids.end()) return found->second;
    throw corrupt_data("tokenizer.json: model.merges[" + std::to_string(data.merges.size()) +
                       "]: \"" + piece + "\" is not in model.vocab");
  };
  for (const Json& merge : merges.as_array()) {
    if (merge.is_array() && merge.size() == 2) {
      left = merge.as_array()[0].as_string();
      right = merge.as_array()[1].as_string();
    } else {
      const std::string& text = merge.as_string();
      const size_t space = text.find(' ');
      if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
        throw corrupt_data("tokenizer.json: model.merges[" + std::to_string(data.merges.size()) +
                           "] \"" + text + "\" is not two pieces with a space between them");
      }
      left = text.substr(0, space);
      right = text.substr(space + 1);
    }
    data.merges.push_back({id(left), id(right), id(left + right)});
  }
}

void refuse_text(const Json& model, const char* key) {
  const Json* value = model.find(key);
  if (value == nullptr || value->is_null()) return;
  if (value->is_string() && value->as_string().empty()) return;
  throw invalid_input("tokenizer.json: model." + std::string(key) + " is not read");
}

void read_model(const Json& model, const Json::Array& added, TokenizerData& data) {
  const Json* type = model.find("type");
  if (type != nullptr && !type->is_null() && type->as_string() != "BPE") {
    throw invalid_input("tokenizer.json: model type \"" + type->as_string() +
                        "\" is not one that Hone knows: BPE");
  }
  refuse_text(model, "continuing_subword_prefix");
  refuse_text(model, "end_of_word_suffix");
  if (const Json* dropout = model.find("dropout");
      dropout != nullptr && dropout->is_number() && dropout->as_double() != 0.0) {
    throw invalid_input("tokenizer.json: model.dropout makes encoding random and is not read");
  }
  read_pieces(model.at("vocab"), added, data);
  Ids ids;
  for (const Json::Member& member : model.at("vocab").as_object()) {
    ids[member.first] = id_of(member.second, "model.vocab");
  }
  read_merges(model.at("merges"), ids, data);
  data.byte_fallback = flag_of(model, "byte_fallback", false);
  data.fuse_unk = flag_of(model, "fuse_unk", false);
  data.ignore_merges = flag_of(model, "ignore_merges", false);
  if (const Json* unk = model.find("unk_token"); unk != nullptr && !unk->is_null()) {
    const auto found = ids.find(unk->as_string());
    if (found == ids.end()) {
      throw corrupt_data("tokenizer.json: model.unk_token \"" + unk->as_string() +
                         "\" is not in model.vocab");
    }
    data.unk = found->second;
    data.emit_unk = true;
  }
}

// The decoder changes no ids; it tells whether a leading space is dropped, and what is not known
// would give wrong text.
void read_decoder(const Json& decoder, TokenizerData& data) {
  for (const Json* step : steps_of(decoder, "decoders", "decoder")) {
    const std::string& type = type_of(*step, "decoder");
    if (type == "ByteLevel" || type == "ByteFallback" || type == "Fuse" || type == "Replace") {
      continue;
    }
    if (type == "Strip") {
      data.strip_leading_space =
          step->at("content").as_string() == " " && step->at("start").as_int() == 1;
    } else if (type == "Metaspace") {
      const Json* scheme = step->find("prepend_scheme");
      data.strip_leading_space = scheme != nullptr && !scheme->is_null()
                                     ? scheme->as_string() != "never"
                                     : flag_of(*step, "add_prefix_space", true);
    } else {
      throw invalid_input("tokenizer.json: decoder \"" + type +
                          "\" is not one that Hone knows: ByteLevel, ByteFallback, Fuse, Replace, "
                          "Strip, Metaspace, Sequence of these");
    }
  }
}

// TemplateProcessing for one text: special tokens, the text, special tokens.
void read_template(const Json& processor, TokenizerData& data) {
  bool after_text = false;
  for (const Json& part : processor.at("single").as_array()) {
    if (part.find("Sequence") != nullptr) {
      if (after_text) {
        throw invalid_input("tokenizer.json: post_processor TemplateProcessing repeats the text");
      }
      after_text = true;
      continue;
    }
    const std::string& name = part.at("SpecialToken").at("id").as_string();
    for (const Json& id : processor.at("special_tokens").at(name).at("ids").as_array()) {
      (after_text ? data.suffix : data.prefix).push_back(id_of(id, "post_processor"));
    }
  }
}

void read_post_processor(const Json& post_processor, TokenizerData& data) {
  for (const Json* step : steps_of(post_processor, "processors", "post_processor")) {
    const std::string& type = type_of(*step, "post_processor");
    if (type == "TemplateProcessing") {
      read_template(*step, data);
    } else if (type != "ByteLevel") {
      throw invalid_input("tokenizer.json: post_processor \"" + type +
                          "\" is not one that Hone knows: TemplateProcessing, ByteLevel, Sequence "
                          "of these");
    }
  }
}

// "bos_token" and its like: a string, or an object with "content".
std::optional<int32_t> named_token(const Json& config, const char* key, const Ids& ids) {
  const Json* token = config.find(key);
  if (token != nullptr && token->is_object()) token = token->find("content");
  if (token == nullptr || token->is_null()) return std::nullopt;
  const auto found = ids.find(token->as_string());
  if (found == ids.end()) {
    throw corrupt_data("tokenizer_config.json: " + std::string(key) + " \"" + token->as_string() +
                       "\" is not in tokenizer.json");
  }
  return found->second;
}

void set_added(const Json& config, const char* key, const std::optional<int32_t>& token,
               std::vector<int32_t>& place) {
  const Json* add = config.find(key);
  if (add == nullptr || !add->is_bool()) return;
  place.clear();
  if (!add->as_bool()) return;
  if (!token) {
    throw corrupt_data("tokenizer_config.json: " + std::string(key) +
                       " is true, and there is no such token");
  }
  place.push_back(*token);
}

void read_config(const Json& config, TokenizerData& data) {
  Ids ids;
  for (size_t i = 0; i < data.pieces.size(); ++i) {
    if (!data.pieces[i].empty()) ids[data.pieces[i]] = static_cast<int32_t>(i);
  }
  data.bos = named_token(config, "bos_token", ids);
  data.eos = named_token(config, "eos_token", ids);
  data.pad = named_token(config, "pad_token", ids);
  set_added(config, "add_bos_token", data.bos, data.prefix);
  set_added(config, "add_eos_token", data.eos, data.suffix);
}

void read_generation_config(const Json& config, TokenizerData& data) {
  const Json* eos = config.find("eos_token_id");
  if (eos == nullptr || eos->is_null()) return;
  std::vector<int32_t> ids;
  if (eos->is_array()) {
    for (const Json& id : eos->as_array())
      ids.push_back(id_of(id, "generation_config eos_token_id"));
  } else {
    ids.push_back(id_of(*eos, "generation_config eos_token_id"));
  }
  for (const int32_t id : ids) data.end_of_generation.push_back(id);
  if (!data.eos && !ids.empty()) data.eos = ids.front();
}

const Json& member_or_null(const Json& object, const char* key) {
  static const Json null;
  const Json* member = object.find(key);
  return member == nullptr ? null : *member;
}

}  // namespace

TokenizerData tokenizer_from_json(const Json& tokenizer, const Json* tokenizer_config,
                                  const Json* generation_config) {
  if (!tokenizer.is_object()) {
    throw corrupt_data("tokenizer.json: expected an object, found a " +
                       std::string(tokenizer.kind_name()));
  }
  TokenizerData data;
  static const Json::Array kNone;
  const Json& added_member = member_or_null(tokenizer, "added_tokens");
  const Json::Array& added = added_member.is_null() ? kNone : added_member.as_array();
  read_model(tokenizer.at("model"), added, data);
  read_added_tokens(added, data);
  read_normalizer(member_or_null(tokenizer, "normalizer"), data);
  bool has_byte_level = false;
  read_pre_tokenizer(member_or_null(tokenizer, "pre_tokenizer"), data, has_byte_level);
  const bool has_spaces_as_pieces = !data.normalizer.empty() || !data.pre_steps.empty();
  if (!has_byte_level && !data.byte_fallback && !has_spaces_as_pieces) {
    throw invalid_input(
        "tokenizer.json: neither ByteLevel nor SentencePiece's byte_fallback, "
        "Prepend, Replace or Metaspace; Hone knows only these kinds of BPE");
  }
  data.model = has_byte_level ? TokenizerModel::kByteLevelBpe : TokenizerModel::kSentencePieceBpe;
  read_decoder(member_or_null(tokenizer, "decoder"), data);
  read_post_processor(member_or_null(tokenizer, "post_processor"), data);
  if (tokenizer_config != nullptr) read_config(*tokenizer_config, data);
  if (generation_config != nullptr) read_generation_config(*generation_config, data);
  complete_end_of_generation(data);
  check_tokenizer_data(data);
  return data;
}

}  // namespace hone::llm
