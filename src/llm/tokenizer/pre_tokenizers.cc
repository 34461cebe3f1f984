#include "llm/tokenizer/pre_tokenizers.h"

#include <algorithm>

namespace hone::llm {

const char* const kGpt2Regex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const char* const kDigitRegex = R"(\p{N})";
const char* const kDigitsRegex = R"(\p{N}+)";

namespace {

constexpr const char* kLlama3Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Names {
  std::string_view name;
  std::vector<std::string_view> aliases;  // names that llama.cpp maps to the same regex
};

const std::vector<Names>& names() {
  static const std::vector<Names> all = {
      {"smollm", {"starcoder", "refact", "codeshell"}},
      {"gpt-2", {"phi-2", "gigachat"}},
      {"llama-bpe", {"llama3", "llama-v3", "falcon3", "pixtral"}},
      {"qwen2", {"deepseek-r1-qwen", "megrez"}},
  };
  return all;
}

PreTokenizer make(std::string_view name) {
  if (name == "smollm") return {name, {}, {{kDigitRegex}, {kGpt2Regex}}, false, false};
  if (name == "gpt-2") return {name, {}, {{kGpt2Regex}}, false, false};
  if (name == "llama-bpe") return {name, {}, {{kLlama3Regex}}, true, true};
  return {name, {{TextStep::Kind::kNfc}}, {{kQwen2Regex}}, false, false};
}

}  // namespace

std::optional<PreTokenizer> find_pre_tokenizer(std::string_view name) {
  for (const Names& entry : names()) {
    const auto& aliases = entry.aliases;
    if (name == entry.name || std::find(aliases.begin(), aliases.end(), name) != aliases.end()) {
      return make(entry.name);
    }
  }
  return std::nullopt;
}

std::vector<std::string_view> pre_tokenizer_names() {
  std::vector<std::string_view> out;
  for (const Names& entry : names()) out.push_back(entry.name);
  return out;
}

std::string known_pre_tokenizers() {
  std::string text;
  for (const Names& entry : names()) {
    if (!text.empty()) text += ", ";
    text.append(entry.name);
    std::string_view separator = " (";
    for (const std::string_view alias : entry.aliases) {
      text.append(separator).append(alias);
      separator = ", ";
    }
    text += ")";
  }
  return text;
}

}  // namespace hone::llm
